//! Simhash on AVX-512: 4 vectors of 16 planes are a panel, so that its sums fit the registers for four rows at once.
//!
//! ```text
//! one row      4 sums                         1 broadcast, 4 loads       for 64 products
//! four rows    4 sums each                    4 broadcasts, 4 loads      for 256 products
//! ```

use core::arch::x86_64::*;

use super::matrix::Weights;
use super::{Vectors, project};

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn simhash(panel: &[Weights], rows: &[u8], signs: &mut [u64]) {
    let vectors = Vectors {
        zero: || _mm512_setzero_ps(),
        load: |weights: &Weights, i| load(&weights.0.as_chunks().0[i]),
        add: |sums, weights, centred| {
            _mm512_add_ps(sums, _mm512_mul_ps(weights, _mm512_set1_ps(centred)))
        },
        positive: |sums| u64::from(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(sums, _mm512_setzero_ps())),
    };
    project::<_, 4, 4, 4, 4>(panel, rows, signs, vectors);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load(weights: &[f32; 16]) -> __m512 {
    // SAFETY: a reference to 16 floats is valid for reading them; `loadu` asks for no alignment.
    unsafe { _mm512_loadu_ps(weights.as_ptr()) }
}
