//! The tests of the public API.

mod api;
mod batch;
mod common;
mod every_path;
mod known_answers;
#[cfg(feature = "std")]
mod stream;
