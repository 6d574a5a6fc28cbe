//! Fuzz targets: the body on drawn inputs, and the verb that runs a target. The engine is played by this very program (`target`), so
//! that no test needs cargo-fuzz.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use pathproof_reports::{Report, State};

use crate::conditions::is_refused;
use crate::run::{Ran, command, program, scratch, shell, utf8, zoo};
use crate::{MAIN, zoo};

pub(crate) fn trials() -> Vec<Trial> {
    let of = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let mut trials = vec![
        of("a_target_has_a_ledger", a_target_has_a_ledger),
        of(
            "a_finding_of_a_target_is_repeated_by_its_command",
            a_finding_is_repeated,
        ),
        of(
            "a_death_of_a_target_names_path_and_case",
            a_death_names_path_and_case,
        ),
        of("targets_that_are_none_are_exit_2", targets_that_are_none),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        of("receipts_of_a_token", receipts_of_a_token),
        of(
            "a_fault_of_state_is_repeated_by_the_target",
            a_fault_of_state_is_repeated_by_the_target,
        ),
        of("seeds_are_written_for_each_operation", seeds_are_written),
    ];
    trials.extend(
        FOUND
            .iter()
            .map(|path| Trial::test(format!("fuzzed/{path}"), move || found(path, true))),
    );
    trials.extend(NOT_FOUND.iter().map(|(path, why)| {
        Trial::test(format!("not_fuzzed/{path}: {why}"), move || {
            found(path, false)
        })
    }));
    trials
}

/// Faults that the body meets within some ten thousand drawn inputs, without an engine that is guided by coverage.
const FOUND: &[&str] = &[
    "answers/wrong-tail/fills",
    "answers/wrong-table/fills",
    "answers/wrong-lane/fills",
    "answers/too-short/fills",
    "answers/too-long/fills",
    "answers/ors-into-output/fills",
    "answers/skips-a-byte/fills",
    "answers/trims/returns",
    "answers/saturates/fills",
    "long/wrong-when-long/fills",
    "long/wrong-when-longer/fills",
    "memory/reads-before/fills",
    "memory/reads-after/fills",
    "memory/writes-before/fills",
    "memory/writes-after/fills",
    "memory/writes-after-in-page/fills",
    "memory/writes-input/fills",
    "memory/depends-on-alignment/fills",
    "memory/depends-on-neighbour/fills",
    "memory/depends-on-a-digit/fills",
    "deaths/panics/fills",
    "deaths/aborts/fills",
    "deaths/exits/fills",
    "deaths/overflows/fills",
    "state/counts-to-7/fills",
    "state/counts-to-1009/fills",
    "state/remembers/fills",
    "refusals/wrong-position/fills",
    "refusals/wrong-kind/fills",
    "refusals/wrong-detail/fills",
    "refusals/accepts-high/fills",
    "refusals/accepts-colon/fills",
    "refusals/refuses-valid/fills",
    "refusals/backwards/in_place",
    "room/says-another-size/fills",
    "room/panics-when-short/fills",
    "room/cuts/fills",
    "room/starts-before-it-looks/fills",
    "room/ends-with-a-zero/fills",
    "threads/wrong-half/fills",
    "threads/reads-after/fills",
    "threads/both-read-after/fills",
    "threads/panics-in-pool/fills",
    "bounded/wrong-at-the-end/fills",
    "broken_law/scalar/fills",
    "broken_law/scalar/returns",
    "chunked/wrong-where-cuts-descend/returns",
    "rotate/wrong-for-5/returns",
    "find/trusts-two-bytes/returns",
    "find/reads-after-needle/returns",
];

/// Faults that it does not, and why.
const NOT_FOUND: &[(&str, &str)] = &[
    ("pairs/wrong-pair/fills", "one pair at one length"),
    ("refusals/overlooks/fills", "eight places at one length"),
    (
        "rows/wrong-for-your-row/fills",
        "nobody draws a row of 16 bytes",
    ),
];

/// Drawn inputs for a path; each costs tens of microseconds.
const INPUTS: u64 = 40_000;
/// What the child says when it has come to its end.
const SURVIVED: &str = "survived";

fn found(path: &str, due: bool) -> Result<(), Failed> {
    let (operation, only) = path.split_once('/').expect("a path has an operation");
    let tally = scratch(&format!("account of {}", path.replace('/', " ")));
    fs::create_dir_all(&tally).expect("a folder");
    let output = command(program())
        .arg(operation)
        .env(MAIN, "drawn")
        .env("PATHPROOF_ONLY", only)
        .env("PATHPROOF_LONGEST", "70000")
        .env("PATHPROOF_TALLY", &tally)
        .output()
        .expect("the child starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let survived = String::from_utf8_lossy(&output.stdout).contains(SURVIVED);
    // The body names a path, or its account says which one was at work.
    let account = fs::read(tally.join(operation)).expect("an account");
    let named = said.contains(path) || at_work(&account);
    match (survived, due) {
        (true, true) => Err(format!("{path} agreed on {INPUTS} drawn inputs\n{said}").into()),
        (false, false) => Err(format!("{path} was found: it belongs to FOUND\n{said}").into()),
        (false, true) if !named => Err(format!("{path} is not named:\n{said}").into()),
        _ => Ok(()),
    }
}

/// Whether a path was at work when the process ended: the second word behind the first line.
fn at_work(account: &[u8]) -> bool {
    let line = account
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line");
    account[line + 1 + 8..][..8] != [0; 8]
}

/// The child: the body on drawn inputs, until it is stopped.
pub(crate) fn drawn(operation: &str) -> ExitCode {
    let zoo = zoo::zoo();
    let operation = zoo.iter().find(|of| of.name() == operation);
    let operation = operation.expect("an operation of the zoo");
    let mut state = 1_u64;
    let mut draw = || {
        // xorshift64: any bytes will do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..INPUTS {
        // A few bytes, which may be repeated, as often as many.
        let len = [draw() % 4, draw() % 120][(draw() % 2) as usize];
        let mut data: Vec<u8> = (0..10 + len).map(|_| draw() as u8).collect();
        if draw() % 4 == 0 {
            data[6..].fill(0xff);
        }
        let (size, seed) = (data.len(), draw() as u32);
        let size = pathproof::redraw(operation, &mut data, size, seed);
        pathproof::fuzz(operation, &data[..size]);
    }
    println!("{SURVIVED}");
    ExitCode::SUCCESS
}

/// Plays a libFuzzer target: says what one says, of the files of the corpus and of drawn inputs.
pub(crate) fn target(operation: &str) -> ExitCode {
    let zoo = zoo::zoo();
    let operation = zoo.iter().find(|of| of.name() == operation);
    let operation = operation.expect("an operation of the zoo");
    let args: Vec<String> = std::env::args().skip(2).collect();
    let prefix = args
        .iter()
        .find_map(|arg| arg.strip_prefix("-artifact_prefix="));
    let prefix = prefix.expect("where artifacts go");
    let folders = args.iter().filter(|arg| !arg.starts_with('-'));
    let files = folders.flat_map(|folder| fs::read_dir(folder).expect("a corpus"));
    let given = files.map(|file| fs::read(file.expect("a file").path()).expect("an input"));
    let all: Vec<Vec<u8>> = given
        .chain((0..50).map(|n| vec![n * 5; n as usize]))
        .collect();
    eprintln!("INFO: Seed: 1");
    let artifact = format!("{prefix}crash-1");
    for (number, data) in all.iter().enumerate() {
        // A process that is stopped by a guard page writes nothing any more; the real engine has a handler for that.
        fs::write(&artifact, data).expect("an artifact");
        eprintln!(
            "#{number}\tNEW    cov: {} ft: 9 corp: {}/9b exec/s: 0",
            40 + number,
            1 + number
        );
        let _ = std::io::stderr().flush();
        pathproof::fuzz(operation, data);
    }
    fs::remove_file(&artifact).expect("the artifact");
    eprintln!("stat::number_of_executed_units: {}", all.len());
    ExitCode::SUCCESS
}

/// A script of an operation's name that is a target: this program, and behind it what the engine's handler says of a death.
fn script(operation: &str) -> PathBuf {
    let path = scratch(&format!("targets/{operation}"));
    // The scratch folder's names begin with "zoo "; a target's is its operation's alone.
    let path = path.parent().expect("a folder").join(operation);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let program = program();
    let text = format!(
        "#!/bin/sh\n{MAIN}=target '{}' {operation} \"$@\"\ncode=$?\n[ $code -eq 0 ] && exit 0\nfor arg; do case $arg in -artifact_prefix=*) prefix=${{arg#*=}};; esac; done\necho 'SUMMARY: libFuzzer: deadly signal' >&2\necho \"artifact_prefix='$prefix'; Test unit written to ${{prefix}}crash-1\" >&2\nexit 77\n",
        program.display()
    );
    fs::write(&path, text).expect("a script");
    let mut rights = fs::metadata(&path).expect("a script").permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
    #[cfg(not(unix))]
    rights.set_readonly(false);
    fs::set_permissions(&path, rights).expect("a script");
    path
}

fn fuzzed(operation: &str, args: &[&str]) -> Ran {
    let artifacts = scratch(&format!("artifacts of {operation}"));
    let target = script(operation);
    let fixed = ["fuzz", utf8(&target), "--artifacts", utf8(&artifacts)];
    let quiet = ["--quiet", "--seed", "1", "--format", "json"];
    zoo(&[&fixed[..], args, &quiet].concat())
}

fn state(report: &Report, name: &str) -> (State, u64) {
    let row = report.paths().find(|row| row.name() == name);
    let row = row.unwrap_or_else(|| panic!("no row of {name}"));
    (row.state, row.cases)
}

fn figure(report: &Report, quantity: &str) -> Option<f64> {
    let mut figures = report.figures();
    figures.find(|figure| figure.quantity == quantity)?.value
}

fn a_target_has_a_ledger() {
    let corpus = scratch("corpus");
    fs::create_dir_all(&corpus).expect("a folder");
    fs::write(corpus.join("one"), b"\0\0\0\0\0\0abc").expect("an input");
    let ran = fuzzed("healthy", &[utf8(&corpus)]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    assert_eq!(
        state(&report, "healthy/scalar/fills"),
        (State::Verified, 51)
    );
    assert_eq!(
        state(&report, "healthy/scalar/returns"),
        (State::Verified, 51)
    );
    assert_eq!(
        state(&report, "healthy/neon/fills"),
        (State::Unavailable, 0)
    );
    assert_eq!(figure(&report, "inputs"), Some(51.0));
    assert_eq!(figure(&report, "edges"), Some(90.0));
    assert_eq!(figure(&report, "corpus"), Some(51.0));
    // What is required and cannot run, and what is not called at all, is no pass.
    let ran = fuzzed("healthy", &["--require", "neon"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let ran = fuzzed("healthy", &["--only", "scalar/fills"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    assert_eq!(report.paths().count(), 1, "{ran:#?}");
    is_refused(
        &fuzzed("healthy", &["--require", "nein"]),
        2,
        &["nearest are neon"],
    );
    is_refused(
        &fuzzed("healthy", &["--only", "scalar"]),
        2,
        &["scalar/fills"],
    );
    // Where all that was asked for is unavailable, or what is required was not asked for, nothing is shown.
    let ran = fuzzed("healthy", &["--only", "neon/fills"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let ran = fuzzed(
        "healthy",
        &["--only", "scalar/fills", "--require", "avx512"],
    );
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
}

fn a_finding_is_repeated() {
    let ran = fuzzed("answers", &[]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let finding = report.findings().next().expect("a finding");
    assert_eq!(finding.verdict, "differs", "{ran:#?}");
    assert_eq!(state(&report, &finding.name()).0, State::Failed);
    let again = shell(&finding.command);
    assert_eq!(again.exit, Some(1), "{again:#?}");
    let again = again.records();
    assert_eq!(
        again.findings().next().map(|f| f.name()),
        Some(finding.name())
    );
    // The input that was left behind says the same.
    let artifact = scratch("artifacts of answers").join("crash-1");
    let name = finding.name();
    let ran = zoo(&[
        "replay",
        "--input",
        "answers",
        utf8(&artifact),
        &name,
        "--quiet",
    ]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let healthy = "answers/scalar/fills";
    let ran = zoo(&[
        "replay",
        "--input",
        "answers",
        utf8(&artifact),
        healthy,
        "--quiet",
    ]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let ran = zoo(&["replay", "--input", "answer", utf8(&artifact)]);
    is_refused(&ran, 2, &["no such operation", "answers"]);
    let ran = zoo(&["replay", "--input", "answers", "/nowhere/at/all"]);
    is_refused(&ran, 2, &["cannot read /nowhere/at/all"]);
}

fn a_death_names_path_and_case() {
    let ran = fuzzed("memory", &["--only", "reads-after/fills,scalar/fills"]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let finding = report.findings().next().expect("a finding");
    assert_eq!(finding.name(), "memory/reads-after/fills");
    assert_eq!(finding.verdict, "crashed");
    assert!(finding.token.starts_with("memory:b64."), "{finding:#?}");
    let again = shell(&finding.command);
    assert_eq!(again.exit, Some(1), "{again:#?}");
    let again = again.records();
    let verdict = again.findings().next().map(|f| f.verdict.clone());
    assert_eq!(verdict.as_deref(), Some("read outside"));
}

fn targets_that_are_none() {
    let run = |path: &Path, more: &[&str]| {
        let artifacts = scratch("artifacts of none");
        let fixed = [
            "fuzz",
            utf8(path),
            "--artifacts",
            utf8(&artifacts),
            "--quiet",
        ];
        zoo(&[&fixed[..], more].concat())
    };
    is_refused(
        &run(Path::new("/nowhere/healthy"), &[]),
        2,
        &["no such file"],
    );
    is_refused(
        &run(&program(), &[]),
        2,
        &["named after no operation", "--parser"],
    );
    is_refused(
        &run(&script("healthy"), &["--parser"]),
        2,
        &["named after an operation"],
    );
    // One that runs and counts nothing has fuzzed nothing.
    let idle = script("chatty");
    fs::write(&idle, "#!/bin/sh\necho bored >&2\nexit 0\n").expect("a script");
    is_refused(&run(&idle, &[]), 2, &["has counted nothing", "bored"]);
    let broken = script("slow");
    fs::write(&broken, "#!/bin/sh\necho out of luck >&2\nexit 3\n").expect("a script");
    is_refused(&run(&broken, &[]), 2, &["out of luck"]);
    // The account of other paths is that of another build.
    let stale = script("peers");
    let text = r#"#!/bin/sh
printf '{"operation":"peers","paths":[]}       \n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$PATHPROOF_TALLY/peers"
"#;
    fs::write(&stale, text).expect("a script");
    is_refused(&run(&stale, &[]), 2, &["has other paths"]);
    is_refused(
        &run(&stale, &["--", "-fork=2"]),
        2,
        &["-fork=2", "one process"],
    );
    // A finding is one, whatever the exit code is; a parser's target that is not instrumented has shown nothing.
    let parser = script("a parser");
    let exit_of = |text: &str| {
        fs::write(&parser, format!("#!/bin/sh\n{text}\n")).expect("a script");
        run(&parser, &["--parser", "--seconds", "1"]).exit
    };
    assert_eq!(exit_of("echo '#9 DONE' >&2"), Some(4));
    assert_eq!(exit_of("echo '#9 DONE cov: 3' >&2"), Some(0));
    assert_eq!(exit_of("echo 'SUMMARY: libFuzzer: x' >&2"), Some(1));
    // One that talks without end, on one line, and then no more.
    let endless = "head -c 9000000 /dev/zero >&2; exec 2>&-; exec sleep 2";
    assert_eq!(exit_of(endless), Some(4));
}

/// Code that keeps state does not fail on the case alone: the command runs the target again.
fn a_fault_of_state_is_repeated_by_the_target() {
    let ran = fuzzed("state", &["--only", "counts-to-7/fills"]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let finding = report.findings().next().expect("a finding");
    assert!(
        finding.detail.contains("the case alone agrees"),
        "{finding:#?}"
    );
    // All of the run, from its seed on, again.
    assert!(
        finding.command.contains("targets/state") && finding.command.contains("-seed=1"),
        "{finding:#?}"
    );
}

fn seeds_are_written() {
    let known = scratch("known for seeds.json");
    let text = r#"{"cases": [{"op": "healthy", "input_hex": "00112233445566", "output": "x"}]}"#;
    fs::write(&known, text).expect("a file");
    let folder = scratch("seeds");
    let ran = zoo(&["seeds", utf8(&folder), "--known", utf8(&known)]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let inputs = |operation: &str| -> Vec<Vec<u8>> {
        let files = fs::read_dir(folder.join(operation)).expect("a folder");
        files
            .map(|file| fs::read(file.expect("a file").path()).expect("a seed"))
            .collect()
    };
    let given = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
    assert!(inputs("healthy").iter().any(|seed| seed.ends_with(&given)));
    assert!(!inputs("answers").iter().any(|seed| seed.ends_with(&given)));
    // Rows of real data.
    let row = zoo::ROWS[0].as_slice();
    assert!(inputs("rows").iter().any(|seed| seed.ends_with(row)));
    let rows = folder.join("rows");
    let ran = fuzzed("rows", &[utf8(&rows), "--only", "wrong-for-a-row/fills"]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    is_refused(
        &zoo(&["seeds", "/proc/nowhere"]),
        2,
        &["cannot make the folder"],
    );
}

/// `receipt` and `count` of a token are of that very case.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn receipts_of_a_token() {
    let token = crate::conditions::token("answers:b64.QUFBQUFBQUFB:in=end:out=end");
    for verb in ["receipt", "count"] {
        let ran = zoo(&[verb, &token, "--format", "json", "--quiet"]);
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
        let report = ran.records();
        // Nine bytes: the tail is wrong, and the healthy siblings have receipts.
        assert_eq!(state(&report, "answers/wrong-tail/fills").0, State::Failed);
        assert_eq!(state(&report, "answers/scalar/fills").0, State::Verified);
        let receipts = report.receipts().filter(|receipt| receipt.isa == "scalar");
        let own: Vec<(u64, u64)> = receipts.map(|of| (of.length, of.own)).collect();
        assert!(
            own.len() == 2 && own.iter().all(|(length, own)| *length == 9 && *own > 9),
            "{own:?}"
        );
    }
    let healthy = crate::conditions::token("healthy:b64.QUFBQUFBQUFB:in=end:out=end");
    assert_eq!(zoo(&["receipt", &healthy, "--quiet"]).exit, Some(0));
    is_refused(
        &zoo(&["count", &token, "--sizes", "64"]),
        2,
        &["neither --base nor --sizes"],
    );
    is_refused(
        &zoo(&["receipt", "answers:b64.QUFB:in=end"]),
        2,
        &["checksum"],
    );
}
