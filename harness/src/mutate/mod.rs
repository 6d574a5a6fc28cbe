//! The mutation score: would the verification notice if a path were wrong? Its machine code is changed, one instruction or one
//! constant at a time, and the verification is run on each change.
//!
//! ```text
//! sites     what can be changed, and how
//! child     a change, alive in a process of its own
//! watch     the end of a child that makes no progress
//! moved     a change of place or speed alone, for comparisons
//! accepted  survivors that somebody has looked at
//! workers   which mutants are whose, and who tries them
//! ```
//!
//! The answers are computed before the change: the compiler may have merged a table of the reference with one of the path.

pub(crate) mod accepted;
mod child;
#[cfg(target_os = "linux")]
pub(crate) mod moved;
mod sites;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod watch;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};

use self::child::{Fate, run};
pub(crate) use self::sites::{Kind, Mutant};
pub(crate) use self::workers::{Left, Mutated, mutate_all};
use crate::case::{Case, Source};
use crate::check::{Bench, Prepared};
use crate::operation::{CodePath, Operation};
use crate::page::Page;
use crate::params;
use crate::plan::{Check, Plan, in_share};
use crate::receipt::{self, Class, VERY_LONG, classes};
use crate::step::{self, Code};
use crate::verdict::Verdict;

/// The least processor time at one case after which a child is taken to go round in circles.
const LEAST: Duration = Duration::from_millis(30);
/// How many times the processor time of the unchanged path's slowest case that is, at least.
const TIMES: u32 = 20;

/// At how many offsets all pairs of bytes are tried, before bits of a constant are called dead: more than the period of a codec.
const PAIRS_AT: u64 = 8;

/// The lengths at which paths are stepped with the values that a parameter is swept over.
const OTHERS_AT: [usize; 2] = [65, 512];

/// What is asked of the verification that is put to the test.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Checks that are left out, to see what they are good for.
    pub(crate) without: Vec<Check>,
    /// Whether the answers are computed after the change.
    pub(crate) after: bool,
    /// Which share of the mutants is tried, from 0, and of how many; all of them without.
    pub(crate) share: Option<(u64, u64)>,
}

impl Trial {
    /// Whether a mutant is one of those that are tried.
    fn has(&self, mutant: u64) -> bool {
        self.share.is_none_or(|share| in_share(mutant, share))
    }
}

/// How many mutants there were, and how many of them were noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) mutants: u64,
    pub(crate) killed: u64,
}

/// What came of the mutants of one path.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Mutation {
    pub(crate) scores: BTreeMap<Kind, Score>,
    pub(crate) survivors: Vec<Mutant>,
    /// Changes of constants that are no mutants, for nothing depends on what they change.
    pub(crate) dead: u64,
    /// The functions of which an instruction was changed.
    pub(crate) functions: BTreeSet<String>,
    /// All mutants, by what they change.
    tried: BTreeSet<u64>,
}

impl Mutation {
    /// Before anything is tried.
    fn of(mutants: &[Mutant], code: &Code) -> Self {
        let mut mutation = Self::default();
        for mutant in mutants {
            mutation.scores.entry(mutant.kind).or_default().mutants += 1;
            mutation.functions.insert(mutant.function.clone());
            mutation.tried.insert(mutant.id(code));
        }
        mutation
    }

    pub(crate) fn score(&self) -> Score {
        self.scores
            .values()
            .fold(Score::default(), |sum, score| Score {
                mutants: sum.mutants + score.mutants,
                killed: sum.killed + score.killed,
            })
    }
}

// ------------------------------------------------------------------------------------------ the worker

/// One case with its answer; a law, if it is for one.
struct Ready {
    case: Case,
    prepared: Prepared,
    law: Option<usize>,
}

/// Everything that a mutant is tried with.
struct Trying<'a> {
    operation: &'a Operation,
    path: &'a CodePath,
    subject: usize,
    after: bool,
    bench: &'a mut Bench,
    page: &'static Page,
}

impl Trying<'_> {
    /// Whether a case agrees, in this process as it is.
    fn agrees(&mut self, ready: &Ready) -> bool {
        let again;
        let prepared = match self.after {
            false => &ready.prepared,
            true => match Prepared::new(self.operation, &ready.case) {
                Ok(prepared) => {
                    again = prepared;
                    &again
                }
                // A reference that fails is noticed.
                Err(_) => return false,
            },
        };
        let verdict = match ready.law {
            Some(law) => self
                .bench
                .law(self.operation, law, self.path, self.subject, prepared),
            None => self.bench.run(self.path, self.subject, prepared),
        };
        verdict == Verdict::Agrees
    }

    /// Tries a change on cases, in the order given. The number of the case that killed it, or that was at work when it died.
    fn fate(
        &mut self,
        patch: &[(u64, u8)],
        limit: Duration,
        cases: &[Ready],
        order: &[usize],
        then: &mut dyn FnMut(&mut Bench) -> bool,
    ) -> Result<(Fate, usize), String> {
        let page = self.page;
        let fate = run(patch, limit, page, &mut || {
            order.iter().all(|&number| {
                page.preparing(number as u64);
                self.agrees(&cases[number])
            }) && then(self.bench)
        });
        // What the child was doing is not what this worker does.
        page.idle();
        Ok((fate?, page.index() as usize))
    }
}

fn path(operation: &Operation, subject: usize) -> Result<&CodePath, String> {
    operation
        .paths
        .get(subject)
        .ok_or_else(|| "no such path".into())
}

fn mutants(
    code: &mut Code,
    operation: &Operation,
    subject: usize,
    bench: &mut Bench,
    page: &Page,
) -> Result<(Stepped, Vec<Mutant>), String> {
    let stepped = Stepped::of(
        code,
        operation,
        path(operation, subject)?,
        subject,
        bench,
        page,
    )?;
    let mutants = sites::mutants(code, &stepped.sites, &stepped.constants, &stepped.taken);
    Ok((stepped, mutants))
}

/// The mutants of a path by what they change, each with its function.
pub(crate) fn list(
    code: &mut Code,
    operation: &Operation,
    subject: usize,
    bench: &mut Bench,
    page: &Page,
) -> Result<BTreeMap<u64, String>, String> {
    let (_, mutants) = mutants(code, operation, subject, bench, page)?;
    let named = |mutant: Mutant| (mutant.id(code), mutant.function);
    Ok(mutants.into_iter().map(named).collect())
}

/// Mutates one path, without those mutants that are to be left. The worker is of no use afterwards: its memory is full of cases, and every fork would pay for them.
pub(crate) fn mutate(
    code: &mut Code,
    plan: &Plan<'_>,
    operation: &Operation,
    subject: usize,
    (trial, leave): (&Trial, &BTreeSet<u64>),
    bench: &mut Bench,
    page: &'static Page,
) -> Result<Mutation, String> {
    let path = path(operation, subject)?;
    let (stepped, mut mutants) = mutants(code, operation, subject, bench, page)?;
    mutants.retain(|mutant| {
        let id = mutant.id(code);
        trial.has(id) && !leave.contains(&id)
    });
    let mut mutation = Mutation::of(&mutants, code);
    if mutants.is_empty() {
        return Ok(mutation);
    }
    let mut trying = Trying {
        operation,
        path,
        subject,
        after: trial.after,
        bench,
        page,
    };

    // A few hundred cases notice most.
    let quick = prepare(operation, plan, trial, page, &|check, index| {
        plan.is_quick(check, index)
    })?;
    let left = trying.all(&quick, mutants, &mut mutation, &mut |_| true)?;
    if left.is_empty() {
        return Ok(mutation);
    }
    // What nothing depends on is no mutant; a lesser verification has no say in that.
    let whole = prepare(operation, plan, &Trial::default(), page, &|_, _| true)?;
    trying.after = false;
    let left = trying.bury(plan, &whole, left, &mut mutation)?;
    trying.after = trial.after;
    let whole = match trial.without.is_empty() {
        true => whole,
        false => prepare(operation, plan, trial, page, &|_, _| true)?,
    };
    // The others meet the whole verification, and what only a caller would notice: what a call must keep.
    let mut keeps = |bench: &mut Bench| stepped.keeps(code, path, subject, bench);
    mutation.survivors = trying.all(&whole, left, &mut mutation, &mut keeps)?;
    Ok(mutation)
}

/// One patch that makes all of these changes, each of another byte.
fn together(mutants: &[Mutant]) -> Vec<(u64, u8)> {
    mutants
        .iter()
        .flat_map(|mutant| mutant.patch.iter().copied())
        .collect()
}

/// Changes of constants by what they do to a byte, so that no byte is changed twice in a group.
fn by_flip(mutants: Vec<Mutant>) -> Vec<Vec<Mutant>> {
    let mut groups: BTreeMap<Vec<u8>, Vec<Mutant>> = BTreeMap::new();
    for mutant in mutants {
        let flip = mutant
            .patch
            .iter()
            .map(|(at, new)| step::byte_at(*at) ^ new);
        groups.entry(flip.collect()).or_default().push(mutant);
    }
    groups.into_values().collect()
}

/// Puts a case first, for what killed one mutant is likely to kill the next.
fn to_front(order: &mut [usize], case: usize) {
    if let Some(at) = order.iter().position(|number| *number == case) {
        order[..=at].rotate_right(1);
    }
}

impl Trying<'_> {
    /// Tries every mutant on these cases; those that lived.
    fn all(
        &mut self,
        cases: &[Ready],
        mutants: Vec<Mutant>,
        mutation: &mut Mutation,
        then: &mut dyn FnMut(&mut Bench) -> bool,
    ) -> Result<Vec<Mutant>, String> {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        let limit = self.limit(cases, then)?;
        let mut left = Vec::new();
        self.must_pass(limit, cases, &order, then)?;
        for mutant in mutants {
            let (fate, killer) = self.fate(&mutant.patch, limit, cases, &order, then)?;
            match fate {
                Fate::Killed => {
                    mutation.scores.entry(mutant.kind).or_default().killed += 1;
                    to_front(&mut order, killer);
                }
                Fate::Survived => left.push(mutant),
            }
        }
        self.must_pass(limit, cases, &order, then)?;
        Ok(left)
    }

    /// Takes the dead out of the mutants: changes of constants that no two neighbouring bytes of an input tell, whatever their
    /// values, nor any case of the whole verification. Those that do the same to a byte are made at once, then all is tried; all
    /// pairs at each of the first offsets of a block.
    fn bury(
        &mut self,
        plan: &Plan<'_>,
        whole: &[Ready],
        mutants: Vec<Mutant>,
        mutation: &mut Mutation,
    ) -> Result<Vec<Mutant>, String> {
        let (suspects, mut alive): (Vec<Mutant>, Vec<Mutant>) = mutants
            .into_iter()
            .partition(|mutant| mutant.kind == Kind::Constant);
        let mut dead = by_flip(suspects);
        for offset in (0..PAIRS_AT).map(Some).chain([None]) {
            if dead.is_empty() {
                break;
            }
            let pairs = offset.map(|offset| self.pairs(plan, offset)).transpose()?;
            let cases = pairs.as_deref().unwrap_or(whole);
            let limit = self.limit(cases, &mut |_| true)?;
            let mut order: Vec<usize> = (0..cases.len()).collect();
            let mut still = Vec::new();
            for group in dead {
                let silent = self.silent(limit, cases, &mut order, group, &mut alive)?;
                still.extend((!silent.is_empty()).then_some(silent));
            }
            dead = still;
        }
        mutation.dead = dead.iter().map(|group| group.len() as u64).sum();
        if let Some(score) = mutation.scores.get_mut(&Kind::Constant) {
            score.mutants -= mutation.dead;
        }
        Ok(alive)
    }

    /// Those of a group that no case notices. Where they are noticed together, it is tried by halves who is; that goes to `alive`.
    fn silent(
        &mut self,
        limit: Duration,
        cases: &[Ready],
        order: &mut [usize],
        group: Vec<Mutant>,
        alive: &mut Vec<Mutant>,
    ) -> Result<Vec<Mutant>, String> {
        let (mut silent, mut open) = (Vec::new(), vec![group]);
        while let Some(mut some) = open.pop() {
            let patch = together(&some);
            let (fate, killer) = self.fate(&patch, limit, cases, order, &mut |_| true)?;
            if fate == Fate::Survived {
                silent.append(&mut some);
                continue;
            }
            to_front(order, killer);
            if some.len() == 1 {
                alive.append(&mut some);
            } else {
                let half = some.split_off(some.len() / 2);
                open.extend([half, some]);
            }
        }
        Ok(silent)
    }

    /// All pairs of bytes at one offset, with their answers.
    fn pairs(&self, plan: &Plan<'_>, offset: u64) -> Result<Vec<Ready>, String> {
        let pair = |pair: u64| {
            self.page.preparing(pair);
            let case = plan.case(Check::Pairs, offset << 16 | pair);
            Ok(Ready {
                prepared: Prepared::new(self.operation, &case)?,
                case,
                law: None,
            })
        };
        (0..1 << 16).map(pair).collect()
    }

    /// The processor time that a child may take for one case: many times what the slowest takes in the unchanged path.
    fn limit(
        &mut self,
        cases: &[Ready],
        then: &mut dyn FnMut(&mut Bench) -> bool,
    ) -> Result<Duration, String> {
        let mut slowest = Duration::ZERO;
        let mut passes = |passes: &mut dyn FnMut() -> bool| {
            let started = ProcessTime::now();
            let passed = passes();
            slowest = slowest.max(started.elapsed());
            passed
        };
        let agree = cases.iter().enumerate().all(|(number, ready)| {
            self.page.preparing(number as u64);
            passes(&mut || self.agrees(ready))
        });
        if agree && passes(&mut || then(self.bench)) {
            return Ok(LEAST + TIMES * slowest);
        }
        Err(format!(
            "{}/{}/{} is wrong before anything is changed: see `verify`",
            self.operation.name, self.path.isa, self.path.delivery
        ))
    }

    /// A kill counts for nothing if the unchanged path does not pass the same.
    fn must_pass(
        &mut self,
        limit: Duration,
        cases: &[Ready],
        order: &[usize],
        then: &mut dyn FnMut(&mut Bench) -> bool,
    ) -> Result<(), String> {
        match self.fate(&[], limit, cases, order, then)? {
            (Fate::Survived, _) => Ok(()),
            (Fate::Killed, _) => Err(format!(
                "the unchanged path {}/{} does not pass in a child: no kill would mean anything",
                self.path.isa, self.path.delivery
            )),
        }
    }
}

/// The cases of a trial that `take` takes, with their answers.
fn prepare(
    operation: &Operation,
    plan: &Plan<'_>,
    trial: &Trial,
    page: &Page,
    take: &dyn Fn(Check, u64) -> bool,
) -> Result<Vec<Ready>, String> {
    let mut cases = Vec::new();
    for (check, count) in plan.checks() {
        if check == Check::Pairs || trial.without.contains(&check) {
            continue;
        }
        for index in (0..count).filter(|index| take(check, *index)) {
            page.preparing(index);
            let case = plan.case(check, index);
            // Sites that only inputs for a threshold reach are not mutated either.
            if matches!(case.source, Source::Seeded { len, .. } if len > VERY_LONG) {
                continue;
            }
            let prepared = Prepared::new(operation, &case)?;
            cases.push(Ready {
                case,
                prepared,
                law: (check == Check::Laws).then(|| Plan::law(operation.swept(), index)),
            });
        }
    }
    Ok(cases)
}

/// What the steps of a path say of where it can be changed.
struct Stepped {
    sites: Vec<u64>,
    constants: BTreeMap<u64, u64>,
    taken: BTreeSet<u64>,
    /// Short cases, one that is refused among them, and the steps that are not the path's.
    short: Vec<Prepared>,
    around: step::Trace,
}

impl Stepped {
    fn of(
        code: &mut Code,
        operation: &Operation,
        path: &CodePath,
        subject: usize,
        bench: &mut Bench,
        page: &Page,
    ) -> Result<Self, String> {
        let empty = receipt::empty(&path.call);
        let prepare = |class: Class| {
            page.preparing(0);
            Prepared::new(operation, &receipt::case(operation, class))
        };
        // What the harness executes while it judges a call is not to be changed: it would judge no longer.
        let judged = [0, 200.min(operation.most())].map(|length| prepare(Class::of(length)));
        let [nothing, something] = judged;
        let judged = [nothing?, something?];
        let harness = step::record(step::LIMIT, &mut || {
            step::enter(true, || {
                for prepared in &judged {
                    for run in 0..prepared.runs() {
                        bench.load(prepared, run);
                        let _ = bench.call(&empty, subject, prepared, run);
                    }
                    drop(bench.run(&empty, subject, prepared));
                }
            });
        })?;
        let mut off: BTreeSet<u64> = harness.addresses(code).into_iter().collect();
        let (mut sites, mut constants) = (BTreeSet::new(), BTreeMap::new());
        let mut traces = Vec::new();
        // What only another value of a parameter leads to is the path's, too; that shows at two lengths, of one block and of many.
        let usual = params::usual(operation);
        let usual = classes(operation, path)
            .into_iter()
            .filter(|class| class.length <= VERY_LONG)
            .map(|class| (usual.clone(), class));
        let most = operation.most();
        let others = params::swept(operation).into_iter().flat_map(|params| {
            let class = move |length: usize| (params.clone(), Class::of(length.min(most)));
            OTHERS_AT.map(class)
        });
        for (params, class) in usual.chain(others) {
            page.preparing(0);
            let prepared = Prepared::new(operation, &receipt::case_with(operation, params, class))?;
            bench.load(&prepared, 0);
            off.extend(
                receipt::trace(&empty, subject, &prepared, step::LIMIT, bench)?.addresses(code),
            );
            // What only a first call does is done then, as it is before a receipt.
            drop(bench.run(path, subject, &prepared));
            bench.load(&prepared, 0);
            let trace = receipt::trace(path, subject, &prepared, step::LIMIT, bench)?;
            sites.extend(trace.addresses(code));
            traces.push(trace);
        }
        // Neither the harness nor the standard library is on trial.
        sites.retain(|site| !off.contains(site) && code.is_clients(*site));
        let mut taken = BTreeSet::new();
        for trace in &traces {
            taken.extend(trace.taken());
            constants.extend(trace.constants(code, &|at| sites.contains(&at)));
        }
        // Nor are constants that it reads: a linker keeps equal ones once.
        let judging = step::record(step::LIMIT, &mut || {
            step::enter(true, || {
                for prepared in &judged {
                    drop(bench.run(path, subject, prepared));
                }
            });
        })?;
        for trace in [&harness, &judging] {
            let mut others = trace.addresses(code);
            others.retain(|at| !code.is_clients(*at));
            for byte in trace
                .constants(code, &|at| others.binary_search(&at).is_ok())
                .keys()
            {
                constants.remove(byte);
            }
        }
        let length = (2 * path.block.min(VERY_LONG) + 1).min(operation.most());
        let mut short = vec![prepare(Class::of(length))?];
        if operation.from_bytes.is_some() {
            short.push(prepare(Class {
                length,
                damaged: true,
            })?);
        }
        bench.load(&short[0], 0);
        let around = receipt::trace(&empty, subject, &short[0], step::LIMIT, bench)?;
        Ok(Self {
            sites: sites.into_iter().collect(),
            constants,
            taken,
            short,
            around,
        })
    }

    /// Whether a call keeps what the calling convention asks it to keep.
    fn keeps(&self, code: &mut Code, path: &CodePath, subject: usize, bench: &mut Bench) -> bool {
        self.short.iter().all(|short| {
            bench.load(short, 0);
            let trace = receipt::trace(path, subject, short, step::LIMIT, bench);
            trace.is_ok_and(|trace| {
                step::read(code, &trace, &self.around, false)
                    .broken
                    .is_empty()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_is_in_one_share_and_no_share_has_them_all() {
        let ids: Vec<u64> = (0..1000).map(|n| crate::case::mix(&[n])).collect();
        let shares: Vec<usize> = (0..4)
            .map(|number| {
                let trial = Trial {
                    share: Some((number, 4)),
                    ..Trial::default()
                };
                ids.iter().filter(|id| trial.has(**id)).count()
            })
            .collect();
        assert_eq!(shares.iter().sum::<usize>(), ids.len());
        assert!(
            shares.iter().all(|share| (150..350).contains(share)),
            "{shares:?}"
        );
        assert!(ids.iter().all(|id| Trial::default().has(*id)));
    }
}
