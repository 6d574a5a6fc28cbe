//! A fault that only fuzzing finds; see `src/planted.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| q64_fuzz::every_path_of("planted_two_errors", data));
