//! `compare`: two paths, or each path and what it was at another revision, measured so that a noisy machine is no excuse.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Compared, Comparison, Figure, Finding, PathRow, Record, Side, State};

use super::session::{
    Session, any, complain, default_out, matches_nothing, nearest, program, program_name, select,
};
use super::{Common, CompareArgs, calibrate, drawn_seed};
use crate::case::{mix, rng};
use crate::desk::IN_PLACE;
use crate::ledger::exit;
use crate::pair::{
    Ask, Bases, Entrant, Fault, Measured, Method, Pinned, Process, Rule, SHARED_CORE, Said, Steps,
    Subjected, VERSION, Wanted, measure,
};
use crate::plan::{Settings, quoted};
use crate::worker::protocol::{Catalog, OperationEntry, SubjectEntry};
use crate::worker::{Host, Launch};

/// Plain bytes a call, where no others are asked for: a common width of embeddings, and a page.
pub(super) const SIZES: [usize; 2] = [768, 4096];

/// Beyond it, an arena for inputs and answers would be more memory than an ordinary machine can spare.
const LARGEST: usize = 64 << 20;

/// A path or peer at one side.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) operation: String,
    pub(super) isa: String,
    pub(super) delivery: String,
}

impl Named {
    pub(super) fn of(entry: &OperationEntry, subject: usize) -> Self {
        let SubjectEntry { isa, delivery, .. } = &entry.subjects[subject];
        Self {
            operation: entry.name.clone(),
            isa: isa.clone(),
            delivery: delivery.clone(),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}/{}/{}", self.operation, self.isa, self.delivery)
    }
}

/// What one row compares.
pub(super) struct Row {
    pub(super) base: Named,
    pub(super) head: Named,
    /// What a call is given, as it is shown; and as a side is told.
    pub(super) load: String,
    pub(super) bytes: usize,
    pub(super) params: BTreeMap<String, Vec<u64>>,
    pub(super) seed: u64,
}

impl Row {
    pub(super) fn subjected(&self, named: &Named) -> Subjected {
        Subjected {
            version: VERSION,
            operation: named.operation.clone(),
            isa: named.isa.clone(),
            delivery: named.delivery.clone(),
            bytes: self.bytes,
            seed: self.seed,
            params: self.params.clone(),
            want: None,
            moved: None,
        }
    }
}

/// The rows of a path at the sizes and loads that are asked for.
pub(super) fn rows(
    entry: &OperationEntry,
    (base, head): (Named, Named),
    (sizes, loads): (&[usize], &[String]),
    seed: u64,
) -> Vec<Row> {
    let row = |load: String, bytes: usize, params: &crate::operation::Params| Row {
        base: base.clone(),
        head: head.clone(),
        load,
        bytes,
        params: entry
            .usual
            .iter()
            .chain(params)
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
        seed: mix(&[seed, bytes as u64]) >> 16,
    };
    let none = crate::operation::Params::new();
    let mut taken: Vec<usize> = sizes
        .iter()
        .copied()
        .filter(|size| entry.takes(*size))
        .collect();
    if taken.is_empty() && loads.is_empty() {
        // An operation whose inputs are all short is compared at its longest.
        taken.extend(entry.longest);
    }
    let taken = taken
        .into_iter()
        .map(|size| row(size.to_string(), size, &none));
    let loads = entry
        .loads
        .iter()
        .filter(|(name, ..)| loads.contains(name))
        .map(|(name, bytes, params)| row(name.clone(), *bytes, params));
    taken.chain(loads).collect()
}

/// Why a subject is not compared, if it is not.
pub(super) fn not_compared(its: &SubjectEntry) -> Option<String> {
    its.unavailable
        .clone()
        .or_else(|| its.in_place.then(|| IN_PLACE.to_string()))
        .or_else(|| its.on_threads.then(|| SHARED_CORE.to_string()))
}

pub(super) fn compare(common: &Common, launch: &Launch, args: &CompareArgs) -> Result<u8, String> {
    let margin = args.margin / 100.0;
    if !(0.0005..=0.5).contains(&margin) {
        return Err(format!(
            "--margin {}: from 0.05 to 50 percent was expected",
            args.margin
        ));
    }
    checked_budget(args.budget)?;
    checked(&args.sizes)?;
    calibrate::refuse(common, margin)?;
    let seed = args.seed.unwrap_or_else(|| drawn_seed().into());
    let mut host = Host::new(launch, &Settings::default())?;
    let catalog = host.catalog()?;
    drop(host);
    let sizes: &[usize] = match (&args.sizes[..], &args.loads[..]) {
        ([], []) => &SIZES,
        (sizes, _) => sizes,
    };
    let wanted = (sizes, &args.loads[..]);
    let offered = || catalog.operations.iter().flat_map(|entry| &entry.loads);
    if let Some(load) = args
        .loads
        .iter()
        .find(|load| offered().all(|(name, ..)| name != *load))
    {
        let near = nearest(load, offered().map(|(name, ..)| name.clone()));
        return Err(format!(
            "--load {load:?}: no operation has it; the nearest are {near}"
        ));
    }
    let mut table = Vec::new();
    let mut left_out = Vec::new();
    let of_revision = args.base.is_some() || args.base_bin.is_some();
    if of_revision {
        if let Some(second) = &args.head {
            return Err(format!(
                "{second}: with --base or --base-bin each path is compared with itself, and one FILTER says which"
            ));
        }
        let selected = select(&catalog, args.path.as_deref())?;
        if !any(&selected) {
            complain(matches_nothing(&catalog, args.path.as_deref()));
            return Ok(exit::NOTHING);
        }
        for (entry, selected) in catalog.operations.iter().zip(&selected) {
            for subject in (0..entry.subjects.len()).filter(|s| selected[*s]) {
                let (its, named) = (&entry.subjects[subject], Named::of(entry, subject));
                // What others publish is no revision's doing.
                if its.peer && args.path.as_deref() != Some(&named.name()) {
                    continue;
                }
                match not_compared(its) {
                    Some(why) => left_out.push((named, why, its.unavailable.is_some())),
                    None => table.extend(rows(entry, (named.clone(), named), wanted, seed)),
                }
            }
        }
    } else {
        let [Some(base), Some(head)] = [&args.path, &args.head] else {
            return Err(
                "two paths, or --base REV, or --base-bin FILE: with what is to be compared?".into(),
            );
        };
        let (entry, base) = found(&catalog, base)?;
        let (of_head, head) = found(&catalog, head)?;
        if entry.name != of_head.name {
            return Err(format!(
                "{} and {} are two operations: paths of one are compared, and its peers",
                entry.name, of_head.name
            ));
        }
        for subject in [base, head] {
            if let Some(why) = not_compared(&entry.subjects[subject]) {
                complain(format_args!("{}: {why}", entry.path_name(subject)));
                return Ok(exit::NOTHING);
            }
        }
        let pair = (Named::of(entry, base), Named::of(entry, head));
        table = rows(entry, pair, wanted, seed);
    }
    let mut session = Session::begin(common, "compare", Some(seed), None)?;
    common.note(format_args!("seed {seed}"));
    let verdict = (|| {
        let sources = Wanted {
            revision: args.base.as_deref(),
            file: args.base_bin.as_deref(),
            build: args.build.as_deref(),
            layouts: args.layouts,
            home: &default_out().join("base"),
            program: &program_name(),
            loud: !common.quiet,
        };
        let bases = Bases::find(launch, &sources, &|text| common.note(text))?;
        for remark in &bases.remarks {
            common.note(remark);
        }
        let job = Job {
            common,
            args,
            seed,
            bases: &bases,
            rule: Rule::new(margin, table.len()),
        };
        job.run(&table, &left_out, &mut session)
    })();
    session.conclude(verdict)
}

/// Seconds that a row can be given.
pub(super) fn checked_budget(budget: f64) -> Result<(), String> {
    match (0.1..=3600.0).contains(&budget) {
        true => Ok(()),
        false => Err(format!(
            "--budget {budget}: from 0.1 to 3600 seconds a row was expected"
        )),
    }
}

/// Sizes that can be compared.
pub(super) fn checked(sizes: &[usize]) -> Result<(), String> {
    match sizes.iter().find(|size| !(1..=LARGEST).contains(*size)) {
        Some(size) => Err(format!(
            "--sizes {size}: from 1 to at most {LARGEST} bytes can be compared"
        )),
        None => Ok(()),
    }
}

/// A path or peer by its whole name.
pub(super) fn found<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<(&'a OperationEntry, usize), String> {
    let all = || {
        let operations = catalog.operations.iter();
        operations.flat_map(|entry| (0..entry.subjects.len()).map(move |s| (entry, s)))
    };
    all()
        .find(|(entry, s)| entry.path_name(*s) == name)
        .ok_or_else(|| {
            let near = nearest(name, all().map(|(entry, s)| entry.path_name(s)));
            format!("{name}: no path or peer has this name; the nearest are {near}")
        })
}

struct Job<'a> {
    common: &'a Common,
    args: &'a CompareArgs,
    seed: u64,
    bases: &'a Bases,
    rule: Rule,
}

/// What the rows came to.
#[derive(Default)]
struct Totals {
    verdicts: BTreeMap<Compared, Vec<String>>,
    findings: usize,
    broken: Vec<String>,
}

impl Job<'_> {
    fn run(
        &self,
        table: &[Row],
        left_out: &[(Named, String, bool)],
        session: &mut Session<'_>,
    ) -> Result<(u8, String), String> {
        let pinned = Pinned::to(self.args.core)?;
        session.put(Record::Figure(Figure::new(
            "core",
            Ok(pinned.core as f64),
            "shared by all sides",
        )))?;
        for remark in &self.bases.remarks {
            let figure = Figure::new("sides", Err(remark.clone()), "");
            session.put(Record::Figure(figure))?;
        }
        let mut ledger: Vec<PathRow> = Vec::new();
        for (named, why, unavailable) in left_out {
            let mut figure = Figure::new("comparison", Err(why.clone()), "");
            figure = figure.of(&named.operation, &named.isa, &named.delivery);
            match unavailable {
                true => ledger.push(path_row(named, State::Unavailable, Some(why.clone()))),
                false => session.put(Record::Figure(figure))?,
            }
        }
        let bar = bar(self.common, table.len());
        let mut totals = Totals::default();
        let started = std::time::Instant::now();
        for row in table {
            bar.set_message(format!("{} at {}", row.head.name(), row.load));
            let left = self
                .args
                .within
                .map(|within| within - started.elapsed().as_secs_f64());
            let (comparison, finding) = match left {
                Some(left) if left <= 0.0 => (self.not_reached(row), None),
                _ => self.row(row, left, &mut totals),
            };
            self.enter(&mut ledger, row, &comparison, finding.is_some());
            totals
                .verdicts
                .entry(comparison.verdict)
                .or_default()
                .push(shown(&comparison));
            session.put(Record::Comparison(comparison))?;
            if let Some(finding) = finding {
                totals.findings += 1;
                session.put(Record::Finding(finding))?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        ledger
            .into_iter()
            .try_for_each(|row| session.put(Record::Path(row)))?;
        Ok(self.verdict(&totals, table.len()))
    }

    /// The ledger's row of the head's path: each epoch has held it against its reference first.
    fn enter(&self, ledger: &mut Vec<PathRow>, row: &Row, of: &Comparison, failed: bool) {
        let known = ledger.iter().position(|known| {
            (&known.operation, &known.isa, &known.delivery)
                == (&row.head.operation, &row.head.isa, &row.head.delivery)
        });
        let at = known.unwrap_or_else(|| {
            ledger.push(path_row(&row.head, State::NotExecuted, None));
            ledger.len() - 1
        });
        let entry = &mut ledger[at];
        entry.cases += u64::from(of.epochs.max(u32::from(of.verdict == Compared::Identical)));
        if failed {
            entry.state = State::Failed;
        } else if entry.cases > 0 && entry.state == State::NotExecuted {
            entry.state = State::Verified;
        }
        if entry.state == State::NotExecuted {
            entry.reason.clone_from(&of.reason);
        }
        if of.verdict == Compared::NoBase && entry.cases == 0 {
            entry.state = State::Unavailable;
        }
    }

    fn blank(&self, row: &Row, verdict: Compared, reason: Option<String>) -> Comparison {
        Comparison {
            operation: row.head.operation.clone(),
            isa: row.head.isa.clone(),
            delivery: row.head.delivery.clone(),
            load: row.load.clone(),
            against: match self.bases.name.is_empty() {
                true => row.base.name(),
                false => self.bases.name.clone(),
            },
            verdict,
            ratio: None,
            control: None,
            margin: self.rule.margin,
            confidence: self.rule.confidence,
            least: None,
            epochs: 0,
            seconds: 0.0,
            base: Side::default(),
            head: Side::default(),
            control_function: None,
            layouts: None,
            layout_spread: None,
            reason,
        }
    }

    fn not_reached(&self, row: &Row) -> Comparison {
        self.blank(
            row,
            Compared::Inconclusive,
            Some("out of time: the row was not reached".into()),
        )
    }

    fn row(
        &self,
        row: &Row,
        left: Option<f64>,
        totals: &mut Totals,
    ) -> (Comparison, Option<Finding>) {
        let mut blank = self.blank(row, Compared::Void, None);
        let faulty = |mut blank: Comparison, (side, fault): (usize, Fault), totals: &mut Totals| {
            let of = ["base", "head", "control"][side];
            let (verdict, why) = match fault {
                // The control is a build of the base's.
                Fault::Absent(why) if side != 1 => (Compared::NoBase, why),
                Fault::Absent(why) => (Compared::Inconclusive, why),
                Fault::Finding(why) => (Compared::Void, format!("the {of}'s path: {why}")),
                Fault::Broken(why) => {
                    totals.broken.push(format!("{}: {why}", row.head.name()));
                    (Compared::Void, why)
                }
            };
            blank.verdict = verdict;
            blank.reason = Some(why);
            blank
        };
        if let Some(why) = &self.bases.absent {
            return (self.blank(row, Compared::NoBase, Some(why.clone())), None);
        }
        let entrant = |links: &[Launch], named: &Named| Entrant {
            links: links.to_vec(),
            subjected: row.subjected(named),
        };
        let mut entrants = [
            entrant(&self.bases.base, &row.base),
            entrant(&self.bases.head, &row.head),
            entrant(&self.bases.control, &row.base),
        ];
        // What each side executes, and whether that is the same.
        let mut steps: Vec<Option<Steps>> = Vec::new();
        for (side, entrant) in entrants.iter().enumerate() {
            match step(&entrant.links[0], &entrant.subjected) {
                Ok(of) => steps.push(of),
                Err(fault) => {
                    let finding = self.finding(row, side, &fault);
                    return (faulty(blank, (side, fault), totals), finding);
                }
            }
        }
        let [base, head, control] = [0, 1, 2].map(|side: usize| steps[side].as_ref());
        let function = |steps: Option<&Steps>| {
            let (name, at) = steps?.function.as_ref()?;
            Some(format!("{name} at {at:#x}"))
        };
        let executed = |of: &mut Side, steps: Option<&Steps>| {
            of.instructions = steps.map(|steps| steps.own);
            of.function = function(steps);
        };
        executed(&mut blank.base, base);
        executed(&mut blank.head, head);
        blank.control_function = function(control);
        let same = |a: &Steps, b: &Steps| {
            a.sequence.is_some() && a.sequence == b.sequence && a.elsewhere == b.elsewhere
        };
        if let (Some(a), Some(b), true) = (base, head, self.bases.is_revision())
            && same(a, b)
        {
            blank.verdict = Compared::Identical;
            blank.reason = Some(format!("the same {} instructions in the same order", a.own));
            return (blank, None);
        }
        let budget = left.unwrap_or(f64::INFINITY).min(self.args.budget);
        let draw = rng(mix(&[self.seed, row.seed, 2]));
        let budget = Duration::from_secs_f64(budget.max(0.0));
        let method = Method {
            moved: !self.args.as_linked,
            ..Method::PAIRED
        };
        match measure(&mut entrants, &self.rule, method, budget, draw) {
            Ok(measured) => (self.record(blank, measured), None),
            Err((side, fault)) => {
                let finding = self.finding(row, side, &fault);
                (faulty(blank, (side, fault), totals), finding)
            }
        }
    }

    fn record(&self, blank: Comparison, measured: Measured) -> Comparison {
        let [base, head] = measured.sides;
        let with = |of: Side, nanos: Side| Side {
            nanos: nanos.nanos,
            nanos_q90: nanos.nanos_q90,
            ..of
        };
        Comparison {
            verdict: measured.verdict,
            ratio: measured.ratio,
            control: measured.control,
            least: measured.least,
            epochs: measured.epochs as u32,
            seconds: measured.seconds,
            base: with(blank.base.clone(), base),
            head: with(blank.head.clone(), head),
            layouts: self.bases.layouts(),
            layout_spread: measured.spread,
            reason: measured.reason.or(measured
                .as_linked
                .map(|why| format!("code as it was linked: {why}"))),
            ..blank
        }
    }

    /// The finding that a fault is, if it is one.
    fn finding(&self, row: &Row, side: usize, fault: &Fault) -> Option<Finding> {
        let of = if side == 1 { &row.head } else { &row.base };
        let Fault::Finding(why) = fault else {
            return None;
        };
        let kind = ["timed out", "panicked", "crashed"];
        let kind = kind.into_iter().find(|kind| why.starts_with(kind));
        Some(Finding {
            operation: of.operation.clone(),
            isa: of.isa.clone(),
            delivery: of.delivery.clone(),
            verdict: kind.unwrap_or("differs").into(),
            detail: format!("{why} (on the input to be compared, {})", row.load),
            dump: None,
            token: String::new(),
            command: self.command(row),
        })
    }

    /// The command that repeats a row.
    fn command(&self, row: &Row) -> String {
        let load = match row.load.parse::<usize>() {
            Ok(bytes) => format!("--sizes {bytes}"),
            Err(_) => format!("--load {}", quoted(&row.load)),
        };
        let sides = match (&self.args.base, &self.args.base_bin) {
            (Some(base), _) => format!("{} --base {}", row.head.name(), quoted(base)),
            (_, Some(file)) => {
                let file = quoted(&file.display().to_string());
                format!("{} --base-bin {file}", row.head.name())
            }
            _ => format!("{} {}", row.base.name(), row.head.name()),
        };
        format!("{} compare {sides} {load} --seed {}", program(), self.seed)
    }

    fn verdict(&self, totals: &Totals, rows: usize) -> (u8, String) {
        let of = |verdict| totals.verdicts.get(&verdict).map_or(&[][..], Vec::as_slice);
        let counted: Vec<String> = Compared::ALL
            .into_iter()
            .filter(|verdict| !of(*verdict).is_empty())
            .map(|verdict| format!("{} {verdict}", of(verdict).len()))
            .collect();
        let unclear = of(Compared::Inconclusive).len() + of(Compared::Void).len();
        let mut sentence = format!(
            "of {rows} rows {} at a margin of {} %",
            counted.join(", "),
            self.args.margin
        );
        if unclear > 0 {
            sentence += &format!(
                "; {:.0} % have no verdict",
                100.0 * unclear as f64 / rows as f64
            );
        }
        for verdict in [Compared::Slower, Compared::Void, Compared::NoBase] {
            let named = of(verdict);
            if !named.is_empty() {
                let more = match named.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                let first: Vec<&str> = named.iter().take(NAMED).map(String::as_str).collect();
                sentence += &format!("; {verdict}: {}{more}", first.join("; "));
            }
        }
        if let Some(first) = totals.broken.first() {
            return (exit::TROUBLE, format!("{first}; {sentence}"));
        }
        let no_base = of(Compared::NoBase).len();
        let code = if totals.findings > 0 {
            exit::FINDING
        } else if rows == 0 || (no_base > 0 && !self.args.allow_no_base) {
            exit::NOTHING
        } else if !of(Compared::Slower).is_empty() {
            exit::SLOWER
        } else if unclear > 0 && self.args.fail_inconclusive {
            exit::INCONCLUSIVE
        } else {
            exit::PASS
        };
        if no_base > 0 && !self.args.allow_no_base {
            sentence += "; --allow-no-base lets that pass";
        }
        (code, sentence)
    }
}

/// How many rows a sentence names.
const NAMED: usize = 3;

fn shown(of: &Comparison) -> String {
    let name = format!("{} at {}", of.name(), of.load);
    match (&of.ratio, &of.reason) {
        (Some(ratio), _) => {
            let percent = |ratio: f64| (ratio - 1.0) * 100.0;
            format!(
                "{name} by {:+.1} % [{:+.1}, {:+.1}]",
                percent(ratio.at),
                percent(ratio.low),
                percent(ratio.high)
            )
        }
        (None, Some(why)) => format!("{name} ({why})"),
        (None, None) => name,
    }
}

pub(super) fn path_row(named: &Named, state: State, reason: Option<String>) -> PathRow {
    PathRow {
        operation: named.operation.clone(),
        isa: named.isa.clone(),
        delivery: named.delivery.clone(),
        state,
        cases: 0,
        reason,
        errors: None,
        receipt: None,
        peer: false,
    }
}

/// What one call of a side executes; nothing where instructions cannot be stepped.
fn step(launch: &Launch, of: &Subjected) -> Result<Option<Steps>, Fault> {
    let (mut process, _) = Process::start(launch, of, None)?;
    match process.ask(&Ask::Step) {
        Ok(Said::Stepped(steps)) => Ok(Some(steps)),
        Ok(_) | Err(Fault::Broken(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

pub(super) fn bar(common: &Common, rows: usize) -> ProgressBar {
    let target = if common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(rows as u64), target);
    let style = ProgressStyle::with_template(
        "comparing {wide_bar} {pos} of {len} rows, {eta} left; now: {msg}",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
