//! Times of paths and peers, measured in a worker: slices that take turns, for ratios; criterion, for figures by themselves.
//!
//! Nothing is timed before it has agreed with its reference on that very input, in that very place.

use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::Rng as _;
use proptest::test_runner::TestRng;
use serde::{Deserialize, Serialize};

use crate::arena::Buffer;
use crate::case::{Case, Place, Shape, Source, mix, rng};
use crate::check::{Prepared, Subject};
use crate::desk::{Callee, Desk, SPREAD, not_repeatable};
use crate::operation::{Input, Operation, Params};
use crate::page::Page;
use crate::pair::quantile;
use crate::params;
use crate::verdict::Verdict;

/// Calls before the first slice of a placement, unless they take longer than that.
const WARM_CALLS: u64 = 500;
const WARM_TIME: Duration = Duration::from_millis(200);
/// The quantile of a subject's batches that stands for it: low, since whatever else the machine does only adds.
const QUANTILE: f64 = 0.1;

/// What a call is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Given {
    /// So many plain bytes, and the usual values of parameters.
    Bytes(usize),
    /// What this load of the operation says.
    Load(usize),
}

impl Given {
    fn of(self, operation: &Operation) -> Result<(usize, Params), String> {
        let mut params = params::usual(operation);
        match self {
            Given::Bytes(bytes) => Ok((bytes, params)),
            Given::Load(number) => {
                let load = operation.loads.get(number).ok_or("no such load")?;
                params.extend(load.params.clone());
                Ok((load.bytes, params))
            }
        }
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// Fresh buffers, each in pages of its own.
    pub(crate) placements: u32,
    /// Turns of every subject in a placement, there and back.
    pub(crate) rounds: u32,
    /// Microseconds of a turn.
    pub(crate) slice: u64,
    /// Milliseconds of criterion's warm-up and measurement, for each subject and placement; none without.
    pub(crate) criterion: Option<(u64, u64)>,
}

/// What one subject took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Timed {
    /// One entry per placement.
    Placements(Vec<Nanos>),
    /// It did not agree on this input, so it was not measured.
    Finding(Verdict),
    /// It cannot be measured, and why.
    Not(String),
}

/// Nanoseconds a call, in one placement.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Nanos {
    /// The low quantile of its batches in slices that took turns with the other subjects'.
    pub(crate) turns: f64,
    /// Criterion's median.
    pub(crate) criterion: Option<f64>,
}

/// The times of the subjects of an operation at one size or load, and the bytes of work that they do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) work: usize,
    /// For each subject that was asked for.
    pub(crate) subjects: Vec<Timed>,
}

/// One subject, ready to be called.
struct Ready<'a> {
    /// Its place among those asked for, and its index among the operation's.
    number: usize,
    index: usize,
    callee: Callee<'a>,
    calls_a_batch: u64,
    batches: Vec<f64>,
}

/// Measures the subjects `wanted`.
///
/// # Errors
/// The reference of the operation or of a peer failed, or criterion did.
pub(crate) fn time(
    operation: &Operation,
    wanted: &[usize],
    given: Given,
    seed: u64,
    pace: Pace,
    page: &Page,
) -> Result<Times, String> {
    let (size, params) = given.of(operation)?;
    let source = Source::Seeded {
        seed: mix(&[seed, size as u64]) >> 16,
        len: size,
        shape: Shape::Random,
    };
    let case = Case {
        operation: operation.name.to_string(),
        source,
        params,
        input: Place::At(0),
        output: Place::At(0),
        warm: 0,
        room: 0,
    };
    page.preparing(0);
    let own = Rc::new(Prepared::new(operation, &case)?);
    let slices: Vec<&[u8]> = own.parts.iter().map(Vec::as_slice).collect();
    let work = (operation.work)(&Input::new(&slices, &own.params));

    let subjects = operation.subjects();
    let mut timed: Vec<Timed> = vec![Timed::Placements(Vec::new()); wanted.len()];
    let mut ready = Vec::new();
    for (number, &index) in wanted.iter().enumerate() {
        let path = subjects[index].path();
        if let Some(why) = not_repeatable(path) {
            timed[number] = Timed::Not(why);
        } else {
            page.preparing(0);
            let prepared = match &subjects[index] {
                Subject::Peer(peer) => Rc::new(own.for_peer(peer)?),
                Subject::Path(_) => Rc::clone(&own),
            };
            ready.push(Ready {
                number,
                index,
                callee: Callee { path, prepared },
                calls_a_batch: 1,
                batches: Vec::new(),
            });
        }
    }

    let mut draw = rng(mix(&[seed, size as u64, 1]));
    for _ in 0..pace.placements {
        page.preparing(0);
        let mut desk = fresh_desk(&ready, &mut draw);
        ready.retain_mut(|subject| {
            page.calling(subject.index);
            let agreed = subject.callee.check(&mut desk);
            subject.calls_a_batch = subject.callee.batch(&mut desk);
            subject.warm_up(&mut desk);
            agreed
                .map_err(|verdict| timed[subject.number] = Timed::Finding(verdict))
                .is_ok()
        });
        take_turns(&mut ready, &mut desk, pace, &mut draw, page);
        for subject in &mut ready {
            page.calling(subject.index);
            let criterion = pace
                .criterion
                .map(|pace| by_criterion(subject, &mut desk, pace));
            let criterion = criterion.transpose()?;
            let turns = quantile(&mut subject.batches, QUANTILE).unwrap_or(f64::NAN);
            subject.batches.clear();
            if let Timed::Placements(placements) = &mut timed[subject.number] {
                placements.push(Nanos { turns, criterion });
            }
        }
    }
    page.idle();
    Ok(Times {
        work,
        subjects: timed,
    })
}

/// Slices in turn: in a drawn order and then back, so that no subject is always the one after another.
fn take_turns(
    ready: &mut [Ready<'_>],
    desk: &mut Desk,
    pace: Pace,
    draw: &mut TestRng,
    page: &Page,
) {
    let slice = Duration::from_micros(pace.slice);
    let mut order: Vec<usize> = (0..ready.len()).collect();
    for _ in 0..pace.rounds {
        for i in (1..order.len()).rev() {
            order.swap(i, (draw.next_u64() % (i as u64 + 1)) as usize);
        }
        for &subject in order.iter().chain(order.iter().rev()) {
            let subject = &mut ready[subject];
            page.calling(subject.index);
            let batch = subject.calls_a_batch;
            // Not measured: the input is laid out, and caches and branch predictors become this subject's.
            subject.callee.call(desk, batch);
            let start = Instant::now();
            while start.elapsed() < slice {
                let took = subject.callee.call(desk, batch);
                subject
                    .batches
                    .push(took.as_secs_f64() * 1e9 / batch as f64);
            }
        }
    }
}

impl Ready<'_> {
    /// Calls until what a path keeps or allocates has reached its steady state, so that no slice measures the way there.
    fn warm_up(&self, desk: &mut Desk) {
        let start = Instant::now();
        let mut calls = 0;
        while calls < WARM_CALLS && start.elapsed() < WARM_TIME {
            self.callee.call(desk, self.calls_a_batch);
            calls += self.calls_a_batch;
        }
    }
}

/// Fresh pages at drawn offsets, with room for every subject.
fn fresh_desk(ready: &[Ready<'_>], draw: &mut TestRng) -> Desk {
    let mut roomy = |most| Buffer::roomy(most, (draw.next_u64() as usize % SPREAD) & !63);
    let parts = ready
        .iter()
        .map(|subject| subject.callee.prepared.parts.len())
        .max()
        .unwrap_or(0);
    let most_of = |part: usize| {
        let lengths = ready
            .iter()
            .map(|subject| subject.callee.prepared.parts.get(part).map_or(0, Vec::len));
        lengths.max().unwrap_or(0)
    };
    let capacity = ready
        .iter()
        .map(|subject| subject.callee.prepared.capacity())
        .max()
        .unwrap_or(0);
    let input = (0..parts).map(|part| roomy(most_of(part))).collect();
    Desk::new(input, roomy(capacity))
}

/// Criterion's median, in nanoseconds a call. It prints on stdout, which is not the worker's channel, and keeps its files in a
/// folder that is gone afterwards, so that no older run is compared with.
fn by_criterion(
    subject: &Ready<'_>,
    desk: &mut Desk,
    (warm, measure): (u64, u64),
) -> Result<f64, String> {
    let home =
        tempfile::tempdir().map_err(|e| format!("cannot make a folder for criterion: {e}"))?;
    let mut criterion = criterion::Criterion::default()
        .without_plots()
        .output_directory(home.path())
        .warm_up_time(Duration::from_millis(warm))
        .measurement_time(Duration::from_millis(measure))
        .nresamples(1001)
        .sample_size(10);
    criterion.bench_function("path", |bencher| {
        bencher.iter_custom(|count| subject.callee.call(desk, count))
    });
    let estimates = home.path().join("path/new/estimates.json");
    let read = std::fs::read_to_string(&estimates)
        .map_err(|e| format!("criterion left no estimates: {e}"))?;
    median(&read).ok_or_else(|| "criterion's estimates have no median".into())
}

/// The one place that knows the form of criterion's file (0.8), which is not a contract.
fn median(estimates: &str) -> Option<f64> {
    serde_json::from_str::<serde_json::Value>(estimates)
        .ok()?
        .get("median")?
        .get("point_estimate")?
        .as_f64()
}
