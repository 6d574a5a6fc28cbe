//! Mutants live in forked children: a child changes its own memory, runs cases, and tells by its end what came of it.
#![allow(unsafe_code)]

use std::time::Duration;

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

    use nix::libc;
    use nix::sys::signal::{SigEvent, SigevNotify, Signal};
    use nix::sys::time::TimeSpec;
    use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::time::ClockId;
    use nix::unistd::{ForkResult, fork};

    /// Runs `cases` in a child whose memory has been changed by `patch`; it says whether all agreed.
    ///
    /// # Errors
    /// There is no child to be had, or its memory cannot be changed: nothing is known then.
    pub(in super::super) fn run(
        patch: &[(u64, u8)],
        limit: Duration,
        cases: &mut dyn FnMut() -> bool,
    ) -> Result<Fate, String> {
        // SAFETY: a worker has one thread, so that the child may go on as if it were the worker: no lock is held by a thread that
        // is not there.
        match unsafe { fork() }.map_err(|e| format!("no child can be forked: {e}"))? {
            ForkResult::Child => {
                let code = match limited(limit).and_then(|timer| apply(patch).map(|()| timer)) {
                    Err(_) => 2,
                    Ok(_timer) => {
                        forget();
                        i32::from(!cases())
                    }
                };
                // SAFETY: ends the process at once; what would run at its exit is the worker's.
                unsafe { libc::_exit(code) }
            }
            ForkResult::Parent { child } => match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, 0)) => Ok(Fate::Survived),
                Ok(WaitStatus::Exited(_, 1)) => Ok(Fate::Killed),
                Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)) => {
                    Err("a child was ended from outside".into())
                }
                Ok(WaitStatus::Signaled(..)) => Ok(Fate::Killed),
                Ok(WaitStatus::Exited(..)) => {
                    Err("a child could not change its own code: the system forbids it".into())
                }
                other => Err(format!("a child ended as {other:?}")),
            },
        }
    }

    /// Ends this process when it has used so much processor time, or much more of any other.
    fn limited(limit: Duration) -> Result<Timer, nix::Error> {
        let event = SigEvent::new(SigevNotify::SigevSignal {
            signal: Signal::SIGALRM,
            si_value: 0,
        });
        let mut timer = Timer::new(ClockId::CLOCK_PROCESS_CPUTIME_ID, event)?;
        timer.set(
            Expiration::OneShot(TimeSpec::from_duration(limit)),
            TimerSetTimeFlags::empty(),
        )?;
        // One that waits uses none.
        nix::unistd::alarm::set(5 + 20 * limit.as_secs() as u32);
        Ok(timer)
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
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::*;

    pub(in super::super) fn run(
        _: &[(u64, u8)],
        _: Duration,
        _: &mut dyn FnMut() -> bool,
    ) -> Result<Fate, String> {
        Err("mutants need fork, which this system has not".into())
    }
}

pub(super) use imp::run;
