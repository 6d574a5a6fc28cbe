//! Every path and delivery of `q64_decode`, against the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| q64_fuzz::every_path_of("q64_decode", data));
