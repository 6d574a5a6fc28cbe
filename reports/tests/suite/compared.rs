//! Comparisons and calibrations: what every view says is what the records say.

use crate::common::{
    COMPARED, RECEIPTS, TIMED, VERIFIED, any_report, attribute, cells_of_rows, element,
    no_words_touch, nothing_acts, sample, words,
};
use pathproof_reports::{
    Calibration, Compared, Comparison, Record, Report, junit, markdown, page, text,
};
use proptest::prelude::*;
use roxmltree::{Document, Node};

/// Operations and what they are held against.
const GROUPS: [(&str, &str); 3] = [
    ("q64_encode", "main"),
    ("q64_encode", "q64_encode/ssse3/fills"),
    ("q64_decode", "main"),
];

fn page_of(report: &Report) -> String {
    page(std::slice::from_ref(report))
}

/// The words of a text, whatever breaks its lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rows of the page's table with this caption.
fn table(page: &str, caption: &str) -> Vec<Vec<String>> {
    let caption = format!("<caption>{caption}</caption>");
    let at = page
        .find(&caption)
        .unwrap_or_else(|| panic!("no {caption}"));
    let from = page[..at].rfind("<table").unwrap();
    cells_of_rows(&element(&page[from..], "<table", "table"))
}

fn in_group<'r>(report: &'r Report, group: (&str, &str)) -> Vec<&'r Comparison> {
    let of_it = |row: &&Comparison| (&*row.operation, &*row.against) == group;
    report.comparisons().filter(of_it).collect()
}

/// `avx2/fills at 768 B`.
fn place(row: &Comparison) -> String {
    let load = match row.load.as_str() {
        "768" => "768 B",
        "4096" => "4 KiB",
        other => other,
    };
    format!("{}/{} at {load}", row.isa, row.delivery)
}

/// The numbers in a cell, whatever stands between them.
fn numbers(cell: &str) -> Vec<f64> {
    let parts = cell.replace('\u{202f}', "");
    let parts = parts.split(['[', ']', ' ', '%', '→', ',']);
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// Whether the page's tables of comparisons say what the records say; how many numbers they have.
fn tables_agree(report: &Report, page: &str) -> Result<usize, String> {
    let mut seen = 0;
    for group in GROUPS {
        let (operation, against) = group;
        let rows = table(page, &format!("{operation}: Comparison against {against}"));
        let comparisons = in_group(report, group);
        if rows.len() != comparisons.len() + 1 {
            return Err(format!("{} rows of {}", rows.len(), comparisons.len()));
        }
        for of in comparisons {
            let cells = rows.iter().find(|row| row[0] == place(of));
            let cells = cells.ok_or(format!("no {}", place(of)))?;
            let cell = |name: &str| {
                let at = rows[0].iter().position(|head| head == name);
                &cells[at.unwrap_or_else(|| panic!("no column {name}"))]
            };
            let percent = |ratio: f64| (ratio - 1.0) * 100.0;
            let ratio = of.ratio;
            let wanted: [(&str, Vec<f64>, f64); 8] = [
                (
                    "ratio",
                    ratio.iter().map(|r| percent(r.at)).collect(),
                    0.051,
                ),
                (
                    "interval",
                    ratio
                        .iter()
                        .flat_map(|r| [percent(r.low), percent(r.high)])
                        .collect(),
                    0.051,
                ),
                (
                    "least detectable",
                    of.least.iter().map(|n| n * 100.0).collect(),
                    0.051,
                ),
                (
                    "ns, base → head",
                    [of.base.nanos, of.head.nanos]
                        .into_iter()
                        .flatten()
                        .collect(),
                    0.51,
                ),
                (
                    "instructions, base",
                    of.base.instructions.map(|n| n as f64).into_iter().collect(),
                    0.0,
                ),
                (
                    "head",
                    of.head.instructions.map(|n| n as f64).into_iter().collect(),
                    0.0,
                ),
                ("epochs", vec![f64::from(of.epochs)], 0.0),
                ("seconds", vec![of.seconds], 0.0051),
            ];
            for (name, want, off) in wanted {
                let shown = numbers(cell(name));
                let near = |(shown, want): (&f64, &f64)| (shown - want).abs() <= off;
                if shown.len() != want.len() || !shown.iter().zip(&want).all(near) {
                    return Err(format!("{} {name}: {shown:?} is not {want:?}", place(of)));
                }
                seen += want.len();
            }
            let reason = cells.last().unwrap();
            if cell("verdict") != of.verdict.word() {
                return Err(format!("{}: {}", place(of), cell("verdict")));
            }
            if !of.reason.iter().all(|why| reason.contains(why.as_str())) {
                return Err(format!("{}: {reason}", place(of)));
            }
        }
    }
    Ok(seen)
}

/// Damages the first record that `damage` takes.
fn damaged(mut damage: impl FnMut(&mut Record) -> bool) -> Report {
    let mut report = sample(COMPARED);
    assert!(report.records.iter_mut().any(&mut damage));
    report
}

#[test]
fn the_tables_have_the_numbers_of_the_records() {
    let report = sample(COMPARED);
    let page = page_of(&report);
    let seen = tables_agree(&report, &page).unwrap();
    assert!(seen > 250, "{seen}");

    // The check finds a number that differs.
    type Damage = fn(&mut Comparison);
    let damages: [(Damage, &str); 4] = [
        (|of| of.ratio.as_mut().unwrap().at += 0.002, "ratio"),
        (|of| of.head.instructions = Some(425), "head"),
        (|of| of.epochs += 1, "epochs"),
        (|of| of.base.nanos = Some(56.2), "ns, base → head"),
    ];
    for (damage, want) in damages {
        let report = damaged(|record| match record {
            Record::Comparison(of) if of.verdict == Compared::Slower => {
                damage(of);
                true
            }
            _ => false,
        });
        let error = tables_agree(&report, &page).unwrap_err();
        assert!(
            error.starts_with(&format!("avx2/fills at 768 B {want}")),
            "{want}: {error}"
        );
    }
}

#[test]
fn what_must_be_looked_at_comes_first() {
    let report = sample(COMPARED);
    let rows = table(&page_of(&report), "q64_encode: Comparison against main");
    let mut verdicts: Vec<&str> = rows[1..].iter().map(|row| row[1].as_str()).collect();
    // Within a verdict the file's order.
    let same: Vec<&str> = rows
        .iter()
        .filter(|row| row[1] == "same")
        .map(|row| row[0].as_str())
        .collect();
    assert_eq!(
        same,
        [
            "avx2/fills at 4 KiB",
            "avx2/returns at 4 KiB",
            "avx2/fills at a batch of embeddings, 1000 of 768 B",
            "auto/fills at 4 KiB",
            "faster-hex/fills at 768 B",
        ]
    );
    verdicts.dedup();
    let want = [
        "slower",
        "void",
        "inconclusive",
        "no base",
        "same",
        "identical code",
    ];
    assert_eq!(verdicts, want);
}

/// The picture whose description begins so.
fn picture<'a>(page: &'a str, class: &str, description: &str) -> Document<'a> {
    let open = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{description}");
    element(page, &open, "svg")
}

/// Intervals as they are drawn, from the top: where they begin and end, and their colour.
fn whiskers(svg: &Document<'_>) -> Vec<(f64, f64, String)> {
    let lines = svg.descendants().filter(|node| {
        let interval = |ink: &str| {
            ["--slower", "--faster", "--same", "--unclear"]
                .iter()
                .any(|name| ink.contains(name))
        };
        node.has_tag_name("polyline")
            && node.attribute("stroke-width") == Some("2")
            && node.attribute("stroke").is_some_and(interval)
    });
    let of = |node: Node<'_, '_>| {
        let points: Vec<f64> = node
            .attribute("points")
            .unwrap()
            .split([' ', ','])
            .filter_map(|n| n.parse().ok())
            .collect();
        let ink = node.attribute("stroke").unwrap();
        let ink = ink.trim_start_matches("var(--").split(',').next().unwrap();
        (points[0], points[2], ink.to_owned())
    };
    lines.map(of).collect()
}

fn ink(verdict: Compared) -> &'static str {
    match verdict {
        Compared::Slower => "slower",
        Compared::Faster => "faster",
        Compared::Same | Compared::Identical => "same",
        Compared::Inconclusive | Compared::Void | Compared::NoBase => "unclear",
    }
}

#[test]
fn intervals_are_as_long_as_their_numbers() {
    let report = sample(COMPARED);
    let page = page_of(&report);
    for group in GROUPS {
        let (operation, against) = group;
        let mut measured = in_group(&report, group);
        measured.retain(|of| of.ratio.is_some());
        let order = [
            Compared::Slower,
            Compared::Void,
            Compared::Inconclusive,
            Compared::Faster,
            Compared::Same,
        ];
        measured.sort_by_key(|of| order.iter().position(|one| *one == of.verdict));
        for class in ["wide", "narrow"] {
            let svg = picture(&page, class, &format!("{operation} against {against}: "));
            let drawn = whiskers(&svg);
            assert_eq!(drawn.len(), measured.len());
            // The scale, from the longest interval that fits.
            let fits = |of: &&Comparison| of.ratio.is_some_and(|r| r.high - r.low < 0.1);
            let ends = |of: &Comparison| of.ratio.map(|r| [r.low, r.high]).unwrap();
            let fitting = || measured.iter().zip(&drawn).filter(|(of, _)| fits(of));
            let least = fitting()
                .min_by(|a, b| ends(a.0)[0].total_cmp(&ends(b.0)[0]))
                .unwrap();
            let most = fitting()
                .max_by(|a, b| ends(a.0)[1].total_cmp(&ends(b.0)[1]))
                .unwrap();
            let scale = (most.1.1 - least.1.0) / (ends(most.0)[1] - ends(least.0)[0]);
            for (of, (from, to, color)) in fitting() {
                assert_eq!(*color, ink(of.verdict));
                for (drawn, end) in [from, to].into_iter().zip(ends(of)) {
                    let want = least.1.0 + (end - ends(least.0)[0]) * scale;
                    assert!(
                        (drawn - want).abs() <= 1.5,
                        "{class} {}: {drawn} {want}",
                        place(of)
                    );
                }
            }
            // Each row is named once, and says what it amounts to.
            let texts: Vec<String> = svg
                .descendants()
                .filter(|node| node.has_tag_name("text"))
                .map(words)
                .collect();
            for of in &measured {
                let name = place(of);
                let name: String = name.chars().take(20).collect();
                let named = texts
                    .iter()
                    .filter(|text| text.trim().starts_with(&name))
                    .count();
                assert_eq!(named, 1, "{class} {name} {texts:?}");
            }
        }
    }
    // One interval goes on beyond the picture, which says so, and the others are not pressed together.
    assert_eq!(
        page.matches("the interval goes on beyond the picture")
            .count(),
        1
    );
    let svg = picture(&page, "wide", "q64_encode against main: ");
    let heads = svg.descendants().filter(|node| {
        node.has_tag_name("polygon")
            && node
                .attribute("fill")
                .is_some_and(|ink| ink.contains("--unclear"))
    });
    assert_eq!(heads.count(), 2);
}

#[test]
fn what_has_no_interval_is_said_in_words() {
    let page = page_of(&sample(COMPARED));
    for said in [
        "<li>12 identical code: at 768 B, 4 KiB: scalar/fills, scalar/returns, sse2/fills, sse2/returns, ssse3/fills, ssse3/returns</li>",
        "<li>2 no base, the base has no path q64_encode/avx2/fresh: at 768 B, 4 KiB: avx2/fresh</li>",
        "<li>1 inconclusive, out of time: the row was not reached: at 4 KiB: auto/returns</li>",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn no_two_words_of_a_picture_touch() {
    // Three groups and the curve.
    assert_eq!(no_words_touch(&page_of(&sample(COMPARED))), 2 * (3 + 1));
}

#[test]
fn the_terminal_folds_identical_code_and_the_others_have_each_row() {
    let report = sample(COMPARED);
    let shown = text(&report, false);
    assert!(shown.contains(
        "12 rows of identical code: at 768 B, 4 KiB: scalar/fills, scalar/returns, sse2/fills, sse2/returns, ssse3/fills, ssse3/returns\n"
    ));
    assert!(!shown.contains("q64_encode/scalar/fills at 768 B  "));
    let flat = flat(&shown);
    assert!(flat.contains(
        "q64_encode/avx2/fills at 768 B +3.1 % [+2.8, +3.5] 1.3 % 55.5 → 57.2 408 424 +16 10 0.32 slower"
    ), "{flat}");
    for note in [
        "24 rows: 1 slower, 5 same, 12 identical code, 3 inconclusive, 1 void, 2 no base; margin 1 %, confidence 99.95 %",
        "16.7 % of the rows have no verdict",
        "The control, the base once more: its intervals reach from -25.1 % to +24.9 %",
        "3 links of each side: from +2.8 % to +3.4 % by layout alone",
        "the control, the base once more, came out slower than the base",
        "base in q64::q64::avx2::encode at 0x449760",
    ] {
        assert!(flat.contains(note), "{note}\n{flat}");
    }
    let shown = markdown(&report);
    assert!(shown.contains("| `q64_encode/avx2/fills at 768 B` | +3.1 % |"));
    assert_eq!(shown.matches("| **slower** |").count(), 1);
    assert_eq!(shown.matches("| **void** |").count(), 1);
    assert_eq!(shown.matches("| identical code |").count(), 16);
    assert!(shown.find("Comparison against main").unwrap() < shown.find("#### Ledger").unwrap());
    let open: String = shown
        .split("<details>")
        .map(|part| part.split_once("</details>").map_or(part, |(_, rest)| rest))
        .collect();
    assert!(!open.contains("0x449760") && shown.contains("0x449760"));
}

#[test]
fn margins_that_differ_have_a_column() {
    let shared = text(&sample(COMPARED), false);
    assert!(!shared.contains("interval  margin"));
    let report = damaged(|record| match record {
        Record::Comparison(of) if of.verdict == Compared::Slower => {
            (of.margin, of.confidence) = (0.025, 0.99);
            true
        }
        _ => false,
    });
    let shown = flat(&text(&report, false));
    assert!(shown.contains("+3.1 % [+2.8, +3.5] 2.5 % 1.3 %"), "{shown}");
    assert!(shown.contains("1 void, 2 no base 16.7 %"), "{shown}");
    assert!(shown.contains("confidence 99 %"), "{shown}");
}

#[test]
fn junit_has_a_case_for_each_comparison() {
    let report = sample(COMPARED);
    let xml = junit(&report);
    let document = Document::parse(&xml).unwrap();
    let suites = document
        .descendants()
        .filter(|node| node.has_tag_name("testsuite"));
    let names: Vec<&str> = suites.filter_map(|suite| suite.attribute("name")).collect();
    let want = [
        "q64_encode",
        "q64_decode",
        "comparison: q64_encode",
        "comparison: q64_decode",
    ];
    assert_eq!(names, want);
    let cases = || {
        let cases = document
            .descendants()
            .filter(|node| node.has_tag_name("testcase"));
        cases.filter(|case| {
            case.attribute("classname")
                .unwrap()
                .starts_with("comparison: ")
        })
    };
    assert_eq!(cases().count(), report.comparisons().count());
    for of in report.comparisons() {
        let name = format!("{} against {}", place(of), of.against);
        let same = |case: &Node<'_, '_>| {
            case.attribute("name").unwrap() == name
                && case.attribute("classname") == Some(&*format!("comparison: {}", of.operation))
        };
        let case = cases().find(same).unwrap_or_else(|| panic!("no {name}"));
        let has = |tag: &str| case.children().find(|node| node.has_tag_name(tag));
        match of.verdict {
            Compared::Slower | Compared::Void => {
                let failure = has("failure").unwrap();
                assert_eq!(failure.attribute("type"), Some(of.verdict.word()));
                assert!(failure.attribute("message").unwrap().contains(" ns; "));
            }
            Compared::Inconclusive | Compared::NoBase => {
                let message = has("skipped").unwrap().attribute("message").unwrap();
                assert!(
                    message.ends_with(of.reason.as_deref().unwrap()),
                    "{message}"
                );
            }
            Compared::Faster | Compared::Same | Compared::Identical => {
                assert!(has("failure").is_none() && has("skipped").is_none());
            }
        }
    }
}

fn pooled<'r>(
    report: &'r Report,
    method: &str,
    condition: &str,
    effect: f64,
) -> Vec<&'r Calibration> {
    let of_it = |row: &&Calibration| {
        row.method == method && row.condition == condition && row.effect == effect
    };
    report.calibrations().filter(of_it).collect()
}

#[test]
fn calibrations_are_pooled_over_paths_and_listed_by_path() {
    let report = sample(COMPARED);
    let page = page_of(&report);
    let rows = table(&page, "How good the comparison is, all paths together");
    // Seven effects of two conditions, five of the way that is worse.
    assert_eq!(rows.len(), 1 + 7 + 7 + 5);
    for row in &rows[1..] {
        let (method, condition) = row[0].split_once(", ").unwrap();
        let effect = numbers(&row[1])[0] / 100.0;
        let of = pooled(&report, method, condition, effect);
        assert_eq!(of.len(), 4, "{row:?}");
        let sum = |n: fn(&Calibration) -> u32| of.iter().map(|row| f64::from(n(row))).sum::<f64>();
        let counts = [
            sum(Calibration::comparisons),
            sum(|c| c.slower),
            sum(|c| c.faster),
            sum(|c| c.same),
            sum(|c| c.inconclusive),
            sum(|c| c.void),
        ];
        for (cell, want) in row[3..9].iter().zip(counts) {
            assert_eq!(numbers(cell), [want], "{row:?}");
        }
        let alarms = if effect > 0.0 {
            counts[1]
        } else {
            counts[1] + counts[2]
        };
        assert!(
            (numbers(&row[9])[0] - 100.0 * alarms / counts[0]).abs() < 0.051,
            "{row:?}"
        );
        let limits = numbers(&row[10]);
        assert!(
            limits[0] <= numbers(&row[9])[0] && numbers(&row[9])[0] <= limits[1],
            "{row:?}"
        );
    }
    // No false alarm in 400 comparisons.
    assert_eq!(rows[1][9..11], ["0 %".to_owned(), "[0, 0.918]".to_owned()]);
    assert_eq!(
        rows[1].last().unwrap(),
        "false alarms; with 95 % no more than 0.746 %"
    );
    assert!(
        rows.iter()
            .any(|row| row.last().unwrap() == "found; called same 48 times")
    );
    let each = table(
        &page,
        "How good the comparison is: paired, an idle machine, path by path",
    );
    assert_eq!(each.len(), 1 + 7 * 4);
    assert_eq!(each[1][0], "q64_encode/avx2/fills at 768 B");
    for shown in [flat(&text(&report, false)), markdown(&report)] {
        assert!(shown.contains("false alarms; with 95 % no more than 0.746 %"));
        assert!(shown.contains("one side after the other, a compiler on the other core"));
    }
}

#[test]
fn the_curve_has_a_point_for_each_effect() {
    let report = sample(COMPARED);
    let page = page_of(&report);
    for class in ["wide", "narrow"] {
        let svg = picture(
            &page,
            class,
            "Share of comparisons that say that there is a difference",
        );
        let lines: Vec<Vec<f64>> = svg
            .descendants()
            .filter(|node| node.has_tag_name("polyline"))
            .map(|node| {
                node.attribute("points")
                    .unwrap()
                    .split([' ', ','])
                    .filter_map(|n| n.parse().ok())
                    .collect()
            })
            .filter(|points: &Vec<f64>| points.len() > 4)
            .collect();
        let count: Vec<usize> = lines.iter().map(|points| points.len() / 2).collect();
        assert_eq!(count, [7, 7, 5]);
        // The first finds nothing of nothing and all of 5 %: the axis; and between them what it found.
        let (bottom, top) = (lines[0][1], lines[0][13]);
        let of = pooled(&report, "paired", "an idle machine", 0.015);
        let share = of.iter().map(|row| f64::from(row.slower)).sum::<f64>() / 400.0;
        let want = bottom + (top - bottom) * share;
        assert!(
            (lines[0][7] - want).abs() <= 1.0,
            "{class} {} {want}",
            lines[0][7]
        );
        // The lesser way is dashed.
        let dashed = svg
            .descendants()
            .filter(|node| node.attribute("stroke-dasharray").is_some());
        assert_eq!(dashed.count(), 2);
        let hollow = svg
            .descendants()
            .filter(|node| node.has_tag_name("circle") && node.attribute("fill") == Some("none"));
        assert_eq!(hollow.count(), 5 + 1);
    }
}

#[test]
fn many_comparisons_are_folded_by_operation_and_have_room() {
    let mut report = sample(COMPARED);
    let one = report
        .comparisons()
        .find(|of| of.verdict == Compared::Same)
        .unwrap()
        .clone();
    for operation in 0..5 {
        for n in 0..70 {
            report.records.push(Record::Comparison(Comparison {
                operation: format!("op{operation}"),
                load: (64 * (n + 1)).to_string(),
                ..one.clone()
            }));
        }
    }
    let page = page_of(&report);
    let section =
        &page[page.find("<h2>Comparison</h2>").unwrap()..page.find("<h2>How good").unwrap()];
    assert_eq!(
        section.matches("<details class=\"operation\">").count(),
        2 + 5
    );
    assert!(section.contains("<h3>op3</h3> <span class=\"muted\">70 same</span>"));
    let svg = picture(&page, "wide", "op4 against main: 70 comparisons");
    assert_eq!(whiskers(&svg).len(), 70);
    assert!((1000.0..2000.0).contains(&attribute(svg.root_element(), "height")));
    no_words_touch(&page);
}

#[test]
fn odd_comparisons_neither_panic_nor_overlap() {
    let mut report = sample(COMPARED);
    let long = "long name ".repeat(20);
    let mut odd: Vec<Record> = Vec::new();
    for record in &report.records {
        match record {
            Record::Comparison(of) => {
                let mut of = of.clone();
                of.operation = "odd".to_owned();
                of.isa += &long;
                if let Some(ratio) = &mut of.ratio {
                    (ratio.low, ratio.high) = (1e-9, 1e9);
                }
                odd.push(Record::Comparison(of));
            }
            Record::Calibration(of) => {
                let mut of = of.clone();
                (of.condition, of.effect) = (long.clone(), of.effect * 1e5);
                (of.slower, of.faster) = (u32::MAX, u32::MAX);
                odd.push(Record::Calibration(of));
            }
            _ => {}
        }
    }
    report.records.extend(odd);
    no_words_touch(&page_of(&report));
    let _ = (text(&report, false), markdown(&report), junit(&report));
}

#[test]
fn other_reports_have_no_word_of_it() {
    for report in [sample(VERIFIED), sample(TIMED), sample(RECEIPTS)] {
        let shown = [
            page_of(&report),
            text(&report, false),
            markdown(&report),
            junit(&report),
        ];
        for shown in shown {
            for word in ["Comparison", "comparison:", "How good", "calibration"] {
                assert!(!shown.contains(word), "{word}");
            }
        }
    }
    // What is not shown elsewhere is still listed.
    let page = page_of(&sample(COMPARED));
    assert!(
        page.contains("<h2>Figures</h2>")
            && page.contains("the control is another link of the base")
    );
    assert!(!page.contains("nothing to draw"));
}

#[test]
fn hostile_text_of_comparisons_shows_and_does_not_act() {
    const EVIL: &str = "</td></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'`|\u{1b}[2J\u{202e}\r\n# [x](http://evil)";
    let mut report = sample(COMPARED);
    let evil = |text: &mut String| text.push_str(EVIL);
    for record in &mut report.records {
        match record {
            Record::Comparison(of) => {
                [
                    &mut of.operation,
                    &mut of.isa,
                    &mut of.delivery,
                    &mut of.load,
                    &mut of.against,
                ]
                .into_iter()
                .for_each(evil);
                of.reason
                    .iter_mut()
                    .chain(&mut of.control_function)
                    .for_each(evil);
                of.base
                    .function
                    .iter_mut()
                    .chain(&mut of.head.function)
                    .for_each(evil);
            }
            Record::Calibration(of) => {
                [
                    &mut of.operation,
                    &mut of.isa,
                    &mut of.delivery,
                    &mut of.load,
                    &mut of.method,
                    &mut of.condition,
                ]
                .into_iter()
                .for_each(evil);
            }
            _ => {}
        }
    }
    nothing_acts(&report, 2 * (3 + 1), "Comparison against", 150);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_comparison_gets_lost(report in any_report()) {
        let page = page_of(&report);
        let counted = |shown: &str, verdict: &str| {
            shown.matches(&format!("<td class=\"verdict\">{verdict}</td>")).count()
                + shown.matches(&format!("<td class=\"verdict\"><strong class=\"bad\">{verdict}</strong></td>")).count()
        };
        for verdict in Compared::ALL {
            let count = report.comparisons().filter(|of| of.verdict == verdict).count();
            prop_assert_eq!(counted(&page, verdict.word()), count, "{}", verdict);
        }
        let cases = junit(&report).matches("classname=\"comparison: ").count();
        prop_assert!(cases >= report.comparisons().count());
        let shown = text(&report, false);
        let calibrated = report.calibrations().next().is_some();
        prop_assert_eq!(shown.contains("How good the comparison is, all paths together\n"), calibrated);
    }
}

#[test]
fn what_reads_back_as_another_effect_is_left_out_of_the_share() {
    let mut report = sample(COMPARED);
    let of_it = |of: &Calibration| {
        (of.method.as_str(), of.condition.as_str(), of.effect)
            == ("paired", "an idle machine", 0.03)
    };
    let mut changed = None;
    for record in &mut report.records {
        if let Record::Calibration(of) = record
            && of_it(of)
            && changed.is_none()
        {
            of.measured = Some(0.004);
            changed = Some(of.clone());
        }
    }
    let changed = changed.unwrap();
    let page = page_of(&report);
    let rows = table(&page, "How good the comparison is, all paths together");
    let row = rows
        .iter()
        .find(|row| row[0] == "paired, an idle machine" && row[1] == "3 %")
        .unwrap();
    let all = pooled(&report, "paired", "an idle machine", 0.03);
    let counted = all.iter().filter(|of| ***of != changed);
    let counted: u32 = counted.map(|of| of.comparisons()).sum();
    assert_eq!(numbers(&row[3]), [f64::from(counted)], "{row:?}");
    let left_out = format!(
        "{} left out: another effect read back",
        changed.comparisons()
    );
    assert!(row.last().unwrap().ends_with(&left_out), "{row:?}");
    // It is not lost: the path's own row says so.
    let each = table(
        &page,
        "How good the comparison is: paired, an idle machine, path by path",
    );
    assert_eq!(each.len(), 1 + 7 * 4);
    let own = |row: &&Vec<String>| row.last().unwrap().contains("reads back as another effect");
    assert_eq!(each.iter().filter(own).count(), 1);
}
