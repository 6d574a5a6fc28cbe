//! `compare`: two paths, or each path and what it was at another revision, measured so that a noisy machine is no excuse.

mod table;
mod totals;

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Compared, Comparison, Figure, Finding, PathRow, Record, Side, State};

use super::session::{Session, complain, default_out, program, program_name};
use super::{Common, CompareArgs, calibrate, drawn_seed};
use crate::case::{mix, rng};
use crate::ledger::exit;
use crate::pair::{
    Ask, Bases, Entrant, Fault, Link, Measured, Method, NAMES, Pinned, Process, Rule, Said, Steps,
    Wanted, measure,
};
use crate::plan::{Settings, quoted};
use crate::worker::{Host, Launch};

pub(super) use table::{Named, Row, SIZES, checked, not_compared, rows};
use table::{Table, of_one, of_two};
use totals::{Totals, shown};

pub(super) fn compare(common: &Common, launch: &Launch, args: &CompareArgs) -> Result<u8, String> {
    let margin = allowed(args)?;
    calibrate::refuse(common, margin)?;
    let seed = args.seed.unwrap_or_else(|| drawn_seed().into());
    let mut host = Host::new(launch, &Settings::default())?;
    let catalog = host.catalog()?;
    drop(host);
    let args = &CompareArgs {
        base: base(args),
        ..args.clone()
    };
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
    let mut records = out.join("compared.jsonl");
    let begin = |records: &Path| Session::begin(common, "compare", Some(seed), Some(records));
    let mut session = begin(&records).or_else(|why| {
        // Another run may be writing it.
        records = out.join(format!("compared-{}.jsonl", std::process::id()));
        begin(&records).map_err(|_| why)
    })?;
    common.note(format_args!("seed {seed}; records: {}", records.display()));
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

/// The revision that is asked for. One that stands in the environment is none where two paths are named, or where it is empty.
fn base(args: &CompareArgs) -> Option<String> {
    let of_environment = std::env::var("PATHPROOF_BASE_REV").ok() == args.base;
    let is_none = |of: &String| of.is_empty() || (of_environment && args.head.is_some());
    args.base.clone().filter(|of| !is_none(of))
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

/// Seconds that a row can have.
pub(super) fn checked_budget(budget: f64) -> Result<(), String> {
    match (0.1..=3600.0).contains(&budget) {
        true => Ok(()),
        false => Err(format!(
            "--budget {budget}: from 0.1 to 3600 seconds a row was expected"
        )),
    }
}

struct Job<'a> {
    common: &'a Common,
    args: &'a CompareArgs,
    seed: u64,
    bases: &'a Bases,
    rule: Rule,
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
                _ => {
                    totals.reached += 1;
                    self.row(row, left, &mut totals)
                }
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
        let (code, sentence) = totals.verdict(self.args);
        Ok(match table.rows.is_empty() {
            false => (code, sentence),
            true => (code, nothing(table)),
        })
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
            Fault::Finding(why) => {
                finding = (!others).then(|| self.finding(row, side, &why));
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
}

/// Why there is no row.
fn nothing(table: &Table) -> String {
    let first = table.left_out.first();
    first.map_or("nothing could be compared".into(), |(named, _, why)| {
        let more = match table.left_out.len() {
            1 => String::new(),
            all => format!("; and {} more", all - 1),
        };
        format!("nothing could be compared: {}: {why}{more}", named.name())
    })
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
                *steps = Some(*of);
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
