//! Simhash: on which side of each of some planes a vector lies.
//!
//! The planes are by definition what two crates draw, so that they are drawn here, too; the sums are this file's own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pathproof::{Failure, Outcome};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};

use super::q64;

/// How many planes there may be.
const MOST_PLANES: usize = 65_536;
/// How many numbers their weights may be, with the planes rounded up to a multiple of 64.
const MOST_WEIGHTS: usize = 1 << 26;

/// A bit for each plane, the first one highest, the last byte filled up with zeros.
pub(crate) fn simhash(data: &[u8], planes: usize) -> Outcome<Vec<u8>> {
    if planes > MOST_PLANES {
        return Err(Failure::kind("too_many").detail([planes as u64, MOST_PLANES as u64]));
    }
    let weights = planes.next_multiple_of(64);
    if weights * data.len() > MOST_WEIGHTS {
        let most = MOST_WEIGHTS / weights;
        return Err(Failure::kind("too_long").detail([data.len() as u64, most as u64]));
    }
    let mut bits = vec![0; planes.div_ceil(8)];
    with_planes(planes, data.len(), |p, weights| {
        if dot(weights, data) > 0.0 {
            bits[p / 8] |= 0x80 >> (p % 8);
        }
    });
    Ok(q64::encode(&bits))
}

/// The length of its text.
pub(crate) fn len(planes: usize) -> usize {
    2 * planes.div_ceil(8)
}

/// From left to right, each product rounded before it is added.
fn dot(weights: &[f32], data: &[u8]) -> f32 {
    let mut sum = 0.0;
    for (weight, byte) in weights.iter().zip(data) {
        let centred = (f32::from(*byte) - 128.0) / 128.0;
        let product = weight * centred;
        sum += product;
    }
    sum
}

/// Calls `f` with the number of each plane and its weights, one for each dim.
pub(crate) fn with_planes(planes: usize, dims: usize, f: impl FnMut(usize, &[f32])) {
    thread_local!(static DRAWN: RefCell<Drawn> = RefCell::default());
    DRAWN.with_borrow_mut(|drawn| drawn.with(planes, dims, f));
}

/// Planes that have been drawn, for each number of dims.
#[derive(Default)]
struct Drawn {
    of_dims: BTreeMap<usize, (ChaCha8Rng, Vec<f32>)>,
    numbers: usize,
}

impl Drawn {
    /// How many numbers are kept: 128 MiB.
    const MOST: usize = 32 << 20;

    fn with(&mut self, planes: usize, dims: usize, mut f: impl FnMut(usize, &[f32])) {
        if dims == 0 {
            return (0..planes).for_each(|plane| f(plane, &[]));
        }
        if self.numbers > Self::MOST {
            *self = Self::default();
        }
        let first = || (ChaCha8Rng::seed_from_u64(42), Vec::new());
        let (random, weights) = self.of_dims.entry(dims).or_insert_with(first);
        // Row after row from one stream: more planes go on where fewer ended.
        let missing = (planes * dims).saturating_sub(weights.len());
        let normal = Normal::new(0.0_f32, 1.0).expect("1 is a deviation");
        weights.extend(normal.sample_iter(random).take(missing));
        self.numbers += missing;
        let rows = weights.chunks(dims).take(planes).enumerate();
        rows.for_each(|(plane, weights)| f(plane, weights));
    }
}

/// Rows whose sums with a plane are so near to 0 that an order of summation shows in the sign, as `near_zero` in the tests draws them: kept,
/// for it takes longer than a program may take to start.
pub(crate) const NEAR_ZERO_20: &[u8] = include_bytes!("../../corpus/near_zero_288x20.u8");
pub(crate) const NEAR_ZERO_100: &[u8] = include_bytes!("../../corpus/near_zero_256x100.u8");
pub(crate) const NEAR_ZERO_768: &[u8] = include_bytes!("../../corpus/near_zero_64x768.u8");

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose sums with a plane are so near to 0 that an order of summation shows in the sign: the planes are the first and, every
    /// second time, another one of `planes`. With random bytes it does not: of 5,000 rows of 768, summed in eight lanes, none differs.
    fn near_zero(rows: usize, dims: usize, planes: usize) -> Vec<u8> {
        let mut all = Vec::with_capacity(planes * dims);
        with_planes(planes, dims, |_, weights| all.extend_from_slice(weights));
        let mut bytes = ChaCha8Rng::seed_from_u64(dims as u64);
        let row = |r: usize| {
            let plane = if r.is_multiple_of(2) { 0 } else { r % planes };
            let weights = &all[plane * dims..][..dims];
            let mut row = vec![0; dims];
            rand_chacha::rand_core::RngCore::fill_bytes(&mut bytes, &mut row);
            bring_near_zero(&mut row, weights);
            row
        };
        (0..rows).flat_map(row).collect()
    }

    /// Changes a row until its sum with a plane is below what rounding leaves.
    fn bring_near_zero(row: &mut [u8], weights: &[f32]) {
        // Exact, but for the last bits: a product has 32 bits.
        let sum = |row: &[u8]| -> f64 {
            let products = row.iter().zip(weights);
            products
                .map(|(byte, weight)| (f64::from(*byte) - 128.0) * f64::from(*weight))
                .sum()
        };
        // The byte that brings a sum nearest to 0, and what is left of it.
        let best = |sum: f64, byte: u8, weight: f32| {
            let wanted = f64::from(byte) - sum / f64::from(weight);
            let new = wanted.round().clamp(0.0, 255.0) as u8;
            (
                new,
                sum + (f64::from(new) - f64::from(byte)) * f64::from(weight),
            )
        };
        let mut left = sum(row);
        for d in 0..row.len() {
            (row[d], left) = best(left, row[d], weights[d]);
        }
        // Of 128ths: less than a microunit of the sum.
        let enough = 1e-4;
        for a in 0..row.len() {
            for change in 1..=16 {
                let (Some(new), whole) = (row[a].checked_add(change), left) else {
                    break;
                };
                let changed = whole + f64::from(change) * f64::from(weights[a]);
                for b in a + 1..row.len() {
                    let (other, rest) = best(changed, row[b], weights[b]);
                    if rest.abs() < enough {
                        (row[a], row[b]) = (new, other);
                        return;
                    }
                }
            }
        }
    }

    #[test]
    fn the_kept_rows_are_those_that_are_drawn() {
        for (kept, rows, dims) in [
            (NEAR_ZERO_20, 288, 20),
            (NEAR_ZERO_100, 256, 100),
            (NEAR_ZERO_768, 64, 768),
        ] {
            let drawn = near_zero(rows, dims, 128);
            let name = format!("near_zero_{rows}x{dims}.u8");
            if kept != drawn {
                let at = std::env::temp_dir().join(&name);
                std::fs::write(&at, drawn).unwrap();
                panic!(
                    "corpus/{name} is not what is drawn, which is now in {}",
                    at.display()
                );
            }
        }
    }

    /// How many of the rows have another sign, at their plane, with another sum.
    fn differ(data: &[u8], dims: usize, sum: impl Fn(&[f32], &[u8]) -> f32) -> usize {
        let mut weights = Vec::new();
        with_planes(1, dims, |_, of_plane| weights.extend_from_slice(of_plane));
        let sign = |sum: f32| sum > 0.0;
        let rows = data.chunks(dims).step_by(2);
        rows.filter(|row| sign(sum(&weights, row)) != sign(dot(&weights, row)))
            .count()
    }

    fn centred(byte: u8) -> f32 {
        (f32::from(byte) - 128.0) / 128.0
    }

    /// Sums along the dims, as vectors of dims would give.
    fn in_lanes(weights: &[f32], row: &[u8]) -> f32 {
        let mut lanes = [0.0; 8];
        for (d, (weight, byte)) in weights.iter().zip(row).enumerate() {
            lanes[d % 8] += weight * centred(*byte);
        }
        lanes.iter().sum()
    }

    fn fused(weights: &[f32], row: &[u8]) -> f32 {
        let pairs = weights.iter().zip(row);
        pairs.fold(0.0, |sum, (weight, byte)| {
            weight.mul_add(centred(*byte), sum)
        })
    }

    fn backwards(weights: &[f32], row: &[u8]) -> f32 {
        let pairs = weights.iter().zip(row).rev();
        pairs.fold(0.0, |sum, (weight, byte)| sum + weight * centred(*byte))
    }

    #[test]
    fn rows_near_zero_show_every_other_way_to_sum() {
        for dims in [100, 768] {
            let near = near_zero(200, dims, 64);
            let mut random = vec![0; near.len()];
            rand_chacha::rand_core::RngCore::fill_bytes(
                &mut ChaCha8Rng::seed_from_u64(7),
                &mut random,
            );
            for (way, sum) in [
                ("in lanes", in_lanes as fn(&[f32], &[u8]) -> f32),
                ("fused", fused),
                ("backwards", backwards),
            ] {
                let [shown, by_chance] = [&near, &random].map(|data| differ(data, dims, sum));
                println!("{dims} dims, {way}: {shown} of 100, and {by_chance} of random ones");
                assert!(shown >= 5, "{dims} dims, {way}: {shown} of 100");
            }
            assert_eq!(differ(&near, dims, dot), 0);
        }
    }

    #[test]
    fn known_answers() {
        let text = |data: &[u8], planes| {
            simhash(data, planes).map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(text(&[0x3d], 64), Ok("CekxHbozJYk0Fejz".into()));
        assert_eq!(text(&[0x30, 0xb5, 0x3d], 16), Ok("IVr9".into()));
        // Fewer after more, from the same draw.
        assert_eq!(text(&[0x3d], 9), Ok("Cegw".into()));
        assert_eq!(text(&[], 9), Ok("AQgw".into()));
        assert_eq!(text(&[1], 0), Ok("".into()));
        let too_many = Failure::kind("too_many").detail([65_537, 65_536]);
        assert_eq!(text(&[1], 65_537), Err(too_many));
        let too_long = Failure::kind("too_long").detail([1025, 1024]);
        assert_eq!(text(&[1; 1025], 65_536), Err(too_long));
    }
}
