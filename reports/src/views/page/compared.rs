//! Sides held against each other, and how good the comparison is: a picture and a table for each.

use maud::{Markup, html};

use super::super::chart::{curve, forest};
use super::super::compared::words::{Style, calibrations};
use super::super::compared::{Group, calibrated, groups, places};
use super::super::palette;
use super::super::words::Table;
use super::{FEW, THIN, of_operation, pictures};
use crate::Report;
use crate::compared::Compared;
use crate::plain::one_line;

const STYLE: Style = Style {
    separator: THIN,
    folded: false,
    short: true,
};

/// Comparisons and calibrations; nothing if there are none.
pub(super) fn section(report: &Report) -> Markup {
    let groups = groups(report);
    let operations: Vec<&[Group<'_>]> =
        groups.chunk_by(|a, b| a.operation == b.operation).collect();
    let many = operations.len() > FEW;
    let rows = |groups: &[Group<'_>]| {
        let rows = groups.iter().flat_map(|group| group.rows.iter());
        Compared::counted(rows.map(|row| row.verdict))
    };
    html! {
        @if !operations.is_empty() {
            h2 { "Comparison" }
            p.lead {
                "Two sides in turns, on one core and on the same bytes, beside a control that is the base once more. Where "
                "the control comes out slower or faster, nothing that was measured beside it is believed."
            }
            @for groups in operations {
                section.evidence {
                    (of_operation(groups[0].operation, many, (&rows(groups), html! {
                        @for group in groups { (of_group(group)) }
                    })))
                }
            }
        }
        (how_good(report))
    }
}

fn of_group(group: &Group<'_>) -> Markup {
    let forest = forest::Forest::of(group);
    let tables = group.in_words(STYLE);
    html! {
        h4 { "Against " (one_line(group.against)) }
        @for note in group.notes(STYLE) { p.muted { (unbroken(&note)) } }
        @if forest.has_numbers() {
            (legend(&forest))
            (pictures(|width| forest::draw(&forest, width)))
        }
        @let unmeasured = group.unmeasured();
        @if !unmeasured.is_empty() {
            ul.absent {
                @for (said, rows) in unmeasured {
                    li { (rows.len()) " " (one_line(&said)) ": " (one_line(&places(&rows))) }
                }
            }
        }
        @for table in tables {
            details {
                summary { @if table.detail { "Particulars: the control, and where the code lies" } @else { "The same numbers as a table" } }
                (of_table(&table))
            }
        }
    }
}

/// The text, in which a number is not parted from its unit.
fn unbroken(text: &str) -> String {
    one_line(text).replace(" %", "\u{a0}%")
}

/// What the marks mean.
fn legend(forest: &forest::Forest) -> Markup {
    html! {
        ul.legend {
            @for verdict in forest.verdicts() {
                li {
                    b aria-hidden="true" style={ "color:" (palette::verdict(verdict).var()) } { (forest::sign(verdict)) }
                    " " (verdict)
                }
            }
            li.muted {
                "The band: what is still the same."
                @if forest.is_clipped() { " An arrow: the interval goes on beyond the picture; the table has its end." }
            }
        }
    }
}

fn how_good(report: &Report) -> Markup {
    let series = calibrated::series(report);
    let curve = curve::Curve::of(&series);
    html! {
        @if !series.is_empty() {
            h2 { "How good the comparison is" }
            p.lead {
                "Comparisons whose answer was known before: the head was made slower by a planted effect, or by none. What "
                "is found beyond the margin is right; what is found of none is a false alarm."
            }
            section.evidence {
                @if curve.has_numbers() { (pictures(|width| curve::draw(&curve, width))) }
                @for table in calibrations(&series, STYLE) {
                    @if table.detail {
                        details { summary { (one_line(&table.title)) } (of_table(&table)) }
                    } @else {
                        (of_table(&table))
                        @for note in &table.notes { p.muted { (one_line(note)) } }
                    }
                }
            }
        }
    }
}

/// The table as it is in words; the verdict stands before the numbers, where it is seen without
/// scrolling.
fn of_table(table: &Table) -> Markup {
    let verdict = (!table.alarming.is_empty()).then_some(table.numbers + 1);
    let rest = (1..table.header.len()).filter(|column| Some(*column) != verdict);
    let columns: Vec<usize> = [0].into_iter().chain(verdict).chain(rest).collect();
    let is_number = |column: usize| (1..=table.numbers).contains(&column);
    let cell = |words: &str, column: usize, alarming: bool| {
        let words = one_line(words);
        html! {
            @if column == 0 {
                th.path scope="row" { (words) }
            } @else if is_number(column) {
                td.number { (words) }
            } @else if Some(column) != verdict {
                td.reason { (words) }
            } @else if alarming {
                td.verdict { strong.bad { (words) } }
            } @else {
                td.verdict { (words) }
            }
        }
    };
    html! {
        div.scroll tabindex="0" {
            table.numbers.times.compared {
                caption { (one_line(&table.title)) }
                thead {
                    tr {
                        @for column in &columns {
                            th.number[is_number(*column)] scope="col" { (one_line(&table.header[*column])) }
                        }
                    }
                }
                tbody {
                    @for (n, row) in table.rows.iter().enumerate() {
                        @let alarming = table.alarming.get(n) == Some(&true);
                        tr { @for column in &columns { (cell(&row[*column], *column, alarming)) } }
                    }
                }
            }
        }
    }
}
