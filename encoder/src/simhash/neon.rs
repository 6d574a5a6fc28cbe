//! Simhash on NEON: 16 vectors of 4 planes are a panel.
//!
//! ```text
//! one row      16 sums                        1 broadcast, 16 loads      for 64 products
//! four rows    4 sums each, 4 times over      4 broadcasts, 4 loads      for 64 products
//! ```
//!
//! Multiplied and added in two instructions, `fmul` and `fadd`: `fmla` would round once where the format rounds twice.

use core::arch::aarch64::*;

use super::matrix::Weights;
use super::{Vectors, project};

#[target_feature(enable = "neon")]
pub(super) fn simhash(panel: &[Weights], rows: &[u8], signs: &mut [u64]) {
    let vectors = Vectors {
        zero: || vdupq_n_f32(0.0),
        load: |weights: &Weights, i| load(&weights.0.as_chunks().0[i]),
        add: |sums, weights, centred| vaddq_f32(sums, vmulq_n_f32(weights, centred)),
        positive: |sums| {
            let bits = vandq_u32(vcgtzq_f32(sums), load_bits(&[1, 2, 4, 8]));
            u64::from(vaddvq_u32(bits))
        },
    };
    project::<_, 16, 16, 4, 4>(panel, rows, signs, vectors);
}

#[inline]
#[target_feature(enable = "neon")]
fn load(weights: &[f32; 4]) -> float32x4_t {
    // SAFETY: a reference to 4 floats is valid for reading them; `vld1q` asks for no alignment.
    unsafe { vld1q_f32(weights.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_bits(bits: &[u32; 4]) -> uint32x4_t {
    // SAFETY: a reference to 4 integers is valid for reading them; `vld1q` asks for no alignment.
    unsafe { vld1q_u32(bits.as_ptr()) }
}
