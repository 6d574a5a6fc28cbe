//! Where a size and a value are in a picture of lines, and the axes that say so.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::palette;
use super::lines::Lines;
use super::{CHAR, Canvas, DrawingError, FONT, font, line, thin, word};
use crate::number::size as name_of_size;

/// Pixels.
pub(super) const TOP: i32 = 30;
pub(super) const AXIS: i32 = 46;
/// From one label to the next.
pub(super) const LABEL: i32 = 17;
/// From the end of a line to the sample of it beside its label, and the length of the sample.
pub(super) const LEADER: i32 = 26;
pub(super) const SAMPLE: i32 = 18;

/// Where things are. On a wide picture each line is labelled at its end, on a narrow one below.
pub(super) struct Layout {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) narrow: bool,
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
    /// Columns of the labels below.
    pub(super) columns: usize,
    sizes: (f64, f64),
    values: (f64, f64),
    log: bool,
}

impl Layout {
    pub(super) fn of(lines: &Lines<'_>, width: i32) -> Self {
        let narrow = width < 500;
        let labels = lines.labels().count() as i32;
        let longest = lines.labels().map(|label| label.chars().count());
        let longest = (longest.max().unwrap_or(0) as i32).saturating_mul(CHAR);
        let log = lines.is_log();
        let largest = lines.values().fold(f64::MIN_POSITIVE, f64::max);
        let values = if log {
            let smallest = lines.values().fold(largest, f64::min);
            (smallest / 1.25, largest * 1.25)
        } else {
            (0.0, (largest * 1.1).max(1.25))
        };
        // A decade has room for lines that are near to each other.
        let decades = (values.1 / values.0).log10();
        let tall = |of_decade: f64, least: i32, most: i32| {
            ((decades * of_decade) as i32).clamp(least, most)
        };
        let (left, columns, plot) = if narrow {
            let columns = if longest > width / 2 - SAMPLE - CHAR {
                1
            } else {
                2
            };
            let plot = if log { tall(170.0, 280, 400) } else { 190 };
            (34, columns, plot)
        } else {
            let least = if log { tall(240.0, 380, 580) } else { 200 };
            (46, 1, least.max(labels * LABEL))
        };
        let below = if narrow {
            (labels + columns - 1) / columns * (LABEL + 3) + CHAR
        } else {
            0
        };
        let right = if narrow {
            width - 2 * CHAR
        } else {
            width - LEADER - SAMPLE - 6 - longest.min(width / 4)
        };
        let of_size = |size: Option<&u64>| size.map_or(0.0, |size| (*size).max(1) as f64);
        let sizes = (of_size(lines.sizes.first()), of_size(lines.sizes.last()));
        Layout {
            width,
            height: TOP + plot + AXIS + below,
            narrow,
            left,
            right,
            bottom: TOP + plot,
            columns: columns as usize,
            sizes,
            values,
            log,
        }
    }

    /// The pixel of a size.
    pub(super) fn x(&self, size: u64) -> i32 {
        let (from, to) = self.sizes;
        let part = if to > from {
            ((size.max(1) as f64) / from).ln() / (to / from).ln()
        } else {
            0.5
        };
        let room = f64::from(self.right - self.left - 2 * CHAR);
        self.left + CHAR + (part * room).round() as i32
    }

    /// The pixel of a value.
    pub(super) fn y(&self, value: f64) -> i32 {
        let (from, to) = self.values;
        let part = if self.log {
            (value / from).ln() / (to / from).ln()
        } else {
            (value - from) / (to - from)
        };
        self.bottom - (part * f64::from(self.bottom - TOP)).round() as i32
    }

    /// The values that the axis names.
    fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.values;
        if self.log {
            let decades = from.log10().floor() as i32..=to.log10().floor() as i32;
            let steps: &[f64] = if to / from > 2000.0 {
                &[1.0]
            } else {
                &[1.0, 2.0, 5.0]
            };
            return decades
                .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
                .filter(|tick| (from..=to).contains(tick))
                .collect();
        }
        steps(to)
    }
}

/// At most five round values from zero to this one.
pub(super) fn steps(to: f64) -> Vec<f64> {
    let rough = to / 4.0;
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * decade)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    (0..=4)
        .map(|n| f64::from(n) * step)
        .filter(|tick| *tick <= to)
        .collect()
}

/// The axes and their words.
pub(super) fn axes(
    canvas: &Canvas<'_>,
    lines: &Lines<'_>,
    layout: &Layout,
) -> Result<(), DrawingError> {
    let small = || font(FONT - 1, palette::MUTED);
    for tick in layout.ticks() {
        let y = layout.y(tick);
        line(
            canvas,
            [(layout.left, y), (layout.right, y)],
            palette::LINE.drawn(),
        )?;
        word(
            canvas,
            &name_of_tick(tick),
            (layout.left - 6, y),
            HPos::Right,
            small(),
        )?;
    }
    if !layout.log {
        let y = layout.y(1.0);
        line(
            canvas,
            [(layout.left, y), (layout.right, y)],
            palette::MUTED.drawn().stroke_width(1),
        )?;
        word(
            canvas,
            "the same time",
            (layout.left + 2, y + 9),
            HPos::Left,
            small(),
        )?;
    }
    word(
        canvas,
        lines.grid.measure.unit,
        (0, 10),
        HPos::Left,
        small(),
    )?;
    for &size in &lines.sizes {
        let x = layout.x(size);
        line(
            canvas,
            [(x, layout.bottom), (x, layout.bottom + 4)],
            palette::MUTED.drawn(),
        )?;
    }
    for (x, name) in named_sizes(&lines.sizes, |size| layout.x(size)) {
        word(
            canvas,
            &name,
            (x, layout.bottom + 15),
            HPos::Center,
            small(),
        )?;
    }
    let middle = (layout.left + layout.right) / 2;
    word(
        canvas,
        "size of the work",
        (middle, layout.bottom + 34),
        HPos::Center,
        small(),
    )
}

/// As short as it can be: `0.5`, not `0.500`.
pub(super) fn name_of_tick(tick: f64) -> String {
    let name = thin(tick);
    if name.contains('.') {
        name.trim_end_matches('0').to_owned()
    } else {
        name
    }
}

/// The sizes whose names have room: the first and the last, then powers of four, then the others.
fn named_sizes(sizes: &[u64], x: impl Fn(u64) -> i32) -> Vec<(i32, String)> {
    let mut order: Vec<(usize, u64)> = sizes.iter().copied().enumerate().collect();
    order.sort_by_key(|(at, size)| {
        let end = *at == 0 || at + 1 == sizes.len();
        let power = size.is_power_of_two() && size.trailing_zeros().is_multiple_of(2);
        (!end, !power, *at)
    });
    let mut named: Vec<(i32, String)> = Vec::new();
    for (_, size) in order {
        let (x, name) = (x(size), name_of_size(size));
        // Half of both, and a little between them; digits are narrower than the widest letters.
        let room = |other: &str| (name.chars().count() + other.chars().count()) as i32 * 4 + 2;
        if named
            .iter()
            .all(|(at, other)| (x - at).abs() >= room(other))
        {
            named.push((x, name));
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_named_shortly() {
        let shown = [0.0, 0.5, 0.2 * 3.0, 1.0, 20.0, 1000.0].map(name_of_tick);
        assert_eq!(shown, ["0", "0.5", "0.6", "1", "20", "1\u{202f}000"]);
    }

    #[test]
    fn the_names_of_sizes_do_not_touch() {
        let sizes = [64, 384, 768, 1536, 4096, 65_536, 1 << 20, 64 << 20];
        let names = |pixels: f64| {
            let x = |size: u64| ((size as f64 / 64.0).log2() / 20.0 * pixels) as i32;
            let mut named = named_sizes(&sizes, x);
            named.sort();
            named.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        let six = ["64 B", "384 B", "4 KiB", "64 KiB", "1 MiB", "64 MiB"];
        assert_eq!(names(300.0), six);
        assert_eq!(names(640.0), six);
    }
}
