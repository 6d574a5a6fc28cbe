//! What lies at an address of this process: whose code, which function, which instruction, and what CPU that needs.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use addr2line::Loader;
use iced_x86::{
    ConstantOffsets, CpuidFeature, Decoder, DecoderOptions, FlowControl, Formatter as _,
    Instruction, IntelFormatter, Mnemonic,
};

/// Whose code an address holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This program's own text, client and harness.
    Own,
    /// Any library's, such as libc's.
    Elsewhere,
}

/// A function of this program, as its symbol table has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    /// The symbol, unique in the program.
    pub(crate) symbol: String,
    /// The name as a person writes it, without the hash.
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) start: u64,
}

/// This program's code, as it lies in memory and as its symbols describe it.
pub(crate) struct Code {
    /// Executable parts of this program.
    text: Vec<Range<u64>>,
    /// Its constants: readable, neither written nor executed.
    constants: Vec<Range<u64>>,
    /// What to take from an address before the symbols know it.
    base: u64,
    symbols: Option<Loader>,
    functions: HashMap<u64, Option<Function>>,
}

/// Where this process keeps what it writes: its variables and its heap, without what libraries have.
pub(crate) fn variables() -> Result<Vec<Range<u64>>, String> {
    let exe =
        std::env::current_exe().map_err(|e| format!("this program cannot find itself: {e}"))?;
    let maps = std::fs::read_to_string("/proc/self/maps")
        .map_err(|e| format!("/proc/self/maps cannot be read: {e}"))?;
    let own = |path: &std::ffi::OsStr| path == exe.as_os_str() || path == "[heap]";
    let mappings = maps.lines().filter_map(mapping);
    Ok(mappings
        .filter(|(_, access, path)| access.starts_with("rw") && own(path))
        .map(|(range, ..)| range)
        .collect())
}

impl Code {
    /// Reads /proc/self/maps and the program's symbols.
    pub(crate) fn of_this_program() -> Result<Self, String> {
        let exe =
            std::env::current_exe().map_err(|e| format!("this program cannot find itself: {e}"))?;
        let maps = std::fs::read_to_string("/proc/self/maps")
            .map_err(|e| format!("/proc/self/maps cannot be read: {e}"))?;
        let symbols = Loader::new(&exe).ok();
        let (mut text, mut constants, mut first) = (Vec::new(), Vec::new(), None);
        for (range, access, path) in maps.lines().filter_map(mapping) {
            if path != exe.as_os_str() {
                continue;
            }
            first = first.or(Some(range.start));
            match access.as_bytes() {
                [b'r', b'-', b'x', ..] => text.push(range),
                [b'r', b'-', b'-', ..] => constants.push(range),
                _ => {}
            }
        }
        let first = first.ok_or_else(|| {
            format!(
                "{} is not among the mappings of its own process",
                exe.display()
            )
        })?;
        // An executable that can lie anywhere is linked for address 0.
        let linked_at = symbols.as_ref().map_or(0, Loader::relative_address_base);
        Ok(Self {
            text,
            constants,
            base: first - linked_at,
            symbols,
            functions: HashMap::new(),
        })
    }

    pub(crate) fn owner(&self, address: u64) -> Owner {
        if self.text.iter().any(|range| range.contains(&address)) {
            Owner::Own
        } else {
            Owner::Elsewhere
        }
    }

    /// Whether an address is one of this program's constants.
    pub(crate) fn is_constant(&self, address: u64) -> bool {
        self.constants.iter().any(|range| range.contains(&address))
    }

    /// The aligned words of this program's constants that hold one of these addresses, and which.
    pub(crate) fn pointers(&self, to: &[u64]) -> Vec<(u64, usize)> {
        let mut found = Vec::new();
        for range in &self.constants {
            let first = range.start.next_multiple_of(8);
            for at in (first..range.end.saturating_sub(7)).step_by(8) {
                let word = super::word_at(at);
                if let Some(which) = to.iter().position(|to| *to == word) {
                    found.push((at, which));
                }
            }
        }
        found
    }

    /// The address as it is in the file: the same in every process.
    pub(crate) fn in_file(&self, address: u64) -> u64 {
        address.wrapping_sub(self.base)
    }

    /// The function that an address of our own text belongs to.
    pub(crate) fn function(&mut self, address: u64) -> Option<Function> {
        let (symbols, at, base) = (
            self.symbols.as_ref()?,
            address.wrapping_sub(self.base),
            self.base,
        );
        self.functions
            .entry(address)
            .or_insert_with(|| {
                let symbol = symbols.find_symbol_info(at)?;
                Some(Function {
                    symbol: symbol.name().to_string(),
                    name: plain_name(symbol.name()),
                    start: symbol.address().wrapping_add(base),
                })
            })
            .clone()
    }

    /// The line of the client's source that an address was made from, or without line tables its function.
    pub(crate) fn line(&mut self, address: u64) -> String {
        self.source(address).unwrap_or_else(|| {
            self.function(address).map_or_else(
                || format!("{:#x}", self.in_file(address)),
                |function| function.symbol,
            )
        })
    }

    /// Whether an address is the client's code: neither this harness' nor the standard library's, unless that was inlined into the
    /// client's. Without line tables, by the function's name.
    pub(crate) fn is_clients(&mut self, address: u64) -> bool {
        const HARNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
        let frames = self
            .symbols
            .as_ref()
            .and_then(|symbols| symbols.find_frames(address.wrapping_sub(self.base)).ok());
        let mut known = false;
        if let Some(mut frames) = frames {
            while let Ok(Some(frame)) = frames.next() {
                if let Some(file) = frame.location.and_then(|location| location.file) {
                    known = true;
                    if !is_of_library(file) && !file.starts_with(HARNESS) {
                        return true;
                    }
                }
            }
        }
        !known
            && self.function(address).is_some_and(|function| {
                let name = function.name.trim_start_matches('<');
                !["core::", "alloc::", "std::", "__rustc::", "pathproof::"]
                    .iter()
                    .any(|of| name.starts_with(of))
            })
    }

    /// An instruction for a reader: disassembled, with its function and its source line.
    pub(crate) fn shown(&mut self, instruction: &Instruction) -> String {
        let address = instruction.ip();
        let mut text = disassembled(instruction);
        if let Some(function) = self.function(address) {
            text += &format!(" in {}+{:#x}", function.name, address - function.start);
        }
        if let Some(source) = self.source(address) {
            text += &format!(" ({source})");
        }
        text
    }

    /// `file:line` of the client's source that an address was made from: of the functions inlined there, the innermost that is not
    /// the standard library's, so that an intrinsic counts for whoever called it.
    pub(crate) fn source(&self, address: u64) -> Option<String> {
        let symbols = self.symbols.as_ref()?;
        let mut frames = symbols.find_frames(address.wrapping_sub(self.base)).ok()?;
        while let Ok(Some(frame)) = frames.next() {
            let Some(addr2line::Location {
                file: Some(file),
                line: Some(line),
                ..
            }) = frame.location
            else {
                continue;
            };
            if !is_of_library(file) {
                return Some(format!("{}:{line}", from_package(file)));
            }
        }
        None
    }
}

/// The instruction at an address that has been executed.
pub(crate) fn decode(address: u64) -> Instruction {
    let decoded = |over| {
        let bytes = super::bytes_at(address, over);
        Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode()
    };
    // It may go on in the next page; if it does, that page is there, for the CPU has executed it.
    let instruction = decoded(false);
    if instruction.is_invalid() {
        decoded(true)
    } else {
        instruction
    }
}

/// The bytes of an instruction without what linking puts in: the distance to a constant or to another function.
pub(crate) fn unlinked(instruction: &Instruction, raw: &[u8]) -> Vec<u8> {
    let mut bytes = raw.to_vec();
    let offsets = constant_offsets(raw, instruction.ip());
    let mut clear = |at: usize, len: usize| {
        bytes
            .iter_mut()
            .skip(at)
            .take(len)
            .for_each(|byte| *byte = 0)
    };
    if instruction.is_ip_rel_memory_operand() {
        clear(offsets.displacement_offset(), offsets.displacement_size());
    }
    if is_near_branch(instruction) && offsets.immediate_size() == 4 {
        clear(offsets.immediate_offset(), 4);
    }
    bytes
}

/// Where an instruction has its displacement and its immediate; a decoder knows it of the instruction that it has just decoded.
pub(crate) fn constant_offsets(raw: &[u8], ip: u64) -> ConstantOffsets {
    let mut decoder = Decoder::with_ip(64, raw, ip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    decoder.get_constant_offsets(&instruction)
}

pub(crate) fn is_near_branch(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Call | FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
    )
}

/// Whether a source file is the standard library's.
fn is_of_library(file: &str) -> bool {
    file.starts_with("/rustc/") || file.contains("/rustlib/src/")
}

/// A source file's path from the package on: where a package lies is nobody's business.
fn from_package(file: &str) -> &str {
    let folders = ["/src/", "/tests/", "/benches/", "/examples/"];
    let package = folders.iter().find_map(|folder| file.rfind(folder));
    package.map_or(file, |end| {
        let name = file[..end].rfind('/').map_or(0, |slash| slash + 1);
        &file[name..]
    })
}

/// Intel's syntax, as kernels are discussed in; the targets of jumps by themselves, and constants relative to the instruction.
pub(crate) fn disassembled(instruction: &Instruction) -> String {
    let (mut text, mut formatter) = (String::new(), IntelFormatter::new());
    formatter.options_mut().set_rip_relative_addresses(true);
    formatter.options_mut().set_branch_leading_zeros(false);
    formatter.format(instruction, &mut text);
    text
}

/// The symbol, demangled and without its hash.
pub(crate) fn plain_name(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

/// Range, access and path of a line of /proc/PID/maps.
fn mapping(line: &str) -> Option<(Range<u64>, &str, &std::ffi::OsStr)> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let access = fields.next()?;
    let path = fields.nth(3)?.trim_start();
    let number = |hex| u64::from_str_radix(hex, 16).ok();
    Some((number(start)?..number(end)?, access, path.as_ref()))
}

/// What every x86-64 CPU has, where no name of `#[target_feature]` says more.
pub(crate) const BASELINE: &str = "x86-64";

/// CPU features from the plainest to the rarest, in the spelling of `#[target_feature]`, each with those that it brings along.
/// A receipt enters an instruction under the last of its features in this order.
const FEATURES: &[(&str, &[&str])] = &[
    (BASELINE, &[]),
    ("sse", &[BASELINE]),
    ("sse2", &["sse"]),
    ("sse3", &["sse2"]),
    ("ssse3", &["sse3"]),
    ("sse4.1", &["ssse3"]),
    ("sse4.2", &["sse4.1"]),
    ("popcnt", &[BASELINE]),
    ("lzcnt", &[BASELINE]),
    ("bmi1", &[BASELINE]),
    ("bmi2", &[BASELINE]),
    ("adx", &[BASELINE]),
    ("movbe", &[BASELINE]),
    ("aes", &["sse2"]),
    ("pclmulqdq", &["sse2"]),
    ("sha", &["sse2"]),
    ("avx", &["sse4.2"]),
    ("f16c", &["avx"]),
    ("fma", &["avx"]),
    ("avx2", &["avx"]),
    ("vaes", &["avx2", "aes"]),
    ("vpclmulqdq", &["avx", "pclmulqdq"]),
    ("avx512f", &["avx2", "fma", "f16c"]),
    ("avx512vl", &["avx512f"]),
    ("avx512cd", &["avx512f"]),
    ("avx512dq", &["avx512f"]),
    ("avx512bw", &["avx512f"]),
    ("avx512ifma", &["avx512f"]),
    ("avx512vbmi", &["avx512bw"]),
    ("avx512vbmi2", &["avx512bw"]),
    ("avx512vnni", &["avx512f"]),
    ("avx512bitalg", &["avx512bw"]),
    ("avx512vpopcntdq", &["avx512f"]),
    ("gfni", &["sse2"]),
];

/// The names of the CPU features that an instruction needs, the rarest last.
pub(crate) fn features(instruction: &Instruction) -> Vec<&'static str> {
    // LLVM writes `rep bsf` for trailing_zeros on every CPU: those without BMI1 read it as `bsf`, the others as `tzcnt`, and the
    // answer is the same. So it is no sign of BMI1.
    if instruction.mnemonic() == Mnemonic::Tzcnt {
        return vec![BASELINE];
    }
    let mut names: Vec<&str> = instruction
        .cpuid_features()
        .iter()
        .map(|feature| name(*feature))
        .collect();
    names.sort_by_key(|name| rank(name));
    names.dedup();
    names
}

fn name(feature: CpuidFeature) -> &'static str {
    use CpuidFeature as F;
    match feature {
        F::SSE => "sse",
        F::SSE2 => "sse2",
        F::SSE3 => "sse3",
        F::SSSE3 => "ssse3",
        F::SSE4_1 => "sse4.1",
        F::SSE4_2 => "sse4.2",
        F::POPCNT => "popcnt",
        F::LZCNT => "lzcnt",
        F::BMI1 => "bmi1",
        F::BMI2 => "bmi2",
        F::ADX => "adx",
        F::MOVBE => "movbe",
        F::AES => "aes",
        F::PCLMULQDQ => "pclmulqdq",
        F::SHA => "sha",
        F::AVX => "avx",
        F::F16C => "f16c",
        F::FMA => "fma",
        F::AVX2 => "avx2",
        F::VAES => "vaes",
        F::VPCLMULQDQ => "vpclmulqdq",
        F::AVX512F => "avx512f",
        F::AVX512VL => "avx512vl",
        F::AVX512CD => "avx512cd",
        F::AVX512DQ => "avx512dq",
        F::AVX512BW => "avx512bw",
        F::AVX512_IFMA => "avx512ifma",
        F::AVX512_VBMI => "avx512vbmi",
        F::AVX512_VBMI2 => "avx512vbmi2",
        F::AVX512_VNNI => "avx512vnni",
        F::AVX512_BITALG => "avx512bitalg",
        F::AVX512_VPOPCNTDQ => "avx512vpopcntdq",
        F::GFNI => "gfni",
        F::INTEL8086
        | F::INTEL186
        | F::INTEL286
        | F::INTEL386
        | F::INTEL486
        | F::X64
        | F::CMOV
        | F::CMPXCHG16B
        | F::CPUID
        | F::CX8
        | F::FPU
        | F::FPU287
        | F::FPU387
        | F::FXSR
        | F::MMX
        | F::MULTIBYTENOP
        | F::PAUSE
        | F::TSC
        | F::CET_IBT
        | F::SYSCALL
        | F::CLFSH
        | F::PREFETCHW => BASELINE,
        _ => "other",
    }
}

/// How rare a feature is, as receipts rank them.
pub(crate) fn rank(feature: &str) -> usize {
    FEATURES
        .iter()
        .position(|(known, _)| *known == feature)
        .unwrap_or(FEATURES.len())
}

/// These features and all that they bring along.
pub(crate) fn implied<'a>(features: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all: Vec<&str> = vec![BASELINE, "sse", "sse2"];
    let mut open: Vec<&str> = features.into_iter().collect();
    while let Some(next) = open.pop() {
        if !all.contains(&next) {
            all.push(next);
            open.extend(
                FEATURES
                    .iter()
                    .find(|(name, _)| *name == next)
                    .map_or(&[][..], |(_, brings)| brings),
            );
        }
    }
    all
}

/// Adds up counts by name.
pub(crate) fn by<K: Ord>(pairs: impl IntoIterator<Item = (K, u64)>) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    pairs
        .into_iter()
        .for_each(|(key, count)| *sums.entry(key).or_default() += count);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_maps_is_a_range_an_access_and_a_path() {
        let line = "7f0a1000-7f0a3000 r-xp 00001000 08:01 42         /a folder/program";
        assert_eq!(
            mapping(line),
            Some((
                0x7f0a_1000..0x7f0a_3000,
                "r-xp",
                "/a folder/program".as_ref()
            ))
        );
        assert_eq!(mapping("nonsense"), None);
    }

    #[test]
    fn a_source_file_is_named_from_its_package_on() {
        for (file, from) in [
            (
                "/home/u/.cargo/registry/src/i-1/memchr-2.7/src/arch/all/memchr.rs",
                "memchr-2.7/src/arch/all/memchr.rs",
            ),
            (
                "/w/harness/tests/faults/zoo/codec.rs",
                "harness/tests/faults/zoo/codec.rs",
            ),
            ("harness/examples/memchr.rs", "harness/examples/memchr.rs"),
            ("src/lib.rs", "src/lib.rs"),
        ] {
            assert_eq!(from_package(file), from);
        }
    }

    #[test]
    fn features_bring_others_along() {
        let all = implied(["avx512vbmi"]);
        for brought in [
            "avx512bw", "avx512f", "avx2", "avx", "ssse3", "sse2", BASELINE,
        ] {
            assert!(all.contains(&brought), "{brought}");
        }
        assert!(!all.contains(&"gfni") && !all.contains(&"bmi1"));
        assert!(implied([]).contains(&"sse2"));
    }

    #[test]
    fn an_instruction_is_entered_under_its_rarest_feature() {
        let of =
            |bytes: &[u8]| features(&Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode());
        assert_eq!(of(&[0xc5, 0xfd, 0x6f, 0x07]), ["avx"]); // vmovdqa ymm0, [rdi]
        assert_eq!(of(&[0x66, 0x0f, 0x38, 0x00, 0xc1]), ["ssse3"]); // pshufb xmm0, xmm1
        assert_eq!(of(&[0x62, 0xf2, 0x7d, 0x48, 0x8d, 0xc1]), ["avx512vbmi"]); // vpermb zmm0, zmm0, zmm1
        assert_eq!(
            of(&[0x62, 0xf1, 0x7d, 0x28, 0xfc, 0xc1]),
            ["avx512vl", "avx512bw"]
        ); // vpaddb ymm0, ymm0, ymm1 (EVEX)
        assert_eq!(of(&[0xf3, 0x48, 0x0f, 0xbc, 0xc7]), [BASELINE]); // rep bsf, read as tzcnt
        assert_eq!(of(&[0xc4, 0xe2, 0xf9, 0xf7, 0xc7]), ["bmi2"]); // shlx
    }
}
