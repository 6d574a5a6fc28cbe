//! What was measured: a chart and a table for each question.

use maud::{Markup, html};

use super::super::chart::lines::{self, Lines};
use super::super::chart::speedups::{self, Speedups};
use super::super::palette;
use super::super::times::{
    Cell, GAINS, Grid, LOADS, Measure, OVER_PEER, OVER_SCALAR, RATIOS_OF_LOADS, Row, THROUGHPUT,
    Times, Who,
};
use super::{FEW, of_operation, pictures};
use crate::number::significant;
use crate::plain::one_line;

/// The measured times of all operations; nothing if there are none.
pub(super) fn section(times: &Times<'_>, peers: &[&str]) -> Markup {
    if times.operations.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Measured times" }
        @for (operation, grids) in &times.operations {
            section.times {
                (of_operation(operation, times.operations.len() > FEW, ("", html! {
                    (throughput(operation, grids, peers))
                    (speedups(operation, grids))
                    (loads(operation, grids, peers))
                    (gains(operation, grids, peers))
                    (others(operation, grids))
                })))
            }
        }
    }
}

fn of<'g>(grids: &'g [Grid<'g>], measure: &Measure) -> Option<&'g Grid<'g>> {
    grids.iter().find(|grid| grid.measure == measure)
}

/// By size, all paths and peers.
fn throughput(operation: &str, grids: &[Grid<'_>], peers: &[&str]) -> Markup {
    let Some(grid) = of(grids, &THROUGHPUT) else {
        return html! {};
    };
    let lines = Lines::of(operation, grid, peers);
    let has = |who: Who| {
        grid.rows
            .iter()
            .any(|row| row.who == who && row.has_numbers())
    };
    html! {
        h4 { (THROUGHPUT.title) }
        p.muted {
            "The median over placements of the buffers"
            @if grid.has_spread() { "; a band reaches from the least to the most" }
            ". Paths that fill the caller's buffer; the table has the other deliveries."
            @if has(Who::Peer) { " Dashed: peers, other codecs at the same work." }
            @if has(Who::Roofline) { " Grey: the roofline, the same plain reads and writes with nothing between them." }
            @if has(Who::Auto) { " Rings: auto, upon the path that it chooses." }
        }
        @if lines.has_numbers() { (pictures(|width| lines::draw(&lines, width))) }
        (left_out(grid, peers, |row| row.fills()))
        (table(operation, grid))
    }
}

/// Over scalar and over the best peer, at two sizes.
fn speedups(operation: &str, grids: &[Grid<'_>]) -> Markup {
    let pair: Vec<&Grid<'_>> = [&OVER_SCALAR, &OVER_PEER]
        .into_iter()
        .filter_map(|measure| of(grids, measure))
        .collect();
    if pair.is_empty() {
        return html! {};
    }
    let bars = Speedups::of(operation, &pair);
    html! {
        h4 { "Speed-up" }
        p.muted { "From slices that take turns within one run. The line stands at 1x, as fast as the other." }
        @if bars.has_numbers() { (pictures(|width| speedups::draw(&bars, width))) }
        @for grid in pair { (table(operation, grid)) }
    }
}

/// Calls as they are made in real use: a column for each, and in it a bar for each path or peer.
fn loads(operation: &str, grids: &[Grid<'_>], peers: &[&str]) -> Markup {
    let ratios = || {
        RATIOS_OF_LOADS
            .into_iter()
            .filter_map(|measure| of(grids, measure))
    };
    let times = of(grids, &LOADS);
    // Records may have ratios without the times that they are of.
    if times.is_none() && ratios().next().is_none() {
        return html! {};
    }
    let value = |cell: &Cell<'_>| match cell {
        Cell::Value { value, .. } if *value > 0.0 => Some(*value),
        _ => None,
    };
    let most = |at: usize| {
        let rows = times.into_iter().flat_map(|grid| &grid.rows);
        let of_column = rows.filter_map(|row| value(&row.cells[at]));
        of_column.fold(0.0, f64::max)
    };
    // The longest bar of a column is as wide as its number's cell.
    let width =
        |at: usize, cell: &Cell<'_>| value(cell).map(|value| (100.0 * value / most(at)).round());
    let bar = |at: usize, row: &Row<'_>| {
        let (percent, ink) = (width(at, &row.cells[at]), palette::of(row, peers).var());
        html! {
            @if let Some(percent) = percent {
                div.bar aria-hidden="true" style={ "width:" (percent) "%;background:" (ink) } {}
            }
        }
    };
    html! {
        h4 { "Real use" }
        p.muted { "Calls as they are made by those who use it. The bars of a column have one scale." }
        @if let Some(grid) = times { (numbers(operation, grid, bar)) }
        @for grid in ratios() {
            (table(operation, grid))
        }
    }
}

/// What not copying gains, size by size: a chart for each way of copying.
fn gains(operation: &str, grids: &[Grid<'_>], peers: &[&str]) -> Markup {
    let found: Vec<&Grid<'_>> = GAINS
        .into_iter()
        .filter_map(|measure| of(grids, measure))
        .collect();
    if found.is_empty() {
        return html! {};
    }
    html! {
        h4 { "What zero-copy gains" }
        p.muted { "How many times as long as with the caller's own buffer, used again and again. It depends on the size." }
        @for grid in found {
            @let lines = Lines::of(operation, grid, peers);
            h5 { (grid.measure.title) }
            @if lines.has_numbers() { (pictures(|width| lines::draw(&lines, width))) }
            (left_out(grid, peers, |_| true))
            (table(operation, grid))
        }
    }
}

/// What has a table and no chart.
fn others(operation: &str, grids: &[Grid<'_>]) -> Markup {
    let drawn = |measure: &Measure| {
        [&THROUGHPUT, &OVER_SCALAR, &OVER_PEER, &LOADS].contains(&measure)
            || GAINS.contains(&measure)
            || RATIOS_OF_LOADS.contains(&measure)
    };
    let others: Vec<&Grid<'_>> = grids.iter().filter(|grid| !drawn(grid.measure)).collect();
    html! {
        @if !others.is_empty() { h4 { "Other measures" } }
        @for grid in others { (rows(operation, grid)) }
    }
}

/// The rows and values that are not on the chart, with the reason: the cross on the chart is the
/// one here.
fn left_out(grid: &Grid<'_>, peers: &[&str], drawn: impl Fn(&Row<'_>) -> bool) -> Markup {
    let mut entries: Vec<(String, Vec<&Row<'_>>)> = Vec::new();
    for row in grid.rows.iter().filter(|row| drawn(row)) {
        for note in notes(grid, row) {
            match entries.iter_mut().find(|(known, _)| *known == note) {
                Some((_, rows)) => rows.push(row),
                None => entries.push((note, vec![row])),
            }
        }
    }
    html! {
        @if !entries.is_empty() {
            ul.absent {
                @for (note, rows) in entries {
                    li {
                        @for (n, row) in rows.into_iter().enumerate() {
                            @if n > 0 { ", " }
                            span aria-hidden="true" style={ "color:" (palette::of(row, peers).var()) } { "✕" }
                            " " (one_line(row.isa))
                        }
                        ": " (one_line(&note))
                    }
                }
            }
        }
    }
}

/// Why there is no line, or no point at a size.
fn notes(grid: &Grid<'_>, row: &Row<'_>) -> Vec<String> {
    let mut notes = grid.missing(row);
    let cells = grid.columns.iter().zip(&row.cells);
    notes.extend(cells.filter_map(|(column, cell)| {
        let value = lines::off_scale(cell)?;
        let (value, at) = (significant(value), column.name());
        Some(format!("{value} at {at} has no place on the scale"))
    }));
    notes
}

fn table(operation: &str, grid: &Grid<'_>) -> Markup {
    html! {
        details {
            summary { (grid.measure.title) ": the same numbers as a table" }
            (rows(operation, grid))
        }
    }
}

fn rows(operation: &str, grid: &Grid<'_>) -> Markup {
    numbers(operation, grid, |_, _| html! {})
}

/// The grid as a table, `below` each number something more.
fn numbers(operation: &str, grid: &Grid<'_>, below: impl Fn(usize, &Row<'_>) -> Markup) -> Markup {
    html! {
        div.scroll tabindex="0" {
        table.numbers.times {
            caption {
                (grid.measure.title) " of " (one_line(operation)) ", " (grid.measure.unit)
                @if grid.has_spread() { "; below each median, the least and the most" }
            }
            thead {
                tr {
                    th scope="col" { "Path" }
                    @for column in &grid.columns { th.number scope="col" { (column.name()) } }
                }
            }
            tbody {
                @for row in &grid.rows {
                    tr {
                        th.path scope="row" {
                            (one_line(&row.label()))
                            @if row.who == Who::Peer { span.muted { " peer" } }
                        }
                        @match &row.reason {
                            Some(why) if !row.has_numbers() => {
                                td.reason colspan=(grid.columns.len()) { (one_line(why)) }
                            }
                            why => {
                                @for (at, cell) in row.cells.iter().enumerate() {
                                    (of_cell(cell, why.as_deref(), below(at, row)))
                                }
                            }
                        }
                    }
                }
            }
        }
        }
    }
}

/// A cell; `otherwise` is why cells of the row without a record have no number.
fn of_cell(cell: &Cell<'_>, otherwise: Option<&str>, below: Markup) -> Markup {
    html! {
        @match cell {
            Cell::Value { value, least, most, remark, reason } => {
                td.number {
                    (significant(*value))
                    @if !remark.is_empty() { " " (one_line(remark)) }
                    @if least.is_some() || most.is_some() { " "
                        small.muted { (least.map_or("–".to_owned(), significant)) " to " (most.map_or("–".to_owned(), significant)) }
                    }
                    @if let Some(reason) = reason { " " small.muted.reason { (one_line(reason)) } }
                    (below)
                }
            }
            Cell::Reason(why) => { td.reason { (one_line(why)) } }
            Cell::Nothing => {
                @match otherwise {
                    Some(why) => { td.reason { (one_line(why)) } }
                    None => { td.number { "–" } }
                }
            }
        }
    }
}
