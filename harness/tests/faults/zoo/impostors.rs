//! Impostors: paths whose every answer is right, and which are not what they say. Only what they execute tells.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::arch::{asm, naked_asm};
use std::cell::RefCell;
use std::hint::{black_box, spin_loop};
use std::sync::Once;

use pathproof::{CodePath, Input, Operation, Outcome, Reason};

use super::codec::{BLOCK, DIGITS, decode, decode_in_place, encode, encode_in_pairs, reference};

pub(super) fn operations() -> [Operation; 6] {
    let families = [
        names(),
        buffers(),
        in_place(),
        convention(),
        features(),
        stepped(),
    ];
    // What a long input executes shows at 513 bytes as it does at 4,097, in an eighth of the steps.
    families.map(|family| family.sweeps_to(SWEPT))
}

/// Receipts go to eight times as many bytes, and one.
const SWEPT: usize = 64;
pub(crate) const LONG: usize = 8 * SWEPT + 1;

/// An encoder whose healthy sibling promises to be scalar.
fn encoder(name: &'static str) -> Operation {
    Operation::new(name, |i| Ok(reference::encode(i.bytes())))
        .capacity(|i| 2 * i.bytes().len())
        .path(super::scalar_fills().only(&[]))
}

/// A path that needs AVX2, or is not there.
fn with_avx2(
    isa: &'static str,
    f: impl Fn(&Input<'_>, &mut [u8]) -> Outcome<usize> + 'static,
) -> CodePath {
    CodePath::fills(isa, f)
        .available_if(is_x86_feature_detected!("avx2"), Reason::Cpu("avx2".into()))
        .block(BLOCK)
}

// --- names that promise more than what runs

fn names() -> Operation {
    let reference = |i: &Input<'_>| {
        // Longer than what is stepped: at the first call nothing is seen of the rest.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| (0..1 << 18).for_each(|_| spin_loop()));
        Ok(reference::encode(i.bytes()))
    };
    let names = Operation::new("names", reference).capacity(|i| 2 * i.bytes().len());
    names.path(super::scalar_fills().only(&[])).paths([
        with_avx2("avx2", |i, out| Ok(avx2(i.bytes(), out)))
            .executes(&["avx2"])
            .only(&["avx2"]),
        // What chooses for itself promises nothing, and nobody runs its code in its stead.
        CodePath::fills("scalar/auto", |i, out| Ok(best(i.bytes(), out))),
        with_avx2("avx512-is-avx2", |i, out| Ok(avx2(i.bytes(), out))).executes(&["avx512bw"]),
        with_avx2("falls-to-scalar", falls_to_scalar).executes(&["avx2"]),
        CodePath::fills("sse2-is-scalar", |i, out| Ok(encode(i.bytes(), out))).executes(&["sse2"]),
        CodePath::fills("sse2-by-accident", sse2_by_accident).executes(&["sse2"]),
        CodePath::returns("runs-reference", |i| Ok(reference::encode(i.bytes()))),
        CodePath::returns("inlines-reference", |i| {
            Ok(reference::encode_inlined(i.bytes()))
        }),
    ])
}

/// The codec in AVX2: a 16-bit lane for every byte, and one look-up for both of its digits.
#[target_feature(enable = "avx2")]
fn encode_avx2(bytes: &[u8], out: &mut [u8]) -> usize {
    // SAFETY: `DIGITS` has the 16 bytes that are read.
    let digits = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(DIGITS.as_ptr().cast()) });
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    let (to, rest) = out[..2 * bytes.len()].as_chunks_mut::<{ 2 * BLOCK }>();
    for (to, block) in to.iter_mut().zip(blocks) {
        // SAFETY: a block has the 16 bytes that are read.
        let wide = _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(block.as_ptr().cast()) });
        let low = _mm256_and_si256(wide, _mm256_set1_epi16(0x000f));
        let high = _mm256_and_si256(_mm256_slli_epi16::<4>(wide), _mm256_set1_epi16(0x0f00));
        let text = _mm256_shuffle_epi8(digits, _mm256_or_si256(low, high));
        // SAFETY: the text of a block has the 32 bytes that are written.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), text) };
    }
    encode(tail, rest);
    2 * bytes.len()
}

fn avx2(bytes: &[u8], out: &mut [u8]) -> usize {
    // SAFETY: `with_avx2` keeps paths that come here from CPUs without AVX2, and `best` asks.
    unsafe { encode_avx2(bytes, out) }
}

fn best(bytes: &[u8], out: &mut [u8]) -> usize {
    if is_x86_feature_detected!("avx2") {
        avx2(bytes, out)
    } else {
        encode(bytes, out)
    }
}

/// A dispatcher whose last rung, for the longest input of a receipt, is the first.
fn falls_to_scalar(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    Ok(if i.bytes().len() == LONG {
        encode(i.bytes(), out)
    } else {
        avx2(i.bytes(), out)
    })
}

/// Scalar code that has met an SSE2 instruction: so it has executed one, and no more can be said for it.
fn sse2_by_accident(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    // SAFETY: every CPU of this target has SSE2.
    unsafe {
        let ones = black_box(_mm_set1_epi8(1));
        black_box(_mm_add_epi8(ones, ones));
    }
    Ok(encode(i.bytes(), out))
}

// --- buffers that are the caller's, and are not used

fn buffers() -> Operation {
    encoder("buffers").paths([
        CodePath::fills("scalar/pairs", |i, out| Ok(encode_in_pairs(i.bytes(), out))),
        CodePath::fills("vec-and-copy", |i, out| {
            let text = super::encoded(i.bytes());
            out.copy_from_slice(&text);
            Ok(text.len())
        }),
        CodePath::fills("kept-and-copy", |i, out| {
            let len = out.len();
            kept(len, |text| {
                encode(i.bytes(), text);
                out.copy_from_slice(text);
            });
            Ok(len)
        }),
        CodePath::fills("stack-and-copy", |i, out| {
            let mut text = [0; 1024];
            let mut len = 0;
            for piece in i.bytes().chunks(512) {
                let now = encode(piece, &mut text);
                out[len..][..now].copy_from_slice(&text[..now]);
                len += now;
            }
            Ok(len)
        }),
        CodePath::fills("scratch", |i, out| {
            black_box(Box::new(DIGITS));
            Ok(encode(i.bytes(), out))
        }),
    ])
}

fn in_place() -> Operation {
    Operation::new("buffers_in_place", |i| reference::decode(i.bytes()))
        .from_bytes(|bytes, _| reference::encode(bytes))
        .capacity(|i| i.bytes().len() / 2)
        .paths([
            CodePath::fills("scalar", |i, out| decode(i.bytes(), out)),
            CodePath::in_place("scalar", |_, buffer| decode_in_place(buffer)),
            CodePath::in_place("vec-and-copy", |_, buffer| {
                let text = buffer.to_vec();
                decode(&text, buffer)
            }),
            CodePath::in_place("kept-and-copy", |_, buffer| {
                kept(buffer.len(), |text| {
                    text.copy_from_slice(buffer);
                    decode(text, buffer)
                })
            }),
            CodePath::in_place("scratch", |_, buffer| {
                black_box(Box::new(DIGITS));
                decode_in_place(buffer)
            }),
        ])
}

/// Lends `len` bytes that are kept from call to call, so that no call but the first allocates.
fn kept<R>(len: usize, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    thread_local! {
        static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| {
        let longer = kept.len().max(len);
        kept.resize(longer, 0);
        use_it(&mut kept[..len])
    })
}

// --- what a call must keep

fn convention() -> Operation {
    let family = encoder("convention").paths([
        CodePath::fills("clobbers-r12", |i, out| {
            // SAFETY: r12 is put right here, where the callee did not, or the compiler's own code would go wrong with it.
            unsafe { asm!("push r12", "call {}", "pop r12", sym clobbers_r12) };
            Ok(encode(i.bytes(), out))
        }),
        CodePath::fills("clobbers-rbx", |i, out| {
            // SAFETY: as above, of rbx.
            unsafe { asm!("push rbx", "call {}", "pop rbx", sym clobbers_rbx) };
            Ok(encode(i.bytes(), out))
        }),
        CodePath::fills("leaves-direction", |i, out| {
            // SAFETY: the flag is cleared here, where the callee did not, or the next memcpy would go backwards.
            unsafe { asm!("call {}", "cld", sym leaves_direction) };
            Ok(encode(i.bytes(), out))
        }),
        CodePath::fills("rounds-up", |i, out| {
            let mut control = 0u32;
            // SAFETY: changes how later sums are rounded and nothing else, which is the fault.
            unsafe {
                asm!(
                    "stmxcsr dword ptr [{0}]",
                    "or dword ptr [{0}], 0x4000",
                    "ldmxcsr dword ptr [{0}]",
                    in(reg) &raw mut control,
                );
            }
            Ok(encode(i.bytes(), out))
        }),
        CodePath::fills("leaves-mmx", |i, out| {
            // SAFETY: without `emms` later x87 code computes NaN, which is the fault; nothing here uses the x87.
            unsafe { asm!("movd mm0, {:e}", in(reg) 1, out("mm0") _) };
            Ok(encode(i.bytes(), out))
        }),
    ]);
    family.path(with_avx2("leaves-uppers", |i, out| {
        // SAFETY: `with_avx2` keeps it from CPUs without AVX2; later SSE code is slow, which is the fault.
        unsafe { asm!("vpcmpeqd ymm15, ymm15, ymm15", out("xmm15") _) };
        Ok(encode(i.bytes(), out))
    }))
}

#[unsafe(naked)]
extern "sysv64" fn clobbers_r12() {
    naked_asm!("not r12", "ret")
}

#[unsafe(naked)]
extern "sysv64" fn clobbers_rbx() {
    naked_asm!("not rbx", "ret")
}

#[unsafe(naked)]
extern "sysv64" fn leaves_direction() {
    naked_asm!("std", "ret")
}

/// Whether this CPU, when it saves its state, says that the upper halves of its vector registers are not in use.
pub(crate) fn upper_halves_are_told() -> bool {
    #[repr(C, align(64))]
    struct Area([u8; 1024]);

    #[target_feature(enable = "avx,xsave")]
    fn in_use() -> bool {
        const AVX: u64 = 1 << 2;
        let mut area = Area([0; 1024]);
        _mm256_zeroupper();
        // SAFETY: of AVX's state alone, XSAVE writes no more than 832 bytes, to an area aligned as it must be.
        unsafe { _xsave64(area.0.as_mut_ptr(), AVX) };
        u64::from(area.0[512]) & AVX != 0
    }

    let can_say = is_x86_feature_detected!("avx") && is_x86_feature_detected!("xsave");
    // SAFETY: the CPU has both features.
    can_say && !unsafe { in_use() }
}

// --- code that needs more than it promises to

fn features() -> Operation {
    encoder("features").paths([
        with_avx2("scalar-with-avx2", |i, out| Ok(avx2(i.bytes(), out))).only(&[]),
        CodePath::fills("scalar-with-bmi2", |i, out| {
            // SAFETY: the path is dropped where the CPU has no BMI2.
            Ok(unsafe { encode_bmi2(i.bytes(), out) })
        })
        .available_if(is_x86_feature_detected!("bmi2"), Reason::Cpu("bmi2".into()))
        .only(&[]),
    ])
}

/// Takes a byte apart with one instruction, which only newer CPUs have.
#[target_feature(enable = "bmi2")]
fn encode_bmi2(bytes: &[u8], out: &mut [u8]) -> usize {
    for (to, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        let [low, high, ..] = _pdep_u32(u32::from(*byte), 0x0f0f).to_le_bytes();
        *to = [DIGITS[usize::from(low)], DIGITS[usize::from(high)]];
    }
    2 * bytes.len()
}

// --- code that behaves otherwise while it is watched

fn stepped() -> Operation {
    encoder("stepped").paths([
        CodePath::fills("crashes", |i, out| {
            if is_stepped() {
                // SAFETY: it does not hold, and that is the fault: no page is mapped there, and the worker ends.
                unsafe { std::ptr::null::<u8>().wrapping_add(8).read_volatile() };
            }
            Ok(encode(i.bytes(), out))
        }),
        CodePath::fills("loops", |i, out| {
            let is_stepped = is_stepped() && i.bytes().len() == LONG;
            while black_box(is_stepped) {
                spin_loop();
            }
            Ok(encode(i.bytes(), out))
        }),
        // The last is longer than what is stepped of a call: its receipt is of the beginning.
        CodePath::fills("scalar/long", |i, out| {
            let turns = if i.bytes().len() == LONG { 100_000 } else { 0 };
            for turn in 0..turns {
                black_box(turn);
            }
            Ok(encode(i.bytes(), out))
        }),
    ])
}

/// Whether the trap flag is set.
fn is_stepped() -> bool {
    let flags: u64;
    // SAFETY: reads the flags register by way of the stack, which `asm!` without `nostack` may use.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags) };
    flags & 0x100 != 0
}
