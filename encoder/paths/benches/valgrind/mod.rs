//! What callgrind is to count, and which paths valgrind can run: for the bench and for the test that holds both counters together.

use std::process::{Command, Stdio};

use pathproof_reports::{Report, State};

/// The workspace's program, built as this test or bench is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_q64-paths");

/// Arguments of callgrind: the window in which a path is called, without what the harness does within it, and without the
/// instructions of the empty path of `--empty`. `q64-paths call --help` says the same.
pub(crate) const WINDOW: [&str; 4] = [
    "--collect-atstart=no",
    "--toggle-collect=pathproof_window",
    "--toggle-collect=pathproof_pause",
    "--toggle-collect=pathproof::receipt::empty*",
];

/// What `q64-paths list` says of the paths that a glob means, with the CPU that valgrind shows to a program: without AVX-512.
///
/// # Errors
/// There is no valgrind, or the program does not run there.
pub(crate) fn listed(filter: &str) -> Result<Report, String> {
    let output = Command::new("valgrind")
        .args(["-q", PROGRAM, "list", filter, "--format", "json"])
        // For its worker, which knows what can run.
        .env("PATHPROOF_RUNNER", "valgrind -q")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("valgrind cannot be started ({e}): apt-get install valgrind"))?;
    pathproof_reports::read_from(output.stdout.as_slice(), "q64-paths list behind valgrind")
        .map_err(|e| e.to_string())
}

/// The names of the paths in a list that can run, peers left out.
pub(crate) fn runnable(list: &Report) -> Vec<String> {
    let runs = list
        .paths()
        .filter(|row| row.state != State::Unavailable && !row.peer);
    runs.map(pathproof_reports::PathRow::name).collect()
}
