//! The body of a fuzz target: every path of an operation on one input, in this process, and how many inputs each path took.

mod input;
mod tally;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{set_hook, take_hook};

use crate::case::Case;
use crate::check::{Bench, Prepared};
use crate::operation::Operation;
use crate::page::Page;
use crate::verdict::{Verdict, side_by_side};
use input::case;
#[cfg(feature = "cli")]
pub(crate) use input::seeds;
use tally::Tally;
#[cfg(feature = "cli")]
pub(crate) use tally::{Counts, FOLDER, read};

/// What stands before the token that the body prints of a finding; whoever runs the target looks for it.
pub(crate) const TOKEN: &str = "token: ";

/// Runs every available path of `operation` on a case made from `data`, against the reference, in guarded memory.
///
/// The first bytes of `data` say where the buffers lie, how the rest is read (plain bytes, the input itself, an input that is
/// damaged), what the parameters are, and how long the output buffer is; METHODOLOGY.md has the table. So every `data` is a case.
///
/// How many inputs each path took is counted in a file of the folder that `PATHPROOF_TALLY` names, which is right at any instant;
/// without the variable, the counts are printed on stderr when the process exits.
///
/// # Panics
/// Never: on a finding it prints the path, the verdict and the case's token on stderr, and aborts the process, which is what a
/// fuzzer takes for a crash. A read outside a buffer ends the process by a signal instead.
pub fn fuzz(operation: &Operation, data: &[u8]) {
    BODY.with_borrow_mut(|body| body.run(operation, data));
}

thread_local! {
    static BODY: RefCell<Body> = RefCell::new(Body::new());
}

struct Body {
    bench: Bench,
    tallies: BTreeMap<String, Tally>,
}

impl Body {
    fn new() -> Self {
        let page = Page::private();
        // A panic of a path is a verdict, and no end of the process, which is what a fuzzer's hook would make of it.
        let other = take_hook();
        set_hook(Box::new(move |panic| {
            if !page.is_calling() {
                other(panic);
            }
        }));
        Self {
            bench: Bench::new(page),
            tallies: BTreeMap::new(),
        }
    }

    fn run(&mut self, operation: &Operation, data: &[u8]) {
        let Self { bench, tallies } = self;
        let tally = match tallies.get(operation.name()) {
            Some(tally) => tally,
            None => {
                let tally = Tally::open(operation).unwrap_or_else(|why| {
                    eprintln!("{}: {why}", operation.name());
                    std::process::abort()
                });
                tallies.entry(operation.name().into()).or_insert(tally)
            }
        };
        tally.input();
        let case = case(operation, data);
        let prepared = match Prepared::new(operation, &case) {
            Ok(prepared) => prepared,
            Err(why) => abort(operation, "reference", &case, &why),
        };
        let paths = || {
            let all = operation.paths.iter().enumerate();
            all.filter(|(_, path)| path.unavailable.is_none())
        };
        for run in 0..prepared.runs() {
            bench.load(&prepared, run);
            for (subject, path) in paths() {
                tally.begin(subject);
                if let Err(verdict) = bench.call(path, subject, &prepared, run) {
                    let name = format!("{}/{}", path.isa, path.delivery);
                    abort(operation, &name, &case, &shown(&verdict));
                }
            }
        }
        tally.done();
        // Of a case that takes two runs, a path has taken one input.
        paths().for_each(|(subject, _)| tally.took(subject));
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        for tally in self.tallies.values() {
            tally.print();
        }
    }
}

/// The case that [`fuzz`] makes of `data`, or what went wrong in making its input.
#[cfg(feature = "cli")]
pub(crate) fn made_from(operation: &Operation, data: &[u8]) -> Result<Case, String> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    catch_unwind(AssertUnwindSafe(|| case(operation, data))).map_err(|panic| {
        format!(
            "making an input of {} panicked: {}",
            operation.name(),
            crate::check::message(&*panic)
        )
    })
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
    eprintln!("{}/{path}: {what}\n{TOKEN}{token}", operation.name);
    std::process::abort();
}
