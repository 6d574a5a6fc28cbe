#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[allow(unsafe_code)]
mod batch;
mod dispatch;
#[allow(unsafe_code)]
mod eq64;
mod error;
mod isa;
#[allow(unsafe_code)]
mod mq64;
#[allow(unsafe_code)]
mod q64;
#[cfg(feature = "std")]
mod stream;
#[allow(unsafe_code)]
mod top_k;
mod z_order;

#[cfg(feature = "rayon")]
pub use crate::batch::{
    PARALLEL_FROM, parallel_q64_decode_batch, parallel_q64_decode_batch_to_buffer,
    parallel_q64_encode_batch, parallel_q64_encode_batch_to_buffer,
};
pub use crate::batch::{
    q64_decode_batch, q64_decode_batch_to_buffer, q64_encode_batch, q64_encode_batch_to_buffer,
};
pub use crate::dispatch::{Encoder, Operation};
pub use crate::eq64::{
    eq64_decode, eq64_decode_to_buffer, eq64_decoded_len, eq64_encode, eq64_encode_to_buffer,
    eq64_encoded_len,
};
pub use crate::error::{BufferTooSmall, DecodeError, Q64Error};
pub use crate::isa::Isa;
pub use crate::mq64::{
    mq64_decode, mq64_decode_to_buffer, mq64_decoded_len, mq64_encode, mq64_encode_to_buffer,
    mq64_encode_with_levels, mq64_encode_with_levels_to_buffer, mq64_encoded_len,
    mq64_encoded_len_with_levels,
};
pub use crate::q64::{
    STREAMS_FROM, q64_decode, q64_decode_to_buffer, q64_decoded_len, q64_encode,
    q64_encode_to_buffer, q64_encoded_len,
};
#[cfg(feature = "std")]
pub use crate::stream::{DecodeReader, EncodeWriter};
#[cfg(feature = "rayon")]
pub use crate::top_k::{parallel_top_k_batch, parallel_top_k_batch_to_buffer};
pub use crate::top_k::{top_k_batch, top_k_batch_to_buffer, top_k_len, top_k_q64, top_k_to_buffer};
pub use crate::z_order::{
    Z_ORDER_LEN, z_order_extended_to_buffer, z_order_q64, z_order_q64_extended, z_order_to_buffer,
};
