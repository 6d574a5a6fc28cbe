//! Comparisons: what is slower is found, what is equal is no alarm, and a side that is wrong, gone or strange is a row that says so.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use pathproof_reports::{Compared, Comparison, State};

use crate::run::{Ran, command, program, scratch, zoo, zoo_as};

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 20] = [
        (
            "a_path_that_is_slower_is_found",
            a_path_that_is_slower_is_found,
        ),
        ("a_path_is_as_fast_as_itself", a_path_is_as_fast_as_itself),
        ("sides_are_verified_first", sides_are_verified_first),
        (
            "a_side_that_dies_is_a_finding",
            a_side_that_dies_is_a_finding,
        ),
        ("a_peer_has_its_own_input", a_peer_has_its_own_input),
        (
            "what_cannot_be_compared_says_why",
            what_cannot_be_compared_says_why,
        ),
        (
            "the_same_code_is_not_measured",
            the_same_code_is_not_measured,
        ),
        (
            "a_base_without_the_path_is_no_base",
            a_base_without_the_path_is_no_base,
        ),
        (
            "a_base_that_is_no_client_is_no_base",
            a_base_that_is_no_client_is_no_base,
        ),
        (
            "a_base_of_another_protocol_is_told_apart",
            a_base_of_another_protocol_is_told_apart,
        ),
        ("out_of_time_is_inconclusive", out_of_time_is_inconclusive),
        (
            "wrong_use_of_compare_is_exit_2",
            wrong_use_of_compare_is_exit_2,
        ),
        ("an_interrupt_leaves_no_side", an_interrupt_leaves_no_side),
        (
            "what_each_part_of_the_method_is_good_for",
            what_each_part_of_the_method_is_good_for,
        ),
        (
            "a_method_without_epochs_has_no_verdict",
            a_method_without_epochs_has_no_verdict,
        ),
        (
            "a_head_of_another_profile_is_refused",
            a_head_of_another_profile_is_refused,
        ),
        (
            "a_program_that_is_replaced_ends_its_row",
            a_program_that_is_replaced_ends_its_row,
        ),
        (
            "a_revision_is_compared_with_itself_outside_of_the_repository",
            a_revision_is_compared_with_itself_outside_of_the_repository,
        ),
        (
            "what_ends_one_row_ends_no_other",
            what_ends_one_row_ends_no_other,
        ),
        (
            "what_cannot_be_calibrated_says_why",
            what_cannot_be_calibrated_says_why,
        ),
    ];
    let mut trials: Vec<Trial> = all
        .into_iter()
        .map(|(name, test)| {
            Trial::test(format!("comparing_{name}"), move || {
                test();
                Ok(())
            })
        })
        .collect();
    #[cfg(target_arch = "x86_64")]
    trials.push(Trial::test(
        "comparing_a_planted_slowdown_is_counted_and_found",
        || {
            a_planted_slowdown_is_counted_and_found();
            Ok(())
        },
    ));
    trials
}

fn compare(args: &[&str]) -> Ran {
    let mut all = vec!["compare"];
    all.extend(args);
    all.extend(["--format", "json", "--quiet"]);
    zoo(&all)
}

fn only(ran: &Ran) -> Comparison {
    let report = ran.records();
    let mut rows = report.comparisons();
    let row = rows.next().unwrap_or_else(|| panic!("no row: {ran:#?}"));
    assert!(rows.next().is_none(), "{ran:#?}");
    row.clone()
}

/// A path that sleeps takes a thousand times as long: no machine is so noisy that this is not seen.
fn a_path_that_is_slower_is_found() {
    let ran = compare(&[
        "slow/scalar/fills",
        "slow/sleeps/fills",
        "--sizes",
        "64",
        "--budget",
        "60",
    ]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    let row = only(&ran);
    assert_eq!(
        (row.verdict, row.name().as_str()),
        (Compared::Slower, "slow/sleeps/fills")
    );
    assert_eq!(
        (row.against.as_str(), row.load.as_str()),
        ("slow/scalar/fills", "64")
    );
    assert!(row.ratio.is_some_and(|ratio| ratio.low > 2.0), "{row:?}");
    assert!(
        row.control.is_some() && row.least.is_some() && row.epochs >= 10,
        "{row:?}"
    );
    let report = ran.records();
    let end = report.end().expect("an end");
    assert!(
        end.verdict.contains("slower: slow/sleeps/fills at 64 by +"),
        "{end:?}"
    );
    assert!(
        report
            .paths()
            .any(|row| row.state == State::Verified && row.cases >= 10)
    );
    // The other way round it is faster, and nothing to complain of.
    let ran = compare(&[
        "slow/sleeps/fills",
        "slow/scalar/fills",
        "--sizes",
        "64",
        "--budget",
        "60",
    ]);
    assert_eq!(
        (ran.exit, only(&ran).verdict),
        (Some(0), Compared::Faster),
        "{ran:#?}"
    );
}

fn a_path_is_as_fast_as_itself() {
    let path = "healthy/scalar/fills";
    let ran = compare(&[
        path, path, "--sizes", "64,4096", "--margin", "20", "--budget", "60",
    ]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let verdicts: Vec<Compared> = report.comparisons().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Compared::Same; 2], "{ran:#?}");
    // What both execute stands beside it, exactly.
    #[cfg(target_arch = "x86_64")]
    for row in report.comparisons() {
        assert!(
            row.base.instructions.is_some_and(|count| count > 64),
            "{row:?}"
        );
        assert_eq!(row.base.instructions, row.head.instructions);
        assert!(
            row.base
                .function
                .as_deref()
                .is_some_and(|at| at.contains(" at 0x"))
        );
    }
}

fn sides_are_verified_first() {
    // Its tail is wrong at 11 bytes and right at 16; the input is one whose last two digits differ, for it swaps them.
    let sides = [
        "answers/scalar/fills",
        "answers/wrong-tail/fills",
        "--sizes",
        "16,11",
        "--seed",
        "7",
    ];
    let ran = compare(&[&sides[..], &["--margin", "50"]].concat());
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let of = |load: &str| {
        report
            .comparisons()
            .find(|row| row.load == load)
            .expect("a row")
    };
    assert!(of("16").ratio.is_some(), "{ran:#?}");
    let wrong = of("11");
    assert_eq!((wrong.verdict, wrong.ratio), (Compared::Void, None));
    assert!(
        wrong
            .reason
            .as_deref()
            .is_some_and(|why| why.contains("the head's path: ")),
        "{wrong:?}"
    );
    let finding = report.findings().next().expect("a finding");
    assert_eq!(
        (finding.name().as_str(), finding.verdict.as_str()),
        ("answers/wrong-tail/fills", "differs")
    );
    let again = crate::run::shell(&finding.command);
    assert_eq!(again.exit, Some(1), "{again:#?}");
    assert_eq!(only(&again).load, "11");
    // That of another build is none of this one's findings; nor is it a build without the path.
    let program = program().display().to_string();
    let base = ["answers/wrong-tail/fills", "--base-bin", &program];
    let more = ["--sizes", "11", "--seed", "7", "--allow-no-base"];
    let ran = compare(&[&base[..], &more[..]].concat());
    let row = only(&ran);
    assert_eq!(
        (ran.exit, row.verdict),
        (Some(5), Compared::Void),
        "{ran:#?}"
    );
    assert!(
        row.reason
            .is_some_and(|why| why.starts_with("the base's path: differs")),
        "{ran:#?}"
    );
    assert_eq!(ran.records().findings().count(), 0, "{ran:#?}");
    // As the base of two paths it is a finding, too.
    let ran = compare(&[
        "answers/wrong-tail/fills",
        "answers/scalar/fills",
        "--sizes",
        "11",
        "--seed",
        "7",
    ]);
    let report = ran.records();
    let finding = report.findings().next().expect("a finding");
    assert_eq!(
        (ran.exit, finding.name().as_str()),
        (Some(1), "answers/wrong-tail/fills")
    );
}

fn a_side_that_dies_is_a_finding() {
    for (isa, length, verdict) in [("aborts", "41", "crashed"), ("panics", "40", "panicked")] {
        let head = format!("deaths/{isa}/fills");
        let ran = compare(&["deaths/scalar/fills", &head, "--sizes", length]);
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
        let report = ran.records();
        let finding = report.findings().next().expect("a finding");
        assert_eq!(
            (finding.name(), finding.verdict.as_str()),
            (head, verdict),
            "{finding:?}"
        );
        assert_eq!(only(&ran).verdict, Compared::Void);
    }
}

fn a_peer_has_its_own_input() {
    let ran = compare(&[
        "peers/scalar/fills",
        "peers/good-peer/fills",
        "--sizes",
        "64",
        "--margin",
        "50",
    ]);
    let row = only(&ran);
    assert!(
        matches!(ran.exit, Some(0 | 3)) && row.ratio.is_some(),
        "{ran:#?}"
    );
}

fn what_cannot_be_compared_says_why() {
    let ran = compare(&["healthy/scalar/fills", "healthy/avx512/fills"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("healthy/avx512/fills: not built: the zoo keeps none"),
        "{ran:#?}"
    );
    let ran = compare(&[
        "threads/*",
        "--base-bin",
        &program().display().to_string(),
        "--sizes",
        "64",
    ]);
    let report = ran.records();
    let left = report
        .figures()
        .find(|figure| figure.quantity == "comparison");
    let why = left
        .and_then(|figure| figure.reason.clone())
        .unwrap_or_default();
    assert!(why.contains("works on other threads"), "{ran:#?}");
}

fn the_same_code_is_not_measured() {
    let this = program().display().to_string();
    let ran = compare(&["healthy", "--base-bin", &this, "--sizes", "64"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    for row in report.comparisons() {
        if cfg!(target_arch = "x86_64") {
            assert_eq!(
                (row.verdict, row.epochs),
                (Compared::Identical, 0),
                "{row:?}"
            );
        }
        assert_eq!(row.against, this);
    }
    assert!(report.comparisons().count() >= 2);
}

/// A program that calls this one as another client, or does what the script says.
/// A program for a shell.
pub(crate) fn script(name: &str, text: &str) -> PathBuf {
    let path = scratch(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path
}

fn against(base: &Path, more: &[&str]) -> Ran {
    let base = base.display().to_string();
    let args = ["healthy/scalar/fills", "--base-bin", &base, "--sizes", "64"];
    compare(&[&args[..], more].concat())
}

fn a_base_without_the_path_is_no_base() {
    // Without operations of that name: what it has are mutants.
    let other = script(
        "other client",
        &format!("ZOO_MAIN=mutants exec '{}' \"$@\"", program().display()),
    );
    let ran = against(&other, &[]);
    let row = only(&ran);
    let why = row.reason.clone().unwrap_or_default();
    if cfg!(target_arch = "x86_64") {
        assert_eq!(
            (ran.exit, row.verdict),
            (Some(4), Compared::NoBase),
            "{ran:#?}"
        );
        assert!(why.contains("no operation healthy"), "{ran:#?}");
        let ran = against(&other, &["--allow-no-base"]);
        assert_eq!(
            (ran.exit, only(&ran).verdict),
            (Some(0), Compared::NoBase),
            "{ran:#?}"
        );
    }
}

fn a_base_that_is_no_client_is_no_base() {
    for (name, text, says) in [
        ("silent", "exit 0", "it says nothing"),
        (
            "another tool",
            "echo 'error: unrecognized subcommand side' >&2; exit 2",
            "unrecognized subcommand side",
        ),
    ] {
        let ran = against(&script(name, text), &[]);
        assert_eq!(
            (ran.exit, only(&ran).verdict),
            (Some(4), Compared::NoBase),
            "{ran:#?}"
        );
        assert!(
            only(&ran).reason.is_some_and(|why| why.contains(says)),
            "{ran:#?}"
        );
    }
    let ran = compare(&["healthy", "--base-bin", "/nowhere/at all"]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("--base-bin /nowhere/at all: No such file"),
        "{ran:#?}"
    );
}

fn a_base_of_another_protocol_is_told_apart() {
    let body = r#"{"Ready":{"version":99,"output":1,"input":[1],"question":0,"answer":0,"want":null,"peer":false}}"#;
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend(body.bytes());
    let file = scratch("frame");
    std::fs::write(&file, frame).expect("a file");
    let newer = script("newer", &format!("cat '{}'; exec sleep 20", file.display()));
    let ran = against(&newer, &[]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    let report = ran.records();
    let verdict = &report.end().expect("an end").verdict;
    assert!(
        verdict.contains("compares by version 99 of the sides' protocol, and this program by "),
        "{verdict}"
    );
    // Something that talks, but not so.
    let ran = against(
        &script("talker", "echo hello, who is there?; exec sleep 20"),
        &[],
    );
    assert_eq!(
        (ran.exit, only(&ran).verdict),
        (Some(2), Compared::Void),
        "{ran:#?}"
    );
}

fn out_of_time_is_inconclusive() {
    let sides = [
        "slow/sleeps/fills",
        "slow/sleeps/fills",
        "--sizes",
        "64",
        "--budget",
        "0.1",
    ];
    let ran = compare(&sides);
    let row = only(&ran);
    assert_eq!(
        (ran.exit, row.verdict, row.ratio),
        (Some(5), Compared::Inconclusive, None),
        "no row has a verdict: {ran:#?}"
    );
    assert!(
        row.reason
            .is_some_and(|why| why.contains("a longer --budget")),
        "{ran:#?}"
    );
    // Of several rows, those that are not reached.
    let path = "healthy/scalar/fills";
    let ran = compare(&[path, path, "--sizes", "64,65,66", "--within", "0.0001"]);
    let report = ran.records();
    let rows: Vec<_> = report.comparisons().collect();
    let last = rows.last().expect("a row");
    assert_eq!(
        (rows.len(), last.verdict),
        (3, Compared::Inconclusive),
        "{ran:#?}"
    );
    assert!(
        last.reason
            .as_deref()
            .is_some_and(|why| why.contains("the row was not reached"))
    );
    assert!(
        report
            .end()
            .is_some_and(|end| end.verdict.contains("% have no verdict")),
        "{ran:#?}"
    );
}

fn wrong_use_of_compare_is_exit_2() {
    let path = "healthy/scalar/fills";
    for (args, says) in [
        (&[path][..], "two paths, or --base REV, or --base-bin FILE"),
        (
            &[path, "healthy/scalar/fils"],
            "the nearest are healthy/scalar/fills",
        ),
        (&[path, "slow/scalar/fills"], "are two operations"),
        (&[path, path, "--margin", "0"], "--margin 0"),
        (&[path, path, "--margin", "NaN"], "--margin NaN"),
        (&[path, path, "--budget=-1"], "--budget"),
        (&[path, path, "--budget", "1e300"], "--budget"),
        (&[path, path, "--sizes", "0"], "--sizes 0"),
        (
            &[path, path, "--sizes", "99999999999999"],
            "--sizes 99999999999999",
        ),
        (&[path, path, "--core", "999"], "--core 999"),
        (&[path, path, "--load", "none"], "no operation has it"),
        (
            &[path, path, "--base", "HEAD"],
            "each path is compared with itself",
        ),
        (
            &[path, "--base", "no-such-revision"],
            "no such revision here",
        ),
        (&[path, "--base=--upload-pack=x"], "no such revision here"),
        (
            &[path, "--base-bin", "/bin/true", "--layouts", "2"],
            "has no sources",
        ),
    ] {
        let ran = compare(args);
        assert_eq!(ran.exit, Some(2), "{args:?}: {ran:#?}");
        assert!(ran.stderr.contains(says), "{args:?}: {ran:#?}");
    }
    let ran = compare(&["nowhere", "--base-bin", "/bin/true"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
}

/// The processes of this program that are sides and have a parent of this number.
fn sides_of(parent: u32) -> usize {
    let is = |folder: std::fs::DirEntry| {
        let read = |file: &str| std::fs::read(folder.path().join(file)).unwrap_or_default();
        let (stat, args) = (read("stat"), read("cmdline"));
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let parents = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .nth(1);
        parents == Some(parent.to_string().as_str())
            && args.split(|b| *b == 0).nth(1) == Some(b"side")
    };
    std::fs::read_dir("/proc").map_or(0, |all| {
        all.flatten()
            .filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok())
            .filter_map(|e| is(e).then_some(()))
            .count()
    })
}

fn an_interrupt_leaves_no_side() {
    let path = "slow/sleeps/fills";
    // So many rows that none of them is the last one for a long time.
    let sizes: Vec<String> = (1..=200).map(|size| size.to_string()).collect();
    let mut child = command("env")
        // Who runs the tests in the background of a script ignores Ctrl-C, and all that they start with it.
        .arg("--default-signal=INT")
        .arg(program())
        .args([
            "compare",
            path,
            path,
            "--sizes",
            &sizes.join(","),
            "--budget",
            "600",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // As a shell starts it: Ctrl-C is for the whole group.
        .process_group(0)
        .spawn()
        .expect("it starts");
    let wait = |until: &mut dyn FnMut() -> bool| {
        let start = Instant::now();
        while !until() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "it does not come"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait(&mut || sides_of(child.id()) == 3);
    let group = Pid::from_raw(child.id().try_into().expect("a process"));
    killpg(group, Signal::SIGINT).expect("it runs");
    let mut ended = None;
    wait(&mut || {
        ended = child.try_wait().expect("it is a child");
        ended.is_some()
    });
    let ended = ended.expect("it ended");
    assert_eq!(ended.code(), None, "{ended}");
    // Orphans have another parent; by name, none is left that this test began.
    wait(&mut || sides_of(child.id()) == 0 && sides_of(1) == 0);
}

fn calibrate(args: &[&str]) -> Ran {
    let first = [
        "calibrate",
        "healthy/scalar/fills",
        "--one-link",
        "--sizes",
        "512",
    ];
    zoo(&[
        &first[..],
        args,
        &["--format", "json", "--quiet"],
        &records_in(),
    ]
    .concat())
}

/// Ways to compare that leave something out take for a difference what is none, and the whole method does not. (Private arenas make a
/// comparison blind, not wrong, and only for code that minds its pages.)
fn what_each_part_of_the_method_is_good_for() {
    let calibrate = |path: &str, method: &str, nulls: &str| {
        let path = format!("moods/{path}/fills");
        let args = [
            "calibrate",
            &path,
            "--one-link",
            "--sizes",
            "256",
            "--rows",
            "1",
            "--each",
            "0",
        ];
        let more = [
            "--method", method, "--nulls", nulls, "--budget", "30", "--format", "json", "--quiet",
        ];
        let ran = zoo_as("moods", &[&args[..], &more, &records_in()].concat(), b"");
        let report = ran.records();
        let cell = report
            .calibrations()
            .next()
            .unwrap_or_else(|| panic!("{ran:#?}"));
        // A control that moves is an alarm as well: it is the base once more.
        (cell.slower + cell.faster + cell.void, cell.clone())
    };
    for (path, method) in [
        ("by-process", "one-process"),
        ("by-process", "one-placement"),
        ("by-clock", "in-sequence"),
    ] {
        let (alarms, cell) = calibrate(path, method, "12");
        // On a slow machine a side's epochs go over several moods of the clock: then it cannot tell.
        let unclear = if path == "by-clock" {
            cell.inconclusive
        } else {
            0
        };
        assert!(alarms + unclear > 0, "{method}: {cell:?}");
        let (alarms, cell) = calibrate(path, "paired", "3");
        assert_eq!(alarms, 0, "{cell:?}");
    }
}

/// Where records go that nobody is to compare by: another file each time, for a file is written by one run at a time.
fn records_in() -> [&'static str; 2] {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("calibration-{}.jsonl", NEXT.fetch_add(1, Ordering::Relaxed));
    ["--records", scratch(&name).display().to_string().leak()]
}

fn a_method_without_epochs_has_no_verdict() {
    let ran = calibrate(&["--method", "three-rounds", "--nulls", "5", "--each", "0"]);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    let report = ran.records();
    let cell = report.calibrations().next().expect("a cell");
    assert_eq!((cell.inconclusive, cell.comparisons()), (5, 5), "{cell:?}");
    let end = report.end().expect("an end");
    assert!(
        end.verdict
            .contains("of 5 comparisons of equal code none has a verdict: 5 inconclusive, 0 void"),
        "{end:?}"
    );
    let ran = calibrate(&["--method", "by-eye"]);
    assert!(
        ran.exit == Some(2) && ran.stderr.contains("one of paired, private-arena, "),
        "{ran:#?}"
    );
}

/// A path that dies has no comparisons; those of the others go on.
fn what_ends_one_row_ends_no_other() {
    let ran = zoo(&[
        &["calibrate", "deaths/*", "--one-link", "--sizes", "41"][..],
        &["--rows", "100", "--nulls", "14", "--each", "0"],
        &["--budget", "0.2", "--format", "json", "--quiet"],
        &records_in(),
    ]
    .concat());
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let of = |isa: &str| report.paths().find(|row| row.isa == isa);
    let aborts = of("aborts").unwrap_or_else(|| panic!("{ran:#?}"));
    assert_eq!(
        (aborts.state, aborts.cases),
        (State::Failed, 0),
        "{aborts:?}"
    );
    assert!(
        aborts
            .reason
            .as_deref()
            .is_some_and(|why| why.contains("crashed")),
        "{aborts:?}"
    );
    assert!(
        of("scalar").is_some_and(|row| row.state == State::Verified && row.cases > 0),
        "{ran:#?}"
    );
    let end = report.end().expect("an end");
    assert!(end.verdict.contains("; ended early: deaths/"), "{end:?}");
}

/// What cannot be called again and again on one input has a reason, and the others a row each, at however many sizes.
fn what_cannot_be_calibrated_says_why() {
    let ran = zoo(&[
        &["calibrate", "buffers_in_place/*/in_place", "--one-link"][..],
        &["--nulls", "1", "--each", "0"],
        &records_in(),
    ]
    .concat());
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("uses its input up"), "{ran:#?}");
    let ran = calibrate(&["--sizes", "64", "--nulls", "2", "--each", "0"]);
    let report = ran.records();
    let rows: Vec<_> = report.paths().collect();
    assert_eq!((rows.len(), rows[0].cases), (1, 2), "{ran:#?}");
    assert_eq!(report.calibrations().count(), 2, "{ran:#?}");
    for budget in ["--budget=-1", "--budget=NaN", "--budget=1e300"] {
        let ran = calibrate(&[budget]);
        assert_eq!(ran.exit, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains("from 0.1 to 3600 seconds"), "{ran:#?}");
    }
}

#[cfg(target_arch = "x86_64")]
fn a_planted_slowdown_is_counted_and_found() {
    let arguments = [
        "--nulls",
        "2",
        "--each",
        "2",
        "--effects",
        "10",
        "--margin",
        "5",
        "--budget",
        "60",
    ];
    // How many instructions make the effect is found out by looks; where other load misleads those, there is no comparison, but a reason.
    for _ in 0..5 {
        let ran = calibrate(&[&arguments[..], &["--rows", "1"]].concat());
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        let report = ran.records();
        let of = |effect: f64| report.calibrations().find(|cell| cell.effect == effect);
        let none = of(0.0).unwrap_or_else(|| panic!("{ran:#?}"));
        assert_eq!((none.same, none.comparisons()), (2, 2), "{ran:#?}");
        if let Some(planted) = of(0.1) {
            assert_eq!((planted.slower, planted.comparisons()), (2, 2), "{ran:#?}");
            assert!(
                planted.measured.is_some_and(|seen| seen > 0.05),
                "{planted:?}"
            );
            return;
        }
        assert!(
            report
                .figures()
                .any(|f| f.quantity == "slowed" && f.reason.is_some()),
            "{ran:#?}"
        );
    }
    panic!("no number of instructions was found that makes it 10 % slower");
}

fn a_head_of_another_profile_is_refused() {
    // Otherwise it is one of the same profile, and would be built.
    if cfg!(debug_assertions) {
        let ran = compare(&["healthy", "--base", "HEAD"]);
        assert_eq!(ran.exit, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains("`cargo run --release`"), "{ran:#?}");
    }
}

fn a_program_that_is_replaced_ends_its_row() {
    let text = format!("touch \"$0\"; exec '{}' \"$@\"", program().display());
    let ran = against(&script("touched", &text), &[]);
    let row = only(&ran);
    assert_eq!(
        (ran.exit, row.verdict),
        (Some(2), Compared::Void),
        "{ran:#?}"
    );
    assert!(
        row.reason
            .is_some_and(|why| why.contains("is not the file that it was when this run began")),
        "{ran:#?}"
    );
}

/// A client in a repository of its own, so that the target folder and the cache are the test's.
fn a_revision_is_compared_with_itself_outside_of_the_repository() {
    let (top, cache) = (scratch("client"), scratch("cache"));
    std::fs::create_dir_all(top.join("inner")).expect("a folder");
    std::fs::write(top.join(".gitignore"), "target\n").expect("a file");
    std::fs::write(top.join("inner/file"), "").expect("a file");
    let client = top.join("target/zoo");
    std::fs::create_dir(top.join("target")).expect("a folder");
    std::fs::write(top.join("target/CACHEDIR.TAG"), "").expect("a file");
    std::fs::copy(program(), &client).expect("a copy");
    let git = |args: &[&str]| {
        let done = command("git").current_dir(&top).args(args).output();
        assert!(
            done.as_ref().is_ok_and(|done| done.status.success()),
            "{done:?}"
        );
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    let commit = "-c user.name=zoo -c user.email=zoo@localhost commit --quiet -m first";
    git(&commit.split(' ').collect::<Vec<_>>());
    let made = format!(
        r#"pwd >&2; test -e file && echo '{{"reason":"compiler-artifact","executable":"{}"}}'"#,
        client.display()
    );
    let run = || {
        let args = ["compare", "healthy/scalar/fills", "--sizes", "64"];
        let mut command = command(&client);
        command.current_dir(top.join("inner")).args(args);
        command.args(["--base", "HEAD", "--build", &made, "--format", "json"]);
        command.env("XDG_CACHE_HOME", &cache);
        Ran::of(command.output().expect("it runs"))
    };
    let ran = run();
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let mut remarks = report.figures().filter_map(|f| f.reason.as_deref());
    assert!(
        remarks.any(|why| why.contains("nothing is compared but this revision with itself")),
        "{ran:#?}"
    );
    let cache = cache.canonicalize().expect("it was made");
    let built_in = |line: &str| line.starts_with(&*cache.to_string_lossy());
    let mut folders = ran.stderr.lines().filter(|line| built_in(line));
    assert!(
        folders.any(|line| line.ends_with("/tree/inner")),
        "{ran:#?}"
    );
    // What has changes is no revision.
    std::fs::write(top.join("inner/file"), "changed").expect("a file");
    let ran = run();
    assert!(
        ran.exit == Some(0) && !ran.stdout.contains("with itself"),
        "{ran:#?}"
    );
    // One run at a time.
    let lock = top.join("target/harness/base/lock");
    let lock = std::fs::File::open(lock).expect("the lock");
    lock.lock().expect("nobody holds it");
    let ran = run();
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("is in use: process "), "{ran:#?}");
}
