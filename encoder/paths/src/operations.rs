//! Which functions of the encoder there are to verify, on which paths, on which data.

use pathproof::{CodePath, Failure, Operation, Reason};
use q64::{Encoder, Isa, Q64Error};

use crate::{peers, reference};

/// Embeddings of all-MiniLM-L6-v2 in three 8-bit forms, and LSA vectors of a width that is no multiple of a block; see NOTICE.
const CORPUS: [(&str, &[u8], usize); 4] = [
    (
        "minilm_sq8",
        include_bytes!("../corpus/minilm_sq8_1500x384.u8"),
        384,
    ),
    (
        "minilm_sym8",
        include_bytes!("../corpus/minilm_sym8_1500x384.u8"),
        384,
    ),
    (
        "minilm_unit8",
        include_bytes!("../corpus/minilm_unit8_1500x384.u8"),
        384,
    ),
    (
        "lsa_sq8",
        include_bytes!("../corpus/lsa_sq8_1500x100.u8"),
        100,
    ),
];

/// Every operation of the encoder.
pub fn operations() -> Vec<Operation> {
    vec![encode(), decode()]
        .into_iter()
        .map(with_corpus)
        .collect()
}

fn with_corpus(operation: Operation) -> Operation {
    CORPUS
        .into_iter()
        .fold(operation, |operation, (set, data, row)| {
            operation.rows(set, data, row)
        })
}

fn encode() -> Operation {
    let paths = q64::Operation::Q64Encode.paths().iter().flat_map(|&isa| {
        let promise = |path: CodePath| path.executes(isa.features());
        let Some(encoder) = Encoder::with(isa) else {
            return ["fills", "returns"]
                .map(|delivery| promise(CodePath::absent(isa.name(), delivery, missing(isa))));
        };
        [
            promise(CodePath::fills(isa.name(), move |i, out| {
                encoder
                    .encode_into(i.bytes(), out)
                    .map_err(|_| Failure::kind("buffer_too_small"))
            })),
            promise(CodePath::returns(isa.name(), move |i| {
                Ok(encoder.encode(i.bytes()))
            })),
        ]
    });
    Operation::new("q64_encode", |i| Ok(reference::encode(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .paths(paths)
        .path(CodePath::fills("auto", |i, out| {
            q64::q64_encode_to_buffer(i.bytes(), out).map_err(failure)
        }))
        .path(CodePath::returns("auto", |i| {
            Ok(q64::q64_encode(i.bytes()))
        }))
        .law("decode(encode(x)) = x", |i, call| {
            let text = call(i).map_err(|e| format!("encode refuses: {e}"))?;
            match reference::decode(&text) {
                Ok(data) if data == i.bytes() => Ok(()),
                Ok(data) => Err(format!(
                    "gives {} bytes back, not the {} that went in",
                    data.len(),
                    i.bytes().len()
                )),
                Err(e) => Err(format!("its text cannot be decoded: {e}")),
            }
        })
        .law(
            "encode(a ++ b) = encode(a) ++ encode(b) where a has an even length",
            |i, call| {
                let (a, b) = i.bytes().split_at(i.bytes().len() / 4 * 2);
                let part = |bytes: &[u8]| {
                    call(&pathproof::Input::new(&[bytes], i.params()))
                        .map_err(|e| format!("encode refuses: {e}"))
                };
                if [part(a)?, part(b)?].concat() == part(i.bytes())? {
                    Ok(())
                } else {
                    Err(format!("not where a has {} bytes", a.len()))
                }
            },
        )
        .peer(peers::encode().into_iter().next().expect("one peer"))
}

fn decode() -> Operation {
    let paths = q64::Operation::Q64Decode.paths().iter().flat_map(|&isa| {
        let promise = |path: CodePath| path.executes(isa.features());
        let Some(encoder) = Encoder::with(isa) else {
            return ["fills", "returns"]
                .map(|delivery| promise(CodePath::absent(isa.name(), delivery, missing(isa))));
        };
        [
            promise(CodePath::fills(isa.name(), move |i, out| {
                let available = out.len();
                encoder
                    .decode_into(i.bytes(), out)
                    .map_err(|e| failure(e.explain(i.bytes(), available)))
            })),
            promise(CodePath::returns(isa.name(), move |i| {
                encoder.decode(i.bytes()).map_err(failure)
            })),
        ]
    });
    Operation::new("q64_decode", |i| reference::decode(i.bytes()))
        .from_bytes(|bytes, _| reference::encode(bytes))
        .capacity(|i| i.bytes().len() / 2)
        .work(|i| i.bytes().len() / 2)
        .paths(paths)
        .path(CodePath::fills("auto", |i, out| {
            q64::q64_decode_to_buffer(i.bytes(), out).map_err(failure)
        }))
        .path(CodePath::returns("auto", |i| {
            q64::q64_decode(i.bytes()).map_err(failure)
        }))
        .law("encode(decode(t)) = t", |i, call| {
            let data = call(i).map_err(|e| format!("decode refuses a valid text: {e}"))?;
            if reference::encode(&data) == i.bytes() {
                Ok(())
            } else {
                Err("gives another text back".into())
            }
        })
        .peer(
            peers::decode(reference::decode)
                .into_iter()
                .next()
                .expect("one peer"),
        )
}

fn failure(error: Q64Error) -> Failure {
    Failure {
        kind: Some(error.kind().into()),
        at: error.position(),
    }
}

/// Why there is no encoder of an ISA.
fn missing(isa: Isa) -> Reason {
    if isa.is_built() {
        Reason::Cpu(isa.features().join(", ").into())
    } else {
        Reason::Target("x86_64".into())
    }
}
