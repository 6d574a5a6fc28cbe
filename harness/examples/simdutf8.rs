//! simdutf8: its `compat` flavour (says where a text is bad, and how) and its `basic` one (says only that it is), by their x86
//! modules and by the crate's own choice, against the standard library. Shows an answer that is no more than "valid", refusals
//! of a kind and a position beside opaque ones, a declared threshold, and calls that only a CPU feature makes safe.
//!
//! `cargo run --release -p pathproof --example simdutf8 -- verify`

use pathproof::{CodePath, Failure, Operation, Outcome, Params, Reason};

/// Kind and position of an error of the standard library, or of one made to its pattern.
macro_rules! failure {
    ($error:expr) => {
        match ($error.error_len(), $error.valid_up_to()) {
            (None, at) => Failure::at("incomplete", at),
            (Some(len), at) => Failure::at(format!("invalid-{len}"), at),
        }
    };
}

fn compat(validated: Result<(), simdutf8::compat::Utf8Error>) -> Outcome<()> {
    validated.map_err(|e| failure!(e))
}

fn basic(validated: Result<(), simdutf8::basic::Utf8Error>) -> Outcome<()> {
    validated.map_err(|_| Failure::opaque())
}

/// The path of a flavour's x86 module, or the reason why it cannot run here.
macro_rules! x86 {
    ($isa:ident, $feature:tt, $flavour:ident, $name:literal) => {{
        #[cfg(target_arch = "x86_64")]
        let path = {
            use simdutf8::$flavour::imp::x86::$isa::validate_utf8;
            // SAFETY: it asks for this CPU feature and for nothing else; without it the path is dropped, and never called.
            CodePath::returns($name, |i| $flavour(unsafe { validate_utf8(i.bytes()) }))
                .available_if(is_x86_feature_detected!($feature), Reason::Cpu($feature.into()))
        };
        #[cfg(not(target_arch = "x86_64"))]
        let path = CodePath::absent($name, "returns", Reason::Target("x86_64".into()));
        path
    }};
}

/// A valid text: 64 characters of one to four bytes each, then 64 of ASCII, and so on; one for every two plain bytes.
fn text(plain: &[u8], _: &Params) -> Vec<u8> {
    let char = |(at, pair): (usize, &[u8])| {
        let n = pair.iter().fold(0, |n, &b| n << 8 | u32::from(b));
        let class = n as usize % 5 * (1 - at / 64 % 2);
        // A surrogate becomes the last character before them.
        char::from_u32(n * 17 % [0x80, 0x80, 0x800, 0x10000, 0x11_0000][class])
            .unwrap_or('\u{d7ff}')
    };
    String::from_iter(plain.chunks(2).enumerate().map(char)).into_bytes()
}

fn main() -> std::process::ExitCode {
    let utf8 = Operation::new("utf8", |i| {
        std::str::from_utf8(i.bytes())
            .map(|_| ())
            .map_err(|e| failure!(e))
    })
    .from_bytes(text)
    .path(x86!(sse42, "sse4.2", compat, "sse42"))
    .path(x86!(avx2, "avx2", compat, "avx2"))
    .path(
        CodePath::returns("auto", |i| {
            compat(simdutf8::compat::from_utf8(i.bytes()).map(|_| ()))
        })
        .switches_at(&[64]),
    )
    .path(x86!(sse42, "sse4.2", basic, "sse42/basic"))
    .path(x86!(avx2, "avx2", basic, "avx2/basic"))
    .path(
        CodePath::returns("auto/basic", |i| {
            basic(simdutf8::basic::from_utf8(i.bytes()).map(|_| ()))
        })
        .switches_at(&[64]),
    );
    pathproof::main(vec![utf8])
}
