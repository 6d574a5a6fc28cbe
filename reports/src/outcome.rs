//! What a report amounts to, in one word and in one sentence.

use std::fmt;

use crate::number::grouped;
use crate::read::Report;
use crate::record::State;

/// What a whole run amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The run ended with exit code 0, at least one path was verified, and none failed or was
    /// passed over.
    Verified,
    /// A path or a peer failed, or the run ended with an exit code of failure.
    Failed,
    /// No path was verified, or a path that could have run did not. Never a pass.
    NotExecuted,
    /// Every path that ran was verified, and one that was required could not run (exit code 4).
    Missing,
    /// The run says itself that it cannot tell (exit code 5).
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
            Outcome::Failed => "failed",
            Outcome::NotExecuted => "NOT EXECUTED",
            Outcome::Missing => "REQUIRED PATH MISSING",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Unfinished => "did not finish",
        }
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
    /// failed row has failed.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let tally = self.tally();
        let broken =
            self.findings().next().is_some() || self.paths().any(|row| row.state == State::Failed);
        // A run of peers alone, such as the replay of a peer's case, verifies no path and owes none.
        let peers_alone = self.paths().next().is_some() && self.paths().all(|row| row.peer);
        let nothing = match peers_alone {
            true => self.paths().all(|row| row.state != State::Verified),
            false => tally.verified == 0,
        };
        match self.end().map(|end| end.exit) {
            None | Some(130) => Outcome::Unfinished,
            _ if broken => Outcome::Failed,
            Some(0 | 4) if nothing || tally.not_executed > 0 => Outcome::NotExecuted,
            Some(0) => Outcome::Verified,
            Some(4) => Outcome::Missing,
            Some(5) => Outcome::Inconclusive,
            Some(_) => Outcome::Failed,
        }
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
        let paths = if tally.verified == 1 { "path" } else { "paths" };
        let mut out = format!("{} {paths} verified", tally.verified);
        for (count, word) in [
            (tally.failed, State::Failed),
            (tally.unavailable, State::Unavailable),
            (tally.not_executed, State::NotExecuted),
        ] {
            if count > 0 {
                out += &format!(", {count} {word}");
            }
        }
        match self.findings().count() {
            0 => {}
            1 => out += "; 1 finding",
            n => out += &format!("; {n} findings"),
        }
        out += &format!("; {} cases", grouped(tally.cases, separator));
        if let Some(end) = self.end() {
            out += &format!(" in {:.1} s", end.seconds);
        }
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
