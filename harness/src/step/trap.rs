//! The trap flag: with it set, the CPU interrupts the program after every instruction, and a handler notes where it stands.
//!
//! `window` is what is looked at, by this stepper and by valgrind alike; inside of it, `pause` is what is not. Around the call
//! they execute always the same instructions, which an empty call measures.
#![allow(unsafe_code)]

/// How many instructions of one call are noted; the rest of a longer one runs at full speed. At 10 to 20 µs each, two seconds.
pub(crate) const LIMIT: usize = 1 << 17;

/// The machine before an instruction is executed.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Step {
    /// The address of the instruction.
    pub(crate) at: u64,
    pub(crate) flags: u64,
    /// rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, …, r15: the order in which instructions encode them.
    pub(crate) registers: [u64; 16],
    pub(crate) vectors: Vectors,
}

/// The state of the floating-point and vector units, as far as a callee must keep it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Vectors {
    pub(crate) mxcsr: u32,
    pub(crate) x87_control: u16,
    /// One bit for each x87 or MMX register in use.
    pub(crate) x87_in_use: u8,
    /// Whether the upper halves of vector registers hold anything: `None` where there are none.
    pub(crate) upper: Option<bool>,
}

/// What a function of libc does to memory, and where it is told how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Libc {
    Allocates,
    AllocatesArray,
    Reallocates,
    AllocatesAligned,
    AllocatesInto,
    Frees,
    Copies,
}

impl Libc {
    /// The bytes that a call is about, from the registers at its first instruction.
    pub(crate) fn bytes(self, registers: &[u64; 16]) -> u64 {
        let [_, _, rdx, _, _, _, rsi, rdi, ..] = *registers;
        match self {
            Libc::Allocates => rdi,
            Libc::AllocatesArray => rdi.saturating_mul(rsi),
            Libc::Reallocates | Libc::AllocatesAligned => rsi,
            Libc::AllocatesInto | Libc::Copies => rdx,
            Libc::Frees => 0,
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod imp {
    use std::arch::asm;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};
    use std::sync::{Mutex, PoisonError};

    use nix::libc::{
        REG_EFL, REG_R8, REG_RAX, REG_RBP, REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RIP, REG_RSI,
        REG_RSP, c_int, c_void, siginfo_t, ucontext_t,
    };
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::{LIMIT, Libc, Step, Vectors};

    /// Bit 8 of the flags register.
    const TRAP: u64 = 0x100;
    const REGISTERS: [c_int; 8] = [
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    ];

    /// Where the handler writes, and how many steps it has seen; null and 0 outside of `record`.
    static STEPS: AtomicPtr<Step> = AtomicPtr::new(null_mut());
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    /// How many steps there is room for.
    static ROOM: AtomicUsize = AtomicUsize::new(0);
    /// What a window adds to the flags: `TRAP` inside of `record`, else nothing.
    static FLAG: AtomicU64 = AtomicU64::new(0);

    extern "C" fn note(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: with SA_SIGINFO the third argument is the interrupted context, which is this handler's to change.
        let context = unsafe { &mut *context.cast::<ucontext_t>() };
        let registers = &mut context.uc_mcontext.gregs;
        let seen = SEEN.load(Relaxed);
        SEEN.store(seen + 1, Relaxed);
        crate::worker::alive();
        let steps = STEPS.load(Relaxed);
        if seen >= ROOM.load(Relaxed) || steps.is_null() {
            registers[REG_EFL as usize] &= !(TRAP as i64);
            return;
        }
        let mut step = Step {
            at: registers[REG_RIP as usize] as u64,
            flags: registers[REG_EFL as usize] as u64,
            ..Step::default()
        };
        for (to, from) in step.registers.iter_mut().zip(REGISTERS) {
            *to = registers[from as usize] as u64;
        }
        for (to, from) in step.registers[8..].iter_mut().zip(REG_R8 as usize..) {
            *to = registers[from] as u64;
        }
        // SAFETY: the kernel saves the vector state there, or leaves the pointer null.
        if let Some(state) = unsafe { context.uc_mcontext.fpregs.as_ref() } {
            step.vectors = Vectors {
                mxcsr: state.mxcsr,
                x87_control: state.cwd,
                x87_in_use: state.ftw as u8,
                upper: upper(std::ptr::from_ref(state).cast()),
            };
        }
        // SAFETY: `record` has reserved ROOM steps there and waits until the window is over.
        unsafe { steps.add(seen).write(step) };
    }

    /// Whether the upper halves of ymm0 to ymm15 hold anything, as the saved state has them. That they are in use may be said by a
    /// bit of its header, too, but some CPUs leave that set after `vzeroupper` (Zen 3).
    /// "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 1, 13.4; Linux, `struct _fpx_sw_bytes`.
    fn upper(state: *const u8) -> Option<bool> {
        const MAGIC: u32 = 0x4650_5853;
        const AVX: u64 = 1 << 2;
        // SAFETY: the kernel's frame has at least the 512 bytes of FXSAVE, whose bytes 464 to 511 are the kernel's own words.
        let (magic, saved) = unsafe {
            (
                state.add(464).cast::<u32>().read_unaligned(),
                state.add(472).cast::<u64>().read_unaligned(),
            )
        };
        if magic != MAGIC || saved & AVX == 0 {
            return None;
        }
        // SAFETY: with the magic the header of XSAVE follows; its first word is XSTATE_BV. The second part is saved at a fixed
        // place, the 16 upper halves from byte 576 on; where its bit is clear it is as it was at the beginning, all zero.
        let (in_use, halves) = unsafe {
            (
                state.add(512).cast::<u64>().read_unaligned(),
                state.add(576).cast::<[u64; 32]>().read_unaligned(),
            )
        };
        Some(in_use & AVX != 0 && halves.iter().any(|half| *half != 0))
    }

    /// Adds `flag` to the flags register.
    #[inline(always)]
    fn trap(flag: u64) {
        // SAFETY: sets the trap flag or none; each trap is met by `note`, which keeps every register. The stack may be used, as the
        // compiler assumes of `asm!` without `nostack`.
        unsafe { asm!("pushfq", "or qword ptr [rsp], {}", "popfq", in(reg) flag) };
    }

    /// Clears the trap flag, when it goes out of scope: also where a call unwinds.
    struct Still;

    impl Drop for Still {
        #[inline(always)]
        fn drop(&mut self) {
            // SAFETY: as in `trap`; 0x100 is the trap flag.
            unsafe { asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq") };
        }
    }

    /// Calls; while `record` is at work, every instruction is noted. Its name is what `--toggle-collect` of callgrind takes.
    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(crate) fn pathproof_window(call: &mut dyn FnMut()) {
        let _still = Still;
        trap(FLAG.load(Relaxed));
        call();
    }

    /// Calls from within a window, unnoted.
    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(crate) fn pathproof_pause(call: &mut dyn FnMut()) {
        drop(Still);
        call();
        trap(FLAG.load(Relaxed));
    }

    /// Notes every instruction that is executed in windows while `call` runs, up to `limit`. Whether that were all is the second
    /// part of the answer. Steps are written to `steps`, so that nothing is allocated while they are taken.
    pub(crate) fn record(
        steps: &mut Vec<Step>,
        limit: usize,
        call: &mut dyn FnMut(),
    ) -> Result<bool, String> {
        // One at a time: the handler has one place to write to.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        steps.clear();
        steps.reserve_exact(limit);
        ROOM.store(limit, Relaxed);
        let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
        let action = SigAction::new(SigHandler::SigAction(note), flags, SigSet::empty());
        // SAFETY: the handler stores to atomics and to memory reserved above, which a signal handler may.
        let before = unsafe { sigaction(Signal::SIGTRAP, &action) };
        let before = before.map_err(|e| format!("no handler for SIGTRAP can be set: {e}"))?;
        // What an earlier call left is not this one's, and must not hide that this one leaves it too.
        rest();
        STEPS.store(steps.as_mut_ptr(), Relaxed);
        SEEN.store(0, Relaxed);
        FLAG.store(TRAP, Relaxed);
        let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        rest();
        FLAG.store(0, Relaxed);
        STEPS.store(null_mut(), Relaxed);
        let seen = SEEN.load(Relaxed);
        // SAFETY: the handler has written the first `seen` of the reserved steps, each of plain numbers.
        unsafe { steps.set_len(seen.min(limit)) };
        // SAFETY: gives back what was there.
        let _ = unsafe { sigaction(Signal::SIGTRAP, &before) };
        called.map_err(|panic| crate::check::message(&*panic))?;
        Ok(seen <= limit)
    }

    /// Brings the direction flag and the floating-point and vector units to what a program starts with, which is what every call
    /// must keep.
    fn rest() {
        let mxcsr = 0x1f80u32;
        // SAFETY: sets what the calling convention has at the start of a process: a clear direction flag, an empty x87 with its
        // default control word, the default MXCSR. No x87 register is live, for all are given as clobbered.
        unsafe {
            asm!(
                "cld", "fninit", "ldmxcsr dword ptr [{}]", in(reg) &raw const mxcsr,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            );
        }
        if is_x86_feature_detected!("avx") {
            // SAFETY: the CPU has AVX.
            unsafe { std::arch::x86_64::_mm256_zeroupper() };
        }
    }

    /// The functions of libc that allocate, free or copy, and where they begin: for memcpy, the variant that libc chose for this CPU.
    pub(crate) fn libc() -> [(&'static str, u64, Libc); 8] {
        use nix::libc;
        [
            ("malloc", libc::malloc as *const () as u64, Libc::Allocates),
            (
                "calloc",
                libc::calloc as *const () as u64,
                Libc::AllocatesArray,
            ),
            (
                "realloc",
                libc::realloc as *const () as u64,
                Libc::Reallocates,
            ),
            (
                "aligned_alloc",
                libc::aligned_alloc as *const () as u64,
                Libc::AllocatesAligned,
            ),
            (
                "posix_memalign",
                libc::posix_memalign as *const () as u64,
                Libc::AllocatesInto,
            ),
            ("free", libc::free as *const () as u64, Libc::Frees),
            ("memcpy", libc::memcpy as *const () as u64, Libc::Copies),
            ("memmove", libc::memmove as *const () as u64, Libc::Copies),
        ]
    }

    /// Bytes of code.
    pub(crate) fn executable(address: u64, len: usize) -> &'static [u8] {
        // SAFETY: callers ask for an instruction that this process has executed, no further than its page or its own end; code is
        // not unmapped while it is looked at, and the mutator changes it only in processes of its own.
        unsafe { std::slice::from_raw_parts(address as *const u8, len) }
    }

    /// A loop of known length: 4 instructions in each turn.
    #[inline(never)]
    fn known(turns: u64) -> u64 {
        let mut sum = 0u64;
        // SAFETY: reads and writes registers alone.
        unsafe {
            asm!(
                "2:",
                "add {sum}, {n}",
                "nop",
                "dec {n}",
                "jnz 2b",
                n = inout(reg) turns => _,
                sum = inout(reg) sum,
                options(nomem, nostack),
            );
        }
        sum
    }

    /// Whether steps are counted as they should be, found out on a loop of known length: emulators swallow the trap flag without
    /// an error. The steps that were taken to find out.
    pub(crate) fn proven() -> Result<usize, String> {
        let mut steps = Vec::new();
        let mut counted = |turns: u64| -> Result<usize, String> {
            let mut sum = 0;
            record(&mut steps, LIMIT, &mut || {
                pathproof_window(&mut || sum = known(turns))
            })?;
            if sum != turns * (turns + 1) / 2 {
                return Err(format!("a loop that was stepped gave {sum}"));
            }
            Ok(steps.len())
        };
        // Few, for every worker that steps does this first.
        let (few, many) = (counted(10)?, counted(110)?);
        match many.checked_sub(few) {
            Some(400) => Ok(few + many),
            _ if many == 0 => Err(
                "the trap flag is swallowed here, as valgrind does: no instruction was seen".into(),
            ),
            _ => Err(format!(
                "a loop of 400 instructions was counted as {}",
                many as i64 - few as i64
            )),
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::{Libc, Step};

    pub(crate) fn libc() -> [(&'static str, u64, Libc); 0] {
        []
    }

    pub(crate) fn executable(_: u64, _: usize) -> &'static [u8] {
        &[]
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(crate) fn pathproof_window(call: &mut dyn FnMut()) {
        call();
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(crate) fn pathproof_pause(call: &mut dyn FnMut()) {
        call();
    }

    pub(crate) fn record(_: &mut Vec<Step>, _: usize, _: &mut dyn FnMut()) -> Result<bool, String> {
        proven().map(|_| false)
    }

    pub(crate) fn proven() -> Result<usize, String> {
        Err(format!(
            "instructions are stepped on x86_64 Linux alone, and this is {} {}",
            std::env::consts::ARCH,
            std::env::consts::OS
        ))
    }
}

pub(crate) use imp::*;
