//! Horizontal bars, each a stack of parts: shares of a whole, or values beside each other.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::palette::{self, Ink};
use super::axes::{name_of_tick, steps};
use super::{
    CHAR, Canvas, DrawingError, FONT, Picture, fitting, font, line, picture, width_of, word,
};

/// What a picture shows.
pub(in super::super) struct Stacks {
    /// What a reader who does not see the picture is told.
    pub(in super::super) description: String,
    pub(in super::super) scale: Scale,
    /// Below the axis.
    pub(in super::super) axis: &'static str,
    pub(in super::super) rows: Vec<Row>,
}

/// How long a bar is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Scale {
    /// All are equally long.
    Shares,
    /// As long as its values.
    Values,
    /// As long as the logarithm of its value above this power of ten: for bars of one part.
    Decades(f64),
}

/// One path.
pub(in super::super) struct Row {
    pub(in super::super) label: String,
    /// Its bar, or why there is none.
    pub(in super::super) bar: Result<Bar, String>,
}

pub(in super::super) struct Bar {
    pub(in super::super) parts: Vec<Part>,
    /// Beside the bar.
    pub(in super::super) words: String,
}

pub(in super::super) struct Part {
    pub(in super::super) value: f64,
    pub(in super::super) ink: Ink,
    /// An outline alone.
    pub(in super::super) hollow: bool,
    /// Upon the part: the first of these that has room.
    pub(in super::super) inside: Vec<String>,
}

impl Scale {
    /// The scale on which these values can be compared: logarithmic if the least of them would be
    /// too short to see.
    pub(in super::super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let drawn = values.filter(|value| *value > 0.0);
        let (least, most) = drawn.fold((f64::INFINITY, 0.0), |(least, most), value| {
            (value.min(least), value.max(most))
        });
        if most / least > 40.0 {
            // Twelve decades are all that an axis can show; what lies below them is at its beginning.
            let from = (least * 0.99).max(most * 1e-12);
            Scale::Decades(10f64.powf(from.log10().floor()))
        } else {
            Scale::Values
        }
    }
}

impl Stacks {
    /// Whether there is a bar to draw.
    pub(in super::super) fn has_numbers(&self) -> bool {
        self.bars().any(|bar| bar.sum() > 0.0)
    }

    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.rows.iter().filter_map(|row| row.bar.as_ref().ok())
    }

    fn longest(&self) -> f64 {
        self.bars().map(Bar::sum).fold(f64::MIN_POSITIVE, f64::max)
    }

    /// Which part of the axis's length lies before a value of a bar whose parts add up to `sum`.
    fn place(&self, value: f64, sum: f64) -> f64 {
        let part = match self.scale {
            Scale::Shares => value / sum,
            Scale::Values => value / self.longest(),
            Scale::Decades(from) => (value / from).ln() / (self.longest() / from).ln(),
        };
        // Nothing of nothing is no number.
        if part > 0.0 { part.min(1.0) } else { 0.0 }
    }

    /// Where the axis has names, from 0 to 1.
    fn ticks(&self) -> Vec<(f64, String)> {
        let named = |value: f64| (self.place(value, 1.0), name_of_tick(value));
        match self.scale {
            Scale::Shares => [0.0, 0.25, 0.5, 0.75, 1.0]
                .map(|share| (share, format!("{}%", share * 100.0)))
                .to_vec(),
            Scale::Values => steps(self.longest()).into_iter().map(named).collect(),
            Scale::Decades(from) => {
                let decades = (self.longest() / from).log10() as i32;
                let tick = |decade| from * 10f64.powi(decade);
                (0..=decades).map(tick).map(named).collect()
            }
        }
    }
}

impl Bar {
    fn sum(&self) -> f64 {
        self.parts.iter().map(Part::length).sum()
    }
}

impl Part {
    /// What cannot be a count has no length; the table shows it.
    fn length(&self) -> f64 {
        if self.value.is_finite() && self.value > 0.0 {
            self.value
        } else {
            0.0
        }
    }
}

/// Pixels.
const BAR: i32 = 17;
const AXIS: i32 = 44;
/// Of words upon a bar.
const SMALL: i32 = FONT - 2;

/// Where things are. On a narrow picture a path's name and its words stand above the bar, else on
/// both sides of it.
struct Layout {
    width: i32,
    narrow: bool,
    /// The height of one path.
    row: i32,
    /// Where the bars begin, and where the longest ends.
    left: i32,
    right: i32,
}

impl Layout {
    fn of(stacks: &Stacks, width: i32) -> Self {
        if width < 500 {
            return Layout {
                width,
                narrow: true,
                row: 46,
                left: 0,
                // Half a name of the axis stands beyond the end of it.
                right: width - 2 * CHAR,
            };
        }
        let labels = stacks.rows.iter().map(|row| width_of(&row.label)).max();
        let words = stacks.bars().map(|bar| width_of(&bar.words)).max();
        let labels = (labels.unwrap_or(0).min(width) + 12).min(width * 2 / 5);
        let words = (words.unwrap_or(0).min(width) + CHAR).clamp(40, width / 3);
        Layout {
            width,
            narrow: false,
            row: 26,
            left: labels,
            right: width - words,
        }
    }

    fn bottom(&self, stacks: &Stacks) -> i32 {
        self.row * stacks.rows.len() as i32 + 4
    }

    fn x(&self, part: f64) -> i32 {
        self.left + (part * f64::from(self.right - self.left)).round() as i32
    }
}

/// The picture.
///
/// # Errors
/// What plotters says.
pub(in super::super) fn draw(stacks: &Stacks, width: u32) -> Result<Picture, DrawingError> {
    let layout = Layout::of(stacks, width as i32);
    let (bottom, description) = (layout.bottom(stacks), stacks.description.clone());
    picture(description, layout.width, bottom + AXIS, |canvas| {
        axis(canvas, stacks, &layout)?;
        for (n, row) in stacks.rows.iter().enumerate() {
            draw_row(canvas, stacks, row, &layout, layout.row * n as i32)?;
        }
        Ok(())
    })
}

fn axis(canvas: &Canvas<'_>, stacks: &Stacks, layout: &Layout) -> Result<(), DrawingError> {
    let bottom = layout.bottom(stacks);
    let small = || font(FONT - 1, palette::MUTED);
    let mut free = i32::MIN;
    for (place, name) in stacks.ticks() {
        let x = layout.x(place);
        line(canvas, [(x, 0), (x, bottom + 4)], palette::LINE.drawn())?;
        // At the left edge there is no room for half a name.
        let half = width_of(&name) / 2;
        let middle = x.max(half);
        if middle - half >= free && middle + half <= layout.width {
            word(canvas, &name, (middle, bottom + 14), HPos::Center, small())?;
            free = middle + half + CHAR;
        }
    }
    let middle = (layout.left + layout.right) / 2;
    let axis = fitting(stacks.axis, layout.width);
    word(canvas, &axis, (middle, bottom + 32), HPos::Center, small())
}

fn draw_row(
    canvas: &Canvas<'_>,
    stacks: &Stacks,
    row: &Row,
    layout: &Layout,
    y: i32,
) -> Result<(), DrawingError> {
    let top = if layout.narrow {
        y + 23
    } else {
        y + (layout.row - BAR) / 2
    };
    let middle = if layout.narrow { y + 13 } else { top + BAR / 2 };
    let mut end = layout.left;
    if let Ok(bar) = &row.bar {
        let (sum, mut before) = (bar.sum(), 0.0);
        for part in bar.parts.iter().filter(|part| part.length() > 0.0) {
            let from = layout.x(stacks.place(before, sum));
            before += part.length();
            end = layout.x(stacks.place(before, sum)).max(from + 1);
            draw_part(canvas, part, (from, end), top)?;
        }
    }
    let words = row.bar.as_ref().map_or("", |bar| &bar.words);
    let words = fitting(words, layout.width * 2 / 3);
    let (text, muted) = (font(FONT, palette::TEXT), font(FONT, palette::MUTED));
    if layout.narrow {
        let at = (layout.width, middle);
        word(canvas, &words, at, HPos::Right, text)?;
        let room = layout.width - width_of(&words) - CHAR;
        let label = fitting(&row.label, room);
        word(canvas, &label, (0, middle), HPos::Left, muted)?;
    } else {
        let room = layout.left - 10;
        let label = fitting(&row.label, room);
        word(canvas, &label, (room, middle), HPos::Right, muted)?;
        let words = fitting(&words, layout.width - end - 6);
        word(canvas, &words, (end + 6, middle), HPos::Left, text)?;
    }
    if let Err(why) = &row.bar {
        // A line of the axis must not go through the words.
        let (x, room) = (layout.left + 2, layout.width - layout.left - 2);
        // This size is smaller than the one that widths are estimated for.
        let why = fitting(why, room * 8 / 7);
        let end = (x + width_of(&why) * 7 / 8).min(layout.width);
        let ground = [(x - 2, top), (end, top + BAR)];
        canvas.draw(&Rectangle::new(ground, palette::SURFACE.drawn().filled()))?;
        word(
            canvas,
            &why,
            (x, top + BAR / 2),
            HPos::Left,
            font(FONT - 1, palette::WARN),
        )?;
    }
    Ok(())
}

/// One part of a bar, with the words that have room upon it.
fn draw_part(
    canvas: &Canvas<'_>,
    part: &Part,
    (from, end): (i32, i32),
    top: i32,
) -> Result<(), DrawingError> {
    // A seam where there is room for one.
    let to = if end - from > 3 { end - 1 } else { end };
    let corners = [(from, top), (to, top + BAR)];
    if part.hollow {
        let ground = palette::SURFACE.drawn().filled();
        canvas.draw(&Rectangle::new(corners, ground))?;
        let outline = part.ink.drawn().stroke_width(2);
        canvas.draw(&Rectangle::new(corners, outline))?;
    } else {
        canvas.draw(&Rectangle::new(corners, part.ink.drawn().filled()))?;
    }
    let room = to - from - 6;
    let fits = |words: &&String| width_of(words) * 7 / 8 <= room;
    match part.inside.iter().find(fits) {
        Some(words) => word(
            canvas,
            words,
            ((from + to) / 2, top + BAR / 2),
            HPos::Center,
            font(SMALL, palette::upon(part.ink)),
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn the_scale_is_logarithmic_where_the_least_would_vanish() {
        assert_eq!(Scale::of([12.0, 288.0].into_iter()), Scale::Values);
        assert_eq!(Scale::of([12.0, 2880.0].into_iter()), Scale::Decades(10.0));
        // The least is longer than nothing.
        assert_eq!(Scale::of([10.0, 2880.0].into_iter()), Scale::Decades(1.0));
        assert_eq!(Scale::of([1e-300, 2e19].into_iter()), Scale::Decades(1e7));
        assert_eq!(Scale::of([0.0, 7.0].into_iter()), Scale::Values);
        assert_eq!(Scale::of([].into_iter()), Scale::Values);
    }
}
