//! Batches: the rows of a matrix, each encoded or decoded on its own, one after the other in one buffer.
//!
//! ```text
//! rows    |-- row_len --|-- row_len --|-- row_len --|       each row's positions start at 0
//! text    |------ 2 row_len ------|------ 2 row_len ------|------ 2 row_len ------|
//! ```
//!
//! Where a row's text is a multiple of 4 characters, the next row starts as the text itself does, and all rows are one text:
//! one call of the kernel, whatever their number. Other rows are calls of their own.
//!
//! With the feature `rayon`, runs of whole rows are spread over the current pool of threads.

use alloc::string::String;
use alloc::vec::Vec;

use crate::dispatch::Encoder;
use crate::error::{DecodeError, Q64Error};
use crate::q64::{Out, new_data, new_text, uninit};

#[cfg(feature = "rayon")]
use rayon::prelude::*;

/// The number of rows in a matrix of `len` bytes.
pub(crate) fn whole_rows(len: usize, row_len: usize) -> Result<usize, Q64Error> {
    match len.checked_rem(row_len) {
        Some(0) => Ok(len / row_len),
        _ => Err(Q64Error::BadRows { len, row_len }),
    }
}

/// The same for rows of text, which are pairs of characters.
fn whole_texts(len: usize, row_len: usize) -> Result<usize, Q64Error> {
    match whole_rows(len, row_len)? {
        1.. if !row_len.is_multiple_of(2) => Err(Q64Error::OddLength { len: row_len }),
        rows => Ok(rows),
    }
}

impl Encoder {
    /// Encodes each of the rows of `row_len` bytes of data that `rows` is made of, as [`encode_into`](Self::encode_into) does, into
    /// the first `2 * rows.len()` bytes of `output`, and returns their number. The text of row `r` is the `2 * row_len` bytes from
    /// `2 * row_len * r` on. Linear in the length of `rows`; where `row_len` is odd, with a call of the kernel for each row.
    ///
    /// # Errors
    /// The first of these that holds; nothing is written then. [`Q64Error::BadRows`]: `row_len` is 0, or `rows` is not made of
    /// whole rows. [`Q64Error::BufferTooSmall`].
    ///
    /// ```
    /// let matrix = [0x9f, 0x04, 0xf1, 0x9f, 0x04, 0xf1];
    /// let mut text = [0; 12];
    /// assert_eq!(q64::Encoder::new().encode_rows_into(&matrix, 3, &mut text), Ok(12));
    /// assert_eq!(&text, b"Jfg0PRJfg0PR");
    /// ```
    pub fn encode_rows_into(
        &self,
        rows: &[u8],
        row_len: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        whole_rows(rows.len(), row_len)?;
        let output = Q64Error::room(output, 2 * rows.len())?;
        // SAFETY: `run_encode_rows` writes characters of Q64, and nothing else.
        self.run_encode_rows(rows, row_len, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// Decodes each of the rows of `row_len` characters of text that `text` is made of, as [`decode_into`](Self::decode_into) does,
    /// into the first `text.len() / 2` bytes of `output`, and returns their number. The data of row `r` is the `row_len / 2` bytes
    /// from `row_len / 2 * r` on. Linear in the length of `text`; where `row_len` is no multiple of 4, with a call of the kernel for
    /// each row.
    ///
    /// # Errors
    /// The first of these that holds. [`Q64Error::BadRows`]: `row_len` is 0, or `text` is not made of whole rows.
    /// [`Q64Error::OddLength`] of a row: `row_len` is odd, and there is a row. [`Q64Error::BufferTooSmall`], and nothing is
    /// written. [`Q64Error::InvalidCharacter`] or [`Q64Error::WrongPosition`] with the leftmost offending byte, whose index is
    /// that in all of `text`; what the first `text.len() / 2` bytes of `output` hold then is unspecified.
    ///
    /// ```
    /// use q64::{Encoder, Q64Error};
    ///
    /// let encoder = Encoder::new();
    /// let mut data = [0; 6];
    /// assert_eq!(encoder.decode_rows_into(b"Jfg0PRJfg0PR", 6, &mut data), Ok(6));
    /// assert_eq!(data, [0x9f, 0x04, 0xf1, 0x9f, 0x04, 0xf1]);
    ///
    /// // As one text these were other positions, and refused.
    /// let error = encoder.decode_rows_into(b"Jfg0PRJfg0PR", 12, &mut data).unwrap_err();
    /// assert_eq!(error.position(), Some(6));
    /// ```
    pub fn decode_rows_into(
        &self,
        text: &[u8],
        row_len: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        whole_texts(text.len(), row_len)?;
        let output = Q64Error::room(output, text.len() / 2)?;
        // SAFETY: `run_decode_rows` writes decoded bytes, and nothing else.
        self.run_decode_rows(text, row_len, unsafe { uninit(output) })?;
        Ok(output.len())
    }

    /// Writes all of `output`, which is twice as long as `rows`.
    fn run_encode_rows(&self, rows: &[u8], row_len: usize, output: &mut [Out]) {
        // No rows may have any length, also one that cannot be doubled.
        if row_len.is_multiple_of(2) || rows.is_empty() {
            return self.run_encode(rows, output);
        }
        let texts = output.chunks_exact_mut(2 * row_len);
        for (row, text) in rows.chunks_exact(row_len).zip(texts) {
            self.run_encode(row, text);
        }
    }

    /// Writes all of `output`, which is half as long as `text`, or returns the leftmost offending character.
    fn run_decode_rows(
        &self,
        text: &[u8],
        row_len: usize,
        output: &mut [Out],
    ) -> Result<(), Q64Error> {
        let explain = |error: DecodeError, text: &[u8]| error.explain(text, text.len() / 2);
        // No rows may have any length, also one that cannot be halved.
        if row_len.is_multiple_of(4) || text.is_empty() {
            return self.run_decode(text, output).map_err(|e| explain(e, text));
        }
        let rows = text.chunks_exact(row_len);
        for ((r, row), data) in rows.enumerate().zip(output.chunks_exact_mut(row_len / 2)) {
            self.run_decode(row, data)
                .map_err(|e| explain(e, row).within(r * row_len))?;
        }
        Ok(())
    }
}

/// Encodes each of the rows of `row_len` bytes of data that `rows` is made of, with the best kernels of this CPU, into a new string
/// of `2 * rows.len()` bytes: the text of row `r` is the `2 * row_len` bytes from `2 * row_len * r` on. Linear in the length of
/// `rows`.
///
/// Source: each row is as of [`q64_encode`](crate::q64_encode).
///
/// # Errors
/// [`Q64Error::BadRows`]: `row_len` is 0, or `rows` is not made of whole rows.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// let matrix = [0x9f, 0x04, 0xf1, 0x9f, 0x04, 0xf1];
/// assert_eq!(q64::q64_encode_batch(&matrix, 3).unwrap(), "Jfg0PRJfg0PR");
/// assert_eq!(q64::q64_encode_batch(&matrix, 4).unwrap_err().kind(), "bad_rows");
/// ```
pub fn q64_encode_batch(rows: &[u8], row_len: usize) -> Result<String, Q64Error> {
    whole_rows(rows.len(), row_len)?;
    let write = |text: &mut [Out]| Encoder::best().run_encode_rows(rows, row_len, text);
    // SAFETY: whole rows leave nothing over, of the data or of the text, and a kernel writes all of a row's text.
    Ok(unsafe { new_text(2 * rows.len(), write) })
}

/// As [`q64_encode_batch`], into the first `2 * rows.len()` bytes of `output`; returns their number. `row_len` is in bytes of data.
///
/// # Errors
/// As [`Encoder::encode_rows_into`].
///
/// ```
/// let mut text = [0; 8];
/// assert_eq!(q64::q64_encode_batch_to_buffer(&[0x9f, 0x04], 1, &mut text), Ok(4));
/// assert_eq!(&text, b"JfAU\0\0\0\0");
/// ```
pub fn q64_encode_batch_to_buffer(
    rows: &[u8],
    row_len: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().encode_rows_into(rows, row_len, output)
}

/// Decodes each of the rows of `row_len` characters of text that `text` is made of, with the best kernels of this CPU, into a new
/// vector of `text.len() / 2` bytes: the data of row `r` is the `row_len / 2` bytes from `row_len / 2 * r` on. Linear in the length
/// of `text`.
///
/// Source: each row is as of [`q64_decode`](crate::q64_decode).
///
/// # Errors
/// As [`Encoder::decode_rows_into`], without the one of a buffer.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// assert_eq!(q64::q64_decode_batch("JfAU", 2).unwrap(), [0x9f, 0x04]);
/// assert_eq!(q64::q64_decode_batch("JfAUg0", 2).unwrap_err().position(), Some(4));
/// ```
pub fn q64_decode_batch(text: impl AsRef<[u8]>, row_len: usize) -> Result<Vec<u8>, Q64Error> {
    let text = text.as_ref();
    whole_texts(text.len(), row_len)?;
    let write = |data: &mut [Out]| Encoder::best().run_decode_rows(text, row_len, data);
    // SAFETY: whole rows leave nothing over, and a kernel that succeeds has written all of a row's data.
    unsafe { new_data(text.len() / 2, write) }
}

/// As [`q64_decode_batch`], into the first `text.len() / 2` bytes of `output`; returns their number. `row_len` is in characters of
/// text.
///
/// # Errors
/// As [`Encoder::decode_rows_into`].
///
/// ```
/// let mut data = [0; 2];
/// assert_eq!(q64::q64_decode_batch_to_buffer("JfAU", 2, &mut data), Ok(2));
/// assert_eq!(data, [0x9f, 0x04]);
/// ```
pub fn q64_decode_batch_to_buffer(
    text: impl AsRef<[u8]>,
    row_len: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().decode_rows_into(text.as_ref(), row_len, output)
}

// --------------------------------------------------------------------------------- on several threads

/// The length of data, in bytes, from which batches on several threads are worth more than one task (for simhash, bytes times
/// planes / 64). Shorter ones stay on the calling thread.
//
// A task costs some microseconds, in which one thread encodes as much.
#[cfg(feature = "rayon")]
pub const PARALLEL_FROM: usize = 256 << 10;

/// How many rows of `row_len` bytes of data are worth a task of their own: a few tasks per thread, so that a thread that is held
/// up leaves some to others.
#[cfg(feature = "rayon")]
pub(crate) fn rows_per_task(rows: usize, row_len: usize) -> usize {
    let tasks = 4 * rayon::current_num_threads();
    let least = (PARALLEL_FROM / 2).div_ceil(row_len.max(1));
    rows.div_ceil(tasks).max(least)
}

#[cfg(feature = "rayon")]
impl Encoder {
    /// As [`encode_rows_into`](Self::encode_rows_into), on the threads of the current rayon pool. `row_len` is in bytes of data.
    ///
    /// # Errors
    /// As [`encode_rows_into`](Self::encode_rows_into).
    ///
    /// # Panics
    /// In rayon, if this thread is in no pool and the global one cannot start.
    ///
    /// ```
    /// let mut text = [0; 4];
    /// assert_eq!(q64::Encoder::new().parallel_encode_rows_into(&[0x9f, 0x04], 1, &mut text), Ok(4));
    /// assert_eq!(&text, b"JfAU");
    /// ```
    pub fn parallel_encode_rows_into(
        &self,
        rows: &[u8],
        row_len: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        whole_rows(rows.len(), row_len)?;
        let output = Q64Error::room(output, 2 * rows.len())?;
        // SAFETY: `spread_encode_rows` writes characters of Q64, and nothing else.
        self.spread_encode_rows(rows, row_len, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// As [`decode_rows_into`](Self::decode_rows_into), on the threads of the current rayon pool. The error is the leftmost one,
    /// whichever thread was first. `row_len` is in characters of text.
    ///
    /// # Errors
    /// As [`decode_rows_into`](Self::decode_rows_into).
    ///
    /// # Panics
    /// In rayon, if this thread is in no pool and the global one cannot start.
    ///
    /// ```
    /// let mut data = [0; 2];
    /// assert_eq!(q64::Encoder::new().parallel_decode_rows_into(b"JfAU", 2, &mut data), Ok(2));
    /// assert_eq!(data, [0x9f, 0x04]);
    /// ```
    pub fn parallel_decode_rows_into(
        &self,
        text: &[u8],
        row_len: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        whole_texts(text.len(), row_len)?;
        let output = Q64Error::room(output, text.len() / 2)?;
        // SAFETY: `spread_decode_rows` writes decoded bytes, and nothing else.
        self.spread_decode_rows(text, row_len, unsafe { uninit(output) })?;
        Ok(output.len())
    }

    /// [`run_encode_rows`](Self::run_encode_rows) in tasks.
    fn spread_encode_rows(&self, rows: &[u8], row_len: usize, output: &mut [Out]) {
        if rows.len() < PARALLEL_FROM {
            return self.run_encode_rows(rows, row_len, output);
        }
        // Whether streaming stores pay depends on the length of the whole; rows that are encoded one by one are none.
        let whole = row_len.is_multiple_of(2);
        let encoder = match whole && rows.len() >= self.streams_from {
            true => self.streams_from(0),
            false => *self,
        };
        let task = row_len * rows_per_task(rows.len() / row_len, row_len);
        rows.par_chunks(task)
            .zip(output.par_chunks_mut(2 * task))
            .for_each(|(rows, text)| encoder.run_encode_rows(rows, row_len, text));
    }

    /// [`run_decode_rows`](Self::run_decode_rows) in tasks.
    fn spread_decode_rows(
        &self,
        text: &[u8],
        row_len: usize,
        output: &mut [Out],
    ) -> Result<(), Q64Error> {
        if text.len() / 2 < PARALLEL_FROM {
            return self.run_decode_rows(text, row_len, output);
        }
        let task = row_len * rows_per_task(text.len() / row_len, row_len / 2);
        text.par_chunks(task)
            .zip(output.par_chunks_mut(task / 2))
            .enumerate()
            .map(|(i, (text, data))| {
                self.run_decode_rows(text, row_len, data)
                    .map_err(|error| error.within(i * task))
            })
            // Of two results the left one's error is taken, so that the leftmost is left.
            .reduce(|| Ok(()), Result::and)
    }
}

/// As [`q64_encode_batch`], on the threads of the current rayon pool. `row_len` is in bytes of data.
///
/// # Errors
/// As [`q64_encode_batch`].
///
/// # Panics
/// As [`q64_encode_batch`]; and in rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// let text = q64::parallel_q64_encode_batch(&[0; 768], 384)?;
/// assert_eq!(text, q64::q64_encode_batch(&[0; 768], 384)?);
/// # Ok::<(), q64::Q64Error>(())
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_q64_encode_batch(rows: &[u8], row_len: usize) -> Result<String, Q64Error> {
    whole_rows(rows.len(), row_len)?;
    let write = |text: &mut [Out]| Encoder::best().spread_encode_rows(rows, row_len, text);
    // SAFETY: tasks are made of whole rows and are as many for the text as for the data, and a kernel writes all of a row's text.
    Ok(unsafe { new_text(2 * rows.len(), write) })
}

/// As [`q64_encode_batch_to_buffer`], on the threads of the current rayon pool. `row_len` is in bytes of data.
///
/// # Errors
/// As [`Encoder::encode_rows_into`].
///
/// # Panics
/// In rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// let mut text = [0; 4];
/// assert_eq!(q64::parallel_q64_encode_batch_to_buffer(&[0x9f, 0x04], 1, &mut text), Ok(4));
/// assert_eq!(&text, b"JfAU");
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_q64_encode_batch_to_buffer(
    rows: &[u8],
    row_len: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().parallel_encode_rows_into(rows, row_len, output)
}

/// As [`q64_decode_batch`], on the threads of the current rayon pool. The error is the leftmost one, whichever thread was first.
/// `row_len` is in characters of text.
///
/// # Errors
/// As [`q64_decode_batch`].
///
/// # Panics
/// As [`q64_decode_batch`]; and in rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// assert_eq!(q64::parallel_q64_decode_batch("JfAU", 2).unwrap(), [0x9f, 0x04]);
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_q64_decode_batch(
    text: impl AsRef<[u8]>,
    row_len: usize,
) -> Result<Vec<u8>, Q64Error> {
    let text = text.as_ref();
    whole_texts(text.len(), row_len)?;
    let write = |data: &mut [Out]| Encoder::best().spread_decode_rows(text, row_len, data);
    // SAFETY: tasks are made of whole rows and are as many for the data as for the text, and a kernel that succeeds has written
    // all of a row's data.
    unsafe { new_data(text.len() / 2, write) }
}

/// As [`q64_decode_batch_to_buffer`], on the threads of the current rayon pool. The error is the leftmost one, whichever thread
/// was first. `row_len` is in characters of text.
///
/// # Errors
/// As [`Encoder::decode_rows_into`].
///
/// # Panics
/// In rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// let mut data = [0; 2];
/// assert_eq!(q64::parallel_q64_decode_batch_to_buffer("JfAU", 2, &mut data), Ok(2));
/// assert_eq!(data, [0x9f, 0x04]);
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_q64_decode_batch_to_buffer(
    text: impl AsRef<[u8]>,
    row_len: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().parallel_decode_rows_into(text.as_ref(), row_len, output)
}
