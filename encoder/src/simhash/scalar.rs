//! Simhash in plain Rust, for every target: 32 planes at a time, in groups of 4, as which compilers find vectors of 16 bytes where
//! they may use them.
//!
//! Tried and lost, as a share of this speed (Zen 3, 768 dims): 16 or 64 planes at a time 0.6; two rows that share what they read 0.4
//! to 0.7, because the sums then leave the registers.

#![forbid(unsafe_code)]

use core::array;

use super::matrix::Weights;
use super::{Vectors, project};

const LANES: usize = 4;

pub(super) fn simhash(panel: &[Weights], rows: &[u8], signs: &mut [u64]) {
    let vectors = Vectors {
        zero: || [0.0_f32; LANES],
        load: |weights: &Weights, i| weights.0.as_chunks::<LANES>().0[i],
        add: |sums: [f32; LANES], weights: [f32; LANES], centred| {
            array::from_fn(|i| sums[i] + weights[i] * centred)
        },
        positive: |sums: [f32; LANES]| {
            (0..LANES).fold(0, |bits, i| bits | u64::from(sums[i] > 0.0) << i)
        },
    };
    project::<_, 16, 8, 8, 1>(panel, rows, signs, vectors);
}
