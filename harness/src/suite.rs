//! The same verification as a test suite: one named test per path.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial, run};

use crate::ledger::{Ledger, exit};
use crate::operation::{self, Operation};
use crate::plan::Settings;
use crate::verify::{Event, Job, verify};
use crate::worker::protocol::Catalog;
use crate::worker::{self, Host, Launch};

/// A test suite for a `[[test]]` with `harness = false`: one test per path, named `operation/isa/delivery`; an unavailable path
/// is an ignored test whose kind is the reason. Takes the arguments of `cargo test` (`--list`, `--exact`, a filter, …).
///
/// The seed is drawn from the clock, or taken from `PATHPROOF_SEED`; a failed test prints it.
pub fn tests(operations: Vec<Operation>) -> ExitCode {
    worker::answer(&operations);
    suite(&operations).unwrap_or_else(|why| {
        eprintln!("error: {why}");
        ExitCode::from(exit::TROUBLE)
    })
}

fn suite(operations: &[Operation]) -> Result<ExitCode, String> {
    operation::check(operations)?;
    let arguments = Arguments::from_args();
    let launch = Launch::this_program()?;
    let seed = match std::env::var("PATHPROOF_SEED") {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("PATHPROOF_SEED={text:?} is not a number"))?,
        Err(_) => {
            crate::case::mix(&[std::time::UNIX_EPOCH
                .elapsed()
                .map_or(0, |d| d.as_nanos() as u64)])
                >> 32
        }
    };
    let settings = Settings {
        seed,
        cases: 5000,
        ..Settings::default()
    };
    let catalog = Host::new(&launch, &settings)?.catalog()?;
    let mut trials = Vec::new();
    for (o, entry) in catalog.operations.iter().enumerate() {
        for (s, subject) in entry.subjects.iter().enumerate() {
            let (job, catalog) = (only(&launch, &settings, &catalog, o, s), catalog.clone());
            let trial = Trial::test(entry.path_name(s), move || one(&job, &catalog));
            trials.push(match &subject.unavailable {
                Some(why) => trial.with_ignored_flag(true).with_kind(why.clone()),
                None if subject.peer => trial.with_kind("peer"),
                None => trial,
            });
        }
    }
    Ok(run(&arguments, trials).exit_code())
}

/// The verification of one path.
fn only(
    launch: &Launch,
    settings: &Settings,
    catalog: &Catalog,
    operation: usize,
    subject: usize,
) -> Job {
    let meant = |o: usize, s: usize| (o, s) == (operation, subject);
    let entries = catalog.operations.iter().enumerate();
    Job {
        launch: launch.clone(),
        settings: settings.clone(),
        selected: entries
            .map(|(o, entry)| (0..entry.subjects.len()).map(|s| meant(o, s)).collect())
            .collect(),
        jobs: 1,
        findings: std::env::temp_dir(),
        program: "PROGRAM".into(),
    }
}

fn one(job: &Job, catalog: &Catalog) -> Result<(), Failed> {
    let mut ledger = Ledger::new(catalog, &job.selected);
    let mut findings = String::new();
    verify(job, catalog, &mut |event| {
        if let Event::Found(found) = &event {
            let dump = found.dump.as_deref().unwrap_or_default();
            findings += &format!("{}\n{dump}\ntoken: {}\n", found.detail, found.token);
        }
        ledger.enter(event);
        Ok(())
    })?;
    let failed = |o, s| ledger.failed(o, s);
    for taken in crate::receipt::take(job, catalog, &failed, &mut || ())? {
        for finding in &taken.findings {
            findings += &format!("{}: {}\n", finding.verdict, finding.detail);
        }
        ledger.evidence(taken);
    }
    match ledger.verdict(&[], false) {
        (exit::PASS, _) => Ok(()),
        (_, sentence) => Err(format!("{sentence}\nseed {}\n{findings}", job.settings.seed).into()),
    }
}
