//! The ledger for a terminal.

use std::ops::Range;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width};

use super::compared::words::{FOLDED, calibrations};
use super::compared::{calibrated, groups};
use super::evidence::Evidence;
use super::times::Times;
use super::{CASES, by_operation, gated, other_figures, palette, remark, value_of, words};
use crate::number::{grouped, measured};
use crate::plain::{block, one_line};
use crate::record::{Figure, Finding};
use crate::{Gate, Outcome, Report, State};

/// How many tables of details a reader of a terminal is shown: those of a few operations.
const DETAILS: usize = 48;

/// Where the last column, free text, is wrapped, and what a gate has found.
const REMARK_WIDTH: u16 = 56;

/// The ledger as a table for a terminal, one row per path, then the findings, then one line of
/// summary. Of a gate its table, then the commands that repeat what does not pass.
///
/// With `color`, states, verdicts of a gate and the outcome are written in colours (ANSI escape sequences); the words
/// stay the same. The width does not depend on the terminal. Control characters in records are
/// shown as escapes.
#[must_use]
pub fn text(report: &Report, color: bool) -> String {
    let mut out = gate(report, color);
    if report.paths().next().is_some() {
        out += &ledger(report, color);
        out.push('\n');
        let checks = checks(report);
        if !checks.is_empty() {
            out += &checks;
            out.push('\n');
        }
    }
    let (evidence, times) = (Evidence::of(report), Times::of(report));
    let tables: Vec<words::Table> = evidence
        .in_words()
        .into_iter()
        .chain(times.in_words())
        .chain(calibrations(&calibrated::series(report), FOLDED))
        .chain(groups(report).iter().flat_map(|of| of.in_words(FOLDED)))
        .collect();
    let details = tables.iter().filter(|table| table.detail).count();
    let whole = details <= DETAILS;
    for table in tables.iter().filter(|table| whole || !table.detail) {
        out += &titled(table);
        out.push('\n');
    }
    if !whole {
        out += &format!(
            "{details} tables of details are left out here: ask for fewer paths, or see the page\n\n"
        );
    }
    let figures = other_figures(report, &times, &evidence);
    if !figures.is_empty() {
        let mut table = plain_table(&["figure of", "quantity", "split", "value", "reason"], 3..4);
        for figure in figures {
            let name = if figure.name().is_empty() {
                "the run".to_owned()
            } else {
                figure.name()
            };
            table.add_row([
                one_line(&name),
                one_line(&figure.quantity),
                one_line(figure.split.as_deref().unwrap_or("")),
                one_line(&value_of(figure, ',')),
                one_line(figure.reason.as_deref().unwrap_or("")),
            ]);
        }
        out += &lines(&table);
        out.push('\n');
    }
    for finding in report.findings() {
        out += &of_finding(finding, color);
        out.push('\n');
    }
    let outcome = report.outcome();
    if outcome == Outcome::Unfinished {
        out += &format!("{}\n", report.unfinished());
    }
    if let Some(end) = report.end().filter(|end| !end.verdict.is_empty()) {
        out += &format!("{} (exit code {})\n", one_line(&end.verdict), end.exit);
    }
    let words = painted(outcome.words(), color_of_outcome(outcome), color);
    out += &format!("{words}: {}\n", report.summary_numbers(','));
    out
}

/// The rows of a gate, then the commands of those that do not pass.
fn gate(report: &Report, color: bool) -> String {
    let rows = gated::sorted(report);
    if rows.is_empty() {
        return String::new();
    }
    let header = ["check", "subject", "verdict", "found", "allowed"];
    let mut table = plain_table(&header, 0..0);
    if let Some(found) = table.column_mut(3) {
        let most = Width::Fixed(REMARK_WIDTH);
        found.set_constraint(ColumnConstraint::UpperBoundary(most));
    }
    for row in &rows {
        table.add_row([
            one_line(&row.check),
            one_line(&row.subject),
            row.verdict.word().to_owned(),
            one_line(&row.found),
            one_line(&row.allowed),
        ]);
    }
    let mut out = lines(&table);
    if color {
        let words = Gate::ALL.map(|verdict| (verdict.word(), color_of_gate(verdict)));
        out = painted_column(&out, "verdict", &words);
    }
    out.push('\n');
    for row in rows.iter().filter(|row| row.verdict != Gate::Passes) {
        if let Some(command) = &row.command {
            let verdict = painted(row.verdict.word(), color_of_gate(row.verdict), color);
            out += &format!("{verdict}: {}\n", one_line(&row.name()));
            out += &format!("  repeat  {}\n\n", one_line(command));
        }
    }
    out
}

fn ledger(report: &Report, color: bool) -> String {
    let mut table = plain_table(
        &[
            "path",
            "state",
            "cases",
            "refusals compared",
            "receipt, or why none",
        ],
        2..3,
    );
    for (i, (_, rows)) in by_operation(report).into_iter().enumerate() {
        if i > 0 {
            table.add_row([""; 5]);
        }
        for row in rows {
            table.add_row([
                one_line(&row.name()),
                row.state.word().to_owned(),
                grouped(row.cases, ','),
                one_line(row.errors.as_deref().unwrap_or("-")),
                one_line(&remark(row)),
            ]);
        }
    }
    let plain = lines(&table);
    if !color {
        return plain;
    }
    let states = [
        State::Verified,
        State::Failed,
        State::Unavailable,
        State::NotExecuted,
    ];
    let words = states.map(|state| (state.word(), color_of_state(state)));
    painted_column(&plain, "state", &words)
}

/// The table with the words of one column in their colours. The table counts an escape sequence as if
/// it were seen, so they are painted when all is laid out: where the header has the column's name, a
/// line has one of its words or, where a cell was wrapped, nothing.
fn painted_column(plain: &str, name: &str, words: &[(&str, &str)]) -> String {
    let column = plain.find(name).unwrap_or(0);
    let paint = |line: &str| {
        let (before, after) = line.split_at_checked(column)?;
        let (word, code) = words.iter().find(|(word, _)| after.starts_with(word))?;
        let rest = &after[word.len()..];
        Some(format!("{before}{}{rest}\n", painted(word, code, true)))
    };
    plain
        .lines()
        .map(|line| paint(line).unwrap_or_else(|| format!("{line}\n")))
        .collect()
}

/// For each operation, how many cases of each kind of check its paths have been through: one number where it is the same for
/// all that ran, else the least and the most.
fn checks(report: &Report) -> String {
    let mut out = String::new();
    for (operation, rows) in by_operation(report) {
        let ran = |figure: &&Figure| {
            rows.iter()
                .any(|row| !row.peer && row.cases > 0 && row.name() == figure.name())
        };
        let mut kinds: Vec<(&str, f64, f64)> = Vec::new();
        for figure in report.figures().filter(|figure| figure.quantity == CASES) {
            let (Some(kind), Some(value), true) = (&figure.split, figure.value, ran(&figure))
            else {
                continue;
            };
            match kinds.iter_mut().find(|(known, ..)| known == kind) {
                Some((_, least, most)) => (*least, *most) = (least.min(value), most.max(value)),
                None => kinds.push((kind, value, value)),
            }
        }
        kinds.sort_by_key(|(kind, ..)| palette::rank(kind));
        let shown = |(kind, least, most): &(&str, f64, f64)| {
            let (least, most) = (measured(*least, ','), measured(*most, ','));
            let range = if least == most {
                least
            } else {
                format!("{least} to {most}")
            };
            format!("{range} {}", one_line(kind))
        };
        if !kinds.is_empty() {
            let kinds: Vec<_> = kinds.iter().map(shown).collect();
            out += &format!(
                "{}, cases of each path: {}\n",
                one_line(operation),
                kinds.join(", ")
            );
        }
    }
    out
}

fn of_finding(finding: &Finding, color: bool) -> String {
    let verdict = painted(
        &one_line(&finding.verdict),
        color_of_state(State::Failed),
        color,
    );
    let mut out = format!(
        "{verdict}: {}: {}\n",
        one_line(&finding.name()),
        one_line(&finding.detail)
    );
    for line in block(finding.dump.as_deref().unwrap_or("")).lines() {
        out += &format!("    {line}\n");
    }
    if !finding.command.contains(&finding.token) {
        out += &format!("  case    {}\n", one_line(&finding.token));
    }
    out += &format!("  repeat  {}\n", one_line(&finding.command));
    out
}

/// The table with its title. Columns of text would take more width than a terminal has: they are
/// one, in which each has a line.
fn titled(words: &words::Table) -> String {
    let behind = 1 + words.numbers;
    let stacked = |cells: &[String], between: &str| -> Vec<String> {
        let (columns, texts) = cells.split_at(behind.min(cells.len()));
        let texts: Vec<String> = texts
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| one_line(text))
            .collect();
        let mut cells: Vec<String> = columns.iter().map(|word| one_line(word)).collect();
        if words.header.len() > behind {
            cells.push(texts.join(between));
        }
        cells
    };
    let mut out = format!("{}\n", one_line(&words.title));
    if !words.rows.is_empty() {
        let header = stacked(&words.header, "; ");
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let mut table = plain_table(&header, 1..behind);
        for row in &words.rows {
            table.add_row(stacked(row, "\n"));
        }
        out += &lines(&table);
    }
    for note in &words.notes {
        out += &format!("{}\n", one_line(note));
    }
    out
}

/// A table without lines, some of whose columns are of numbers; a last one that is not is free
/// text.
fn plain_table(header: &[&str], numbers: Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
        } else if i > 0 && i + 1 == header.len() {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(REMARK_WIDTH)));
        }
    }
    table
}

fn lines(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// ANSI colour codes from the eight that every terminal has and every theme adapts.
fn color_of_state(state: State) -> &'static str {
    match state {
        State::Verified => "32",
        State::Failed | State::NotExecuted => "1;31",
        State::Unavailable => "33",
    }
}

fn color_of_gate(verdict: Gate) -> &'static str {
    match verdict {
        Gate::Passes => "32",
        Gate::Fails => "1;31",
        Gate::Inconclusive => "33",
    }
}

fn color_of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified | Outcome::Passed => color_of_state(State::Verified),
        Outcome::Inconclusive => color_of_state(State::Unavailable),
        Outcome::Failed | Outcome::NotExecuted | Outcome::Missing | Outcome::Unfinished => {
            color_of_state(State::Failed)
        }
    }
}

fn painted(word: &str, code: &str, color: bool) -> String {
    if color {
        format!("\u{1b}[{code}m{word}\u{1b}[0m")
    } else {
        word.to_owned()
    }
}
