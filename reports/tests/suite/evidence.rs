//! Receipts, counts and mutation scores: what every view says is what the records say.

use std::collections::HashMap;

use crate::common::{
    RECEIPTS, TIMED, VERIFIED, any_report, attribute, cells_of_rows, element, no_words_touch,
    nothing_acts, sample, words,
};
use pathproof_reports::{
    Figure, PathRow, Receipt, Record, Report, Survivor, junit, markdown, page, text,
};
use proptest::prelude::*;
use roxmltree::{Document, Node};

const OPERATIONS: [&str; 2] = ["q64_encode", "q64_decode"];

fn page_of(report: &Report) -> String {
    page(std::slice::from_ref(report))
}

/// The number in a cell; thin spaces part its digits.
fn number(cell: &str) -> Option<f64> {
    let digits: String = cell
        .chars()
        .filter(|c| !matches!(c, '\u{202f}' | ','))
        .collect();
    digits.trim_end_matches('%').parse().ok()
}

/// Rows of the page's table with this caption.
fn table(page: &str, caption: &str) -> Vec<Vec<String>> {
    let caption = format!("<caption>{caption}");
    let at = page
        .find(&caption)
        .unwrap_or_else(|| panic!("no {caption}"));
    let from = page[..at].rfind("<table").unwrap();
    cells_of_rows(&element(&page[from..], "<table", "table"))
}

fn row<'r>(rows: &'r [Vec<String>], name: &str) -> &'r [String] {
    let of_it = |row: &&Vec<String>| row[0].trim_end_matches(" peer") == name;
    rows.iter()
        .find(of_it)
        .unwrap_or_else(|| panic!("no {name} in {rows:?}"))
}

fn label(row: &PathRow) -> String {
    format!("{}/{}", row.isa, row.delivery)
}

fn receipts_of(report: &Report, operation: &str, length: u64) -> Vec<Receipt> {
    let of_it = |receipt: &&Receipt| {
        receipt.operation == operation && receipt.length == length && !receipt.refused
    };
    report.receipts().filter(of_it).cloned().collect()
}

fn figure(report: &Report, path: &str, quantity: &str) -> Option<f64> {
    let of_it = |figure: &&Figure| {
        figure.name() == path && figure.quantity == quantity && figure.split.is_none()
    };
    report.figures().find(of_it).and_then(|figure| figure.value)
}

/// Damages the first record that `damage` takes.
fn damaged(mut damage: impl FnMut(&mut Record) -> bool) -> Report {
    let mut report = sample(RECEIPTS);
    assert!(report.records.iter_mut().any(&mut damage));
    report
}

/// The words of a text, whatever breaks its lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the page's tables of evidence say what the records say; how many numbers they have.
fn tables_agree(report: &Report, page: &str) -> Result<usize, String> {
    let mut seen = 0;
    let mut same = |what: String, cell: &str, want: Option<f64>| {
        seen += usize::from(want.is_some());
        let right = match (number(cell), want) {
            (Some(shown), Some(want)) => (shown - want).abs() <= 0.005 * want.max(0.01),
            (None, None) => true,
            _ => false,
        };
        if right {
            Ok(())
        } else {
            Err(format!("{what}: {cell} is not {want:?}"))
        }
    };
    for operation in OPERATIONS {
        let rows = table(
            page,
            &format!("Own instructions of {operation} at 4\u{202f}097 B"),
        );
        for receipt in receipts_of(report, operation, 4097) {
            let label = format!("{}/{}", receipt.isa, receipt.delivery);
            let cells = row(&rows, &label);
            for (feature, cell) in rows[0].iter().zip(cells).skip(1) {
                let want = match feature.as_str() {
                    "all" => Some(receipt.own),
                    feature => receipt.features.get(feature).copied(),
                };
                let cell = cell.trim_start_matches("first ");
                same(format!("{label} {feature}"), cell, want.map(|n| n as f64))?;
            }
        }
        let counts = table(page, &format!("Own instructions of {operation}</caption>"));
        let scores = table(page, &format!("Mutants of {operation}"));
        for path in report.paths().filter(|path| path.operation == operation) {
            let (name, label) = (path.name(), label(path));
            let cells = row(&counts, &label);
            for (quantity, cell) in ["instructions, marginal", "instructions, fixed"]
                .iter()
                .zip(&cells[1..])
            {
                same(
                    format!("{name} {quantity}"),
                    cell,
                    figure(report, &name, quantity),
                )?;
            }
            if path.peer {
                continue;
            }
            let cells = row(&scores, &label);
            let [all, killed, accepted] = ["mutants", "mutants killed", "mutants accepted"]
                .map(|quantity| figure(report, &name, quantity));
            same(format!("{name} mutants"), &cells[1], all)?;
            same(format!("{name} killed"), &cells[2], killed)?;
            let score = killed.zip(all).map(|(killed, all)| killed / all * 100.0);
            same(format!("{name} score"), &cells[3], score)?;
            same(format!("{name} accepted"), &cells[4], accepted)?;
            let open = all.and_then(|all| Some(all - killed? - accepted?));
            same(format!("{name} not accepted"), &cells[5], open)?;
        }
    }
    Ok(seen)
}

#[test]
fn the_tables_have_the_numbers_of_the_records() {
    let report = sample(RECEIPTS);
    let page = page_of(&report);
    let seen = tables_agree(&report, &page).unwrap();
    assert!(seen > 90, "{seen}");

    // The comparison finds a number that differs, in each of the tables.
    type Damage = fn(&mut Record) -> bool;
    let damages: [(Damage, &str); 4] = [
        (
            |record| match record {
                Record::Receipt(r) if r.length == 4097 && r.isa == "avx2" => {
                    *r.features.get_mut("avx2").unwrap() += 20;
                    true
                }
                _ => false,
            },
            "avx2/fills avx2",
        ),
        (
            |record| match record {
                Record::Receipt(r) if r.length == 4097 => {
                    r.own -= 100;
                    true
                }
                _ => false,
            },
            "scalar/fills all",
        ),
        (
            |record| match record {
                Record::Figure(f) if f.quantity == "instructions, fixed" => {
                    f.value = f.value.map(|value| value + 1.0);
                    true
                }
                _ => false,
            },
            "instructions, fixed",
        ),
        (
            |record| match record {
                Record::Figure(f) if f.quantity == "mutants killed" && f.isa == "avx2" => {
                    f.value = f.value.map(|value| value - 9.0);
                    true
                }
                _ => false,
            },
            "avx2/fills killed",
        ),
    ];
    for (damage, want) in damages {
        let error = tables_agree(&damaged(damage), &page).unwrap_err();
        assert!(error.contains(want), "{want}: {error}");
    }
}

#[test]
fn a_receipt_is_shown_at_the_longest_length_that_was_not_cut() {
    let report = sample(RECEIPTS);
    let shown = flat(&text(&report, false));
    for want in [
        "avx2/returns 4 097 B 1,973 59 1 (8,194 B) avx2 1,280 · avx 261 · x86-64 432 loop of 15: vpermq vpsrlw",
        "in q64::q64::avx2::encode",
        // Its receipt at 4,097 B is cut.
        "scalar/fills 17 B 94 0 0 x86-64 94 loop of 34: movzx×8 mov×6",
        "at 4 097 B cut after 10,000 instructions",
        "neon/fills - - - - unavailable: for aarch64; this build is for x86_64",
        "in faster_hex::encode::hex_encode_avx2 peer",
        "plain bytes 0 B 1 B 31 B 32 B 33 B 33 B, refused 65 B 4 097 B a call 31 35 155 52 56 152 77 2,723",
        "per 64 bytes - 2,240 320 104 108.61 - 75.82 42.54",
        "a call 22 26 50 56 60 94 ≥10,000 per 64 bytes - 1,664 457.14 448 426.67 353.88 -",
        "bytes allocated 0 2 62 64 66 130 8,194",
        "avx2/fills 289 277 95.8% 11 1",
        "avx2/fills 46/49 (2) 11/11 184/192 (8) 7/7 6/6 - 18/18 5/6 (1)",
        "faster-hex/fills - - peer; the count is no straight line: from 1,024 to 2,048 B it grows by 512, before by 640",
    ] {
        assert!(shown.contains(want), "{want}\n{shown}");
    }
    // If all are cut or refused, the longest of those.
    let mut report = report;
    report.records.retain_mut(|record| match record {
        Record::Receipt(receipt) if receipt.isa == "avx2" => {
            receipt.cut = true;
            receipt.length == 33 || receipt.length == 65
        }
        _ => true,
    });
    let shown = flat(&text(&report, false));
    assert!(shown.contains("avx2/fills 65 B 77 0 0 ") && shown.contains("at 65 B cut after 77 "));
}

#[test]
fn the_last_receipt_of_a_call_is_the_one_that_holds() {
    let mut report = sample(RECEIPTS);
    let mut again = report
        .receipts()
        .find(|r| r.isa == "avx2" && r.length == 4097)
        .unwrap()
        .clone();
    again.own = 4_321;
    report.records.push(Record::Receipt(again));
    let shown = flat(&text(&report, false));
    let of = |own: &str| format!("avx2/fills 4 097 B {own} ");
    assert!(shown.contains(&of("4,321")) && !shown.contains(&of("1,951")));
}

#[test]
fn a_survivor_that_paths_share_is_listed_once() {
    let report = sample(RECEIPTS);
    let shown = flat(&text(&report, false));
    let shared = "q64::q64::avx2::encode+0x61 vpand ymm0, ymm0, ymm1 nop encoder/src/q64/avx2.rs:49 q64_encode/avx2/fills, q64_encode/avx2/returns";
    assert_eq!(shown.matches(shared).count(), 1, "{shown}");
    assert_eq!(shown.matches("avx2::encode+0x61").count(), 1);
    assert!(shown.contains("Survivors that are not accepted: 3 "));
    // Accepted ones are counted, with their reasons, and not listed.
    assert!(shown.contains(
        "Accepted, each change once: 26 (22 don't-care bits of a shuffle; 2 speed only; 1 stack alignment; 1 the two branches give the same bytes)"
    ));
    assert!(!shown.contains("vzeroupper"));

    let page = page_of(&report);
    assert_eq!(page.matches("q64::q64::avx2::encode+0x61").count(), 1);
    let (open, folded) = page.split_once("Accepted survivors: 26").unwrap();
    assert!(open.ends_with("<summary>"));
    assert_eq!(folded.matches("<div class=\"survivor\">").count(), 26);
    let listed = open
        .rsplit_once("Survivors that are not accepted")
        .unwrap()
        .1;
    assert_eq!(listed.matches("<div class=\"survivor\">").count(), 3);

    // Another source line, another change: another survivor.
    let report = damaged(|record| match record {
        Record::Survivor(s) if s.offset == 97 => {
            s.source = Some("encoder/src/q64/avx2.rs:50".to_owned());
            true
        }
        _ => false,
    });
    assert!(text(&report, false).contains("Survivors that are not accepted: 4\n"));
}

#[test]
fn a_list_of_survivors_that_does_not_fit_the_counts_is_said() {
    let mut report = sample(RECEIPTS);
    assert!(!text(&report, false).contains("the records list"));
    let at = report
        .records
        .iter()
        .position(|r| matches!(r, Record::Survivor(s) if s.accepted.is_none()));
    report.records.remove(at.unwrap());
    let want = "the records list 11 accepted survivors and 0 that are not";
    for shown in [text(&report, false), markdown(&report), page_of(&report)] {
        assert!(flat(&shown).contains(want), "{shown}");
    }
}

#[test]
fn counts_that_contradict_each_other_make_no_score() {
    let report = damaged(|record| match record {
        Record::Figure(f) if f.quantity == "mutants killed" && f.isa == "scalar" => {
            f.value = Some(603.0);
            true
        }
        _ => false,
    });
    let shown = flat(&text(&report, false));
    assert!(
        shown.contains("scalar/fills 602 603 - 0 - the counts contradict each other"),
        "{shown}"
    );
}

#[test]
fn nearly_all_killed_is_not_all() {
    let score = |killed: f64| {
        let report = damaged(|record| match record {
            Record::Figure(f) if f.split.is_none() && f.isa == "scalar" => {
                match f.quantity.as_str() {
                    "mutants" => f.value = Some(1e6),
                    "mutants killed" => f.value = Some(killed),
                    _ => {}
                }
                f.quantity == "mutants accepted"
            }
            _ => false,
        });
        flat(&text(&report, false))
            .split("scalar/fills 1,000,000 ")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    assert!(score(999_999.0).starts_with("999,999 99.9% 0 1 "));
    assert!(score(1e6).starts_with("1,000,000 100% 0 0 "));
}

/// The picture whose description begins so.
fn picture<'a>(page: &'a str, class: &str, description: &str) -> Document<'a> {
    let open = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{description}");
    element(page, &open, "svg")
}

const PICTURES: [&str; 3] = [
    ": instruction mix of ",
    ": instructions that ",
    ": mutants of ",
];

/// Parts of bars: where they begin, how long they are, their colour; from the top, bar by bar.
fn bars(svg: &Document<'_>) -> Vec<Vec<(f64, f64, String)>> {
    let mut bars: Vec<(f64, Vec<_>)> = Vec::new();
    for part in svg.descendants().filter(|node| node.has_tag_name("rect")) {
        let fill = part.attribute("fill").unwrap();
        if fill.starts_with("var(--surface") || fill == "none" {
            continue;
        }
        let color = fill
            .trim_start_matches("var(")
            .split(',')
            .next()
            .unwrap()
            .to_owned();
        let part_of_bar = (attribute(part, "x"), attribute(part, "width"), color);
        let y = attribute(part, "y");
        match bars.last_mut() {
            Some((at, parts)) if *at == y => parts.push(part_of_bar),
            _ => bars.push((y, vec![part_of_bar])),
        }
    }
    bars.into_iter().map(|(_, parts)| parts).collect()
}

#[test]
fn a_picture_has_each_path_once() {
    let report = sample(RECEIPTS);
    let page = page_of(&report);
    for operation in OPERATIONS {
        for class in ["wide", "narrow"] {
            for (n, what) in PICTURES.iter().enumerate() {
                let svg = picture(&page, class, &format!("{operation}{what}"));
                let texts: Vec<String> = svg
                    .descendants()
                    .filter(|node| node.has_tag_name("text"))
                    .map(|node| words(node).trim().to_owned())
                    .collect();
                for path in report.paths().filter(|path| path.operation == operation) {
                    let peer = if path.peer { " (peer)" } else { "" };
                    let name = format!("{}{peer}", label(path));
                    let times = texts.iter().filter(|text| **text == name).count();
                    // Peers are not mutated.
                    assert_eq!(
                        times,
                        usize::from(!(path.peer && n == 2)),
                        "{class} {what} {name}"
                    );
                }
            }
        }
    }
}

#[test]
fn parts_of_a_mix_are_as_long_as_their_shares() {
    let report = sample(RECEIPTS);
    let page = page_of(&report);
    let steps = HashMap::from([
        ("x86-64", "--feature-1"),
        ("bmi2", "--feature-2"),
        ("avx", "--feature-3"),
        ("avx2", "--feature-4"),
        ("avx512f", "--feature-5"),
        ("avx512bw", "--feature-5"),
        ("avx512vbmi", "--feature-6"),
    ]);
    for operation in OPERATIONS {
        for class in ["wide", "narrow"] {
            let svg = picture(&page, class, &format!("{operation}{}", PICTURES[0]));
            let bars = bars(&svg);
            let receipts = receipts_of(&report, operation, 4097);
            assert_eq!(bars.len(), receipts.len());
            let length = |bar: &[(f64, f64, String)]| {
                let (x, width, _) = bar.last().unwrap();
                x + width - bar[0].0
            };
            for (bar, receipt) in bars.iter().zip(receipts) {
                assert_eq!(bar.len(), receipt.features.len(), "{}", receipt.name());
                assert!(
                    (length(bar) - length(&bars[0])).abs() <= 2.0,
                    "{}",
                    receipt.name()
                );
                for (feature, n) in &receipt.features {
                    let color = steps[feature.as_str()];
                    let share = *n as f64 / receipt.own as f64 * length(bar);
                    // Whole pixels, and a seam of one.
                    let drawn = |(_, width, its): &(f64, f64, String)| {
                        its == color && (width - share).abs() <= 2.0
                    };
                    assert!(
                        bar.iter().any(drawn),
                        "{class} {} {feature} {bar:?}",
                        receipt.name()
                    );
                }
                // The rarest is on the left.
                let colors: Vec<&String> = bar.iter().map(|(.., color)| color).collect();
                assert!(colors.is_sorted_by(|a, b| a >= b), "{colors:?}");
            }
        }
    }
}

#[test]
fn bars_of_counts_and_scores_are_as_long_as_their_numbers() {
    let report = sample(RECEIPTS);
    let page = page_of(&report);
    for class in ["wide", "narrow"] {
        let svg = picture(&page, class, "q64_encode: instructions that ");
        let bars_of_counts = bars(&svg);
        let own = |path: &&PathRow| path.operation == "q64_encode" && !path.peer;
        let values: Vec<f64> = report
            .paths()
            .filter(own)
            .filter_map(|path| figure(&report, &path.name(), "instructions, marginal"))
            .collect();
        assert_eq!((bars_of_counts.len(), values.len()), (5, 5));
        let scale = bars_of_counts[0][0].1 / values[0];
        for (bar, value) in bars_of_counts.iter().zip(values) {
            assert!((bar[0].1 - value * scale).abs() <= 2.0, "{class} {value}");
        }
        // The peer is an outline.
        let outline = svg.descendants().filter(|node| {
            let peer = |name| {
                node.attribute(name)
                    .is_some_and(|ink: &str| ink.starts_with("var(--peer-1"))
            };
            node.has_tag_name("rect") && node.attribute("fill") == Some("none") && peer("stroke")
        });
        let widths: Vec<f64> = outline.map(|node| attribute(node, "width")).collect();
        assert_eq!(widths.len(), 1);
        assert!((widths[0] - 40.0 * scale).abs() <= 2.0, "{widths:?}");

        let bars = bars(&picture(&page, class, "q64_encode: mutants of "));
        let whole = bars[0][0].1;
        // avx2/returns: 297 killed, 11 accepted, 2 not, of 310.
        let shares = [297.0, 11.0, 2.0].map(|n| n / 310.0 * whole);
        assert_eq!(bars[2].len(), 3);
        let colors = ["--killed", "--accepted", "--open"];
        for ((_, width, ink), (share, want)) in bars[2].iter().zip(shares.iter().zip(colors)) {
            assert!(
                (width - share).abs() <= 2.0 && ink == want,
                "{class} {:?}",
                bars[2]
            );
        }
    }
}

#[test]
fn counts_far_apart_have_a_logarithmic_scale() {
    let report = damaged(|record| match record {
        Record::Figure(f) if f.quantity == "instructions, marginal" && f.isa == "scalar" => {
            f.value = Some(22_400.0);
            true
        }
        _ => false,
    });
    let page = page_of(&report);
    let svg = picture(&page, "wide", "q64_encode: instructions that ");
    assert!(words(svg.root()).contains("(logarithmic)"));
    let bars = bars(&svg);
    let (most, least) = (bars[0][0].1, bars[3][0].1);
    // From ten on: 22,400 and 13.
    let want = (13f64 / 10.0).ln() / (22_400f64 / 10.0).ln();
    assert!((least / most - want).abs() < 0.01, "{least} {most} {want}");
}

#[test]
fn no_two_words_of_a_picture_touch() {
    assert_eq!(no_words_touch(&page_of(&sample(RECEIPTS))), 2 * 2 * 3);
}

/// A receipt of this path whose parts are given.
fn receipt(operation: &str, isa: &str, length: u64, features: &[(&str, u64)]) -> Record {
    let features = features.iter().map(|(name, n)| ((*name).to_owned(), *n));
    Record::Receipt(Receipt {
        operation: operation.to_owned(),
        isa: isa.to_owned(),
        delivery: "fills".to_owned(),
        length,
        own: features
            .clone()
            .map(|(_, n)| n)
            .fold(0, u64::saturating_add),
        features: features.collect(),
        ..Receipt::default()
    })
}

fn count(operation: &str, isa: &str, quantity: &str, value: f64) -> Record {
    let unit = match quantity {
        "instructions, marginal" => "instructions per 64 bytes",
        "instructions, fixed" => "instructions per call",
        _ => "mutants",
    };
    Record::Figure(Figure::new(quantity, Ok(value), unit).of(operation, isa, "fills"))
}

fn report_of(records: Vec<Record>) -> Report {
    Report {
        source: "records.jsonl".to_owned(),
        records,
        truncated: false,
    }
}

#[test]
fn odd_receipts_neither_panic_nor_overlap() {
    let long = |n: usize| format!("{n}{}", "long name ".repeat(20));
    let most = u64::MAX;
    let mut records = vec![
        receipt("nothing", "scalar", 0, &[]),
        receipt("nothing", "avx2", 0, &[("avx2", 0)]),
        receipt("huge", "avx2", most, &[("avx2", most)]),
        receipt("huge", "both", most, &[("avx2", most), ("x86-64", most)]),
        receipt("huge", "little", most, &[("gfni", 1), ("x86-64", most)]),
        count("huge", "avx2", "instructions, marginal", most as f64),
        count("huge", "both", "instructions, marginal", 1e-300),
        count("huge", "little", "instructions, marginal", 0.0),
        count("huge", "avx2", "instructions, fixed", f64::MIN),
        count("huge", "avx2", "mutants", 1e15),
        count("huge", "avx2", "mutants killed", 1e15 - 1.0),
        count("huge", "avx2", "mutants accepted", 0.0),
        count("none", "avx2", "mutants", 0.0),
        count("none", "avx2", "mutants killed", 0.0),
        count("none", "avx2", "mutants accepted", 0.0),
    ];
    if let Some(Record::Receipt(r)) = records.get_mut(2) {
        (r.elsewhere, r.repeats, r.allocations, r.allocated, r.copied) =
            (most, most, most, most, most);
    }
    for n in 0..100 {
        let isa = format!("path {n}");
        records.push(receipt("many", &isa, 64, &[("avx2", n), ("x86-64", 100)]));
        records.push(count("many", &isa, "instructions, marginal", n as f64));
    }
    for n in 0..4 {
        let (operation, isa) = (long(9), long(n));
        let feature = long(7);
        records.push(receipt(&operation, &isa, 64, &[(&feature, 5), ("avx2", 3)]));
        records.push(count(&operation, &isa, "instructions, marginal", 5.0));
        records.push(count(&operation, &isa, "mutants", 12.0));
        records.push(count(&operation, &isa, "mutants killed", 5.0));
        records.push(count(&operation, &isa, "mutants accepted", 3.0));
    }
    let report = report_of(records);
    let page = page_of(&report);
    // nothing: no picture; huge: three; none: none; many: two; long: three. Each twice.
    assert_eq!(no_words_touch(&page), 2 * (3 + 2 + 3));
    let many = picture(&page, "wide", "many: instruction mix of 100 paths");
    assert_eq!(bars(&many).len(), 100);
    assert!(page.contains("18\u{202f}446\u{202f}744\u{202f}073\u{202f}709\u{202f}551\u{202f}615"));
    let shown = flat(&text(&report, false));
    assert!(shown.contains("18,446,744,073,709,551,615"));
    assert!(shown.contains("no place to change") && shown.contains("99.9%"));
    let _ = (markdown(&report), junit(&report));
}

#[test]
fn a_path_without_evidence_says_why() {
    let mut report = sample(RECEIPTS);
    report.records.retain(|record| match record {
        Record::Receipt(receipt) => receipt.isa != "avx2",
        Record::Figure(figure) => figure.isa != "avx2",
        Record::Survivor(_) => false,
        _ => true,
    });
    for record in &mut report.records {
        if let Record::Path(path) = record
            && path.isa == "avx2"
        {
            path.receipt = Some("no receipt: valgrind swallows the trap flag".to_owned());
        }
    }
    let (page, text, markdown) = (page_of(&report), text(&report, false), markdown(&report));
    for shown in [&page, &flat(&text), &markdown] {
        for why in [
            "no receipt: valgrind swallows the trap flag",
            "not counted: no record",
            "not mutated: no record",
            "unavailable: for aarch64",
        ] {
            assert!(shown.contains(why), "{why}\n{shown}");
        }
    }
    // A path that has a receipt, but not at the length of the picture.
    let mut report = sample(RECEIPTS);
    report.records.retain(
        |record| !matches!(record, Record::Receipt(r) if r.isa == "avx2" && r.length == 4097),
    );
    let page = page_of(&report);
    let svg = picture(&page, "wide", "q64_encode: instruction mix of ");
    assert_eq!(
        words(svg.root())
            .matches("no receipt at 4\u{202f}097 B")
            .count(),
        2
    );
}

#[test]
fn what_a_table_of_evidence_shows_is_not_listed_again_and_what_none_can_show_is() {
    let mut report = sample(RECEIPTS);
    let listed = |report: &Report| {
        [
            page_of(report).contains("<h2>Figures</h2>"),
            text(report, false).contains("figure of"),
            markdown(report).contains("#### Figures"),
        ]
    };
    assert_eq!(listed(&report), [false; 3]);
    // Another unit, half a mutant, fewer than none, a split of what has none, a second value.
    let strange = [
        ("instructions, marginal", None, 101.25, "instructions"),
        ("mutants", Some("nop"), 102.5, "mutants"),
        ("mutants killed", Some("nop"), -103.0, "mutants"),
        (
            "instructions, fixed",
            Some("64"),
            104.25,
            "instructions per call",
        ),
        ("mutants", None, 105.0, "mutants"),
    ];
    for (quantity, split, value, unit) in strange {
        let figure = Figure::new(quantity, Ok(value), unit).of("q64_encode", "scalar", "fills");
        let figure = Figure {
            split: split.map(str::to_owned),
            ..figure
        };
        report
            .records
            .insert(report.records.len() - 1, Record::Figure(figure));
    }
    assert_eq!(listed(&report), [true; 3]);
    let page = page_of(&report).replace("<wbr>", "");
    let figures = &page[page.find("<h2>Figures</h2>").unwrap()..];
    let rows = cells_of_rows(&element(figures, "<table", "table"));
    assert_eq!(rows.len(), 1 + strange.len(), "{rows:?}");
}

#[test]
fn a_page_without_evidence_has_no_section_of_it() {
    for report in [sample(VERIFIED), sample(TIMED)] {
        let (page, text, markdown) = (page_of(&report), text(&report, false), markdown(&report));
        for shown in [page, text, markdown] {
            for word in [
                "Receipts",
                "Instructions",
                "Mutation score",
                "Survivors",
                "C library",
            ] {
                assert!(!shown.contains(word), "{word}");
            }
        }
        assert!(!junit(&report).contains("system-out"));
    }
    assert!(page_of(&sample(VERIFIED)).contains("schema 1"));
    let page = page_of(&sample(RECEIPTS));
    assert!(page.contains("schema 2") && page.contains("glibc 2.36"));
    // No table of cases that nobody has counted by kind.
    assert!(!page.contains("nothing to draw"));
}

#[test]
fn junit_has_the_evidence_of_each_path() {
    let xml = junit(&sample(RECEIPTS));
    let document = Document::parse(&xml).unwrap();
    let case = |class: &str, name: &str| {
        let of_it = |node: &Node<'_, '_>| {
            node.attribute("classname") == Some(class) && node.attribute("name") == Some(name)
        };
        let case = document.descendants().find(of_it).unwrap();
        words(case).replace('\u{202f}', " ")
    };
    let shown = case("q64_encode", "avx2/returns");
    for line in [
        "receipt at 4 097 B: 1,973 own instructions (avx2 1,280 · avx 261 · x86-64 432), 59 in libraries, allocations 1 (8,194 B)",
        "loop of 15: vpermq",
        "in q64::q64::avx2::encode",
        "30 instructions per 64 bytes",
        "49 instructions per call",
        "297 of 310 mutants killed (95.8%), 11 accepted, 2 not",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(case("q64_encode", "neon/fills").trim().is_empty());
}

/// A path whose mutants are all left to another path has no score, and one that shares some has one; both say so.
#[test]
fn mutants_of_another_path_stand_beside_the_score() {
    let mut report = sample(RECEIPTS);
    let share = |delivery: &str, count: f64| {
        let mut figure = Figure::new("mutants of another path", Ok(count), "mutants");
        figure.reason = Some("of 7 function(s)".into());
        let figure = figure.split("q64_first").of("q64_encode", "avx2", delivery);
        Record::Figure(figure)
    };
    for record in &mut report.records {
        if let Record::Figure(figure) = record
            && figure.name() == "q64_encode/avx2/returns"
            && figure.quantity.starts_with("mutants")
        {
            figure.value = Some(0.0);
        }
    }
    report.records.insert(1, share("fills", 1234.0));
    report.records.insert(1, share("returns", 310.0));
    for shown in [markdown(&report), text(&report, false), page(&[report])] {
        for says in [
            "mutated elsewhere: 1,234 under q64",
            "mutated elsewhere: 310 under q64",
        ] {
            assert!(shown.contains(says), "no {says:?} in {shown}");
        }
        assert!(!shown.contains("mutants of another path"), "{shown}");
    }
}

#[test]
fn markdown_folds_particulars_and_bounds_its_tables() {
    let mut report = sample(RECEIPTS);
    let shown = markdown(&report);
    let at = |needle: &str| shown.find(needle).unwrap_or_else(|| panic!("no {needle}"));
    assert!(at("#### Ledger") < at("#### q64\\_encode: Receipts"));
    assert!(shown.contains("| `avx2/fills` | 289 | 277 | 95.8% | 11 | 1 |  |\n"));
    assert_eq!(
        shown.matches("<details>").count(),
        shown.matches("</details>").count()
    );
    let open: String = shown
        .split("<details>")
        .map(|part| part.split_once("</details>").map_or(part, |(_, rest)| rest))
        .collect();
    assert!(!open.contains("by length") && open.contains("Mutation score"));
    let survivor = report
        .survivors()
        .find(|s| s.accepted.is_none())
        .unwrap()
        .clone();
    for offset in 0..300 {
        let survivor = Survivor {
            offset,
            ..survivor.clone()
        };
        report.records.push(Record::Survivor(survivor));
    }
    let shown = markdown(&report);
    assert!(
        shown.contains("Survivors that are not accepted: 302"),
        "{shown}"
    );
    assert!(shown.contains("And 102 more rows; the records have them all."));
}

#[test]
fn hostile_text_of_evidence_shows_and_does_not_act() {
    const EVIL: &str = "</td></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'`|\u{1b}[2J\u{202e}\r\n# [x](http://evil)";
    let mut report = sample(RECEIPTS);
    let evil = |text: &mut String| text.push_str(EVIL);
    for record in &mut report.records {
        match record {
            Record::Machine(machine) => machine.libc.iter_mut().for_each(evil),
            Record::Path(path) => {
                [&mut path.operation, &mut path.isa]
                    .into_iter()
                    .for_each(evil);
                path.receipt
                    .iter_mut()
                    .chain(&mut path.reason)
                    .for_each(evil);
            }
            Record::Figure(figure) => {
                [&mut figure.operation, &mut figure.isa]
                    .into_iter()
                    .for_each(evil);
                figure
                    .split
                    .iter_mut()
                    .chain(&mut figure.reason)
                    .for_each(evil);
            }
            Record::Receipt(receipt) => {
                [&mut receipt.operation, &mut receipt.isa]
                    .into_iter()
                    .for_each(evil);
                receipt
                    .hot_loop
                    .iter_mut()
                    .chain(&mut receipt.functions)
                    .for_each(evil);
                for map in [
                    &mut receipt.features,
                    &mut receipt.mnemonics,
                    &mut receipt.elsewhere_features,
                ] {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(name, n)| (name + EVIL, n))
                        .collect();
                }
            }
            Record::Survivor(s) => {
                [
                    &mut s.operation,
                    &mut s.isa,
                    &mut s.delivery,
                    &mut s.function,
                    &mut s.bytes,
                    &mut s.change,
                    &mut s.instruction,
                ]
                .into_iter()
                .for_each(evil);
                s.source.iter_mut().chain(&mut s.accepted).for_each(evil);
            }
            _ => {}
        }
    }
    nothing_acts(&report, 2 * 2 * 3, "Mutation score", 80);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_receipt_or_survivor_gets_lost(report in any_report()) {
        // What is between pipes, tags and line breaks is another test's business.
        let shown = flat(&text(&report, false));
        let page = page_of(&report);
        for receipt in report.receipts() {
            // Of one call that was stepped twice, the last receipt holds.
            let same = |other: &&Receipt| {
                (other.name(), other.length, other.refused) == (receipt.name(), receipt.length, receipt.refused)
            };
            let last = report.receipts().filter(same).last().unwrap();
            if receipt.own >= 1000 && receipt.own < 1_000_000 && std::ptr::eq(receipt, last) {
                let own = |separator: &str| format!("{}{separator}{:03}", receipt.own / 1000, receipt.own % 1000);
                prop_assert!(shown.contains(&own(",")), "{receipt:?}\n{shown}");
                prop_assert!(page.contains(&own("\u{202f}")), "{receipt:?}");
            }
        }
        for survivor in report.survivors() {
            let place = format!("{:#x}", survivor.offset);
            prop_assert!(page.contains(&place));
            // The terminal counts the accepted ones.
            prop_assert!(survivor.accepted.is_some() || text(&report, false).contains(&place), "{shown}");
        }
    }
}
