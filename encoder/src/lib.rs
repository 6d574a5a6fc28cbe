#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[allow(unsafe_code)]
mod batch;
mod dispatch;
mod error;
mod isa;
#[allow(unsafe_code)]
mod q64;
#[cfg(feature = "simhash")]
#[allow(unsafe_code)]
mod simhash;

#[cfg(feature = "rayon")]
pub use crate::batch::{
    parallel_q64_decode_batch, parallel_q64_decode_batch_to_buffer, parallel_q64_encode_batch,
    parallel_q64_encode_batch_to_buffer,
};
pub use crate::batch::{
    q64_decode_batch, q64_decode_batch_to_buffer, q64_encode_batch, q64_encode_batch_to_buffer,
};
pub use crate::dispatch::{Encoder, Operation};
pub use crate::error::{BufferTooSmall, DecodeError, Q64Error};
pub use crate::isa::Isa;
pub use crate::q64::{
    STREAMS_FROM, q64_decode, q64_decode_to_buffer, q64_decoded_len, q64_encode,
    q64_encode_to_buffer, q64_encoded_len,
};
#[cfg(all(feature = "simhash", feature = "rayon"))]
pub use crate::simhash::{parallel_simhash_batch, parallel_simhash_batch_to_buffer};
#[cfg(feature = "simhash")]
pub use crate::simhash::{
    simhash_batch, simhash_batch_to_buffer, simhash_len, simhash_q64, simhash_to_buffer,
};
