//! Simhash: on which side of each of some random planes a vector lies, a bit for each plane, as Q64 text.
//!
//! This file has the format, the table of kernels, what all kernels share (the driver), and the API. [`matrix`] has the planes;
//! the other files of this folder are the kernels, one file per instruction set.

use alloc::string::String;
use core::array;

use crate::batch::whole_rows;
use crate::dispatch::{Encoder, Paths, Row, on_aarch64, on_x86_64};
use crate::error::Q64Error;
use crate::isa::Isa;
use crate::q64::{Out, new_text, uninit};

#[cfg(feature = "rayon")]
use crate::batch::{PARALLEL_FROM, rows_per_task};
#[cfg(feature = "rayon")]
use rayon::prelude::*;

mod matrix;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use matrix::{MOST_WEIGHTS, Matrix, PLANES, Weights};

// -------------------------------------------------------------------------------------- the format

/// What a byte stands for: a number from -1 to 127/128, exactly.
static CENTRED: [f32; 256] = {
    let mut centred = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        centred[byte] = (byte as f32 - 128.0) / 128.0;
        byte += 1;
    }
    centred
};

const MOST_PLANES: usize = 1 << 16;

// ------------------------------------------------------------------------------------- the kernels

/// For each of the rows that `rows` is made of, the signs of its sums with the planes of a panel: bit `p` is set if that of plane
/// `p` is greater than 0. A panel has the weights of each dim, a row a byte for each; rows are as many as `signs`, else the kernel
/// panics.
///
/// # Safety
/// The ISA of the kernel's row is available.
pub(crate) type SimhashKernel = unsafe fn(panel: &[Weights], rows: &[u8], signs: &mut [u64]);

/// The kernels of `simhash_q64`.
pub(crate) const SIMHASH_PATHS: Paths<SimhashKernel> = Paths::new(
    scalar::simhash,
    [
        // Plain Rust is vectors of 16 bytes already where those are had without asking: intrinsics gave 1.0 of its speed for one row,
        // and 1.07 where four rows share what they read (Zen 3).
        (Isa::Sse2, Row::Nothing),
        (Isa::Ssse3, Row::Nothing),
        (Isa::Avx2, on_x86_64!(avx2::simhash)),
        (Isa::Avx512, on_x86_64!(avx512::simhash)),
        // Neither permutes of bytes nor GFNI do anything for floats.
        (Isa::Avx512vbmi, Row::Nothing),
        (Isa::Avx512gfni, Row::Nothing),
        (Isa::Neon, on_aarch64!(neon::simhash)),
    ],
);

// -------------------------------------------------------------------------------------- the driver
//
// The order of every sum is part of the format: along the dims from left to right, each product rounded and then added. So a vector
// holds planes, never dims, and nothing is fused:
//
//     sums      p0 p1 p2 ..                     0 at first
//     weights   p0 p1 p2 ..   of dim d          read once for all rows that are summed together
//     centred   c  c  c  ..   of dim d, a row   by table from the row's byte
//     sums      sums + (weights * centred)      for d = 0, 1, 2 ..
//     signs     p0 p1 p2 ..                     a bit each: sum > 0
//
// A row by itself is bound by reading the panel, 256 bytes a dim, from the L2; rows that share what is read, by arithmetic.
//
// Tried and lost, as a share of this speed (Zen 3, AVX2, 768 dims):
// - bytes centred 256 at a time into a buffer on the stack: 0.95 for one row and 0.45 for four, where sums then have to be kept
//   between buffers, and spill
// - a table of eight equal floats instead of a broadcast: 0.95 for one row, 1.0 to 1.1 for four
// - six rows instead of four: 1.05 for many rows, but fewer than six are one by one

/// A kernel, made of vectors `V`, `ALL` of which hold a panel's planes: `ONE` of them are summed at a time for a row by itself,
/// `MANY` for `ROWS` rows together, as many as registers allow. Always inlined into a kernel's `#[target_feature]` function, and so are
/// the closures, made there: each kernel becomes two tight loops, and nothing here is unsafe.
#[inline(always)]
fn project<V: Copy, const ALL: usize, const ONE: usize, const MANY: usize, const ROWS: usize>(
    panel: &[Weights],
    rows: &[u8],
    signs: &mut [u64],
    vectors: Vectors<
        impl Fn() -> V,
        impl Fn(&Weights, usize) -> V,
        impl Fn(V, V, f32) -> V,
        impl Fn(V) -> u64,
    >,
) {
    let dims = panel.len();
    assert!(rows.len() == dims * signs.len(), "a sign for every row");
    let (groups, rest) = signs.as_chunks_mut::<ROWS>();
    let (grouped, single) = rows.split_at(groups.len() * ROWS * dims);
    for (rows, signs) in grouped.chunks_exact(ROWS * dims).zip(groups) {
        let rows = array::from_fn(|r| &rows[r * dims..][..dims]);
        *signs = together::<V, ALL, MANY, ROWS>(panel, rows, &vectors);
    }
    for (row, sign) in single.chunks_exact(dims).zip(rest) {
        [*sign] = together::<V, ALL, ONE, 1>(panel, [row], &vectors);
    }
}

/// What an instruction set can do with vectors of planes.
struct Vectors<Z, L, A, P> {
    /// 0 in each.
    zero: Z,
    /// Vector `i` of those that hold the weights of a dim.
    load: L,
    /// A sum, and to it the product of weights and a centred byte: rounded, and then added.
    add: A,
    /// A bit for each plane, the first one lowest: whether its sum is greater than 0.
    positive: P,
}

/// The signs of `R` rows, `N` of `ALL` vectors at a time.
#[inline(always)]
fn together<V: Copy, const ALL: usize, const N: usize, const R: usize>(
    panel: &[Weights],
    rows: [&[u8]; R],
    vectors: &Vectors<
        impl Fn() -> V,
        impl Fn(&Weights, usize) -> V,
        impl Fn(V, V, f32) -> V,
        impl Fn(V) -> u64,
    >,
) -> [u64; R] {
    let mut signs = [0; R];
    for first in (0..ALL).step_by(N) {
        let rows = rows.map(|row| &row[..panel.len()]);
        let mut sums = [[(vectors.zero)(); N]; R];
        for d in 0..panel.len() {
            let weights: [V; N] = array::from_fn(|i| (vectors.load)(&panel[d], first + i));
            for r in 0..R {
                let centred = CENTRED[usize::from(rows[r][d])];
                for i in 0..N {
                    sums[r][i] = (vectors.add)(sums[r][i], weights[i], centred);
                }
            }
        }
        for (signs, sums) in signs.iter_mut().zip(sums) {
            for (i, sums) in sums.into_iter().enumerate() {
                *signs |= (vectors.positive)(sums) << ((first + i) * (PLANES / ALL));
            }
        }
    }
    signs
}

// ----------------------------------------------------------------------------------------- the API

/// Rows whose signs are kept on the stack, between the kernel and the text.
const RUN: usize = 32;

/// Rows that share each look at the matrix, in every kernel that has such.
#[cfg(feature = "rayon")]
const TOGETHER: usize = 4;

/// How many bytes of text a simhash of `planes` planes has: two for every 8 planes or part of 8. Answers for any number, also for
/// more planes than [`simhash_q64`] allows.
///
/// ```
/// assert_eq!(q64::simhash_len(64), 16);
/// assert_eq!(q64::simhash_len(65), 18);
/// ```
#[inline]
pub const fn simhash_len(planes: usize) -> usize {
    2 * planes.div_ceil(8)
}

/// Whether there can be a matrix of so many planes for rows of `dims` bytes.
fn bounded(planes: usize, dims: usize) -> Result<(), Q64Error> {
    if planes > MOST_PLANES {
        let most = MOST_PLANES;
        return Err(Q64Error::TooMany {
            asked: planes,
            most,
        });
    }
    match MOST_WEIGHTS.checked_div(planes.div_ceil(PLANES)) {
        Some(most) if dims > most => Err(Q64Error::TooLong { len: dims, most }),
        _ => Ok(()),
    }
}

/// How many rows there are, and bytes in all of their text.
fn sizes(rows: &[u8], row_len: usize, planes: usize) -> Result<(usize, usize), Q64Error> {
    let count = whole_rows(rows.len(), row_len)?;
    bounded(planes, row_len)?;
    // Where this is not the product, no buffer is as large.
    Ok((count, count.saturating_mul(simhash_len(planes))))
}

impl Encoder {
    /// Writes the simhash of `data` into the first [`simhash_len`]`(planes)` bytes of `output` and returns their number. Further
    /// bytes of `output` are left as they are.
    ///
    /// # Errors
    /// As [`simhash_q64`], and then [`Q64Error::BufferTooSmall`]; nothing is written.
    ///
    /// # Panics
    /// If there is no memory for the matrix; later calls are not affected.
    ///
    /// ```
    /// let mut text = [0; 18];
    /// assert_eq!(q64::Encoder::new().simhash_into(&[0x3d], 64, &mut text), Ok(16));
    /// assert_eq!(&text, b"CekxHbozJYk0Fejz\0\0");
    /// ```
    pub fn simhash_into(
        &self,
        data: &[u8],
        planes: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        bounded(planes, data.len())?;
        let output = Q64Error::room(output, simhash_len(planes))?;
        // SAFETY: `run_simhash` writes characters of Q64, and nothing else.
        self.run_simhash(data, 1, planes, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// The simhash of `data`, with the kernels of this handle.
    ///
    /// # Errors
    /// As [`simhash_q64`].
    ///
    /// # Panics
    /// As [`simhash_q64`].
    ///
    /// ```
    /// assert_eq!(q64::Encoder::new().simhash(&[0x3d], 64).unwrap(), "CekxHbozJYk0Fejz");
    /// ```
    pub fn simhash(&self, data: &[u8], planes: usize) -> Result<String, Q64Error> {
        bounded(planes, data.len())?;
        let write = |text: &mut [Out]| self.run_simhash(data, 1, planes, text);
        // SAFETY: all of the text of one row is written, with characters of Q64.
        Ok(unsafe { new_text(simhash_len(planes), write) })
    }

    /// Writes the simhash of each of the rows of `row_len` bytes of data that `rows` is made of, and returns how many bytes that are:
    /// that of row `r` is the [`simhash_len`]`(planes)` bytes from `simhash_len(planes) * r` on. Faster than row by row, because four
    /// rows share each look at the matrix.
    ///
    /// # Errors
    /// The first of these that holds; nothing is written then. [`Q64Error::BadRows`]: `row_len` is 0, or `rows` is not made of
    /// whole rows. [`Q64Error::TooMany`] and [`Q64Error::TooLong`], of a row, as [`simhash_q64`]. [`Q64Error::BufferTooSmall`].
    ///
    /// # Panics
    /// If there is no memory for the matrix; later calls are not affected.
    ///
    /// ```
    /// let mut text = [0; 16];
    /// assert_eq!(q64::Encoder::new().simhash_rows_into(&[0x3d, 0x3d], 1, 32, &mut text), Ok(16));
    /// assert_eq!(&text, b"CekxHbozCekxHboz");
    /// ```
    pub fn simhash_rows_into(
        &self,
        rows: &[u8],
        row_len: usize,
        planes: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        let (count, len) = sizes(rows, row_len, planes)?;
        let output = Q64Error::room(output, len)?;
        // SAFETY: `run_simhash` writes characters of Q64, and nothing else.
        self.run_simhash(rows, count, planes, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// Writes all of `output`, which has [`simhash_len`]`(planes)` bytes for each of the `count` rows that `rows` is made of.
    fn run_simhash(&self, rows: &[u8], count: usize, planes: usize, output: &mut [Out]) {
        if output.is_empty() {
            return;
        }
        let (dims, panels) = (rows.len() / count, planes.div_ceil(PLANES));
        if dims == 0 {
            // Sums of nothing are 0, and there is no matrix for them.
            return (0..panels).for_each(|panel| self.write_signs(&[0], panel, planes, output));
        }
        self.project_rows(&matrix::matrix(panels, dims), rows, planes, output);
    }

    /// The same with the matrix for rows that are not empty.
    #[inline(always)]
    fn project_rows(&self, matrix: &Matrix, rows: &[u8], planes: usize, output: &mut [Out]) {
        // All rows go over a panel before the next one, so that it is in the cache for all but the first of them.
        for (p, panel) in matrix.panels().take(planes.div_ceil(PLANES)).enumerate() {
            let dims = panel.len();
            let texts = output.chunks_mut(RUN * simhash_len(planes));
            for (rows, texts) in rows.chunks(RUN * dims).zip(texts) {
                let signs = &mut [0; RUN][..rows.len() / dims];
                // SAFETY: the kernel asks that its ISA is available; a handle holds no other kernels.
                unsafe { (self.simhash.kernel())(panel, rows, signs) };
                self.write_signs(signs, p, planes, texts);
            }
        }
    }

    /// Writes that part of each row's text which is of panel `panel`: 16 characters, whole turns of the alphabets, or what is left.
    fn write_signs(&self, signs: &[u64], panel: usize, planes: usize, texts: &mut [Out]) {
        let first = panel * PLANES;
        let asked = u64::MAX >> (PLANES - (planes - first).min(PLANES));
        let text_len = simhash_len(planes);
        let part = simhash_len(first)..text_len.min(simhash_len(first + PLANES));
        for (signs, text) in signs.iter().zip(texts.chunks_exact_mut(text_len)) {
            // The first plane's bit is the lowest of the signs, and the highest of the first byte.
            let bytes = (signs & asked).to_le_bytes().map(u8::reverse_bits);
            self.run_encode(&bytes[..part.len() / 2], &mut text[part.clone()]);
        }
    }
}

/// The simhash of `data`, a vector of a byte for each dim, with the best kernels of this CPU: for each of `planes` random planes a
/// bit that says on which side of it the vector lies, packed with the first plane's bit highest, the last byte filled up with
/// zeros, and encoded as Q64 of [`simhash_len`]`(planes)` characters. Vectors that point in similar directions differ in few bits.
///
/// A byte `b` stands for (b - 128) / 128, so that data of 128s lies on every plane, as empty data does; on a plane is a bit of 0. The
/// bits are the same on every CPU: products are rounded and added in the order of the dims. Fewer planes give the first bits of more.
///
/// The planes are `Normal(0, 1)` of rand_distr 0.4 over `ChaCha8Rng::seed_from_u64(42)` of rand_chacha 0.3, one after the other.
/// They are made by the first call for a number of dims and planes, in about 8 ns for each dim of each plane (planes rounded up to
/// a multiple of 64), and kept for others, in all threads: up to 256 MiB, of which those go first that have not been used for
/// longest. Matrices that running calls use come on top of that. A call takes time in proportion to dims times planes: 2 µs for
/// 768 dims and 64 planes.
///
/// Source: `simhash_q64` of `uubed-core` 1.0.14.
///
/// Source: M. S. Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002.
///
/// # Errors
/// [`Q64Error::TooMany`]: more than 65,536 planes. [`Q64Error::TooLong`]: more than 2²⁶ numbers in the matrix, which are 256 MiB: with
/// up to 64 planes that are more than 1,048,576 bytes of data, with 65,536 planes more than 1,024.
///
/// # Panics
/// If there is no memory for the matrix; later calls are not affected. For the string as
/// [`Vec::with_capacity`](alloc::vec::Vec::with_capacity).
///
/// ```
/// assert_eq!(q64::simhash_q64(&[0x3d], 64).unwrap(), "CekxHbozJYk0Fejz");
/// assert_eq!(q64::simhash_q64(&[128; 384], 8).unwrap(), "AQ");
/// assert_eq!(q64::simhash_q64(&[0x3d], 65_537).unwrap_err().kind(), "too_many");
/// ```
pub fn simhash_q64(data: &[u8], planes: usize) -> Result<String, Q64Error> {
    Encoder::best().simhash(data, planes)
}

/// As [`simhash_q64`], into the first [`simhash_len`]`(planes)` bytes of `output`; returns their number. Further bytes of `output`
/// are left as they are.
///
/// # Errors
/// As [`simhash_q64`], and then [`Q64Error::BufferTooSmall`]; nothing is written.
///
/// # Panics
/// If there is no memory for the matrix; later calls are not affected.
///
/// ```
/// let mut text = [0; q64::simhash_len(64)];
/// assert_eq!(q64::simhash_to_buffer(&[0x3d], 64, &mut text), Ok(16));
/// assert_eq!(&text, b"CekxHbozJYk0Fejz");
/// ```
pub fn simhash_to_buffer(data: &[u8], planes: usize, output: &mut [u8]) -> Result<usize, Q64Error> {
    Encoder::best().simhash_into(data, planes, output)
}

/// The simhash of each of the rows of `row_len` bytes of data that `rows` is made of, with the best kernels of this CPU, in a new
/// string: that of row `r` is the [`simhash_len`]`(planes)` bytes from `simhash_len(planes) * r` on. Faster than row by row; takes
/// time in proportion to the length of `rows` times planes.
///
/// Many planes ask for much, however short rows are: up to 16,384 bytes of text for each row.
///
/// # Errors
/// As [`Encoder::simhash_rows_into`], without the one of a buffer.
///
/// # Panics
/// As [`simhash_q64`].
///
/// ```
/// assert_eq!(q64::simhash_batch(&[0x3d, 0x80], 1, 32).unwrap(), "CekxHbozAQgwAQgw");
/// assert_eq!(q64::simhash_batch(&[0x3d, 0x80], 3, 32).unwrap_err().kind(), "bad_rows");
/// ```
pub fn simhash_batch(rows: &[u8], row_len: usize, planes: usize) -> Result<String, Q64Error> {
    let (count, len) = sizes(rows, row_len, planes)?;
    let write = |text: &mut [Out]| Encoder::best().run_simhash(rows, count, planes, text);
    // SAFETY: all of the text of every row is written, with characters of Q64.
    Ok(unsafe { new_text(len, write) })
}

/// As [`simhash_batch`], into the front of `output`; returns how many bytes that are. `row_len` is in bytes of data.
///
/// # Errors
/// As [`Encoder::simhash_rows_into`].
///
/// # Panics
/// If there is no memory for the matrix; later calls are not affected.
///
/// ```
/// let mut text = [0; 16];
/// assert_eq!(q64::simhash_batch_to_buffer(&[0x3d, 0x80], 1, 32, &mut text), Ok(16));
/// assert_eq!(&text, b"CekxHbozAQgwAQgw");
/// ```
pub fn simhash_batch_to_buffer(
    rows: &[u8],
    row_len: usize,
    planes: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().simhash_rows_into(rows, row_len, planes, output)
}

// --------------------------------------------------------------------------------- on several threads

#[cfg(feature = "rayon")]
impl Encoder {
    /// As [`simhash_rows_into`](Self::simhash_rows_into), on the threads of the current rayon pool. `row_len` is in bytes of data.
    /// A task has whole fours of rows: up to four rows are one task.
    ///
    /// # Errors
    /// As [`simhash_rows_into`](Self::simhash_rows_into).
    ///
    /// # Panics
    /// As [`simhash_rows_into`](Self::simhash_rows_into); and in rayon, if this thread is in no pool and the global one cannot start.
    ///
    /// ```
    /// let mut text = [0; 16];
    /// let encoder = q64::Encoder::new();
    /// assert_eq!(encoder.parallel_simhash_rows_into(&[0x3d, 0x80], 1, 32, &mut text), Ok(16));
    /// assert_eq!(&text, b"CekxHbozAQgwAQgw");
    /// ```
    pub fn parallel_simhash_rows_into(
        &self,
        rows: &[u8],
        row_len: usize,
        planes: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        let (count, len) = sizes(rows, row_len, planes)?;
        let output = Q64Error::room(output, len)?;
        // SAFETY: `spread_simhash` writes characters of Q64, and nothing else.
        self.spread_simhash(rows, count, planes, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// [`run_simhash`](Self::run_simhash) in tasks.
    fn spread_simhash(&self, rows: &[u8], count: usize, planes: usize, output: &mut [Out]) {
        // Each byte is work for each panel.
        let panels = planes.div_ceil(PLANES);
        if rows.len().saturating_mul(panels) < PARALLEL_FROM {
            return self.run_simhash(rows, count, planes, output);
        }
        let row_len = rows.len() / count;
        // Made before the threads are asked: none of them waits for another that makes it.
        let matrix = matrix::matrix(panels, row_len);
        let _ = matrix.panels();
        let task = rows_per_task(count, row_len * panels).next_multiple_of(TOGETHER);
        rows.par_chunks(task * row_len)
            .zip(output.par_chunks_mut(task * simhash_len(planes)))
            .for_each(|(rows, text)| self.project_rows(&matrix, rows, planes, text));
    }
}

/// As [`simhash_batch`], on the threads of the current rayon pool. `row_len` is in bytes of data. A task has whole fours of rows: up
/// to four rows are one task.
///
/// # Errors
/// As [`simhash_batch`].
///
/// # Panics
/// As [`simhash_q64`]; and in rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// let text = q64::parallel_simhash_batch(&[0x3d, 0x80], 1, 32)?;
/// assert_eq!(text, q64::simhash_batch(&[0x3d, 0x80], 1, 32)?);
/// # Ok::<(), q64::Q64Error>(())
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_simhash_batch(
    rows: &[u8],
    row_len: usize,
    planes: usize,
) -> Result<String, Q64Error> {
    let (count, len) = sizes(rows, row_len, planes)?;
    let write = |text: &mut [Out]| Encoder::best().spread_simhash(rows, count, planes, text);
    // SAFETY: tasks are made of whole rows and are as many for the text as for the rows, and each writes all of its text, with
    // characters of Q64.
    Ok(unsafe { new_text(len, write) })
}

/// As [`simhash_batch_to_buffer`], on the threads of the current rayon pool. `row_len` is in bytes of data. A task has whole fours
/// of rows: up to four rows are one task.
///
/// # Errors
/// As [`Encoder::simhash_rows_into`].
///
/// # Panics
/// As [`simhash_batch_to_buffer`]; and in rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// let mut text = [0; 16];
/// assert_eq!(q64::parallel_simhash_batch_to_buffer(&[0x3d, 0x80], 1, 32, &mut text), Ok(16));
/// assert_eq!(&text, b"CekxHbozAQgwAQgw");
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_simhash_batch_to_buffer(
    rows: &[u8],
    row_len: usize,
    planes: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().parallel_simhash_rows_into(rows, row_len, planes, output)
}
