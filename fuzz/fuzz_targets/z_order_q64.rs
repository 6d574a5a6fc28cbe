//! Every path and delivery of `z_order_q64`, against the reference.
#![no_main]

q64_fuzz::target!("z_order_q64");
