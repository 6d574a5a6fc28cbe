//! A table in words, as a terminal and Markdown show it.

/// A table. Its words are as in the records: whoever shows it makes them harmless.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) title: String,
    /// The first column names the row; it is followed by columns of numbers and those by columns of
    /// text.
    pub(super) header: Vec<String>,
    /// How many columns are of numbers.
    pub(super) numbers: usize,
    pub(super) rows: Vec<Vec<String>>,
    /// Lines below the table.
    pub(super) notes: Vec<String>,
    /// Whether it only has the particulars of the one before it.
    pub(super) detail: bool,
    /// Rows whose first word behind the numbers says that somebody must look; none if it is empty.
    pub(super) alarming: Vec<bool>,
}
