//! `calibrate`: how often a comparison on this machine cries wolf, and how often it sees what there is to be seen.

mod kept;
mod planted;
mod rates;

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::ProgressBar;
use pathproof_reports::{Calibration, Compared, Figure, PathRow, Record, State};

use super::compare::{
    Named, Row, SIZES, bar, checked, checked_budget, not_compared, path_row, rows,
};
use super::session::{Session, complain, default_out, program_name};
use super::{CalibrateArgs, Common, drawn_seed};
use crate::case::{mix, rng};
use crate::ledger::exit;
use crate::mutate::moved::{Move, Slow};
use crate::pair::{
    ALPHA, Entrant, Fault, Link, Measured, Method, Moved, Pinned, Rule, Wanted, measure, median,
    of_this_program,
};
use crate::plan::Settings;
use crate::select::{any, matches_nothing, select};
use crate::worker::protocol::Catalog;
use crate::worker::{Host, Launch};

pub(super) use kept::refuse;
use planted::{SLOWED, not_slowed};
use rates::{alarms, verdict};

/// The name of the method by which `compare` compares.
const PAIRED: &str = "paired";

/// Links of this program: a base, a head and a control that all lie elsewhere.
const LINKS: u32 = 3;

pub(super) fn calibrate(
    common: &Common,
    launch: &Launch,
    args: &CalibrateArgs,
) -> Result<u8, String> {
    let method = method(args)?;
    let seed = args.seed.unwrap_or_else(|| drawn_seed().into());
    let mut host = Host::new(launch, &Settings::default())?;
    let catalog = host.catalog()?;
    drop(host);
    let selected = select(&catalog, args.filter.as_deref())?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, args.filter.as_deref()));
        return Ok(exit::NOTHING);
    }
    let (all, left_out) = offered(&catalog, &selected, &args.sizes, seed);
    if all.is_empty() {
        let why = left_out.first().map_or_else(String::new, |of| {
            format!("; {}: {}", of.named.name(), of.why)
        });
        complain(format_args!(
            "nothing ran: no path that was asked for can be compared here{why}"
        ));
        return Ok(exit::NOTHING);
    }
    let table = spread(all, args);
    let place = args
        .records
        .clone()
        .unwrap_or_else(|| kept::place(&args.method));
    // What `compare` reads stays what it was until there is something better.
    let is_kept = args.records.is_none() && args.method == PAIRED;
    let records = match is_kept {
        true => kept::aside(&place),
        false => place.clone(),
    };
    if let Some(folder) = records.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    let mut session = Session::begin(common, "calibrate", Some(seed), Some(&records))?;
    common.note(format_args!("seed {seed}"));
    let run = (|| {
        put_left_out(left_out, &mut session)?;
        let links = links(common, launch, args)?;
        let pinned = Pinned::to(args.core)?;
        session.put(Record::Figure(Figure::new(
            "core",
            Ok(pinned.core as f64),
            "shared by all sides",
        )))?;
        let mut job = Job {
            args,
            method,
            margin: args.margin / 100.0,
            rows: table.len(),
            links: links.iter().map(Link::of).collect(),
            bar: bar(common, due(args, table.len(), table.len())),
            seed,
            drawn: 0,
            ledger: Vec::new(),
            faults: Vec::new(),
        };
        for (number, row) in table.iter().enumerate() {
            job.row(number, row, &mut session)?;
        }
        job.end(&mut session)
    })();
    let ended = run.is_ok();
    let code = session.conclude(run);
    let all = &session.report().records;
    let meaning = match is_kept && ended {
        true => kept::keep(&records, &place, all)?,
        false => None,
    };
    match meaning {
        Some(meaning) => common.note(format_args!("{meaning}; records: {}", place.display())),
        None if is_kept => common.note(format_args!(
            "this says nothing of what margins `compare` may have, and {} is as it was; records: {}",
            place.display(),
            records.display()
        )),
        None => common.note(format_args!("records: {}", records.display())),
    }
    code
}

/// The method that is asked for, if all that is asked for can be done.
fn method(args: &CalibrateArgs) -> Result<Method, String> {
    if !(0.1..=20.0).contains(&args.margin) {
        return Err(format!(
            "--margin {}: from 0.1 to 20 percent was expected",
            args.margin
        ));
    }
    if let Some(effect) = args.effects.iter().find(|e| !(0.5..=50.0).contains(*e)) {
        return Err(format!(
            "--effects {effect}: from 0.5 to 50 percent was expected"
        ));
    }
    checked(&args.sizes)?;
    checked_budget(args.budget)?;
    let known = Method::ALL.iter().find(|(name, _)| *name == args.method);
    known.map(|(_, method)| *method).ok_or_else(|| {
        let names = Method::ALL.map(|(name, _)| name);
        format!(
            "--method {}: one of {} was expected",
            args.method,
            names.join(", ")
        )
    })
}

/// A path that is not compared, and why.
struct LeftOut {
    named: Named,
    why: String,
    unavailable: bool,
}

/// All rows of the paths that are asked for, and the paths that can have none.
fn offered(
    catalog: &Catalog,
    selected: &[Vec<bool>],
    sizes: &[usize],
    seed: u64,
) -> (Vec<Row>, Vec<LeftOut>) {
    let sizes = if sizes.is_empty() { &SIZES[..] } else { sizes };
    let (mut all, mut left_out) = (Vec::new(), Vec::new());
    for (entry, selected) in catalog.operations.iter().zip(selected) {
        for subject in (0..entry.subjects.len()).filter(|s| selected[*s]) {
            let its = &entry.subjects[subject];
            let named = Named::of(entry, subject);
            match not_compared(its) {
                _ if its.peer => {}
                Some(why) => left_out.push(LeftOut {
                    named,
                    why,
                    unavailable: its.unavailable.is_some(),
                }),
                None => all.extend(rows(entry, (named.clone(), named), (sizes, &[]), seed)),
            }
        }
    }
    (all, left_out)
}

/// As many rows as are asked for and have a comparison each, spread evenly over all.
fn spread(all: Vec<Row>, args: &CalibrateArgs) -> Vec<Row> {
    let each = if args.effects.is_empty() {
        0
    } else {
        args.each
    };
    let count = args.rows.min(all.len()).min(args.nulls.max(each) as usize);
    let step = all.len() as f64 / count as f64;
    let wanted: Vec<usize> = (0..count).map(|n| (n as f64 * step) as usize).collect();
    all.into_iter()
        .enumerate()
        .filter(|(n, _)| wanted.contains(n))
        .map(|(_, row)| row)
        .collect()
}

fn put_left_out(left_out: Vec<LeftOut>, session: &mut Session<'_>) -> Result<(), String> {
    left_out.into_iter().try_for_each(|of| {
        let Named {
            operation,
            isa,
            delivery,
        } = &of.named;
        session.put(match of.unavailable {
            true => Record::Path(path_row(&of.named, State::Unavailable, Some(of.why))),
            false => {
                let figure = Figure::new("calibration", Err(of.why), "");
                Record::Figure(figure.of(operation, isa, delivery))
            }
        })
    })
}

/// How many of `count` comparisons are due when so many of the rows are done.
fn share(count: u32, done: usize, rows: usize) -> usize {
    count as usize * done / rows
}

/// The same of all comparisons.
fn due(args: &CalibrateArgs, done: usize, rows: usize) -> usize {
    share(args.nulls, done, rows) + args.effects.len() * share(args.each, done, rows)
}

/// Links that lie elsewhere each, or this program itself.
fn links(common: &Common, launch: &Launch, args: &CalibrateArgs) -> Result<Vec<Launch>, String> {
    if args.one_link {
        return Ok(vec![launch.clone(); LINKS as usize]);
    }
    common.note("linking this program anew, so that its code lies elsewhere at each side; the first time, all of it is built for that");
    let sources = Wanted {
        revision: None,
        file: None,
        build: None,
        layouts: None,
        home: &default_out().join("base"),
        program: &program_name(),
        loud: !common.quiet,
    };
    of_this_program(launch, &sources, LINKS)
        .map_err(|why| format!("{why}; --one-link compares this program with itself"))
}

struct Job<'a> {
    args: &'a CalibrateArgs,
    method: Method,
    margin: f64,
    rows: usize,
    /// With what is to be copied of each, of the row that is at hand.
    links: Vec<Link>,
    bar: ProgressBar,
    seed: u64,
    /// How many comparisons there have been.
    drawn: u64,
    /// A row for each path.
    ledger: Vec<PathRow>,
    /// What ended the comparisons of a row.
    faults: Vec<Ended>,
}

/// Why a row has no more comparisons, and the exit code for that.
struct Ended {
    code: u8,
    why: String,
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        let (code, why) = match fault {
            Fault::Absent(why) => (exit::NOTHING, why),
            Fault::Finding(why) => (exit::FINDING, why),
            Fault::Broken(why) => (exit::TROUBLE, why),
        };
        Self { code, why }
    }
}

impl Job<'_> {
    /// All comparisons of one row: its share of the nulls and of each effect. What ends them ends no other row's.
    fn row(&mut self, number: usize, row: &Row, session: &mut Session<'_>) -> Result<(), String> {
        let [nulls, each] = [self.args.nulls, self.args.each]
            .map(|count| share(count, number + 1, self.rows) - share(count, number, self.rows));
        self.links.iter_mut().for_each(|link| link.recipe = None);
        self.say(row, "equal");
        let mut ended = self.cell(row, 0.0, None, nulls, session)?;
        if ended.is_none() && each > 0 && !self.args.effects.is_empty() {
            ended = self.effects(row, each, session)?;
        }
        if let Some(Ended { code, why }) = ended {
            session.put(of_row(row, "calibration", why.clone()))?;
            let ledger = self.ledger_of(row);
            if code == exit::FINDING {
                ledger.state = State::Failed;
            }
            if ledger.state != State::Verified {
                ledger.reason = Some(why.clone());
            }
            let why = format!("{} at {}: {why}", row.head.name(), row.load);
            self.faults.push(Ended { code, why });
        }
        let due = due(self.args, number + 1, self.rows);
        self.bar.set_position(due as u64);
        Ok(())
    }

    fn say(&self, row: &Row, what: &str) {
        self.bar
            .set_message(format!("{} at {}, {what}", row.head.name(), row.load));
    }

    /// A row's comparisons of each effect.
    fn effects(
        &mut self,
        row: &Row,
        each: usize,
        session: &mut Session<'_>,
    ) -> Result<Option<Ended>, String> {
        self.say(row, "how it is made slower");
        let probed = self
            .turns(row)
            .and_then(|turns| Ok((turns, self.probe(row)?)));
        let (turns, mut looks) = match probed {
            Ok(probed) => probed,
            Err(why) => return session.put(not_slowed(row, why)).map(|()| None),
        };
        for percent in self.args.effects.clone() {
            let effect = percent / 100.0;
            self.say(row, &format!("{percent} % slower"));
            let slow = self.tuned(row, &mut looks, turns, effect);
            match slow.and_then(|slow| self.counted(row, turns, slow)) {
                Err(why) => session.put(not_slowed(row, why))?,
                Ok(slow) => {
                    let ended = self.cell(row, effect, Some(slow), each, session)?;
                    if ended.is_some() {
                        return Ok(ended);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Three links, another one in each place every time; the head's and the others' paths slowed, or none.
    fn entrants(&self, row: &Row, slow: Option<Slow>) -> [Entrant; 3] {
        [0, 1, 2].map(|side: u32| {
            let link = (self.drawn as usize + side as usize) % self.links.len();
            let mut subjected = row.subjected(&row.head);
            subjected.moved = slow.map(|slow| Moved {
                how: Move {
                    place: 0,
                    // The others are copies, too, with nothing added.
                    slow: Slow {
                        extra: if side == 1 { slow.extra } else { 0 },
                        ..slow
                    },
                },
                recipe: None,
            });
            Entrant {
                links: vec![self.links[link].clone()],
                subjected,
            }
        })
    }

    fn measured(
        &mut self,
        row: &Row,
        slow: Option<Slow>,
        rule: &Rule,
        method: Method,
    ) -> Result<Measured, Ended> {
        self.drawn += 1;
        let mut entrants = self.entrants(row, slow);
        let draw = rng(mix(&[self.seed, row.seed, self.drawn]));
        let budget = Duration::from_secs_f64(self.args.budget);
        let measured = measure(&mut entrants, rule, method, budget, draw);
        for (side, entrant) in entrants.iter().enumerate() {
            let link = (self.drawn as usize + side) % self.links.len();
            self.links[link].recipe.clone_from(&entrant.links[0].recipe);
        }
        measured.map_err(|(_, fault)| fault.into())
    }

    /// So many comparisons of one kind. Those before a fault count.
    fn cell(
        &mut self,
        row: &Row,
        effect: f64,
        slow: Option<Slow>,
        count: usize,
        session: &mut Session<'_>,
    ) -> Result<Option<Ended>, String> {
        // An effect that equals the margin comes out as anything, by construction.
        let margin = if effect > 0.0 {
            self.margin.min(effect / 2.0)
        } else {
            self.margin
        };
        let rule = Rule::new(margin, self.rows);
        let mut verdicts: BTreeMap<Compared, u32> = BTreeMap::new();
        let (mut ratios, mut seconds) = (Vec::new(), Vec::new());
        let (mut ended, mut as_linked) = (None, None);
        for _ in 0..count {
            match self.measured(row, slow, &rule, self.method) {
                Ok(measured) => {
                    *verdicts.entry(measured.verdict).or_default() += 1;
                    ratios.extend(measured.ratio.map(|ratio| ratio.at - 1.0));
                    seconds.push(measured.seconds);
                    as_linked = as_linked.or(measured.as_linked);
                    self.bar.inc(1);
                }
                Err(why) => {
                    ended = Some(why);
                    break;
                }
            }
        }
        if let Some(why) = as_linked {
            let why = format!("code as it was linked: {why}");
            session.put(of_row(row, "calibration", why))?;
        }
        self.ledger_of(row).cases += seconds.len() as u64;
        if seconds.is_empty() {
            return Ok(ended);
        }
        let ledger = self.ledger_of(row);
        if ledger.state == State::NotExecuted {
            (ledger.state, ledger.reason) = (State::Verified, None);
        }
        let of = |verdict| verdicts.get(&verdict).copied().unwrap_or_default();
        session.put(Record::Calibration(Calibration {
            operation: row.head.operation.clone(),
            isa: row.head.isa.clone(),
            delivery: row.head.delivery.clone(),
            load: row.load.clone(),
            method: self.args.method.clone(),
            condition: self.args.condition.clone(),
            effect,
            measured: median(&mut ratios),
            margin,
            slower: of(Compared::Slower),
            faster: of(Compared::Faster),
            same: of(Compared::Same),
            inconclusive: of(Compared::Inconclusive),
            void: of(Compared::Void),
            seconds: seconds.iter().sum::<f64>() / seconds.len() as f64,
            seconds_most: seconds.into_iter().fold(0.0, f64::max),
        }))?;
        Ok(ended)
    }

    /// The ledger's row of a path, at whatever size.
    fn ledger_of(&mut self, row: &Row) -> &mut PathRow {
        let Named {
            operation,
            isa,
            delivery,
        } = &row.head;
        let known = self.ledger.iter().position(|known| {
            (&known.operation, &known.isa, &known.delivery) == (operation, isa, delivery)
        });
        let at = known.unwrap_or_else(|| {
            self.ledger
                .push(path_row(&row.head, State::NotExecuted, None));
            self.ledger.len() - 1
        });
        &mut self.ledger[at]
    }

    /// What all rows came to.
    fn end(self, session: &mut Session<'_>) -> Result<(u8, String), String> {
        self.bar.finish_and_clear();
        self.ledger
            .into_iter()
            .try_for_each(|row| session.put(Record::Path(row)))?;
        let report = session.report();
        let cells: Vec<Calibration> = report.calibrations().cloned().collect();
        let (mut code, mut sentence) = verdict(&cells, ALPHA / self.rows as f64);
        let not_slowed = report.figures().filter(|of| of.quantity == SLOWED).count();
        if not_slowed > 0 {
            sentence += &format!("; {not_slowed} times an effect could not be planted");
        }
        if let Some(first) = self.faults.first() {
            let more = match self.faults.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            sentence += &format!("; ended early: {}{more}", first.why);
        }
        // Of several codes the first of this order, as everywhere.
        let order = [exit::TROUBLE, exit::FINDING, exit::NOTHING];
        let has = |wanted: &u8| code == *wanted || self.faults.iter().any(|of| of.code == *wanted);
        if let Some(worst) = order.iter().copied().find(has) {
            code = worst;
        }
        Ok((code, sentence))
    }
}

fn of_row(row: &Row, what: &str, why: String) -> Record {
    let Named {
        operation,
        isa,
        delivery,
    } = &row.head;
    let figure = Figure::new(what, Err(why), "").of(operation, isa, delivery);
    Record::Figure(figure.split(row.load.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_a_comparison_each() {
        let shares = |count: u32, rows: usize| -> Vec<usize> {
            let of = |n| share(count, n + 1, rows) - share(count, n, rows);
            (0..rows).map(of).collect()
        };
        assert_eq!(shares(7, 3), [2, 2, 3]);
        assert_eq!(shares(3, 3), [1, 1, 1]);
    }
}
