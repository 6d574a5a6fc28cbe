//! What a gate says, before everything that it was made from.

use maud::{Markup, html};

use super::super::gated::of;
use super::broken_at_slashes;
use crate::plain::one_line;
use crate::{Gate, Gated, Report};

/// So many rows that pass stand open; more are folded, so that what follows is seen.
const OPEN: usize = 40;

pub(super) fn section(report: &Report) -> Markup {
    let [fails, unclear, passes] = Gate::ALL.map(|verdict| of(report, verdict));
    let folded = passes.len() > OPEN;
    let mut open = [fails, unclear].concat();
    if !folded {
        open.extend(&passes);
    }
    html! {
        @if report.gated().next().is_some() {
            h2 { "Gate" }
            @if !open.is_empty() { (table(&open)) }
            @if folded {
                details { summary { "Passes: " (passes.len()) " rows" } (table(&passes)) }
            }
        }
    }
}

fn table(rows: &[&Gated]) -> Markup {
    html! {
        table.folded.gate role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["Check", "Subject", "Verdict", "Found", "Allowed"] {
                        th role="columnheader" scope="col" { (name) }
                    }
                }
            }
            tbody role="rowgroup" { @for row in rows { (of_row(row)) } }
        }
    }
}

/// The row; one that does not pass has its command in a row below.
fn of_row(row: &Gated) -> Markup {
    let (class, mark) = mark(row.verdict);
    let command = row.command.as_deref();
    let command = command.filter(|_| row.verdict != Gate::Passes);
    html! {
        tr.repeated[command.is_some()] role="row" {
            td.check role="cell" { (one_line(&row.check)) }
            th.path role="rowheader" scope="row" { (broken_at_slashes(&row.subject)) }
            td role="cell" class={ "state " (class) } { span aria-hidden="true" { (mark) " " } (row.verdict) }
            td.long.wrap role="cell" { (one_line(&row.found)) }
            td.long.wrap.allowed role="cell" { (one_line(&row.allowed)) }
        }
        @if let Some(command) = command {
            tr.repeat role="row" { td.long role="cell" colspan="5" { pre.command { (one_line(command)) } } }
        }
    }
}

/// The colour and the sign of a verdict.
fn mark(verdict: Gate) -> (&'static str, &'static str) {
    match verdict {
        Gate::Passes => ("good", "✓"),
        Gate::Fails => ("bad", "✗"),
        Gate::Inconclusive => ("warn", "?"),
    }
}
