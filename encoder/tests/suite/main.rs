//! The tests of the public API.

mod api;
mod batch;
mod common;
mod eq64;
mod every_path;
mod known_answers;
mod mq64;
#[cfg(feature = "simhash")]
mod simhash;
#[cfg(feature = "std")]
mod stream;
mod top_k;
mod z_order;
