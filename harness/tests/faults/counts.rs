//! Counts are exact, the same in every run, and the same as callgrind's; what has become more of is named.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use libtest_mimic::Trial;
use pathproof_reports::{Figure, PathRow, Receipt, Report, State};

use crate::conditions::with;
use crate::run::{Ran, command, program, scratch, shell, utf8, zoo};

/// Makes tests of functions, under their own names.
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        vec![$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
    };
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = trials![
        counts_are_the_same_in_every_run,
        a_line_is_exact_or_says_by_how_much_it_is_none,
        growth_is_exit_3_and_names_what_was_added,
        what_one_side_alone_has_is_listed,
        a_base_that_has_nothing_of_it_is_exit_4,
        what_cannot_be_counted_is_exit_4,
        what_makes_no_sense_is_exit_2,
        a_call_that_fails_while_it_is_counted_is_a_finding,
        one_call_answers_as_its_path_does,
    ];
    trials.extend([
        with(
            "valgrind",
            "both_counters_agree_and_a_pause_more_is_noticed",
            both_counters_agree_and_a_pause_more_is_noticed,
        ),
        with(
            "valgrind",
            "where_nothing_can_be_stepped_nothing_is_counted",
            where_nothing_can_be_stepped_nothing_is_counted,
        ),
    ]);
    trials
}

fn count(args: &[&str]) -> Ran {
    zoo(&[&["count"], args, &["--quiet", "--format", "json"]].concat())
}

/// The records of a count that must succeed.
#[track_caller]
fn counted(args: &[&str]) -> Report {
    let ran = count(args);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    ran.records()
}

#[track_caller]
fn receipt<'a>(report: &'a Report, path: &str, length: u64) -> &'a Receipt {
    let is = |receipt: &&Receipt| receipt.name() == path && receipt.length == length;
    let found = report.receipts().find(is);
    found.unwrap_or_else(|| panic!("no count of {path} at {length}"))
}

#[track_caller]
fn figure<'a>(report: &'a Report, path: &str, quantity: &str) -> &'a Figure {
    let is = |figure: &&Figure| figure.name() == path && figure.quantity == quantity;
    let found = report.figures().find(is);
    found.unwrap_or_else(|| panic!("no {quantity} of {path}"))
}

/// What is said against a base: path, length, and the reason that says it.
fn against(report: &Report) -> Vec<(String, Option<&str>, &str)> {
    let figures = report.figures();
    figures
        .filter(|figure| figure.quantity == "instructions against base")
        .map(|figure| {
            let reason = figure.reason.as_deref().unwrap_or_default();
            (figure.name(), figure.split.as_deref(), reason)
        })
        .collect()
}

/// A records file of a count, with some words exchanged.
fn base(name: &str, args: &[&str], exchanged: &[(&str, &str)]) -> String {
    let mut text = count(args).stdout;
    for (word, other) in exchanged {
        assert!(text.contains(word), "no {word} in {text}");
        text = text.replace(word, other);
    }
    let path = scratch(&format!("base {name}"));
    fs::write(&path, text).expect("the scratch folder can be written");
    utf8(&path).into()
}

/// Five plain runs, one in a larger environment, one on busy cores. Both deliveries: that which allocates depends on more.
fn counts_are_the_same_in_every_run() {
    let once = |padding: usize| {
        let ran = command(program())
            .args(["count", "counted/scalar", "--format", "json", "--quiet"])
            .env("PADDING", "x".repeat(padding))
            .output();
        let ran = Ran::of(ran.expect("the zoo starts"));
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        let own = |line: &&str| {
            let of = |kind| line.starts_with(&format!("{{\"record\":\"{kind}\""));
            !["machine", "run", "end"].into_iter().any(of)
        };
        let lines: Vec<String> = ran.stdout.lines().filter(own).map(str::to_owned).collect();
        let receipts = lines.iter().filter(|line| line.contains("\"receipt\""));
        assert!(receipts.count() >= 2 * 11, "{lines:#?}");
        lines
    };
    let first = once(0);
    for _ in 1..5 {
        assert_eq!(once(0), first);
    }
    assert_eq!(once(10_000), first, "in a larger environment");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        for _ in 0..cores {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let loaded = std::panic::catch_unwind(|| once(0));
        over.store(true, Relaxed);
        assert_eq!(loaded.ok().as_ref(), Some(&first), "on busy cores");
    });
}

fn a_line_is_exact_or_says_by_how_much_it_is_none() {
    let report = counted(&["counted/*/fills"]);
    let of = |isa: &str, quantity: &str| {
        let figure = figure(&report, &format!("counted/{isa}/fills"), quantity);
        let reason = figure.reason.clone().unwrap_or_default();
        (figure.value.expect("a number"), reason)
    };
    let at =
        |isa: &str, length| receipt(&report, &format!("counted/{isa}/fills"), length).own as f64;
    for isa in ["scalar", "plain", "hesitates", "dawdles"] {
        let (marginal, reason) = of(isa, "instructions, marginal");
        assert_eq!(reason, "exact at 8 lengths", "{isa}");
        let (fixed, _) = of(isa, "instructions, fixed");
        assert_eq!(at(isa, 512), fixed + 8.0 * marginal, "{isa}");
    }
    let (plain, _) = of("plain", "instructions, fixed");
    let (hesitates, _) = of("hesitates", "instructions, fixed");
    assert!(plain < hesitates, "{plain}, and with a pause {hesitates}");
    // Four blocks of 16.
    let dawdles = receipt(&report, "counted/dawdles/fills", 64);
    assert_eq!(dawdles.mnemonics.get("pause"), Some(&4), "{dawdles:?}");

    // What the first call of a process makes is no call's own, of receipts and counts alike.
    let stepped = zoo(&["receipt", "counted/builds-once", "--format", "json"]);
    let pauses = |receipt: &Receipt| receipt.mnemonics.get("pause").copied();
    let lengths =
        [64, 512, 4096].map(|length| receipt(&report, "counted/builds-once/fills", length));
    let taken = stepped.records();
    let all: Vec<&Receipt> = taken.receipts().chain(lengths).collect();
    assert!(
        all.len() > 8 && all.iter().all(|receipt| pauses(receipt).is_none()),
        "{all:#?}"
    );

    let (marginal, reason) = of("depends-on-data", "instructions, marginal");
    assert!(
        marginal > 0.0 && reason.contains("no straight line"),
        "{reason}"
    );
    let off = reason
        .split_whitespace()
        .find(|word| word.starts_with(['+', '-']));
    let off: f64 = off.expect("a number").parse().expect("a number");
    let bytes = reason
        .split_once(" at ")
        .and_then(|(_, rest)| rest.split(' ').next());
    let length: u64 = bytes.expect("a length").parse().expect("a length");
    let (fixed, _) = of("depends-on-data", "instructions, fixed");
    let line = fixed + length as f64 / 64.0 * marginal;
    assert_eq!(at("depends-on-data", length) - line, off, "{reason}");
}

fn growth_is_exit_3_and_names_what_was_added() {
    let plain = "\"isa\":\"plain\"";
    let before = base(
        "plain",
        &["counted/plain"],
        &[(plain, "\"isa\":\"dawdles\"")],
    );
    let ran = count(&["counted/dawdles", "--base", &before]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    let report = ran.records();
    let end = report.end().expect("an end");
    assert_eq!(end.exit, 3);
    for part in ["counted/dawdles/fills at 64 bytes", "pause +4", "11 of 11"] {
        assert!(end.verdict.contains(part), "no {part:?} in {}", end.verdict);
    }
    let said = against(&report);
    let at_64 = said.iter().find(|(_, length, _)| *length == Some("64"));
    let (path, _, reason) = at_64.expect("a row");
    let of = |isa: &str, report: &Report| receipt(report, &format!("counted/{isa}/fills"), 64).own;
    let (less, more) = (
        of("plain", &counted(&["counted/plain"])),
        of("dawdles", &report),
    );
    assert_eq!(path, "counted/dawdles/fills");
    assert!(
        reason.starts_with(&format!("{less} to {more} instructions: ")),
        "{reason}"
    );
    assert!(reason.contains("pause +4"), "{reason}");
    let ratio = report
        .figures()
        .find(|figure| figure.split.as_deref() == Some("64"));
    assert_eq!(
        ratio.and_then(|figure| figure.value),
        Some(more as f64 / less as f64)
    );

    // Within what the policy allows it is told, and no failure.
    let ratios = report.figures().filter_map(|figure| {
        let against = figure.quantity == "instructions against base";
        figure.value.filter(|_| against)
    });
    let most = ratios.fold(0.0, f64::max);
    let allowing = |percent: f64| {
        let percent = percent.to_string();
        count(&[
            "counted/dawdles",
            "--base",
            &before,
            "--tolerance",
            &percent,
        ])
    };
    let growth = 100.0 * (most - 1.0);
    let allowed = allowing(growth + 0.1);
    assert_eq!(allowed.exit, Some(0), "{allowed:#?}");
    assert_eq!(against(&allowed.records()).len(), 11);
    assert_eq!(allowing(growth - 0.1).exit, Some(3));

    // Fewer are told, too.
    let after = base(
        "dawdles",
        &["counted/dawdles"],
        &[("\"isa\":\"dawdles\"", plain)],
    );
    let report = counted(&["counted/plain", "--base", &after]);
    assert!(
        against(&report)
            .iter()
            .all(|(_, _, reason)| reason.contains("gone: "))
    );
    // The same is nothing to tell.
    let same = base("same", &["counted/plain"], &[]);
    assert_eq!(against(&counted(&["counted/plain", "--base", &same])), []);
}

fn what_one_side_alone_has_is_listed() {
    let [plain, scalar] = ["plain", "scalar"].map(|isa| format!("\"isa\":\"{isa}\""));
    // As if it had been counted by another compiler, when a path had another name.
    let older = base(
        "older",
        &["counted/*/fills", "--sizes", "96"],
        &[
            (&plain, "\"isa\":\"planar\""),
            ("\"rustc\":\"", "\"rustc\":\"another than "),
        ],
    );
    let report = counted(&["counted/[ps]*/fills", "--base", &older, "--sizes", "32"]);
    let said = against(&report);
    let says = |path: &str, part: &str| {
        said.iter()
            .any(|(of, _, reason)| of == path && reason.contains(part))
    };
    assert!(
        says("", "the compiler differs") && says("", "another than"),
        "{said:?}"
    );
    assert!(
        says("counted/plain/fills", "not in the base; at 32, 512"),
        "{said:?}"
    );
    assert!(
        says("counted/scalar/fills", "not in the base; at 32"),
        "{said:?}"
    );
    assert!(
        says("counted/scalar/fills", "not counted here; at 96"),
        "{said:?}"
    );
    let gone = "only in the base: this program has no such path; at 96, 512";
    assert!(says("counted/planar/fills", gone), "{said:?}");
    assert!(
        says("", "4 path(s) of the base were not asked for"),
        "{said:?}"
    );

    // As if it had been counted on a CPU that has what this one lacks.
    let other = base(
        "other CPU",
        &["counted/scalar/fills"],
        &[
            (&scalar, "\"isa\":\"avx512\""),
            ("\"features\":[\"sse2\"", "\"features\":[\"dream\""),
        ],
    );
    let ran = count(&["counted/[as]*/fills", "--base", &other]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let report = ran.records();
    let said = against(&report);
    let says = |path: &str, part: &str| {
        let mut said = said.iter();
        said.any(|(of, _, reason)| of == path && reason.contains(part))
    };
    let lacks = "only in the base: not built: the zoo keeps none; at 64";
    assert!(says("counted/avx512/fills", lacks), "{said:?}");
    assert!(says("", "CPU with other features"), "{said:?}");
}

fn a_base_that_has_nothing_of_it_is_exit_4() {
    let other = base("nothing in common", &["counted/plain"], &[]);
    let ran = count(&["counted/dawdles", "--base", &other]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(
        ran.stdout.contains("nothing here has a count in"),
        "{ran:#?}"
    );
    // Peers are counted, and not held against anything.
    let peers = base("a base of peers", &["counted/peer"], &[]);
    let ran = count(&["counted/peer", "--base", &peers]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(receipt(&ran.records(), "counted/peer/fills", 64).peer);
}

fn what_cannot_be_counted_is_exit_4() {
    let ran = count(&["counted/avx512"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let report = ran.records();
    let row = report.paths().next().expect("a row");
    let why = row.reason.as_deref().unwrap_or_default();
    assert!(
        row.state == State::Unavailable && why.contains("the zoo keeps none"),
        "{row:?}"
    );
    let ran = count(&["nothing/*"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("matches no path"), "{ran:#?}");
}

fn where_nothing_can_be_stepped_nothing_is_counted() {
    let ran = command(program())
        .args(["count", "counted/scalar", "--format", "json", "--quiet"])
        .env("PATHPROOF_RUNNER", "valgrind -q")
        .output();
    let ran = Ran::of(ran.expect("the zoo starts"));
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let report = ran.records();
    let rows: Vec<&PathRow> = report.paths().collect();
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter().all(|row| row.state == State::NotExecuted),
        "{rows:?}"
    );
    assert_eq!(report.figures().count(), 4);
    for figure in report.figures() {
        let why = figure.reason.as_deref().unwrap_or_default();
        assert!(figure.value.is_none(), "{figure:?}");
        let says = "not measurable, because the trap flag is swallowed";
        assert!(why.starts_with(says), "{why}");
    }
}

fn what_makes_no_sense_is_exit_2() {
    let no_records = scratch("no records");
    fs::write(&no_records, "{}\n").expect("the scratch folder can be written");
    let nowhere = scratch("nowhere");
    let too_long = ["--sizes", "65537"];
    for (args, says) in [
        (&["--base", utf8(&no_records)], "no records line 1"),
        (&["--base", utf8(&nowhere)], "cannot read"),
        (&["--tolerance", "-1"], "a percentage from 0 on"),
        (&["--tolerance", "inf"], "a percentage from 0 on"),
        (&too_long, "at most 65536"),
    ] {
        let joined = match args {
            ["--tolerance", value] => vec![format!("--tolerance={value}")],
            _ => args.iter().map(ToString::to_string).collect(),
        };
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let ran = zoo(&[&["count", "counted/plain"], &joined[..]].concat());
        assert_eq!(ran.exit, Some(2), "{ran:#?}");
        assert!(
            ran.stdout.is_empty() && ran.stderr.contains(says),
            "{ran:#?}"
        );
    }
    let ran = zoo(&["call", "counted/plain/fills", "65537"]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
}

/// One that ends its process at 41 bytes, and one whose answer is wrong at 11.
fn a_call_that_fails_while_it_is_counted_is_a_finding() {
    for (path, length, verdict) in [
        ("miscounted/aborts/fills", "41", "crashed"),
        ("miscounted/wrong-at-11/fills", "11", "differs"),
    ] {
        let ran = count(&[path, "--sizes", length]);
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
        let report = ran.records();
        let row = report.paths().next().expect("a row");
        assert_eq!((&*row.name(), row.state), (path, State::Failed));
        // What could be counted is.
        assert!(receipt(&report, path, 4096).own > 0);
        let finding = report.findings().next().expect("a finding");
        assert_eq!((&*finding.name(), &*finding.verdict), (path, verdict));
        assert!(
            finding.detail.contains(&format!("({length} plain bytes)")),
            "{finding:?}"
        );
        assert_eq!(shell(&finding.command).exit, Some(1), "{finding:?}");
    }
}

fn one_call_answers_as_its_path_does() {
    let quiet = |args: &[&str]| zoo(&[&["call"], args].concat());
    for (args, exit, says) in [
        (
            &["counted/plain/fills", "64"][..],
            0,
            "counted/plain/fills was called on 64 bytes",
        ),
        (
            &["counted/plain/fills", "64", "--empty"],
            0,
            "an empty path like counted/plain/fills",
        ),
        (&["counted/peer/fills", "64"], 0, "was called"),
        (&["counted/plane/fills", "64"], 4, "counted/plain/fills"),
        (&["counted/avx512/fills", "64"], 4, "the zoo keeps none"),
        (&["miscounted/wrong-at-11/fills", "11"], 1, "differs"),
        (
            &["miscounted/wrong-at-11/fills", "11", "--empty"],
            1,
            "differs",
        ),
    ] {
        let ran = quiet(args);
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        assert!(
            ran.stdout.is_empty() && ran.stderr.contains(says),
            "{ran:#?}"
        );
    }
}

/// Instructions that callgrind sees of one call, as `call --help` has it counted.
fn callgrind(path: &str, length: u64, also: &[&str]) -> u64 {
    let ran = command("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=pathproof_window"])
        .args(["--toggle-collect=pathproof_pause"])
        .arg("--toggle-collect=pathproof::receipt::empty*")
        .arg(program())
        .args(["call", path, &length.to_string(), "--quiet"])
        .args(also)
        .output();
    let ran = Ran::of(ran.expect("valgrind was there a moment ago"));
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let collected = ran
        .stderr
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.unwrap_or_else(|| panic!("no number in {ran:#?}"));
    number.trim().parse().expect("a number")
}

fn both_counters_agree_and_a_pause_more_is_noticed() {
    const LENGTHS: [u64; 2] = [1, 512];
    let isas = ["scalar", "plain", "hesitates", "depends-on-data"];
    let path = |isa: &str| format!("counted/{isa}/fills");
    let report = counted(&["counted/*/fills", "--sizes", "1"]);
    let empty = callgrind(&path("plain"), 1, &["--empty"]);
    assert_eq!(empty, callgrind(&path("plain"), 512, &["--empty"]));
    let seen = isas.map(|isa| LENGTHS.map(|length| callgrind(&path(isa), length, &[]) - empty));
    let stepped = isas.map(|isa| {
        LENGTHS.map(|length| {
            let receipt = receipt(&report, &path(isa), length);
            receipt.own + receipt.elsewhere
        })
    });
    assert_eq!(seen, stepped, "{isas:?} at {LENGTHS:?} bytes");
    // A fault of the counters' own: one of them sees a single instruction more.
    let [_, plain, hesitates, _] = seen;
    let pauses = |isa| {
        receipt(&report, &path(isa), 1)
            .mnemonics
            .get("pause")
            .copied()
    };
    assert_eq!((pauses("plain"), pauses("hesitates")), (None, Some(1)));
    assert_ne!([plain, hesitates], [stepped[2], stepped[1]]);
    assert!(
        LENGTHS
            .iter()
            .enumerate()
            .all(|(i, _)| plain[i] != stepped[2][i])
    );
}
