//! Survivors that somebody has looked at: a file that names each, with the reason why it may live.

use serde::{Deserialize, Serialize};

use super::Mutant;

/// Why a mutant may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// It gives the same answer for every input: bits that nobody looks at, a register that already has that value.
    Equivalent,
    /// It matters only where no input leads: behind a check that always holds.
    Unreachable,
    /// It changes how fast the answer comes, and not the answer.
    Speed,
    /// It changes how much memory is asked for, or when it is given back, and not the answer.
    Memory,
    /// It matters only to the first call of a process. Every worker of a verification makes one; a forked mutant cannot.
    FirstCall,
    /// It matters only to what this verification declares not to look at (METHODOLOGY): a gap that is known.
    NotLookedAt,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Equivalent => "equivalent",
            Reason::Unreachable => "unreachable",
            Reason::Speed => "speed",
            Reason::Memory => "memory",
            Reason::FirstCall => "first_call",
            Reason::NotLookedAt => "not_looked_at",
        }
    }
}

/// Survivors of one instruction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) function: String,
    pub(crate) offset: u64,
    pub(crate) bytes: String,
    /// The instruction, and its source line: for people, and to know it again when its place has changed.
    #[serde(default)]
    pub(crate) instruction: String,
    #[serde(default)]
    pub(crate) source: String,
    /// A glob over the words for the change: `constant[*] ^ 0x01`.
    pub(crate) change: String,
    /// How many changes that is, exactly.
    #[serde(default = "one")]
    pub(crate) count: usize,
    pub(crate) reason: Reason,
    /// For people: why the reason holds.
    pub(crate) note: String,
}

fn one() -> usize {
    1
}

fn release() -> String {
    "opt-level 3".into()
}

/// The compiler and the kind of build that made this program, in the words of the file.
pub(crate) fn this_build() -> (&'static str, String) {
    let level = env!("PATHPROOF_OPT_LEVEL");
    let assertions = if cfg!(debug_assertions) {
        ", debug assertions"
    } else {
        ""
    };
    (
        option_env!("PATHPROOF_RUSTC").unwrap_or("an unknown compiler"),
        format!("opt-level {level}{assertions}"),
    )
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    /// `rustc --version` of the compiler that made the code.
    #[serde(default)]
    pub(crate) rustc: String,
    /// How it made the code; as `cargo build --release` does, where the file says nothing.
    #[serde(default = "release")]
    pub(crate) build: String,
    #[serde(default, rename = "survivor")]
    pub(crate) survivors: Vec<Entry>,
}

impl Accepted {
    /// Reads the file's text.
    ///
    /// # Errors
    /// It is no such file; the line is named.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let accepted: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |span| {
                text.bytes()
                    .take(span.start)
                    .filter(|byte| *byte == b'\n')
                    .count()
            });
            let message = e.message().lines().collect::<Vec<_>>().join(" ");
            format!("accepted survivors: line {}: {message}", line + 1)
        })?;
        for entry in &accepted.survivors {
            glob::Pattern::new(&escaped(&entry.change)).map_err(|e| {
                format!("accepted survivors: {:?} is no pattern: {e}", entry.change)
            })?;
        }
        Ok(accepted)
    }
}

impl Entry {
    /// Whether a survivor is one of these.
    pub(crate) fn accepts(&self, function: &str, offset: u64, bytes: &str, change: &str) -> bool {
        let same =
            (self.function.as_str(), self.offset, self.bytes.as_str()) == (function, offset, bytes);
        same && glob::Pattern::new(&escaped(&self.change))
            .is_ok_and(|pattern| pattern.matches(change))
    }

    /// Whether a survivor is the same change of the same instruction of the source, wherever that has moved to.
    pub(crate) fn resembles(&self, mutant: &Mutant) -> bool {
        let source = mutant.source.as_deref().unwrap_or_default();
        let of = (
            self.function.as_str(),
            self.instruction.as_str(),
            self.source.as_str(),
        );
        let same = of
            == (
                mutant.function.as_str(),
                mutant.instruction.as_str(),
                source,
            );
        same && glob::Pattern::new(&escaped(&self.change))
            .is_ok_and(|pattern| pattern.matches(&mutant.change))
    }
}

/// Brackets are themselves; only stars stand for anything.
fn escaped(change: &str) -> String {
    change
        .split('*')
        .map(glob::Pattern::escape)
        .collect::<Vec<_>>()
        .join("*")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        rustc = "rustc 1.95.0"
        [[survivor]]
        function = "codec::encode"
        offset = 0x1c
        bytes = "c5f877"
        change = "constant[*] ^ 0x01"
        count = 16
        reason = "equivalent"
        note = "only the highest bit is looked at"
    "#;

    #[test]
    fn an_entry_is_of_one_instruction_and_a_pattern_of_changes() {
        let accepted = Accepted::parse(FILE).unwrap();
        let entry = &accepted.survivors[0];
        assert_eq!((entry.count, entry.reason), (16, Reason::Equivalent));
        assert!(entry.accepts("codec::encode", 0x1c, "c5f877", "constant[3] ^ 0x01"));
        for (function, offset, bytes, change) in [
            ("codec::decode", 0x1c, "c5f877", "constant[3] ^ 0x01"),
            ("codec::encode", 0x1d, "c5f877", "constant[3] ^ 0x01"),
            ("codec::encode", 0x1c, "c5f876", "constant[3] ^ 0x01"),
            ("codec::encode", 0x1c, "c5f877", "constant[3] ^ 0x80"),
            ("codec::encode", 0x1c, "c5f877", "nop"),
        ] {
            assert!(
                !entry.accepts(function, offset, bytes, change),
                "{function} {change}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line() {
        let wrong = FILE.replace("equivalent", "because");
        let why = Accepted::parse(&wrong).unwrap_err();
        assert!(
            why.contains("line 9") && why.contains("unreachable"),
            "{why}"
        );
        assert!(Accepted::parse(&FILE.replace("note", "notes")).is_err());
    }
}
