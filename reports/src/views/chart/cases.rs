//! Cases per path by kind of check: stacked horizontal bars, and the numbers that they are drawn
//! from.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::{CASES, by_operation, label, palette};
use super::{
    CHAR, Canvas, DrawingError, FONT, Picture, bold, fitting, font, picture, thin, width_of, word,
};
use crate::plain::one_line;
use crate::{Report, State};

/// The numbers of one chart. The picture and the table beside it are both made from this.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Bars {
    /// The kinds of check that occur, in the order of the palette.
    pub(in super::super) kinds: Vec<String>,
    /// The bars by operation.
    pub(in super::super) groups: Vec<(String, Vec<Bar>)>,
}

/// One path's bar.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Bar {
    /// `isa/delivery`.
    pub(in super::super) label: String,
    /// Of each kind in [`Bars::kinds`], the cases, or the reason why there is no number, or nothing
    /// if the records do not speak of it.
    pub(in super::super) cells: Vec<Cell>,
    /// What the ledger says of the path: `None` if it has no row, as in a run that did not finish.
    pub(in super::super) state: Option<State>,
    /// Why, if the ledger gives a reason.
    pub(in super::super) reason: String,
}

/// Of a path that was checked and has no row in the ledger.
pub(in super::super) const NO_VERDICT: &str = "no verdict";

/// The cases of one path and one kind of check.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Cell {
    /// That many.
    Cases(f64),
    /// No number, because.
    Reason(String),
    /// No record.
    Nothing,
}

impl Bar {
    /// All kinds together; `None` if there is no number at all.
    pub(in super::super) fn total(&self) -> Option<f64> {
        let numbers = self.cells.iter().filter_map(|cell| {
            if let Cell::Cases(n) = cell {
                Some(*n)
            } else {
                None
            }
        });
        numbers.reduce(|a, b| a + b)
    }

    /// What is said beside the number: the state, unless it is plainly verified.
    pub(in super::super) fn remark(&self) -> Option<&'static str> {
        match self.state {
            Some(State::Verified) => self.total().is_none().then_some("no cases recorded"),
            Some(state) => Some(state.word()),
            None => Some(NO_VERDICT),
        }
    }
}

impl Bars {
    /// The bars of a report: the ledger's paths, and paths that have figures but, in a run that did
    /// not finish, no row.
    pub(in super::super) fn of(report: &Report) -> Self {
        let mut kinds: Vec<String> = Vec::new();
        for figure in report.figures().filter(|figure| figure.quantity == CASES) {
            if let Some(split) = figure.split.as_ref().filter(|split| !kinds.contains(split)) {
                kinds.push(split.clone());
            }
        }
        // Stable: kinds without a colour of their own stay in the order of the records.
        kinds.sort_by_key(|kind| palette::rank(kind));

        let empty = |label: String, state, reason| Bar {
            label,
            cells: vec![Cell::Nothing; kinds.len()],
            state,
            reason,
        };
        let mut groups: Vec<(String, Vec<Bar>)> = Vec::new();
        for (operation, rows) in by_operation(report) {
            let bars = rows.into_iter().map(|row| {
                let reason = row.reason.clone().unwrap_or_default();
                empty(label(&row.isa, &row.delivery), Some(row.state), reason)
            });
            groups.push((operation.to_owned(), bars.collect()));
        }
        for figure in report.figures().filter(|figure| figure.quantity == CASES) {
            let Some(kind) = kinds
                .iter()
                .position(|kind| Some(kind) == figure.split.as_ref())
            else {
                continue;
            };
            let at = groups
                .iter()
                .position(|(operation, _)| *operation == figure.operation)
                .unwrap_or_else(|| {
                    groups.push((figure.operation.clone(), Vec::new()));
                    groups.len() - 1
                });
            let bars = &mut groups[at].1;
            let label = label(&figure.isa, &figure.delivery);
            let at = bars
                .iter()
                .position(|bar| bar.label == label)
                .unwrap_or_else(|| {
                    bars.push(empty(label, None, String::new()));
                    bars.len() - 1
                });
            let cell = &mut bars[at].cells[kind];
            *cell = match (&*cell, figure.value) {
                (Cell::Cases(before), Some(value)) => Cell::Cases(before + value),
                (_, Some(value)) => Cell::Cases(value),
                (Cell::Nothing, None) => Cell::Reason(figure.reason.clone().unwrap_or_default()),
                (earlier, None) => earlier.clone(),
            };
        }
        Bars { kinds, groups }
    }

    /// Whether there is anything to draw.
    pub(in super::super) fn has_numbers(&self) -> bool {
        self.bars()
            .any(|bar| bar.cells.iter().any(|cell| length(cell) > 0.0))
    }

    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.groups.iter().flat_map(|(_, bars)| bars)
    }

    /// What a reader who does not see the picture is told.
    pub(in super::super) fn description(&self) -> String {
        let operations: Vec<String> = self
            .groups
            .iter()
            .map(|(operation, _)| one_line(operation))
            .collect();
        let kinds: Vec<String> = self.kinds.iter().map(|kind| one_line(kind)).collect();
        format!(
            "Cases of each of {} paths of {}, as stacked horizontal bars by kind of check: {}. The table below \
             has the same numbers.",
            self.bars().count(),
            operations.join(", "),
            kinds.join(", ")
        )
    }
}

/// How long a cell is drawn. What cannot be a count of cases has no length; the table shows it.
fn length(cell: &Cell) -> f64 {
    match cell {
        Cell::Cases(n) if (0.0..=1e15).contains(n) => *n,
        _ => 0.0,
    }
}

/// Pixels.
const BAR: i32 = 15;
const HEADING: i32 = 34;
const AXIS: i32 = 46;

/// Where things are. On a narrow picture a path's name and its total stand above the bar, else on
/// both sides of it.
struct Layout {
    width: i32,
    narrow: bool,
    /// The height of one path.
    row: i32,
    /// Where the bars begin, and how much they leave free on the right.
    left: i32,
    right: i32,
}

impl Layout {
    fn of(bars: &Bars, width: i32) -> Self {
        if width < 500 {
            // Half a number of the axis stands beyond either end of it.
            return Layout {
                width,
                narrow: true,
                row: 42,
                left: CHAR,
                right: 4 * CHAR,
            };
        }
        let label = |bar: &Bar| bar.label.chars().count() as i32;
        let longest = bars.bars().map(label).max().unwrap_or(0);
        // Room behind the longest bar for its total and, beside a total, the word of a state.
        let behind = |bar: &Bar| {
            let total = thin(bar.total()?).chars().count() + 1;
            Some(total + bar.remark().map_or(0, |remark| remark.chars().count() + 1))
        };
        let longest_behind = bars.bars().filter_map(behind).max().unwrap_or(0) as i32;
        Layout {
            width,
            narrow: false,
            row: 24,
            left: (longest.saturating_mul(CHAR) + 12).min(width * 2 / 5),
            right: (longest_behind * CHAR).clamp(40, width / 3),
        }
    }

    fn height_of_rows(&self, bars: &Bars) -> i32 {
        bars.groups
            .iter()
            .map(|(_, bars)| HEADING + self.row * bars.len() as i32)
            .sum()
    }
}

/// The picture.
///
/// # Errors
/// What plotters says.
pub(in super::super) fn draw(bars: &Bars, width: u32) -> Result<Picture, DrawingError> {
    let layout = Layout::of(bars, width as i32);
    let height = layout.height_of_rows(bars) + AXIS;
    picture(bars.description(), layout.width, height, |canvas| {
        draw_on(canvas, bars, &layout)
    })
}

fn draw_on(root: &Canvas<'_>, bars: &Bars, layout: &Layout) -> Result<(), DrawingError> {
    let longest = bars
        .bars()
        .map(|bar| bar.cells.iter().map(length).sum::<f64>())
        .fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(root)
        .margin_left(layout.left)
        .margin_right(layout.right)
        .x_label_area_size(AXIS)
        .build_cartesian_2d(0.0..longest, f64::from(layout.height_of_rows(bars))..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(palette::LINE.drawn())
        .axis_style(palette::LINE.drawn())
        .x_labels(if layout.narrow { 4 } else { 7 })
        .x_label_formatter(&|n| thin(*n))
        .x_label_style(font(FONT - 1, palette::MUTED))
        .x_desc("cases")
        .axis_desc_style(font(FONT - 1, palette::MUTED))
        .draw()?;
    let x_of = |cases: f64| chart.backend_coord(&(cases, 0.0)).0;

    let mut y = 0;
    for (operation, bars_of_it) in &bars.groups {
        let heading = TextStyle {
            font: bold(),
            ..font(FONT, palette::TEXT)
        };
        word(
            root,
            &fitting(operation, layout.width),
            (0, y + HEADING - 14),
            HPos::Left,
            heading,
        )?;
        y += HEADING;
        for bar in bars_of_it {
            let top = if layout.narrow {
                y + 22
            } else {
                y + (layout.row - BAR) / 2
            };
            let mut sum = 0.0;
            for (kind, cell) in bars.kinds.iter().zip(&bar.cells) {
                let (from, to) = (x_of(sum), x_of(sum + length(cell)));
                sum += length(cell);
                if length(cell) > 0.0 {
                    // A seam where there is room for one; and what happened at all is at least a
                    // pixel wide.
                    let to = if to - from > 3 {
                        to - 1
                    } else {
                        to.max(from + 1)
                    };
                    let color = palette::kind(kind).drawn();
                    root.draw(&Rectangle::new(
                        [(from, top), (to, top + BAR)],
                        color.filled(),
                    ))?;
                }
            }
            words_of(root, bar, layout, y, x_of(sum))?;
            y += layout.row;
        }
    }
    Ok(())
}

/// A path's name, its total, and its state if that is not plainly verified.
fn words_of(
    root: &Canvas<'_>,
    bar: &Bar,
    layout: &Layout,
    y: i32,
    end_of_bar: i32,
) -> Result<(), DrawingError> {
    let total = bar.total().map(thin).unwrap_or_default();
    let ink = match bar.state {
        Some(State::Verified) => palette::TEXT,
        Some(State::Unavailable) => palette::WARN,
        Some(State::Failed | State::NotExecuted) | None => palette::BAD,
    };
    let short = bar.remark().unwrap_or_default().to_owned();
    let long = format!("{short}: {}", bar.reason);
    if layout.narrow {
        let y = y + 10;
        let words = [total, short]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        word(
            root,
            &words,
            (layout.width, y),
            HPos::Right,
            font(FONT, ink),
        )?;
        let room = layout.width - width_of(&words) - CHAR;
        return word(
            root,
            &fitting(&bar.label, room),
            (layout.left, y),
            HPos::Left,
            font(FONT, palette::MUTED),
        );
    }
    let y = y + layout.row / 2;
    let room = layout.left - 10;
    word(
        root,
        &fitting(&bar.label, room),
        (room, y),
        HPos::Right,
        font(FONT, palette::MUTED),
    )?;
    let mut x = end_of_bar + 6;
    if !total.is_empty() {
        word(root, &total, (x, y), HPos::Left, font(FONT, palette::TEXT))?;
        x += width_of(&total) + CHAR;
    }
    let fits = !bar.reason.is_empty() && !short.is_empty() && width_of(&long) <= layout.width - x;
    word(
        root,
        &one_line(if fits { &long } else { &short }),
        (x, y),
        HPos::Left,
        font(FONT, ink),
    )
}
