//! The records that are kept beside the source. They stay out of the package, and so does this test.

use pathproof_reports::{Outcome, read};

#[test]
fn the_kept_records_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/records");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut read_ones = 0;
    for path in files.filter(|path| path.extension().is_some_and(|e| e == "jsonl")) {
        let report = read(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(report.outcome(), Outcome::Verified, "{}", path.display());
        read_ones += 1;
    }
    assert!(read_ones > 0);
}
