//! The pictures: what they share is here, one file each for what they show.
//!
//! Each picture is made from the numbers that the table beside it shows.

mod axes;
pub(super) mod cases;
pub(super) mod curve;
pub(super) mod evidence;
pub(super) mod forest;
pub(super) mod lines;
pub(super) mod speedups;
pub(super) mod stacks;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::{self, Ink};
use crate::number::measured;
use crate::plain::one_line;

/// What plotters' SVG backend fails with; it writes to memory.
pub(super) type DrawingError = DrawingAreaErrorKind<std::io::Error>;

/// Where a picture is drawn, in whole pixels.
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The height of text in pixels.
const FONT: i32 = 13;
/// About the width of a character at that size, on the wide side: plotters without fonts cannot
/// measure.
const CHAR: i32 = 8;

/// A picture without its `<svg>` element: the page opens that itself, with a role and a
/// description, and without a namespace.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    /// What a reader who does not see the picture is told.
    pub(super) description: String,
    /// What is inside the element.
    pub(super) inside: String,
}

/// A picture of this size, drawn by `draw` and then themed.
fn picture(
    description: String,
    width: i32,
    height: i32,
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), DrawingError>,
) -> Result<Picture, DrawingError> {
    let (width, height) = (width.unsigned_abs(), height.unsigned_abs());
    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
    draw(&canvas)?;
    canvas.present()?;
    drop(canvas);
    let inside = svg
        .split_once('>')
        .map_or("", |(_, inside)| inside)
        .trim()
        .trim_end_matches("</svg>");
    Ok(Picture {
        width,
        height,
        description,
        inside: palette::themed(inside),
    })
}

fn word(
    canvas: &Canvas<'_>,
    text: &str,
    at: (i32, i32),
    anchor: HPos,
    style: TextStyle<'_>,
) -> Result<(), DrawingError> {
    if text.is_empty() {
        return Ok(());
    }
    canvas.draw(&Text::new(
        text,
        at,
        style.pos(Pos::new(anchor, VPos::Center)),
    ))
}

fn line(
    canvas: &Canvas<'_>,
    points: impl Into<Vec<(i32, i32)>>,
    style: impl Into<ShapeStyle>,
) -> Result<(), DrawingError> {
    canvas.draw(&PathElement::new(points, style))
}

fn font(pixels: i32, ink: Ink) -> TextStyle<'static> {
    ("sans-serif", size(pixels)).into_font().color(&ink.drawn())
}

fn bold() -> FontDesc<'static> {
    ("sans-serif", size(FONT), FontStyle::Bold).into_font()
}

/// plotters takes the height of a font for its size, and writes the size 1.24 times smaller.
fn size(pixels: i32) -> f64 {
    f64::from(pixels) * 1.24
}

fn thin(n: f64) -> String {
    measured(n, '\u{202f}')
}

/// About the width of a text in pixels.
fn width_of(text: &str) -> i32 {
    i32::try_from(text.chars().count())
        .unwrap_or(i32::MAX)
        .saturating_mul(CHAR)
}

/// As much of the text as fits into so many pixels.
fn fitting(text: &str, pixels: i32) -> String {
    let text = one_line(text);
    let room = (pixels / CHAR).max(1) as usize;
    if text.chars().count() <= room {
        return text;
    }
    text.chars().take(room - 1).chain(['…']).collect()
}
