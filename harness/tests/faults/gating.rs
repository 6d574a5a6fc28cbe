//! The gate: what a policy allows passes, what it does not fails in the row that says so, and a mistake in it is told with its line.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use pathproof_reports::{Gate, Gated};

use crate::run::{Ran, command, program, scratch, shell};

pub(crate) fn trials() -> Vec<Trial> {
    let mut all: Vec<(&str, fn())> = vec![
        ("what_is_right_passes", what_is_right_passes),
        ("a_wrong_answer_fails", a_wrong_answer_fails),
        (
            "a_promised_path_that_is_gone_fails",
            a_promised_path_that_is_gone_fails,
        ),
        (
            "a_required_path_that_cannot_run_fails",
            a_required_path_that_cannot_run_fails,
        ),
        (
            "a_mistake_in_a_policy_is_told_with_its_line",
            a_mistake_in_a_policy_is_told_with_its_line,
        ),
        (
            "the_environment_does_not_change_a_policy",
            the_environment_does_not_change_a_policy,
        ),
        ("github_is_told", github_is_told),
        (
            "no_earlier_verdict_stands_for_this_one",
            no_earlier_verdict_stands_for_this_one,
        ),
        (
            "two_gates_do_not_share_a_folder",
            two_gates_do_not_share_a_folder,
        ),
    ];
    #[cfg(target_os = "linux")]
    all.extend([
        (
            "what_is_slower_twice_fails",
            linux::what_is_slower_twice_fails as fn(),
        ),
        (
            "a_base_that_is_none_is_no_pass",
            linux::a_base_that_is_none_is_no_pass,
        ),
    ]);
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    all.extend([
        (
            "a_broken_promise_fails_by_its_receipt",
            stepped::a_broken_promise_fails_by_its_receipt as fn(),
        ),
        (
            "instructions_that_are_added_fail",
            stepped::instructions_that_are_added_fail,
        ),
        (
            "a_score_below_the_policys_fails",
            stepped::a_score_below_the_policys_fails,
        ),
    ]);
    let trial = |(name, test): (&str, fn())| {
        Trial::test(format!("gating_{name}"), move || {
            test();
            Ok(())
        })
    };
    all.into_iter().map(trial).collect()
}

/// A policy in a folder of its own, and where its gate writes.
struct Policy {
    file: PathBuf,
    out: PathBuf,
}

impl Policy {
    fn new(name: &str, text: &str) -> Self {
        let folder = scratch(&format!("gate {name}"));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("gate.toml");
        fs::write(&file, text).expect("a policy");
        Self {
            file,
            out: folder.join("out"),
        }
    }

    fn beside(&self, name: &str, text: &str) {
        fs::write(self.file.with_file_name(name), text).expect("a file");
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = command(program());
        // What CI sets is for its own steps.
        for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        command
            .args(["gate", "--format", "json", "--seed", "7", "--policy"])
            .arg(&self.file);
        command.arg("--out").arg(&self.out).args(args);
        Ran::of(command.output().expect("the gate runs"))
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

fn rows(ran: &Ran) -> Vec<Gated> {
    ran.records().gated().cloned().collect()
}

/// The rows that do not pass: check, subject, exit.
fn not_passed(ran: &Ran) -> Vec<(String, String, u8)> {
    let rows = rows(ran)
        .into_iter()
        .filter(|row| row.verdict != Gate::Passes);
    rows.map(|row| (row.check, row.subject, row.exit)).collect()
}

fn triple(check: &str, subject: &str, exit: u8) -> (String, String, u8) {
    (check.into(), subject.into(), exit)
}

/// The one row that fails, and the exit of the command that it prints.
fn fails(ran: &Ran, check: &str, subject: &str, exit: u8) -> Gated {
    assert_eq!(ran.exit, Some(exit.into()), "{ran:#?}");
    assert_eq!(not_passed(ran), [triple(check, subject, exit)], "{ran:#?}");
    let row = rows(ran).into_iter().find(|row| row.verdict == Gate::Fails);
    row.expect("a row that fails")
}

fn what_is_right_passes() {
    let policy = Policy::new(
        "right",
        "[verification]\nfilter = \"healthy/*\"\ncases = 50\nrequire = [\"scalar\", \"healthy/scalar/returns\"]\npromised = \"paths.txt\"\n",
    );
    // One that cannot run here is there all the same.
    policy.beside(
        "paths.txt",
        "# what healthy has\nhealthy/scalar/fills\n\nhealthy/neon/fills\n",
    );
    let ran = policy.run(&[], &[]);
    assert_eq!((ran.exit, not_passed(&ran)), (Some(0), vec![]), "{ran:#?}");
    let checks: Vec<String> = rows(&ran)
        .iter()
        .map(|row| format!("{} of {}", row.check, row.subject))
        .collect();
    let want = [
        "verification of healthy",
        "required of scalar",
        "required of healthy/scalar/returns",
        "promised of all paths",
    ];
    for want in want {
        assert!(checks.iter().any(|row| row == want), "{want}: {checks:?}");
    }
    let end = ran.records();
    let verdict = &end.end().expect("an end").verdict;
    assert!(verdict.starts_with("the gate passes: "), "{verdict}");
    assert!(
        verdict.ends_with("not asked for: counts, times, mutation"),
        "{verdict}"
    );
    // What stands in the files is what was said.
    assert_eq!(
        policy.written("gate.jsonl").lines().count(),
        ran.stdout.lines().count()
    );
    assert!(policy.written("verification.jsonl").contains("healthy"));
    assert!(policy.written("summary.md").contains("healthy"));
    assert!(policy.written("index.html").contains("healthy"));
    assert!(policy.written("junit.xml").contains("<testsuite"));
}

fn a_wrong_answer_fails() {
    let policy = Policy::new(
        "wrong",
        "[verification]\nfilter = \"answers/wrong-t*/fills\"\ncases = 50\n",
    );
    let ran = policy.run(&[], &[]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let of = ["answers/wrong-tail/fills", "answers/wrong-table/fills"];
    assert_eq!(
        not_passed(&ran),
        of.map(|name| triple("verification", name, 1)),
        "{ran:#?}"
    );
    for row in rows(&ran) {
        assert!(row.found.starts_with("differs: "), "{row:?}");
        let again = shell(row.command.as_deref().expect("a command"));
        assert_eq!(again.exit, Some(1), "{again:#?}");
        assert!(
            again
                .records()
                .findings()
                .any(|of| of.name() == row.subject),
            "{again:#?}"
        );
    }
}

fn a_promised_path_that_is_gone_fails() {
    let policy = Policy::new(
        "promised",
        "[verification]\nfilter = \"healthy/*\"\ncases = 50\npromised = \"paths.txt\"\n",
    );
    policy.beside("paths.txt", "healthy/scalar/fills\nhealthy/sse9/fills\n");
    let ran = policy.run(&[], &[]);
    let row = fails(&ran, "promised", "healthy/sse9/fills", 4);
    let again = shell(row.command.as_deref().expect("a command"));
    assert_eq!(again.exit, Some(4), "{again:#?}");
    let report = again.records();
    let verdict = &report.end().expect("an end").verdict;
    assert!(
        verdict.contains("healthy/sse9/fills is promised, and this program has no such path"),
        "{verdict}"
    );
    // The list that the program writes is one that it keeps.
    let names = crate::run::zoo(&["list", "healthy/*", "--names"]);
    policy.beside("paths.txt", &names.stdout);
    assert_eq!(policy.run(&[], &[]).exit, Some(0));
    assert_eq!(names.stdout.lines().count(), 4, "{names:#?}");
}

fn a_required_path_that_cannot_run_fails() {
    let policy = Policy::new(
        "required",
        "[verification]\nfilter = \"healthy/*\"\ncases = 50\nrequire = [\"neon\", \"scalar\"]\n",
    );
    let ran = policy.run(&[], &[]);
    let row = fails(&ran, "required", "neon", 4);
    assert!(
        row.found.contains("healthy/neon/fills is unavailable: "),
        "{row:?}"
    );
    let again = shell(row.command.as_deref().expect("a command"));
    assert_eq!(again.exit, Some(4), "{again:#?}");
    // By the command line too, beyond what the policy requires.
    let policy = Policy::new(
        "requires",
        "[verification]\nfilter = \"healthy/*\"\ncases = 50\n",
    );
    let ran = policy.run(&["--require", "neon,scalar"], &[]);
    fails(&ran, "required", "neon", 4);
    let ran = policy.run(&["--require", "noen"], &[]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("--require noen: no operation has a path of that name; the nearest are neon"),
        "{ran:#?}"
    );
}

fn a_mistake_in_a_policy_is_told_with_its_line() {
    let verification = "[verification]\nfilter = \"healthy/*\"\n";
    let too_little = "\n[times]\nbase = \"HEAD\"\n";
    for (text, line, why) in [
        (
            "[verification]\ncases = 50\nfitler = \"*\"\n",
            3,
            "unknown field `fitler`",
        ),
        (
            "[verification]\nfilter = \"healthy/*\"\ncases = \"many\"\n",
            3,
            "invalid type",
        ),
        ("[verification\n", 1, ""),
        (
            "[verification]\n\nrequire = [\n  \"scalar\",\n  \"sclaar\",\n]\n",
            5,
            "sclaar: no operation has a path of that name; the nearest are scalar",
        ),
        (
            "[verification]\nrequire = [\"healthy/scalar/flils\"]\n",
            2,
            "the nearest are healthy/scalar/fills",
        ),
        (
            "[verification]\nfilter = \"nothing/*\"\n",
            2,
            "matches no path",
        ),
        ("[verification]\nfilter = \"[\"\n", 2, "at character"),
        (
            &format!(
                "{verification}[counts]\ntolerance = 1\n[counts.tolerances]\nhaelthy = 2\n{too_little}"
            ),
            6,
            "haelthy: no operation of this program; the nearest are healthy",
        ),
        (
            &format!("{verification}{too_little}margin = 0.001\n"),
            6,
            "from 0.05 to 50 percent",
        ),
        ("[mutation]\nscore = 101\n", 2, "from 0 to 100 percent"),
    ] {
        let policy = Policy::new("mistaken", text);
        let ran = policy.run(&[], &[]);
        assert_eq!(
            (ran.exit, ran.stdout.as_str()),
            (Some(2), ""),
            "{text}: {ran:#?}"
        );
        let place = format!("error: {}:{line}: ", policy.file.display());
        assert!(
            ran.stderr.contains(&place) && ran.stderr.contains(why),
            "{text}: {}",
            ran.stderr
        );
    }
    // What is no matter of a line.
    for (text, args, why) in [
        ("", &[][..], "it asks for nothing"),
        ("[counts]\ntolerance = 1\n", &[], "[counts] needs a base"),
        ("[mutation]\n", &[], "[mutation] asks for nothing"),
        ("[times]\n", &[], "with what are times compared?"),
        (
            verification,
            &["--only", "tmies"],
            "--only tmies: no such check",
        ),
        (
            verification,
            &["--only", "times"],
            "has no section of that name",
        ),
        (
            "[verification]\npromised = \"absent.txt\"\n",
            &[],
            "cannot read the promised paths",
        ),
    ] {
        let ran = Policy::new("empty", text).run(args, &[]);
        assert_eq!(ran.exit, Some(2), "{text}: {ran:#?}");
        assert!(ran.stderr.contains(why), "{text}: {}", ran.stderr);
    }
    let mut absent = Policy::new("absent", "");
    absent.file = Path::new("no/such/gate.toml").into();
    let ran = absent.run(&[], &[]);
    assert!(
        ran.exit == Some(2) && ran.stderr.contains("--policy FILE names another"),
        "{ran:#?}"
    );
}

fn the_environment_does_not_change_a_policy() {
    let policy = Policy::new(
        "environment",
        "[verification]\nfilter = \"answers/wrong-table/fills\"\ncases = 50\n",
    );
    let ran = policy.run(
        &[],
        &[
            ("PATHPROOF_FORMAT", "md"),
            ("PATHPROOF_SHARD", "1/100000000"),
            ("PATHPROOF_TIMEOUT", "nonsense"),
        ],
    );
    fails(&ran, "verification", "answers/wrong-table/fills", 1);
}

fn github_is_told() {
    let policy = Policy::new(
        "github",
        "[verification]\nfilter = \"answers/wrong-table/fills\"\ncases = 50\n",
    );
    let summary = policy.file.with_file_name("summary of the step.md");
    fs::write(&summary, "what was there\n").expect("a file");
    let place = summary.display().to_string();
    let ran = policy.run(
        &[],
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", &place)],
    );
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let annotation = ran.stderr.lines().find(|line| line.starts_with("::error "));
    assert!(
        annotation.is_some_and(|line| line.contains("answers/wrong-table/fills")),
        "{}",
        ran.stderr
    );
    let told = fs::read_to_string(&summary).expect("the summary");
    assert!(
        told.starts_with("what was there\n") && told.contains("answers/wrong-table/fills"),
        "{told}"
    );
    // A summary that cannot be written is no reason to lose the verdict.
    let ran = policy.run(&[], &[("GITHUB_STEP_SUMMARY", "/no/such/folder/summary")]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    assert!(
        ran.stderr.contains("cannot write GITHUB_STEP_SUMMARY"),
        "{ran:#?}"
    );
}

fn no_earlier_verdict_stands_for_this_one() {
    let text = "[verification]\nfilter = \"healthy/*\"\ncases = 50\n";
    let policy = Policy::new("earlier", text);
    assert_eq!(policy.run(&[], &[]).exit, Some(0));
    let files = [
        "gate.jsonl",
        "verification.jsonl",
        "summary.md",
        "junit.xml",
        "index.html",
    ];
    assert!(files.iter().all(|file| policy.out.join(file).is_file()));
    fs::write(policy.out.join("notes.md"), "mine").expect("a file");
    fs::write(&policy.file, format!("{text}cases = 51\n")).expect("a policy");
    assert_eq!(policy.run(&[], &[]).exit, Some(2));
    assert!(!files.iter().any(|file| policy.out.join(file).exists()));
    assert_eq!(policy.written("notes.md"), "mine");
}

fn two_gates_do_not_share_a_folder() {
    let policy = Policy::new(
        "shared",
        "[verification]\nfilter = \"healthy/*\"\ncases = 50\n",
    );
    fs::create_dir_all(&policy.out).expect("a folder");
    let lock = fs::File::create(policy.out.join("lock")).expect("a file");
    lock.lock().expect("a lock");
    let ran = policy.run(&[], &[]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(
        ran.stderr.contains("another gate is writing to "),
        "{ran:#?}"
    );
    drop(lock);
    assert_eq!(policy.run(&[], &[]).exit, Some(0));
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::comparing::script;

    /// The zoo of moods is in another mood as a base.
    fn base() -> String {
        let text = format!("unset ZOO_MOOD; exec '{}' \"$@\"", program().display());
        script("base in another mood", &text).display().to_string()
    }

    const SLOW: [(&str, &str); 2] = [(crate::MAIN, "moods"), ("ZOO_MOOD", "slow")];

    pub(super) fn what_is_slower_twice_fails() {
        let policy = Policy::new(
            "slower",
            "[times]\nfilter = \"moods/by-name/fills\"\nmargin = 20.0\nbudget = 30\nsizes = [64, 512]\n",
        );
        let base = base();
        let ran = policy.run(&["--base-bin", &base], &SLOW);
        assert_eq!(ran.exit, Some(3), "{ran:#?}");
        let of =
            ["64", "512"].map(|size| triple("times", &format!("moods/by-name/fills at {size}"), 3));
        assert_eq!(not_passed(&ran), of, "{ran:#?}");
        for row in rows(&ran) {
            // Both measurements are shown.
            assert!(
                row.found.starts_with("slower by +")
                    && row.found.contains("; once more: slower by +"),
                "{row:?}"
            );
            assert_eq!(row.allowed, "slower by at most 20 %");
            let command = row.command.as_deref().expect("a command");
            assert!(
                command.contains(" compare moods/by-name/fills --base-bin ")
                    && command.contains(" --sizes "),
                "{command}"
            );
        }
        assert!(policy.written("times-again-2.jsonl").contains("\"slower\""));
        // Beside a base in the same mood, nothing is.
        let ran = policy.run(&["--base-bin", &base], &SLOW[..1]);
        assert_eq!((ran.exit, not_passed(&ran)), (Some(0), vec![]), "{ran:#?}");
    }

    pub(super) fn a_base_that_is_none_is_no_pass() {
        let base = script("no client", "exit 0").display().to_string();
        let text = "[times]\nfilter = \"moods/by-name/fills\"\nsizes = [64]\n";
        let policy = Policy::new("no base", text);
        let ran = policy.run(&["--base-bin", &base], &SLOW);
        fails(&ran, "times", "moods/by-name/fills at 64", 4);
        // Where that is allowed there is still nothing that was compared.
        let policy = Policy::new("no base allowed", &format!("{text}allow-no-base = true\n"));
        let ran = policy.run(&["--base-bin", &base], &SLOW);
        assert_eq!((ran.exit, not_passed(&ran)), (Some(0), vec![]), "{ran:#?}");
        assert!(
            rows(&ran).iter().any(|row| row.found == "1 no base"),
            "{ran:#?}"
        );
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod stepped {
    use super::*;
    use crate::comparing::script;

    pub(super) fn a_broken_promise_fails_by_its_receipt() {
        let policy = Policy::new(
            "receipt",
            "[verification]\nfilter = \"names/avx512-is-avx2/fills\"\ncases = 50\nreceipts = true\n",
        );
        let ran = policy.run(&[], &[]);
        let row = fails(&ran, "receipts", "names/avx512-is-avx2/fills", 1);
        assert!(row.found.starts_with("promise not kept: "), "{row:?}");
        let again = shell(row.command.as_deref().expect("a command"));
        assert_eq!(again.exit, Some(1), "{again:#?}");
    }

    pub(super) fn instructions_that_are_added_fail() {
        // Against records.
        let base = crate::run::zoo(&["count", "counted/plain", "--format", "json"]);
        let text = "[counts]\nfilter = \"counted/dawdles\"\nbase = \"base.jsonl\"\n";
        let policy = Policy::new("counts", text);
        policy.beside(
            "base.jsonl",
            &base
                .stdout
                .replace("\"isa\":\"plain\"", "\"isa\":\"dawdles\""),
        );
        let ran = policy.run(&[], &[]);
        assert_eq!(ran.exit, Some(3), "{ran:#?}");
        let row = rows(&ran).into_iter().next().expect("a row");
        assert!(
            row.check == "counts" && row.found.contains("pause +"),
            "{row:?}"
        );
        let again = shell(row.command.as_deref().expect("a command"));
        assert_eq!(again.exit, Some(3), "{again:#?}");
        let wide = Policy::new(
            "counts of one",
            &format!("{text}[counts.tolerances]\ncounted = 10000\n"),
        );
        wide.beside(
            "base.jsonl",
            &fs::read_to_string(policy.file.with_file_name("base.jsonl")).expect("the base"),
        );
        let ran = wide.run(&[], &[]);
        assert_eq!((ran.exit, not_passed(&ran)), (Some(0), vec![]), "{ran:#?}");

        // On both sides of a comparison, whose times may differ by as much.
        let base = script(
            "base that counts",
            &format!("unset ZOO_MOOD; exec '{}' \"$@\"", program().display()),
        );
        let policy = Policy::new(
            "counts of both",
            "[counts]\n[times]\nfilter = \"moods/by-name/fills\"\nmargin = 50\nsizes = [64]\n",
        );
        let args = [
            "--base-bin",
            &base.display().to_string(),
            "--only",
            "counts",
        ];
        let ran = policy.run(&args, &[(crate::MAIN, "moods"), ("ZOO_MOOD", "slow")]);
        let row = fails(&ran, "counts", "moods/by-name/fills at 64", 3);
        assert!(row.found.ends_with(" instructions"), "{row:?}");
        let command = row.command.expect("a command");
        assert!(
            command.contains(" gate --only counts --policy "),
            "{command}"
        );
        let ran = policy.run(&args, &[(crate::MAIN, "moods")]);
        assert_eq!((ran.exit, not_passed(&ran)), (Some(0), vec![]), "{ran:#?}");
    }

    pub(super) fn a_score_below_the_policys_fails() {
        let gate = |text: &str| {
            let text = format!("[mutation]\nfilter = \"independent/ssse3/fills\"\n{text}");
            Policy::new("mutation", &text).run(&[], &[(crate::MAIN, "mutants")])
        };
        let ran = gate("score = 100\n");
        let row = fails(&ran, "mutation", "independent/ssse3/fills", 1);
        assert!(row.found.contains(" noticed ("), "{row:?}");
        let ran = gate("score = 50\n");
        assert_eq!((ran.exit, not_passed(&ran)), (Some(0), vec![]), "{ran:#?}");
        let ran = gate("accepted-only = true\n");
        let row = fails(&ran, "mutation", "independent/ssse3/fills", 1);
        assert!(
            row.found.contains("that nobody has accepted, such as "),
            "{row:?}"
        );
    }
}
