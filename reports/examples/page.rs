//! Makes one page of records files: `cargo run -p pathproof-reports --features charts --example
//! page -- A.jsonl B.jsonl > index.html`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files = std::env::args_os().skip(1);
    let reports: Result<Vec<_>, _> = files
        .map(|file| pathproof_reports::read(Path::new(&file)))
        .collect();
    match reports {
        Ok(reports) => {
            print!("{}", pathproof_reports::page(&reports));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
