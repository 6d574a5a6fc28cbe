//! How good the comparison is: how often it came out as what, of comparisons whose answer was known
//! before.

use super::{load, percent};
use crate::compared::PAIRED;
use crate::rate::{limits, upper};
use crate::{Calibration, Report};

/// How sure the limits of a share are.
pub(in super::super) const CONFIDENCE: f64 = 0.95;

/// Comparisons of one method under one condition with one margin, at each effect.
#[derive(Debug)]
pub(in super::super) struct Series<'a> {
    pub(in super::super) method: &'a str,
    pub(in super::super) condition: &'a str,
    pub(in super::super) margin: f64,
    /// By effect.
    pub(in super::super) points: Vec<Pooled<'a>>,
}

/// Comparisons of all paths with one planted effect.
#[derive(Debug)]
pub(in super::super) struct Pooled<'a> {
    pub(in super::super) effect: f64,
    /// What is counted.
    pub(in super::super) of: Vec<&'a Calibration>,
    /// What is not, for it reads back as another effect.
    pub(in super::super) off: Vec<&'a Calibration>,
}

/// How many comparisons came out as what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Counts {
    pub(in super::super) all: u64,
    pub(in super::super) slower: u64,
    pub(in super::super) faster: u64,
    pub(in super::super) same: u64,
    pub(in super::super) inconclusive: u64,
    pub(in super::super) void: u64,
}

/// The share of comparisons that say that there is a difference: of an effect that was planted, how
/// often it was found; of none, how often there was a false alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Share {
    pub(in super::super) at: f64,
    /// The Clopper-Pearson limits.
    pub(in super::super) low: f64,
    pub(in super::super) high: f64,
    /// The upper limit alone, with the same confidence.
    pub(in super::super) most: f64,
}

/// All calibrations of a report: series in the order in which they first appear.
pub(in super::super) fn series(report: &Report) -> Vec<Series<'_>> {
    let mut all: Vec<Series<'_>> = Vec::new();
    for row in report.calibrations() {
        let of_it = |series: &Series<'_>| {
            series.method == row.method
                && series.condition == row.condition
                && series.margin.to_bits() == row.margin.to_bits()
        };
        let at = all.iter().position(of_it).unwrap_or_else(|| {
            all.push(Series {
                method: &row.method,
                condition: &row.condition,
                margin: row.margin,
                points: Vec::new(),
            });
            all.len() - 1
        });
        let points = &mut all[at].points;
        // Without the sign of zero.
        let bits = |effect: f64| (effect + 0.0).to_bits();
        let known = |point: &Pooled<'_>| bits(point.effect) == bits(row.effect);
        let at = points.iter().position(known).unwrap_or_else(|| {
            points.push(Pooled {
                effect: row.effect,
                of: Vec::new(),
                off: Vec::new(),
            });
            points.len() - 1
        });
        match row.reads_back() {
            true => points[at].of.push(row),
            false => points[at].off.push(row),
        }
    }
    for series in &mut all {
        series.points.sort_by(|a, b| a.effect.total_cmp(&b.effect));
    }
    all
}

impl Series<'_> {
    /// `paired, an idle machine`.
    pub(in super::super) fn name(&self) -> String {
        let parts = [self.method, self.condition];
        let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        named.join(", ")
    }

    /// Whether it is compared in the way that is meant for use.
    pub(in super::super) fn is_paired(&self) -> bool {
        self.method == PAIRED
    }
}

impl<'a> Pooled<'a> {
    pub(in super::super) fn counts(&self) -> Counts {
        counts(&self.of)
    }

    /// How many comparisons are left out.
    pub(in super::super) fn left_out(&self) -> u64 {
        counts(&self.off).all
    }

    fn all(&self) -> impl Iterator<Item = &&'a Calibration> {
        self.of.iter().chain(&self.off)
    }

    /// From the least to the greatest slowdown that a path then had.
    pub(in super::super) fn measured(&self) -> Option<[f64; 2]> {
        let measured = self.of.iter().filter_map(|row| row.measured);
        measured
            .map(|one| [one, one])
            .reduce(|[low, high], [one, _]| [low.min(one), high.max(one)])
    }

    /// What a comparison took on average.
    pub(in super::super) fn seconds(&self) -> f64 {
        let weighed = self.all().map(|row| {
            let all = Counts::of(row).all as f64;
            [row.seconds * all, all]
        });
        let [sum, all] = weighed.fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
        sum / all
    }

    /// What the longest took.
    pub(in super::super) fn seconds_most(&self) -> f64 {
        self.all().map(|row| row.seconds_most).fold(0.0, f64::max)
    }
}

fn counts(of: &[&Calibration]) -> Counts {
    let each = of.iter().map(|row| Counts::of(row));
    each.fold(Counts::default(), Counts::and)
}

impl Counts {
    pub(in super::super) fn of(row: &Calibration) -> Self {
        let counts = [row.slower, row.faster, row.same, row.inconclusive, row.void];
        let [slower, faster, same, inconclusive, void] = counts.map(u64::from);
        Counts {
            all: slower + faster + same + inconclusive + void,
            slower,
            faster,
            same,
            inconclusive,
            void,
        }
    }

    fn and(self, other: Self) -> Self {
        Counts {
            all: self.all + other.all,
            slower: self.slower + other.slower,
            faster: self.faster + other.faster,
            same: self.same + other.same,
            inconclusive: self.inconclusive + other.inconclusive,
            void: self.void + other.void,
        }
    }

    /// How often the comparison said that there is this effect.
    pub(in super::super) fn said(&self, effect: f64) -> u64 {
        match effect > 0.0 {
            true => self.slower,
            false => self.slower + self.faster,
        }
    }

    /// The same as a share of all; none of no comparison.
    pub(in super::super) fn share(&self, effect: f64) -> Option<Share> {
        let (k, n) = (self.said(effect), self.all);
        let [low, high] = limits(k, n, CONFIDENCE)?;
        Some(Share {
            at: k as f64 / n as f64,
            low,
            high,
            most: upper(k, n, 1.0 - CONFIDENCE),
        })
    }
}

impl Share {
    /// `0 %`.
    pub(in super::super) fn in_percent(&self) -> String {
        format!("{} %", percent(self.at))
    }

    /// `[0, 0.918]`.
    pub(in super::super) fn limits_in_percent(&self) -> String {
        format!("[{}, {}]", percent(self.low), percent(self.high))
    }
}

/// `q64_encode/avx2/fills at 768 B`.
pub(in super::super) fn place(row: &Calibration) -> String {
    format!("{} at {}", row.name(), load(&row.load))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_no_effect_an_alarm_is_false_and_of_an_effect_it_is_found() {
        let counts = Counts {
            all: 10,
            slower: 3,
            faster: 2,
            same: 5,
            ..Counts::default()
        };
        assert_eq!((counts.said(0.0), counts.said(0.03)), (5, 3));
    }
}
