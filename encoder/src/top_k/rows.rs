//! Top-k of every row of a matrix, one after the other in one buffer; with the feature `rayon`, on several threads.

use alloc::string::String;

#[cfg(feature = "rayon")]
use rayon::prelude::*;

use super::text_len;
use crate::batch::whole_rows;
#[cfg(feature = "rayon")]
use crate::batch::{PARALLEL_FROM, rows_per_task};
use crate::dispatch::Encoder;
use crate::error::Q64Error;
use crate::q64::{Out, new_text, uninit};

/// The length of a row's text, and of all of it.
fn text_lens(rows: &[u8], row_len: usize, k: usize) -> Result<(usize, usize), Q64Error> {
    let count = whole_rows(rows.len(), row_len)?;
    let len = text_len(row_len, k)?;
    Ok((len, len.saturating_mul(count)))
}

impl Encoder {
    /// Writes the text of the `k` largest of each of the rows of `row_len` bytes of data that `rows` is made of, as
    /// [`top_k_into`](Self::top_k_into) does, to the front of `output`, and returns its length, which is that of
    /// [`top_k_len`](crate::top_k_len) for each row. Further bytes of `output` are left as they are. Takes the time of
    /// [`top_k_into`](Self::top_k_into) for each row.
    ///
    /// # Errors
    /// The first of these that holds; nothing is written then. [`Q64Error::BadRows`]: `row_len` is 0, or `rows` is not made of
    /// whole rows. [`Q64Error::TooLong`] of a row; [`Q64Error::TooMany`]; [`Q64Error::BufferTooSmall`].
    ///
    /// ```
    /// let mut text = [0; 4];
    /// assert_eq!(q64::Encoder::new().top_k_rows_into(&[5, 9, 7, 2], 2, 1, &mut text), Ok(4));
    /// assert_eq!(&text, b"ARAQ");
    /// ```
    pub fn top_k_rows_into(
        &self,
        rows: &[u8],
        row_len: usize,
        k: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        let (len, needed) = text_lens(rows, row_len, k)?;
        let output = Q64Error::room(output, needed)?;
        // SAFETY: `run_top_k_rows` writes characters of Q64, and nothing else.
        self.run_top_k_rows(rows, row_len, k, len, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// Writes all of `output`, `len` bytes for each row.
    fn run_top_k_rows(
        &self,
        rows: &[u8],
        row_len: usize,
        k: usize,
        len: usize,
        output: &mut [Out],
    ) {
        if len == 0 {
            return;
        }
        let texts = output.chunks_exact_mut(len);
        for (row, text) in rows.chunks_exact(row_len).zip(texts) {
            self.run_top_k(row, k, text);
        }
    }

    /// As [`top_k_rows_into`](Self::top_k_rows_into), on the threads of the current rayon pool. `row_len` is in bytes of data.
    ///
    /// # Errors
    /// As [`top_k_rows_into`](Self::top_k_rows_into).
    ///
    /// # Panics
    /// In rayon, if this thread is in no pool and the global one cannot start.
    ///
    /// ```
    /// let mut text = [0; 4];
    /// assert_eq!(q64::Encoder::new().parallel_top_k_rows_into(&[5, 9, 7, 2], 2, 1, &mut text), Ok(4));
    /// assert_eq!(&text, b"ARAQ");
    /// ```
    #[cfg(feature = "rayon")]
    pub fn parallel_top_k_rows_into(
        &self,
        rows: &[u8],
        row_len: usize,
        k: usize,
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        let (len, needed) = text_lens(rows, row_len, k)?;
        let output = Q64Error::room(output, needed)?;
        // SAFETY: `spread_top_k_rows` writes characters of Q64, and nothing else.
        self.spread_top_k_rows(rows, row_len, k, len, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// [`run_top_k_rows`](Self::run_top_k_rows) in tasks.
    #[cfg(feature = "rayon")]
    fn spread_top_k_rows(
        &self,
        rows: &[u8],
        row_len: usize,
        k: usize,
        len: usize,
        output: &mut [Out],
    ) {
        if rows.len() < PARALLEL_FROM || len == 0 {
            return self.run_top_k_rows(rows, row_len, k, len, output);
        }
        let task = rows_per_task(rows.len() / row_len, row_len);
        rows.par_chunks(row_len * task)
            .zip(output.par_chunks_mut(len * task))
            .for_each(|(rows, text)| self.run_top_k_rows(rows, row_len, k, len, text));
    }
}

/// Returns the text of the `k` largest of each of the rows of `row_len` bytes of data that `rows` is made of, as
/// [`top_k_q64`](crate::top_k_q64) does, one after the other. Takes the time of [`top_k_q64`](crate::top_k_q64) for each row.
///
/// The text has [`top_k_len`](crate::top_k_len)`(row_len, k)` bytes for each row. A large `k` asks for much, however short rows are:
/// up to 131,070 bytes for each row of up to 256 bytes, and up to 262,140 for each longer one.
///
/// # Errors
/// The first of these that holds. [`Q64Error::BadRows`]: `row_len` is 0, or `rows` is not made of whole rows.
/// [`Q64Error::TooLong`] of a row; [`Q64Error::TooMany`].
///
/// # Panics
/// As [`Vec::with_capacity`](alloc::vec::Vec::with_capacity).
///
/// ```
/// assert_eq!(q64::top_k_batch(&[5, 9, 7, 2], 2, 1).unwrap(), "ARAQ");
/// assert_eq!(q64::top_k_batch(&[5, 9, 7, 2], 3, 1).unwrap_err().kind(), "bad_rows");
/// ```
pub fn top_k_batch(rows: &[u8], row_len: usize, k: usize) -> Result<String, Q64Error> {
    let (len, all) = text_lens(rows, row_len, k)?;
    let write = |text: &mut [Out]| Encoder::best().run_top_k_rows(rows, row_len, k, len, text);
    // SAFETY: there is a text of `len` bytes for each row, all of which is written, and nothing but characters.
    Ok(unsafe { new_text(all, write) })
}

/// As [`top_k_batch`], to the front of `output`; returns the length. Further bytes of `output` are left as they are. `row_len` is in
/// bytes of data.
///
/// # Errors
/// As [`Encoder::top_k_rows_into`].
///
/// ```
/// let mut text = [0; 4];
/// assert_eq!(q64::top_k_batch_to_buffer(&[5, 9, 7, 2], 2, 1, &mut text), Ok(4));
/// assert_eq!(&text, b"ARAQ");
/// ```
pub fn top_k_batch_to_buffer(
    rows: &[u8],
    row_len: usize,
    k: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().top_k_rows_into(rows, row_len, k, output)
}

/// As [`top_k_batch`], on the threads of the current rayon pool. `row_len` is in bytes of data.
///
/// # Errors
/// As [`top_k_batch`].
///
/// # Panics
/// As [`top_k_batch`]; and in rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// assert_eq!(q64::parallel_top_k_batch(&[5, 9, 7, 2], 2, 1).unwrap(), "ARAQ");
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_top_k_batch(rows: &[u8], row_len: usize, k: usize) -> Result<String, Q64Error> {
    let (len, all) = text_lens(rows, row_len, k)?;
    let write = |text: &mut [Out]| Encoder::best().spread_top_k_rows(rows, row_len, k, len, text);
    // SAFETY: tasks are made of whole rows, with a text of `len` bytes for each, all of which is written, and nothing but
    // characters.
    Ok(unsafe { new_text(all, write) })
}

/// As [`top_k_batch_to_buffer`], on the threads of the current rayon pool. `row_len` is in bytes of data.
///
/// # Errors
/// As [`Encoder::top_k_rows_into`].
///
/// # Panics
/// In rayon, if this thread is in no pool and the global one cannot start.
///
/// ```
/// let mut text = [0; 4];
/// assert_eq!(q64::parallel_top_k_batch_to_buffer(&[5, 9, 7, 2], 2, 1, &mut text), Ok(4));
/// assert_eq!(&text, b"ARAQ");
/// ```
#[cfg(feature = "rayon")]
pub fn parallel_top_k_batch_to_buffer(
    rows: &[u8],
    row_len: usize,
    k: usize,
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().parallel_top_k_rows_into(rows, row_len, k, output)
}
