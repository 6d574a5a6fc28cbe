//! Mq64: one call of the Q64 kernel, and copies or comparisons of its text.

use pathproof::{CodePath, Input, Operation};
use q64::{Encoder, Isa, Q64Error};

use super::{SURVIVORS, failure, missing, promised, too_short};
use crate::reference::{self, mq64::default_levels};

const ENCODE: q64::Operation = q64::Operation::Q64Encode;
const DECODE: q64::Operation = q64::Operation::Q64Decode;

/// Levels that ascend to the length, which inputs are made to have; ones that do not.
const LEVELS: &[&[u64]] = &[
    &[64, 128, 256],
    &[2, 4, 8],
    &[1],
    &[],
    &[3, 5, 8, 31],
    &[33, 500],
    MANY,
    &[4, 2],
    &[0, 8],
    &[7, 7],
];

/// One more than are kept on the stack.
const MANY: &[u64] = &{
    let mut many = [0; 65];
    let mut i = 0;
    while i < many.len() {
        many[i] = 1 + 3 * i as u64;
        i += 1;
    }
    many
};

pub(super) fn encode() -> Operation {
    let paths = rows(ENCODE, |encoder, isa| {
        CodePath::fills(isa, move |i, out| {
            encoder.mq64_encode_into(i.bytes(), out).map_err(failure)
        })
    });
    Operation::new("mq64_encode", |i| {
        reference::mq64::encode(i.bytes(), &default_levels(i.bytes().len()))
    })
    .capacity(|i| q64::mq64_encoded_len(i.bytes().len()).unwrap_or(0))
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .paths(paths)
    .paths(streaming(|encoder, i, out| {
        encoder.mq64_encode_into(i.bytes(), out)
    }))
    .path(best(CodePath::fills("auto", |i, out| {
        q64::mq64_encode_to_buffer(i.bytes(), out).map_err(failure)
    })))
    .path(best(CodePath::returns("auto", |i| {
        Ok(q64::mq64_encode(i.bytes()))
    })))
    .law("each segment is a prefix of the next", |i, encode| {
        let text = encode(i).map_err(|e| format!("encode refuses: {e}"))?;
        prefixes(&text)
    })
    .law("decode(encode(x)) = x", |i, encode| {
        let text = encode(i).map_err(|e| format!("encode refuses: {e}"))?;
        match reference::mq64::decode(&text) {
            Ok(data) if data == i.bytes() => Ok(()),
            Ok(_) => Err("other bytes came back".into()),
            Err(e) => Err(format!("its text cannot be decoded: {e}")),
        }
    })
}

pub(super) fn encode_with_levels() -> Operation {
    let paths = rows(ENCODE, |encoder, isa| {
        CodePath::fills(isa, move |i, out| {
            with_levels(i, |levels| {
                encoder.mq64_encode_with_levels_into(i.bytes(), levels, out)
            })
            .map_err(failure)
        })
    });
    Operation::new("mq64_encode_with_levels", |i| {
        reference::mq64::encode(i.bytes(), &levels(i))
    })
    .param("levels", LEVELS)
    // So much that most of the work is the kernel's, also where that takes 13 instructions for 64 bytes.
    .usual(&[("levels", &[900, 1000, 1024])])
    .from_bytes(|bytes, params| {
        let last = params["levels"].last().map_or(0, |last| *last as usize);
        bytes.iter().copied().cycle().take(last).collect()
    })
    // What cannot be encoded is handed a buffer for what has been asked, up to a bound.
    .capacity(|i| q64::mq64_encoded_len_with_levels(&levels(i)).map_or(0, |len| len.min(1 << 16)))
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .paths(paths)
    .paths(streaming(|encoder, i, out| {
        with_levels(i, |levels| {
            encoder.mq64_encode_with_levels_into(i.bytes(), levels, out)
        })
    }))
    .path(best(CodePath::fills("auto", |i, out| {
        with_levels(i, |levels| {
            q64::mq64_encode_with_levels_to_buffer(i.bytes(), levels, out)
        })
        .map_err(failure)
    })))
    .path(best(CodePath::returns("auto", |i| {
        with_levels(i, |levels| q64::mq64_encode_with_levels(i.bytes(), levels)).map_err(failure)
    })))
    .law("each segment is a prefix of the next", |i, encode| {
        let text = encode(i).map_err(|e| format!("encode refuses: {e}"))?;
        prefixes(&text)
    })
}

pub(super) fn decode() -> Operation {
    let paths = rows(DECODE, |encoder, isa| {
        CodePath::fills(isa, move |i, out| {
            encoder.mq64_decode_into(i.bytes(), out).map_err(failure)
        })
    });
    even(Operation::new("mq64_decode", |i| {
        reference::mq64::decode(i.bytes())
    }))
    .from_bytes(|bytes, _| {
        let part = |n: usize| bytes.len() / n;
        let mut levels = match bytes.len() % 4 {
            // An early separator alone, for every fourth length.
            3 => vec![1, bytes.len()],
            // Five levels, fewer of a short input, for a separator in each part of a block.
            _ => vec![part(16), part(8), part(5), part(3), part(1)],
        };
        levels.dedup();
        levels.retain(|level| *level > 0);
        reference::mq64::encode(bytes, &levels).unwrap_or_default()
    })
    .capacity(|i| q64::mq64_decoded_len(i.bytes()))
    .work(|i| q64::mq64_decoded_len(i.bytes()))
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .paths(paths)
    .path(best(CodePath::fills("auto", |i, out| {
        q64::mq64_decode_to_buffer(i.bytes(), out).map_err(failure)
    })))
    .path(best(CodePath::returns("auto", |i| {
        q64::mq64_decode(i.bytes()).map_err(failure)
    })))
}

/// Adds rows of characters with even codes alone: among others, every odd one may be taken for a separator, and where that is the
/// last of a text is the same.
fn even(operation: Operation) -> Operation {
    const BYTES: [u8; 96] = [0x11; 96];
    (32..=BYTES.len()).fold(operation, |operation, len| {
        operation.rows(format!("even_{len}"), &BYTES[..len], len)
    })
}

/// The kernels that stream, at every length: what is behind a separator lies anywhere.
fn streaming(
    call: impl Fn(&Encoder, &Input<'_>, &mut [u8]) -> Result<usize, Q64Error> + Copy + 'static,
) -> Vec<CodePath> {
    let row = |&isa: &Isa| {
        let name = format!("{isa}+stream");
        let path = match Encoder::with(isa) {
            Some(encoder) => {
                let encoder = encoder.streams_from(0);
                CodePath::fills(name, move |i, out| call(&encoder, i, out).map_err(failure))
            }
            None => CodePath::absent(name, "fills", missing(isa)),
        };
        promised(ENCODE, isa, path).block(4 * 64)
    };
    ENCODE.streaming_paths().iter().map(row).collect()
}

fn levels(i: &Input<'_>) -> Vec<usize> {
    with_levels(i, <[usize]>::to_vec)
}

/// The levels as the encoder takes them; on the stack, for a path that fills a buffer allocates nothing.
fn with_levels<T>(i: &Input<'_>, call: impl FnOnce(&[usize]) -> T) -> T {
    let list = i.list("levels");
    let mut levels = [0; 64];
    if list.len() > levels.len() {
        return call(&list.iter().map(|level| *level as usize).collect::<Vec<_>>());
    }
    for (level, given) in levels.iter_mut().zip(list) {
        *level = *given as usize;
    }
    call(&levels[..list.len()])
}

/// One path for each ISA with a kernel of Q64.
fn rows(of: q64::Operation, path: impl Fn(Encoder, &'static str) -> CodePath) -> Vec<CodePath> {
    let row = |&isa: &Isa| {
        let path = match Encoder::with(isa) {
            Some(encoder) => path(encoder, isa.name()),
            None => CodePath::absent(isa.name(), "fills", missing(isa)),
        };
        // The last segment fills a register if the text, all of whose segments are less than twice as long, is of this length.
        promised(of, isa, path).block(4 * 64)
    };
    of.paths().iter().map(row).collect()
}

fn best(path: CodePath) -> CodePath {
    path.refuses_in_full()
}

fn prefixes(text: &[u8]) -> Result<(), String> {
    let segments: Vec<&[u8]> = text.split(|byte| *byte == b':').collect();
    let holds = segments.windows(2).all(|pair| pair[1].starts_with(pair[0]));
    holds
        .then_some(())
        .ok_or_else(|| format!("not of its {} segments", segments.len()))
}
