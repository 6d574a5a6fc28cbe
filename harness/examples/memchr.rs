//! memchr: a byte, by scalar code, by each vector module and by the crate's own choice; a needle, by two algorithms and by its
//! choice. Shows a parameter, a second part, an answer that is not bytes, and a row for an instruction set of another target.
//!
//! `cargo run --release -p pathproof --example memchr -- verify`

use memchr::arch::all::{memchr as swar, rabinkarp::Finder as Rabin, twoway::Finder as TwoWay};
use pathproof::{CodePath, Operation, Reason};

fn byte(isa: &'static str, find: fn(u8, &[u8]) -> Option<usize>) -> CodePath {
    CodePath::returns(isa, move |i| Ok(find(i.get("byte") as u8, i.bytes())))
}

fn needle(isa: &'static str, find: fn(&[u8], &[u8]) -> Option<usize>) -> CodePath {
    CodePath::returns(isa, move |i| Ok(find(i.bytes(), i.part(1))))
}

/// The path of a vector module, or the reason why it cannot run here.
macro_rules! vector {
    ($target:tt, $arch:ident, $isa:ident, $block:literal) => {{
        let isa = stringify!($isa);
        let path = cfg_select! {
            target_arch = $target => {{
                use memchr::arch::$arch::$isa::memchr::One;
                byte(isa, |n, h| One::new(n).expect("available").find(h))
                    .available_if(One::is_available(), Reason::Cpu(isa.into()))
            }}
            _ => CodePath::absent(isa, "returns", Reason::Target($target.into())),
        };
        path.executes(&[isa]).only(&[isa]).block($block)
    }};
}

fn main() -> std::process::ExitCode {
    let naive = |n: u64, h: &[u8]| h.iter().position(|&b| u64::from(b) == n);
    let memchr = Operation::new("memchr", move |i| Ok(naive(i.get("byte"), i.bytes())))
        .param("byte", &[&[0], &[0x7f], &[0x80], &[0xff]])
        // The byte stands where it falls, and once more: often among the last, where a loop ends and its tail begins.
        .from_bytes(|plain, p| {
            let [x, ..] = plain else { return vec![] };
            let at = plain.len() - 1 - plain.len() * usize::from(*x).pow(2) / 0x1_0000;
            [&plain[..at], &[p["byte"][0] as u8], &plain[at + 1..]].concat()
        })
        .path(byte("scalar", |n, h| swar::One::new(n).find(h)).only(&[]))
        .path(vector!("x86_64", x86_64, sse2, 16))
        .path(vector!("x86_64", x86_64, avx2, 32))
        .path(vector!("aarch64", aarch64, neon, 16))
        .path(byte("auto", memchr::memchr).only(&["avx2"]));
    // Two letters only: much of a haystack is nearly the needle, which is its end and may stand before that, too.
    let letters = |plain: &[u8]| plain.iter().map(|b| b'a' + b % 2).collect();
    let naive = |h: &[u8], n: &[u8]| (0..=h.len()).find(|&at| h[at..].starts_with(n));
    let memmem = Operation::new("memmem", move |i| Ok(naive(i.bytes(), i.part(1))))
        .from_bytes(move |b, _| letters(b))
        .part(move |b, _| letters(&b[b.len() - b.len() / 3 % 41..]))
        .path(needle("scalar/rabinkarp", |h, n| Rabin::new(n).find(h, n)).only(&[]))
        .path(needle("scalar/twoway", |h, n| TwoWay::new(n).find(h, n)).only(&[]))
        .path(needle("auto", memchr::memmem::find).only(&["avx2"]));
    pathproof::main(vec![memchr, memmem])
}
