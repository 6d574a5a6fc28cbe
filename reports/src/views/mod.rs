//! What is shown from the records: pure functions of a [`Report`], one file each.

mod annotations;
mod chart;
mod compared;
mod evidence;
mod gated;
mod junit;
mod markdown;
mod page;
mod palette;
mod text;
mod times;
mod words;

pub use annotations::annotations;
pub use junit::junit;
pub use markdown::markdown;
pub use page::page;
pub use text::text;

use crate::number::measured;
use crate::record::{Figure, PathRow};
use crate::{Record, Report};
use evidence::Evidence;
use times::Times;

/// The quantity that the ledger and its chart show.
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

/// The printed name of a path without its operation.
fn label(isa: &str, delivery: &str) -> String {
    let parts: Vec<&str> = [isa, delivery]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("/")
}

/// Figures that neither the ledger nor a table of times or evidence nor a chart shows.
fn other_figures<'a>(
    report: &'a Report,
    times: &Times<'_>,
    evidence: &Evidence<'_>,
) -> Vec<&'a Figure> {
    report
        .figures()
        .filter(|figure| figure.quantity != CASES || figure.split.is_none())
        .filter(|figure| !times.show(figure) && !evidence.show(figure))
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
