//! Streams: one text, in chunks of the lengths `cuts`, taken in turn. None is a `fills` path, which must not allocate or copy: a
//! stream has a buffer of its own.

use std::io::{Error, ErrorKind, Read, Write};

use pathproof::{CodePath, Failure, Input, Operation};
use q64::{DecodeReader, EncodeWriter, Q64Error};

use super::{SURVIVORS, failure};
use crate::reference;

/// Chunks that end at every place of a group of four characters, around blocks, and beyond what is buffered; one chunk; a cut of
/// nothing, which is taken for one byte.
const CUTS: &[&[u64]] = &[
    &[7],
    &[1],
    &[3, 1, 64],
    &[1, 2, 3, 5, 8],
    &[4096],
    &[33_000, 1],
    &[],
    &[0, 3],
];

pub(super) fn encode() -> Operation {
    Operation::new("q64_encode_stream", |i| {
        Ok(reference::q64::encode(i.bytes()))
    })
    .param("cuts", CUTS)
    .load(
        "64 MiB in chunks of 64 KiB",
        64 << 20,
        &[("cuts", &[64 << 10])],
    )
    .survivors(SURVIVORS)
    .path(CodePath::returns("auto", |i| {
        let mut writer = EncodeWriter::new(Vec::new());
        for chunk in chunks(i.bytes(), i.list("cuts")) {
            writer.write_all(chunk).map_err(refusal)?;
        }
        writer.finish().map_err(refusal)
    }))
}

pub(super) fn decode() -> Operation {
    Operation::new("q64_decode_stream", |i| {
        reference::stream::decode(i.bytes())
    })
    .param("cuts", CUTS)
    .load(
        "64 MiB in chunks of 64 KiB",
        64 << 20,
        &[("cuts", &[64 << 10])],
    )
    .survivors(SURVIVORS)
    .from_bytes(|bytes, _| reference::q64::encode(bytes))
    .work(|i| i.bytes().len() / 2)
    .path(
        CodePath::returns("auto", |i| {
            let mut data = Vec::new();
            let read = DecodeReader::new(Chunks::of(i)).read_to_end(&mut data);
            read.map_err(refusal)?;
            Ok(data)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::returns("auto", |i| {
            let mut reader = DecodeReader::new(Chunks::of(i));
            let (mut data, mut piece) = (Vec::new(), [0; 5]);
            loop {
                match reader.read(&mut piece).map_err(refusal)? {
                    0 => return Ok(data),
                    len => data.extend_from_slice(&piece[..len]),
                }
            }
        })
        .via("pieces")
        .refuses_in_full(),
    )
}

fn refusal(error: Error) -> Failure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Q64Error>());
    match inner {
        Some(inner) if error.kind() == ErrorKind::InvalidData => failure(*inner),
        _ => Failure::kind(error.kind().to_string()),
    }
}

fn chunks<'a>(mut bytes: &'a [u8], cuts: &'a [u64]) -> impl Iterator<Item = &'a [u8]> {
    // No cuts are one chunk, and none is empty: that would be the end.
    let mut cuts = cuts.iter().copied().cycle();
    std::iter::from_fn(move || {
        let len = cuts.next().map_or(bytes.len(), |cut| cut.max(1) as usize);
        let (chunk, rest) = bytes.split_at(len.min(bytes.len()));
        bytes = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// A reader that gives no more at a time than a cut.
struct Chunks<'a, C> {
    chunks: C,
    chunk: &'a [u8],
}

impl<'a> Chunks<'a, ()> {
    fn of(i: &Input<'a>) -> Chunks<'a, impl Iterator<Item = &'a [u8]>> {
        Chunks {
            chunks: chunks(i.bytes(), i.list("cuts")),
            chunk: &[],
        }
    }
}

impl<'a, C: Iterator<Item = &'a [u8]>> Read for Chunks<'a, C> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.chunks.next().unwrap_or_default();
        }
        self.chunk.read(buffer)
    }
}
