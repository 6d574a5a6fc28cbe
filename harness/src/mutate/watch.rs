//! Ends a child that makes no progress: one that goes round in circles, and one that waits for what does not come.
//!
//! Progress is the number of the case on the page. What is measured is the processor time of the child alone, so that neither a
//! busy machine nor a run that is stopped and continued ends a child that is right.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::signal::{
    SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction,
};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

use super::child::NOTICED;
use crate::page::Page;

/// How many seconds a child may do nothing.
const IDLE: u64 = 5;
/// With less processor time than this in a second, in nanoseconds, a child does nothing.
const NOTHING: u64 = 1_000_000;

/// The page of this child, for the handlers.
static PAGE: AtomicPtr<Page> = AtomicPtr::new(std::ptr::null_mut());
/// The case that was at work when the processor time was last used up.
static WORKED_AT: AtomicU64 = AtomicU64::new(u64::MAX);
/// The case and the processor time of the last second, and for how many seconds nothing has been done.
static SECOND_AT: AtomicU64 = AtomicU64::new(u64::MAX);
static USED: AtomicU64 = AtomicU64::new(0);
static SECONDS: AtomicU64 = AtomicU64::new(0);

/// As long as it lives, this process is ended as noticed when it works for `limit`, or does nothing for 5 seconds, at one case.
pub(super) fn watch(limit: Duration, page: &'static Page) -> Result<[Timer; 2], Errno> {
    PAGE.store(std::ptr::from_ref(page).cast_mut(), Relaxed);
    Ok([
        every(
            limit,
            ClockId::CLOCK_PROCESS_CPUTIME_ID,
            Signal::SIGVTALRM,
            worked,
        )?,
        every(
            Duration::from_secs(1),
            ClockId::CLOCK_MONOTONIC,
            Signal::SIGALRM,
            waited,
        )?,
    ])
}

fn every(
    period: Duration,
    clock: ClockId,
    signal: Signal,
    handler: extern "C" fn(c_int),
) -> Result<Timer, Errno> {
    let flags = SaFlags::SA_RESTART | SaFlags::SA_ONSTACK;
    let action = SigAction::new(SigHandler::Handler(handler), flags, SigSet::empty());
    // SAFETY: both handlers read a clock, store to atomics and end the process, which a signal handler may.
    unsafe { sigaction(signal, &action) }?;
    let event = SigEvent::new(SigevNotify::SigevSignal {
        signal,
        si_value: 0,
    });
    let mut timer = Timer::new(clock, event)?;
    timer.set(
        Expiration::Interval(period.into()),
        TimerSetTimeFlags::empty(),
    )?;
    Ok(timer)
}

/// The child has worked for as long as a case may take.
extern "C" fn worked(_: c_int) {
    let Some(page) = page() else { return };
    if WORKED_AT.swap(page.index(), Relaxed) == page.index() {
        end();
    }
}

/// A second has gone by.
extern "C" fn waited(_: c_int) {
    let Some(page) = page() else { return };
    // For the parent, whose patience is for a worker that is stuck: this one is looked after.
    page.alive();
    let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(0, |time| Duration::from(time).as_nanos() as u64);
    let worked = used.saturating_sub(USED.swap(used, Relaxed));
    if SECOND_AT.swap(page.index(), Relaxed) != page.index() || worked >= NOTHING {
        SECONDS.store(0, Relaxed);
    } else if SECONDS.fetch_add(1, Relaxed) + 1 >= IDLE {
        end();
    }
}

fn page() -> Option<&'static Page> {
    // SAFETY: `PAGE` is null or what `watch` was given, which lives as long as the process.
    unsafe { PAGE.load(Relaxed).as_ref() }
}

fn end() {
    // SAFETY: ends the process at once, which a signal handler may; nothing of it is needed any longer.
    unsafe { libc::_exit(NOTICED) }
}
