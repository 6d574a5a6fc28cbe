//! Streams: Q64 text written and read in chunks of any length, as one text.
//!
//! ```text
//! written   | b0 b1 b2 | b3 | b4 b5 ...        chunks of data
//! text      | c0 ............... c11 ...       positions go on where the chunk before has ended
//! ```
//!
//! Kernels start at a multiple of 4 in the text. Where a chunk starts at two more, its first byte goes through a kernel behind a
//! byte that is thrown away.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::vec;
use std::vec::Vec;

use crate::dispatch::Encoder;
use crate::error::Q64Error;

/// The bytes of text that are kept at a time.
const BUFFER: usize = 32 << 10;

const TAKEN_ONCE: &str = "only `finish` takes the inner writer, and takes this one too";
const ROOM: &str = "the buffer has two bytes for each of these";

/// Encodes what is written to it, and writes the text to another writer: all that is written is one Q64 text, in chunks of
/// whatever lengths it comes.
///
/// Linear in what is written. Up to 32 KiB of text wait in a buffer until [`flush`](Write::flush) or [`finish`](Self::finish). Dropping the writer writes
/// them too, but cannot report an error.
///
/// A write is refused with the error of the inner writer before any of its bytes is taken; no text is lost or written twice by
/// that, and the same bytes can be written again.
///
/// ```
/// use std::io::Write;
///
/// let mut writer = q64::EncodeWriter::new(Vec::new());
/// writer.write_all(b"Q")?;
/// writer.write_all(b"64")?;
/// assert_eq!(writer.finish()?, b"FRj2DU");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct EncodeWriter<W: Write> {
    encoder: Encoder,
    /// None only after `finish`.
    inner: Option<W>,
    text: Vec<u8>,
    /// What of `text` the inner writer has taken, and up to where it is filled.
    taken: usize,
    filled: usize,
    /// Whether an odd number of bytes was encoded.
    odd: bool,
    /// Whether the inner writer is being called: still so when this is dropped, it panicked, and what it has taken is unknown.
    calling: bool,
}

impl<W: Write> EncodeWriter<W> {
    /// A writer of text into `inner`, with the best kernels of this CPU.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let mut writer = q64::EncodeWriter::new(Vec::new());
    /// writer.write_all(b"Q64")?;
    /// assert_eq!(writer.finish()?, b"FRj2DU");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(inner: W) -> Self {
        Self::with_encoder(Encoder::new(), inner)
    }

    /// The same with kernels of your choice.
    ///
    /// ```
    /// use q64::{EncodeWriter, Encoder, Isa};
    ///
    /// let scalar = Encoder::with(Isa::Scalar).expect("always available");
    /// assert_eq!(EncodeWriter::with_encoder(scalar, Vec::new()).finish()?, b"");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with_encoder(encoder: Encoder, inner: W) -> Self {
        Self {
            encoder,
            inner: Some(inner),
            text: vec![0; BUFFER],
            taken: 0,
            filled: 0,
            odd: false,
            calling: false,
        }
    }

    /// Writes what waits, flushes the inner writer and gives it back.
    ///
    /// # Errors
    /// That of the inner writer, which is lost then, as what waits is. [`flush`](Write::flush) before this does the same, and can
    /// be repeated.
    ///
    /// ```
    /// let mut writer = q64::EncodeWriter::new(Vec::new());
    /// std::io::copy(&mut &b"Q64"[..], &mut writer)?;
    /// assert_eq!(writer.finish()?, b"FRj2DU");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn finish(mut self) -> io::Result<W> {
        let flushed = self.flush();
        // Nothing is left to be written when this is dropped.
        let inner = self.inner.take().expect(TAKEN_ONCE);
        flushed.map(|()| inner)
    }

    /// The inner writer. What waits has not reached it yet.
    ///
    /// # Panics
    /// Never: only [`finish`](Self::finish) takes it out.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let mut writer = q64::EncodeWriter::new(Vec::new());
    /// writer.write_all(b"Q64")?;
    /// assert_eq!(writer.get_ref(), b"");
    /// writer.flush()?;
    /// assert_eq!(writer.get_ref(), b"FRj2DU");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn get_ref(&self) -> &W {
        self.inner.as_ref().expect(TAKEN_ONCE)
    }

    /// Writes what waits.
    fn drain(&mut self) -> io::Result<()> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        while self.taken < self.filled {
            self.calling = true;
            let took = inner.write(&self.text[self.taken..self.filled]);
            self.calling = false;
            match took {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(took) => self.taken += took,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.taken, self.filled) = (0, 0);
        Ok(())
    }

    /// Encodes data whose text there is room for.
    fn push(&mut self, data: &[u8]) {
        let mut text = &mut self.text[self.filled..self.filled + 2 * data.len()];
        let mut even = data;
        if let (true, [first, rest @ ..]) = (self.odd, data) {
            let mut behind_zero = [0; 4];
            let encoded = self.encoder.encode_into(&[0, *first], &mut behind_zero);
            encoded.expect(ROOM);
            let (pair, texts) = text.split_at_mut(2);
            pair.copy_from_slice(&behind_zero[2..]);
            (even, text) = (rest, texts);
        }
        self.encoder.encode_into(even, text).expect(ROOM);
        self.filled += 2 * data.len();
        self.odd ^= data.len() % 2 == 1;
    }
}

impl<W: Write> Write for EncodeWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.filled == BUFFER {
            self.drain()?;
        }
        let fits = data.len().min((BUFFER - self.filled) / 2);
        self.push(&data[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.inner.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl<W: Write> Drop for EncodeWriter<W> {
    fn drop(&mut self) {
        if !self.calling {
            let _ = self.drain();
        }
    }
}

/// Decodes the Q64 text that another reader gives, in chunks of whatever lengths: what is read is the data. Linear in the text, of
/// which up to 32 KiB are kept.
///
/// The text is refused as by [`q64_decode`](crate::q64_decode), with an error of kind [`InvalidData`](io::ErrorKind::InvalidData)
/// that holds the [`Q64Error`], whose position counts from where the reader started. A stream is not known beforehand, and so
/// *its* first error is that of the first character that its position does not allow, even if an odd length shows later. All data
/// before that character is read first; then every read gives the same error. A last character without another is reported as
/// [`OddLength`](Q64Error::OddLength), even if it is no character of Q64.
///
/// Positions are counted in `usize`: on targets of 32 bits they are right for less than 4 GiB of text, and then start again from 0
/// (where the overflow of integers is checked, reading panics).
///
/// Other errors of the inner reader are passed on, [`Interrupted`](io::ErrorKind::Interrupted) too, and reading can go on after
/// them: nothing is lost.
///
/// ```
/// use std::io::Read;
///
/// let mut data = Vec::new();
/// q64::DecodeReader::new(&b"FRj2DU"[..]).read_to_end(&mut data)?;
/// assert_eq!(data, b"Q64");
///
/// let error = q64::DecodeReader::new(&b"FRj!"[..]).read_to_end(&mut data).unwrap_err();
/// let error = error.get_ref().and_then(|e| e.downcast_ref::<q64::Q64Error>());
/// assert_eq!(error.and_then(|e| e.position()), Some(3));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DecodeReader<R> {
    encoder: Encoder,
    inner: R,
    text: Vec<u8>,
    /// What of `text` was read and is not decoded yet.
    start: usize,
    end: usize,
    /// The index of `text[start]` in all of the text.
    position: usize,
}

impl<R: Read> DecodeReader<R> {
    /// A reader of the data whose text `inner` gives, with the best kernels of this CPU.
    ///
    /// ```
    /// let reader = q64::DecodeReader::new(&b"FRj2DU"[..]);
    /// assert_eq!(std::io::read_to_string(reader)?, "Q64");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(inner: R) -> Self {
        Self::with_encoder(Encoder::new(), inner)
    }

    /// The same with kernels of your choice.
    ///
    /// ```
    /// use q64::{DecodeReader, Encoder, Isa};
    ///
    /// let scalar = Encoder::with(Isa::Scalar).expect("always available");
    /// let reader = DecodeReader::with_encoder(scalar, &b"FRj2DU"[..]);
    /// assert_eq!(std::io::read_to_string(reader)?, "Q64");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with_encoder(encoder: Encoder, inner: R) -> Self {
        Self {
            encoder,
            inner,
            text: vec![0; BUFFER],
            start: 0,
            end: 0,
            position: 0,
        }
    }

    /// The inner reader back. Text that was read and not decoded is lost: up to 32 KiB.
    ///
    /// ```
    /// let reader = q64::DecodeReader::new(&b"FRj2DU"[..]);
    /// assert_eq!(reader.into_inner(), b"FRj2DU");
    /// ```
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Reads until there are two characters at least; says whether there are, or the text has ended.
    fn refill(&mut self) -> io::Result<bool> {
        self.text.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < 2 {
            match (self.inner.read(&mut self.text[self.end..])?, self.end) {
                (0, 0) => return Ok(false),
                (0, odd) => {
                    let len = self.position + odd;
                    return Err(refused(Q64Error::OddLength { len }));
                }
                (read, _) => self.end += read,
            }
        }
        Ok(true)
    }

    /// Decodes `text`, which starts at `self.position`, as far as it is good; an error, if not even its first pair is.
    fn decode(&self, text: &[u8], data: &mut [u8]) -> io::Result<usize> {
        let error = match self.encoder.decode_into(text, data) {
            Ok(len) => return Ok(len),
            Err(error) => error,
        };
        match error.position().map_or(0, |position| position / 2) {
            0 => Err(refused(
                error.explain(text, data.len()).within(self.position),
            )),
            // What stands before it is good.
            good => self.decode(&text[..2 * good], data),
        }
    }

    /// The same for one pair that starts at two more than a multiple of 4.
    fn decode_odd(&self, text: &[u8], data: &mut [u8]) -> io::Result<usize> {
        let behind_zero = [b'A', b'Q', text[0], text[1]];
        let mut bytes = [0; 2];
        match self.encoder.decode_into(&behind_zero, &mut bytes) {
            Ok(_) => data[0] = bytes[1],
            Err(error) => {
                let error = error.explain(&behind_zero, bytes.len());
                return Err(refused(error.within(self.position - 2)));
            }
        }
        Ok(1)
    }
}

fn refused(error: Q64Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: Read> Read for DecodeReader<R> {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        if data.is_empty() || (self.end - self.start < 2 && !self.refill()?) {
            return Ok(0);
        }
        let pairs = data.len().min((self.end - self.start) / 2);
        let text = &self.text[self.start..self.start + 2 * pairs];
        let decoded = if self.position.is_multiple_of(4) {
            self.decode(text, data)?
        } else {
            self.decode_odd(text, data)?
        };
        self.start += 2 * decoded;
        self.position += 2 * decoded;
        Ok(decoded)
    }
}
