//! Mq64 against its segments, one by one.

use crate::common::{Refusal, decode, encode, encoders, noise};
use q64::{
    Q64Error, mq64_decode, mq64_decode_to_buffer, mq64_decoded_len, mq64_encode,
    mq64_encode_to_buffer, mq64_encode_with_levels, mq64_encode_with_levels_to_buffer,
    mq64_encoded_len, mq64_encoded_len_with_levels,
};

fn joined(data: &[u8], levels: &[usize]) -> String {
    let segments: Vec<_> = levels.iter().map(|&level| encode(&data[..level])).collect();
    segments.join(":")
}

fn default_levels(len: usize) -> Vec<usize> {
    let mut levels: Vec<_> = (6..)
        .map(|log| 1 << log)
        .take_while(|level| *level < len)
        .collect();
    levels.extend((len > 0).then_some(len));
    levels
}

/// What the format says of any text, segment by segment.
fn strictly(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (mut start, mut before, mut data) = (0, Vec::new(), Vec::new());
    if text.is_empty() {
        return Ok(data);
    }
    for segment in text.split(|byte| *byte == b':') {
        if segment.is_empty() {
            return Err(("empty_segment", Some(start)));
        }
        data = decode(segment).map_err(|(kind, at)| (kind, Some(start + at.unwrap_or(0))))?;
        let same = segment
            .iter()
            .zip(&before)
            .take_while(|(a, b)| a == b)
            .count();
        if same < before.len() || segment.len() == before.len() {
            return Err(("not_a_prefix", Some(start + same)));
        }
        start += segment.len() + 1;
        before = segment.to_vec();
    }
    Ok(data)
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    mq64_decode(text).map_err(|error| (error.kind(), error.position()))
}

#[test]
fn every_length_is_encoded_and_decoded_on_every_path() {
    let encoders = encoders();
    for len in (0..=300).chain([511, 512, 513, 1025, 5000]) {
        let data = noise(len as u64, len);
        let want = joined(&data, &default_levels(len));
        assert_eq!(mq64_encoded_len(len), Some(want.len()));
        assert_eq!(mq64_decoded_len(want.as_bytes()), len);
        for encoder in &encoders {
            assert_eq!(encoder.mq64_encode(&data), want, "{}", encoder.isa());
            assert_eq!(
                encoder.mq64_decode(want.as_bytes()).unwrap(),
                data,
                "{}",
                encoder.isa()
            );
        }
        assert_eq!(mq64_encode(&data), want);
        let mut text = vec![0xa5; want.len() + 3];
        assert_eq!(mq64_encode_to_buffer(&data, &mut text), Ok(want.len()));
        assert_eq!(&text[..want.len()], want.as_bytes());
        assert_eq!(text[want.len()..], [0xa5; 3]);
        let mut back = vec![0xa5; len + 3];
        assert_eq!(mq64_decode_to_buffer(&want, &mut back), Ok(len));
        assert_eq!((&back[..len], &back[len..]), (&data[..], &[0xa5; 3][..]));
    }
}

#[test]
fn levels_must_ascend_to_the_length() {
    let data = noise(3, 8);
    for (levels, index) in [
        (&[8, 2][..], 1),
        (&[9], 0),
        (&[2, 9], 1),
        (&[0, 8], 0),
        (&[8, 0], 1),
        (&[2, 2, 8], 1),
        (&[], 0),
        (&[4], 1),
        (&[usize::MAX], 0),
        (&[8, 8], 1),
    ] {
        let refused = Q64Error::BadLevels { index, data_len: 8 };
        assert_eq!(
            mq64_encode_with_levels(&data, levels),
            Err(refused),
            "{levels:?}"
        );
        let mut text = [0xa5; 200];
        let filled = mq64_encode_with_levels_to_buffer(&data, levels, &mut text);
        assert_eq!(filled, Err(refused), "{levels:?}");
        assert_eq!(text, [0xa5; 200]);
    }
    for levels in [&[8][..], &[1, 8], &[1, 2, 3, 4, 5, 6, 7, 8]] {
        let want = joined(&data, levels);
        assert_eq!(mq64_encode_with_levels(&data, levels).unwrap(), want);
        assert_eq!(mq64_encoded_len_with_levels(levels), Some(want.len()));
        assert_eq!(mq64_decode(&want).unwrap(), data);
    }
    assert_eq!(mq64_encode_with_levels(&[], &[]).unwrap(), "");
    let refused = Q64Error::BadLevels {
        index: 0,
        data_len: 0,
    };
    assert_eq!(mq64_encode_with_levels(&[], &[0]), Err(refused));
    assert_eq!(mq64_encoded_len_with_levels(&[usize::MAX / 2 + 1]), None);
    assert_eq!(mq64_encoded_len_with_levels(&[usize::MAX / 2, 1]), None);
}

#[test]
fn the_kinds_of_the_format() {
    for (text, refusal) in [
        (":", ("empty_segment", Some(0))),
        ("AQ:", ("empty_segment", Some(3))),
        (":AQ", ("empty_segment", Some(0))),
        ("AQ::AQgw", ("empty_segment", Some(3))),
        ("A:AQ", ("odd_length", Some(0))),
        ("AQ:AQg", ("odd_length", Some(3))),
        ("AQ:AR", ("not_a_prefix", Some(4))),
        ("AQ:AQ", ("not_a_prefix", Some(5))),
        ("AQgw:AQ", ("not_a_prefix", Some(7))),
        ("AQgw:BQgwAQ", ("not_a_prefix", Some(5))),
        ("AQ:AQg!", ("invalid_character", Some(6))),
        ("A!:AQ", ("invalid_character", Some(1))),
        ("AQ:QA", ("wrong_position", Some(3))),
        ("AQ;AQgw", ("odd_length", Some(0))),
    ] {
        assert_eq!(
            strictly(text.as_bytes()),
            Err(refusal),
            "the tests' own, of {text}"
        );
        assert_eq!(decoded(text.as_bytes()), Err(refusal), "{text}");
    }
}

#[test]
fn one_wrong_byte_at_every_place_is_told_apart() {
    for levels in [&[1, 2, 3][..], &[5], &[31, 64, 65], &[64, 128, 200]] {
        let data = noise(5, *levels.last().unwrap());
        let text = joined(&data, levels).into_bytes();
        for at in 0..text.len() {
            for byte in *b"AQgwPfv_:.!\n\0\x80\xff" {
                let mut wrong = text.clone();
                wrong[at] = byte;
                assert_eq!(
                    decoded(&wrong),
                    strictly(&wrong),
                    "{}",
                    wrong.escape_ascii()
                );
            }
            assert_eq!(decoded(&text[..at]), strictly(&text[..at]));
        }
    }
}

#[test]
fn many_segments_take_no_more_than_their_text() {
    // Each separator that is looked for from the start again would make this take hours.
    let colons = vec![b':'; 1 << 20];
    assert_eq!(decoded(&colons), Err(("empty_segment", Some(0))));
    let data = noise(6, 1500);
    let levels: Vec<usize> = (1..=1500).collect();
    let text = mq64_encode_with_levels(&data, &levels).unwrap();
    assert_eq!(mq64_decode(&text).unwrap(), data);
}

#[test]
fn a_short_buffer_is_refused_and_left_alone() {
    for len in [1, 64, 65, 1000] {
        let data = noise(1, len);
        let text = mq64_encode(&data);
        let mut short = vec![0xa5; text.len() - 1];
        let refused = mq64_encode_to_buffer(&data, &mut short).unwrap_err();
        let (needed, available) = (text.len(), text.len() - 1);
        assert_eq!(refused, Q64Error::BufferTooSmall { needed, available });
        assert!(short.iter().all(|byte| *byte == 0xa5));

        let mut short = vec![0xa5; len - 1];
        let refused = mq64_decode_to_buffer(&text, &mut short).unwrap_err();
        let (needed, available) = (len, len - 1);
        assert_eq!(refused, Q64Error::BufferTooSmall { needed, available });
        assert!(short.iter().all(|byte| *byte == 0xa5));
    }
}
