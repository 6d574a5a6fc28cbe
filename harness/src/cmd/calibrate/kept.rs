//! The calibration that is kept of this machine, and the margins that it supports.

use std::path::{Path, PathBuf};

use pathproof_reports::{Calibration, End, Record};

use super::super::Common;
use super::super::session::{default_out, program_name};
use super::{PAIRED, alarms};
use crate::machine::fingerprint;
use crate::pair::ALPHA;

/// The share of planted slowdowns that must have been found, and of how many comparisons at least.
const FOUND: f64 = 0.95;
const ENOUGH: u32 = 20;
/// By how many margins such a slowdown was slower; and where none was, by how many others were.
const TWICE: std::ops::RangeInclusive<f64> = 1.9..=2.2;
const THRICE: std::ops::RangeInclusive<f64> = 2.2..=3.2;

/// Where the records of a method go: those of the way in which `compare` compares where `compare` reads them, others beside them.
pub(super) fn place(method: &str) -> PathBuf {
    let name = match method {
        PAIRED => "calibration.jsonl".into(),
        method => format!("calibration-{method}.jsonl"),
    };
    default_out().join(name)
}

/// Where they are while there may be more of them.
pub(super) fn aside(place: &Path) -> PathBuf {
    place.with_extension("jsonl.part")
}

/// Refuses a margin that the last calibration on this machine has not shown to be seen. Without one, nothing is known.
///
/// # Errors
/// The margin is too narrow, or comparisons here cry wolf.
pub(in super::super) fn refuse(common: &Common, margin: f64) -> Result<(), String> {
    let file = place(PAIRED);
    match read(&file, &fingerprint(&program_name()).id) {
        Ok(cells) => judge(&cells, margin)
            .map_err(|why| format!("--margin {}: {why} ({}); `calibrate --margin {0}` finds out anew; without that file, nothing is known and nothing refused", percent(margin), file.display())),
        Err(why) => {
            common.note(format_args!(
                "{why}: this is compared as without a calibration"
            ));
            Ok(())
        }
    }
}

/// What is known of this machine; nothing without the file, or if it is of another machine.
///
/// # Errors
/// Why the file says nothing.
fn read(file: &Path, here: &str) -> Result<Vec<Calibration>, String> {
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let report = pathproof_reports::read(file).map_err(|e| e.to_string())?;
    if report.machine().is_none_or(|machine| machine.id != here) {
        return Ok(Vec::new());
    }
    if report.end().is_none() {
        return Err(format!(
            "{}: this calibration was ended before its end",
            file.display()
        ));
    }
    let cells: Vec<Calibration> = report.calibrations().cloned().collect();
    match cells.iter().all(Calibration::is_paired) {
        true => Ok(cells),
        false => Err(format!(
            "{}: a calibration of another way to compare",
            file.display()
        )),
    }
}

/// Whether a calibration supports a margin.
///
/// # Errors
/// Why it does not.
fn judge(cells: &[Calibration], margin: f64) -> Result<(), String> {
    let mut rows: Vec<(String, &str)> = cells.iter().map(|of| (of.name(), &*of.load)).collect();
    rows.sort_unstable();
    rows.dedup();
    let nulls = alarms(cells);
    if nulls.too_many(ALPHA / rows.len().max(1) as f64) {
        return Err(format!(
            "comparisons on this machine cry wolf: of {} of equal code that had a verdict {} alarmed",
            nulls.decided, nulls.alarms
        ));
    }
    let seen = seen(cells);
    if !seen.iter().any(Seen::tells) {
        return Ok(());
    }
    let none = match supported(&seen) {
        Some(least) if margin >= least * 0.999 => return Ok(()),
        Some(least) => format!("no margin below {} %", percent(least)),
        None => "no margin".into(),
    };
    let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
    Err(format!(
        "on this machine {none} has been shown to be seen: {}",
        seen.join("; ")
    ))
}

/// What `compare` makes of a calibration; nothing where it is too little to say anything of any margin.
pub(super) fn meaning(cells: &[Calibration]) -> Option<String> {
    let seen = seen(cells);
    // Any margin is refused where comparisons cry wolf, and the widest one where not even that was seen.
    match (judge(cells, f64::MAX), supported(&seen)) {
        (Err(why), _) => Some(format!("`compare` refuses every margin: {why}")),
        (Ok(()), Some(least)) => Some(format!(
            "`compare` takes margins from {} % on",
            percent(least)
        )),
        (Ok(()), None) => None,
    }
}

/// What was seen at one margin of slowdowns of about twice as much.
#[derive(Debug, PartialEq)]
struct Seen {
    margin: f64,
    /// The least of those slowdowns.
    effect: f64,
    found: u32,
    of: u32,
}

impl Seen {
    /// Whether it is enough to say anything.
    fn tells(&self) -> bool {
        self.of >= ENOUGH
    }

    fn is_enough(&self) -> bool {
        self.tells() && f64::from(self.found) >= FOUND * f64::from(self.of)
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { found, of, .. } = self;
        let [margin, effect] = [self.margin, self.effect].map(percent);
        write!(
            f,
            "at {margin} % {found} of {of} that were {effect} % slower were found"
        )?;
        if !self.tells() {
            write!(f, ", too few to tell (a greater --each)")?;
        }
        Ok(())
    }
}

/// By margin, the least first: only what is little more than the margin tells how well it is seen, for anything sees 10 %.
fn seen(cells: &[Calibration]) -> Vec<Seen> {
    let planted = || {
        cells
            .iter()
            .filter(|cell| cell.effect > 0.0 && cell.reads_back())
    };
    let mut margins: Vec<f64> = planted().map(|cell| cell.margin).collect();
    margins.sort_by(f64::total_cmp);
    margins.dedup();
    let at = |margin: f64| {
        [TWICE, THRICE].into_iter().find_map(|wanted| {
            let of = || {
                planted().filter(|cell| {
                    cell.margin == margin && wanted.contains(&(cell.effect / margin))
                })
            };
            let effect = of().map(|cell| cell.effect).reduce(f64::min)?;
            Some(Seen {
                margin,
                effect,
                found: of().map(|cell| cell.slower).sum(),
                of: of().map(Calibration::comparisons).sum(),
            })
        })
    };
    margins.into_iter().filter_map(at).collect()
}

/// The least margin at which enough was found, and at all wider ones that were tried.
fn supported(seen: &[Seen]) -> Option<f64> {
    let enough = seen.iter().rev().take_while(|seen| seen.is_enough());
    enough.last().map(|seen| seen.margin)
}

/// 0.005 is `0.5`; without the digits that no decimal fraction has in binary.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// Has a calibration that ended take the place of the last one; what `compare` makes of it. One that says nothing of any margin leaves
/// the last one there.
pub(super) fn keep(
    aside: &Path,
    place: &Path,
    records: &[Record],
) -> Result<Option<String>, String> {
    let ended = matches!(records.last(), Some(Record::End(End { .. })));
    let cells = records.iter().filter_map(|of| match of {
        Record::Calibration(cell) => Some(cell.clone()),
        _ => None,
    });
    let Some(meaning) = meaning(&cells.collect::<Vec<_>>()).filter(|_| ended) else {
        return Ok(None);
    };
    std::fs::rename(aside, place)
        .map(|()| Some(meaning))
        .map_err(|e| {
            format!(
                "cannot rename {} to {}: {e}",
                aside.display(),
                place.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use pathproof_reports::Writer;

    use super::super::rates::tests::cell;
    use super::*;

    fn planted(margin: f64, effect: f64, slower: u32, same: u32) -> Calibration {
        Calibration {
            margin,
            effect,
            ..cell(slower, same)
        }
    }

    #[test]
    fn a_margin_is_supported_by_what_was_found_of_twice_as_much() {
        let good = [
            planted(0.005, 0.01, 19, 1),
            planted(0.01, 0.02, 20, 0),
            planted(0.01, 0.0, 0, 20),
        ];
        assert_eq!(judge(&good, 0.005), Ok(()));
        assert_eq!(judge(&good, 0.03), Ok(()));
        let why = judge(&good, 0.004).unwrap_err();
        assert!(
            why.contains("no margin below 0.5 % has been shown"),
            "{why}"
        );
        // One that was seldom found.
        let seldom = [planted(0.005, 0.01, 18, 2), good[1].clone()];
        let why = judge(&seldom, 0.005).unwrap_err();
        assert!(
            why.contains("no margin below 1 %")
                && why.contains("at 0.5 % 18 of 20 that were 1 % slower were found"),
            "{why}"
        );
        assert_eq!(judge(&seldom, 0.01), Ok(()));
        // Where thrice the margin is the least that was planted, that.
        let thrice = [planted(0.01, 0.03, 20, 0)];
        assert_eq!(judge(&thrice, 0.01), Ok(()));
        let both = [planted(0.01, 0.02, 12, 8), thrice[0].clone()];
        assert!(judge(&both, 0.01).is_err());
    }

    #[test]
    fn what_anybody_would_find_supports_no_margin() {
        let why = judge(
            &[
                planted(0.01, 0.02, 16, 4),
                planted(0.01, 0.05, 20, 0),
                planted(0.01, 0.1, 40, 0),
            ],
            0.01,
        );
        let why = why.unwrap_err();
        assert!(
            why.contains("no margin has been shown to be seen: at 1 % 16 of 20"),
            "{why}"
        );
        // Nor does it speak against one.
        let tenfold = planted(0.01, 0.1, 40, 0);
        assert_eq!(meaning(std::slice::from_ref(&tenfold)), None);
        assert_eq!(judge(&[tenfold], 0.01), Ok(()));
        // What reads back as another effect is none of this one.
        let off = Calibration {
            measured: Some(0.05),
            ..planted(0.01, 0.02, 0, 40)
        };
        assert_eq!(meaning(std::slice::from_ref(&off)), None);
    }

    #[test]
    fn where_nothing_was_found_no_margin_is_supported() {
        let why = judge(&[planted(0.01, 0.02, 0, 20)], 0.5).unwrap_err();
        assert!(why.contains("no margin has been shown"), "{why}");
        // Some of it is too few to tell, and all of it is nothing.
        let few = planted(0.01, 0.02, 9, 0);
        let why = judge(&[few.clone(), planted(0.02, 0.04, 0, 20)], 0.01).unwrap_err();
        assert!(why.contains("9 of 9") && why.contains("too few"), "{why}");
        assert_eq!(judge(&[few], 0.01), Ok(()));
        // Where nothing was planted, nothing is known.
        assert_eq!(judge(&[planted(0.01, 0.0, 0, 20)], 0.001), Ok(()));
        assert_eq!(judge(&[], 0.001), Ok(()));
    }

    #[test]
    fn what_cries_wolf_supports_no_margin() {
        let all = [planted(0.01, 0.0, 12, 28), planted(0.01, 0.02, 20, 0)];
        let why = judge(&all, 0.01).unwrap_err();
        assert!(
            why.contains("cry wolf: of 40") && why.contains("12 alarmed"),
            "{why}"
        );
    }

    /// A file of a calibration, and what is read from it.
    fn kept(cells: &[Calibration], more: &[Record]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calibration.jsonl");
        let mut writer = Writer::create(&file).unwrap();
        writer.write(&Record::Machine(fingerprint("this"))).unwrap();
        for cell in cells {
            writer.write(&Record::Calibration(cell.clone())).unwrap();
        }
        more.iter().for_each(|of| writer.write(of).unwrap());
        (folder, file)
    }

    fn end() -> Record {
        Record::End(End {
            exit: 0,
            seconds: 1.0,
            verdict: "it is so".into(),
        })
    }

    #[test]
    fn only_a_whole_calibration_of_this_way_on_this_machine_is_read() {
        let here = fingerprint("this").id;
        let cells = [planted(0.01, 0.02, 20, 0)];
        let (folder, file) = kept(&cells, &[end()]);
        assert_eq!(read(&file, &here).as_deref(), Ok(&cells[..]));
        assert_eq!(read(&file, "another"), Ok(Vec::new()));
        assert_eq!(read(&folder.path().join("none"), &here), Ok(Vec::new()));
        let (_folder, file) = kept(&cells, &[]);
        let why = read(&file, &here).unwrap_err();
        assert!(why.contains("ended before its end"), "{why}");
        let lesser = Calibration {
            method: "as-linked".into(),
            ..cells[0].clone()
        };
        let (_folder, file) = kept(&[lesser], &[end()]);
        let why = read(&file, &here).unwrap_err();
        assert!(why.contains("another way to compare"), "{why}");
        // Of a program to come.
        let text = std::fs::read_to_string(&file).unwrap();
        let here_and_now = format!("\"schema\":{}", pathproof_reports::SCHEMA);
        let newer = text.replacen(&here_and_now, "\"schema\":99", 1);
        assert_ne!(text, newer);
        std::fs::write(&file, newer).unwrap();
        let why = read(&file, &here).unwrap_err();
        assert!(why.contains("schema 99"), "{why}");
    }

    #[test]
    fn a_calibration_replaces_another_one_when_it_has_ended() {
        let cells = [planted(0.01, 0.02, 20, 0)];
        let (_folder, file) = kept(&cells, &[end()]);
        let part = aside(&file);
        std::fs::write(&part, "newer").unwrap();
        let known = Record::Calibration(cells[0].clone());
        assert_eq!(keep(&part, &file, std::slice::from_ref(&known)), Ok(None));
        assert_eq!(keep(&part, &file, &[end()]), Ok(None));
        let trial = Record::Calibration(planted(0.01, 0.02, 3, 0));
        assert_eq!(keep(&part, &file, &[trial, end()]), Ok(None));
        assert_ne!(std::fs::read(&file).unwrap(), b"newer");
        let meaning = keep(&part, &file, &[known, end()]).unwrap();
        assert_eq!(
            meaning.as_deref(),
            Some("`compare` takes margins from 1 % on")
        );
        assert_eq!(std::fs::read(&file).unwrap(), b"newer");
        assert!(!part.exists());
    }

    #[test]
    fn what_is_not_paired_goes_elsewhere() {
        assert!(place(PAIRED).ends_with("calibration.jsonl"));
        assert!(place("as-linked").ends_with("calibration-as-linked.jsonl"));
        assert_eq!(
            aside(Path::new("a/calibration.jsonl")),
            Path::new("a/calibration.jsonl.part")
        );
    }
}
