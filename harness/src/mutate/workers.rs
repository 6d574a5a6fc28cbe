//! The parent's side: which mutants are whose, and workers that try them.
//!
//! Paths share code: two deliveries have a kernel in common, the dispatcher has it, too, and an operation that encodes in segments
//! calls the kernels of the one that encodes. A mutant of such code is tried once, under the first path that is asked for and has
//! it. It is told by what it changes in memory, so that a jump that only the second path takes is still changed under that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::{Mutation, Trial};
use crate::receipt;
use crate::verify::Job;
use crate::worker::protocol::{Catalog, Reply, Request};
use crate::worker::{Host, Launch, Stop};

/// An operation and a subject.
type Key = (usize, usize);

/// The mutants of a path that an earlier path has, too.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) mutants: u64,
    pub(crate) functions: BTreeSet<String>,
}

/// What came of the mutants of a path, and which path that is.
pub(crate) struct Mutated {
    pub(crate) operation: usize,
    pub(crate) subject: usize,
    pub(crate) mutation: Mutation,
    /// By path, what was left to it.
    pub(crate) left: BTreeMap<(usize, usize), Left>,
}

/// Mutates every selected path that can run here, in as many workers as the job has, and tells `watch` of each.
///
/// # Errors
/// Nothing can be stepped or forked here, a path is wrong as it is, or the harness failed.
pub(crate) fn mutate_all(
    job: &Job,
    catalog: &Catalog,
    trial: &Trial,
    watch: &mut dyn FnMut(Mutated) -> Result<(), String>,
) -> Result<(), String> {
    let launch = job.launch.unmoved();
    receipt::available(&mut Host::new(&launch, &job.settings)?)
        .map_err(|why| format!("mutants cannot be made: {why}"))?;
    let mut keys: Vec<Key> = Vec::new();
    for (o, operation) in catalog.operations.iter().enumerate() {
        let subjects = operation.subjects.iter().enumerate();
        let mutated = subjects.filter(|(s, entry)| job.selected[o][*s] && entry.is_stepped());
        keys.extend(mutated.map(|(s, _)| (o, s)));
    }
    let workers = Workers {
        job,
        catalog,
        launch: &launch,
    };
    let shared = Shared::of(&workers, &keys, trial)?;
    let mut tried: BTreeMap<Key, BTreeSet<u64>> = BTreeMap::new();
    let request = |(operation, subject): Key| Request::Mutate {
        operation,
        subject,
        trial: trial.clone(),
        leave: shared.left_by((operation, subject)).collect(),
    };
    // A worker is of no use afterwards: its memory is full of cases.
    workers.ask(&keys, true, &request, &mut |key, reply| {
        let Reply::Mutated(mutation) = reply else {
            return Err(format!("a worker replied {reply:?} when asked to mutate"));
        };
        tried.insert(key, mutation.tried.clone());
        watch(Mutated {
            operation: key.0,
            subject: key.1,
            mutation,
            left: shared.left(key),
        })
    })?;
    shared.all_were_tried(&tried)
}

/// Every path's mutants, where several are asked for: each by what it changes, with its function.
#[derive(Default)]
struct Shared {
    mutants: BTreeMap<Key, BTreeMap<u64, String>>,
    /// The first path that has a mutant.
    owners: BTreeMap<u64, Key>,
}

impl Shared {
    /// Steps the paths once more to know. Not where there is one alone, which shares with none.
    fn of(workers: &Workers<'_>, keys: &[Key], trial: &Trial) -> Result<Self, String> {
        let mut shared = Self::default();
        if keys.len() <= 1 {
            return Ok(shared);
        }
        let request = |(operation, subject)| Request::Mutants { operation, subject };
        // Afresh, as when they are tried: what an earlier path has left in a process leads another way.
        workers.ask(keys, true, &request, &mut |key, reply| {
            let Reply::Mutants(mut mutants) = reply else {
                return Err(format!("a worker replied {reply:?} when asked for mutants"));
            };
            mutants.retain(|mutant, _| trial.has(*mutant));
            for mutant in mutants.keys() {
                let owner = shared.owners.entry(*mutant).or_insert(key);
                *owner = key.min(*owner);
            }
            shared.mutants.insert(key, mutants);
            Ok(())
        })?;
        Ok(shared)
    }

    /// The mutants that a path has and that are another's.
    fn left_by(&self, key: Key) -> impl Iterator<Item = u64> {
        let mutants = self.mutants.get(&key).into_iter().flatten();
        mutants
            .map(|(mutant, _)| *mutant)
            .filter(move |mutant| self.owners[mutant] != key)
    }

    fn left(&self, key: Key) -> BTreeMap<Key, Left> {
        let mut left: BTreeMap<Key, Left> = BTreeMap::new();
        for mutant in self.left_by(key) {
            let of = left.entry(self.owners[&mutant]).or_default();
            of.mutants += 1;
            of.functions.insert(self.mutants[&key][&mutant].clone());
        }
        left
    }

    /// What was left to a path must have been tried under it, or nobody has.
    fn all_were_tried(&self, tried: &BTreeMap<Key, BTreeSet<u64>>) -> Result<(), String> {
        for key in self.mutants.keys() {
            let by_owner = |mutant: &u64| tried.get(&self.owners[mutant]);
            let missing = |mutant: &u64| by_owner(mutant).is_none_or(|by| !by.contains(mutant));
            if let Some(mutant) = self.left_by(*key).find(missing) {
                return Err(format!(
                    "a change of {} was left to another path, which executed other code the second time",
                    self.mutants[key][&mutant]
                ));
            }
        }
        Ok(())
    }
}

/// Workers that answer for one path each.
struct Workers<'a> {
    job: &'a Job,
    catalog: &'a Catalog,
    launch: &'a Launch,
}

impl Workers<'_> {
    /// Asks for every path, and tells the replies as they come. With `afresh`, each path has a process of its own.
    fn ask(
        &self,
        keys: &[Key],
        afresh: bool,
        request: &(dyn Fn(Key) -> Request + Sync),
        told: &mut dyn FnMut(Key, Reply) -> Result<(), String>,
    ) -> Result<(), String> {
        let queue = Mutex::new(VecDeque::from(keys.to_vec()));
        std::thread::scope(|scope| {
            let (sender, news) = channel();
            for _ in 0..self.job.jobs.max(1) {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || {
                    let next = || queue.lock().ok().and_then(|mut queue| queue.pop_front());
                    let worked = Host::new(self.launch, &self.job.settings).and_then(|mut host| {
                        while let Some(key) = next() {
                            let reply = self.one(&mut host, key, &request(key))?;
                            if afresh {
                                host.renew();
                            }
                            let _ = sender.send(Ok((key, reply)));
                        }
                        Ok(())
                    });
                    worked.unwrap_or_else(|why| drop(sender.send(Err(why))));
                });
            }
            drop(sender);
            let mut first = Ok(());
            for news in news {
                first = first.and(news.and_then(|(key, reply)| told(key, reply)));
                if first.is_err()
                    && let Ok(mut queue) = queue.lock()
                {
                    queue.clear();
                }
            }
            first
        })
    }

    fn one(&self, host: &mut Host, (o, s): Key, request: &Request) -> Result<Reply, String> {
        let path = || self.catalog.operations[o].path_name(s);
        host.ask(request, &mut |_, _, _| {}).map_err(|stop| {
            let why = match stop {
                Stop::Broken(why) => why,
                Stop::Death(death) => format!(
                    "it ended its worker before anything was changed: {}",
                    death.verdict()
                ),
            };
            format!("{}: {why}", path())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_to_another_path_must_have_been_tried_there() {
        let of = |mutants: &[u64]| mutants.iter().map(|n| (*n, format!("f{n}"))).collect();
        let shared = Shared {
            mutants: BTreeMap::from([((0, 0), of(&[1, 2])), ((2, 1), of(&[2, 3]))]),
            owners: BTreeMap::from([(1, (0, 0)), (2, (0, 0)), (3, (2, 1))]),
        };
        assert_eq!(shared.left_by((2, 1)).collect::<Vec<_>>(), [2]);
        assert_eq!(shared.left_by((0, 0)).count(), 0);
        let left = shared.left((2, 1));
        assert_eq!(left.keys().collect::<Vec<_>>(), [&(0, 0)]);
        assert_eq!(left[&(0, 0)].functions, BTreeSet::from(["f2".to_string()]));
        let tried = |mutants: &[u64]| BTreeMap::from([((0, 0), mutants.iter().copied().collect())]);
        assert_eq!(shared.all_were_tried(&tried(&[1, 2])), Ok(()));
        let why = shared.all_were_tried(&tried(&[1])).unwrap_err();
        assert!(why.contains("a change of f2 was left"), "{why}");
    }
}
