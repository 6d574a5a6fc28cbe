//! The operations of the q64 encoder, for pathproof: the workspace's program, its tests and its fuzz targets all use this list.
//!
//! `reference` is the format in plain code and knows nothing of the encoder; `peers` is what one would use instead.
#![deny(unsafe_code)]

mod operations;
mod peers;
mod reference;

pub use operations::operations;
