//! Faults that few inputs meet: a pair of bytes at one position, one length at one alignment, two errors in one block. `ci/fuzz --planted` shows that
//! a fuzz target does, and how soon; METHODOLOGY.md has the table.

use std::hint::black_box;

use pathproof::{CodePath, Failure, Input, Operation, Outcome};

pub(crate) fn operations() -> [Operation; 3] {
    [pattern(), alignment(), two_errors()]
}

fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(7, |sum: u64, byte| sum.rotate_left(5) ^ u64::from(*byte))
}

/// An operation that has a healthy path, and one that is wrong where `wrong` holds.
fn wrong_where(name: &'static str, wrong: fn(&[u8]) -> bool) -> Operation {
    let answer = |i: &Input<'_>| Ok(sum(i.bytes()));
    Operation::new(name, answer)
        .path(CodePath::returns("scalar", answer))
        .path(CodePath::returns("wrong", move |i| {
            Ok(sum(i.bytes()) ^ u64::from(wrong(i.bytes())))
        }))
}

/// Wrong for one pair of bytes at one position of a long input: one in 65,536 of the inputs that are long enough.
fn pattern() -> Operation {
    const AT: usize = 1201;
    wrong_where("planted_pattern", |bytes| {
        bytes.get(AT) == Some(&0x5c) && bytes.get(AT + 1) == Some(&0xa7)
    })
}

/// Wrong for one length at one alignment: one in 500,000 of the inputs of up to 8,192 bytes.
fn alignment() -> Operation {
    wrong_where("planted_alignment", |bytes| {
        bytes.len() == 4097 && bytes.as_ptr() as usize % 64 == 13
    })
}

/// A decoder of 4-bit characters whose first error is reported one too far, if another follows in the same block of 16.
fn two_errors() -> Operation {
    fn bad(text: &[u8]) -> Option<usize> {
        text.iter().position(|byte| !(b'a'..b'q').contains(byte))
    }
    fn checked(text: &[u8]) -> Outcome<u64> {
        match bad(text) {
            Some(at) => Err(Failure::at("bad", at)),
            None => Ok(sum(text)),
        }
    }
    Operation::new("planted_two_errors", |i| checked(i.bytes()))
        .from_bytes(|plain, _| plain.iter().map(|byte| b'a' + byte % 16).collect())
        .path(CodePath::returns("scalar", |i| checked(i.bytes())))
        .path(CodePath::returns("wrong", |i| {
            let text = i.bytes();
            let Some(at) = bad(text) else {
                return checked(text);
            };
            let block = &text[at / 16 * 16..];
            let block = &block[..block.len().min(16)];
            let next = bad(black_box(&block[at % 16 + 1..]));
            Err(Failure::at("bad", at + usize::from(next.is_some())))
        }))
}
