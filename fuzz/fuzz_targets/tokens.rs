//! The reader of case tokens: no text makes it panic, and what it takes comes back as it was.
#![no_main]

use pathproof::Case;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // Tokens that name a file would read it.
    if text.contains(":@") {
        return;
    }
    // As it is, and with the checksum that it should have: a fuzzer does not guess one.
    let sum = crc::Crc::<u16>::new(&crc::CRC_16_IBM_SDLC).checksum(text.as_bytes());
    for token in [text.to_string(), format!("{text}:{sum:04x}")] {
        let Ok(case) = Case::parse(&token) else {
            continue;
        };
        let nowhere = std::path::Path::new("/dev/null/findings");
        // Bytes beyond 16 KiB would be written to a file.
        if let Ok(again) = case.token(nowhere) {
            assert_eq!(Case::parse(&again).as_ref(), Ok(&case), "{token}");
        }
    }
});
