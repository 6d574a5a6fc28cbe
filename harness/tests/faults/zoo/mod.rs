//! The zoo: operations with healthy paths and, beside them, paths that are wrong on purpose.
//!
//! A fault is an ordinary wrong function, and the path's ISA is its name: `answers/wrong-tail/fills`. The operations are families
//! of faults that do not disturb each other; each has healthy siblings, `scalar`, that must be verified in the same run.

mod answers;
mod codec;
mod counted;
mod deaths;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod impostors;
mod memory;
#[cfg(target_os = "linux")]
pub(crate) mod moods;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod mutants;
mod refusals;
mod room;
pub(crate) mod shares;
mod threads;

use std::time::Duration;

use codec::{BLOCK, PAIRS, Pairs, decode, decode_in_place, encode, encode_with, reference};
use pathproof::{CallPath, CodePath, Failure, Input, Operation, Outcome, Peer, Reason};

/// The real data of `rows`: 8 rows of 16 bytes.
pub(crate) const ROWS: [&[u8; BLOCK]; 8] = [
    b"barn owl, asleep",
    b"otter, half wet ",
    b"lynx, one ear up",
    b"toad, warts: 14 ",
    b"heron, on a leg ",
    b"wolf, no longer ",
    b"bat, upside down",
    b"mole, digging on",
];
static FLAT_ROWS: [u8; 8 * BLOCK] = {
    let mut flat = [0; 8 * BLOCK];
    let mut at = 0;
    while at < flat.len() {
        flat[at] = ROWS[at / BLOCK][at % BLOCK];
        at += 1;
    }
    flat
};
/// A row that only a user's file has.
pub(crate) const YOUR_ROW: &[u8; BLOCK] = b"stray cat, yours";
/// What `wrong-pair` cannot encode.
pub(crate) const PAIR: [u8; 2] = [0xc3, 0x28];

/// All of it.
pub(crate) fn zoo() -> Vec<Operation> {
    let zoo = vec![
        healthy(),
        answers(),
        long(),
        counted(),
        miscounted(),
        pairs(),
        memory(),
        deaths(),
        stuck(),
        state(),
        decode_family(),
        room_family(),
        threads(),
        bounded(),
        chunked(),
        rows(),
        rotate(),
        find(),
        law(
            "broken_law",
            &PAIRS_OF_LAW_BREAKERS,
            &reference_of_law_breakers,
        ),
        law("kept_law", &PAIRS, &reference::encode),
        strict(),
        peers(),
        chatty(),
        slow(),
        reference_that("reference_panics", || panic!("the reference has a hole")),
        reference_that("reference_aborts", || std::process::abort()),
        Operation::new("no_capacity", |i| Ok(reference::encode(i.bytes()))).path(scalar_fills()),
    ];
    // They are told by what they execute, which is known on this system alone.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    let zoo = zoo.into_iter().chain(impostors::operations()).collect();
    zoo
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![0; 2 * bytes.len()];
    encode(bytes, &mut text);
    text
}

fn scalar_fills() -> CodePath {
    CodePath::fills("scalar", |i, out| Ok(encode(i.bytes(), out)))
}

/// An encoder with its healthy siblings.
fn encoder(name: &'static str) -> Operation {
    Operation::new(name, |i| Ok(reference::encode(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .path(scalar_fills())
        .path(CodePath::returns("scalar", |i| Ok(encoded(i.bytes()))))
}

/// Nothing is wrong here, and two paths are not there.
fn healthy() -> Operation {
    let absent =
        |isa| CodePath::absent(isa, "fills", Reason::NotBuilt("the zoo keeps none".into()));
    encoder("healthy").paths([absent("avx512"), absent("neon")])
}

fn answers() -> Operation {
    encoder("answers").paths([
        CodePath::fills("wrong-tail", answers::wrong_tail),
        CodePath::fills("wrong-table", answers::wrong_table),
        CodePath::fills("wrong-lane", answers::wrong_lane),
        CodePath::fills("too-short", answers::too_short),
        CodePath::fills("too-long", answers::too_long),
        CodePath::fills("ors-into-output", answers::ors_into_output),
        CodePath::fills("skips-a-byte", answers::skips_a_byte),
        CodePath::returns("trims", answers::trims),
        CodePath::fills("saturates", answers::saturates),
    ])
}

fn long() -> Operation {
    encoder("long").paths([
        CodePath::fills("wrong-when-long", answers::wrong_when_long),
        CodePath::fills("wrong-when-longer", answers::wrong_when_longer),
    ])
}

/// Right answers of eight bytes; what they cost is looked at.
fn counted() -> Operation {
    let peer = CodePath::fills("peer", folding(counted::folded::<0, 0>));
    let peer = Peer::new(
        peer,
        |i| i.bytes().to_vec(),
        |i| Ok(counted::reference(i.bytes()).to_vec()),
    );
    fold("counted")
        .paths([
            CodePath::fills("plain", folding(counted::folded::<0, 0>)),
            CodePath::fills("hesitates", folding(counted::folded::<1, 0>)),
            CodePath::fills("dawdles", folding(counted::folded::<0, 4>)),
            CodePath::fills("depends-on-data", folding(counted::folded_by_data)),
            CodePath::fills("builds-once", folding(counted::folded_by_table)),
            CodePath::absent(
                "avx512",
                "fills",
                Reason::NotBuilt("the zoo keeps none".into()),
            ),
        ])
        .peer(peer)
}

/// The same, and wrong.
fn miscounted() -> Operation {
    fold("miscounted").paths([
        CodePath::fills(
            "aborts",
            folding(|bytes| match bytes.len() {
                41 => std::process::abort(),
                _ => counted::folded::<0, 0>(bytes),
            }),
        ),
        CodePath::fills(
            "wrong-at-11",
            folding(|bytes| match bytes.len() {
                11 => [0; 8],
                _ => counted::folded::<0, 0>(bytes),
            }),
        ),
    ])
}

fn fold(name: &'static str) -> Operation {
    Operation::new(name, |i| Ok(counted::reference(i.bytes()).to_vec()))
        .capacity(|_| 8)
        .path(CodePath::fills("scalar", folding(counted::folded::<0, 0>)))
        .path(CodePath::returns("scalar", |i| {
            Ok(counted::folded::<0, 0>(i.bytes()).to_vec())
        }))
}

fn folding(
    fold: impl Fn(&[u8]) -> [u8; 8] + 'static,
) -> impl Fn(&Input<'_>, &mut [u8]) -> Outcome<usize> + 'static {
    move |i, out| {
        out[..8].copy_from_slice(&fold(i.bytes()));
        Ok(8)
    }
}

fn pairs() -> Operation {
    encoder("pairs").path(CodePath::fills("wrong-pair", answers::wrong_pair))
}

fn memory() -> Operation {
    encoder("memory").paths([
        CodePath::fills("reads-before", memory::reads_before),
        CodePath::fills("reads-after", memory::reads_after),
        CodePath::fills("writes-before", memory::writes_before),
        CodePath::fills("writes-after", memory::writes_after),
        CodePath::fills("writes-after-in-page", memory::writes_after_in_page),
        CodePath::fills("writes-input", memory::writes_input),
        CodePath::fills("depends-on-alignment", memory::depends_on_alignment),
        CodePath::fills("depends-on-neighbour", memory::depends_on_neighbour),
        CodePath::fills("depends-on-a-digit", memory::depends_on_a_digit),
    ])
}

fn deaths() -> Operation {
    let family = encoder("deaths").paths([
        CodePath::fills("panics", deaths::panics),
        CodePath::fills("aborts", deaths::aborts),
        CodePath::fills("exits", deaths::exits),
        CodePath::fills("overflows", deaths::overflows),
    ]);
    #[cfg(target_arch = "x86_64")]
    let family = family.path(CodePath::fills("illegal", deaths::illegal));
    family
}

fn stuck() -> Operation {
    encoder("stuck").path(CodePath::fills("loops", deaths::loops))
}

fn state() -> Operation {
    encoder("state").paths([
        CodePath::fills("counts-to-7", answers::counts_to_7),
        CodePath::fills("counts-to-1009", answers::counts_to_1009),
        CodePath::fills("remembers", answers::remembers),
    ])
}

fn decode_family() -> Operation {
    Operation::new("refusals", |i| reference::decode(i.bytes()))
        .from_bytes(|bytes, _| reference::encode(bytes))
        .capacity(|i| i.bytes().len() / 2)
        .paths([
            CodePath::fills("scalar", |i, out| decode(i.bytes(), out)),
            CodePath::in_place("scalar", |_, buffer| decode_in_place(buffer)),
            CodePath::returns("scalar", |i| {
                let mut bytes = vec![0; i.bytes().len() / 2];
                decode(i.bytes(), &mut bytes).map(|_| bytes)
            }),
            CodePath::fills("wrong-position", refusals::wrong_position),
            CodePath::fills("wrong-kind", refusals::wrong_kind),
            CodePath::fills("wrong-detail", refusals::wrong_detail),
            CodePath::fills("accepts-high", refusals::accepts_high),
            CodePath::fills("accepts-colon", refusals::accepts_colon),
            CodePath::fills("refuses-valid", refusals::refuses_valid),
            CodePath::fills("overlooks", refusals::overlooks),
            CodePath::in_place("backwards", refusals::backwards),
        ])
}

fn room_family() -> Operation {
    Operation::new("room", |i| Ok(reference::encode(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .refuses_short(room::too_short)
        .paths([
            CodePath::fills("scalar", room::encode_where_it_fits),
            CodePath::returns("scalar", |i| Ok(encoded(i.bytes()))),
            CodePath::fills("says-another-size", room::says_another_size),
            CodePath::fills("panics-when-short", room::panics_when_short),
            CodePath::fills("cuts", room::cuts),
            CodePath::fills("starts-before-it-looks", room::starts_before_it_looks),
            CodePath::fills("ends-with-a-zero", room::ends_with_a_zero),
        ])
}

/// Work that is done by a pool, which lives as long as the process.
fn threads() -> Operation {
    encoder("threads").paths(
        [
            CodePath::fills("scalar", threads::halves).via("parallel"),
            CodePath::fills("wrong-half", threads::wrong_half),
            CodePath::fills("reads-after", threads::reads_after),
            CodePath::fills("both-read-after", threads::both_read_after),
            CodePath::fills("panics-in-pool", threads::panics),
        ]
        .map(CodePath::on_threads),
    )
}

/// The longest input of `bounded`.
const LONGEST: usize = 300;

/// An operation whose reference does not bear more than its longest input.
fn bounded() -> Operation {
    Operation::new("bounded", |i| {
        assert!(i.bytes().len() <= LONGEST, "more than the longest");
        Ok(reference::encode(i.bytes()))
    })
    .capacity(|i| 2 * i.bytes().len())
    .param("k", &[&[1], &[9]])
    .usual(&[("k", &[4])])
    .longest(LONGEST)
    .load("ten, once", 10, &[])
    .load("the longest, with 9", LONGEST, &[("k", &[9])])
    .law("decode(encode(x)) = x", comes_back)
    .path(scalar_fills())
    .path(CodePath::fills("wrong-at-the-end", |i, out| {
        let len = encode(i.bytes(), out);
        if i.bytes().len() == LONGEST && i.get("k") > 4 {
            out[0] ^= 1;
        }
        Ok(len)
    }))
}

/// Work in chunks of the lengths `cuts`, in turn; one path overlooks what no sweep has.
fn chunked() -> Operation {
    let in_chunks = |i: &Input<'_>, wrong: bool| {
        let cuts = i.list("cuts");
        let mut text = encoded(i.bytes());
        let descend = cuts.windows(2).any(|pair| pair[0] > pair[1]);
        if wrong && descend && text.len() > 2 {
            text[2] ^= 1;
        }
        Ok(text)
    };
    Operation::new("chunked", |i| Ok(reference::encode(i.bytes())))
        .param("cuts", &[&[3], &[1, 2, 16], &[]])
        .path(CodePath::returns("scalar", move |i| in_chunks(i, false)))
        .path(CodePath::returns("wrong-where-cuts-descend", move |i| {
            in_chunks(i, true)
        }))
}

fn rows() -> Operation {
    encoder("rows").rows("animals", &FLAT_ROWS, BLOCK).paths([
        CodePath::fills("wrong-for-a-row", answers::wrong_for_a_row),
        CodePath::fills("wrong-for-your-row", answers::wrong_for_your_row),
    ])
}

/// Every byte rotated left by `k` bits, plus 1 after each of the `levels` that it reaches.
fn rotate() -> Operation {
    let rotated = |i: &Input<'_>, k: u64| -> Vec<u8> {
        i.bytes().iter().map(|b| b.rotate_left(k as u32)).collect()
    };
    Operation::new("rotate", |i| {
        let k = i.get("k");
        Ok(i.bytes()
            .iter()
            .map(|&b| b << k | ((u16::from(b) >> (8 - k)) as u8))
            .collect::<Vec<u8>>())
    })
    .param("k", &[&[1], &[3], &[5], &[7]])
    .paths([
        CodePath::returns("scalar", move |i| Ok(rotated(i, i.get("k")))),
        CodePath::returns("wrong-for-5", move |i| {
            Ok(rotated(i, if i.get("k") == 5 { 4 } else { i.get("k") }))
        }),
    ])
}

/// Where the needle, some four bytes from the middle, first stands in the haystack.
fn find() -> Operation {
    Operation::new("find", |i| {
        Ok((0..=i.bytes().len()).find(|&at| i.bytes()[at..].starts_with(i.part(1))))
    })
    .part(|plain, _| plain[plain.len() / 2..].iter().take(4).copied().collect())
    .paths([
        CodePath::returns("scalar", |i| {
            Ok(found(i, |window, needle| window == needle))
        }),
        // The candidates of a search by first and last byte, never looked at again.
        CodePath::returns("trusts-two-bytes", |i| {
            let ends = |bytes: &[u8]| (bytes.first().copied(), bytes.last().copied());
            Ok(found(i, |window, needle| ends(window) == ends(needle)))
        }),
        CodePath::returns("reads-after-needle", memory::reads_after_needle),
    ])
}

fn found(i: &Input<'_>, is: impl Fn(&[u8], &[u8]) -> bool) -> Option<usize> {
    match i.part(1) {
        [] => Some(0),
        needle => i
            .bytes()
            .windows(needle.len())
            .position(|window| is(window, needle)),
    }
}

/// 12 and 13 have the same digit.
static PAIRS_OF_LAW_BREAKERS: Pairs = codec::pairs(b"0123456789abccef");

/// Gives 12 and 13 the same digit; the paths of `broken_law` do too, so that all of them agree with their reference.
fn reference_of_law_breakers(bytes: &[u8]) -> Vec<u8> {
    reference::encode(bytes)
        .into_iter()
        .map(|digit| if digit == b'd' { b'c' } else { digit })
        .collect()
}

/// An operation whose paths give what its reference gives, right or wrong, and the law that tells which.
fn law(
    name: &'static str,
    pairs: &'static Pairs,
    reference: &'static dyn Fn(&[u8]) -> Vec<u8>,
) -> Operation {
    Operation::new(name, |i| Ok(reference(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .path(CodePath::fills("scalar", move |i, out| {
            Ok(encode_with(pairs, i.bytes(), out))
        }))
        .path(CodePath::returns("scalar", move |i| {
            let mut text = vec![0; 2 * i.bytes().len()];
            encode_with(pairs, i.bytes(), &mut text);
            Ok(text)
        }))
        .law("decode(encode(x)) = x", comes_back)
}

/// Healthy paths that refuse some inputs, and a law that speaks of the others alone.
fn strict() -> Operation {
    Operation::new("strict", |i| reference::decode(i.bytes()))
        .from_bytes(|bytes, _| reference::encode(bytes))
        .capacity(|i| i.bytes().len() / 2)
        .path(CodePath::fills("scalar", |i, out| decode(i.bytes(), out)))
        .law("encode(decode(t)) = t", |i, call| {
            let bytes = call(i).map_err(|refusal| format!("decode refuses: {refusal}"))?;
            let holds = reference::encode(&bytes) == i.bytes();
            holds
                .then_some(())
                .ok_or_else(|| "another text came back".into())
        })
}

fn comes_back(i: &Input<'_>, call: &CallPath<'_>) -> Result<(), String> {
    let text = call(i).map_err(|refusal| format!("encode refuses: {refusal}"))?;
    let back = reference::decode(&text)
        .map_err(|refusal| format!("decode refuses its text: {refusal}"))?;
    match back.iter().zip(i.bytes()).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(at) => Err(format!(
            "byte {at} comes back as {:#04x}, and was {:#04x}",
            back[at],
            i.bytes()[at]
        )),
    }
}

/// Peers have an input and a reference of their own: here the bytes inverted, and the text of those.
fn peers() -> Operation {
    let peer = |path| {
        let inverted = |i: &Input<'_>| i.bytes().iter().map(|b| !b).collect();
        Peer::new(path, inverted, |i| Ok(reference::encode(i.bytes())))
    };
    encoder("peers")
        .peer(peer(CodePath::fills("good-peer", |i, out| {
            Ok(encode(i.bytes(), out))
        })))
        .peer(peer(CodePath::fills("wrong-peer", answers::wrong_tail)))
}

fn chatty() -> Operation {
    encoder("chatty").path(CodePath::fills("chatters", answers::chatters))
}

/// So slow that a run of it can be killed in the middle.
fn slow() -> Operation {
    encoder("slow").path(CodePath::fills("sleeps", |i, out| {
        std::thread::sleep(Duration::from_millis(1));
        Ok(encode(i.bytes(), out))
    }))
}

/// Nothing can be said of a path whose reference fails, here at one length.
fn reference_that(name: &'static str, fails: impl Fn() + 'static) -> Operation {
    Operation::new(name, move |i| -> Outcome<Vec<u8>> {
        match i.bytes().len() {
            21 => {
                fails();
                Err(Failure::opaque())
            }
            _ => Ok(reference::encode(i.bytes())),
        }
    })
    .capacity(|i| 2 * i.bytes().len())
    .path(scalar_fills())
}
