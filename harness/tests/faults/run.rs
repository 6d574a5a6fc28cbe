//! Runs the zoo as a user would, in a process of its own, and reads what that leaves behind.

use std::ffi::OsStr;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use pathproof_reports::{Finding, PathRow, Report};

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; none if a signal ended it.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        // A program that reads nothing may be gone by now.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        Self::of(child.wait_with_output().expect("the command ends"))
    }

    pub(crate) fn of(output: Output) -> Self {
        let ran = Self {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        };
        assert!(
            !ran.stderr.contains("panicked at"),
            "the program panicked: {}",
            ran.stderr
        );
        ran
    }

    /// Stdout, read as records.
    pub(crate) fn records(&self) -> Report {
        pathproof_reports::read_from(Cursor::new(&self.stdout), "stdout")
            .unwrap_or_else(|e| panic!("{e}\n{self:#?}"))
    }
}

/// A command that runs in the package's folder and does not know what the caller's environment says to the harness.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PATHPROOF_") {
            command.env_remove(name);
        }
    }
    command
}

/// The zoo with a command line.
pub(crate) fn zoo(args: &[&str]) -> Ran {
    Ran::new(command(program()).args(args), b"")
}

/// The zoo with another `main` than the command line.
pub(crate) fn zoo_as(main: &str, args: &[&str], input: &[u8]) -> Ran {
    Ran::new(command(program()).args(args).env(crate::MAIN, main), input)
}

/// The zoo with a command line, its workers behind an emulator.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn zoo_behind(runner: &str, args: &[&str]) -> Ran {
    let mut command = command(program());
    Ran::new(command.args(args).env("PATHPROOF_RUNNER", runner), b"")
}

/// A line that the zoo printed, given to a shell as it is. It answers with records.
pub(crate) fn shell(line: &str) -> Ran {
    Ran::new(
        command("sh")
            .args(["-c", line])
            .env("PATHPROOF_FORMAT", "json"),
        b"",
    )
}

pub(crate) fn program() -> PathBuf {
    std::env::current_exe().expect("this program knows where it lies")
}

/// Where the tests write; `main` makes and removes it.
pub(crate) static SCRATCH: OnceLock<PathBuf> = OnceLock::new();

/// A file or folder in the scratch folder. Its name has a space, as folders of users have.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = SCRATCH.get().expect("main makes the folder");
    folder.join(format!("zoo {name}"))
}

/// A family of faults: one run of the main job, for all tests that look at it.
pub(crate) struct Family {
    /// What the run is asked for.
    pub(crate) filter: &'static str,
    args: &'static [&'static str],
    run: OnceLock<(Ran, Report)>,
}

/// A seventh of the cases, so that a debug build has them done in seconds: 7 has no factor in common with the periods of
/// lengths, alignments and kinds of damage, so every one of those occurs. What a seventh finds, the whole finds.
const A_SEVENTH: &[&str] = &["--shard", "1/7"];

impl Family {
    pub(crate) const fn new(filter: &'static str) -> Self {
        Self::with(filter, A_SEVENTH)
    }

    pub(crate) const fn with(filter: &'static str, args: &'static [&'static str]) -> Self {
        Self {
            filter,
            args,
            run: OnceLock::new(),
        }
    }

    fn run(&self) -> &(Ran, Report) {
        self.run.get_or_init(|| {
            let out = scratch(&self.filter.replace('*', "any"));
            let fixed = ["--seed", "1", "--cases", "100", "--quiet", "--out"];
            let args = [&["run", self.filter], self.args, &fixed, &[utf8(&out)]].concat();
            let ran = zoo(&args);
            let report = pathproof_reports::read(&out.join("records.jsonl"));
            let report = report.unwrap_or_else(|e| panic!("{e}\n{ran:#?}"));
            (ran, report)
        })
    }

    /// The process, with the ledger for people on its stdout.
    pub(crate) fn ran(&self) -> &Ran {
        &self.run().0
    }

    /// The records that it wrote.
    pub(crate) fn report(&self) -> &Report {
        &self.run().1
    }

    pub(crate) fn row(&self, path: &str) -> &PathRow {
        let row = self.report().paths().find(|row| row.name() == path);
        row.unwrap_or_else(|| panic!("no row of {path} in {:#?}", self.ran()))
    }

    pub(crate) fn findings(&self, path: &str) -> Vec<&Finding> {
        let findings = self.report().findings();
        findings.filter(|finding| finding.name() == path).collect()
    }
}

pub(crate) fn utf8(path: &Path) -> &str {
    path.to_str().expect("the scratch folder's name is text")
}
