//! The worker's side: takes spans of cases, runs them, answers.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cpu_time::ProcessTime;

use super::protocol::{
    Answered, Catalog, OperationEntry, Reply, Request, SubjectEntry, Tally, VERSION, receive, send,
};
use crate::case::{Case, Place, Shape, Source, mix};
use crate::check::{Bench, Prepared, Subject, message};
use crate::mutate::{self, mutate};
use crate::operation::{Call, CodePath, Operation, Params};
use crate::page::{Page, Phase};
use crate::params;
use crate::plan::{Check, Plan, Settings, in_share};
use crate::receipt::{self, classes, stepping};
use crate::time::time;
use crate::verdict::{Verdict, compare};

/// How many findings of one kind a span tells of a subject.
const TOLD: u64 = 3;

impl Catalog {
    pub(crate) fn new(operations: &[Operation], settings: &Settings, data: &[u8]) -> Self {
        let subject = |operation: &Operation, subject: Subject<'_>| {
            let path = subject.path();
            SubjectEntry {
                isa: path.isa.to_string(),
                delivery: path.delivery.to_string(),
                peer: matches!(subject, Subject::Peer(_)),
                unavailable: path.unavailable.as_ref().map(ToString::to_string),
                executes: path.executes.iter().map(ToString::to_string).collect(),
                only: path
                    .only
                    .as_ref()
                    .map(|only| only.iter().map(ToString::to_string).collect()),
                zero_copy: matches!(path.call, Call::Fills(_) | Call::InPlace(_)),
                block: path.block,
                switches_at: path.switches_at.clone(),
                on_threads: path.on_threads,
                in_place: matches!(path.call, Call::InPlace(_)),
                classes: classes(operation, path),
            }
        };
        let entry = |operation: &Operation| OperationEntry {
            name: operation.name.to_string(),
            params: operation
                .params
                .iter()
                .map(|(name, swept)| (name.to_string(), swept.clone()))
                .collect(),
            usual: params::usual(operation),
            longest: operation.longest,
            swept: operation.swept(),
            long: receipt::long(operation),
            loads: operation
                .loads
                .iter()
                .map(|load| (load.name.to_string(), load.bytes, load.params.clone()))
                .collect(),
            sets: operation
                .rows
                .iter()
                .map(|s| (s.set.to_string(), s.data.len() / s.row, s.row))
                .collect(),
            laws: operation
                .laws
                .iter()
                .map(|(name, _)| name.to_string())
                .collect(),
            accepted: operation.accepted.map(Into::into),
            subjects: operation
                .subjects()
                .into_iter()
                .map(|of| subject(operation, of))
                .collect(),
            checks: Plan::new(operation, settings, data).checks(),
        };
        Self {
            operations: operations.iter().map(entry).collect(),
        }
    }
}

/// Reads the file of the user's rows.
pub(crate) fn load_data(settings: &Settings) -> Result<Vec<u8>, String> {
    let Some((path, row)) = &settings.data else {
        return Ok(Vec::new());
    };
    let bytes = crate::case::read_file(path).map_err(|why| format!("--data: {why}"))?;
    if *row == 0 || bytes.len() < *row {
        return Err(format!(
            "--data: {} has {} bytes, which is less than one row of {row}; give FILE:ROW with ROW the bytes of a row",
            path.display(),
            bytes.len()
        ));
    }
    Ok(bytes)
}

/// Answers requests until the parent closes. `page` is the file that is shared with it.
pub(crate) fn serve(
    operations: &[Operation],
    page: &Path,
    mut from: impl Read,
    mut to: impl Write,
) -> std::io::Result<()> {
    let page = Page::open(page)?;
    super::note_faults(page);
    // A path's panic is a verdict, and its message travels with that; one of the harness' own ends the worker, with its last words.
    std::panic::set_hook(Box::new(move |panic| {
        if page.snapshot().phase != Phase::Calling {
            eprintln!("{panic}");
        }
    }));
    let Some(Request::Setup(settings)) = receive(&mut from)? else {
        return Ok(());
    };
    let data = match load_data(&settings) {
        Ok(data) => data,
        Err(why) => return send(&mut to, &Reply::Broken(why)),
    };
    page.preparing(0);
    let catalog = match catch_unwind(AssertUnwindSafe(|| {
        Catalog::new(operations, &settings, &data)
    })) {
        Ok(catalog) => catalog,
        Err(panic) => {
            return send(
                &mut to,
                &Reply::Broken(format!("making inputs panicked: {}", message(&*panic))),
            );
        }
    };
    page.idle();
    send(
        &mut to,
        &Reply::Hello {
            version: VERSION,
            catalog,
        },
    )?;
    let plans: Vec<_> = operations
        .iter()
        .map(|op| Plan::new(op, &settings, &data))
        .collect();
    let mut bench = Bench::new(page);
    let mut stepper = None;
    while let Some(request) = receive(&mut from)? {
        let reply = match request {
            Request::Setup(_) => Err("set up twice".into()),
            Request::Span {
                operation,
                check,
                from,
                to: end,
                skip,
            } => {
                let mut found = |reply: Reply| send(&mut to, &reply);
                let span = Span {
                    operation: &operations[operation],
                    plan: &plans[operation],
                    check,
                    from,
                    to: end,
                    skip,
                };
                span.run(&mut bench, page, &settings, &mut found)
            }
            Request::Time {
                operation,
                subjects,
                given,
                pace,
            } => time(
                &operations[operation],
                &subjects,
                given,
                settings.seed,
                pace,
                page,
            )
            .map(Reply::Times),
            Request::Step {
                operation,
                subjects,
                class,
                given,
                sources,
            } => receipt::step(
                &mut stepper,
                &operations[operation],
                &subjects,
                (&class, given, sources),
                &mut bench,
                page,
            )
            .map(Reply::Stepped),
            Request::Profile { operation, class } => {
                receipt::of_reference(&mut stepper, &operations[operation], &class, page)
                    .map(Reply::Profile)
            }
            Request::Mutate {
                operation,
                subject,
                trial,
                leave,
            } => receipt::code(&mut stepper).and_then(|code| {
                let (of, plan) = (&operations[operation], &plans[operation]);
                let trial = (&trial, &leave);
                mutate(code, plan, of, subject, trial, &mut bench, page).map(Reply::Mutated)
            }),
            Request::Mutants { operation, subject } => {
                receipt::code(&mut stepper).and_then(|code| {
                    let of = &operations[operation];
                    mutate::list(code, of, subject, &mut bench, page).map(Reply::Mutants)
                })
            }
            Request::Stepping => Ok(Reply::Stepping(stepping())),
            Request::Ping => Ok(Reply::Pong),
            Request::Overread => overread(page),
            Request::Describe {
                operation,
                check,
                index,
            } => describe(&operations[operation], &plans[operation], check, index),
            Request::Try {
                operation,
                subject,
                case,
                law,
            } => try_case(
                &operations[operation],
                &mut bench,
                page,
                subject,
                &case,
                law,
            )
            .map(Reply::Verdict),
            Request::Reference { operation, case } => {
                page.preparing(0);
                Prepared::new(&operations[operation], &case)
                    .map(|p| Reply::Answer(p.want.map(|answer| answer.len())))
            }
            Request::Known {
                operation,
                subject,
                case,
                want,
            } => known(
                &operations[operation],
                &mut bench,
                page,
                subject,
                &case,
                want,
            )
            .map(Reply::Verdict),
        };
        page.idle();
        send(&mut to, &reply.unwrap_or_else(Reply::Broken))?;
    }
    Ok(())
}

/// A span of the cases of one check.
struct Span<'a> {
    operation: &'a Operation,
    plan: &'a Plan<'a>,
    check: Check,
    from: u64,
    to: u64,
    skip: Vec<usize>,
}

impl Span<'_> {
    fn run(
        &self,
        bench: &mut Bench,
        page: &Page,
        settings: &Settings,
        found: &mut dyn FnMut(Reply) -> std::io::Result<()>,
    ) -> Result<Reply, String> {
        let started = ProcessTime::now();
        let subjects = self.operation.subjects();
        let takes_part = |index: usize, subject: &Subject<'_>| {
            let peer = matches!(subject, Subject::Peer(_));
            subject.path().unavailable.is_none()
                && !self.skip.contains(&index)
                && (!peer || self.check.includes_peers())
        };
        let active: Vec<_> = subjects
            .iter()
            .enumerate()
            .filter(|(i, s)| takes_part(*i, s))
            .collect();
        let (peers, paths): (Vec<_>, Vec<_>) = active
            .into_iter()
            .partition(|(_, s)| matches!(s, Subject::Peer(_)));
        let mut tallies = vec![Tally::default(); subjects.len()];
        let mut told: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        // Where every path has died, no case is worth making.
        if paths.is_empty() && peers.is_empty() {
            return Ok(Reply::Done { tallies, nanos: 0 });
        }
        for index in (self.from..self.to).filter(|index| in_share(*index, settings.shard)) {
            page.preparing(index);
            let case = self.plan.case(self.check, index);
            let prepared = Prepared::new(self.operation, &case)?;
            let mut report = |subject: usize, tally: &mut Tally, verdict: Verdict| {
                tally.failed += 1;
                let told = told.entry((subject, verdict.kind())).or_default();
                *told += 1;
                if *told <= TOLD {
                    // A parent that is gone ends the worker at the next reply.
                    let _ = found(Reply::Found {
                        index,
                        subject,
                        verdict,
                    });
                }
            };
            if self.check == Check::Laws {
                for (subject, path) in &paths {
                    let verdict = bench.law(
                        self.operation,
                        Plan::law(self.operation.swept(), index),
                        path.path(),
                        *subject,
                        &prepared,
                    );
                    let tally = &mut tallies[*subject];
                    tally.cases += 1;
                    tally.calls += 1;
                    if verdict.is_finding() {
                        report(*subject, tally, verdict);
                    }
                }
                continue;
            }
            run_on(bench, &prepared, &paths, &mut tallies, &mut report);
            for peer in &peers {
                let Subject::Peer(its) = peer.1 else { continue };
                page.preparing(index);
                run_on(
                    bench,
                    &prepared.for_peer(its)?,
                    std::slice::from_ref(peer),
                    &mut tallies,
                    &mut report,
                );
            }
        }
        Ok(Reply::Done {
            tallies,
            nanos: started.elapsed().as_nanos() as u64,
        })
    }
}

/// Runs one case on every subject, all of them on the same bytes at the same address.
fn run_on(
    bench: &mut Bench,
    prepared: &Prepared,
    subjects: &[(usize, &Subject<'_>)],
    tallies: &mut [Tally],
    report: &mut dyn FnMut(usize, &mut Tally, Verdict),
) {
    let mut failed = vec![false; tallies.len()];
    for run in 0..prepared.runs() {
        bench.load(prepared, run);
        for (subject, path) in subjects {
            let tally = &mut tallies[*subject];
            tally.calls += 1;
            tally.cases += u64::from(run == 0);
            match bench.call(path.path(), *subject, prepared, run) {
                Ok(Some(depth)) => tally.refused(depth),
                Ok(None) => {}
                Err(_) if failed[*subject] => {}
                Err(verdict) => {
                    failed[*subject] = true;
                    report(*subject, tally, verdict);
                }
            }
        }
    }
}

/// Has a path read one byte too far, as a real one would: the worker does not survive it.
fn overread(page: &'static Page) -> Result<Reply, String> {
    let operation = Operation::new("probe", |_| Ok(0u8)).path(CodePath::returns("scalar", |i| {
        Ok(crate::arena::read_beyond(i.bytes()))
    }));
    let source = Source::Verbatim(vec![vec![1; 33]]);
    let case = Case {
        operation: "probe".into(),
        source,
        params: Params::new(),
        input: Place::End,
        output: Place::End,
        warm: 0,
        room: 0,
    };
    let prepared = Prepared::new(&operation, &case)?;
    Ok(Reply::Verdict(Bench::new(page).run(
        &operation.paths[0],
        0,
        &prepared,
    )))
}

fn describe(
    operation: &Operation,
    plan: &Plan<'_>,
    check: Check,
    index: u64,
) -> Result<Reply, String> {
    let planned = plan.case(check, index);
    let verbatim = Case {
        source: Source::Verbatim(operation.resolve(&planned)?),
        ..planned.clone()
    };
    Ok(Reply::Described { planned, verbatim })
}

fn try_case(
    operation: &Operation,
    bench: &mut Bench,
    page: &Page,
    subject: usize,
    case: &Case,
    law: Option<usize>,
) -> Result<Verdict, String> {
    let subjects = operation.subjects();
    let subject_entry = subjects.get(subject).ok_or("no such path")?;
    page.preparing(0);
    let prepare = |case: &Case| match subject_entry {
        Subject::Path(_) => Prepared::new(operation, case),
        Subject::Peer(peer) => Prepared::new(operation, case)?.for_peer(peer),
    };
    let prepared = prepare(case)?;
    let path = subject_entry.path();
    if let Some(why) = &path.unavailable {
        return Ok(Verdict::Unavailable(why.to_string()));
    }
    for number in 0..case.warm {
        let other = prepare(&warming(case, &prepared, operation.most(), number))?;
        bench.load(&other, 0);
        let _ = bench.call(path, subject, &other, 0);
    }
    Ok(match law {
        Some(law) if law < operation.laws.len() => {
            bench.law(operation, law, path, subject, &prepared)
        }
        Some(law) => return Err(format!("{} has no law {law}", operation.name)),
        None => bench.run(path, subject, &prepared),
    })
}

/// The calls before a case with `warm`: lengths like the case's own and others, in turn, always the same ones.
fn warming(case: &Case, prepared: &Prepared, most: usize, number: u32) -> Case {
    let seed = mix(&[u64::from(number), 0x7761]);
    let own = prepared.parts[0].len();
    let len = if number.is_multiple_of(2) {
        own
    } else {
        (seed % 513) as usize
    };
    let source = Source::Seeded {
        seed: seed >> 16,
        len: len.min(most),
        shape: Shape::Random,
    };
    Case {
        source,
        input: Place::At(0),
        output: Place::At(0),
        warm: 0,
        room: 0,
        ..case.clone()
    }
}

fn known(
    operation: &Operation,
    bench: &mut Bench,
    page: &Page,
    subject: Option<usize>,
    case: &Case,
    want: Answered,
) -> Result<Verdict, String> {
    page.preparing(0);
    let want = want.outcome();
    let Some(subject) = subject else {
        let got = Prepared::new(operation, case)?.want;
        let slice = |outcome| {
            Result::as_ref(outcome)
                .map(Vec::as_slice)
                .map_err(Clone::clone)
        };
        return Ok(compare(slice(&want), slice(&got))
            .err()
            .unwrap_or(Verdict::Agrees));
    };
    let subjects = operation.subjects();
    let path = subjects.get(subject).ok_or("no such path")?.path();
    if let Some(why) = &path.unavailable {
        return Ok(Verdict::Unavailable(why.to_string()));
    }
    Ok(bench.run(path, subject, &Prepared::known(operation, case, want)?))
}
