//! How often comparisons say that there is a difference, by the effect that was planted: a line for
//! each method and condition.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::compared::calibrated::{Series, Share};
use super::super::compared::percent;
use super::super::palette::{self, Ink, Shape};
use super::axes::{AXIS, LABEL, SAMPLE};
use super::{
    CHAR, Canvas, DrawingError, FONT, Picture, fitting, font, line, picture, width_of, word,
};
use crate::plain::one_line;

/// What a picture shows.
pub(in super::super) struct Curve {
    lines: Vec<Line>,
    /// The margin, if there is one for all.
    margin: Option<f64>,
}

/// One method under one condition.
struct Line {
    method: String,
    condition: String,
    ink: Ink,
    shape: Shape,
    /// A way of comparing that is known to be worse: dashed, with hollow marks.
    lesser: bool,
    /// By effect.
    points: Vec<(f64, Share)>,
}

impl Line {
    /// Its name, in two lines where one has no room for it.
    fn label(&self, room: i32) -> Vec<String> {
        let parts = [&self.method, &self.condition];
        let parts: Vec<&str> = parts.into_iter().map(String::as_str).collect();
        let whole = parts.join(", ");
        match width_of(&whole) > room {
            true => parts.iter().map(|part| fitting(part, room)).collect(),
            false => vec![whole],
        }
    }
}

impl Curve {
    pub(in super::super) fn of(all: &[Series<'_>]) -> Self {
        let first = all.first().map(|series| series.margin);
        let margin = first.filter(|first| all.iter().all(|series| series.margin == *first));
        let (mut meant, mut lesser) = (0, 0);
        let line = |series: &Series<'_>| {
            let place = if series.is_paired() {
                &mut meant
            } else {
                &mut lesser
            };
            *place += 1;
            let (ink, shape) = palette::series(*place - 1, !series.is_paired());
            let points = series.points.iter().filter_map(|point| {
                let share = point.counts().share(point.effect)?;
                drawable(point.effect).then_some((point.effect, share))
            });
            let own_margin = match margin {
                Some(_) => String::new(),
                None => format!(", margin {} %", percent(series.margin)),
            };
            Line {
                method: one_line(series.method),
                condition: format!("{}{own_margin}", one_line(series.condition)),
                ink,
                shape,
                lesser: !series.is_paired(),
                points: points.collect(),
            }
        };
        Curve {
            lines: all.iter().map(line).collect(),
            margin,
        }
    }

    /// Whether there is a point to draw.
    pub(in super::super) fn has_numbers(&self) -> bool {
        self.lines.iter().any(|line| !line.points.is_empty())
    }

    fn description(&self) -> String {
        format!(
            "Share of comparisons that say that there is a difference, by the effect that was planted: \
             {} lines of methods and conditions, with limits. At no effect these are false alarms. The \
             table below has the same numbers.",
            self.lines.len()
        )
    }

    /// Every effect once.
    fn effects(&self) -> Vec<f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let mut effects: Vec<f64> = points.map(|(effect, _)| *effect).collect();
        effects.sort_by(f64::total_cmp);
        effects.dedup();
        effects
    }
}

/// Whether an effect has a place on an axis. The table has the others too.
fn drawable(effect: f64) -> bool {
    (0.0..=100.0).contains(&effect)
}

/// Pixels.
const TOP: i32 = 28;
/// The piece of a line before its name.
const KEY: i32 = 2 * SAMPLE;

/// Where things are.
struct Layout {
    width: i32,
    left: i32,
    right: i32,
    bottom: i32,
    most: f64,
}

impl Layout {
    fn of(curve: &Curve, width: i32) -> Self {
        let narrow = width < 500;
        let least = curve.margin.map_or(0.0, |margin| 2.0 * margin);
        let most = curve.effects().last().copied().unwrap_or(0.0);
        Layout {
            width,
            left: 48,
            right: width - 3 * CHAR,
            bottom: TOP + if narrow { 220 } else { 300 },
            most: most.max(least).max(1e-6),
        }
    }

    fn room_for_labels(&self) -> i32 {
        self.width - KEY - 6
    }

    fn x(&self, effect: f64) -> i32 {
        let room = f64::from(self.right - self.left - 4 * CHAR);
        self.left + 2 * CHAR + (effect / self.most * room).round() as i32
    }

    fn y(&self, share: f64) -> i32 {
        self.bottom - (share * f64::from(self.bottom - TOP)).round() as i32
    }
}

/// The picture.
///
/// # Errors
/// What plotters says.
pub(in super::super) fn draw(curve: &Curve, width: u32) -> Result<Picture, DrawingError> {
    let layout = Layout::of(curve, width as i32);
    let room = layout.room_for_labels();
    let labels = curve.lines.iter().map(|line| line.label(room).len() as i32);
    let height = layout.bottom + AXIS + labels.sum::<i32>() * (LABEL + 3) + CHAR;
    picture(curve.description(), layout.width, height, |canvas| {
        axes(canvas, curve, &layout)?;
        // Points of one effect stand beside each other, so that no interval hides another.
        let count = curve.lines.len() as i32;
        let aside = |n: usize| (2 * n as i32 - count + 1) * 3;
        for (n, of) in curve.lines.iter().enumerate() {
            draw_line(canvas, of, &layout, aside(n).clamp(-2 * CHAR, 2 * CHAR))?;
        }
        labels_below(canvas, curve, &layout)
    })
}

fn axes(canvas: &Canvas<'_>, curve: &Curve, layout: &Layout) -> Result<(), DrawingError> {
    let small = || font(FONT - 1, palette::MUTED);
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = layout.y(share);
        line(
            canvas,
            [(layout.left, y), (layout.right, y)],
            palette::LINE.drawn(),
        )?;
        let name = format!("{} %", percent(share));
        word(canvas, &name, (layout.left - 6, y), HPos::Right, small())?;
    }
    if let Some(margin) = curve.margin {
        let x = layout.x(margin);
        line(
            canvas,
            [(x, TOP), (x, layout.bottom)],
            palette::MUTED.drawn(),
        )?;
        let name = format!("margin {} %", percent(margin));
        word(canvas, &name, (x, TOP - 10), HPos::Center, small())?;
    }
    let mut free = i32::MIN;
    for effect in curve.effects() {
        let x = layout.x(effect);
        line(
            canvas,
            [(x, layout.bottom), (x, layout.bottom + 4)],
            palette::MUTED.drawn(),
        )?;
        let name = match effect == 0.0 {
            true => "none".to_owned(),
            false => format!("{} %", percent(effect)),
        };
        let half = name.chars().count() as i32 * CHAR * 7 / 16;
        if x - half >= free && x + half <= layout.width {
            word(
                canvas,
                &name,
                (x, layout.bottom + 15),
                HPos::Center,
                small(),
            )?;
            free = x + half + CHAR / 2;
        }
    }
    let words = fitting("planted effect; at none, false alarms", layout.width);
    let middle = (layout.left + layout.right) / 2;
    word(
        canvas,
        &words,
        (middle, layout.bottom + 34),
        HPos::Center,
        small(),
    )
}

fn draw_line(
    canvas: &Canvas<'_>,
    of: &Line,
    layout: &Layout,
    aside: i32,
) -> Result<(), DrawingError> {
    let at = |(effect, share): &(f64, Share)| (layout.x(*effect) + aside, layout.y(share.at));
    let points: Vec<(i32, i32)> = of.points.iter().map(at).collect();
    if points.len() > 1 {
        line(
            canvas,
            points.clone(),
            of.ink.drawn().stroke_width(if of.lesser { 1 } else { 2 }),
        )?;
    }
    for ((_, share), (x, y)) in of.points.iter().zip(points) {
        let [low, high] = [share.low, share.high].map(|end| layout.y(end));
        // A dashed line would be lost in its own dashes here.
        let ink = if of.lesser { palette::MUTED } else { of.ink }.drawn();
        for stroke in [
            [(x, low), (x, high)],
            [(x - 3, low), (x + 3, low)],
            [(x - 3, high), (x + 3, high)],
        ] {
            line(canvas, stroke, ink.stroke_width(1))?;
        }
        mark(canvas, of, (x, y))?;
    }
    Ok(())
}

/// The mark of a value: hollow where the method is a lesser one.
fn mark(canvas: &Canvas<'_>, of: &Line, (x, y): (i32, i32)) -> Result<(), DrawingError> {
    if of.lesser {
        let ground = palette::SURFACE.drawn().filled();
        canvas.draw(&Circle::new((x, y), 4, ground))?;
        return canvas.draw(&Circle::new(
            (x, y),
            4,
            palette::MUTED.drawn().stroke_width(2),
        ));
    }
    super::lines::shape(canvas, of.shape, (x, y), of.ink.drawn())
}

/// A piece of each line as it is drawn, and its name.
fn labels_below(canvas: &Canvas<'_>, curve: &Curve, layout: &Layout) -> Result<(), DrawingError> {
    let mut y = layout.bottom + AXIS + LABEL / 2 + 4;
    for of in &curve.lines {
        let stroke = of.ink.drawn().stroke_width(if of.lesser { 1 } else { 2 });
        line(canvas, [(0, y), (KEY, y)], stroke)?;
        mark(canvas, of, (KEY / 2, y))?;
        for text in of.label(layout.room_for_labels()) {
            let style = font(FONT, palette::TEXT);
            word(canvas, &text, (KEY + 6, y), HPos::Left, style)?;
            y += LABEL + 3;
        }
    }
    Ok(())
}
