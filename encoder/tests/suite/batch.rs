//! Batches against their rows, each encoded or decoded by the format written down a second time.

use crate::common::{decode, encode, encoders, noise};
use q64::{
    Encoder, Q64Error, q64_decode_batch, q64_decode_batch_to_buffer, q64_encode_batch,
    q64_encode_batch_to_buffer,
};

/// Row lengths whose text starts anew at every row, and ones that start at every other residue.
const ROWS: [usize; 12] = [1, 2, 3, 4, 5, 15, 16, 31, 33, 64, 100, 129];

fn texts(rows: &[u8], row_len: usize) -> String {
    rows.chunks(row_len).map(encode).collect()
}

/// Kind and position of the leftmost error.
fn datas(text: &[u8], row_len: usize) -> Result<Vec<u8>, crate::common::Refusal> {
    let mut all = Vec::new();
    for (r, row) in text.chunks(row_len).enumerate() {
        match decode(row) {
            Ok(data) => all.extend(data),
            Err((kind, position)) => return Err((kind, position.map(|p| r * row_len + p))),
        }
    }
    Ok(all)
}

/// What one way of calling gives, whether it fills a buffer or returns one, in the same form.
type Answer = Result<Vec<u8>, Q64Error>;
type Call<'a> = (String, Box<dyn Fn(&[u8], usize) -> Answer + 'a>);

/// Every way to encode a batch. Those that fill get a buffer that is longer, of which the rest must stay as it is.
fn encoding(encoders: &[Encoder]) -> Vec<Call<'_>> {
    let filled = |len: usize, f: &dyn Fn(&mut [u8]) -> Result<usize, Q64Error>| {
        let mut output = vec![0xa5; len + 3];
        let written = f(&mut output)?;
        assert_eq!((written, &output[len..]), (len, &[0xa5; 3][..]));
        output.truncate(len);
        Ok(output)
    };
    let mut calls: Vec<Call<'_>> = vec![
        (
            "returned".into(),
            Box::new(|rows, n| q64_encode_batch(rows, n).map(String::into_bytes)),
        ),
        (
            "filled".into(),
            Box::new(move |rows, n| {
                filled(2 * rows.len(), &|out| {
                    q64_encode_batch_to_buffer(rows, n, out)
                })
            }),
        ),
    ];
    for encoder in encoders {
        calls.push((
            encoder.isa().to_string(),
            Box::new(move |rows, n| {
                filled(2 * rows.len(), &|out| {
                    encoder.encode_rows_into(rows, n, out)
                })
            }),
        ));
        #[cfg(feature = "rayon")]
        calls.push((
            format!("{} in parallel", encoder.isa()),
            Box::new(move |rows, n| {
                filled(2 * rows.len(), &|out| {
                    encoder.parallel_encode_rows_into(rows, n, out)
                })
            }),
        ));
    }
    #[cfg(feature = "rayon")]
    calls.extend([
        (
            "returned in parallel".into(),
            Box::new(|rows: &[u8], n| {
                q64::parallel_q64_encode_batch(rows, n).map(String::into_bytes)
            }) as Box<dyn Fn(&[u8], usize) -> Answer>,
        ),
        (
            "filled in parallel".into(),
            Box::new(move |rows: &[u8], n| {
                filled(2 * rows.len(), &|out| {
                    q64::parallel_q64_encode_batch_to_buffer(rows, n, out)
                })
            }),
        ),
    ]);
    calls
}

/// Every way to decode a batch.
fn decoding(encoders: &[Encoder]) -> Vec<Call<'_>> {
    let filled = |len: usize, f: &dyn Fn(&mut [u8]) -> Result<usize, Q64Error>| {
        let mut output = vec![0xa5; len + 3];
        let answer = f(&mut output);
        assert_eq!(output[len..], [0xa5; 3]);
        assert_eq!(answer?, len);
        output.truncate(len);
        Ok(output)
    };
    let mut calls: Vec<Call<'_>> = vec![
        (
            "returned".into(),
            Box::new(|text, n| q64_decode_batch(text, n)),
        ),
        (
            "filled".into(),
            Box::new(move |text, n| {
                filled(text.len() / 2, &|out| {
                    q64_decode_batch_to_buffer(text, n, out)
                })
            }),
        ),
    ];
    for encoder in encoders {
        calls.push((
            encoder.isa().to_string(),
            Box::new(move |text, n| {
                filled(text.len() / 2, &|out| {
                    encoder.decode_rows_into(text, n, out)
                })
            }),
        ));
        #[cfg(feature = "rayon")]
        calls.push((
            format!("{} in parallel", encoder.isa()),
            Box::new(move |text, n| {
                filled(text.len() / 2, &|out| {
                    encoder.parallel_decode_rows_into(text, n, out)
                })
            }),
        ));
    }
    #[cfg(feature = "rayon")]
    calls.extend([
        (
            "returned in parallel".into(),
            Box::new(|text: &[u8], n| q64::parallel_q64_decode_batch(text, n))
                as Box<dyn Fn(&[u8], usize) -> Answer>,
        ),
        (
            "filled in parallel".into(),
            Box::new(move |text: &[u8], n| {
                filled(text.len() / 2, &|out| {
                    q64::parallel_q64_decode_batch_to_buffer(text, n, out)
                })
            }),
        ),
    ]);
    calls
}

#[test]
fn a_batch_is_its_rows() {
    let encoders = encoders();
    for row_len in ROWS {
        for rows in [0, 1, 2, 3, 7, 40] {
            let data = noise(row_len as u64, rows * row_len);
            let text = texts(&data, row_len);
            for (name, call) in encoding(&encoders) {
                let got = call(&data, row_len).unwrap();
                assert_eq!(got, text.as_bytes(), "{name}: {rows} of {row_len}");
            }
            for (name, call) in decoding(&encoders) {
                let got = call(text.as_bytes(), 2 * row_len).unwrap();
                assert_eq!(got, data, "{name}: {rows} of {row_len}");
            }
        }
    }
}

/// Streaming stores are for batches that are encoded as a whole.
#[cfg(feature = "rayon")]
#[test]
fn a_batch_that_threads_stream_is_its_rows() {
    let encoder = Encoder::new().streams_from(0);
    for row_len in [1, 383, 384] {
        let data = noise(9, 400_000 / row_len * row_len);
        let mut text = vec![0xa5; 2 * data.len() + 3];
        let written = encoder.parallel_encode_rows_into(&data, row_len, &mut text);
        assert_eq!(written, Ok(2 * data.len()));
        assert!(
            text[..2 * data.len()] == *texts(&data, row_len).as_bytes(),
            "{row_len}"
        );
        assert_eq!(text[2 * data.len()..], [0xa5; 3]);
    }
}

/// So many rows that threads share them, in tasks that end nowhere near the end of a page.
#[test]
fn a_batch_that_threads_share_is_its_rows() {
    let encoders = [Encoder::new()];
    for row_len in [1, 383, 384, 1_000_003] {
        let data = noise(7, 3_000_009 / row_len * row_len);
        let text = texts(&data, row_len);
        for (name, call) in encoding(&encoders) {
            assert!(
                call(&data, row_len).unwrap() == text.as_bytes(),
                "{name} {row_len}"
            );
        }
        for (name, call) in decoding(&encoders) {
            assert!(
                call(text.as_bytes(), 2 * row_len).unwrap() == data,
                "{name} {row_len}"
            );
        }
        // Two wrong bytes, far apart: in the tasks of different threads.
        let mut text = text.into_bytes();
        let (first, second) = (text.len() / 3, text.len() - 1);
        (text[first], text[second]) = (b'!', b'!');
        for (name, call) in decoding(&encoders) {
            for _ in 0..5 {
                let error = call(&text, 2 * row_len).unwrap_err();
                assert_eq!(error.position(), Some(first), "{name} {row_len}");
            }
        }
    }
}

#[test]
fn the_leftmost_error_is_told_with_its_place_in_all_of_the_text() {
    let encoders = encoders();
    for row_len in [1, 2, 3, 16, 33] {
        let text = texts(&noise(3, 5 * row_len), row_len).into_bytes();
        for position in 0..text.len() {
            for byte in *b"!A\x80_" {
                let mut wrong = text.clone();
                wrong[position] = byte;
                let last = wrong.len() - 1;
                wrong[last] = b'!';
                let want = datas(&wrong, 2 * row_len);
                for (name, call) in decoding(&encoders) {
                    let got = call(&wrong, 2 * row_len);
                    let got = got.map_err(|error| (error.kind(), error.position()));
                    assert_eq!(got, want, "{name}: {byte} at {position}, rows of {row_len}");
                }
            }
        }
    }
    // What is expected is that of the position in the row.
    let error = q64_decode_batch("JfAU!f", 2).unwrap_err();
    let expected = Q64Error::InvalidCharacter {
        position: 4,
        byte: b'!',
        expected: 0,
    };
    assert_eq!(error, expected);
}

#[test]
fn rows_that_are_none_are_refused() {
    let encoders = encoders();
    let bad = |len, row_len| Err(Q64Error::BadRows { len, row_len });
    for (len, row_len) in [
        (0, 0),
        (1, 0),
        (6, 0),
        (6, 4),
        (6, 5),
        (6, 7),
        (6, usize::MAX),
        (1, 2),
    ] {
        for (name, call) in encoding(&encoders) {
            assert_eq!(call(&vec![0; len], row_len), bad(len, row_len), "{name}");
        }
        for (name, call) in decoding(&encoders) {
            assert_eq!(call(&vec![b'!'; len], row_len), bad(len, row_len), "{name}");
        }
    }
    // No rows are fine, whatever their length would have been.
    for row_len in [1, 2, 3, 384, usize::MAX - 1, usize::MAX] {
        for (name, call) in encoding(&encoders).into_iter().chain(decoding(&encoders)) {
            assert_eq!(call(&[], row_len), Ok(vec![]), "{name}");
        }
    }
    // Text of an odd length per row is refused as such, before its characters and its buffer.
    for (name, call) in decoding(&encoders) {
        assert_eq!(
            call(b"!!!!!!", 3),
            Err(Q64Error::OddLength { len: 3 }),
            "{name}"
        );
    }
    assert_eq!(
        q64_decode_batch_to_buffer("!!!!!!", 3, &mut []),
        Err(Q64Error::OddLength { len: 3 })
    );
}

#[test]
fn a_buffer_one_byte_short_is_refused_and_left_as_it_is() {
    let short = |needed| {
        Err(Q64Error::BufferTooSmall {
            needed,
            available: needed - 1,
        })
    };
    for encoder in encoders() {
        for row_len in ROWS {
            let len = 3 * row_len;
            let mut output = vec![0xa5; 2 * len - 1];
            let refused = encoder.encode_rows_into(&noise(1, len), row_len, &mut output);
            assert_eq!(refused, short(2 * len));
            #[cfg(feature = "rayon")]
            assert_eq!(
                encoder.parallel_encode_rows_into(&noise(1, len), row_len, &mut output),
                short(2 * len)
            );
            assert!(output.iter().all(|&byte| byte == 0xa5));

            let mut output = vec![0xa5; len - 1];
            let text = vec![b'!'; 2 * len];
            let refused = encoder.decode_rows_into(&text, 2 * row_len, &mut output);
            assert_eq!(refused, short(len));
            #[cfg(feature = "rayon")]
            assert_eq!(
                encoder.parallel_decode_rows_into(&text, 2 * row_len, &mut output),
                short(len)
            );
            assert!(output.iter().all(|&byte| byte == 0xa5));
        }
    }
}

#[test]
fn top_k_of_a_batch_is_that_of_its_rows() {
    // The last is shared by threads.
    for (row_len, count) in [(1, 5), (16, 9), (255, 3), (257, 3), (1000, 0), (384, 1001)] {
        let matrix = noise(row_len as u64, row_len * count);
        for k in [0, 1, 8, 300] {
            let rows = matrix.chunks(row_len);
            let want: String = rows.map(|row| q64::top_k_q64(row, k).unwrap()).collect();
            assert_eq!(q64::top_k_batch(&matrix, row_len, k).unwrap(), want);
            let mut text = vec![0xa5; want.len() + 3];
            let len = q64::top_k_batch_to_buffer(&matrix, row_len, k, &mut text);
            assert_eq!(len, Ok(want.len()));
            assert_eq!(&text[..want.len()], want.as_bytes());
            assert_eq!(text[want.len()..], [0xa5; 3]);
            #[cfg(feature = "rayon")]
            {
                assert_eq!(
                    q64::parallel_top_k_batch(&matrix, row_len, k).unwrap(),
                    want
                );
                let mut text = vec![0xa5; want.len() + 3];
                let len = q64::parallel_top_k_batch_to_buffer(&matrix, row_len, k, &mut text);
                assert_eq!(len, Ok(want.len()));
                assert_eq!(&text[..want.len()], want.as_bytes());
                assert_eq!(text[want.len()..], [0xa5; 3]);
            }
            if let Some(short) = want.len().checked_sub(1) {
                let mut text = vec![0xa5; short];
                let refused = q64::top_k_batch_to_buffer(&matrix, row_len, k, &mut text);
                assert_eq!(refused.unwrap_err().kind(), "buffer_too_small");
                #[cfg(feature = "rayon")]
                {
                    let of_threads =
                        q64::parallel_top_k_batch_to_buffer(&matrix, row_len, k, &mut text);
                    assert_eq!(of_threads, refused);
                }
                assert!(text.iter().all(|byte| *byte == 0xa5));
            }
        }
    }
}

#[test]
fn top_k_of_bad_rows_is_refused() {
    let kind = |rows: &[u8], row_len, k| {
        let refused = q64::top_k_batch(rows, row_len, k);
        #[cfg(feature = "rayon")]
        assert_eq!(q64::parallel_top_k_batch(rows, row_len, k), refused);
        refused.unwrap_err().kind()
    };
    assert_eq!(kind(&[1, 2, 3], 2, 1), "bad_rows");
    assert_eq!(kind(&[1, 2, 3], 0, 1), "bad_rows");
    assert_eq!(kind(&[], 0, 1), "bad_rows");
    assert_eq!(kind(&[0; 65_536], 65_536, 1), "too_long");
    assert_eq!(kind(&[1, 2], 2, 65_536), "too_many");
    assert_eq!(kind(&[1, 2], 2, usize::MAX), "too_many");
    assert_eq!(
        q64::top_k_batch(&[], usize::MAX / 2, 1).unwrap_err().kind(),
        "too_long"
    );
    assert_eq!(q64::top_k_batch(&[], 384, 8).unwrap(), "");
}
