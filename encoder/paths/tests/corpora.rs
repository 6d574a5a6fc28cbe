//! The fuzz targets' corpora, replayed: every input that a fuzzer has kept, on every path that this CPU can run, in guarded memory.
//!
//! Each operation's corpus is a test, and runs in a process of its own: a fault aborts it, or a guard page does.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use pathproof::{CodePath, Operation};

/// Names the operation of which a child replays the corpus, in the folder that is its first argument.
const CHILD: &str = "Q64_CORPUS_OF";
/// What all corpora together may have: they are in the repository.
const MOST: u64 = 2 << 20;

fn main() -> ExitCode {
    if let Ok(operation) = std::env::var(CHILD) {
        return replay(
            &operation,
            std::env::args_os().nth(1).unwrap_or_default().as_ref(),
        );
    }
    let mut trials: Vec<Trial> = q64_paths::operations()
        .iter()
        .map(|operation| {
            let name = operation.name().to_string();
            Trial::test(name.clone(), move || {
                let folder = corpora().join(&name);
                held(&child(&name, &folder), inputs(&folder).len())
            })
        })
        .collect();
    trials.push(Trial::test("a_wrong_path_is_noticed", || {
        let ended = child(WRONG, &corpora().join("q64_encode"));
        match held(&ended, 0) {
            Ok(()) => {
                Err("the corpus of q64_encode was replayed on a wrong path, and it passed".into())
            }
            Err(why)
                if why
                    .message()
                    .is_some_and(|why| why.contains("token: wrong:")) =>
            {
                Ok(())
            }
            Err(why) => Err(why),
        }
    }));
    trials.push(Trial::test("corpora_are_small", small));
    trials.push(Trial::test(
        "every_operation_has_a_target",
        every_operation_has_a_target,
    ));
    trials.push(Trial::test("parsers", parsers));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// An operation that takes the inputs of `q64_encode`, and whose path loses the last byte of long ones.
const WRONG: &str = "wrong";

fn wrong() -> Operation {
    Operation::new(WRONG, |i| Ok(i.bytes().to_vec())).path(CodePath::returns("scalar", |i| {
        Ok(i.bytes()[..i.bytes().len().min(130)].to_vec())
    }))
}

/// The files of a corpus, in the order of their names.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

fn child(operation: &str, folder: &Path) -> Output {
    Command::new(std::env::current_exe().expect("this program knows where it lies"))
        .arg(folder)
        .env(CHILD, operation)
        .env_remove("PATHPROOF_TALLY")
        .output()
        .expect("the child starts")
}

fn held(ended: &Output, inputs: usize) -> Result<(), Failed> {
    let said = String::from_utf8_lossy(&ended.stderr);
    let replayed = String::from_utf8_lossy(&ended.stdout);
    if !ended.status.success() {
        let file = replayed.lines().last().unwrap_or("no file");
        return Err(format!("{file}: {}\n{said}", ended.status).into());
    }
    if inputs == 0 || replayed.lines().count() != inputs {
        return Err(format!(
            "{} of {inputs} inputs were replayed",
            replayed.lines().count()
        )
        .into());
    }
    Ok(())
}

/// The child: says which file is next, and runs it.
fn replay(operation: &str, folder: &Path) -> ExitCode {
    let operations = q64_paths::operations().into_iter().chain([wrong()]);
    let found = operations.into_iter().find(|of| of.name() == operation);
    let operation = found.expect("an operation of the encoder");
    for file in inputs(folder) {
        println!("{}", file.display());
        pathproof::fuzz(&operation, &fs::read(&file).expect("the file can be read"));
    }
    ExitCode::SUCCESS
}

fn small() -> Result<(), Failed> {
    let folders = inputs(&corpora());
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| inputs(folder)).collect();
    let size: u64 = files
        .iter()
        .map(|file| fs::metadata(file).map_or(0, |about| about.len()))
        .sum();
    if size > MOST {
        return Err(format!(
            "the corpora have {size} bytes, and at most {MOST} are kept: ci/fuzz --minimise"
        )
        .into());
    }
    Ok(())
}

/// Cargo lists the targets, and the encoder its operations.
fn every_operation_has_a_target() -> Result<(), Failed> {
    let fuzz = corpora().join("..");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml"))?;
    for operation in q64_paths::operations() {
        let name = operation.name();
        let target = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs")));
        let calls = target.is_ok_and(|text| text.contains(&format!("target!(\"{name}\")")));
        if !calls || !manifest.contains(&format!("name = \"{name}\"\n")) {
            return Err(
                format!("fuzz/fuzz_targets/{name}.rs, and its [[bin]], are missing").into(),
            );
        }
    }
    Ok(())
}

/// The corpora of the harness' own readers: none of them panics.
fn parsers() -> Result<(), Failed> {
    for (parser, reads) in PARSERS {
        let mut read = 0;
        for file in inputs(&corpora().join(parser)) {
            read += usize::from(reads(&fs::read(&file)?));
        }
        // Or the corpus has gone stale.
        if read == 0 {
            return Err(format!("no input of fuzz/corpus/{parser} is one that it takes").into());
        }
    }
    Ok(())
}

type Parser = (&'static str, fn(&[u8]) -> bool);

const PARSERS: [Parser; 3] = [
    ("known_answers", |data| {
        pathproof::known_answers(&String::from_utf8_lossy(data)).is_ok()
    }),
    ("records", |data| {
        pathproof_reports::read_from(std::io::Cursor::new(data), "corpus").is_ok()
    }),
    ("tokens", |data| {
        pathproof::Case::parse(&String::from_utf8_lossy(data)).is_ok()
    }),
];
