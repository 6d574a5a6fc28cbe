//! One core for everything: sides that share a core share its caches and its clock, and never run at the same time.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use rustix::process::{getpriority_process, setpriority_process};

/// How long the cores are watched, to find the one that has least to do.
const WATCHED: Duration = Duration::from_millis(100);

/// Before all others on the core, where this process may say so: what else runs there then waits, and does not take turns with the
/// sides. Those of ordinary users may not.
const FIRST: i32 = -20;

/// This thread, and what it starts, on one core and before others there; until it is dropped.
pub(crate) struct Pinned {
    pub(crate) core: usize,
    before: CpuSet,
    /// Its priority, if that was raised.
    nice: Option<i32>,
}

impl Pinned {
    /// To the core that is named, else to the one that has least to do.
    ///
    /// # Errors
    /// The core is none that this process may run on.
    pub(crate) fn to(core: Option<usize>) -> Result<Self, String> {
        let this = Pid::from_raw(0);
        let before = sched_getaffinity(this)
            .map_err(|e| format!("cannot ask on which cores this process may run: {e}"))?;
        let allowed: Vec<usize> = (0..CpuSet::count())
            .filter(|core| before.is_set(*core).unwrap_or(false))
            .collect();
        let core = match core {
            Some(core) if allowed.contains(&core) => core,
            Some(core) => {
                return Err(format!(
                    "--core {core}: this process may run on the cores {allowed:?}"
                ));
            }
            None => idlest(&allowed).ok_or("this process may run on no core")?,
        };
        let mut one = CpuSet::new();
        one.set(core)
            .and_then(|()| sched_setaffinity(this, &one))
            .map_err(|e| format!("cannot stay on core {core}: {e}"))?;
        let nice = getpriority_process(None).ok();
        let nice = nice.filter(|_| setpriority_process(None, FIRST).is_ok());
        Ok(Self { core, before, nice })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(Pid::from_raw(0), &self.before);
        if let Some(nice) = self.nice {
            let _ = setpriority_process(None, nice);
        }
    }
}

fn idlest(allowed: &[usize]) -> Option<usize> {
    let before = idle();
    std::thread::sleep(WATCHED);
    let after = idle();
    // Of equals the last one: interrupts go to the first.
    allowed.iter().copied().max_by_key(|core| {
        let of = |ticks: &[u64]| ticks.get(*core).copied().unwrap_or_default();
        of(&after).saturating_sub(of(&before))
    })
}

/// The ticks for which each core has had nothing to do.
fn idle() -> Vec<u64> {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    of_cores(&stat)
}

fn of_cores(stat: &str) -> Vec<u64> {
    let mut cores = Vec::new();
    for line in stat.lines() {
        let mut fields = line.split_whitespace();
        let core = fields.next().and_then(|name| name.strip_prefix("cpu"));
        let Some(core) = core.and_then(|number| number.parse::<usize>().ok()) else {
            continue;
        };
        // user, nice, system, idle, iowait
        let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
        if core < CpuSet::count() {
            cores.resize(cores.len().max(core + 1), 0);
            cores[core] = ticks.iter().skip(3).take(2).sum();
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_of_each_core_are_read() {
        let stat =
            "cpu  9 9 9 99 9 0\ncpu0 1 2 3 40 5 6 7\ncpu2 1 2 3 70 0 6\nintr 5 5\ncpux 1 1 1 1\n";
        assert_eq!(of_cores(stat), [45, 0, 70]);
        assert_eq!(of_cores(""), [0; 0]);
    }

    #[test]
    fn a_thread_stays_where_it_is_pinned_and_is_free_again() {
        std::thread::spawn(|| {
            let this = Pid::from_raw(0);
            let before = sched_getaffinity(this).unwrap();
            let pinned = Pinned::to(None).unwrap();
            let now = sched_getaffinity(this).unwrap();
            let on = |core| now.is_set(core).unwrap();
            assert!((0..CpuSet::count()).all(|core| on(core) == (core == pinned.core)));
            let nice = || getpriority_process(None).unwrap();
            // As root, and nowhere else.
            assert_eq!(nice() == FIRST, pinned.nice.is_some());
            let raised = pinned.nice;
            drop(pinned);
            assert!(raised.is_none_or(|before| nice() == before));
            assert_eq!(sched_getaffinity(this).unwrap(), before);
            let nowhere = Pinned::to(Some(CpuSet::count() - 1)).map(drop);
            assert!(nowhere.is_err_and(|why| why.contains("may run on the cores [")));
        })
        .join()
        .unwrap();
    }
}
