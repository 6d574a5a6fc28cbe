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
    Ask, Bases, Entrant, Fault, Link, Measured, Method, NAMES, Pinned, Process, Rule, SHARED_CORE,
    Said, Steps, Subjected, VERSION, Wanted, measure,
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
    let margin = allowed(args)?;
    calibrate::refuse(common, margin)?;
    let seed = args.seed.unwrap_or_else(|| drawn_seed().into());
    let mut host = Host::new(launch, &Settings::default())?;
    let catalog = host.catalog()?;
    drop(host);
    let of_revision = args.base.is_some() || args.base_bin.is_some();
    let drawn = match of_revision {
        true => of_one(&catalog, args, seed)?,
        false => of_two(&catalog, args, seed)?,
    };
    let table = match drawn {
        Ok(table) => table,
        Err(nothing) => {
            complain(nothing);
            return Ok(exit::NOTHING);
        }
    };
    // What a run that is ended has measured is not lost.
    let out = default_out();
    std::fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
    let records = out.join("compared.jsonl");
    let mut session = Session::begin(common, "compare", Some(seed), Some(&records))?;
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
            rule: Rule::new(margin, table.rows.len()),
        };
        job.run(&table, &mut session)
    })();
    session.conclude(verdict)
}

/// The margin, if what was asked for can be done.
fn allowed(args: &CompareArgs) -> Result<f64, String> {
    let margin = args.margin / 100.0;
    if !(0.0005..=0.5).contains(&margin) {
        return Err(format!(
            "--margin {}: from 0.05 to 50 percent was expected",
            args.margin
        ));
    }
    checked_budget(args.budget)?;
    if let Some(within) = args.within.filter(|within| !(0.0..=1e6).contains(within)) {
        return Err(format!(
            "--within {within}: at most 1000000 seconds for all rows were expected"
        ));
    }
    checked(&args.sizes)?;
    Ok(margin)
}

/// What is compared, and which paths are not.
struct Table {
    rows: Vec<Row>,
    /// With what is to be said of each in the ledger; in a figure, where no comparison could ever be.
    left_out: Vec<(Named, Option<State>, String)>,
}

/// What a call is given, where that was asked for, and otherwise what is usual.
fn wanted<'a>(
    catalog: &Catalog,
    args: &'a CompareArgs,
) -> Result<(&'a [usize], &'a [String]), String> {
    let offered = || catalog.operations.iter().flat_map(|entry| &entry.loads);
    let known = |load: &String| offered().any(|(name, ..)| name == load);
    if let Some(load) = args.loads.iter().find(|load| !known(load)) {
        let near = nearest(load, offered().map(|(name, ..)| name.clone()));
        return Err(format!(
            "--load {load:?}: no operation has it; the nearest are {near}"
        ));
    }
    Ok(match (&args.sizes[..], &args.loads[..]) {
        ([], []) => (&SIZES, &[]),
        given => given,
    })
}

/// Each path that the filter means, against itself in another build; or why there is nothing.
fn of_one(
    catalog: &Catalog,
    args: &CompareArgs,
    seed: u64,
) -> Result<Result<Table, String>, String> {
    let wanted = wanted(catalog, args)?;
    if let Some(second) = &args.head {
        return Err(format!(
            "{second}: with --base or --base-bin each path is compared with itself, and one FILTER says which"
        ));
    }
    let selected = select(catalog, args.path.as_deref())?;
    if !any(&selected) {
        return Ok(Err(matches_nothing(catalog, args.path.as_deref())));
    }
    let mut table = Table {
        rows: Vec::new(),
        left_out: Vec::new(),
    };
    for (entry, selected) in catalog.operations.iter().zip(&selected) {
        for subject in (0..entry.subjects.len()).filter(|s| selected[*s]) {
            let (its, named) = (&entry.subjects[subject], Named::of(entry, subject));
            // What others publish is no revision's doing.
            if its.peer && args.path.as_deref() != Some(&named.name()) {
                continue;
            }
            if let Some(why) = not_compared(its) {
                let state = its.unavailable.as_ref().map(|_| State::Unavailable);
                table.left_out.push((named, state, why));
                continue;
            }
            let rows = rows(entry, (named.clone(), named.clone()), wanted, seed);
            if rows.is_empty() {
                let why = "it takes none of the sizes and loads that were asked for".into();
                table.left_out.push((named, Some(State::NotExecuted), why));
            }
            table.rows.extend(rows);
        }
    }
    Ok(Ok(table))
}

/// Two paths of one operation, against each other; or why there is nothing.
fn of_two(
    catalog: &Catalog,
    args: &CompareArgs,
    seed: u64,
) -> Result<Result<Table, String>, String> {
    let wanted = wanted(catalog, args)?;
    let [Some(base), Some(head)] = [&args.path, &args.head] else {
        return Err(
            "two paths, or --base REV, or --base-bin FILE: with what is to be compared?".into(),
        );
    };
    let (entry, base) = found(catalog, base)?;
    let (of_head, head) = found(catalog, head)?;
    if entry.name != of_head.name {
        return Err(format!(
            "{} and {} are two operations: paths of one are compared, and its peers",
            entry.name, of_head.name
        ));
    }
    for subject in [base, head] {
        if let Some(why) = not_compared(&entry.subjects[subject]) {
            return Ok(Err(format!("{}: {why}", entry.path_name(subject))));
        }
    }
    let pair = (Named::of(entry, base), Named::of(entry, head));
    Ok(Ok(Table {
        rows: rows(entry, pair, wanted, seed),
        left_out: Vec::new(),
    }))
}

/// Seconds that a row can have.
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

impl Totals {
    fn count(&self, verdicts: &[Compared]) -> usize {
        let of = verdicts
            .iter()
            .filter_map(|verdict| self.verdicts.get(verdict));
        of.map(Vec::len).sum()
    }

    /// What the run's exit says.
    fn code(&self, allow_no_base: bool, fail_inconclusive: bool) -> u8 {
        let no_base = self.count(&[Compared::NoBase]);
        let unclear = self.count(&[Compared::Inconclusive, Compared::Void]);
        let rows = self.count(&Compared::ALL);
        if !self.broken.is_empty() {
            exit::TROUBLE
        } else if self.findings > 0 {
            exit::FINDING
        } else if rows == 0 || (no_base > 0 && !allow_no_base) {
            exit::NOTHING
        } else if self.count(&[Compared::Slower]) > 0 {
            exit::SLOWER
        } else if unclear > 0 && (fail_inconclusive || unclear + no_base == rows) {
            exit::INCONCLUSIVE
        } else {
            exit::PASS
        }
    }
}

impl Job<'_> {
    fn run(&self, table: &Table, session: &mut Session<'_>) -> Result<(u8, String), String> {
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
        for (named, state, why) in &table.left_out {
            let mut figure = Figure::new("comparison", Err(why.clone()), "");
            figure = figure.of(&named.operation, &named.isa, &named.delivery);
            match state {
                Some(state) => ledger.push(path_row(named, *state, Some(why.clone()))),
                None => session.put(Record::Figure(figure))?,
            }
        }
        let bar = bar(self.common, table.rows.len());
        let mut totals = Totals::default();
        let started = std::time::Instant::now();
        for row in &table.rows {
            bar.set_message(format!("{} at {}", row.head.name(), row.load));
            let left = self
                .args
                .within
                .map(|within| within - started.elapsed().as_secs_f64());
            let (comparison, finding) = match left {
                Some(left) if left <= 0.0 => (self.not_reached(row), None),
                _ => self.row(row, left, &mut totals),
            };
            enter(&mut ledger, row, &comparison, finding.as_ref());
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
        Ok(self.verdict(&totals, table.rows.len()))
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

    /// Compares, or says why nothing can be.
    fn row(
        &self,
        row: &Row,
        left: Option<f64>,
        totals: &mut Totals,
    ) -> (Comparison, Option<Finding>) {
        if let Some(why) = &self.bases.absent {
            return (self.blank(row, Compared::NoBase, Some(why.clone())), None);
        }
        let mut entrants = [
            (&self.bases.base, &row.base),
            (&self.bases.head, &row.head),
            (&self.bases.control, &row.base),
        ]
        .map(|(links, named)| Entrant {
            links: links.iter().map(Link::of).collect(),
            subjected: row.subjected(named),
        });
        let stepped = match stepped(&mut entrants) {
            Ok(stepped) => stepped,
            Err(fault) => return self.faulty(row, fault, totals),
        };
        let mut blank = self.blank(row, Compared::Void, None);
        let function = |steps: &Option<Steps>| {
            let (name, at) = steps.as_ref()?.function.as_ref()?;
            Some(format!("{name} at {at:#x}"))
        };
        for (side, steps) in [&mut blank.base, &mut blank.head].into_iter().zip(&stepped) {
            side.instructions = steps.as_ref().and_then(|steps| steps.own);
            side.function = function(steps);
        }
        blank.control_function = function(&stepped[2]);
        if let ([Some(base), Some(head), _], true) = (&stepped, self.bases.is_revision())
            && base.same_as(head)
        {
            blank.verdict = Compared::Identical;
            let own = base.own.unwrap_or_default();
            blank.reason = Some(format!("the same {own} instructions in the same order"));
            return (blank, None);
        }
        let budget = left.unwrap_or(f64::INFINITY).min(self.args.budget);
        let draw = rng(mix(&[self.seed, row.seed, 2]));
        let budget = Duration::from_secs_f64(budget.max(0.0));
        let method = Method {
            // What several links are for is to see what their layouts do.
            moved: !self.args.as_linked && self.args.layouts.is_none(),
            ..Method::PAIRED
        };
        match measure(&mut entrants, &self.rule, method, budget, draw) {
            Ok(measured) => (self.record(blank, measured), None),
            Err(fault) => self.faulty(row, fault, totals),
        }
    }

    /// What a row is whose side has failed, and whether that is a finding. What is wrong with another build is none of this program.
    fn faulty(
        &self,
        row: &Row,
        (side, fault): (usize, Fault),
        totals: &mut Totals,
    ) -> (Comparison, Option<Finding>) {
        let of = NAMES[side];
        let others = side != 1 && self.bases.is_revision();
        let mut finding = None;
        let (verdict, why) = match fault {
            // The control is a build of the base's.
            Fault::Absent(why) if side != 1 => (Compared::NoBase, why),
            Fault::Absent(why) => (Compared::Inconclusive, why),
            Fault::Finding(why) if others => (Compared::NoBase, format!("the {of}'s path: {why}")),
            Fault::Finding(why) => {
                finding = Some(self.finding(row, side, &why));
                (Compared::Void, format!("the {of}'s path: {why}"))
            }
            Fault::Broken(why) => {
                totals.broken.push(format!("{}: {why}", row.head.name()));
                (Compared::Void, why)
            }
        };
        (self.blank(row, verdict, Some(why)), finding)
    }

    fn record(&self, blank: Comparison, measured: Measured) -> Comparison {
        let as_linked = measured.as_linked.as_ref();
        let as_linked = as_linked.map(|why| format!("code as it was linked: {why}"));
        let reasons: Vec<String> = measured.reason.into_iter().chain(as_linked).collect();
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
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            ..blank
        }
    }

    fn finding(&self, row: &Row, side: usize, why: &str) -> Finding {
        let of = if side == 1 { &row.head } else { &row.base };
        let kind = ["timed out", "panicked", "crashed"];
        let kind = kind.into_iter().find(|kind| why.starts_with(kind));
        Finding {
            operation: of.operation.clone(),
            isa: of.isa.clone(),
            delivery: of.delivery.clone(),
            verdict: kind.unwrap_or("differs").into(),
            detail: format!(
                "{}: {why} (on the input to be compared, {})",
                NAMES[side], row.load
            ),
            dump: None,
            token: String::new(),
            command: self.command(row),
        }
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
        let mut how = format!("--margin {} --seed {}", self.args.margin, self.seed);
        if let Some(build) = &self.args.build {
            how += &format!(" --build {}", quoted(build));
        }
        if let Some(layouts) = self.args.layouts {
            how += &format!(" --layouts {layouts}");
        }
        if self.args.as_linked {
            how += " --as-linked";
        }
        format!("{} compare {sides} {load} {how}", program())
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
        let code = totals.code(self.args.allow_no_base, self.args.fail_inconclusive);
        if no_base > 0 && !self.args.allow_no_base {
            sentence += "; --allow-no-base lets that pass";
        }
        (code, sentence)
    }
}

/// Enters a row into the ledger: each epoch has held its sides against their reference first.
fn enter(ledger: &mut Vec<PathRow>, row: &Row, of: &Comparison, finding: Option<&Finding>) {
    let mut entry = |named: &Named| {
        let known = ledger.iter().position(|known| {
            (&known.operation, &known.isa, &known.delivery)
                == (&named.operation, &named.isa, &named.delivery)
        });
        known.unwrap_or_else(|| {
            ledger.push(path_row(named, State::NotExecuted, None));
            ledger.len() - 1
        })
    };
    let at = entry(&row.head);
    let failed =
        finding.map(
            |of| match of.isa == row.base.isa && of.delivery == row.base.delivery {
                true => entry(&row.base),
                false => at,
            },
        );
    let entry = &mut ledger[at];
    entry.cases += u64::from(of.epochs.max(u32::from(of.verdict == Compared::Identical)));
    if entry.cases > 0 && entry.state == State::NotExecuted {
        entry.state = State::Verified;
        entry.reason = None;
    }
    if entry.state == State::NotExecuted {
        entry.reason.clone_from(&of.reason);
    }
    if of.verdict == Compared::NoBase && entry.cases == 0 {
        entry.state = State::Unavailable;
    }
    if let Some(failed) = failed {
        ledger[failed].state = State::Failed;
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

/// What one call of each side executes, nothing where instructions cannot be stepped; and of their first links, what is to be copied.
fn stepped(entrants: &mut [Entrant; 3]) -> Result<[Option<Steps>; 3], (usize, Fault)> {
    let mut all = [None, None, None];
    for (side, (entrant, steps)) in entrants.iter_mut().zip(&mut all).enumerate() {
        let link = &mut entrant.links[0];
        let started = Process::start(&link.launch, &entrant.subjected, None);
        let (mut process, _) = started.map_err(|fault| (side, fault))?;
        match process.ask(&Ask::Step) {
            Ok(Said::Stepped(of)) => {
                link.recipe = Some(of.recipe.clone());
                *steps = Some(of);
            }
            Ok(_) | Err(Fault::Broken(_)) => {}
            Err(fault) => return Err((side, fault)),
        }
    }
    Ok(all)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn code(verdicts: &[Compared], allow_no_base: bool, fail_inconclusive: bool) -> u8 {
        let mut totals = Totals::default();
        for verdict in verdicts {
            let of = totals.verdicts.entry(*verdict).or_default();
            of.push("a row".into());
        }
        totals.code(allow_no_base, fail_inconclusive)
    }

    #[test]
    fn a_run_without_a_verdict_does_not_pass() {
        use Compared::{Faster, Identical, Inconclusive, NoBase, Same, Slower, Void};
        for (verdicts, want) in [
            (&[][..], exit::NOTHING),
            (&[Same, Identical, Faster], exit::PASS),
            (&[Same, Inconclusive, Void], exit::PASS),
            (&[Inconclusive], exit::INCONCLUSIVE),
            (&[Void, Void], exit::INCONCLUSIVE),
            (&[Slower, Inconclusive], exit::SLOWER),
            (&[Same, NoBase], exit::NOTHING),
            (&[Slower, NoBase], exit::NOTHING),
        ] {
            assert_eq!(code(verdicts, false, false), want, "{verdicts:?}");
        }
        assert_eq!(code(&[Same, Void], false, true), exit::INCONCLUSIVE);
        assert_eq!(code(&[Same, Inconclusive], false, true), exit::INCONCLUSIVE);
        assert_eq!(code(&[Same, NoBase], true, true), exit::PASS);
        assert_eq!(code(&[NoBase], true, false), exit::PASS);
        assert_eq!(code(&[NoBase, Void], true, false), exit::INCONCLUSIVE);
    }
}
