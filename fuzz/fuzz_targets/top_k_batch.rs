//! Every path and delivery of `top_k_batch`, against the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| q64_fuzz::every_path_of("top_k_batch", data));
