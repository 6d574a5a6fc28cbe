//! The views: they say what the records say, and nothing in a record can act in them.

use crate::common::{KILLED, VERIFIED, any_report, cells_of_rows, element, sample, words};
use pathproof_reports::{
    Compared, End, Figure, Outcome, PathRow, Record, Report, State, json, junit, markdown, page,
    read_from, text,
};
use proptest::prelude::*;
use roxmltree::Document;

/// The cases of one path and kind in the records.
fn cases_of(report: &Report, path: &str, kind: &str) -> Option<f64> {
    let same = |figure: &&Figure| figure.name() == path && figure.split.as_deref() == Some(kind);
    report.figures().find(same).and_then(|figure| figure.value)
}

#[test]
fn the_table_beside_the_chart_has_the_numbers_of_the_records() {
    for text in [VERIFIED, KILLED] {
        let report = sample(text);
        let page = page(std::slice::from_ref(&report));
        let rows = cells_of_rows(&element(&page, "<table class=\"numbers\"", "table"));
        let (kinds, rows) = rows.split_first().unwrap();
        assert_eq!(kinds.len(), 11);
        let mut seen = 0;
        for row in rows {
            let mut sum = 0.0;
            for (kind, cell) in kinds.iter().zip(row).skip(1).take(8) {
                let shown: Option<f64> = cell.replace('\u{202f}', "").parse().ok();
                assert_eq!(shown, cases_of(&report, &row[0], kind), "{} {kind}", row[0]);
                sum += shown.unwrap_or(0.0);
                seen += usize::from(shown.is_some());
            }
            let total = row[9].replace('\u{202f}', "").parse().unwrap_or(0.0);
            assert_eq!(total, sum, "{}", row[0]);
        }
        let counted = |figure: &&Figure| figure.quantity == "cases" && figure.value.is_some();
        assert_eq!(seen, report.figures().filter(counted).count());
        for path in report.paths() {
            assert!(
                rows.iter().any(|row| row[0] == path.name()),
                "{}",
                path.name()
            );
        }
        assert!(page.contains("allocates its own output"));
    }
}

/// Of one part of a bar as it is drawn: where it begins, how long it is, its colour.
type Part = (f64, f64, String);

/// Bars as they are drawn, from the top.
fn drawn(page: &str, class: &str) -> Vec<Vec<Part>> {
    let svg = element(page, &format!("<svg class=\"{class}\" role=\"img\""), "svg");
    let mut bars: Vec<(String, Vec<Part>)> = Vec::new();
    for part in svg.descendants().filter(|node| node.has_tag_name("rect")) {
        let [x, width] = ["x", "width"].map(|name| part.attribute(name).unwrap().parse().unwrap());
        let part_of_bar = (x, width, part.attribute("fill").unwrap().to_owned());
        let y = part.attribute("y").unwrap();
        match bars.last_mut() {
            Some((at, parts)) if *at == y => parts.push(part_of_bar),
            _ => bars.push((y.to_owned(), vec![part_of_bar])),
        }
    }
    bars.into_iter().map(|(_, parts)| parts).collect()
}

#[test]
fn bars_are_as_long_as_their_numbers() {
    let report = sample(VERIFIED);
    let page = page(std::slice::from_ref(&report));
    let paths: Vec<&PathRow> = report
        .paths()
        .filter(|path| path.state == State::Verified)
        .collect();
    let longest = paths.iter().map(|path| path.cases).max().unwrap() as f64;
    let kinds = [
        "flush end",
        "flush start",
        "aligned",
        "rows",
        "shapes",
        "random",
        "mutated",
        "laws",
    ];
    for class in ["wide", "narrow"] {
        let bars = drawn(&page, class);
        assert_eq!(bars.len(), paths.len());
        let ends = bars.iter().flatten().map(|(x, width, _)| x + width);
        let (start, end) = (bars[0][0].0, ends.fold(0.0, f64::max));
        let scale = (end - start) / longest;
        for (path, parts) in paths.iter().zip(bars) {
            let numbers: Vec<f64> = kinds
                .iter()
                .filter_map(|kind| cases_of(&report, &path.name(), kind))
                .collect();
            assert_eq!(numbers.len(), parts.len());
            let mut sum = 0.0;
            for (number, (x, width, _)) in numbers.into_iter().zip(parts) {
                // Whole pixels, and a seam of one.
                assert!(
                    (x - start - sum * scale).abs() <= 2.0,
                    "{} {class}",
                    path.name()
                );
                assert!(
                    (width - number * scale).abs() <= 2.5,
                    "{} {class}",
                    path.name()
                );
                sum += number;
            }
        }
    }
}

#[test]
fn a_kind_has_its_colour_in_every_bar_and_in_the_legend() {
    let page = page(&[sample(VERIFIED), sample(KILLED)]);
    let legend = element(&page, "<ul class=\"legend\"", "ul");
    let swatch = |kind: &str| {
        let entry = legend
            .descendants()
            .find(|node| node.has_tag_name("li") && words(*node) == kind)
            .unwrap();
        let style = entry
            .first_element_child()
            .unwrap()
            .attribute("style")
            .unwrap();
        style
            .trim_start_matches("background:var(")
            .trim_end_matches(')')
            .to_owned()
    };
    let decode = drawn(&page, "wide").into_iter().nth(8).unwrap();
    let kinds = [
        "flush end",
        "flush start",
        "aligned",
        "rows",
        "shapes",
        "random",
        "mutated",
    ];
    assert_eq!(decode.len(), kinds.len());
    for (kind, (_, _, fill)) in kinds.into_iter().zip(decode) {
        assert!(
            fill.starts_with(&format!("var({},", swatch(kind))),
            "{kind} {fill}"
        );
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = page(&[sample(VERIFIED), sample(KILLED)]);
    for outside in [
        "http://", "https://", "//", "src=", "href=", "<script", "<link", "@import", "url(", " on",
    ] {
        let inside_a_tag = page
            .split('<')
            .filter_map(|part| part.split_once('>'))
            .any(|(tag, _)| tag.contains(outside));
        let anywhere = outside.len() > 3 && page.contains(outside);
        assert!(!inside_a_tag && !anywhere, "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("prefers-color-scheme:dark"));
}

#[test]
fn the_page_says_in_words_how_it_went() {
    let verified = page(&[sample(VERIFIED)]);
    assert!(verified.contains("<title>verified: q64-paths 0.1.0 verify</title>"));
    assert!(verified.contains("AMD EPYC 7763") && verified.contains("verify --seed 20261124"));
    let killed = page(&[sample(KILLED)]);
    assert!(killed.contains("<title>did not finish: "));
    assert!(killed.contains("The last record is cut off"));
    assert!(killed.contains(
        "cargo harness replay q64_encode:s7.33.random:in=end:out=end:91d0 q64_encode/avx2/fills"
    ));
    assert!(killed.contains("NOT EXECUTED"));
    // The six paths that have figures and were killed before their rows, on two pictures.
    assert_eq!(killed.matches("no verdict").count(), 6 * 2 + 6);
    assert!(
        page(&[sample(VERIFIED), sample(KILLED)])
            .contains("<title>not verified: 1 of 2 reports</title>")
    );
    assert!(page(&[]).contains("No records"));
}

#[test]
fn unlike_machines_are_not_to_be_compared() {
    let warning = "their figures are not to be compared";
    let other = sample(&KILLED.replace("9c1f04ab", "00000000"));
    assert!(page(&[sample(VERIFIED), other]).contains(warning));
    assert!(!page(&[sample(VERIFIED), sample(KILLED)]).contains(warning));
}

/// Of many operations each is folded under its name, but for one with a row that is wrong; and nothing of it is left out.
#[test]
fn many_operations_are_folded() {
    let few = sample(VERIFIED);
    assert!(!page(std::slice::from_ref(&few)).contains("<details class=\"operation\""));
    let mut many = few.clone();
    for number in 0..5 {
        let mut others: Vec<Record> = few.records.clone();
        for record in &mut others {
            match record {
                Record::Path(row) => row.operation += &number.to_string(),
                Record::Figure(figure) if !figure.operation.is_empty() => {
                    figure.operation += &number.to_string();
                }
                _ => continue,
            }
        }
        others.retain(|record| matches!(record, Record::Path(_) | Record::Figure(_)));
        many.records.splice(1..1, others);
    }
    let wrong = many.records.iter_mut().find_map(|record| match record {
        Record::Path(row) => Some(row),
        _ => None,
    });
    let wrong = wrong.unwrap();
    wrong.state = State::NotExecuted;
    let (operation, rows) = (wrong.operation.clone(), many.paths().count());
    let page = page(std::slice::from_ref(&many));
    let ledger = &page[page.find("<h2>Ledger</h2>").unwrap()..];
    let ledger = &ledger[..ledger[4..].find("<h2>").unwrap_or(ledger.len() - 4)];
    let open: Vec<&str> = ledger
        .split("<details class=\"operation\" open>")
        .skip(1)
        .collect();
    let [open] = open[..] else {
        panic!("not one operation is open: {ledger}")
    };
    assert!(
        open.starts_with(&format!("<summary><h3>{operation}</h3>")),
        "{open}"
    );
    assert!(open.contains("1 NOT EXECUTED"), "{open}");
    assert_eq!(ledger.matches("scope=\"row\"").count(), rows);
}

#[test]
fn a_run_without_figures_or_ledger_still_makes_a_page() {
    let machine = VERIFIED.lines().next().unwrap();
    let page = page(&[sample(machine)]);
    assert!(page.contains("The records have no ledger") && page.contains("nothing to draw"));
    assert!(page.contains("did not finish"));
}

#[test]
fn the_terminal_shows_every_path_the_findings_and_the_summary() {
    let shown = text(&sample(KILLED), false);
    let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap();
    let words = |start: &str| line(start).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        words("q64_encode/avx2/fills "),
        "q64_encode/avx2/fills failed 134,264 - 2 findings; AVX2, 57 of 180 instructions"
    );
    assert_eq!(
        words("q64_encode/avx512vbmi/fills "),
        "q64_encode/avx512vbmi/fills unavailable 0 - this CPU lacks avx512f, avx512bw, avx512vbmi"
    );
    assert!(line("q64_encode/auto/returns ").contains("NOT EXECUTED"));
    assert!(shown.contains("differs: q64_encode/avx2/fills: output byte 31 of 34"));
    assert!(shown.contains("\n    0010  43 57 6b 70"));
    assert!(shown.contains("\n  repeat  cargo harness replay q64_encode:s7.33.random"));
    assert!(shown.contains("The last record is cut off"));
    assert!(shown.ends_with("2 findings; 778,373 cases; seed 7\n"));

    let shown = text(&sample(VERIFIED), false);
    assert!(
        shown.contains("\n\nq64_decode/scalar/fills"),
        "operations stand apart"
    );
    assert!(shown.contains("the run    cache misses"));
    assert!(shown.ends_with(
        "\nverified: 16 paths verified, 4 unavailable; 2,097,320 cases in 4.2 s; seed 20261124\n"
    ));
}

#[test]
fn the_terminal_names_the_cases_of_each_kind() {
    let mut report = sample(VERIFIED);
    let line = |report: &Report| {
        let shown = text(report, false);
        let line = shown
            .lines()
            .find(|line| line.starts_with("q64_decode, cases of each path: "));
        line.unwrap().to_owned()
    };
    let before = line(&report);
    assert!(
        before.contains(": 1,025 flush end, 1,025 flush start, 32,800 to 65,600 aligned, "),
        "{before}"
    );
    // A path that was spared a part of the cases shows.
    let figure = report.records.iter_mut().find_map(|record| match record {
        Record::Figure(figure) if figure.operation == "q64_decode" => Some(figure),
        _ => None,
    });
    figure.unwrap().value = Some(7.0);
    assert!(line(&report).contains(": 7 to 1,025 flush end, "));
}

#[test]
fn colour_changes_no_word() {
    for sample in [sample(VERIFIED), sample(KILLED)] {
        let (plain, colored) = (text(&sample, false), text(&sample, true));
        let states = sample.paths().count();
        assert_eq!(
            colored.matches("\u{1b}[0m").count(),
            states + sample.findings().count() + 1
        );
        assert!(!plain.contains('\u{1b}'));
        let mut bare = colored;
        for code in ["0", "32", "33", "1;31"] {
            bare = bare.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(bare, plain);
    }
}

#[test]
fn markdown_leads_with_what_failed() {
    let shown = markdown(&sample(KILLED));
    assert!(shown.starts_with("### ❌ did not finish\n\n**The last record is cut off"));
    let at = |needle: &str| shown.find(needle).unwrap_or_else(|| panic!("no {needle}"));
    assert!(at("#### Findings") < at("#### Ledger"));
    assert!(shown.contains("\n| `q64_encode/avx2/fills` | **failed** | 134,264 |  | 2 findings; AVX2, 57 of 180 instructions |\n"));
    assert!(shown.contains("```text\ncargo harness replay q64_encode:s7.33.random:in=end:out=end:91d0 q64_encode/avx2/fills\n```"));
    assert!(
        markdown(&sample(VERIFIED))
            .starts_with("### ✅ verified\n\nevery path that can run here agrees")
    );
}

#[test]
fn markdown_says_what_it_leaves_out() {
    let mut report = sample(KILLED);
    let mut finding = report.findings().next().unwrap().clone();
    finding.dump = Some("line\n".repeat(70));
    report
        .records
        .extend(std::iter::repeat_n(Record::Finding(finding), 30));
    let shown = markdown(&report);
    assert!(shown.contains("And 12 more findings"));
    assert!(shown.contains("… and 6 more lines"));
}

#[test]
fn junit_has_a_case_per_path_and_is_green_only_for_verified() {
    let xml = junit(&sample(VERIFIED));
    let document = Document::parse(&xml).unwrap();
    let count = |document: &Document<'_>, tag: &str| {
        document
            .descendants()
            .filter(|node| node.has_tag_name(tag))
            .count()
    };
    assert_eq!(
        ["testsuite", "testcase", "skipped", "failure"].map(|tag| count(&document, tag)),
        [2, 20, 4, 0]
    );
    let skipped = document
        .descendants()
        .find(|node| node.has_tag_name("skipped"))
        .unwrap();
    assert_eq!(
        skipped.attribute("message"),
        Some("this CPU lacks avx512f, avx512bw, avx512vbmi")
    );
    assert_eq!(
        skipped.parent().unwrap().attribute("name"),
        Some("avx512vbmi/fills")
    );
    assert_eq!(
        skipped.parent().unwrap().attribute("classname"),
        Some("q64_encode")
    );

    let xml = junit(&sample(KILLED));
    let document = Document::parse(&xml).unwrap();
    let failures: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("failure"))
        .collect();
    let types: Vec<_> = failures
        .iter()
        .map(|node| node.attribute("type").unwrap())
        .collect();
    assert_eq!(types, ["differs", "not executed", "did not finish"]);
    assert!(
        failures[0]
            .attribute("message")
            .unwrap()
            .ends_with("(and 1 more)")
    );
    assert!(
        failures[0]
            .text()
            .unwrap()
            .contains("repeat cargo harness replay q64_encode:s7.33.random")
    );
    assert_eq!(
        failures[1].attribute("message"),
        Some("killed before its turn")
    );
}

#[test]
fn json_is_the_lines_again() {
    assert_eq!(json(&sample(VERIFIED)), VERIFIED);
    let again = read_from(json(&sample(KILLED)).as_bytes(), "records.jsonl").unwrap();
    assert_eq!(again.records, sample(KILLED).records);
}

#[test]
fn hostile_text_shows_and_does_not_act() {
    const EVIL: &str = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'`|\u{1b}[2J\u{202e}\r\n# [x](http://evil)";
    let mut report = sample(KILLED);
    for record in &mut report.records {
        match record {
            Record::Machine(machine) => machine.cpu = EVIL.into(),
            Record::Run(run) => run.args = vec![EVIL.into()],
            Record::Path(path) => {
                (path.operation, path.isa, path.reason) =
                    (EVIL.into(), EVIL.into(), Some(EVIL.into()))
            }
            Record::Figure(figure) => {
                (figure.operation, figure.split) = (EVIL.into(), Some(EVIL.into()))
            }
            Record::Finding(finding) => {
                (finding.detail, finding.dump) = (EVIL.into(), Some(EVIL.into()));
                (finding.token, finding.command) = (EVIL.into(), EVIL.into());
            }
            Record::Receipt(receipt) => receipt.functions = vec![EVIL.into()],
            Record::Survivor(survivor) => survivor.instruction = EVIL.into(),
            // No kept run but those of tests/compared.rs and tests/gated.rs has any.
            Record::Comparison(_) | Record::Calibration(_) | Record::Gated(_) => {}
            Record::End(_) => {}
        }
    }
    report.records.push(Record::End(End {
        exit: 1,
        seconds: 1.0,
        verdict: EVIL.into(),
    }));
    report.truncated = false;

    let shown = page(std::slice::from_ref(&report));
    assert!(!shown.contains("<script") && !shown.contains("<img"));
    assert!(shown.contains("&lt;script&gt;alert(1)"));
    element(&shown, "<table class=\"numbers\"", "table");
    element(&shown, "<svg class=\"narrow\" role=\"img\"", "svg");

    let shown_text = text(&report, false);
    assert!(
        !shown_text.contains(['\u{1b}', '\u{202e}', '\r']),
        "{shown_text}"
    );

    let shown = markdown(&report);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']));
    let columns: Vec<usize> = shown
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.replace("\\|", "").matches('|').count())
        .collect();
    assert!(
        !columns.is_empty() && columns.iter().all(|bars| *bars == 6),
        "{columns:?}"
    );

    let xml = junit(&report);
    let document = Document::parse(&xml).unwrap();
    let failure = document
        .descendants()
        .find(|node| node.has_tag_name("failure"))
        .unwrap();
    assert!(
        failure
            .attribute("message")
            .unwrap()
            .contains("<script>alert(1)</script>")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_report_makes_a_view_panic(report in any_report(), color in any::<bool>()) {
        let _ = text(&report, color);
        let _ = markdown(&report);
        let _ = json(&report);
        let shown = page(&[report.clone(), report.clone()]);
        prop_assert!(!shown.contains("<script"));
        let xml = junit(&report);
        let document = Document::parse(&xml).map_err(|error| TestCaseError::fail(format!("{error}: {xml}")))?;
        let green = !document.descendants().any(|node| node.has_tag_name("failure"));
        // A run may pass beside a comparison that is void, but that comparison has shown nothing.
        let void = report.comparisons().any(|row| row.verdict == Compared::Void);
        let pass = matches!(report.outcome(), Outcome::Verified | Outcome::Passed);
        prop_assert_eq!(green, pass && !void);
    }
}
