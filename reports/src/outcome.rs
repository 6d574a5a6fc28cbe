//! What a report amounts to, in one word and in one sentence.

use std::fmt;

use crate::compared::Compared;
use crate::gated::{Gate, Gated};
use crate::number::grouped;
use crate::read::Report;
use crate::record::{Run, State};

/// What a whole run amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The run ended with exit code 0, at least one path was verified, and none failed or was
    /// passed over.
    Verified,
    /// The run ended with exit code 0, owes no path that it would have had to verify, such as a run
    /// of mutants, and has something to show for it.
    Passed,
    /// A path or a peer failed or came out slower, a gate's row fails, or the run ended with an exit
    /// code of failure.
    Failed,
    /// No path was verified, or a path that could have run did not. Never a pass.
    NotExecuted,
    /// Every path that ran was verified, and one that was required could not run (exit code 4).
    Missing,
    /// The run says itself that it cannot tell (exit code 5), or a gate does of a row that it had to
    /// tell of, or of each.
    Inconclusive,
    /// There is no end record, or it says that the run was interrupted: what is there is a
    /// beginning.
    Unfinished,
}

impl Outcome {
    /// The words that every view uses.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Outcome::Verified => "verified",
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotExecuted => "NOT EXECUTED",
            Outcome::Missing => "REQUIRED PATH MISSING",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Unfinished => "did not finish",
        }
    }

    /// Whether nothing is wrong and nothing is missing.
    #[must_use]
    pub const fn is_pass(self) -> bool {
        matches!(self, Outcome::Verified | Outcome::Passed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// How many paths are in which state. Peers are no paths and are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Paths that agreed with the reference in every call.
    pub verified: usize,
    /// Paths with findings.
    pub failed: usize,
    /// Paths that cannot run here.
    pub unavailable: usize,
    /// Paths that could have run and did not.
    pub not_executed: usize,
    /// Cases of all paths.
    pub cases: u64,
}

impl Report {
    /// The ledger in numbers.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for row in self.paths().filter(|row| !row.peer) {
            match row.state {
                State::Verified => tally.verified += 1,
                State::Failed => tally.failed += 1,
                State::Unavailable => tally.unavailable += 1,
                State::NotExecuted => tally.not_executed += 1,
            }
            tally.cases = tally.cases.saturating_add(row.cases);
        }
        tally
    }

    /// What the run amounts to. The exit code alone is not believed: a run that says 0 beside a
    /// failed row, a comparison that came out slower or a gate's row that fails, has failed.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let tally = self.tally();
        let slower = self
            .comparisons()
            .any(|row| row.verdict == Compared::Slower);
        let broken = slower
            || self.gated().any(|row| row.verdict == Gate::Fails)
            || self.findings().next().is_some()
            || self.paths().any(|row| row.state == State::Failed);
        // A run of peers alone, such as the replay of a peer's case, verifies no path and owes none.
        let peers_alone = self.paths().next().is_some() && self.paths().all(|row| row.peer);
        let nothing = match peers_alone {
            true => self.paths().all(|row| row.state != State::Verified),
            false => tally.verified == 0,
        };
        match self.end().map(|end| end.exit) {
            None | Some(130) => Outcome::Unfinished,
            _ if broken => Outcome::Failed,
            Some(0) if tally.not_executed == 0 && self.cannot_tell() => Outcome::Inconclusive,
            Some(0) if self.owes_no_path() => Outcome::Passed,
            Some(0 | 4) if nothing || tally.not_executed > 0 => Outcome::NotExecuted,
            Some(0) => Outcome::Verified,
            Some(4) => Outcome::Missing,
            Some(5) => Outcome::Inconclusive,
            Some(_) => Outcome::Failed,
        }
    }

    /// Whether a gate has a row that it had to tell of and could not, or has told nothing of any.
    fn cannot_tell(&self) -> bool {
        let rows: Vec<&Gated> = self.gated().collect();
        let none = rows.iter().all(|row| row.verdict != Gate::Passes);
        rows.iter().any(|row| row.exit == 5) || (none && !rows.is_empty())
    }

    /// Whether no path had to be verified, and yet something was done. What verifies nothing is known
    /// by its verb, and of a run that says that it has passed the work must be in the records: the
    /// mutants, the inputs, the comparisons of which the answer was known, the rows of the gate, whose
    /// parts have records of their own. Any other verb owes rows, and a path that could have run is
    /// owed whatever the verb.
    fn owes_no_path(&self) -> bool {
        let counted = |quantity: &str| {
            let of_it = |value: Option<f64>| value.is_some_and(|n| n > 0.0);
            self.figures()
                .any(|figure| figure.quantity == quantity && of_it(figure.value))
        };
        let worked = |run: &Run| match run.verb.as_str() {
            "mutate" => counted("mutants"),
            // Of a target that is no operation, such as a parser; any other has rows.
            "fuzz" => counted("inputs") && self.paths().next().is_none(),
            "calibrate" => self.calibrations().next().is_some(),
            "gate" => self.gated().next().is_some(),
            _ => false,
        };
        let mut paths = self.paths();
        self.runs().next().is_some()
            && self.runs().all(worked)
            && paths.all(|row| row.state == State::Unavailable)
    }

    /// The outcome in one line, such as `failed: 13 paths verified, 1 failed, 2 unavailable; 1
    /// finding; 5,432,100 cases in 4.2 s; seed 7`.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{}: {}", self.outcome(), self.summary_numbers(','))
    }

    /// The summary without the outcome's words.
    pub(crate) fn summary_numbers(&self, separator: char) -> String {
        let tally = self.tally();
        let mut states = Vec::new();
        // Nothing verified is no remark on a run that had nothing to verify.
        let gate = self.gated().next().is_some() && self.paths().next().is_none();
        let owes_none = gate || self.outcome() == Outcome::Passed;
        if tally.verified > 0 || !owes_none {
            let paths = if tally.verified == 1 { "path" } else { "paths" };
            states.push(format!("{} {paths} verified", tally.verified));
        }
        for (count, word) in [
            (tally.failed, State::Failed),
            (tally.unavailable, State::Unavailable),
            (tally.not_executed, State::NotExecuted),
        ] {
            if count > 0 {
                states.push(format!("{count} {word}"));
            }
        }
        let mut parts = vec![states.join(", ")];
        let counted = |n: usize, word: &str| match n {
            0 => String::new(),
            1 => format!("1 {word}"),
            n => format!("{n} {word}s"),
        };
        parts.push(counted(self.findings().count(), "finding"));
        let verdicts = self.comparisons().map(|row| row.verdict);
        let compared: Vec<Compared> = verdicts.collect();
        if !compared.is_empty() {
            let rows = counted(compared.len(), "comparison");
            let each = Compared::counted(compared.into_iter());
            parts.push(format!("{rows}: {each}"));
        }
        parts.push(counted(self.calibrations().count(), "calibration"));
        let gated = self.gated().map(|row| row.verdict);
        if gated.clone().next().is_some() {
            let rows = counted(gated.clone().count(), "row");
            parts.push(format!("{rows} of the gate: {}", Gate::counted(gated)));
        }
        let time = self.end().map(|end| format!("{:.1} s", end.seconds));
        if tally.cases > 0 || !owes_none {
            let cases = format!("{} cases", grouped(tally.cases, separator));
            parts.push(time.map_or(cases.clone(), |time| format!("{cases} in {time}")));
        } else {
            parts.extend(time);
        }
        parts.retain(|part| !part.is_empty());
        let mut out = parts.join("; ");
        let mut seeds: Vec<u64> = self.runs().filter_map(|run| run.seed).collect();
        seeds.dedup();
        for seed in seeds {
            out += &format!("; seed {seed}");
        }
        out
    }

    /// Why an unfinished run is unfinished.
    #[cfg(feature = "charts")]
    pub(crate) fn unfinished(&self) -> &'static str {
        if self.truncated {
            "The last record is cut off: the run was killed while it wrote. What follows is a beginning, not a result."
        } else if self.end().is_some() {
            "The run was interrupted. What follows is a beginning, not a result."
        } else {
            "There is no end record: the run was killed. What follows is a beginning, not a result."
        }
    }
}
