//! Each fault of the zoo is found, is named rightly, does not harm its siblings, and is repeated by the command that is printed.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use pathproof_reports::{Finding, State};

use crate::run::{Family, shell, zoo};

/// A wrong path, and what is to be said of it.
struct Fault {
    path: &'static str,
    verdict: &'static str,
    /// What the line about it says: where, and what else is known.
    says: &'static [&'static str],
}

const fn fault(path: &'static str, verdict: &'static str, says: &'static [&'static str]) -> Fault {
    Fault {
        path,
        verdict,
        says,
    }
}

/// Where the harness can tell a stack overflow from another bad address.
const OVERFLOW: &str = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    "a stack overflow"
} else {
    ""
};

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    // The least input with a tail of 9 to 11 bytes has 9; of the last byte's digits the first differs.
    fault("answers/wrong-tail/fills", "differs", &["at byte 16 of 18"]),
    fault("answers/wrong-table/fills", "differs", &["at byte", "of 2"]),
    fault("answers/wrong-lane/fills", "differs", &["at byte 22 of 24"]),
    fault("answers/too-short/fills", "differs", &["at byte 31, and the length is 31; expected 32"]),
    fault("answers/too-long/fills", "differs", &["at byte 74, and the length is 75; expected 74"]),
    fault("answers/ors-into-output/fills", "differs", &["at byte", "of 2"]),
    fault("answers/skips-a-byte/fills", "differs", &["at byte 1 of 2"]),
    fault("answers/trims/returns", "differs", &["at byte 1, and the length is 1; expected 2"]),
    fault("answers/saturates/fills", "differs", &["at byte 0 of 130"]),
    fault("long/wrong-when-long/fills", "differs", &["at byte"]),
    fault("long/wrong-when-longer/fills", "differs", &["at byte 34000 of"]),
    fault("pairs/wrong-pair/fills", "differs", &["at byte 0 of 194"]),

    fault("memory/reads-before/fills", "read outside", &["input by 1 before its start"]),
    fault("memory/reads-after/fills", "read outside", &["input by 1 beyond its end"]),
    fault("memory/writes-before/fills", "wrote outside", &["output by 1 before its start"]),
    fault("memory/writes-after/fills", "wrote outside", &["output by 1 beyond its end"]),
    fault("memory/writes-after-in-page/fills", "wrote outside", &["output by 1 beyond its end"]),
    fault("memory/writes-input/fills", "wrote outside", &["input byte 20"]),
    fault("memory/depends-on-alignment/fills", "differs", &["at byte 0 of 2"]),
    fault("memory/depends-on-neighbour/fills", "differs", &["at byte 1 of 2"]),
    fault("memory/depends-on-a-digit/fills", "differs", &["at byte 1 of 2"]),

    fault("deaths/panics/fills", "panicked", &["a table has no row for this length"]),
    fault("deaths/aborts/fills", "crashed", &["SIGABRT", "it said: double free of a scratch buffer"]),
    fault("deaths/exits/fills", "crashed", &["exit status: 0"]),
    fault("deaths/overflows/fills", "crashed", &["SIGSEGV", OVERFLOW]),
    #[cfg(target_arch = "x86_64")]
    fault("deaths/illegal/fills", "crashed", &["SIGILL"]),
    fault("stuck/loops/fills", "timed out", &["no answer within 0.5 s"]),

    fault("state/counts-to-7/fills", "differs", &["only after 6 other call(s), so it keeps state between calls"]),
    fault("state/counts-to-1009/fills", "differs", &["the case alone does not fail", "keeps state between calls"]),
    fault("state/remembers/fills", "differs", &["at byte 0", "only after 1 other call(s), so it keeps state between calls"]),

    fault("refusals/wrong-position/fills", "differs", &["says bad_digit at 4 (", "expected bad_digit at 3 ("]),
    fault("refusals/wrong-detail/fills", "differs", &["says bad_digit at", "expected bad_digit at"]),
    fault("refusals/wrong-kind/fills", "differs", &["says odd_length at 16; expected bad_digit at 16"]),
    fault("refusals/accepts-high/fills", "differs", &["says 3 byte(s); expected bad_digit at 5"]),
    fault("refusals/accepts-colon/fills", "differs", &["says 1 byte(s); expected bad_digit at"]),
    fault("refusals/refuses-valid/fills", "differs", &["says bad_digit at 31 (55); expected 16 byte(s)"]),
    fault("refusals/overlooks/fills", "differs", &["says 512 byte(s); expected bad_digit at 100"]),
    fault("refusals/backwards/in_place", "differs", &["at byte 4 of 9"]),

    fault("room/says-another-size/fills", "differs", &["says no_room (", "expected no_room ("]),
    fault("room/panics-when-short/fills", "panicked", &["out of range"]),
    fault("room/cuts/fills", "differs", &["says an empty answer; expected no_room"]),
    fault("room/starts-before-it-looks/fills", "broke a law", &["byte 0 of", "was written, and the answer has"]),
    fault("room/ends-with-a-zero/fills", "broke a law", &["was written, and the answer has 0"]),

    fault("threads/wrong-half/fills", "differs", &["at byte", "of 2"]),
    fault("threads/reads-after/fills", "read outside", &["input by 1 beyond its end"]),
    fault("threads/both-read-after/fills", "read outside", &["input by 1 beyond its end"]),
    fault("threads/panics-in-pool/fills", "panicked", &["a half of 9 bytes or more"]),

    fault("bounded/wrong-at-the-end/fills", "differs", &["at byte 0 of 600"]),
    fault("chunked/wrong-where-cuts-descend/returns", "differs", &["at byte 2 of 4", "found by: random"]),
    fault("rows/wrong-for-a-row/fills", "differs", &["at byte 8 of 32"]),
    fault("rows/wrong-for-your-row/fills", "differs", &["at byte 8 of 32"]),
    fault("rotate/wrong-for-5/returns", "differs", &["at byte 0 of 1"]),
    fault("find/trusts-two-bytes/returns", "differs", &["at byte 0"]),
    fault("find/reads-after-needle/returns", "read outside", &["part 1 by 1 beyond its end"]),
    fault("broken_law/scalar/fills", "broke a law", &["\"decode(encode(x)) = x\": byte 0 comes back as 0x", "and was 0x"]),
    fault("broken_law/scalar/returns", "broke a law", &["\"decode(encode(x)) = x\": byte 0 comes back as 0x", "and was 0x"]),
    fault("peers/wrong-peer/fills", "differs", &["at byte 16 of 18"]),
];

/// The operations that have no fault that `verify` is asked for here: healthy ones, and those of which other tests ask.
const WITHOUT_FAULT: &[&str] = &[
    "healthy",
    "kept_law",
    "strict",
    "chatty",
    "slow",
    "reference_panics",
    "reference_aborts",
    "no_capacity",
    "counted",
    "miscounted",
];

static FAMILIES: [Family; 17] = [
    Family::new("answers"),
    Family::new("long"),
    // Of all pairs at all offsets one pair at all offsets, which is index 0x28c3 of each; of the other checks next to nothing.
    Family::with("pairs", &["--exhaustive", "--shard", "10436/65536"]),
    Family::new("memory"),
    Family::new("deaths"),
    Family::with("stuck", &["--shard", "1/7", "--timeout", "0.5"]),
    Family::new("state"),
    Family::new("refusals"),
    Family::new("room"),
    Family::new("threads"),
    Family::new("bounded"),
    Family::new("chunked"),
    Family::with(
        "rows",
        &["--shard", "1/7", "--data", "tests/faults/own-rows.txt:16"],
    ),
    Family::new("rotate"),
    Family::new("find"),
    Family::with("*_law", &["--shard", "1/31"]),
    Family::new("peers"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let faults = FAULTS.iter().map(|fault| {
        Trial::test(fault.path, || {
            fault.is_found();
            Ok(())
        })
    });
    let mut trials: Vec<Trial> = faults.collect();
    trials.push(Trial::test("every_path_of_the_zoo_is_tested", || {
        every_path_of_the_zoo_is_tested();
        Ok(())
    }));
    trials.push(Trial::test("lists_are_made_small_and_read_again", || {
        lists_are_made_small_and_read_again();
        Ok(())
    }));
    trials.push(Trial::test("every_check_finds_something", || {
        every_check_finds_something();
        Ok(())
    }));
    trials
}

impl Fault {
    fn family(&self) -> &'static Family {
        let operation = operation(self.path);
        let family = FAMILIES.iter().find(|family| {
            family.filter == operation || operation.ends_with(family.filter.trim_start_matches('*'))
        });
        family.unwrap_or_else(|| panic!("no family runs {}", self.path))
    }

    fn is_found(&self) {
        let family = self.family();
        let ran = family.ran();
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
        assert_eq!(family.report().end().map(|end| end.exit), Some(1));

        let findings = family.findings(self.path);
        let [finding] = findings[..] else {
            panic!("not one finding of {}, but {findings:#?}", self.path)
        };
        self.is_told_by(finding);
        let row = family.row(self.path);
        assert_eq!(row.state, State::Failed, "{row:?}");
        assert_eq!(row.peer, self.path.contains("peer/"), "{row:?}");

        // The ledger for people says the same, and how to repeat it.
        let line = ran.stdout.lines().find(|line| line.starts_with(self.path));
        let line = line.unwrap_or_else(|| panic!("no row of {} in {}", self.path, ran.stdout));
        assert!(line.contains(" failed "), "{line}");
        for part in [
            format!("{}: {}: {}", self.verdict, self.path, finding.detail),
            format!("repeat  {}", finding.command),
        ] {
            assert!(
                ran.stdout.lines().any(|line| line.trim() == part),
                "no line {part:?} in {}",
                ran.stdout
            );
        }

        self.leaves_its_siblings_alone(family);
        self.is_repeated_by(&finding.command);
    }

    fn is_told_by(&self, finding: &Finding) {
        assert_eq!(finding.verdict, self.verdict, "{finding:#?}");
        for part in self.says {
            assert!(finding.detail.contains(part), "no {part:?} in {finding:#?}");
        }
    }

    /// The healthy paths of the same run have been through all of its cases, whatever became of the others.
    fn leaves_its_siblings_alone(&self, family: &Family) {
        let of = match operation(self.path) {
            "broken_law" => "kept_law",
            of => of,
        };
        let rows = || family.report().paths().filter(|row| row.operation == of);
        let healthy: Vec<_> = rows().filter(|row| row.isa == "scalar").collect();
        assert!(!healthy.is_empty(), "{:#?}", family.ran());
        let most = rows().map(|row| row.cases).max();
        for row in healthy {
            assert_eq!(row.state, State::Verified, "{row:?}");
            assert_eq!(Some(row.cases), most.filter(|cases| *cases > 0), "{row:?}");
        }
    }

    fn is_repeated_by(&self, command: &str) {
        let again = shell(command);
        assert_eq!(again.exit, Some(1), "{command}\n{again:#?}");
        let records = again.records();
        let repeated = |finding: &&Finding| finding.name() == self.path;
        match records.findings().find(repeated) {
            Some(finding) => assert_eq!(finding.verdict, self.verdict, "{command}\n{finding:#?}"),
            None => panic!("{command}\ndoes not repeat it: {again:#?}"),
        }
    }
}

fn operation(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// Names of paths with no fault, in operations that have some.
pub(crate) const HEALTHY: [&str; 6] = [
    "scalar",
    "scalar/auto",
    "scalar/pairs",
    "scalar/long",
    "avx2",
    "good-peer",
];

/// A wrong path that no test asks for would prove nothing.
fn every_path_of_the_zoo_is_tested() {
    let listed = zoo(&["list", "--format", "json"]).records();
    let wrong = listed
        .paths()
        .filter(|row| !WITHOUT_FAULT.contains(&row.operation.as_str()))
        .filter(|row| !HEALTHY.contains(&row.isa.as_str()))
        .map(|row| row.name());
    let tested = FAULTS.iter().map(|fault| fault.path.to_string());
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    let tested = tested.chain(crate::receipts::tested());
    let tested = tested.filter(|path| operation(path) != "broken_law");
    assert_eq!(
        wrong.collect::<BTreeSet<_>>(),
        tested.collect::<BTreeSet<_>>()
    );
}

/// The two numbers that matter are left of a list; and a token may have an empty one.
fn lists_are_made_small_and_read_again() {
    let path = "chunked/wrong-where-cuts-descend/returns";
    let fault = FAULTS.iter().find(|fault| fault.path == path);
    let family = fault.expect("a fault").family();
    let [finding] = family.findings(path)[..] else {
        panic!("not one finding of {path}: {:#?}", family.ran())
    };
    assert!(finding.token.contains(":cuts=1,0:"), "{finding:#?}");
    let token = "chunked:s5.9.random:cuts=:in=end:out=end";
    let ran = zoo(&["replay", &crate::conditions::token(token), "--quiet"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
}

/// For each kind of check there is a fault that it is the first to find: no other one had to do its work.
fn every_check_finds_something() {
    let reports = || FAMILIES.iter().map(Family::report);
    let figures = reports().flat_map(|report| report.figures());
    let checks: BTreeSet<&str> = figures
        .filter(|figure| figure.quantity == "cases")
        .filter_map(|figure| figure.split.as_deref())
        .collect();
    let found_by = |finding: &'static Finding| {
        let (_, check) = finding.detail.rsplit_once("(found by: ")?;
        check.split([';', ')']).next()
    };
    let finders: BTreeSet<&str> = reports()
        .flat_map(|report| report.findings())
        .filter_map(found_by)
        .collect();
    assert_eq!(checks, finders);
    assert!(checks.len() >= 12, "{checks:?}");
}
