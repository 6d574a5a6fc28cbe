//! Every path and delivery of `mq64_decode`, against the reference.
#![no_main]

q64_fuzz::target!("mq64_decode");
