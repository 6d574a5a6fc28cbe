//! Each impostor is named by what it executes, by `receipt` and by `verify`, and does not harm its siblings; and where nothing can
//! be stepped, that is said.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use libtest_mimic::Trial;
use pathproof_reports::{Finding, Receipt, Report, State};

use crate::findings::HEALTHY;
use crate::run::{Ran, shell, zoo, zoo_behind};
use crate::zoo::impostors::{LONG, upper_halves_are_told};

/// A path that is not what it says, and what is to be said of it.
struct Impostor {
    path: &'static str,
    /// What is found, and what the line about that says.
    found: &'static [(&'static str, &'static [&'static str])],
}

const fn impostor(
    path: &'static str,
    found: &'static [(&'static str, &'static [&'static str])],
) -> Impostor {
    Impostor { path, found }
}

#[rustfmt::skip]
const IMPOSTORS: &[Impostor] = &[
    impostor("names/avx512-is-avx2/fills", &[
        ("promise not kept", &["execute avx512bw", "on 16 bytes executes none: avx2 ", "encode_avx2", "at lengths 16, 17, 33, 513"]),
        ("another path's code", &["the code of names/avx2/fills", "harness/tests/faults/zoo/impostors.rs:"]),
    ]),
    impostor("names/falls-to-scalar/fills", &[
        ("promise not kept", &["execute avx2", "on 513 bytes executes none: x86-64 ", "codec::encode_with"]),
        ("another path's code", &["the code of names/scalar/fills", "harness/tests/faults/zoo/codec.rs:"]),
    ]),
    impostor("names/sse2-is-scalar/fills", &[
        ("promise not kept", &["execute sse2", "at lengths 64, 65, 129, 513"]),
        ("another path's code", &["the code of names/scalar/fills"]),
    ]),
    impostor("names/sse2-by-accident/fills", &[("another path's code", &["the code of names/scalar/fills"])]),
    impostor("names/runs-reference/returns", &[("another path's code", &["the code of the reference", "codec.rs:"])]),
    impostor("names/inlines-reference/returns", &[("another path's code", &["the code of the reference", "codec.rs:"])]),

    impostor("buffers/vec-and-copy/fills", &[
        ("allocates", &["calloc", "free"]),
        ("copies", &["on 513 bytes, with an answer of 1026, copies 1026 bytes"]),
    ]),
    impostor("buffers/kept-and-copy/fills", &[("copies", &["with an answer of 1026, copies 1026 bytes"])]),
    impostor("buffers/stack-and-copy/fills", &[("copies", &["with an answer of 1026, copies 1024 bytes"])]),
    impostor("buffers/scratch/fills", &[("allocates", &["malloc", "(1 allocation(s), 16 bytes)"])]),
    impostor("buffers_in_place/vec-and-copy/in_place", &[
        ("allocates", &["malloc", "free"]),
        ("copies", &["on 513 bytes, with an answer of 513, copies 1026 bytes"]),
    ]),
    impostor("buffers_in_place/kept-and-copy/in_place", &[("copies", &["with an answer of 513, copies 1026 bytes"])]),
    impostor("buffers_in_place/scratch/in_place", &[("allocates", &["malloc", "(1 allocation(s), 16 bytes)"])]),

    impostor("convention/clobbers-r12/fills", &[("calling convention", &["impostors::clobbers_r12 returns with r12 changed"])]),
    impostor("convention/clobbers-rbx/fills", &[("calling convention", &["impostors::clobbers_rbx returns with rbx changed"])]),
    impostor("convention/leaves-direction/fills", &[("calling convention", &["impostors::leaves_direction returns with the direction flag set"])]),
    impostor("convention/rounds-up/fills", &[("calling convention", &["MXCSR from 0x1f80 to 0x5f80"])]),
    impostor("convention/leaves-mmx/fills", &[("calling convention", &["`emms` is missing"])]),
    impostor(UPPERS, &[("calling convention", &["`vzeroupper` is missing"])]),

    impostor("features/scalar-with-avx2/fills", &[("forbidden feature", &["no more than what every CPU of this target has, and needs avx: v", " in faults::zoo::impostors::encode_avx2+0x", "(harness/tests/faults/zoo/"])]),
    impostor("features/scalar-with-bmi2/fills", &[("forbidden feature", &["needs bmi2: pdep ", " in faults::zoo::impostors::encode_bmi2+0x", "(harness/tests/faults/zoo/"])]),

    impostor("stepped/crashes/fills", &[("crashed", &["while it was stepped: ", "(SIGSEGV) at address 0x8"])]),
    impostor("stepped/loops/fills", &[("timed out", &["while it was stepped: ", "no answer within 2 s"])]),
];

const UPPERS: &str = "convention/leaves-uppers/fills";

/// A family of impostors: one run of each verb, for all tests that look at it.
struct Family {
    operation: &'static str,
    args: &'static [&'static str],
    receipt: OnceLock<(Ran, Report)>,
    verify: OnceLock<(Ran, Report)>,
}

static FAMILIES: [Family; 6] = [
    Family::new("names", &[]),
    Family::new("buffers", &[]),
    Family::new("buffers_in_place", &[]),
    Family::new("convention", &[]),
    Family::new("features", &[]),
    Family::new("stepped", &["--timeout", "2"]),
];

impl Family {
    const fn new(operation: &'static str, args: &'static [&'static str]) -> Self {
        Self {
            operation,
            args,
            receipt: OnceLock::new(),
            verify: OnceLock::new(),
        }
    }

    fn of(path: &str) -> &'static Self {
        let (operation, _) = path.split_once('/').expect("a path's name");
        let family = FAMILIES.iter().find(|family| family.operation == operation);
        family.unwrap_or_else(|| panic!("no family runs {path}"))
    }

    fn run(&self, verb: &str, more: &[&str]) -> (Ran, Report) {
        let fixed = [verb, self.operation, "--quiet", "--format", "json"];
        let ran = zoo(&[&fixed, self.args, more].concat());
        let report = ran.records();
        (ran, report)
    }

    fn receipt(&self) -> &(Ran, Report) {
        self.receipt.get_or_init(|| self.run("receipt", &[]))
    }

    /// Of the cases next to none: every one of them agrees.
    fn verify(&self) -> &(Ran, Report) {
        let few = ["--shard", "1/71", "--cases", "10", "--seed", "1"];
        self.verify.get_or_init(|| self.run("verify", &few))
    }
}

impl Impostor {
    /// Why it cannot be told here, if it cannot.
    fn untold(&self) -> Option<&'static str> {
        let lacks = |isa: &str| {
            let needs = [
                "avx512-is-avx2",
                "falls-to-scalar",
                "leaves-uppers",
                "scalar-with-avx2",
            ];
            match isa {
                "scalar-with-bmi2" => !is_x86_feature_detected!("bmi2"),
                isa => needs.contains(&isa) && !is_x86_feature_detected!("avx2"),
            }
        };
        let isa = self.path.split('/').nth(1).unwrap_or_default();
        if lacks(isa) {
            Some("this CPU lacks what the path needs")
        } else if self.path == UPPERS && !upper_halves_are_told() {
            Some("this CPU does not say whether upper halves of vector registers are in use")
        } else {
            None
        }
    }

    fn is_named(&self) {
        let family = Family::of(self.path);
        self.is_named_by(family.receipt());
        self.is_named_by(family.verify());
        let finding = self.findings(&family.receipt().1)[0];
        let again = shell(&finding.command);
        assert_eq!(again.exit, Some(1), "{}\n{again:#?}", finding.command);
        let again = again.records();
        assert_eq!(self.kinds(&again), self.kinds(&family.receipt().1));
    }

    fn is_named_by(&self, (ran, report): &(Ran, Report)) {
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
        assert_eq!(report.end().map(|end| end.exit), Some(1));
        let kinds: BTreeSet<&str> = self.found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(self.kinds(report), kinds, "{ran:#?}");
        for finding in self.findings(report) {
            let (_, says) = self
                .found
                .iter()
                .find(|(kind, _)| *kind == finding.verdict)
                .expect("seen above");
            for part in *says {
                assert!(finding.detail.contains(part), "no {part:?} in {finding:#?}");
            }
            assert!(finding.command.contains(" receipt '"), "{finding:#?}");
            // Its paths begin with their packages.
            assert!(
                !finding.detail.contains(env!("CARGO_MANIFEST_DIR")),
                "{finding:#?}"
            );
        }
        let row = report.paths().find(|row| row.name() == self.path);
        assert_eq!(row.map(|row| row.state), Some(State::Failed), "{row:?}");
    }

    fn findings<'a>(&self, report: &'a Report) -> Vec<&'a Finding> {
        let findings = report.findings();
        findings
            .filter(|finding| finding.name() == self.path)
            .collect()
    }

    fn kinds<'a>(&self, report: &'a Report) -> BTreeSet<&'a str> {
        let findings = self.findings(report);
        let kinds: BTreeSet<&str> = findings
            .iter()
            .map(|finding| finding.verdict.as_str())
            .collect();
        assert_eq!(
            kinds.len(),
            findings.len(),
            "a kind is told once: {findings:#?}"
        );
        kinds
    }
}

/// The names of all impostors.
pub(crate) fn tested() -> impl Iterator<Item = String> {
    IMPOSTORS.iter().map(|impostor| impostor.path.to_string())
}

pub(crate) fn trials() -> Vec<Trial> {
    let test = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let named = IMPOSTORS.iter().map(|impostor| {
        let trial = Trial::test(impostor.path, || {
            impostor.is_named();
            Ok(())
        });
        match impostor.untold() {
            None => trial,
            Some(why) => trial.with_ignored_flag(true).with_kind(why),
        }
    });
    let mut trials: Vec<Trial> = named.collect();
    trials.extend([
        test(
            "nothing_else_is_found_of_impostors",
            nothing_else_is_found_of_impostors,
        ),
        test(
            "siblings_of_impostors_have_their_receipts",
            siblings_of_impostors_have_their_receipts,
        ),
        test(
            "a_long_call_is_cut_and_verified",
            a_long_call_is_cut_and_verified,
        ),
        test("receipts_have_every_form", receipts_have_every_form),
        test("no_peer_has_a_receipt", no_peer_has_a_receipt),
        test("a_refusal_has_a_receipt", a_refusal_has_a_receipt),
        crate::conditions::with(
            "valgrind",
            "without_stepping_no_receipt_is_a_pass",
            without_stepping_no_receipt_is_a_pass,
        ),
    ]);
    trials
}

/// All runs of both verbs.
fn runs() -> impl Iterator<Item = &'static (Ran, Report)> {
    let of = |family: &'static Family| [family.receipt(), family.verify()];
    FAMILIES.iter().flat_map(of)
}

/// What `receipt` and `verify` find is what is planted.
fn nothing_else_is_found_of_impostors() {
    let planted: BTreeSet<(&str, &str)> = IMPOSTORS
        .iter()
        .flat_map(|impostor| {
            impostor
                .found
                .iter()
                .map(|(kind, _)| (impostor.path, *kind))
        })
        .collect();
    for (ran, report) in runs() {
        for finding in report.findings() {
            let name = finding.name();
            assert!(
                planted.contains(&(name.as_str(), finding.verdict.as_str())),
                "{finding:#?}\n{}",
                ran.stderr
            );
        }
    }
}

fn siblings_of_impostors_have_their_receipts() {
    for (ran, report) in runs() {
        let rows = report
            .paths()
            .filter(|row| HEALTHY.contains(&row.isa.as_str()) && row.state != State::Unavailable);
        let mut any = false;
        for row in rows {
            any = true;
            assert_eq!(row.state, State::Verified, "{row:?}\n{ran:#?}");
            let receipt = row.receipt.as_deref().unwrap_or_default();
            assert!(receipt.starts_with("at "), "{row:?}");
            assert!(receipts(report, &row.name()).any(|receipt| receipt.length == LONG as u64));
        }
        assert!(any, "{ran:#?}");
    }
}

fn receipts<'a>(report: &'a Report, name: &str) -> impl Iterator<Item = &'a Receipt> {
    report
        .receipts()
        .filter(move |receipt| receipt.name() == name)
}

fn a_long_call_is_cut_and_verified() {
    let family = Family::of("stepped/scalar/long");
    for (_, report) in [family.receipt(), family.verify()] {
        let all: Vec<_> = receipts(report, "stepped/scalar/long/fills").collect();
        let cut = all.iter().filter(|receipt| receipt.cut);
        let lengths: Vec<_> = cut.map(|receipt| receipt.length).collect();
        assert_eq!(lengths, [LONG as u64], "{all:#?}");
        let row = report
            .paths()
            .find(|row| row.name() == "stepped/scalar/long/fills");
        assert_eq!(row.map(|row| row.state), Some(State::Verified), "{row:?}");
    }
}

/// Healthy and wrong paths, in the forms for people and for CI.
fn receipts_have_every_form() {
    let receipt = |filter, format| zoo(&["receipt", filter, "--format", format, "--quiet"]);
    let (good, bad) = ("healthy", "names/sse2-is-scalar");
    for (format, exit, filter, says) in [
        (
            "text",
            0,
            good,
            &[
                "healthy/scalar/fills",
                "at 4097 B: x86-64 ",
                "execute what they promise, on the lengths stepped",
            ][..],
        ),
        (
            "md",
            0,
            good,
            &["| `healthy/scalar/fills` |", "at 4097 B: x86-64 "],
        ),
        (
            "junit",
            0,
            good,
            &[
                "<testcase name=\"scalar/fills\"",
                "<skipped",
                "not built: the zoo keeps none",
            ],
        ),
        (
            "text",
            1,
            bad,
            &[
                "promise not kept: names/sse2-is-scalar/fills: it promises to execute sse2",
                "repeat  ",
                " receipt 'names/sse2-is-scalar/fills'",
            ],
        ),
        (
            "md",
            1,
            bad,
            &["promise not kept", "names/sse2-is-scalar/fills"],
        ),
        ("junit", 1, bad, &["<failure", "promise not kept"]),
    ] {
        let ran = receipt(filter, format);
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        for part in says {
            assert!(
                ran.stdout.contains(part),
                "no {part:?} in {format}:\n{}",
                ran.stdout
            );
        }
    }
}

/// A peer has nothing to promise.
fn no_peer_has_a_receipt() {
    let ran = zoo(&["receipt", "peers", "--format", "json", "--quiet"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    assert_eq!(report.paths().filter(|row| row.peer).count(), 0);
    let (peers, paths): (Vec<_>, Vec<_>) = report
        .receipts()
        .partition(|receipt| receipt.peer || receipt.isa.ends_with("peer"));
    assert!(peers.is_empty() && !paths.is_empty(), "{peers:#?}");
    let ran = zoo(&["receipt", "peers/good-peer", "--quiet"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
}

/// What can be refused has one more receipt, of a quarter of the length, which ends where the damage is found: at three quarters.
fn a_refusal_has_a_receipt() {
    let (_, report) = Family::of("buffers_in_place/").receipt();
    for path in [
        "buffers_in_place/scalar/fills",
        "buffers_in_place/scalar/in_place",
    ] {
        let at = |length, refused| {
            let of = receipts(report, path)
                .find(|receipt| receipt.length == length && receipt.refused == refused);
            of.unwrap_or_else(|| panic!("no receipt of {path}, refused: {refused}"))
                .own
        };
        let (part, whole) = (at(129, true), at(513, false) / 4);
        assert!(part < whole && part > whole / 2, "{part} {whole}");
    }
}

/// Valgrind swallows the trap flag, and the workers are behind it.
fn without_stepping_no_receipt_is_a_pass() {
    let why = "the trap flag is swallowed here";
    let behind = |args: &[&str]| zoo_behind("valgrind -q", &[args, &["--quiet"]].concat());
    let ran = behind(&["receipt", "healthy/scalar", "--format", "json"]);
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let report = ran.records();
    assert_eq!(report.receipts().count(), 0);
    for row in report.paths() {
        assert_eq!(row.state, State::NotExecuted, "{row:?}");
        assert!(
            row.reason
                .as_deref()
                .is_some_and(|reason| reason.contains(why)),
            "{row:?}"
        );
    }

    let few = ["--shard", "1/701", "--cases", "10", "--seed", "1"];
    let verify = [
        &["verify", "healthy/scalar/fills", "--format", "json"][..],
        &few,
    ]
    .concat();
    let ran = behind(&verify);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let row = report.paths().last().expect("a row");
    assert_eq!(row.state, State::Verified, "{row:?}");
    let receipt = row.receipt.as_deref().unwrap_or_default();
    assert!(
        receipt.starts_with("no receipt: ") && receipt.contains(why),
        "{row:?}"
    );

    let ran = behind(&[&verify[..], &["--require-receipts"]].concat());
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    let report = ran.records();
    let verdict = &report.end().expect("an end").verdict;
    assert!(
        verdict.contains("receipts are required, and 1 path(s) have none") && verdict.contains(why),
        "{verdict}"
    );
}
