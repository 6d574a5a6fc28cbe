//! Errors: the full one, and the small ones that the hot calls return.

use core::error::Error;
use core::fmt;

use crate::q64::{ALPHABETS, MEANING, NO_CHARACTER};

/// Why an operation of the QuadB64 family was refused: what is wrong, where, and what was expected.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Q64Error {
    /// The characters are odd in number, and every byte of data is two. Q64: of the text; this wins over every other error. Eq64:
    /// of the text without every ninth byte, where dots stand; this wins, too. A batch: of a row, where there is one; of the
    /// other errors only [`BadRows`](Self::BadRows) wins over this. `DecodeReader`: of all that was read; an error before the last
    /// character is reported first.
    OddLength {
        /// The length in bytes: of the text, in Eq64 with its dots; of a row of a batch; of all that was read.
        len: usize,
    },
    /// A byte that is in none of the four alphabets.
    InvalidCharacter {
        /// Its index in the text, from 0.
        position: usize,
        /// The byte.
        byte: u8,
        /// The number, 0 to 3, of the alphabet of this position.
        expected: u8,
    },
    /// A character of another position's alphabet.
    WrongPosition {
        /// Its index in the text, from 0.
        position: usize,
        /// The byte.
        byte: u8,
        /// The number, 0 to 3, of the alphabet that has this character.
        found: u8,
        /// The number, 0 to 3, of the alphabet of this position: in Q64, `position % 4`.
        expected: u8,
    },
    /// The output buffer is smaller than the result. Nothing was written.
    BufferTooSmall {
        /// The size of the result in bytes.
        needed: usize,
        /// The size of the buffer in bytes.
        available: usize,
    },
    /// Eq64: after 8 characters there is something else than a dot.
    MissingDot {
        /// Its index in the text, from 0.
        position: usize,
        /// The byte.
        byte: u8,
    },
    /// Eq64: a dot that does not stand after 8 characters and before others.
    MisplacedDot {
        /// Its index in the text, from 0.
        position: usize,
    },
    /// Mq64: levels that do not ascend strictly from at least 1 to the length of the data.
    BadLevels {
        /// The index of the first level that is not allowed, from 0; the number of levels, if all are and another is missing.
        index: usize,
        /// The length of the data in bytes, which the last level must be.
        data_len: usize,
    },
    /// Mq64: a segment without a character.
    EmptySegment {
        /// The index in the text at which the segment starts, from 0.
        position: usize,
    },
    /// Mq64: a segment with an odd number of characters.
    OddSegment {
        /// The index in the text at which the segment starts, from 0.
        position: usize,
        /// The length of the segment in bytes.
        len: usize,
    },
    /// Mq64: a segment that does not start with the whole of the segment before it, or does not go on behind it.
    NotAPrefix {
        /// The index in the text of the first byte that differs from the segment before, from 0; that of the segment's end, if
        /// it is no longer than the one before.
        position: usize,
    },
    /// The data is longer than the format can express or the operation bears.
    TooLong {
        /// The length of the data in bytes.
        len: usize,
        /// The greatest length in bytes.
        most: usize,
    },
    /// A number of results that is more than the operation bears: of indices, or of planes.
    TooMany {
        /// What was asked for.
        asked: usize,
        /// The greatest number.
        most: usize,
    },
    /// A matrix that is not made of whole rows, or whose rows are empty.
    BadRows {
        /// The length of the matrix in bytes.
        len: usize,
        /// The length of a row in bytes.
        row_len: usize,
    },
}

impl Q64Error {
    /// A stable name of the kind of error, in the words of the format: `odd_length`, `invalid_character`, `wrong_position`,
    /// `missing_dot`, `misplaced_dot`, `bad_levels`, `empty_segment`, `not_a_prefix`, `too_long`; and for what the format does
    /// not speak of, `buffer_too_small`, `too_many` and `bad_rows`.
    ///
    /// ```
    /// assert_eq!(q64::q64_decode("FRj").unwrap_err().kind(), "odd_length");
    /// assert_eq!(q64::q64_decode("FRj!").unwrap_err().kind(), "invalid_character");
    /// ```
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OddLength { .. } | Self::OddSegment { .. } => "odd_length",
            Self::InvalidCharacter { .. } => "invalid_character",
            Self::WrongPosition { .. } => "wrong_position",
            Self::BufferTooSmall { .. } => "buffer_too_small",
            Self::MissingDot { .. } => "missing_dot",
            Self::MisplacedDot { .. } => "misplaced_dot",
            Self::BadLevels { .. } => "bad_levels",
            Self::EmptySegment { .. } => "empty_segment",
            Self::NotAPrefix { .. } => "not_a_prefix",
            Self::TooLong { .. } => "too_long",
            Self::TooMany { .. } => "too_many",
            Self::BadRows { .. } => "bad_rows",
        }
    }

    /// The index in the text of the first offending byte, from 0; `None` for an error that has no
    /// place.
    ///
    /// ```
    /// assert_eq!(q64::q64_decode("FRj!").unwrap_err().position(), Some(3));
    /// assert_eq!(q64::q64_decode("FRj").unwrap_err().position(), None);
    /// ```
    pub const fn position(&self) -> Option<usize> {
        match *self {
            Self::InvalidCharacter { position, .. }
            | Self::WrongPosition { position, .. }
            | Self::MissingDot { position, .. }
            | Self::MisplacedDot { position }
            | Self::EmptySegment { position }
            | Self::OddSegment { position, .. }
            | Self::NotAPrefix { position } => Some(position),
            Self::OddLength { .. }
            | Self::BufferTooSmall { .. }
            | Self::BadLevels { .. }
            | Self::TooLong { .. }
            | Self::TooMany { .. }
            | Self::BadRows { .. } => None,
        }
    }

    /// The first `needed` bytes of a buffer, or [`BufferTooSmall`](Self::BufferTooSmall).
    pub(crate) fn room(output: &mut [u8], needed: usize) -> Result<&mut [u8], Self> {
        let available = output.len();
        output
            .get_mut(..needed)
            .ok_or(Self::BufferTooSmall { needed, available })
    }

    /// The same error of a text that begins at `start` of a longer one: positions and odd lengths speak of the longer one.
    pub(crate) const fn within(self, start: usize) -> Self {
        match self {
            Self::OddLength { len } => Self::OddSegment {
                position: start,
                len,
            },
            Self::InvalidCharacter {
                position,
                byte,
                expected,
            } => Self::InvalidCharacter {
                position: start + position,
                byte,
                expected,
            },
            Self::WrongPosition {
                position,
                byte,
                found,
                expected,
            } => Self::WrongPosition {
                position: start + position,
                byte,
                found,
                expected,
            },
            other => other,
        }
    }
}

impl fmt::Display for Q64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OddLength { len } => write!(
                f,
                "odd length: the text has {len} bytes, an odd number of characters, but every encoded byte is two; \
                 is it cut off, or followed by a line end?"
            ),
            Self::InvalidCharacter {
                position,
                byte,
                expected,
            } => write!(
                f,
                "invalid character: byte {byte:#04x} ('{}') at position {position} is in no Q64 \
                 alphabet; expected one of \"{}\"",
                byte.escape_ascii(),
                ALPHABETS[usize::from(expected) % 4].escape_ascii(),
            ),
            Self::WrongPosition {
                position,
                byte,
                found,
                expected,
            } => write!(
                f,
                "wrong position: '{}' at position {position} is of alphabet {found}, expected \
                 alphabet {expected}, one of \"{}\"; are characters missing or added before it?",
                byte.escape_ascii(),
                ALPHABETS[usize::from(expected) % 4].escape_ascii(),
            ),
            Self::BufferTooSmall { needed, available } => write!(
                f,
                "buffer too small: the output buffer has {available} bytes, the result needs \
                 {needed}"
            ),
            Self::MissingDot { position, byte } => write!(
                f,
                "missing dot: byte {byte:#04x} ('{}') at position {position} follows 8 characters, where \
                 only a dot may stand",
                byte.escape_ascii(),
            ),
            Self::MisplacedDot { position } => write!(
                f,
                "misplaced dot: the dot at position {position} does not stand between 8 characters and others"
            ),
            Self::BadLevels { index, data_len } => write!(
                f,
                "bad levels: level {index} (from 0) is wrong or missing; levels start at 1 or more, ascend strictly, and \
                 the last is the length of the data, {data_len}"
            ),
            Self::EmptySegment { position } => write!(
                f,
                "empty segment: no character before the separator or end at position {position}"
            ),
            Self::OddSegment { position, len } => write!(
                f,
                "odd length: the segment at position {position} has {len} bytes, but every encoded byte is two \
                 characters"
            ),
            Self::NotAPrefix { position } => write!(
                f,
                "not a prefix: at position {position} a segment does not go on as the one before it did; is a \
                 segment missing, or are two of them exchanged?"
            ),
            Self::TooLong { len, most } => write!(
                f,
                "too long: the data has {len} bytes, and at most {most} are allowed"
            ),
            Self::TooMany { asked, most } => write!(
                f,
                "too many: {asked} were asked for, and at most {most} can be had"
            ),
            Self::BadRows { len, row_len } => write!(
                f,
                "bad rows: {len} bytes are not made of whole rows of {row_len} bytes"
            ),
        }
    }
}

impl Error for Q64Error {}

/// The output buffer is smaller than the result. Nothing was written.
///
/// [`Encoder::encode_into`](crate::Encoder::encode_into) fails with this zero-sized error, because
/// a `Result` that does not fit two registers would cost half as much as encoding 64 bytes;
/// [`q64_encode_to_buffer`](crate::q64_encode_to_buffer) says the two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferTooSmall;

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("buffer too small: encoded text needs two bytes for every byte of data")
    }
}

impl Error for BufferTooSmall {}

/// Why [`Encoder::decode_into`](crate::Encoder::decode_into) refused a text, in one register;
/// [`explain`](Self::explain) makes the full [`Q64Error`] of it.
//
// An enum would do, but a `Result` of one does not fit two registers. The position of the first
// offending character, or a number that is no position, because a slice has at most isize::MAX
// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeError(usize);

impl DecodeError {
    pub(crate) const ODD_LENGTH: Self = Self(usize::MAX);
    pub(crate) const BUFFER_TOO_SMALL: Self = Self(usize::MAX - 1);

    pub(crate) const fn at(position: usize) -> Self {
        Self(position)
    }

    /// The index in the text of the first character that its position does not allow, from 0;
    /// `None` if the length of the text or of the buffer was refused.
    ///
    /// ```
    /// let (encoder, mut data) = (q64::Encoder::new(), [0; 3]);
    /// assert_eq!(encoder.decode_into(b"FRj2!U", &mut data).unwrap_err().position(), Some(4));
    /// assert_eq!(encoder.decode_into(b"FRj", &mut data).unwrap_err().position(), None);
    /// ```
    pub const fn position(self) -> Option<usize> {
        match self {
            Self::ODD_LENGTH | Self::BUFFER_TOO_SMALL => None,
            Self(position) => Some(position),
        }
    }

    /// The full error, given the text and the length of the output buffer of the call that was
    /// refused.
    ///
    /// # Panics
    /// If `text` does not reach to [`position`](Self::position), and so is not the text that was
    /// refused.
    ///
    /// ```
    /// let mut data = [0; 2];
    /// let error = q64::Encoder::new().decode_into(b"FRj2DU", &mut data).unwrap_err();
    /// let full = error.explain(b"FRj2DU", data.len());
    /// assert_eq!(full, q64::Q64Error::BufferTooSmall { needed: 3, available: 2 });
    /// ```
    #[cold]
    pub const fn explain(self, text: &[u8], available: usize) -> Q64Error {
        match self {
            Self::ODD_LENGTH => Q64Error::OddLength { len: text.len() },
            Self::BUFFER_TOO_SMALL => Q64Error::BufferTooSmall {
                needed: text.len() / 2,
                available,
            },
            Self(position) => {
                let (byte, expected) = (text[position], (position % 4) as u8);
                match MEANING[byte as usize] {
                    NO_CHARACTER => Q64Error::InvalidCharacter {
                        position,
                        byte,
                        expected,
                    },
                    meaning => Q64Error::WrongPosition {
                        position,
                        byte,
                        found: meaning >> 4,
                        expected,
                    },
                }
            }
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ODD_LENGTH => f.write_str("OddLength"),
            Self::BUFFER_TOO_SMALL => f.write_str("BufferTooSmall"),
            Self(position) => f.debug_tuple("Character").field(&position).finish(),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ODD_LENGTH => {
                f.write_str("odd length: every encoded byte is two characters of text")
            }
            Self::BUFFER_TOO_SMALL => f.write_str(
                "buffer too small: decoded data needs one byte for every two characters of text",
            ),
            Self(position) => write!(
                f,
                "the byte at position {position} is not a character of that position's alphabet, \
                 \"{}\"",
                ALPHABETS[position % 4].escape_ascii()
            ),
        }
    }
}

impl Error for DecodeError {}
