//! Wrong refusals: decoders that accept what they should not, refuse what they should accept, or say the wrong thing about it.

use pathproof::{Failure, Input, Outcome};

use super::codec::{BLOCK, decode, decode_with, value};

/// The position after the wrong one.
pub(super) fn wrong_position(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    decode(i.bytes(), out).map_err(|failure| Failure {
        at: failure.at.map(|at| at + usize::from(at % BLOCK == 3)),
        ..failure
    })
}

/// The right kind and position, and another byte.
pub(super) fn wrong_detail(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    decode(i.bytes(), out).map_err(|failure| Failure {
        detail: failure.detail.map(|[byte, ..]| [byte & 0x7f, 0, 0]),
        ..failure
    })
}

/// The right position, and another kind.
pub(super) fn wrong_kind(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    decode(i.bytes(), out).map_err(|failure| match failure.at {
        Some(at) if at >= BLOCK => Failure::at("odd_length", at),
        _ => failure,
    })
}

/// Takes the top bit for nothing in one lane of a block.
pub(super) fn accepts_high(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    decode_with(
        |at, digit| value(if at % BLOCK == 5 { digit & 0x7f } else { digit }),
        i.bytes(),
        out,
    )
}

/// Its range of decimal digits ends one character too late.
pub(super) fn accepts_colon(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    decode_with(
        |_, digit| if digit == b':' { 10 } else { value(digit) },
        i.bytes(),
        out,
    )
}

/// Does not know one digit at one position.
pub(super) fn refuses_valid(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    decode_with(
        |at, digit| {
            if (at, digit) == (31, b'7') {
                u8::MAX
            } else {
                value(digit)
            }
        },
        i.bytes(),
        out,
    )
}

/// Takes what is no digit for a zero in half a block of one long length.
pub(super) fn overlooks(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = i.bytes().len();
    let known = |at, digit| match value(digit) {
        u8::MAX if len == 1024 && (1000..1008).contains(&at) => 0,
        known => known,
    };
    decode_with(known, i.bytes(), out)
}

/// Works in place from the end, and so overwrites text that it has not read yet.
pub(super) fn backwards(_: &Input<'_>, buffer: &mut [u8]) -> Outcome<usize> {
    // Valid first, so that a refusal is right.
    let len = decode(buffer, &mut vec![0; buffer.len() / 2])?;
    for number in (0..buffer.len().div_ceil(BLOCK)).rev() {
        let text = buffer[BLOCK * number..]
            .iter()
            .take(BLOCK)
            .copied()
            .collect::<Vec<_>>();
        // What has been overwritten is no text any more; a kernel would not notice either.
        let _ = decode_with(
            |_, digit| value(digit) & 15,
            &text,
            &mut buffer[BLOCK / 2 * number..],
        );
    }
    Ok(len)
}
