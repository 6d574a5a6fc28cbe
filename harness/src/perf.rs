//! What Linux counts of a thread for perf_event_open(2): hits of a hardware breakpoint, instructions retired.
//!
//! For `doctor` alone, which has each count something whose number is known, and believes no counter that is off.

use std::hint::black_box;

/// Calls that a breakpoint is to see.
pub(crate) const CALLS: u64 = 1000;
/// Rounds of a loop whose instructions are counted; then twice and four times as many.
const ROUNDS: u64 = 10_000;

enum Event {
    /// The instruction at this address was executed.
    Executed(usize),
    /// Any instruction was.
    Instruction,
}

/// Never reached but through a pointer that the compiler cannot see through, so that every call goes to this address.
#[inline(never)]
fn landmark() {
    black_box(());
}

/// [`CALLS`], if a hardware breakpoint sees that many calls of a function.
pub(crate) fn breakpoint() -> Result<f64, String> {
    each(hits(landmark, landmark)?)
}

/// The hits of a breakpoint on one function while another (or the same) is called [`CALLS`] times.
fn hits(on: fn(), called: fn()) -> Result<u64, String> {
    let call = black_box(called);
    counted(Event::Executed(on as usize), || {
        (0..CALLS).for_each(|_| call());
    })
}

fn each(hits: u64) -> Result<f64, String> {
    if hits == CALLS {
        Ok(hits as f64)
    } else {
        Err(format!(
            "a breakpoint saw {hits} of {CALLS} calls; valgrind, for one, runs a translation and never the code itself"
        ))
    }
}

/// Instructions retired in a round of a loop.
pub(crate) fn instructions() -> Result<f64, String> {
    per_round(|rounds| {
        counted(Event::Instruction, || {
            (0..rounds).for_each(|round| {
                black_box(round);
            });
        })
    })
}

/// How many instructions a round is, is the compiler's business; but there is at least one, and each round has as many. The
/// hundredth that is forgiven is for interrupts, which some CPUs count.
fn per_round(mut count: impl FnMut(u64) -> Result<u64, String>) -> Result<f64, String> {
    let [once, twice, four] = [count(ROUNDS)?, count(2 * ROUNDS)?, count(4 * ROUNDS)?];
    let more = |less: u64, count: u64, rounds: u64| (count as f64 - less as f64) / rounds as f64;
    let (first, then) = (more(once, twice, ROUNDS), more(twice, four, 2 * ROUNDS));
    if first >= 0.99 && (first - then).abs() <= first / 100.0 {
        Ok(then)
    } else {
        Err(format!(
            "the counter is off: in {ROUNDS}, twice and four times as many equal rounds of a loop it counted {once}, {twice} and {four} instructions"
        ))
    }
}

/// Here and below: where Cargo.toml has the crate `perf-event`.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn counted(event: Event, run: impl FnOnce()) -> Result<u64, String> {
    use perf_event::Builder;
    use perf_event::events::{self, Breakpoint, Hardware};

    let event = match event {
        Event::Executed(address) => events::Event::from(Breakpoint::execute(address as u64)),
        Event::Instruction => Hardware::INSTRUCTIONS.into(),
    };
    let count = || {
        // Of user space alone, which needs no privilege. Pinned: the whole time or, if others have the counters, not at all.
        let mut builder = Builder::new().kind(event);
        builder.pinned(true);
        let mut counter = builder.build()?;
        counter.enable()?;
        run();
        counter.disable()?;
        counter.read()
    };
    count().map_err(|error| {
        let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
        refusal(&error, paranoid.as_deref().map(str::trim))
    })
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn counted(event: Event, _: impl FnOnce()) -> Result<u64, String> {
    let what = match event {
        Event::Executed(address) => format!("a breakpoint at {address:#x}"),
        Event::Instruction => "a counter".into(),
    };
    Err(format!(
        "{what} is asked of perf_event_open on Linux for x86_64 and aarch64; this is {} for {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    ))
}

/// What the kernel's no means, by the manual page perf_event_open(2).
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn refusal(error: &std::io::Error, paranoid: Option<&str>) -> String {
    use nix::errno::Errno;

    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return "others have this CPU's counters".into();
    }
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let paranoid = paranoid.unwrap_or("not known");
    let means = match errno {
        Errno::ENOENT => "this CPU has no such counter, or its hypervisor gives guests none",
        Errno::EOPNOTSUPP | Errno::ENODEV => "this CPU has not what it takes",
        Errno::EACCES | Errno::EPERM => &format!(
            "forbidden, by /proc/sys/kernel/perf_event_paranoid ({paranoid}; 2 or less is wanted) or, as in containers, by seccomp"
        ),
        Errno::ENOSYS => {
            "this kernel, or the emulator in its place, has no such call, or seccomp hides it"
        }
        Errno::ENOSPC => "a debugger has all of this CPU's breakpoints",
        Errno::EBUSY => "somebody else has the counters for himself",
        _ => "none of the known reasons",
    };
    format!("perf_event_open says {errno:?}: {means}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn elsewhere() {
        black_box(1);
    }

    #[test]
    fn a_breakpoint_counts_calls_of_its_function_alone() {
        match (hits(landmark, landmark), hits(elsewhere, landmark)) {
            (Ok(hits), Ok(strays)) => {
                assert_eq!((hits, strays), (CALLS, 0));
                assert!(each(strays).is_err_and(|why| why.contains("saw 0 of 1000")));
            }
            // A machine without breakpoints, for which both are alike.
            (one, other) => {
                assert_eq!(one, other);
                assert!(one.is_err_and(|why| why.contains("perf_event_open")));
            }
        }
    }

    #[test]
    fn a_breakpoint_that_misses_or_invents_one_call_is_not_believed() {
        assert_eq!(each(CALLS), Ok(1000.0));
        for hits in [0, CALLS - 1, CALLS + 1] {
            assert!(each(hits).is_err_and(|why| why.contains(&format!("saw {hits} of"))));
        }
    }

    #[test]
    fn a_counter_that_is_off_is_not_believed() {
        assert_eq!(per_round(|rounds| Ok(70 + 3 * rounds)), Ok(3.0));
        // An interrupt counts as one.
        assert!(per_round(|rounds| Ok(70 + 3 * rounds + rounds / 20_000)).is_ok());
        for off in [
            |_| 0,
            |_| 30_070,
            |rounds| rounds / 2,
            |rounds| rounds * rounds,
            // Stopped by another one's turn.
            |rounds: u64| (3 * rounds).min(100_000),
            |rounds| 1_000_000 - 3 * rounds,
        ] {
            let got = per_round(|rounds| Ok(off(rounds)));
            assert!(
                got.as_ref().is_err_and(|why| why.contains("off")),
                "{got:?}"
            );
        }
        assert_eq!(per_round(|_| Err("no".into())), Err("no".into()));
    }

    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    #[test]
    fn a_refusal_names_its_errno_and_what_that_means() {
        use nix::errno::Errno;
        for (errno, says) in [
            (Errno::ENOENT, "ENOENT: this CPU has no such counter"),
            (Errno::EACCES, "perf_event_paranoid (4;"),
            (Errno::EPERM, "EPERM: forbidden"),
            (Errno::ENOSYS, "the emulator"),
            (Errno::EMFILE, "EMFILE: none of the known"),
        ] {
            let why = refusal(&std::io::Error::from(errno), Some("4"));
            assert!(why.contains(says), "{why}");
        }
        let none_left = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        assert!(refusal(&none_left, None).contains("others have"));
    }
}
