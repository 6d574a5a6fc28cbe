//! Every path and delivery of `mq64_encode`, against the reference.
#![no_main]

q64_fuzz::target!("mq64_encode");
