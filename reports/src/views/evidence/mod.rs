//! What paths executed, and whether their verification would notice if they were wrong: receipts,
//! counts of instructions and mutants of one report, path by path. Tables and pictures are both made
//! from these, so that they cannot disagree.

pub(super) mod words;

use std::collections::{HashMap, HashSet};

use super::label;
use super::times::Who;
use crate::number::{grouped, measured, size};
use crate::record::{Figure, PathRow, Receipt, Survivor};
use crate::{Report, State};

const MARGINAL: (&str, &str) = ("instructions, marginal", "instructions per 64 bytes");
const FIXED: (&str, &str) = ("instructions, fixed", "instructions per call");
const MUTANTS: &str = "mutants";
const KILLED: &str = "mutants killed";
const ACCEPTED: &str = "mutants accepted";
/// What a path shares with another, under which it is mutated: the split.
const ELSEWHERE: &str = "mutants of another path";

/// The kinds of change in the order in which they are shown; others follow.
const KINDS: [&str; 8] = [
    "nop",
    "immediate",
    "constant",
    "jump",
    "operands",
    "mask",
    "displacement",
    "condition",
];

/// All the evidence of one report.
#[derive(Debug, Default)]
pub(super) struct Evidence<'a> {
    /// Only operations of which there is any, with all paths of the ledger.
    pub(super) operations: Vec<Operation<'a>>,
    /// The mutants that lived, each once however many paths share it.
    pub(super) survivors: Vec<Shared<'a>>,
    shown: HashSet<*const Figure>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) name: &'a str,
    /// In the order of the ledger.
    pub(super) paths: Vec<Subject<'a>>,
}

/// One path or peer.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) isa: &'a str,
    pub(super) delivery: &'a str,
    pub(super) who: Who,
    ledger: Option<&'a PathRow>,
    /// By length; of each length the call that was answered first, then the one that was refused.
    pub(super) receipts: Vec<&'a Receipt>,
    marginal: Option<&'a Figure>,
    fixed: Option<&'a Figure>,
    /// Of all kinds of change together.
    mutants: Mutants<'a>,
    by_kind: Vec<(&'a str, Mutants<'a>)>,
    /// One for each path that some of its mutants are left to.
    elsewhere: Vec<&'a Figure>,
    /// The survivors that the records list: accepted, and not.
    listed: (u64, u64),
}

/// How many mutants there were, as far as the records say.
#[derive(Debug, Default)]
struct Mutants<'a> {
    all: Option<&'a Figure>,
    killed: Option<&'a Figure>,
    accepted: Option<&'a Figure>,
}

/// A path's mutation score: three numbers that fit together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    pub(super) all: f64,
    pub(super) killed: f64,
    pub(super) accepted: f64,
}

/// A survivor, and the paths whose code it is.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) survivor: &'a Survivor,
    pub(super) paths: Vec<String>,
}

/// Where the subjects are while they are gathered.
#[derive(Default)]
struct Places<'a>(HashMap<[&'a str; 3], (usize, usize)>);

impl<'a> Places<'a> {
    fn subject<'e>(
        &mut self,
        operations: &'e mut Vec<Operation<'a>>,
        name: [&'a str; 3],
        peer: bool,
    ) -> &'e mut Subject<'a> {
        let (at, n) = *self.0.entry(name).or_insert_with(|| {
            let [operation, isa, delivery] = name;
            let known = operations.iter().position(|known| known.name == operation);
            let at = known.unwrap_or_else(|| {
                operations.push(Operation {
                    name: operation,
                    paths: Vec::new(),
                });
                operations.len() - 1
            });
            operations[at].paths.push(Subject {
                isa,
                delivery,
                who: Who::of(isa, peer),
                ledger: None,
                receipts: Vec::new(),
                marginal: None,
                fixed: None,
                mutants: Mutants::default(),
                by_kind: Vec::new(),
                elsewhere: Vec::new(),
                listed: (0, 0),
            });
            (at, operations[at].paths.len() - 1)
        });
        &mut operations[at].paths[n]
    }
}

impl<'a> Evidence<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let mut evidence = Evidence::default();
        let (all, mut places) = (&mut evidence.operations, Places::default());
        for row in report.paths() {
            let name = [&*row.operation, &row.isa, &row.delivery];
            places.subject(all, name, row.peer).ledger = Some(row);
        }
        for receipt in report.receipts() {
            let name = [&*receipt.operation, &receipt.isa, &receipt.delivery];
            let subject = places.subject(all, name, receipt.peer);
            subject.receipts.push(receipt);
        }
        for figure in report.figures().filter(|figure| fits(figure)) {
            let name = [&*figure.operation, &figure.isa, &figure.delivery];
            if places.subject(all, name, false).put(figure) {
                evidence.shown.insert(figure);
            }
        }
        let mut shared: HashMap<_, usize> = HashMap::new();
        for survivor in report.survivors() {
            let name = [&*survivor.operation, &survivor.isa, &survivor.delivery];
            let listed = &mut places.subject(all, name, false).listed;
            match survivor.accepted {
                Some(_) => listed.0 += 1,
                None => listed.1 += 1,
            }
            let place = (&survivor.function, survivor.offset, &survivor.bytes);
            let words = (&survivor.change, &survivor.instruction);
            let known = (place, words, &survivor.source, &survivor.accepted);
            let at = *shared.entry(known).or_insert_with(|| {
                let paths = Vec::new();
                evidence.survivors.push(Shared { survivor, paths });
                evidence.survivors.len() - 1
            });
            let paths = &mut evidence.survivors[at].paths;
            if !paths.contains(&survivor.name()) {
                paths.push(survivor.name());
            }
        }
        for operation in all.iter_mut() {
            operation.paths.iter_mut().for_each(Subject::sort);
        }
        all.retain(|operation| operation.paths.iter().any(Subject::has_evidence));
        evidence
    }

    /// Whether there is none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether a table of evidence has this very figure.
    pub(super) fn show(&self, figure: &Figure) -> bool {
        self.shown.contains(&std::ptr::from_ref(figure))
    }

    /// The evidence of a path of the ledger, if its operation has any.
    pub(super) fn subject(&self, row: &PathRow) -> Option<&Subject<'a>> {
        let mut operations = self.operations.iter();
        let operation = operations.find(|operation| operation.name == row.operation)?;
        let of_it = |path: &&Subject<'_>| path.isa == row.isa && path.delivery == row.delivery;
        operation.paths.iter().find(of_it)
    }

    /// The survivors that nobody has accepted.
    pub(super) fn unaccepted(&self) -> impl Iterator<Item = &Shared<'a>> {
        let open = |shared: &&Shared<'_>| shared.survivor.accepted.is_none();
        self.survivors.iter().filter(open)
    }

    /// The accepted survivors, by the reason, the most frequent first.
    pub(super) fn accepted(&self) -> Vec<(&'a str, Vec<&Shared<'a>>)> {
        let mut reasons: Vec<(&str, Vec<&Shared<'_>>)> = Vec::new();
        for shared in &self.survivors {
            let Some(why) = shared.survivor.accepted.as_deref() else {
                continue;
            };
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, of_it)) => of_it.push(shared),
                None => reasons.push((why, vec![shared])),
            }
        }
        reasons.sort_by_key(|(_, of_it)| std::cmp::Reverse(of_it.len()));
        reasons
    }
}

/// Whether a figure is of a quantity and a unit that stand in a table of evidence, and can be one.
fn fits(figure: &Figure) -> bool {
    let quantity = (figure.quantity.as_str(), figure.unit.as_str());
    match quantity {
        MARGINAL => {
            figure.split.is_none() && figure.value.is_none_or(|v| v.is_finite() && v >= 0.0)
        }
        // A line through the counts may begin below zero.
        FIXED => figure.split.is_none() && figure.value.is_none_or(f64::is_finite),
        (MUTANTS | KILLED | ACCEPTED, "mutants") => figure.value.is_none_or(is_count),
        (ELSEWHERE, "mutants") => figure.split.is_some() && figure.value.is_some_and(is_count),
        _ => false,
    }
}

fn is_count(value: f64) -> bool {
    (0.0..=1e15).contains(&value) && value.fract() == 0.0
}

impl<'a> Operation<'a> {
    pub(super) fn has_receipts(&self) -> bool {
        self.paths.iter().any(|path| !path.receipts.is_empty())
    }

    pub(super) fn has_counts(&self) -> bool {
        let counted = |path: &Subject<'_>| path.marginal.is_some() || path.fixed.is_some();
        self.has_receipts() || self.paths.iter().any(counted)
    }

    pub(super) fn has_mutants(&self) -> bool {
        self.paths.iter().any(Subject::was_mutated)
    }

    /// The length at which paths are compared: of those of which the most paths have a receipt of a
    /// call that was answered, the longest. Shorter than 64 bytes, a call is prologue and tail: such a
    /// length only stands where there is no other.
    pub(super) fn common_length(&self) -> Option<u64> {
        let mut paths: HashMap<u64, usize> = HashMap::new();
        for path in &self.paths {
            for receipt in path.receipts.iter().filter(|receipt| !receipt.refused) {
                *paths.entry(receipt.length).or_default() += 1;
            }
        }
        let most = paths
            .into_iter()
            .max_by_key(|(length, n)| (*length >= 64, *n, *length));
        most.map(|(length, _)| length)
    }

    /// Peers are not mutated.
    pub(super) fn mutated(&self) -> impl Iterator<Item = &Subject<'a>> {
        let of_it = |path: &&Subject<'_>| path.is_ours() || path.was_mutated();
        self.paths.iter().filter(of_it)
    }
}

impl<'a> Subject<'a> {
    /// Puts a figure in its place, unless another one is there.
    fn put(&mut self, figure: &'a Figure) -> bool {
        if figure.quantity == ELSEWHERE {
            let free = !self.elsewhere.iter().any(|of| of.split == figure.split);
            self.elsewhere.extend(free.then_some(figure));
            return free;
        }
        let mutants = match figure.split.as_deref() {
            None => &mut self.mutants,
            Some(kind) => {
                let known = self.by_kind.iter().position(|(known, _)| *known == kind);
                let at = known.unwrap_or_else(|| {
                    self.by_kind.push((kind, Mutants::default()));
                    self.by_kind.len() - 1
                });
                &mut self.by_kind[at].1
            }
        };
        let place = match figure.quantity.as_str() {
            MUTANTS => &mut mutants.all,
            KILLED => &mut mutants.killed,
            ACCEPTED => &mut mutants.accepted,
            quantity if quantity == MARGINAL.0 => &mut self.marginal,
            _ => &mut self.fixed,
        };
        let free = place.is_none();
        if free {
            *place = Some(figure);
        }
        free
    }

    fn sort(&mut self) {
        let place = |receipt: &&Receipt| (receipt.length, receipt.refused);
        self.receipts.sort_by_key(place);
        // Of one call that was stepped twice, the last receipt holds, as the last row of a path does.
        self.receipts.dedup_by(|later, earlier| {
            let same = place(later) == place(earlier);
            if same {
                *earlier = *later;
            }
            same
        });
    }

    fn has_evidence(&self) -> bool {
        let counted = self.marginal.is_some() || self.fixed.is_some();
        !self.receipts.is_empty() || counted || self.was_mutated()
    }

    fn was_mutated(&self) -> bool {
        let Mutants {
            all,
            killed,
            accepted,
        } = &self.mutants;
        let figures = all.or(*killed).or(*accepted).is_some();
        let any = figures || !self.by_kind.is_empty() || !self.elsewhere.is_empty();
        any || self.listed != (0, 0)
    }

    /// Whether it is one of the paths that the ledger counts.
    fn is_ours(&self) -> bool {
        matches!(self.who, Who::Path | Who::Auto)
    }

    /// The name without its operation.
    pub(super) fn label(&self) -> String {
        label(self.isa, self.delivery)
    }

    /// The name without its operation; of a peer, with that word.
    pub(super) fn label_or_peer(&self) -> String {
        let peer = if self.is_ours() { "" } else { " (peer)" };
        format!("{}{peer}", self.label())
    }

    /// The receipt that stands for the path: of the longest call that was answered and stepped to
    /// its end, or else of the longest.
    pub(super) fn chosen(&self) -> Option<&'a Receipt> {
        let worth = |receipt: &&Receipt| (!receipt.refused, !receipt.cut, receipt.length);
        self.receipts.iter().copied().max_by_key(worth)
    }

    /// The receipt of the call of this length that was answered.
    pub(super) fn at(&self, length: u64) -> Option<&'a Receipt> {
        let of_it = |receipt: &&Receipt| receipt.length == length && !receipt.refused;
        self.receipts.iter().copied().find(of_it)
    }

    /// What must be known beside the numbers of the receipt that stands for the path.
    pub(super) fn about(&self, chosen: &Receipt, separator: char) -> Vec<String> {
        let number = |n| grouped(n, separator);
        let mut notes = Vec::new();
        if chosen.refused {
            notes.push("the input was damaged, and refused".to_owned());
        }
        let cut = |receipt: &&&Receipt| receipt.cut && receipt.length >= chosen.length;
        if let Some(receipt) = self.receipts.iter().rfind(cut) {
            let at = size(receipt.length);
            notes.push(format!(
                "at {at} cut after {} instructions",
                number(receipt.own)
            ));
        }
        if chosen.copied > 0 {
            notes.push(format!("{} B copied by memcpy", number(chosen.copied)));
        }
        if chosen.repeats > 0 {
            notes.push(format!("{} repeats of rep", number(chosen.repeats)));
        }
        notes
    }

    /// Why there is no receipt.
    pub(super) fn why_no_receipt(&self) -> String {
        let said = self.ledger.filter(|row| row.state == State::Verified);
        match said.and_then(|row| row.receipt.clone()) {
            Some(why) => why,
            None => self.why_nothing("no receipt"),
        }
    }

    /// Why there is nothing, if the path did not run; else that there is no record.
    fn why_nothing(&self, what: &str) -> String {
        match self.ledger.map(|row| (row.state, &row.reason)) {
            None | Some((State::Verified, _)) => format!("{what}: no record"),
            Some((state, Some(why))) => format!("{state}: {why}"),
            Some((state, None)) => state.to_string(),
        }
    }

    /// Instructions for 64 bytes more, or why there is no such number.
    pub(super) fn marginal(&self) -> Result<f64, String> {
        self.number(self.marginal, "not counted")
    }

    /// Instructions of a call beside those, or why there is no such number.
    pub(super) fn fixed(&self) -> Result<f64, String> {
        self.number(self.fixed, "not counted")
    }

    fn number(&self, figure: Option<&Figure>, what: &str) -> Result<f64, String> {
        let Some(figure) = figure else {
            return Err(self.why_nothing(what));
        };
        let why = || {
            figure
                .reason
                .clone()
                .unwrap_or_else(|| format!("{what}: no reason given"))
        };
        figure.value.ok_or_else(why)
    }

    /// What is said beside the counts: why there are none, or what must be known.
    pub(super) fn about_counts(&self) -> Vec<String> {
        let reason = |figure: Option<&Figure>| figure.and_then(|figure| figure.reason.clone());
        let mut notes: Vec<String> = reason(self.marginal).into_iter().collect();
        notes.extend(reason(self.fixed));
        if self.marginal.is_none() && self.fixed.is_none() {
            notes.push(self.why_nothing("not counted"));
        }
        notes.dedup();
        notes
    }

    /// The mutation score, or why there is none.
    pub(super) fn score(&self) -> Result<Score, String> {
        let number = |figure| self.number(figure, "not mutated");
        let score = Score {
            all: number(self.mutants.all)?,
            killed: number(self.mutants.killed)?,
            accepted: number(self.mutants.accepted)?,
        };
        if score.killed + score.accepted > score.all {
            return Err("the counts contradict each other".to_owned());
        }
        if score.all == 0.0 {
            let elsewhere = self.elsewhere();
            return Err(elsewhere.unwrap_or_else(|| "no place to change".to_owned()));
        }
        Ok(score)
    }

    /// How many of its mutants are tried under other paths.
    fn elsewhere(&self) -> Option<String> {
        let of = |figure: &&Figure| {
            let count = measured(figure.value.unwrap_or_default(), ',');
            format!(
                "{count} under {}",
                figure.split.as_deref().unwrap_or_default()
            )
        };
        let counts: Vec<String> = self.elsewhere.iter().map(of).collect();
        (!counts.is_empty()).then(|| format!("mutated elsewhere: {}", counts.join(", ")))
    }

    /// How many mutants, killed, accepted: each number by itself.
    pub(super) fn mutants(&self) -> [Option<f64>; 3] {
        self.mutants.values()
    }

    /// What is said beside the score: why there is none, what must be known, or that the list of
    /// survivors is another one.
    pub(super) fn about_score(&self) -> Vec<String> {
        let score = self.score();
        let mut notes: Vec<String> = Vec::new();
        notes.extend(score.as_ref().err().cloned());
        notes.extend(self.elsewhere().filter(|note| !notes.contains(note)));
        for (kind, mutants) in [("", &self.mutants)].into_iter().chain(self.kinds()) {
            let of = if kind.is_empty() { "" } else { ": " };
            for why in mutants.reasons().filter(|why| !why.is_empty()) {
                let note = format!("{kind}{of}{why}");
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        if let Ok(score) = score {
            let (accepted, open) = self.listed;
            if (score.accepted, score.open()) != (accepted as f64, open as f64) {
                notes.push(format!(
                    "the records list {} accepted survivors and {} that are not",
                    grouped(accepted, ','),
                    grouped(open, ',')
                ));
            }
        }
        notes
    }

    /// Whether its mutants are counted by kind of change.
    pub(super) fn has_kinds(&self) -> bool {
        !self.by_kind.is_empty()
    }

    fn kinds(&self) -> impl Iterator<Item = (&'a str, &Mutants<'a>)> {
        self.by_kind.iter().map(|(kind, mutants)| (*kind, mutants))
    }

    /// Of a kind of change: `killed/all`, and in brackets how many are accepted.
    pub(super) fn of_kind(&self, kind: &str, separator: char) -> Option<String> {
        let (_, mutants) = self.kinds().find(|(known, _)| *known == kind)?;
        let shown = |n: Option<f64>| n.map_or("-".to_owned(), |n| measured(n, separator));
        let [all, killed, accepted] = mutants.values();
        let accepted = accepted.filter(|n| *n > 0.0);
        let rest = accepted.map_or(String::new(), |n| format!(" ({})", measured(n, separator)));
        Some(format!("{}/{}{rest}", shown(killed), shown(all)))
    }
}

impl Mutants<'_> {
    fn figures(&self) -> [Option<&Figure>; 3] {
        [self.all, self.killed, self.accepted]
    }

    fn values(&self) -> [Option<f64>; 3] {
        self.figures().map(|figure| figure?.value)
    }

    fn reasons(&self) -> impl Iterator<Item = &str> {
        let figures = self.figures().into_iter().flatten();
        figures.filter_map(|figure| figure.reason.as_deref())
    }
}

impl Score {
    /// Those that nobody has accepted.
    pub(super) fn open(self) -> f64 {
        self.all - self.killed - self.accepted
    }

    /// Never more than it is: not 100% if one lived.
    pub(super) fn percent(self) -> String {
        percent(self.killed / self.all, 1)
    }
}

/// The place of a kind of change in a table: known kinds in a fixed order, the others after them.
fn rank_of_kind(kind: &str) -> usize {
    let known = KINDS.iter().position(|known| *known == kind);
    known.unwrap_or(KINDS.len())
}

/// A share rounded down, and never to nothing: what is nearly all is not all.
pub(super) fn percent(share: f64, decimals: usize) -> String {
    let unit = 10f64.powi(decimals as i32);
    let floor = (share * 100.0 * unit).floor() / unit;
    match floor {
        _ if share >= 1.0 => "100%".to_owned(),
        _ if share > 0.0 && floor <= 0.0 => format!("<{}%", 1.0 / unit),
        _ => format!("{floor:.decimals$}%"),
    }
}

/// A receipt's instructions by feature, the rarest first: `avx2 1,964`, `avx 512`, `x86-64 203`.
pub(super) fn by_feature(receipt: &Receipt, separator: char) -> Vec<String> {
    let shown = |(feature, n): (&str, u64)| format!("{feature} {}", grouped(n, separator));
    features(receipt).into_iter().map(shown).collect()
}

/// A receipt's features, the rarest first, each with its instructions.
pub(super) fn features(receipt: &Receipt) -> Vec<(&str, u64)> {
    let all = receipt.features.iter();
    let mut features: Vec<(&str, u64)> = all.map(|(name, n)| (name.as_str(), *n)).collect();
    features.sort_by_key(|(name, _)| super::palette::rank_of_feature(name));
    features
}

/// The hot loop's mnemonics, at most so many, of which equal neighbours are one:
/// `loop of 9: vmovdqu×2 vpshufb …`.
pub(super) fn hot_loop(receipt: &Receipt, most: usize) -> String {
    let names = &receipt.hot_loop;
    if names.is_empty() {
        return String::new();
    }
    let run = |run: &[String]| match run.len() {
        1 => run[0].clone(),
        n => format!("{}×{n}", run[0]),
    };
    let mut runs: Vec<String> = names.chunk_by(|a, b| a == b).map(run).collect();
    let rest = if runs.len() > most { " …" } else { "" };
    runs.truncate(most);
    format!("loop of {}: {}{rest}", names.len(), runs.join(" "))
}

/// Calls of the allocator and what they asked for: `1 (8,194 B)`.
pub(super) fn allocations(receipt: &Receipt, separator: char) -> String {
    let number = |n| grouped(n, separator);
    match receipt.allocations {
        0 => "0".to_owned(),
        n => format!("{} ({} B)", number(n), number(receipt.allocated)),
    }
}

/// Instructions for each 64 bytes of a call as a whole; none of a call that did not do all its work.
pub(super) fn per_64_bytes(receipt: &Receipt) -> Option<f64> {
    let whole = receipt.length > 0 && !receipt.refused && !receipt.cut;
    whole.then(|| receipt.own as f64 * 64.0 / receipt.length as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_shortened_and_says_how_long_it_is() {
        let of = |names: &[&str]| Receipt {
            hot_loop: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Receipt::default()
        };
        let shown = hot_loop(&of(&["mov", "mov", "add", "cmp", "jne"]), 3);
        assert_eq!(shown, "loop of 5: mov×2 add cmp …");
        assert_eq!(hot_loop(&of(&["rep movsb"]), 3), "loop of 1: rep movsb");
        assert_eq!(hot_loop(&of(&[]), 3), "");
    }

    #[test]
    fn what_is_nearly_all_is_not_all() {
        let shown = [1.0, 0.9999, 0.975, 0.0, 0.0001].map(|share| percent(share, 1));
        assert_eq!(shown, ["100%", "99.9%", "97.5%", "0.0%", "<0.1%"]);
        let shown = [0.996, 0.004, 0.5].map(|share| percent(share, 0));
        assert_eq!(shown, ["99%", "<1%", "50%"]);
    }
}
