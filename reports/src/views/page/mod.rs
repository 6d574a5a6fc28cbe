//! One self-contained page.

mod compared;
mod evidence;
mod gated;
mod times;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::cases::{self, Bars, Cell};
use super::chart::{DrawingError, Picture};
use super::evidence::Evidence;
use super::palette::{self, Ink};
use super::times::{self as measured_times, Times};
use super::{by_operation, other_figures, remark, value_of};
use crate::number::{grouped, measured};
use crate::plain::{block, one_line};
use crate::record::{Finding, PathRow};
use crate::{Outcome, Report, State};

/// Thin, and never broken at the end of a line.
const THIN: char = '\u{202f}';

/// The chart is drawn twice, for a desk and for a phone, and a media query shows one: text in a
/// picture that is only scaled could not be read on the other.
const WIDE: u32 = 860;
const NARROW: u32 = 360;

/// So many operations stand open below each other; of more, each is folded under its name.
const FEW: usize = 4;

/// The reports as one HTML page that needs nothing else: no script, no font, no picture, no
/// network, and a content security policy that forbids them.
///
/// Everything is escaped. Colours follow the reader's preference for light or dark, and no meaning
/// is carried by a colour alone. Several reports stand below each other; if their machines differ,
/// the page says that their figures are not to be compared.
#[must_use]
pub fn page(reports: &[Report]) -> String {
    let title = match reports {
        [] => "pathproof: no records".to_owned(),
        // What a gate is made of may come out otherwise than the gate, whose policy decides.
        [one, rest @ ..] if rest.is_empty() || one.gated().next().is_some() => {
            format!("{}: {}", one.outcome(), one_line(&name_of(one)))
        }
        many => {
            let worst = many
                .iter()
                .filter(|report| !report.outcome().is_pass())
                .count();
            let alone = many
                .iter()
                .all(|report| report.outcome() == Outcome::Passed);
            let word = if alone {
                Outcome::Passed
            } else {
                Outcome::Verified
            };
            if worst == 0 {
                format!("{word}: {} reports", many.len())
            } else {
                format!("not verified: {worst} of {} reports", many.len())
            }
        }
    };
    let mut ids = reports
        .iter()
        .map(|report| report.machine().map(|machine| &machine.id));
    let peers = measured_times::peers(reports);
    let alike = ids.next().is_none_or(|first| ids.all(|id| id == first));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(palette::css())) (PreEscaped(include_str!("page.css"))) }
            }
            body {
                main {
                    @if reports.is_empty() {
                        h1 { "No records" }
                        p { "No report was given to this page." }
                    }
                    @if !alike {
                        p.warn { "These reports were made on unlike machines: their figures are not to be compared." }
                    }
                    @for report in reports { (section(report, &peers)) }
                    footer.muted { "Made by pathproof-reports " (env!("CARGO_PKG_VERSION")) " from the records alone." }
                }
            }
        }
    }
    .into_string()
}

/// Program and command, or the file if the records do not say.
fn name_of(report: &Report) -> String {
    let program = report
        .machine()
        .map_or(report.source.as_str(), |machine| machine.program.as_str());
    match report.runs().next() {
        Some(run) => format!("{program} {}", run.verb),
        None => program.to_owned(),
    }
}

fn section(report: &Report, peers: &[&str]) -> Markup {
    let findings: Vec<&Finding> = report.findings().collect();
    let (times, bars) = (Times::of(report), Bars::of(report));
    let evidence = Evidence::of(report);
    let compares = report.comparisons().next().is_some() || report.calibrations().next().is_some();
    let gates = report.gated().next().is_some();
    let measures = compares || gates || !times.operations.is_empty() || !evidence.is_empty();
    html! {
        section.report {
            h1 { (one_line(&name_of(report))) }
            (banner(report))
            (gated::section(report))
            (facts(report))
            @if !findings.is_empty() {
                h2 { "Findings" }
                @for finding in findings { (of_finding(finding)) }
            }
            (compared::section(report))
            // The ledgers of a gate are those of its parts.
            @if !gates || report.paths().next().is_some() {
                h2 { "Ledger" }
                (ledger(report))
            }
            (evidence::section(&evidence, peers))
            (times::section(&times, peers))
            // A run that measures, compares or steps may check without recording kinds.
            @if !bars.kinds.is_empty() || !measures {
                h2 { "Cases by kind of check" }
                (cases(&bars))
            }
            (figures(report, &times, &evidence))
        }
    }
}

fn banner(report: &Report) -> Markup {
    let outcome = report.outcome();
    let (class, mark) = match outcome {
        Outcome::Verified | Outcome::Passed => ("good", "✓"),
        Outcome::Inconclusive => ("warn", "?"),
        Outcome::Failed | Outcome::NotExecuted | Outcome::Missing | Outcome::Unfinished => {
            ("bad", "✗")
        }
    };
    html! {
        div class={ "banner " (class) } role="status" {
            strong { span aria-hidden="true" { (mark) " " } (outcome) }
            @if outcome == Outcome::Unfinished { p { (report.unfinished()) } }
            @if let Some(end) = report.end().filter(|end| !end.verdict.is_empty()) {
                p { (one_line(&end.verdict)) " " span.muted { "(exit code " (end.exit) ")" } }
            }
            p { (report.summary_numbers(THIN)) }
        }
    }
}

fn facts(report: &Report) -> Markup {
    html! {
        dl {
            @for run in report.runs() {
                dt { "Command" }
                dd { code { (one_line(&run.verb)) @for arg in &run.args { " " (one_line(arg)) } } }
                @if let Some(seed) = run.seed { dt { "Seed" } dd { code { (seed) } } }
                dt { "Started" } dd { (one_line(&run.started)) }
            }
            @if let Some(machine) = report.machine() {
                dt { "Machine" }
                dd {
                    (one_line(&machine.cpu)) ", " (machine.cores) @if machine.cores == 1 { " core, " } @else { " cores, " }
                    (one_line(&machine.arch)) ", " (one_line(&machine.os)) " " (one_line(&machine.kernel))
                    @if let Some(guest) = &machine.hypervisor { ", guest of " (one_line(guest)) }
                    span.muted { " · fingerprint " code { (one_line(&machine.id)) } }
                }
                @if let Some(libc) = &machine.libc { dt { "C library" } dd { (one_line(libc)) } }
                @if let Some(rustc) = &machine.rustc { dt { "Compiler" } dd { (one_line(rustc)) } }
                dt { "CPU features" }
                dd.muted { (one_line(&machine.features.join(" "))) }
            }
            dt { "Records" } dd {
                code { (one_line(&report.source)) }
                @if let Some(machine) = report.machine() { ", schema " (machine.schema) }
            }
        }
    }
}

fn of_finding(finding: &Finding) -> Markup {
    html! {
        div.finding {
            p { strong.bad { (one_line(&finding.verdict)) } " " span.path { (broken_at_slashes(&finding.name())) } }
            p.wrap { (one_line(&finding.detail)) }
            @if let Some(dump) = &finding.dump { pre tabindex="0" { (block(dump)) } }
            @if !finding.command.contains(&finding.token) {
                p { "Case " code { (one_line(&finding.token)) } }
            }
            p.muted { "Repeat it with" }
            pre.command { (one_line(&finding.command)) }
        }
    }
}

/// The ledger. The roles are written out because the narrow layout, a grid, would take them from
/// the elements.
fn ledger(report: &Report) -> Markup {
    let groups = by_operation(report);
    html! {
        @if groups.is_empty() {
            p { "The records have no ledger: the run was killed before it, or its verb makes none." }
        } @else if groups.len() > FEW {
            @for (operation, rows) in groups {
                @let wrong = rows.iter().any(|row| matches!(row.state, State::Failed | State::NotExecuted));
                details.operation open[wrong] {
                    summary { h3 { (one_line(operation)) } " " (states(&rows)) }
                    (ledger_of(vec![("", rows)]))
                }
            }
        } @else {
            (ledger_of(groups))
        }
    }
}

/// How many rows there are of each state.
fn states(rows: &[&PathRow]) -> Markup {
    let (peers, paths): (Vec<&PathRow>, Vec<&PathRow>) = rows.iter().partition(|row| row.peer);
    let count = |state| paths.iter().filter(|row| row.state == state).count();
    let all = [
        State::Verified,
        State::Failed,
        State::NotExecuted,
        State::Unavailable,
    ];
    let wrong = peers.iter().filter(|row| row.state != State::Verified);
    let wrong = wrong.count();
    html! {
        @for (n, state) in all.into_iter().filter(|state| count(*state) > 0).enumerate() {
            @let (class, mark) = mark(state);
            @if n > 0 { ", " }
            span class=(class) { span aria-hidden="true" { (mark) " " } (count(state)) " " (state) }
        }
        @if !peers.is_empty() {
            span.muted { ", " (peers.len()) @if peers.len() == 1 { " peer" } @else { " peers" } }
            @if wrong > 0 { span.bad { ", " (wrong) " of them not verified" } }
        }
    }
}

/// Rows under the name of their operation, unless that stands elsewhere.
fn ledger_of(groups: Vec<(&str, Vec<&PathRow>)>) -> Markup {
    html! {
            table.folded.ledger role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        th role="columnheader" scope="col" { "Path" }
                        th role="columnheader" scope="col" { "State" }
                        th.number role="columnheader" scope="col" { "Cases" }
                        th role="columnheader" scope="col" { "Refusals compared" }
                        th role="columnheader" scope="col" { "Receipt, or why none" }
                    }
                }
                @for (operation, rows) in groups {
                    tbody role="rowgroup" {
                        @if !operation.is_empty() {
                            tr.group role="row" { th colspan="5" scope="rowgroup" role="rowheader" { (one_line(operation)) } }
                        }
                        @for row in rows { (of_row(row)) }
                    }
                }
            }
    }
}

/// The colour and the sign of a state.
fn mark(state: State) -> (&'static str, &'static str) {
    match state {
        State::Verified => ("good", "✓"),
        State::Failed => ("bad", "✗"),
        State::Unavailable => ("warn", "–"),
        State::NotExecuted => ("bad", "!"),
    }
}

/// What is said of each operation; where there are many, folded under its name and what it comes to.
fn of_operation(operation: &str, many: bool, (sum, said): (&str, Markup)) -> Markup {
    html! {
        @if many {
            details.operation { summary { h3 { (one_line(operation)) } " " span.muted { (sum) } } (said) }
        } @else {
            h3 { (one_line(operation)) }
            (said)
        }
    }
}

fn of_row(row: &PathRow) -> Markup {
    let (class, mark) = mark(row.state);
    let label = if row.delivery.is_empty() {
        row.isa.clone()
    } else {
        format!("{}/{}", row.isa, row.delivery)
    };
    html! {
        tr role="row" {
            th.path role="rowheader" scope="row" { (broken_at_slashes(&label)) }
            td role="cell" class={ "state " (class) } { span aria-hidden="true" { (mark) " " } (row.state) }
            td.number role="cell" { (grouped(row.cases, THIN)) }
            td.errors role="cell" { (one_line(row.errors.as_deref().unwrap_or(""))) }
            td.long.wrap role="cell" { (one_line(&remark(row))) }
        }
    }
}

/// The picture, its legend, and the same numbers as a table.
fn cases(bars: &Bars) -> Markup {
    if !bars.has_numbers() {
        return html! { p { "The records have no cases by kind of check, so there is nothing to draw." } (numbers(bars)) };
    }
    html! {
        @if bars.groups.len() > FEW {
            details { summary { "As a picture" } (picture_of_cases(bars)) }
        } @else {
            (picture_of_cases(bars))
        }
        details {
            summary { "The same numbers as a table" }
            (numbers(bars))
        }
    }
}

fn picture_of_cases(bars: &Bars) -> Markup {
    html! {
        (legend(bars.kinds.iter().map(String::as_str), palette::kind))
        (pictures(|width| cases::draw(bars, width)))
    }
}

/// The picture for a desk and for a phone.
fn pictures(draw: impl Fn(u32) -> Result<Picture, DrawingError>) -> Markup {
    html! {
        @for (class, width) in [("wide", WIDE), ("narrow", NARROW)] {
            @match draw(width) {
                Ok(picture) => {
                    svg class=(class) role="img" aria-label=(picture.description)
                        width=(picture.width) height=(picture.height)
                        viewBox={ "0 0 " (picture.width) " " (picture.height) } { (PreEscaped(picture.inside)) }
                }
                Err(error) => { p { "The chart could not be drawn: " (one_line(&error.to_string())) } }
            }
        }
    }
}

/// Names in their order, those of one colour together.
fn legend<'n>(names: impl IntoIterator<Item = &'n str>, ink: impl Fn(&str) -> Ink) -> Markup {
    let mut entries: Vec<(Ink, Vec<String>)> = Vec::new();
    for name in names {
        let ink = ink(name);
        match entries.iter_mut().find(|(known, _)| *known == ink) {
            Some((_, names)) => names.push(one_line(name)),
            None => entries.push((ink, vec![one_line(name)])),
        }
    }
    html! {
        ul.legend {
            @for (ink, names) in entries {
                li { span style={ "background:" (ink.var()) } {} (names.join(", ")) }
            }
        }
    }
}

fn numbers(bars: &Bars) -> Markup {
    if bars.kinds.is_empty() {
        return html! {};
    }
    html! {
        div.scroll tabindex="0" {
            table.numbers {
                caption { "Cases per path and kind of check" }
                thead {
                    tr {
                        th scope="col" { "Path" }
                        @for kind in &bars.kinds { th.number scope="col" { (one_line(kind)) } }
                        th.number scope="col" { "all" }
                        th scope="col" { "state" }
                    }
                }
                tbody {
                    @for (operation, group) in &bars.groups {
                        @for bar in group {
                            tr {
                                th.path scope="row" { (one_line(operation)) "/" (one_line(&bar.label)) }
                                @for cell in &bar.cells {
                                    @match cell {
                                        Cell::Cases(n) => { td.number { (measured(*n, THIN)) } }
                                        Cell::Reason(why) => { td.reason { (one_line(why)) } }
                                        Cell::Nothing => { td.number { "–" } }
                                    }
                                }
                                td.number {
                                    @match bar.total() {
                                        Some(total) => (measured(total, THIN)),
                                        None => "–",
                                    }
                                }
                                td { (bar.state.map_or(cases::NO_VERDICT, State::word)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Everything else that the records have numbers of.
fn figures(report: &Report, times: &Times<'_>, evidence: &Evidence<'_>) -> Markup {
    let figures = other_figures(report, times, evidence);
    if figures.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Figures" }
        table.folded role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Figure of" }
                    th role="columnheader" scope="col" { "Value" }
                    th role="columnheader" scope="col" { "Quantity" }
                    th role="columnheader" scope="col" { "Split" }
                    th role="columnheader" scope="col" { "Reason" }
                }
            }
            tbody role="rowgroup" {
                @for figure in figures {
                    @let name = figure.name();
                    tr role="row" {
                        th.path role="rowheader" scope="row" {
                            @if name.is_empty() { "the run" } @else { (broken_at_slashes(&name)) }
                        }
                        td.unit role="cell" { (one_line(&value_of(figure, THIN))) }
                        td role="cell" { (one_line(&figure.quantity)) }
                        td role="cell" { (one_line(figure.split.as_deref().unwrap_or(""))) }
                        td.long.wrap role="cell" { (one_line(figure.reason.as_deref().unwrap_or(""))) }
                    }
                }
            }
        }
    }
}

/// A path's name that may go on in the next line behind each slash.
fn broken_at_slashes(name: &str) -> Markup {
    let name = one_line(name);
    html! { @for part in name.split_inclusive('/') { (part) wbr; } }
}
