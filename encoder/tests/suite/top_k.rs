//! Top-k of every instruction set that can run here, against a sort of everything, and what it refuses.

use crate::common::{bytes, encode, encoders, noise};
use q64::{Encoder, Q64Error, top_k_len, top_k_q64, top_k_to_buffer};

/// The text of the indices, from the format: all indices by descending value, then the first of them by
/// index.
fn top_k(data: &[u8], k: usize) -> String {
    let mut indices: Vec<usize> = (0..data.len()).collect();
    indices.sort_by_key(|index| (255 - data[*index], *index));
    indices.truncate(k);
    indices.sort();
    let wide = data.len() > 256;
    let padding = if wide { 65_535 } else { 255 };
    indices.resize(k, padding);
    let bytes = |index: usize| {
        if wide {
            vec![(index / 256) as u8, (index % 256) as u8]
        } else {
            vec![index as u8]
        }
    };
    encode(&indices.into_iter().flat_map(bytes).collect::<Vec<_>>())
}

/// Data with every kind of tie: none that is not by chance, many, all; runs of each, and ramps.
fn with_ties(len: usize) -> Vec<Vec<u8>> {
    let seed = len as u64;
    let of = |byte: &dyn Fn(usize) -> u8| (0..len).map(byte).collect::<Vec<u8>>();
    let random = noise(seed, len);
    vec![
        random.clone(),
        of(&|i| random[i] % 3),
        of(&|i| if random[i] > 128 { 200 } else { 7 }),
        of(&|i| if random[i] > 250 { 255 } else { 0 }),
        of(&|i| if random[i] > 250 { 0 } else { 255 }),
        vec![0; len],
        vec![128; len],
        vec![255; len],
        of(&|i| i as u8),
        of(&|i| 255 - i as u8),
        of(&|i| (i / 64) as u8),
        of(&|i| 255 - (i / 64) as u8),
        of(&|i| 127 + (i % 2) as u8),
    ]
}

fn assert_top_k(encoders: &[Encoder], data: &[u8], ks: impl IntoIterator<Item = usize>) {
    for k in ks {
        let want = top_k(data, k);
        for encoder in encoders {
            let got = encoder.top_k(data, k);
            let isa = encoder.isa();
            assert_eq!(got.as_ref(), Ok(&want), "{isa}: {k} of {data:?}");
        }
    }
}

#[test]
fn every_length_and_kind_of_tie() {
    let encoders = encoders();
    for len in 0..=300 {
        for data in with_ties(len) {
            assert_top_k(&encoders, &data, [1, 3, 32, len / 2, len]);
        }
    }
}

#[test]
fn every_k() {
    let encoders = encoders();
    for len in [0, 1, 5, 63, 64, 65, 100, 255, 256, 257, 384] {
        for data in with_ties(len) {
            assert_top_k(&encoders, &data, (0..=len + 3).step_by(1 + len / 32));
        }
    }
    for data in with_ties(257) {
        assert_top_k(&encoders, &data, 250..=260);
    }
}

#[test]
fn every_value_is_found_as_the_largest_and_as_the_smallest() {
    let encoders = encoders();
    for value in 0..=255_u8 {
        for index in [0, 31, 32, 63, 64, 99] {
            let mut data = vec![value; 100];
            data[index] = value.saturating_add(1);
            assert_top_k(&encoders, &data, [1, 2]);
            data[index] = value.saturating_sub(1);
            assert_top_k(&encoders, &data, [1, 99, 100]);
        }
    }
}

#[test]
fn long_data() {
    let encoders = encoders();
    for len in [4096, 65_534, 65_535] {
        let data = noise(1, len);
        assert_top_k(&encoders, &data, [0, 1, 8, 1000, len - 1, len, 65_535]);
        assert_top_k(&encoders, &vec![9; len], [1, 1000, len]);
    }
}

#[test]
fn padding_is_of_ones() {
    assert_eq!(top_k_q64(&[], 4).unwrap(), "Pfv_Pfv_");
    assert_eq!(top_k_q64(&[3], 4).unwrap(), "AQv_Pfv_");
    let text = top_k_q64(&[3; 257], 258).unwrap();
    assert!(text.ends_with("ARgwPfv_"), "{text}");
    let most = top_k_q64(&[], 65_535).unwrap();
    assert_eq!(most, "Pfv_".repeat(32_768)[..131_070]);
}

const ANSWERS: &[(&str, usize, &str)] = &[
    ("", 4, "Pfv_Pfv_"),
    ("9d", 2, "AQv_"),
    ("474d42", 2, "AQgx"),
    ("ccf14032", 3, "AQgxAS"),
    ("07c8c8c807", 1, "AR"),
    ("0707c8c8c8c80707", 3, "ASgzAU"),
    ("97bb25187e7fafbc", 9, "AQgxASgzAUg1AWg3Pf"),
    ("89d7197ab3a19ee5b80e3492b91ca5fe", 8, "ARg0AVg3AYg8Aeg_"),
    ("8c4e97b92d1e0adc43fb7f0d7aa32bb725", 3, "ATg3AZ"),
    ("c807c807c8c8c80707c8c8070707c80707", 8, "AQgyAUg1AWg5Aag-"),
    (
        "4ff786bbf58d62de84bf68c099a3b70288b446415a30c6fbaebfa41a7c38c2a59804dc9dc26ce729\
         98f21d910cad3028282cee56b62e953e256ef4574929c8ddcc9318cc3b3d2434f2d770796ecc4bb3\
         47be06f5262bd8b41de164c5ea4907b623a146cb6cfd9fc91af6e54958cc941230dc71d225e95d5f\
         f75b82497000627a0e439a6c9e8877cc7af82b821d91ef2c4a8e4ae702d8c4dab85c9e227cf50802\
         e5f6a376ef66ffe8b4ae3ab44841b358d6da3a950f80f4fe153dbef105f3e9bb9979611f9f71bbfd\
         01a36a5acafef0b139c7a82fe25286de85f1246c1376c173f853712e221d95420df9969c9c4e5930\
         9c8c8f9933589284a5bd4c1e2cc5ec6c3f",
        8,
        "AQh3AQm1AQo5AQq2AQr3AQs3AQs9AQu5",
    ),
    (
        "ff00090900ffff0000ffffffff090009ff00ff00ff00ff00090000ff09ffff00ff0000ff09ffff00\
         000009000909ff00ff0000ff00ffff00ffffff0900ffff00ff0000090000ff0000ff09ff0009ff00\
         000900ff090000ffff00ff090000ffff00000909ffff09ff090909ff0000ff0900000000090909ff\
         09ff000900ff090909ff0900ff09000900090009000009ff0900000009ff0000ff000000000009ff\
         ff09000000000009000909000909ff0000ff0009090000ff090009090900000000ff09ff0900ffff\
         00ff0009ff00090900ffff000000ff000000ffffff09ffff00ff0909ffff090900ffff0009ff0000\
         09ff09ff0009ff00ff0909000009090009",
        8,
        "AQgwAQg1AQg2AQg5AQg6AQg7AQg8AQhw",
    ),
];

#[test]
fn known_answers() {
    let encoders = encoders();
    for (hex, k, text) in ANSWERS {
        let data = bytes(hex);
        // They and the tests' own reference come from different hands.
        assert_eq!(top_k(&data, *k), *text);
        assert_top_k(&encoders, &data, [*k]);
    }
}

/// What the two forms, which must agree, refuse.
fn refused(encoder: &Encoder, data: &[u8], k: usize) -> Q64Error {
    let mut output = vec![0xa5; 600];
    let error = encoder.top_k_into(data, k, &mut output).unwrap_err();
    assert!(output.iter().all(|byte| *byte == 0xa5));
    assert_eq!(encoder.top_k(data, k), Err(error));
    assert_eq!(top_k_q64(data, k), Err(error));
    assert_eq!(top_k_to_buffer(data, k, &mut output), Err(error));
    assert_eq!(top_k_len(data.len(), k), None);
    error
}

#[test]
fn what_is_too_much_is_refused() {
    let too_long = Q64Error::TooLong {
        len: 65_536,
        most: 65_535,
    };
    let too_many = |asked| Q64Error::TooMany {
        asked,
        most: 65_535,
    };
    let data = vec![1; 65_536];
    for encoder in encoders() {
        for k in [0, 1, 65_535, 65_536, usize::MAX] {
            assert_eq!(refused(&encoder, &data, k), too_long);
        }
        for k in [65_536, 1 << 31, usize::MAX / 4 + 1, usize::MAX] {
            for len in [0, 1, 256, 257, 65_535] {
                assert_eq!(refused(&encoder, &data[..len], k), too_many(k));
            }
        }
    }
    assert_eq!(
        (too_long.kind(), too_long.position(), too_long.to_string()),
        (
            "too_long",
            None,
            "too long: the data has 65536 bytes, and at most 65535 are allowed".into()
        )
    );
    assert_eq!(
        (too_many(usize::MAX).kind(), too_many(65_536).to_string()),
        (
            "too_many",
            "too many: 65536 were asked for, and at most 65535 can be had".into()
        )
    );
}

#[test]
fn a_buffer_is_filled_as_far_as_the_text_goes_or_not_at_all() {
    for encoder in encoders() {
        for len in [0, 1, 2, 64, 100, 256, 257, 384] {
            let data = noise(2, len);
            for k in [0, 1, 2, 8, 63, 64, 65, 129, 400] {
                let want = top_k(&data, k);
                let needed = want.len();
                assert_eq!(top_k_len(len, k), Some(needed));

                let mut output = vec![0xa5; needed + 70];
                assert_eq!(encoder.top_k_into(&data, k, &mut output), Ok(needed));
                assert_eq!(output[..needed], *want.as_bytes());
                assert!(output[needed..].iter().all(|byte| *byte == 0xa5));
                assert_eq!(top_k_to_buffer(&data, k, &mut output[..needed]), Ok(needed));

                let Some(available) = needed.checked_sub(1) else {
                    continue;
                };
                output.fill(0xa5);
                let small = Q64Error::BufferTooSmall { needed, available };
                let got = encoder.top_k_into(&data, k, &mut output[..available]);
                assert_eq!(got, Err(small));
                assert!(output.iter().all(|byte| *byte == 0xa5));
            }
        }
    }
}

#[test]
fn a_string_is_as_large_as_it_must_be() {
    for (len, k) in [(0, 0), (384, 0), (100, 8), (384, 8), (3, 65_535)] {
        let text = top_k_q64(&noise(3, len), k).unwrap();
        assert_eq!(Some(text.len()), top_k_len(len, k));
        assert_eq!(text.capacity(), text.len());
    }
}

#[test]
fn sizes() {
    assert_eq!(top_k_len(0, 0), Some(0));
    assert_eq!(top_k_len(0, 65_535), Some(131_070));
    assert_eq!(top_k_len(256, 8), Some(16));
    assert_eq!(top_k_len(257, 8), Some(32));
    assert_eq!(top_k_len(65_535, 65_535), Some(262_140));
    assert_eq!(top_k_len(65_536, 0), None);
    assert_eq!(top_k_len(0, 65_536), None);
    assert_eq!(top_k_len(usize::MAX, usize::MAX), None);
}

/// A comparison that cannot fail would prove nothing.
#[test]
fn a_reference_that_takes_the_last_of_equals_is_noticed() {
    let last_wins = |data: &[u8], k: usize| {
        let mut indices: Vec<u8> = (0..data.len() as u8).collect();
        indices.sort_by_key(|index| (255 - data[usize::from(*index)], 255 - *index));
        indices.truncate(k);
        indices.sort();
        encode(&indices)
    };
    let differs = |data: &Vec<u8>| last_wins(data, 32) != top_k_q64(data, 32).unwrap();
    let noticed = with_ties(100).iter().filter(|data| differs(data)).count();
    assert!(noticed >= 8, "{noticed}");
}
