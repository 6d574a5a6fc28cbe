//! The gate: what a policy asks of the records of a verification, of counts, of a comparison and of mutants.
//!
//! `policy` is the file that people write, `judge` what it says of the records. Both are plain data: `cmd/gate.rs` runs the verbs.

mod judge;
mod policy;

pub(crate) use judge::{
    Again, Part, counts_of_both_sides, counts_of_records, itself, mutation, promised, times,
    unexplained, verification,
};
pub(crate) use policy::{Counts, Policy, Verification, read};
