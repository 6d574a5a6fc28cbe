//! A fault that only fuzzing finds; see `src/planted.rs`.
#![no_main]

q64_fuzz::target!("planted_pattern");
