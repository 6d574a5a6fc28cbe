//! Simhash on AVX2: 8 vectors of 8 planes are a panel.
//!
//! ```text
//! one row      8 sums                         1 broadcast, 8 loads       for 64 products
//! four rows    2 sums each, 4 times over      4 broadcasts, 2 loads      for 64 products
//! ```
//!
//! 8 sums in either case, which hide the latency of an addition and leave registers for what is multiplied.
//!
//! Tried and lost, as a share of this speed (Zen 3, 768 dims): two rows with 4 sums each: 0.95 to 1.05; three rows with 4 sums each,
//! for which there are not enough registers: 0.7.

use core::arch::x86_64::*;

use super::matrix::Weights;
use super::{Vectors, project};

#[target_feature(enable = "avx2")]
pub(super) fn simhash(panel: &[Weights], rows: &[u8], signs: &mut [u64]) {
    let vectors = Vectors {
        zero: || _mm256_setzero_ps(),
        load: |weights: &Weights, i| load(&weights.0.as_chunks().0[i]),
        add: |sums, weights, centred| {
            _mm256_add_ps(sums, _mm256_mul_ps(weights, _mm256_set1_ps(centred)))
        },
        positive: |sums| {
            let greater = _mm256_cmp_ps::<_CMP_GT_OQ>(sums, _mm256_setzero_ps());
            u64::from(_mm256_movemask_ps(greater) as u8)
        },
    };
    project::<_, 8, 8, 2, 4>(panel, rows, signs, vectors);
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(weights: &[f32; 8]) -> __m256 {
    // SAFETY: a reference to 8 floats is valid for reading them; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_ps(weights.as_ptr()) }
}
