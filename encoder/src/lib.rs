#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod dispatch;
mod error;
mod isa;
#[allow(unsafe_code)]
mod q64;
#[allow(unsafe_code)]
mod top_k;

pub use crate::dispatch::{Encoder, Operation};
pub use crate::error::{BufferTooSmall, DecodeError, Q64Error};
pub use crate::isa::Isa;
pub use crate::q64::{
    STREAMS_FROM, q64_decode, q64_decode_to_buffer, q64_decoded_len, q64_encode,
    q64_encode_to_buffer, q64_encoded_len,
};
pub use crate::top_k::{top_k_len, top_k_q64, top_k_to_buffer};
