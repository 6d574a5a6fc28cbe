//! The account of a verification: what each promised path has been through, and what the whole amounts to.

use std::collections::{BTreeMap, BTreeSet};

use pathproof_reports::{Figure, Finding, PathRow, Record, State};

use crate::plan::Check;
use crate::receipt::{Evidence, NO_RECEIPT, Taken};
use crate::verdict::Depth;
use crate::verify::{Event, Found, Totals};
use crate::worker::protocol::{Catalog, SubjectEntry, Tally};

/// Exit codes. Where several hold, the first of this order is given: 2, 1, 4, 3, 5.
pub(crate) mod exit {
    /// All that was asked holds.
    pub(crate) const PASS: u8 = 0;
    /// A mismatch, a crash or another finding.
    pub(crate) const FINDING: u8 = 1;
    /// Wrong use, or a tool or the harness itself failed.
    pub(crate) const TROUBLE: u8 = 2;
    /// Slower or larger than the policy allows.
    pub(crate) const SLOWER: u8 = 3;
    /// Nothing ran, or a required path did not.
    pub(crate) const NOTHING: u8 = 4;
    /// Inconclusive, where that was asked to be a failure.
    pub(crate) const INCONCLUSIVE: u8 = 5;
}

/// What is owed beyond what any run owes.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// ISAs and paths that must have been verified.
    pub(crate) require: Vec<String>,
    /// Whether every path needs a receipt, also where none can be had.
    pub(crate) receipts: bool,
    /// Paths that are promised, and that the program does not have.
    pub(crate) missing: Vec<String>,
}

/// What the paths of a run have been through so far.
pub(crate) struct Ledger<'a> {
    catalog: &'a Catalog,
    selected: &'a [Vec<bool>],
    tallies: BTreeMap<(usize, usize), BTreeMap<Check, Tally>>,
    findings: Vec<(usize, usize)>,
    finished: BTreeSet<usize>,
    evidence: BTreeMap<(usize, usize), Evidence>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(catalog: &'a Catalog, selected: &'a [Vec<bool>]) -> Self {
        Self {
            catalog,
            selected,
            tallies: BTreeMap::new(),
            findings: Vec::new(),
            finished: BTreeSet::new(),
            evidence: BTreeMap::new(),
        }
    }

    /// Every subject that was asked for.
    fn subjects(&self) -> impl Iterator<Item = (usize, usize, &'a SubjectEntry)> {
        let selected = self.selected;
        self.catalog
            .operations
            .iter()
            .enumerate()
            .flat_map(move |(o, operation)| {
                let rows = operation.subjects.iter().enumerate();
                rows.filter(move |(s, _)| selected[o][*s])
                    .map(move |(s, entry)| (o, s, entry))
            })
    }

    /// The rows of all promised paths before anything has run: what a reader of a killed run sees of those that were not reached.
    pub(crate) fn promised(&self) -> Vec<Record> {
        self.subjects()
            .map(|(o, s, _)| Record::Path(self.row(o, s)))
            .collect()
    }

    /// Enters what happened; the records that it makes.
    pub(crate) fn enter(&mut self, event: Event) -> Vec<Record> {
        match event {
            Event::Ran { .. } => Vec::new(),
            Event::Checked {
                operation,
                check,
                tallies,
            } => {
                let mut records = Vec::new();
                for (subject, tally) in tallies
                    .into_iter()
                    .enumerate()
                    .filter(|(_, tally)| tally.cases > 0)
                {
                    let entry = &self.catalog.operations[operation].subjects[subject];
                    let figure = Figure::new("cases", Ok(tally.cases as f64), "cases");
                    let name = &self.catalog.operations[operation].name;
                    let figure = figure
                        .of(name, &entry.isa, &entry.delivery)
                        .split(check.name());
                    records.push(Record::Figure(figure));
                    self.tallies
                        .entry((operation, subject))
                        .or_default()
                        .entry(check)
                        .or_default()
                        .add(&tally);
                }
                records
            }
            Event::Found(found) => {
                self.findings.push((found.operation, found.subject));
                vec![Record::Finding(self.finding(*found))]
            }
            Event::Finished { operation } => {
                self.finished.insert(operation);
                let rows = self.subjects().filter(|(o, ..)| *o == operation);
                rows.map(|(o, s, _)| Record::Path(self.row(o, s))).collect()
            }
        }
    }

    /// Enters what the receipts of a path amount to; the records that it makes.
    pub(crate) fn evidence(&mut self, taken: Taken) -> Vec<Record> {
        let key @ (operation, subject) = (taken.operation, taken.subject);
        self.findings.extend(taken.findings.iter().map(|_| key));
        self.evidence.insert(key, taken.evidence);
        let findings = taken.findings.into_iter().map(Record::Finding);
        let receipts = taken.receipts.into_iter().map(Record::Receipt);
        let row = Record::Path(self.row(operation, subject));
        receipts.chain(findings).chain([row]).collect()
    }

    /// Whether a path has broken a promise so far.
    pub(crate) fn failed(&self, operation: usize, subject: usize) -> bool {
        self.findings.contains(&(operation, subject))
    }

    fn finding(&self, found: Found) -> Finding {
        let operation = &self.catalog.operations[found.operation];
        let SubjectEntry { isa, delivery, .. } = operation.subjects[found.subject].clone();
        Finding {
            operation: operation.name.clone(),
            isa,
            delivery,
            verdict: found.verdict.kind().into(),
            detail: found.detail,
            dump: found.dump,
            token: found.token,
            command: found.command,
        }
    }

    fn state(&self, operation: usize, subject: usize) -> State {
        let ran = self
            .tallies
            .get(&(operation, subject))
            .is_some_and(|by| by.values().any(|tally| tally.cases > 0));
        if self.catalog.operations[operation].subjects[subject]
            .unavailable
            .is_some()
        {
            State::Unavailable
        } else if self.findings.contains(&(operation, subject)) {
            State::Failed
        } else if ran && self.finished.contains(&operation) && !self.owes(operation, subject) {
            State::Verified
        } else {
            State::NotExecuted
        }
    }

    /// Whether a path has no receipt, where one can be had.
    fn owes(&self, operation: usize, subject: usize) -> bool {
        let peer = self.catalog.operations[operation].subjects[subject].peer;
        let evidence = self.evidence.get(&(operation, subject));
        !peer && matches!(evidence, None | Some(Evidence::Owed(_)))
    }

    pub(crate) fn row(&self, operation: usize, subject: usize) -> PathRow {
        let entry = &self.catalog.operations[operation].subjects[subject];
        let mut sum = Tally::default();
        if let Some(by) = self.tallies.get(&(operation, subject)) {
            by.values().for_each(|tally| sum.add(tally));
        }
        let state = self.state(operation, subject);
        let findings = self
            .findings
            .iter()
            .filter(|of| **of == (operation, subject))
            .count();
        let reason = match state {
            State::Unavailable => entry.unavailable.clone(),
            State::Failed => Some(format!(
                "{findings} finding(s), {} failing case(s)",
                sum.failed.max(1)
            )),
            State::NotExecuted if !self.finished.contains(&operation) => {
                Some("the run ended before its cases were done".into())
            }
            State::NotExecuted if sum.cases == 0 => Some("no case reached it".into()),
            State::NotExecuted => Some(match self.evidence.get(&(operation, subject)) {
                Some(Evidence::Owed(why)) => format!("{NO_RECEIPT}{why}"),
                _ => "the run ended before its receipt was taken".into(),
            }),
            State::Verified => None,
        };
        let depths = Depth::ALL
            .iter()
            .zip(sum.refusals)
            .filter(|(_, count)| *count > 0);
        let depths: Vec<_> = depths
            .map(|(depth, count)| format!("{} ({count})", depth.name()))
            .collect();
        PathRow {
            operation: self.catalog.operations[operation].name.clone(),
            isa: entry.isa.clone(),
            delivery: entry.delivery.clone(),
            state,
            cases: sum.cases,
            reason,
            errors: (!depths.is_empty()).then(|| depths.join(", ")),
            receipt: match self.evidence.get(&(operation, subject)) {
                Some(Evidence::Taken(summary)) => Some(summary.clone()),
                Some(Evidence::NotMeasurable(why)) if state == State::Verified => {
                    Some(format!("{NO_RECEIPT}{why}"))
                }
                Some(Evidence::Excused(why)) => Some(format!("{NO_RECEIPT}{why}")),
                _ => None,
            },
            peer: entry.peer,
        }
    }

    /// What was required and is not verified, a line for each name and reason.
    pub(crate) fn unmet(&self, owed: &Owed) -> Vec<String> {
        let missing = owed.missing.iter();
        let mut unmet: Vec<String> = missing
            .map(|name| format!("{name} is promised, and this program has no such path"))
            .collect();
        let mut without: BTreeMap<&str, usize> = BTreeMap::new();
        for evidence in self.evidence.values() {
            if let (true, Evidence::NotMeasurable(why)) = (owed.receipts, evidence) {
                *without.entry(why).or_default() += 1;
            }
        }
        unmet.extend(without.iter().map(|(why, count)| {
            format!("receipts are required, and {count} path(s) have none: {why}")
        }));
        for name in &owed.require {
            let of_name = || {
                let operation = |o: usize| &self.catalog.operations[o];
                self.subjects()
                    .filter(move |(o, s, _)| operation(*o).is_meant(*s, name))
            };
            if of_name().next().is_none() {
                unmet.push(format!(
                    "{name} is required, and the filter leaves no path of that name"
                ));
            }
            let mut why: BTreeMap<String, usize> = BTreeMap::new();
            for row in of_name().map(|(o, s, _)| self.row(o, s)) {
                if !matches!(row.state, State::Verified | State::Failed) {
                    let reason = row.reason.unwrap_or_default();
                    *why.entry(format!("{}: {reason}", row.state)).or_default() += 1;
                }
            }
            let all = of_name().count();
            unmet.extend(why.iter().map(|(why, count)| {
                format!("{name} is required, and {count} of its {all} path(s) are {why}")
            }));
        }
        unmet
    }

    /// The exit code and one sentence for it.
    pub(crate) fn verdict(&self, asked: &Owed) -> (u8, String) {
        let any = |state, peer: Option<bool>| {
            let mut rows = self.subjects();
            rows.any(|(o, s, e)| {
                self.state(o, s) == state && peer.is_none_or(|peer| e.peer == peer)
            })
        };
        // Peers are not owed, unless nothing else was asked for.
        let owed = self.subjects().any(|(_, _, e)| !e.peer).then_some(false);
        let unmet = self.unmet(asked);
        let code = if any(State::Failed, None) {
            exit::FINDING
        } else if !any(State::Verified, owed) || any(State::NotExecuted, None) || !unmet.is_empty()
        {
            exit::NOTHING
        } else {
            exit::PASS
        };
        let sentence = match code {
            exit::FINDING => "a path or a peer has broken a promise: see the findings".to_string(),
            exit::PASS => {
                "every path that can run here agrees with its reference, and executes what it promises"
                    .to_string()
            }
            _ if unmet.is_empty() => {
                "nothing was verified, or a path that could run did not".to_string()
            }
            _ => unmet.join("; "),
        };
        (code, sentence)
    }
}

/// Checked calls a second of processor time, at the lengths of the sweep.
pub(crate) fn rate(totals: &Totals) -> Option<f64> {
    let (calls, busy) = totals.swept;
    (calls > 0 && !busy.is_zero()).then(|| calls as f64 / busy.as_secs_f64())
}

/// The figures of the whole run.
pub(crate) fn totals(totals: &Totals) -> Vec<Record> {
    let rate = rate(totals).ok_or_else(|| "no call of the aligned sweep was made".to_string());
    let unit = "checked calls a second on one core, at the lengths of the sweeps";
    let mut figures = vec![
        Figure::new("checked calls", Ok(totals.calls as f64), "calls"),
        Figure::new("rate", rate, unit),
    ];
    if totals.chatter > 0 {
        let chatter = Ok(totals.chatter as f64);
        figures.push(Figure::new("printed by paths", chatter, "bytes, dropped"));
    }
    figures.into_iter().map(Record::Figure).collect()
}
