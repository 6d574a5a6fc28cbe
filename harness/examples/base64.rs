//! base64-simd: filling a buffer, in place and returning, against the base64 crate. Shows refusals that say nothing held against
//! refusals of a kind and a position, and a peer: a plain copy, the least that a decoder could do.
//!
//! `cargo run --release -p pathproof --example base64 -- verify`

use base64::{DecodeError, Engine, prelude::BASE64_STANDARD as REFERENCE};
use base64_simd::{AsOut, Error, STANDARD};
use pathproof::{CodePath, Failure, Input, Operation, Outcome, Peer};

fn decoded(i: &Input<'_>) -> Outcome<Vec<u8>> {
    REFERENCE.decode(i.bytes()).map_err(|e| match e {
        DecodeError::InvalidByte(at, _) => Failure::at("byte", at),
        DecodeError::InvalidLastSymbol(at, _) => Failure::at("last-symbol", at),
        DecodeError::InvalidLength(_) => Failure::kind("length"),
        DecodeError::InvalidPadding => Failure::kind("padding"),
    })
}

fn main() -> std::process::ExitCode {
    let opaque = |_: Error| Failure::opaque();
    let length = move |bytes: Result<&mut [u8], Error>| bytes.map(|b| b.len()).map_err(opaque);
    // The crate chooses for itself: AVX2 where the CPU has it, and never more.
    let avx2 =
        cfg_select! { target_arch = "x86_64" => is_x86_feature_detected!("avx2"), _ => false };
    let best: &[&str] = if avx2 { &["avx2"] } else { &[] };
    let chosen = |path: CodePath| path.executes(best).only(&["avx2"]);
    let encode = Operation::new("base64_encode", |i| Ok(REFERENCE.encode(i.bytes())))
        .capacity(|i| i.bytes().len().div_ceil(3) * 4)
        .path(chosen(CodePath::fills("auto", |i, out| {
            Ok(STANDARD.encode(i.bytes(), out.as_out()).len())
        })))
        .path(chosen(CodePath::returns("auto", |i| {
            Ok(STANDARD.encode_to_string(i.bytes()))
        })));
    let pad = |t: &[u8]| t.iter().rev().take(2).take_while(|&&c| c == b'=').count();
    let copy = CodePath::fills("copy", |i, out| {
        out.copy_from_slice(i.bytes());
        Ok(out.len())
    });
    let decode = Operation::new("base64_decode", decoded)
        .from_bytes(|plain, _| REFERENCE.encode(plain).into_bytes())
        .capacity(move |i| (i.bytes().len() / 4 * 3).saturating_sub(pad(i.bytes())))
        .work(|i| i.bytes().len() / 4 * 3)
        .path(chosen(CodePath::fills("auto", move |i, out| {
            length(STANDARD.decode(i.bytes(), out.as_out()))
        })))
        .path(chosen(CodePath::in_place("auto", move |_, buffer| {
            length(STANDARD.decode_inplace(buffer))
        })))
        .path(chosen(CodePath::returns("auto", move |i| {
            STANDARD.decode_to_vec(i.bytes()).map_err(opaque)
        })))
        .peer(Peer::new(
            copy,
            |i| decoded(i).unwrap_or_default(),
            |i| Ok(i.bytes().to_vec()),
        ));
    pathproof::main(vec![encode, decode])
}
