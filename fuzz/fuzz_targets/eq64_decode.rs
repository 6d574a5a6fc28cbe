//! Every path and delivery of `eq64_decode`, against the reference.
#![no_main]

q64_fuzz::target!("eq64_decode");
