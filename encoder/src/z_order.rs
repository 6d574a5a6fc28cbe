//! Z-order (zoq64): the top bits of the first values, interleaved, as the 8 characters of a `u32`.
//!
//! ```text
//! z_order            v >> 6 of 16 values       bits 2d and 2d + 1 are those of value d
//! four values        dd...... cc...... bb...... aa......        as one u32
//!  * 0004_1041       ddccbbaa in the top byte: 8 - 2 to the left for each value, and nothing carries into it
//!
//! extended           v >> 4 of 8 values        bit 8k + d is bit k of value d
//! one bit a byte     .......h ... .......b .......a             as one u64
//!  * 0102..4080      hgfedcba in the top byte, in the same way
//! ```
//!
//! Plain Rust for every target: there is no path to choose. `pext`, which does either in one instruction for 8 values, needs BMI2,
//! and choosing it costs more than it gains (within 1 ns, Zen 4).
//!
//! Tried and lost: the pairs of bits of 8 values gathered by three shifts: 0.8 of this speed (Zen 3).

#![forbid(unsafe_code)]

use alloc::string::String;

use crate::error::Q64Error;
use crate::q64::scalar;

/// The length of every z-order text, in bytes.
pub const Z_ORDER_LEN: usize = 8;

/// Encodes the top 2 bits of each of the first 16 values as 8 characters of Q64 text: value `d` is bits `2d` and `2d + 1` of a
/// number whose 4 bytes, the greatest first, are encoded. Values that are not there count as 0. Takes the same time for every
/// length.
///
/// Source: `z_order_q64` of `uubed-core` 1.0.14.
///
/// Source: G. M. Morton, "A computer oriented geodetic data base and a new technique in file sequencing", IBM, 1966.
///
/// ```
/// assert_eq!(q64::z_order_q64(&[]), "AQgwAQgw");
/// // The second value's bits are 2 and 3.
/// assert_eq!(q64::z_order_q64(&[0, 0xc0]), "AQgwAQg8");
/// ```
pub fn z_order_q64(embedding: &[u8]) -> String {
    string(z_order(embedding))
}

/// As [`z_order_q64`], into the first 8 bytes of `output`; returns their number. Further bytes of `output` are left as they are.
///
/// # Errors
/// [`Q64Error::BufferTooSmall`] if `output` is shorter; nothing is written then.
///
/// ```
/// let mut text = [0; q64::Z_ORDER_LEN];
/// assert_eq!(q64::z_order_to_buffer(&[0, 0xc0], &mut text), Ok(8));
/// assert_eq!(&text, b"AQgwAQg8");
/// ```
#[inline]
pub fn z_order_to_buffer(embedding: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
    write(z_order(embedding), output)
}

/// Encodes the top 4 bits of each of the first 8 values as 8 characters of Q64 text: bit `k` of these 4, of value `d`, is bit
/// `8k + d` of a number whose 4 bytes, the greatest first, are encoded. Values that are not there count as 0. Takes the same
/// time for every length.
///
/// Source: `z_order_q64_extended` of `uubed-core` 1.0.14; Morton, as of [`z_order_q64`].
///
/// ```
/// assert_eq!(q64::z_order_q64_extended(&[]), "AQgwAQgw");
/// // The top bit of the second value is bit 25, the next one bit 17.
/// assert_eq!(q64::z_order_q64_extended(&[0, 0xc0]), "ASgyAQgw");
/// ```
pub fn z_order_q64_extended(embedding: &[u8]) -> String {
    string(extended(embedding))
}

/// As [`z_order_q64_extended`], into the first 8 bytes of `output`; returns their number. Further bytes of `output` are left as
/// they are. (In the crate `uubed-core` this is named `z_order_to_buffer`.)
///
/// # Errors
/// [`Q64Error::BufferTooSmall`] if `output` is shorter; nothing is written then.
///
/// ```
/// let mut text = [0; q64::Z_ORDER_LEN];
/// assert_eq!(q64::z_order_extended_to_buffer(&[0, 0xc0], &mut text), Ok(8));
/// assert_eq!(&text, b"ASgyAQgw");
/// ```
#[inline]
pub fn z_order_extended_to_buffer(embedding: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
    write(extended(embedding), output)
}

fn string(text: [u8; Z_ORDER_LEN]) -> String {
    String::from(str::from_utf8(&text).expect("every alphabet is ASCII"))
}

#[inline]
fn write(text: [u8; Z_ORDER_LEN], output: &mut [u8]) -> Result<usize, Q64Error> {
    Q64Error::room(output, Z_ORDER_LEN)?.copy_from_slice(&text);
    Ok(Z_ORDER_LEN)
}

// These two are calls, and what writes their 8 bytes is not: a `Result` that needs memory costs as much as all of this.

fn z_order(embedding: &[u8]) -> [u8; Z_ORDER_LEN] {
    let values: [u8; 16] = first(embedding);
    let four = |i: usize| {
        let values = u32::from_le_bytes([values[i], values[i + 1], values[i + 2], values[i + 3]]);
        ((values & 0xc0c0_c0c0).wrapping_mul(0x0004_1041) >> 24) as u8
    };
    scalar::encode_four(&[four(12), four(8), four(4), four(0)])
}

fn extended(embedding: &[u8]) -> [u8; Z_ORDER_LEN] {
    let values = u64::from_le_bytes(first(embedding));
    let plane = |k: u32| {
        let bits = values >> (4 + k) & 0x0101_0101_0101_0101;
        (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
    };
    scalar::encode_four(&[plane(3), plane(2), plane(1), plane(0)])
}

/// The first values, and zeros for those that are not there.
fn first<const N: usize>(embedding: &[u8]) -> [u8; N] {
    if let Some(values) = embedding.first_chunk() {
        return *values;
    }
    let mut values = [0; N];
    values[..embedding.len()].copy_from_slice(embedding);
    values
}
