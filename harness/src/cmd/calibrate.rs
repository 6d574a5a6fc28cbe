//! `calibrate`: how often a comparison on this machine cries wolf, and how often it sees what there is to be seen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::ProgressBar;
use pathproof_reports::{Calibration, Compared, Figure, PathRow, Record, State, limits};

use super::compare::{Named, Row, SIZES, bar, checked, not_compared, path_row, rows};
use super::session::{Session, any, complain, default_out, matches_nothing, program_name, select};
use super::{CalibrateArgs, Common, drawn_seed};
use crate::case::{mix, rng};
use crate::ledger::exit;
use crate::machine::fingerprint;
use crate::mutate::moved::{Move, Slow};
use crate::pair::{
    ALPHA, Ask, Entrant, Fault, Link, Measured, Method, Moved, Pinned, Process, Rule, Said, Wanted,
    measure, median, of_this_program,
};
use crate::plan::Settings;
use crate::worker::{Host, Launch};

/// The name of the method by which `compare` compares.
const PAIRED: &str = "paired";
/// Links of this program: a base, a head and a control that all lie elsewhere.
const LINKS: u32 = 3;
/// Bodies of a slowed copy: an instruction more in one of them is little.
const BODIES: u32 = 16;
/// Instructions more, while it is found out how many make which difference.
const PROBED: [u32; 7] = [16, 32, 64, 96, 128, 192, 256];
/// Epochs of each such look.
const LOOK: usize = 12;
/// Looks for each effect, and how far off it is near, and near enough, as a share of it.
const TUNED: usize = 4;
const NEAR: f64 = 0.08;
const ENOUGH: f64 = 0.25;

pub(super) fn calibrate(
    common: &Common,
    launch: &Launch,
    args: &CalibrateArgs,
) -> Result<u8, String> {
    let margin = args.margin / 100.0;
    if !(0.001..=0.2).contains(&margin) {
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
    let known = Method::ALL.iter().find(|(name, _)| *name == args.method);
    let method = known.map(|(_, method)| *method).ok_or_else(|| {
        let names = Method::ALL.map(|(name, _)| name);
        format!(
            "--method {}: one of {} was expected",
            args.method,
            names.join(", ")
        )
    })?;
    let seed = args.seed.unwrap_or_else(|| drawn_seed().into());
    let mut host = Host::new(launch, &Settings::default())?;
    let catalog = host.catalog()?;
    drop(host);
    let selected = select(&catalog, args.filter.as_deref())?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, args.filter.as_deref()));
        return Ok(exit::NOTHING);
    }
    let sizes = if args.sizes.is_empty() {
        &SIZES[..]
    } else {
        &args.sizes
    };
    let mut all = Vec::new();
    for (entry, selected) in catalog.operations.iter().zip(&selected) {
        for subject in (0..entry.subjects.len()).filter(|s| selected[*s]) {
            let its = &entry.subjects[subject];
            if !its.peer && not_compared(its).is_none() {
                let named = Named::of(entry, subject);
                all.extend(rows(entry, (named.clone(), named), (sizes, &[]), seed));
            }
        }
    }
    if all.is_empty() {
        complain("nothing ran: no path that was asked for can be compared here");
        return Ok(exit::NOTHING);
    }
    // Spread evenly over all that match.
    let count = args.rows.min(all.len());
    let step = all.len() as f64 / count as f64;
    let wanted: Vec<usize> = (0..count).map(|n| (n as f64 * step) as usize).collect();
    let table: Vec<Row> = all
        .into_iter()
        .enumerate()
        .filter(|(n, _)| wanted.contains(n))
        .map(|(_, row)| row)
        .collect();
    let records = args.records.clone().unwrap_or_else(kept);
    if let Some(folder) = records.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    let mut session = Session::begin(common, "calibrate", Some(seed), Some(&records))?;
    common.note(format_args!("seed {seed}"));
    let verdict = (|| {
        let links = links(common, launch, args)?;
        let pinned = Pinned::to(args.core)?;
        session.put(Record::Figure(Figure::new(
            "core",
            Ok(pinned.core as f64),
            "shared by all sides",
        )))?;
        let bar = bar(
            common,
            args.nulls as usize + args.effects.len() * args.each as usize,
        );
        let mut job = Job {
            args,
            method,
            margin,
            rows: table.len(),
            links: links.iter().map(Link::of).collect(),
            bar,
            seed,
            drawn: 0,
        };
        for (number, row) in table.iter().enumerate() {
            job.row(number, row, &mut session)?;
        }
        job.bar.finish_and_clear();
        let report = session.report();
        let cells: Vec<Calibration> = report.calibrations().cloned().collect();
        Ok(verdict(&cells, ALPHA / table.len() as f64))
    })();
    session.conclude(verdict)
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
}

impl Job<'_> {
    /// All comparisons of one row: its share of the nulls and of each effect.
    fn row(&mut self, number: usize, row: &Row, session: &mut Session<'_>) -> Result<(), String> {
        self.links.iter_mut().for_each(|link| link.recipe = None);
        let share = |count: u32| {
            let (count, rows) = (count as usize, self.rows);
            count * (number + 1) / rows - count * number / rows
        };
        let mut ledger = path_row(&row.head, State::Verified, None);
        let nulls = share(self.args.nulls);
        let each = share(self.args.each);
        self.bar
            .set_message(format!("{} at {}, equal", row.head.name(), row.load));
        let none = self.cell(row, 0.0, None, nulls)?;
        none.map_or(Ok(()), |cell| put(cell, &mut ledger, session))?;
        if each > 0 && !self.args.effects.is_empty() {
            self.bar.set_message(format!(
                "{} at {}, how it is made slower",
                row.head.name(),
                row.load
            ));
            match self.probe(row) {
                Err(why) => {
                    session.put(not_slowed(row, why))?;
                    self.bar.inc((each * self.args.effects.len()) as u64);
                }
                Ok(mut probed) => {
                    for effect in self.args.effects.clone() {
                        let effect = effect / 100.0;
                        self.bar.set_message(format!(
                            "{} at {}, {} % slower",
                            row.head.name(),
                            row.load,
                            100.0 * effect
                        ));
                        let slow = match self.tuned(row, &mut probed, effect)? {
                            Ok(slow) => slow,
                            Err(why) => {
                                session.put(not_slowed(row, why))?;
                                self.bar.inc(each as u64);
                                continue;
                            }
                        };
                        self.counted(row, slow)?;
                        let cell = self.cell(row, effect, Some(slow), each)?;
                        cell.map_or(Ok(()), |cell| put(cell, &mut ledger, session))?;
                    }
                }
            }
        }
        session.put(Record::Path(ledger))
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
    ) -> Result<Measured, String> {
        self.drawn += 1;
        let mut entrants = self.entrants(row, slow);
        let draw = rng(mix(&[self.seed, row.seed, self.drawn]));
        let budget = Duration::from_secs_f64(self.args.budget);
        let measured = measure(&mut entrants, rule, method, budget, draw);
        for (side, entrant) in entrants.iter().enumerate() {
            let link = (self.drawn as usize + side) % self.links.len();
            self.links[link].recipe.clone_from(&entrant.links[0].recipe);
        }
        measured.map_err(|(_, fault)| {
            let (Fault::Absent(why) | Fault::Finding(why) | Fault::Broken(why)) = fault;
            format!("{} at {}: {why}", row.head.name(), row.load)
        })
    }

    /// How much slower some numbers of instructions make the path.
    fn probe(&mut self, row: &Row) -> Result<Vec<(u32, f64)>, String> {
        let most = self.args.effects.iter().copied().fold(0.0, f64::max) / 100.0;
        let mut probed = vec![(0, 0.0)];
        for extra in PROBED {
            let seen = self.look(row, extra)?;
            probed.push((extra, seen));
            if seen > most {
                break;
            }
        }
        Ok(probed)
    }

    /// How much slower so many more instructions make the path.
    fn look(&mut self, row: &Row, extra: u32) -> Result<f64, String> {
        let method = Method {
            epochs: Some(LOOK),
            ..Method::PAIRED
        };
        let slow = Slow {
            bodies: BODIES,
            extra,
        };
        let measured = self.measured(row, Some(slow), &Rule::new(self.margin, 1), method)?;
        Ok(measured.ratio.map_or(f64::NAN, |ratio| ratio.at) - 1.0)
    }

    /// As many instructions as make an effect, by looks that come nearer and nearer; or which was the nearest.
    fn tuned(
        &mut self,
        row: &Row,
        probed: &mut Vec<(u32, f64)>,
        effect: f64,
    ) -> Result<Result<Slow, String>, String> {
        let off = |seen: f64| (seen - effect).abs() / effect;
        for _ in 0..TUNED {
            let extra = between(probed, effect);
            if probed.iter().all(|(known, _)| *known != extra) {
                let seen = self.look(row, extra)?;
                probed.push((extra, seen));
                probed.sort_by_key(|(extra, _)| *extra);
            }
            let nearest = probed.iter().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
            if nearest.is_some_and(|(_, seen)| off(*seen) < NEAR) {
                break;
            }
        }
        let nearest = probed.iter().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
        let &(extra, seen) = nearest.ok_or("no look was taken")?;
        // Once more, for of many looks the nearest is so by chance where each says something else, as of code that waits for memory.
        let seen = match off(seen) < ENOUGH {
            true => self.look(row, extra)?,
            false => seen,
        };
        Ok(match off(seen) < ENOUGH {
            true => Ok(Slow {
                bodies: BODIES,
                extra,
            }),
            false => Err(format!(
                "{} % were wanted: the nearest are {:.1} %, by {extra} instructions in every {BODIES}th turn of its loop",
                100.0 * effect,
                100.0 * seen
            )),
        })
    }

    /// Holds the slowed path's count against that of the copy with nothing added: it must execute what was added, and nothing else.
    fn counted(&self, row: &Row, slow: Slow) -> Result<(), String> {
        let entrants = self.entrants(row, Some(slow));
        let executed = |entrant: &Entrant| -> Result<u64, Fault> {
            let (mut process, _) =
                Process::start(&entrant.links[0].launch, &entrant.subjected, None)?;
            match process.ask(&Ask::Step)? {
                Said::Stepped(steps) => {
                    Ok(steps.own.unwrap_or_default() + steps.elsewhere.values().sum::<u64>())
                }
                said => Err(Fault::Broken(format!(
                    "a side said {said:?} when it was to be stepped"
                ))),
            }
        };
        let counts = executed(&entrants[0]).and_then(|base| Ok((base, executed(&entrants[1])?)));
        let (base, head) = counts.map_err(|fault| format!("{}: {fault:?}", row.head.name()))?;
        let more = head.wrapping_sub(base);
        if slow.extra > 0 && (head <= base || !more.is_multiple_of(u64::from(slow.extra))) {
            return Err(format!(
                "{} at {}: the slowed copy executes {head} instructions, and that with nothing added {base}: not some times {} more",
                row.head.name(),
                row.load,
                slow.extra
            ));
        }
        Ok(())
    }

    /// So many comparisons of one kind.
    fn cell(
        &mut self,
        row: &Row,
        effect: f64,
        slow: Option<Slow>,
        count: usize,
    ) -> Result<Option<Calibration>, String> {
        // An effect that equals the margin comes out as anything, by construction.
        let margin = if effect > 0.0 {
            self.margin.min(effect / 2.0)
        } else {
            self.margin
        };
        let rule = Rule::new(margin, self.rows);
        let mut verdicts: BTreeMap<Compared, u32> = BTreeMap::new();
        let (mut ratios, mut seconds) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let measured = self.measured(row, slow, &rule, self.method)?;
            *verdicts.entry(measured.verdict).or_default() += 1;
            ratios.extend(measured.ratio.map(|ratio| ratio.at - 1.0));
            seconds.push(measured.seconds);
            self.bar.inc(1);
        }
        if count == 0 {
            return Ok(None);
        }
        let of = |verdict| verdicts.get(&verdict).copied().unwrap_or_default();
        Ok(Some(Calibration {
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
        }))
    }
}

/// Why a row has no comparisons of an effect.
fn not_slowed(row: &Row, why: String) -> Record {
    let Named {
        operation,
        isa,
        delivery,
    } = &row.head;
    let figure = Figure::new("slowed", Err(why), "").of(operation, isa, delivery);
    Record::Figure(figure.split(row.load.clone()))
}

fn put(cell: Calibration, ledger: &mut PathRow, session: &mut Session<'_>) -> Result<(), String> {
    ledger.cases += u64::from(cell.comparisons());
    session.put(Record::Calibration(cell))
}

/// How many instructions more make an effect, by the two looks around it.
fn between(probed: &[(u32, f64)], effect: f64) -> u32 {
    let above = probed.iter().position(|(_, seen)| *seen >= effect);
    let above = above.unwrap_or(probed.len() - 1).max(1);
    let ((low, below), (high, seen)) = (probed[above - 1], probed[above]);
    let share = ((effect - below) / (seen - below)).clamp(0.0, 1.5);
    let extra = f64::from(low) + share * f64::from(high - low);
    (extra.round() as u32).max(1)
}

/// The file of the last calibration on this machine.
fn kept() -> PathBuf {
    default_out().join("calibration.jsonl")
}

/// Refuses a margin that is less than the last calibration on this machine has shown to be seen. Without one, nothing is known.
///
/// # Errors
/// The margin is too narrow, or the file is no records file.
pub(super) fn refuse(margin: f64) -> Result<(), String> {
    let file = kept();
    if !file.is_file() {
        return Ok(());
    }
    let report = pathproof_reports::read(&file).map_err(|e| e.to_string())?;
    let here = fingerprint(&program_name()).id;
    if report.machine().is_none_or(|machine| machine.id != here) {
        return Ok(());
    }
    let cells: Vec<Calibration> = report.calibrations().cloned().collect();
    match supported(&cells) {
        Some(least) if margin < least * 0.999 => Err(format!(
            "--margin {}: on this machine, nothing below {} % has been shown to be seen ({}); `calibrate --margin {}` tries, or remove that file",
            100.0 * margin,
            100.0 * least,
            file.display(),
            100.0 * margin
        )),
        _ => Ok(()),
    }
}

/// The least margin at which planted slowdowns of twice as much, or more, were found in 19 of 20 comparisons. None where none was
/// planted.
fn supported(cells: &[Calibration]) -> Option<f64> {
    let planted = || {
        cells
            .iter()
            .filter(|cell| cell.effect > 0.0 && cell.method == PAIRED)
    };
    let mut margins: Vec<f64> = planted().map(|cell| cell.margin).collect();
    margins.sort_by(f64::total_cmp);
    margins.dedup();
    let widest = margins.last().copied();
    let found = |margin: &f64| {
        let of = || planted().filter(|cell| cell.margin <= *margin && cell.effect >= 1.99 * margin);
        let slower: u32 = of().map(|cell| cell.slower).sum();
        let all: u32 = of().map(Calibration::comparisons).sum();
        all > 0 && f64::from(slower) >= 0.95 * f64::from(all)
    };
    // Where not even the widest was seen, the next wider one is not known to be.
    margins
        .into_iter()
        .find(found)
        .or(widest.map(|widest| 2.0 * widest))
}

/// Whether the method keeps its promise, and what it sees.
fn verdict(cells: &[Calibration], promised: f64) -> (u8, String) {
    let sum = |of: &dyn Fn(&Calibration) -> u32, effect: f64| -> u32 {
        cells
            .iter()
            .filter(|cell| cell.effect == effect)
            .map(of)
            .sum()
    };
    let all = &|cell: &Calibration| cell.comparisons();
    let alarms = sum(&|cell| cell.slower + cell.faster, 0.0);
    let nulls = sum(all, 0.0);
    let rate = |count: u32, of: u32| limits(count.into(), of.into(), 0.95).unwrap_or([0.0, 1.0]);
    let [least, most] = rate(alarms, nulls);
    let percent = |share: f64| 100.0 * share;
    let mut sentence = format!(
        "of {nulls} comparisons of equal code {alarms} alarmed (95 %: {:.1} to {:.1} %)",
        percent(least),
        percent(most)
    );
    let mut effects: Vec<f64> = cells
        .iter()
        .map(|cell| cell.effect)
        .filter(|e| *e > 0.0)
        .collect();
    effects.sort_by(f64::total_cmp);
    effects.dedup();
    for effect in effects {
        let (found, of) = (sum(&|cell| cell.slower, effect), sum(all, effect));
        let [least, most] = rate(found, of);
        sentence += &format!(
            "; of {of} that were {} % slower {found} were found ({:.0} to {:.0} %)",
            percent(effect),
            percent(least),
            percent(most)
        );
    }
    if least > promised {
        sentence += &format!("; {:.2} % were promised: it cries wolf", percent(promised));
        return (exit::FINDING, sentence);
    }
    (exit::PASS, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_looks_is_found() {
        let probed = [(0, 0.0), (16, 0.01), (32, 0.05), (64, 0.2)];
        assert_eq!(between(&probed, 0.005), 8);
        assert_eq!(between(&probed, 0.03), 24);
        assert_eq!(between(&probed, 0.2), 64);
        // Beyond the last look, as it went before.
        assert_eq!(between(&probed, 0.5), 80);
        assert_eq!(between(&[(0, 0.0), (16, 0.0)], 0.01), 24);
    }

    #[test]
    fn a_margin_is_supported_by_what_was_found() {
        let cell = |margin: f64, effect: f64, slower: u32, same: u32| Calibration {
            margin,
            effect,
            ..cell(slower, same)
        };
        let all = [
            cell(0.005, 0.01, 19, 1),
            cell(0.01, 0.02, 20, 0),
            cell(0.01, 0.0, 0, 20),
        ];
        assert_eq!(supported(&all), Some(0.005));
        // One that was seldom found, and an effect too near to its margin.
        assert_eq!(
            supported(&[cell(0.005, 0.01, 18, 2), all[1].clone()]),
            Some(0.01)
        );
        assert_eq!(supported(&[cell(0.01, 0.012, 20, 0)]), Some(0.02));
        assert_eq!(supported(&[cell(0.01, 0.02, 10, 10)]), Some(0.02));
        assert_eq!(supported(&all[2..]), None);
        let other = Calibration {
            method: "one-process".into(),
            ..all[0].clone()
        };
        assert_eq!(supported(&[other]), None);
    }

    fn cell(slower: u32, same: u32) -> Calibration {
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
}
