//! Measured times: what the tables and charts say is what the records say.

use crate::common::{
    TIMED, TIMED_AVX2, VERIFIED, any_report, cells_of_rows, element, no_words_touch, sample, words,
};
use pathproof_reports::{Figure, Outcome, Record, Report, State, markdown, page, text};
use proptest::prelude::*;
use roxmltree::{Document, Node};

/// The quantities that have a table, their headings, and the beginning of their unit.
const MEASURES: [(&str, &str, &str); 8] = [
    ("throughput", "Throughput", "GB/s"),
    ("speed against scalar", "Speed over scalar", "x"),
    (
        "speed against the best peer",
        "Speed over the best peer",
        "x",
    ),
    (
        "speed against roofline",
        "Share of the roofline's speed",
        "x",
    ),
    (
        "returns against fills",
        "Returning a new buffer, against filling the caller's",
        "x the time",
    ),
    (
        "fresh against fills",
        "Filling a fresh buffer, against a reused one",
        "x the time",
    ),
    (
        "kept against fills",
        "Keeping every answer, against one reused buffer",
        "x the time",
    ),
    ("a call", "A call with little work", "ns"),
];

/// Instruction sets and the variables of their colours.
const COLORS: [(&str, &str); 8] = [
    ("scalar", "--isa-1"),
    ("sse2", "--isa-2"),
    ("ssse3", "--isa-3"),
    ("avx2", "--isa-4"),
    ("avx512", "--isa-5"),
    ("avx512vbmi", "--isa-6"),
    ("avx512gfni", "--isa-7"),
    ("auto", "--auto"),
];

fn page_of(report: &Report) -> String {
    page(std::slice::from_ref(report))
}

fn name_of_size(split: &str) -> String {
    match split {
        "1536" => "1.5 KiB",
        "4096" => "4 KiB",
        "65536" => "64 KiB",
        "1048576" => "1 MiB",
        "67108864" => "64 MiB",
        other => {
            return other
                .parse()
                .map_or(other.to_owned(), |n: u64| format!("{n} B"));
        }
    }
    .to_owned()
}

/// Rows of the table with this caption.
fn table(page: &str, title: &str, operation: &str, unit: &str) -> Option<Vec<Vec<String>>> {
    let caption = format!("<caption>{title} of {operation}, {unit}");
    let at = page.find(&caption)?;
    let from = page[..at].rfind("<table")?;
    Some(cells_of_rows(&element(&page[from..], "<table", "table")))
}

/// Whether every figure of the report is in its table, and nothing else is; how many there are.
fn tables_agree(report: &Report, page: &str) -> Result<usize, String> {
    let (mut figures, mut numbers) = (0, 0);
    for operation in ["q64_encode", "q64_decode"] {
        for (quantity, title, unit) in MEASURES {
            let of_it = |figure: &&Figure| {
                figure.quantity == quantity
                    && figure.operation == operation
                    && figure.value.is_some()
            };
            let Some(rows) = table(page, title, operation, unit) else {
                if report.figures().any(|figure| of_it(&figure)) {
                    return Err(format!("no table of {title} of {operation}"));
                }
                continue;
            };
            let is_number = |cell: &&String| cell.starts_with(|c: char| c.is_ascii_digit());
            numbers += rows[1..]
                .iter()
                .map(|row| row[1..].iter().filter(is_number).count())
                .sum::<usize>();
            for figure in report.figures().filter(of_it) {
                figures += 1;
                let name = format!("{}/{}", figure.isa, figure.delivery);
                let split = name_of_size(figure.split.as_deref().unwrap());
                let column = rows[0].iter().position(|head| *head == split);
                let row = rows
                    .iter()
                    .find(|row| row[0].trim_end_matches(" peer") == name);
                let cell = row
                    .zip(column)
                    .map(|(row, column)| &row[column])
                    .ok_or(format!("no {name} at {split} in {title} of {operation}"))?;
                // Behind a space stands the peer's name, or the least and the most.
                let digits = cell.split(' ').next().unwrap_or_default();
                let shown: f64 = digits.parse().map_err(|_| format!("{name}: {cell}"))?;
                let value = figure.value.unwrap();
                if (shown / value - 1.0).abs() > 0.005 {
                    return Err(format!(
                        "{name} at {split} in {title}: {cell} is not {value}"
                    ));
                }
            }
        }
    }
    if figures == numbers {
        Ok(figures)
    } else {
        Err(format!("{numbers} numbers of {figures} figures"))
    }
}

#[test]
fn the_tables_have_the_numbers_of_the_records_and_no_others() {
    for (text, least) in [(TIMED, 240), (TIMED_AVX2, 120)] {
        let mut report = sample(text);
        let page = page_of(&report);
        let count = tables_agree(&report, &page).unwrap();
        assert!(count >= least, "{count}");

        // The comparison finds a number that differs, one too few and one too many.
        let at = report
            .records
            .iter()
            .position(|record| matches!(record, Record::Figure(f) if f.quantity == "speed against scalar"))
            .unwrap();
        let record = report.records.remove(at);
        let error = tables_agree(&report, &page).unwrap_err();
        assert!(error.contains("numbers of"), "{error}");
        let Record::Figure(mut figure) = record else {
            unreachable!()
        };
        figure.value = figure.value.map(|value| value * 1.02);
        report.records.insert(at, Record::Figure(figure.clone()));
        let error = tables_agree(&report, &page).unwrap_err();
        assert!(error.contains(" is not "), "{error}");
        figure.split = Some("1536".to_owned());
        report.records.insert(at, Record::Figure(figure));
        assert!(tables_agree(&report, &page).is_err());
    }
}

#[test]
fn the_spread_stands_beside_the_median() {
    let page = page_of(&sample(TIMED));
    let rows = table(&page, "Throughput", "q64_encode", "GB/s").unwrap();
    let row = |name: &str| rows.iter().find(|row| row[0] == name).unwrap();
    let end = |quantity: &str| value(&sample(TIMED), quantity, "avx512gfni", "4096").unwrap();
    let (least, most) = (end("throughput least"), end("throughput most"));
    let cell = &row("avx512gfni/fills")[5];
    assert!(
        cell.ends_with(&format!(" {least:.1} to {most:.1}")),
        "{cell}"
    );
    assert!(text(&sample(TIMED), false).contains("  spread  "));
}

/// A value of `q64_encode`, of the delivery that fills.
fn value(report: &Report, quantity: &str, isa: &str, split: &str) -> Option<f64> {
    let same = |figure: &&Figure| {
        figure.operation == "q64_encode"
            && figure.isa == isa
            && figure.delivery == "fills"
            && figure.quantity == quantity
            && figure.split.as_deref() == Some(split)
    };
    report.figures().find(same).and_then(|figure| figure.value)
}

/// The picture whose description begins so.
fn picture<'a>(page: &'a str, class: &str, description: &str) -> Document<'a> {
    let open = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{description}");
    element(page, &open, "svg")
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

fn points(node: Node<'_, '_>) -> Vec<(f64, f64)> {
    let pairs = node.attribute("points").unwrap().split_whitespace();
    let pair = |pair: &str| {
        let (x, y) = pair.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    pairs.map(pair).collect()
}

/// The lines of a picture in this colour that are as wide as those of paths.
fn lines_in(svg: &Document<'_>, color: &str) -> Vec<Vec<(f64, f64)>> {
    let stroke = format!("var({color},");
    svg.descendants()
        .filter(|node| node.has_tag_name("polyline"))
        .filter(|node| node.attribute("stroke-width") == Some("2"))
        .filter(|node| node.attribute("stroke").unwrap().starts_with(&stroke))
        .map(points)
        .collect()
}

const SIZES: [&str; 8] = [
    "64", "384", "768", "1536", "4096", "65536", "1048576", "67108864",
];

/// Where values are in the picture of the throughput: logarithmic both ways, fixed by two points.
struct Scale {
    from: ((f64, f64), (f64, f64)),
    to: ((f64, f64), (f64, f64)),
}

impl Scale {
    fn place(&self, size: f64, value: f64) -> (f64, f64) {
        let ((size_0, value_0), (x_0, y_0)) = self.from;
        let ((size_1, value_1), (x_1, y_1)) = self.to;
        let part = |v: f64, from: f64, to: f64| (v / from).ln() / (to / from).ln();
        (
            x_0 + part(size, size_0, size_1) * (x_1 - x_0),
            y_0 + part(value, value_0, value_1) * (y_1 - y_0),
        )
    }
}

fn near(a: (f64, f64), b: (f64, f64)) -> bool {
    (a.0 - b.0).abs() <= 2.0 && (a.1 - b.1).abs() <= 2.0
}

#[test]
fn lines_and_bands_are_where_their_numbers_are() {
    let report = sample(TIMED);
    let page = page_of(&report);
    for class in ["wide", "narrow"] {
        let svg = picture(&page, class, "Throughput of q64_encode, in GB/s");
        let of = |isa: &str, split: &str| value(&report, "throughput", isa, split);
        let (scalar, gfni) = (&lines_in(&svg, "--isa-1")[0], &lines_in(&svg, "--isa-7")[0]);
        let scale = Scale {
            from: ((64.0, of("scalar", "64").unwrap()), scalar[0]),
            // The last size, and nearly the largest value.
            to: (
                (67_108_864.0, of("avx512gfni", "4096").unwrap()),
                (gfni[7].0, gfni[4].1),
            ),
        };
        let mut seen = 0;
        for (isa, color) in COLORS {
            let line = &lines_in(&svg, color)[0];
            let values = SIZES.iter().filter_map(|size| Some((size, of(isa, size)?)));
            let values: Vec<_> = values.collect();
            assert_eq!(line.len(), values.len(), "{isa}");
            for (at, (size, value)) in line.iter().zip(values) {
                let want = scale.place(size.parse().unwrap(), value);
                assert!(near(*at, want), "{class} {isa} {size}: {at:?} {want:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, 8 * 8 - 1);

        let band = svg
            .descendants()
            .find(|node| {
                node.has_tag_name("polygon")
                    && node.attribute("fill").unwrap().starts_with("var(--isa-7,")
                    && node.attribute("opacity") != Some("1")
            })
            .unwrap();
        let outline = points(band);
        assert_eq!(outline.len(), 16);
        for (n, size) in SIZES.iter().enumerate() {
            for (quantity, at) in [("throughput most", n), ("throughput least", 15 - n)] {
                let end = value(&report, quantity, "avx512gfni", size).unwrap();
                let want = scale.place(size.parse().unwrap(), end);
                assert!(near(outline[at], want), "{quantity} {size}");
            }
        }
        // The figure that is missing is a cross at its size, and words below.
        let (x, _) = scale.place(67_108_864.0, 1.0);
        let strokes = lines_in(&svg, "--isa-3");
        let crossing = |line: &&Vec<(f64, f64)>| {
            line.len() == 2 && (line[0].0 + line[1].0 - 2.0 * x).abs() <= 2.0
        };
        assert_eq!(strokes.iter().filter(crossing).count(), 2, "{class}");
    }
    assert!(page.contains("ssse3: none at 64 MiB: stopped after 10 s: the machine was too busy"));
}

#[test]
fn peers_are_dashed_and_the_roofline_is_not() {
    let page = page_of(&sample(TIMED));
    let svg = picture(&page, "wide", "Throughput of q64_encode, in GB/s");
    let lines = |color: &str| -> Vec<(bool, String)> {
        svg.descendants()
            .filter(|node| node.has_tag_name("polyline"))
            .filter(|node| node.attribute("stroke").unwrap().starts_with(color))
            .filter(|node| points(*node).len() == SIZES.len())
            .map(|node| {
                let width = node.attribute("stroke-width").unwrap().to_owned();
                (node.attribute("stroke-dasharray").is_some(), width)
            })
            .collect()
    };
    for peer in ["var(--peer-1,", "var(--peer-2,", "var(--peer-3,"] {
        assert_eq!(lines(peer), [(true, "1".to_owned())]);
    }
    assert_eq!(lines("var(--roofline,"), [(false, "5".to_owned())]);
    assert_eq!(lines("var(--isa-4,"), [(false, "2".to_owned())]);
}

#[test]
fn bars_are_as_long_as_their_ratios() {
    let report = sample(TIMED);
    let page = page_of(&report);
    for class in ["wide", "narrow"] {
        let svg = picture(&page, class, "q64_encode: horizontal bars of 9 paths");
        for quantity in ["speed against scalar", "speed against the best peer"] {
            let mut scale = None;
            for (isa, color) in COLORS {
                // The bars of a colour stand in the order of the panels, two in each.
                let bars: Vec<Node<'_, '_>> = svg
                    .descendants()
                    .filter(|node| node.has_tag_name("rect"))
                    .filter(|node| {
                        node.attribute("fill")
                            .unwrap()
                            .starts_with(&format!("var({color},"))
                    })
                    .collect();
                let values: Vec<f64> = ["384", "4096"]
                    .iter()
                    .filter_map(|size| value(&report, quantity, isa, size))
                    .collect();
                let bars = match (quantity, bars.len()) {
                    (_, 2) if values.is_empty() => continue,
                    ("speed against scalar", 4) => &bars[..2],
                    (_, count) => &bars[count - 2..],
                };
                for (bar, value) in bars.iter().zip(values) {
                    let width = number(*bar, "width");
                    let of_one = *scale.get_or_insert(width / value);
                    // Whole pixels; the first bar, which fixes the scale, is a short one.
                    let tolerance = 1.0 + 0.06 * width;
                    assert!(
                        (width - value * of_one).abs() <= tolerance,
                        "{class} {isa} {value} {width}"
                    );
                }
            }
        }
        let shown = words(svg.root());
        for needle in [
            "12.1x",
            "1.33x",
            "Speed over the best peer, faster-hex",
            "unavailable: for aarch64",
        ] {
            assert!(shown.contains(needle), "{class} {needle}");
        }
    }
}

#[test]
fn no_two_words_of_a_picture_touch() {
    let page = page(&[sample(TIMED), sample(TIMED_AVX2)]);
    assert_eq!(no_words_touch(&page), 32);
}

#[test]
fn a_figure_without_a_value_shows_its_reason_everywhere() {
    for report in [sample(TIMED), sample(TIMED_AVX2)] {
        let (page, text, markdown) = (page_of(&report), text(&report, false), markdown(&report));
        // The terminal breaks lines between words.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let markdown = markdown.replace('\\', "");
        let mut seen = 0;
        for figure in report.figures().filter(|figure| figure.value.is_none()) {
            let reason = figure.reason.as_deref().unwrap();
            for (view, shown) in [("page", &page), ("text", &text), ("markdown", &markdown)] {
                assert!(shown.contains(reason), "{view} {reason}");
            }
            seen += 1;
        }
        assert!(seen >= 4, "{seen}");
    }
    let page = page_of(&sample(TIMED_AVX2));
    let svg = picture(&page, "wide", "q64_encode: horizontal bars of 9 paths");
    let shown = words(svg.root());
    assert_eq!(
        shown.matches("unavailable: this CPU lacks avx512f").count(),
        6
    );
    assert!(!shown.contains("avx512vbmi512") && lines_in(&svg, "--isa-5").is_empty());
}

#[test]
fn a_path_that_ran_and_has_no_figure_is_a_row_all_the_same() {
    let mut report = sample(TIMED_AVX2);
    report.records.retain(
        |record| !matches!(record, Record::Figure(figure) if figure.isa == "avx2" || figure.isa == "neon"),
    );
    let page = page_of(&report);
    let rows = table(&page, "Throughput", "q64_encode", "GB/s").unwrap();
    let row = |name: &str| rows.iter().find(|row| row[0] == name).unwrap()[1..].to_vec();
    assert_eq!(row("avx2/fills"), ["not measured: no record"]);
    let neon = "unavailable: for aarch64; this build is for x86_64";
    assert_eq!(row("neon/fills"), [neon]);
    assert!(page.contains(&format!(" neon: {neon}")));
}

#[test]
fn what_must_be_known_beside_a_number_is_shown() {
    let mut report = sample(TIMED_AVX2);
    let beside = "another process ran on this core";
    for record in &mut report.records {
        if let Record::Figure(figure) = record {
            let of_it = figure.isa == "avx2" && figure.split.as_deref() == Some("4096");
            if of_it && figure.quantity == "speed against the best peer" {
                // Another peer than at the other sizes: each bar names its own.
                figure.unit = "x hex-simd".to_owned();
                figure.reason = Some(beside.to_owned());
            }
        }
    }
    let page = page_of(&report);
    let rows = table(&page, "Speed over the best peer", "q64_encode", "x").unwrap();
    let avx2 = rows.iter().find(|row| row[0] == "avx2/fills").unwrap();
    assert_eq!(avx2[2], format!("0.882 hex-simd {beside}"));
    let svg = picture(&page, "wide", "q64_encode: horizontal bars of 9 paths");
    let shown = words(svg.root());
    assert!(shown.contains("0.882x hex-simd") && shown.contains("0.902x faster-hex"));
    assert!(!shown.contains("best peer, faster-hex"));
    let shown = text(&report, false);
    assert!(shown.contains(&format!("at 4 KiB: {beside}")) && shown.contains("0.882 hex-simd"));
}

#[test]
fn what_a_table_shows_is_not_listed_again_and_what_none_can_show_is() {
    let mut report = sample(TIMED);
    let listed = |report: &Report| {
        let page = page_of(report);
        [
            page.contains("<h2>Figures</h2>"),
            text(report, false).contains("figure of"),
            markdown(report).contains("#### Figures"),
        ]
    };
    assert_eq!(listed(&report), [false; 3]);
    // Another unit, of a size and of a load, no size, an end of a spread without a median, a second value for one place.
    let strange = [
        ("throughput", "sse2", Some("64"), 11.25, "MB/s"),
        ("throughput", "sse2", Some("many"), 12.25, "MB/s"),
        ("throughput", "sse2", None, 13.25, "GB/s"),
        ("throughput most", "sse2", Some("63"), 14.25, "GB/s"),
        ("throughput", "sse2", Some("64"), 15.25, "GB/s"),
        ("speed against scalar", "sse2", Some("384"), 16.25, "xx"),
    ];
    for (quantity, isa, split, value, unit) in strange {
        report.records.insert(
            report.records.len() - 1,
            Record::Figure(Figure {
                operation: "q64_encode".into(),
                isa: isa.into(),
                delivery: "fills".into(),
                quantity: quantity.into(),
                split: split.map(str::to_owned),
                value: Some(value),
                unit: unit.into(),
                reason: None,
            }),
        );
    }
    assert_eq!(listed(&report), [true; 3]);
    // The names of paths may be broken: an element that XML does not know.
    let page = page_of(&report).replace("<wbr>", "");
    let rows = cells_of_rows(&element(
        &page[page.find("<h2>Figures</h2>").unwrap()..],
        "<table",
        "table",
    ));
    assert_eq!(rows.len(), 1 + strange.len());
    for (.., value, unit) in strange {
        let shown = format!("{value} {unit}");
        assert!(rows.iter().any(|row| row[1] == shown), "{shown}");
    }
}

/// By its name, in a table of its own; the bars below the numbers are of one scale in a column.
#[test]
fn a_load_has_a_column_beside_the_sizes_and_bars() {
    let mut report = sample(TIMED);
    let sizes = table(&page_of(&report), "Throughput", "q64_encode", "GB/s");
    let rows = [
        ("avx2", "fills", "a batch", 10.5),
        ("sse2", "fills", "a batch", 5.25),
        ("sse2", "returns", "a batch", 2.625),
        ("sse2", "returns", "a stream", 0.75),
    ];
    for (isa, delivery, load, value) in rows {
        let figure = Figure::new("throughput", Ok(value), "GB/s").split(load);
        let figure = figure.of("q64_encode", isa, delivery);
        report.records.insert(1, Record::Figure(figure));
    }
    let page = page_of(&report);
    let loads = table(&page, "Throughput of loads", "q64_encode", "GB/s").unwrap();
    let shown: Vec<&Vec<String>> = loads.iter().filter(|row| row.len() == 3).collect();
    assert_eq!(
        shown,
        [
            &["Path", "a stream", "a batch"],
            &["sse2/fills", "–", "5.25"],
            &["avx2/fills", "–", "10.5"],
            &["sse2/returns", "0.750", "2.62"],
        ]
    );
    assert_eq!(table(&page, "Throughput", "q64_encode", "GB/s"), sizes);
    let bars: Vec<&str> = page.split("<div class=\"bar\"").skip(1).collect();
    let width = |bar: &&str| {
        let (_, rest) = bar.split_once("width:").unwrap();
        rest.split_once('%').unwrap().0.to_owned()
    };
    let widths: Vec<String> = bars.iter().map(width).collect();
    assert_eq!(widths, ["50", "100", "100", "25"]);
    let shown = text(&report, false);
    assert!(
        shown.contains("q64_encode: Throughput of loads, GB/s"),
        "{shown}"
    );
}

#[test]
fn a_path_has_one_colour_on_all_of_a_page() {
    // A machine with fewer peers, whose second is the first of the other.
    let mut fewer = sample(TIMED_AVX2);
    fewer.records.retain(|record| {
        !matches!(record, Record::Path(row) if row.isa == "faster-hex")
            && !matches!(record, Record::Figure(figure) if figure.isa == "faster-hex")
    });
    let page = page(&[sample(TIMED), fewer]);
    assert!(page.contains("their figures are not to be compared"));
    let second = &page[page.rfind("<h1>").unwrap()..];
    let svg = picture(second, "wide", "Throughput of q64_encode, in GB/s");
    let colors: Vec<&str> = svg
        .descendants()
        .filter_map(|node| node.attribute("stroke"))
        .collect();
    let has = |name: &str| colors.iter().any(|color| color.starts_with(name));
    assert!(!has("var(--peer-1,") && has("var(--peer-2,") && has("var(--peer-3,"));
}

#[test]
fn hostile_text_of_figures_shows_and_does_not_act() {
    const EVIL: &str = "</td></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'`|\u{1b}[2J\u{202e}\r\n# [x](http://evil)";
    let mut report = sample(TIMED);
    for record in &mut report.records {
        match record {
            Record::Path(path) => {
                path.operation = EVIL.into();
                path.isa += EVIL;
                path.reason = Some(EVIL.into());
            }
            Record::Figure(figure) => {
                figure.operation = EVIL.into();
                figure.isa += EVIL;
                match figure.quantity.as_str() {
                    "speed against the best peer" => figure.unit = format!("x {EVIL}"),
                    "a call" => figure.split = Some(EVIL.into()),
                    _ => {}
                }
                figure.reason = Some(EVIL.into());
            }
            _ => {}
        }
    }
    let shown = page_of(&report);
    assert!(!shown.contains("<script") && !shown.contains("<img"));
    assert!(shown.contains("&lt;script&gt;alert(1)"));
    let pictures = shown.matches("<svg ").count();
    assert!(pictures >= 6, "{pictures}");
    for (open, close) in [("<svg ", "</svg>"), ("<table class=\"numbers", "</table>")] {
        for part in shown.split(open).skip(1) {
            let part = format!("{open}{}{close}", &part[..part.find(close).unwrap()]);
            Document::parse(&part).unwrap_or_else(|error| panic!("{error}: {part}"));
        }
    }
    let shown = text(&report, false);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']) && shown.contains("Throughput, GB/s"));

    let shown = markdown(&report);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']));
    // Every row has as many cells as the row of dashes above it.
    let (mut rows, mut columns) = (0, 0);
    for line in shown.lines().filter(|line| line.starts_with('|')) {
        let bars = line.replace("\\|", "").matches('|').count();
        if line.starts_with("|---") {
            columns = bars;
        } else if columns > 0 && !line.starts_with("| path |") && !line.starts_with("| figure of |")
        {
            assert_eq!(bars, columns, "{line}");
            rows += 1;
        }
    }
    assert!(rows > 30, "{rows}");
}

#[test]
fn kept_files_of_measured_times_are_read() {
    for (text, unavailable) in [(TIMED, 2), (TIMED_AVX2, 7)] {
        let report = sample(text);
        assert_eq!(report.outcome(), Outcome::Verified);
        assert_eq!(report.tally().unavailable, unavailable);
        let peers = report.paths().filter(|path| path.peer).count();
        assert_eq!(peers, 8, "three codecs and the roofline, twice");
        assert!(report.paths().all(|path| path.state != State::Failed));
    }
}

#[test]
fn a_report_without_measured_times_has_no_section_of_them() {
    assert!(!page_of(&sample(VERIFIED)).contains("Measured times"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_figure_gets_lost(report in any_report()) {
        // Whatever has a value is in some table: nothing that a view does not know is dropped.
        let (page, text) = (page_of(&report), text(&report, false));
        for figure in report.figures().filter(|figure| figure.quantity != "cases") {
            // Of three digits, so that it is hardly there by chance.
            if let Some(value) = figure.value.filter(|value| (100.0..999.0).contains(value)) {
                let shown = [value.floor(), value.round()].map(|value| value.to_string());
                for view in [&page, &text] {
                    prop_assert!(shown.iter().any(|digits| view.contains(digits)), "{figure:?}");
                }
            }
        }
    }
}

#[test]
fn ratios_of_loads_are_shown_without_the_times_that_they_are_of() {
    let mut report = sample(VERIFIED);
    let ratio = Figure::new("speed against scalar", Ok(927.8), "x").of("encode", "scalar", "fills");
    report.records = vec![Record::Figure(ratio.split("a load"))];
    for view in [page_of(&report), text(&report, false)] {
        assert!(view.contains("928"), "{view}");
    }
}
