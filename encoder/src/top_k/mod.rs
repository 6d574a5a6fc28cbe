//! Top-k (t8q64): where the k largest bytes are, as Q64 text.
//!
//! This file has the format, the table of kernels, what all kernels share (the driver), and the API.
//! The other files of this folder are the kernels, one file per instruction set.

use alloc::string::String;
use core::slice;

use crate::dispatch::{Encoder, Paths, Row, on_x86_64};
use crate::error::Q64Error;
use crate::isa::Isa;
use crate::q64::{Out, Pair, new_text, uninit};

mod rows;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

// -------------------------------------------------------------------------------------- the format

/// The most data whose indices fit 16 bits, one of which is the padding.
const MOST_DATA: usize = 65_535;

/// The most indices. The format has no such bound; but padding makes any number of them from no data
/// at all, and a small input must not ask for a large allocation.
const MOST_INDICES: usize = 65_535;

/// The most data whose indices are one byte each.
const NARROW: usize = 256;

/// The bytes of what stands for an index that there is not.
const PADDING: u8 = u8::MAX;

/// The bytes of an index into data of this length.
const fn index_len(data_len: usize) -> usize {
    if data_len <= NARROW { 1 } else { 2 }
}

/// The length of the text, or why there is none.
const fn text_len(data_len: usize, k: usize) -> Result<usize, Q64Error> {
    if data_len > MOST_DATA {
        return Err(Q64Error::TooLong {
            len: data_len,
            most: MOST_DATA,
        });
    }
    if k > MOST_INDICES {
        return Err(Q64Error::TooMany {
            asked: k,
            most: MOST_INDICES,
        });
    }
    Ok(2 * index_len(data_len) * k)
}

// ------------------------------------------------------------------------------------- the kernels

/// Writes every pair of `text`: one or two for each of the `k` indices, as [`index_len`] says. If it has
/// another number, every pair is written all the same, with padding behind the indices, or with fewer of
/// them; or the kernel panics.
///
/// # Safety
/// The ISA of the kernel's row is available.
pub(crate) type TopKKernel = unsafe fn(data: &[u8], k: usize, text: &mut [Pair<Out>]);

/// The kernels of `top_k_q64`.
pub(crate) const TOP_K_PATHS: Paths<TopKKernel> = Paths::new(
    scalar::top_k,
    [
        // A kernel with SSE2 is 1.3 to 1.4 times as fast as the scalar one (Zen 3), in which compilers use
        // the same registers. Who has no AVX2 has little use for that. NEON, of which the same can be
        // said, has not been measured.
        (Isa::Sse2, Row::Nothing),
        (Isa::Ssse3, Row::Nothing),
        (Isa::Avx2, on_x86_64!(avx2::top_k)),
        (Isa::Avx512, on_x86_64!(avx512::top_k)),
        // Nothing here is a permutation of bytes, or a linear function of their bits.
        (Isa::Avx512vbmi, Row::Nothing),
        (Isa::Avx512gfni, Row::Nothing),
        (Isa::Neon, Row::Nothing),
    ],
);

// -------------------------------------------------------------------------------------- the driver
//
// Two steps, both over blocks of 64 bytes, a block's bytes being the bits of a mask:
//
//     cut     the k-th largest value, by bisection: the greatest that k bytes are not below
//     emit    the indices of the bytes above it, and of the first ones that are equal to it
//
// Indices are gathered as bytes on the stack, and their text is made of them by the Q64 kernel of the
// same ISA, many at a time.
//
// The bytes after the last, which fill its block, are zeros, and need no mask: bisection asks for
// values from 1 on, and where the k-th largest value is zero, those of the data come first.
//
// The driver is always inlined into a kernel's `#[target_feature]` function, and so are the closures
// made there, and nothing here is unsafe.

/// The bytes of data in a block, and the bits of a mask.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// The data as blocks, the last one filled up with zeros.
struct Blocks<'a> {
    /// How many bytes of data there are.
    bytes: usize,
    whole: &'a [Block],
    /// None or one.
    last: &'a [Block],
}

impl<'a> Blocks<'a> {
    /// `last` is a place for the last block, and zero.
    #[inline(always)]
    fn of(data: &'a [u8], last: &'a mut Block) -> Self {
        let (whole, rest) = data.as_chunks();
        let last = if rest.is_empty() {
            &[]
        } else {
            last[..rest.len()].copy_from_slice(rest);
            slice::from_ref(last)
        };
        Self {
            bytes: data.len(),
            whole,
            last,
        }
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = &Block> {
        self.whole.iter().chain(self.last)
    }
}

/// Which bytes are among the k largest: all above `value`, and the first `ties` that are equal to it.
struct Cut {
    value: u8,
    ties: usize,
}

/// Finds the cut that leaves `k` bytes, or all if there are no more, given how many are at least a value.
#[inline(always)]
fn cut(blocks: &Blocks<'_>, k: usize, count: impl Fn(&Blocks<'_>, u8) -> usize) -> Cut {
    let k = k.min(blocks.bytes);
    let (mut value, mut above, mut bit) = (0, 0, 1 << 7);
    while bit != 0 {
        let tried = value | bit;
        let at_least = count(blocks, tried);
        if at_least >= k {
            value = tried;
        } else {
            above = at_least;
        }
        if at_least == k {
            // Exactly the k largest: whatever the k-th is, none that is equal to it is left out.
            return Cut { value, ties: k };
        }
        bit >>= 1;
    }
    Cut {
        value,
        ties: k - above,
    }
}

/// Which bytes of a block are at least a value, and which are equal to it.
struct Masks {
    at_least: u64,
    equal: u64,
}

/// Writes the text of the indices that the cut leaves, and padding behind them, given the masks of a block, the lowest so many
/// bits of a mask, and the kernel that makes text of bytes.
#[inline(always)]
fn emit(
    blocks: &Blocks<'_>,
    cut: Cut,
    text: &mut [Pair<Out>],
    masks: impl Fn(&Block, u8) -> Masks,
    lowest: impl Fn(u64, usize) -> u64,
    encode: impl Fn(&[u8], &mut [Pair<Out>]),
) {
    match index_len(blocks.bytes) {
        1 => emit_indices::<1>(blocks, cut, text, masks, lowest, encode),
        _ => emit_indices::<2>(blocks, cut, text, masks, lowest, encode),
    }
}

/// As [`emit`], for indices of `W` bytes.
#[inline(always)]
fn emit_indices<const W: usize>(
    blocks: &Blocks<'_>,
    cut: Cut,
    mut text: &mut [Pair<Out>],
    masks: impl Fn(&Block, u8) -> Masks,
    lowest: impl Fn(u64, usize) -> u64,
    encode: impl Fn(&[u8], &mut [Pair<Out>]),
) {
    // Indices are found a block at a time, and become text as soon as there are a block of them.
    let mut found = [[0; W]; 2 * BLOCK];
    let mut count = 0;
    let mut ties = cut.ties;
    for (block, start) in blocks.iter().zip((0..).step_by(BLOCK)) {
        let Masks { at_least, equal } = masks(block, cut.value);
        let mut taken = at_least & !equal | lowest(equal, ties);
        ties = ties.saturating_sub(equal.count_ones() as usize);
        let slots = &mut found[count..][..BLOCK];
        count += taken.count_ones() as usize;
        // Four at a time, though fewer may be left: how many there are cannot be foreseen, and a
        // branch for each would be mispredicted.
        for four in slots.as_chunks_mut::<4>().0 {
            for slot in four {
                let index = start + taken.trailing_zeros() as usize;
                *slot = *(index as u16).to_be_bytes().last_chunk().unwrap();
                taken &= taken.wrapping_sub(1);
            }
            if taken == 0 {
                break;
            }
        }
        if count >= BLOCK {
            let (now, later) = text.split_at_mut(W * BLOCK);
            encode(found[..BLOCK].as_flattened(), now);
            text = later;
            found.copy_within(BLOCK.., 0);
            count -= BLOCK;
        }
    }
    if text.len() > W * count {
        found[count..].fill([PADDING; W]);
    }
    let (text, padding) = text.split_at_mut(text.len().min(W * BLOCK));
    encode(found[..text.len() / W].as_flattened(), text);
    for text in padding.chunks_mut(W * BLOCK) {
        encode(found[BLOCK..][..text.len() / W].as_flattened(), text);
    }
}

// ----------------------------------------------------------------------------------------- the API

#[cfg(feature = "rayon")]
pub use self::rows::{parallel_top_k_batch, parallel_top_k_batch_to_buffer};
pub use self::rows::{top_k_batch, top_k_batch_to_buffer};

impl Encoder {
    /// Writes the text of the indices of the `k` largest bytes of `data` to the front of `output`, and
    /// returns its length, which [`top_k_len`] tells beforehand. Further bytes of `output` are left as
    /// they are. Nothing is allocated.
    ///
    /// What the text is, the errors and the complexity are those of [`top_k_to_buffer`].
    ///
    /// # Errors
    /// The first of these that holds; nothing is written then: [`Q64Error::TooLong`],
    /// [`Q64Error::TooMany`], [`Q64Error::BufferTooSmall`].
    ///
    /// ```
    /// use q64::{Encoder, Q64Error};
    ///
    /// let encoder = Encoder::new();
    /// let mut text = [0; 6];
    /// assert_eq!(encoder.top_k_into(&[5, 9, 7, 9], 2, &mut text), Ok(4));
    /// assert_eq!(&text, b"ARgz\0\0");
    /// assert_eq!(
    ///     encoder.top_k_into(&[5, 9, 7, 9], 4, &mut text),
    ///     Err(Q64Error::BufferTooSmall { needed: 8, available: 6 })
    /// );
    /// ```
    pub fn top_k_into(&self, data: &[u8], k: usize, output: &mut [u8]) -> Result<usize, Q64Error> {
        let output = Q64Error::room(output, text_len(data.len(), k)?)?;
        // SAFETY: `run_top_k` writes characters of Q64, and nothing else.
        self.run_top_k(data, k, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// Returns the text of the indices of the `k` largest bytes of `data`, as [`top_k_q64`] does.
    ///
    /// # Errors
    /// The first of these that holds: [`Q64Error::TooLong`], [`Q64Error::TooMany`].
    ///
    /// # Panics
    /// As [`Vec::with_capacity`](alloc::vec::Vec::with_capacity).
    ///
    /// ```
    /// let encoder = q64::Encoder::new();
    /// assert_eq!(encoder.top_k(&[5, 9, 7, 9], 2).unwrap(), "ARgz");
    /// ```
    pub fn top_k(&self, data: &[u8], k: usize) -> Result<String, Q64Error> {
        let len = text_len(data.len(), k)?;
        // SAFETY: a kernel writes all of the text that it is given, or unwinds, and nothing but the
        // characters of the alphabets, which are ASCII.
        Ok(unsafe { new_text(len, |text| self.run_top_k(data, k, text)) })
    }

    /// Writes all of `output`, whose length is the text's.
    #[inline]
    fn run_top_k(&self, data: &[u8], k: usize, output: &mut [Out]) {
        let text = output.as_chunks_mut().0;
        // SAFETY: the kernel asks that its ISA is available; a handle holds no other kernels.
        unsafe { (self.top_k.kernel())(data, k, text) }
    }
}

/// Returns Q64 text that says where the `k` largest bytes of `data` are, with the best kernels of this
/// CPU: the format `t8q64`, for embeddings of 8 bits a dimension.
///
/// Its indices, from 0, ascend. Where bytes are equal, **the lowest index wins**: the first of them are
/// named. The text is the [Q64 text](crate::q64_encode) of one byte for each index, if `data` has at
/// most 256 bytes; else of two, the high one first. If there are fewer than `k` bytes, the rest is
/// padding of ones: the index 255, or 65,535.
///
/// Takes at most nine passes over `data`, and then time in proportion to `k`. The text has [`top_k_len`]
/// bytes: up to 131,070 for up to 256 bytes of data, and up to 262,140 for more.
///
/// Source: `t8q64`, the `top_k_q64` of `uubed-core` 1.0.14, with which this agrees for data of at most 256 bytes without
/// ties. That leaves ties to chance, and gives every index above 255 as 255.
///
/// # Errors
/// The first of these that holds: [`Q64Error::TooLong`] for more than 65,535 bytes of data,
/// [`Q64Error::TooMany`] for a `k` above 65,535.
///
/// # Panics
/// As [`Vec::with_capacity`](alloc::vec::Vec::with_capacity).
///
/// ```
/// use q64::{Q64Error, q64_decode, top_k_q64};
///
/// let text = top_k_q64(&[5, 9, 7, 9, 9], 2)?;
/// assert_eq!(text, "ARgz");
/// assert_eq!(q64_decode(&text)?, [1, 3]);
///
/// // More than there are.
/// assert_eq!(q64_decode(top_k_q64(&[5, 9], 4)?)?, [0, 1, 255, 255]);
///
/// // Two bytes an index.
/// let mut embedding = [100; 384];
/// embedding[300] = 200;
/// assert_eq!(q64_decode(top_k_q64(&embedding, 2)?)?, [0, 0, 1, 44]);
/// # Ok::<(), Q64Error>(())
/// ```
pub fn top_k_q64(data: &[u8], k: usize) -> Result<String, Q64Error> {
    Encoder::best().top_k(data, k)
}

/// Writes the text of [`top_k_q64`] to the front of `output`, and returns its length, which
/// [`top_k_len`] tells beforehand. Further bytes of `output` are left as they are. Nothing is
/// allocated. Takes at most nine passes over `data`, and then time in proportion to `k`.
///
/// # Errors
/// The first of these that holds; nothing is written then: [`Q64Error::TooLong`] for more than 65,535
/// bytes of data, [`Q64Error::TooMany`] for a `k` above 65,535, [`Q64Error::BufferTooSmall`].
///
/// ```
/// use q64::{Q64Error, top_k_len, top_k_to_buffer};
///
/// const LEN: usize = top_k_len(4, 2).unwrap();
/// let mut text = [0; LEN];
/// assert_eq!(top_k_to_buffer(&[5, 9, 7, 9], 2, &mut text), Ok(4));
/// assert_eq!(&text, b"ARgz");
/// assert_eq!(
///     top_k_to_buffer(&[5, 9, 7, 9], 65_536, &mut text),
///     Err(Q64Error::TooMany { asked: 65_536, most: 65_535 })
/// );
/// ```
pub fn top_k_to_buffer(data: &[u8], k: usize, output: &mut [u8]) -> Result<usize, Q64Error> {
    Encoder::best().top_k_into(data, k, output)
}

/// The length in bytes of the text of the `k` largest of `data_len` bytes: 2 for each index if there
/// are at most 256 bytes of data, else 4. `None` where [`top_k_q64`] refuses.
///
/// ```
/// use q64::top_k_len;
///
/// assert_eq!(top_k_len(256, 8), Some(16));
/// assert_eq!(top_k_len(384, 8), Some(32));
/// assert_eq!(top_k_len(65_536, 8), None);
/// ```
pub const fn top_k_len(data_len: usize, k: usize) -> Option<usize> {
    match text_len(data_len, k) {
        Ok(len) => Some(len),
        Err(_) => None,
    }
}
