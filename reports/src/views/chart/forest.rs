//! Comparisons below each other: how long the head takes against the base, each as a point on its
//! interval, and the margin as a band around the same time.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::compared::{Group, interval, place, ratio};
use super::super::palette::{self, Ink};
use super::axes::{name_of_tick, steps};
use super::{
    CHAR, Canvas, DrawingError, FONT, Picture, fitting, font, line, picture, width_of, word,
};
use crate::compared::{Compared, Comparison};
use crate::plain::one_line;

/// What a picture shows.
pub(in super::super) struct Forest {
    description: String,
    rows: Vec<Row>,
    /// The ends of the axis, in percent of the base's time.
    ends: (f64, f64),
}

/// One comparison; numbers in percent of the base's time.
struct Row {
    label: String,
    verdict: Compared,
    at: f64,
    low: f64,
    high: f64,
    /// The ends of what is the same.
    margin: (f64, f64),
    /// Beside it, and shorter on a narrow picture.
    words: String,
    short: String,
}

impl Row {
    fn of(of: &Comparison, its: crate::Ratio) -> Self {
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        let most = 1.0 + of.margin;
        let at = ratio(of).unwrap_or_default();
        Row {
            label: one_line(&place(of)),
            verdict: of.verdict,
            at: percent(its.at),
            low: percent(its.low),
            high: percent(its.high),
            margin: (percent(most.recip()), percent(most)),
            words: format!("{at} {} {}", interval(its, of.margin), of.verdict),
            short: format!("{at} {}", of.verdict),
        }
    }

    fn ink(&self) -> Ink {
        palette::verdict(self.verdict)
    }
}

impl Forest {
    pub(in super::super) fn of(group: &Group<'_>) -> Self {
        let measured = group.measured();
        let rows: Vec<Row> = measured.map(|(row, ratio)| Row::of(row, ratio)).collect();
        let ends = ends(&rows);
        Forest {
            description: format!(
                "{} against {}: {} comparisons, each as the ratio of times with its interval, in percent \
                 of the base's time, with the margin as a band around zero. The table below has the same \
                 numbers.",
                one_line(group.operation),
                one_line(group.against),
                rows.len()
            ),
            rows,
            ends,
        }
    }

    /// Whether there is an interval to draw.
    pub(in super::super) fn has_numbers(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Whether an interval goes on beyond the picture.
    pub(in super::super) fn is_clipped(&self) -> bool {
        let (from, to) = self.ends;
        self.rows.iter().any(|row| row.low < from || row.high > to)
    }

    /// The verdicts that occur, in the order in which they do.
    pub(in super::super) fn verdicts(&self) -> Vec<Compared> {
        let mut verdicts: Vec<Compared> = self.rows.iter().map(|row| row.verdict).collect();
        verdicts.dedup();
        verdicts
    }
}

/// Where the axis begins and ends: as far as most intervals reach, so that a few long ones do not
/// press all others into one place.
fn ends(rows: &[Row]) -> (f64, f64) {
    let mut reaches: Vec<f64> = rows.iter().map(|row| row.high.max(-row.low)).collect();
    reaches.sort_by(f64::total_cmp);
    let common = reaches.get(reaches.len() * 3 / 4).copied().unwrap_or(0.0);
    let widest = |end: fn(&Row) -> f64| rows.iter().map(end).fold(0.0, f64::max);
    let margin = widest(|row| row.margin.1);
    let most = (3.0 * margin).max(3.0 * common);
    let reach =
        |end: fn(&Row) -> f64| (widest(end) * 1.05).clamp(1.5 * margin, most.max(1.5 * margin));
    (-reach(|row| -row.low), reach(|row| row.high))
}

/// Pixels.
const ROW: i32 = 19;
/// On a narrow picture the names stand above the intervals.
const TALL_ROW: i32 = 34;
const AXIS: i32 = 44;
const TOP: i32 = 6;

/// Where things are.
struct Layout {
    width: i32,
    narrow: bool,
    row: i32,
    left: i32,
    right: i32,
    bottom: i32,
    ends: (f64, f64),
}

impl Layout {
    fn of(forest: &Forest, width: i32) -> Self {
        let narrow = width < 500;
        let longest = |of: fn(&Row) -> &str| {
            let words = forest.rows.iter().map(|row| width_of(of(row)));
            words.max().unwrap_or(0)
        };
        let row = if narrow { TALL_ROW } else { ROW };
        let (left, right) = match narrow {
            true => (2 * CHAR, width - 2 * CHAR),
            false => {
                // Behind the intervals no words are wider than these.
                let words = longest(|row| &row.words) * 7 / 8;
                let left = longest(|row| &row.label).min(width / 3) + CHAR;
                (left, width - words.min(width / 3) - CHAR)
            }
        };
        Layout {
            width,
            narrow,
            row,
            left,
            right,
            bottom: TOP + row * forest.rows.len() as i32 + 4,
            ends: forest.ends,
        }
    }

    /// The pixel of a percentage, no further than the axis.
    fn x(&self, percent: f64) -> i32 {
        let (from, to) = self.ends;
        let part = ((percent - from) / (to - from)).clamp(0.0, 1.0);
        self.left + (part * f64::from(self.right - self.left)).round() as i32
    }

    /// From where to where the place of a row is free of words.
    fn clear_of_words(&self, top: i32) -> (i32, i32) {
        let words = if self.narrow { 17 } else { 0 };
        (top + words, top + self.row)
    }

    fn is_beyond(&self, percent: f64) -> bool {
        percent < self.ends.0 || percent > self.ends.1
    }

    fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.ends;
        // One step for both sides.
        let of = steps(to.max(-from));
        let step = of.get(1).copied().unwrap_or(1.0);
        let both = (-4..=4).map(|n| f64::from(n) * step);
        both.filter(|tick| (from..=to).contains(tick)).collect()
    }
}

/// The picture.
///
/// # Errors
/// What plotters says.
pub(in super::super) fn draw(forest: &Forest, width: u32) -> Result<Picture, DrawingError> {
    let layout = Layout::of(forest, width as i32);
    let description = forest.description.clone();
    picture(description, layout.width, layout.bottom + AXIS, |canvas| {
        let tops = (0..).map(|n| TOP + n * layout.row);
        for (row, top) in forest.rows.iter().zip(tops.clone()) {
            band(canvas, row, &layout, top)?;
        }
        for top in tops.clone().take(forest.rows.len()) {
            grid(canvas, &layout, layout.clear_of_words(top))?;
        }
        axis(canvas, &layout)?;
        for (row, top) in forest.rows.iter().zip(tops) {
            draw_row(canvas, row, &layout, top)?;
        }
        Ok(())
    })
}

/// What is the same. The bands of rows with one margin are one.
fn band(canvas: &Canvas<'_>, row: &Row, layout: &Layout, top: i32) -> Result<(), DrawingError> {
    let [from, to] = [row.margin.0, row.margin.1].map(|end| layout.x(end));
    let fill = palette::LINE.drawn().mix(0.6).filled();
    let (upper, lower) = layout.clear_of_words(top);
    canvas.draw(&Rectangle::new([(from, upper), (to, lower)], fill))
}

/// The lines of the axis, from `upper` to `lower`.
fn grid(
    canvas: &Canvas<'_>,
    layout: &Layout,
    (upper, lower): (i32, i32),
) -> Result<(), DrawingError> {
    for tick in layout.ticks() {
        let x = layout.x(tick);
        let ink = if tick == 0.0 {
            palette::MUTED
        } else {
            palette::LINE
        };
        line(canvas, [(x, upper), (x, lower)], ink.drawn())?;
    }
    Ok(())
}

fn axis(canvas: &Canvas<'_>, layout: &Layout) -> Result<(), DrawingError> {
    let small = || font(FONT - 1, palette::MUTED);
    let mut free = i32::MIN;
    for tick in layout.ticks() {
        let x = layout.x(tick);
        let sign = if tick > 0.0 { "+" } else { "" };
        let name = format!("{sign}{} %", name_of_tick(tick));
        let half = width_of(&name) / 2;
        if x - half >= free && x - half >= 0 && x + half <= layout.width {
            word(
                canvas,
                &name,
                (x, layout.bottom + 14),
                HPos::Center,
                small(),
            )?;
            free = x + half + CHAR / 2;
        }
    }
    let words = match layout.narrow {
        true => "head's time against the base's",
        false => "head's time against the base's: faster on the left, slower on the right",
    };
    let half = width_of(words) * 7 / 16;
    let middle = (layout.left + layout.right) / 2;
    let middle = middle.clamp(
        half.min(layout.width / 2),
        (layout.width - half).max(layout.width / 2),
    );
    word(
        canvas,
        words,
        (middle, layout.bottom + 32),
        HPos::Center,
        small(),
    )
}

fn draw_row(canvas: &Canvas<'_>, row: &Row, layout: &Layout, top: i32) -> Result<(), DrawingError> {
    let text = || font(FONT - 1, palette::TEXT);
    let muted = || font(FONT - 1, palette::MUTED);
    let y = match layout.narrow {
        true => top + 25,
        false => top + layout.row / 2,
    };
    whisker(canvas, row, layout, y)?;
    if layout.narrow {
        let at = (layout.width, top + 9);
        word(canvas, &row.short, at, HPos::Right, text())?;
        let room = layout.width - width_of(&row.short) - CHAR;
        word(
            canvas,
            &fitting(&row.label, room),
            (0, top + 9),
            HPos::Left,
            muted(),
        )
    } else {
        let label = fitting(&row.label, layout.left - CHAR);
        word(
            canvas,
            &label,
            (layout.left - CHAR, y),
            HPos::Right,
            muted(),
        )?;
        let room = (layout.width - layout.right - CHAR) * 8 / 7;
        let words = fitting(&row.words, room);
        word(canvas, &words, (layout.right + CHAR, y), HPos::Left, text())
    }
}

/// The interval, with an arrowhead where it goes on, and the point upon it.
fn whisker(canvas: &Canvas<'_>, row: &Row, layout: &Layout, y: i32) -> Result<(), DrawingError> {
    let ink = row.ink().drawn();
    let (from, to) = (layout.x(row.low), layout.x(row.high));
    line(canvas, [(from, y), (to, y)], ink.stroke_width(2))?;
    for (end, x, inwards) in [(row.low, from, 1), (row.high, to, -1)] {
        if layout.is_beyond(end) {
            let points = [(x, y), (x + 7 * inwards, y - 4), (x + 7 * inwards, y + 4)];
            canvas.draw(&Polygon::new(points.to_vec(), ink.filled()))?;
        } else {
            line(canvas, [(x, y - 3), (x, y + 3)], ink.stroke_width(1))?;
        }
    }
    match layout.is_beyond(row.at) {
        true => Ok(()),
        false => mark(canvas, row.verdict, (layout.x(row.at), y)),
    }
}

/// A shape for each verdict, filled where it is one: what nobody can tell is hollow.
fn mark(canvas: &Canvas<'_>, verdict: Compared, (x, y): (i32, i32)) -> Result<(), DrawingError> {
    let ink = palette::verdict(verdict).drawn();
    let ground = palette::SURFACE.drawn().filled();
    let corners = |corners: &[(i32, i32)]| {
        let at = corners.iter().map(|(dx, dy)| (x + dx, y + dy));
        at.collect::<Vec<_>>()
    };
    match verdict {
        Compared::Slower => {
            let points = corners(&[(6, 0), (-4, -6), (-4, 6)]);
            canvas.draw(&Polygon::new(points, ink.filled()))
        }
        Compared::Faster => {
            let points = corners(&[(-6, 0), (4, -6), (4, 6)]);
            canvas.draw(&Polygon::new(points, ink.filled()))
        }
        Compared::Same => canvas.draw(&Circle::new((x, y), 4, ink.filled())),
        Compared::Void => {
            let square = [(x - 5, y - 5), (x + 5, y + 5)];
            canvas.draw(&Rectangle::new(square, ground))?;
            canvas.draw(&Rectangle::new(square, ink.stroke_width(2)))?;
            line(canvas, corners(&[(-5, -5), (5, 5)]), ink.stroke_width(1))?;
            line(canvas, corners(&[(-5, 5), (5, -5)]), ink.stroke_width(1))
        }
        Compared::Inconclusive | Compared::Identical | Compared::NoBase => {
            canvas.draw(&Circle::new((x, y), 5, ground))?;
            canvas.draw(&Circle::new((x, y), 5, ink.stroke_width(2)))
        }
    }
}

/// The mark as a character, for the legend.
pub(in super::super) fn sign(verdict: Compared) -> &'static str {
    match verdict {
        Compared::Slower => "▶",
        Compared::Faster => "◀",
        Compared::Same => "●",
        Compared::Void => "⊠",
        Compared::Inconclusive | Compared::Identical | Compared::NoBase => "○",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(low: f64, high: f64) -> Row {
        Row {
            label: String::new(),
            verdict: Compared::Inconclusive,
            at: f64::midpoint(low, high),
            low,
            high,
            margin: (-0.99, 1.0),
            words: String::new(),
            short: String::new(),
        }
    }

    #[test]
    fn one_long_interval_does_not_press_the_others_together() {
        let mut rows: Vec<Row> = (0..9).map(|_| row(-0.5, 0.5)).collect();
        assert_eq!(ends(&rows), (-1.5, 1.5));
        rows.push(row(-30.0, 40.0));
        assert_eq!(ends(&rows), (-3.0, 3.0));
        // Where all are long, all are drawn as they are.
        let far: Vec<Row> = (0..3).map(|_| row(-41.0, -39.0)).collect();
        assert_eq!(ends(&far), (-41.0 * 1.05, 1.5));
        assert_eq!(ends(&[row(-0.2, 0.2)]), (-1.5, 1.5));
    }
}
