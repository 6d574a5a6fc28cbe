//! The fuzz targets' corpora, replayed: every input that a fuzzer has kept, on every path that this CPU can run, in guarded memory.
//!
//! Each operation's inputs are a test, and run in a process of their own: a fault aborts it, or a guard page does.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use pathproof::{CodePath, Operation};

/// Names the operation of which a child replays the inputs.
const CHILD: &str = "Q64_CORPUS_OF";
/// What all corpora together may have: they are in the repository.
const MOST: u64 = 2 << 20;

fn main() -> ExitCode {
    if let Ok(operation) = std::env::var(CHILD) {
        return replay(&operation);
    }
    let operations = q64_paths::operations();
    let mut trials: Vec<Trial> = operations
        .iter()
        .map(|operation| {
            let name = operation.name().to_string();
            Trial::test(name.clone(), move || {
                held(&child(&name), inputs(&name).len())
            })
        })
        .collect();
    trials.push(Trial::test(
        "a_wrong_path_is_noticed",
        a_wrong_path_is_noticed,
    ));
    trials.push(Trial::test("a_path_that_is_not_called_is_noticed", || {
        let said = "scalar/fills: NOT EXECUTED";
        match accounted("  auto/fills: 3 inputs\n  scalar/fills: NOT EXECUTED\n", 3) {
            Err(why) if why.contains(said) => Ok(()),
            other => Err(format!("{other:?}").into()),
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

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// An operation that takes the inputs of `q64_encode`, and whose path loses the end of long ones.
const WRONG: &str = "wrong";

fn wrong() -> Operation {
    Operation::new(WRONG, |i| Ok(i.bytes().to_vec())).path(CodePath::returns("scalar", |i| {
        Ok(i.bytes()[..i.bytes().len().min(130)].to_vec())
    }))
}

fn a_wrong_path_is_noticed() -> Result<(), Failed> {
    let why = held(&child(WRONG), inputs(WRONG).len()).err();
    let why = why.ok_or("the corpus of q64_encode was replayed on a wrong path, and it passed")?;
    let named = why
        .message()
        .is_some_and(|why| why.contains("token: wrong:"));
    if named { Ok(()) } else { Err(why) }
}

/// The files of a folder, in the order of their names; none where there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

/// The inputs of an operation or a parser: its corpus, and those that were findings once. The latter may reach nothing new, so that
/// no minimiser would keep them.
fn inputs(name: &str) -> Vec<PathBuf> {
    let name = if name == WRONG { "q64_encode" } else { name };
    let folders = ["corpus", "kept"].map(|folder| fuzz().join(folder).join(name));
    folders.iter().flat_map(|folder| files(folder)).collect()
}

fn child(operation: &str) -> Output {
    Command::new(std::env::current_exe().expect("this program knows where it lies"))
        .env(CHILD, operation)
        .env_remove("PATHPROOF_TALLY")
        .env_remove("PATHPROOF_ONLY")
        .env_remove("PATHPROOF_LONGEST")
        .output()
        .expect("the child starts")
}

fn held(ended: &Output, inputs: usize) -> Result<(), Failed> {
    let said = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        let replayed = String::from_utf8_lossy(&ended.stdout);
        let file = replayed.lines().last().unwrap_or("no file");
        return Err(format!("{file}: {}\n{said}", ended.status).into());
    }
    if inputs == 0 {
        return Err("it has no inputs: ci/fuzz --minimise makes some".into());
    }
    Ok(accounted(&said, inputs)?)
}

/// Whether the body's account says that every path that can run took all inputs.
fn accounted(said: &str, inputs: usize) -> Result<(), String> {
    let rows = said.lines().filter(|line| line.starts_with("  "));
    let mut rows = rows
        .filter(|line| !line.contains(": unavailable: "))
        .peekable();
    let due = format!(": {inputs} inputs");
    match rows.peek() {
        None => Err(format!("no path took any of {inputs} inputs\n{said}")),
        Some(_) => match rows.find(|row| !row.ends_with(&due)) {
            Some(row) => Err(format!("not all of {inputs} inputs:{row}")),
            None => Ok(()),
        },
    }
}

/// The child: says which file is next, and runs it.
fn replay(operation: &str) -> ExitCode {
    let operations = q64_paths::operations().into_iter().chain([wrong()]);
    let found = operations.into_iter().find(|of| of.name() == operation);
    let found = found.expect("an operation of the encoder");
    for file in inputs(operation) {
        println!("{}", file.display());
        pathproof::fuzz(&found, &fs::read(&file).expect("the file can be read"));
    }
    ExitCode::SUCCESS
}

fn small() -> Result<(), Failed> {
    let known: Vec<String> = q64_paths::operations()
        .iter()
        .map(|operation| operation.name().to_string())
        .chain(PARSERS.iter().map(|(name, _)| (*name).into()))
        .collect();
    let mut size = 0;
    for folder in ["corpus", "kept"]
        .map(|folder| fuzz().join(folder))
        .iter()
        .flat_map(|of| files(of))
    {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !known.iter().any(|known| *known == name) {
            return Err(format!("{} is of no operation and no parser", folder.display()).into());
        }
        size += files(&folder)
            .iter()
            .map(|file| fs::metadata(file).map_or(0, |of| of.len()))
            .sum::<u64>();
    }
    if size > MOST {
        let why = format!(
            "the corpora have {size} bytes, and at most {MOST} are kept: ci/fuzz --minimise"
        );
        return Err(why.into());
    }
    Ok(())
}

/// Cargo lists the targets, and the encoder its operations.
fn every_operation_has_a_target() -> Result<(), Failed> {
    let fuzz = fuzz();
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
        for file in inputs(parser) {
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

/// What the targets hold of each, and whether it takes the input.
const PARSERS: [Parser; 3] = [
    ("known_answers", |data| {
        std::str::from_utf8(data).is_ok_and(|text| pathproof::known_answers(text).is_ok())
    }),
    ("records", |data| {
        let read = |text: &[u8]| pathproof_reports::read_from(std::io::Cursor::new(text), "corpus");
        let Ok(report) = read(data) else {
            return false;
        };
        let line = |record| serde_json::to_string(record).expect("a record can be written") + "\n";
        let written: String = report.records.iter().map(line).collect();
        let again = read(written.as_bytes()).expect("what was written is read");
        assert_eq!(again.records, report.records);
        true
    }),
    ("tokens", |data| {
        let Ok(text) = std::str::from_utf8(data) else {
            return false;
        };
        // Tokens that name a file would read it.
        if text.contains(":@") {
            return false;
        }
        let sum = crc::Crc::<u16>::new(&crc::CRC_16_IBM_SDLC).checksum(text.as_bytes());
        let mut taken = false;
        for token in [text.to_string(), format!("{text}:{sum:04x}")] {
            let Ok(case) = pathproof::Case::parse(&token) else {
                continue;
            };
            taken = true;
            if let Ok(again) = case.token(Path::new("/dev/null/findings")) {
                assert_eq!(
                    pathproof::Case::parse(&again).as_ref(),
                    Ok(&case),
                    "{token}"
                );
            }
        }
        taken
    }),
];
