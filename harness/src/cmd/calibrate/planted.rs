//! Slowdowns that are planted: how many instructions in a copy's loop make an effect, and that they are what it executes more.

use pathproof_reports::{Calibration, Record};

use super::{Ended, Job, Row, of_row};
use crate::mutate::moved::Slow;
use crate::pair::{Ask, Entrant, Fault, Method, Process, Rule, Said, Steps};
use crate::step;

/// Bodies of a slowed copy: an instruction more in one of them is little. Where not even so many make it little enough, or the CPU's
/// cycles are too coarse, others are tried.
const BODIES: u32 = 16;
const MOST_BODIES: u32 = 96;
/// How many other numbers of bodies.
const OTHERS: usize = 4;

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

/// How much slower so many instructions more make a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    extra: u32,
    seen: f64,
    /// Whether it was a closer one.
    close: bool,
}

impl Job<'_> {
    /// How much slower some numbers of instructions make the path.
    pub(super) fn probe(&mut self, row: &Row) -> Result<Vec<Look>, String> {
        let most = self.args.effects.iter().copied().fold(0.0, f64::max) / 100.0;
        let mut looks = vec![Look {
            extra: 0,
            seen: 0.0,
            close: false,
        }];
        for extra in PROBED {
            let look = self.look(row, slow(extra), false)?;
            looks.push(look);
            if look.seen > most {
                break;
            }
        }
        Ok(looks)
    }

    /// How much slower so many more instructions make the path.
    fn look(&mut self, row: &Row, slow: Slow, close: bool) -> Result<Look, String> {
        let method = Method {
            epochs: Some(if close { CLOSER } else { LOOK }),
            ..Method::PAIRED
        };
        let extra = slow.extra;
        let measured = self
            .measured(row, Some(slow), &Rule::new(self.margin, 1), method)
            .map_err(|ended| ended.why)?;
        let seen = measured.ratio.map_or(f64::NAN, |ratio| ratio.at) - 1.0;
        Ok(Look { extra, seen, close })
    }

    /// As many instructions as make an effect, by closer looks that come nearer and nearer; or which was the nearest.
    pub(super) fn tuned(
        &mut self,
        row: &Row,
        looks: &mut Vec<Look>,
        turns: u64,
        effect: f64,
    ) -> Result<Slow, String> {
        let off = |seen: f64| (seen - effect).abs() / effect;
        let nearest = |looks: &[Look]| {
            let close = looks.iter().filter(|look| look.close).copied();
            close.min_by(|a, b| off(a.seen).total_cmp(&off(b.seen)))
        };
        for _ in 0..TUNED {
            let extra = between(looks, effect);
            match looks.iter().position(|look| look.extra == extra) {
                Some(at) if looks[at].close => break,
                Some(at) => looks[at] = self.look(row, slow(extra), true)?,
                None => {
                    looks.push(self.look(row, slow(extra), true)?);
                    looks.sort_by_key(|look| look.extra);
                }
            }
            if nearest(looks).is_some_and(|look| off(look.seen) < NEAR) {
                break;
            }
        }
        let mut found = nearest(looks).ok_or("no look was taken")?;
        let mut slowed = slow(found.extra);
        for (other, _) in others(looks, turns, effect).into_iter().take(OTHERS) {
            if off(found.seen) < ENOUGH {
                break;
            }
            let look = self.look(row, other, true)?;
            if off(look.seen) < off(found.seen) {
                (found, slowed) = (look, other);
            }
        }
        // Once more, for of many looks the nearest is so by chance where each says something else, as of code that waits for memory.
        if off(found.seen) < ENOUGH {
            found = self.look(row, slowed, true)?;
        }
        match off(found.seen) < ENOUGH {
            true => Ok(slowed),
            false => Err(format!(
                "{} % were wanted: the nearest are {:.1} %, by {} instructions in every {}th turn of its loop",
                100.0 * effect,
                100.0 * found.seen,
                slowed.extra,
                slowed.bodies
            )),
        }
    }

    /// How many more instructions a slowed copy executes than that with nothing added.
    fn more(&mut self, row: &Row, slow: Slow) -> Result<u64, String> {
        let entrants = self.entrants(row, Some(slow));
        let executed = |entrant: &Entrant| -> Result<Steps, Fault> {
            // Where nothing is drawn, for a drawn program may lie where its copy is to be.
            let (mut process, _) =
                Process::start(&entrant.links[0].launch, &entrant.subjected, Some(0))?;
            match process.ask(&Ask::Step)? {
                Said::Stepped(steps) => Ok(*steps),
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
    pub(super) fn turns(&mut self, row: &Row) -> Result<u64, String> {
        self.more(
            row,
            Slow {
                bodies: 1,
                extra: 1,
            },
        )
    }

    /// Holds the slowed path's count against that of the copy with nothing added: it must execute what was added, and nothing else.
    pub(super) fn counted(&mut self, row: &Row, turns: u64, slow: Slow) -> Result<Slow, String> {
        let more = self.more(row, slow)?;
        added(turns, slow, more).map(|()| slow)
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
pub(super) const SLOWED: &str = "slowed";

/// Why a row has no comparisons of an effect.
pub(super) fn not_slowed(row: &Row, why: String) -> Record {
    of_row(row, SLOWED, why)
}

fn slow(extra: u32) -> Slow {
    Slow {
        bodies: BODIES,
        extra,
    }
}

/// Other numbers of bodies, each with as many instructions as some look had, and what effect that should be: what comes nearest first.
fn others(looks: &[Look], turns: u64, effect: f64) -> Vec<(Slow, f64)> {
    // A turn in so many is slower.
    let share = |bodies: u32| turns / u64::from(bodies).min(turns).max(1);
    let of = |look: &Look| {
        let (extra, each) = (look.extra, look.seen / share(BODIES) as f64);
        let all = (2..=MOST_BODIES).filter(|bodies| u64::from(*bodies) <= turns);
        let all = all.filter(|bodies| share(*bodies) != share(BODIES));
        all.map(move |bodies| (Slow { bodies, extra }, each * share(bodies) as f64))
            .collect::<Vec<_>>()
    };
    let seen = looks.iter().filter(|look| look.seen > 0.0);
    let mut all: Vec<(Slow, f64)> = seen.flat_map(of).collect();
    let off = |of: &(Slow, f64)| (of.1 - effect).abs();
    all.sort_by(|a, b| off(a).total_cmp(&off(b)));
    // Of those with as many instructions and as many slower turns one is enough.
    all.dedup_by_key(|(slow, _)| (slow.extra, share(slow.bodies)));
    all
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
    fn where_a_cycle_is_too_much_fewer_turns_have_it() {
        let look = |extra, seen| Look {
            extra,
            seen,
            close: true,
        };
        // 48 turns: of 16 bodies the last has three.
        let looks = [look(0, 0.0), look(5, 0.015), look(16, 0.033)];
        let all = others(&looks, 48, 0.01);
        let (nearest, wanted) = all[0];
        assert_eq!((nearest.extra, 48 / nearest.bodies), (5, 2));
        assert!((wanted - 0.01).abs() < 1e-9, "{all:?}");
        let (second, wanted) = all[1];
        assert_eq!((second.extra, 48 / second.bodies), (16, 1));
        assert!((wanted - 0.011).abs() < 1e-9, "{all:?}");
        assert_eq!(others(&looks, 0, 0.01), []);
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
}
