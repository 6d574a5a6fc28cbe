//! Every path and delivery of `mq64_encode_with_levels`, against the reference.
#![no_main]

q64_fuzz::target!("mq64_encode_with_levels");
