//! Kernels that are right, for their machine code to be changed: what is on trial is the verification.
//!
//! Every byte becomes two letters from `g` to `v`, the low half first.
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::*;
use std::hint::black_box;
use std::mem::transmute;
use std::time::Duration;

use pathproof::{CodePath, Input, Operation, Outcome, Reason};

/// Names the one operation that is wanted, so that no filter is needed: some things are told without a filter alone.
pub(crate) const ONLY: &str = "ZOO_ONLY";
/// Names a file with accepted survivors.
pub(crate) const SURVIVORS: &str = "ZOO_SURVIVORS";

pub(crate) fn operations() -> Vec<Operation> {
    let mut operations = all();
    if let Ok(name) = std::env::var(ONLY) {
        operations.retain(|operation| operation.name() == name);
    }
    operations
}

fn all() -> Vec<Operation> {
    let all = vec![
        codec("independent", reference),
        codec("shares_table", |bytes| {
            let mut text = vec![0; 2 * bytes.len()];
            tail(bytes, &mut text, black_box(&LETTERS));
            text
        }),
        // A verification that never sees a tail, but where receipts do, at 513.
        codec("whole_blocks", reference).from_bytes(|plain, _| {
            let whole = plain.len() / BLOCK * BLOCK;
            plain[..if plain.len() <= 512 {
                whole
            } else {
                plain.len()
            }]
                .to_vec()
        }),
        lookup("accepted", looked_up),
        lookup("hollow", hollow),
        lookup("stuck", stuck),
        lookup("shares_code_first", |bytes| either(bytes, black_box(true))),
        lookup("shares_code_second", |bytes| {
            either(bytes, black_box(false))
        }),
        lookup("wrong", |bytes| vec![0; bytes.len()]),
        absent("one_is_absent").path(CodePath::returns("scalar", |i| Ok(looked_up(i.bytes())))),
        absent("all_are_absent"),
    ];
    // Four blocks, and eight times that for the receipts: what is stepped, and what is tried of each mutant, is an eighth of the usual.
    let sweeps = |operation: Operation| operation.sweeps_to(4 * BLOCK);
    all.into_iter().map(sweeps).collect()
}

// --- a table, a vector kernel and a tail

const BLOCK: usize = 16;
/// A table in memory: who reads it through `black_box` reads it there, and has no copy of his own.
static LETTERS: [u8; BLOCK] = *b"ghijklmnopqrstuv";
/// Rows of four blocks.
static ROWS: [u8; 4096] = {
    let (mut rows, mut at, mut x) = ([0; 4096], 0, 1u32);
    while at < rows.len() {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        rows[at] = (x >> 24) as u8;
        at += 1;
    }
    rows
};

fn codec(name: &'static str, reference: fn(&[u8]) -> Vec<u8>) -> Operation {
    let ssse3 = CodePath::fills("ssse3", |i, out| {
        // SAFETY: the path is not called where the CPU lacks SSSE3.
        Ok(unsafe { encode(i.bytes(), out) })
    });
    Operation::new(name, move |i| Ok(reference(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .rows("rows", &ROWS, 4 * BLOCK)
        .path(ssse3.block(BLOCK).available_if(
            is_x86_feature_detected!("ssse3"),
            Reason::Cpu("ssse3".into()),
        ))
        .path(
            CodePath::fills("scalar", |i, out| {
                tail(i.bytes(), out, black_box(&LETTERS));
                Ok(2 * i.bytes().len())
            })
            .block(BLOCK),
        )
}

/// The format in plain code, without a table.
fn reference(bytes: &[u8]) -> Vec<u8> {
    let letters = |byte: &u8| [b'g' + byte % 16, b'g' + byte / 16];
    bytes.iter().flat_map(letters).collect()
}

#[target_feature(enable = "ssse3")]
fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    let table = black_box(&LETTERS);
    let (whole, rest) = bytes.as_chunks::<BLOCK>();
    blocks(whole, out.as_chunks_mut::<BLOCK>().0, table);
    tail(rest, &mut out[2 * BLOCK * whole.len()..], table);
    2 * bytes.len()
}

/// Encodes whole blocks, each to two.
#[target_feature(enable = "ssse3")]
#[inline(never)]
fn blocks(from: &[[u8; BLOCK]], to: &mut [[u8; BLOCK]], table: &[u8; BLOCK]) {
    // By value, as loads and stores by address check their addresses in a build with debug assertions: code that no answer depends
    // on.
    let vector = |bytes: [u8; BLOCK]| -> __m128i {
        // SAFETY: any 16 bytes are a vector.
        unsafe { transmute(bytes) }
    };
    let bytes = |vector: __m128i| -> [u8; BLOCK] {
        // SAFETY: a vector is any 16 bytes.
        unsafe { transmute(vector) }
    };
    let (table, half) = (vector(*table), _mm_set1_epi8(15));
    let mut at = 0;
    while at < from.len() {
        let block = vector(from[at]);
        let low = _mm_shuffle_epi8(table, _mm_and_si128(block, half));
        let high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(block, 4), half));
        to[2 * at] = bytes(_mm_unpacklo_epi8(low, high));
        to[2 * at + 1] = bytes(_mm_unpackhi_epi8(low, high));
        at += 1;
    }
}

/// Encodes byte by byte.
#[inline(never)]
fn tail(bytes: &[u8], out: &mut [u8], table: &[u8; BLOCK]) {
    let mut at = 0;
    while at < bytes.len() {
        out[2 * at] = table[usize::from(bytes[at] & 15)];
        out[2 * at + 1] = table[usize::from(bytes[at] >> 4)];
        at += 1;
    }
}

// --- a table of 256 bytes, most of whose mutants are noticed at once

static INVERSE: [u8; 256] = {
    let (mut inverse, mut at) = ([0; 256], 0);
    while at < 256 {
        inverse[at] = 255 - at as u8;
        at += 1;
    }
    inverse
};

/// An operation that inverts every bit, and may have accepted survivors.
fn lookup(name: &'static str, path: fn(&[u8]) -> Vec<u8>) -> Operation {
    let inverted =
        |i: &Input<'_>| -> Outcome<Vec<u8>> { Ok(i.bytes().iter().map(|b| !b).collect()) };
    let operation = Operation::new(name, inverted)
        .path(CodePath::returns("scalar", move |i| Ok(path(i.bytes()))));
    match std::env::var(SURVIVORS) {
        Ok(file) => {
            let accepted = std::fs::read_to_string(file).expect("the test has written it");
            // A client includes it as a literal.
            operation.survivors(accepted.leak())
        }
        Err(_) => operation,
    }
}

fn absent(name: &'static str) -> Operation {
    let why = Reason::NotBuilt("the zoo keeps none".into());
    Operation::new(name, |i| {
        Ok(i.bytes().iter().map(|b| !b).collect::<Vec<u8>>())
    })
    .path(CodePath::absent("avx1024", "returns", why))
}

#[inline(never)]
fn looked_up(bytes: &[u8]) -> Vec<u8> {
    let table = black_box(&INVERSE);
    idle();
    let mut inverted = bytes.to_vec();
    for byte in &mut inverted {
        *byte = table[usize::from(*byte)];
    }
    inverted
}

/// Two ways to the same answer, behind one jump.
#[inline(never)]
fn either(bytes: &[u8], with_table: bool) -> Vec<u8> {
    let mut inverted = bytes.to_vec();
    if with_table {
        let table = black_box(&INVERSE);
        for byte in &mut inverted {
            *byte = table[usize::from(*byte)];
        }
    } else {
        for byte in &mut inverted {
            *byte = !*byte;
        }
    }
    inverted
}

/// Sets a register that nobody looks at: two mutants that live.
#[inline(always)]
fn idle() {
    // SAFETY: changes a register that the compiler gave away.
    unsafe { asm!("mov {0:e}, 1", out(reg) _, options(nomem, nostack)) };
}

/// Without the table; what lives is more than a twentieth.
#[inline(never)]
fn hollow(bytes: &[u8]) -> Vec<u8> {
    idle();
    idle();
    idle();
    let mut inverted = bytes.to_vec();
    for byte in &mut inverted {
        *byte = !*byte;
    }
    inverted
}

/// With a loop that an instruction ends, and a wait that no input leads to.
fn stuck(bytes: &[u8]) -> Vec<u8> {
    waits_at(bytes.len());
    let left = counts_down(black_box(3));
    let inverted = bytes.iter().map(|b| !b);
    inverted.chain((left != 0).then_some(0)).collect()
}

/// Waits, unless its condition is inverted, at a length that no input has.
#[inline(never)]
fn waits_at(len: usize) {
    while len == black_box(usize::MAX) {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

#[inline(never)]
fn counts_down(mut turns: u64) -> u64 {
    // SAFETY: counts a register down.
    unsafe { asm!("2:", "dec {0}", "jnz 2b", inout(reg) turns, options(nomem, nostack)) };
    turns
}
