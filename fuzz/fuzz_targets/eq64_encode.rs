//! Every path and delivery of `eq64_encode`, against the reference.
#![no_main]

q64_fuzz::target!("eq64_encode");
