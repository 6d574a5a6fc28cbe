//! Which cases a verification runs: for each check a count, and the case of every index.
//!
//! A case depends on nothing but the seed, the operation's name, the check and the index, so that any process can make any
//! one of them again.

use std::path::PathBuf;

use proptest::prelude::Rng as _;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Place, Shape, Source, crc32, generate, mix, rng};
use crate::operation::{Operation, Params, Rows};
use crate::params;
use crate::shrink::CaseTree;

/// Mutated inputs per length of the sweep.
const MUTATED: u64 = 16;
/// The lengths of plain bytes for which every single position of the input is damaged.
const POSITIONS: [usize; 70] = {
    let mut lengths = [0; 70];
    let mut i = 0;
    while i < 66 {
        lengths[i] = i + 1;
        i += 1;
    }
    (lengths[66], lengths[67], lengths[68], lengths[69]) = (128, 129, 257, 512);
    lengths
};
/// Plain bytes of the input in which every byte stands at every position: a block. Of an input that is more than four times as
/// long, the positions so far.
const ZEROS: usize = 64;
/// Buffers of another length than the answer's, per length of the sweep.
const ROOMS: u64 = 4;
/// Plain bytes under the pairs of `--exhaustive`: a block of 64, and a tail that is odd.
const PAIRS_IN: usize = 97;
/// Offsets at which a pair stands: every one of a block of 64 plain bytes, or of the text of such a block, which may be twice as
/// long, whatever the period of a codec is.
const PAIR_OFFSETS: [u64; 2] = [64, 128];

/// A set of no more rows than this was made for what it shows; a larger one is a sample.
const TELLING: usize = 256;

/// What is asked of a verification, beyond the operations themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// How many random cases per operation.
    pub(crate) cases: u64,
    pub(crate) exhaustive: bool,
    /// The user's own rows: a file and the bytes of a row.
    pub(crate) data: Option<(PathBuf, usize)>,
    /// Only the cases of one share, as [`in_share`] has it.
    pub(crate) shard: (u64, u64),
    /// How long one call may take, in milliseconds.
    pub(crate) timeout: u64,
}

impl Settings {
    /// The flags that ask for the same cases again. The file of the user's rows is quoted for a shell.
    pub(crate) fn flags(&self) -> String {
        let mut flags = format!(" --seed {} --cases {}", self.seed, self.cases);
        if self.exhaustive {
            flags += " --exhaustive";
        }
        if let Some((file, row)) = &self.data {
            flags += &format!(" --data {}", quoted(&format!("{}:{row}", file.display())));
        }
        if let (share, shares @ 2..) = self.shard {
            flags += &format!(" --shard {}/{shares}", share + 1);
        }
        flags
    }
}

/// Whether a share has a case or a mutant: (which share, from 0, and of how many).
pub(crate) fn in_share(number: u64, (share, shares): (u64, u64)) -> bool {
    number % shares == share
}

/// A word of a command, in quotes if a POSIX shell would not take it as it is.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=.,:/@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The whole of nothing: what verbs start from that draw no cases.
impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            cases: 0,
            exhaustive: false,
            data: None,
            shard: (0, 1),
            timeout: 10_000,
        }
    }
}

/// A kind of check. The order is that of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Check {
    FlushEnd,
    FlushStart,
    Aligned,
    Rows,
    Data,
    Shapes,
    Random,
    Mutated,
    Positions,
    Pairs,
    Laws,
    Room,
}

impl Check {
    pub(crate) const ALL: [Check; 12] = [
        Check::FlushEnd,
        Check::FlushStart,
        Check::Aligned,
        Check::Rows,
        Check::Data,
        Check::Shapes,
        Check::Random,
        Check::Mutated,
        Check::Positions,
        Check::Pairs,
        Check::Laws,
        Check::Room,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Check::FlushEnd => "flush end",
            Check::FlushStart => "flush start",
            Check::Aligned => "aligned",
            Check::Rows => "rows",
            Check::Data => "own rows",
            Check::Shapes => "shapes",
            Check::Random => "random",
            Check::Mutated => "mutated",
            Check::Positions => "positions",
            Check::Pairs => "pairs",
            Check::Laws => "laws",
            Check::Room => "room",
        }
    }

    /// Whether peers take part: where a peer is measured it has been checked on the same lengths and the same data.
    pub(crate) fn includes_peers(self) -> bool {
        matches!(
            self,
            Check::FlushEnd | Check::FlushStart | Check::Rows | Check::Data
        )
    }
}

/// The cases of one operation.
pub(crate) struct Plan<'a> {
    operation: &'a Operation,
    settings: &'a Settings,
    /// The user's rows.
    data: &'a [u8],
    /// Every combination of swept parameters.
    params: Vec<Params>,
    usual: Params,
    /// The longest length of the sweeps.
    swept: usize,
    /// All of the sweeps, and both sides of every declared threshold.
    lengths: Vec<usize>,
    /// For `Shapes`.
    shapes: Vec<usize>,
    /// For `Positions`: how many positions lie before each length's, and in all.
    positions: Vec<u64>,
    name: u64,
}

impl<'a> Plan<'a> {
    /// `data` is the content of the file that `settings` names.
    pub(crate) fn new(operation: &'a Operation, settings: &'a Settings, data: &'a [u8]) -> Self {
        let (params, usual) = (params::swept(operation), params::usual(operation));
        let most = operation.most();
        let swept = operation.swept();
        let mut lengths: Vec<usize> = (0..=swept).collect();
        // Thresholds speak of the input's length; the sweep of plain bytes, of which the input may need more or fewer.
        let per_plain = operation.per_plain(&usual);
        for &switch in operation.paths.iter().flat_map(|path| &path.switches_at) {
            let plain = (switch as f64 / per_plain) as usize;
            lengths.extend(plain.saturating_sub(1)..=plain + 1);
        }
        lengths.retain(|length| *length <= most);
        lengths.sort_unstable();
        lengths.dedup();
        let mut positions = vec![0];
        if operation.from_bytes.is_some() {
            let lengths = POSITIONS.iter().filter(|len| **len <= most).enumerate();
            let mut inputs: Vec<u64> = lengths
                .map(|(which, _)| {
                    let plain = damaged(settings.seed, which);
                    operation.parts_from(&plain, &usual)[0].len() as u64
                })
                .collect();
            // Where inputs are of one length, whatever the plain bytes, one is damaged.
            if inputs.first() == inputs.last() {
                inputs.truncate(1);
            }
            for input in inputs {
                positions.push(positions.last().unwrap_or(&0) + input);
            }
        }
        let name = mix(&operation.name.bytes().map(u64::from).collect::<Vec<_>>());
        Self {
            operation,
            settings,
            data,
            params,
            usual,
            swept,
            lengths,
            shapes: shape_lengths().filter(|len| *len <= most).collect(),
            positions,
            name,
        }
    }

    /// How many cases each check has; one with none is left out.
    pub(crate) fn checks(&self) -> Vec<(Check, u64)> {
        let op = self.operation;
        let refuses = u64::from(op.from_bytes.is_some());
        let combos = self.params.len() as u64;
        let swept = self.swept as u64 + 1;
        let count = |check| match check {
            Check::FlushEnd | Check::FlushStart => self.lengths.len() as u64 * combos,
            Check::Aligned => swept * 64,
            Check::Rows => op
                .rows
                .iter()
                .map(|set| (set.data.len() / set.row) as u64)
                .sum(),
            Check::Data => self
                .settings
                .data
                .as_ref()
                .filter(|(_, row)| *row <= op.most())
                .map_or(0, |(_, row)| (self.data.len() / row) as u64),
            // And every single byte.
            Check::Shapes => {
                let bytes = if op.most() > 0 { 256 } else { 0 };
                self.shapes.len() as u64 * Shape::ALL.len() as u64 + bytes
            }
            Check::Random => self.settings.cases,
            Check::Mutated => refuses * swept * MUTATED,
            Check::Positions => {
                let zeros = self.operation.parts_from(self.zeros(), &self.usual)[0].len();
                let zeros = zeros.min(4 * ZEROS);
                self.positions.last().unwrap_or(&0) * 3 + refuses * 256 * zeros as u64
            }
            Check::Pairs if !self.settings.exhaustive => 0,
            Check::Pairs if refuses == 0 => {
                (PAIR_OFFSETS[0] / 2).min(self.pairs_in() as u64 / 2) << 16
            }
            Check::Pairs => PAIR_OFFSETS[1] << 16,
            Check::Laws => op.laws.len() as u64 * swept,
            Check::Room => u64::from(op.short.is_some()) * swept * ROOMS,
        };
        Check::ALL
            .into_iter()
            .map(|check| (check, count(check)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Case `index` of a check.
    pub(crate) fn case(&self, check: Check, index: u64) -> Case {
        let seed = mix(&[self.settings.seed, self.name, check as u64, index]);
        let mut draw = rng(mix(&[seed, 1]));
        let random = |len| Source::Seeded {
            seed: seed >> 16,
            len,
            shape: Shape::Random,
        };
        let at_length = |i: u64| self.lengths[(i % self.lengths.len() as u64) as usize];
        let combo = |i: u64| self.params[(i % self.params.len() as u64) as usize].clone();
        let swept_combo = self.params
            [(index / self.lengths.len() as u64 % self.params.len() as u64) as usize]
            .clone();
        match check {
            Check::FlushEnd => self.place(
                random(at_length(index)),
                swept_combo,
                Place::End,
                Place::End,
            ),
            Check::FlushStart => self.place(
                random(at_length(index)),
                swept_combo,
                Place::Start,
                Place::Start,
            ),
            Check::Aligned => {
                let output = Place::At(draw.next_u32() as u8 % 64);
                let params = combo(u64::from(draw.next_u32()));
                self.place(
                    random((index / 64) as usize),
                    params,
                    Place::At(index as u8 % 64),
                    output,
                )
            }
            Check::Rows => {
                let (set, number) = self.row(index);
                let source = Source::Row {
                    set: set.set.to_string(),
                    index: number,
                    crc: crc32(&set.data[number * set.row..][..set.row]),
                };
                self.place_anywhere(source, combo(index), &mut draw)
            }
            Check::Data => {
                let width = self.settings.data.as_ref().map_or(1, |(_, row)| *row);
                let row = &self.data[index as usize * width..][..width];
                let params = combo(index);
                let parts = self.operation.parts_from(row, &params);
                self.place_anywhere(Source::Verbatim(parts), params, &mut draw)
            }
            Check::Shapes => {
                let shapes = Shape::ALL.len() as u64;
                if let Some(byte) = index.checked_sub(self.shapes.len() as u64 * shapes) {
                    let params = combo(index);
                    let parts = self.operation.parts_from(&[byte as u8], &params);
                    return self.place_anywhere(Source::Verbatim(parts), params, &mut draw);
                }
                let len = self.shapes[(index / shapes) as usize];
                let shape = Shape::ALL[(index % shapes) as usize];
                self.place_anywhere(
                    Source::Seeded {
                        seed: seed >> 16,
                        len,
                        shape,
                    },
                    combo(index),
                    &mut draw,
                )
            }
            Check::Random => {
                let mut runner = TestRunner::new_with_rng(Config::default(), draw);
                match RandomCases(self).new_tree(&mut runner) {
                    Ok(tree) => tree.current(),
                    Err(reason) => unreachable!("the strategy rejects nothing: {reason}"),
                }
            }
            Check::Mutated => {
                let params = combo(index);
                let mut parts = self.operation.parts_from(
                    &generate(seed, (index / MUTATED) as usize, Shape::Random),
                    &params,
                );
                mutate(&mut parts[0], &mut draw);
                self.place_anywhere(Source::Verbatim(parts), params, &mut draw)
            }
            Check::Positions if index >= 3 * self.positions.last().unwrap_or(&0) => {
                let index = index - 3 * self.positions.last().unwrap_or(&0);
                let params = self.usual.clone();
                let mut parts = self.operation.parts_from(self.zeros(), &params);
                if let Some(byte) = parts[0].get_mut((index / 256) as usize) {
                    *byte = index as u8;
                }
                self.place_anywhere(Source::Verbatim(parts), params, &mut draw)
            }
            Check::Positions => {
                let (position, kind) = (index / 3, index % 3);
                let which = self.positions.partition_point(|&before| before <= position) - 1;
                // The same plain bytes for all positions of a length.
                let plain = damaged(self.settings.seed, which);
                let params = self.usual.clone();
                let mut parts = self.operation.parts_from(&plain, &params);
                let at = (position - self.positions[which]) as usize;
                if at < parts[0].len() {
                    parts[0][at] = spoiled(&parts[0], at, kind, &mut draw);
                }
                self.place_anywhere(Source::Verbatim(parts), params, &mut draw)
            }
            Check::Pairs => {
                let (offset, pair) = ((index >> 16) as usize, (index as u16).to_le_bytes());
                let params = self.usual.clone();
                let mut plain = generate(self.settings.seed, self.pairs_in(), Shape::Random);
                let parts = if self.operation.from_bytes.is_some() {
                    let mut parts = self.operation.parts_from(&plain, &params);
                    if let Some(bytes) = parts[0].get_mut(offset..offset + 2) {
                        bytes.copy_from_slice(&pair);
                    }
                    parts
                } else {
                    plain[2 * offset..2 * offset + 2].copy_from_slice(&pair);
                    self.operation.parts_from(&plain, &params)
                };
                self.place(Source::Verbatim(parts), params, Place::End, Place::End)
            }
            Check::Laws => {
                let len = (index % (self.swept as u64 + 1)) as usize;
                let drawn = draw.next_u32();
                // Every other length with values that no sweep has.
                let params = match drawn & 1 {
                    0 => combo(u64::from(drawn >> 1)),
                    _ => params::random(self.operation, &mut draw),
                };
                self.place(random(len), params, Place::At(0), Place::At(0))
            }
            Check::Room => {
                let drawn = draw.next_u32() as i32;
                let room = match index % ROOMS {
                    0 => -1,
                    1 => 1,
                    // Anything from nothing at all to a byte too few, as far as answers are of the length of the plain bytes.
                    2 => -1 - (drawn & 1023),
                    _ => 1 + (drawn & 63),
                };
                let params = combo(u64::from(draw.next_u32()));
                let case = self.place_anywhere(random((index / ROOMS) as usize), params, &mut draw);
                Case { room, ..case }
            }
        }
    }

    /// Whether a case is among those that every mutant meets first: a few hundred, of every check, every value that is swept, and
    /// every law.
    pub(crate) fn is_quick(&self, check: Check, index: u64) -> bool {
        let lengths = self.lengths.len() as u64;
        let (combo, length) = (index / lengths, index % lengths);
        match check {
            Check::FlushEnd if combo == 0 => length <= 160,
            Check::FlushEnd => length <= 160 && length % 7 == combo % 7,
            Check::FlushStart => index <= 160 && index.is_multiple_of(5),
            Check::Aligned => index.is_multiple_of(997),
            Check::Rows => {
                let (set, row) = self.row(index);
                row < 3 || set.data.len() / set.row <= TELLING
            }
            Check::Data => index < 3,
            Check::Shapes => index < 1000 && index.is_multiple_of(7),
            Check::Random => index < 20,
            Check::Mutated => index < 4000 && index.is_multiple_of(37),
            Check::Positions => index < 8000 && index.is_multiple_of(53),
            Check::Laws => (index % (self.swept as u64 + 1)).is_multiple_of(67),
            Check::Room => index < 140 && index.is_multiple_of(7),
            Check::Pairs => false,
        }
    }

    /// Zeros to make an input from: whatever is put into it is seen, for no neighbour hides it.
    fn zeros(&self) -> &'static [u8] {
        &[0; ZEROS][..ZEROS.min(self.operation.most())]
    }

    fn pairs_in(&self) -> usize {
        PAIRS_IN.min(self.operation.most())
    }

    /// Which law a case of `Laws` is for, of an operation that sweeps so far.
    pub(crate) fn law(swept: usize, index: u64) -> usize {
        (index / (swept as u64 + 1)) as usize
    }

    /// The set that row `index` of all is in, and which one of the set it is.
    fn row(&self, mut index: u64) -> (&'a Rows, usize) {
        for set in &self.operation.rows {
            let rows = (set.data.len() / set.row) as u64;
            if index < rows {
                return (set, index as usize);
            }
            index -= rows;
        }
        unreachable!("`checks` counts the rows that there are")
    }

    fn place(&self, source: Source, params: Params, input: Place, output: Place) -> Case {
        Case {
            operation: self.operation.name.to_string(),
            source,
            params,
            input,
            output,
            warm: 0,
            room: 0,
        }
    }

    /// Half the cases flush with a guard page, half between margins.
    fn place_anywhere(&self, source: Source, params: Params, draw: &mut TestRng) -> Case {
        let (input, output) = (any_place(draw), any_place(draw));
        self.place(source, params, input, output)
    }
}

fn any_place(draw: &mut TestRng) -> Place {
    match draw.next_u32() % 4 {
        0 => Place::Start,
        1 => Place::End,
        _ => Place::At(draw.next_u32() as u8 % 64),
    }
}

/// The plain bytes of the inputs of which each position is damaged, by the number of their length.
fn damaged(seed: u64, which: usize) -> Vec<u8> {
    generate(mix(&[seed, which as u64]), POSITIONS[which], Shape::Random)
}

/// Lengths at which blocks, pages and counters end.
fn shape_lengths() -> impl Iterator<Item = usize> {
    let around = |n: usize| n - 1..=n + 1;
    (0..=66)
        .chain([96, 128, 256, 512, 1024, 4096].into_iter().flat_map(around))
        .chain([65_537])
}

/// Another byte for position `at`: one that stands elsewhere in the input (a character of another alphabet, say), one that is
/// not ASCII, or any.
fn spoiled(input: &[u8], at: usize, kind: u64, draw: &mut TestRng) -> u8 {
    let drawn = draw.next_u64();
    let other = match kind {
        0 => input[(drawn % input.len() as u64) as usize],
        1 => drawn as u8 | 0x80,
        _ => drawn as u8,
    };
    if other == input[at] { other ^ 1 } else { other }
}

/// Damages a valid input in one of the ways in which texts are damaged, or in two at once, near to each other.
fn mutate(input: &mut Vec<u8>, draw: &mut TestRng) {
    let kind = draw.next_u32() % 8;
    if input.is_empty() {
        // Nothing to flip, cut or swap.
        return input.push(draw.next_u32() as u8);
    }
    let mut at = |len: usize| (draw.next_u64() % len as u64) as usize;
    let first = at(input.len());
    match kind {
        0 => input[first] ^= 1 << at(8),
        1 => input.truncate(first),
        2 => input.insert(first, at(256) as u8),
        3 => drop(input.remove(first)),
        4 => {
            let second = at(input.len());
            input.swap(first, second);
        }
        5 => {
            let next = (first + 1) % input.len();
            input.swap(first, next);
        }
        6 => input.extend_from_within(first..),
        _ => {
            // Two errors in one block of 64.
            let second = (first + at(64)).min(input.len() - 1);
            let kinds = [at(3) as u64, at(3) as u64];
            input[first] = spoiled(input, first, kinds[0], draw);
            input[second] = spoiled(input, second, kinds[1], draw);
        }
    }
}

/// The random cases of an operation, for proptest.
#[derive(Debug)]
struct RandomCases<'a>(&'a Plan<'a>);

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plan({})", self.operation.name)
    }
}

impl Strategy for RandomCases<'_> {
    type Tree = CaseTree;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> Result<CaseTree, proptest::test_runner::Reason> {
        let plan = self.0;
        let draw = runner.rng();
        // Mostly lengths around which kernels change, now and then a long one.
        let limit = match draw.next_u32() % 10 {
            0..=4 => 300,
            5..=8 => 4200,
            _ => 70_000,
        };
        let limit = limit.min((plan.operation.most() as u64).saturating_add(1));
        let (len, seed) = ((draw.next_u64() % limit) as usize, draw.next_u64() >> 16);
        let params = params::random(plan.operation, draw);
        let shape = if draw.next_u32().is_multiple_of(4) {
            Shape::ALL[draw.next_u32() as usize % Shape::ALL.len()]
        } else {
            Shape::Random
        };
        Ok(CaseTree::new(plan.place_anywhere(
            Source::Seeded { seed, len, shape },
            params,
            draw,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::operation::{CodePath, Failure};

    fn settings() -> Settings {
        Settings {
            seed: 1,
            cases: 500,
            exhaustive: true,
            data: None,
            shard: (0, 1),
            timeout: 1000,
        }
    }

    fn operation(text: bool) -> Operation {
        let op = Operation::new("op", |i| Ok(i.bytes().to_vec()))
            .path(CodePath::returns("scalar", |i| Ok(i.bytes().to_vec())).switches_at(&[3000]))
            .param("k", &[&[1], &[9]])
            .param("levels", &[&[1, 2], &[3]]);
        if text {
            op.from_bytes(|b, _| b.iter().flat_map(|b| [b >> 4, b & 15]).collect())
        } else {
            op
        }
    }

    #[test]
    fn every_value_stands_at_every_position_of_a_block_in_the_default_run() {
        let (op, settings) = (operation(false), settings());
        let plan = Plan::new(&op, &settings, &[]);
        let mut seen = vec![false; 256 * 64];
        for (check, count) in plan
            .checks()
            .into_iter()
            .filter(|(check, _)| *check != Check::Pairs)
        {
            for index in 0..count {
                for (at, byte) in op.resolve(&plan.case(check, index)).unwrap()[0]
                    .iter()
                    .enumerate()
                {
                    seen[usize::from(*byte) * 64 + at % 64] = true;
                }
            }
        }
        assert_eq!(seen.iter().filter(|seen| !**seen).count(), 0);
    }

    #[test]
    fn the_sweeps_hold_every_length_alignment_and_parameter() {
        let (op, settings) = (operation(false), settings());
        let plan = Plan::new(&op, &settings, &[]);
        let mut flush = std::collections::BTreeSet::new();
        let mut aligned = std::collections::BTreeSet::new();
        for (check, count) in plan.checks() {
            for index in 0..count.min(200_000) {
                let case = plan.case(check, index);
                let Source::Seeded { len, .. } = case.source else {
                    continue;
                };
                match (check, case.input) {
                    (Check::FlushEnd, Place::End) => {
                        flush.insert((len, case.params.clone(), 1));
                    }
                    (Check::FlushStart, Place::Start) => {
                        flush.insert((len, case.params.clone(), 0));
                    }
                    (Check::Aligned, Place::At(a)) => {
                        aligned.insert((len, a));
                    }
                    _ => {}
                }
            }
        }
        // 0..=512, and 2999..=3001 around the threshold; two values of k and two of levels; two sweeps.
        assert_eq!(flush.len(), (513 + 3) * 4 * 2);
        assert_eq!(aligned.len(), 513 * 64);
        assert!(flush.iter().any(|(len, ..)| *len == 3001));
    }

    #[test]
    fn nothing_is_longer_than_the_longest_and_every_check_is_left() {
        for text in [false, true] {
            for longest in [0, 1, 70] {
                let settings = Settings {
                    data: Some(("own".into(), 7)),
                    ..settings()
                };
                let op = operation(text)
                    .longest(longest)
                    .law("kept", |_, _| Ok(()))
                    .refuses_short(|_, _| Failure::kind("short"));
                let plan = Plan::new(&op, &settings, &[1; 21]);
                let per_plain = if text { 2 } else { 1 };
                for (check, count) in plan.checks() {
                    let mut most = 0;
                    for index in (0..count)
                        .step_by(1 + count as usize / 3000)
                        .chain([count - 1])
                    {
                        let parts = op.resolve(&plan.case(check, index)).unwrap();
                        most = most.max(parts[0].len());
                    }
                    // Damage may repeat an end.
                    let limit = if check == Check::Mutated { 2 } else { 1 } * per_plain * longest;
                    assert!(most <= limit.max(1), "{check:?} {most} of {longest}");
                    if check == Check::Laws {
                        assert_eq!(Plan::law(op.swept(), count - 1), 0);
                    }
                }
                let has = |check| plan.checks().iter().any(|(of, _)| *of == check);
                assert_eq!(has(Check::Data), longest >= 7);
                assert!(has(Check::Random) && has(Check::Aligned) && has(Check::Shapes));
            }
        }
    }

    #[test]
    fn an_operation_says_how_far_every_length_is_swept() {
        let (op, settings) = (operation(false).sweeps_to(20), settings());
        let plan = Plan::new(&op, &settings, &[]);
        let checks: BTreeMap<Check, u64> = plan.checks().into_iter().collect();
        // 0..=20, and both sides of the threshold; four combinations of parameters.
        assert_eq!(checks[&Check::FlushEnd], (21 + 3) * 4);
        assert_eq!(checks[&Check::Aligned], 21 * 64);
        // Chance goes further.
        let lengths = (0..checks[&Check::Random]).map(|index| {
            let case = plan.case(Check::Random, index);
            op.resolve(&case).unwrap()[0].len()
        });
        assert!(lengths.max() > Some(4200));
    }

    #[test]
    fn thresholds_speak_of_the_length_of_the_input() {
        let (op, settings) = (operation(true), settings());
        let plan = Plan::new(&op, &settings, &[]);
        let inputs: Vec<_> = (0..516)
            .map(|i| op.resolve(&plan.case(Check::FlushEnd, i)).unwrap()[0].len())
            .collect();
        for len in [2998, 3000, 3002] {
            assert!(inputs.contains(&len), "{len}");
        }
    }

    #[test]
    fn the_flags_of_a_run_ask_for_its_cases_again() {
        let settings = Settings {
            data: Some(("my rows.u8".into(), 384)),
            shard: (1, 3),
            ..settings()
        };
        assert_eq!(
            settings.flags(),
            " --seed 1 --cases 500 --exhaustive --data 'my rows.u8:384' --shard 2/3"
        );
        assert_eq!(quoted("/plain/path-1.0:@x"), "/plain/path-1.0:@x");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    /// What is wrong with a way to share out: a number that not exactly one share has, and how many shares have it.
    fn shared_wrongly(
        shares: u64,
        numbers: &[u64],
        has: impl Fn(u64, (u64, u64)) -> bool,
    ) -> Option<(u64, usize)> {
        let having = |&number: &u64| {
            let having = (0..shares).filter(|share| has(number, (*share, shares)));
            (number, having.count())
        };
        numbers.iter().map(having).find(|(_, having)| *having != 1)
    }

    #[test]
    fn every_number_is_in_one_share() {
        // Cases are numbered from 0, mutants by hashes.
        let mut numbers: Vec<u64> = (0..5000).collect();
        numbers.extend((0..1000).map(|n| mix(&[n])).chain([u64::MAX]));
        for shares in [1, 2, 3, 4, 7, 64, 701] {
            assert_eq!(shared_wrongly(shares, &numbers, in_share), None);
        }
        // Ways that go wrong are found out: a case is lost, or repeated; shares are counted from 1; what is left over is lost.
        let loses = |n, of| in_share(n, of) && n != 1024;
        assert_eq!(shared_wrongly(3, &numbers, loses), Some((1024, 0)));
        let repeats = |n, of| in_share(n, of) || n == 1024;
        assert_eq!(shared_wrongly(3, &numbers, repeats), Some((1024, 3)));
        let from_1 = |n, (share, shares)| in_share(n, (share + 1, shares));
        assert_eq!(shared_wrongly(3, &numbers, from_1), Some((0, 0)));
        let spans = |n, (share, shares)| n / (5000 / shares) == share;
        assert_eq!(shared_wrongly(3, &numbers, spans), Some((4998, 0)));
    }

    #[test]
    fn exhaustive_pairs_are_all_pairs() {
        for text in [false, true] {
            let (op, settings) = (operation(text), settings());
            let plan = Plan::new(&op, &settings, &[]);
            let (_, count) = plan
                .checks()
                .into_iter()
                .find(|(check, _)| *check == Check::Pairs)
                .unwrap();
            let offsets = if text { 128 } else { 32 };
            assert_eq!(count, offsets << 16);
            let mut seen = vec![false; 1 << 16];
            for index in (5 << 16)..(6 << 16) {
                let parts = op.resolve(&plan.case(Check::Pairs, index)).unwrap();
                let at = if text { 5 } else { 10 };
                seen[usize::from(u16::from_le_bytes([parts[0][at], parts[0][at + 1]]))] = true;
            }
            assert!(seen.iter().all(|seen| *seen));
        }
    }

    #[test]
    fn every_position_of_a_text_is_damaged() {
        let (op, settings) = (operation(true), settings());
        let plan = Plan::new(&op, &settings, &[]);
        let (_, count) = plan
            .checks()
            .into_iter()
            .find(|(check, _)| *check == Check::Positions)
            .unwrap();
        let sum: usize = POSITIONS.iter().map(|n| 2 * n).sum();
        assert_eq!(count, 3 * sum as u64 + 256 * 2 * ZEROS as u64);
        let of_zeros = plan.case(Check::Positions, 3 * sum as u64 + 256 * 5 + 77);
        let mut due = vec![0; 2 * ZEROS];
        due[5] = 77;
        assert_eq!(op.resolve(&of_zeros).unwrap(), [due]);
        // A valid text here has no byte above 15, but the damaged ones of kind 1 have one at their position.
        let mut found = vec![];
        for index in (1..count).step_by(3).skip(2).take(4) {
            let parts = op.resolve(&plan.case(Check::Positions, index)).unwrap();
            found.push(parts[0].iter().position(|b| *b > 15));
        }
        assert_eq!(found, [Some(0), Some(1), Some(2), Some(3)]);
        // Of whatever length an input is.
        let op = operation(true).from_bytes(|b, _| b.repeat(1 + usize::from(b[b.len() - 1] % 3)));
        let plan = Plan::new(&op, &settings, &[]);
        let inputs: Vec<usize> = (0..POSITIONS.len())
            .map(|which| op.parts_from(&damaged(1, which), &plan.usual)[0].len())
            .collect();
        assert_eq!(
            plan.positions.last().map(|n| *n as usize),
            Some(inputs.iter().sum())
        );
        assert_ne!(plan.positions.last().map(|n| *n as usize), Some(sum / 2));
        // All of one length: once.
        let op = operation(true).from_bytes(|_, _| vec![1; 40]);
        let plan = Plan::new(&op, &settings, &[]);
        let checks: BTreeMap<Check, u64> = plan.checks().into_iter().collect();
        assert_eq!(checks[&Check::Positions], 3 * 40 + 256 * 40);
    }
}
