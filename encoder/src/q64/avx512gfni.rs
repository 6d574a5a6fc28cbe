//! Encoding Q64 on AVX-512 with VBMI and GFNI: as in avx512vbmi.rs, with one instruction less.
//!
//! ```text
//! encode                                              four bytes of data
//! v    = load, its eighths 0 4 1 5 2 6 3 7            b0  b1  b2  b3     unpack puts in order
//! high = affine(v) + HIGH                             c0  c2  c0  c2     b >> 4 is linear in bits
//! low  = ALPHABETS[v & 0f | LOW]                      c1  c3  c1  c3     all 64 characters
//! text = unpacklo(high, low), unpackhi(high, low)     c0 c1 c2 c3  c0 c1 c2 c3
//! ```
//!
//! There are no shifts of bytes: elsewhere a nibble is a shift of words and a mask. The addition
//! cannot become part of the affine function, because it carries.
//!
//! What was tried and lost is in avx512vbmi.rs.

use core::arch::x86_64::*;

use super::avx512::{
    BLOCK, alternate, before_interleave, interleave, load, store_block, store_short, stream,
};
use super::streaming::encode_lines;
use super::{HIGH, Out, Pair, avx512vbmi, encode_blocks};

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
pub(super) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    encode_blocks(
        data,
        text,
        |d: &[u8; BLOCK], t| store_block(t, encode_vector(load(d))),
        |d, t| store_short(t, encode_vector(load(d))),
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
pub(super) fn encode_streaming(data: &[u8], text: &mut [Pair<Out>]) {
    encode_lines(
        data,
        text,
        |d: &[u8; BLOCK], t| stream(t, encode_vector(load(d))),
        |d, t| encode(d, t),
    );
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
fn encode_vector(data: __m512i) -> [__m512i; 2] {
    let v = before_interleave(data);
    interleave(high(v), avx512vbmi::low(v))
}

/// Characters of high nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
fn high(v: __m512i) -> __m512i {
    let high = _mm512_gf2p8affine_epi64_epi8::<0>(v, _mm512_set1_epi64(SHIFT_RIGHT_4));
    _mm512_add_epi8(high, alternate(HIGH))
}

/// `b >> 4` as `vgf2p8affineqb` wants it: byte 7 - i has the bits of `b` whose sum is bit i.
const SHIFT_RIGHT_4: i64 = {
    let mut matrix = [0_u8; 8];
    let mut i = 0;
    while i < 4 {
        matrix[7 - i] = 1 << (i + 4);
        i += 1;
    }
    prove(matrix);
    i64::from_le_bytes(matrix)
};

/// Does not compile unless the instruction, as Intel's manual (volume 2, GF2P8AFFINEQB) defines it,
/// shifts every byte right by 4. The emulator Bochs 2.7 gives the complement.
const fn prove(matrix: [u8; 8]) {
    let mut byte = 0;
    while byte < 256 {
        let (mut affine, mut i) = (0, 0);
        while i < 8 {
            let sum = (matrix[7 - i] & byte as u8).count_ones() % 2;
            affine |= sum << i;
            i += 1;
        }
        assert!(affine == byte >> 4);
        byte += 1;
    }
}
