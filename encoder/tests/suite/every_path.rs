//! Every instruction set that can run here against the format written down a second time.

use std::fmt::Debug;

use crate::common::{Refusal, decode, encode, encoders, noise, streaming_encoders};
use q64::{BufferTooSmall, Encoder, STREAMS_FROM};

/// Lengths of data on both sides of every block size, odd and even.
const LENGTHS: [usize; 21] = [
    0, 1, 2, 3, 4, 5, 14, 15, 16, 17, 18, 31, 32, 33, 47, 63, 64, 65, 127, 128, 131,
];

/// The first input for which a path and the reference differ, with both answers.
fn first_difference<T: PartialEq + Debug>(
    answers: &[(Vec<u8>, T)],
    path: impl Fn(&[u8]) -> T,
) -> Option<String> {
    answers.iter().find_map(|(input, want)| {
        let got = path(input);
        let text = input.escape_ascii();
        (*want != got).then(|| format!("{} bytes {text}: want {want:?}, got {got:?}", input.len()))
    })
}

fn answers<T>(
    inputs: impl IntoIterator<Item = Vec<u8>>,
    reference: impl Fn(&[u8]) -> T,
) -> Vec<(Vec<u8>, T)> {
    let answer = |input: Vec<u8>| {
        let answer = reference(&input);
        (input, answer)
    };
    inputs.into_iter().map(answer).collect()
}

fn assert_encodes(inputs: impl IntoIterator<Item = Vec<u8>>) {
    let answers = answers(inputs, encode);
    assert!(!answers.is_empty());
    for encoder in encoders() {
        let difference = first_difference(&answers, |data| encoder.encode(data));
        assert_eq!(difference, None, "{}", encoder.isa());
    }
}

fn assert_decodes(inputs: impl IntoIterator<Item = Vec<u8>>) {
    let answers = answers(inputs, decode);
    assert!(!answers.is_empty());
    for encoder in encoders() {
        let difference = first_difference(&answers, |text| decoded(&encoder, text));
        assert_eq!(difference, None, "{}", encoder.isa());
    }
}

fn decoded(encoder: &Encoder, text: &[u8]) -> Result<Vec<u8>, Refusal> {
    encoder
        .decode(text)
        .map_err(|error| (error.kind(), error.position()))
}

/// A bijection of the bytes at each index, so that 256 seeds show every byte at every index.
fn every_byte(len: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..=255).map(move |seed| (0..len).map(|i| (37 * i) as u8 ^ seed).collect())
}

fn text(seed: u64, len: usize) -> Vec<u8> {
    encode(&noise(seed, len)).into_bytes()
}

#[test]
fn encode_at_every_length() {
    assert_encodes((0..=300).map(|len| noise(len as u64, len)));
}

#[test]
fn encode_of_every_byte_at_every_index() {
    assert_encodes(LENGTHS.into_iter().flat_map(every_byte));
}

#[test]
fn decode_at_every_length() {
    assert_decodes((0..=300).map(|len| text(len as u64, len)));
}

#[test]
fn decode_of_every_byte_at_every_index() {
    let inputs = LENGTHS.into_iter().flat_map(every_byte);
    assert_decodes(inputs.map(|data| encode(&data).into_bytes()));
}

/// Good text with the byte at each position replaced by each of `bytes`.
fn one_wrong_byte(len: usize, bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let text = text(7, len);
    (0..text.len()).flat_map(move |position| {
        let replaced = |byte: &u8| {
            let mut wrong = text.clone();
            wrong[position] = *byte;
            wrong
        };
        bytes.iter().map(replaced).collect::<Vec<_>>()
    })
}

#[test]
fn decode_of_one_wrong_byte_at_every_position() {
    // One of each alphabet, ones beside the alphabets, a control, and what is not ASCII.
    let bytes = b"AQgwPfv_/:@[`{.=! \n\0\x7f\x80\xc1\xe7\xff";
    assert_decodes(
        LENGTHS
            .into_iter()
            .flat_map(|len| one_wrong_byte(len, bytes)),
    );
}

#[test]
fn decode_of_every_wrong_byte() {
    let all: Vec<u8> = (0..=255).collect();
    assert_decodes(
        [15, 31, 131]
            .into_iter()
            .flat_map(|len| one_wrong_byte(len, &all)),
    );
}

/// The leftmost of two wrong bytes is the error, in one block or in two.
#[test]
fn decode_of_two_wrong_bytes() {
    let text = text(8, 69);
    let pairs = (0..text.len()).flat_map(|first| (first + 1..text.len()).map(move |p| (first, p)));
    assert_decodes(pairs.map(|(first, second)| {
        let mut wrong = text.clone();
        (wrong[first], wrong[second]) = (0xc3, b'!');
        wrong
    }));
}

#[test]
fn decode_refuses_odd_lengths_whatever_they_hold() {
    assert_decodes((1..300).step_by(2).map(|len| noise(len as u64, len)));
}

/// The calls that fill a buffer give the same as those that return one, wherever both buffers
/// begin, and write to the first bytes alone.
#[test]
fn filling_a_buffer_writes_its_first_bytes_alone() {
    let room = [0; 512];
    for encoder in encoders() {
        for len in LENGTHS {
            for offset in 0..64 {
                let mut input = room;
                let data = &mut input[offset..offset + len];
                data.copy_from_slice(&noise(offset as u64, len));
                let text = encode(data).into_bytes();
                for spare in [0, 1, 65] {
                    let before: [u8; 512] = noise(9, 512).try_into().unwrap();
                    let start = 63 - offset;

                    let mut output = before;
                    let end = start + text.len();
                    let written = encoder.encode_into(data, &mut output[start..end + spare]);
                    let mut want = before;
                    want[start..end].copy_from_slice(&text);
                    assert_eq!(written, Ok(text.len()));
                    assert_eq!(output, want, "{} {len} {offset} {spare}", encoder.isa());

                    let mut output = before;
                    let end = start + len;
                    let written = encoder.decode_into(&text, &mut output[start..end + spare]);
                    let mut want = before;
                    want[start..end].copy_from_slice(data);
                    assert_eq!(written, Ok(len));
                    assert_eq!(output, want, "{} {len} {offset} {spare}", encoder.isa());
                }
            }
        }
    }
}

/// The calls with streaming stores give the same as the format asks for, wherever the text begins,
/// and write nothing else. Lengths are enough for a head, a few blocks and a tail of any size.
#[test]
fn streaming_writes_its_text_alone_at_every_length_and_address() {
    // What a line of the cache is aligned to.
    #[repr(align(64))]
    struct Aligned([u8; 768]);
    let canary: [u8; 768] = noise(12, 768).try_into().unwrap();
    for encoder in streaming_encoders() {
        for len in 0..=300 {
            let data = noise(len as u64, len);
            let text = encode(&data).into_bytes();
            for offset in 64..128 {
                let mut output = Aligned(canary);
                let mut want = canary;
                let place = offset..offset + text.len();
                want[place.clone()].copy_from_slice(&text);
                let written = encoder.encode_into(&data, &mut output.0[place]);
                assert_eq!(written, Ok(text.len()));
                let isa = encoder.isa();
                assert!(
                    output.0 == want,
                    "{isa}: {len} bytes at 64 n + {}",
                    offset % 64
                );
            }
        }
    }
}

/// Around the length from which streaming stores are used, where they can be and where not.
#[test]
fn encode_around_the_threshold_of_streaming() {
    let data = noise(13, STREAMS_FROM + 131);
    let text = encode(&data).into_bytes();
    let mut output = vec![0; text.len() + 128];
    for encoder in encoders() {
        for (len, offset) in [(STREAMS_FROM - 1, 64), (STREAMS_FROM, 66), (data.len(), 68)] {
            let place = offset..offset + 2 * len;
            output[..place.start].fill(0xa5);
            output[place.end..].fill(0xa5);
            let written = encoder.encode_into(&data[..len], &mut output[place.clone()]);
            assert_eq!(written, Ok(2 * len));
            let same = output[place.clone()] == text[..2 * len];
            assert!(same, "{} {len} {offset}", encoder.isa());
            let around = [&output[..place.start], &output[place.end..]].concat();
            assert!(around.iter().all(|&byte| byte == 0xa5));
        }
    }
}

#[test]
fn a_refused_text_harms_nothing_outside_the_buffer() {
    for encoder in encoders() {
        for len in LENGTHS {
            let mut text = encode(&noise(10, len)).into_bytes();
            for position in 0..text.len() {
                let good = std::mem::replace(&mut text[position], 0x80);
                let mut output = [0xa5; 256];
                let error = encoder
                    .decode_into(&text, &mut output[50..50 + len])
                    .unwrap_err();
                assert_eq!(error.position(), Some(position), "{} {len}", encoder.isa());
                assert_eq!(output[..50], [0xa5; 50]);
                assert!(output[50 + len..].iter().all(|&byte| byte == 0xa5));
                text[position] = good;
            }
        }
    }
}

#[test]
fn a_buffer_one_byte_short_is_refused_and_left_as_it_is() {
    for encoder in encoders() {
        for len in LENGTHS {
            if len == 0 {
                continue;
            }
            let data = noise(11, len);
            let mut output = vec![0xa5; 2 * len - 1];
            assert_eq!(encoder.encode_into(&data, &mut output), Err(BufferTooSmall));
            assert!(output.iter().all(|&byte| byte == 0xa5));

            // A short buffer wins over a wrong character.
            let mut text = encode(&data).into_bytes();
            text[0] = b'!';
            let mut output = vec![0xa5; len - 1];
            let error = encoder.decode_into(&text, &mut output).unwrap_err();
            assert_eq!(
                error.explain(&text, output.len()).kind(),
                "buffer_too_small"
            );
            assert!(output.iter().all(|&byte| byte == 0xa5));
        }
    }
}

/// The comparison that these tests rest on sees what it is there for.
#[test]
fn comparison_sees_planted_faults() {
    let encoded = answers((0..=300).map(|len| noise(len as u64, len)), encode);
    assert_eq!(first_difference(&encoded, encode), None);
    let last_character_at_77 = |data: &[u8]| {
        let mut text = encode(data);
        if data.len() == 77 {
            text.pop();
            text.push('.');
        }
        text
    };
    let difference = first_difference(&encoded, last_character_at_77).unwrap();
    assert!(difference.starts_with("77 bytes "), "{difference}");

    let decoded = answers(one_wrong_byte(17, b".!"), decode);
    assert_eq!(first_difference(&decoded, decode), None);
    let one_position_late = |text: &[u8]| {
        decode(text).map_err(|(kind, position)| (kind, position.map(|position| position + 1)))
    };
    assert!(first_difference(&decoded, one_position_late).is_some());
    let takes_a_dot_at_31 = |text: &[u8]| {
        let mut text = text.to_vec();
        if text[31] == b'.' {
            text[31] = b'w';
        }
        decode(&text)
    };
    let difference = first_difference(&decoded, takes_a_dot_at_31).unwrap();
    assert!(difference.contains("Some(31)"), "{difference}");
}
