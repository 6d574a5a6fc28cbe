//! Records for the tests: two made-up runs, kept as files, and arbitrary ones.
#![allow(
    dead_code,
    reason = "two test programs compile this module, and neither needs all of it"
)]

use pathproof_reports::{
    End, Figure, Finding, Machine, PathRow, Record, Report, Run, SCHEMA, State, read_from,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A run that ended well: two operations, five instruction sets, two deliveries, AVX-512
/// unavailable.
pub(crate) const VERIFIED: &str = include_str!("../samples/verified.jsonl");
/// A run that was killed in the middle of a line, with one failed path, two findings and a path not
/// executed.
pub(crate) const KILLED: &str = include_str!("../samples/killed.jsonl");

pub(crate) fn sample(text: &str) -> Report {
    read_from(text.as_bytes(), "records.jsonl").unwrap()
}

/// Text with everything that a format could stumble over.
fn any_text() -> impl Strategy<Value = String> {
    let hostile = [
        "</script>",
        "<b>|`*",
        "\u{1b}[31m",
        "\"'&\r\n\t",
        "\u{202e}",
        "\0",
        "]]>",
        "…",
        "{}",
        "\u{fffe}",
    ];
    prop_oneof![
        3 => "[a-z0-9_]{0,12}",
        1 => any::<String>(),
        1 => vec(proptest::sample::select(hostile.to_vec()), 0..6).prop_map(|parts| parts.concat()),
    ]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    option::of(any_text())
}

prop_compose! {
    pub(crate) fn any_machine()(
        text in vec(any_text(), 6),
        cores in any::<u32>(),
        features in vec(any_text(), 0..4),
        hypervisor in maybe(),
        rustc in maybe(),
    ) -> Record {
        let mut text = text.into_iter();
        let mut next = || text.next().unwrap();
        Record::Machine(Machine {
            schema: SCHEMA, arch: next(), os: next(), kernel: next(), cpu: next(), cores, features, hypervisor, rustc,
            program: next(), id: next(),
        })
    }
}

prop_compose! {
    fn any_run()(
        verb in any_text(), args in vec(any_text(), 0..4), seed in option::of(any::<u64>()), started in any_text(),
    ) -> Record {
        Record::Run(Run { verb, args, seed, started })
    }
}

/// Names from a small set, so that rows, figures and findings meet, and now and then anything.
fn any_name() -> impl Strategy<Value = [String; 3]> {
    let known = (0..2usize, 0..2usize).prop_map(|(operation, isa)| {
        [
            ["encode", "decode"][operation],
            ["scalar", "avx2"][isa],
            "fills",
        ]
        .map(str::to_owned)
    });
    prop_oneof![2 => known, 1 => [any_text(), any_text(), any_text()]]
}

prop_compose! {
    fn any_path()(
        name in any_name(),
        state in proptest::sample::select(vec![
            State::Verified, State::Failed, State::Unavailable, State::NotExecuted,
        ]),
        cases in any::<u64>(), reason in maybe(), errors in maybe(), receipt in maybe(), peer in any::<bool>(),
    ) -> Record {
        let [operation, isa, delivery] = name;
        Record::Path(PathRow { operation, isa, delivery, state, cases, reason, errors, receipt, peer })
    }
}

fn any_figure(value: impl Strategy<Value = f64>) -> impl Strategy<Value = Record> {
    let quantity = prop_oneof![3 => Just("cases".to_owned()), 1 => any_text()];
    let split = option::of(prop_oneof![2 => Just("aligned".to_owned()), 1 => any_text()]);
    (
        any_name(),
        quantity,
        split,
        option::of(value),
        any_text(),
        any_text(),
    )
        .prop_map(
            |([operation, isa, delivery], quantity, split, value, unit, reason)| {
                let reason = Some(reason);
                Record::Figure(Figure {
                    operation,
                    isa,
                    delivery,
                    quantity,
                    split,
                    value,
                    unit,
                    reason,
                })
            },
        )
}

prop_compose! {
    fn any_finding()(
        name in any_name(), text in vec(any_text(), 4), dump in maybe(),
    ) -> Record {
        let [operation, isa, delivery] = name;
        let [verdict, detail, token, command] = text.try_into().unwrap();
        Record::Finding(Finding { operation, isa, delivery, verdict, detail, dump, token, command })
    }
}

fn any_end(seconds: impl Strategy<Value = f64>) -> impl Strategy<Value = Record> {
    (any::<u8>(), seconds, any_text()).prop_map(|(exit, seconds, verdict)| {
        Record::End(End {
            exit,
            seconds,
            verdict,
        })
    })
}

/// Any record but a machine that a file can hold: its numbers are finite.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let finite = || NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE;
    prop_oneof![
        any_run(),
        any_path(),
        any_figure(finite()),
        any_finding(),
        any_end(finite())
    ]
}

/// Any report that a program can build, also with numbers that no file can hold.
pub(crate) fn any_report() -> impl Strategy<Value = Report> {
    use proptest::num::f64::ANY;
    let record = || {
        prop_oneof![
            any_run(),
            any_path(),
            any_figure(ANY),
            any_finding(),
            any_end(ANY),
            any_machine()
        ]
    };
    (any_text(), vec(record(), 0..12), any::<bool>()).prop_map(|(source, records, truncated)| {
        Report {
            source,
            records,
            truncated,
        }
    })
}
