//! Every path and delivery of `simhash_q64`, against the reference.
#![no_main]

q64_fuzz::target!("simhash_q64");
