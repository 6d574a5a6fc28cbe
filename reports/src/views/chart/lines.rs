//! A quantity by size of the work: a line for each path, on a logarithmic axis of sizes.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::palette::{self, Ink, Shape};
use super::super::times::{Cell, Grid, Row, THROUGHPUT, Who};
use super::axes::{AXIS, LABEL, LEADER, Layout, SAMPLE, TOP, axes};
use super::{CHAR, Canvas, DrawingError, FONT, Picture, fitting, font, line, picture, word};
use crate::number::size as name_of_size;
use crate::plain::one_line;

/// The lines of one picture.
pub(in super::super) struct Lines<'a> {
    operation: &'a str,
    pub(super) grid: &'a Grid<'a>,
    pub(super) sizes: Vec<u64>,
    lines: Vec<Line>,
}

/// One path's line.
struct Line {
    label: String,
    who: Who,
    ink: Ink,
    shape: Shape,
    /// As many as there are sizes.
    points: Vec<Point>,
}

/// What is drawn at one size.
#[derive(Clone, Copy, PartialEq)]
enum Point {
    /// The value, and the ends of its spread.
    At { value: f64, least: f64, most: f64 },
    /// The records say why there is no value.
    Missing,
    /// The records say nothing.
    Nothing,
}

impl Point {
    fn of(cell: &Cell<'_>) -> Self {
        match cell {
            Cell::Value {
                value, least, most, ..
            } if drawable(*value) => Point::At {
                value: *value,
                least: least.filter(|least| drawable(*least)).unwrap_or(*value),
                most: most.filter(|most| drawable(*most)).unwrap_or(*value),
            },
            Cell::Value { .. } | Cell::Reason(_) => Point::Missing,
            Cell::Nothing => Point::Nothing,
        }
    }

    fn value(self) -> Option<f64> {
        match self {
            Point::At { value, .. } => Some(value),
            Point::Missing | Point::Nothing => None,
        }
    }
}

/// Whether a value has a place on a logarithmic axis that people can read. The table has the
/// others too.
fn drawable(value: f64) -> bool {
    (1e-6..=1e9).contains(&value)
}

impl<'a> Lines<'a> {
    /// The lines of a grid: of the throughput only what fills the caller's buffer, of other
    /// quantities every row.
    pub(in super::super) fn of(operation: &'a str, grid: &'a Grid<'a>, peers: &[&str]) -> Self {
        let throughput = *grid.measure == THROUGHPUT;
        let rows: Vec<&Row<'_>> = grid
            .rows
            .iter()
            .filter(|row| row.has_numbers() && (!throughput || row.fills()))
            .collect();
        let lines = rows
            .iter()
            .map(|row| {
                let twice = rows.iter().filter(|other| other.isa == row.isa).count() > 1;
                Line {
                    label: one_line(&if twice {
                        row.label()
                    } else {
                        row.isa.to_owned()
                    }),
                    who: row.who,
                    ink: palette::of(row, peers),
                    shape: palette::shape(row.isa),
                    points: row.cells.iter().map(Point::of).collect(),
                }
            })
            .collect();
        Lines {
            operation,
            grid,
            sizes: grid.sizes(),
            lines,
        }
    }

    /// Whether there is a line to draw.
    pub(in super::super) fn has_numbers(&self) -> bool {
        self.values().next().is_some()
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.label.as_str())
    }

    /// All values, and the ends of their spreads.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points
            .filter_map(|point| match point {
                Point::At { value, least, most } => Some([*value, *least, *most]),
                Point::Missing | Point::Nothing => None,
            })
            .flatten()
    }

    /// Whether the axis of values is logarithmic: that of ratios is not.
    pub(super) fn is_log(&self) -> bool {
        *self.grid.measure == THROUGHPUT
    }

    fn description(&self) -> String {
        let count = |who: &[Who]| {
            self.lines
                .iter()
                .filter(|line| who.contains(&line.who))
                .count()
        };
        let mut who = format!("{} paths", count(&[Who::Path, Who::Auto]));
        if count(&[Who::Peer]) > 0 {
            who += &format!(", {} peers", count(&[Who::Peer]));
        }
        if count(&[Who::Roofline]) > 0 {
            who += " and the roofline";
        }
        let sizes: Vec<String> = [self.sizes.first(), self.sizes.last()]
            .into_iter()
            .flatten()
            .map(|size| name_of_size(*size))
            .collect();
        let scales = if self.is_log() {
            "both scales logarithmic"
        } else {
            "the scale of sizes logarithmic"
        };
        format!(
            "{} of {}, in {}, by size of the work from {}: lines of {who}, {scales}. The table below has the \
             same numbers.",
            self.grid.measure.title,
            one_line(self.operation),
            self.grid.measure.unit,
            sizes.join(" to "),
        )
    }
}

/// The picture.
///
/// # Errors
/// What plotters says.
pub(in super::super) fn draw(lines: &Lines<'_>, width: u32) -> Result<Picture, DrawingError> {
    let layout = Layout::of(lines, width as i32);
    picture(lines.description(), layout.width, layout.height, |canvas| {
        axes(canvas, lines, &layout)?;
        // The widest below, what is drawn over others last.
        let order = [Who::Roofline, Who::Peer, Who::Path, Who::Auto];
        for who in order {
            for line in lines.lines.iter().filter(|line| line.who == who) {
                band(canvas, lines, line, &layout)?;
            }
        }
        for who in order {
            for line in lines.lines.iter().filter(|line| line.who == who) {
                stroke(canvas, lines, line, &layout)?;
            }
        }
        missing(canvas, lines, &layout)?;
        if layout.narrow {
            labels_below(canvas, lines, &layout)
        } else {
            labels_at_the_ends(canvas, lines, &layout)
        }
    })
}

/// A line's points without gaps between them.
fn runs<'l>(lines: &Lines<'_>, points: &'l [Point]) -> Vec<Vec<(u64, &'l Point)>> {
    let placed: Vec<(u64, &Point)> = lines.sizes.iter().copied().zip(points).collect();
    placed
        .split(|(_, point)| **point == Point::Missing)
        .map(|run| {
            let there = run.iter().filter(|(_, point)| **point != Point::Nothing);
            there.copied().collect()
        })
        .collect()
}

/// The spread over placements.
fn band(
    canvas: &Canvas<'_>,
    lines: &Lines<'_>,
    line: &Line,
    layout: &Layout,
) -> Result<(), DrawingError> {
    for run in runs(lines, &line.points) {
        let edge = |end: fn(&Point) -> Option<f64>| {
            let run = run.clone().into_iter();
            run.filter_map(move |(size, point)| Some((layout.x(size), layout.y(end(point)?))))
        };
        let (mut outline, lower): (Vec<_>, Vec<_>) = (
            edge(|point| match point {
                Point::At { most, .. } => Some(*most),
                _ => None,
            })
            .collect(),
            edge(|point| match point {
                Point::At { least, .. } => Some(*least),
                _ => None,
            })
            .collect(),
        );
        if outline.len() > 1 && outline != lower {
            outline.extend(lower.into_iter().rev());
            canvas.draw(&Polygon::new(outline, line.ink.drawn().mix(0.18).filled()))?;
        }
    }
    Ok(())
}

fn stroke(
    canvas: &Canvas<'_>,
    lines: &Lines<'_>,
    its: &Line,
    layout: &Layout,
) -> Result<(), DrawingError> {
    for run in runs(lines, &its.points) {
        let points: Vec<(i32, i32)> = run
            .iter()
            .filter_map(|(size, point)| Some((layout.x(*size), layout.y(point.value()?))))
            .collect();
        if points.len() > 1 {
            line(canvas, points.clone(), pen(its))?;
        }
        // A single point would not be seen as a line.
        if matches!(its.who, Who::Path | Who::Auto) || points.len() == 1 {
            for at in points {
                mark(canvas, its, at)?;
            }
        }
    }
    Ok(())
}

fn pen(line: &Line) -> ShapeStyle {
    match line.who {
        Who::Path | Who::Auto => line.ink.drawn().stroke_width(2),
        Who::Peer => line.ink.drawn().stroke_width(1),
        Who::Roofline => line.ink.drawn().mix(0.6).stroke_width(5),
    }
}

/// The mark of a value: the dispatcher's is hollow, for it lies upon another path's.
fn mark(canvas: &Canvas<'_>, line: &Line, (x, y): (i32, i32)) -> Result<(), DrawingError> {
    let color = ink_of_marks(line).drawn();
    if line.who == Who::Auto {
        return canvas.draw(&Circle::new((x, y), 6, color.stroke_width(1)));
    }
    shape(canvas, line.shape, (x, y), color)
}

/// A filled mark.
pub(super) fn shape(
    canvas: &Canvas<'_>,
    shape: Shape,
    (x, y): (i32, i32),
    color: RGBColor,
) -> Result<(), DrawingError> {
    let corners = |corners: &[(i32, i32)]| {
        let at = corners
            .iter()
            .map(|(dx, dy)| (x + dx, y + dy))
            .collect::<Vec<_>>();
        Polygon::new(at, color.filled())
    };
    match shape {
        Shape::Circle => canvas.draw(&Circle::new((x, y), 4, color.filled())),
        Shape::Square => canvas.draw(&corners(&[(-4, -4), (4, -4), (4, 4), (-4, 4)])),
        Shape::Up => canvas.draw(&corners(&[(0, -5), (5, 4), (-5, 4)])),
        Shape::Down => canvas.draw(&corners(&[(0, 5), (5, -4), (-5, -4)])),
        Shape::Diamond => canvas.draw(&corners(&[(0, -5), (5, 0), (0, 5), (-5, 0)])),
    }
}

/// The dispatcher's line is dotted, its marks are not.
fn ink_of_marks(line: &Line) -> Ink {
    match line.who {
        Who::Auto => palette::TEXT,
        Who::Path | Who::Peer | Who::Roofline => line.ink,
    }
}

/// Crosses above the axis, where a line has no value and the records say why.
fn missing(canvas: &Canvas<'_>, lines: &Lines<'_>, layout: &Layout) -> Result<(), DrawingError> {
    for (at, &size) in lines.sizes.iter().enumerate() {
        let without = lines
            .lines
            .iter()
            .filter(|line| line.points.get(at) == Some(&Point::Missing));
        for (above, its) in without.enumerate() {
            let (x, y) = (layout.x(size), layout.bottom - 8 - 11 * above as i32);
            let style = ink_of_marks(its).drawn().stroke_width(2);
            line(canvas, [(x - 4, y - 4), (x + 4, y + 4)], style)?;
            line(canvas, [(x - 4, y + 4), (x + 4, y - 4)], style)?;
        }
    }
    Ok(())
}

/// A piece of the line as it is drawn, and its label.
fn label(
    canvas: &Canvas<'_>,
    its: &Line,
    (x, y): (i32, i32),
    room: i32,
) -> Result<(), DrawingError> {
    line(canvas, [(x, y), (x + SAMPLE, y)], pen(its))?;
    if matches!(its.who, Who::Path | Who::Auto) {
        mark(canvas, its, (x + SAMPLE / 2, y))?;
    }
    let ink = match its.who {
        Who::Path | Who::Auto => palette::TEXT,
        Who::Peer | Who::Roofline => palette::MUTED,
    };
    let text = fitting(&its.label, room - SAMPLE - 6);
    word(
        canvas,
        &text,
        (x + SAMPLE + 6, y),
        HPos::Left,
        font(FONT, ink),
    )
}

fn labels_below(
    canvas: &Canvas<'_>,
    lines: &Lines<'_>,
    layout: &Layout,
) -> Result<(), DrawingError> {
    let top = layout.bottom + AXIS + LABEL / 2 + 4;
    let room = layout.width / layout.columns as i32;
    for (n, its) in lines.lines.iter().enumerate() {
        let (row, column) = (n / layout.columns, n % layout.columns);
        let at = (column as i32 * room, top + row as i32 * (LABEL + 3));
        label(canvas, its, at, room)?;
    }
    Ok(())
}

/// Labels in the order of the lines' ends, as near to them as they can be without touching.
fn labels_at_the_ends(
    canvas: &Canvas<'_>,
    lines: &Lines<'_>,
    layout: &Layout,
) -> Result<(), DrawingError> {
    let end_of = |line: &Line| -> Option<(i32, i32)> {
        let ends = lines.sizes.iter().zip(&line.points).rev();
        ends.filter_map(|(size, point)| Some((layout.x(*size), layout.y(point.value()?))))
            .next()
    };
    let mut ends: Vec<((i32, i32), &Line)> = lines
        .lines
        .iter()
        .filter_map(|line| Some((end_of(line)?, line)))
        .collect();
    ends.sort_by_key(|((_, y), _)| *y);
    let wanted: Vec<i32> = ends.iter().map(|((_, y), _)| *y).collect();
    let places = apart(&wanted, LABEL, TOP, layout.bottom);
    for (((x, y), its), place) in ends.into_iter().zip(places) {
        let start = layout.right + LEADER - CHAR;
        let leader = its.ink.drawn().mix(0.6).stroke_width(1);
        line(canvas, [(x, y), (start, place)], leader)?;
        label(canvas, its, (start, place), layout.width - start)?;
    }
    Ok(())
}

/// Places in the same order, at least `gap` from each other, near to where they are wanted, and
/// between `top` and `bottom` where there is room.
fn apart(wanted: &[i32], gap: i32, top: i32, bottom: i32) -> Vec<i32> {
    let down = |places: &mut [i32], from: i32| {
        let mut free = from;
        for place in places {
            *place = (*place).max(free);
            free = *place + gap;
        }
    };
    let up = |places: &mut [i32], from: i32| {
        let mut free = from;
        for place in places.iter_mut().rev() {
            *place = (*place).min(free);
            free = *place - gap;
        }
    };
    let (mut lower, mut upper) = (wanted.to_vec(), wanted.to_vec());
    down(&mut lower, i32::MIN);
    up(&mut upper, i32::MAX);
    // Both keep the gap, so their mean does, up to a rounded half.
    let mut places: Vec<i32> = lower
        .iter()
        .zip(&upper)
        .map(|(a, b)| (a + b).div_euclid(2))
        .collect();
    up(&mut places, bottom);
    down(&mut places, top);
    places
}

/// A value that the records have and the picture cannot show.
pub(in super::super) fn off_scale(cell: &Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Value { value, .. } if !drawable(*value) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance_their_order_and_the_frame() {
        for wanted in [
            vec![],
            vec![50],
            vec![50, 50, 50, 50],
            vec![0, 1, 2, 99, 100],
            vec![10, 40, 41, 90],
        ] {
            let places = apart(&wanted, 15, 5, 95);
            assert_eq!(places.len(), wanted.len());
            for pair in places.windows(2) {
                assert!(pair[1] - pair[0] >= 15, "{wanted:?} {places:?}");
            }
            assert!(
                places.iter().all(|place| (5..=95).contains(place)),
                "{places:?}"
            );
        }
        assert_eq!(
            apart(&[10, 40, 80], 15, 0, 100),
            [10, 40, 80],
            "no need to move"
        );
    }
}
