//! Gates: what every view says of a row is what the records say, and what fails is seen first.

use crate::common::{
    COMPARED, GATED, KILLED, VERIFIED, any_report, cells_of_rows, element, markdown_rows, sample,
};
use pathproof_reports::{Gate, Gated, Record, Report, annotations, junit, markdown, page, text};
use proptest::prelude::*;
use roxmltree::{Document, Node};

const TABLE: &str = "<table class=\"folded gate\"";

fn page_of(report: &Report) -> String {
    page(std::slice::from_ref(report))
}

/// The words of a text, whatever breaks its lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows in the order in which they are to be shown.
fn ordered(report: &Report) -> Vec<&Gated> {
    let order = [Gate::Fails, Gate::Inconclusive, Gate::Passes];
    let of = |verdict| report.gated().filter(move |row| row.verdict == verdict);
    order.into_iter().flat_map(of).collect()
}

/// Cells of the page's rows, and the command below each.
fn rows_of(page: &str) -> Vec<(Vec<String>, Option<String>)> {
    let mut rows: Vec<(Vec<String>, Option<String>)> = Vec::new();
    for (at, _) in page.match_indices(TABLE) {
        // A void element of HTML, which is none of XML.
        let table = page[at..].replace("<wbr>", "");
        for mut cells in cells_of_rows(&element(&table, TABLE, "table")) {
            match cells.len() {
                1 => rows.last_mut().unwrap().1 = cells.pop(),
                _ if cells[0] == "Check" => {}
                _ => rows.push((cells, None)),
            }
        }
    }
    rows
}

/// Whether the page's table says what the records say.
fn tables_agree(report: &Report, page: &str) -> Result<usize, String> {
    let (want, shown) = (ordered(report), rows_of(page));
    if shown.len() != want.len() {
        return Err(format!("{} rows of {}", shown.len(), want.len()));
    }
    for (row, (cells, command)) in want.iter().zip(&shown) {
        let [check, subject, verdict, found, allowed] = &cells[..] else {
            return Err(format!("{cells:?}"));
        };
        let wanted = [&row.check, &row.subject, &row.found, &row.allowed];
        if wanted != [check, subject, found, allowed] {
            return Err(format!("{cells:?} is not {wanted:?}"));
        }
        if !verdict.ends_with(row.verdict.word()) {
            return Err(format!("{}: {verdict}", row.subject));
        }
        let repeats = row.command.as_ref().filter(|_| row.verdict != Gate::Passes);
        if command.as_ref() != repeats {
            return Err(format!("{}: {command:?}", row.subject));
        }
    }
    Ok(want.len())
}

/// The report with each row changed.
fn changed(mut report: Report, mut change: impl FnMut(&mut Gated)) -> Report {
    for record in &mut report.records {
        if let Record::Gated(row) = record {
            change(row);
        }
    }
    report
}

/// The report with so many rows of one verdict.
fn many(verdict: Gate, count: usize) -> Report {
    let mut report = sample(GATED);
    let row = ordered(&report)
        .into_iter()
        .find(|row| row.verdict == verdict);
    let row = row.unwrap().clone();
    let rows = (0..count).map(|n| {
        let subject = format!("{} {n}", row.subject);
        Record::Gated(Gated {
            subject,
            ..row.clone()
        })
    });
    let at = report.records.len() - 1;
    report.records.splice(at..at, rows);
    report
}

/// Without the rows that do not pass, and ended with 0.
fn passed() -> Report {
    let mut report = sample(GATED);
    report
        .records
        .retain(|record| !matches!(record, Record::Gated(row) if row.verdict != Gate::Passes));
    if let Some(Record::End(end)) = report.records.last_mut() {
        (end.exit, end.verdict) = (0, "the gate passes".into());
    }
    report
}

#[test]
fn the_page_has_what_the_records_say() {
    let report = sample(GATED);
    let page = page_of(&report);
    assert_eq!(tables_agree(&report, &page), Ok(16));

    // The check finds a row that differs.
    type Damage = fn(&mut Gated);
    let damages: [Damage; 6] = [
        |row| row.check.push('x'),
        |row| row.subject.push('x'),
        |row| row.found.push('x'),
        |row| row.allowed.push('x'),
        |row| row.verdict = Gate::Passes,
        |row| row.command = None,
    ];
    for damage in damages {
        let mut once = true;
        let report = changed(report.clone(), |row| {
            if row.verdict == Gate::Fails && std::mem::take(&mut once) {
                damage(row);
            }
        });
        assert!(tables_agree(&report, &page).is_err());
        assert_eq!(tables_agree(&report, &page_of(&report)), Ok(16));
    }
}

#[test]
fn the_page_begins_with_the_gate() {
    // The parts come out as they do, and the gate's policy decides.
    let shown = page(&[passed(), sample(VERIFIED), sample(COMPARED)]);
    assert!(shown.contains("<title>passed: q64-paths 0.1.0 gate</title>"));
    let shown = page(&[sample(GATED), sample(VERIFIED)]);
    assert!(shown.contains("<title>failed: q64-paths 0.1.0 gate</title>"));
    let at = |needle: &str| shown.find(needle).unwrap_or_else(|| panic!("no {needle}"));
    let order = [
        "<div class=\"banner bad\"",
        TABLE,
        "pre class=\"command\"",
        "<dt>Command</dt>",
        "<h1>q64-paths 0.1.0 verify</h1>",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
    // A gate has no ledger and no cases of its own, and is not missed for it.
    let gate = page_of(&sample(GATED));
    assert!(!gate.contains("no ledger") && !gate.contains("nothing to draw"));
}

#[test]
fn many_rows_that_pass_are_folded_and_none_is_lost() {
    let report = many(Gate::Passes, 100);
    let page = page_of(&report);
    assert_eq!(tables_agree(&report, &page), Ok(116));
    let fold = page.find("<summary>Passes: 110 rows</summary>").unwrap();
    assert!(page.rfind("✗ </span>fails").unwrap() < fold);
    assert!(page.find("✓ </span>passes").unwrap() > fold);
    assert!(!page_of(&sample(GATED)).contains("<summary>Passes"));
}

#[test]
fn the_terminal_shows_each_row_and_how_to_repeat_what_does_not_pass() {
    let report = sample(GATED);
    let shown = text(&report, false);
    let mut lines = shown.lines().map(flat);
    assert_eq!(lines.next().unwrap(), "check subject verdict found allowed");
    let first = lines.next().unwrap();
    assert!(first.starts_with("required avx512vbmi fails not verified: this CPU lacks "));
    let all = flat(&shown);
    for row in report.gated() {
        let begins = format!("{} {} {}", row.check, row.subject, row.verdict);
        assert!(all.contains(&begins), "no {begins}");
        if let (Some(command), true) = (&row.command, row.verdict != Gate::Passes) {
            let repeat = format!("{}: {} repeat {command}", row.verdict, row.name());
            assert!(all.contains(&repeat), "no {repeat}");
        }
    }
    assert_eq!(shown.matches("\n  repeat  ").count(), 6);
    assert!(shown.ends_with(
        "the gate fails: 4 of 16 rows; first: required avx512vbmi (exit code 4)\n\
         failed: 16 rows of the gate: 4 fails, 2 inconclusive, 10 passes; 512.4 s; seed 20261201\n"
    ));
}

#[test]
fn colour_changes_no_word_of_a_gate() {
    let report = sample(GATED);
    let (plain, colored) = (text(&report, false), text(&report, true));
    // Each verdict in the table, each above a command, and the outcome.
    assert_eq!(colored.matches("\u{1b}[0m").count(), 16 + 6 + 1);
    assert_eq!(colored.matches("\u{1b}[1;31mfails\u{1b}[0m").count(), 4 + 4);
    assert_eq!(colored.matches("\u{1b}[33minconclusive").count(), 2 + 2);
    assert_eq!(colored.matches("\u{1b}[32mpasses\u{1b}[0m").count(), 10);
    let mut bare = colored;
    for code in ["0", "32", "33", "1;31"] {
        bare = bare.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(bare, plain);
}

#[test]
fn markdown_leads_with_the_verdict_and_folds_what_passes() {
    let report = sample(GATED);
    let shown = markdown(&report);
    assert!(shown.starts_with("### ❌ failed\n\nthe gate fails: 4 of 16 rows"));
    let at = |needle: &str| shown.find(needle).unwrap_or_else(|| panic!("no {needle}"));
    let order = [
        "#### Fails\n",
        "**fails** required `avx512vbmi`: not verified: this CPU lacks",
        "```text\ncargo harness verify '*/avx512vbmi/*' --require avx512vbmi\n```",
        "**fails** times `q64_encode/avx2/fills at 768`: +5.1 % \\[+4.8, +5.5\\]; once more: +5.0 %",
        "#### Inconclusive\n",
        "| `q64_decode/avx2/fills at 768` |",
        "<details><summary>Passes: 10 rows</summary>\n\n| check |",
        "| `q64_encode/ssse3/fills at 768` |",
        "</details>",
        "Machine `9c1f04ab`",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
    assert_eq!(shown.matches("Repeat it with").count(), 4);
    assert_eq!(markdown_rows(&shown), 12);
    let shown = markdown(&passed());
    assert!(shown.starts_with("### ✅ passed\n\nthe gate passes (exit code 0)\n\n10 rows of the"));
    assert!(!shown.contains("#### "), "{shown}");
}

#[test]
fn markdown_of_a_large_gate_fits_into_a_comment() {
    let mut report = many(Gate::Fails, 300);
    for verdict in [Gate::Inconclusive, Gate::Passes] {
        let more = many(verdict, 300);
        let rows = more
            .records
            .into_iter()
            .filter(|record| matches!(record, Record::Gated(_)));
        let at = report.records.len() - 1;
        report.records.splice(at..at, rows.take(316));
    }
    let shown = markdown(&report);
    let count = shown.chars().count();
    assert!((20_000..65_536).contains(&count), "{count}");
    assert_eq!(markdown_rows(&shown), 2 * 80);
    assert_eq!(
        shown
            .matches("more rows; the records have them all.")
            .count(),
        3
    );
}

#[test]
fn junit_has_a_case_for_each_row() {
    let report = sample(GATED);
    let xml = junit(&report);
    let document = Document::parse(&xml).unwrap();
    let cases: Vec<Node<'_, '_>> = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .collect();
    assert_eq!(cases.len(), 16);
    for row in report.gated() {
        let same = |case: &&Node<'_, '_>| {
            (case.attribute("classname"), case.attribute("name"))
                == (Some(&row.check), Some(&row.subject))
        };
        let case = cases.iter().find(same).unwrap();
        let has = |tag: &str| case.children().find(|node| node.has_tag_name(tag));
        let said = |node: Node<'_, '_>| {
            let message = node.attribute("message").unwrap();
            assert!(message.contains(&row.found) && message.contains(&row.allowed));
        };
        assert_eq!(has("failure").is_some(), row.verdict == Gate::Fails);
        assert_eq!(has("skipped").is_some(), row.verdict == Gate::Inconclusive);
        for node in [has("failure"), has("skipped")].into_iter().flatten() {
            said(node);
            let command = row.command.as_deref().unwrap();
            assert!(node.text().unwrap().contains(command), "{xml}");
        }
    }
    // Green, and not for want of cases.
    let green = junit(&passed());
    assert!(!green.contains("<failure") && green.matches("<testcase").count() == 10);
}

/// A line as GitHub's runner reads it: the kind, the title, the message.
fn command(line: &str) -> (String, String, String) {
    let rest = line.strip_prefix("::").unwrap_or_else(|| panic!("{line}"));
    let (head, message) = rest.split_once("::").unwrap();
    let (kind, properties) = head.split_once(' ').unwrap();
    let properties: Vec<&str> = properties.split(',').collect();
    let [title] = properties[..] else {
        panic!("{line}")
    };
    let data = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
    };
    let title = title.strip_prefix("title=").unwrap();
    let title = title.replace("%3A", ":").replace("%2C", ",");
    (kind.to_owned(), data(&title), data(message))
}

#[test]
fn annotations_name_what_fails_and_what_nobody_can_tell() {
    let shown = annotations(&sample(GATED));
    let lines: Vec<_> = shown.lines().map(command).collect();
    let kinds: Vec<&str> = lines.iter().map(|(kind, ..)| kind.as_str()).collect();
    let want = ["error", "error", "error", "error", "warning", "warning"];
    assert_eq!(kinds, want);
    let (_, title, message) = &lines[0];
    assert_eq!(title, "required avx512vbmi");
    assert_eq!(
        message,
        "not verified: this CPU lacks avx512f, avx512bw, avx512vl, bmi1, bmi2, popcnt, avx512vbmi; allowed: verified\n\
         repeat: cargo harness verify '*/avx512vbmi/*' --require avx512vbmi"
    );
    assert!(shown.contains("title=times q64_encode/avx2/fills at 768::+5.1 %25 [+4.8, +5.5];"));
    assert_eq!(annotations(&passed()), "");
    assert_eq!(annotations(&sample(VERIFIED)), "");
    // Findings, and that the run did not come to its end.
    let shown = annotations(&sample(KILLED));
    let lines: Vec<_> = shown.lines().map(command).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].1, "did not finish");
    assert_eq!(lines[1].1, "differs: q64_encode/avx2/fills");
    assert!(lines[1].2.contains("\nrepeat: cargo harness replay"));
}

#[test]
fn no_run_that_is_no_pass_is_without_an_error() {
    // Nothing but an exit code says that something is wrong.
    for exit in [1, 2, 3, 4, 5, 130] {
        let mut report = passed();
        if let Some(Record::End(end)) = report.records.last_mut() {
            (end.exit, end.verdict) = (exit, "something, somewhere".into());
        }
        let shown = annotations(&report);
        let [(kind, title, message)] = &shown.lines().map(command).collect::<Vec<_>>()[..] else {
            panic!("{exit}: {shown}");
        };
        assert_eq!(
            (kind.as_str(), title),
            ("error", &report.outcome().to_string())
        );
        let why = if exit == 130 {
            "interrupted"
        } else {
            "something, somewhere (exit code "
        };
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn annotations_say_how_many_are_left_out() {
    for (verdict, kind, known) in [
        (Gate::Fails, "error", 4),
        (Gate::Inconclusive, "warning", 2),
    ] {
        let shown = annotations(&many(verdict, 30));
        let count = |kind: &str| {
            let begin = format!("::{kind} ");
            shown
                .lines()
                .filter(|line| line.starts_with(&begin))
                .count()
        };
        assert_eq!((count(kind), count("notice")), (10, 1));
        let left = format!("::{} more of kind {kind}; ", known + 30 - 10);
        assert!(shown.contains(&left), "{shown}");
    }
    // Ten fit.
    assert!(!annotations(&many(Gate::Fails, 6)).contains("::notice"));
}

#[test]
fn other_reports_have_no_word_of_a_gate() {
    for report in [sample(VERIFIED), sample(COMPARED)] {
        assert!(!page_of(&report).contains("<h2>Gate</h2>"));
        for shown in [text(&report, false), markdown(&report), junit(&report)] {
            for word in ["the gate", "allowed", "\"gate\"", "Passes:"] {
                assert!(!shown.contains(word), "{word}");
            }
        }
    }
}

#[test]
fn hostile_text_of_a_gate_shows_and_does_not_act() {
    const EVIL: &str = "</td></pre></table><script>alert(1)</script><img src=x onerror=alert(1)>\"'`|\\|```\u{1b}[2J\u{202e}\r\n::error title=a,b=c::%0A# [x](http://evil)</details>";
    let report = changed(sample(GATED), |row| {
        for text in [
            &mut row.check,
            &mut row.subject,
            &mut row.found,
            &mut row.allowed,
        ] {
            text.push_str(EVIL);
        }
        row.command.iter_mut().for_each(|text| text.push_str(EVIL));
    });
    let shown = page_of(&report);
    assert!(!shown.contains("<script") && !shown.contains("<img"));
    assert!(shown.contains("&lt;script&gt;alert(1)"));
    assert_eq!(rows_of(&shown).len(), 16);
    let shown = text(&report, true);
    assert!(!shown.contains(['\u{202e}', '\r']) && !shown.contains("\u{1b}[2J"));
    let shown = markdown(&report);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']));
    assert_eq!(markdown_rows(&shown), 12);
    assert_eq!(shown.matches("\n</details>\n").count(), 1);
    assert!(!shown.contains("\n::error"));
    let xml = junit(&report);
    assert!(Document::parse(&xml).is_ok(), "{xml}");
    let shown = annotations(&report);
    assert_eq!(shown.lines().count(), 6);
    for (line, row) in shown.lines().zip(ordered(&report)) {
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\r']));
        let (_, title, message) = command(line);
        assert!(title.starts_with(&row.check[..5]) && title.ends_with("</details>"));
        assert!(
            message.contains("::error title=a,b=c::%0A# [x]"),
            "{message}"
        );
        assert_eq!(message.lines().count(), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_row_of_a_gate_gets_lost(report in any_report()) {
        let rows = report.gated().count();
        prop_assert_eq!(rows_of(&page_of(&report)).len(), rows);
        let xml = junit(&report);
        let suite = xml.split("<testsuite ").find(|suite| suite.starts_with("name=\"gate\""));
        prop_assert_eq!(suite.map_or(0, |suite| suite.matches("<testcase ").count()), rows);
        markdown_rows(&markdown(&report));
        for line in annotations(&report).lines() {
            let (kind, ..) = command(line);
            prop_assert!(["error", "warning", "notice"].contains(&&*kind));
        }
        let error = annotations(&report).lines().any(|line| line.starts_with("::error "));
        prop_assert_eq!(error, !report.outcome().is_pass());
    }
}
