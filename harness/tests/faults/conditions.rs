//! What else can be wrong: the command line, files, tokens, references, the program itself. Each has its exit code and one line that
//! says what is wrong; none is a panic.

use std::fs;
#[cfg(target_os = "linux")]
use std::process::Stdio;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
#[cfg(target_os = "linux")]
use pathproof_reports::Report;
use pathproof_reports::State;

use crate::run::{Ran, command, program, scratch, shell, utf8, zoo, zoo_as};
use crate::zoo::ROWS;

/// Makes tests of functions, under their own names.
macro_rules! trials {
    ($($(#[$when:meta])? $test:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<Trial> {
            vec![$($(#[$when])? Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
        }
    };
}

trials![
    a_healthy_operation_passes,
    a_required_path_that_is_absent_is_exit_4,
    what_works_on_threads_is_verified_and_not_stepped,
    no_case_is_longer_than_the_longest,
    a_required_path_that_nobody_knows_is_exit_2,
    a_filter_that_matches_nothing_is_exit_4,
    flags_that_make_no_sense_are_exit_2,
    places_that_cannot_be_written_are_exit_2,
    a_token_with_any_changed_character_is_exit_2,
    tokens_that_do_not_fit_are_exit_2,
    laws_say_nothing_of_what_is_refused,
    own_rows_that_are_none_are_exit_2,
    files_that_are_no_records_are_exit_2,
    files_that_are_no_known_answers_are_exit_2,
    a_reference_that_fails_is_exit_2,
    a_program_that_hosts_no_workers_is_exit_2,
    a_chatty_path_does_no_harm,
    a_closed_pipe_is_no_panic,
    wrong_answers_are_told_from_known_ones,
    commands_are_quoted_for_the_shell,
    the_test_suite_fails_the_path_that_is_wrong,
    the_fuzz_target_aborts_on_the_path_that_is_wrong,
    #[cfg(target_os = "linux")]
    a_killed_run_leaves_its_records_and_no_worker,
    #[cfg(target_os = "linux")]
    a_worker_that_is_killed_blames_no_path,
];

/// Next to nothing of a verification, where the cases do not matter.
const FEW: [&str; 5] = ["--shard", "1/701", "--cases", "1", "--quiet"];

/// Asserts an exit code, and one line of error that says all of this.
#[track_caller]
fn refused(args: &[&str], exit: i32, says: &[&str]) {
    is_refused(&zoo(args), exit, says);
}

#[track_caller]
pub(crate) fn is_refused(ran: &Ran, exit: i32, says: &[&str]) {
    assert_eq!(ran.exit, Some(exit), "{ran:#?}");
    let [line] = ran.stderr.lines().collect::<Vec<_>>()[..] else {
        panic!("not one line on stderr: {ran:#?}")
    };
    assert!(line.starts_with("error: "), "{line}");
    for part in says {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
}

/// A token, with the checksum that it should have.
pub(crate) fn token(text: &str) -> String {
    let sum = crc::Crc::<u16>::new(&crc::CRC_16_IBM_SDLC).checksum(text.as_bytes());
    format!("{text}:{sum:04x}")
}

fn write(name: &str, content: impl AsRef<[u8]>) -> String {
    let path = scratch(name);
    fs::write(&path, content).expect("the scratch folder can be written");
    utf8(&path).into()
}

fn a_healthy_operation_passes() {
    let ran = zoo(&[&["verify", "healthy", "--format", "json"][..], &FEW].concat());
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let states: Vec<_> = report
        .paths()
        .map(|row| (row.isa.as_str(), row.state))
        .collect();
    assert_eq!(
        states,
        [
            ("scalar", State::Verified),
            ("scalar", State::Verified),
            ("avx512", State::Unavailable),
            ("neon", State::Unavailable)
        ]
    );
}

fn a_required_path_that_is_absent_is_exit_4() {
    let ran = zoo(&[&["verify", "healthy", "--require", "neon"][..], &FEW].concat());
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let line = ran
        .stdout
        .lines()
        .find(|line| line.contains("neon is required"));
    let line = line.unwrap_or_else(|| panic!("{ran:#?}"));
    assert!(
        line.contains("unavailable: not built: the zoo keeps none"),
        "{line}"
    );
    // Where the filter leaves no such path, it is not there either.
    let ran = zoo(&[&["verify", "chatty/scalar", "--require", "neon"][..], &FEW].concat());
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("the filter leaves no path of that name"),
        "{ran:#?}"
    );
}

/// Its row says so, whatever is asked of receipts; alone, there is nothing that it could be asked for.
fn what_works_on_threads_is_verified_and_not_stepped() {
    let scalar = "threads/scalar/*";
    let parallel = |ran: &Ran| {
        let report = ran.records();
        let row = report
            .paths()
            .filter(|row| row.delivery == "parallel")
            .last();
        row.cloned().unwrap_or_else(|| panic!("{ran:#?}"))
    };
    let args = ["verify", scalar, "--require-receipts", "--format", "json"];
    let ran = zoo(&[&args[..], &FEW].concat());
    let row = parallel(&ran);
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
    }
    assert_eq!(row.state, State::Verified, "{row:?}");
    let receipt = "no receipt: it works on other threads";
    assert_eq!(row.receipt.as_deref(), Some(receipt), "{row:?}");
    for (verb, why) in [
        ("receipt", "no receipt: "),
        ("count", "no count: "),
        ("mutate", "not mutated: "),
    ] {
        let ran = zoo(&[
            verb,
            "threads/scalar/parallel",
            "--format",
            "json",
            "--quiet",
        ]);
        assert_eq!(ran.exit, Some(4), "{ran:#?}");
        let row = parallel(&ran);
        assert_eq!(row.state, State::Unavailable, "{row:?}");
        let why = format!("{why}it works on other threads");
        assert_eq!(row.reason.as_deref(), Some(&*why), "{row:?}");
    }
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    for verb in ["receipt", "count"] {
        let ran = zoo(&[verb, scalar, "--quiet"]);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        assert!(ran.stdout.contains("it works on other threads"), "{ran:#?}");
    }
}

/// Its reference would not bear one.
fn no_case_is_longer_than_the_longest() {
    let ran = zoo(&["verify", "bounded/scalar", "--exhaustive", "--quiet"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        let ran = zoo(&["count", "bounded/scalar", "--format", "json", "--quiet"]);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        let report = ran.records();
        let lengths: Vec<u64> = report.receipts().map(|receipt| receipt.length).collect();
        assert_eq!(lengths, [64]);
        refused(
            &["call", "bounded/scalar/fills", "301"],
            2,
            &["bounded takes at most 300 plain bytes"],
        );
    }
    let listed = zoo(&["list", "bounded", "--quiet"]);
    for says in [
        "k over 1, 9, usually 4",
        "at most 300 plain bytes",
        "the load \"the longest, with 9\" of 300 plain bytes, k 9",
    ] {
        assert!(listed.stdout.contains(says), "no {says:?} in {listed:#?}");
    }
    let own = write("rows of 301", [7; 301]);
    let args = ["verify", "bounded/scalar", "--data", &format!("{own}:301")];
    let ran = zoo(&[&args[..], &["--format", "json"], &FEW].concat());
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let own = report
        .figures()
        .find(|figure| figure.split.as_deref() == Some("own rows"));
    let why = own
        .and_then(|figure| figure.reason.as_deref())
        .unwrap_or_default();
    assert!(why.contains("rows of 301 bytes"), "{own:?}");
}

fn a_required_path_that_nobody_knows_is_exit_2() {
    refused(
        &[&["verify", "healthy", "--require", "avx513"][..], &FEW].concat(),
        2,
        &["--require avx513", "nearest are avx512"],
    );
}

fn a_filter_that_matches_nothing_is_exit_4() {
    let says = &["\"heathly\" matches no path", "nearest are healthy/"];
    refused(&["verify", "heathly", "--quiet"], 4, says);
    refused(&["list", "heathly"], 4, says);
    refused(&["receipt", "heathly"], 4, says);
    let out = scratch("filter");
    refused(&["run", "heathly", "--quiet", "--out", utf8(&out)], 4, says);
    refused(
        &["replay", &token("healthy:b64.QQ:in=end:out=end"), "heathly"],
        4,
        says,
    );
    let known = write("filter.json", r#"{"cases": []}"#);
    refused(&["vectors", &known, "heathly"], 4, says);
    refused(&["verify", "[", "--quiet"], 2, &["filter \"[\""]);
}

fn flags_that_make_no_sense_are_exit_2() {
    for (flag, value) in [
        ("--shard", "0/3"),
        ("--shard", "4/3"),
        ("--timeout", "NaN"),
        ("--timeout", "0"),
        ("--data", "rows.u8"),
        ("--data", "rows.u8:0"),
    ] {
        refused(&["verify", "healthy", flag, value], 2, &[flag, "expected"]);
    }
    refused(
        &["verify", "healthy", "--jobs", "0"],
        2,
        &["--jobs 0", "at least one"],
    );
    refused(&["worker"], 2, &["this program calls itself"]);
}

fn places_that_cannot_be_written_are_exit_2() {
    // Below a file, which stops even root.
    let below = write("file", "") + "/below";
    refused(
        &["run", "healthy", "--quiet", "--out", &below],
        2,
        &["cannot make the folder", "--out"],
    );
    refused(&["list", "-o", &below], 2, &["cannot write", &below]);
    refused(
        &[&["verify", "healthy", "-o", &below][..], &FEW].concat(),
        2,
        &["cannot write", &below],
    );
}

fn a_token_with_any_changed_character_is_exit_2() {
    let good = token("healthy:s77.33.random:in=a13:out=end");
    let ran = zoo(&["replay", &good]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    for at in 0..good.len() {
        let other = if good.as_bytes()[at] == b'1' {
            "2"
        } else {
            "1"
        };
        let mut typo = good.clone();
        typo.replace_range(at..=at, other);
        refused(&["replay", &typo], 2, &["token"]);
    }
    refused(&["replay", ""], 2, &["is no token"]);
}

/// `4` is half a byte: every path refuses it, and rightly.
fn laws_say_nothing_of_what_is_refused() {
    let ran = zoo(&["replay", &token("strict:b64.NA:in=a0:out=a0")]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    assert!(
        ran.stderr.contains("the reference refuses: odd_length"),
        "{ran:#?}"
    );
}

fn tokens_that_do_not_fit_are_exit_2() {
    let crc = |row: &[u8]| crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(row);
    let row =
        |index: usize, crc: u32| token(&format!("rows:row.animals.{index}.{crc:08x}:in=a0:out=a0"));
    let good = row(7, crc(ROWS[7]));
    assert_eq!(zoo(&["replay", &good, "rows/scalar"]).exit, Some(0));
    assert_eq!(zoo(&["replay", &good]).exit, Some(1));
    for (token, says) in [
        (
            token("healthy:s1.9.random:in=a0:out=a0:warm=513"),
            "at most 512 calls",
        ),
        (
            row(8, crc(ROWS[7])),
            "animals has rows 0..=7, and row 8 was asked for",
        ),
        (row(usize::MAX, 0), "was asked for"),
        (row(6, crc(ROWS[7])), "row 6 of animals has changed"),
        (
            token("rows:row.plants.0.00000000:in=a0:out=a0"),
            "no set plants",
        ),
        (token("unheard_of:b64.QQ:in=a0:out=a0"), "unheard_of"),
        (
            token("rotate:b64.QQ:in=a0:out=a0"),
            "takes the parameters [k]",
        ),
        (token("healthy:b64.QQ:k=1:in=a0:out=a0"), "the case has [k]"),
        (token("find:b64.QQ:in=a0:out=a0"), "takes 2 part(s)"),
        (
            token("healthy:s1.99999999999.random:in=a0:out=a0"),
            "a length of 99999999999",
        ),
        (token("healthy:s1.3.purple:in=a0:out=a0"), "is no source"),
        (token("healthy:b64.Q:in=a0:out=a0"), "not base64url"),
        (token("healthy:@nowhere.b64:in=a0:out=a0"), "nowhere.b64"),
        (token("healthy:b64.QQ:in=a64:out=a0"), "a0 to a63"),
        (token("healthy:b64.QQ:in=a0:out=a0:warm=-1"), "not a number"),
    ] {
        refused(&["replay", &token], 2, &[says]);
    }
}

fn own_rows_that_are_none_are_exit_2() {
    let short = write("short.u8", [1; 15]) + ":16";
    refused(
        &["verify", "healthy", "--quiet", "--data", &short],
        2,
        &["has 15 bytes", "one row of 16", "FILE:ROW"],
    );
    refused(
        &["verify", "healthy", "--quiet", "--data", "nowhere.u8:16"],
        2,
        &["--data", "cannot read nowhere.u8"],
    );
}

fn files_that_are_no_records_are_exit_2() {
    let listed = zoo(&["list", "--format", "json"]).stdout;
    let good = write("good.jsonl", &listed);
    let page = scratch("page.html");
    let ran = zoo(&["report", &good, "--page", utf8(&page)]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let other = listed.replacen("\"schema\":", "\"schema\":9", 1);
    assert_ne!(other, listed);
    for (name, content, says) in [
        ("other.jsonl", other.as_str(), "schema 9"),
        ("empty.jsonl", "", "is empty"),
        (
            "known.jsonl",
            "{\"cases\": []}\n",
            "expected the record of a machine",
        ),
    ] {
        let file = write(name, content);
        refused(&["report", &file, "--page", utf8(&page)], 2, &[says, &file]);
    }
    refused(
        &["report", "nowhere.jsonl"],
        2,
        &["cannot read nowhere.jsonl"],
    );
}

fn files_that_are_no_known_answers_are_exit_2() {
    let whole = r#"{"cases": [{"op": "healthy", "input_hex": "d0", "output": "0d"}]}"#;
    let file = write("whole.json", whole);
    assert_eq!(zoo(&["vectors", &file]).exit, Some(0));
    for (name, content, says) in [
        ("truncated.json", &whole[..whole.len() / 2], "cut off"),
        ("odd.json", &whole.replace("d0", "d"), "case 0"),
        ("none.json", &whole.replace("output", "outcome"), "case 0"),
    ] {
        let file = write(name, content);
        refused(&["vectors", &file, "--quiet"], 2, &[says, &file]);
    }
    refused(&["vectors", "nowhere.json"], 2, &["nowhere.json"]);
    // Answers of which none is for an operation of this program check nothing.
    let strange = write("strange.json", whole.replace("healthy", "unheard_of"));
    assert_eq!(zoo(&["vectors", &strange]).exit, Some(4));
}

fn a_reference_that_fails_is_exit_2() {
    let verify = |operation| {
        zoo(&[
            "verify", operation, "--quiet", "--seed", "1", "--cases", "1",
        ])
    };
    let panics = verify("reference_panics");
    is_refused(
        &panics,
        2,
        &["the reference of reference_panics panicked: the reference has a hole"],
    );
    assert!(panics.stdout.contains("NOT EXECUTED"), "{panics:#?}");
    is_refused(
        &verify("reference_aborts"),
        2,
        &[
            "reference_aborts",
            "in its reference",
            "nothing is known of any path",
        ],
    );
    is_refused(
        &verify("no_capacity"),
        2,
        &["no_capacity", "Operation::capacity"],
    );
}

fn a_program_that_hosts_no_workers_is_exit_2() {
    let ran = zoo_as("no host", &["verify", "healthy", "--quiet"], b"");
    is_refused(
        &ran,
        2,
        &["must begin with `pathproof::main`", "harness = false"],
    );
}

fn a_chatty_path_does_no_harm() {
    let args = [
        "verify", "chatty", "--shard", "1/70", "--cases", "10", "--format", "json",
    ];
    let ran = zoo(&args);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    assert_eq!(report.paths().count(), 3);
    assert!(
        report.paths().all(|row| row.state == State::Verified),
        "{ran:#?}"
    );
    let printed = report
        .figures()
        .find(|figure| figure.quantity == "printed by paths");
    let printed = printed.and_then(|figure| figure.value).unwrap_or(0.0);
    let calls = report.paths().map(|row| row.cases).max().unwrap_or(0);
    assert!(
        printed > 30.0 * calls as f64,
        "{printed} bytes in {calls} calls"
    );
}

fn a_closed_pipe_is_no_panic() {
    for verb in [
        "list",
        "verify healthy --shard 1/701 --format json",
        "verify healthy --shard 1/701",
    ] {
        // `shell` asserts that nothing panicked.
        shell(&format!("'{}' {verb} | head -n 1", utf8(&program())));
    }
}

/// The command of each finding gives the same finding.
#[track_caller]
fn repeats(ran: &Ran, of: &[&str]) {
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let names: Vec<_> = report.findings().map(|finding| finding.name()).collect();
    assert_eq!(names, of);
    for finding in report.findings() {
        let again = shell(&finding.command);
        assert_eq!(again.exit, Some(1), "{}\n{again:#?}", finding.command);
        let again = again.records();
        assert!(
            again
                .findings()
                .any(|f| (f.name(), &f.verdict) == (finding.name(), &finding.verdict)),
            "{finding:#?}"
        );
    }
}

fn wrong_answers_are_told_from_known_ones() {
    let known = write(
        "known.json",
        r#"{"cases": [
            {"op": "answers", "input_hex": "d0", "output": "0d"},
            {"op": "answers", "input_hex": "07", "output_hex": "3730"},
            {"op": "refusals", "input_hex": "30303030303a", "error": {"kind": "bad_digit", "position": 5}},
            {"op": "chunked", "input_hex": "d007", "params": {"cuts": []}, "output": "0d70"},
            {"op": "chunked", "input_hex": "d007", "params": {"cuts": [2, 1]}, "output": "0d70"}
        ]}"#,
    );
    for (filter, wrong) in [
        ("answers/wrong-*", "answers/wrong-table/fills"),
        ("refusals/accepts-colon", "refusals/accepts-colon/fills"),
        ("chunked", "chunked/wrong-where-cuts-descend/returns"),
    ] {
        let ran = zoo(&["vectors", &known, filter, "--format", "json"]);
        repeats(&ran, &[wrong]);
        let report = ran.records();
        let rows: Vec<_> = report.paths().filter(|row| row.name() != wrong).collect();
        assert!(rows.iter().any(|row| row.isa == "reference"), "{rows:#?}");
        assert!(
            rows.iter().all(|row| row.state == State::Verified),
            "{rows:#?}"
        );
    }
    // A wrong reference is found first, before all that agree with it.
    let wrong = write(
        "wrong.json",
        r#"{"cases": [{"op": "healthy", "input_hex": "d0", "output": "0c"}]}"#,
    );
    let ran = zoo(&[
        "vectors",
        &wrong,
        "healthy/scalar/fills",
        "--format",
        "json",
    ]);
    repeats(&ran, &["healthy/reference/returns", "healthy/scalar/fills"]);
}

/// Folders have spaces: the program's own here, and that of long findings in the family `long`.
fn commands_are_quoted_for_the_shell() {
    let folder = scratch("it's a copy");
    fs::create_dir(&folder).expect("the scratch folder can be written");
    let copy = folder.join("zoo");
    fs::hard_link(program(), &copy)
        .or_else(|_| fs::copy(program(), &copy).map(drop))
        .expect("the program can be copied");
    let args = ["verify", "answers/wrong-table", "--format", "json"];
    let output = command(&copy).args(args).args(FEW).output();
    let ran = Ran::of(output.expect("the copy runs"));
    repeats(&ran, &["answers/wrong-table/fills"]);
    let report = ran.records();
    let command = &report.findings().next().expect("seen above").command;
    assert!(command.contains("a copy/zoo"), "{command}");
}

fn the_test_suite_fails_the_path_that_is_wrong() {
    let path = "memory/reads-after/fills";
    let ran = zoo_as("tests", &[path, "--exact"], b"");
    assert_eq!(ran.exit, Some(101), "{ran:#?}");
    let line = format!("test {path} ... FAILED");
    assert!(ran.stdout.contains(&line), "no {line:?} in {ran:#?}");
    let told = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("token: "));
    let told = told.unwrap_or_else(|| panic!("no token in {ran:#?}"));
    assert_eq!(zoo(&["replay", told, path]).exit, Some(1));
    // Paths are verified together, and each is judged for itself.
    let ran = zoo_as("tests", &["room/", "--skip", "cuts"], b"");
    for (path, outcome) in [
        ("room/scalar/fills", "ok"),
        ("room/says-another-size/fills", "FAILED"),
    ] {
        let line = format!("test {path} ");
        let mut lines = ran.stdout.lines();
        let told = lines.find(|told| told.starts_with(&line));
        assert!(told.is_some_and(|told| told.ends_with(outcome)), "{ran:#?}");
    }
    assert!(!ran.stdout.contains("room/cuts"), "{ran:#?}");
    // What cannot run is no pass.
    let ran = zoo_as("tests", &["--list", "neon"], b"");
    assert!(
        ran.stdout
            .contains("[not built: the zoo keeps none] healthy/neon/fills"),
        "{ran:#?}"
    );
    let ran = zoo_as("tests", &["healthy/neon"], b"");
    assert!(ran.stdout.contains("1 ignored"), "{ran:#?}");
}

fn the_fuzz_target_aborts_on_the_path_that_is_wrong() {
    let healthy = zoo_as("fuzz", &["healthy"], b"\0\0\0\0\0\0\xd0");
    assert_eq!(healthy.exit, Some(0), "{healthy:#?}");
    let wrong = zoo_as("fuzz", &["answers"], b"\0\0\0\0\0\0\xd1");
    assert_eq!(wrong.exit, None, "{wrong:#?}");
    assert!(
        wrong
            .stderr
            .contains("answers/wrong-table/fills: differs: at byte 1 of 2"),
        "{wrong:#?}"
    );
    let told = wrong
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("token: "));
    let told = told.unwrap_or_else(|| panic!("no token in {wrong:#?}"));
    assert_eq!(zoo(&["replay", told, "answers/wrong-table"]).exit, Some(1));
}

/// The state of a process and its parent, from /proc; `None` if there is no such process any more.
#[cfg(target_os = "linux")]
fn process(id: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace();
    let state = after_name.next()?.chars().next()?;
    Some((state, after_name.next()?.parse().ok()?))
}

#[cfg(target_os = "linux")]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes that a process has started.
#[cfg(target_os = "linux")]
fn children(of: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id| process(*id).is_some_and(|(_, parent)| parent == of))
        .collect()
}

/// As the OOM killer would: nobody's fault, and nothing is known of the path.
#[cfg(target_os = "linux")]
fn a_worker_that_is_killed_blames_no_path() {
    let run = command(program())
        .args(["verify", "slow/sleeps", "--quiet", "--jobs", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the zoo starts");
    // By now the workers that say what there is to verify are gone, and the one with the cases is at them, for a minute.
    std::thread::sleep(Duration::from_secs(1));
    wait_until("a worker", || !children(run.id()).is_empty());
    for worker in children(run.id()) {
        shell(&format!("kill -9 {worker}"));
    }
    let ran = Ran::of(run.wait_with_output().expect("it ends"));
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("ended"), "{ran:#?}");
    assert!(!ran.stdout.contains("keeps state"), "{ran:#?}");
}

#[cfg(target_os = "linux")]
fn a_killed_run_leaves_its_records_and_no_worker() {
    let out = scratch("killed");
    let records = out.join("records.jsonl");
    let mut run = command(program())
        .args(["run", "slow", "--quiet", "--out", utf8(&out)])
        .spawn()
        .expect("the zoo starts");
    wait_until("the first check", || {
        fs::read_to_string(&records).is_ok_and(|text| text.contains("\"quantity\":\"cases\""))
    });
    let workers = children(run.id());
    assert!(!workers.is_empty());
    run.kill().expect("it is running");
    let status = run.wait().expect("it has ended");
    assert_eq!(status.code(), None, "killed, not ended");
    wait_until("the workers' end", || {
        // One that nobody has collected yet is a zombie, and as dead.
        workers
            .iter()
            .all(|id| process(*id).is_none_or(|(state, _)| "ZX".contains(state)))
    });

    let ran = zoo(&["report", utf8(&records), "--quiet"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("did not finish"), "{ran:#?}");
    let row = ran
        .stdout
        .lines()
        .find(|line| line.starts_with("slow/sleeps/fills"));
    assert!(
        row.is_some_and(|row| row.contains("NOT EXECUTED")),
        "{ran:#?}"
    );
}

// --- machines: what `doctor` says of this one, and of the lesser ones that valgrind and QEMU show a program

pub(crate) fn of_machines() -> Vec<Trial> {
    vec![
        Trial::test("doctor_has_a_number_or_a_reason_for_everything", || {
            doctor_has_a_number_or_a_reason_for_everything();
            Ok(())
        }),
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        with(
            "getconf",
            "the_c_library_is_the_one_that_getconf_names",
            the_c_library_is_the_one_that_getconf_names,
        ),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        with("valgrind", "what_valgrind_hides_is_named", || {
            what_is_hidden_is_named(&["valgrind", "-q"], "valgrind is at work");
        }),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        with("qemu-x86_64", "what_qemu_hides_is_named", || {
            what_is_hidden_is_named(&["qemu-x86_64", "-cpu", "qemu64"], "a lesser CPU");
        }),
    ]
}

/// A test that needs a tool; where that is missing, it is shown as ignored, with the reason.
#[cfg(target_os = "linux")]
pub(crate) fn with(tool: &str, name: &str, test: fn()) -> Trial {
    let trial = Trial::test(name, move || {
        test();
        Ok(())
    });
    if command(tool).arg("--version").output().is_ok() {
        trial
    } else {
        let why = format!("{tool} is not installed");
        trial.with_ignored_flag(true).with_kind(why)
    }
}

/// The records of `doctor`, in a process behind these words.
#[cfg(target_os = "linux")]
fn doctor(behind: &[&str]) -> Report {
    let zoo = program();
    let words = [behind, &[utf8(&zoo), "doctor", "--format", "json"]].concat();
    let output = command(words[0]).args(&words[1..]).output();
    let ran = Ran::of(output.expect("it starts"));
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    ran.records()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn row<'a>(report: &'a Report, quantity: &str) -> (Option<f64>, &'a str) {
    let row = report.figures().find(|row| row.quantity == quantity);
    let row = row.unwrap_or_else(|| panic!("no row of {quantity}"));
    (row.value, row.reason.as_deref().unwrap_or_default())
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_c_library_is_the_one_that_getconf_names() {
    let asked = command("getconf").arg("GNU_LIBC_VERSION").output();
    let named = Ran::of(asked.expect("getconf was there a moment ago")).stdout;
    let report = doctor(&[]);
    let libc = report.machine().and_then(|machine| machine.libc.as_deref());
    assert_eq!(libc, Some(named.trim()));
}

fn doctor_has_a_number_or_a_reason_for_everything() {
    let ran = zoo(&["doctor", "--format", "json"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let rows: Vec<_> = report.figures().collect();
    for row in &rows {
        assert!(row.value.is_some() || row.reason.is_some(), "{row:?}");
    }
    let text = zoo(&["doctor"]).stdout;
    let md = zoo(&["doctor", "--format", "md"]).stdout;
    for quantity in [
        "hidden features",
        "cores",
        "load",
        "steal",
        "timer",
        "emulation",
        "breakpoints",
        "hardware counters",
        "stepping",
        "guard pages",
        "crash isolation",
        "worker",
    ] {
        assert!(
            rows.iter().any(|row| row.quantity == quantity),
            "no {quantity}"
        );
        assert!(
            text.contains(&format!("│ {quantity} ")),
            "no {quantity} in {text}"
        );
        assert!(
            md.contains(&format!("\n| {quantity} ")),
            "no {quantity} in {md}"
        );
    }
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{text}");
    // Beside the figures: head and rule; the CPU, the system, its C library, the features.
    assert_eq!(md.lines().count(), rows.len() + 6, "{md}");
    refused(&["doctor", "--format", "junit"], 2, &["no JUnit form"]);
}

/// Holds what `doctor` calls hidden against what the same program detects without the emulator.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn what_is_hidden_is_named(emulator: &[&str], noticed: &str) {
    let (bare, under) = (doctor(&[]), doctor(emulator));
    let features = |report: &Report| report.machine().expect("it comes first").features.clone();
    let (all, left) = (features(&bare), features(&under));
    let mut gone: Vec<_> = all.iter().filter(|name| !left.contains(name)).collect();
    let (count, reason) = row(&under, "hidden features");
    let names = reason.split(';').next().unwrap_or_default();
    let mut named: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
    gone.sort();
    named.sort();
    assert_eq!(named.iter().collect::<Vec<_>>(), gone, "{reason}");
    assert_eq!(count, Some(gone.len() as f64));
    let (emulators, reason) = row(&under, "emulation");
    assert!(emulators.is_none() && reason.contains(noticed), "{reason}");
    // A planted fault of its own: the breakpoint never fires, or there is no such call.
    let (hits, reason) = row(&under, "breakpoints");
    assert_eq!(hits, None);
    assert!(
        reason.contains("saw 0 of 1000 calls") || reason.contains("perf_event_open"),
        "{reason}"
    );
}
