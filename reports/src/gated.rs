//! What a gate says: the rows of its table.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a gate says of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// What was found is what the policy allows.
    Passes,
    /// It is not.
    Fails,
    /// Nobody can tell: it was not measured, or not well enough.
    Inconclusive,
}

impl Gate {
    /// Every verdict, in the order in which they are counted out and shown: what somebody must look at
    /// first.
    pub const ALL: [Gate; 3] = [Gate::Fails, Gate::Inconclusive, Gate::Passes];

    /// The word that every view uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Gate::Passes => "passes",
            Gate::Fails => "fails",
            Gate::Inconclusive => "inconclusive",
        }
    }

    /// How many there are of each, in words: `1 fails, 24 passes`.
    pub(crate) fn counted(verdicts: impl Iterator<Item = Gate> + Clone) -> String {
        let counted = Gate::ALL.into_iter().filter_map(|verdict| {
            let n = verdicts.clone().filter(|one| *one == verdict).count();
            (n > 0).then(|| format!("{n} {verdict}"))
        });
        counted.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One row of a gate's table: what the policy asked of a subject, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated {
    /// Which rule of the policy: `verification`, `required`, `promised`, `receipts`, `counts`, `times`,
    /// `mutation`.
    pub check: String,
    /// Of what: a path, an operation, an ISA, with ` at LOAD` where it is of one load; or `all paths`.
    pub subject: String,
    /// What it amounts to.
    pub verdict: Gate,
    /// What was seen, in words: `25 paths verified, 1,200,000 cases`. Of a failed time both
    /// measurements.
    pub found: String,
    /// What the policy allows: `no finding`, `+0 %`, `within 1 %`, `at least 90 %`.
    pub allowed: String,
    /// The exit code that this row alone would end with: 0 where it passes.
    pub exit: u8,
    /// The one command that repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Gated {
    /// What the row is called: `times of q64_encode/avx2/fills at 768`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} of {}", self.check, self.subject)
    }

    /// Why the row contradicts itself, if it does: a verdict with the exit code of another, a failure
    /// that nobody could repeat, a row of nothing.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let blank = |text: &str| text.trim().is_empty();
        let unsaid = [
            ("check", &self.check),
            ("subject", &self.subject),
            ("found", &self.found),
            ("allowed", &self.allowed),
        ];
        if let Some((field, _)) = unsaid.into_iter().find(|(_, text)| blank(text)) {
            return Some(format!("an empty {field}"));
        }
        let due = match self.verdict {
            Gate::Passes => self.exit == 0,
            Gate::Fails => (1..=4).contains(&self.exit),
            Gate::Inconclusive => matches!(self.exit, 0 | 5),
        };
        if !due {
            return Some(format!("it {} with exit code {}", self.is(), self.exit));
        }
        let repeats = self.command.as_deref().is_some_and(|line| !blank(line));
        (self.verdict == Gate::Fails && !repeats).then(|| "it fails without a command".to_owned())
    }

    /// The verdict as the verb of a sentence.
    fn is(&self) -> &'static str {
        match self.verdict {
            Gate::Inconclusive => "is inconclusive",
            verdict => verdict.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Gate, exit: u8, command: Option<&str>) -> Gated {
        Gated {
            check: "times".into(),
            subject: "encode/avx2/fills at 768".into(),
            verdict,
            found: "+5.1 %".into(),
            allowed: "within 1 %".into(),
            exit,
            command: command.map(str::to_owned),
        }
    }

    #[test]
    fn verdicts_have_one_word_each() {
        let words = Gate::ALL.map(|verdict| verdict.to_string());
        assert_eq!(words, ["fails", "inconclusive", "passes"]);
        assert_eq!(serde_json::to_string(&Gate::Passes).unwrap(), r#""passes""#);
        assert_eq!(format!("{:<7}|", Gate::Fails), "fails  |");
        let counted = Gate::counted([Gate::Passes, Gate::Fails, Gate::Passes].into_iter());
        assert_eq!(counted, "1 fails, 2 passes");
    }

    #[test]
    fn each_verdict_has_its_exit_codes() {
        let due = |verdict| match verdict {
            Gate::Passes => vec![0],
            Gate::Fails => vec![1, 2, 3, 4],
            Gate::Inconclusive => vec![0, 5],
        };
        for verdict in Gate::ALL {
            let taken = |exit: &u8| {
                let row = row(verdict, *exit, Some("gate"));
                row.contradiction().is_none()
            };
            let taken: Vec<u8> = (0..=u8::MAX).filter(taken).collect();
            assert_eq!(taken, due(verdict), "{verdict}");
        }
        assert_eq!(
            row(Gate::Inconclusive, 3, None).contradiction().unwrap(),
            "it is inconclusive with exit code 3"
        );
    }

    #[test]
    fn what_fails_can_be_repeated() {
        for command in [None, Some(""), Some(" ")] {
            let said = row(Gate::Fails, 3, command).contradiction();
            assert_eq!(said.as_deref(), Some("it fails without a command"));
            assert_eq!(row(Gate::Passes, 0, command).contradiction(), None);
            assert_eq!(row(Gate::Inconclusive, 5, command).contradiction(), None);
        }
    }
}
