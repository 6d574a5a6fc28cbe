//! The rows of a gate, in the order in which every view shows them.

use crate::{Gate, Gated, Report};

/// Those of one verdict, as in the file.
pub(super) fn of(report: &Report, verdict: Gate) -> Vec<&Gated> {
    report
        .gated()
        .filter(|row| row.verdict == verdict)
        .collect()
}

/// All of them, those first that somebody must look at.
pub(super) fn sorted(report: &Report) -> Vec<&Gated> {
    let of = |verdict| of(report, verdict);
    Gate::ALL.into_iter().flat_map(of).collect()
}
