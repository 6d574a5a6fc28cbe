//! The body of a fuzz target: every path of an operation on one input, in this process, and how many inputs each path took.

#[cfg(feature = "cli")]
pub(crate) mod engine;
mod input;
mod tally;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{set_hook, take_hook};

use crate::case::{Case, mix};
use crate::check::{Bench, Prepared};
use crate::operation::{CodePath, Operation};
use crate::page::Page;
use crate::verdict::{Verdict, side_by_side};
use input::case;
#[cfg(feature = "cli")]
pub(crate) use input::seeds;
use tally::Tally;
#[cfg(feature = "cli")]
pub(crate) use tally::{Counts, FOLDER, Head, read};

/// The environment variable that says from how many plain bytes a case is made at most. Bytes of an input may be repeated, so that the
/// engine's own limit is none.
pub(crate) const LONGEST: &str = "PATHPROOF_LONGEST";
/// How many it is if the environment says nothing: two pages.
pub(crate) const USUAL_LONGEST: usize = 8192;
/// Of how many inputs one has the laws held against it.
const LAWFUL: u64 = 16;
/// The environment variable that names the only paths that are called, `ISA/DELIVERY` with commas between.
pub(crate) const ONLY: &str = "PATHPROOF_ONLY";

/// What stands before the token that the body prints of a finding; whoever runs the target looks for it.
pub(crate) const TOKEN: &str = "token: ";

/// Runs every available path of `operation` on a case made from `data`, against the reference, in guarded memory.
///
/// The first bytes of `data` say where the buffers lie, how the rest is read (plain bytes, the input itself, an input that is
/// damaged), what the parameters are, and how long the output buffer is; METHODOLOGY.md has the table. So every `data` is a case.
///
/// Of 16 inputs, one has the laws held against it, too.
///
/// The environment says more: `PATHPROOF_LONGEST`, from how many plain bytes a case is made at most (8,192); `PATHPROOF_ONLY`, which paths
/// are called, as `avx2/fills,auto/returns`: all others, say, than those of which a finding is known.
///
/// How many inputs each path took is counted in a file of the folder that `PATHPROOF_TALLY` names, which is right at any instant;
/// without the variable, the counts are printed on stderr when the process comes to its end by itself, as libFuzzer does when its time
/// is up.
///
/// # Panics
/// Never: on a finding it prints the path, the verdict and the case's token on stderr, and aborts the process, which is what a
/// fuzzer takes for a crash. A read outside a buffer ends the process by a signal instead.
pub fn fuzz(operation: &Operation, data: &[u8]) {
    BODY.with_borrow_mut(|body| body.run(operation, data));
}

/// Draws places, lengths and parameters of an input anew, in half of the calls, for a fuzzer's own mutator: called after that of the
/// engine, which treats all bytes alike. `data` has room for as much as an input may have, and its first `size` bytes are one; the
/// new size is returned.
pub fn redraw(operation: &Operation, data: &mut [u8], size: usize, seed: u32) -> usize {
    input::redraw(operation, data, size, seed)
}

thread_local! {
    static BODY: RefCell<Body> = RefCell::new(Body::new());
}

struct Body {
    bench: Bench,
    page: &'static Page,
    tallies: BTreeMap<String, Tally>,
    longest: usize,
    only: Vec<String>,
}

impl Body {
    fn new() -> Self {
        let page = Page::private();
        // A panic of a path or a reference is a verdict, and no end of the process, which is what a fuzzer's hook would make of it.
        let other = take_hook();
        set_hook(Box::new(move |panic| {
            if page.is_idle() {
                other(panic);
            }
        }));
        let variable = |name| std::env::var(name).unwrap_or_default();
        let longest = match variable(LONGEST).as_str() {
            "" => Some(USUAL_LONGEST),
            number => number.parse().ok().filter(|longest| *longest > 0),
        };
        Self {
            bench: Bench::new(page),
            page,
            tallies: BTreeMap::new(),
            longest: longest.unwrap_or_else(|| {
                stop(&format!(
                    "{LONGEST}={}: a number of bytes was expected",
                    variable(LONGEST)
                ))
            }),
            only: names(&variable(ONLY)),
        }
    }

    fn run(&mut self, operation: &Operation, data: &[u8]) {
        let Self {
            bench,
            page,
            tallies,
            longest,
            only,
        } = self;
        let tally = match tallies.get(operation.name()) {
            Some(tally) => tally,
            None => {
                let name = operation.name();
                let tally =
                    Tally::open(operation).unwrap_or_else(|why| stop(&format!("{name}: {why}")));
                let unknown =
                    |only: &&String| operation.paths.iter().all(|path| !is_named(path, only));
                if let Some(only) = only.iter().find(unknown) {
                    stop(&format!("{ONLY}: {name} has no path {only}"));
                }
                tallies.entry(operation.name().into()).or_insert(tally)
            }
        };
        tally.input();
        page.preparing(0);
        let case = made_from(operation, data, *longest).unwrap_or_else(|why| stop(&why));
        let prepared = match Prepared::new(operation, &case) {
            Ok(prepared) => prepared,
            Err(why) => abort(operation, "reference", &case, &why),
        };
        page.idle();
        let paths = || {
            let all = operation.paths.iter().enumerate();
            all.filter(|(_, path)| path.unavailable.is_none() && is_asked_for(only, path))
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
        if is_lawful(data) {
            for (subject, path) in paths() {
                tally.begin(subject);
                for law in 0..operation.laws.len() {
                    let verdict = bench.law(operation, law, path, subject, &prepared);
                    if verdict != Verdict::Agrees {
                        let name = format!("{}/{}", path.isa, path.delivery);
                        abort(operation, &name, &case, &shown(&verdict));
                    }
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

/// Ends the process: nothing can be fuzzed so.
fn stop(why: &str) -> ! {
    eprintln!("{why}");
    std::process::abort()
}

/// Whether the laws are held against an input: always the same of the same bytes.
fn is_lawful(data: &[u8]) -> bool {
    let word = |bytes: &[u8]| bytes.iter().fold(0, |word, b| word << 8 | u64::from(*b));
    let of_all = data.chunks(8).fold(data.len() as u64, |sum, bytes| {
        (sum ^ word(bytes))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    });
    mix(&[of_all]).is_multiple_of(LAWFUL)
}

/// The names between commas.
pub(crate) fn names(list: &str) -> Vec<String> {
    let names = list.split(',').filter(|name| !name.is_empty());
    names.map(String::from).collect()
}

/// Whether this is the path's `ISA/DELIVERY`; an ISA may have a slash.
fn is_named(path: &CodePath, name: &str) -> bool {
    name.rsplit_once('/') == Some((&path.isa, &path.delivery))
}

fn is_asked_for(only: &[String], path: &CodePath) -> bool {
    only.is_empty() || only.iter().any(|name| is_named(path, name))
}

/// The case that [`fuzz`] makes of `data`, or what went wrong in making its input.
pub(crate) fn made_from(
    operation: &Operation,
    data: &[u8],
    longest: usize,
) -> Result<Case, String> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    catch_unwind(AssertUnwindSafe(|| case(operation, data, longest))).map_err(|panic| {
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
