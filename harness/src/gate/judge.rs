//! What the records of each part say of the policy: plain functions from records to rows.
//!
//! A row passes only for what it has seen: a part that did not finish, or whose exit nothing else explains, is a row that fails.

use std::collections::BTreeMap;

use pathproof_reports::{Compared, Comparison, Gate, Gated, PathRow, Report, State};

use super::policy::{Mutation, Times};
use crate::count::{AGAINST, Tolerances};
use crate::ledger::exit;
use crate::receipt::is_broken_promise;
use crate::worker::protocol::Catalog;

/// A part of the gate that has run.
pub(crate) struct Part<'a> {
    pub(crate) check: &'static str,
    pub(crate) report: &'a Report,
    /// How this program is called, for a shell.
    pub(crate) program: &'a str,
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
pub(crate) fn verification(part: &Part<'_>, require: &[&str], catalog: &Catalog) -> Vec<Gated> {
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
            let cases: u64 = rows.iter().map(|row| row.cases).sum();
            let found = format!(
                "{} verified in {cases} cases, {} unavailable",
                count(State::Verified),
                count(State::Unavailable)
            );
            judged.push(part.passes(operation, found, "no finding".into()));
        }
        judged.extend(bad);
    }
    for name in require {
        judged.push(required(part, name, catalog, &rows));
    }
    let promises = Part {
        check: "receipts",
        ..*part
    };
    let broken = judged.iter().any(|row| row.check == promises.check);
    let receipts = part.report.receipts().count();
    if !broken && receipts > 0 {
        let found = format!("{receipts} receipts, and no promise is broken");
        judged.push(promises.passes(ALL, found, "what each path promises".into()));
    }
    judged
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
            let command = command.unwrap_or_else(|| format!("{} verify '{name}'", part.program));
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
            let command = format!("{} verify '{name}'", part.program);
            Some(part.fails(name, found, "is verified", command))
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
            return part.passes(name, format!("{} verified", of.len()), "is verified".into());
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
    let command = format!("{} verify --require {name}", part.program);
    part.fails(name.into(), found, "is verified", command)
}

/// Where instructions are counted.
pub(crate) enum Held<'a> {
    /// By `count`, against records.
    Records,
    /// Beside the times, on both sides; with what repeats a row.
    Times(&'a dyn Fn(&Comparison) -> String),
}

/// Exact instructions, against those of the base.
pub(crate) fn counts(part: &Part<'_>, tolerances: &Tolerances, held: &Held<'_>) -> Vec<Gated> {
    match held {
        Held::Records => of_records(part, tolerances),
        Held::Times(repeat) => of_both_sides(part, tolerances, repeat),
    }
}

fn allowed(tolerance: f64) -> String {
    format!("at most {tolerance} % more")
}

fn of_records(part: &Part<'_>, tolerances: &Tolerances) -> Vec<Gated> {
    let mut judged = Vec::new();
    for figure in part
        .report
        .figures()
        .filter(|figure| figure.quantity == AGAINST)
    {
        let tolerance = tolerances.of(&figure.operation);
        let (Some(ratio), Some(length)) = (figure.value, &figure.split) else {
            continue;
        };
        if ratio > 1.0 + tolerance / 100.0 {
            let found = figure.reason.clone().unwrap_or_default();
            let name = figure.name();
            let command = format!("{} '{name}'", part.command);
            judged.push(part.fails(
                format!("{name} at {length}"),
                (exit::SLOWER, found),
                &allowed(tolerance),
                command,
            ));
        }
    }
    if let (true, Some(end)) = (judged.is_empty(), part.report.end())
        && end.exit == exit::PASS
    {
        judged.push(part.passes(ALL, end.verdict.clone(), tolerances.to_string()));
    }
    judged
}

fn of_both_sides(
    part: &Part<'_>,
    tolerances: &Tolerances,
    repeat: &dyn Fn(&Comparison) -> String,
) -> Vec<Gated> {
    let mut judged = Vec::new();
    let rows = part.report.comparisons();
    for (operation, rows) in by_operation(rows.map(|row| (row.operation.as_str(), row))) {
        let tolerance = tolerances.of(operation);
        let (mut counted, mut differ, mut grown) = (0, 0, Vec::new());
        for row in &rows {
            let [Some(base), Some(head)] = [&row.base, &row.head].map(|side| side.instructions)
            else {
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
                    repeat(row),
                ));
            }
        }
        let without = match rows.len() - counted {
            0 => String::new(),
            none => format!("; {none} have no count"),
        };
        if counted == 0 {
            let mut row = part.passes(
                operation,
                format!("none of {} rows has a count", rows.len()),
                allowed(tolerance),
            );
            row.verdict = Gate::Inconclusive;
            judged.push(row);
        } else if grown.is_empty() {
            let found =
                format!("{counted} counted, of which {differ} differ and none exceeds{without}");
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
pub(crate) fn change(row: &Comparison) -> String {
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
            let inconclusive = |found: String| Gated {
                verdict: Gate::Inconclusive,
                exit: unclear,
                command: Some(repeat(row)),
                ..part.passes(&subject, found, allowed.clone())
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
                Compared::Inconclusive | Compared::Void => {
                    judged.push(inconclusive(format!("{}{why}", change(row))))
                }
                Compared::Slower => {
                    let second = again
                        .iter()
                        .find(|again| again.of == (row.name(), row.load.clone()));
                    let first = change(row);
                    match second.map(|again| &again.row) {
                        Some(Ok(second)) if second.verdict == Compared::Slower => {
                            let found = format!("{first}; once more: {}", change(second));
                            judged.push(part.fails(
                                subject,
                                (exit::SLOWER, found),
                                &allowed,
                                repeat(row),
                            ));
                        }
                        Some(Ok(second)) => {
                            let found = format!("{first}; once more: {}", change(second));
                            judged.push(match second.verdict {
                                Compared::Inconclusive | Compared::Void => inconclusive(found),
                                _ => part.passes(&subject, found, allowed),
                            });
                        }
                        Some(Err(why)) => {
                            let found = (
                                exit::SLOWER,
                                format!("{first}; it could not be measured once more: {why}"),
                            );
                            judged.push(part.fails(subject, found, &allowed, repeat(row)));
                        }
                        None => {
                            let found = (
                                exit::SLOWER,
                                format!("{first}; it was not measured once more"),
                            );
                            judged.push(part.fails(subject, found, &allowed, repeat(row)));
                        }
                    }
                }
            }
        }
        if !fine.is_empty() {
            let counted = fine
                .iter()
                .map(|(verdict, rows)| format!("{rows} {verdict}"));
            let found = counted.collect::<Vec<_>>().join(", ");
            judged.push(part.passes(
                operation,
                found,
                format!("slower by at most {} %", percent(margin)),
            ));
        }
    }
    judged
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
                let command = format!("{} mutate '{name}'", part.program);
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
    let of_all = |exit: u8, found: String| {
        let mut row = part.fails(
            ALL.into(),
            (exit, found),
            "comes to its end",
            part.command.into(),
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
            program: "program",
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
    fn twice(
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
        let (verdict, exit, found) = twice(Some(Ok(compared(Compared::Slower, 1.06))), false);
        assert_eq!((verdict, exit), (Gate::Fails, exit::SLOWER));
        assert_eq!(
            found,
            "slower by +5.0 % [+4.9, +5.1]; once more: slower by +6.0 % [+5.9, +6.1]"
        );
        let (verdict, exit, found) = twice(Some(Ok(compared(Compared::Same, 1.0))), true);
        assert_eq!((verdict, exit), (Gate::Passes, exit::PASS));
        assert!(found.contains("once more: same by"), "{found}");
        for (fails, code) in [(false, exit::PASS), (true, exit::INCONCLUSIVE)] {
            let (verdict, exit, _) = twice(Some(Ok(compared(Compared::Void, 1.0))), fails);
            assert_eq!((verdict, exit), (Gate::Inconclusive, code));
        }
        // What was seen once and could not be looked at again is no pass.
        for second in [None, Some(Err("the side died".into()))] {
            let (verdict, exit, _) = twice(second, false);
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
            let repeat = |_: &Comparison| "program compare".to_string();
            let rows = counts(&part("counts", &report), tolerances, &Held::Times(&repeat));
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
        // Nothing was counted: nobody can tell.
        assert_eq!(grown(Some(100), None, &none), (Gate::Inconclusive, 0));
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
