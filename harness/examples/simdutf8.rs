//! simdutf8: its flavours `compat` (says where a text is bad and how) and `basic` (says only that it is), by their x86 modules
//! and by their own choice, against the standard library. Shows an answer that is no more than "valid", refusals of a kind and
//! a position beside opaque ones, a declared threshold, promises of CPU features, and calls that only such a feature makes safe.
//!
//! `cargo run --release -p pathproof --example simdutf8 -- verify`

use pathproof::{CodePath, Failure, Input, Operation, Params, Reason};
use simdutf8::{basic, compat};

/// The path of a flavour's x86 module, or the reason why it cannot run here.
macro_rules! x86 {
    ($name:literal, $flavour:ident, $isa:ident, $feature:tt, $runs:expr) => {
        cfg_select! {
            target_arch = "x86_64" => {{
                use $flavour::imp::x86::$isa::validate_utf8 as valid;
                // SAFETY: it asks for this CPU feature, nothing else; without it the path is dropped, and never called.
                CodePath::returns($name, move |i| unsafe { valid(i.bytes()) }.map_err($flavour))
                    .available_if(is_x86_feature_detected!($feature), Reason::Cpu($feature.into()))
                    .executes(&$runs).only(&[$feature])
            }}
            _ => CodePath::absent($name, "returns", Reason::Target("x86_64".into())),
        }
    };
}

/// A valid text, a character for every two plain bytes: 32 of one to four bytes each, then 224 of ASCII, for which the vector
/// code has a way of its own; and so on.
fn text(plain: &[u8], _: &Params) -> Vec<u8> {
    let chars = plain.chunks(2).enumerate().map(|(at, pair)| {
        let n = pair.iter().fold(0, |n, &b| n << 8 | u32::from(b));
        let class = n as usize % 5 * usize::from(at % 256 < 32);
        // Times 17, for 16 bits to span Unicode's 17 planes; a surrogate becomes the last character before them.
        let value = n * 17 % [0x80, 0x80, 0x800, 0x1_0000, 0x11_0000][class];
        char::from_u32(value).unwrap_or('\u{d7ff}')
    });
    String::from_iter(chars).into_bytes()
}

fn main() -> std::process::ExitCode {
    let failure = |len: Option<usize>, at| Failure::at(format!("error_len={len:?}"), at);
    let std = move |e: std::str::Utf8Error| failure(e.error_len(), e.valid_up_to());
    let utf8 = move |i: &Input<'_>| std::str::from_utf8(i.bytes()).map(drop).map_err(std);
    let compat = move |e: compat::Utf8Error| failure(e.error_len(), e.valid_up_to());
    let basic = |_: basic::Utf8Error| Failure::opaque();
    let auto = move |i: &Input<'_>| compat::from_utf8(i.bytes()).map(drop).map_err(compat);
    let auto_basic = move |i: &Input<'_>| basic::from_utf8(i.bytes()).map(drop).map_err(basic);
    // The crate's own choice: the standard library for short texts, and else no more than AVX2.
    let chosen = |path: CodePath| path.switches_at(&[64]).only(&["avx2"]);
    let paths = [
        x86!("sse42", compat, sse42, "sse4.2", ["ssse3", "sse4.1"]),
        x86!("avx2", compat, avx2, "avx2", ["avx2"]),
        chosen(CodePath::returns("auto", auto)),
        x86!("sse42/basic", basic, sse42, "sse4.2", ["ssse3", "sse4.1"]),
        x86!("avx2/basic", basic, avx2, "avx2", ["avx2"]),
        chosen(CodePath::returns("auto/basic", auto_basic)),
    ];
    let utf8 = Operation::new("utf8", utf8).from_bytes(text);
    pathproof::main(vec![utf8.paths(paths)])
}
