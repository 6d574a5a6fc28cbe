//! The fault zoo: the proof that the harness can fail a path.
//!
//! This program is both a client of the harness, whose paths are wrong on purpose (`zoo`), and the tests that run it with a
//! command line and look at what it says (`findings`, `comparing`, `fuzzing`, `gating`, `receipts`, `counts`, `shares`, `conditions`). Each
//! fault is a test:
//! `cargo test --test faults wrong-tail`.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
mod comparing;
mod conditions;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod counts;
mod findings;
#[cfg(unix)]
mod fuzzing;
mod gating;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod mutants;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod receipts;
mod run;
mod shares;
mod times;
mod zoo;

use std::io::Read as _;
use std::process::ExitCode;

/// Names another `main` than the command line or the tests.
const MAIN: &str = "ZOO_MAIN";

/// What makes this program the client that it would be without the tests: the verbs, and the hidden one for its workers.
const VERBS: [&str; 19] = [
    "worker",
    "side",
    "compare",
    "calibrate",
    "run",
    "list",
    "doctor",
    "verify",
    "receipt",
    "mutate",
    "count",
    "call",
    "replay",
    "vectors",
    "report",
    "time",
    "fuzz",
    "gate",
    "seeds",
];

fn main() -> ExitCode {
    let first = std::env::args().nth(1).unwrap_or_default();
    match std::env::var(MAIN).as_deref() {
        Ok("tests") => pathproof::tests(zoo::zoo()),
        Ok("fuzz") => fuzz(&first),
        #[cfg(unix)]
        Ok("drawn") => fuzzing::drawn(&first),
        #[cfg(unix)]
        Ok("target") => fuzzing::target(&first),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        Ok("mutants") => pathproof::main(zoo::mutants::operations()),
        #[cfg(target_os = "linux")]
        Ok("moods") => pathproof::main(zoo::moods::operations()),
        Ok("shares") => pathproof::main(zoo::shares::operations()),
        Ok("shares as tests") => pathproof::tests(zoo::shares::operations()),
        // What a plain #[test] does when it is called as a worker.
        Ok("no host") if first == "worker" => {
            println!("running 0 tests");
            ExitCode::SUCCESS
        }
        _ if VERBS.contains(&first.as_str()) => pathproof::main(zoo::zoo()),
        _ => test(),
    }
}

fn test() -> ExitCode {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder to write in");
    run::SCRATCH.set(folder.path().into()).expect("set once");
    let mut trials = Vec::new();
    // What takes longest comes first, so that no core waits for it at the end.
    #[cfg(target_os = "linux")]
    trials.extend(comparing::trials());
    trials.extend(findings::trials());
    trials.extend(conditions::trials());
    trials.extend(conditions::of_machines());
    #[cfg(unix)]
    trials.extend(fuzzing::trials());
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        trials.extend(counts::trials());
        trials.extend(mutants::trials());
        trials.extend(receipts::trials());
    }
    trials.extend(gating::trials());
    trials.extend(shares::trials());
    trials.extend(times::trials());
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials).exit_code()
}

/// The body of a fuzz target, on what stdin has.
fn fuzz(operation: &str) -> ExitCode {
    let mut data = Vec::new();
    std::io::stdin().read_to_end(&mut data).expect("stdin");
    let zoo = zoo::zoo();
    let operation = zoo.iter().find(|of| of.name() == operation);
    pathproof::fuzz(operation.expect("an operation of the zoo"), &data);
    ExitCode::SUCCESS
}
