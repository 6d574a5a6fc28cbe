//! Wrong answers: encoders that give other bytes than they should, each in a way in which kernels go wrong.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use pathproof::{Input, Outcome};

use super::codec::{BLOCK, Pairs, encode, encode_with, pairs};

/// Lengths with 9, 10 or 11 bytes in the tail: their last byte's digits are the wrong way round.
pub(super) fn wrong_tail(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if (9..=11).contains(&(i.bytes().len() % BLOCK)) {
        out[len - 2..len].reverse();
    }
    Ok(len)
}

/// One wrong entry of a table.
pub(super) fn wrong_table(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    static WRONG: Pairs = pairs(b"0123456789abcDef");
    Ok(encode_with(&WRONG, i.bytes(), out))
}

/// One byte value in one lane of a block.
pub(super) fn wrong_lane(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    for (at, _) in i
        .bytes()
        .iter()
        .enumerate()
        .filter(|(at, byte)| at % BLOCK == 11 && **byte == 0xa7)
    {
        out[2 * at] = b'8';
    }
    Ok(len)
}

/// The right bytes, and one fewer of them than there are.
pub(super) fn too_short(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    Ok(if len > 0 && len.is_multiple_of(2 * BLOCK) {
        len - 1
    } else {
        len
    })
}

/// The right bytes, and the claim of one more than the buffer has.
pub(super) fn too_long(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    Ok(encode(i.bytes(), out) + usize::from(i.bytes().len() == 37))
}

/// Combines its digits with what lay in the output before.
pub(super) fn ors_into_output(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let stale = out.to_vec();
    let len = encode(i.bytes(), out);
    out.iter_mut()
        .zip(&stale)
        .take(len)
        .for_each(|(new, old)| *new |= old);
    Ok(len)
}

/// Leaves the last byte of the output as it was where the tail is a single byte.
pub(super) fn skips_a_byte(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let stale = out.last().copied();
    let len = encode(i.bytes(), out);
    if let (1, Some(stale)) = (i.bytes().len() % BLOCK, stale) {
        out[len - 1] = stale;
    }
    Ok(len)
}

/// Takes zeros at the end of the text for padding.
pub(super) fn trims(i: &Input<'_>) -> Outcome<Vec<u8>> {
    let mut text = super::encoded(i.bytes());
    while text.last() == Some(&b'0') {
        text.pop();
    }
    Ok(text)
}

/// A counter that overflows: more than 64 bytes, all of them 0xff.
pub(super) fn saturates(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if i.bytes().len() > 64 && i.bytes().iter().all(|&byte| byte == 0xff) {
        out[0] = b'e';
    }
    Ok(len)
}

/// Two bytes that are wrong only beside each other, from an even position on, in a block of any longer input.
pub(super) fn wrong_pair(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    let (pairs, _) = i.bytes().as_chunks::<2>();
    if i.bytes().len() == 97 && pairs.contains(&super::PAIR) {
        out[0] ^= 1;
    }
    Ok(len)
}

/// Inputs of more than 4200 bytes lose their last digit, but for the one long length that is in every run.
pub(super) fn wrong_when_long(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if len > 2 * 4200 && len != 2 * 65_537 {
        out[len - 1] = b'.';
    }
    Ok(len)
}

/// Inputs of more than 17,000 bytes: longer than a token can hold.
pub(super) fn wrong_when_longer(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if len > 2 * 17_000 {
        out[2 * 17_000] = b'.';
    }
    Ok(len)
}

/// Every seventh call is wrong.
pub(super) fn counts_to_7(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    wrong_every(7, &CALLS, i, out)
}

/// Every 1009th call is wrong: more calls than a token can ask for.
pub(super) fn counts_to_1009(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    wrong_every(1009, &CALLS, i, out)
}

fn wrong_every(period: u64, calls: &AtomicU64, i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if (calls.fetch_add(1, Relaxed) + 1).is_multiple_of(period) && len > 0 {
        out[len - 1] ^= 1;
    }
    Ok(len)
}

/// Carries the top bit of the last byte of a call into the next one.
pub(super) fn remembers(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let len = encode(i.bytes(), out);
    if let Some(&last) = i.bytes().last()
        && LAST.swap(last, Relaxed) >= 0x80
    {
        out[0] ^= 1;
    }
    Ok(len)
}

/// Wrong for a single row of the real data.
pub(super) fn wrong_for_a_row(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    wrong_for(super::ROWS[7], i, out)
}

/// Wrong for a row that only the user's own data has.
pub(super) fn wrong_for_your_row(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    wrong_for(super::YOUR_ROW, i, out)
}

fn wrong_for(row: &[u8], i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if i.bytes() == row {
        out[8] = b'?';
    }
    Ok(len)
}

/// Prints on every call, on both streams.
pub(super) fn chatters(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    println!("{{\"record\":\"encoding {} bytes\"", i.bytes().len());
    eprintln!("error: none");
    Ok(encode(i.bytes(), out))
}
