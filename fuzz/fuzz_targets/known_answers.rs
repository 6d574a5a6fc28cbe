//! The reader of known answers: no text makes it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = pathproof::known_answers(text);
});
