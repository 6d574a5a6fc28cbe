//! The records: what one line of `records.jsonl` can say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the record format that this crate writes and reads.
///
/// A new optional field leaves it as it is, for readers skip fields that they do not know. A new
/// kind of record, a field that is gone or a field that changes its meaning raises it.
pub const SCHEMA: u32 = 1;

/// One line of a records file.
///
/// In JSON a flat object, whose field `record` names the kind:
/// `{"record":"run","verb":"verify",…}`. Optional fields that are `None` are not written; unknown
/// fields are skipped when reading; unknown kinds are an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Which machine and which program wrote the file: the first line, and only the first.
    Machine(Machine),
    /// What was asked for.
    Run(Run),
    /// The ledger's row of one promised path.
    Path(PathRow),
    /// One number, or the reason that there is none.
    Figure(Figure),
    /// A path that broke a promise.
    Finding(Finding),
    /// The run came to its end: the last line. Without it the run did not finish.
    End(End),
}

/// The fingerprint of the machine, and the program that wrote the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Version of the format: [`SCHEMA`].
    pub schema: u32,
    /// The instruction set family, as in [`std::env::consts::ARCH`].
    pub arch: String,
    /// The operating system, as in [`std::env::consts::OS`].
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// The CPU's name as the CPU itself gives it.
    pub cpu: String,
    /// How many logical cores the program could use.
    pub cores: u32,
    /// The CPU features that the program detected.
    pub features: Vec<String>,
    /// The hypervisor's name, if the machine is a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<String>,
    /// The compiler that built the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc: Option<String>,
    /// Name and version of the program that wrote the file.
    pub program: String,
    /// A short hash of everything that must be equal for the figures of two files to be compared.
    pub id: String,
}

/// What was asked for: the command line and the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The verb, such as `verify`.
    pub verb: String,
    /// The arguments after the verb, as given.
    pub args: Vec<String>,
    /// The seed of everything random. JSON readers that keep numbers as 64-bit floats lose digits
    /// above 2⁵³.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// When the run began: RFC 3339, UTC.
    pub started: String,
}

/// What became of a promised path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Every checked call agreed with the reference.
    Verified,
    /// At least one call broke a promise.
    Failed,
    /// This machine or this build cannot run the path; the row says why.
    Unavailable,
    /// The path could have run, and did not. Never a pass.
    NotExecuted,
}

impl State {
    /// The word that every view uses for this state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Verified => "verified",
            State::Failed => "failed",
            State::Unavailable => "unavailable",
            State::NotExecuted => "NOT EXECUTED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The ledger's row of one promised path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRow {
    /// The operation, such as `q64_decode`.
    pub operation: String,
    /// The instruction set, such as `avx2`; `auto` is the dispatcher. Of a peer, its name.
    pub isa: String,
    /// How the result reaches the caller, such as `fills`.
    pub delivery: String,
    /// What became of it.
    pub state: State,
    /// How many cases were run and judged; one between margins takes two calls.
    pub cases: u64,
    /// Why it is unavailable or was not executed; of a failed path, how many findings it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far refusals were compared with the reference's: `kind+position`, `kind` or `opaque`;
    /// `None` where no refusal occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// What the receipt shows, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Whether this is a peer: shown and measured beside the paths, never counted as one.
    #[serde(default)]
    pub peer: bool,
}

impl PathRow {
    /// The printed name, `operation/isa/delivery`.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }
}

/// One number, or the reason that there is none.
///
/// `operation`, `isa` and `delivery` are empty for a figure of the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The operation, or empty.
    pub operation: String,
    /// The instruction set, or empty.
    pub isa: String,
    /// The delivery, or empty.
    pub delivery: String,
    /// What was counted or measured: `cases`, `rate`.
    pub quantity: String,
    /// The part of the whole that this is, such as the kind of check: `aligned`, `random`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The number, in `unit`s: finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The unit of `value`.
    pub unit: String,
    /// Why there is no number, or what must be known beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Figure {
    /// A figure of the whole run: a number, or the reason that there is none.
    #[must_use]
    pub fn new(quantity: &str, number: Result<f64, String>, unit: &str) -> Self {
        let (value, reason) =
            number.map_or_else(|why| (None, Some(why)), |value| (Some(value), None));
        Figure {
            operation: String::new(),
            isa: String::new(),
            delivery: String::new(),
            quantity: quantity.to_owned(),
            split: None,
            value,
            unit: unit.to_owned(),
            reason,
        }
    }

    /// The same figure of one path.
    #[must_use]
    pub fn of(self, operation: &str, isa: &str, delivery: &str) -> Self {
        Figure {
            operation: operation.to_owned(),
            isa: isa.to_owned(),
            delivery: delivery.to_owned(),
            ..self
        }
    }

    /// The same figure for one part of its quantity.
    #[must_use]
    pub fn split(self, split: impl Into<String>) -> Self {
        Figure {
            split: Some(split.into()),
            ..self
        }
    }

    /// The printed name of the path that the figure belongs to; empty for a figure of the whole
    /// run.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }
}

/// A path that broke a promise, with the one command that repeats it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The operation.
    pub operation: String,
    /// The instruction set.
    pub isa: String,
    /// The delivery.
    pub delivery: String,
    /// What happened: `differs`, `read outside`, `wrote outside`, `panicked`, `crashed`, `timed
    /// out`, `broke a law`.
    pub verdict: String,
    /// One line about where and how.
    pub detail: String,
    /// Wanted and got side by side in hex, several lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<String>,
    /// The case, as one token.
    pub token: String,
    /// The command that repeats it.
    pub command: String,
}

impl Finding {
    /// The printed name of the path, `operation/isa/delivery`.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }
}

/// The run came to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The process' exit code: 0 pass, 1 a finding, 2 wrong use or a tool failed, 3 slower or
    /// larger than the policy allows, 4 nothing ran or a required path did not, 5 inconclusive, 130
    /// interrupted.
    pub exit: u8,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// The outcome in one sentence.
    pub verdict: String,
}

/// `operation/isa/delivery`, or as many of the parts as are given.
fn path_name(operation: &str, isa: &str, delivery: &str) -> String {
    let parts = [operation, isa, delivery];
    let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    named.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_is_the_kind_and_none_is_not_written() {
        let figure = Record::Figure(Figure {
            operation: "q64_encode".into(),
            isa: "avx2".into(),
            delivery: "fills".into(),
            quantity: "cases".into(),
            split: Some("aligned".into()),
            value: Some(12.0),
            unit: "cases".into(),
            reason: None,
        });
        let line = serde_json::to_string(&figure).unwrap();
        assert_eq!(
            line,
            r#"{"record":"figure","operation":"q64_encode","isa":"avx2","delivery":"fills","quantity":"cases","split":"aligned","value":12.0,"unit":"cases"}"#
        );
    }

    #[test]
    fn unknown_fields_are_skipped_and_unknown_kinds_refused() {
        let known =
            r#"{"record":"end","exit":4,"seconds":1.5,"verdict":"nothing ran","colour":"grey"}"#;
        let end = End {
            exit: 4,
            seconds: 1.5,
            verdict: "nothing ran".into(),
        };
        assert_eq!(
            serde_json::from_str::<Record>(known).unwrap(),
            Record::End(end)
        );
        assert!(serde_json::from_str::<Record>(r#"{"record":"weather","rain":true}"#).is_err());
    }

    #[test]
    fn states_have_one_word_each() {
        let words = [
            State::Verified,
            State::Failed,
            State::Unavailable,
            State::NotExecuted,
        ]
        .map(|s| s.to_string());
        assert_eq!(words, ["verified", "failed", "unavailable", "NOT EXECUTED"]);
        assert_eq!(
            serde_json::to_string(&State::NotExecuted).unwrap(),
            r#""not_executed""#
        );
        assert_eq!(format!("{:<9}|", State::Failed), "failed   |");
    }
}
