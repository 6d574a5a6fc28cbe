//! `calibrate`: how often a comparison on this machine cries wolf, and how often it sees what there is to be seen.

mod kept;

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::ProgressBar;
use pathproof_reports::{Calibration, Compared, Figure, PathRow, Record, State, limits};

use super::compare::{
    Named, Row, SIZES, bar, checked, checked_budget, not_compared, path_row, rows,
};
use super::session::{Session, any, complain, default_out, matches_nothing, program_name, select};
use super::{CalibrateArgs, Common, drawn_seed};
use crate::case::{mix, rng};
use crate::ledger::exit;
use crate::mutate::moved::{Move, Slow};
use crate::pair::{
    ALPHA, Ask, Entrant, Fault, Link, Measured, Method, Moved, Pinned, Process, Rule, Said, Steps,
    Wanted, measure, median, of_this_program,
};
use crate::plan::Settings;
use crate::step;
use crate::worker::protocol::Catalog;
use crate::worker::{Host, Launch};

pub(super) use kept::refuse;

/// The name of the method by which `compare` compares.
const PAIRED: &str = "paired";
/// Links of this program: a base, a head and a control that all lie elsewhere.
const LINKS: u32 = 3;
/// Bodies of a slowed copy: an instruction more in one of them is little.
const BODIES: u32 = 16;
/// Instructions more, while it is found out how many make which difference.
const PROBED: [u32; 7] = [16, 32, 64, 96, 128, 192, 256];
/// Epochs of each such look: it only says where to look closer.
const LOOK: usize = 12;
/// Epochs of a closer look. Beside other load the median of 12 is off by a third of a small effect, and one of several such looks is near
/// by chance alone; that of 48 tells an effect to about a tenth of it.
const CLOSER: usize = 48;
/// Closer looks for each effect, and how far off it is near, and near enough, as a share of it.
const TUNED: usize = 4;
const NEAR: f64 = 0.08;
const ENOUGH: f64 = Calibration::OFF;

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
    if is_kept && !(ended && kept::keep(&records, &place, all)?) {
        common.note(format_args!(
            "{} is as it was; the records of this run are in {}",
            place.display(),
            records.display()
        ));
    } else if args.records.is_none() {
        common.note(format_args!("records: {}", place.display()));
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

/// How much slower so many instructions more make a path.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    extra: u32,
    seen: f64,
    /// Whether it was a closer one.
    close: bool,
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
            let slow = self.tuned(row, &mut looks, effect);
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

    /// How much slower some numbers of instructions make the path.
    fn probe(&mut self, row: &Row) -> Result<Vec<Look>, String> {
        let most = self.args.effects.iter().copied().fold(0.0, f64::max) / 100.0;
        let mut looks = vec![Look {
            extra: 0,
            seen: 0.0,
            close: false,
        }];
        for extra in PROBED {
            let look = self.look(row, extra, false)?;
            looks.push(look);
            if look.seen > most {
                break;
            }
        }
        Ok(looks)
    }

    /// How much slower so many more instructions make the path.
    fn look(&mut self, row: &Row, extra: u32, close: bool) -> Result<Look, String> {
        let method = Method {
            epochs: Some(if close { CLOSER } else { LOOK }),
            ..Method::PAIRED
        };
        let slow = Slow {
            bodies: BODIES,
            extra,
        };
        let measured = self
            .measured(row, Some(slow), &Rule::new(self.margin, 1), method)
            .map_err(|ended| ended.why)?;
        let seen = measured.ratio.map_or(f64::NAN, |ratio| ratio.at) - 1.0;
        Ok(Look { extra, seen, close })
    }

    /// As many instructions as make an effect, by closer looks that come nearer and nearer; or which was the nearest.
    fn tuned(&mut self, row: &Row, looks: &mut Vec<Look>, effect: f64) -> Result<Slow, String> {
        let off = |seen: f64| (seen - effect).abs() / effect;
        let nearest = |looks: &[Look]| {
            let close = looks.iter().filter(|look| look.close).copied();
            close.min_by(|a, b| off(a.seen).total_cmp(&off(b.seen)))
        };
        for _ in 0..TUNED {
            let extra = between(looks, effect);
            match looks.iter().position(|look| look.extra == extra) {
                Some(at) if looks[at].close => break,
                Some(at) => looks[at] = self.look(row, extra, true)?,
                None => {
                    looks.push(self.look(row, extra, true)?);
                    looks.sort_by_key(|look| look.extra);
                }
            }
            if nearest(looks).is_some_and(|look| off(look.seen) < NEAR) {
                break;
            }
        }
        let mut found = nearest(looks).ok_or("no look was taken")?;
        // Once more, for of many looks the nearest is so by chance where each says something else, as of code that waits for memory.
        if off(found.seen) < ENOUGH {
            found = self.look(row, found.extra, true)?;
        }
        let Look { extra, seen, .. } = found;
        match off(seen) < ENOUGH {
            true => Ok(Slow {
                bodies: BODIES,
                extra,
            }),
            false => Err(format!(
                "{} % were wanted: the nearest are {:.1} %, by {extra} instructions in every {BODIES}th turn of its loop",
                100.0 * effect,
                100.0 * seen
            )),
        }
    }

    /// How many more instructions a slowed copy executes than that with nothing added.
    fn more(&mut self, row: &Row, slow: Slow) -> Result<u64, String> {
        let entrants = self.entrants(row, Some(slow));
        let executed = |entrant: &Entrant| -> Result<Steps, Fault> {
            let (mut process, _) =
                Process::start(&entrant.links[0].launch, &entrant.subjected, None)?;
            match process.ask(&Ask::Step)? {
                Said::Stepped(steps) => Ok(steps),
                said => Err(Fault::Broken(format!(
                    "a side said {said:?} when it was to be stepped"
                ))),
            }
        };
        let counts = executed(&entrants[0]).and_then(|base| Ok([base, executed(&entrants[1])?]));
        let counts = counts.map_err(|fault| Ended::from(fault).why)?;
        if counts.iter().any(|steps| steps.sequence.is_none()) {
            return Err(format!(
                "a call executes more than the {} instructions that are stepped, so that what is added cannot be counted",
                step::LIMIT
            ));
        }
        let all =
            |steps: Steps| steps.own.unwrap_or_default() + steps.elsewhere.values().sum::<u64>();
        let [base, head] = counts.map(all);
        head.checked_sub(base).ok_or_else(|| {
            format!(
                "the slowed copy executes {head} instructions, and that with nothing added {base}"
            )
        })
    }

    /// How many turns the loop has in a call: so many more are executed with one instruction more in each.
    fn turns(&mut self, row: &Row) -> Result<u64, String> {
        self.more(
            row,
            Slow {
                bodies: 1,
                extra: 1,
            },
        )
    }

    /// Holds the slowed path's count against that of the copy with nothing added: it must execute what was added, and nothing else.
    fn counted(&mut self, row: &Row, turns: u64, slow: Slow) -> Result<Slow, String> {
        let more = self.more(row, slow)?;
        added(turns, slow, more).map(|()| slow)
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

/// Whether so many instructions more are those that were added to the last of the bodies, which take turns: the loop's first turn is in
/// the first of them. A loop that is left and entered again within a call goes on elsewhere, so that nobody knows what it should be.
///
/// # Errors
/// How many were expected.
fn added(turns: u64, slow: Slow, more: u64) -> Result<(), String> {
    let bodies = turns.min(slow.bodies.into()).max(1);
    let wanted = turns / bodies * u64::from(slow.extra);
    match more == wanted {
        true => Ok(()),
        false => Err(format!(
            "with {} instructions in every {bodies}th of {turns} turns of its loop {more} more are executed, not {wanted}: the turns are not those of one loop that runs through",
            slow.extra
        )),
    }
}

/// The name of the figures that say why there are no comparisons of an effect.
const SLOWED: &str = "slowed";

/// Why a row has no comparisons of an effect.
fn not_slowed(row: &Row, why: String) -> Record {
    of_row(row, SLOWED, why)
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

/// How many instructions more make an effect, by the two looks around it.
fn between(looks: &[Look], effect: f64) -> u32 {
    let above = looks.iter().position(|look| look.seen >= effect);
    let above = above.unwrap_or(looks.len() - 1).max(1);
    let (low, high) = (looks[above - 1], looks[above]);
    let share = ((effect - low.seen) / (high.seen - low.seen)).clamp(0.0, 1.5);
    let extra = f64::from(low.extra) + share * f64::from(high.extra - low.extra);
    (extra.round() as u32).max(1)
}

/// What comparisons of equal code came to.
#[derive(Debug, Default)]
struct Nulls {
    all: u32,
    /// Those that have a verdict: the others say nothing, also not that it is equal.
    decided: u32,
    alarms: u32,
    inconclusive: u32,
    void: u32,
}

impl Nulls {
    /// The limits of the rate of alarms.
    fn rate(&self) -> [f64; 2] {
        rate(self.alarms, self.decided)
    }

    /// Whether there are more alarms than were promised, beyond chance.
    fn too_many(&self, promised: f64) -> bool {
        self.rate()[0] > promised
    }
}

fn alarms(cells: &[Calibration]) -> Nulls {
    let nulls = cells.iter().filter(|cell| cell.effect == 0.0);
    nulls.fold(Nulls::default(), |sum, cell| {
        let alarms = cell.slower + cell.faster;
        Nulls {
            all: sum.all + cell.comparisons(),
            decided: sum.decided + alarms + cell.same,
            alarms: sum.alarms + alarms,
            inconclusive: sum.inconclusive + cell.inconclusive,
            void: sum.void + cell.void,
        }
    })
}

/// The limits of a share, 95 % on both sides together.
fn rate(count: u32, of: u32) -> [f64; 2] {
    limits(count.into(), of.into(), 0.95).unwrap_or([0.0, 1.0])
}

/// Whether the method keeps its promise, and what it sees.
fn verdict(cells: &[Calibration], promised: f64) -> (u8, String) {
    let percent = |share: f64| 100.0 * share;
    let nulls = alarms(cells);
    let Nulls {
        all,
        decided,
        alarms,
        inconclusive,
        void,
    } = nulls;
    let [least, most] = nulls.rate().map(percent);
    let (code, mut sentence) = match (all, decided) {
        (0, _) => (exit::NOTHING, "no equal code was compared".into()),
        (_, 0) => (
            exit::INCONCLUSIVE,
            format!(
                "of {all} comparisons of equal code none has a verdict: {inconclusive} inconclusive, {void} void"
            ),
        ),
        _ => (
            exit::PASS,
            format!(
                "of {all} comparisons of equal code {decided} have a verdict, and {alarms} of these alarmed (95 %: {least:.1} to {most:.1} %); {inconclusive} inconclusive, {void} void"
            ),
        ),
    };
    let mut effects: Vec<f64> = cells
        .iter()
        .map(|cell| cell.effect)
        .filter(|e| *e > 0.0)
        .collect();
    effects.sort_by(f64::total_cmp);
    effects.dedup();
    for effect in effects {
        let of = |is: bool| {
            cells
                .iter()
                .filter(move |cell| cell.effect == effect && cell.reads_back() == is)
        };
        let found = of(true).map(|cell| cell.slower).sum();
        let all = of(true).map(Calibration::comparisons).sum();
        let [least, most] = rate(found, all).map(percent);
        let effect = percent(effect);
        sentence += &format!(
            "; of {all} that were {effect} % slower {found} were found ({least:.0} to {most:.0} %)"
        );
        let left_out: u32 = of(false).map(Calibration::comparisons).sum();
        let read = of(false).filter_map(|cell| cell.measured).map(percent);
        let ends = read.map(|one| [one, one]);
        let ends = ends.reduce(|[low, high], [one, _]| [low.min(one), high.max(one)]);
        if let Some([low, high]) = ends {
            sentence += &format!(
                ", without {left_out} in which it read back as {low:.1} to {high:.1} %: code that waits for memory, or a busy machine"
            );
        }
    }
    if nulls.too_many(promised) {
        sentence += &format!("; {:.2} % were promised: it cries wolf", percent(promised));
        return (exit::FINDING, sentence);
    }
    (code, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_looks_is_found() {
        let looks = |all: &[(u32, f64)]| -> Vec<Look> {
            let look = |(extra, seen): &(u32, f64)| Look {
                extra: *extra,
                seen: *seen,
                close: false,
            };
            all.iter().map(look).collect()
        };
        let probed = looks(&[(0, 0.0), (16, 0.01), (32, 0.05), (64, 0.2)]);
        assert_eq!(between(&probed, 0.005), 8);
        assert_eq!(between(&probed, 0.03), 24);
        assert_eq!(between(&probed, 0.2), 64);
        // Beyond the last look, as it went before.
        assert_eq!(between(&probed, 0.5), 80);
        assert_eq!(between(&looks(&[(0, 0.0), (16, 0.0)]), 0.01), 24);
    }

    #[test]
    fn what_is_executed_more_is_what_was_added() {
        let slow = Slow {
            bodies: 16,
            extra: 5,
        };
        // The 16th and the 32nd turn, and of three turns the last.
        assert_eq!(added(40, slow, 10), Ok(()));
        assert_eq!(added(3, slow, 5), Ok(()));
        // Some times as many will not do.
        for wrong in [0, 5, 9, 11, 15, 200] {
            let why = added(40, slow, wrong).unwrap_err();
            assert!(
                why.contains(&format!("{wrong} more are executed, not 10")),
                "{why}"
            );
        }
        assert!(added(0, slow, 5).is_err());
    }

    #[test]
    fn rows_have_a_comparison_each() {
        let shares = |count: u32, rows: usize| -> Vec<usize> {
            let of = |n| share(count, n + 1, rows) - share(count, n, rows);
            (0..rows).map(of).collect()
        };
        assert_eq!(shares(7, 3), [2, 2, 3]);
        assert_eq!(shares(3, 3), [1, 1, 1]);
    }

    pub(super) fn cell(slower: u32, same: u32) -> Calibration {
        Calibration {
            operation: "op".into(),
            isa: "avx2".into(),
            delivery: "fills".into(),
            load: "768".into(),
            method: PAIRED.into(),
            condition: String::new(),
            effect: 0.0,
            measured: None,
            margin: 0.01,
            slower,
            faster: 0,
            same,
            inconclusive: 0,
            void: 0,
            seconds: 0.3,
            seconds_most: 1.0,
        }
    }

    #[test]
    fn a_method_that_alarms_more_often_than_it_promises_is_a_finding() {
        let cell = |effect: f64, slower: u32, same: u32| Calibration {
            effect,
            ..cell(slower, same)
        };
        let (code, sentence) = verdict(&[cell(0.0, 0, 40), cell(0.03, 20, 0)], 0.01);
        assert_eq!(code, exit::PASS);
        assert!(
            sentence.contains("of 20 that were 3 % slower 20 were found (83 to 100 %)"),
            "{sentence}"
        );
        // One may be chance; twelve of forty are none.
        assert_eq!(verdict(&[cell(0.0, 1, 39)], 0.01).0, exit::PASS);
        let (code, sentence) = verdict(&[cell(0.0, 12, 28)], 0.01);
        assert_eq!(code, exit::FINDING);
        assert!(
            sentence.ends_with("1.00 % were promised: it cries wolf"),
            "{sentence}"
        );
    }

    #[test]
    fn what_has_no_verdict_is_no_silence() {
        let unclear = |inconclusive: u32, void: u32, same: u32| Calibration {
            inconclusive,
            void,
            ..cell(0, same)
        };
        let (code, sentence) = verdict(&[unclear(98, 2, 0)], 0.01);
        assert_eq!(code, exit::INCONCLUSIVE);
        assert_eq!(
            sentence,
            "of 100 comparisons of equal code none has a verdict: 98 inconclusive, 2 void"
        );
        let (code, sentence) = verdict(&[unclear(55, 5, 40)], 0.01);
        assert_eq!(code, exit::PASS);
        assert!(
            sentence.starts_with("of 100 comparisons of equal code 40 have a verdict, and 0 of these alarmed (95 %: 0.0 to 8.8 %); 55 inconclusive, 5 void"),
            "{sentence}"
        );
        // Twelve of forty are no fewer for a hundred that say nothing.
        let wolf = Calibration {
            inconclusive: 1000,
            ..cell(12, 28)
        };
        assert_eq!(verdict(&[wolf], 0.05).0, exit::FINDING);
        assert_eq!(verdict(&[], 0.01).0, exit::NOTHING);
    }

    #[test]
    fn what_reads_back_as_another_effect_is_not_found() {
        let planted = |measured: f64| Calibration {
            effect: 0.03,
            measured: Some(measured),
            ..cell(20, 0)
        };
        let (_, sentence) = verdict(&[planted(0.031), planted(0.004), planted(0.06)], 0.01);
        assert!(
            sentence.contains("of 20 that were 3 % slower 20 were found (83 to 100 %), without 40 in which it read back as 0.4 to 6.0 %"),
            "{sentence}"
        );
    }
}
