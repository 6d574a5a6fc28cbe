//! `count`: how many instructions each path executes, and whether that has become more.

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{PathRow, Record, Report, State};

use super::session::{Session, complain, default_out, program};
use super::{Common, Limits, of_case};
use crate::count::{self, Counted, NO_SUCH_PATH, NOT_COUNTED, Tolerances};
use crate::ledger::exit;
use crate::receipt::{self, ON_THREADS};
use crate::select::{any, matches_nothing, nearest, select};
use crate::verify::Job;
use crate::worker::protocol::{Catalog, SubjectEntry};
use crate::worker::{Host, Launch};

/// What counts are held against.
pub(super) struct Policy<'a> {
    pub(super) base: Option<&'a Path>,
    /// Percent by which a count may exceed the base's.
    pub(super) tolerance: &'a Tolerances,
}

/// How many of the grown counts the verdict names; all are in the records.
const NAMED: usize = 3;

pub(super) fn count(
    common: &Common,
    launch: &Launch,
    filter: Option<&str>,
    sizes: &[usize],
    policy: &Policy<'_>,
    limits: &Limits,
) -> Result<u8, String> {
    if let Some(token) = of_case::is_token(filter) {
        if policy.base.is_some() || !sizes.is_empty() {
            return Err(
                "count of a token is of that case alone: neither --base nor --sizes".into(),
            );
        }
        return of_case::step(common, launch, "count", token, limits);
    }
    let sizes = if sizes.is_empty() {
        &count::SIZES[..]
    } else {
        sizes
    };
    for size in sizes {
        count::bounded(*size).map_err(|why| format!("--sizes: {why}"))?;
    }
    // Before anything is counted: a base that cannot be read costs nobody a run.
    let base = policy.base.map(pathproof_reports::read).transpose();
    let base = base.map_err(|why| format!("--base: {why}"))?;
    let settings = limits.settings()?;
    let catalog = Host::new(launch, &settings)?.catalog()?;
    let named = policy.tolerance.of.keys();
    for name in named {
        let known = || catalog.operations.iter().map(|of| of.name.clone());
        if !known().any(|of| of == *name) {
            let near = nearest(name, known());
            return Err(format!(
                "--tolerance {name}: no operation has that name; the nearest are {near}"
            ));
        }
    }
    let selected = select(&catalog, filter)?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, filter));
        return Ok(exit::NOTHING);
    }
    let job = Job {
        launch: launch.clone(),
        settings,
        selected,
        jobs: std::thread::available_parallelism().map_or(1, |n| n.get()),
        findings: default_out().join("findings"),
        program: program(),
    };
    let mut session = Session::begin(common, "count", None, None)?;
    let verdict = counted(common, &job, &catalog, sizes, &mut session).and_then(|counted| {
        let (code, sentence) = verdict(&counted);
        let Some(base) = base.as_ref().filter(|_| code != exit::FINDING) else {
            return Ok((code, sentence));
        };
        let (against, held) = hold(base, policy.tolerance, &job, &catalog, &mut session)?;
        // Where several codes hold: 4 comes before 3.
        Ok(match (code, against) {
            (exit::NOTHING, _) => (code, format!("{sentence}; {held}")),
            _ => (against, held),
        })
    });
    session.conclude(verdict)
}

/// The counts of `run`: a few lengths, beside the ledger that the verification has made. How many calls died or disagreed.
pub(super) fn short(
    common: &Common,
    job: &Job,
    catalog: &Catalog,
    session: &mut Session<'_>,
) -> Result<usize, String> {
    let mut wanted = count::wanted(job, catalog, &SHORT);
    wanted.retain(|(_, class)| SHORT.contains(&class.length));
    let mut findings = 0;
    for of in steps(common, job, catalog, &wanted)? {
        findings += of.findings.len();
        let receipts = of.receipts.into_iter().flatten().map(Record::Receipt);
        let told = of.findings.into_iter().map(Record::Finding);
        receipts
            .chain(told)
            .try_for_each(|record| session.put(record))?;
    }
    Ok(findings)
}

/// Plain bytes a call, for `run`.
const SHORT: [usize; 3] = [64, 384, 4096];

/// Counts, with a bar on a terminal.
fn steps(
    common: &Common,
    job: &Job,
    catalog: &Catalog,
    wanted: &count::Wanted,
) -> Result<Vec<Counted>, String> {
    let target = if common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(wanted.len() as u64), target);
    bar.set_style(
        ProgressStyle::with_template("counting {wide_bar} {pos} of {len} calls, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let counted = count::take(job, catalog, wanted, &mut || bar.inc(1));
    bar.finish_and_clear();
    counted
}

/// Counts, and records what was counted and why something was not.
fn counted(
    common: &Common,
    job: &Job,
    catalog: &Catalog,
    sizes: &[usize],
    session: &mut Session<'_>,
) -> Result<Vec<Counted>, String> {
    let counted = steps(common, job, catalog, &count::wanted(job, catalog, sizes))?;
    for (o, operation) in catalog.operations.iter().enumerate() {
        let subjects = operation.subjects.iter().enumerate();
        for (s, entry) in subjects.filter(|(s, _)| job.selected[o][*s]) {
            let of = counted
                .iter()
                .find(|of| (of.operation, of.subject) == (o, s));
            if let Some(of) = of {
                let receipts = of.receipts.iter().flatten().cloned().map(Record::Receipt);
                let findings = of.findings.iter().cloned().map(Record::Finding);
                let figures = of.figures(operation).map(Record::Figure);
                receipts
                    .chain(figures)
                    .chain(findings)
                    .try_for_each(|record| session.put(record))?;
            }
            session.put(Record::Path(row(&operation.name, entry, of)))?;
        }
    }
    Ok(counted)
}

fn row(operation: &str, entry: &SubjectEntry, counted: Option<&Counted>) -> PathRow {
    let findings = counted.map_or(0, |of| of.findings.len());
    let receipts = counted.and_then(|of| of.receipts.as_deref().ok());
    let (state, reason) = match (&entry.unavailable, counted.map(|of| &of.receipts)) {
        (Some(why), _) => (State::Unavailable, Some(why.clone())),
        (None, _) if findings > 0 => (State::Failed, Some(format!("{findings} finding(s)"))),
        (None, Some(Ok(_))) => (State::Verified, None),
        (None, Some(Err(why))) => (State::NotExecuted, Some(format!("no count: {why}"))),
        (None, None) if entry.on_threads => {
            (State::Unavailable, Some(format!("no count: {ON_THREADS}")))
        }
        (None, None) => (State::NotExecuted, Some("it was not counted".into())),
    };
    PathRow {
        operation: operation.into(),
        isa: entry.isa.clone(),
        delivery: entry.delivery.clone(),
        state,
        cases: receipts.map_or(0, <[_]>::len) as u64,
        reason,
        errors: None,
        receipt: receipts.and_then(receipt::longest).map(receipt::summary),
        peer: entry.peer,
    }
}

fn verdict(counted: &[Counted]) -> (u8, String) {
    let findings: usize = counted.iter().map(|of| of.findings.len()).sum();
    let of = |counted: &&Counted| counted.receipts.is_ok();
    let done = counted.iter().filter(of).count();
    let missing = counted.len() - done;
    if findings > 0 {
        let sentence = format!("{findings} call(s) died or disagreed: see the findings");
        (exit::FINDING, sentence)
    } else if missing > 0 || done == 0 {
        let sentence = format!("{missing} path(s) or peer(s) have no count, {done} have one");
        (exit::NOTHING, sentence)
    } else {
        let sentence = format!("the instructions of {done} path(s) and peer(s) were counted");
        (exit::PASS, sentence)
    }
}

/// Holds what was counted against the base, and records what differs.
fn hold(
    base: &Report,
    tolerance: &Tolerances,
    job: &Job,
    catalog: &Catalog,
    session: &mut Session<'_>,
) -> Result<(u8, String), String> {
    let on_threads = |name: &str| {
        let mut all = catalog.operations.iter().flat_map(|of| {
            let subjects = of.subjects.iter().enumerate();
            subjects.map(|(s, entry)| (of.path_name(s), entry.on_threads))
        });
        all.any(|(other, on_threads)| on_threads && other == name)
    };
    let missing = |name: &str| {
        let known = catalog.operations.iter().enumerate().find_map(|(o, of)| {
            let mut subjects = 0..of.subjects.len();
            let s = subjects.find(|s| of.path_name(*s) == name)?;
            Some((job.selected[o][s], &of.subjects[s].unavailable))
        });
        match known {
            None => Some(NO_SUCH_PATH.to_string()),
            Some((false, _)) => None,
            Some((true, Some(why))) => Some(why.clone()),
            Some((true, None)) if on_threads(name) => Some(ON_THREADS.into()),
            Some((true, None)) => Some(NOT_COUNTED.into()),
        }
    };
    let against = count::against(base, session.report(), tolerance, &missing);
    let grown: Vec<_> = against.changes.iter().filter(|of| of.grown).collect();
    let named = |of: &&count::Change| {
        let figure = &of.figure;
        let [length, reason] =
            [&figure.split, &figure.reason].map(|text| text.as_deref().unwrap_or_default());
        format!("{} at {length} bytes, {reason}", of.name)
    };
    let verdict = if against.common == 0 {
        let sentence = format!("nothing here has a count in {}", base.source);
        (exit::NOTHING, sentence)
    } else if grown.is_empty() {
        let differ = against.changes.len();
        let sentence = format!(
            "of {} counts that {} has too, none exceeds its own by more than {tolerance}, and {differ} differ(s)",
            against.common, base.source
        );
        (exit::PASS, sentence)
    } else {
        let named: Vec<String> = grown.iter().take(NAMED).map(named).collect();
        let more = match grown.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let sentence = format!(
            "{} of {} counts exceed those of {} by more than {tolerance}: {}{more}",
            grown.len(),
            against.common,
            base.source,
            named.join("; ")
        );
        (exit::SLOWER, sentence)
    };
    let changes = against.changes.into_iter().map(|of| of.figure);
    changes
        .chain(against.remarks)
        .map(Record::Figure)
        .try_for_each(|figure| session.put(figure))?;
    Ok(verdict)
}
