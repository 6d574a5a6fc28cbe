//! Two sides held against each other, and how good the method is that does it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::path_name;

/// What a comparison amounts to: what the interval says against the margin, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The whole interval lies beyond the margin: the head takes longer.
    Slower,
    /// The whole interval lies beyond the margin on the other side.
    Faster,
    /// The whole interval lies within the margin.
    Same,
    /// The interval reaches over a margin: a longer look, or a wider margin, would tell.
    Inconclusive,
    /// The control, which is the base once more, came out slower or faster than the base: nothing that
    /// was measured beside it can be believed.
    Void,
    /// Both sides execute the same instructions in the same order, so that there is nothing to
    /// measure.
    Identical,
    /// The base has no such path, or no harness.
    NoBase,
}

impl Compared {
    /// Every verdict, in the order in which they are counted out.
    pub const ALL: [Compared; 7] = [
        Compared::Slower,
        Compared::Faster,
        Compared::Same,
        Compared::Identical,
        Compared::Inconclusive,
        Compared::Void,
        Compared::NoBase,
    ];

    /// The word that every view uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Compared::Slower => "slower",
            Compared::Faster => "faster",
            Compared::Same => "same",
            Compared::Inconclusive => "inconclusive",
            Compared::Void => "void",
            Compared::Identical => "identical code",
            Compared::NoBase => "no base",
        }
    }

    /// How many there are of each, in words: `1 slower, 57 same`.
    pub(crate) fn counted(verdicts: impl Iterator<Item = Compared> + Clone) -> String {
        let counted = Compared::ALL.into_iter().filter_map(|verdict| {
            let n = verdicts.clone().filter(|one| *one == verdict).count();
            (n > 0).then(|| format!("{n} {verdict}"))
        });
        counted.collect::<Vec<_>>().join(", ")
    }

    /// What an interval says of a margin, both as ratios of times: `1.0` is the same time, and the
    /// margin `0.01` reaches from 1/1.01 to 1.01.
    #[must_use]
    pub fn of(low: f64, high: f64, margin: f64) -> Self {
        let most = 1.0 + margin;
        if low > most {
            Compared::Slower
        } else if high < most.recip() {
            Compared::Faster
        } else if low > most.recip() && high < most {
            Compared::Same
        } else {
            Compared::Inconclusive
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A ratio of times, head over base, with its interval; all three are finite and positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The median over the epochs.
    pub at: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Ratio {
    fn contradiction(&self) -> Option<String> {
        let whole = [self.low, self.at, self.high];
        if whole.iter().any(|n| !n.is_finite() || *n <= 0.0) {
            return Some(format!("the ratios {whole:?} are not all positive"));
        }
        (self.low > self.at || self.at > self.high)
            .then(|| format!("{} lies outside of {} to {}", self.at, self.low, self.high))
    }
}

/// What one side of a comparison was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Nanoseconds of a call: the median over epochs of a low quantile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nanos: Option<f64>,
    /// Nine epochs of ten took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nanos_q90: Option<f64>,
    /// Instructions of a call, of the program's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// The function in which most of them were executed, and its address in the program's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// One row of a comparison: a path, on one input, at two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The operation.
    pub operation: String,
    /// The instruction set of the head's path; of a peer, its name.
    pub isa: String,
    /// The delivery of the head's path.
    pub delivery: String,
    /// What a call is given: plain bytes, or the name of a load.
    pub load: String,
    /// What the head is compared with: a path, a revision, a file.
    pub against: String,
    /// What it amounts to.
    pub verdict: Compared,
    /// The head's time over the base's; none where nothing was measured, or too little for an
    /// interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// The control's time over the base's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Ratio>,
    /// How much is still the same: `0.01` is a hundredth.
    pub margin: f64,
    /// The confidence of the intervals, corrected for the number of rows and of looks.
    pub confidence: f64,
    /// The least effect beyond which this row would have been slower: `0.013` is 1.3 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// Epochs, each of fresh processes.
    pub epochs: u32,
    /// How long it took.
    pub seconds: f64,
    /// The base, and the head.
    pub base: Side,
    /// The other side.
    pub head: Side,
    /// Where the control's code lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_function: Option<String>,
    /// Of how many links of each side the epochs were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layouts: Option<u32>,
    /// From the least to the greatest ratio that a layout alone had, as `[least, most]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout_spread: Option<[f64; 2]>,
    /// Why there is no verdict, or what must be known beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Comparison {
    /// The printed name of the head's path, `operation/isa/delivery`.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }

    /// Why the record contradicts itself, if it does: a verdict that its own interval does not give.
    pub(crate) fn contradiction(&self) -> Option<String> {
        if let Some(what) = [&self.ratio, &self.control]
            .into_iter()
            .flatten()
            .find_map(Ratio::contradiction)
        {
            return Some(what);
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Some(format!("a margin of {}", self.margin));
        }
        if !(self.confidence > 0.5 && self.confidence < 1.0) {
            return Some(format!("a confidence of {}", self.confidence));
        }
        let [low, high] = self.layout_spread.map_or([None; 2], |ends| ends.map(Some));
        let sides = [&self.base, &self.head].map(|side| [side.nanos, side.nanos_q90]);
        let numbers = [Some(self.seconds), self.least, low, high];
        if let Some(what) = none_finite(numbers.into_iter().chain(sides.into_iter().flatten())) {
            return Some(what);
        }
        let said = |ratio: Option<Ratio>| ratio.map(|r| Compared::of(r.low, r.high, self.margin));
        let (head, control) = (said(self.ratio), said(self.control));
        let moved = matches!(control, Some(Compared::Slower | Compared::Faster));
        let due = match self.verdict {
            Compared::Slower | Compared::Faster | Compared::Same => {
                !moved && head == Some(self.verdict)
            }
            Compared::Inconclusive => !moved && matches!(head, None | Some(Compared::Inconclusive)),
            Compared::Void => moved || self.reason.is_some(),
            Compared::Identical | Compared::NoBase => head.is_none(),
        };
        (!due).then(|| {
            format!(
                "the verdict {} does not follow from the interval {:?}, the control {:?} and the margin {}",
                self.verdict,
                self.ratio.map(|r| [r.low, r.high]),
                self.control.map(|r| [r.low, r.high]),
                self.margin
            )
        })
    }
}

/// The name of the way of comparing that is meant for use.
pub(crate) const PAIRED: &str = "paired";

/// How often comparisons of one kind came out as what: the method's report card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The operation.
    pub operation: String,
    /// The instruction set.
    pub isa: String,
    /// The delivery.
    pub delivery: String,
    /// What a call is given.
    pub load: String,
    /// How it was compared: `paired`, or a way that is known to be worse.
    pub method: String,
    /// What else the machine did, in the words of whoever ran it.
    pub condition: String,
    /// By how much the head was made slower: 0 is none, `0.03` is 3 %.
    pub effect: f64,
    /// How much slower it then was: the median of the comparisons' ratios, less one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// The margin.
    pub margin: f64,
    /// How many comparisons came out `slower`.
    pub slower: u32,
    /// `faster`.
    pub faster: u32,
    /// `same`.
    pub same: u32,
    /// `inconclusive`.
    pub inconclusive: u32,
    /// `void`.
    pub void: u32,
    /// What a comparison took, on average and at most.
    pub seconds: f64,
    /// The longest.
    pub seconds_most: f64,
}

impl Calibration {
    /// The printed name of the path, `operation/isa/delivery`.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }

    /// Whether it was compared in the way that is meant for use.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        self.method == PAIRED
    }

    /// Whether these are comparisons of the effect that they are said to be of: it reads back, within
    /// [`OFF`](Self::OFF) of itself. Code that waits for memory is no slower for a few instructions
    /// more, or some other time much slower; what is found of that says nothing of this effect.
    ///
    /// A way of comparing that is known to be worse is no measure of what was planted, and comparisons
    /// without an interval have not found it: neither is a reason to leave them out.
    #[must_use]
    pub fn reads_back(&self) -> bool {
        let near = |measured: f64| (measured - self.effect).abs() <= Self::OFF * self.effect;
        self.effect <= 0.0 || !self.is_paired() || self.measured.is_none_or(near)
    }

    /// How far off an effect may read back, as a share of it.
    pub const OFF: f64 = 0.25;

    /// How many comparisons there were.
    #[must_use]
    pub fn comparisons(&self) -> u32 {
        [
            self.slower,
            self.faster,
            self.same,
            self.inconclusive,
            self.void,
        ]
        .into_iter()
        .fold(0, u32::saturating_add)
    }

    /// Why the record contradicts itself, if it does.
    pub(crate) fn contradiction(&self) -> Option<String> {
        if self.comparisons() == 0 {
            return Some("of no comparison".into());
        }
        let effect = self.effect >= 0.0 && self.effect.is_finite();
        if !(effect && self.margin > 0.0 && self.margin < 1.0) {
            return Some(format!(
                "an effect of {} and a margin of {}",
                self.effect, self.margin
            ));
        }
        none_finite([self.measured, Some(self.seconds), Some(self.seconds_most)])
    }
}

/// What no file can hold: a reader would find nothing in its place.
fn none_finite(numbers: impl IntoIterator<Item = Option<f64>>) -> Option<String> {
    let mut numbers = numbers.into_iter().flatten();
    let wrong = numbers.find(|n| !n.is_finite())?;
    Some(format!("a number of {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(
        verdict: Compared,
        ratio: Option<[f64; 3]>,
        control: Option<[f64; 3]>,
    ) -> Comparison {
        let ratio_of = |[low, at, high]: [f64; 3]| Ratio { at, low, high };
        Comparison {
            operation: "op".into(),
            isa: "avx2".into(),
            delivery: "fills".into(),
            load: "768".into(),
            against: "main".into(),
            verdict,
            ratio: ratio.map(ratio_of),
            control: control.map(ratio_of),
            margin: 0.01,
            confidence: 0.99,
            least: None,
            epochs: 10,
            seconds: 0.3,
            base: Side::default(),
            head: Side::default(),
            control_function: None,
            layouts: None,
            layout_spread: None,
            reason: None,
        }
    }

    #[test]
    fn an_effect_reads_back_or_its_comparisons_are_of_another_one() {
        let cell = |effect: f64, measured: Option<f64>| Calibration {
            operation: "op".into(),
            isa: "avx2".into(),
            delivery: "fills".into(),
            load: "768".into(),
            method: "paired".into(),
            condition: String::new(),
            effect,
            measured,
            margin: 0.01,
            slower: 1,
            faster: 0,
            same: 0,
            inconclusive: 0,
            void: 0,
            seconds: 0.3,
            seconds_most: 1.0,
        };
        for (effect, measured, so) in [
            (0.03, Some(0.03), true),
            (0.03, Some(0.0226), true),
            (0.03, Some(0.0374), true),
            (0.03, Some(0.0224), false),
            (0.03, Some(0.0376), false),
            (0.03, Some(-0.03), false),
            (0.03, None, true),
            (0.0, Some(0.002), true),
        ] {
            let cell = cell(effect, measured);
            assert_eq!(cell.reads_back(), so, "{cell:?}");
        }
        let lesser = Calibration {
            method: "one-process".into(),
            ..cell(0.03, Some(0.0))
        };
        assert!(lesser.reads_back());
    }

    #[test]
    fn the_interval_and_the_margin_give_the_verdict() {
        for (low, high, verdict) in [
            (1.011, 1.02, Compared::Slower),
            (0.98, 0.99, Compared::Faster),
            (0.995, 1.005, Compared::Same),
            (1.005, 1.02, Compared::Inconclusive),
            (0.5, 1.5, Compared::Inconclusive),
            // The other end of the margin is 1/1.01, a little above 0.99.
            (0.99009, 1.0099, Compared::Inconclusive),
            (0.9901, 1.0099, Compared::Same),
        ] {
            assert_eq!(Compared::of(low, high, 0.01), verdict, "{low} to {high}");
        }
    }

    #[test]
    fn a_verdict_that_its_interval_does_not_give_is_a_contradiction() {
        let still = Some([0.999, 1.0, 1.001]);
        let moved = Some([1.02, 1.03, 1.04]);
        assert_eq!(
            compared(Compared::Slower, moved, still).contradiction(),
            None
        );
        assert_eq!(compared(Compared::Same, still, still).contradiction(), None);
        assert_eq!(compared(Compared::Void, still, moved).contradiction(), None);
        assert_eq!(
            compared(Compared::Inconclusive, None, None).contradiction(),
            None
        );
        for wrong in [
            compared(Compared::Same, moved, still),
            compared(Compared::Slower, still, still),
            compared(Compared::Slower, moved, moved),
            compared(Compared::Same, None, None),
            compared(Compared::Void, still, still),
            compared(Compared::Identical, still, None),
            compared(Compared::Slower, Some([1.02, 1.01, 1.04]), still),
            compared(Compared::Slower, Some([1.02, f64::INFINITY, 1.04]), still),
            Comparison {
                margin: 0.0,
                ..compared(Compared::Slower, moved, still)
            },
        ] {
            assert!(wrong.contradiction().is_some(), "{wrong:?}");
        }
    }
}
