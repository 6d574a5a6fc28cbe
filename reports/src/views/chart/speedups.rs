//! How many times faster each path is than the scalar one and than the best peer: bars at two
//! sizes.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::palette::{self, Ink};
use super::super::times::{Cell, Grid, OVER_SCALAR, Row};
use super::{
    CHAR, Canvas, DrawingError, FONT, Picture, bold, fitting, font, line, picture, width_of, word,
};
use crate::number::{significant, size as name_of_size};
use crate::plain::one_line;

/// The sizes that are drawn: a vector of 384 dimensions, and a page. The table has every size.
const SIZES: [u64; 2] = [384, 4096];

/// The bars of one picture.
pub(in super::super) struct Speedups<'a> {
    operation: &'a str,
    /// The paths of all panels.
    paths: Vec<(String, Ink)>,
    /// Side by side.
    panels: Vec<Panel<'a>>,
}

/// One quantity.
struct Panel<'a> {
    title: String,
    sizes: Vec<u64>,
    /// Of each path, its bars: one for each size, or why there is none of any.
    bars: Vec<Result<Vec<Cell<'a>>, String>>,
}

impl<'a> Speedups<'a> {
    /// The bars of these grids: of the paths, not the peers, that fill the caller's buffer.
    pub(in super::super) fn of(operation: &'a str, grids: &[&'a Grid<'a>]) -> Self {
        // The panels have the same paths, so that one name stands for a whole line: those of the
        // panel that has the most, then what others have besides.
        let drawn = |grid: &&'a Grid<'a>| {
            let rows = grid.rows.iter().filter(|row| row.is_ours() && row.fills());
            rows.collect::<Vec<&Row<'a>>>()
        };
        let mut rows: Vec<Vec<&Row<'a>>> = grids.iter().map(drawn).collect();
        rows.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
        let mut paths: Vec<&Row<'a>> = Vec::new();
        for row in rows.into_iter().flatten() {
            if !paths.iter().any(|known| known.isa == row.isa) {
                paths.push(row);
            }
        }
        Speedups {
            operation,
            panels: grids.iter().map(|grid| Panel::of(grid, &paths)).collect(),
            paths: paths
                .iter()
                .map(|row| (one_line(row.isa), palette::of(row, &[])))
                .collect(),
        }
    }

    /// Whether there is a bar to draw.
    pub(in super::super) fn has_numbers(&self) -> bool {
        let mut cells = self.panels.iter().flat_map(Panel::cells);
        cells.any(|cell| length(cell) > 0.0)
    }

    fn description(&self) -> String {
        let panels: Vec<String> = self
            .panels
            .iter()
            .map(|panel| {
                let sizes: Vec<String> =
                    panel.sizes.iter().map(|size| name_of_size(*size)).collect();
                format!("{} at {}", panel.title, sizes.join(" and "))
            })
            .collect();
        format!(
            "{}: horizontal bars of {} paths: {}. The table below has the same numbers.",
            one_line(self.operation),
            self.paths.len(),
            panels.join("; ")
        )
    }
}

impl<'a> Panel<'a> {
    fn of(grid: &'a Grid<'a>, paths: &[&Row<'a>]) -> Self {
        let columns = chosen(&grid.sizes());
        let row_of = |path: &Row<'a>| {
            let mut rows = grid.rows.iter().filter(|row| row.fills());
            rows.find(|row| row.isa == path.isa && row.delivery == path.delivery)
        };
        // One name for all in the title, instead of beside each bar.
        let rows: Vec<&Row<'a>> = paths.iter().filter_map(|path| row_of(path)).collect();
        let mut remarks: Vec<&str> = Vec::new();
        for cell in rows
            .iter()
            .flat_map(|row| columns.iter().map(|at| &row.cells[*at]))
        {
            if let Cell::Value { remark, .. } = cell {
                remarks.push(remark);
            }
        }
        remarks.dedup();
        let common = match remarks[..] {
            [one] if !one.is_empty() => Some(one),
            _ => None,
        };
        let bars_of = |row: &Row<'a>| match &row.reason {
            Some(why) if !row.has_numbers() => Err(why.clone()),
            _ => {
                let cells = columns.iter().map(|at| match row.cells[*at] {
                    Cell::Value {
                        value,
                        least,
                        most,
                        reason,
                        ..
                    } if common.is_some() => Cell::Value {
                        value,
                        least,
                        most,
                        remark: "",
                        reason,
                    },
                    other => other,
                });
                Ok(cells.collect())
            }
        };
        let bars = paths.iter().map(|path| match row_of(path) {
            Some(row) => bars_of(row),
            None if *grid.measure == OVER_SCALAR && path.isa == "scalar" => {
                Err("what the others are compared with".to_owned())
            }
            None => Err("no record".to_owned()),
        });
        Panel {
            title: match common {
                Some(one) => format!("{}, {}", grid.measure.title, one_line(one)),
                None => grid.measure.title.to_owned(),
            },
            sizes: columns.iter().map(|at| grid.sizes()[*at]).collect(),
            bars: bars.collect(),
        }
    }

    fn cells(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.bars.iter().flatten().flatten()
    }
}

/// The places of the sizes to draw: those that are wanted, else the first and the last.
fn chosen(sizes: &[u64]) -> Vec<usize> {
    let wanted: Vec<usize> = (0..sizes.len())
        .filter(|at| SIZES.contains(&sizes[*at]))
        .collect();
    if !wanted.is_empty() {
        return wanted;
    }
    let mut ends = vec![0, sizes.len().saturating_sub(1)];
    ends.dedup();
    ends.retain(|at| *at < sizes.len());
    ends
}

/// How long a cell is drawn. What cannot be a ratio that people can compare has no length; the
/// table shows it.
fn length(cell: &Cell<'_>) -> f64 {
    match cell {
        Cell::Value { value, .. } if (0.0..=1e6).contains(value) => *value,
        _ => 0.0,
    }
}

/// Beside a bar.
fn words(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Value { value, remark, .. } => {
            let of = if remark.is_empty() { "" } else { " " };
            format!("{}x{of}{}", significant(*value), one_line(remark))
        }
        Cell::Reason(why) => format!("none: {}", one_line(why)),
        Cell::Nothing => "no record".to_owned(),
    }
}

/// Pixels.
const HEADING: i32 = 30;
const BAR: i32 = 11;
/// From one bar to the next.
const STEP: i32 = 16;
const GAP: i32 = 10;
/// The name of a path above its bars, on a narrow picture.
const NAME: i32 = 18;
/// The name of a size before its bar.
const SIZE: i32 = 46;

/// Where things are. On a wide picture the paths' names stand on the left, for all panels; on a
/// narrow one the panels are below each other, and the names above the bars.
struct Layout {
    width: i32,
    narrow: bool,
    /// The height of one path.
    row: i32,
    names: i32,
}

impl Layout {
    fn of(speedups: &Speedups<'_>, width: i32) -> Self {
        let narrow = width < 500;
        let longest = speedups
            .paths
            .iter()
            .map(|(label, _)| width_of(label))
            .max();
        let sizes = speedups.panels.iter().map(|panel| panel.sizes.len()).max();
        let bars = STEP * sizes.unwrap_or(0).max(1) as i32 + GAP;
        Layout {
            width,
            narrow,
            row: bars + if narrow { NAME } else { 0 },
            names: if narrow {
                0
            } else {
                longest.unwrap_or(0).min(width / 5)
            },
        }
    }

    fn height_of_panel(&self, speedups: &Speedups<'_>) -> i32 {
        HEADING + self.row * speedups.paths.len() as i32
    }

    fn height(&self, speedups: &Speedups<'_>) -> i32 {
        let panels = if self.narrow {
            speedups.panels.len() as i32
        } else {
            1
        };
        panels * self.height_of_panel(speedups)
    }

    /// Where a panel begins and ends, and its top.
    fn place(&self, speedups: &Speedups<'_>, n: usize) -> (i32, i32, i32) {
        let n = n as i32;
        if self.narrow {
            return (0, self.width, n * self.height_of_panel(speedups));
        }
        let room = (self.width - self.names) / speedups.panels.len().max(1) as i32;
        let left = self.names + n * room;
        (left, left + room - CHAR, 0)
    }
}

/// The picture.
///
/// # Errors
/// What plotters says.
pub(in super::super) fn draw(speedups: &Speedups<'_>, width: u32) -> Result<Picture, DrawingError> {
    let layout = Layout::of(speedups, width as i32);
    let height = layout.height(speedups);
    picture(speedups.description(), layout.width, height, |canvas| {
        for (n, panel) in speedups.panels.iter().enumerate() {
            let (left, right, top) = layout.place(speedups, n);
            let size_names = CHAR + SIZE;
            let bars = (left + size_names, right, top);
            draw_panel(canvas, speedups, panel, &layout, bars)?;
            if layout.narrow || n == 0 {
                names(canvas, speedups, &layout, top)?;
            }
        }
        Ok(())
    })
}

fn names(
    canvas: &Canvas<'_>,
    speedups: &Speedups<'_>,
    layout: &Layout,
    top: i32,
) -> Result<(), DrawingError> {
    let room = if layout.narrow {
        layout.width
    } else {
        layout.names
    };
    let middle = if layout.narrow {
        6
    } else {
        (layout.row - GAP) / 2 - 2
    };
    for (n, (label, _)) in speedups.paths.iter().enumerate() {
        let y = top + HEADING + layout.row * n as i32 + middle;
        grounded(canvas, &fitting(label, room), (0, y), FONT, palette::TEXT)?;
    }
    Ok(())
}

/// One panel, whose bars begin at `left`.
fn draw_panel(
    canvas: &Canvas<'_>,
    speedups: &Speedups<'_>,
    panel: &Panel<'_>,
    layout: &Layout,
    (left, right, top): (i32, i32, i32),
) -> Result<(), DrawingError> {
    let heading = TextStyle {
        font: bold(),
        ..font(FONT, palette::TEXT)
    };
    let start = if layout.narrow { 0 } else { left };
    let title = fitting(&panel.title, right - start);
    word(canvas, &title, (start, top + 10), HPos::Left, heading)?;

    let longest = panel.cells().map(length).fold(1.0, f64::max);
    let drawn = panel.cells().filter(|cell| length(cell) > 0.0);
    let behind = drawn.map(|cell| width_of(&words(cell)) + CHAR).max();
    let room = (right - left - behind.unwrap_or(0)).max(40);
    let x_of = |value: f64| left + (value / longest * f64::from(room)).round() as i32;

    // As fast as what it is compared with.
    let (x, bottom) = (x_of(1.0), top + layout.height_of_panel(speedups) - GAP + 4);
    line(
        canvas,
        [(x, top + HEADING - 6), (x, bottom)],
        palette::MUTED.drawn(),
    )?;

    let mut y = top + HEADING + layout.row - STEP * panel.sizes.len() as i32 - GAP;
    for ((_, ink), bars) in speedups.paths.iter().zip(&panel.bars) {
        match bars {
            Ok(cells) => {
                for (n, (size, cell)) in panel.sizes.iter().zip(cells).enumerate() {
                    let top = y + n as i32 * STEP;
                    let middle = top + BAR / 2 + 1;
                    let small = font(FONT - 2, palette::MUTED);
                    word(
                        canvas,
                        &name_of_size(*size),
                        (left - 6, middle),
                        HPos::Right,
                        small,
                    )?;
                    let end = x_of(length(cell));
                    if length(cell) > 0.0 {
                        // The smaller size is paler, and named.
                        let paler = n == 0 && cells.len() > 1;
                        let fill = ink.drawn().mix(if paler { 0.6 } else { 1.0 });
                        let corners = [(left, top), (end.max(left + 1), top + BAR)];
                        canvas.draw(&Rectangle::new(corners, fill.filled()))?;
                    }
                    let ink = match cell {
                        Cell::Value { .. } => palette::TEXT,
                        Cell::Reason(_) | Cell::Nothing => palette::WARN,
                    };
                    behind_a_bar(canvas, &words(cell), (end + 6, middle), right, ink)?;
                }
            }
            Err(why) => {
                let middle = y + STEP * panel.sizes.len() as i32 / 2 - 2;
                let from = if layout.narrow { 0 } else { left };
                behind_a_bar(canvas, why, (from, middle), right, palette::MUTED)?;
            }
        }
        y += layout.row;
    }
    Ok(())
}

/// Words behind a bar, as many as fit.
fn behind_a_bar(
    canvas: &Canvas<'_>,
    text: &str,
    (x, y): (i32, i32),
    right: i32,
    ink: Ink,
) -> Result<(), DrawingError> {
    // This size is smaller than the one that widths are estimated for.
    let text = fitting(text, (right - x) * 8 / 7);
    grounded(canvas, &text, (x, y), FONT - 1, ink)
}

/// Words that no line goes through.
fn grounded(
    canvas: &Canvas<'_>,
    text: &str,
    (x, y): (i32, i32),
    size: i32,
    ink: Ink,
) -> Result<(), DrawingError> {
    let width = width_of(text) * 7 / 8;
    let ground = [(x - 3, y - STEP / 2), (x + width, y + STEP / 2)];
    canvas.draw(&Rectangle::new(ground, palette::SURFACE.drawn().filled()))?;
    word(canvas, text, (x, y), HPos::Left, font(size, ink))
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn the_two_sizes_or_else_the_ends() {
        assert_eq!(chosen(&[64, 384, 768, 4096]), [1, 3]);
        assert_eq!(chosen(&[64, 4096]), [1]);
        assert_eq!(chosen(&[8, 16, 32]), [0, 2]);
        assert_eq!(chosen(&[8]), [0]);
        assert!(chosen(&[]).is_empty());
    }
}
