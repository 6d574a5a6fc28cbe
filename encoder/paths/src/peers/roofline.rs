//! What the memory system allows: the reads and writes of the paths, with the widest plain vectors of this CPU, and nothing
//! between them.
//!
//! ```text
//! encode   reads n, writes 2n:   a block of 64 bytes becomes itself, twice
//! decode   reads 2n, writes n:   two halves of a block of 128 bytes become one, by `or`
//! ```
#![allow(unsafe_code)]

use pathproof::{CodePath, Peer};

const BLOCK: usize = 64;

pub(crate) fn encode() -> Peer {
    peer(&TWICE, |data| {
        data.chunks(BLOCK)
            .flat_map(|block| [block, block].concat())
            .collect()
    })
}

pub(crate) fn decode() -> Peer {
    let or = |block: &[u8]| {
        let (a, b) = block.split_at(block.len() / 2);
        a.iter().zip(b).map(|(a, b)| a | b).collect::<Vec<u8>>()
    };
    peer(&HALVED, move |text| {
        text.chunks(2 * BLOCK).flat_map(or).collect()
    })
}

/// The peer that runs one of the loops, held against what that loop is to do.
fn peer(widths: &'static Widths, reference: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Peer {
    let widest = widest(widths);
    let path = CodePath::fills("roofline", move |i, out| {
        widest(i.bytes(), out);
        Ok(out.len())
    });
    Peer::new(
        path,
        |i| i.bytes().to_vec(),
        move |i| Ok(reference(i.bytes())),
    )
}

/// One loop, compiled for each width of vectors.
struct Widths {
    plain: unsafe fn(&[u8], &mut [u8]),
    #[cfg(target_arch = "x86_64")]
    avx2: unsafe fn(&[u8], &mut [u8]),
    #[cfg(target_arch = "x86_64")]
    avx512: unsafe fn(&[u8], &mut [u8]),
}

/// The loop for the widest vectors of this CPU, chosen once, so that a call has only the loop in it.
fn widest(widths: &'static Widths) -> impl Fn(&[u8], &mut [u8]) + 'static {
    #[cfg(target_arch = "x86_64")]
    let chosen = if std::arch::is_x86_feature_detected!("avx512f") {
        widths.avx512
    } else if std::arch::is_x86_feature_detected!("avx2") {
        widths.avx2
    } else {
        widths.plain
    };
    #[cfg(not(target_arch = "x86_64"))]
    let chosen = widths.plain;
    // SAFETY: each loop asks for no more than the feature that was detected before it was chosen.
    move |input, output| unsafe { chosen(input, output) }
}

macro_rules! widths {
    ($name:ident, $loop:ident) => {
        static $name: Widths = {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2(input: &[u8], output: &mut [u8]) {
                $loop(input, output)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512(input: &[u8], output: &mut [u8]) {
                $loop(input, output)
            }
            Widths {
                plain: |input, output| $loop(input, output),
                #[cfg(target_arch = "x86_64")]
                avx2,
                #[cfg(target_arch = "x86_64")]
                avx512,
            }
        };
    };
}
widths!(TWICE, twice);
widths!(HALVED, halved);

#[inline(always)]
fn twice(data: &[u8], text: &mut [u8]) {
    let (blocks, rest) = data.as_chunks::<BLOCK>();
    let (texts, _) = text.as_chunks_mut::<{ 2 * BLOCK }>();
    for (block, text) in blocks.iter().zip(texts) {
        let (first, second) = text.split_at_mut(BLOCK);
        first.copy_from_slice(block);
        second.copy_from_slice(block);
    }
    let start = text.len() - 2 * rest.len();
    for half in text[start..].chunks_mut(rest.len().max(1)) {
        half.copy_from_slice(rest);
    }
}

#[inline(always)]
fn halved(text: &[u8], data: &mut [u8]) {
    let or = |(byte, (a, b)): (&mut u8, (&u8, &u8))| *byte = a | b;
    let (texts, rest) = text.as_chunks::<{ 2 * BLOCK }>();
    let (blocks, _) = data.as_chunks_mut::<BLOCK>();
    for (text, block) in texts.iter().zip(blocks) {
        let (a, b) = text.split_at(BLOCK);
        block.iter_mut().zip(a.iter().zip(b)).for_each(or);
    }
    let start = data.len() - rest.len() / 2;
    let (a, b) = rest.split_at(rest.len() / 2);
    data[start..].iter_mut().zip(a.iter().zip(b)).for_each(or);
}
