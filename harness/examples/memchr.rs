//! memchr, attached: a search for a byte and one for a needle, by its scalar code, by each of its vector modules and by its own
//! dispatch. Shows a parameter, a second part, an answer that is no bytes, and rows for instruction sets of another target.
//!
//! `cargo run --release -p pathproof --example memchr -- verify`
use memchr::arch::all::{memchr as swar, rabinkarp, twoway};
use pathproof::{CodePath, Input, Operation, Outcome, Reason};

/// Both paths of one of memchr's vector modules, or the reason why this machine has none.
macro_rules! vector {
    ($arch:ident, $target:tt, $isa:ident) => {{
        #[cfg(target_arch = $target)]
        let paths = {
            use memchr::arch::$arch::$isa::{memchr::One, packedpair::Finder};
            let one = |i: &Input<'_>| Ok(One::new(byte(i)).expect("available").find(i.bytes()));
            let pair = |i: &Input<'_>| {
                // A pair of bytes is looked for a register at a time; memchr's dispatch turns to Rabin-Karp below that, too.
                let long = |finder: &Finder| i.bytes().len() >= finder.min_haystack_len();
                match Finder::new(i.part(1)).filter(long) {
                    Some(finder) => Ok(finder.find(i.bytes(), i.part(1))),
                    None => rabin_karp(i),
                }
            };
            let paths = [CodePath::returns(stringify!($isa), one), CodePath::returns(stringify!($isa), pair)];
            let lacking = || Reason::Cpu(stringify!($isa).into());
            paths.map(|path| if One::is_available() { path } else { path.unavailable(lacking()) })
        };
        #[cfg(not(target_arch = $target))]
        let paths = [(); 2].map(|()| CodePath::absent(stringify!($isa), "returns", Reason::Target($target.into())));
        paths.map(|path| path.executes(&[stringify!($isa)]))
    }};
}

fn byte(i: &Input<'_>) -> u8 {
    i.get("byte") as u8
}

fn rabin_karp(i: &Input<'_>) -> Outcome<Option<usize>> {
    Ok(rabinkarp::Finder::new(i.part(1)).find(i.bytes(), i.part(1)))
}

/// Two letters only, so that a needle is nearly found everywhere.
fn letters(plain: &[u8]) -> Vec<u8> {
    plain.iter().map(|b| b'a' + b % 2).collect()
}

fn main() -> std::process::ExitCode {
    let vectors = [vector!(x86_64, "x86_64", sse2), vector!(x86_64, "x86_64", avx2), vector!(aarch64, "aarch64", neon)];
    let (ones, pairs): (Vec<_>, Vec<_>) = vectors.into_iter().map(|[one, pair]| (one, pair)).unzip();
    let memchr = Operation::new("memchr", |i| Ok(i.bytes().iter().position(|&b| b == byte(i))))
        .param("byte", &[&[0], &[0x7f], &[0x80], &[0xff]])
        .path(CodePath::returns("scalar", |i| Ok(swar::One::new(byte(i)).find(i.bytes()))))
        .paths(ones)
        .path(CodePath::returns("auto", |i| Ok(memchr::memchr(byte(i), i.bytes()))));
    let naive = |i: &Input<'_>| Ok((0..=i.bytes().len()).find(|&at| i.bytes()[at..].starts_with(i.part(1))));
    let memmem = Operation::new("memmem", naive)
        .from_bytes(|plain, _| letters(plain))
        .part(|plain, p| letters(&plain[plain.len().saturating_sub(p["needle"][0] as usize)..]))
        .param("needle", &[&[0], &[1], &[2], &[9], &[40]])
        .path(CodePath::returns("scalar/rabinkarp", rabin_karp))
        .path(CodePath::returns("scalar/twoway", |i| Ok(twoway::Finder::new(i.part(1)).find(i.bytes(), i.part(1)))))
        .paths(pairs)
        .path(CodePath::returns("auto", |i| Ok(memchr::memmem::find(i.bytes(), i.part(1)))));
    pathproof::main(vec![memchr, memmem])
}
