//! Simhash of every instruction set that can run here, against a plain loop over rows of the matrix, and what it refuses.

use crate::common::{bytes, encode, encoders, noise};
use q64::{Q64Error, simhash_batch, simhash_len, simhash_q64, simhash_to_buffer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};
use std::thread;

/// The format's matrix, row after row.
fn matrix(planes: usize, dims: usize) -> Vec<f32> {
    let normal = Normal::new(0.0_f32, 1.0).unwrap();
    let numbers = normal.sample_iter(ChaCha8Rng::seed_from_u64(42));
    numbers.take(planes * dims).collect()
}

/// In the format's order: each product is rounded, and then added to what is left of it.
fn in_order(weights: &[f32], data: &[u8]) -> f32 {
    let mut sum = 0.0;
    for (weight, byte) in weights.iter().zip(data) {
        sum += weight * ((f32::from(*byte) - 128.0) / 128.0);
    }
    sum
}

/// The text of the signs of `sum`, for the planes of a matrix of `data.len()` dims.
fn signs(matrix: &[f32], data: &[u8], planes: usize, sum: fn(&[f32], &[u8]) -> f32) -> String {
    let mut bits = vec![0; planes.div_ceil(8)];
    for plane in 0..planes {
        let weights = &matrix[plane * data.len()..][..data.len()];
        if sum(weights, data) > 0.0 {
            bits[plane / 8] |= 1 << (7 - plane % 8);
        }
    }
    encode(&bits)
}

fn simhash(matrix: &[f32], data: &[u8], planes: usize) -> String {
    signs(matrix, data, planes, in_order)
}

const PLANES: [usize; 11] = [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 130];

#[test]
fn every_length_and_number_of_planes() {
    let encoders = encoders();
    for dims in (0..=70).chain([255, 256, 257, 384, 1000]) {
        let matrix = matrix(130, dims);
        for data in [noise(1 + dims as u64, dims), vec![0; dims], vec![255; dims]] {
            for planes in PLANES {
                let want = simhash(&matrix, &data, planes);
                for encoder in &encoders {
                    let got = encoder.simhash(&data, planes);
                    let isa = encoder.isa();
                    assert_eq!(
                        got.as_ref(),
                        Ok(&want),
                        "{isa}: {planes} planes, {dims} dims"
                    );
                }
            }
        }
    }
}

/// Rows of which each sum is 0 but for its roundings, with plane `r` of the matrix for row `r`: the order shows in the sign.
fn near_zero(matrix: &[f32], dims: usize, rows: usize) -> Vec<Vec<u8>> {
    let row = |r: usize| {
        let weights = &matrix[r * dims..][..dims];
        // At random, until byte after byte is changed to what brings the sum nearest to 0.
        let mut row = noise(100 + r as u64, dims);
        let exactly = |row: &[u8]| -> f64 {
            let pairs = row.iter().zip(weights);
            pairs
                .map(|(byte, weight)| (f64::from(*byte) - 128.0) * f64::from(*weight))
                .sum()
        };
        for d in 0..dims {
            let wanted = f64::from(row[d]) - exactly(&row) / f64::from(weights[d]);
            row[d] = wanted.round().clamp(0.0, 255.0) as u8;
        }
        // One byte cannot bring it near enough; two can.
        let left = exactly(&row);
        let change = |d: usize, by: i32| f64::from(by) * f64::from(weights[d]);
        let fits = |d: usize, by: i32| (0..=255).contains(&(i32::from(row[d]) + by));
        let mut best = (left.abs(), 0, 0, 0, 0);
        for a in 0..dims {
            for by in (-12..=12).filter(|by| fits(a, *by)) {
                for (b, weight) in weights.iter().enumerate().skip(a + 1) {
                    let other = (-(left + change(a, by)) / f64::from(*weight)).round() as i32;
                    let rest = (left + change(a, by) + change(b, other)).abs();
                    if rest < best.0 && fits(b, other) {
                        best = (rest, a, by, b, other);
                    }
                }
            }
        }
        let (_, a, by, b, other) = best;
        for (d, by) in [(a, by), (b, other)] {
            row[d] = (i32::from(row[d]) + by) as u8;
        }
        row
    };
    (0..rows).map(row).collect()
}

#[test]
fn the_order_of_the_sum_is_the_formats() {
    const DIMS: usize = 200;
    let matrix = matrix(64, DIMS);
    let rows = near_zero(&matrix, DIMS, 64);
    let want: Vec<String> = rows.iter().map(|row| simhash(&matrix, row, 64)).collect();
    for encoder in encoders() {
        for (row, want) in rows.iter().zip(&want) {
            assert_eq!(
                encoder.simhash(row, 64).as_ref(),
                Ok(want),
                "{}",
                encoder.isa()
            );
        }
        let mut text = vec![0; 64 * 16];
        let written = encoder.simhash_rows_into(&rows.concat(), DIMS, 64, &mut text);
        assert_eq!((written, text), (Ok(64 * 16), want.concat().into_bytes()));
    }

    // The test sees what it is there for.
    let in_lanes = |weights: &[f32], data: &[u8]| {
        let lane = |lane: usize| {
            let every = |slice: usize| (lane..slice).step_by(4);
            let pairs = every(weights.len()).map(|d| (weights[d], data[d]));
            pairs.fold(0.0, |sum: f32, (weight, byte)| {
                sum + weight * ((f32::from(byte) - 128.0) / 128.0)
            })
        };
        (0..4).map(lane).sum()
    };
    let fused = |weights: &[f32], data: &[u8]| {
        let pairs = weights.iter().zip(data);
        pairs.fold(0.0, |sum, (weight, byte)| {
            weight.mul_add((f32::from(*byte) - 128.0) / 128.0, sum)
        })
    };
    for (way, sum) in [
        ("in lanes", in_lanes as fn(&[f32], &[u8]) -> f32),
        ("fused", fused),
    ] {
        let others = rows.iter().map(|row| signs(&matrix, row, 64, sum));
        let differ = others
            .zip(&want)
            .filter(|(other, want)| other != *want)
            .count();
        assert!(differ >= 8, "{way}: {differ} of 64 rows");
    }
}

#[test]
fn fewer_planes_are_the_first_of_more() {
    for dims in [1, 5, 64] {
        let data = noise(3, dims);
        // More first, so that fewer are of the same matrix; and then of another one.
        for most in [640, 200] {
            let more = simhash_q64(&data, most).unwrap();
            for fewer in (0..=most).step_by(8) {
                let text = simhash_q64(&data, fewer).unwrap();
                assert_eq!(text, more[..simhash_len(fewer)], "{fewer} of {most} planes");
            }
        }
    }
}

#[test]
fn what_lies_on_every_plane_is_on_no_side() {
    for dims in [0, 1, 100, 384] {
        for planes in [1, 64, 130] {
            let text = simhash_q64(&vec![128; dims], planes).unwrap();
            assert_eq!(text, encode(&vec![0; planes.div_ceil(8)]));
        }
    }
}

/// Rows in groups that share what is read, in part of one, and more than are looked at together.
#[test]
fn a_batch_is_its_rows() {
    for (dims, planes) in [(1, 64), (3, 1), (48, 65), (100, 130), (5, 0)] {
        for count in (0..=9).chain([31, 32, 33, 64, 70]) {
            let rows = noise(5, count * dims);
            let alone = rows
                .chunks(dims)
                .map(|row| simhash_q64(row, planes).unwrap());
            let want: String = alone.collect();
            assert_eq!(simhash_batch(&rows, dims, planes).as_ref(), Ok(&want));
            for encoder in encoders() {
                let mut text = vec![0xa5; want.len() + 2];
                let written = encoder.simhash_rows_into(&rows, dims, planes, &mut text);
                assert_eq!(written, Ok(want.len()));
                assert_eq!(text[..want.len()], *want.as_bytes(), "{}", encoder.isa());
                assert_eq!(text[want.len()..], [0xa5; 2]);
            }
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn several_threads_give_what_one_gives() {
    // Tasks of many rows; and of the fewest, which are as many as are looked at together.
    for (dims, planes, counts) in [(3, 9, [0, 1, 33, 5000]), (1000, 1024, [0, 5, 31, 131])] {
        for count in counts {
            let rows = noise(6, count * dims);
            let want = simhash_batch(&rows, dims, planes).unwrap();
            let got = q64::parallel_simhash_batch(&rows, dims, planes);
            assert_eq!(got.as_ref(), Ok(&want), "{count} rows");
            let mut text = vec![0xa5; want.len() + 1];
            let written = q64::parallel_simhash_batch_to_buffer(&rows, dims, planes, &mut text);
            assert_eq!(written, Ok(want.len()));
            assert_eq!(text, [want.as_bytes(), &[0xa5]].concat());
        }
    }
}

#[test]
fn threads_share_a_matrix_that_none_has_made_before() {
    // No other test has these dims.
    let data = noise(7, 777);
    let want = simhash(&matrix(200, 777), &data, 200);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| simhash_q64(&data, 200).unwrap()))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), want);
        }
    });
}

#[test]
fn a_thread_that_panics_with_a_result_in_hand_harms_nobody() {
    let data = noise(8, 50);
    let want = simhash_q64(&data, 70).unwrap();
    let panics = || {
        let _text = simhash_q64(&data, 70).unwrap();
        panic!("planted");
    };
    thread::scope(|scope| assert!(scope.spawn(panics).join().is_err()));
    assert_eq!(simhash_q64(&data, 70), Ok(want));
    assert_eq!(
        simhash_q64(&noise(8, 51), 70).unwrap().len(),
        simhash_len(70)
    );
}

#[test]
fn sizes_that_are_refused() {
    let too_many = |asked| {
        Err(Q64Error::TooMany {
            asked,
            most: 65_536,
        })
    };
    for planes in [65_537, 1_000_000, usize::MAX] {
        assert_eq!(simhash_q64(&[1], planes), too_many(planes));
        assert_eq!(simhash_q64(&[], planes), too_many(planes));
        assert_eq!(simhash_batch(&[1], 1, planes), too_many(planes));
    }
    let too_long = |len, most| Err(Q64Error::TooLong { len, most });
    assert_eq!(simhash_q64(&[1; 1025], 65_536), too_long(1025, 1024));
    assert_eq!(simhash_q64(&[1; 2049], 32_705), too_long(2049, 2048));
    let long = vec![1; 1_048_577];
    for planes in [1, 64] {
        assert_eq!(simhash_q64(&long, planes), too_long(1_048_577, 1_048_576));
    }
    assert_eq!(simhash_q64(&long, 65), too_long(1_048_577, 524_288));
    // Of no planes there is no matrix, however long the data is.
    assert_eq!(simhash_q64(&long, 0), Ok(String::new()));
    assert_eq!(simhash_len(usize::MAX), 1 << (usize::BITS - 2));

    let bad_rows = |len, row_len| Err(Q64Error::BadRows { len, row_len });
    assert_eq!(simhash_batch(&[1; 6], 0, 8), bad_rows(6, 0));
    assert_eq!(simhash_batch(&[], 0, 8), bad_rows(0, 0));
    assert_eq!(simhash_batch(&[1; 6], 4, 8), bad_rows(6, 4));
    // Bad rows win, whatever is asked of them.
    assert_eq!(simhash_batch(&[1; 6], 4, usize::MAX), bad_rows(6, 4));
    assert_eq!(simhash_batch(&[], 4, 8), Ok(String::new()));
}

#[test]
fn the_most_that_is_not_refused() {
    let text = simhash_q64(&[0x3d], 65_536).unwrap();
    assert_eq!(text.len(), 16_384);
    assert_eq!(text, simhash(&matrix(65_536, 1), &[0x3d], 65_536));
    let long = noise(9, 65_536);
    assert_eq!(
        simhash_q64(&long, 9),
        Ok(simhash(&matrix(9, 65_536), &long, 9))
    );
    assert_eq!(
        simhash_q64(&long[..1], 7),
        Ok(simhash(&matrix(7, 1), &long[..1], 7))
    );
}

#[test]
fn a_buffer_one_byte_short_is_refused_and_left_as_it_is() {
    for encoder in encoders() {
        for planes in PLANES.into_iter().filter(|planes| *planes > 0) {
            let (needed, data) = (simhash_len(planes), noise(10, 20));
            let mut text = vec![0xa5; 2 * needed - 1];
            let available = needed - 1;
            let short = Err(Q64Error::BufferTooSmall { needed, available });
            let written = encoder.simhash_into(&data, planes, &mut text[..available]);
            assert_eq!(written, short);
            assert_eq!(
                simhash_to_buffer(&data, planes, &mut text[..available]),
                short
            );
            let written = encoder.simhash_rows_into(&data, 10, planes, &mut text);
            let (needed, available) = (2 * needed, text.len());
            assert_eq!(written, Err(Q64Error::BufferTooSmall { needed, available }));
            assert!(text.iter().all(|byte| *byte == 0xa5), "{}", encoder.isa());
        }
    }
}

#[test]
fn a_longer_buffer_is_left_as_it_is_behind_the_text() {
    for encoder in encoders() {
        for planes in PLANES {
            let (len, data) = (simhash_len(planes), noise(11, 20));
            let mut text = vec![0xa5; len + 70];
            assert_eq!(encoder.simhash_into(&data, planes, &mut text), Ok(len));
            assert_eq!(
                text[..len],
                *encoder.simhash(&data, planes).unwrap().as_bytes()
            );
            assert!(text[len..].iter().all(|byte| *byte == 0xa5));
        }
    }
}

/// Data, planes and text; computed by an independent program.
const ANSWERS: &[(&str, usize, &str)] = &[
    ("", 8, "AQ"),
    ("", 64, "AQgwAQgwAQgwAQgw"),
    ("3d", 128, "CekxHbozJYk0FejzHekzKem0Heq7LQn-"),
    ("84", 128, "NRr-IUn8GXr7KRs8IRr8FRp7IRl0Efox"),
    ("a3f7df", 64, "LYt7KYt3CZi3KWr1"),
    ("8080808080808080", 8, "AQ"),
    ("0000000000000000", 64, "DTq9LQp4NahxBXm6"),
    ("ffffffffffffffff", 64, "MclyEfm3CVu-OYp1"),
    ("d367079ed0445ee071ea658274115f53", 0, ""),
    ("d367079ed0445ee071ea658274115f53", 1, "IQ"),
    ("d367079ed0445ee071ea658274115f53", 4, "JQ"),
    ("d367079ed0445ee071ea658274115f53", 7, "JW"),
    ("d367079ed0445ee071ea658274115f53", 9, "JXow"),
    ("d367079ed0445ee071ea658274115f53", 17, "JXo3AQ"),
    (
        "d367079ed0445ee071ea658274115f53",
        100,
        "JXo3EYu5IftwFRrxKTh1Ban9KQ",
    ),
    (
        "d367079ed0445ee071ea658274115f53",
        127,
        "JXo3EYu5IftwFRrxKTh1Ban9KRp9FTvy",
    ),
    ("30b53d", 1024, OF_1024),
];

const OF_1024: &str = "IVr9Hei6Gem0JcqwAdv7HYt5FaoyBZl5CbszOcv7HVp6GYp0GWvxOct7Has0DRr9\
    LUk8EVl-GRpxJbu2Ibo2PZi9CZm3MTo5LYh_JWjzIYqwLVi9JXpzEUk8DTo2KVoyCas_Efg1Fdn5JblxMZq2Gbs7EZu2HRv2\
    EVhwCUg3LUu6KTlzGQgzFdl_FTtwMQg6LRr2JUk2KfuyFbn_Ifq8OesxFYoyGUv9DXv4HTr1Bfu5Jek1CVs5GRs0JZjzNSt8";

#[test]
fn known_answers() {
    for encoder in encoders() {
        let check = |hex: &str, planes, want: &str| {
            let got = encoder.simhash(&bytes(hex), planes);
            assert_eq!(
                got.as_deref(),
                Ok(want),
                "{}: {planes} of {hex}",
                encoder.isa()
            );
        };
        for &(hex, planes, want) in ANSWERS {
            check(hex, planes, want);
        }
        // One plane more is a byte more.
        check("30b53d", 1025, &format!("{OF_1024}AQ"));
    }
}
