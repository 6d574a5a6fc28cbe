//! Every path and delivery of `mq64_encode`, against the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| q64_fuzz::every_path_of("mq64_encode", data));
