//! The report for a pull request.

use super::compared::words::{WHOLE, calibrations};
use super::compared::{calibrated, groups as compared_groups};
use super::evidence::Evidence;
use super::times::Times;
use super::words::Table;
use super::{by_operation, gated, other_figures, remark, value_of};
use crate::number::grouped;
use crate::plain::{block, one_line};
use crate::record::{Finding, PathRow};
use crate::{Gate, Gated, Outcome, Report, State};

/// How many findings are written out, how many lines of each dump, and how many rows of a table: a
/// step summary on GitHub may have 1 MiB.
const FINDINGS: usize = 20;
const DUMP_LINES: usize = 64;
const ROWS: usize = 200;
/// How many rows of a gate there are in a table: a comment on a pull request may have 65,536 characters.
const GATED: usize = 80;

/// The report as GitHub-flavoured Markdown, fit for `$GITHUB_STEP_SUMMARY`: the outcome and what
/// failed first, then the ledger. Of a gate, fit for a comment on a pull request: what fails, each with its command, what is
/// inconclusive, and, folded, what passes.
///
/// Text from records is escaped: it shows as it is, and can open neither a link, a table cell nor
/// an HTML element. At most 20 findings are written out; what is left out is said.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let outcome = report.outcome();
    let mark = match outcome {
        Outcome::Verified | Outcome::Passed => "✅",
        Outcome::Failed | Outcome::NotExecuted | Outcome::Missing | Outcome::Unfinished => "❌",
        Outcome::Inconclusive => "❔",
    };
    let mut out = format!("### {mark} {outcome}\n\n");
    if outcome == Outcome::Unfinished {
        out += &format!("**{}**\n\n", report.unfinished());
    }
    if let Some(end) = report.end().filter(|end| !end.verdict.is_empty()) {
        out += &format!("{} (exit code {})\n\n", escaped(&end.verdict), end.exit);
    }
    out += &format!("{}.\n\n", report.summary_numbers(','));

    out += &gate(report);
    let findings: Vec<&Finding> = report.findings().collect();
    if !findings.is_empty() {
        out += "#### Findings\n\n";
        findings
            .iter()
            .take(FINDINGS)
            .for_each(|finding| out += &of_finding(finding));
        if findings.len() > FINDINGS {
            out += &format!(
                "And {} more findings; the records have them all.\n\n",
                findings.len() - FINDINGS
            );
        }
    }
    for group in compared_groups(report) {
        out += &titled(&group.in_words(WHOLE));
    }
    out += &titled(&calibrations(&calibrated::series(report), WHOLE));
    let groups = by_operation(report);
    if !groups.is_empty() {
        out += "#### Ledger\n\n| path | state | cases | refusals compared | receipt, or why none |\n|---|---|--:|---|---|\n";
        groups
            .iter()
            .flat_map(|(_, rows)| rows)
            .for_each(|row| out += &of_row(row));
        out.push('\n');
    }
    let (evidence, times) = (Evidence::of(report), Times::of(report));
    out += &titled(&evidence.in_words());
    out += &titled(&times.in_words());
    let figures = other_figures(report, &times, &evidence);
    if !figures.is_empty() {
        out += "#### Figures\n\n| figure of | quantity | split | value | reason |\n|---|---|---|--:|---|\n";
        for figure in figures {
            let name = figure.name();
            let name = if name.is_empty() {
                "the run".to_owned()
            } else {
                cell(&name)
            };
            let [quantity, split, value, reason] = [
                &figure.quantity,
                figure.split.as_deref().unwrap_or(""),
                &value_of(figure, ','),
                figure.reason.as_deref().unwrap_or(""),
            ]
            .map(escaped);
            out += &format!("| {name} | {quantity} | {split} | {value} | {reason} |\n");
        }
        out.push('\n');
    }
    if let Some(m) = report.machine() {
        let guest = m
            .hypervisor
            .as_ref()
            .map(|h| format!(", guest of {h}"))
            .unwrap_or_default();
        let libc = m.libc.as_ref().map(|libc| format!(", {libc}"));
        let libc = libc.unwrap_or_default();
        let machine = format!(
            "{}, {} cores, {} {}{libc}, {}{guest}; {}",
            m.cpu, m.cores, m.os, m.kernel, m.arch, m.program
        );
        out += &format!("Machine {}: {}.\n", code(&m.id), escaped(&machine));
    }
    out
}

/// What does not pass a gate is written out; what passes is folded.
fn gate(report: &Report) -> String {
    let [fails, unclear, passes] = Gate::ALL.map(|verdict| gated::of(report, verdict));
    let mut out = String::new();
    if !fails.is_empty() {
        out += "#### Fails\n\n";
        fails
            .iter()
            .take(FINDINGS)
            .for_each(|row| out += &of_failed(row));
        out += &left_out(fails.len(), FINDINGS);
    }
    if !unclear.is_empty() {
        out += &format!("#### Inconclusive\n\n{}", of_gated(&unclear, true));
    }
    if !passes.is_empty() {
        let rows = if passes.len() == 1 { "row" } else { "rows" };
        out += &format!(
            "<details><summary>Passes: {} {rows}</summary>\n\n",
            passes.len()
        );
        out += &of_gated(&passes, false);
        out += "</details>\n\n";
    }
    out
}

fn of_failed(row: &Gated) -> String {
    let mut out = format!(
        "**{}** {} {}: {}; allowed: {}\n\n",
        row.verdict,
        escaped(&row.check),
        code(&row.subject),
        escaped(&row.found),
        escaped(&row.allowed)
    );
    if let Some(command) = &row.command {
        out += "Repeat it with\n\n";
        out += &fenced(&one_line(command));
    }
    out
}

/// Rows of one verdict, with their commands where somebody may want them.
fn of_gated(rows: &[&Gated], commands: bool) -> String {
    let mut out = "| check | subject | found | allowed |".to_owned();
    out += if commands {
        " repeat it with |\n|---|---|---|---|---|\n"
    } else {
        "\n|---|---|---|---|\n"
    };
    for row in rows.iter().take(GATED) {
        let [check, found, allowed] =
            [&row.check, &row.found, &row.allowed].map(|text| escaped(text));
        out += &format!("| {check} | {} | {found} | {allowed} |", cell(&row.subject));
        if commands {
            let command = row.command.as_deref().map(cell).unwrap_or_default();
            out += &format!(" {command} |");
        }
        out.push('\n');
    }
    out + "\n" + &left_out(rows.len(), GATED)
}

/// How many rows are more than are shown.
fn left_out(rows: usize, shown: usize) -> String {
    match rows.saturating_sub(shown) {
        0 => String::new(),
        left => format!("And {left} more rows; the records have them all.\n\n"),
    }
}

fn of_row(row: &PathRow) -> String {
    let state = match row.state {
        State::Verified | State::Unavailable => row.state.to_string(),
        State::Failed | State::NotExecuted => format!("**{}**", row.state),
    };
    let name = cell(&row.name());
    let errors = row.errors.as_deref().map(escaped).unwrap_or_default();
    format!(
        "| {name} | {state} | {} | {errors} | {} |\n",
        grouped(row.cases, ','),
        escaped(&remark(row))
    )
}

/// The tables, each with its title; particulars are folded.
fn titled(tables: &[Table]) -> String {
    let mut out = String::new();
    for tables in tables.chunk_by(|a, b| a.detail == b.detail) {
        if tables.iter().all(|table| table.detail) {
            out += "<details><summary>Particulars</summary>\n\n";
            out += &tables.iter().map(of_table).collect::<String>();
            out += "</details>\n\n";
        } else {
            out += &tables.iter().map(of_table).collect::<String>();
        }
    }
    out
}

fn of_table(table: &Table) -> String {
    let mut out = format!("#### {}\n\n", escaped(&table.title));
    if !table.rows.is_empty() {
        let header: Vec<String> = table.header.iter().map(|word| escaped(word)).collect();
        out += &format!("| {} |\n|", header.join(" | "));
        for column in 0..header.len() {
            let number = (1..=table.numbers).contains(&column);
            out += if number { "--:|" } else { "---|" };
        }
        out.push('\n');
        for (n, row) in table.rows.iter().take(ROWS).enumerate() {
            let name = cell(&row[0]);
            let mut words: Vec<String> = row[1..].iter().map(|word| escaped(word)).collect();
            if table.alarming.get(n) == Some(&true) {
                let word = &mut words[table.numbers];
                *word = format!("**{word}**");
            }
            out += &format!("| {name} | {} |\n", words.join(" | "));
        }
        out.push('\n');
    }
    out += &left_out(table.rows.len(), ROWS);
    for note in &table.notes {
        out += &format!("{}\n\n", escaped(note));
    }
    out
}

fn of_finding(finding: &Finding) -> String {
    let mut out = format!(
        "**{}** {}: {}\n\n",
        escaped(&finding.verdict),
        code(&finding.name()),
        escaped(&finding.detail)
    );
    if let Some(dump) = &finding.dump {
        let dump = block(dump);
        let mut shown: Vec<&str> = dump.lines().take(DUMP_LINES).collect();
        let left = dump.lines().count() - shown.len();
        let rest = format!("… and {left} more lines");
        if left > 0 {
            shown.push(&rest);
        }
        out += &fenced(&shown.join("\n"));
    }
    if !finding.command.contains(&finding.token) {
        out += &format!("Case: {}\n\n", code(&finding.token));
    }
    out += "Repeat it with\n\n";
    out += &fenced(&one_line(&finding.command));
    out
}

/// Text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in one_line(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '#' | '$' | '!'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text as a code span.
fn code(text: &str) -> String {
    let text = one_line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    // A space inside keeps a tick of the text apart from those around it; Markdown takes it away
    // again.
    let space = if text.is_empty() || text.contains('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// Text as a code span in a cell: GFM splits cells before it reads code spans, so a bar is escaped even
/// in one.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Lines as a code block.
fn fenced(lines: &str) -> String {
    let ticks = "`".repeat((longest_run(lines) + 1).max(3));
    format!("{ticks}text\n{lines}\n{ticks}\n\n")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_longer_than_what_they_hold() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(fenced("x\n````\ny"), "`````text\nx\n````\ny\n`````\n\n");
    }

    #[test]
    fn prose_cannot_act() {
        assert_eq!(
            escaped("a|b <img src=x> `c` [l](u)\n# h"),
            r"a\|b \<img src=x\> \`c\` \[l\](u)\\n\# h"
        );
    }
}
