//! Q64: every byte becomes two characters, high nibble first, from an alphabet that depends on the
//! position.
//!
//! This file has the format, the tables of kernels, what all kernels share (the driver), and the
//! API. The other files of this folder are the kernels, one file per instruction set.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use crate::dispatch::{Encoder, Paths, Row, on_aarch64, on_x86_64};
use crate::error::{BufferTooSmall, DecodeError, Q64Error};
use crate::isa::Isa;

pub(crate) mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512gfni;
#[cfg(target_arch = "x86_64")]
mod avx512vbmi;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(target_arch = "x86_64")]
mod ssse3;
#[cfg(target_arch = "x86_64")]
mod streaming;

// -------------------------------------------------------------------------------------- the format

/// The alphabet of each position modulo 4. No character is in two of them, so that each names its
/// position by itself.
pub(crate) const ALPHABETS: [[u8; 16]; 4] = [
    *b"ABCDEFGHIJKLMNOP",
    *b"QRSTUVWXYZabcdef",
    *b"ghijklmnopqrstuv",
    *b"wxyz0123456789-_",
];

/// What a byte of text means: `alphabet << 4 | nibble`, or [`NO_CHARACTER`].
pub(crate) const MEANING: [u8; 256] = {
    let mut meaning = [NO_CHARACTER; 256];
    let mut i = 0;
    while i < 64 {
        meaning[ALPHABETS[i / 16][i % 16] as usize] = i as u8;
        i += 1;
    }
    meaning
};

pub(crate) const NO_CHARACTER: u8 = 0xff;

/// The first characters of the alphabets of high nibbles, for even and odd bytes of data. Both
/// alphabets are contiguous in ASCII, so that a high nibble needs no table: `character = HIGH +
/// nibble`.
const HIGH: [u8; 2] = {
    let mut nibble = 0;
    while nibble < 16 {
        assert!(ALPHABETS[0][nibble] == ALPHABETS[0][0] + nibble as u8);
        assert!(ALPHABETS[2][nibble] == ALPHABETS[2][0] + nibble as u8);
        nibble += 1;
    }
    [ALPHABETS[0][0], ALPHABETS[2][0]]
};

// ------------------------------------------------------------------------------------- the kernels

/// What a byte of data becomes: two characters, the high nibble's first. Kernels see text as pairs,
/// as many as there are bytes of data.
pub(crate) type Pair<T = u8> = [T; 2];

/// A byte that kernels write. It need not be initialised yet, so that a new `String` is not zeroed
/// first.
pub(crate) type Out = MaybeUninit<u8>;

/// Writes every pair of `text`; it has as many as `data` has bytes, else the kernel panics.
///
/// # Safety
/// The ISA of the kernel's row is available.
pub(crate) type EncodeKernel = unsafe fn(data: &[u8], text: &mut [Pair<Out>]);

/// Writes every byte of `data`, or returns the first offending character; `text` has as many pairs
/// as `data` has bytes, else the kernel panics.
///
/// # Safety
/// The ISA of the kernel's row is available.
pub(crate) type DecodeKernel =
    unsafe fn(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError>;

/// The kernels of `q64_encode`.
pub(crate) const ENCODE_PATHS: Paths<EncodeKernel> = Paths::new(
    scalar::encode,
    [
        (Isa::Sse2, on_x86_64!(sse2::encode)),
        (Isa::Ssse3, on_x86_64!(ssse3::encode)),
        (Isa::Avx2, on_x86_64!(avx2::encode)),
        (Isa::Avx512, on_x86_64!(avx512::encode)),
        (Isa::Avx512vbmi, on_x86_64!(avx512vbmi::encode)),
        (Isa::Avx512gfni, on_x86_64!(avx512gfni::encode)),
        (Isa::Neon, on_aarch64!(neon::encode)),
    ],
);

/// The kernels of `q64_encode` for data of [`STREAMS_FROM`] bytes and more.
pub(crate) const ENCODE_STREAMING: [(Isa, Row<EncodeKernel>); 4] = [
    (Isa::Avx2, on_x86_64!(avx2::encode_streaming)),
    (Isa::Avx512, on_x86_64!(avx512::encode_streaming)),
    (Isa::Avx512vbmi, on_x86_64!(avx512vbmi::encode_streaming)),
    (Isa::Avx512gfni, on_x86_64!(avx512gfni::encode_streaming)),
];

/// The kernels of `q64_decode`.
pub(crate) const DECODE_PATHS: Paths<DecodeKernel> = Paths::new(
    scalar::decode,
    [
        (Isa::Sse2, on_x86_64!(sse2::decode)),
        (Isa::Ssse3, on_x86_64!(ssse3::decode)),
        (Isa::Avx2, on_x86_64!(avx2::decode)),
        (Isa::Avx512, on_x86_64!(avx512::decode)),
        (Isa::Avx512vbmi, on_x86_64!(avx512vbmi::decode)),
        // Nothing in decoding is a linear function of a byte's bits that is not one instruction
        // already. The same code under another name would only look like one more proof.
        (Isa::Avx512gfni, Row::Nothing),
        (Isa::Neon, on_aarch64!(neon::decode)),
    ],
);

// -------------------------------------------------------------------------------------- the driver
//
// Both directions feed a kernel's block function: first every whole block, then, if bytes are left,
// the last N once more as a block that overlaps the one before, where it writes the same again. The
// code repeats every 2 bytes of data, so this block must start at an even one; an odd last byte is
// left to the table. Data shorter than a block goes to `short`, unless there is none.
//
//     data         |------ N ------|------ N ------|-- rest --|
//     last block                         |------ N ------|  .     . one byte, if the length is odd
//
// Drivers are always inlined into a kernel's `#[target_feature]` function, and so is the block, a
// closure made there: each kernel becomes one tight loop, and nothing here is unsafe.

/// Encodes `data` by blocks of `N` bytes, whose text is two times `N` characters.
#[inline(always)]
fn encode_blocks<const N: usize>(
    data: &[u8],
    text: &mut [Pair<Out>],
    block: impl Fn(&[u8; N], &mut [[Out; N]; 2]),
    short: impl FnOnce(&[u8], &mut [Pair<Out>]),
) {
    const { assert!(N.is_multiple_of(2), "a block starts at an even byte") };
    assert!(
        data.len() == text.len(),
        "a pair of characters for every byte"
    );
    if data.is_empty() {
        return;
    }
    if data.len() < N {
        return short(data, text);
    }
    let (blocks, rest) = data.as_chunks();
    let texts = text.as_flattened_mut().as_chunks_mut().0.as_chunks_mut().0;
    for (data, text) in blocks.iter().zip(texts) {
        block(data, text);
    }
    if rest.is_empty() {
        return;
    }
    let even = data.len() & !1;
    if rest.len() > 1 {
        let last = even - N..even;
        let last_text = text[last.clone()].as_flattened_mut().as_chunks_mut().0;
        block(
            data[last].first_chunk().unwrap(),
            last_text.first_chunk_mut().unwrap(),
        );
    }
    scalar::encode_odd(&data[even..], &mut text[even..]);
}

/// Decodes `text` by blocks of two times `N` characters, whose data is `N` bytes. The block
/// function says whether all characters were good; only if not are those of this block looked at
/// one by one.
#[inline(always)]
fn decode_blocks<const N: usize>(
    text: &[Pair],
    data: &mut [Out],
    block: impl Fn(&[[u8; N]; 2], &mut [Out; N]) -> bool,
    short: impl FnOnce(&[Pair], &mut [Out]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    const { assert!(N.is_multiple_of(2), "a block starts at an even byte") };
    assert!(
        text.len() == data.len(),
        "a pair of characters for every byte"
    );
    if text.is_empty() {
        return Ok(());
    }
    if text.len() < N {
        return short(text, data);
    }
    let texts = text.as_flattened().as_chunks().0.as_chunks().0;
    let (blocks, rest) = data.as_chunks_mut();
    let bad = texts
        .iter()
        .zip(blocks)
        .position(|(text, data)| !block(text, data));
    if let Some(bad) = bad {
        return Err(first_offender(text, bad * N));
    }
    if rest.is_empty() {
        return Ok(());
    }
    let even = text.len() & !1;
    if rest.len() > 1 {
        let last = even - N..even;
        let last_text = text[last.clone()].as_flattened().as_chunks().0;
        let good = block(
            last_text.first_chunk().unwrap(),
            data[last.clone()].first_chunk_mut().unwrap(),
        );
        // What this block shares with the one before was good there, so that the first offender is
        // still the first.
        if !good {
            return Err(first_offender(text, last.start));
        }
    }
    if !scalar::decode_odd(&text[even..], &mut data[even..]) {
        return Err(first_offender(text, even));
    }
    Ok(())
}

/// The first character that its position does not allow, in `text` from pair `from` on. There must
/// be one.
#[cold]
#[inline(never)]
fn first_offender(text: &[Pair], from: usize) -> DecodeError {
    match offender(text, from) {
        Some(error) => error,
        None => unreachable!(
            "a kernel refused characters from {from} on, all of which the format allows"
        ),
    }
}

/// The same, if there is one.
pub(crate) fn offender(text: &[Pair], from: usize) -> Option<DecodeError> {
    let mut characters = text.as_flattened().iter().enumerate().skip(2 * from);
    characters
        .find(|(position, byte)| usize::from(MEANING[usize::from(**byte)] >> 4) != position % 4)
        .map(|(position, _)| DecodeError::at(position))
}

// ----------------------------------------------------------------------------------------- the API

/// The length of data, in bytes, from which its text is written with streaming stores, where the
/// instruction set has them (see [`Encoder::streams_from`]); the text is twice as long.
//
// Encoding with streaming stores, as a multiple of the speed with ordinary ones, by the length of
// the text:
//
//                                        < 2 MiB   4 MiB   8 MiB   12 MiB   16 MiB   64 MiB
//     Zen 4, AVX-512                     0.4                                         1.35
//     Zen 3 with 32 MiB of L3, AVX2      0.5-0.6   0.5     0.8     0.9      1.3      1.3
//     the same, into a new string        0.5-0.7   0.9     1.3     1.4      1.4      0.9
//
// On Zen 4 it is faster from about 8 MiB on. Where other programs share the L3, so it is on Zen 3,
// by up to 1.1 at 8 MiB and 1.5 at 16. In the last row the system's page faults rule from 32 MiB on.
// Decoding, which writes half of what it reads, gains less: 0.9 to 1.1 up to 16 MiB of data, 1.0 to
// 1.3 above (Zen 3); it has no such kernel.
pub const STREAMS_FROM: usize = 8 << 20;

impl Encoder {
    /// Encodes `data` into the first `2 * data.len()` bytes of `output` and returns their number.
    /// Further bytes of `output` are left as they are. Linear in the length.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if `output` is shorter; nothing is written then.
    ///
    /// ```
    /// use q64::{BufferTooSmall, Encoder};
    ///
    /// let encoder = Encoder::new();
    /// let mut text = [0; 8];
    /// assert_eq!(encoder.encode_into(b"Q64", &mut text), Ok(6));
    /// assert_eq!(&text, b"FRj2DU\0\0");
    /// assert_eq!(encoder.encode_into(b"Q64", &mut text[..5]), Err(BufferTooSmall));
    /// ```
    #[inline]
    pub fn encode_into(&self, data: &[u8], output: &mut [u8]) -> Result<usize, BufferTooSmall> {
        // A slice has at most isize::MAX bytes, so this cannot overflow.
        let output = output.get_mut(..2 * data.len()).ok_or(BufferTooSmall)?;
        // SAFETY: a kernel writes characters of Q64, and nothing else.
        self.run_encode(data, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// Encodes `data` into a new string of `2 * data.len()` bytes. Linear in the length.
    ///
    /// # Panics
    /// As [`Vec::with_capacity`].
    ///
    /// ```
    /// assert_eq!(q64::Encoder::new().encode(b"Q64"), "FRj2DU");
    /// ```
    pub fn encode(&self, data: &[u8]) -> String {
        // SAFETY: a kernel writes all of the output that it is given, and nothing but characters.
        unsafe { new_text(2 * data.len(), |text| self.run_encode(data, text)) }
    }

    /// Decodes `text` into the first `text.len() / 2` bytes of `output` and returns their number.
    /// Further bytes of `output` are left as they are. Linear in the length.
    ///
    /// # Errors
    /// As [`q64_decode_to_buffer`], but in one register; [`DecodeError::explain`] gives the full
    /// [`Q64Error`].
    ///
    /// ```
    /// use q64::{Encoder, Q64Error};
    ///
    /// let encoder = Encoder::new();
    /// let mut data = [0; 4];
    /// assert_eq!(encoder.decode_into(b"FRj2DU", &mut data), Ok(3));
    /// assert_eq!(&data, b"Q64\0");
    ///
    /// let text = b"FRj2!U";
    /// let error = encoder.decode_into(text, &mut data).unwrap_err().explain(text, data.len());
    /// assert_eq!(error, Q64Error::InvalidCharacter { position: 4, byte: b'!', expected: 0 });
    /// ```
    #[inline]
    pub fn decode_into(&self, text: &[u8], output: &mut [u8]) -> Result<usize, DecodeError> {
        if !text.len().is_multiple_of(2) {
            return Err(DecodeError::ODD_LENGTH);
        }
        let output = output
            .get_mut(..text.len() / 2)
            .ok_or(DecodeError::BUFFER_TOO_SMALL)?;
        // SAFETY: `decode` writes decoded bytes, and nothing else.
        self.run_decode(text, unsafe { uninit(output) })?;
        Ok(output.len())
    }

    /// Decodes `text` into a new vector of `text.len() / 2` bytes. Linear in the length.
    ///
    /// # Errors
    /// [`Q64Error::OddLength`], or else [`Q64Error::InvalidCharacter`] or
    /// [`Q64Error::WrongPosition`] with the leftmost offending byte.
    ///
    /// # Panics
    /// As [`Vec::with_capacity`].
    ///
    /// ```
    /// use q64::{Encoder, Q64Error};
    ///
    /// let encoder = Encoder::new();
    /// assert_eq!(encoder.decode(b"FRj2DU").unwrap(), b"Q64");
    /// assert_eq!(encoder.decode(b"FRj"), Err(Q64Error::OddLength { len: 3 }));
    /// ```
    pub fn decode(&self, text: &[u8]) -> Result<Vec<u8>, Q64Error> {
        if !text.len().is_multiple_of(2) {
            return Err(Q64Error::OddLength { len: text.len() });
        }
        let len = text.len() / 2;
        // SAFETY: a kernel that succeeds has written all of the output.
        unsafe { new_data(len, |data| self.run_decode(text, data)) }
            .map_err(|error| error.explain(text, len))
    }

    /// Writes all of `output`, which is twice as long as `data`.
    #[inline]
    pub(crate) fn run_encode(&self, data: &[u8], output: &mut [Out]) {
        let text = output.as_chunks_mut().0;
        if data.len() >= self.streams_from {
            return self.run_encode_streaming(data, text);
        }
        // SAFETY: the kernel asks that its ISA is available; a handle holds no other kernels.
        unsafe { (self.q64_encode.kernel())(data, text) }
    }

    // Out of line, because LLVM else selects one of two kernels without a branch, and every call waits
    // for that: 0.9 ns instead of 0.3, or 0.9 of the speed at 64 bytes (Zen 3).
    #[cold]
    #[inline(never)]
    fn run_encode_streaming(&self, data: &[u8], text: &mut [Pair<Out>]) {
        // SAFETY: the kernel asks that its ISA is available; a handle holds no other kernels.
        unsafe { (self.q64_encode_streaming.kernel())(data, text) }
    }

    /// Writes all of `output`, which is half as long as `text`, or returns the first offending character.
    #[inline]
    pub(crate) fn run_decode(&self, text: &[u8], output: &mut [Out]) -> Result<(), DecodeError> {
        let text = text.as_chunks().0;
        // SAFETY: the kernel asks that its ISA is available; a handle holds no other kernels.
        unsafe { (self.q64_decode.kernel())(text, output) }
    }
}

/// A new string of the `len` bytes that `write` writes.
///
/// # Safety
/// `write` writes all of the buffer that it is given, and nothing but ASCII, unless it unwinds.
#[inline]
pub(crate) unsafe fn new_text(len: usize, write: impl FnOnce(&mut [Out])) -> String {
    let mut text = Vec::with_capacity(len);
    write(&mut text.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and `write` has written as much.
    unsafe { text.set_len(len) };
    // SAFETY: ASCII is UTF-8.
    unsafe { String::from_utf8_unchecked(text) }
}

/// A new vector of the `len` bytes that `write` writes, or its error.
///
/// # Safety
/// Where `write` succeeds, it has written all of the buffer that it was given.
#[inline]
pub(crate) unsafe fn new_data<E>(
    len: usize,
    write: impl FnOnce(&mut [Out]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut data = Vec::with_capacity(len);
    write(&mut data.spare_capacity_mut()[..len])?;
    // SAFETY: the capacity is at least `len`, and `write` has written as much.
    unsafe { data.set_len(len) };
    Ok(data)
}

/// A buffer as kernels want it.
///
/// # Safety
/// Through the result only initialised bytes are written.
#[inline]
pub(crate) unsafe fn uninit(buffer: &mut [u8]) -> &mut [Out] {
    // SAFETY: the same memory with the same layout, and it stays initialised, as the caller says.
    unsafe { &mut *(buffer as *mut [u8] as *mut [Out]) }
}

/// Encodes `data` as Q64 text with the best kernels of this CPU: two characters per byte. Linear in
/// the length.
///
/// Source: `q64_encode` of `uubed-core` 1.0.14, the reference implementation of QuadB64.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// assert_eq!(q64::q64_encode(b"Q64"), "FRj2DU");
/// assert_eq!(q64::q64_encode(&[]), "");
/// ```
pub fn q64_encode(data: &[u8]) -> String {
    Encoder::best().encode(data)
}

/// Decodes Q64 text, given as `&str` or as bytes, with the best kernels of this CPU. Decoding is
/// strict: every character must be of its position's alphabet. Linear in the length.
///
/// Source: `q64_decode` of `uubed-core` 1.0.14, which is not as strict with text that is not ASCII.
///
/// # Errors
/// [`Q64Error::OddLength`], or else [`Q64Error::InvalidCharacter`] or [`Q64Error::WrongPosition`]
/// with the leftmost offending byte. Text that is not ASCII is always refused.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// use q64::{Q64Error, q64_decode};
///
/// assert_eq!(q64_decode("FRj2DU").unwrap(), b"Q64");
/// assert_eq!(q64_decode(b"FRj2DU").unwrap(), b"Q64");
///
/// let shifted = q64_decode("Rj2DUA").unwrap_err();
/// assert_eq!(shifted, Q64Error::WrongPosition { position: 0, byte: b'R', found: 1, expected: 0 });
/// assert_eq!(q64_decode("AQé").unwrap_err().position(), Some(2));
/// ```
pub fn q64_decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Q64Error> {
    Encoder::best().decode(text.as_ref())
}

/// Encodes `data` into the first `2 * data.len()` bytes of `output` with the best kernels of this
/// CPU, and returns their number. Further bytes of `output` are left as they are. Linear in the
/// length.
///
/// # Errors
/// [`Q64Error::BufferTooSmall`] if `output` is shorter; nothing is written then.
///
/// ```
/// use q64::{Q64Error, q64_encode_to_buffer};
///
/// let mut text = [0; 6];
/// assert_eq!(q64_encode_to_buffer(b"Q64", &mut text), Ok(6));
/// assert_eq!(&text, b"FRj2DU");
/// assert_eq!(
///     q64_encode_to_buffer(b"Q64", &mut text[..5]),
///     Err(Q64Error::BufferTooSmall { needed: 6, available: 5 })
/// );
/// ```
#[inline]
pub fn q64_encode_to_buffer(data: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
    #[cold]
    fn explain(needed: usize, available: usize) -> Q64Error {
        Q64Error::BufferTooSmall { needed, available }
    }
    Encoder::best()
        .encode_into(data, output)
        .map_err(|BufferTooSmall| explain(2 * data.len(), output.len()))
}

/// Decodes Q64 text, given as `&str` or as bytes, into the first `text.len() / 2` bytes of `output`
/// with the best kernels of this CPU, and returns their number. Further bytes of `output` are left
/// as they are. Linear in the length.
///
/// # Errors
/// The first of these that holds: [`Q64Error::OddLength`]; [`Q64Error::BufferTooSmall`], and
/// nothing is written; [`Q64Error::InvalidCharacter`] or [`Q64Error::WrongPosition`] with the
/// leftmost offending byte, and what those `text.len() / 2` bytes of `output` hold then is
/// unspecified.
///
/// ```
/// use q64::{Q64Error, q64_decode_to_buffer};
///
/// let mut data = [0; 4];
/// assert_eq!(q64_decode_to_buffer("FRj2DU", &mut data), Ok(3));
/// assert_eq!(&data, b"Q64\0");
/// assert_eq!(
///     q64_decode_to_buffer("FRj2DU", &mut data[..2]),
///     Err(Q64Error::BufferTooSmall { needed: 3, available: 2 })
/// );
/// ```
#[inline]
pub fn q64_decode_to_buffer(text: impl AsRef<[u8]>, output: &mut [u8]) -> Result<usize, Q64Error> {
    let text = text.as_ref();
    Encoder::best()
        .decode_into(text, output)
        .map_err(|error| error.explain(text, output.len()))
}

/// The length of the text of `data_len` bytes, or `None` if it does not fit a `usize`.
///
/// ```
/// assert_eq!(q64::q64_encoded_len(384), Some(768));
/// assert_eq!(q64::q64_encoded_len(usize::MAX), None);
/// ```
#[inline]
pub const fn q64_encoded_len(data_len: usize) -> Option<usize> {
    data_len.checked_mul(2)
}

/// The length of the data of `text_len` bytes of text. An odd `text_len` is rounded down; decoding
/// refuses such text.
///
/// ```
/// assert_eq!(q64::q64_decoded_len(768), 384);
/// ```
#[inline]
pub const fn q64_decoded_len(text_len: usize) -> usize {
    text_len / 2
}
