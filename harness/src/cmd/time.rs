//! `time`: how fast each path is, at sizes and under the client's loads, beside its peers and against what the memory system
//! allows.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, Finding, PathRow, Record, State};

use super::Common;
use super::session::{Session, complain, program};
use crate::ledger::exit;
use crate::pair::median;
use crate::plan::{Settings, quoted};
use crate::select::{any, matches_nothing, select};
use crate::time::{Given, Nanos, Pace, Timed, Times};
use crate::verdict::{Verdict, side_by_side};
use crate::worker::protocol::{Catalog, OperationEntry, Reply, Request, SubjectEntry};
use crate::worker::{Host, Launch, Stop};

/// Plain bytes a call: common widths of embeddings, a page, and what fits each level of a cache and none.
const SIZES: [usize; 8] = [64, 384, 768, 1536, 4096, 64 << 10, 1 << 20, 64 << 20];
/// Beyond it, inputs and answers of all peers together would not fit the memory of an ordinary machine.
const LARGEST: usize = 256 << 20;
const FULL: Pace = Pace {
    placements: 3,
    rounds: 4,
    slice: 100,
    criterion: Some((50, 150)),
};
/// What is to be measured of each operation.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    sizes: &'a [usize],
    loads: Loads<'a>,
}

#[derive(Clone, Copy)]
enum Loads<'a> {
    All,
    Named(&'a [String]),
}

impl Wanted<'_> {
    /// With what the measurement is to be given, its name in the records.
    fn of(self, entry: &OperationEntry) -> Vec<(Given, String)> {
        let sizes = self.sizes.iter().filter(|size| entry.takes(**size));
        let sizes = sizes.map(|size| (Given::Bytes(*size), size.to_string()));
        let loads = entry.loads.iter().enumerate();
        let loads = loads.filter(|(_, (name, ..))| match self.loads {
            Loads::All => true,
            Loads::Named(names) => names.contains(name),
        });
        let loads = loads.map(|(number, (name, ..))| (Given::Load(number), name.clone()));
        sizes.chain(loads).collect()
    }
}

/// What `run` measures, to be done in seconds.
const SHORT_SIZES: [usize; 2] = [384, 4096];
const SHORT: Pace = Pace {
    placements: 3,
    rounds: 2,
    slice: 50,
    criterion: Some((10, 30)),
};
/// The name of the peer that only reads and writes: what the memory system allows.
const ROOFLINE: &str = "roofline";
/// A worker may be this long in one measurement without a sign of life.
const PATIENCE: u64 = 120_000;

/// The verb: every selected path, its peers and its scalar sibling, at every size.
pub(super) fn time(
    common: &Common,
    launch: &Launch,
    filter: Option<&str>,
    sizes: &[usize],
    loads: &[String],
    seed: u64,
) -> Result<u8, String> {
    let settings = Settings {
        seed,
        timeout: PATIENCE,
        ..Settings::default()
    };
    if let Some(size) = sizes.iter().find(|size| !(1..=LARGEST).contains(*size)) {
        return Err(format!(
            "--sizes {size}: from 1 to at most {LARGEST} bytes can be measured"
        ));
    }
    let mut host = Host::new(launch, &settings)?;
    let catalog = host.catalog()?;
    let selected = select(&catalog, filter)?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, filter));
        return Ok(exit::NOTHING);
    }
    let offered = || {
        let chosen = catalog.operations.iter().zip(&selected);
        let chosen = chosen.filter(|(_, selected)| selected.contains(&true));
        chosen.flat_map(|(entry, _)| entry.loads.iter().map(|(name, ..)| name))
    };
    if let Some(load) = loads
        .iter()
        .find(|load| offered().all(|name| name != *load))
    {
        let offered: Vec<&str> = offered().map(String::as_str).collect();
        return Err(format!(
            "--load {load:?}: these operations have no such load; they have [{}]",
            offered.join("; ")
        ));
    }
    // Who names some wants no others.
    let wanted = match (sizes, loads) {
        ([], []) => Wanted {
            sizes: &SIZES,
            loads: Loads::All,
        },
        _ => Wanted {
            sizes,
            loads: Loads::Named(loads),
        },
    };
    let mut session = Session::begin(common, "time", Some(seed), None)?;
    common.note(format_args!("seed {seed}"));
    let measured = measure(
        common,
        &mut host,
        &catalog,
        &selected,
        wanted,
        FULL,
        &mut session,
    );
    let verdict = measured.and_then(|rows| {
        let failed = rows.iter().filter(|row| row.state == State::Failed).count();
        let asked = |row: &&PathRow| {
            let entries = catalog.operations.iter().zip(&selected);
            let mut subjects = entries.flat_map(|(entry, selected)| {
                (0..entry.subjects.len())
                    .filter(|s| selected[*s])
                    .map(|s| entry.path_name(s))
            });
            subjects.any(|name| name == row.name())
        };
        let timed = rows
            .iter()
            .filter(asked)
            .filter(|row| row.state == State::Verified)
            .count();
        rows.into_iter()
            .try_for_each(|row| session.put(Record::Path(row)))?;
        Ok(match (failed, timed) {
            (0, 0) => (
                exit::NOTHING,
                "nothing that was asked for could be timed".to_string(),
            ),
            (0, _) => (
                exit::PASS,
                "every path and peer agreed with its reference before it was timed".to_string(),
            ),
            (n, _) => (
                exit::FINDING,
                format!(
                    "{n} path(s) or peer(s) did not agree with their reference, and were not timed"
                ),
            ),
        })
    });
    session.conclude(verdict)
}

/// The short measurement of the main job, of what has just been verified; how many did not agree here.
pub(super) fn short(
    common: &Common,
    launch: &Launch,
    catalog: &Catalog,
    selected: &[Vec<bool>],
    seed: u64,
    session: &mut Session<'_>,
) -> Result<usize, String> {
    let settings = Settings {
        seed,
        timeout: PATIENCE,
        ..Settings::default()
    };
    let mut host = Host::new(launch, &settings)?;
    let rows = measure(
        common,
        &mut host,
        catalog,
        selected,
        Wanted {
            sizes: &SHORT_SIZES,
            loads: Loads::Named(&[]),
        },
        SHORT,
        session,
    )?;
    let failed: Vec<PathRow> = rows
        .into_iter()
        .filter(|row| row.state == State::Failed)
        .collect();
    let count = failed.len();
    failed
        .into_iter()
        .try_for_each(|row| session.put(Record::Path(row)))?;
    Ok(count)
}

/// Measures, and records the figures; the rows of what was measured.
fn measure(
    common: &Common,
    host: &mut Host,
    catalog: &Catalog,
    selected: &[Vec<bool>],
    wanted: Wanted<'_>,
    pace: Pace,
    session: &mut Session<'_>,
) -> Result<Vec<PathRow>, String> {
    let chosen = || {
        catalog
            .operations
            .iter()
            .enumerate()
            .filter(|(o, _)| selected[*o].contains(&true))
    };
    let target = if common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let count: usize = chosen().map(|(_, entry)| wanted.of(entry).len()).sum();
    let bar = ProgressBar::with_draw_target(Some(count as u64), target);
    let style = ProgressStyle::with_template(
        "timing {wide_bar} {pos} of {len} sizes and loads, {eta} left; now: {msg}",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut measured = Vec::new();
    for (operation, entry) in chosen() {
        // Ratios need their bases, whatever was selected.
        let base = |s: &usize| {
            let its = &entry.subjects[*s];
            let chosen = || {
                entry
                    .subjects
                    .iter()
                    .zip(&selected[operation])
                    .filter(|(_, selected)| **selected)
            };
            let sibling =
                its.delivery == "fills" && chosen().any(|(other, _)| other.isa == its.isa);
            selected[operation][*s] || its.peer || its.isa == "scalar" || sibling
        };
        let subjects: Vec<usize> = (0..entry.subjects.len()).filter(base).collect();
        let mut rows: Vec<PathRow> = subjects.iter().map(|s| row(entry, *s)).collect();
        for (given, name) in wanted.of(entry) {
            let shown = match given {
                Given::Bytes(bytes) => format!("{bytes} bytes"),
                Given::Load(_) => name.clone(),
            };
            bar.set_message(format!("{}, {shown}", entry.name));
            let request = Request::Time {
                operation,
                subjects: subjects.clone(),
                given,
                pace,
            };
            let times = match host.ask(&request, &mut |_, _, _| {}) {
                Ok(Reply::Times(times)) => times,
                Ok(other) => return Err(format!("a worker replied {other:?} to a measurement")),
                Err(Stop::Broken(why)) => return Err(why),
                Err(Stop::Death(death)) => {
                    let path = entry.path_name(death.at.subject);
                    return Err(format!(
                        "{path}, {shown}: {}; `verify {path}` finds the case",
                        death.verdict()
                    ));
                }
            };
            for record in (Table {
                entry,
                subjects: &subjects,
                given,
                name: &name,
                seed: host.seed(),
                times: &times,
            })
            .records()
            {
                session.put(record)?;
            }
            for (row, timed) in rows.iter_mut().zip(&times.subjects) {
                match timed {
                    Timed::Placements(_) if row.state != State::Failed => {
                        row.cases += u64::from(pace.placements);
                        row.state = State::Verified;
                    }
                    Timed::Finding(_) => row.state = State::Failed,
                    _ => {}
                }
            }
            bar.inc(1);
        }
        measured.extend(rows);
    }
    bar.finish_and_clear();
    Ok(measured)
}

fn row(entry: &OperationEntry, subject: usize) -> PathRow {
    let its = &entry.subjects[subject];
    PathRow {
        operation: entry.name.clone(),
        isa: its.isa.clone(),
        delivery: its.delivery.clone(),
        state: if its.unavailable.is_some() {
            State::Unavailable
        } else {
            State::NotExecuted
        },
        cases: 0,
        reason: its.unavailable.clone(),
        errors: None,
        receipt: None,
        peer: its.peer,
    }
}

/// The times of an operation at one size or load, and what follows from them.
struct Table<'a> {
    entry: &'a OperationEntry,
    subjects: &'a [usize],
    given: Given,
    name: &'a str,
    seed: u64,
    times: &'a Times,
}

impl Table<'_> {
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (i, timed) in self.times.subjects.iter().enumerate() {
            match timed {
                Timed::Not(why) => {
                    records.push(self.figure(i, "throughput", "GB/s", Err(why.clone())))
                }
                Timed::Finding(verdict) => {
                    records.push(self.figure(
                        i,
                        "throughput",
                        "GB/s",
                        Err(format!("not timed: {verdict}")),
                    ));
                    records.push(Record::Finding(self.finding(i, verdict)));
                }
                Timed::Placements(placements) => records.extend(self.of(i, placements)),
            }
        }
        records
    }

    fn of(&self, i: usize, placements: &[Nanos]) -> Vec<Record> {
        let gigabytes =
            |nanos: &Nanos| self.times.work as f64 / nanos.criterion.unwrap_or(nanos.turns);
        let mut speeds: Vec<f64> = placements.iter().map(gigabytes).collect();
        speeds.sort_by(f64::total_cmp);
        let throughput = [
            ("throughput", median(&mut speeds)),
            ("throughput least", speeds.first().copied()),
            ("throughput most", speeds.last().copied()),
        ];
        let throughput = throughput.map(|(quantity, value)| {
            self.figure(
                i,
                quantity,
                "GB/s",
                value.ok_or_else(|| "no placement".into()),
            )
        });
        let mut records = Vec::from(throughput);
        let its = &self.entry.subjects[self.subjects[i]];
        let same = |isa: &str, delivery: &str| {
            self.find(|s| !s.peer && s.isa == isa && s.delivery == delivery)
        };
        if !its.peer {
            let scalar = same("scalar", &its.delivery).or_else(|| same("scalar", "fills"));
            records.extend(self.ratio(i, "speed against scalar", "x".into(), scalar));
            if let Some(best) = self.best_peer() {
                let unit = format!("x {}", self.entry.subjects[self.subjects[best]].isa);
                records.extend(self.ratio(i, "speed against the best peer", unit, Some(best)));
            }
            records.extend(self.ratio(
                i,
                "speed against roofline",
                "x".into(),
                self.find(|s| s.peer && s.isa == ROOFLINE),
            ));
        }
        if self.given == Given::Bytes(SIZES[0]) && !its.peer && its.delivery == "fills" {
            let mut nanos: Vec<f64> = placements.iter().map(|n| n.turns).collect();
            let value = median(&mut nanos).ok_or_else(|| "no placement".into());
            let mut figure = self.figure(i, "a call", "ns", value);
            if let Record::Figure(figure) = &mut figure {
                figure.split = Some(format!("{} B", self.name));
            }
            records.push(figure);
        }
        // Beside each other in one table, a load's throughputs say the rest.
        if let Given::Load(_) = self.given {
            return records;
        }
        // What it costs to have the ISA chosen at run time; said only where all that it chooses from was measured.
        if its.isa == "auto"
            && self.has_all(&its.delivery)
            && let Some(fastest) =
                self.fastest(|s| !s.peer && s.isa != "auto" && s.delivery == its.delivery)
            && let Some(ratio) = self.speed(fastest, i)
        {
            let unit = format!(
                "x the time of {}",
                self.entry.subjects[self.subjects[fastest]].isa
            );
            records.push(self.figure(i, "auto against the fastest", &unit, Ok(ratio)));
        }
        if its.delivery != "fills"
            && let Some(fills) = same(&its.isa, "fills")
            && let Some(ratio) = self.speed(fills, i)
        {
            let quantity = format!("{} against fills", its.delivery);
            records.push(self.figure(i, &quantity, "x the time", Ok(ratio)));
        }
        records
    }

    fn find(&self, is: impl Fn(&SubjectEntry) -> bool) -> Option<usize> {
        self.subjects
            .iter()
            .position(|s| is(&self.entry.subjects[*s]))
    }

    /// Whether every path of a delivery that can run here is among those measured.
    fn has_all(&self, delivery: &str) -> bool {
        let mut all = self.entry.subjects.iter().enumerate();
        all.all(|(s, its)| {
            let owed = !its.peer && its.delivery == delivery && its.unavailable.is_none();
            !owed || self.subjects.contains(&s)
        })
    }

    /// The fastest peer that does the work.
    fn best_peer(&self) -> Option<usize> {
        self.fastest(|s| s.peer && s.isa != ROOFLINE)
    }

    fn fastest(&self, is: impl Fn(&SubjectEntry) -> bool) -> Option<usize> {
        let time = |i: usize| match &self.times.subjects[i] {
            Timed::Placements(placements) => {
                median(&mut placements.iter().map(|n| n.turns).collect::<Vec<_>>())
            }
            _ => None,
        };
        let those =
            (0..self.subjects.len()).filter(|i| is(&self.entry.subjects[self.subjects[*i]]));
        those
            .filter_map(|i| Some((i, time(i)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(i, _)| i)
    }

    /// How many times as fast `i` is as `base`: per placement from slices that took turns, the median over placements.
    fn speed(&self, i: usize, base: usize) -> Option<f64> {
        let (Timed::Placements(its), Timed::Placements(bases)) =
            (&self.times.subjects[i], &self.times.subjects[base])
        else {
            return None;
        };
        let mut ratios: Vec<f64> = its
            .iter()
            .zip(bases)
            .map(|(its, base)| base.turns / its.turns)
            .collect();
        median(&mut ratios)
    }

    fn ratio(&self, i: usize, quantity: &str, unit: String, base: Option<usize>) -> Option<Record> {
        let base = base.filter(|base| *base != i)?;
        Some(self.figure(i, quantity, &unit, Ok(self.speed(i, base)?)))
    }

    fn figure(&self, i: usize, quantity: &str, unit: &str, value: Result<f64, String>) -> Record {
        let its = &self.entry.subjects[self.subjects[i]];
        let figure = Figure::new(quantity, value, unit).split(self.name);
        Record::Figure(figure.of(&self.entry.name, &its.isa, &its.delivery))
    }

    fn finding(&self, i: usize, verdict: &Verdict) -> Finding {
        let subject = self.subjects[i];
        let its = &self.entry.subjects[subject];
        let path = self.entry.path_name(subject);
        let (on, again) = match self.given {
            Given::Bytes(size) => (format!("{size} plain bytes"), format!("--sizes {size}")),
            Given::Load(_) => (self.name.into(), format!("--load {}", quoted(self.name))),
        };
        Finding {
            operation: self.entry.name.clone(),
            isa: its.isa.clone(),
            delivery: its.delivery.clone(),
            verdict: verdict.kind().into(),
            detail: format!("{} (on the input to be timed, {on})", verdict.detail(),),
            dump: side_by_side(verdict),
            token: String::new(),
            command: format!("{} time {path} {again} --seed {}", program(), self.seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> OperationEntry {
        let subject = |isa: &str, delivery: &str, peer| SubjectEntry {
            isa: isa.into(),
            delivery: delivery.into(),
            peer,
            unavailable: None,
            executes: Vec::new(),
            only: None,
            zero_copy: false,
            block: 64,
            classes: vec![],
            switches_at: Vec::new(),
            on_threads: false,
            in_place: false,
        };
        OperationEntry {
            name: "op".into(),
            params: Vec::new(),
            usual: Default::default(),
            longest: None,
            swept: 512,
            long: 4097,
            loads: Vec::new(),
            sets: Vec::new(),
            laws: Vec::new(),
            accepted: None,
            subjects: vec![
                subject("scalar", "fills", false),
                subject("avx2", "fills", false),
                subject("avx2", "returns", false),
                subject("auto", "fills", false),
                subject("hex", "fills", true),
                subject("roofline", "fills", true),
            ],
            checks: Vec::new(),
        }
    }

    /// Three placements, of which the middle one counts.
    fn took(nanos: f64) -> Timed {
        let placement = |factor: f64| Nanos {
            turns: nanos * factor,
            criterion: Some(2.0 * nanos * factor),
        };
        Timed::Placements(vec![placement(1.0), placement(3.0), placement(2.0)])
    }

    #[test]
    fn ratios_are_of_turns_and_throughput_is_of_criterion() {
        let entry = entry();
        let times = Times {
            work: 4000,
            subjects: [1000.0, 100.0, 150.0, 110.0, 50.0, 10.0].map(took).into(),
        };
        let subjects: Vec<usize> = (0..6).collect();
        let records = Table {
            entry: &entry,
            subjects: &subjects,
            given: Given::Bytes(64),
            name: "64",
            seed: 1,
            times: &times,
        }
        .records();
        let of = |path: &str, quantity: &str| {
            let found = records.iter().find_map(|record| match record {
                Record::Figure(f) if f.name() == path && f.quantity == quantity => Some(f),
                _ => None,
            });
            found.and_then(|f| Some((f.value?, f.unit.as_str())))
        };
        assert_eq!(of("op/avx2/fills", "throughput"), Some((10.0, "GB/s")));
        assert_eq!(
            of("op/avx2/fills", "throughput least"),
            Some((4000.0 / 600.0, "GB/s"))
        );
        assert_eq!(of("op/avx2/fills", "throughput most"), Some((20.0, "GB/s")));
        assert_eq!(
            of("op/avx2/fills", "speed against scalar"),
            Some((10.0, "x"))
        );
        // The roofline is no codec, so that the best peer is the other one.
        assert_eq!(
            of("op/avx2/fills", "speed against the best peer"),
            Some((0.5, "x hex"))
        );
        assert_eq!(
            of("op/avx2/fills", "speed against roofline"),
            Some((0.1, "x"))
        );
        assert_eq!(
            of("op/avx2/returns", "returns against fills"),
            Some((1.5, "x the time"))
        );
        assert_eq!(
            of("op/auto/fills", "auto against the fastest"),
            Some((1.1, "x the time of avx2"))
        );
        assert_eq!(of("op/auto/fills", "a call"), Some((220.0, "ns")));
        assert_eq!(of("op/scalar/fills", "speed against scalar"), None);
        assert_eq!(of("op/hex/fills", "speed against scalar"), None);
    }
}
