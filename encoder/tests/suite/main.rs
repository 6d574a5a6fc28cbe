//! The tests of the public API.

mod api;
mod common;
mod every_path;
mod known_answers;
mod top_k;
