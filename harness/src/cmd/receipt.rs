//! `receipt`: which instructions each path executes, and whether that is what it promises.

use pathproof_reports::{PathRow, Record, State};

use super::session::default_out;
use super::session::{Session, complain, program};
use super::verify::take_receipts;
use super::{Common, Limits, of_case};
use crate::ledger::exit;
use crate::receipt::{Evidence, Taken};
use crate::select::{any, matches_nothing, select};
use crate::verify::Job;
use crate::worker::protocol::Catalog;
use crate::worker::{Host, Launch};

pub(super) fn receipt(
    common: &Common,
    launch: &Launch,
    filter: Option<&str>,
    limits: &Limits,
) -> Result<u8, String> {
    if let Some(token) = of_case::is_token(filter) {
        return of_case::step(common, launch, "receipt", token, limits);
    }
    let settings = limits.settings()?;
    let catalog = Host::new(launch, &settings)?.catalog()?;
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
    let mut session = Session::begin(common, "receipt", None, None)?;
    let verdict = go(common, &job, &catalog, &mut session);
    session.conclude(verdict)
}

fn go(
    common: &Common,
    job: &Job,
    catalog: &Catalog,
    session: &mut Session<'_>,
) -> Result<(u8, String), String> {
    let taken = take_receipts(common, job, catalog, &|_, _| false)?;
    for (o, operation) in catalog.operations.iter().enumerate() {
        let subjects = operation.subjects.iter().enumerate();
        for (s, entry) in subjects.filter(|(s, entry)| job.selected[o][*s] && !entry.peer) {
            let taken = taken
                .iter()
                .find(|taken| (taken.operation, taken.subject) == (o, s));
            let (state, reason, receipt) =
                match (&entry.unavailable, taken.map(|taken| &taken.evidence)) {
                    (Some(why), _) => (State::Unavailable, Some(why.clone()), None),
                    (None, Some(Evidence::Taken(summary))) => {
                        (State::Verified, None, Some(summary.clone()))
                    }
                    (None, Some(Evidence::Excused(why))) => {
                        (State::Unavailable, Some(format!("no receipt: {why}")), None)
                    }
                    (None, Some(Evidence::NotMeasurable(why) | Evidence::Owed(why))) => {
                        (State::NotExecuted, Some(format!("no receipt: {why}")), None)
                    }
                    (None, None) => (State::NotExecuted, Some("it was not stepped".into()), None),
                };
            let findings = taken.map_or(0, |taken| taken.findings.len());
            let calls = taken.map_or(0, |taken| taken.receipts.len());
            session.put(Record::Path(PathRow {
                operation: operation.name.clone(),
                isa: entry.isa.clone(),
                delivery: entry.delivery.clone(),
                state: if findings > 0 { State::Failed } else { state },
                cases: calls as u64,
                reason: if findings > 0 {
                    Some(format!("{findings} finding(s)"))
                } else {
                    reason
                },
                errors: None,
                receipt,
                peer: false,
            }))?;
        }
    }
    let broken: usize = taken.iter().map(|taken| taken.findings.len()).sum();
    let missing = taken
        .iter()
        .filter(|taken| {
            let Taken { evidence, .. } = taken;
            matches!(evidence, Evidence::NotMeasurable(_) | Evidence::Owed(_))
        })
        .count();
    let stepped = taken
        .iter()
        .filter(|taken| matches!(taken.evidence, Evidence::Taken(_)))
        .count();
    for Taken {
        receipts, findings, ..
    } in taken
    {
        receipts
            .into_iter()
            .map(Record::Receipt)
            .chain(findings.into_iter().map(Record::Finding))
            .try_for_each(|record| session.put(record))?;
    }
    Ok(if broken > 0 {
        (
            exit::FINDING,
            format!("{broken} promise(s) are not kept: see the findings"),
        )
    } else if missing > 0 || stepped == 0 {
        (
            exit::NOTHING,
            format!("{missing} path(s) have no receipt, {stepped} have one"),
        )
    } else {
        (
            exit::PASS,
            format!("{stepped} path(s) execute what they promise, on the lengths stepped"),
        )
    })
}
