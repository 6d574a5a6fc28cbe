//! Every path and delivery of `top_k_batch`, against the reference.
#![no_main]

q64_fuzz::target!("top_k_batch");
