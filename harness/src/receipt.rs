//! Receipts: what one call of a path executed, for each class of lengths, and whether that is what the path promises.
//!
//! A worker steps the calls (`step`), a parent asks for them (`take`) and judges (`judge`). A receipt speaks for the lengths
//! stepped and for no other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Instant;

use pathproof_reports::{Finding, Receipt};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Place, Shape, Source};
use crate::check::{Bench, Prepared, Subject};
use crate::operation::{Call, CodePath, Input, Operation, Params};
use crate::page::Page;
use crate::params;
use crate::step::{self, Code, Executed};
use crate::verdict::Verdict;
use crate::verify::Job;
use crate::worker::protocol::{Catalog, OperationEntry, Reply, Request, SubjectEntry};
use crate::worker::{Host, Stop};

/// The length at which a path is judged by its main loop: 8 times what is swept, and a byte; usually a page, and a byte.
pub(crate) fn long(operation: &Operation) -> usize {
    operation.most().min(8 * operation.swept() + 1)
}

/// The length of what is refused: a fourth of that, for the search for what is wrong may go byte by byte.
fn refused(operation: &Operation) -> usize {
    operation.most().min(2 * operation.swept() + 1)
}

/// Inputs longer than this are there for a threshold, and what runs behind it shows soon.
pub(crate) const VERY_LONG: usize = 64 << 10;
/// How many instructions of a call on such an input are stepped.
const FIRST: usize = 4096;
/// What the inputs of receipts and counts are drawn from: always the same.
const SEED: u64 = 0x7265_6365;

/// An input that a receipt is taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Class {
    /// Plain bytes that it is made from.
    pub(crate) length: usize,
    /// Whether a byte is spoiled, so that the operation refuses it.
    pub(crate) damaged: bool,
}

impl Class {
    pub(crate) fn of(length: usize) -> Self {
        Self {
            length,
            damaged: false,
        }
    }

    /// How many instructions are stepped, at most.
    fn limit(self) -> usize {
        if self.length > VERY_LONG {
            FIRST
        } else {
            step::LIMIT
        }
    }
}

/// What a worker says of one stepped call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stepped {
    pub(crate) verdict: Verdict,
    /// Bytes of the input's first part, and of the answer; of a refusal, none.
    pub(crate) input: usize,
    pub(crate) answer: Option<usize>,
    pub(crate) case: Case,
    /// Nothing where the call did not agree with the reference.
    pub(crate) executed: Option<Executed>,
}

// ------------------------------------------------------------------------------------------ the worker

/// The classes of a path: around the block of its main loop and every threshold, and at a length that is mostly main loop.
pub(crate) fn classes(operation: &Operation, path: &CodePath) -> Vec<Class> {
    let params = params::usual(operation);
    // Blocks and thresholds are of the input; classes of the plain bytes, of which the input may need more or fewer.
    let per_plain = operation.per_plain(&params);
    let block = (path.block as f64 / per_plain).ceil() as usize;
    let mut lengths = vec![
        0,
        1,
        block.saturating_sub(1),
        block,
        block + 1,
        2 * block + 1,
        long(operation),
    ];
    for &switch in &path.switches_at {
        let plain = (switch as f64 / per_plain).ceil() as usize;
        lengths.extend([plain.saturating_sub(1), plain]);
    }
    lengths.retain(|length| *length <= operation.most());
    lengths.sort_unstable();
    lengths.dedup();
    let mut classes: Vec<Class> = lengths.into_iter().map(Class::of).collect();
    if operation.from_bytes.is_some() {
        classes.push(Class {
            length: refused(operation),
            damaged: true,
        });
    }
    classes
}

/// The case of a class: always the same bytes, at addresses that are multiples of 64.
pub(crate) fn case(operation: &Operation, class: Class) -> Case {
    case_with(operation, params::usual(operation), class)
}

/// The same with other parameters than the usual ones.
pub(crate) fn case_with(operation: &Operation, params: Params, class: Class) -> Case {
    let length = class.length;
    let seeded = Source::Seeded {
        seed: SEED,
        len: length,
        shape: Shape::Random,
    };
    let source = if class.damaged {
        let plain = crate::case::generate(SEED, length, Shape::Random);
        let mut parts = operation.parts_from(&plain, &params);
        let at = parts[0].len() * 3 / 4;
        if let Some(byte) = parts[0].get_mut(at) {
            *byte ^= 0x80;
        }
        Source::Verbatim(parts)
    } else {
        seeded
    };
    Case {
        operation: operation.name.to_string(),
        source,
        params,
        input: Place::At(0),
        output: Place::At(0),
        warm: 0,
        room: 0,
    }
}

/// Whether instructions can be stepped here: steps a second, or why not.
pub(crate) fn stepping() -> Result<f64, String> {
    let start = Instant::now();
    let steps = step::proven()?;
    Ok(steps as f64 / start.elapsed().as_secs_f64())
}

/// What a worker needs to read traces; made at the first.
pub(crate) fn code(stepper: &mut Option<Code>) -> Result<&mut Code, String> {
    if stepper.is_none() {
        step::proven()?;
        *stepper = Some(Code::of_this_program()?);
    }
    stepper.as_mut().ok_or_else(|| "no code to read".into())
}

/// Steps one call of each subject, after it has agreed with its reference on the very input: so that what a process makes once, at
/// its first call, is no part of the receipt. With `sources`, also for what it
/// takes the program's line tables to say.
pub(crate) fn step(
    stepper: &mut Option<Code>,
    operation: &Operation,
    subjects: &[usize],
    (class, given, sources): (&Class, Option<Case>, bool),
    bench: &mut Bench,
    page: &Page,
) -> Result<Vec<(usize, Stepped)>, String> {
    let code = code(stepper)?;
    page.preparing(0);
    let case = given.unwrap_or_else(|| case(operation, *class));
    let prepared = Prepared::new(operation, &case)?;
    let known = operation.subjects();
    let mut stepped = Vec::new();
    for &subject in subjects {
        let entry = known.get(subject).ok_or("no such path")?;
        let of_peer;
        let prepared = match entry {
            Subject::Path(_) => &prepared,
            Subject::Peer(peer) => {
                page.preparing(0);
                of_peer = prepared.for_peer(peer)?;
                &of_peer
            }
        };
        let verdict = bench.run(entry.path(), subject, prepared);
        let agrees = verdict == Verdict::Agrees;
        stepped.push((
            subject,
            Stepped {
                verdict,
                input: prepared.parts[0].len(),
                answer: prepared.want.as_ref().ok().map(Vec::len),
                case: case.clone(),
                executed: match agrees {
                    true => {
                        let limit = class.limit();
                        bench.load(prepared, 0);
                        let around =
                            trace(&empty(&entry.path().call), subject, prepared, limit, bench)?;
                        let trace = trace(entry.path(), subject, prepared, limit, bench)?;
                        Some(step::read(code, &trace, &around, sources))
                    }
                    false => None,
                },
            },
        ));
    }
    Ok(stepped)
}

/// The steps of one call.
pub(crate) fn trace(
    path: &CodePath,
    subject: usize,
    prepared: &Prepared,
    limit: usize,
    bench: &mut Bench,
) -> Result<step::Trace, String> {
    bench.windowed = true;
    let trace = step::record(limit, &mut || drop(bench.call(path, subject, prepared, 0)));
    bench.windowed = false;
    trace
}

/// A path that does nothing, called as another is: what it executes is the harness' own.
pub(crate) fn empty(like: &Call) -> CodePath {
    match like {
        Call::InPlace(_) => CodePath::in_place("empty", |_, _| Ok(0)),
        Call::Returns(_) => CodePath::returns("empty", |_| Ok(())),
        Call::Fills(_) | Call::Absent => CodePath::fills("empty", |_, _| Ok(0)),
    }
}

/// The profile of the reference.
pub(crate) fn of_reference(
    stepper: &mut Option<Code>,
    operation: &Operation,
    class: &Class,
    page: &Page,
) -> Result<BTreeMap<String, u64>, String> {
    let code = code(stepper)?;
    page.preparing(0);
    let case = case(operation, *class);
    let parts = operation.resolve(&case)?;
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let input = Input::new(&slices, &case.params);
    // As before a path's receipt: what only a first call does is done then.
    drop((operation.reference)(&input));
    let mut answer = None;
    let trace = step::record(class.limit(), &mut || {
        answer = Some(step::enter(true, || (operation.reference)(&input)))
    })?;
    let empty = step::record(class.limit(), &mut || step::enter(true, || {}))?;
    page.idle();
    Ok(step::read(code, &trace, &empty, true).profile)
}

// ------------------------------------------------------------------------------------------ the parent

/// What is asked of one operation: a class, and the subjects to be stepped on it.
struct Question {
    operation: usize,
    class: Class,
    subjects: Vec<usize>,
}

/// All that was stepped: for each operation and subject, the class and what came of it.
pub(crate) type Answers = BTreeMap<(usize, usize), Vec<(Class, Result<Stepped, Verdict>)>>;

/// Whether instructions can be stepped in a worker: steps a second, or why not.
pub(crate) fn available(host: &mut Host) -> Result<f64, String> {
    match host.ask(&Request::Stepping, &mut |_, _, _| {}) {
        Ok(Reply::Stepping(rate)) => rate,
        Ok(other) => Err(format!("a worker replied {other:?} when asked to step")),
        Err(Stop::Death(death)) => Err(format!("a worker died stepping: {}", death.verdict())),
        Err(Stop::Broken(why)) => Err(format!("a worker died stepping: {why}")),
    }
}

/// Steps the subjects that `wanted` names, each on the classes that it names, in as many workers as the job has. `alone`, each
/// call has a worker of its own: what was called before leaves its traces in the allocator, and a path may remember. Such a worker
/// does not read the program's line tables, which takes longer than the call.
///
/// # Errors
/// The harness or a client's own part failed; a path that crashes is an answer.
pub(crate) fn ask(
    job: &Job,
    wanted: impl IntoIterator<Item = ((usize, usize), Class)>,
    alone: bool,
    told: &mut dyn FnMut(),
) -> Result<Answers, String> {
    let mut questions: Vec<Question> = Vec::new();
    let mut together: BTreeMap<(usize, Class), usize> = BTreeMap::new();
    for ((operation, subject), class) in wanted {
        let next = questions.len();
        let first = *together.entry((operation, class)).or_insert(next);
        if first < next && !alone {
            questions[first].subjects.push(subject);
        } else {
            questions.push(Question {
                operation,
                class,
                subjects: vec![subject],
            });
        }
    }
    // The longest first, so that no worker is left with one at the end.
    questions.sort_by_key(|question| {
        std::cmp::Reverse(question.class.length.min(VERY_LONG) * question.subjects.len())
    });
    let queue = Mutex::new(VecDeque::from(questions));
    let mut answers = Answers::new();
    std::thread::scope(|scope| {
        let (sender, news) = channel();
        for _ in 0..job.jobs.max(1) {
            let sender = sender.clone();
            let queue = &queue;
            scope.spawn(move || {
                let sent = step_all(job, queue, alone, &sender);
                // A receiver that is gone has an error of its own to tell.
                sent.unwrap_or_else(|why| drop(sender.send(Err(why))));
            });
        }
        drop(sender);
        for news in news {
            let (key, class, answer) = news.inspect_err(|_| {
                queue
                    .lock()
                    .map(|mut queue| queue.clear())
                    .unwrap_or_default()
            })?;
            answers.entry(key).or_default().push((class, answer));
            told();
        }
        Ok::<(), String>(())
    })?;
    for answers in answers.values_mut() {
        answers.sort_by_key(|(class, _)| *class);
    }
    Ok(answers)
}

type News = Result<((usize, usize), Class, Result<Stepped, Verdict>), String>;

fn step_all(
    job: &Job,
    queue: &Mutex<VecDeque<Question>>,
    alone: bool,
    sender: &std::sync::mpsc::Sender<News>,
) -> Result<(), String> {
    let mut host = Host::new(&job.launch, &job.settings)?;
    while let Some(question) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) {
        let Question {
            operation,
            class,
            mut subjects,
        } = question;
        if alone {
            host.renew();
        }
        while !subjects.is_empty() {
            let request = Request::Step {
                operation,
                subjects: subjects.clone(),
                class,
                given: None,
                sources: !alone,
            };
            match host.ask(&request, &mut |_, _, _| {}) {
                Ok(Reply::Stepped(stepped)) => {
                    for (subject, stepped) in stepped {
                        let _ = sender.send(Ok(((operation, subject), class, Ok(stepped))));
                    }
                    break;
                }
                Ok(other) => return Err(format!("a worker replied {other:?} when asked to step")),
                // The one that died of it is answered for; the others are asked for again.
                Err(Stop::Death(death)) => {
                    let subject = death.at.subject;
                    subjects.retain(|other| *other != subject);
                    let _ = sender.send(Ok(((operation, subject), class, Err(death.verdict()))));
                }
                Err(Stop::Broken(why)) => return Err(why),
            }
        }
    }
    Ok(())
}

/// What the evidence of a path amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Receipts were taken; the longest in one line.
    Taken(String),
    /// Nothing can be stepped here.
    NotMeasurable(String),
    /// It is declared to be a path that cannot be stepped.
    Excused(&'static str),
    /// It could have been stepped, and was not.
    Owed(String),
}

/// Why a path has no receipt, no count and no mutants that is declared to be [`on_threads`](CodePath::on_threads).
pub(crate) const ON_THREADS: &str = "it works on other threads";

/// A path's evidence, its receipts, and what they show that it promised not to do.
pub(crate) struct Taken {
    pub(crate) operation: usize,
    pub(crate) subject: usize,
    pub(crate) evidence: Evidence,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) findings: Vec<Finding>,
}

impl Taken {
    fn nothing((operation, subject): (usize, usize), evidence: Evidence) -> Self {
        Self {
            operation,
            subject,
            evidence,
            receipts: Vec::new(),
            findings: Vec::new(),
        }
    }
}

/// Takes the receipts of the selected paths that can run here and that `skip` does not name.
///
/// # Errors
/// As `ask`. Where stepping does not work at all, every path gets that as its evidence.
pub(crate) fn take(
    job: &Job,
    catalog: &Catalog,
    skip: &dyn Fn(usize, usize) -> bool,
    told: &mut dyn FnMut(),
) -> Result<Vec<Taken>, String> {
    let mut host = Host::new(&job.launch, &job.settings)?;
    let mut selected = Vec::new();
    let mut excused = Vec::new();
    for (o, operation) in catalog.operations.iter().enumerate() {
        let subjects = operation.subjects.iter().enumerate();
        for (s, entry) in subjects.filter(|(s, _)| job.selected[o][*s] && !skip(o, *s)) {
            if entry.is_stepped() {
                selected.push((o, s));
            } else if entry.on_threads && entry.unavailable.is_none() && !entry.peer {
                excused.push(Taken::nothing((o, s), Evidence::Excused(ON_THREADS)));
            }
        }
    }
    if selected.is_empty() {
        return Ok(excused);
    }
    if let Err(why) = available(&mut host) {
        let none = |key| Taken::nothing(key, Evidence::NotMeasurable(why.clone()));
        return Ok(selected.into_iter().map(none).chain(excused).collect());
    }
    let entry = |(o, s): (usize, usize)| &catalog.operations[o].subjects[s];
    let own = selected
        .iter()
        .flat_map(|key| entry(*key).classes.iter().map(move |class| (*key, *class)));
    // Whose code is whose shows only beside the siblings, whether or not they are asked for.
    let beside = selected.iter().flat_map(|(o, _)| {
        let siblings = catalog.operations[*o].subjects.iter().enumerate();
        siblings
            .filter(|(s, entry)| entry.is_stepped() && !skip(*o, *s))
            .map(move |(s, _)| ((*o, s), Class::of(catalog.operations[*o].long)))
    });
    let mut wanted: Vec<_> = own.chain(beside).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let answers = ask(job, wanted, false, told)?;
    let mut references: BTreeMap<usize, BTreeMap<String, u64>> = BTreeMap::new();
    for (operation, _) in &selected {
        if let std::collections::btree_map::Entry::Vacant(entry) = references.entry(*operation) {
            let request = Request::Profile {
                operation: *operation,
                class: Class::of(catalog.operations[*operation].long),
            };
            entry.insert(match host.ask(&request, &mut |_, _, _| {}) {
                Ok(Reply::Profile(profile)) => profile,
                Ok(other) => {
                    return Err(format!(
                        "a worker replied {other:?} when asked for the reference's code"
                    ));
                }
                Err(Stop::Broken(why)) => return Err(why),
                Err(Stop::Death(death)) => {
                    return Err(format!("a worker died in a reference: {}", death.verdict()));
                }
            });
        }
    }
    selected
        .into_iter()
        .map(|(operation, subject)| {
            let judge = Judge {
                job,
                of: &catalog.operations[operation],
                operation,
                subject,
                answers: &answers,
                reference: &references[&operation],
            };
            judge.judge()
        })
        .chain(excused.into_iter().map(Ok))
        .collect()
}

/// Holds the receipts of one path against its promises.
struct Judge<'a> {
    job: &'a Job,
    of: &'a OperationEntry,
    operation: usize,
    subject: usize,
    answers: &'a Answers,
    reference: &'a BTreeMap<String, u64>,
}

/// How the ledger begins to say why a path has none.
pub(crate) const NO_RECEIPT: &str = "no receipt: ";

/// How a path can break a promise, as its findings' verdicts say it.
const PROMISES: [&str; 6] = [
    "promise not kept",
    "forbidden feature",
    "another path's code",
    "allocates",
    "copies",
    "calling convention",
];

/// Whether a finding's verdict is one of a receipt's, and not of a verification's.
pub(crate) fn is_broken_promise(verdict: &str) -> bool {
    PROMISES.contains(&verdict)
}

/// A promise that receipts show to be broken.
struct Broken {
    kind: &'static str,
    detail: String,
    class: Class,
}

impl Judge<'_> {
    fn judge(&self) -> Result<Taken, String> {
        let answers = self
            .answers
            .get(&(self.operation, self.subject))
            .map_or(&[][..], Vec::as_slice);
        let mut broken: Vec<Broken> = Vec::new();
        let mut receipts = Vec::new();
        let mut owed = answers
            .is_empty()
            .then(|| "no call of it was stepped".to_string());
        for (class, answer) in answers {
            match answer {
                Err(verdict) => {
                    broken.push(Broken {
                        kind: verdict.kind(),
                        detail: format!("while it was stepped: {verdict}"),
                        class: *class,
                    });
                    owed = Some("a call died while it was stepped".into());
                }
                Ok(Stepped {
                    verdict,
                    executed: None,
                    ..
                }) => {
                    broken.push(Broken {
                        kind: verdict.kind(),
                        detail: format!("when it was to be stepped: {verdict}"),
                        class: *class,
                    });
                    owed =
                        Some("a call that was to be stepped disagreed with the reference".into());
                }
                Ok(
                    stepped @ Stepped {
                        executed: Some(executed),
                        ..
                    },
                ) => {
                    broken.extend(self.broken(*class, stepped, executed));
                    receipts.push(record(self.of, self.subject, *class, executed));
                }
            }
        }
        let evidence = match owed {
            Some(why) => Evidence::Owed(why),
            None => Evidence::Taken(longest(&receipts).map_or_else(String::new, summary)),
        };
        // One finding of a kind says it; the others are of other lengths.
        let mut findings: Vec<Finding> = Vec::new();
        let mut told: Vec<&str> = Vec::new();
        for Broken {
            kind,
            detail,
            class,
        } in &broken
        {
            if told.contains(kind) {
                continue;
            }
            told.push(kind);
            let lengths = broken
                .iter()
                .filter(|other| other.kind == *kind)
                .map(|other| other.class.length.to_string());
            let mut lengths: Vec<String> = lengths.collect();
            lengths.dedup();
            let also = if lengths.len() > 1 {
                format!("; at lengths {}", lengths.join(", "))
            } else {
                String::new()
            };
            findings.push(self.finding(kind, format!("{detail}{also}"), *class)?);
        }
        Ok(Taken {
            operation: self.operation,
            subject: self.subject,
            evidence,
            receipts,
            findings,
        })
    }

    fn entry(&self) -> &SubjectEntry {
        &self.of.subjects[self.subject]
    }

    fn finding(&self, kind: &str, detail: String, class: Class) -> Result<Finding, String> {
        let answers = self.answers.get(&(self.operation, self.subject));
        let mut of_class = answers.into_iter().flatten().filter(|(of, _)| *of == class);
        let stepped = of_class.find_map(|(_, answer)| answer.as_ref().ok());
        let limit = Verdict::TimedOut(self.job.settings.timeout);
        let limit = if kind == limit.kind() {
            format!(" --timeout {}", self.job.settings.timeout as f64 / 1000.0)
        } else {
            String::new()
        };
        let command = format!("receipt '{}'{limit}", self.of.path_name(self.subject));
        finding(
            self.job,
            (self.of, self.subject),
            (kind, detail),
            stepped.map(|stepped| &stepped.case),
            &command,
        )
    }

    /// What one receipt shows.
    fn broken(&self, class: Class, stepped: &Stepped, executed: &Executed) -> Vec<Broken> {
        let entry = self.entry();
        let mut broken = Vec::new();
        let mut add = |kind, detail| {
            debug_assert!(is_broken_promise(kind), "{kind} is in the list");
            broken.push(Broken {
                kind,
                detail,
                class,
            })
        };
        let taken = stepped.answer.is_some();
        if taken && stepped.input >= entry.block && !executed.cut_elsewhere {
            let missing: Vec<&str> = entry
                .executes
                .iter()
                .map(String::as_str)
                .filter(|f| !executed.needs.contains_key(*f))
                .collect();
            if !missing.is_empty() {
                let detail = format!(
                    "it promises to execute {}, and a call on {} bytes executes none: {}, in {}",
                    missing.join(", "),
                    class.length,
                    mix(&executed.features),
                    executed
                        .functions
                        .first()
                        .map_or("no function of its own", String::as_str),
                );
                add("promise not kept", detail);
            }
        }
        if let Some(only) = &entry.only {
            let allowed = step::implied(only.iter().map(String::as_str));
            let named = if only.is_empty() {
                "what every CPU of this target has".into()
            } else {
                only.join(", ")
            };
            for (feature, first) in executed
                .needs
                .iter()
                .filter(|(feature, _)| !allowed.contains(&feature.as_str()))
            {
                add(
                    "forbidden feature",
                    format!(
                        "it promises to need no more than {named}, and needs {feature}: {first}"
                    ),
                );
            }
        }
        let long = self.of.long;
        if class == Class::of(long)
            && let Some((whose, shared, line)) = self.stranger(executed)
        {
            add(
                "another path's code",
                format!(
                    "{shared} of the {} instructions that it executes on {long} bytes are the code of {whose}, most of them at {line}",
                    executed.own
                ),
            );
        }
        if entry.zero_copy && taken {
            if !executed.allocator.is_empty() {
                let detail = format!(
                    "it has a buffer to fill, and a call on {} bytes enters {} ({} allocation(s), {} bytes)",
                    class.length,
                    executed.allocator.join(", "),
                    executed.allocations,
                    executed.allocated
                );
                add("allocates", detail);
            }
            let answer = stepped.answer.unwrap_or_default();
            let copied = copied(executed, entry.block, stepped.input, answer);
            let payload = stepped.input.min(answer) as u64;
            if payload >= PAYLOAD && 2 * copied >= payload {
                add(
                    "copies",
                    format!(
                        "it has a buffer to fill, and a call on {} bytes, with an answer of {answer}, copies {copied} bytes through memcpy",
                        class.length
                    ),
                );
            }
        }
        for what in &executed.broken {
            add("calling convention", what.clone());
        }
        broken
    }

    /// Whose code, other than its own, a path executes for the most part: the reference's, or that of a lesser path. That is one
    /// which lacks a feature that this path promises: it does not promise it, and does without it or promises to. A path that
    /// chooses for itself promises nothing, and is no less than what it has chosen.
    fn stranger(&self, executed: &Executed) -> Option<(String, u64, String)> {
        if let Some((shared, line)) = of_lines(executed, self.reference) {
            return Some(("the reference".into(), shared, line));
        }
        let mine = &self.entry().executes;
        self.of
            .subjects
            .iter()
            .enumerate()
            .find_map(|(other, entry)| {
                let answers = self.answers.get(&(self.operation, other))?;
                let (_, answer) = answers
                    .iter()
                    .find(|(class, _)| *class == Class::of(self.of.long))?;
                let its = answer.as_ref().ok()?.executed.as_ref()?;
                let lacks = |feature: &String| {
                    !entry.executes.contains(feature)
                        && (!its.needs.contains_key(feature) || entry.does_without(feature))
                };
                if entry.peer || !mine.iter().any(lacks) {
                    return None;
                }
                let (shared, line) = shared(executed, &its.profile)?;
                Some((self.of.path_name(other), shared, line))
            })
    }
}

/// What came to light when a call was stepped, with the case if one is known, and the arguments that repeat it.
///
/// # Errors
/// The bytes of the case cannot be kept.
pub(crate) fn finding(
    job: &Job,
    (of, subject): (&OperationEntry, usize),
    (kind, detail): (&str, String),
    case: Option<&Case>,
    command: &str,
) -> Result<Finding, String> {
    let SubjectEntry { isa, delivery, .. } = of.subjects[subject].clone();
    let token = case.map(|case| case.token(&job.findings)).transpose();
    Ok(Finding {
        operation: of.name.clone(),
        isa,
        delivery,
        verdict: kind.into(),
        detail,
        dump: None,
        token: token
            .map_err(|e| format!("a case cannot be kept: {e}"))?
            .unwrap_or_default(),
        command: format!("{} {command}", job.program),
    })
}

/// How many of a path's instructions are another's too, and the line with most of them, if they are nine tenths of all. The same
/// kernel under another name is that, but for the call around it; two kernels that share a driver, and all but a few instructions
/// of their blocks, came to 0.86 at most (q64_encode: avx512vbmi beside avx512).
fn shared(executed: &Executed, other: &BTreeMap<String, u64>) -> Option<(u64, String)> {
    let common =
        |(key, count): (&String, &u64)| (*count.min(other.get(key).unwrap_or(&0)), key.clone());
    let common: Vec<(u64, String)> = executed.profile.iter().map(common).collect();
    let sum = common.iter().map(|(count, _)| count).sum::<u64>();
    let (_, most) = common.into_iter().max()?;
    let (line, _form) = most.rsplit_once(' ')?;
    nearly_all(sum, executed).then(|| (sum, line.to_string()))
}

/// Whether so many of a path's own instructions are nine tenths of all.
fn nearly_all(count: u64, of: &Executed) -> bool {
    of.own > 0 && 10 * count >= 9 * of.own
}

/// How many of a path's instructions come from source lines of which the reference, too, executes some, and the line with most of
/// them, if they are nine tenths of all. In what form they were compiled makes no difference here, as it does between two
/// kernels that are made from one source: the reference shares no code with any path.
fn of_lines(executed: &Executed, reference: &BTreeMap<String, u64>) -> Option<(u64, String)> {
    let line = |key: &String| key.rsplit_once(' ').map(|(line, _form)| line.to_string());
    let lines: BTreeSet<String> = reference.keys().filter_map(line).collect();
    let common = executed.profile.iter().filter_map(|(key, count)| {
        let line = line(key).filter(|line| lines.contains(line))?;
        Some((line, *count))
    });
    let common = step::by(common);
    let sum = common.values().sum::<u64>();
    let (most, _) = common.into_iter().max_by_key(|(_, count)| *count)?;
    nearly_all(sum, executed).then_some((sum, most))
}

/// Bytes that a call copied in pieces larger than a block of its input or what that makes of its answer: smaller pieces are how
/// compilers, above all those that do not optimise, move what a kernel has computed to where it belongs.
fn copied(executed: &Executed, block: usize, input: usize, answer: usize) -> u64 {
    let of_answer = block.saturating_mul(answer).div_ceil(input.max(1));
    let piece = block.max(of_answer) as u64;
    let larger = executed.copies.range(piece + 1..);
    larger.map(|(bytes, calls)| bytes * calls).sum()
}

/// From how many bytes on a copy of half of them is more than a tail.
const PAYLOAD: u64 = 256;

/// The receipt as it is recorded.
pub(crate) fn record(
    of: &OperationEntry,
    subject: usize,
    class: Class,
    executed: &Executed,
) -> Receipt {
    let SubjectEntry {
        isa,
        delivery,
        peer,
        ..
    } = of.subjects[subject].clone();
    let executed = executed.clone();
    Receipt {
        operation: of.name.clone(),
        isa,
        delivery,
        peer,
        length: class.length as u64,
        refused: class.damaged,
        cut: executed.cut,
        own: executed.own,
        features: executed.features,
        mnemonics: executed.mnemonics,
        elsewhere: executed.elsewhere.values().sum(),
        elsewhere_features: executed.elsewhere,
        repeats: executed.repeats,
        hot_loop: executed.hot_loop,
        functions: executed.functions,
        allocations: executed.allocations,
        allocated: executed.allocated,
        copied: executed.copied,
    }
}

/// The receipt that says most of a path: the longest that is whole.
pub(crate) fn longest(receipts: &[Receipt]) -> Option<&Receipt> {
    let of = |refused: bool| receipts.iter().filter(move |r| r.refused == refused);
    of(false).max_by_key(|receipt| (!receipt.cut, receipt.length))
}

/// A receipt in one line: `at 4097 B: avx2 1024, avx 640, x86-64 203`.
pub(crate) fn summary(receipt: &Receipt) -> String {
    let mut line = format!("at {} B: {}", receipt.length, mix(&receipt.features));
    if receipt.allocations > 0 {
        line += &format!(
            "; {} allocation(s), {} B",
            receipt.allocations, receipt.allocated
        );
    }
    line
}

/// Counts by feature, the rarest feature first.
fn mix(features: &BTreeMap<String, u64>) -> String {
    let mut parts: Vec<(&String, &u64)> = features.iter().collect();
    parts.sort_by_key(|(feature, _)| std::cmp::Reverse(step::rank(feature)));
    let parts: Vec<String> = parts
        .iter()
        .map(|(feature, count)| format!("{feature} {count}"))
        .collect();
    if parts.is_empty() {
        "no instruction of its own".into()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> CodePath {
        CodePath::fills("kernel", |_, _| Ok(0)).block(32)
    }

    fn lengths(classes: &[Class]) -> Vec<usize> {
        classes.iter().map(|class| class.length).collect()
    }

    #[test]
    fn classes_lie_around_the_block_and_every_switch() {
        let operation = Operation::new("of_bytes", |i| Ok(i.bytes().to_vec()));
        let around_the_block = [0, 1, 31, 32, 33, 65, 4097];
        assert_eq!(lengths(&classes(&operation, &path())), around_the_block);
        let switching = classes(&operation, &path().switches_at(&[33, 100, 5000]));
        assert_eq!(
            lengths(&switching),
            [0, 1, 31, 32, 33, 65, 99, 100, 4097, 4999, 5000]
        );
        assert!(switching.iter().all(|class| !class.damaged));
        // A block of one byte has nothing before it.
        let bytewise = classes(&operation, &path().block(1));
        assert_eq!(lengths(&bytewise), [0, 1, 2, 3, 4097]);
    }

    #[test]
    fn what_can_be_refused_has_a_damaged_class_and_blocks_of_its_own_input() {
        let operation = Operation::new("of_texts", |i| Ok(i.bytes().to_vec()))
            .from_bytes(|plain, _| [plain, plain].concat());
        let of = classes(&operation, &path().switches_at(&[200]));
        // 32 bytes of text are 16 plain ones; 200 are 100.
        let (damaged, whole): (Vec<Class>, Vec<Class>) =
            of.into_iter().partition(|class| class.damaged);
        assert_eq!(lengths(&whole), [0, 1, 15, 16, 17, 33, 99, 100, 4097]);
        assert_eq!(lengths(&damaged), [1025]);
        // Its input is that of a whole one, but for a byte; and always the same.
        let [good, bad] = [Class::of(1025), damaged[0]].map(|class| {
            operation
                .resolve(&case(&operation, class))
                .unwrap()
                .remove(0)
        });
        let differing = good.iter().zip(&bad).filter(|(a, b)| a != b).count();
        assert_eq!((good.len(), bad.len(), differing), (2 * 1025, 2 * 1025, 1));
        let again = operation.resolve(&case(&operation, damaged[0])).unwrap();
        assert_eq!(again[0], bad);
        // What sweeps less is judged at less.
        let slow = classes(&operation.sweeps_to(64), &path());
        let long: Vec<Class> = slow
            .iter()
            .filter(|class| class.length > 33)
            .copied()
            .collect();
        assert_eq!(lengths(&long), [513, 129]);
    }

    #[test]
    fn receipts_are_taken_with_the_usual_values() {
        let operation = Operation::new("of_bytes", |i| Ok(i.bytes().to_vec()))
            .param("k", &[&[1], &[9]])
            .param("levels", &[&[], &[2, 4]])
            .usual(&[("k", &[4])])
            .longest(40);
        let params = case(&operation, Class::of(40)).params;
        assert_eq!((&params["k"], &params["levels"]), (&vec![4], &vec![]));
        assert_eq!(
            lengths(&classes(&operation, &path())),
            [0, 1, 31, 32, 33, 40]
        );
    }

    #[test]
    fn a_copy_is_more_than_a_block_at_a_time() {
        let of = |bytes, calls| Executed {
            copies: BTreeMap::from([(bytes, calls)]),
            ..Executed::default()
        };
        // Two digits for each byte: a block of 64 makes 128.
        assert_eq!(copied(&of(128, 64), 64, 4096, 8192), 0);
        assert_eq!(copied(&of(129, 64), 64, 4096, 8192), 129 * 64);
        // And the other way round.
        assert_eq!(copied(&of(64, 64), 64, 8192, 4096), 0);
        assert_eq!(copied(&of(65, 1), 64, 8192, 4096), 65);
    }

    #[test]
    fn nine_tenths_of_the_code_are_anothers() {
        let profile = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
            counts
                .iter()
                .map(|(key, count)| (key.to_string(), *count))
                .collect()
        };
        let executed = Executed {
            own: 100,
            profile: profile(&[("a.rs:1 Mov", 70), ("a.rs:2 Add", 30)]),
            ..Executed::default()
        };
        let with = |count| {
            shared(
                &executed,
                &profile(&[("a.rs:1 Mov", 99), ("a.rs:2 Add", count)]),
            )
        };
        assert_eq!(with(20), Some((90, "a.rs:1".into())));
        assert_eq!(with(19), None);
        // Of the reference's lines, whatever the compiler made of them.
        let of = |key| of_lines(&executed, &profile(&[(key, 1)]));
        assert_eq!(of("a.rs:2 Mov"), None);
        assert_eq!(of("a.rs:1 Vmovdqu"), None);
        let both = profile(&[("a.rs:2 Mov", 1), ("a.rs:1 Vmovdqu", 1)]);
        assert_eq!(of_lines(&executed, &both), Some((100, "a.rs:1".into())));
    }
}
