//! Every path and delivery of `eq64_decode`, against the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| q64_fuzz::every_path_of("eq64_decode", data));
