//! Records for the tests: made-up runs, kept as files, and arbitrary ones. And a reader of pages.
#![allow(dead_code, reason = "without charts, few of the tests are there")]

use std::collections::BTreeMap;

use pathproof_reports::{
    Calibration, Compared, Comparison, End, Figure, Finding, Gate, Gated, Machine, PathRow, Ratio,
    Receipt, Record, Report, Run, SCHEMA, Side, State, Survivor, read_from,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use roxmltree::{Document, Node};

/// A run that ended well: two operations, five instruction sets, two deliveries, AVX-512
/// unavailable.
pub(crate) const VERIFIED: &str = include_str!("../samples/verified.jsonl");
/// A run that was killed in the middle of a line, with one failed path, two findings and a path not
/// executed.
pub(crate) const KILLED: &str = include_str!("../samples/killed.jsonl");
/// Measured times of two operations, with peers and a roofline; a figure or two are missing.
pub(crate) const TIMED: &str = include_str!("../samples/timed.jsonl");
/// The same on a machine without AVX-512.
pub(crate) const TIMED_AVX2: &str = include_str!("../samples/timed-avx2.jsonl");
/// Receipts, counts and mutation scores of two operations: a path that allocates, one whose receipt
/// is cut, calls that are refused, a peer, three survivors that nobody accepted.
pub(crate) const RECEIPTS: &str = include_str!("../samples/receipts.jsonl");
/// Comparisons of two operations with each verdict, against a revision and against another path; and
/// calibrations of two conditions and of a way of comparing that is known to be worse.
pub(crate) const COMPARED: &str = include_str!("../samples/compared.jsonl");

/// A gate of 16 rows, four of which fail and two of which are inconclusive.
pub(crate) const GATED: &str = include_str!("../samples/gated.jsonl");

pub(crate) fn sample(text: &str) -> Report {
    read_from(text.as_bytes(), "records.jsonl").unwrap()
}

/// The element of an HTML page that begins with `open`, read by an XML parser: the page's tables
/// and pictures are well-formed XML too.
pub(crate) fn element<'a>(page: &'a str, open: &str, tag: &str) -> Document<'a> {
    let from = page.find(open).unwrap_or_else(|| panic!("no {open}"));
    let close = format!("</{tag}>");
    let to = from + page[from..].find(&close).unwrap() + close.len();
    Document::parse(&page[from..to]).unwrap_or_else(|error| panic!("{open}: {error}"))
}

pub(crate) fn words(node: Node<'_, '_>) -> String {
    node.descendants()
        .filter(|node| node.is_text())
        .filter_map(|node| node.text())
        .collect()
}

pub(crate) fn cells_of_rows(table: &Document<'_>) -> Vec<Vec<String>> {
    let cells = |row: Node<'_, '_>| row.children().filter(Node::is_element).map(words).collect();
    table
        .descendants()
        .filter(|node| node.has_tag_name("tr"))
        .map(cells)
        .collect()
}

pub(crate) fn attribute(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// How many rows the tables of a Markdown text have, each of which has as many cells as the row of
/// dashes of its table.
pub(crate) fn markdown_rows(shown: &str) -> usize {
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let (mut rows, mut lines) = (0, shown.lines().peekable());
    while let Some(header) = lines.next() {
        if !lines.peek().is_some_and(|line| line.starts_with("|---")) {
            continue;
        }
        let columns = bars(lines.next().unwrap());
        assert_eq!(bars(header), columns, "{header}");
        while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
            assert_eq!(bars(line), columns, "{line}");
            rows += 1;
        }
    }
    rows
}

/// Texts of all pictures: none touches another or leaves its picture.
pub(crate) fn no_words_touch(page: &str) -> usize {
    let mut pictures = 0;
    for part in page.split("<svg ").skip(1) {
        let svg = format!("<svg {}", &part[..part.find("</svg>").unwrap() + 6]);
        let svg = Document::parse(&svg).unwrap();
        let size = ["width", "height"].map(|name| attribute(svg.root_element(), name));
        let texts = svg.descendants().filter(|node| node.has_tag_name("text"));
        let boxes: Vec<(String, f64, f64, f64, f64)> = texts
            .map(|node| {
                let (text, font) = (words(node).trim().to_owned(), attribute(node, "font-size"));
                // On average a character is about half as wide as it is high.
                let width = text.chars().count() as f64 * font * 0.52;
                let x = attribute(node, "x");
                let from = match node.attribute("text-anchor").unwrap() {
                    "end" => x - width,
                    "middle" => x - width / 2.0,
                    _ => x,
                };
                (text, from, from + width, attribute(node, "y"), font)
            })
            .collect();
        for (i, a) in boxes.iter().enumerate() {
            for b in &boxes[..i] {
                let beside = a.2 <= b.1 || b.2 <= a.1;
                let apart = (a.3 - b.3).abs() >= a.4.min(b.4) * 0.95;
                assert!(beside || apart, "{a:?} {b:?}");
            }
            assert!(a.1 >= -1.0 && a.2 <= size[0] + 1.0, "{a:?} leaves {size:?}");
            assert!(a.3 >= 0.0 && a.3 <= size[1], "{a:?} leaves {size:?}");
        }
        pictures += 1;
    }
    pictures
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
        libc in maybe(),
        rustc in maybe(),
    ) -> Record {
        let mut text = text.into_iter();
        let mut next = || text.next().unwrap();
        Record::Machine(Machine {
            schema: SCHEMA, arch: next(), os: next(), kernel: next(), cpu: next(), cores, features, hypervisor, libc, rustc,
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
    let known = (0..2usize, 0..5usize).prop_map(|(operation, isa)| {
        [
            ["encode", "decode"][operation],
            ["scalar", "avx2", "auto", "faster-hex", "roofline"][isa],
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
    // What belongs together often, so that tables and charts of times are drawn, and now and then
    // anything.
    let measured = [
        "throughput",
        "throughput least",
        "throughput most",
        "speed against scalar",
        "speed against the best peer",
        "returns against fills",
        "a call",
        "instructions, marginal",
        "instructions, fixed",
        "mutants",
        "mutants killed",
        "mutants accepted",
    ];
    let quantity = prop_oneof![
        2 => Just("cases".to_owned()),
        4 => proptest::sample::select(measured.to_vec()).prop_map(str::to_owned),
        1 => any_text(),
    ];
    let size = prop_oneof![3 => Just(384), 3 => Just(4096), 1 => any::<u64>()];
    let split = option::of(prop_oneof![
        1 => Just("aligned".to_owned()),
        1 => Just("nop".to_owned()),
        4 => size.prop_map(|size| size.to_string()),
        1 => any_text(),
    ]);
    let unit = prop_oneof![
        3 => proptest::sample::select(vec![
            "GB/s", "x", "x the time", "ns", "instructions per 64 bytes", "instructions per call", "mutants",
        ]).prop_map(str::to_owned),
        1 => any_text().prop_map(|peer| format!("x {peer}")),
        1 => any_text(),
    ];
    let value = prop_oneof![
        2 => 0.001..1000.0f64,
        1 => (0..1000u32).prop_map(f64::from),
        2 => value,
    ];
    (
        any_name(),
        quantity,
        split,
        option::of(value),
        unit,
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

/// Counts by name, and what they add up to.
fn any_counts() -> impl Strategy<Value = (BTreeMap<String, u64>, u64)> {
    let name = prop_oneof![
        4 => proptest::sample::select(vec!["x86-64", "ssse3", "avx", "avx2", "avx512vbmi"])
            .prop_map(str::to_owned),
        1 => any_text(),
    ];
    let count = prop_oneof![4 => 0..1_000_000u64, 1 => 0..u64::MAX / 4];
    btree_map(name, count, 0..4).prop_map(|counts| {
        let sum = counts.values().sum();
        (counts, sum)
    })
}

prop_compose! {
    /// A receipt whose parts add up.
    fn any_receipt()(
        name in any_name(), (peer, refused, cut) in any::<(bool, bool, bool)>(),
        length in prop_oneof![Just(384), Just(4097), any::<u64>()],
        (features, own) in any_counts(), (elsewhere_features, elsewhere) in any_counts(),
        mnemonic in any_text(), (hot_loop, functions) in (vec(any_text(), 0..12), vec(any_text(), 0..3)),
        (repeats, allocations, allocated, copied) in any::<(u64, u64, u64, u64)>(),
    ) -> Record {
        let [operation, isa, delivery] = name;
        Record::Receipt(Receipt {
            operation, isa, delivery, peer, length, refused, cut, own, features,
            mnemonics: BTreeMap::from([(mnemonic, own)]), elsewhere, elsewhere_features, repeats, hot_loop, functions,
            allocations, allocated: if allocations == 0 { 0 } else { allocated }, copied,
        })
    }
}

/// The same, and receipts that contradict themselves, as only a program can build them.
fn any_receipt_at_all() -> impl Strategy<Value = Record> {
    (any_receipt(), option::of(any::<u64>())).prop_map(|(record, other)| match record {
        Record::Receipt(receipt) => Record::Receipt(Receipt {
            own: other.unwrap_or(receipt.own),
            ..receipt
        }),
        other => other,
    })
}

prop_compose! {
    fn any_survivor()(
        name in any_name(), text in vec(any_text(), 3), offset in any::<u64>(), bytes in "([0-9a-f]{2}){1,15}",
        (source, accepted) in (maybe(), maybe()),
    ) -> Record {
        let [operation, isa, delivery] = name;
        let [function, change, instruction] = text.try_into().unwrap();
        // What is empty could not be found again.
        let (function, change) = (format!("f{function}"), format!("nop{change}"));
        let accepted = accepted.map(|why| format!("because {why}"));
        Record::Survivor(Survivor {
            operation, isa, delivery, function, offset, bytes, change, instruction, source, accepted,
        })
    }
}

/// A ratio with its interval, now and then of numbers that nobody has measured.
fn any_ratio() -> impl Strategy<Value = Ratio> {
    use proptest::num::f64::{NORMAL, POSITIVE};
    let near = (0.9..1.1f64, 0.0..0.02f64, 0.0..0.02f64)
        .prop_map(|(at, down, up)| [at - down, at, at + up]);
    let wild = [POSITIVE | NORMAL, POSITIVE | NORMAL, POSITIVE | NORMAL].prop_map(|mut ends| {
        ends = ends.map(f64::abs);
        ends.sort_by(f64::total_cmp);
        ends
    });
    prop_oneof![4 => near, 1 => wild].prop_map(|[low, at, high]| Ratio { at, low, high })
}

prop_compose! {
    fn any_side()(
        nanos in option::of(0.5..1e6f64), nanos_q90 in option::of(0.5..1e6f64),
        instructions in option::of(any::<u64>()), function in maybe(),
    ) -> Side {
        Side { nanos, nanos_q90, instructions, function }
    }
}

prop_compose! {
    /// A comparison whose verdict follows from its intervals.
    fn any_comparison()(
        name in any_name(), load in prop_oneof![Just("768".to_owned()), Just("4096".to_owned()), any_text()],
        against in prop_oneof![2 => Just("main".to_owned()), 1 => any_text()],
        (ratio, control) in (option::of(any_ratio()), option::of(any_ratio())),
        (margin, confidence) in (prop_oneof![Just(0.01), 0.0001..0.5f64], prop_oneof![Just(0.999), 0.51..0.9999f64]),
        without in proptest::sample::select(vec![Compared::Inconclusive, Compared::Identical, Compared::NoBase]),
        (least, epochs, seconds) in (option::of(0.0..1.0f64), any::<u32>(), 0.0..100.0f64),
        (base, head, control_function) in (any_side(), any_side(), maybe()),
        (layouts, spread) in (option::of(any::<u32>()), option::of((0.9..1.0f64, 1.0..1.1f64))),
        reason in maybe(),
    ) -> Record {
        let [operation, isa, delivery] = name;
        let said = |ratio: Option<Ratio>| ratio.map(|of| Compared::of(of.low, of.high, margin));
        let moved = matches!(said(control), Some(Compared::Slower | Compared::Faster));
        let verdict = match said(ratio) {
            _ if moved => Compared::Void,
            Some(verdict) => verdict,
            None => without,
        };
        Record::Comparison(Comparison {
            operation, isa, delivery, load, against, verdict, ratio, control, margin, confidence, least, epochs, seconds,
            base, head, control_function, layouts, layout_spread: spread.map(|(least, most)| [least, most]), reason,
        })
    }
}

/// The same, and comparisons that contradict themselves, as only a program can build them.
fn any_comparison_at_all() -> impl Strategy<Value = Record> {
    use proptest::num::f64::ANY;
    let damage = (
        proptest::sample::select(Compared::ALL.to_vec()),
        [ANY, ANY, ANY, ANY, ANY, ANY],
    );
    (any_comparison(), option::of(damage)).prop_map(|(record, damage)| match (record, damage) {
        (
            Record::Comparison(of),
            Some((verdict, [at, low, margin, confidence, least, seconds])),
        ) => Record::Comparison(Comparison {
            verdict,
            ratio: of.ratio.map(|ratio| Ratio { at, low, ..ratio }),
            margin,
            confidence,
            least: Some(least),
            seconds,
            layout_spread: Some([at, low]),
            ..of
        }),
        (record, _) => record,
    })
}

prop_compose! {
    /// A calibration of at least one comparison.
    fn any_calibration()(
        name in any_name(), load in prop_oneof![Just("768".to_owned()), any_text()],
        method in prop_oneof![Just("paired".to_owned()), Just("one after the other".to_owned()), any_text()],
        condition in prop_oneof![Just("idle".to_owned()), any_text()],
        effect in prop_oneof![Just(0.0), Just(0.03), 0.0..1e6f64], margin in prop_oneof![Just(0.01), 0.0001..0.5f64],
        measured in option::of(-0.5..10.0f64),
        counts in prop_oneof![3 => [0..50u32, 0..50u32, 0..50u32, 0..50u32, 0..50u32], 1 => any::<[u32; 5]>()],
        (seconds, seconds_most) in (0.0..100.0f64, 0.0..1000.0f64),
    ) -> Record {
        let [operation, isa, delivery] = name;
        let [slower, faster, same, inconclusive, void] = counts;
        Record::Calibration(Calibration {
            operation, isa, delivery, load, method, condition, effect, measured, margin, slower: slower.max(1), faster, same,
            inconclusive, void, seconds, seconds_most,
        })
    }
}

/// The same, and calibrations that no file can hold.
fn any_calibration_at_all() -> impl Strategy<Value = Record> {
    use proptest::num::f64::ANY;
    let damage = (any::<bool>(), [ANY, ANY, ANY, ANY]);
    (any_calibration(), option::of(damage)).prop_map(|(record, damage)| match (record, damage) {
        (Record::Calibration(of), Some((none, [effect, margin, measured, seconds]))) => {
            let kept = |n: u32| if none { 0 } else { n };
            Record::Calibration(Calibration {
                effect,
                margin,
                measured: Some(measured),
                seconds,
                seconds_most: measured,
                slower: kept(of.slower),
                faster: kept(of.faster),
                same: kept(of.same),
                inconclusive: kept(of.inconclusive),
                void: kept(of.void),
                ..of
            })
        }
        (record, _) => record,
    })
}

prop_compose! {
    /// A row of a gate whose exit code is its verdict's.
    fn any_gated()(
        check in prop_oneof![2 => Just("times".to_owned()), 1 => any_text()], text in vec(any_text(), 3),
        verdict in proptest::sample::select(Gate::ALL.to_vec()), n in 0..4u8, command in maybe(),
    ) -> Record {
        let [subject, found, allowed] = text.try_into().unwrap();
        let exit = match verdict {
            Gate::Passes => 0,
            Gate::Fails => 1 + n,
            Gate::Inconclusive => 5 * (n % 2),
        };
        // What is empty says nothing, and what fails can be repeated.
        let command = match verdict {
            Gate::Fails => Some(format!("gate {}", command.unwrap_or_default())),
            _ => command,
        };
        let [check, subject, found, allowed] = [check, subject, found, allowed].map(|text| format!("a{text}"));
        Record::Gated(Gated { check, subject, verdict, found, allowed, exit, command })
    }
}

/// The same, and rows that contradict themselves, as only a program can build them.
fn any_gated_at_all() -> impl Strategy<Value = Record> {
    (any_gated(), option::of((any::<u8>(), any_text()))).prop_map(|(record, damage)| {
        match (record, damage) {
            (Record::Gated(row), Some((exit, subject))) => Record::Gated(Gated {
                exit,
                subject,
                command: None,
                ..row
            }),
            (record, _) => record,
        }
    })
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
        any_receipt(),
        any_survivor(),
        any_comparison(),
        any_calibration(),
        any_gated(),
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
            any_receipt_at_all(),
            any_survivor(),
            any_comparison_at_all(),
            any_calibration_at_all(),
            any_gated_at_all(),
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

/// Nothing of a record that was made to do harm acts in a view of it: words touch in the page at `touching` places, the text `says`
/// what it is about, and the Markdown has more than `rows` rows.
#[cfg(feature = "charts")]
pub(crate) fn nothing_acts(report: &Report, touching: usize, says: &str, rows: usize) {
    use pathproof_reports::{junit, markdown, page, text};

    let shown = page(std::slice::from_ref(report));
    assert!(!shown.contains("<script") && !shown.contains("<img"));
    assert!(shown.contains("&lt;script&gt;alert(1)"));
    assert_eq!(no_words_touch(&shown), touching);
    for part in shown.split("<table class=\"numbers").skip(1) {
        let part = format!(
            "<table class=\"numbers{}</table>",
            &part[..part.find("</table>").unwrap()]
        );
        Document::parse(&part).unwrap_or_else(|error| panic!("{error}: {part}"));
    }
    let shown = text(report, false);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']) && shown.contains(says));
    let shown = markdown(report);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']));
    let found = markdown_rows(&shown);
    assert!(found > rows, "{found}");
    let xml = junit(report);
    assert!(Document::parse(&xml).is_ok(), "{xml}");
}
