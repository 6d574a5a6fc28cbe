//! Both counters agree: what `q64-paths count` steps of a call is, to the instruction, what callgrind sees of it. A test for every
//! path of Q64 with a buffer to fill; one that valgrind cannot run, or of which it would run other code, is ignored and says why.
//! The other operations take the same window, and a valgrind's start for each of their many paths: `cargo harness call` under
//! callgrind compares any of them by hand.

#[path = "../benches/valgrind/mod.rs"]
mod valgrind;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use pathproof_reports::{PathRow, Report, State};
use valgrind::{PROGRAM, WINDOW};

const FILLS: &str = "q64_*code/*/fills";
/// Plain bytes: no block of some kernels; a block and a tail; many.
const LENGTHS: [u64; 3] = [1, 100, 2048];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match Command::new("valgrind").arg("--version").output() {
        Ok(_) => trials().unwrap_or_else(|why| vec![Trial::test("counters", || Err(why.into()))]),
        Err(_) => {
            let trial = Trial::test("counters", || Ok(())).with_ignored_flag(true);
            vec![trial.with_kind("valgrind is not installed")]
        }
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials() -> Result<Vec<Trial>, String> {
    let list = valgrind::listed(FILLS)?;
    let runnable = valgrind::runnable(&list);
    // One after the other, and not `FILLS` at once, which would count the peers, too.
    let paths = list.paths().filter(|row| !row.peer).map(PathRow::name);
    let counts: Vec<Report> = paths.map(|path| count(&path)).collect::<Result<_, _>>()?;
    let row = |report: &Report| report.paths().next().cloned();
    let hidden = counts.iter().filter_map(row).any(|row| {
        let runs = !matches!(row.state, State::Unavailable | State::NotExecuted);
        runs && !runnable.contains(&row.name())
    });
    let mut trials = Vec::new();
    for report in counts {
        let row = row(&report).ok_or("`count` has no row of a path that `list` has")?;
        let why_not = match row.state {
            State::Unavailable | State::NotExecuted => row.reason.as_deref(),
            _ if !runnable.contains(&row.name()) => Some("valgrind cannot run it"),
            _ if hidden && row.isa == "auto" => {
                Some("valgrind hides CPU features, so that it chooses other code")
            }
            _ => None,
        };
        let path = row.name();
        let trial = Trial::test(path.clone(), move || agree(&path, &report));
        trials.push(match why_not {
            Some(why) => trial.with_ignored_flag(true).with_kind(why),
            None => trial,
        });
    }
    Ok(trials)
}

/// The records of `count` of one path.
fn count(path: &str) -> Result<Report, String> {
    let sizes = LENGTHS.map(|length| length.to_string()).join(",");
    let output = Command::new(PROGRAM)
        .args([
            "count", path, "--format", "json", "--quiet", "--sizes", &sizes,
        ])
        .output()
        .map_err(|e| format!("the program cannot be started: {e}"))?;
    pathproof_reports::read_from(output.stdout.as_slice(), "q64-paths count")
        .map_err(|e| format!("{e}; {}", String::from_utf8_lossy(&output.stderr)))
}

fn agree(path: &str, counts: &Report) -> Result<(), Failed> {
    let empty = callgrind(path, LENGTHS[0], &["--empty"])?;
    for length in LENGTHS {
        let mut receipts = counts.receipts();
        let stepped = receipts
            .find(|receipt| receipt.name() == path && receipt.length == length)
            .ok_or_else(|| format!("`count` has none of {path} at {length} bytes"))?;
        let (stepped, seen) = (
            stepped.own + stepped.elsewhere,
            callgrind(path, length, &[])? - empty,
        );
        if stepped != seen {
            return Err(format!(
                "at {length} bytes {stepped} instructions were stepped, and callgrind sees {seen}"
            )
            .into());
        }
    }
    Ok(())
}

/// Instructions that callgrind sees of one call.
fn callgrind(path: &str, length: u64, also: &[&str]) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(WINDOW)
        .args([PROGRAM, "call", path, &length.to_string(), "--quiet"])
        .args(also)
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    collected
        .filter(|_| output.status.success())
        .and_then(|(_, number)| number.trim().parse().ok())
        .ok_or_else(|| format!("callgrind counts nothing: {}; {said}", output.status))
}
