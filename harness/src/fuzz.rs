//! The body of a fuzz target: every path of an operation on one input, in this process.

use std::cell::RefCell;

use crate::case::{Case, Place, Source, crc32};
use crate::check::{Bench, Prepared};
use crate::operation::{Operation, Params};
use crate::page::Page;
use crate::verdict::{Verdict, side_by_side};

/// Bytes of an input that say where the buffers lie, what the parameters are, and how the rest is read.
const HEAD: usize = 4;

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new(Page::private()));
}

/// Runs every available path of `operation` on a case made from `data`, against the reference, in guarded memory.
///
/// # Panics
/// Never: on a finding it prints the path, the verdict and the case's token on stderr, and aborts the process, which is what a
/// fuzzer takes for a crash. A read outside a buffer ends the process by a signal instead.
pub fn fuzz(operation: &Operation, data: &[u8]) {
    let case = case(operation, data);
    let prepared = match Prepared::new(operation, &case) {
        Ok(prepared) => prepared,
        Err(why) => abort(operation, "reference", &case, &why),
    };
    BENCH.with_borrow_mut(|bench| {
        for run in 0..prepared.runs() {
            bench.load(&prepared, run);
            for (subject, path) in operation
                .paths
                .iter()
                .enumerate()
                .filter(|(_, path)| path.unavailable.is_none())
            {
                if let Err(verdict) = bench.call(path, subject, &prepared, run) {
                    let name = format!("{}/{}", path.isa, path.delivery);
                    abort(operation, &name, &case, &shown(&verdict));
                }
            }
        }
    });
}

fn shown(verdict: &Verdict) -> String {
    match side_by_side(verdict) {
        Some(dump) => format!("{verdict}\n{dump}"),
        None => verdict.to_string(),
    }
}

fn abort(operation: &Operation, path: &str, case: &Case, what: &str) -> ! {
    let token = case
        .token(&std::env::temp_dir())
        .unwrap_or_else(|e| format!("(no token: {e})"));
    eprintln!("{}/{path}: {what}\ntoken: {token}", operation.name);
    std::process::abort();
}

/// The case of any bytes: the first few choose places, parameters and whether the rest is plain bytes or the input itself.
fn case(operation: &Operation, data: &[u8]) -> Case {
    let (head, body) = data.split_at(data.len().min(HEAD));
    let byte = |i: usize| head.get(i).copied().unwrap_or(0);
    let place = |byte: u8| match byte {
        0..64 => Place::At(byte),
        64..160 => Place::Start,
        160.. => Place::End,
    };
    let params: Params = crate::params::random(
        operation,
        &mut crate::case::rng(u64::from(crc32(&head[..head.len().min(3)]))),
    );
    let plain = &body[..body.len().min(operation.most())];
    let mut parts = operation.parts_from(plain, &params);
    if byte(3) & 1 == 1 && operation.from_bytes.is_some() {
        parts[0] = body.to_vec();
    }
    Case {
        operation: operation.name.to_string(),
        source: Source::Verbatim(parts),
        params,
        input: place(byte(0)),
        output: place(byte(1)),
        warm: 0,
        room: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::CodePath;

    #[test]
    fn any_bytes_make_a_case_that_the_operation_takes() {
        let op = Operation::new("op", |i| Ok(i.bytes().len()))
            .from_bytes(|b, _| b.repeat(2))
            .param("k", &[&[3], &[9]])
            .path(CodePath::returns("scalar", |i| Ok(i.bytes().len())));
        for len in 0..70 {
            let data = crate::case::generate(len, len as usize, crate::case::Shape::Random);
            let made = case(&op, &data);
            assert!((3..=9).contains(&made.params["k"][0]));
            let body = data.len().saturating_sub(HEAD);
            let input = op.resolve(&made).unwrap()[0].len();
            assert!(input == body || input == 2 * body);
            fuzz(&op, &data);
        }
    }
}
