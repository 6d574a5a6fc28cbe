//! An epoch: fresh processes in one arena, which take turns at several placements. It gives one value for the head and one for the
//! control.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use proptest::prelude::Rng as _;
use proptest::test_runner::TestRng;

use super::process::{Fault, Process};
use super::side::{Ask, Moved, Ready, Said, Subjected};
use super::sign::{median, quantile};
use crate::arena::shared;
use crate::desk::SPREAD;
use crate::mutate::moved::{Move, Recipe, Slow};
use crate::worker::Launch;

/// Calls for so long before each slice are not measured: caches and branch predictors become this side's.
const UNMEASURED: f64 = 8e3;
/// Nanoseconds of a slice.
const SLICE: f64 = 100e3;
/// The quantile of a side's batches that stands for it: low, since whatever else the machine does only adds.
const QUANTILE: f64 = 0.1;
/// Sides that differ by less have slices alike.
const ALIKE: f64 = 1.25;
/// What places of code are drawn from, and shifts of the stack.
const PLACES: u64 = 512 << 20;
const PAGE: u64 = 4096;
/// Batches of a slice, at least and at most.
const BATCHES: (f64, f64) = (2.0, 64.0);

/// How sides are compared. Each of these matters: METHODOLOGY.md has what was measured without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    /// One arena for all sides, or private pages for each.
    pub(crate) shared: bool,
    /// Placements of an epoch, and rounds at each.
    pub(crate) placements: u32,
    pub(crate) rounds: u32,
    /// Fresh processes for each epoch; else those of the first.
    pub(crate) fresh: bool,
    /// A placement is drawn anew each time; else there is one.
    pub(crate) drawn: bool,
    /// Sides take turns; else one has all of its epochs, then the next.
    pub(crate) turns: bool,
    /// Code lies at the same place for all sides, another one in each epoch; else where it was linked.
    pub(crate) moved: bool,
    /// Stack and heap lie at the same addresses in all sides; else where the system draws them for each.
    pub(crate) alike: bool,
    /// So many epochs, whatever they say.
    pub(crate) epochs: Option<usize>,
}

impl Method {
    pub(crate) const PAIRED: Self = Self {
        shared: true,
        placements: 10,
        rounds: 4,
        fresh: true,
        drawn: true,
        turns: true,
        moved: true,
        alike: true,
        epochs: None,
    };

    /// This one, and ways to compare that are known to be worse, each without one thing; for `calibrate` to show it.
    pub(crate) const ALL: [(&str, Self); 8] = [
        ("paired", Self::PAIRED),
        (
            "private-arena",
            Self {
                shared: false,
                alike: false,
                ..Self::PAIRED
            },
        ),
        (
            "as-linked",
            Self {
                moved: false,
                ..Self::PAIRED
            },
        ),
        (
            "drawn-addresses",
            Self {
                alike: false,
                ..Self::PAIRED
            },
        ),
        (
            "one-placement",
            Self {
                drawn: false,
                fresh: false,
                ..Self::PAIRED
            },
        ),
        (
            "one-process",
            Self {
                fresh: false,
                ..Self::PAIRED
            },
        ),
        (
            "in-sequence",
            Self {
                turns: false,
                epochs: Some(40),
                ..Self::PAIRED
            },
        ),
        (
            "three-rounds",
            Self {
                epochs: Some(3),
                ..Self::PAIRED
            },
        ),
    ];
}

/// What takes part in a row as its base, head or control.
#[derive(Debug, Clone)]
pub(crate) struct Entrant {
    /// The links of its build, of which each epoch takes one.
    pub(crate) links: Vec<Link>,
    pub(crate) subjected: Subjected,
}

/// A program file, and what is to be copied of it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) launch: Launch,
    /// What its path's code consists of, or why it cannot be moved; found by the first process that looks.
    pub(crate) recipe: Option<Result<Recipe, String>>,
}

impl Link {
    pub(crate) fn of(launch: &Launch) -> Self {
        Self {
            launch: launch.clone(),
            recipe: None,
        }
    }
}

/// The pace of a row, found at its first placement and kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Of the base and the control, and of the head.
    slices: [Slice; 2],
    placements: u32,
    rounds: u32,
}

/// What a side does when it has its turn.
#[derive(Debug, Clone, Copy)]
struct Slice {
    unmeasured: u64,
    batches: u32,
    calls: u64,
    /// How long it takes, in seconds.
    takes: f64,
}

impl Slice {
    /// Batches of so many calls, each of which takes so many nanoseconds.
    fn of(calls: u64, nanos: f64) -> Self {
        let batches = (SLICE / (nanos * calls as f64)).round();
        let batches = batches.clamp(BATCHES.0, BATCHES.1);
        let unmeasured = (UNMEASURED / nanos).ceil().max(1.0);
        Self {
            unmeasured: unmeasured as u64,
            batches: batches as u32,
            calls,
            takes: (unmeasured + batches * calls as f64) * nanos * 1e-9,
        }
    }
}

/// What an epoch came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    /// Logarithms of ratios of times: the head's and the control's over the base's.
    pub(crate) head: f64,
    pub(crate) control: f64,
    /// Nanoseconds a call, of each side.
    pub(crate) nanos: [f64; 3],
    /// The links that the base and the head were.
    pub(crate) links: [usize; 2],
}

pub(crate) const NAMES: [&str; 3] = ["base", "head", "control"];

/// Makes the epochs of one row.
pub(crate) struct Epochs<'a> {
    entrants: &'a mut [Entrant; 3],
    method: Method,
    /// Seconds that an epoch may take, if it can be had so short.
    wanted: f64,
    draw: TestRng,
    pace: Option<Pace>,
    made: usize,
    /// Kept where the method wants no fresh ones.
    kept: Option<Seats>,
    place: Option<(usize, Vec<usize>)>,
    /// Why code is where it was linked.
    pub(crate) as_linked: Option<String>,
}

/// The processes of an epoch.
struct Seats {
    processes: [Process; 3],
    most: Most,
    /// Gone with the last of those who have mapped it.
    _arena: File,
}

impl<'a> Epochs<'a> {
    pub(crate) fn new(
        entrants: &'a mut [Entrant; 3],
        method: Method,
        wanted: f64,
        draw: TestRng,
    ) -> Self {
        let known = entrants.iter().flat_map(|of| &of.links);
        let mut not = known.filter_map(|link| link.recipe.as_ref()?.as_ref().err());
        Self {
            as_linked: not.find(|_| method.moved).cloned(),
            entrants,
            method,
            wanted,
            draw,
            pace: None,
            made: 0,
            kept: None,
            place: None,
        }
    }

    /// The next epoch, in which all sides take turns.
    pub(crate) fn next(&mut self) -> Result<Epoch, (usize, Fault)> {
        self.next_of(&[0, 1, 2])
    }

    /// The next epoch, of some sides; the others have no time.
    pub(crate) fn next_of(&mut self, sides: &[usize]) -> Result<Epoch, (usize, Fault)> {
        let links = self.links();
        let mut seats = match self.kept.take() {
            Some(kept) => kept,
            None => self.seat(links)?,
        };
        let mut ratios: [Vec<f64>; 2] = Default::default();
        let mut nanos: [Vec<f64>; 3] = Default::default();
        self.lay(&mut seats)?;
        let pace = match self.pace {
            Some(pace) => pace,
            None => *self.pace.insert(self.find_pace(&mut seats.processes)?),
        };
        for placement in 0..pace.placements {
            if placement > 0 {
                self.lay(&mut seats)?;
            }
            for _ in 0..pace.rounds {
                let took = self.round(&mut seats.processes, pace, sides)?;
                ratios[0].push((took[1] / took[0]).ln());
                ratios[1].push((took[2] / took[0]).ln());
                nanos
                    .iter_mut()
                    .zip(took)
                    .for_each(|(all, one)| all.push(one));
            }
        }
        self.made += 1;
        if !self.method.fresh {
            self.kept = Some(seats);
        }
        let middle = |values: &mut Vec<f64>| median(values).unwrap_or(f64::NAN);
        let [head, control] = ratios.each_mut().map(middle);
        Ok(Epoch {
            head,
            control,
            nanos: nanos.each_mut().map(middle),
            links: [links[0], links[1]],
        })
    }

    /// Which links take part: every pair of them comes equally often, and the control is a link of its own.
    fn links(&self) -> [usize; 3] {
        let [base, head, control] = self.entrants.each_ref().map(|of| of.links.len());
        let n = self.made;
        [n % base, (n + n / base) % head, n % control]
    }

    /// Starts a process for each side, in a drawn order, with an arena for all.
    fn seat(&mut self, links: [usize; 3]) -> Result<Seats, (usize, Fault)> {
        let known = self.as_linked.is_some();
        let mut seats: [Option<(Process, Ready)>; 3] = Default::default();
        // Code and stack have a place, too: the same for all sides, and another one in every epoch.
        let place = (self.draw.next_u64() % PLACES) as u32 & !63;
        let shift = (self.draw.next_u64() % PAGE) as usize & !15;
        for side in self.order() {
            let entrant = &mut self.entrants[side];
            let link = &mut entrant.links[links[side]];
            if self.method.moved {
                // Where one side's code cannot be moved, no side's is.
                if let Some(why) = &self.as_linked {
                    link.recipe = Some(Err(why.clone()));
                }
                let moved = entrant.subjected.moved.get_or_insert(Moved {
                    how: Move {
                        place,
                        slow: Slow::NOT,
                    },
                    recipe: None,
                });
                moved.how.place = place;
                moved.recipe.clone_from(&link.recipe);
            }
            let shift = self.method.alike.then_some(shift);
            let started = Process::start(&link.launch, &entrant.subjected, shift);
            let (process, ready) = started.map_err(|fault| (side, fault))?;
            // The reference has been asked; it need not be again.
            if let Some(want) = &ready.want {
                entrant.subjected.want = Some(want.clone());
            }
            if let Some(of) = &ready.recipe {
                link.recipe = Some(of.clone());
                self.as_linked = of.as_ref().err().cloned().or(self.as_linked.take());
            }
            seats[side] = Some((process, ready));
        }
        let broken = |side: usize, why: String| (side, Fault::Broken(why));
        if let Some(why) = self.as_linked.as_ref().filter(|_| !known) {
            // Epochs of copies and epochs of code as it is linked are not of one kind.
            if self.made > 0 {
                return Err(broken(
                    0,
                    format!("code that was moved before cannot be now: {why}"),
                ));
            }
            drop(seats);
            return self.seat(links);
        }
        let [Some(base), Some(head), Some(control)] = seats else {
            return Err(broken(0, "a side was not started".into()));
        };
        let mut processes = [base.0, head.0, control.0];
        let ready = [base.1, head.1, control.1];
        let peers = ready.iter().any(|ready| ready.peer);
        for side in 1..3 {
            let (its, base) = (&ready[side], &ready[0]);
            if !peers && (its.question, its.answer) != (base.question, base.answer) {
                let what = if its.question == base.question {
                    "answers"
                } else {
                    "makes of the same plain bytes an input"
                };
                let why = format!(
                    "the {} {what} unlike the base: it is not the same work",
                    NAMES[side]
                );
                return Err(broken(side, why));
            }
        }
        let most = Most::of(&ready);
        let (file, path) = arena(&most).map_err(|why| broken(0, why))?;
        for (side, process) in processes.iter_mut().enumerate() {
            let map = Ask::Map {
                arena: self.method.shared.then(|| path.clone()),
                output: most.output,
                input: most.input.clone(),
            };
            process.ask(&map).map_err(|fault| (side, fault))?;
        }
        Ok(Seats {
            processes,
            most,
            _arena: file,
        })
    }

    /// Draws a placement, and lays all sides' buffers there.
    fn lay(&mut self, seats: &mut Seats) -> Result<(), (usize, Fault)> {
        let drawn = match self.place.take() {
            Some(place) if !self.method.drawn => place,
            _ => {
                let mut offset = || (self.draw.next_u64() as usize % SPREAD) & !63;
                (
                    offset(),
                    seats.most.input.iter().map(|_| offset()).collect(),
                )
            }
        };
        let (output, input) = self.place.insert(drawn);
        let lay = Ask::Lay {
            output: *output,
            input: input.clone(),
        };
        for (side, process) in seats.processes.iter_mut().enumerate() {
            process.ask(&lay).map_err(|fault| (side, fault))?;
        }
        Ok(())
    }

    fn find_pace(&self, processes: &mut [Process; 3]) -> Result<Pace, (usize, Fault)> {
        let mut of = |side: usize| match processes[side].ask(&Ask::Pace) {
            Ok(Said::Paced { calls, nanos }) if nanos > 0.0 => Ok((calls.max(1), nanos)),
            Ok(said) => Err((
                side,
                Fault::Broken(format!("a side said {said:?} of its pace")),
            )),
            Err(fault) => Err((side, fault)),
        };
        let (base, head) = (of(0)?, of(1)?);
        // What is nearly as fast has the same slices, so that these are no difference.
        let alike = (base.1 / head.1).max(head.1 / base.1) < ALIKE;
        let head = if alike { base } else { head };
        let slices = [base, head].map(|(calls, nanos)| Slice::of(calls, nanos));
        let round = 2.0 * (2.0 * slices[0].takes + slices[1].takes);
        let (mut placements, mut rounds) = (self.method.placements, self.method.rounds);
        // Of slow calls there are fewer, but never one placement.
        while round * f64::from(rounds * placements) > self.wanted && placements > 3 {
            (placements, rounds) = match rounds {
                1 => (placements - 1, 1),
                more => (placements, more - 1),
            };
        }
        Ok(Pace {
            slices,
            placements,
            rounds,
        })
    }

    /// Two slices of each side, there and back, so that none is always the one after another; nanoseconds a call of each.
    fn round(
        &mut self,
        processes: &mut [Process; 3],
        pace: Pace,
        sides: &[usize],
    ) -> Result<[f64; 3], (usize, Fault)> {
        let there = self.order();
        let back = [there[2], there[1], there[0]];
        let order = there.into_iter().chain(back);
        let mut batches: [Vec<f64>; 3] = Default::default();
        for side in order.filter(|side| sides.contains(side)) {
            let slice = pace.slices[usize::from(side == 1)];
            let turn = Ask::Turn {
                unmeasured: slice.unmeasured,
                batches: slice.batches,
                calls: slice.calls,
            };
            let asked = Instant::now();
            let said = processes[side].ask(&turn);
            let within = asked.elapsed();
            match said.map_err(|fault| (side, fault))? {
                Said::Took(took) if plausible(&took, slice.batches, within) => {
                    let each = took.iter().map(|nanos| *nanos as f64 / slice.calls as f64);
                    batches[side].extend(each);
                }
                said => return Err((side, processes[side].nonsense(&said, "of its turn"))),
            }
        }
        let low = |batches: &mut Vec<f64>| quantile(batches, QUANTILE).unwrap_or(f64::NAN);
        Ok(batches.each_mut().map(low))
    }

    /// The sides in a drawn order.
    fn order(&mut self) -> [usize; 3] {
        let mut order = [0, 1, 2];
        for i in (1..3).rev() {
            order.swap(i, (self.draw.next_u64() % (i as u64 + 1)) as usize);
        }
        order
    }
}

/// Whether a side can have taken so many nanoseconds for each batch of a turn that was over within so long by this program's clock.
fn plausible(took: &[u64], batches: u32, within: Duration) -> bool {
    let all: u128 = took.iter().map(|nanos| u128::from(*nanos)).sum();
    took.len() == batches as usize && !took.contains(&0) && all <= within.as_nanos()
}

/// The most bytes that any side needs: all lay their buffers in the same rooms.
struct Most {
    output: usize,
    input: Vec<usize>,
}

impl Most {
    fn of(ready: &[Ready; 3]) -> Self {
        let output = ready.iter().map(|ready| ready.output).max();
        let parts = ready.iter().map(|ready| ready.input.len()).max();
        let most = |part: usize| {
            let lengths = ready.iter().filter_map(|ready| ready.input.get(part));
            lengths.copied().max().unwrap_or(0)
        };
        Self {
            output: output.unwrap_or(0),
            input: (0..parts.unwrap_or(0)).map(most).collect(),
        }
    }
}

/// A file in memory that is as long as the rooms of all buffers, and the path by which another process of this user opens it.
fn arena(most: &Most) -> Result<(File, PathBuf), String> {
    let rooms: Vec<usize> = [most.output]
        .iter()
        .chain(&most.input)
        .map(|len| len.saturating_add(SPREAD))
        .collect();
    let file = memfd_create(c"pathproof-arena", MFdFlags::MFD_CLOEXEC).map(File::from);
    let file = file.map_err(|e| format!("cannot make an arena in memory: {e}"))?;
    file.set_len(shared::size(&rooms) as u64).map_err(|e| {
        format!(
            "cannot make an arena of {} bytes: {e}",
            shared::size(&rooms)
        )
    })?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    Ok((file, path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_side_cannot_have_taken_is_no_time() {
        let within = Duration::from_micros(30);
        assert!(plausible(&[10_000, 20_000], 2, within));
        for nonsense in [
            &[][..],
            &[10_000],
            &[10_000, 10_000, 10_000],
            &[10_000, 0],
            &[10_000, 20_001],
            &[u64::MAX, u64::MAX],
        ] {
            assert!(!plausible(nonsense, 2, within), "{nonsense:?}");
        }
    }
}
