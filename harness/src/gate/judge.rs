//! What the records of each part say of the policy: plain functions from records to rows.
//!
//! A row passes only for what it has seen: a part that did not finish, or whose exit nothing else explains, is a row that fails.

use std::collections::{BTreeMap, BTreeSet};

use pathproof_reports::{Compared, Comparison, Gate, Gated, PathRow, Report, State, grouped};

use super::policy::{Mutation, Times};
use crate::count::{AGAINST, IS_MISSING, NOT_ASKED_FOR, Tolerances};
use crate::ledger::exit;
use crate::pair::ITSELF;
use crate::receipt::{NO_RECEIPT, ON_THREADS, is_broken_promise};
use crate::worker::protocol::Catalog;

/// A part of the gate that has run.
pub(crate) struct Part<'a> {
    pub(crate) check: &'static str,
    pub(crate) report: &'a Report,
    /// The command that repeats all of the part.
    pub(crate) command: &'a str,
}

/// What a row is of all paths is of.
const ALL: &str = "all paths";

impl Part<'_> {
    fn passes(&self, subject: &str, found: String, allowed: String) -> Gated {
        Gated {
            check: self.check.into(),
            subject: subject.into(),
            verdict: Gate::Passes,
            found,
            allowed,
            exit: exit::PASS,
            command: None,
        }
    }

    /// What nobody can tell. Its exit is that of a failure only where somebody asked for it.
    fn unclear(
        &self,
        subject: String,
        found: String,
        allowed: &str,
        exit: u8,
        command: String,
    ) -> Gated {
        Gated {
            verdict: Gate::Inconclusive,
            exit,
            command: Some(command),
            ..self.passes(&subject, found, allowed.into())
        }
    }

    fn fails(
        &self,
        subject: String,
        (exit, found): (u8, String),
        allowed: &str,
        command: String,
    ) -> Gated {
        Gated {
            check: self.check.into(),
            subject,
            verdict: Gate::Fails,
            found,
            allowed: allowed.into(),
            exit,
            command: Some(command),
        }
    }
}

/// Paths by operation, in the order of the records.
fn by_operation<'a, T>(rows: impl Iterator<Item = (&'a str, T)>) -> Vec<(&'a str, Vec<T>)> {
    let mut groups: Vec<(&str, Vec<T>)> = Vec::new();
    for (operation, row) in rows {
        match groups.iter_mut().find(|(known, _)| *known == operation) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((operation, vec![row])),
        }
    }
    groups
}

/// The paths that a file promises: one row, or one for each that the program does not have.
pub(crate) fn promised(part: &Part<'_>, names: &[String], missing: &[&str]) -> Vec<Gated> {
    let part = Part {
        check: "promised",
        ..*part
    };
    let missing: Vec<Gated> = missing
        .iter()
        .map(|name| {
            let found = (exit::NOTHING, "this program has no such path".into());
            part.fails(
                (*name).into(),
                found,
                "is in the program",
                part.command.into(),
            )
        })
        .collect();
    match missing.is_empty() {
        true => vec![part.passes(
            ALL,
            format!("all {} are in the program", names.len()),
            "each is in the program".into(),
        )],
        false => missing,
    }
}

/// Every path against the reference, those that are required, and what receipts show.
pub(crate) fn verification(
    part: &Part<'_>,
    require: &[&str],
    receipts_required: bool,
    catalog: &Catalog,
) -> Vec<Gated> {
    let rows: Vec<&PathRow> = part.report.paths().collect();
    let mut judged = Vec::new();
    for (operation, rows) in by_operation(rows.iter().map(|row| (row.operation.as_str(), *row))) {
        let bad: Vec<Gated> = rows.iter().filter_map(|row| broken(part, row)).collect();
        if bad.is_empty() {
            let count = |state| {
                rows.iter()
                    .filter(|row| !row.peer && row.state == state)
                    .count()
            };
            let of_paths = rows.iter().filter(|row| !row.peer);
            let cases = grouped(of_paths.map(|row| row.cases).sum(), ',');
            let unavailable = match count(State::Unavailable) {
                0 => String::new(),
                n => format!(", {n} unavailable"),
            };
            let verified = count(State::Verified);
            let found = format!("{verified} verified in {cases} cases{unavailable}");
            judged.push(match verified {
                0 => part.unclear(
                    operation.into(),
                    found,
                    "no finding",
                    exit::PASS,
                    part.command.into(),
                ),
                _ => part.passes(operation, found, "no finding".into()),
            });
        }
        judged.extend(bad);
    }
    for name in require {
        judged.push(required(part, name, catalog, &rows));
    }
    judged.extend(receipts(part, receipts_required, &rows));
    judged
}

/// Whether each path that was verified has a receipt. One that works on other threads can have none, and is owed none.
fn receipts(part: &Part<'_>, required: bool, rows: &[&PathRow]) -> Option<Gated> {
    let part = Part {
        check: "receipts",
        ..*part
    };
    let allowed = "what each path promises";
    let (mut with, mut without) = (0, BTreeMap::new());
    let verified = rows
        .iter()
        .filter(|row| !row.peer && row.state == State::Verified);
    for row in verified {
        match row
            .receipt
            .as_deref()
            .map(|text| text.strip_prefix(NO_RECEIPT).ok_or(text))
        {
            Some(Err(_)) => with += 1,
            Some(Ok(why)) if why == ON_THREADS => {}
            Some(Ok(why)) => *without.entry(why).or_insert(0) += 1,
            None => *without.entry("nobody took one").or_insert(0) += 1,
        }
    }
    let why = without
        .iter()
        .map(|(why, n)| format!("{n} have none: {why}"));
    let why = why.collect::<Vec<_>>().join("; ");
    match (without.is_empty(), with) {
        (true, 0) => None,
        (true, n) => Some(part.passes(
            ALL,
            format!("{n} path(s) have receipts, and keep their promises"),
            allowed.into(),
        )),
        (false, n) => {
            let found = format!("{n} path(s) have receipts, and {why}");
            Some(match required {
                true => part.fails(
                    ALL.into(),
                    (exit::NOTHING, found),
                    allowed,
                    part.command.into(),
                ),
                false => part.unclear(ALL.into(), found, allowed, exit::PASS, part.command.into()),
            })
        }
    }
}

/// What is wrong with a path, if anything is. Both a wrong answer and a broken promise are findings: the row is of the first.
fn broken(part: &Part<'_>, row: &PathRow) -> Option<Gated> {
    let name = row.name();
    match row.state {
        State::Verified | State::Unavailable => None,
        State::Failed => {
            let findings: Vec<_> = part
                .report
                .findings()
                .filter(|of| of.name() == name)
                .collect();
            let first = findings.first();
            let told = first.map_or_else(
                || row.reason.clone().unwrap_or_else(|| row.state.to_string()),
                |of| format!("{}: {}", of.verdict, of.detail),
            );
            let more = match findings.len().saturating_sub(1) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let promise = first.is_some_and(|of| is_broken_promise(&of.verdict));
            let (check, allowed) = match promise {
                true => ("receipts", "what the path promises"),
                false => (part.check, "no finding"),
            };
            let command = first
                .map(|of| of.command.clone())
                .filter(|command| !command.is_empty());
            let command = command.unwrap_or_else(|| part.command.into());
            Some(Part { check, ..*part }.fails(
                name,
                (exit::FINDING, told + &more),
                allowed,
                command,
            ))
        }
        State::NotExecuted => {
            let why = row.reason.as_deref().unwrap_or("nobody knows why");
            let found = (exit::NOTHING, format!("{}: {why}", row.state));
            Some(part.fails(name, found, "is verified", part.command.into()))
        }
    }
}

/// An ISA, or a path, that must have been verified on this machine.
fn required(part: &Part<'_>, name: &str, catalog: &Catalog, rows: &[&PathRow]) -> Gated {
    let part = Part {
        check: "required",
        ..*part
    };
    let meant = catalog.operations.iter().flat_map(|of| {
        let subjects = (0..of.subjects.len()).filter(|subject| of.is_meant(*subject, name));
        subjects.map(|subject| of.path_name(subject))
    });
    let meant: Vec<String> = meant.collect();
    let of: Vec<&&PathRow> = rows
        .iter()
        .filter(|row| meant.contains(&row.name()))
        .collect();
    let not = of.iter().find(|row| row.state != State::Verified);
    let found = match not {
        None if !of.is_empty() => {
            let left_out = match meant.len() - of.len() {
                0 => String::new(),
                n => format!(", {n} more are not asked for by the filter"),
            };
            let found = format!("{} verified{left_out}", of.len());
            return part.passes(name, found, "is verified".into());
        }
        None => (
            exit::NOTHING,
            "the filter leaves no path of that name".into(),
        ),
        Some(row) => {
            let verified = of.iter().filter(|row| row.state == State::Verified).count();
            let why = row.reason.as_deref().unwrap_or_default();
            let code = match row.state {
                State::Failed => exit::FINDING,
                _ => exit::NOTHING,
            };
            let found = format!(
                "{verified} of {} verified; {} is {}: {why}",
                of.len(),
                row.name(),
                row.state
            );
            (code, found)
        }
    };
    part.fails(name.into(), found, "is verified", part.command.into())
}

fn allowed(tolerance: f64) -> String {
    match tolerance {
        0.0 => "no more".into(),
        percent => format!("at most {percent} % more"),
    }
}

/// Exact instructions, as `count` held them against records.
pub(crate) fn counts_of_records(part: &Part<'_>, tolerances: &Tolerances) -> Vec<Gated> {
    let mut judged = Vec::new();
    for figure in part
        .report
        .figures()
        .filter(|figure| figure.quantity == AGAINST)
    {
        let tolerance = tolerances.of(&figure.operation);
        let reason = figure.reason.clone().unwrap_or_default();
        let subject = match &figure.split {
            Some(length) => format!("{} at {length}", figure.name()),
            None if figure.operation.is_empty() => ALL.into(),
            None => figure.name(),
        };
        let command = match figure.operation.is_empty() {
            true => part.command.into(),
            false => format!("{} '{}'", part.command, figure.name()),
        };
        match figure.value {
            Some(ratio) if ratio > 1.0 + tolerance / 100.0 => {
                let found = (exit::SLOWER, reason);
                judged.push(part.fails(subject, found, &allowed(tolerance), command));
            }
            Some(_) => {}
            None if reason.ends_with(NOT_ASKED_FOR) => {}
            None if IS_MISSING.iter().any(|missing| reason.contains(missing)) => {
                let found = (exit::NOTHING, reason);
                judged.push(part.fails(subject, found, "has the base's counts", command));
            }
            // A new path, or a base of another machine: nobody can tell.
            None => {
                judged.push(part.unclear(subject, reason, &allowed(tolerance), exit::PASS, command))
            }
        }
    }
    let fails = judged.iter().any(|row| row.verdict == Gate::Fails);
    if let (false, Some(end)) = (fails, part.report.end())
        && end.exit == exit::PASS
    {
        judged.push(part.passes(ALL, end.verdict.clone(), tolerances.to_string()));
    }
    judged
}

/// Exact instructions of both sides of the comparison.
pub(crate) fn counts_of_both_sides(part: &Part<'_>, tolerances: &Tolerances) -> Vec<Gated> {
    let mut judged = Vec::new();
    let rows = part.report.comparisons();
    for (operation, rows) in by_operation(rows.map(|row| (row.operation.as_str(), row))) {
        let tolerance = tolerances.of(operation);
        let (mut counted, mut differ, mut grown) = (0, 0, Vec::new());
        let mut without: Vec<&Comparison> = Vec::new();
        for row in &rows {
            let [Some(base), Some(head)] = [&row.base, &row.head].map(|side| side.instructions)
            else {
                without.push(row);
                continue;
            };
            counted += 1;
            differ += usize::from(base != head);
            if head as f64 > base as f64 * (1.0 + tolerance / 100.0) {
                let found = format!("{base} to {head} instructions");
                let subject = format!("{} at {}", row.name(), row.load);
                grown.push(part.fails(
                    subject,
                    (exit::SLOWER, found),
                    &allowed(tolerance),
                    part.command.into(),
                ));
            }
        }
        if let Some(first) = without.first() {
            let why = first
                .reason
                .as_deref()
                .unwrap_or("their instructions cannot be stepped");
            let found = format!(
                "{} of {} rows have no count: {why}",
                without.len(),
                rows.len()
            );
            // Of none there is nothing that could have failed. Whether a base may be missing is said of times.
            let no_base = without.iter().all(|row| row.verdict == Compared::NoBase);
            let exit = match counted {
                0 if !no_base => exit::INCONCLUSIVE,
                _ => exit::PASS,
            };
            judged.push(part.unclear(
                operation.into(),
                found,
                &allowed(tolerance),
                exit,
                part.command.into(),
            ));
        }
        if counted > 0 && grown.is_empty() {
            let found = format!("{counted} counted, of which {differ} differ and none exceeds");
            judged.push(part.passes(operation, found, allowed(tolerance)));
        }
        judged.append(&mut grown);
    }
    judged
}

/// A second look at a row that was slower.
pub(crate) struct Again {
    /// The row's name and load, as `times` is told.
    pub(crate) of: (String, String),
    /// What came of it, or why nothing did.
    pub(crate) row: Result<Comparison, String>,
}

/// The change of a row's time, in words.
fn change(row: &Comparison) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    match &row.ratio {
        Some(of) => format!(
            "{} by {:+.1} % [{:+.1}, {:+.1}]",
            row.verdict,
            percent(of.at),
            percent(of.low),
            percent(of.high)
        ),
        None => row.verdict.to_string(),
    }
}

/// Whether both sides were one revision: then nothing was compared.
pub(crate) fn itself(part: &Part<'_>) -> Option<Gated> {
    let mut remarks = part.report.figures().filter(|of| of.quantity == "sides");
    let remark = remarks.find_map(|of| of.reason.clone().filter(|why| why.ends_with(ITSELF)))?;
    let found = (exit::NOTHING, remark);
    Some(part.fails(
        ALL.into(),
        found,
        "is compared with a base",
        part.command.into(),
    ))
}

/// Times against the base. What was slower fails if it was so twice.
pub(crate) fn times(
    part: &Part<'_>,
    policy: &Times,
    again: &[Again],
    repeat: &dyn Fn(&Comparison) -> String,
) -> Vec<Gated> {
    let mut judged = Vec::new();
    let unclear = match policy.fail_inconclusive {
        true => exit::INCONCLUSIVE,
        false => exit::PASS,
    };
    for (operation, rows) in by_operation(
        part.report
            .comparisons()
            .map(|row| (row.operation.as_str(), row)),
    ) {
        let mut fine: BTreeMap<Compared, usize> = BTreeMap::new();
        let mut margin = 0.0;
        for row in rows {
            margin = row.margin;
            let allowed = format!("slower by at most {} %", percent(margin));
            let subject = format!("{} at {}", row.name(), row.load);
            let why = row
                .reason
                .as_ref()
                .map_or(String::new(), |why| format!(": {why}"));
            let inconclusive = |found: String, exit| {
                part.unclear(subject.clone(), found, &allowed, exit, repeat(row))
            };
            match row.verdict {
                Compared::Faster | Compared::Same | Compared::Identical => {
                    *fine.entry(row.verdict).or_default() += 1
                }
                Compared::NoBase if policy.allow_no_base => {
                    *fine.entry(row.verdict).or_default() += 1
                }
                Compared::NoBase => {
                    let found = (exit::NOTHING, format!("{}{why}", row.verdict));
                    judged.push(part.fails(subject, found, "has a base", repeat(row)));
                }
                // What was never begun is no matter of noise.
                Compared::Inconclusive if row.epochs == 0 => {
                    judged.push(inconclusive(
                        format!("{}{why}", change(row)),
                        exit::INCONCLUSIVE,
                    ));
                }
                Compared::Inconclusive | Compared::Void => {
                    judged.push(inconclusive(format!("{}{why}", change(row)), unclear))
                }
                Compared::Slower => {
                    let of = (row.name(), row.load.clone());
                    let second = again.iter().find(|again| again.of == of);
                    let (verdict, found) = twice(row, second.map(|again| &again.row));
                    judged.push(match verdict {
                        Gate::Passes => part.passes(&subject, found, allowed),
                        // It was seen once: that is no noise that a policy can let pass.
                        Gate::Inconclusive => inconclusive(found, exit::INCONCLUSIVE),
                        Gate::Fails => {
                            part.fails(subject, (exit::SLOWER, found), &allowed, repeat(row))
                        }
                    });
                }
            }
        }
        if !fine.is_empty() {
            let counted = fine
                .iter()
                .map(|(verdict, rows)| format!("{rows} {verdict}"));
            let counted = counted.collect::<Vec<_>>().join(", ");
            judged.push(part.passes(
                operation,
                counted + &not_compared(part.report, operation),
                format!("slower by at most {} %", percent(margin)),
            ));
        }
    }
    judged
}

/// How many paths of an operation have no row, such as those that cannot run here.
fn not_compared(report: &Report, operation: &str) -> String {
    let has_row = |name: &str| report.comparisons().any(|row| row.name() == name);
    let paths = report
        .paths()
        .filter(|row| row.operation == operation)
        .map(PathRow::name);
    let never = report
        .figures()
        .filter(|of| of.operation == operation && of.quantity == "comparison");
    let without: BTreeSet<String> = paths
        .chain(never.map(pathproof_reports::Figure::name))
        .filter(|name| !has_row(name))
        .collect();
    match without.len() {
        0 => String::new(),
        1 => "; 1 path is not compared".into(),
        n => format!("; {n} paths are not compared"),
    }
}

/// What two looks at a row come to, of which the first said slower.
fn twice(first: &Comparison, second: Option<&Result<Comparison, String>>) -> (Gate, String) {
    let first = change(first);
    match second {
        Some(Ok(second)) => {
            let verdict = match second.verdict {
                Compared::Faster | Compared::Same | Compared::Identical => Gate::Passes,
                Compared::Inconclusive | Compared::Void => Gate::Inconclusive,
                Compared::Slower | Compared::NoBase => Gate::Fails,
            };
            (verdict, format!("{first}; once more: {}", change(second)))
        }
        Some(Err(why)) => {
            let found = format!("{first}; it could not be measured once more: {why}");
            (Gate::Fails, found)
        }
        None => (
            Gate::Fails,
            format!("{first}; it was not measured once more"),
        ),
    }
}

/// A share as a percentage without the noise of its arithmetic.
fn percent(share: f64) -> f64 {
    (share * 1e5).round() / 1e3
}

/// Scores, and the survivors that nobody has accepted.
pub(crate) fn mutation(part: &Part<'_>, policy: &Mutation) -> Vec<Gated> {
    let mut judged = Vec::new();
    let of = |name: &str, quantity: &str| {
        let mut figures = part.report.figures();
        let found =
            figures.find(|of| of.split.is_none() && of.quantity == quantity && of.name() == name);
        found.and_then(|figure| figure.value)
    };
    let least = policy.score.as_ref().map(|score| *score.get_ref());
    let mut allowed: Vec<String> = least
        .iter()
        .map(|least| format!("at least {least} % noticed"))
        .collect();
    if policy.accepted_only {
        allowed.push("each survivor accepted".into());
    }
    let allowed = allowed.join(", ");
    let scored = part
        .report
        .figures()
        .filter(|of| of.split.is_none() && of.quantity == "mutants");
    for (operation, names) in by_operation(scored.map(|of| (of.operation.as_str(), of.name()))) {
        let (mut mutants, mut killed, mut bad) = (0.0, 0.0, Vec::new());
        for name in names {
            let all = of(&name, "mutants").unwrap_or(0.0);
            let noticed = of(&name, "mutants killed").unwrap_or(0.0);
            mutants += all;
            killed += noticed;
            let score = 100.0 * noticed / all;
            let mut why = Vec::new();
            if least.is_some_and(|least| all > 0.0 && score < least) {
                why.push(format!("{noticed} of {all} noticed ({score:.1} %)"));
            }
            let survivors = part
                .report
                .survivors()
                .filter(|of| of.name() == name && of.accepted.is_none());
            let survivors: Vec<_> = survivors.collect();
            if let (true, Some(first)) = (policy.accepted_only, survivors.first()) {
                why.push(format!(
                    "{} survivor(s) that nobody has accepted, such as {} ({}) in {}",
                    survivors.len(),
                    first.instruction,
                    first.change,
                    first.function
                ));
            }
            if !why.is_empty() {
                // Of one path alone other mutants are its own: it shares functions with others.
                let command = part.command.into();
                bad.push(part.fails(name, (exit::FINDING, why.join("; ")), &allowed, command));
            }
        }
        if bad.is_empty() && mutants > 0.0 {
            let found = format!(
                "{killed} of {mutants} noticed ({:.1} %)",
                100.0 * killed / mutants
            );
            judged.push(part.passes(operation, found, allowed.clone()));
        }
        judged.append(&mut bad);
    }
    judged
}

/// What a part came to that none of its rows says: that it did not finish, or an exit of failure. Exits in `judged` were looked into.
pub(crate) fn unexplained(part: &Part<'_>, rows: &[Gated], judged: &[u8]) -> Option<Gated> {
    // What has a command of its own is repeated by that.
    let finding = part.report.findings().find(|of| !of.command.is_empty());
    let command = finding.map_or(part.command, |of| &of.command);
    let of_all = |exit: u8, found: String| {
        let mut row = part.fails(
            ALL.into(),
            (exit, found),
            "comes to its end",
            command.into(),
        );
        if exit == exit::INCONCLUSIVE {
            row.verdict = Gate::Inconclusive;
        }
        row
    };
    let Some(end) = part.report.end() else {
        return Some(of_all(exit::TROUBLE, "it did not come to its end".into()));
    };
    if end.exit != exit::PASS
        && !judged.contains(&end.exit)
        && !rows.iter().any(|row| row.exit == end.exit)
    {
        let known = [
            exit::FINDING,
            exit::SLOWER,
            exit::NOTHING,
            exit::INCONCLUSIVE,
        ]
        .contains(&end.exit);
        let exit = if known { end.exit } else { exit::TROUBLE };
        return Some(of_all(exit, end.verdict.clone()));
    }
    // Nothing that was asked for may end without a word.
    rows.is_empty().then(|| {
        of_all(
            exit::NOTHING,
            format!("it has nothing to show: {}", end.verdict),
        )
    })
}

#[cfg(test)]
mod tests {
    use pathproof_reports::{End, Figure, Ratio, Record, Side};

    use super::*;

    fn report(records: Vec<Record>, exit: u8) -> Report {
        let end = End {
            exit,
            seconds: 1.0,
            verdict: "so it ended".into(),
        };
        let records = records.into_iter().chain([Record::End(end)]);
        Report {
            source: "a test".into(),
            records: records.collect(),
            truncated: false,
        }
    }

    fn part<'a>(check: &'static str, report: &'a Report) -> Part<'a> {
        Part {
            check,
            report,
            command: "program verb",
        }
    }

    fn compared(verdict: Compared, at: f64) -> Comparison {
        let ratio = Ratio {
            at,
            low: at - 0.001,
            high: at + 0.001,
        };
        Comparison {
            operation: "op".into(),
            isa: "avx2".into(),
            delivery: "fills".into(),
            load: "768".into(),
            against: "base".into(),
            verdict,
            ratio: Some(ratio),
            control: None,
            margin: 0.01,
            confidence: 0.99,
            least: None,
            epochs: 20,
            seconds: 1.0,
            base: Side::default(),
            head: Side::default(),
            control_function: None,
            layouts: None,
            layout_spread: None,
            reason: None,
        }
    }

    fn policy(fail_inconclusive: bool) -> Times {
        let text = format!("fail-inconclusive = {fail_inconclusive}");
        toml::from_str(&text).expect("a section")
    }

    /// What the gate says of a row that was slower, after a second look at it.
    fn looked_twice(
        second: Option<Result<Comparison, String>>,
        fail_inconclusive: bool,
    ) -> (Gate, u8, String) {
        let report = report(
            vec![Record::Comparison(compared(Compared::Slower, 1.05))],
            exit::SLOWER,
        );
        let of = ("op/avx2/fills".to_string(), "768".to_string());
        let again: Vec<Again> = second.map(|row| Again { of, row }).into_iter().collect();
        let repeat = |of: &Comparison| format!("program compare {}", of.name());
        let rows = times(
            &part("times", &report),
            &policy(fail_inconclusive),
            &again,
            &repeat,
        );
        let [row] = &rows[..] else {
            panic!("one row: {rows:?}");
        };
        assert_eq!(row.subject, "op/avx2/fills at 768");
        (row.verdict, row.exit, row.found.clone())
    }

    #[test]
    fn what_is_slower_fails_if_it_is_so_twice() {
        let (verdict, exit, found) =
            looked_twice(Some(Ok(compared(Compared::Slower, 1.06))), false);
        assert_eq!((verdict, exit), (Gate::Fails, exit::SLOWER));
        assert_eq!(
            found,
            "slower by +5.0 % [+4.9, +5.1]; once more: slower by +6.0 % [+5.9, +6.1]"
        );
        let (verdict, exit, found) = looked_twice(Some(Ok(compared(Compared::Same, 1.0))), true);
        assert_eq!((verdict, exit), (Gate::Passes, exit::PASS));
        assert!(found.contains("once more: same by"), "{found}");
        // It was seen once: whatever the policy says of rows without a verdict, this is no pass.
        for fails in [false, true] {
            let (verdict, exit, _) = looked_twice(Some(Ok(compared(Compared::Void, 1.0))), fails);
            assert_eq!((verdict, exit), (Gate::Inconclusive, exit::INCONCLUSIVE));
        }
        let (verdict, exit, _) = looked_twice(Some(Ok(compared(Compared::NoBase, 1.0))), false);
        assert_eq!((verdict, exit), (Gate::Fails, exit::SLOWER));
        // What was seen once and could not be looked at again is no pass.
        for second in [None, Some(Err("the side died".into()))] {
            let (verdict, exit, _) = looked_twice(second, false);
            assert_eq!((verdict, exit), (Gate::Fails, exit::SLOWER));
        }
    }

    #[test]
    fn a_part_that_says_nothing_is_no_pass() {
        let exit_of = |report: &Report, rows: &[Gated], judged: &[u8]| {
            unexplained(&part("counts", report), rows, judged).map(|row| (row.verdict, row.exit))
        };
        let fails = |exit| Some((Gate::Fails, exit));
        let ended = |exit| report(Vec::new(), exit);
        let fine = vec![part("counts", &ended(0)).passes(ALL, "seen".into(), "this".into())];
        assert_eq!(exit_of(&ended(0), &fine, &[]), None);
        // It ended well, and nothing came of it.
        assert_eq!(exit_of(&ended(0), &[], &[]), fails(exit::NOTHING));
        // It was ended.
        let mut cut = ended(0);
        cut.records.clear();
        assert_eq!(exit_of(&cut, &fine, &[]), fails(exit::TROUBLE));
        // Its exit is explained by no row.
        for exit in 1..=4 {
            assert_eq!(exit_of(&ended(exit), &fine, &[]), fails(exit));
        }
        assert_eq!(exit_of(&ended(101), &fine, &[]), fails(exit::TROUBLE));
        assert_eq!(
            exit_of(&ended(5), &fine, &[]),
            Some((Gate::Inconclusive, 5))
        );
        // By one that is, or by what has been looked into, it is.
        let mut bad = fine.clone();
        bad[0].exit = exit::SLOWER;
        assert_eq!(exit_of(&ended(3), &bad, &[]), None);
        assert_eq!(exit_of(&ended(3), &fine, &[exit::SLOWER]), None);
        assert_eq!(
            exit_of(&ended(1), &bad, &[exit::SLOWER]),
            fails(exit::FINDING)
        );
    }

    #[test]
    fn counts_of_both_sides_are_exact() {
        let grown = |base: Option<u64>, head: Option<u64>, tolerances: &Tolerances| {
            let mut row = compared(Compared::Same, 1.0);
            (row.base.instructions, row.head.instructions) = (base, head);
            let report = report(vec![Record::Comparison(row)], 0);
            let rows = counts_of_both_sides(&part("counts", &report), tolerances);
            assert_eq!(rows.len(), 1, "{rows:?}");
            (rows[0].verdict, rows[0].exit)
        };
        let none = Tolerances::default();
        assert_eq!(grown(Some(100), Some(100), &none), (Gate::Passes, 0));
        assert_eq!(grown(Some(100), Some(99), &none), (Gate::Passes, 0));
        assert_eq!(grown(Some(100), Some(101), &none), (Gate::Fails, 3));
        let one = Tolerances::parse("0,op=1").expect("tolerances");
        assert_eq!(grown(Some(100), Some(101), &one), (Gate::Passes, 0));
        assert_eq!(grown(Some(100), Some(102), &one), (Gate::Fails, 3));
        // Nothing was counted: nobody can tell, and that is no pass.
        assert_eq!(grown(Some(100), None, &none), (Gate::Inconclusive, 5));
        let new = Comparison {
            ratio: None,
            ..compared(Compared::NoBase, 1.0)
        };
        let report = report(vec![Record::Comparison(new)], 0);
        let rows = counts_of_both_sides(&part("counts", &report), &none);
        assert_eq!((rows[0].verdict, rows[0].exit), (Gate::Inconclusive, 0));
    }

    fn path(isa: &str, state: State, receipt: Option<&str>) -> PathRow {
        PathRow {
            operation: "op".into(),
            isa: isa.into(),
            delivery: "fills".into(),
            state,
            cases: 10,
            reason: None,
            errors: None,
            receipt: receipt.map(str::to_owned),
            peer: false,
        }
    }

    #[test]
    fn a_path_without_a_receipt_is_told() {
        let of = |receipts: &[Option<&str>], required: bool| {
            let rows = receipts
                .iter()
                .map(|text| path("avx2", State::Verified, *text));
            let (rows, report) = (rows.collect::<Vec<_>>(), report(Vec::new(), 0));
            let rows: Vec<&PathRow> = rows.iter().collect();
            receipts_row(&report, required, &rows)
        };
        let one = Some("at 4097 B: avx2 1283");
        let none = Some("no receipt: instructions are stepped on x86-64 Linux alone");
        let threads = Some("no receipt: it works on other threads");
        assert_eq!(of(&[one, threads], true), Some((Gate::Passes, 0)));
        assert_eq!(of(&[one, none], true), Some((Gate::Fails, exit::NOTHING)));
        assert_eq!(of(&[one, None], true), Some((Gate::Fails, exit::NOTHING)));
        assert_eq!(of(&[one, none], false), Some((Gate::Inconclusive, 0)));
        assert_eq!(of(&[none], false), Some((Gate::Inconclusive, 0)));
        assert_eq!(of(&[threads], true), None);
    }

    fn receipts_row(report: &Report, required: bool, rows: &[&PathRow]) -> Option<(Gate, u8)> {
        receipts(&part("verification", report), required, rows).map(|row| (row.verdict, row.exit))
    }

    #[test]
    fn an_operation_of_which_nothing_ran_does_not_pass() {
        let none = Catalog {
            operations: Vec::new(),
        };
        let rows = vec![Record::Path(path("neon", State::Unavailable, None))];
        let rows = verification(&part("verification", &report(rows, 0)), &[], false, &none);
        let verdicts: Vec<Gate> = rows.iter().map(|row| row.verdict).collect();
        assert_eq!(verdicts, [Gate::Inconclusive], "{rows:?}");
    }

    #[test]
    fn what_a_base_of_records_has_and_nobody_here_is_told() {
        let of = |reason: &str| {
            let figure = Figure::new(AGAINST, Err(reason.into()), "x").of("op", "avx2", "fills");
            let report = report(vec![Record::Figure(figure)], 0);
            let rows = counts_of_records(&part("counts", &report), &Tolerances::default());
            let first = rows.into_iter().next().expect("a row");
            (first.verdict, first.exit)
        };
        let gone = "only in the base: this program has no such path; at 64";
        assert_eq!(of(gone), (Gate::Fails, exit::NOTHING));
        let late = "the base is of a run that did not end: it may lack counts";
        assert_eq!(of(late), (Gate::Fails, exit::NOTHING));
        assert_eq!(
            of("the compiler differs, and other code with it"),
            (Gate::Inconclusive, 0)
        );
        assert_eq!(
            of("3 path(s) of the base were not asked for"),
            (Gate::Passes, 0)
        );
    }

    #[test]
    fn a_revision_held_against_itself_is_no_pass() {
        let remark = |why: String| {
            let report = report(vec![Record::Figure(Figure::new("sides", Err(why), ""))], 0);
            itself(&part("times", &report)).map(|row| (row.verdict, row.exit))
        };
        let same = format!("HEAD is where it parts from main: {ITSELF}");
        assert_eq!(remark(same), Some((Gate::Fails, exit::NOTHING)));
        assert_eq!(
            remark("the control is the same link as the base".into()),
            None
        );
    }

    #[test]
    fn a_row_that_was_not_reached_is_no_noise() {
        let mut row = compared(Compared::Inconclusive, 1.0);
        (row.ratio, row.epochs) = (None, 0);
        let rows = |row: Comparison| {
            let repeat = |_: &Comparison| "program compare".to_string();
            let report = report(vec![Record::Comparison(row)], 0);
            let rows = times(&part("times", &report), &policy(false), &[], &repeat);
            (rows[0].verdict, rows[0].exit)
        };
        assert_eq!(rows(row.clone()), (Gate::Inconclusive, exit::INCONCLUSIVE));
        row.epochs = 160;
        assert_eq!(rows(row), (Gate::Inconclusive, 0));
    }

    #[test]
    fn scores_are_of_each_path() {
        let figure = |isa: &str, quantity: &str, value: f64| {
            Record::Figure(Figure::new(quantity, Ok(value), "mutants").of("op", isa, "fills"))
        };
        let scores = |score: f64| {
            let records = vec![
                figure("avx2", "mutants", 100.0),
                figure("avx2", "mutants killed", 98.0),
                figure("scalar", "mutants", 10.0),
                figure("scalar", "mutants killed", 9.0),
            ];
            let policy: Mutation = toml::from_str(&format!("score = {score}")).expect("a section");
            let rows = mutation(&part("mutation", &report(records, 0)), &policy);
            let rows = rows.into_iter();
            rows.map(|row| (row.subject, row.verdict))
                .collect::<Vec<_>>()
        };
        assert_eq!(scores(90.0), [("op".to_string(), Gate::Passes)]);
        assert_eq!(scores(91.0), [("op/scalar/fills".to_string(), Gate::Fails)]);
        let both = ["avx2", "scalar"].map(|isa| (format!("op/{isa}/fills"), Gate::Fails));
        assert_eq!(scores(99.0), both);
    }
}
