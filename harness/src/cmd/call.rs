//! `call`: one path, once, in this very process, for a profiler to look at.

use super::Common;
use super::session::complain;
use crate::check::Subject;
use crate::count;
use crate::ledger::exit;
use crate::operation::Operation;
use crate::receipt::Class;
use crate::select::nearest;
use crate::verdict::Verdict;

/// How valgrind counts what `count` steps. The last toggle leaves out what an empty path executes itself: of its own, as the
/// instructions of a path are the path's own.
pub(super) const PROFILERS: &str = "\
The call lies in a function `pathproof_window`, and what is not to be counted within it in `pathproof_pause`. The path has agreed \
with the reference before, outside of the window. What a path executes is what is counted beyond an empty call:

  valgrind --tool=callgrind --collect-atstart=no --toggle-collect=pathproof_window --toggle-collect=pathproof_pause \\
    --toggle-collect='pathproof::receipt::empty*' PROGRAM call q64_encode/avx2/fills 4096
  …the same with --empty

A path that crashes takes this process with it, and the profiler sees it.";

pub(super) fn call(
    common: &Common,
    operations: &[Operation],
    name: &str,
    length: usize,
    empty: bool,
) -> Result<u8, String> {
    let of = |operation: &Operation, subject: &Subject<'_>| {
        let path = subject.path();
        format!("{}/{}/{}", operation.name, path.isa, path.delivery)
    };
    let all = || {
        operations.iter().flat_map(|operation| {
            let subjects = operation.subjects().into_iter().enumerate();
            subjects.map(move |(number, subject)| (operation, number, subject))
        })
    };
    let found = all().find(|(operation, _, subject)| of(operation, subject) == name);
    let Some((operation, number, subject)) = found else {
        let near = nearest(
            name,
            all().map(|(operation, _, subject)| of(operation, &subject)),
        );
        complain(format_args!(
            "nothing ran: there is no path {name}; the nearest are {near}; `list` shows all"
        ));
        return Ok(exit::NOTHING);
    };
    count::bounded(length)?;
    let class = Class::of(length);
    match count::call(operation, (number, &subject), class, empty)? {
        Verdict::Agrees => {
            let what = if empty { "an empty path like " } else { "" };
            common.note(format_args!("{what}{name} was called on {length} bytes"));
            Ok(exit::PASS)
        }
        Verdict::Unavailable(why) => {
            complain(format_args!("nothing ran: {name}: {why}"));
            Ok(exit::NOTHING)
        }
        verdict => {
            complain(format_args!("{name} on {length} bytes: {verdict}"));
            Ok(exit::FINDING)
        }
    }
}
