//! How far a share that was counted can be off.

use statrs::distribution::{ContinuousCDF as _, Normal};
use statrs::function::beta::checked_beta_reg;

/// The limits of the share of which `k` of `n` is a sample, by C. J. Clopper and E. S. Pearson, The use of confidence or fiducial
/// limits, Biometrika 26 (1934): never too narrow. `None` of nothing, and where `k` is more than `n`.
#[must_use]
pub fn limits(k: u64, n: u64, confidence: f64) -> Option<[f64; 2]> {
    if n == 0 || k > n {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    Some([1.0 - upper(n - k, n, tail), upper(k, n, tail)])
}

/// So many comparisons are counted exactly. Beyond, the continued fraction of the distribution would
/// not come to its end; nobody has made as many.
const EXACT: u64 = 10_000;

/// The share of which `k` or fewer of `n` come up with the probability `tail`.
pub(crate) fn upper(k: u64, n: u64, tail: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (found, all) = (k as f64, n as f64);
    let at = found / all;
    if n > EXACT {
        // The score interval with half a comparison more: somewhat too wide.
        let z = Normal::standard().inverse_cdf(1.0 - tail);
        let (half, found) = (z * z / 2.0, found + 0.5);
        let root = (found * (1.0 - found / all) + z * z / 4.0).max(0.0).sqrt();
        return ((found + half + z * root) / (all + 2.0 * half)).clamp(at, 1.0);
    }
    // Halved until nothing is left: the inverse of statrs does not always come back.
    let (mut low, mut high) = (at, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let below = checked_beta_reg(found + 1.0, all - found, middle).unwrap_or(1.0);
        match below < 1.0 - tail {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_tables() {
        let near = |shown: f64, want: f64| (shown - want).abs() < 1e-6;
        // 0 of n has the closed form 1 - tail^(1/n); the others are by R's binom.test.
        for (k, n, low, high) in [
            (0, 400, 0.0, 0.009_179_893_5),
            (400, 400, 1.0 - 0.009_179_893_5, 1.0),
            (0, 1, 0.0, 0.975),
            (1, 1, 0.025, 1.0),
            (1, 10, 0.002_528_579, 0.445_016_117),
            (5, 10, 0.187_086_028, 0.812_913_972),
            (8, 10, 0.443_904_5, 0.974_789_3),
            // The last that is exact, which has a closed form too.
            (0, EXACT, 0.0, 1.0 - 0.025_f64.powf(1.0 / EXACT as f64)),
        ] {
            let [from, to] = limits(k, n, 0.95).unwrap();
            assert!(near(from, low) && near(to, high), "{k} of {n}: {from} {to}");
        }
        assert!(near(upper(0, 400, 0.05), 0.007_461_318));
        assert_eq!((limits(0, 0, 0.95), limits(2, 1, 0.95)), (None, None));
    }

    #[test]
    fn the_limits_hold_the_share_for_every_count() {
        let most = u64::from(u32::MAX) * 12;
        for n in [1, 2, 3, 7, 100, EXACT, EXACT + 1, 1 << 20, most] {
            for k in [0, 1, n / 3, n / 2, n - 1, n] {
                let [low, high] = limits(k, n, 0.95).unwrap();
                let at = k as f64 / n as f64;
                assert!((0.0..=at).contains(&low), "{k} of {n}: {low}");
                assert!((at..=1.0).contains(&high), "{k} of {n}: {high}");
                assert!(
                    low < high && (high - low) < 3.0 / (n as f64).sqrt(),
                    "{k} of {n}: {low} {high}"
                );
            }
        }
    }

    #[test]
    fn beyond_the_exact_counts_the_limits_are_a_little_wider() {
        for k in [0, 1, 50, EXACT / 3, EXACT / 2, EXACT - 1, EXACT] {
            let ([low, high], [from, to]) = (
                limits(k, EXACT, 0.95).unwrap(),
                limits(k * 1001 / 1000, EXACT + EXACT / 1000, 0.95).unwrap(),
            );
            let (exact, wider) = (high - low, to - from);
            assert!(
                wider > exact * 0.99 && wider < exact * 1.5,
                "{k}: {exact} {wider}"
            );
        }
    }
}
