//! A verification, seen from the parent: hands spans of cases to workers, survives their deaths, and makes each finding small.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::plan::{Check, Plan, Settings, quoted};
use crate::shrink::shrink;
use crate::verdict::{Verdict, side_by_side};
use crate::worker::protocol::{Catalog, Reply, Request, Tally};
use crate::worker::{Host, Launch, Stop};

/// Cases a span: short enough that little is run twice after a death, long enough that asking costs nothing.
const SPAN: u64 = 1024;
/// How long one finding may be shrunk, and in how many steps.
const SHRINK_TIME: Duration = Duration::from_secs(5);
const SHRINK_STEPS: u32 = 2_000;
/// How many other calls are put before a case that fails only in company, at most.
const WARMEST: u32 = 512;

/// What to verify, and how.
pub(crate) struct Job {
    pub(crate) launch: Launch,
    pub(crate) settings: Settings,
    /// For each operation of the catalog, for each subject, whether it is run.
    pub(crate) selected: Vec<Vec<bool>>,
    /// Workers at a time.
    pub(crate) jobs: usize,
    /// Where bytes that are too long for a token go.
    pub(crate) findings: PathBuf,
    /// How this program is called, for the commands that repeat a finding.
    pub(crate) program: String,
}

/// What happened, as it happens.
pub(crate) enum Event {
    /// A span has been run: so many cases were in it.
    Ran { cases: u64 },
    /// All cases of a check have been run: one tally for each subject.
    Checked {
        operation: usize,
        check: Check,
        tallies: Vec<Tally>,
    },
    /// A path broke a promise.
    Found(Box<Found>),
    /// Nothing more will be said of this operation.
    Finished { operation: usize },
}

/// A finding, made small.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) operation: usize,
    pub(crate) subject: usize,
    pub(crate) verdict: Verdict,
    /// What the verdict says, and how it was found.
    pub(crate) detail: String,
    pub(crate) dump: Option<String>,
    pub(crate) token: String,
    pub(crate) command: String,
}

/// The sums of a verification.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    /// Calls of the aligned sweep, and the processor time that they took, added up over the workers: what a checked call costs
    /// at the lengths that kernels are made for, however long the other cases are.
    pub(crate) swept: (u64, Duration),
    /// Bytes that subjects printed.
    pub(crate) chatter: u64,
}

#[derive(Clone, Copy)]
struct Span {
    operation: usize,
    check: Check,
    from: u64,
    to: u64,
}

/// A finding as a worker or a death tells it.
#[derive(Debug)]
struct Raw {
    operation: usize,
    subject: usize,
    check: Check,
    index: u64,
    verdict: Verdict,
}

enum News {
    Raw(Raw),
    Done {
        span: Span,
        tallies: Vec<Tally>,
        nanos: u64,
    },
    Chatter(u64),
    /// Nothing can be said of an operation (its reference failed), or of any.
    Broken {
        operation: Option<usize>,
        why: String,
    },
}

/// Runs a verification and tells `watch` of everything, operation by operation.
///
/// # Errors
/// A client's own part or the harness itself failed. Where it was the part of one operation, the others have been verified, and
/// what was told of them stands.
pub(crate) fn verify(
    job: &Job,
    catalog: &Catalog,
    watch: &mut dyn FnMut(Event) -> Result<(), String>,
) -> Result<Totals, String> {
    let queue: Mutex<VecDeque<Span>> = Mutex::new(spans(job, catalog));
    let mut open: BTreeMap<(usize, Check), u64> = BTreeMap::new();
    if let Ok(queue) = queue.lock() {
        queue
            .iter()
            .for_each(|span| *open.entry((span.operation, span.check)).or_default() += 1);
    }
    let retired: Mutex<BTreeSet<(usize, usize)>> = Mutex::default();
    let mut totals = Totals::default();
    let mut tallies: BTreeMap<(usize, Check), Vec<Tally>> = BTreeMap::new();
    let mut raw: BTreeMap<usize, Vec<Raw>> = BTreeMap::new();
    let mut broken: BTreeMap<Option<usize>, String> = BTreeMap::new();
    std::thread::scope(|scope| {
        let (sender, news) = channel();
        for _ in 0..job.jobs.max(1) {
            let sender = sender.clone();
            scope.spawn(|| work(job, catalog, &queue, &retired, sender));
        }
        drop(sender);
        // Whatever ends the listening, the workers find no further span.
        let _end = ClearAtEnd(&queue);
        for news in news {
            match news {
                News::Broken { operation, why } => {
                    let others = |of: &usize| operation.is_some_and(|broken| broken != *of);
                    if let Ok(mut queue) = queue.lock() {
                        queue.retain(|span| others(&span.operation));
                    }
                    open.retain(|(of, _), _| others(of));
                    let Some(of) = operation else {
                        return Err(why);
                    };
                    // What had been found until then is told, if it can still be repeated.
                    let found = raw.remove(&of).unwrap_or_default();
                    for found in investigate(job, catalog, found).unwrap_or_default() {
                        watch(Event::Found(Box::new(found)))?;
                    }
                    broken.entry(operation).or_insert(why);
                }
                News::Chatter(bytes) => totals.chatter += bytes,
                News::Raw(finding) => raw.entry(finding.operation).or_default().push(finding),
                News::Done {
                    span,
                    tallies: new,
                    nanos,
                } => {
                    let calls = new.iter().map(|tally| tally.calls).sum::<u64>();
                    totals.calls += calls;
                    if span.check == Check::Aligned {
                        totals.swept.0 += calls;
                        totals.swept.1 += Duration::from_nanos(nanos);
                    }
                    let key = (span.operation, span.check);
                    let Some(left) = open.get_mut(&key) else {
                        continue;
                    };
                    *left -= 1;
                    let left = *left;
                    let sum = tallies
                        .entry(key)
                        .or_insert_with(|| vec![Tally::default(); new.len()]);
                    sum.iter_mut().zip(&new).for_each(|(sum, new)| sum.add(new));
                    watch(Event::Ran {
                        cases: span.to - span.from,
                    })?;
                    if left > 0 {
                        continue;
                    }
                    open.remove(&key);
                    let (operation, check) = key;
                    watch(Event::Checked {
                        operation,
                        check,
                        tallies: tallies.remove(&key).unwrap_or_default(),
                    })?;
                    if open.keys().all(|(of, _)| *of != operation) {
                        for found in
                            investigate(job, catalog, raw.remove(&operation).unwrap_or_default())?
                        {
                            watch(Event::Found(Box::new(found)))?;
                        }
                        watch(Event::Finished { operation })?;
                    }
                }
            }
        }
        Ok::<(), String>(())
    })?;
    if broken.is_empty() {
        return Ok(totals);
    }
    Err(broken.into_values().collect::<Vec<_>>().join("; "))
}

/// Empties the queue when it goes out of scope.
struct ClearAtEnd<'a>(&'a Mutex<VecDeque<Span>>);

impl Drop for ClearAtEnd<'_> {
    fn drop(&mut self) {
        if let Ok(mut queue) = self.0.lock() {
            queue.clear();
        }
    }
}

/// All spans, operation by operation, of those operations of which anything is selected.
fn spans(job: &Job, catalog: &Catalog) -> VecDeque<Span> {
    let mut spans = VecDeque::new();
    for (operation, entry) in catalog.operations.iter().enumerate() {
        if !job.selected[operation].contains(&true) {
            continue;
        }
        for (check, count) in &entry.checks {
            // The long checks in longer spans, so that a million cases are not a thousand messages.
            let step = if *check == Check::Pairs {
                16 * SPAN
            } else {
                SPAN
            };
            for from in (0..*count).step_by(step as usize) {
                spans.push_back(Span {
                    operation,
                    check: *check,
                    from,
                    to: (from + step).min(*count),
                });
            }
        }
    }
    spans
}

/// One worker's life: span after span, and again without the path that killed it.
fn work(
    job: &Job,
    catalog: &Catalog,
    queue: &Mutex<VecDeque<Span>>,
    retired: &Mutex<BTreeSet<(usize, usize)>>,
    sender: Sender<News>,
) {
    let mut host = match Host::new(&job.launch, &job.settings) {
        Ok(host) => host,
        Err(why) => {
            let operation = None;
            return drop(sender.send(News::Broken { operation, why }));
        }
    };
    // A receiver that is gone has an error of its own to tell.
    let tell = |news| drop(sender.send(news));
    while let Some(span) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) {
        let Span {
            operation,
            check,
            from,
            to,
        } = span;
        let selected = &job.selected[operation];
        loop {
            let out = |subject: &usize| {
                !selected[*subject]
                    || retired
                        .lock()
                        .is_ok_and(|retired| retired.contains(&(operation, *subject)))
            };
            let skip: Vec<usize> = (0..selected.len()).filter(out).collect();
            let mut found = |index, subject, verdict| {
                tell(News::Raw(Raw {
                    operation,
                    subject,
                    check,
                    index,
                    verdict,
                }))
            };
            match host.ask(
                &Request::Span {
                    operation,
                    check,
                    from,
                    to,
                    skip,
                },
                &mut found,
            ) {
                Ok(Reply::Done { tallies, nanos }) => {
                    tell(News::Done {
                        span,
                        tallies,
                        nanos,
                    });
                    break;
                }
                Ok(other) => {
                    return tell(News::Broken {
                        operation: None,
                        why: format!("a worker replied {other:?} to a span"),
                    });
                }
                Err(Stop::Death(death)) => {
                    let subject = death.at.subject;
                    if let Ok(mut retired) = retired.lock() {
                        retired.insert((operation, subject));
                    }
                    found(death.at.index, subject, death.verdict());
                }
                Err(Stop::Broken(why)) => {
                    let of = &catalog.operations[operation].name;
                    tell(News::Broken {
                        operation: Some(operation),
                        why: format!("{of}, {} {from}..{to}: {why}", check.name()),
                    });
                    host.renew();
                    break;
                }
            }
        }
    }
    host.renew();
    tell(News::Chatter(host.chatter));
}

/// The first finding of each kind on each path, made small and given a command.
fn investigate(job: &Job, catalog: &Catalog, mut raw: Vec<Raw>) -> Result<Vec<Found>, String> {
    raw.sort_by(|a, b| {
        let key = |raw: &Raw| (raw.subject, raw.check, raw.index);
        (a.subject, a.verdict.sort())
            .cmp(&(b.subject, b.verdict.sort()))
            .then(key(a).cmp(&key(b)))
    });
    raw.dedup_by(|a, b| a.subject == b.subject && a.verdict.sort() == b.verdict.sort());
    if raw.is_empty() {
        return Ok(Vec::new());
    }
    let mut host = Host::new(&job.launch, &job.settings)?;
    raw.into_iter()
        .map(|raw| {
            Detective {
                job,
                catalog,
                host: &mut host,
                raw: &raw,
            }
            .solve()
        })
        .collect()
}

/// Finds out how a finding can be repeated.
struct Detective<'a> {
    job: &'a Job,
    catalog: &'a Catalog,
    host: &'a mut Host,
    raw: &'a Raw,
}

impl Detective<'_> {
    fn solve(&mut self) -> Result<Found, String> {
        let Raw {
            operation,
            check,
            index,
            ..
        } = *self.raw;
        let described = self.host.ask(
            &Request::Describe {
                operation,
                check,
                index,
            },
            &mut |_, _, _| {},
        );
        let (planned, verbatim) = match described {
            Ok(Reply::Described { planned, verbatim }) => (planned, verbatim),
            Ok(other) => return Err(format!("a worker replied {other:?} when asked for a case")),
            Err(Stop::Broken(why)) => return Err(why),
            Err(Stop::Death(death)) => {
                return Err(format!("a worker died making a case: {}", death.verdict()));
            }
        };
        if self.afresh(&planned).is_some() {
            let deadline = Instant::now() + SHRINK_TIME;
            let least = shrink(verbatim, SHRINK_STEPS, |case| {
                Instant::now() < deadline && self.fails(case).is_some()
            });
            // Only what fails by itself, in a process of its own, is worth a command.
            return match self.afresh(&least) {
                Some(verdict) => self.report(&least, verdict),
                None => match self.afresh(&planned) {
                    Some(verdict) => self.report(&planned, verdict),
                    None => self.only_in_company(&planned),
                },
            };
        }
        self.ended_from_outside()?;
        // One by one first, for what goes by the number of calls; then in doublings, for what fills up.
        let doubled = std::iter::successors(Some(32), |n| (*n < WARMEST).then_some(n * 2));
        for warm in (1..=16).chain(doubled) {
            let case = Case {
                warm,
                ..verbatim.clone()
            };
            if let Some(verdict) = self.afresh(&case) {
                return self.report(&case, verdict);
            }
        }
        self.only_in_company(&planned)
    }

    /// A death by somebody else's hand that the case alone does not bring about (the OOM killer's, say) is nobody's fault.
    fn ended_from_outside(&self) -> Result<(), String> {
        let Raw {
            operation,
            subject,
            verdict,
            ..
        } = self.raw;
        let path = self.catalog.operations[*operation].path_name(*subject);
        match verdict {
            Verdict::Crashed(how) if how.contains("SIGKILL") || how.contains("SIGTERM") => {
                Err(format!(
                    "a worker was ended from outside while it called {path} ({how}); nothing is known of that path"
                ))
            }
            _ => Ok(()),
        }
    }

    /// The verdict on a case in the present process, if it is like the one that was found.
    fn fails(&mut self, case: &Case) -> Option<Verdict> {
        let Raw {
            operation,
            subject,
            check,
            index,
            ref verdict,
        } = *self.raw;
        let law = (check == Check::Laws).then(|| {
            let of = &self.catalog.operations[operation];
            Plan::law(of.swept, index)
        });
        let request = Request::Try {
            operation,
            subject,
            case: case.clone(),
            law,
        };
        let got = match self.host.ask(&request, &mut |_, _, _| {}) {
            Ok(Reply::Verdict(verdict)) => verdict,
            Err(Stop::Death(death)) => death.verdict(),
            _ => return None,
        };
        got.resembles(verdict).then_some(got)
    }

    /// The same in a fresh process.
    fn afresh(&mut self, case: &Case) -> Option<Verdict> {
        self.host.renew();
        self.fails(case)
    }

    fn report(&self, case: &Case, verdict: Verdict) -> Result<Found, String> {
        let Raw {
            operation,
            subject,
            check,
            ..
        } = *self.raw;
        let token = self.token(case)?;
        let path = self.catalog.operations[operation].path_name(subject);
        let company = match case.warm {
            0 => String::new(),
            warm => format!("; only after {warm} other call(s), so it keeps state between calls"),
        };
        Ok(Found {
            operation,
            subject,
            detail: format!("{} (found by: {}{company})", verdict.detail(), check.name()),
            dump: side_by_side(&verdict),
            verdict,
            command: format!(
                "{} replay {} {path}{}",
                self.job.program,
                quoted(&token),
                self.limit()
            ),
            token,
        })
    }

    /// The case does not fail by itself: the whole verification of this path is the command.
    fn only_in_company(&self, planned: &Case) -> Result<Found, String> {
        let Raw {
            operation,
            subject,
            check,
            verdict,
            ..
        } = self.raw;
        let path = self.catalog.operations[*operation].path_name(*subject);
        Ok(Found {
            operation: *operation,
            subject: *subject,
            verdict: verdict.clone(),
            detail: format!(
                "{} (found by: {}; the case alone does not fail in a fresh process: the path keeps state between calls, or meets what another path left behind)",
                verdict.detail(),
                check.name()
            ),
            dump: side_by_side(verdict),
            token: self.token(planned)?,
            command: format!(
                "{} verify {path}{}{}",
                self.job.program,
                self.job.settings.flags(),
                self.limit()
            ),
        })
    }

    /// The limit that was exceeded, if that is what was found: with another one the command might not repeat it.
    fn limit(&self) -> String {
        match self.raw.verdict {
            Verdict::TimedOut(ms) => format!(" --timeout {}", ms as f64 / 1000.0),
            _ => String::new(),
        }
    }

    fn token(&self, case: &Case) -> Result<String, String> {
        let folder = &self.job.findings;
        case.token(folder).map_err(|e| {
            format!(
                "cannot write the bytes of a finding to {}: {e}",
                folder.display()
            )
        })
    }
}
