//! The reader of records: no file makes it panic, and records that are written are read as they were.
#![no_main]

use std::io::Cursor;

use pathproof_reports::read_from;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(report) = read_from(Cursor::new(data), "fuzzed") else {
        return;
    };
    let line = |record| serde_json::to_string(record).expect("a record can be written") + "\n";
    let written: String = report.records.iter().map(line).collect();
    let again = read_from(Cursor::new(written), "written").expect("what was written is read");
    assert_eq!(again.records, report.records);
});
