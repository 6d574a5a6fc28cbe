//! Q64 itself: bytes to text and back.

use pathproof::{CodePath, Input, Operation};
use q64::Encoder;

use super::{SURVIVORS, chosen, failure, missing, promised, rows, too_short};
use crate::{peers, reference};

pub(super) fn encode() -> Operation {
    let of = q64::Operation::Q64Encode;
    let fills = |encoder: Encoder, isa: String| {
        CodePath::fills(isa, move |i, out| {
            let available = out.len();
            // The small error has no numbers: these are the caller's own.
            encoder
                .encode_into(i.bytes(), out)
                .map_err(|_| too_short(2 * i.bytes().len(), available))
        })
    };
    let rows = rows(of, |encoder, isa| {
        [
            fills(encoder, isa.into()),
            CodePath::returns(isa, move |i| Ok(encoder.encode(i.bytes()))),
        ]
    });
    // The kernels that the rows use for long data, at every length.
    let streaming = of.streaming_paths().iter().map(|&isa| {
        let name = format!("{isa}+stream");
        let path = match Encoder::with(isa) {
            Some(encoder) => fills(encoder.streams_from(0), name),
            None => CodePath::absent(name, "fills", missing(isa)),
        };
        promised(of, isa, path)
    });
    let chosen = chosen(
        of,
        |i, out| q64::q64_encode_to_buffer(i.bytes(), out),
        |i| Ok(q64::q64_encode(i.bytes()).into_bytes()),
        |i| 2 * i.bytes().len(),
    );

    Operation::new(of.name(), |i| Ok(reference::q64::encode(i.bytes())))
        .refuses_short(too_short)
        .survivors(SURVIVORS)
        .capacity(|i| 2 * i.bytes().len())
        .paths(rows)
        .paths(streaming)
        .paths(chosen)
        .law("decode(encode(x)) = x", |i, encode| {
            let text = encode(i).map_err(|e| format!("encode refuses: {e}"))?;
            match reference::q64::decode(&text) {
                Ok(data) if data == i.bytes() => Ok(()),
                Ok(data) => Err(format!(
                    "{} bytes came back, not the {} that went in",
                    data.len(),
                    i.bytes().len()
                )),
                Err(e) => Err(format!("its text cannot be decoded: {e}")),
            }
        })
        .law(
            "encode(a ++ b) = encode(a) ++ encode(b), where the length of a is even",
            |i, encode| {
                let part = |bytes: &[u8]| {
                    encode(&Input::new(&[bytes], i.params()))
                        .map_err(|e| format!("encode refuses: {e}"))
                };
                let (a, b) = i.bytes().split_at(i.bytes().len() / 4 * 2);
                let holds = [part(a)?, part(b)?].concat() == part(i.bytes())?;
                holds
                    .then_some(())
                    .ok_or_else(|| format!("not where a has {} bytes", a.len()))
            },
        )
        .peers(peers::q64::encode())
}

pub(super) fn decode() -> Operation {
    let of = q64::Operation::Q64Decode;
    let rows = rows(of, |encoder, isa| {
        let fills = CodePath::fills(isa, move |i, out| {
            let available = out.len();
            encoder
                .decode_into(i.bytes(), out)
                .map_err(|e| failure(e.explain(i.bytes(), available)))
        });
        [
            fills,
            CodePath::returns(isa, move |i| encoder.decode(i.bytes()).map_err(failure)),
        ]
    });
    let chosen = chosen(
        of,
        |i, out| q64::q64_decode_to_buffer(i.bytes(), out),
        |i| q64::q64_decode(i.bytes()),
        |i| i.bytes().len() / 2,
    );

    Operation::new(of.name(), |i| reference::q64::decode(i.bytes()))
        .refuses_short(too_short)
        .survivors(SURVIVORS)
        .from_bytes(|bytes, _| reference::q64::encode(bytes))
        .capacity(|i| i.bytes().len() / 2)
        .work(|i| i.bytes().len() / 2)
        .paths(rows)
        .paths(chosen)
        .law("encode(decode(t)) = t", |i, decode| {
            let data = decode(i).map_err(|e| format!("decode refuses a valid text: {e}"))?;
            let holds = reference::q64::encode(&data) == i.bytes();
            holds
                .then_some(())
                .ok_or_else(|| "another text came back".into())
        })
        .peers(peers::q64::decode())
}
