//! What is timed has agreed first, on that very input; what has not is a row with a reason and a finding.

use libtest_mimic::Trial;
use pathproof_reports::{Figure, Report};

use crate::run::zoo;

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
