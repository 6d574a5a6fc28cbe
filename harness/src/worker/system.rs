//! What a worker asks of its operating system, and what only unsafe code can. Code for one system only is here, in `machine.rs` and
//! in `perf.rs`.
#![allow(unsafe_code)]

use std::io::{Read, Write};

use crate::page::Page;

#[cfg(unix)]
mod imp {
    use std::fs::File;
    use std::os::fd::AsFd as _;
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};

    use nix::libc::{c_int, c_void, siginfo_t};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::*;

    /// The frames' own ends of stdin and stdout. A subject that reads stdin finds nothing; one that prints, prints on stderr,
    /// which the parent collects.
    pub(crate) fn take_stdio() -> std::io::Result<(Box<dyn Read>, Box<dyn Write>)> {
        let from = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let to = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
        nix::unistd::dup2_stdout(std::io::stderr())?;
        Ok((Box::new(from), Box::new(to)))
    }

    /// The page of this process, for the handler.
    static PAGE: AtomicPtr<Page> = AtomicPtr::new(std::ptr::null_mut());
    /// Whether a fault has been noted.
    static FAULTED: AtomicBool = AtomicBool::new(false);
    /// Of other signals the address is an instruction's, which says nothing about a buffer.
    const NOTED: [Signal; 2] = [Signal::SIGSEGV, Signal::SIGBUS];

    /// Tells the parent of this worker, if it is one, that it gets on. A signal handler may call it.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn alive() {
        // SAFETY: `PAGE` is null or a page that lives as long as the process, and only its atomics are touched.
        if let Some(page) = unsafe { PAGE.load(Relaxed).as_ref() } {
            page.alive();
        }
    }

    extern "C" fn note(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: `PAGE` is null or a page that lives as long as the process; its atomics are written, which a signal handler may.
        let Some(page) = (unsafe { PAGE.load(Relaxed).as_ref() }) else {
            return;
        };
        // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo_t, and for the signals that this handler is set for, the
        // address is the member in use (or zero).
        let address = unsafe { (*info).si_addr() } as u64;
        // Of several threads that fault at once the first is noted; the others wait here for the end.
        if FAULTED.swap(true, Relaxed) {
            loop {
                std::hint::spin_loop();
            }
        }
        page.fault(signal as u64, address, access(address, context));
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        for signal in NOTED {
            // SAFETY: a handler may set another, and the system's own is none of this program's code.
            let _ = unsafe { sigaction(signal, &default) };
        }
    }

    /// Whether the fault was a read (1) or a write (2): bit 1 of the page-fault error code, which x86-64 Linux hands on. Or (3)
    /// one beside the stack pointer, which is how a stack overflows.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn access(address: u64, context: *mut c_void) -> u64 {
        use nix::libc::{REG_ERR, REG_RSP};
        // SAFETY: with SA_SIGINFO the third argument of a handler is the interrupted ucontext_t.
        let context = unsafe { &*context.cast::<nix::libc::ucontext_t>() };
        let register = |number: c_int| context.uc_mcontext.gregs[number as usize] as u64;
        if address.abs_diff(register(REG_RSP)) < 64 << 10 {
            3
        } else if register(REG_ERR) & 2 == 0 {
            1
        } else {
            2
        }
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    fn access(_: u64, _: *mut c_void) -> u64 {
        0
    }

    /// Notes the address of a fault before the process dies of it.
    pub(crate) fn note_faults(page: &'static Page) {
        PAGE.store(std::ptr::from_ref(page).cast_mut(), Relaxed);
        // The handler returns, the instruction faults again, and the system's default ends the process with the true signal.
        // On the alternate stack, which std gives every thread, so that a stack overflow is noted too.
        let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
        let action = SigAction::new(SigHandler::SigAction(note), flags, SigSet::empty());
        for signal in NOTED {
            // SAFETY: the handler only stores to atomics, which is safe in a signal handler.
            let _ = unsafe { sigaction(signal, &action) };
        }
        let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    }

    /// No worker outlives its parent, however that ends.
    pub(crate) fn die_with_parent() {
        #[cfg(target_os = "linux")]
        let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    }
}

/// Starts a program whose memory lies where it lay the last time: what it finds in a register or a cell that nobody has set is
/// then the same from run to run. Where that is not allowed (containers forbid it), it is started as any other.
#[cfg(target_os = "linux")]
pub(crate) fn spawn_unmoved(
    command: &mut std::process::Command,
) -> std::io::Result<std::process::Child> {
    use nix::sys::personality::{Persona, get, set};
    // It is this thread's, and goes to what the thread starts.
    let Ok(before) = get() else {
        return command.spawn();
    };
    let _ = set(before | Persona::ADDR_NO_RANDOMIZE);
    let child = command.spawn();
    let _ = set(before);
    child
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn spawn_unmoved(
    command: &mut std::process::Command,
) -> std::io::Result<std::process::Child> {
    command.spawn()
}

/// What this thread starts with it ends with the thread, and so with the process, however that ends: also a program that knows
/// nothing of this one. What such a program starts itself does not.
#[cfg(target_os = "linux")]
pub(crate) fn bind(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    let bound = || {
        imp::die_with_parent();
        Ok(())
    };
    // SAFETY: between fork and exec it makes one system call, and neither allocates nor locks.
    unsafe { command.pre_exec(bound) };
}

#[cfg(not(unix))]
mod imp {
    use super::*;

    pub(crate) fn take_stdio() -> std::io::Result<(Box<dyn Read>, Box<dyn Write>)> {
        Ok((Box::new(std::io::stdin()), Box::new(std::io::stdout())))
    }

    pub(crate) fn note_faults(_: &'static Page) {}

    pub(crate) fn die_with_parent() {}
}

pub(crate) use imp::*;

/// What is missing in this system's workers, for `doctor`; `None` where nothing is.
pub(crate) fn missing() -> Option<&'static str> {
    if cfg!(unix) {
        None
    } else {
        Some(
            "a fault's address is not known here, and a subject that prints on stdout disturbs its worker",
        )
    }
}

/// The C library of this process, as far as it can tell: `glibc 2.36`, or `musl`, which says its version to nobody.
pub(crate) fn libc() -> Option<String> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // Not what `getconf` or `ldd` say, which is of theirs: another one for a program behind qemu-aarch64 -L.
        // SAFETY: takes nothing, and returns a string that is part of the library, so it ends with a zero and nobody changes it.
        let version = unsafe { std::ffi::CStr::from_ptr(nix::libc::gnu_get_libc_version()) };
        Some(format!("glibc {}", version.to_string_lossy()))
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        cfg!(target_env = "musl").then(|| "musl".into())
    }
}
