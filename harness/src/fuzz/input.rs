//! A fuzzer's bytes as a case, and cases as a fuzzer's bytes: the seeds of a corpus.
//!
//! ```text
//! byte 0     where the input lies: < 64 at that offset, < 160 flush with a guard page before it, else with one behind it
//! byte 1     where the output lies, likewise
//! byte 2     how the rest is read, modulo 4 (`How`); from 192 on, after it has been repeated up to a length
//! byte 3     the output buffer: < 192 of the operation's capacity; else 224 less than this byte more bytes, or fewer
//! bytes 4, 5 that length: < 128, both together; else 2 to the power of the first modulo 17, and -4 to 4 of the second modulo 9
//! 2 bytes    for each parameter: first < 128 the swept value of that number, else one that is drawn from both
//! 3 bytes    for each damage (`how`: none, one or two): what kind, and where
//! the rest   plain bytes, from which the operation makes its input; or its first part itself
//! ```
//! Bytes that are not there are 0.

use std::borrow::Cow;

use crate::case::{Case, Place, Source, mix, rng};
use crate::operation::{Operation, Params, Text};

/// The head that every operation has.
const HEAD: usize = 6;
/// The greatest power of two around which lengths of repeated bytes lie: beyond what 16 bits count.
const MOST_POWER: u8 = 16;
/// How far around.
const AROUND: u8 = 4;
/// From this value on, byte 4 is the power.
const POWER: u8 = 128;
/// From this value on, byte 2 says that the rest is repeated.
const REPEATED: u8 = 192;
/// From this value on, byte 3 says that the buffer has another length, and this value says that it has not.
const ROOMY: u8 = 192;
const EXACT: u8 = 224;
/// From this value on, a parameter is drawn.
const DRAWN: u8 = 128;

/// How the rest of an input is read: byte 2, modulo 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Plain = 0,
    Verbatim = 1,
    Damaged = 2,
    DamagedTwice = 3,
}

/// Takes bytes from the front of an input.
struct Head<'a>(&'a [u8]);

impl Head<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }
}

/// The case of any bytes, from at most `longest` plain ones.
pub(crate) fn case(operation: &Operation, data: &[u8], longest: usize) -> Case {
    let mut head = Head(data);
    let (input, output) = (place(head.byte()), place(head.byte()));
    let (how, room) = (head.byte(), head.byte());
    let length = length([head.byte(), head.byte()]);
    let value = |(name, swept): &(Text, Vec<Vec<u64>>)| {
        let [which, also] = [head.byte(), head.byte()];
        let value = match which {
            0..DRAWN => swept[usize::from(which) % swept.len()].clone(),
            DRAWN.. => crate::params::near(swept, &mut rng(mix(&[which.into(), also.into()]))),
        };
        (name.clone(), value)
    };
    let params: Params = operation.params.iter().map(value).collect();
    let repeated = how >= REPEATED;
    let how = match how % 4 {
        0 => How::Plain,
        // What takes any bytes has no text to be damaged.
        _ if operation.from_bytes.is_none() => How::Plain,
        1 => How::Verbatim,
        2 => How::Damaged,
        _ => How::DamagedTwice,
    };
    let damages = match how {
        How::Plain | How::Verbatim => 0,
        How::Damaged => 1,
        How::DamagedTwice => 2,
    };
    let damages: Vec<(u8, u16)> = (0..damages).map(|_| (head.byte(), head.word())).collect();
    let rest = head.0;
    let most = operation.most().min(longest);
    let repeat = || {
        let length = length.min(most);
        let mut bytes = rest.repeat(length.div_ceil(rest.len()));
        bytes.truncate(length);
        bytes
    };
    let bytes: Cow<'_, [u8]> = match repeated && !rest.is_empty() {
        true => repeat().into(),
        false => rest.into(),
    };
    let mut parts = operation.parts_from(&bytes[..bytes.len().min(most)], &params);
    if how == How::Verbatim {
        parts[0] = bytes.into_owned();
    }
    for (kind, at) in damages {
        damage(&mut parts[0], kind, at.into());
    }
    let room = match (room, &operation.short) {
        (ROOMY.., Some(_)) => i32::from(room) - i32::from(EXACT),
        _ => 0,
    };
    Case {
        operation: operation.name.to_string(),
        source: Source::Verbatim(parts),
        params,
        input,
        output,
        warm: 0,
        room,
    }
}

/// Draws some fields of the head anew, in half of the calls; says how long the input is then. Its bytes mean something where they
/// stand, which an engine that moves, inserts and copies bytes seldom meets in several at once.
pub(crate) fn redraw(operation: &Operation, data: &mut [u8], size: usize, seed: u32) -> usize {
    let head = HEAD + 2 * operation.params.len();
    let draw = mix(&[seed.into()]);
    if draw.is_multiple_of(2) || data.len() < head {
        return size;
    }
    let size = size.max(head);
    // One bit for each field: the places, how, the room, the length, the parameters.
    let which = draw >> 8;
    let drawn = mix(&[draw, 1]).to_be_bytes();
    for (field, at) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (4, 5)] {
        if which >> field & 1 == 1 {
            data[at] = drawn[at];
        }
    }
    if which >> 5 & 1 == 1 {
        let bytes = data[HEAD..head].iter_mut().zip(1..);
        bytes.for_each(|(byte, nth)| *byte = mix(&[draw, 1 + nth]) as u8);
    }
    // Half of the places at an offset, as in the random cases of a verification.
    for (at, bit) in [(0, 6), (1, 7)] {
        if which >> at & 1 == 1 && which >> bit & 1 == 1 {
            data[at] %= 64;
        }
    }
    size
}

/// A length up to which bytes are repeated. Any at all, but as often one at which blocks, pages and counters end: of 8,192 lengths, an
/// engine would meet the one that matters, at the one alignment that matters, once in minutes.
fn length([first, second]: [u8; 2]) -> usize {
    if first < POWER {
        return usize::from(u16::from_be_bytes([first, second]));
    }
    let power = 1_usize << (first % (MOST_POWER + 1));
    (power + usize::from(second % (2 * AROUND + 1))).saturating_sub(AROUND.into())
}

fn place(byte: u8) -> Place {
    match byte {
        0..64 => Place::At(byte),
        64..160 => Place::Start,
        160.. => Place::End,
    }
}

/// Damages a text at a place (modulo its length): seven kinds of change, else the byte itself is written there.
fn damage(text: &mut Vec<u8>, kind: u8, at: usize) {
    if text.is_empty() {
        return text.push(kind);
    }
    let at = at % text.len();
    match kind {
        0..8 => text[at] ^= 1 << kind,
        8 => text.truncate(at),
        9 => drop(text.remove(at)),
        10 => text.insert(at, text[at]),
        11 => text.swap(at, 0),
        12 => {
            let next = (at + 1) % text.len();
            text.swap(at, next);
        }
        13 => text.extend_from_within(at..),
        14 => text[at] = text[text.len() - 1 - at],
        _ => text[at] = kind,
    }
}

/// The bytes of a case whose rest is read so.
#[cfg(feature = "cli")]
fn bytes(operation: &Operation, places: [u8; 2], how: How, values: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut data = vec![places[0], places[1], how as u8, 0, 0, 0];
    for number in 0..operation.params.len() {
        data.extend([values.get(number).copied().unwrap_or(0), 0]);
    }
    data.extend_from_slice(rest);
    data
}

/// The bytes of an input that is given, if its parameters are swept ones; else there are none.
#[cfg(feature = "cli")]
fn verbatim(operation: &Operation, params: &Params, input: &[u8]) -> Option<Vec<u8>> {
    let number = |(name, swept): &(Text, Vec<Vec<u64>>)| {
        let value = params.get(name)?;
        let number = swept.iter().position(|swept| swept == value)?;
        u8::try_from(number).ok().filter(|number| *number < DRAWN)
    };
    let values: Vec<u8> = operation.params.iter().map(number).collect::<Option<_>>()?;
    let how = match operation.from_bytes {
        Some(_) => How::Verbatim,
        None => How::Plain,
    };
    Some(bytes(operation, [u8::MAX; 2], how, &values, input))
}

/// Inputs to begin with: rows of real data at every kind of place and with every swept value, short and long ones, damaged ones,
/// and the inputs that are given. A fuzzer's minimiser keeps those that add something.
#[cfg(feature = "cli")]
pub(crate) fn seeds(operation: &Operation, given: &[(&Params, &[u8])]) -> Vec<Vec<u8>> {
    use crate::case::{Shape, generate};
    const LENGTHS: [usize; 13] = [0, 1, 2, 3, 7, 16, 31, 33, 63, 65, 130, 384, 1030];
    const ROWS: usize = 8;
    const PLACES: [[u8; 2]; 4] = [[u8::MAX; 2], [64, 64], [0, 13], [13, 0]];
    let most = operation.most();
    let drawn = LENGTHS.map(|len| generate(len as u64, len.min(most), Shape::Random));
    let rows = operation.rows.iter().flat_map(|rows| {
        let count = rows.data.len() / rows.row;
        let some = (0..count).step_by(count.div_ceil(ROWS));
        some.map(|row| rows.data[row * rows.row..][..rows.row].to_vec())
    });
    let plain: Vec<Vec<u8>> = drawn.into_iter().chain(rows).collect();
    let most_values = operation.params.iter().map(|(_, swept)| swept.len()).max();
    let mut seeds = Vec::new();
    for (number, plain) in plain.iter().enumerate() {
        for value in 0..most_values.unwrap_or(1).min(DRAWN.into()) {
            let places = PLACES[(number + value) % PLACES.len()];
            // Of two parameters, not always the values of one number together.
            let values: Vec<u8> = (0..operation.params.len())
                .map(|param| ((value + param * number) % usize::from(DRAWN)) as u8)
                .collect();
            let seed = bytes(operation, places, How::Plain, &values, plain);
            if operation.short.is_some() {
                // One byte too few, and some too many.
                seeds.extend([EXACT - 1, EXACT + 9].map(|room| {
                    let mut seed = seed.clone();
                    seed[3] = room;
                    seed
                }));
            }
            seeds.push(seed);
            if operation.from_bytes.is_some() {
                let text = [[128 | number as u8, 0, 5].as_slice(), plain].concat();
                seeds.push(bytes(operation, places, How::Damaged, &values, &text));
            }
        }
    }
    // A short rest, at lengths beyond what a fuzzer takes to in time.
    for length in [768_u16, 1536, 4096] {
        let length = length.to_be_bytes();
        let mut seed = vec![255, 255, REPEATED, 0, length[0], length[1]];
        seed.resize(HEAD + 2 * operation.params.len(), 0);
        seed.extend((0..64).map(|byte: u8| byte.wrapping_mul(37)));
        seeds.push(seed);
    }
    let given = given.iter();
    seeds.extend(given.filter_map(|(params, input)| verbatim(operation, params, input)));
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Shape, generate};
    use crate::operation::{CodePath, Failure};

    fn operation() -> Operation {
        Operation::new("op", |i| Ok(i.bytes().len()))
            .from_bytes(|b, _| b.repeat(2))
            .param("k", &[&[3], &[9]])
            .param("levels", &[&[1, 2], &[7]])
            .refuses_short(|_, _| Failure::kind("short"))
            .path(CodePath::returns("scalar", |i| Ok(i.bytes().len())))
    }

    /// The head, without the rest: two places, how, the room, a length, two parameters.
    fn head(how: u8, room: u8) -> Vec<u8> {
        vec![0, 255, how, room, 0x10, 0x01, 1, 0, 0, 0]
    }

    fn first(data: &[u8]) -> Vec<u8> {
        let operation = operation();
        let case = case(&operation, data, usize::MAX);
        operation.resolve(&case).unwrap().remove(0)
    }

    #[test]
    fn any_bytes_make_a_case_that_the_operation_takes() {
        let op = operation();
        for len in 0..2000 {
            let data = generate(len, len as usize % 70, Shape::Random);
            let made = case(&op, &data, usize::MAX);
            assert!((3..=9).contains(&made.params["k"][0]));
            assert!(!made.params["levels"].is_empty());
            assert!((-32..32).contains(&made.room));
            assert!(op.resolve(&made).is_ok());
            crate::fuzz::fuzz(&op, &data);
        }
    }

    #[test]
    fn the_head_says_where_and_with_which_values() {
        let made = case(&operation(), &head(0, 0), usize::MAX);
        assert_eq!((made.input, made.output), (Place::At(0), Place::End));
        assert_eq!(made.params["k"], [9]);
        assert_eq!(made.params["levels"], [1, 2]);
        for (room, due) in [(0, 0), (191, 0), (192, -32), (223, -1), (224, 0), (255, 31)] {
            assert_eq!(case(&operation(), &head(0, room), usize::MAX).room, due);
        }
    }

    #[test]
    fn fields_of_the_head_are_drawn_together_and_the_rest_is_left() {
        let op = operation();
        let mut before: Vec<u8> = [head(0, 0), b"the rest".to_vec()].concat();
        before[4] = 0;
        let (mut same, mut wanted) = (0, 0);
        for seed in 0..1_000_000 {
            let mut data = before.clone();
            assert_eq!(redraw(&op, &mut data, before.len(), seed), before.len());
            assert!(data.ends_with(b"the rest"));
            same += u32::from(data == before);
            // One offset of 64, and lengths about a page.
            wanted += u32::from(data[0] == 13 && length([data[4], data[5]]).abs_diff(4096) <= 4);
        }
        assert!((450_000..600_000).contains(&same), "{same}");
        assert!((10..150).contains(&wanted), "{wanted}");
        // What is too short gets a head, where there is room.
        assert_eq!(redraw(&op, &mut [0; 10], 3, 1), 10);
        assert!((0..9).all(|seed| redraw(&op, &mut [0; 9], 3, seed) == 3));
    }

    #[test]
    fn lengths_are_any_and_often_those_around_a_power_of_two() {
        assert_eq!(length([0x10, 0x01]), 4097);
        assert_eq!(length([0, 0]), 0);
        assert_eq!(length([127, 255]), 32767);
        // 138 is 2 modulo 17, and 146 is 10.
        let around_4: Vec<usize> = (0..9).map(|b| length([138, b])).collect();
        assert_eq!(around_4, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!([0, 4, 8].map(|b| length([146, b])), [1020, 1024, 1028]);
        assert_eq!(length([152, 8]), 65_540);
    }

    #[test]
    fn the_rest_is_plain_or_the_input_or_damaged_or_repeated() {
        let with = |how, rest: &[u8]| first(&[&head(how, 0), rest].concat());
        assert_eq!(with(0, b"abc"), b"abcabc");
        assert_eq!(with(1, b"abc"), b"abc");
        // One damage: 'X' written at byte 4.
        assert_eq!(with(2, b"\x58\0\x04abc"), b"abcaXc");
        assert_eq!(with(3, b"\x58\0\x04\x08\0\x05abc"), b"abcaX");
        let repeated = with(192, b"abc");
        assert_eq!(repeated.len(), 2 * 0x1001);
        assert!(repeated.starts_with(b"abcabcabc"));
        let verbatim = with(193, b"abc");
        assert_eq!(verbatim.len(), 0x1001);
        assert!(verbatim.starts_with(b"abcabcabc"));
        assert!(with(194, b"\x58\x10\0abc")[0x1000] == b'X');
        // Nothing is repeated to no length but nothing.
        assert_eq!(with(192, b""), b"");
        let (op, data) = (operation(), [&head(192, 0), &b"abc"[..]].concat());
        let short = case(&op, &data, 4);
        assert_eq!(op.resolve(&short), Ok(vec![b"abcaabca".to_vec()]));
    }

    #[test]
    fn every_kind_of_damage_is_somewhere_else_than_the_end_of_the_process() {
        for kind in 0..=255 {
            for len in 0..5 {
                for at in [0, 1, len, usize::from(u16::MAX)] {
                    let mut text = vec![b'a'; len];
                    damage(&mut text, kind, at);
                    assert!(text.len() <= 2 * len + 1);
                }
            }
        }
    }

    #[test]
    #[cfg(feature = "cli")]
    fn seeds_hold_what_is_given_and_every_swept_value() {
        let op = operation();
        let params = Params::from([("k".into(), vec![9]), ("levels".into(), vec![7])]);
        let strange = Params::from([("k".into(), vec![4]), ("levels".into(), vec![7])]);
        let seeds = seeds(&op, &[(&params, b"given"), (&strange, b"not swept")]);
        let cases: Vec<Case> = seeds
            .iter()
            .map(|seed| case(&op, seed, usize::MAX))
            .collect();
        let has = |of: &dyn Fn(&Case) -> bool| cases.iter().any(of);
        assert!(has(&|case| case.params == params
            && case.source == Source::Verbatim(vec![b"given".to_vec()])));
        assert!(!has(&|case| case.params == strange));
        for k in [3, 9] {
            for levels in [&[1, 2][..], &[7]] {
                assert!(has(
                    &|case| case.params["k"] == [k] && case.params["levels"] == levels
                ));
            }
        }
        for place in [Place::Start, Place::End, Place::At(0), Place::At(13)] {
            assert!(has(&|case| case.input == place));
        }
        assert!(has(&|case| op.resolve(case).unwrap()[0].len() == 2 * 4096));
        assert!(has(&|case| case.room == -1) && has(&|case| case.room > 0));
    }
}
