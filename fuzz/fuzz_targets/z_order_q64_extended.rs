//! Every path and delivery of `z_order_q64_extended`, against the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| q64_fuzz::every_path_of("z_order_q64_extended", data));
