//! A score can be low: a verification that leaves something out, or whose reference shares a table with the kernel, notices less, and
//! what it does not notice lives where it does not look. And what becomes of survivors that are accepted, and of those that are not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::OnceLock;

use libtest_mimic::Trial;
use pathproof_reports::{Record, Report, State, Survivor};

use crate::conditions::{is_refused, with};
use crate::run::{Ran, command, program, scratch, utf8};
use crate::zoo::mutants::{ONLY, SURVIVORS};

/// Makes tests of functions, under their own names.
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        vec![$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
    };
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = trials![
        a_whole_verification_scores_high,
        without_its_lengths_it_lets_the_tail_be_wrong,
        without_tails_it_lets_the_tail_be_wrong,
        a_reference_that_shares_the_table_changes_with_it,
        survivors_are_named_and_accepted_and_no_longer_true,
        a_list_that_is_none_is_exit_2,
        too_many_accepted_survivors_are_exit_1,
        mutants_that_do_not_come_back_are_ended,
        a_path_that_is_wrong_is_not_changed,
        what_cannot_run_is_a_row_or_exit_4,
        what_paths_share_is_tried_once,
        the_shares_are_the_whole,
        the_shares_of_paths_that_share_code_are_the_whole,
    ];
    trials.push(with(
        "valgrind",
        "where_nothing_can_be_stepped_nothing_is_changed",
        where_nothing_can_be_stepped_nothing_is_changed,
    ));
    trials
}

/// `mutate` on the operations of `zoo::mutants`, with what the environment is to say besides.
fn mutate(args: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = command(program());
    command
        .env(crate::MAIN, "mutants")
        .envs(environment.iter().copied());
    command
        .args(["mutate", "--quiet", "--format", "json"])
        .args(args);
    Ran::of(command.output().expect("the zoo runs"))
}

/// One operation alone, without a filter.
fn alone(operation: &str, more: &[(&str, &str)]) -> Ran {
    mutate(&[], &[&[(ONLY, operation)], more].concat())
}

/// The mutants of one path, and what became of them.
struct Score {
    mutants: u64,
    killed: u64,
    /// In the order of the records.
    survivors: Vec<Survivor>,
}

impl Score {
    fn of(path: &str, args: &[&str], exit: i32) -> Self {
        let ran = mutate(&[&[path], args].concat(), &[]);
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        let report = ran.records();
        let figure = |quantity: &str| {
            let whole = report
                .figures()
                .find(|figure| figure.quantity == quantity && figure.split.is_none());
            whole
                .and_then(|figure| figure.value)
                .unwrap_or_else(|| panic!("no {quantity} in {ran:#?}")) as u64
        };
        let score = Self {
            mutants: figure("mutants"),
            killed: figure("mutants killed"),
            survivors: survivors(&report),
        };
        assert_eq!(score.mutants - score.killed, score.survivors.len() as u64);
        score
    }

    fn percent(&self) -> f64 {
        100.0 * self.killed as f64 / self.mutants as f64
    }

    fn places(&self) -> BTreeSet<Place<'_>> {
        self.survivors.iter().map(place).collect()
    }

    /// Survivors that a lesser verification has in addition.
    fn beyond<'a>(&'a self, whole: &Score) -> Vec<&'a Survivor> {
        let known = whole.places();
        let fresh = self
            .survivors
            .iter()
            .filter(|survivor| !known.contains(&place(survivor)));
        fresh.collect()
    }
}

type Place<'a> = (&'a str, u64, &'a str);

fn place(survivor: &Survivor) -> Place<'_> {
    (&survivor.function, survivor.offset, &survivor.change)
}

fn survivors(report: &Report) -> Vec<Survivor> {
    let survivors = report.records.iter().filter_map(|record| match record {
        Record::Survivor(survivor) => Some(survivor.clone()),
        _ => None,
    });
    survivors.collect()
}

/// Every mutant is tried in one share and in no other: the numbers add up, and so do the survivors.
fn the_shares_are_the_whole() {
    let (path, whole) = ("independent/ssse3/fills", whole());
    let shares = ["1/3", "2/3", "3/3"].map(|share| {
        let score = Score::of(path, &["--shard", share], 1);
        assert!(
            score.mutants > 0 && score.mutants < whole.mutants,
            "{share}"
        );
        score
    });
    let sum = |of: fn(&Score) -> u64| shares.iter().map(of).sum::<u64>();
    assert_eq!(sum(|score| score.mutants), whole.mutants);
    assert_eq!(sum(|score| score.killed), whole.killed);
    let survivors: Vec<_> = shares.iter().flat_map(Score::places).collect();
    assert_eq!(survivors.len(), whole.survivors.len());
    assert_eq!(BTreeSet::from_iter(survivors), whole.places());
}

/// What is tried under another path is tried there in the same share.
fn the_shares_of_paths_that_share_code_are_the_whole() {
    let mutants = |args: &[&str]| {
        let ran = mutate(&[&["shares_code_*"], args].concat(), &[]);
        assert!([Some(0), Some(1)].contains(&ran.exit), "{ran:#?}");
        let report = ran.records();
        let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
        for figure in report.figures() {
            let key = (figure.operation.clone(), figure.quantity.clone());
            let whole = figure.split.is_none() || figure.quantity == "mutants of another path";
            *sums.entry(key).or_default() += figure.value.filter(|_| whole).unwrap_or(0.0);
        }
        (sums, survivors(&report))
    };
    let (whole, survivors) = mutants(&[]);
    let (mut sums, mut places): (BTreeMap<_, f64>, _) = (BTreeMap::new(), Vec::new());
    for share in ["1/2", "2/2"] {
        let (share, survivors) = mutants(&["--shard", share]);
        for (key, value) in share {
            *sums.entry(key).or_default() += value;
        }
        places.extend(survivors);
    }
    assert_eq!(sums, whole);
    let sorted = |survivors: &[Survivor]| {
        let mut places: Vec<String> = survivors
            .iter()
            .map(|survivor| format!("{:?}", place(survivor)))
            .collect();
        places.sort();
        places
    };
    assert_eq!(sorted(&places), sorted(&survivors));
}

fn is_of_tail(survivor: &Survivor) -> bool {
    survivor.function.ends_with("::tail")
}

/// What every other verification is held against.
fn whole() -> &'static Score {
    static WHOLE: OnceLock<Score> = OnceLock::new();
    WHOLE.get_or_init(|| Score::of("independent/ssse3/fills", &[], 1))
}

/// Seen: 92% in a build with debug assertions, 97% in an optimised one; what lives is spare moves and checks of lengths.
fn a_whole_verification_scores_high() {
    let whole = whole();
    assert!(
        whole.percent() > 85.0,
        "{:.1} %: {:#?}",
        whole.percent(),
        whole.survivors
    );
    // Of the table and of the other constants every bit matters, and it is looked at.
    for kind in ["constant", "operands swapped", "condition inverted"] {
        let of_kind = |survivor: &&Survivor| survivor.change.starts_with(kind);
        assert_eq!(whole.survivors.iter().find(of_kind), None);
    }
}

/// Lengths are those of the three sweeps, of shapes and of random cases. What is left is rows of one length, four blocks.
fn without_its_lengths_it_lets_the_tail_be_wrong() {
    let lengths = "flush end,flush start,aligned,shapes,random";
    let lesser = Score::of("independent/ssse3/fills", &["--without", lengths], 0);
    is_lower_by_the_tail(&lesser, whole());
    // Not for want of cases: the loop over blocks is still seen through.
    let of_shuffles = |survivor: &&Survivor| survivor.instruction.starts_with("pshufb");
    assert_eq!(lesser.survivors.iter().find(of_shuffles), None);
}

/// The lengths that it has up to 512 are all there are: every other check is left out, of both.
fn without_tails_it_lets_the_tail_be_wrong() {
    let sweeps = ["--without", "shapes,random,mutated,positions"];
    let whole = Score::of("independent/ssse3/fills", &sweeps, 0);
    let lesser = Score::of("whole_blocks/ssse3/fills", &sweeps, 0);
    // Receipts see a shorter tail, with fewer jumps that are taken.
    assert!(whole.mutants.abs_diff(lesser.mutants) < 10);
    is_lower_by_the_tail(&lesser, &whole);
}

#[track_caller]
fn is_lower_by_the_tail(lesser: &Score, whole: &Score) {
    assert!(
        lesser.percent() + 5.0 < whole.percent(),
        "{:.1} % and {:.1} %",
        lesser.percent(),
        whole.percent()
    );
    // The tail, and the caller that finds it.
    let fresh = lesser.beyond(whole);
    let elsewhere = |survivor: &&&Survivor| survivor.function.ends_with("::blocks");
    assert!(
        fresh.iter().filter(|of| is_of_tail(of)).count() > 8,
        "{fresh:#?}"
    );
    assert!(fresh.iter().filter(elsewhere).count() <= 4, "{fresh:#?}");
    // The very instructions that make a tail's text.
    let stores = fresh
        .iter()
        .filter(|of| is_of_tail(of) && of.instruction.starts_with("mov ["));
    assert!(stores.count() >= 2, "{fresh:#?}");
    assert_eq!(whole.beyond(lesser), Vec::<&Survivor>::new());
}

/// With answers after the change it is right whatever the table says; with answers before, the table is on trial.
fn a_reference_that_shares_the_table_changes_with_it() {
    let of_table = |score: &Score| {
        let constants = score
            .survivors
            .iter()
            .filter(|survivor| survivor.change.starts_with("constant"));
        constants.count()
    };
    let shared = "shares_table/ssse3/fills";
    let before = Score::of(shared, &[], 1);
    let after = Score::of(shared, &["--answers-after"], 0);
    let independent = Score::of("independent/ssse3/fills", &["--answers-after"], 0);
    // 16 letters, each changed in three ways.
    assert_eq!(
        [&before, &independent, &after].map(of_table),
        [0, 0, 48],
        "{:#?}",
        after.survivors
    );
    assert!(
        after.percent() + 10.0 < independent.percent(),
        "{:.1} % and {:.1} %",
        after.percent(),
        independent.percent()
    );
}

/// A list as `--write` gives it, each survivor with a reason.
fn accepted(name: &str, operation: &str, change: impl Fn(String) -> String) -> String {
    let path = scratch(name);
    let ran = mutate(&["--write", utf8(&path)], &[(ONLY, operation)]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let drafted = fs::read_to_string(&path).expect("it was written");
    // A draft is to be looked at before it is taken.
    let draft = alone(operation, &[(SURVIVORS, utf8(&path))]);
    assert_eq!(draft.exit, Some(2), "{draft:#?}");
    let list = drafted.replace("reason = \"\"", "reason = \"equivalent\"");
    assert_ne!(list, drafted, "it survives nothing");
    fs::write(&path, change(list)).expect("the scratch folder can be written");
    utf8(&path).into()
}

fn survivors_are_named_and_accepted_and_no_longer_true() {
    let ran = alone("accepted", &[]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let found = survivors(&ran.records());
    let idle = found.iter().find(|survivor| {
        survivor.function.ends_with("::looked_up") && survivor.change == "immediate ^ 0x01"
    });
    let idle = idle.unwrap_or_else(|| panic!("{found:#?}"));
    assert!(
        idle.offset > 0
            && !idle.bytes.is_empty()
            && idle.instruction.starts_with("mov ")
            && idle.accepted.is_none(),
        "{idle:?}"
    );
    let source = idle.source.as_deref().expect("line tables");
    assert!(
        source.starts_with("harness/tests/faults/zoo/mutants.rs:"),
        "{source}"
    );
    assert!(ends(&ran).contains("survivor(s) that nobody has accepted"));
    // For people, too.
    let mut people = command(program());
    people.env(crate::MAIN, "mutants").env(ONLY, "accepted");
    let people = Ran::of(
        people
            .args(["mutate", "--quiet"])
            .output()
            .expect("the zoo runs"),
    );
    assert_eq!(people.exit, Some(1), "{people:#?}");
    let at = format!("{:#x}", idle.offset);
    for part in [
        "looked_up",
        &at,
        &idle.instruction,
        source,
        "immediate ^ 0x01",
    ] {
        assert!(people.stdout.contains(part), "no {part:?} in {people:#?}");
    }

    let list = accepted("accepted.toml", "accepted", |list| list);
    let ran = alone("accepted", &[(SURVIVORS, &list)]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let again = survivors(&ran.records());
    assert_eq!(again.len(), found.len());
    assert!(
        again
            .iter()
            .all(|of| of.accepted.as_deref() == Some("equivalent"))
    );

    // One more than there is; of two, one depends on the heap.
    let path = scratch("more.toml");
    for (reason, exit) in [("speed", 1), ("memory", 0)] {
        let more = format!(
            "{}\n[[survivor]]\nfunction = {:?}\nchanges = [\"ret: nop\"]\nreason = {reason:?}\nnote = \"\"\n",
            fs::read_to_string(&list).expect("it is there"),
            idle.function,
        );
        fs::write(&path, more).expect("the scratch folder can be written");
        let ran = alone("accepted", &[(SURVIVORS, utf8(&path))]);
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        let gone = "1 accepted survivor(s) do not live any longer (";
        assert_eq!(ends(&ran).contains(gone), exit == 1, "{ran:#?}");
        assert_eq!(
            ends(&ran).contains("looked_up: ret: nop"),
            exit == 1,
            "{ran:#?}"
        );
    }

    // One less.
    let all = fs::read_to_string(&list).expect("it is there");
    let (rest, _) = all.rsplit_once("\n[[survivor]]").expect("there are some");
    fs::write(&path, rest).expect("the scratch folder can be written");
    let ran = alone("accepted", &[(SURVIVORS, utf8(&path))]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    assert!(
        ends(&ran).contains("survivor(s) that nobody has accepted")
            && !ends(&ran).contains("any longer"),
        "{ran:#?}"
    );

    // Of another compiler, or another build: all of it is void.
    for (key, other) in [("rustc", "rustc 1.0.0"), ("build", "opt-level 0")] {
        let line = all
            .lines()
            .find(|line| line.starts_with(key))
            .expect("a line of it");
        fs::write(&path, all.replace(line, &format!("{key} = {other:?}")))
            .expect("the scratch folder can be written");
        let ran = alone("accepted", &[(SURVIVORS, utf8(&path))]);
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
        assert!(
            ends(&ran).contains(&format!("{} survivor(s) that nobody", found.len())),
            "{ran:#?}"
        );
        assert!(
            ends(&ran).contains("accepted survivors are of the code of")
                && ends(&ran).contains(other),
            "{ran:#?}"
        );
    }
}

/// The sentence at the end of a run.
fn ends(ran: &Ran) -> String {
    let report = ran.records();
    let end = report.records.iter().find_map(|record| match record {
        Record::End(end) => Some(end.verdict.clone()),
        _ => None,
    });
    end.unwrap_or_else(|| panic!("no end in {ran:#?}"))
}

fn a_list_that_is_none_is_exit_2() {
    let path = scratch("none.toml");
    for (text, says) in [
        ("rustc = 1", "line 1"),
        (
            "\n\n[[survivor]]\nfunction = \"f\"\nchanges = [\"ret: nop\"]\nreason = \"tired\"\nnote = \"\"\n",
            "line 6",
        ),
    ] {
        fs::write(&path, text).expect("the scratch folder can be written");
        let ran = alone("accepted", &[(SURVIVORS, utf8(&path))]);
        is_refused(&ran, 2, &["accepted survivors", says]);
    }
}

fn too_many_accepted_survivors_are_exit_1() {
    let list = accepted("hollow.toml", "hollow", |list| list);
    let ran = alone("hollow", &[(SURVIVORS, &list)]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    assert!(
        ends(&ran).contains("of all mutants, more than 10 %") && !ends(&ran).contains("nobody"),
        "{ran:#?}"
    );
}

/// One of them would go round in circles for ever, one would wait for ever.
fn mutants_that_do_not_come_back_are_ended() {
    let ran = alone("stuck", &[]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let found = survivors(&ran.records());
    let lives = |function: &str, instruction: &str, change: &str| {
        found.iter().any(|of| {
            of.function.ends_with(function)
                && of.instruction.starts_with(instruction)
                && of.change == change
        })
    };
    assert!(!lives("::counts_down", "dec ", "nop"), "{found:#?}");
    assert!(
        !lives("::waits_at", "j", "condition inverted"),
        "{found:#?}"
    );
}

fn a_path_that_is_wrong_is_not_changed() {
    let ran = alone("wrong", &[]);
    is_refused(
        &ran,
        2,
        &[
            "wrong/scalar/returns is wrong before anything is changed",
            "verify",
        ],
    );
}

fn what_cannot_run_is_a_row_or_exit_4() {
    let ran = alone("one_is_absent", &[]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let rows: Vec<_> = report.paths().map(|row| (row.name(), row.state)).collect();
    assert_eq!(
        rows,
        [("one_is_absent/avx1024/returns".into(), State::Unavailable)]
    );
    let ran = alone("all_are_absent", &[]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    assert!(ends(&ran).contains("none of these paths can run here"));
    let ran = mutate(&["indepnedent"], &[]);
    is_refused(
        &ran,
        4,
        &[
            "\"indepnedent\" matches no path",
            "nearest are independent/",
        ],
    );
    let ran = mutate(&["independent", "--without", "lengths"], &[]);
    is_refused(
        &ran,
        2,
        &["--without \"lengths\"", "flush end, flush start"],
    );
}

/// Under the first that is asked for: alone, each has all of its mutants. Nothing gets lost between them.
fn what_paths_share_is_tried_once() {
    let (first, second) = ("shares_code_first", "shares_code_second");
    let counts = |filter: &str, operation: &str| {
        let ran = mutate(&[filter], &[]);
        assert!([Some(0), Some(1)].contains(&ran.exit), "{ran:#?}");
        let report = ran.records();
        let of = |quantity: &str| -> f64 {
            let figures = report.figures().filter(|figure| {
                let whole = figure
                    .split
                    .as_deref()
                    .is_none_or(|split| split.starts_with(first));
                figure.operation == operation && figure.quantity == quantity && whole
            });
            figures.filter_map(|figure| figure.value).sum()
        };
        let dead = "dead bits of constants, left out";
        let own = of("mutants") + of(dead);
        (own, of("mutants of another path"), report)
    };
    let (alone, left, _) = counts(second, second);
    assert_eq!(left, 0.0);
    let (own, left, report) = counts("shares_code_*", second);
    assert!(own > 0.0 && left > 0.0, "{own} {left}");
    assert_eq!(own + left, alone);
    let shared = report
        .figures()
        .find(|f| f.quantity == "mutants of another path");
    let why = shared.and_then(|figure| figure.reason.as_deref());
    assert!(
        why.is_some_and(|why| why.contains("that it shares with shares_code_first/")),
        "{why:?}"
    );
    let (alone, ..) = counts(first, first);
    let (own, left, _) = counts("shares_code_*", first);
    assert_eq!((own, left), (alone, 0.0));
}

fn where_nothing_can_be_stepped_nothing_is_changed() {
    let ran = alone("accepted", &[("PATHPROOF_RUNNER", "valgrind -q")]);
    is_refused(
        &ran,
        2,
        &["mutants cannot be made", "the trap flag is swallowed here"],
    );
}
