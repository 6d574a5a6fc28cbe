//! The same verification as a test suite: one named test per path.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial, run};
use pathproof_reports::{PathRow, State};

use crate::cmd::parse_shard;
use crate::ledger::{Ledger, exit};
use crate::operation::{self, Operation};
use crate::plan::Settings;
use crate::verify::{Event, Job, verify};
use crate::worker::protocol::Catalog;
use crate::worker::{self, Host, Launch};

/// A test suite for a `[[test]]` with `harness = false`: one test per path, named `operation/isa/delivery`; an unavailable path
/// is an ignored test whose kind is the reason. Takes the arguments of `cargo test` (`--list`, `--exact`, a filter, …).
///
/// The seed is drawn from the clock, or taken from `PATHPROOF_SEED`; a failed test prints it. With `PATHPROOF_SHARD`, as in 2/4,
/// each path is verified on that share of its cases, as by `verify --shard`; its receipt is taken in any case.
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
    let mut settings = Settings {
        seed,
        cases: 5000,
        ..Settings::default()
    };
    if let Ok(text) = std::env::var("PATHPROOF_SHARD") {
        settings.shard = parse_shard(&text).map_err(|why| format!("PATHPROOF_SHARD={why}"))?;
    }
    let catalog = Arc::new(Host::new(&launch, &settings)?.catalog()?);
    let mut trials = Vec::new();
    for (o, entry) in catalog.operations.iter().enumerate() {
        let runs = |s| {
            let trial = Trial::test(entry.path_name(s), || Ok(()));
            let trial = match entry.subjects[s].peer {
                true => trial.with_kind("peer"),
                false => trial,
            };
            entry.subjects[s].unavailable.is_none() && !arguments.is_filtered_out(&trial)
        };
        let mut selected: Vec<Vec<bool>> = catalog.operations.iter().map(|_| vec![]).collect();
        for (operation, selected) in catalog.operations.iter().zip(&mut selected) {
            selected.resize(operation.subjects.len(), false);
        }
        selected[o] = (0..entry.subjects.len()).map(runs).collect();
        let job = Job {
            launch: launch.clone(),
            settings: settings.clone(),
            selected,
            jobs: std::thread::available_parallelism().map_or(1, |n| n.get()),
            findings: std::env::temp_dir(),
            program: "PROGRAM".into(),
        };
        let together = Arc::new(Together {
            job,
            catalog: Arc::clone(&catalog),
            outcomes: OnceLock::new(),
        });
        for (s, subject) in entry.subjects.iter().enumerate() {
            let together = Arc::clone(&together);
            let trial = Trial::test(entry.path_name(s), move || together.outcome(o, s));
            trials.push(match &subject.unavailable {
                Some(why) => trial.with_ignored_flag(true).with_kind(why.clone()),
                None if subject.peer => trial.with_kind("peer"),
                None => trial,
            });
        }
    }
    Ok(run(&arguments, trials).exit_code())
}

/// The verification of those paths of one operation that are asked for: the first test that runs verifies all of them, for the
/// answers that are due are the same, and take longer than the calls.
struct Together {
    job: Job,
    catalog: Arc<Catalog>,
    /// Of each subject, what is wrong with it; or why nothing is known of any.
    outcomes: OnceLock<Result<Vec<Result<(), String>>, String>>,
}

impl Together {
    fn outcome(&self, operation: usize, subject: usize) -> Result<(), Failed> {
        let outcomes = self.outcomes.get_or_init(|| self.verify(operation));
        Ok(outcomes.as_ref()?[subject].clone()?)
    }

    fn verify(&self, operation: usize) -> Result<Vec<Result<(), String>>, String> {
        let Self { job, catalog, .. } = self;
        let mut ledger = Ledger::new(catalog, &job.selected);
        let subjects = 0..catalog.operations[operation].subjects.len();
        let mut findings = vec![String::new(); subjects.len()];
        verify(job, catalog, &mut |event| {
            if let Event::Found(found) = &event {
                let dump = found.dump.as_deref().unwrap_or_default();
                findings[found.subject] +=
                    &format!("{}\n{dump}\ntoken: {}\n", found.detail, found.token);
            }
            ledger.enter(event);
            Ok(())
        })?;
        let failed = |o, s| ledger.failed(o, s);
        for taken in crate::receipt::take(job, catalog, &failed, &mut || ())? {
            for finding in &taken.findings {
                findings[taken.subject] += &format!("{}: {}\n", finding.verdict, finding.detail);
            }
            ledger.evidence(taken);
        }
        let outcome = |subject: usize| {
            let PathRow { state, reason, .. } = ledger.row(operation, subject);
            let (settings, why) = (job.settings.flags(), reason.unwrap_or_default());
            match state {
                State::Verified => Ok(()),
                _ => Err(format!(
                    "{state}: {why}\nverified with{settings}\n{}",
                    findings[subject]
                )),
            }
        };
        Ok(subjects.map(outcome).collect())
    }
}
