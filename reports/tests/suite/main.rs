//! The tests of the public API: one program, for each would link all of it.

mod common;
#[cfg(feature = "charts")]
mod compared;
#[cfg(feature = "charts")]
mod evidence;
#[cfg(feature = "charts")]
mod gated;
mod records;
#[cfg(feature = "charts")]
mod times;
#[cfg(feature = "charts")]
mod views;
