//! Eq64 against the rule that it is Q64 with a dot after every 8 characters.

use crate::common::{Refusal, decode, encode, noise};
use q64::{
    Q64Error, eq64_decode, eq64_decode_to_buffer, eq64_decoded_len, eq64_encode,
    eq64_encode_to_buffer, eq64_encoded_len,
};

fn dotted(data: &[u8]) -> String {
    let text = encode(data);
    let mut dotted = String::new();
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 8 == 0 {
            dotted.push('.');
        }
        dotted.push(character);
    }
    dotted
}

/// What the format says of any text.
fn strictly(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let n = text.len();
    if (n - n / 9) % 2 == 1 {
        return Err(("odd_length", None));
    }
    let mut characters = Vec::new();
    for (at, &byte) in text.iter().enumerate() {
        match (at % 9 == 8, byte == b'.') {
            (true, true) if at + 1 < n => continue,
            (true, false) => return Err(("missing_dot", Some(at))),
            (_, true) => return Err(("misplaced_dot", Some(at))),
            (false, false) => characters.push(byte),
        }
        // Judged at once, at its own position: a character is good or not without those behind it.
        let mut padded = characters.clone();
        if padded.len() % 2 == 1 {
            padded.push(b"Qw"[padded.len() / 2 % 2]);
        }
        decode(&padded).map_err(|(kind, _)| (kind, Some(at)))?;
    }
    Ok(decode(&characters).unwrap())
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    eq64_decode(text).map_err(|error| (error.kind(), error.position()))
}

#[test]
fn every_length_is_encoded_and_decoded() {
    for len in (0..=300).chain([4095, 4096, 4097]) {
        let data = noise(len as u64, len);
        let want = dotted(&data);
        assert_eq!(eq64_encode(&data), want);
        assert_eq!(eq64_encoded_len(len), Some(want.len()));
        assert_eq!(eq64_decoded_len(want.len()), len);
        assert_eq!(eq64_decode(&want).unwrap(), data);

        let mut text = vec![0xa5; want.len() + 3];
        assert_eq!(eq64_encode_to_buffer(&data, &mut text), Ok(want.len()));
        assert_eq!(&text[..want.len()], want.as_bytes());
        assert_eq!(text[want.len()..], [0xa5; 3]);
        let mut back = vec![0xa5; len + 3];
        assert_eq!(eq64_decode_to_buffer(&want, &mut back), Ok(len));
        assert_eq!((&back[..len], &back[len..]), (&data[..], &[0xa5; 3][..]));
    }
}

#[test]
fn one_wrong_byte_at_every_place_is_told_apart() {
    for len in [1, 3, 4, 5, 7, 8, 9, 12, 13, 30] {
        let text = dotted(&noise(7, len)).into_bytes();
        for at in 0..text.len() {
            for byte in *b"AQgwPfv_.:!\n\0\x80\xff" {
                let mut wrong = text.clone();
                wrong[at] = byte;
                assert_eq!(
                    decoded(&wrong),
                    strictly(&wrong),
                    "{}",
                    wrong.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn cut_and_lengthened_texts_are_refused_as_the_format_says() {
    for len in 0..40 {
        let text = dotted(&noise(9, len)).into_bytes();
        for cut in 0..text.len() {
            assert_eq!(decoded(&text[..cut]), strictly(&text[..cut]));
        }
        for more in [&b"."[..], b"..", b"A", b"AQ", b".AQ", b"gw.", b"\n"] {
            let longer = [&text[..], more].concat();
            assert_eq!(
                decoded(&longer),
                strictly(&longer),
                "{}",
                longer.escape_ascii()
            );
        }
    }
}

#[test]
fn the_kinds_of_the_format() {
    for (text, refusal) in [
        (".", ("odd_length", None)),
        ("..", ("misplaced_dot", Some(0))),
        ("AQgwAQgw.", ("misplaced_dot", Some(8))),
        ("AQgwAQgwA", ("missing_dot", Some(8))),
        ("AQgwAQgw:AQ", ("missing_dot", Some(8))),
        ("AQgwAQgw.AQgwAQgw.", ("misplaced_dot", Some(17))),
        ("AQgwAQgw.QA", ("wrong_position", Some(9))),
        ("AQgwAQgw.A!", ("invalid_character", Some(10))),
        ("AQgwAQgwAQ", ("odd_length", None)),
    ] {
        assert_eq!(decoded(text.as_bytes()), Err(refusal), "{text}");
    }
}

#[test]
fn a_short_buffer_is_refused_and_left_alone() {
    for len in [1, 4, 5, 100] {
        let data = noise(1, len);
        let needed = eq64_encoded_len(len).unwrap();
        let mut short = vec![0xa5; needed - 1];
        let available = short.len();
        let refused = Err(Q64Error::BufferTooSmall { needed, available });
        assert_eq!(eq64_encode_to_buffer(&data, &mut short), refused);
        assert!(short.iter().all(|byte| *byte == 0xa5));

        let mut short = vec![0xa5; len - 1];
        let available = short.len();
        let needed = len;
        let refused = Err(Q64Error::BufferTooSmall { needed, available });
        assert_eq!(eq64_decode_to_buffer(dotted(&data), &mut short), refused);
        assert!(short.iter().all(|byte| *byte == 0xa5));
        assert_eq!(
            eq64_decode_to_buffer("AQg", &mut short).unwrap_err().kind(),
            "odd_length"
        );
    }
}
