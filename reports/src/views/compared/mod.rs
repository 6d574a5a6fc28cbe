//! Sides held against each other: the comparisons of one report, gathered by operation and by what
//! they are held against, and how good the method is. Tables and pictures are both made from these,
//! so that they cannot disagree.

pub(super) mod calibrated;
pub(super) mod words;

use super::label;
use crate::compared::{Compared, Comparison, Side};
use crate::number::{significant, size};
use crate::plain::one_line;
use crate::{Ratio, Report};

/// The order of rows: what somebody must look at first.
const ORDER: [Compared; 7] = [
    Compared::Slower,
    Compared::Void,
    Compared::Inconclusive,
    Compared::NoBase,
    Compared::Faster,
    Compared::Same,
    Compared::Identical,
];

/// The comparisons of one operation with one base.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) operation: &'a str,
    pub(super) against: &'a str,
    /// By verdict, and then as in the file.
    pub(super) rows: Vec<&'a Comparison>,
}

/// All comparisons of a report, in the order in which their operations and bases first appear.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in report.comparisons() {
        let of_it = |group: &&mut Group<'_>| {
            group.operation == row.operation && group.against == row.against
        };
        match groups.iter_mut().find(of_it) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                operation: &row.operation,
                against: &row.against,
                rows: vec![row],
            }),
        }
    }
    for group in &mut groups {
        group.rows.sort_by_key(|row| {
            let place = ORDER.iter().position(|known| *known == row.verdict);
            place.unwrap_or(ORDER.len())
        });
    }
    // Those of one operation stand together.
    let mut operations: Vec<&str> = Vec::new();
    for group in &groups {
        if !operations.contains(&group.operation) {
            operations.push(group.operation);
        }
    }
    groups.sort_by_key(|group| operations.iter().position(|of| *of == group.operation));
    groups
}

impl<'a> Group<'a> {
    /// What the verdicts come to: `1 slower, 57 same`.
    pub(super) fn counted(&self) -> String {
        Compared::counted(self.rows.iter().map(|row| row.verdict))
    }

    /// The rows that have an interval, which can be drawn.
    pub(super) fn measured(&self) -> impl Iterator<Item = (&'a Comparison, Ratio)> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((*row, drawable(row.ratio?)?)))
    }

    /// The rows that have none, by the verdict and the reason for it. Of identical code there is
    /// nothing to be said but which it is.
    pub(super) fn unmeasured(&self) -> Vec<(String, Vec<&'a Comparison>)> {
        let mut entries: Vec<(String, Vec<&Comparison>)> = Vec::new();
        let without = |row: &&&Comparison| row.ratio.and_then(drawable).is_none();
        for row in self.rows.iter().filter(without) {
            let said = match (row.verdict, &row.reason) {
                (Compared::Identical, _) | (_, None) => row.verdict.to_string(),
                (verdict, Some(why)) => format!("{verdict}, {why}"),
            };
            match entries.iter_mut().find(|(known, _)| *known == said) {
                Some((_, rows)) => rows.push(row),
                None => entries.push((said, vec![row])),
            }
        }
        entries
    }

    /// What all rows have alike, if they do.
    pub(super) fn shared<T: PartialEq>(&self, of: fn(&Comparison) -> T) -> Option<T> {
        let mut all = self.rows.iter().map(|row| of(row));
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    /// The share of rows of which nobody can tell, if there are any.
    pub(super) fn without_verdict(&self) -> Option<f64> {
        let unclear =
            |row: &&&Comparison| matches!(row.verdict, Compared::Inconclusive | Compared::Void);
        let count = self.rows.iter().filter(unclear).count();
        (count > 0).then(|| count as f64 / self.rows.len() as f64)
    }

    /// From the least to the greatest end of the controls' intervals.
    pub(super) fn controls(&self) -> Option<[f64; 2]> {
        let controls = self.rows.iter().filter_map(|row| row.control);
        controls
            .map(|control| [control.low, control.high])
            .reduce(|[low, high], other| [low.min(other[0]), high.max(other[1])])
    }
}

/// A ratio that people can compare, and that has a place on an axis; a report that a program built
/// may have others.
fn drawable(ratio: Ratio) -> Option<Ratio> {
    let fits = |n: f64| (1e-6..=1e6).contains(&n);
    let ordered = ratio.low <= ratio.at && ratio.at <= ratio.high;
    (ordered && fits(ratio.low) && fits(ratio.high)).then_some(ratio)
}

/// `768 B`; a load that is a name stays one.
pub(super) fn load(load: &str) -> String {
    load.parse().map_or_else(|_| one_line(load), size)
}

/// `avx2/fills at 768 B`.
pub(super) fn place(row: &Comparison) -> String {
    let path = label(&row.isa, &row.delivery);
    format!("{path} at {}", load(&row.load))
}

/// Rows by their loads, so that a list of many stays short: `at 768 B, 4 KiB: avx2/fills,
/// avx2/returns`.
pub(super) fn places(rows: &[&Comparison]) -> String {
    let mut paths: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows {
        let (path, load) = (label(&row.isa, &row.delivery), load(&row.load));
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, loads)) => loads.push(load),
            None => paths.push((path, vec![load])),
        }
    }
    let mut by_loads: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (path, loads) in paths {
        match by_loads.iter_mut().find(|(known, _)| *known == loads) {
            Some((_, paths)) => paths.push(path),
            None => by_loads.push((loads, vec![path])),
        }
    }
    let said = |(loads, paths): &(Vec<String>, Vec<String>)| {
        format!("at {}: {}", loads.join(", "), paths.join(", "))
    };
    by_loads.iter().map(said).collect::<Vec<_>>().join("; ")
}

/// How far a ratio of times is from the same time, in percent: `+3.1`. With as many decimals as
/// can be told from each other at this margin, and no sign before nothing.
pub(super) fn signed(ratio: f64, margin: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    if !percent.is_finite() || percent.abs() >= 1e6 {
        return format!("{percent:+e}");
    }
    let decimals = match margin {
        _ if margin >= 0.01 => 1,
        _ if margin >= 0.001 => 2,
        _ => 3,
    };
    let shown = format!("{percent:+.decimals$}");
    match shown.trim_start_matches(['+', '-']) {
        nothing if nothing.trim_matches(['0', '.']).is_empty() => nothing.to_owned(),
        _ => shown,
    }
}

/// `+3.1 %`.
pub(super) fn ratio(of: &Comparison) -> Option<String> {
    let ratio = of.ratio?;
    Some(format!("{} %", signed(ratio.at, of.margin)))
}

/// `[+2.8, +3.5]`.
pub(super) fn interval(ratio: Ratio, margin: f64) -> String {
    let [low, high] = [ratio.low, ratio.high].map(|end| signed(end, margin));
    format!("[{low}, {high}]")
}

/// A part of one in percent, as short as it can be without becoming another: `1`, `0.25`, `99.98`.
pub(super) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    // What is nearly all is not all, and what is nearly nothing is not nothing.
    let near = percent.abs().min((100.0 - percent).abs());
    if !percent.is_finite() || percent.abs() >= 1e6 || (near > 0.0 && near < 1e-6) {
        return format!("{percent:e}");
    }
    let decimals = match near {
        0.0 => 0,
        near => (2.0 - near.log10().floor()).clamp(0.0, 9.0) as usize,
    };
    let shown = format!("{percent:.decimals$}");
    match shown.contains('.') {
        true => shown.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => shown,
    }
}

/// What both sides count, beside each other: `92.4 → 55.5`.
fn both(row: &Comparison, of: fn(&Side) -> Option<f64>) -> Option<String> {
    let sides = [of(&row.base), of(&row.head)];
    if sides == [None, None] {
        return None;
    }
    let [base, head] = sides.map(|n| n.map_or_else(|| "-".to_owned(), significant));
    Some(format!("{base} → {head}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_said_in_percent() {
        let shown = [1.0312, 0.6, 1.0, 0.99999, 2.5, 1e9].map(|ratio| signed(ratio, 0.01));
        assert_eq!(
            shown,
            ["+3.1", "-40.0", "0.0", "0.0", "+150.0", "+9.99999999e10"]
        );
        assert_eq!(signed(1.00123, 0.005), "+0.12");
        assert_eq!(signed(1.00123, 0.0001), "+0.123");
    }

    #[test]
    fn a_part_is_short_and_nearly_all_is_not_all() {
        let shown = [0.01, 0.0025, 0.995, 0.9998, 0.33333, 0.999_999_9, 0.0, 1.0].map(percent);
        let want = ["1", "0.25", "99.5", "99.98", "33.3", "99.99999", "0", "100"];
        assert_eq!(shown, want);
        assert_eq!(percent(0.014_620_179), "1.46");
    }
}
