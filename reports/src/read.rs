//! Reading a records file, whole or cut off, and saying what is wrong with any other.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::compared::{Calibration, Comparison};
use crate::gated::Gated;
use crate::plain::one_line;
use crate::record::{
    End, Figure, Finding, Machine, PathRow, Receipt, Record, Run, SCHEMA, Survivor,
};

/// The longest line that is read or written, in bytes with its newline: 4 MiB.
///
/// The bound is on hostile files; an honest line is a few hundred bytes, a finding with its dump
/// some ten thousand.
pub const MAX_LINE: usize = 4 << 20;

/// The records of one file, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The file's name as it is shown.
    pub source: String,
    /// The records; the first is the machine if the report was read from a file.
    pub records: Vec<Record>,
    /// Whether the last line was cut off, which happens when a run is killed in the middle of a
    /// write. What is left of that line is dropped.
    pub truncated: bool,
}

impl Report {
    /// The machine that made the records.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        self.records.iter().find_map(|record| {
            if let Record::Machine(m) = record {
                Some(m)
            } else {
                None
            }
        })
    }

    /// What was asked for.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.records.iter().filter_map(|record| {
            if let Record::Run(r) = record {
                Some(r)
            } else {
                None
            }
        })
    }

    /// The ledger's rows, peers included, in the order of their first mention. A run writes the rows of all promised paths
    /// at its start and each again when it is done, so the last row of a path is the one that holds.
    pub fn paths(&self) -> impl Iterator<Item = &PathRow> {
        let mut rows: Vec<&PathRow> = Vec::new();
        let mut known = HashMap::new();
        for record in &self.records {
            let Record::Path(row) = record else { continue };
            let place = *known
                .entry((&row.operation, &row.isa, &row.delivery))
                .or_insert(rows.len());
            match rows.get_mut(place) {
                Some(earlier) => *earlier = row,
                None => rows.push(row),
            }
        }
        rows.into_iter()
    }

    /// The figures.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.records.iter().filter_map(|record| {
            if let Record::Figure(f) = record {
                Some(f)
            } else {
                None
            }
        })
    }

    /// The findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.records.iter().filter_map(|record| {
            if let Record::Finding(f) = record {
                Some(f)
            } else {
                None
            }
        })
    }

    /// The receipts.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.records.iter().filter_map(|record| {
            if let Record::Receipt(r) = record {
                Some(r)
            } else {
                None
            }
        })
    }

    /// The mutants that lived.
    pub fn survivors(&self) -> impl Iterator<Item = &Survivor> {
        self.records.iter().filter_map(|record| {
            if let Record::Survivor(s) = record {
                Some(s)
            } else {
                None
            }
        })
    }

    /// The comparisons.
    pub fn comparisons(&self) -> impl Iterator<Item = &Comparison> {
        self.records.iter().filter_map(|record| {
            if let Record::Comparison(c) = record {
                Some(c)
            } else {
                None
            }
        })
    }

    /// What is known of the method of comparison.
    pub fn calibrations(&self) -> impl Iterator<Item = &Calibration> {
        self.records.iter().filter_map(|record| {
            if let Record::Calibration(c) = record {
                Some(c)
            } else {
                None
            }
        })
    }

    /// The rows of a gate.
    pub fn gated(&self) -> impl Iterator<Item = &Gated> + Clone {
        self.records.iter().filter_map(|record| {
            if let Record::Gated(g) = record {
                Some(g)
            } else {
                None
            }
        })
    }

    /// How the run ended; `None` if it did not, that is if the last line is another record or is
    /// cut off.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match self.records.last() {
            Some(Record::End(end)) if !self.truncated => Some(end),
            _ => None,
        }
    }
}

/// Why a file could not be read. Its `Display` is one line: the file, the line, what was found,
/// what was expected, and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system would not open or read the file.
    Io {
        /// The file's name.
        file: String,
        /// What it said.
        error: io::Error,
    },
    /// The file has no bytes.
    Empty {
        /// The file's name.
        file: String,
    },
    /// The first line is not the record of a machine.
    NoMachine {
        /// The file's name.
        file: String,
        /// What the first line is instead.
        found: String,
    },
    /// The file is of another version of the format.
    Schema {
        /// The file's name.
        file: String,
        /// The version that it claims.
        found: u64,
    },
    /// A line that is no record.
    Line {
        /// The file's name.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The column in bytes, counted from 1; 0 where the whole line is meant.
        column: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io { file, error } => {
                write!(
                    f,
                    "cannot read {file}: {error}; expected the records.jsonl of a run"
                )
            }
            ReadError::Empty { file } => write!(
                f,
                "{file} is empty: expected the record of a machine in line 1; the run was killed before it wrote \
                 anything, so run it again"
            ),
            ReadError::NoMachine { file, found } => write!(
                f,
                "{file} line 1: {found}; expected the record of a machine, {{\"record\":\"machine\",…}}; give the \
                 records.jsonl of a run"
            ),
            ReadError::Schema { file, found } => {
                let newer = *found > u64::from(SCHEMA);
                let remedy = if newer {
                    "read it with the program that wrote it, or a newer one"
                } else {
                    "run it again with this program"
                };
                write!(
                    f,
                    "{file} line 1: schema {found}, this program reads schemas 1 to {SCHEMA}: {remedy}"
                )
            }
            ReadError::Line {
                file,
                line,
                column,
                reason,
            } => {
                write!(f, "{file} line {line}")?;
                if *column > 0 {
                    write!(f, " column {column}")?;
                }
                write!(
                    f,
                    ": {reason}; expected one whole record; restore the file, or run again"
                )
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Reads a records file.
///
/// # Errors
/// See [`ReadError`]. A last line that is cut off is none: it sets [`Report::truncated`].
pub fn read(path: &Path) -> Result<Report, ReadError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => read_from(BufReader::new(file), name),
        Err(error) => Err(ReadError::Io { file: name, error }),
    }
}

/// Reads records from anything; `name` is what the report and the errors call it.
///
/// # Errors
/// As [`read`].
pub fn read_from(mut input: impl BufRead, name: impl Into<String>) -> Result<Report, ReadError> {
    let mut report = Report {
        source: name.into(),
        records: Vec::new(),
        truncated: false,
    };
    let file = || report.source.clone();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        // One byte more than is allowed, so that a line of exactly MAX_LINE bytes can be told from
        // a longer one.
        let limit = MAX_LINE as u64 + 1;
        if let Err(error) = input.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            return Err(ReadError::Io {
                file: file(),
                error,
            });
        }
        if bytes.is_empty() {
            break;
        }
        if bytes.len() > MAX_LINE {
            let reason = format!("a line of more than {MAX_LINE} bytes");
            return Err(ReadError::Line {
                file: file(),
                line,
                column: 0,
                reason,
            });
        }
        // Without its newline, or else a column behind the end would be column 0 of the next line.
        let (text, whole) = match bytes.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (&bytes[..], false),
        };
        if line == 1 {
            report.records.push(first(text, whole, file)?);
            continue;
        }
        match serde_json::from_slice(text) {
            Ok(Record::Machine(_)) => {
                let reason =
                    "a second machine: two files joined? Give them as two files".to_owned();
                return Err(ReadError::Line {
                    file: file(),
                    line,
                    column: 0,
                    reason,
                });
            }
            Ok(record) => match record.contradiction() {
                None => report.records.push(record),
                Some(reason) => {
                    return Err(ReadError::Line {
                        file: file(),
                        line,
                        column: 0,
                        reason,
                    });
                }
            },
            // Only a line that ends too early is cut off. One that is wrong before its end was
            // never right.
            Err(e) if e.is_eof() && !whole => {
                report.truncated = true;
                break;
            }
            Err(e) => {
                let (column, reason) = (e.column(), reason_of(&e));
                return Err(ReadError::Line {
                    file: file(),
                    line,
                    column,
                    reason,
                });
            }
        }
    }
    if report.records.is_empty() {
        return Err(ReadError::Empty {
            file: report.source,
        });
    }
    Ok(report)
}

/// The first line: the machine. The schema is looked at by itself first, because in another schema
/// the rest may not be readable.
fn first(text: &[u8], whole: bool, file: impl Fn() -> String) -> Result<Record, ReadError> {
    #[derive(serde::Deserialize)]
    struct Head {
        record: String,
        schema: Option<u64>,
    }
    let no_machine = |found: String| ReadError::NoMachine {
        file: file(),
        found,
    };
    let head: Head = match serde_json::from_slice(text) {
        Ok(head) => head,
        Err(e) if e.is_eof() && !whole => {
            return Err(no_machine(
                "cut off, the run was killed while it wrote this line".into(),
            ));
        }
        Err(e) => {
            return Err(no_machine(at_column(&e)));
        }
    };
    match (head.record.as_str(), head.schema) {
        ("machine", Some(schema)) if (1..=u64::from(SCHEMA)).contains(&schema) => {}
        ("machine", Some(found)) => {
            return Err(ReadError::Schema {
                file: file(),
                found,
            });
        }
        ("machine", None) => return Err(no_machine("a machine without a schema".into())),
        (other, _) => {
            return Err(no_machine(format!(
                "a record of kind \"{}\"",
                one_line(&other.chars().take(40).collect::<String>())
            )));
        }
    }
    serde_json::from_slice(text).map_err(|e| no_machine(at_column(&e)))
}

/// serde's reason, with the column where serde knows one: of a missing field it does not.
fn at_column(error: &serde_json::Error) -> String {
    match error.column() {
        0 => reason_of(error),
        column => format!("column {column}, {}", reason_of(error)),
    }
}

/// serde's reason without the position that it appends, short and on one line: it may quote the
/// file.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(reason, _position)| reason);
    one_line(&reason.chars().take(200).collect::<String>())
}
