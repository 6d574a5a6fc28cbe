//! The report as GitHub shows it beside a change.

use super::gated;
use crate::plain::one_line;
use crate::{Gate, Gated, Outcome, Report};

/// How many of a kind GitHub shows of one step; it drops the others without a word.
const SHOWN: usize = 10;

/// The report as workflow commands of GitHub Actions, one a line: an `::error` for each row of a gate
/// that fails and for each finding, a `::warning` for each row that is inconclusive. Where no error
/// says why the run is no pass, one of the whole run does. Empty if there is nothing to say.
///
/// GitHub shows ten errors and ten warnings of a step. So no more are written, and a `::notice` says
/// how many are left out.
///
/// Text from records is escaped by GitHub's rules, so that a line stays one command and a title one
/// property.
#[must_use]
pub fn annotations(report: &Report) -> String {
    let rows = |verdict| gated::of(report, verdict).into_iter();
    let of_row = |row: &Gated| {
        let said = format!("{}; allowed: {}", row.found, row.allowed);
        (row.name(), said, row.command.clone())
    };
    let findings = report.findings().map(|finding| {
        let title = format!("{}: {}", finding.verdict, finding.name());
        (title, finding.detail.clone(), Some(finding.command.clone()))
    });
    let mut errors: Vec<_> = rows(Gate::Fails).map(of_row).chain(findings).collect();
    let warnings: Vec<_> = rows(Gate::Inconclusive).map(of_row).collect();
    let outcome = report.outcome();
    if outcome == Outcome::Unfinished || (!outcome.is_pass() && errors.is_empty()) {
        let why = match report.end() {
            Some(end) if outcome != Outcome::Unfinished => {
                format!("{} (exit code {})", end.verdict, end.exit)
            }
            _ => report.unfinished().to_owned(),
        };
        errors.insert(0, (outcome.to_string(), why, None));
    }
    let mut out = String::new();
    for (kind, lines) in [("error", &errors), ("warning", &warnings)] {
        for (title, said, command) in lines.iter().take(SHOWN) {
            let mut message = one_line(said);
            if let Some(command) = command {
                message += &format!("\nrepeat: {}", one_line(command));
            }
            let (title, message) = (property(&one_line(title)), data(&message));
            out += &format!("::{kind} title={title}::{message}\n");
        }
        let left = lines.len().saturating_sub(SHOWN);
        if left > 0 {
            out += &format!(
                "::notice title=left out::{left} more of kind {kind}; the records have them all\n"
            );
        }
    }
    out
}

/// Text as the message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Text as a property of one, which a colon or a comma would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let text = "50 %, a::b\r\nc";
        assert_eq!(data(text), "50 %25, a::b%0D%0Ac");
        assert_eq!(property(text), "50 %25%2C a%3A%3Ab%0D%0Ac");
        // What looks like an escape already is not taken for one.
        assert_eq!(data("%0A"), "%250A");
    }
}
