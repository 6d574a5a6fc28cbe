//! Two sides and a control, compared so that a noisy machine is no excuse.
//!
//! ```text
//! side     a process of some build, which calls its path when it has its turn
//! process  such a process, seen from the parent, which alone judges
//! epoch    three fresh processes, one arena, ten placements of four rounds: one value
//! row      epochs until the sign test is clear, or the budget is spent
//! sign     the sign test
//! core     where all of it runs: one core for the parent and the sides
//! base     where the sides' programs come from
//! ```
//!
//! Why each of these is as it is, and what was measured with others: METHODOLOGY.md, "Comparing".

#[cfg(target_os = "linux")]
mod base;
#[cfg(target_os = "linux")]
mod core;
#[cfg(target_os = "linux")]
mod epoch;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod row;
#[cfg(target_os = "linux")]
mod side;
mod sign;

#[cfg(target_os = "linux")]
pub(crate) use self::{
    base::{Bases, Wanted, of_this_program},
    core::Pinned,
    epoch::{Entrant, Link, Method, NAMES},
    process::{Fault, Process},
    row::{Measured, measure},
    side::{Ask, Moved, SHARED_CORE, Said, Steps, Subjected, VERSION, answer},
};
pub(crate) use sign::{ALPHA, Rule, median, quantile};

/// How the remark ends where head and base are one revision: whatever is compared, nothing can differ.
pub(crate) const ITSELF: &str = "nothing is compared but this revision with itself";
