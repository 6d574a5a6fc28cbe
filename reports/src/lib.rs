//! The records of pathproof, and everything that is shown from them.
//!
//! A run of pathproof writes one file, `records.jsonl`: flat JSON lines, of which the first names
//! the schema version and the machine; then what was asked for, the ledger of paths, figures, findings,
//! receipts of what a path executed, the mutants that its verification did not notice, comparisons of two sides, and what a gate
//! says of all that. This crate
//! is that format ([`Record`], [`Writer`], [`read`]) and, with the feature `charts`, the views: `text` for a terminal, `markdown` for a pull request,
//! `junit` for a CI server, `json` for the next tool, and `page`, one self-contained HTML file.
//! Views are pure functions of the records; nothing else is known to them.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = r#"{"record":"machine","schema":4,"arch":"x86_64","os":"linux","kernel":"6.1","cpu":"Zen 4","cores":2,"features":["avx2"],"program":"q64-paths 0.1.0","id":"5f1c"}
//! {"record":"path","operation":"q64_encode","isa":"avx2","delivery":"fills","state":"verified","cases":52000}
//! {"record":"end","exit":0,"seconds":1.5,"verdict":"every path agrees with the reference"}
//! "#;
//! let report = pathproof_reports::read_from(file.as_bytes(), "records.jsonl")?;
//! assert_eq!(report.outcome(), pathproof_reports::Outcome::Verified);
//! assert_eq!(report.paths().map(|path| path.cases).sum::<u64>(), 52_000);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod compared;
mod gated;
mod number;
mod outcome;
mod plain;
mod read;
mod record;
mod write;

// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use compared::{Calibration, Compared, Comparison, Ratio, Side};
pub use gated::{Gate, Gated};
pub use number::grouped;
pub use outcome::{Outcome, Tally};
pub use read::{MAX_LINE, ReadError, Report, read, read_from};
pub use record::{
    End, Figure, Finding, Machine, PathRow, Receipt, Record, Run, SCHEMA, State, Survivor,
};
pub use write::Writer;

#[cfg(feature = "charts")]
mod rate;
#[cfg(feature = "charts")]
pub use rate::limits;
#[cfg(feature = "charts")]
mod views;
#[cfg(feature = "charts")]
pub use views::{annotations, json, junit, markdown, page, text};
