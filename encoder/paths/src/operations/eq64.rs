//! Eq64: the kernels of Q64 that this CPU is best at, and the dots.

use pathproof::{CodePath, Operation};
use q64::{eq64_decoded_len, eq64_encoded_len};

use super::{SURVIVORS, failure, too_short};
use crate::reference;

pub(super) fn encode() -> Operation {
    Operation::new("eq64_encode", |i| Ok(reference::eq64::encode(i.bytes())))
        .capacity(|i| eq64_encoded_len(i.bytes().len()).unwrap_or(0))
        .refuses_short(too_short)
        .survivors(SURVIVORS)
        .path(best(CodePath::fills("auto", |i, out| {
            q64::eq64_encode_to_buffer(i.bytes(), out).map_err(failure)
        })))
        .path(best(CodePath::returns("auto", |i| {
            Ok(q64::eq64_encode(i.bytes()))
        })))
        .law("decode(encode(x)) = x", |i, encode| {
            let text = encode(i).map_err(|e| format!("encode refuses: {e}"))?;
            match reference::eq64::decode(&text) {
                Ok(data) if data == i.bytes() => Ok(()),
                Ok(_) => Err("other bytes came back".into()),
                Err(e) => Err(format!("its text cannot be decoded: {e}")),
            }
        })
}

pub(super) fn decode() -> Operation {
    Operation::new("eq64_decode", |i| reference::eq64::decode(i.bytes()))
        .from_bytes(|bytes, _| reference::eq64::encode(bytes))
        .capacity(|i| eq64_decoded_len(i.bytes().len()))
        .work(|i| eq64_decoded_len(i.bytes().len()))
        .refuses_short(too_short)
        .survivors(SURVIVORS)
        .path(best(CodePath::fills("auto", |i, out| {
            q64::eq64_decode_to_buffer(i.bytes(), out).map_err(failure)
        })))
        .path(best(CodePath::returns("auto", |i| {
            q64::eq64_decode(i.bytes()).map_err(failure)
        })))
        .law("encode(decode(t)) = t", |i, decode| {
            let data = decode(i).map_err(|e| format!("decode refuses a valid text: {e}"))?;
            let holds = reference::eq64::encode(&data) == i.bytes();
            holds
                .then_some(())
                .ok_or_else(|| "another text came back".into())
        })
}

fn best(path: CodePath) -> CodePath {
    path.refuses_in_full()
}
