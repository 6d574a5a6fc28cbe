//! The sign test: what can be said of a median from values of which nothing is known but that they are independent.
//!
//! The interval of the median of n values, sorted, from the k-th to the k-th last misses it with the probability that of n fair coins
//! fewer than k, or more than n - k, show heads (J. D. Gibbons, S. Chakraborti, Nonparametric Statistical Inference, 5.2).

use pathproof_reports::{Compared, Ratio};
use statrs::distribution::{Binomial, DiscreteCDF as _};

/// How often a row may be looked at, each time at twice as many epochs.
pub(crate) const LOOKS: u32 = 5;
/// No row is looked at before it has so many epochs: fewer say little of how much the next ones will differ.
const LEAST: usize = 10;

/// The chance that any of so many rows is called slower or faster, at any look, though its median is none.
pub(crate) const ALPHA: f64 = 0.05;

/// The rule by which rows are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// How much is still the same: 0.01 is a hundredth.
    pub(crate) margin: f64,
    /// Of each interval: corrected for all rows and looks (Bonferroni).
    pub(crate) confidence: f64,
    /// The epochs of the first look: so many that there is an interval.
    pub(crate) first: usize,
}

impl Rule {
    pub(crate) fn new(margin: f64, rows: usize) -> Self {
        let wrong = ALPHA / f64::from(LOOKS) / rows.max(1) as f64;
        // From the least to the greatest of n: wrong by 2^(1 - n).
        let needed = 1 + (-wrong.log2()).ceil() as usize;
        Self {
            margin,
            confidence: 1.0 - wrong,
            first: needed.max(LEAST),
        }
    }

    /// The epochs of the last look.
    pub(crate) fn most(&self) -> usize {
        self.first << (LOOKS - 1)
    }

    /// What the epochs say so far; each is the logarithm of a ratio of times.
    pub(crate) fn judge(&self, epochs: &[f64]) -> (Compared, Option<Ratio>) {
        let Some(interval) = interval(epochs, self.confidence) else {
            return (Compared::Inconclusive, None);
        };
        let [low, at, high] = interval.map(f64::exp);
        let verdict = Compared::of(low, high, self.margin);
        (verdict, Some(Ratio { at, low, high }))
    }
}

/// The median with the ends of its interval; none if there are too few values for one.
pub(crate) fn interval(values: &[f64], confidence: f64) -> Option<[f64; 3]> {
    let left_out = left_out(values.len(), confidence)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    Some([
        sorted[left_out],
        median(&mut sorted)?,
        sorted[last - left_out],
    ])
}

/// How many of the least and how many of the greatest of `n` values may lie outside of the interval.
fn left_out(n: usize, confidence: f64) -> Option<usize> {
    let coins = Binomial::new(0.5, n as u64).ok()?;
    let missed = |left_out: usize| 2.0 * coins.cdf(left_out as u64);
    (0..n / 2)
        .take_while(|left_out| missed(*left_out) <= 1.0 - confidence)
        .last()
}

/// The middle one, or the mean of the two in the middle; sorts the values.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (
        values.get(values.len().checked_sub(1)? / 2)?,
        values.get(values.len() / 2)?,
    );
    Some((low + high) / 2.0)
}

/// The value below which a share of the values lies; sorts them.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = (values.len().checked_sub(1)? as f64 * share).round();
    values.get(at as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::Rng as _;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // 95 %: n = 6 has the whole range, n = 20 the 6th to the 15th (Gibbons and Chakraborti, table G).
        let of = |n: usize, confidence: f64| {
            let values: Vec<f64> = (1..=n).map(|n| n as f64).collect();
            interval(&values, confidence)
        };
        assert_eq!(of(5, 0.95), None);
        assert_eq!(of(6, 0.95), Some([1.0, 3.5, 6.0]));
        assert_eq!(of(20, 0.95), Some([6.0, 10.5, 15.0]));
        assert_eq!(of(9, 0.995), Some([1.0, 5.0, 9.0]));
        assert_eq!(of(8, 0.995), None);
        assert_eq!(of(0, 0.95), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0]), Some(2.5));
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.1), Some(1.0));
        assert_eq!(quantile(&mut [], 0.1), None);
    }

    #[test]
    fn the_first_look_has_an_interval_whatever_the_number_of_rows() {
        for rows in [1, 10, 60, 100, 1000, 100_000] {
            let rule = Rule::new(0.01, rows);
            assert!(left_out(rule.first, rule.confidence).is_some(), "{rows}");
            assert!(rule.first == LEAST || left_out(rule.first - 1, rule.confidence).is_none());
        }
        assert_eq!(Rule::new(0.01, 1).first, 10);
        assert_eq!(Rule::new(0.01, 10).first, 11);
    }

    /// Epochs from a distribution with a long tail and no median but `at`, looked at as a row is.
    fn row(rule: &Rule, at: f64, width: f64, draw: &mut impl FnMut() -> f64) -> Compared {
        let mut epochs = Vec::new();
        let mut next = rule.first;
        loop {
            let side = draw() - 0.5;
            // As far as Cauchy's goes.
            epochs.push(at + width * (side * std::f64::consts::PI).tan());
            if epochs.len() == next {
                let (verdict, _) = rule.judge(&epochs);
                if verdict != Compared::Inconclusive || next == rule.most() {
                    return verdict;
                }
                next *= 2;
            }
        }
    }

    #[test]
    fn the_chance_of_a_false_alarm_is_kept_over_all_looks_and_a_planted_effect_is_found() {
        let mut rng = crate::case::rng(7);
        let mut draw = move || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let (rows, tables) = (10, 400);
        let rule = Rule::new(0.01, rows);
        // The worst that there is: the median is at the margin itself, so that every interval beyond it is wrong.
        let edge = 1.01f64.ln();
        let mut alarmed = 0;
        for _ in 0..tables {
            let verdicts: Vec<_> = (0..rows)
                .map(|_| row(&rule, edge, 0.005, &mut draw))
                .collect();
            alarmed += u32::from(verdicts.contains(&Compared::Slower));
        }
        // 5 % of 400 are 20; the bound is one of the whole table.
        assert!(alarmed <= 20, "{alarmed} of {tables} tables");
        let found = |at: f64, draw: &mut dyn FnMut() -> f64| {
            let all = (0..200).map(|_| row(&rule, at, 0.002, &mut || draw()));
            let all: Vec<Compared> = all.collect();
            let count = |word| all.iter().filter(|v| **v == word).count();
            (
                count(Compared::Slower),
                count(Compared::Faster),
                count(Compared::Same),
            )
        };
        assert_eq!(found(1.03f64.ln(), &mut draw), (200, 0, 0));
        assert_eq!(found(0.97f64.ln(), &mut draw), (0, 200, 0));
        assert_eq!(found(0.0, &mut draw), (0, 0, 200));
    }
}
