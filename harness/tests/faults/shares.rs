//! The shares of a verification are the whole: no case is lost, and none is in two of them.

use std::collections::BTreeMap;
use std::fs;

use libtest_mimic::Trial;
use pathproof_reports::Report;

use crate::run::{Ran, command, program, scratch, utf8};
use crate::zoo::YOUR_ROW;
use crate::zoo::shares::NOTES;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("shares_have_every_case_of_the_whole_once", || {
            shares_have_every_case_of_the_whole_once();
            Ok(())
        }),
        Trial::test("a_fault_that_one_case_shows_is_found_in_one_share", || {
            a_fault_that_one_case_shows_is_found_in_one_share();
            Ok(())
        }),
        Trial::test("shares_of_a_test_suite_are_its_whole", || {
            shares_of_a_test_suite_are_its_whole();
            Ok(())
        }),
    ]
}

/// `verify` on a path of `zoo::shares`, and the calls that the path noted.
fn verify(name: &str, path: &str, args: &[&str]) -> (Ran, Vec<String>) {
    let notes = scratch(name);
    let mut command = command(program());
    command.env(crate::MAIN, "shares").env(NOTES, &notes);
    command
        .args(["verify", path, "--seed", "1", "--cases", "100"])
        .args(["--quiet", "--format", "json"])
        .args(args);
    let ran = Ran::of(command.output().expect("the zoo runs"));
    let noted = fs::read_to_string(&notes).unwrap_or_default();
    (ran, noted.lines().map(str::to_string).collect())
}

/// How many cases each check had.
fn cases(report: &Report) -> Vec<(String, u64)> {
    let figures = report.figures();
    let cases = figures.filter(|figure| figure.quantity == "cases");
    cases
        .map(|figure| {
            let check = figure.split.clone().unwrap_or_default();
            (check, figure.value.unwrap_or(0.0) as u64)
        })
        .collect()
}

/// What the shares together have more often than the whole, or less often, and by how much.
fn difference<'a>(whole: &'a [String], shares: &[&'a Vec<String>]) -> BTreeMap<&'a str, i32> {
    let mut difference = BTreeMap::new();
    for note in whole {
        *difference.entry(note.as_str()).or_default() -= 1;
    }
    for note in shares.iter().copied().flatten() {
        *difference.entry(note.as_str()).or_default() += 1;
    }
    difference.retain(|_, by| *by != 0);
    difference
}

fn shares_have_every_case_of_the_whole_once() {
    let path = "shared/notes/fills";
    let (ran, whole) = verify("noted", path, &[]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let cases_of_whole = cases(&ran.records());
    assert!(cases_of_whole.len() >= 10, "{cases_of_whole:?}");
    // More than one span of the work, so that shares and spans cross.
    assert!(cases_of_whole.iter().any(|(_, cases)| *cases > 2048));
    for shares in [2, 3, 7] {
        let runs = (1..=shares).map(|share| {
            let of = format!("{share}/{shares}");
            let (ran, noted) = verify(&of.replace('/', " of "), path, &["--shard", &of]);
            assert_eq!(ran.exit, Some(0), "{ran:#?}");
            (cases(&ran.records()), noted)
        });
        let runs: Vec<_> = runs.collect();
        let noted: Vec<_> = runs.iter().map(|(_, noted)| noted).collect();
        assert_eq!(difference(&whole, &noted), BTreeMap::new());
        for (check, all) in &cases_of_whole {
            let of_check = runs.iter().flat_map(|(cases, _)| cases);
            let sum: u64 = of_check.filter(|(of, _)| of == check).map(|(_, n)| n).sum();
            assert_eq!(sum, *all, "{check}");
        }
        // Shares that lose a case, or that have one twice, are told from these.
        let (first, others) = (&noted[0], &noted[1..]);
        let lost = first[1..].to_vec();
        let twice = [&first[..], &first[..1]].concat();
        for (by, faulty) in [(-1, &lost), (1, &twice)] {
            let shares = [&[faulty], others].concat();
            assert_eq!(
                difference(&whole, &shares),
                BTreeMap::from([(first[0].as_str(), by)])
            );
        }
    }
}

/// The row is the fifth of the user's own.
fn a_fault_that_one_case_shows_is_found_in_one_share() {
    let rows = scratch("rows.txt");
    let mut data = b"one row of many!".repeat(4);
    data.extend(YOUR_ROW);
    fs::write(&rows, data).expect("the scratch folder can be written");
    let data = format!("{}:{}", utf8(&rows), YOUR_ROW.len());
    for (shares, finds) in [(2, 1), (3, 2), (7, 5)] {
        for share in 1..=shares {
            let of = format!("{share}/{shares}");
            let args = ["--data", &data, "--shard", &of];
            let (ran, _) = verify("unused", "shared/wrong-for-your-row/fills", &args);
            let found = usize::from(share == finds);
            assert_eq!(ran.exit, Some(found as i32), "{of}: {ran:#?}");
            assert_eq!(ran.records().findings().count(), found, "{of}");
        }
    }
}

/// The same in a `[[test]]`, which is told by its environment.
fn shares_of_a_test_suite_are_its_whole() {
    let suite = |name: &str, shard: Option<&str>| {
        let notes = scratch(name);
        let mut command = command(program());
        command
            .env(crate::MAIN, "shares as tests")
            .env(NOTES, &notes)
            .env("PATHPROOF_SEED", "1")
            .args(["--exact", "shared/notes/fills"]);
        command.envs(shard.map(|shard| ("PATHPROOF_SHARD", shard)));
        let ran = Ran::of(command.output().expect("the zoo runs"));
        let noted = fs::read_to_string(&notes).unwrap_or_default();
        (ran, noted.lines().map(str::to_string).collect::<Vec<_>>())
    };
    let (ran, whole) = suite("noted by tests", None);
    assert!(ran.exit == Some(0) && !whole.is_empty(), "{ran:#?}");
    let shares = ["1/3", "2/3", "3/3"].map(|shard| {
        let (ran, noted) = suite(&format!("noted by {}", &shard[..1]), Some(shard));
        assert!(ran.exit == Some(0) && !noted.is_empty(), "{ran:#?}");
        noted
    });
    assert_eq!(difference(&whole, &shares.each_ref()), BTreeMap::new());
    let (ran, noted) = suite("noted by none", Some("4/3"));
    assert_eq!((ran.exit, noted.len()), (Some(2), 0), "{ran:#?}");
    let says = "PATHPROOF_SHARD=\"4/3\": I/N was expected";
    assert!(ran.stderr.contains(says), "{ran:#?}");
}
