//! What is timed has agreed first, on that very input; what has not is a row with a reason and a finding.

use libtest_mimic::Trial;
use pathproof_reports::{Figure, Report};

use crate::run::{shell, zoo};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("a_path_is_timed_only_where_it_agrees", || {
            a_path_is_timed_only_where_it_agrees();
            Ok(())
        }),
        Trial::test("the_spread_lies_around_the_middle", || {
            the_spread_lies_around_the_middle();
            Ok(())
        }),
        Trial::test("loads_are_timed_where_a_path_agrees_on_them", || {
            loads_are_timed_where_a_path_agrees_on_them();
            Ok(())
        }),
        Trial::test("sizes_that_no_memory_holds_are_exit_2", || {
            let ran = zoo(&["time", "healthy", "--sizes", "999999999999"]);
            assert_eq!(ran.exit, Some(2), "{ran:#?}");
            assert!(ran.stderr.contains("at most"), "{ran:#?}");
            Ok(())
        }),
    ]
}

fn figure<'a>(report: &'a Report, path: &str, quantity: &str, size: &str) -> &'a Figure {
    let is = |f: &&Figure| {
        f.name() == path && f.quantity == quantity && f.split.as_deref() == Some(size)
    };
    report
        .figures()
        .find(is)
        .unwrap_or_else(|| panic!("no {quantity} of {path} at {size}"))
}

/// The tail of `wrong-tail` is wrong at 11 bytes and right at 16.
fn a_path_is_timed_only_where_it_agrees() {
    let ran = zoo(&[
        "time",
        "answers/wrong-tail",
        "--sizes",
        "16,11",
        "--format",
        "json",
        "--quiet",
    ]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let of = |path, size| figure(&report, path, "throughput", size);
    let wrong = of("answers/wrong-tail/fills", "11");
    assert_eq!(wrong.value, None);
    assert!(
        wrong
            .reason
            .as_deref()
            .is_some_and(|why| why.contains("not timed: differs")),
        "{wrong:?}"
    );
    assert!(
        of("answers/wrong-tail/fills", "16")
            .value
            .is_some_and(|speed| speed > 0.0)
    );
    assert!(
        of("answers/scalar/fills", "11")
            .value
            .is_some_and(|speed| speed > 0.0)
    );
    let finding = report.findings().next().expect("a finding");
    assert_eq!(
        (finding.name().as_str(), finding.verdict.as_str()),
        ("answers/wrong-tail/fills", "differs")
    );
    assert!(finding.command.contains("--sizes 11"), "{finding:?}");
}

/// The end of `wrong-at-the-end` is wrong with 9 alone, which is not the usual value.
fn loads_are_timed_where_a_path_agrees_on_them() {
    let time = |args: &[&str]| zoo(&[&["time"], args, &["--format", "json", "--quiet"]].concat());
    let (ten, longest) = ("ten, once", "the longest, with 9");
    let ran = time(&[
        "bounded/wrong-at-the-end",
        "--sizes",
        "300",
        "--load",
        longest,
    ]);
    assert_eq!(ran.exit, Some(1), "{ran:#?}");
    let report = ran.records();
    let wrong = "bounded/wrong-at-the-end/fills";
    let of = |path, given| figure(&report, path, "throughput", given).value;
    assert_eq!(of(wrong, longest), None);
    for fine in [of(wrong, "300"), of("bounded/scalar/fills", longest)] {
        assert!(fine.is_some_and(|speed| speed > 0.0), "{ran:#?}");
    }
    let finding = report.findings().next().expect("a finding");
    assert!(finding.detail.contains(longest), "{finding:?}");
    assert!(
        finding.command.contains("--load 'the longest, with 9'"),
        "{finding:?}"
    );
    let again = shell(&finding.command);
    assert_eq!(again.exit, Some(1), "{again:#?}");

    // By default everything, where it is no longer than the longest.
    let ran = time(&["bounded/scalar"]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let throughput = report.figures().filter(|f| f.quantity == "throughput");
    let given: Vec<_> = throughput.filter_map(|f| f.split.as_deref()).collect();
    assert_eq!(given, ["64", ten, longest]);
    let ran = time(&["bounded/scalar", "--load", "eleven"]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("they have [ten, once; "), "{ran:#?}");
}

fn the_spread_lies_around_the_middle() {
    let ran = zoo(&[
        "time", "healthy", "--sizes", "384", "--format", "json", "--quiet",
    ]);
    assert_eq!(ran.exit, Some(0), "{ran:#?}");
    let report = ran.records();
    let of = |quantity| {
        figure(&report, "healthy/scalar/fills", quantity, "384")
            .value
            .expect("a value")
    };
    assert!(
        of("throughput least") <= of("throughput") && of("throughput") <= of("throughput most")
    );
    // A path is not compared with itself.
    assert!(!report.figures().any(|f| f.isa == "scalar"
        && f.delivery == "fills"
        && f.quantity == "speed against scalar"));
}
