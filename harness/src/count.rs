//! Counts: how many instructions a call of a path executes, by length; the straight line that they lie on; and what has become
//! more of since another count.
//!
//! A count is the receipt of a call (`receipt`) that is alone in its process: nothing that was called before has left its traces in
//! the allocator or in the path, so that the count is the same in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pathproof_reports::{Figure, Finding, Receipt, Report};

use crate::check::{Bench, Prepared, Subject};
use crate::operation::Operation;
use crate::page::Page;
use crate::receipt::{self, Class, Stepped, VERY_LONG};
use crate::verdict::Verdict;
use crate::verify::Job;
use crate::worker::Host;
use crate::worker::protocol::{Catalog, OperationEntry};

/// Plain bytes a call: a cache line, common widths of embeddings, a page.
pub(crate) const SIZES: [usize; 5] = [64, 384, 768, 1536, 4096];
/// Multiples of every kernel's block at which the counts of a path without tail and threshold lie on a straight line.
const FORM: [usize; 8] = [512, 1024, 1536, 2048, 2560, 3072, 3584, 4096];
/// The two of them that the line is laid through.
const FROM: usize = 2048;
const TO: usize = 4096;
/// What the marginal count is a count of.
const STRIDE: usize = 64;

pub(crate) const MARGINAL: &str = "instructions, marginal";
pub(crate) const FIXED: &str = "instructions, fixed";
pub(crate) const AGAINST: &str = "instructions against base";

/// # Errors
/// The length is more than is ever stepped to its end.
pub(crate) fn bounded(length: usize) -> Result<(), String> {
    if length <= VERY_LONG {
        return Ok(());
    }
    Err(format!(
        "{length} bytes: calls on at most {VERY_LONG} bytes are counted; every instruction of one is a stop of the CPU"
    ))
}

// ------------------------------------------------------------------------------------------ the call itself

/// Calls a path once in the window, on the bytes that its count is taken on, after it has agreed with its reference on them; or, in
/// its place, the empty path that is taken off.
///
/// # Errors
/// The client's own part failed.
pub(crate) fn call(
    operation: &Operation,
    (number, subject): (usize, &Subject<'_>),
    class: Class,
    empty: bool,
) -> Result<Verdict, String> {
    if class.length > operation.most() {
        return Err(format!(
            "{} takes at most {} plain bytes, and {} were asked for",
            operation.name,
            operation.most(),
            class.length
        ));
    }
    let mut bench = Bench::new(Page::private());
    let mut prepared = Prepared::new(operation, &receipt::case(operation, class))?;
    if let Subject::Peer(peer) = subject {
        prepared = prepared.for_peer(peer)?;
    }
    let path = subject.path();
    let verdict = bench.run(path, number, &prepared);
    if verdict != Verdict::Agrees {
        return Ok(verdict);
    }
    bench.load(&prepared, 0);
    bench.windowed = true;
    if empty {
        // It gives no answer; nobody looks at what is said of that.
        let _ = bench.call(&receipt::empty(&path.call), number, &prepared, 0);
        return Ok(verdict);
    }
    Ok(bench
        .call(path, number, &prepared, 0)
        .map_or_else(|verdict| verdict, |_| Verdict::Agrees))
}

// ------------------------------------------------------------------------------------------ counting

/// The counts of one path or peer.
pub(crate) struct Counted {
    pub(crate) operation: usize,
    pub(crate) subject: usize,
    /// The receipts that are its counts, by length; or why it has none.
    pub(crate) receipts: Result<Vec<Receipt>, String>,
    /// Calls that died or disagreed.
    pub(crate) findings: Vec<Finding>,
}

/// A subject, and a length to count it at.
pub(crate) type Wanted = Vec<((usize, usize), Class)>;

/// What there is to count: every selected path and peer that can run here, at these sizes and those of the closed form.
pub(crate) fn wanted(job: &Job, catalog: &Catalog, sizes: &[usize]) -> Wanted {
    let mut lengths: Vec<usize> = sizes.iter().chain(&FORM).copied().collect();
    lengths.sort_unstable();
    lengths.dedup();
    let mut wanted = Vec::new();
    for (o, operation) in catalog.operations.iter().enumerate() {
        for (s, entry) in operation.subjects.iter().enumerate() {
            if job.selected[o][s] && entry.unavailable.is_none() && !entry.on_threads {
                let lengths = lengths.iter().filter(|length| operation.takes(**length));
                wanted.extend(lengths.map(|length| ((o, s), Class::of(*length))));
            }
        }
    }
    wanted
}

/// Counts what is wanted; an entry for every subject of it.
///
/// # Errors
/// The harness or a client's own part failed. Where stepping does not work, that is each subject's reason.
pub(crate) fn take(
    job: &Job,
    catalog: &Catalog,
    wanted: &Wanted,
    told: &mut dyn FnMut(),
) -> Result<Vec<Counted>, String> {
    let mut subjects: Vec<(usize, usize)> = wanted.iter().map(|(key, _)| *key).collect();
    subjects.dedup();
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    if let Err(why) = receipt::available(&mut Host::new(&job.launch, &job.settings)?) {
        let none = |(operation, subject)| Counted {
            operation,
            subject,
            receipts: Err(format!("not measurable, because {why}")),
            findings: Vec::new(),
        };
        return Ok(subjects.into_iter().map(none).collect());
    }
    let mut answers = receipt::ask(job, wanted.iter().copied(), true, told)?;
    let mut counted = Vec::new();
    for key @ (operation, subject) in subjects {
        let of = &catalog.operations[operation];
        let (mut receipts, mut findings) = (Vec::new(), Vec::new());
        for (class, answer) in answers.remove(&key).unwrap_or_default() {
            match answer {
                Ok(Stepped {
                    executed: Some(executed),
                    ..
                }) => receipts.push(receipt::record(of, subject, class, &executed)),
                Ok(Stepped { verdict, case, .. }) => {
                    let found = (verdict.kind(), format!("before it was counted: {verdict}"));
                    findings.push(finding(job, (of, subject), class, found, Some(&case))?);
                }
                Err(verdict) => {
                    let found = (verdict.kind(), format!("while it was counted: {verdict}"));
                    findings.push(finding(job, (of, subject), class, found, None)?);
                }
            }
        }
        counted.push(Counted {
            operation,
            subject,
            receipts: match receipts.is_empty() {
                true => Err("not measurable, because no call of it came to its end".into()),
                false => Ok(receipts),
            },
            findings,
        });
    }
    Ok(counted)
}

fn finding(
    job: &Job,
    (of, subject): (&OperationEntry, usize),
    class: Class,
    (kind, detail): (&str, String),
    case: Option<&crate::case::Case>,
) -> Result<Finding, String> {
    let detail = format!("{detail} ({} plain bytes)", class.length);
    let command = format!("count '{}' --sizes {}", of.path_name(subject), class.length);
    receipt::finding(job, (of, subject), (kind, detail), case, &command)
}

// ------------------------------------------------------------------------------------------ the straight line

/// What 64 bytes more cost, and what remains of the longest call without them.
#[derive(Debug, PartialEq)]
struct Line {
    marginal: f64,
    fixed: f64,
    /// The length whose count lies farthest off the line, and how far; none if all lie on it.
    off: Option<(usize, f64)>,
}

/// The line through the counts at `FROM` and `TO`, held against those at all lengths of `FORM`. `own` says a count, or why there
/// is none.
fn line(own: impl Fn(usize) -> Result<u64, String>) -> Result<Line, String> {
    let counts = FORM.map(|length| own(length).map(|count| (length, count as f64)));
    let counts: Vec<(usize, f64)> = counts.into_iter().collect::<Result<_, _>>()?;
    let at = |wanted: usize| {
        let of = |(length, count): &(usize, f64)| (*length == wanted).then_some(*count);
        counts.iter().find_map(of).unwrap_or_default()
    };
    // The stride divides by a power of two, so that these and what follows are exact.
    let marginal = (at(TO) - at(FROM)) / ((TO - FROM) / STRIDE) as f64;
    let fixed = at(TO) - marginal * (TO / STRIDE) as f64;
    let off = counts
        .iter()
        .map(|(length, count)| (*length, count - fixed - marginal * (length / STRIDE) as f64))
        .filter(|(_, off)| *off != 0.0)
        .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    Ok(Line {
        marginal,
        fixed,
        off,
    })
}

impl Line {
    fn reason(&self) -> String {
        match self.off {
            None => format!("exact at {} lengths", FORM.len()),
            Some((length, off)) => format!(
                "no straight line: {off:+} instructions at {length} bytes, the most of {} lengths",
                FORM.len()
            ),
        }
    }
}

impl Counted {
    /// The marginal and the fixed count, or why there are none.
    pub(crate) fn figures(&self, of: &OperationEntry) -> [Figure; 2] {
        let line = self.receipts.as_ref().map_err(Clone::clone);
        let line = line.and_then(|receipts| {
            line_of(receipts).map_err(|why| format!("not measurable, because {why}"))
        });
        let entry = &of.subjects[self.subject];
        let figure = |quantity, unit, value: fn(&Line) -> f64| {
            let number = line.as_ref().map(value).map_err(Clone::clone);
            let mut figure = Figure::new(quantity, number, unit);
            if let Ok(line) = &line {
                figure.reason = Some(line.reason());
            }
            figure.of(&of.name, &entry.isa, &entry.delivery)
        };
        [
            figure(MARGINAL, "instructions per 64 bytes", |line| line.marginal),
            figure(FIXED, "instructions per call", |line| line.fixed),
        ]
    }
}

fn line_of(receipts: &[Receipt]) -> Result<Line, String> {
    line(|length| {
        let found = receipts
            .iter()
            .find(|receipt| receipt.length == length as u64);
        match found {
            Some(receipt) if receipt.cut => Err(format!(
                "a call on {length} bytes is longer than what can be stepped"
            )),
            Some(receipt) => Ok(receipt.own),
            None => Err(format!("there is no count at {length} bytes")),
        }
    })
}

// ------------------------------------------------------------------------------------------ against another count

/// Percent by which counts may exceed those of a base.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tolerances {
    pub(crate) usual: f64,
    pub(crate) of: BTreeMap<String, f64>,
}

impl std::fmt::Display for Tolerances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} %", self.usual)?;
        let mut of = self.of.iter();
        of.try_for_each(|(name, of)| write!(f, ", {name} {of} %"))
    }
}

impl Tolerances {
    pub(crate) fn of(&self, operation: &str) -> f64 {
        *self.of.get(operation).unwrap_or(&self.usual)
    }

    /// Whether this can be a tolerance: a percentage from 0 on.
    pub(crate) fn allows(percent: f64) -> bool {
        percent.is_finite() && percent >= 0.0
    }

    /// As `count --tolerance` takes them.
    pub(crate) fn argument(&self) -> String {
        let of = self.of.iter().map(|(name, of)| format!(",{name}={of}"));
        self.usual.to_string() + &of.collect::<String>()
    }

    /// From `0.5`, or `0.5,q64_encode=1`.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "--tolerance {text:?}: a percentage from 0 on was expected, as in 0.5, and after it those of single operations, as in 0.5,q64_encode=1"
            )
        };
        let mut all = Self::default();
        for (n, part) in text.split(',').enumerate() {
            let (name, percent) = match part.split_once('=') {
                Some((name, percent)) => (Some(name.trim()), percent),
                None => (None, part),
            };
            let percent = percent.trim().parse().map_err(|_| wrong())?;
            if !Self::allows(percent) {
                return Err(wrong());
            }
            match name {
                None if n == 0 => all.usual = percent,
                None => return Err(wrong()),
                Some(name) => _ = all.of.insert(name.into(), percent),
            }
        }
        Ok(all)
    }
}

/// How a remark ends that is of paths which the filter leaves out.
pub(crate) const NOT_ASKED_FOR: &str = "were not asked for";
/// Why a count of the base has none here: the program lost the path, or lost its count.
pub(crate) const NO_SUCH_PATH: &str = "this program has no such path";
pub(crate) const NOT_COUNTED: &str = "it could run here, and was not counted";
const UNENDED: &str = "the base is of a run that did not end";
/// The remarks by which something is missing that could be there.
pub(crate) const IS_MISSING: [&str; 3] = [NO_SUCH_PATH, NOT_COUNTED, UNENDED];

/// A path's own count at one length, here and in the base.
#[derive(Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) figure: Figure,
    /// Whether it is more than the policy allows.
    pub(crate) grown: bool,
}

/// What two counts say of each other. Every count of the base is in one of these, and so is every count here.
#[derive(Debug, Default)]
pub(crate) struct Against {
    /// Counts that both have, and the ones among them that differ.
    pub(crate) common: usize,
    pub(crate) changes: Vec<Change>,
    /// What must be known beside them: what only one side has, and how the sides differ.
    pub(crate) remarks: Vec<Figure>,
}

type Name<'a> = [&'a str; 3];

/// The counts among receipts: whole calls that were taken, of paths. What a peer executes is nobody's growth.
fn counts<'a>(
    receipts: impl Iterator<Item = &'a Receipt>,
) -> BTreeMap<Name<'a>, BTreeMap<u64, &'a Receipt>> {
    let mut counts: BTreeMap<Name<'a>, BTreeMap<u64, &Receipt>> = BTreeMap::new();
    for receipt in receipts.filter(|receipt| !receipt.peer && !receipt.refused && !receipt.cut) {
        let name = [&*receipt.operation, &*receipt.isa, &*receipt.delivery];
        counts
            .entry(name)
            .or_default()
            .insert(receipt.length, receipt);
    }
    counts
}

/// Holds the counts of `here` against those of `base`. `missing` says why a path of the base has no count here, or nothing if
/// nobody asked for one.
pub(crate) fn against(
    base: &Report,
    here: &Report,
    tolerance: &Tolerances,
    missing: &dyn Fn(&str) -> Option<String>,
) -> Against {
    let (before, now) = (counts(base.receipts()), counts(here.receipts()));
    let mut against = Against {
        remarks: apart(base, here),
        ..Against::default()
    };
    let none = BTreeMap::new();
    for (name, now) in &now {
        let before = before.get(name).unwrap_or(&none);
        for (length, now) in now {
            if let Some(before) = before.get(length) {
                against.common += 1;
                against
                    .changes
                    .extend(change(before, now, tolerance.of(name[0])));
            }
        }
        against
            .remarks
            .extend(only(name, now, before, "not in the base"));
    }
    let mut unasked = 0;
    for (name, before) in &before {
        let now = now.get(name);
        let why = match now {
            Some(_) => "not counted here".into(),
            None => match missing(&name.join("/")) {
                Some(why) => format!("only in the base: {why}"),
                None => {
                    unasked += 1;
                    continue;
                }
            },
        };
        against
            .remarks
            .extend(only(name, before, now.unwrap_or(&none), &why));
    }
    if unasked > 0 {
        let why = format!("{unasked} path(s) of the base {NOT_ASKED_FOR}");
        against.remarks.push(remark(why));
    }
    against
}

fn remark(why: String) -> Figure {
    Figure::new(AGAINST, Err(why), "x")
}

/// How the two sides differ in what may change counts.
fn apart(base: &Report, here: &Report) -> Vec<Figure> {
    let mut remarks = Vec::new();
    if base.end().is_none() {
        remarks.push(remark(format!("{UNENDED}: it may lack counts")));
    }
    let (Some(before), Some(now)) = (base.machine(), here.machine()) else {
        return remarks;
    };
    let unknown = |rustc: &Option<String>| rustc.clone().unwrap_or_else(|| "unknown".into());
    if before.rustc != now.rustc {
        remarks.push(remark(format!(
            "the compiler differs, and other code with it: the base is of {}, this of {}",
            unknown(&before.rustc),
            unknown(&now.rustc)
        )));
    }
    if before.features != now.features {
        remarks.push(remark(format!(
            "the base is of a CPU with other features, {}: paths that choose at run time may have chosen otherwise",
            before.cpu
        )));
    }
    remarks
}

/// The lengths that only one side has, in one figure of the path.
fn only(
    [operation, isa, delivery]: &Name<'_>,
    one: &BTreeMap<u64, &Receipt>,
    other: &BTreeMap<u64, &Receipt>,
    why: &str,
) -> Option<Figure> {
    let lengths = one.keys().filter(|length| !other.contains_key(length));
    let lengths: Vec<String> = lengths.map(ToString::to_string).collect();
    if lengths.is_empty() {
        return None;
    }
    let why = format!("{why}; at {}", lengths.join(", "));
    Some(remark(why).of(operation, isa, delivery))
}

fn change(before: &Receipt, now: &Receipt, tolerance: f64) -> Option<Change> {
    if before.own == now.own && before.mnemonics == now.mnemonics {
        return None;
    }
    let mut reason = format!("{} to {} instructions", before.own, now.own);
    let (added, gone) = exchanged(&before.mnemonics, &now.mnemonics);
    if !added.is_empty() {
        let _ = write!(reason, ": {added}");
    }
    if !gone.is_empty() {
        let _ = write!(reason, "; gone: {gone}");
    }
    // Of no instructions none is a multiple.
    let ratio = match before.own {
        0 => Err(reason.clone()),
        own => Ok(now.own as f64 / own as f64),
    };
    let mut figure = Figure::new(AGAINST, ratio, "x").split(now.length.to_string());
    figure.reason = Some(reason);
    Some(Change {
        name: now.name(),
        figure: figure.of(&now.operation, &now.isa, &now.delivery),
        grown: now.own as f64 > before.own as f64 * (1.0 + tolerance / 100.0),
    })
}

/// The mnemonics that there are more of, the most first (`vpaddb +64, mov +2`), and those that there are fewer of.
fn exchanged(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> (String, String) {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let of = |counts: &BTreeMap<String, u64>, name: &String| *counts.get(name).unwrap_or(&0) as i64;
    let mut changes: Vec<(i64, &String)> = names
        .into_iter()
        .map(|name| (of(now, name) - of(before, name), name))
        .collect();
    changes.sort_by_key(|(change, _)| std::cmp::Reverse(change.abs()));
    let told = |more: bool| {
        let told = changes
            .iter()
            .filter(|(change, _)| *change != 0 && (*change > 0) == more)
            .map(|(change, name)| format!("{name} {change:+}"));
        told.collect::<Vec<_>>().join(", ")
    };
    (told(true), told(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(isa: &str, length: u64, mnemonics: &[(&str, u64)]) -> Receipt {
        Receipt {
            operation: "op".into(),
            isa: isa.into(),
            delivery: "fills".into(),
            length,
            own: mnemonics.iter().map(|(_, count)| count).sum(),
            mnemonics: mnemonics
                .iter()
                .map(|(name, count)| (name.to_string(), *count))
                .collect(),
            ..Receipt::default()
        }
    }

    fn report(receipts: impl IntoIterator<Item = Receipt>) -> Report {
        Report {
            source: "a test".into(),
            records: receipts
                .into_iter()
                .map(pathproof_reports::Record::Receipt)
                .collect(),
            truncated: false,
        }
    }

    #[test]
    fn counts_on_a_line_are_exact_and_one_off_it_is_found() {
        let straight = |length: usize| Ok(29 + 17 * (length as u64 / 128));
        let exact = line(straight).unwrap();
        assert_eq!(
            exact,
            Line {
                marginal: 8.5,
                fixed: 29.0,
                off: None
            }
        );
        assert_eq!(exact.reason(), "exact at 8 lengths");
        for at in FORM.into_iter().filter(|at| ![FROM, TO].contains(at)) {
            let bent = line(|length| straight(length).map(|n| n - u64::from(length == at)));
            let bent = bent.unwrap();
            assert_eq!((bent.marginal, bent.off), (8.5, Some((at, -1.0))));
            assert!(bent.reason().contains("-1 instructions at"), "{bent:?}");
        }
        // The two points of the line lie on it; then the others do not.
        for at in [FROM, TO] {
            assert!(
                line(|length| straight(length).map(|n| n + u64::from(length == at)))
                    .unwrap()
                    .off
                    .is_some()
            );
        }
    }

    #[test]
    fn a_count_that_is_missing_or_cut_is_no_line() {
        let mut receipts: Vec<Receipt> = FORM
            .iter()
            .map(|length| receipt("avx2", *length as u64, &[("mov", 5)]))
            .collect();
        assert_eq!(line_of(&receipts).unwrap().marginal, 0.0);
        receipts[3].cut = true;
        assert!(
            line_of(&receipts)
                .unwrap_err()
                .contains("2048 bytes is longer")
        );
        receipts.remove(3);
        assert!(line_of(&receipts).unwrap_err().contains("no count at 2048"));
    }

    #[test]
    fn tolerances_are_of_all_and_of_single_operations() {
        let all = Tolerances::parse("0.5,q64_encode=1, top_k_q64 = 2").expect("tolerances");
        assert_eq!(
            ["q64_encode", "top_k_q64", "other"].map(|of| all.of(of)),
            [1.0, 2.0, 0.5]
        );
        assert_eq!(Tolerances::parse(&all.argument()), Ok(all.clone()));
        assert_eq!(all.to_string(), "0.5 %, q64_encode 1 %, top_k_q64 2 %");
        assert_eq!(Tolerances::parse("a=1").expect("only one").usual, 0.0);
        for bad in ["", "-1", "inf", "NaN", "1,2", "a=", "a=b", "1,", "a=-1"] {
            assert!(Tolerances::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn growth_is_named_and_within_the_tolerance_allowed() {
        let base = report([receipt("avx2", 64, &[("vpaddb", 100), ("mov", 100)])]);
        let now = report([receipt(
            "avx2",
            64,
            &[("vpaddb", 104), ("mov", 99), ("nop", 1)],
        )]);
        let of = |tolerance| {
            let tolerance = Tolerances {
                usual: tolerance,
                ..Tolerances::default()
            };
            let all = against(&base, &now, &tolerance, &|_| None);
            let [change] = &all.changes[..] else {
                panic!("{all:?}")
            };
            (change.grown, change.figure.clone())
        };
        let (grown, figure) = of(0.0);
        assert!(grown && figure.value == Some(1.02) && figure.split.as_deref() == Some("64"));
        assert_eq!(
            figure.reason.as_deref(),
            Some("200 to 204 instructions: vpaddb +4, nop +1; gone: mov -1")
        );
        assert!(of(1.9).0 && !of(2.0).0);
        let fewer = against(&now, &base, &Tolerances::default(), &|_| None);
        assert!(!fewer.changes[0].grown && fewer.changes[0].figure.value < Some(1.0));
        let same = against(&base, &base, &Tolerances::default(), &|_| None);
        assert_eq!((same.common, same.changes.len()), (1, 0));
        // What is paid for with as many others is a change and no growth.
        let other = report([receipt("avx2", 64, &[("vpaddb", 99), ("mov", 101)])]);
        let other = against(&base, &other, &Tolerances::default(), &|_| None);
        assert!(!other.changes[0].grown, "{other:?}");
        let none = report([receipt("avx2", 64, &[])]);
        let from_none = against(&none, &base, &Tolerances::default(), &|_| None);
        assert!(from_none.changes[0].grown && from_none.changes[0].figure.value.is_none());
    }

    #[test]
    fn what_one_side_alone_has_is_said() {
        let base = report([
            receipt("avx2", 64, &[("mov", 1)]),
            receipt("avx2", 65, &[("mov", 1)]),
            receipt("avx512", 64, &[("mov", 1)]),
            receipt("sse2", 64, &[("mov", 1)]),
        ]);
        let now = report([
            receipt("avx2", 64, &[("mov", 1)]),
            receipt("avx2", 66, &[("mov", 1)]),
            receipt("neon", 64, &[("mov", 1)]),
        ]);
        let missing =
            |name: &str| (name == "op/avx512/fills").then(|| "this CPU lacks it".to_string());
        let all = against(&base, &now, &Tolerances::default(), &missing);
        assert_eq!((all.common, all.changes.len()), (1, 0));
        let said: Vec<(String, &str)> = all
            .remarks
            .iter()
            .map(|figure| (figure.name(), figure.reason.as_deref().unwrap_or_default()))
            .collect();
        let of = |name: &str| name.to_string();
        assert_eq!(
            said,
            [
                (
                    of(""),
                    "the base is of a run that did not end: it may lack counts"
                ),
                (of("op/avx2/fills"), "not in the base; at 66"),
                (of("op/neon/fills"), "not in the base; at 64"),
                (of("op/avx2/fills"), "not counted here; at 65"),
                (
                    of("op/avx512/fills"),
                    "only in the base: this CPU lacks it; at 64"
                ),
                (of(""), "1 path(s) of the base were not asked for"),
            ]
        );
    }

    #[test]
    fn what_is_cut_refused_or_a_peers_is_no_count() {
        let of = |change: fn(&mut Receipt)| {
            let mut receipt = receipt("avx2", 64, &[("mov", 1)]);
            change(&mut receipt);
            counts(std::iter::once(&receipt)).len()
        };
        assert_eq!(of(|_| {}), 1);
        assert_eq!(of(|receipt| receipt.cut = true), 0);
        assert_eq!(of(|receipt| receipt.refused = true), 0);
        assert_eq!(of(|receipt| receipt.peer = true), 0);
    }
}
