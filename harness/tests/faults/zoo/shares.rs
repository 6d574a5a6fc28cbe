//! An operation that has cases of every check and few of them, and notes each call: which cases a share has is seen from outside.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

use pathproof::{CodePath, Failure, Input, Operation, Outcome};

use super::codec::{BLOCK, decode, reference};
use super::{FLAT_ROWS, YOUR_ROW};

/// Names the file to which calls are noted, a line each.
pub(crate) const NOTES: &str = "ZOO_NOTES";

pub(crate) fn operations() -> Vec<Operation> {
    let shared = Operation::new("shared", |i| reference::decode(i.bytes()))
        .from_bytes(|bytes, _| reference::encode(bytes))
        .capacity(|i| i.bytes().len() / 2)
        .longest(YOUR_ROW.len())
        .rows("animals", &FLAT_ROWS, BLOCK)
        .refuses_short(|_, _| Failure::kind("no_room"))
        .law("it returns", |i, call| {
            let _ = call(i);
            Ok(())
        })
        // Not to be stepped: what a receipt calls is no case.
        .paths(
            [
                CodePath::fills("notes", |i, out| {
                    note(i);
                    fits(i, out)
                }),
                CodePath::fills("wrong-for-your-row", |i, out| {
                    let len = fits(i, out)?;
                    if out[..len] == *YOUR_ROW {
                        out[8] ^= 1;
                    }
                    Ok(len)
                }),
            ]
            .map(CodePath::on_threads),
        );
    vec![shared]
}

fn fits(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    match out.get_mut(..i.bytes().len() / 2) {
        Some(out) => decode(i.bytes(), out),
        None => Err(Failure::kind("no_room")),
    }
}

/// One write, which processes that append to the same file do not tear.
fn note(i: &Input<'_>) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(std::env::var_os(NOTES)?)
            .ok()
    };
    if let Some(mut file) = FILE.get_or_init(open).as_ref() {
        let _ = file.write_all(format!("{:?}\n", i.bytes()).as_bytes());
    }
}
