//! Survivors that somebody has looked at: a file that names each, with the reason why it may live.
//!
//! An entry is what one source line of one function leaves alive for one reason. A survivor is known by its function, its instruction
//! and its change; not by its place or its line, so that an edit elsewhere does not make the file untrue.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// It changes how much memory is asked for, or when it is given back, or what else lies in the heap, and not the answer. What
    /// lies there is another thing on another machine: where such a change is noticed, its entry is none the less true.
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

/// The survivors of one source line of a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) function: String,
    /// The line, for people.
    #[serde(default)]
    pub(crate) source: String,
    /// Each survivor: its instruction, a colon, and the change of it; the same as often as it survives.
    pub(crate) changes: Vec<String>,
    pub(crate) reason: Reason,
    /// For people: why the reason holds.
    pub(crate) note: String,
}

fn release() -> String {
    "opt-level 3".into()
}

/// The compiler and the kind of build that made this program, in the words of the file.
fn this_build() -> (&'static str, String) {
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
struct File {
    /// `rustc --version` of the compiler that made the code.
    #[serde(default)]
    rustc: String,
    /// How it made the code; as `cargo build --release` does, where the file says nothing.
    #[serde(default = "release")]
    build: String,
    #[serde(default, rename = "survivor")]
    survivors: Vec<Entry>,
}

impl File {
    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |span| {
                text.bytes()
                    .take(span.start)
                    .filter(|byte| *byte == b'\n')
                    .count()
            });
            let message = e.message().lines().collect::<Vec<_>>().join(" ");
            format!("accepted survivors: line {}: {message}", line + 1)
        })
    }
}

/// A file as it is written: like the one that is read, but that a reason may be missing.
#[derive(Serialize)]
struct DraftFile<'a> {
    rustc: &'a str,
    build: String,
    survivor: Vec<Draft<'a>>,
}

#[derive(Serialize)]
struct Draft<'a> {
    function: &'a str,
    source: &'a str,
    changes: Vec<&'a str>,
    reason: &'a str,
    note: &'a str,
}

/// Where an instruction is: its offset, and its bytes, for functions of one name are told by these.
type Place = (u64, String);

/// A survivor as entries know it: its function, and what is done to which instruction.
type Key = (String, String);

fn key(mutant: &Mutant) -> Key {
    let change = format!("{}: {}", mutant.instruction, mutant.change);
    (mutant.function.clone(), change)
}

/// One change of an entry, and the survivor that it has been found to be.
#[derive(Debug)]
struct Slot {
    entry: usize,
    met: Option<Place>,
}

/// The accepted survivors of all operations, and what has been seen of them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    entries: Vec<Entry>,
    slots: HashMap<Key, Vec<Slot>>,
    /// The functions of which an instruction was changed.
    changed: BTreeSet<String>,
    /// Whether every path was asked for, so that what was not met is gone.
    whole: bool,
    /// Why no entry is applied.
    void: Option<String>,
    /// The survivors of this run: several paths run the same function, and each is one here.
    seen: BTreeMap<(String, u64, String, String), Mutant>,
}

impl Known {
    /// Reads the texts that operations name as their accepted survivors. `whole`: no path is left out of the run.
    ///
    /// # Errors
    /// One is no such file; the line is named.
    pub(crate) fn read<'a>(
        texts: impl Iterator<Item = &'a str>,
        whole: bool,
    ) -> Result<Self, String> {
        // Several operations may share a file.
        let texts: BTreeSet<&str> = texts.collect();
        let mut known = Self {
            whole,
            ..Self::default()
        };
        let (compiler, kind) = this_build();
        for text in texts {
            let File {
                rustc,
                build,
                survivors,
            } = File::parse(text)?;
            if (rustc.as_str(), build.as_str()) != (compiler, kind.as_str()) {
                known.void = Some(format!(
                    "accepted survivors are of the code of {rustc} ({build}), and this is of {compiler} ({kind})"
                ));
            }
            known.add(survivors);
        }
        Ok(known)
    }

    fn add(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            for change in &entry.changes {
                let slots = self
                    .slots
                    .entry((entry.function.clone(), change.clone()))
                    .or_default();
                slots.push(Slot {
                    entry: self.entries.len(),
                    met: None,
                });
            }
            self.entries.push(entry);
        }
    }

    /// An instruction of these functions was changed.
    pub(crate) fn changed(&mut self, functions: &BTreeSet<String>) {
        self.changed.extend(functions.iter().cloned());
    }

    /// Why a survivor may live, if it may.
    pub(crate) fn reason(&mut self, mutant: &Mutant) -> Option<Reason> {
        let place = (mutant.offset, mutant.bytes.clone());
        let seen = (
            mutant.function.clone(),
            mutant.offset,
            mutant.bytes.clone(),
            mutant.change.clone(),
        );
        self.seen.insert(seen, mutant.clone());
        let entry = self.entry(mutant, &place)?;
        self.void.is_none().then_some(self.entries[entry].reason)
    }

    /// The entry that a survivor is one of: it has been met there, or there is a change of it that has not been met, of its line
    /// before any other.
    fn entry(&mut self, mutant: &Mutant, place: &Place) -> Option<usize> {
        let source = mutant.source.as_deref().unwrap_or_default();
        let entries = &self.entries;
        let slots = self.slots.get_mut(&key(mutant))?;
        let met = slots
            .iter()
            .position(|slot| slot.met.as_ref() == Some(place));
        let free = |of_line: bool| {
            slots.iter().position(|slot| {
                slot.met.is_none() && (!of_line || entries[slot.entry].source == source)
            })
        };
        let slot = met.or_else(|| free(true)).or_else(|| free(false))?;
        slots[slot].met = Some(place.clone());
        Some(slots[slot].entry)
    }

    /// Why the entries are not true any longer, if so.
    pub(crate) fn wrong(&self) -> Option<String> {
        /// How many are named.
        const SOME: usize = 3;

        if let Some(why) = &self.void {
            return Some(why.clone());
        }
        // A path that the filter leaves out may be the one in which it lives.
        if !self.whole {
            return None;
        }
        let mut gone: Vec<String> = self
            .slots
            .iter()
            .flat_map(|(key, slots)| slots.iter().map(move |slot| (key, slot)))
            .filter(|((function, _), slot)| self.is_gone(function, slot))
            .map(|((function, change), _)| format!("{function}: {change}"))
            .collect();
        gone.sort_unstable();
        let named = gone.iter().take(SOME).cloned().collect::<Vec<_>>();
        let more = match gone.len().saturating_sub(SOME) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        (!gone.is_empty()).then(|| {
            format!(
                "{} accepted survivor(s) do not live any longer ({}{more}): `--write` renews the list",
                gone.len(),
                named.join("; ")
            )
        })
    }

    /// What is not known of the entries: those of functions that did not run, or all, where not every path was asked for.
    pub(crate) fn not_judged(&self) -> String {
        if self.void.is_some() || self.entries.is_empty() {
            return String::new();
        }
        if !self.whole {
            return "; whether each accepted survivor lives is found out without a filter".into();
        }
        let of_others = |entry: &&Entry| !self.changed.contains(&entry.function);
        match self.entries.iter().filter(of_others).count() {
            0 => String::new(),
            n => format!("; accepted entries of functions that did not run here: {n}"),
        }
    }

    /// A list of the survivors of this run, with the reasons that are known, and of those accepted ones that this run says nothing
    /// of. What is new has no reason, and is to be given one before the list can be read.
    pub(crate) fn written(&self) -> Result<String, String> {
        let mut groups: BTreeMap<[&str; 4], Vec<&str>> = BTreeMap::new();
        let keys: BTreeMap<_, Key> = self.seen.iter().map(|(at, of)| (at, key(of))).collect();
        for (at, mutant) in &self.seen {
            let (_, offset, bytes, _) = at;
            let known = self
                .slots
                .get(&keys[at])
                .into_iter()
                .flatten()
                .find(|slot| matches!(&slot.met, Some((o, b)) if (o, b) == (offset, bytes)));
            let (reason, note) = known.map_or(("", ""), |slot| {
                let entry = &self.entries[slot.entry];
                (entry.reason.name(), entry.note.as_str())
            });
            let source = mutant.source.as_deref().unwrap_or_default();
            let group = groups.entry([&mutant.function, source, reason, note]);
            group.or_default().push(&keys[at].1);
        }
        let mut kept: Vec<(usize, &str)> = Vec::new();
        for ((function, change), slots) in &self.slots {
            let gone = |slot: &&Slot| self.is_gone(function, slot);
            let unmet = slots
                .iter()
                .filter(|slot| slot.met.is_none() && !gone(slot));
            kept.extend(unmet.map(|slot| (slot.entry, change.as_str())));
        }
        kept.sort_unstable();
        for (number, change) in kept {
            let entry = &self.entries[number];
            let group = [
                &*entry.function,
                &entry.source,
                entry.reason.name(),
                &entry.note,
            ];
            groups.entry(group).or_default().push(change);
        }
        let drafts = groups
            .into_iter()
            .map(|([function, source, reason, note], changes)| Draft {
                function,
                source,
                changes,
                reason,
                note,
            });
        let (rustc, build) = this_build();
        let list = DraftFile {
            rustc,
            build,
            survivor: drafts.collect(),
        };
        toml::to_string_pretty(&list).map_err(|e| format!("the survivors cannot be written: {e}"))
    }

    /// Whether an accepted change was tried in this run, and noticed.
    fn is_gone(&self, function: &str, slot: &Slot) -> bool {
        let tried = self.whole && self.changed.contains(function) && slot.met.is_none();
        tried && self.entries[slot.entry].reason != Reason::Memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::Kind;

    const FILE: &str = r#"
        rustc = "rustc 1.95.0"
        [[survivor]]
        function = "f"
        source = "f.rs:4"
        changes = ["nop: nop", "nop: nop"]
        reason = "equivalent"
        note = "two are as good as none"
        [[survivor]]
        function = "f"
        source = "f.rs:7"
        changes = ["nop: nop", "and al,1: immediate ^ 0x80"]
        reason = "memory"
        note = "of its own"
        [[survivor]]
        function = "g"
        changes = ["ret: nop"]
        reason = "speed"
        note = "never run"
    "#;

    /// A survivor of `f`.
    fn mutant(offset: u64, line: u64, instruction: &str, change: &str) -> Mutant {
        Mutant {
            kind: Kind::Nop,
            patch: vec![],
            function: "f".into(),
            offset,
            bytes: "90".into(),
            change: change.into(),
            instruction: instruction.into(),
            source: Some(format!("f.rs:{line}")),
        }
    }

    fn known(whole: bool) -> Known {
        let mut known = Known {
            whole,
            ..Known::default()
        };
        known.add(File::parse(FILE).unwrap().survivors);
        known.changed(&BTreeSet::from(["f".into()]));
        known
    }

    #[test]
    fn an_entry_stands_for_as_many_as_it_names_and_takes_those_of_its_line_first() {
        let mut known = known(true);
        let nop = |offset, line| mutant(offset, line, "nop", "nop");
        // Two paths that share a function share its survivors.
        for _ in 0..2 {
            assert_eq!(known.reason(&nop(30, 7)), Some(Reason::Memory));
            assert_eq!(known.reason(&nop(10, 4)), Some(Reason::Equivalent));
            // Its line has moved.
            assert_eq!(known.reason(&nop(11, 5)), Some(Reason::Equivalent));
        }
        assert_eq!(known.reason(&nop(12, 4)), None);
        for (instruction, change) in [
            ("nop", "immediate ^ 0x80"),
            ("and al,2", "immediate ^ 0x80"),
        ] {
            assert_eq!(known.reason(&mutant(50, 7, instruction, change)), None);
        }
        assert_eq!(known.wrong(), None);
        assert_eq!(
            known.not_judged(),
            "; accepted entries of functions that did not run here: 1"
        );
    }

    #[test]
    fn an_entry_that_does_not_live_any_longer_is_wrong_unless_the_heap_decides() {
        let mut fewer = known(true);
        fewer.reason(&mutant(10, 4, "nop", "nop"));
        let why = fewer.wrong().unwrap();
        assert!(
            why.starts_with("1 accepted survivor(s) do not live any longer (f: nop: nop)"),
            "{why}"
        );
        // With a filter, nobody knows.
        let mut filtered = known(false);
        filtered.reason(&mutant(10, 4, "nop", "nop"));
        assert_eq!(filtered.wrong(), None);
        assert!(filtered.not_judged().contains("without a filter"));
    }

    #[test]
    fn code_of_another_compiler_has_no_accepted_survivors() {
        let mut known = Known::read([FILE].into_iter(), true).unwrap();
        assert_eq!(known.reason(&mutant(10, 4, "nop", "nop")), None);
        assert!(
            known
                .wrong()
                .unwrap()
                .contains("rustc 1.95.0 (opt-level 3)")
        );
        // What is written keeps what is known of it.
        assert!(known.written().unwrap().contains("two are as good as none"));
    }

    #[test]
    fn what_is_written_is_what_was_seen_and_what_nothing_is_known_of() {
        let mut known = known(true);
        known.reason(&mutant(10, 5, "nop", "nop"));
        known.reason(&mutant(60, 9, "ret", "nop"));
        let written = known.written().unwrap();
        let why = File::parse(&written).unwrap_err();
        assert!(why.contains("unknown variant ``"), "{why}");
        let written = File::parse(&written.replace("reason = \"\"", "reason = \"speed\"")).unwrap();
        let entries: Vec<(&str, &str, usize, Reason)> = written
            .survivors
            .iter()
            .map(|of| (&*of.function, &*of.source, of.changes.len(), of.reason))
            .collect();
        assert_eq!(
            entries,
            [
                ("f", "f.rs:5", 1, Reason::Equivalent),
                // Both of them were noticed, on this machine.
                ("f", "f.rs:7", 2, Reason::Memory),
                ("f", "f.rs:9", 1, Reason::Speed),
                ("g", "", 1, Reason::Speed),
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line() {
        let why = File::parse(&FILE.replace("equivalent", "because")).unwrap_err();
        assert!(
            why.contains("line 7") && why.contains("unreachable"),
            "{why}"
        );
        assert!(File::parse(&FILE.replace("note", "notes")).is_err());
    }
}
