//! Every path and delivery of `simhash_batch`, against the reference.
#![no_main]

q64_fuzz::target!("simhash_batch");
