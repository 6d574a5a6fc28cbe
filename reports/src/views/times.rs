//! What was measured, as grids: one for each operation and quantity, a row for each path or peer,
//! a column for each size. Tables and pictures are both made from these, so that they cannot
//! disagree.

use std::collections::HashSet;

use super::by_operation;
use super::words::Table;
use crate::number::{significant, size};
use crate::plain::one_line;
use crate::record::{Figure, PathRow};
use crate::{Report, State};

/// A quantity that has a table of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// [`Figure::quantity`].
    pub(super) quantity: &'static str,
    /// [`Figure::unit`], or how it begins: the rest is a remark, such as which peer was the best.
    pub(super) unit: &'static str,
    /// The heading of its table.
    pub(super) title: &'static str,
    /// What its columns are.
    columns: Columns,
    /// Whether paths that did not run have a row too, with the ledger's reason.
    of_every_path: bool,
}

/// What the splits of a quantity's figures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// Sizes of the work in bytes.
    Sizes,
    /// Calls as they are made in real use, by their names, which are no numbers.
    Loads,
    /// Anything.
    Named,
}

pub(super) const THROUGHPUT: Measure = of_every_path("throughput", "GB/s", "Throughput");
pub(super) const OVER_SCALAR: Measure =
    of_every_path("speed against scalar", "x", "Speed over scalar");
pub(super) const OVER_PEER: Measure = of_every_path(
    "speed against the best peer",
    "x",
    "Speed over the best peer",
);
const OVER_ROOFLINE: Measure = of_every_path(
    "speed against roofline",
    "x",
    "Share of the roofline's speed",
);
const RETURNS: Measure = gain(
    "returns against fills",
    "Returning a new buffer, against filling the caller's",
);
const FRESH: Measure = gain(
    "fresh against fills",
    "Filling a fresh buffer, against a reused one",
);
const KEPT: Measure = gain(
    "kept against fills",
    "Keeping every answer, against one reused buffer",
);
const AUTO: Measure = gain(
    "auto against the fastest",
    "Choosing the kernel at run time, against the fastest kernel by name",
);
const CALL: Measure = Measure {
    quantity: "a call",
    unit: "ns",
    title: "A call with little work",
    columns: Columns::Named,
    of_every_path: false,
};
/// The same quantities, of loads.
pub(super) const LOADS: Measure = of_loads(&THROUGHPUT, "Throughput of loads");
pub(super) const RATIOS_OF_LOADS: [&Measure; 3] = [
    &of_loads(&OVER_SCALAR, "Loads, speed over scalar"),
    &of_loads(&OVER_PEER, "Loads, speed over the best peer"),
    &of_loads(&OVER_ROOFLINE, "Loads, share of the roofline's speed"),
];

const fn of_loads(measure: &Measure, title: &'static str) -> Measure {
    Measure {
        quantity: measure.quantity,
        unit: measure.unit,
        title,
        columns: Columns::Loads,
        of_every_path: false,
    }
}

const fn of_every_path(quantity: &'static str, unit: &'static str, title: &'static str) -> Measure {
    Measure {
        quantity,
        unit,
        title,
        columns: Columns::Sizes,
        of_every_path: true,
    }
}

const fn gain(quantity: &'static str, title: &'static str) -> Measure {
    Measure {
        quantity,
        unit: "x the time",
        title,
        columns: Columns::Sizes,
        of_every_path: false,
    }
}

const LEAST: &str = "throughput least";
const MOST: &str = "throughput most";

/// Every measure in the order in which it is shown.
const ALL: [&Measure; 13] = [
    &THROUGHPUT,
    &OVER_SCALAR,
    &OVER_PEER,
    &OVER_ROOFLINE,
    &RETURNS,
    &FRESH,
    &KEPT,
    &AUTO,
    &CALL,
    &LOADS,
    RATIOS_OF_LOADS[0],
    RATIOS_OF_LOADS[1],
    RATIOS_OF_LOADS[2],
];
/// What not copying gains, size by size.
pub(super) const GAINS: [&Measure; 3] = [&RETURNS, &FRESH, &KEPT];

/// The name of the peer that is no codec: what the memory system allows.
const ROOFLINE: &str = "roofline";

/// Whose figures a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// One of the paths that the ledger counts.
    Path,
    /// The dispatcher, which runs one of the other paths.
    Auto,
    /// Another codec.
    Peer,
    /// What the memory system allows.
    Roofline,
}

impl Who {
    pub(super) fn of(isa: &str, peer: bool) -> Self {
        match isa {
            ROOFLINE if peer => Who::Roofline,
            _ if peer => Who::Peer,
            "auto" => Who::Auto,
            _ => Who::Path,
        }
    }
}

/// All that was measured in one report.
#[derive(Debug)]
pub(super) struct Times<'a> {
    /// By operation; only operations and quantities that have figures.
    pub(super) operations: Vec<(&'a str, Vec<Grid<'a>>)>,
    shown: HashSet<*const Figure>,
}

/// One quantity of one operation.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    pub(super) measure: &'static Measure,
    pub(super) columns: Vec<Column<'a>>,
    /// In the order of the ledger, the roofline last.
    pub(super) rows: Vec<Row<'a>>,
}

/// A size, or another split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column<'a> {
    /// Bytes of work.
    Size(u64),
    /// As the records name it.
    Named(&'a str),
}

/// One path's or peer's figures.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) isa: &'a str,
    pub(super) delivery: &'a str,
    pub(super) who: Who,
    /// As many as there are columns.
    pub(super) cells: Vec<Cell<'a>>,
    /// Why no cell has a number, if there is one reason for all of them.
    pub(super) reason: Option<String>,
}

/// What the records say of a row and a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Value {
        value: f64,
        /// Over placements of the buffers.
        least: Option<f64>,
        most: Option<f64>,
        /// What the unit says beyond the measure's: the peer's name.
        remark: &'a str,
        /// What must be known beside the number.
        reason: Option<&'a str>,
    },
    /// No number, because.
    Reason(&'a str),
    /// No record.
    Nothing,
}

/// The names of all peers, in the order in which they first appear: the place of a name decides its
/// colour, on all of a page.
pub(super) fn peers(reports: &[Report]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in reports.iter().flat_map(Report::paths) {
        if row.peer && row.isa != ROOFLINE && !names.contains(&row.isa.as_str()) {
            names.push(&row.isa);
        }
    }
    names
}

impl<'a> Times<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let mut times = Times {
            operations: Vec::new(),
            shown: HashSet::new(),
        };
        let mut operations: Vec<(&str, Vec<&PathRow>)> = by_operation(report);
        for figure in report.figures() {
            if !operations.iter().any(|(name, _)| *name == figure.operation) {
                operations.push((&figure.operation, Vec::new()));
            }
        }
        for (operation, ledger) in operations {
            let figures: Vec<&Figure> = report
                .figures()
                .filter(|figure| figure.operation == operation)
                .collect();
            let grids: Vec<Grid<'_>> = ALL
                .into_iter()
                .filter_map(|measure| times.grid(measure, &ledger, &figures))
                .collect();
            if !grids.is_empty() {
                times.operations.push((operation, grids));
            }
        }
        times
    }

    /// All grids in words, one after the other.
    pub(super) fn in_words(&self) -> Vec<Table> {
        let operations = self.operations.iter();
        operations
            .flat_map(|(operation, grids)| grids.iter().map(|grid| grid.in_words(operation)))
            .collect()
    }

    /// Whether one of the grids has this very figure.
    pub(super) fn show(&self, figure: &Figure) -> bool {
        self.shown.contains(&std::ptr::from_ref(figure))
    }

    /// The grid of one quantity, if it has any figures.
    fn grid(
        &mut self,
        measure: &'static Measure,
        ledger: &[&'a PathRow],
        figures: &[&'a Figure],
    ) -> Option<Grid<'a>> {
        let of_it: Vec<&Figure> = figures
            .iter()
            .copied()
            .filter(|figure| figure.quantity == measure.quantity && measure.has(figure))
            .collect();
        if of_it.is_empty() {
            return None;
        }
        let mut columns: Vec<Column<'_>> = Vec::new();
        for column in of_it.iter().filter_map(|figure| measure.column(figure)) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        if measure.columns == Columns::Sizes {
            columns.sort();
        }
        let mut grid = Grid {
            measure,
            columns,
            rows: Vec::new(),
        };
        for row in ledger {
            grid.row(&row.isa, &row.delivery, Who::of(&row.isa, row.peer));
        }
        for figure in of_it {
            let who = match figure.isa.as_str() {
                ROOFLINE => Who::Roofline,
                "auto" => Who::Auto,
                _ => Who::Path,
            };
            let at = grid.row(&figure.isa, &figure.delivery, who);
            if grid.put(at, figure) {
                self.shown.insert(figure);
            }
        }
        if measure.quantity == THROUGHPUT.quantity {
            for figure in figures {
                if grid.widen(figure) {
                    self.shown.insert(*figure);
                }
            }
        }
        grid.explain(ledger);
        grid.rows.sort_by_key(|row| row.who == Who::Roofline);
        Some(grid)
    }
}

impl Measure {
    /// Whether a figure of this quantity can stand in the grid: in the same unit as the others, and
    /// of a size where sizes are the columns. A reason may stand for all sizes.
    fn has(&self, figure: &Figure) -> bool {
        let placed = self.column(figure).is_some();
        match figure.value {
            Some(_) => placed && self.remark(figure).is_some(),
            None => placed || figure.split.is_none(),
        }
    }

    fn column<'a>(&self, figure: &'a Figure) -> Option<Column<'a>> {
        let split = figure.split.as_deref()?;
        match (self.columns, split.parse()) {
            (Columns::Sizes, bytes) => bytes.ok().map(Column::Size),
            (Columns::Loads, Ok(_)) => None,
            (Columns::Loads, Err(_)) | (Columns::Named, _) => Some(Column::Named(split)),
        }
    }

    /// What the unit of a figure says beyond the measure's; `None` if it is another unit.
    fn remark<'a>(&self, figure: &'a Figure) -> Option<&'a str> {
        let rest = figure.unit.strip_prefix(self.unit)?;
        (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
    }
}

impl<'a> Grid<'a> {
    /// The place of a row, which is made if it is not there.
    fn row(&mut self, isa: &'a str, delivery: &'a str, who: Who) -> usize {
        let known = |row: &Row<'_>| row.isa == isa && row.delivery == delivery;
        self.rows.iter().position(known).unwrap_or_else(|| {
            self.rows.push(Row {
                isa,
                delivery,
                who,
                cells: vec![Cell::Nothing; self.columns.len()],
                reason: None,
            });
            self.rows.len() - 1
        })
    }

    /// Puts a figure in its place, unless another one is there.
    fn put(&mut self, at: usize, figure: &'a Figure) -> bool {
        let row = &mut self.rows[at];
        let Some(column) = self.measure.column(figure) else {
            let free = row.reason.is_none();
            if free {
                row.reason = Some(figure.reason.clone().unwrap_or_default());
            }
            return free;
        };
        let place = self.columns.iter().position(|known| *known == column);
        let Some(cell) = place.and_then(|place| row.cells.get_mut(place)) else {
            return false;
        };
        if *cell != Cell::Nothing {
            return false;
        }
        *cell = match figure.value {
            Some(value) => Cell::Value {
                value,
                least: None,
                most: None,
                remark: self.measure.remark(figure).unwrap_or_default(),
                reason: figure.reason.as_deref(),
            },
            None => Cell::Reason(figure.reason.as_deref().unwrap_or_default()),
        };
        true
    }

    /// Adds an end of the spread to the median that is there.
    fn widen(&mut self, figure: &'a Figure) -> bool {
        let (Some(column), Some(end)) = (self.measure.column(figure), figure.value) else {
            return false;
        };
        let place = self.columns.iter().position(|known| *known == column);
        let row = self
            .rows
            .iter_mut()
            .find(|row| row.isa == figure.isa && row.delivery == figure.delivery);
        let cell = row.zip(place).and_then(|(row, at)| row.cells.get_mut(at));
        let Some(Cell::Value { least, most, .. }) = cell else {
            return false;
        };
        let place = match figure.quantity.as_str() {
            LEAST => least,
            MOST => most,
            _ => return false,
        };
        // What must be known beside it has no place here.
        let plain = figure.unit == self.measure.unit && figure.reason.is_none();
        let free = place.is_none() && plain;
        if free {
            *place = Some(end);
        }
        free
    }

    /// Gives rows without a number their reason, and drops those of which neither the records of
    /// this quantity nor the ledger say anything.
    fn explain(&mut self, ledger: &[&PathRow]) {
        let (throughput, every) = (*self.measure == THROUGHPUT, self.measure.of_every_path);
        self.rows.retain_mut(|row| {
            let number = |cell: &Cell<'_>| matches!(cell, Cell::Value { .. });
            if row.cells.iter().any(number) {
                // A reason for all sizes beside a number of one of them: it goes where nothing is.
                return true;
            }
            let mut reasons: Vec<&str> = row.reasons().collect();
            reasons.dedup();
            let (any, one) = (!reasons.is_empty(), reasons.len() == 1);
            let all = one.then(|| reasons[0].to_owned());
            row.reason = row.reason.take().or(all);
            if any || row.reason.is_some() {
                return true;
            }
            let of_it = |known: &&&PathRow| known.isa == row.isa && known.delivery == row.delivery;
            let Some(known) = ledger.iter().find(of_it) else {
                return false;
            };
            if !every {
                return false;
            }
            // Only the throughput is expected of every path that ran.
            row.reason = match (known.state, &known.reason) {
                (State::Verified, _) if !throughput => return false,
                (State::Verified, _) => Some("not measured: no record".to_owned()),
                (state, Some(why)) => Some(format!("{state}: {why}")),
                (state, None) => Some(state.to_string()),
            };
            true
        });
    }

    /// The sizes, where the columns are sizes.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let size = |column: &Column<'_>| match column {
            Column::Size(size) => Some(*size),
            Column::Named(_) => None,
        };
        self.columns.iter().filter_map(size).collect()
    }

    /// Whether any value has a spread.
    pub(super) fn has_spread(&self) -> bool {
        self.rows.iter().any(|row| row.spread().is_some())
    }

    /// Why a row has no numbers, or at which sizes it has none and why.
    pub(super) fn missing(&self, row: &Row<'_>) -> Vec<String> {
        if let Some(why) = &row.reason {
            return vec![why.clone()];
        }
        self.by_reason("none at", row, |cell| match cell {
            Cell::Reason(why) => Some(why),
            Cell::Value { .. } | Cell::Nothing => None,
        })
    }

    /// What must be known beside the numbers of a row.
    fn besides(&self, row: &Row<'_>) -> Vec<String> {
        self.by_reason("at", row, |cell| match cell {
            Cell::Value { reason, .. } => reason,
            Cell::Reason(_) | Cell::Nothing => None,
        })
    }

    /// Each reason once, behind the columns that it is for.
    fn by_reason<'r>(
        &self,
        at: &str,
        row: &Row<'r>,
        reason: fn(Cell<'r>) -> Option<&'r str>,
    ) -> Vec<String> {
        let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
        for (column, cell) in self.columns.iter().zip(&row.cells) {
            let Some(why) = reason(*cell) else { continue };
            match notes.iter_mut().find(|(known, _)| *known == why) {
                Some((_, columns)) => columns.push(column.name()),
                None => notes.push((why, vec![column.name()])),
            }
        }
        let said =
            |(why, columns): (&str, Vec<String>)| format!("{at} {}: {why}", columns.join(", "));
        notes.into_iter().map(said).collect()
    }

    /// What a line of words says of a row behind its numbers.
    fn notes(&self, row: &Row<'_>) -> Vec<String> {
        let peer = (row.who == Who::Peer).then_some("peer");
        let words = peer.into_iter().chain(row.only_remark());
        let mut notes: Vec<String> = words.map(str::to_owned).collect();
        notes.extend(self.missing(row));
        notes.extend(self.besides(row));
        notes
    }

    /// The grid in words for a terminal or Markdown.
    fn in_words(&self, operation: &str) -> Table {
        let spread = self.has_spread();
        let notes = self.rows.iter().any(|row| !self.notes(row).is_empty());
        let mut header = vec!["path".to_owned()];
        header.extend(self.columns.iter().map(Column::name));
        header.extend(spread.then(|| "spread".to_owned()));
        header.extend(notes.then(|| "remark, or why none".to_owned()));
        let words_of = |row: &Row<'_>| {
            let remark = row.only_remark();
            let cell = |cell: &Cell<'_>| match cell {
                Cell::Value {
                    value, remark: its, ..
                } if remark.is_none() && !its.is_empty() => {
                    format!("{} {its}", significant(*value))
                }
                Cell::Value { value, .. } => significant(*value),
                Cell::Reason(_) | Cell::Nothing => "-".to_owned(),
            };
            let mut words = vec![row.label()];
            words.extend(row.cells.iter().map(cell));
            if spread {
                let widest = row.spread().map(|part| format!("{:.1}%", part * 100.0));
                words.push(widest.unwrap_or_else(|| "-".to_owned()));
            }
            if notes {
                words.push(self.notes(row).join("; "));
            }
            words
        };
        Table {
            title: format!("{operation}: {}, {}", self.measure.title, self.measure.unit),
            header,
            // The spread stands with the numbers.
            numbers: self.columns.len() + usize::from(spread),
            rows: self.rows.iter().map(words_of).collect(),
            ..Table::default()
        }
    }
}

impl Column<'_> {
    /// The heading of the column.
    pub(super) fn name(&self) -> String {
        match self {
            Column::Size(bytes) => size(*bytes),
            Column::Named(name) => one_line(name),
        }
    }
}

impl<'a> Row<'a> {
    /// Whether it is one of the paths that the ledger counts.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.who, Who::Path | Who::Auto)
    }

    /// What the units of all values of the row say alike.
    pub(super) fn only_remark(&self) -> Option<&'a str> {
        let mut remarks = self.cells.iter().filter_map(|cell| match cell {
            Cell::Value { remark, .. } => Some(*remark),
            _ => None,
        });
        let first = remarks.next().filter(|first| !first.is_empty())?;
        remarks.all(|remark| remark == first).then_some(first)
    }

    /// The row's name without its operation.
    pub(super) fn label(&self) -> String {
        super::label(self.isa, self.delivery)
    }

    /// Why cells have no number.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().filter_map(|cell| match cell {
            Cell::Reason(why) => Some(*why),
            _ => None,
        })
    }

    /// Whether any cell has a number.
    pub(super) fn has_numbers(&self) -> bool {
        self.cells
            .iter()
            .any(|cell| matches!(cell, Cell::Value { .. }))
    }

    /// The widest spread over placements, as a part of the median.
    pub(super) fn spread(&self) -> Option<f64> {
        let spread = |cell: &Cell<'_>| match cell {
            Cell::Value {
                value,
                least: Some(least),
                most: Some(most),
                ..
            } => Some((most - least) / value),
            _ => None,
        };
        self.cells.iter().filter_map(spread).reduce(f64::max)
    }

    /// Whether the row is drawn as one that writes into the caller's buffer: only such rows are
    /// compared in a picture. A peer's delivery may be unsaid.
    pub(super) fn fills(&self) -> bool {
        self.delivery == "fills" || (self.delivery.is_empty() && self.who != Who::Path)
    }
}
