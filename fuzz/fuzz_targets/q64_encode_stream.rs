//! Every path and delivery of `q64_encode_stream`, against the reference.
#![no_main]

q64_fuzz::target!("q64_encode_stream");
