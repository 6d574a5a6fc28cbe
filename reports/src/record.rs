//! The records: what one line of `records.jsonl` can say.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::compared::{Calibration, Comparison};
use crate::gated::Gated;
use crate::plain::one_line;

/// The version of the record format that this crate writes and reads.
///
/// A new optional field leaves it as it is, for readers skip fields that they do not know. A new
/// kind of record, a field that is gone or a field that changes its meaning raises it. Schema 2
/// added the kinds `receipt` and `survivor`, schema 3 `comparison` and `calibration`, schema 4 `gated`;
/// files of earlier schemas are read as they always were.
pub const SCHEMA: u32 = 4;

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
    /// What one call of a path executed.
    Receipt(Receipt),
    /// A change of a path's machine code that the verification did not notice.
    Survivor(Survivor),
    /// Two sides held against each other.
    Comparison(Comparison),
    /// How often comparisons of one kind came out as what.
    Calibration(Calibration),
    /// What a gate says of one thing that its policy asks for.
    Gated(Gated),
    /// The run came to its end: the last line. Without it the run did not finish.
    End(End),
}

impl Record {
    /// Why a receipt, a survivor, a comparison, a calibration or a gate's row contradicts itself, if it
    /// does. None is written nor read then: it would be no evidence.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let (kind, name, what) = match self {
            Record::Receipt(receipt) => ("receipt", receipt.name(), receipt.contradiction()?),
            Record::Survivor(survivor) => ("survivor", survivor.name(), survivor.contradiction()?),
            Record::Comparison(of) => ("comparison", of.name(), of.contradiction()?),
            Record::Calibration(of) => ("calibration", of.name(), of.contradiction()?),
            Record::Gated(row) => ("gate's row", row.name(), row.contradiction()?),
            _ => return None,
        };
        Some(format!("{kind} of \"{}\": {what}", one_line(&name)))
    }
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
    /// The C library, whose memcpy and allocator a path may call: `glibc 2.36`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libc: Option<String>,
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

/// What one call of a path executed, instruction by instruction.
///
/// An instruction with a `rep` prefix counts once, however often it repeats itself. What the harness
/// executes around the call, measured with an empty path, has been taken off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The operation.
    pub operation: String,
    /// The instruction set; of a peer, its name.
    pub isa: String,
    /// The delivery.
    pub delivery: String,
    /// Whether this is a peer.
    #[serde(default)]
    pub peer: bool,
    /// Plain bytes that the input was made from; of a case that was given by its token, the bytes of the input.
    pub length: u64,
    /// Whether the input was damaged, so that the path refuses it.
    #[serde(default)]
    pub refused: bool,
    /// Whether stepping ended before the call did: the receipt is of its first instructions.
    #[serde(default)]
    pub cut: bool,
    /// Instructions of the program's own code.
    pub own: u64,
    /// Those by the CPU feature that they need, in the spelling of `#[target_feature]`, each under
    /// the rarest of its features; `x86-64` is what every CPU of the target has. They add up to
    /// `own`.
    pub features: BTreeMap<String, u64>,
    /// Those by mnemonic. They add up to `own`.
    pub mnemonics: BTreeMap<String, u64>,
    /// Instructions of libraries, such as libc's memcpy.
    #[serde(default)]
    pub elsewhere: u64,
    /// Those by CPU feature; empty if libraries are counted without being decoded, else they add up to
    /// `elsewhere`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere_features: BTreeMap<String, u64>,
    /// How often instructions with a `rep` prefix repeated themselves.
    #[serde(default)]
    pub repeats: u64,
    /// The mnemonics of the loop in which most instructions were executed, in the order of the code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hot_loop: Vec<String>,
    /// The functions of the program that were entered, the one with the most instructions first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// Calls of the allocator that ask for memory.
    #[serde(default)]
    pub allocations: u64,
    /// The bytes that they ask for.
    #[serde(default)]
    pub allocated: u64,
    /// Bytes moved by memcpy and memmove.
    #[serde(default)]
    pub copied: u64,
}

impl Receipt {
    /// The printed name of the path, `operation/isa/delivery`.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }

    /// Why the receipt contradicts itself, if it does: parts that do not add up, bytes that no call
    /// asked for.
    fn contradiction(&self) -> Option<String> {
        // Wider than its parts, so that no sum wraps into the right one.
        let sum = |parts: &BTreeMap<String, u64>| parts.values().map(|n| u128::from(*n)).sum();
        let sums: [(&str, u128, &str, u64); 3] = [
            ("features", sum(&self.features), "own", self.own),
            ("mnemonics", sum(&self.mnemonics), "own", self.own),
            (
                "elsewhere_features",
                sum(&self.elsewhere_features),
                "elsewhere",
                self.elsewhere,
            ),
        ];
        for (parts, sum, whole, number) in sums {
            // Libraries may be counted without being decoded.
            let unsaid = whole == "elsewhere" && self.elsewhere_features.is_empty();
            if !unsaid && sum != u128::from(number) {
                return Some(format!(
                    "the {parts} add up to {sum}, and {whole} is {number}"
                ));
            }
        }
        (self.allocations == 0 && self.allocated > 0)
            .then(|| format!("{} bytes allocated by 0 allocations", self.allocated))
    }
}

/// A mutant that lived: a change of a path's machine code that its verification did not notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// The operation.
    pub operation: String,
    /// The instruction set.
    pub isa: String,
    /// The delivery.
    pub delivery: String,
    /// The function whose code was changed.
    pub function: String,
    /// Where the instruction begins, in bytes from the function's beginning.
    pub offset: u64,
    /// The instruction's bytes before the change, as pairs of hex digits with nothing between them; those that depend on where the program
    /// was linked are zero.
    pub bytes: String,
    /// The kind of change and what became of what: `nop`, `immediate ^ 0x01`.
    pub change: String,
    /// The instruction, disassembled.
    pub instruction: String,
    /// Its source line, `file:line`, if the program has line tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The reason for which it is accepted; `None` if nobody has looked at it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Survivor {
    /// The printed name of the path, `operation/isa/delivery`.
    #[must_use]
    pub fn name(&self) -> String {
        path_name(&self.operation, &self.isa, &self.delivery)
    }

    /// Why nobody could find the place again or tell why it is accepted, if so.
    fn contradiction(&self) -> Option<String> {
        let hex = self.bytes.bytes().all(|digit| digit.is_ascii_hexdigit());
        if self.bytes.is_empty() || !hex || !self.bytes.len().is_multiple_of(2) {
            let bytes = one_line(&self.bytes.chars().take(40).collect::<String>());
            return Some(format!("bytes \"{bytes}\" are no pairs of hex digits"));
        }
        let blank = |text: &str| text.trim().is_empty();
        let unsaid = [
            ("function", blank(&self.function)),
            ("change", blank(&self.change)),
            ("reason", self.accepted.as_deref().is_some_and(blank)),
        ];
        let (field, _) = unsaid.into_iter().find(|(_, blank)| *blank)?;
        Some(format!("an empty {field}"))
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
pub(crate) fn path_name(operation: &str, isa: &str, delivery: &str) -> String {
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
