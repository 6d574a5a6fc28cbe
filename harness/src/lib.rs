//! Checks that every code path of a codec gives the same bytes as an independent reference, shows which paths ran, and says why
//! the others did not.
//!
//! A client says what there is to verify, as a list of [`Operation`]s, and gets a whole command line for it:
//!
//! ```no_run
//! use pathproof::{CodePath, Failure, Operation};
//!
//! fn main() -> std::process::ExitCode {
//!     let find = Operation::new("find_zero", |i| Ok(i.bytes().iter().position(|&b| b == 0)))
//!         .path(CodePath::returns("auto", |i| Ok(i.bytes().iter().position(|&b| b == 0))));
//!     pathproof::main(vec![find])
//! }
//! ```
//!
//! The same list serves [`tests`] (a `[[test]]` with `harness = false`: one named test per path) and [`fuzz`] (the body of a
//! fuzz target).
#![deny(unsafe_code)]
// Without the command line only `fuzz` is called, and what it does not use would be warned about one by one.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

mod arena;
mod case;
mod check;
#[cfg(feature = "cli")]
mod cmd;
#[cfg(feature = "cli")]
mod count;
#[cfg(feature = "cli")]
mod desk;
mod fuzz;
#[cfg(feature = "cli")]
mod gate;
#[cfg(feature = "cli")]
mod ledger;
#[cfg(feature = "cli")]
mod machine;
#[cfg(feature = "cli")]
mod mutate;
mod operation;
mod page;
#[cfg(feature = "cli")]
mod pair;
mod params;
#[cfg(feature = "cli")]
mod perf;
#[cfg(feature = "cli")]
mod plan;
#[cfg(feature = "cli")]
mod receipt;
#[cfg(feature = "cli")]
mod select;
#[cfg(feature = "cli")]
mod shrink;
#[cfg(feature = "cli")]
mod step;
#[cfg(feature = "cli")]
mod suite;
#[cfg(feature = "cli")]
mod time;
mod vectors;
mod verdict;
#[cfg(feature = "cli")]
mod verify;
#[cfg(feature = "cli")]
mod worker;

pub use case::{Case, Place, Shape, Source};
#[cfg(feature = "cli")]
pub use cmd::main;
pub use fuzz::{fuzz, redraw};
pub use operation::{
    Answer, CallPath, CodePath, Failure, Input, Operation, Outcome, Params, Peer, Reason, Text,
};
#[cfg(feature = "cli")]
pub use suite::tests;
pub use vectors::known_answers;
pub use verdict::{Difference, Side, Stray, Verdict};
