//! The report for a CI server.

use std::collections::HashSet;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::compared::{groups, place, words::in_a_line};
use super::evidence::{Evidence, Subject};
use super::{by_operation, gated};
use crate::plain::{block, one_line};
use crate::record::{Finding, PathRow};
use crate::{Compared, Comparison, Gate, Gated, Outcome, Report, State};

/// The report as JUnit XML: a suite per operation, a test case per path; and for comparisons a suite
/// `comparison: ` and the operation, a test case per comparison. The rows of a gate are a suite `gate`,
/// a test case per row with the check as its class.
///
/// What a path executed and its mutation score are the output (`<system-out>`) of its case.
/// Unavailable is `<skipped>` with the reason; failed and NOT EXECUTED are `<failure>`. A finding
/// whose path has no row (the run was killed before the ledger) is a failed case too. Of
/// comparisons, slower and void are `<failure>` with the numbers, inconclusive and no base
/// `<skipped>` with the reason. A gate's row that fails is `<failure>` with its command, an
/// inconclusive one `<skipped>` with what was found. Where no case says why the run as a whole is no pass, or where it did
/// not finish, a suite `run` with one failed case does, so that the document is green only for
/// [`Outcome::Verified`] and [`Outcome::Passed`]. It is red for them too where a comparison is void:
/// a run may pass beside one, but that row has shown nothing.
#[must_use]
pub fn junit(report: &Report) -> String {
    let program = report
        .machine()
        .map_or("pathproof", |machine| machine.program.as_str());
    let mut document = Document::new(one_line(program));
    if let Some(time) = report
        .end()
        .and_then(|end| Duration::try_from_secs_f64(end.seconds).ok())
    {
        document.set_time(time);
    }
    let evidence = Evidence::of(report);
    let mut told = false;
    let mut rows = HashSet::new();
    for (operation, paths) in by_operation(report) {
        let mut suite = TestSuite::new(one_line(operation));
        for row in paths {
            rows.insert(row.name());
            let findings: Vec<&Finding> = report
                .findings()
                .filter(|finding| finding.name() == row.name())
                .collect();
            let status = status_of(row, &findings);
            told |= matches!(
                status,
                TestCaseStatus::NonSuccess {
                    kind: NonSuccessKind::Failure,
                    ..
                }
            );
            let mut case = case(&row.operation, &row.isa, &row.delivery, row.peer, status);
            if let Some(lines) = evidence.subject(row).map(Subject::in_lines)
                && !lines.is_empty()
            {
                let lines: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
                case.set_system_out(lines.join("\n"));
            }
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    for finding in report.findings() {
        if rows.insert(finding.name()) {
            let same: Vec<&Finding> = report
                .findings()
                .filter(|other| other.name() == finding.name())
                .collect();
            let mut suite = TestSuite::new(one_line(&finding.operation));
            let status = failure(&same[0].verdict, &same[0].detail, &same);
            suite.add_test_case(case(
                &finding.operation,
                &finding.isa,
                &finding.delivery,
                false,
                status,
            ));
            document.add_test_suite(suite);
            told = true;
        }
    }
    for groups in groups(report).chunk_by(|a, b| a.operation == b.operation) {
        let name = format!("comparison: {}", groups[0].operation);
        let mut suite = TestSuite::new(one_line(&name));
        for row in groups.iter().flat_map(|group| &group.rows) {
            told |= matches!(row.verdict, Compared::Slower | Compared::Void);
            suite.add_test_case(compared(row, &name));
        }
        document.add_test_suite(suite);
    }
    let rows = gated::sorted(report);
    if !rows.is_empty() {
        let mut suite = TestSuite::new("gate");
        for row in rows {
            told |= row.verdict == Gate::Fails;
            suite.add_test_case(gate(row));
        }
        document.add_test_suite(suite);
    }
    let outcome = report.outcome();
    if outcome == Outcome::Unfinished || (!outcome.is_pass() && !told) {
        let why = match report.end() {
            Some(end) => format!("exit code {}: {}", end.exit, end.verdict),
            None => report.unfinished().to_owned(),
        };
        let mut suite = TestSuite::new("run");
        suite.add_test_case(TestCase::new(
            "the run as a whole",
            failure(outcome.words(), &why, &[]),
        ));
        document.add_test_suite(suite);
    }
    // Writes to memory, and no timestamp that could fail to be formatted.
    document.to_string().expect("XML in memory")
}

fn case(
    operation: &str,
    isa: &str,
    delivery: &str,
    peer: bool,
    status: TestCaseStatus,
) -> TestCase {
    let peer = if peer { " (peer)" } else { "" };
    let mut case = TestCase::new(one_line(&format!("{isa}/{delivery}{peer}")), status);
    case.set_classname(one_line(operation));
    case
}

/// A comparison, with its numbers where a reader of the case finds them.
fn compared(row: &Comparison, suite: &str) -> TestCase {
    let numbers = one_line(&in_a_line(row));
    let status = match row.verdict {
        Compared::Slower | Compared::Void => failure(row.verdict.word(), &numbers, &[]),
        Compared::Inconclusive | Compared::NoBase => {
            let why = row.reason.as_deref().unwrap_or("no reason given");
            let mut status = TestCaseStatus::skipped();
            status.set_message(one_line(&format!("{}: {why}", row.verdict)));
            status
        }
        Compared::Faster | Compared::Same | Compared::Identical => TestCaseStatus::success(),
    };
    let name = format!("{} against {}", place(row), row.against);
    let mut case = TestCase::new(one_line(&name), status);
    case.set_classname(one_line(suite));
    case.set_system_out(format!("{}: {numbers}", row.verdict));
    if let Ok(time) = Duration::try_from_secs_f64(row.seconds) {
        case.set_time(time);
    }
    case
}

/// A row of a gate, with what was found and what is allowed.
fn gate(row: &Gated) -> TestCase {
    let said = one_line(&format!("{}; allowed: {}", row.found, row.allowed));
    let repeat = row
        .command
        .as_deref()
        .map(|command| format!("repeat {}", one_line(command)));
    let mut status = match row.verdict {
        Gate::Passes => TestCaseStatus::success(),
        Gate::Fails => failure(row.verdict.word(), &said, &[]),
        Gate::Inconclusive => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {said}", row.verdict));
            status
        }
    };
    if let Some(repeat) = repeat.filter(|_| row.verdict != Gate::Passes) {
        status.set_description(repeat);
    }
    let mut case = TestCase::new(one_line(&row.subject), status);
    case.set_classname(one_line(&row.check));
    case.set_system_out(format!("{}: {said}", row.verdict));
    case
}

fn status_of(row: &PathRow, findings: &[&Finding]) -> TestCaseStatus {
    let reason = row.reason.as_deref().unwrap_or("no reason given");
    match row.state {
        // The row says verified and a finding says otherwise: the finding is believed.
        State::Verified if findings.is_empty() => TestCaseStatus::success(),
        State::Unavailable if findings.is_empty() => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(one_line(reason));
            status
        }
        State::NotExecuted if findings.is_empty() => failure("not executed", reason, &[]),
        _ => match findings {
            [] => failure("failed", reason, &[]),
            [one] => failure(&one.verdict, &one.detail, findings),
            [one, ..] => failure(
                &one.verdict,
                &format!("{} (and {} more)", one.detail, findings.len() - 1),
                findings,
            ),
        },
    }
}

fn failure(kind: &str, message: &str, findings: &[&Finding]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status
        .set_type(one_line(kind))
        .set_message(one_line(message));
    let mut description = String::new();
    for finding in findings {
        description += &format!(
            "{}: {}\n",
            one_line(&finding.verdict),
            one_line(&finding.detail)
        );
        if let Some(dump) = &finding.dump {
            description += &block(dump);
            description.push('\n');
        }
        description += &format!(
            "case   {}\nrepeat {}\n\n",
            one_line(&finding.token),
            one_line(&finding.command)
        );
    }
    if !description.is_empty() {
        status.set_description(description.trim_end());
    }
    status
}
