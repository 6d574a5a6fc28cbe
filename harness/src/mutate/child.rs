//! Mutants live in forked children: a child changes its own memory, runs cases, and tells by its end what came of it.
#![allow(unsafe_code)]

use std::time::Duration;

use crate::page::Page;

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Every case agreed.
    Survived,
    /// A case did not, or the child died of its change.
    Killed,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod imp {
    use super::*;

    use std::panic::{AssertUnwindSafe, catch_unwind};

    use nix::libc;
    use nix::sys::signal::Signal;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};

    use crate::mutate::watch::watch;
    use crate::worker::die_with_parent;

    /// How a child ends that has something to say. Any other end is a death of its change: code that runs wild may call `exit`.
    const AGREED: i32 = 91;
    pub(in super::super) const NOTICED: i32 = 92;
    const UNCHANGED: i32 = 93;

    /// Runs `cases` in a child whose memory has been changed by `patch`; it says whether all agreed. `limit` is the processor time
    /// that a child may take without getting to another case.
    ///
    /// # Errors
    /// There is no child to be had, its memory cannot be changed, or somebody ended it: nothing is known then.
    pub(in super::super) fn run(
        patch: &[(u64, u8)],
        limit: Duration,
        page: &'static Page,
        cases: &mut dyn FnMut() -> bool,
    ) -> Result<Fate, String> {
        // SAFETY: a worker has one thread, so that the child may go on as if it were the worker: no lock is held by a thread that
        // is not there.
        match unsafe { fork() }.map_err(|e| format!("no child can be forked: {e}"))? {
            ForkResult::Child => {
                die_with_parent();
                let code = match watch(limit, page).and_then(|timers| apply(patch).map(|()| timers))
                {
                    Err(_) => UNCHANGED,
                    // A panic ends here, and not somewhere in the worker that this child is a copy of.
                    Ok(_timers) => {
                        forget();
                        match catch_unwind(AssertUnwindSafe(cases)) {
                            Ok(true) => AGREED,
                            _ => NOTICED,
                        }
                    }
                };
                // SAFETY: ends the process at once; what would run at its exit is the worker's.
                unsafe { libc::_exit(code) }
            }
            ForkResult::Parent { child } => match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, AGREED)) => Ok(Fate::Survived),
                Ok(WaitStatus::Exited(_, UNCHANGED)) => {
                    Err("a child could not change its own code: the system forbids it".into())
                }
                Ok(WaitStatus::Exited(..)) => Ok(Fate::Killed),
                Ok(WaitStatus::Signaled(_, signal, _)) if is_of_its_own(signal) => Ok(Fate::Killed),
                Ok(WaitStatus::Signaled(_, signal, _)) => Err(format!(
                    "a child was ended from outside, by {signal}: nothing is known of its change"
                )),
                other => Err(format!("a child ended as {other:?}")),
            },
        }
    }

    /// Whether a signal is one that code raises by what it does. The others are sent: by a user, or by a system that is out of memory.
    fn is_of_its_own(signal: Signal) -> bool {
        use Signal as S;
        matches!(
            signal,
            S::SIGSEGV | S::SIGBUS | S::SIGILL | S::SIGFPE | S::SIGTRAP | S::SIGABRT | S::SIGSYS
        )
    }

    /// Leaves nothing in the vector registers that an instruction which is left out would have put there: a child inherits what the
    /// unchanged path has left in its worker.
    fn forget() {
        // SAFETY: sets registers that a call need not keep.
        unsafe {
            std::arch::asm!(
                "pcmpeqw xmm0, xmm0", "pcmpeqw xmm1, xmm1", "pcmpeqw xmm2, xmm2", "pcmpeqw xmm3, xmm3",
                "pcmpeqw xmm4, xmm4", "pcmpeqw xmm5, xmm5", "pcmpeqw xmm6, xmm6", "pcmpeqw xmm7, xmm7",
                "pcmpeqw xmm8, xmm8", "pcmpeqw xmm9, xmm9", "pcmpeqw xmm10, xmm10", "pcmpeqw xmm11, xmm11",
                "pcmpeqw xmm12, xmm12", "pcmpeqw xmm13, xmm13", "pcmpeqw xmm14, xmm14", "pcmpeqw xmm15, xmm15",
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }

    fn apply(patch: &[(u64, u8)]) -> Result<(), nix::Error> {
        for &(at, byte) in patch {
            let at = at as *mut u8;
            // SAFETY: the page is this child's own copy of code or constants of this program; made writable, and written, before
            // anything there runs again. What it does then is what is to be found out.
            unsafe {
                region::protect(at, 1, region::Protection::READ_WRITE_EXECUTE)
                    .map_err(|_| nix::Error::EACCES)?;
                at.write_volatile(byte);
            }
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        use std::time::Instant;

        /// What becomes of a child that does this at its second case.
        fn fate(does: impl Fn()) -> Result<Fate, String> {
            let page = Page::private();
            run(&[], Duration::from_millis(50), page, &mut || {
                for case in 0..3 {
                    page.preparing(case);
                    if case == 1 {
                        does();
                    }
                }
                true
            })
        }

        fn work(time: Duration) {
            let started = cpu_time::ProcessTime::now();
            while started.elapsed() < time {}
        }

        #[test]
        fn only_a_child_that_says_so_has_survived() {
            assert_eq!(fate(|| {}), Ok(Fate::Survived));
            assert_eq!(fate(|| std::process::exit(0)), Ok(Fate::Killed));
            assert_eq!(fate(|| std::process::abort()), Ok(Fate::Killed));
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            assert_eq!(fate(|| panic!("of its change")), Ok(Fate::Killed));
            std::panic::set_hook(hook);
        }

        #[test]
        fn a_child_that_somebody_ends_is_no_kill() {
            // Not SIGINT, which a shell has ignored by what it starts in the background.
            for signal in [Signal::SIGTERM, Signal::SIGKILL] {
                let why = fate(|| nix::sys::signal::raise(signal).expect("it is sent"));
                assert!(why.is_err_and(|why| why.contains("from outside")));
            }
        }

        #[test]
        fn one_that_goes_round_in_circles_or_waits_is_ended_and_a_slow_one_is_not() {
            assert_eq!(
                fate(|| loop {
                    std::hint::spin_loop();
                }),
                Ok(Fate::Killed)
            );
            assert_eq!(
                fate(|| loop {
                    std::thread::sleep(Duration::from_secs(1000));
                }),
                Ok(Fate::Killed)
            );
            assert_eq!(fate(|| work(Duration::from_millis(40))), Ok(Fate::Survived));
            let started = Instant::now();
            assert_eq!(
                fate(|| while started.elapsed() < Duration::from_secs(2) {
                    std::thread::sleep(Duration::from_millis(100));
                }),
                Ok(Fate::Survived)
            );
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::*;

    pub(in super::super) fn run(
        _: &[(u64, u8)],
        _: Duration,
        _: &'static Page,
        _: &mut dyn FnMut() -> bool,
    ) -> Result<Fate, String> {
        Err("mutants need fork, which this system has not".into())
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) use imp::NOTICED;
pub(super) use imp::run;
