//! What is shown from the records: pure functions of a [`Report`], one file each.

mod chart;
mod junit;
mod markdown;
mod page;
mod palette;
mod text;

pub use junit::junit;
pub use markdown::markdown;
pub use page::page;
pub use text::text;

use crate::number::measured;
use crate::record::{Figure, PathRow};
use crate::{Record, Report};

/// The quantity that the ledger and the chart show; every other one is listed as a figure.
const CASES: &str = "cases";

/// The records again, one JSON object a line.
///
/// A line that was cut off in the file is not there: [`Report`] has dropped it.
#[must_use]
pub fn json(report: &Report) -> String {
    let line = |record: &Record| {
        // Only maps with keys that are no strings and failing Serialize impls fail; a record has
        // neither.
        serde_json::to_string(record).expect("a record is plain data") + "\n"
    };
    report.records.iter().map(line).collect()
}

/// The ledger's rows by operation, in the order in which operations first appear.
fn by_operation(report: &Report) -> Vec<(&str, Vec<&PathRow>)> {
    let mut groups: Vec<(&str, Vec<&PathRow>)> = Vec::new();
    for row in report.paths() {
        match groups
            .iter_mut()
            .find(|(operation, _)| *operation == row.operation)
        {
            Some((_, rows)) => rows.push(row),
            None => groups.push((&row.operation, vec![row])),
        }
    }
    groups
}

/// What the ledger says beside a row: why it did not run, how many findings, which receipt.
fn remark(row: &PathRow) -> String {
    let mut parts: Vec<&str> = Vec::new();
    if row.peer {
        parts.push("peer");
    }
    parts.extend(row.reason.as_deref());
    parts.extend(row.receipt.as_deref());
    parts.join("; ")
}

/// Figures that neither the ledger nor the chart shows.
fn other_figures(report: &Report) -> Vec<&Figure> {
    report
        .figures()
        .filter(|figure| figure.quantity != CASES || figure.split.is_none())
        .collect()
}

/// The value with its unit, or that there is none.
fn value_of(figure: &Figure, separator: char) -> String {
    match figure.value {
        Some(value) => format!("{} {}", measured(value, separator), figure.unit)
            .trim_end()
            .to_owned(),
        None => "none".to_owned(),
    }
}
