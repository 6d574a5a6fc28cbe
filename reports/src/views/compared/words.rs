//! The comparisons in words, for a terminal, Markdown and the tables of the page.

use super::calibrated::{self, CONFIDENCE, Counts, Pooled, Series, Share};
use super::{Group, both, interval, percent, place, places, ratio, signed};
use crate::compared::{Calibration, Compared, Comparison};
use crate::number::{grouped, measured};
use crate::views::words::Table;

/// How a table is written.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Style {
    /// Between groups of three digits.
    pub(in super::super) separator: char,
    /// Whether rows of identical code are one line below the table.
    pub(in super::super) folded: bool,
    /// Whether the operation stands elsewhere.
    pub(in super::super) short: bool,
}

/// For a reader who has room.
pub(in super::super) const WHOLE: Style = Style {
    separator: ',',
    folded: false,
    short: false,
};
/// For a terminal.
pub(in super::super) const FOLDED: Style = Style {
    separator: ',',
    folded: true,
    short: false,
};

impl Group<'_> {
    /// The table, and one of particulars if there are any.
    pub(in super::super) fn in_words(&self, style: Style) -> Vec<Table> {
        let shown = |row: &&&Comparison| !style.folded || row.verdict != Compared::Identical;
        let rows: Vec<&Comparison> = self.rows.iter().filter(shown).copied().collect();
        let mut tables = vec![self.verdicts(&rows, style)];
        tables.extend(self.particulars(&rows));
        tables
    }

    fn title(&self) -> String {
        format!("{}: Comparison against {}", self.operation, self.against)
    }

    fn verdicts(&self, rows: &[&Comparison], style: Style) -> Table {
        let own_margin = self.shared(|row| row.margin.to_bits()).is_none();
        let own_confidence = self.shared(|row| row.confidence.to_bits()).is_none();
        let mut header = vec!["path", "ratio", "interval"];
        header.extend(own_margin.then_some("margin"));
        header.extend([
            "least detectable",
            "ns, base → head",
            "instructions, base",
            "head",
            "difference",
            "epochs",
            "seconds",
        ]);
        let numbers = header.len() - 1;
        header.extend(["verdict", "reason, or what must be known"]);
        let words = |row: &&Comparison| {
            let none = || "-".to_owned();
            let mut words = vec![
                match style.short {
                    true => place(row),
                    false => format!("{} at {}", row.name(), super::load(&row.load)),
                },
                ratio(row).unwrap_or_else(none),
                row.ratio.map_or_else(none, |of| interval(of, row.margin)),
            ];
            words.extend(own_margin.then(|| format!("{} %", percent(row.margin))));
            words.push(row.least.map_or_else(none, |least| {
                let least = signed(1.0 + least, row.margin);
                format!("{} %", least.trim_start_matches('+'))
            }));
            words.push(both(row, |side| side.nanos).unwrap_or_else(none));
            words.extend(instructions(row, style.separator));
            words.push(grouped(row.epochs.into(), style.separator));
            words.push(seconds(row.seconds));
            words.push(row.verdict.to_string());
            words.push(about(row, own_confidence).join("; "));
            words
        };
        Table {
            title: self.title(),
            header: header.into_iter().map(str::to_owned).collect(),
            numbers,
            rows: rows.iter().map(words).collect(),
            notes: self.notes(style),
            alarming: rows.iter().map(|row| is_alarming(row.verdict)).collect(),
            ..Table::default()
        }
    }

    /// What holds for all rows.
    pub(in super::super) fn notes(&self, style: Style) -> Vec<String> {
        let mut notes = Vec::new();
        let identical: Vec<&Comparison> = self
            .rows
            .iter()
            .filter(|row| row.verdict == Compared::Identical)
            .copied()
            .collect();
        if style.folded && !identical.is_empty() {
            let rows = count(identical.len(), "row");
            notes.push(format!("{rows} of identical code: {}", places(&identical)));
        }
        let margin = self.shared(|row| row.margin.to_bits()).map(f64::from_bits);
        let confidence = self
            .shared(|row| row.confidence.to_bits())
            .map(f64::from_bits);
        let margin = margin.map(|margin| format!("margin {} %", percent(margin)));
        let confidence =
            confidence.map(|confidence| format!("confidence {} %", percent(confidence)));
        let alike: Vec<String> = margin.into_iter().chain(confidence).collect();
        let alike = match alike.is_empty() {
            true => String::new(),
            false => format!("; {}", alike.join(", ")),
        };
        let rows = count(self.rows.len(), "row");
        notes.push(format!("{rows}: {}{alike}", self.counted()));
        if let Some(share) = self.without_verdict() {
            notes.push(format!("{} % of the rows have no verdict", percent(share)));
        }
        if let Some([low, high]) = self.controls() {
            let margin = self.rows.iter().map(|row| row.margin).fold(1.0, f64::min);
            let [low, high] = [low, high].map(|end| signed(end, margin));
            notes.push(format!(
                "The control, the base once more: its intervals reach from {low} % to {high} %"
            ));
        }
        notes
    }

    /// Where the code lies that was measured, and how the measurement itself went.
    fn particulars(&self, rows: &[&Comparison]) -> Option<Table> {
        let words = |row: &&Comparison| {
            let functions = [
                ("base", &row.base.function),
                ("head", &row.head.function),
                ("control", &row.control_function),
            ];
            let of = |name: &str| name.to_owned();
            let mut words = vec![
                place(row),
                both(row, |side| side.nanos_q90).unwrap_or_else(|| of("-")),
                row.control
                    .map_or_else(|| of("-"), |control| interval(control, row.margin)),
            ];
            let known = functions.iter().any(|(_, function)| function.is_some());
            let known = known || row.control.is_some() || words[1] != "-";
            words.extend(functions.map(|(side, function)| {
                let function = function.as_ref();
                function.map_or_else(String::new, |function| format!("{side} in {function}"))
            }));
            known.then_some(words)
        };
        let rows: Vec<Vec<String>> = rows.iter().filter_map(words).collect();
        let header = [
            "path",
            "ns, nine epochs of ten",
            "control's interval, %",
            "base",
            "head",
            "control",
        ];
        (!rows.is_empty()).then(|| Table {
            title: format!("{}: particulars", self.title()),
            header: header.map(str::to_owned).to_vec(),
            numbers: 2,
            rows,
            detail: true,
            ..Table::default()
        })
    }
}

/// Whether somebody must look at it.
pub(in super::super) fn is_alarming(verdict: Compared) -> bool {
    matches!(verdict, Compared::Slower | Compared::Void)
}

/// Exact counts of both sides, and what the head executes more.
fn instructions(row: &Comparison, separator: char) -> [String; 3] {
    let [base, head] = [&row.base, &row.head].map(|side| side.instructions);
    let shown = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| grouped(n, separator));
    let difference = base.zip(head).map(|(base, head)| {
        let sign = match base.cmp(&head) {
            std::cmp::Ordering::Less => "+",
            std::cmp::Ordering::Equal => "",
            std::cmp::Ordering::Greater => "-",
        };
        format!("{sign}{}", grouped(base.abs_diff(head), separator))
    });
    let difference = difference.unwrap_or_else(|| "-".to_owned());
    [shown(base), shown(head), difference]
}

fn seconds(seconds: f64) -> String {
    match (0.0..1e6).contains(&seconds) {
        true => format!("{seconds:.2}"),
        false => measured(seconds, '\u{202f}'),
    }
}

/// The reason for a verdict, and what must be known beside it.
fn about(row: &Comparison, own_confidence: bool) -> Vec<String> {
    let mut about: Vec<String> = row.reason.iter().cloned().collect();
    let links = row.layouts.map(|links| {
        let links = count(links as usize, "link");
        format!("{links} of each side")
    });
    let spread = row.layout_spread.map(|ends| {
        let [least, most] = ends.map(|end| signed(end, row.margin));
        format!("from {least} % to {most} % by layout alone")
    });
    let of_links: Vec<String> = links.into_iter().chain(spread).collect();
    about.extend((!of_links.is_empty()).then(|| of_links.join(": ")));
    about.extend(own_confidence.then(|| format!("confidence {} %", percent(row.confidence))));
    about
}

/// A comparison in one line, without the name of its path: for a CI server.
pub(in super::super) fn in_a_line(row: &Comparison) -> String {
    let mut parts = Vec::new();
    if let Some((at, of)) = ratio(row).zip(row.ratio) {
        parts.push(format!("{at} {}", interval(of, row.margin)));
    }
    parts.extend(both(row, |side| side.nanos).map(|ns| format!("{ns} ns")));
    let [base, head, difference] = instructions(row, ',');
    if difference != "-" {
        parts.push(format!("{base} → {head} instructions"));
    }
    let epochs = count(row.epochs as usize, "epoch");
    parts.push(format!("margin {} %, {epochs}", percent(row.margin)));
    parts.extend(about(row, true));
    parts.join("; ")
}

fn count(n: usize, word: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {word}{s}", grouped(n as u64, ','))
}

/// The names of the columns behind the first.
const OF_CALIBRATIONS: [&str; 13] = [
    "effect",
    "margin",
    "comparisons",
    "slower",
    "faster",
    "same",
    "inconclusive",
    "void",
    "share",
    "its limits, %",
    "measured",
    "seconds, mean",
    "longest",
];

/// How often comparisons came out as what: of all paths together, and then path by path.
pub(in super::super) fn calibrations(series: &[Series<'_>], style: Style) -> Vec<Table> {
    let header = |first: &str| {
        let mut header = vec![first.to_owned()];
        header.extend(OF_CALIBRATIONS.map(str::to_owned));
        header.push("the share is of".to_owned());
        header
    };
    let pooled = series.iter().flat_map(|series| {
        let row = |point| numbers(series.name(), series.margin, point, style.separator);
        series.points.iter().map(row)
    });
    let rows: Vec<Vec<String>> = pooled.collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let confidence = percent(CONFIDENCE);
    let mut tables = vec![Table {
        title: "How good the comparison is, all paths together".to_owned(),
        header: header("method, condition"),
        numbers: OF_CALIBRATIONS.len(),
        rows,
        notes: vec![
            format!("Limits by Clopper and Pearson, {confidence} % on both sides together"),
            "Each comparison knows what it should find: an effect was planted in the head, or none"
                .to_owned(),
            format!(
                "A path on which the effect read back as another one, by more than {} % of it, is left out of that effect's share",
                percent(Calibration::OFF)
            ),
        ],
        ..Table::default()
    }];
    for series in series {
        // A point of one path alone says the same already.
        let alone = |point: &Pooled<'_>| point.of.len() == 1 && point.off.is_empty();
        if series.points.iter().all(alone) {
            continue;
        }
        let each = series
            .points
            .iter()
            .flat_map(|point| point.of.iter().chain(&point.off));
        let row = |row: &&Calibration| {
            let point = Pooled {
                effect: row.effect,
                of: vec![*row],
                off: Vec::new(),
            };
            let mut words = numbers(
                calibrated::place(row),
                series.margin,
                &point,
                style.separator,
            );
            if let (false, Some(remark)) = (row.reads_back(), words.last_mut()) {
                *remark += "; left out, for it reads back as another effect";
            }
            words
        };
        tables.push(Table {
            title: format!(
                "How good the comparison is: {}, path by path",
                series.name()
            ),
            header: header("path"),
            numbers: OF_CALIBRATIONS.len(),
            rows: each.map(row).collect(),
            detail: true,
            ..Table::default()
        });
    }
    tables
}

fn numbers(name: String, margin: f64, point: &Pooled<'_>, separator: char) -> Vec<String> {
    let none = || "-".to_owned();
    let counts = point.counts();
    let share = counts.share(point.effect);
    let Counts {
        all,
        slower,
        faster,
        same,
        inconclusive,
        void,
    } = counts;
    let mut words = vec![
        name,
        format!("{} %", percent(point.effect)),
        format!("{} %", percent(margin)),
    ];
    let counts = [all, slower, faster, same, inconclusive, void];
    words.extend(counts.map(|n| grouped(n, separator)));
    words.push(share.map_or_else(none, |share| share.in_percent()));
    words.push(share.map_or_else(none, |share| share.limits_in_percent()));
    words.push(point.measured().map_or_else(none, |[low, high]| {
        let [low, high] = [low, high].map(|part| signed(1.0 + part, margin));
        match low == high {
            true => format!("{low} %"),
            false => format!("{low} to {high} %"),
        }
    }));
    words.extend([point.seconds(), point.seconds_most()].map(seconds));
    let mut remarks = Vec::new();
    remarks.extend(share.map(|share| said(point.effect, margin, same, &share)));
    let left_out = point.left_out();
    if left_out > 0 {
        let left_out = grouped(left_out, separator);
        remarks.push(format!("{left_out} left out: another effect read back"));
    }
    words.push(remarks.join("; "));
    words
}

/// What a share means: what lies within the margin need not be found.
fn said(effect: f64, margin: f64, same: u64, share: &Share) -> String {
    if effect > 0.0 {
        let found = match effect > margin {
            true => "found",
            false => "called slower, within the margin",
        };
        return match same {
            0 => found.to_owned(),
            n => format!("{found}; called same {}", times(n)),
        };
    }
    let (confidence, most) = (percent(CONFIDENCE), percent(share.most));
    format!("false alarms; with {confidence} % no more than {most} %")
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{} times", grouped(n, ',')),
    }
}
