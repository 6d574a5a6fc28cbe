//! What the fuzz targets share: the operations of the encoder by name, and faults that only fuzzing finds.
#![deny(unsafe_code)]

mod leaks;
mod planted;

use std::collections::BTreeMap;

use pathproof::Operation;

thread_local! {
    /// Made once, and never dropped: the operations have their corpora with them, some of which live as long as the process.
    static OPERATIONS: &'static BTreeMap<String, Operation> = Box::leak(Box::new(
        q64_paths::operations()
            .into_iter()
            .chain(planted::operations())
            .map(|operation| (operation.name().to_string(), operation))
            .collect(),
    ));
}

/// A target: every path of an operation on each input, and a mutator that knows what the first bytes of an input say.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::of($name, |of| pathproof::fuzz(
            of, data
        )));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
            let size = libfuzzer_sys::fuzzer_mutate(data, size, most);
            $crate::of($name, |of| pathproof::redraw(of, data, size, seed))
        });
    };
}

/// Calls `f` with the operation of this name.
///
/// # Panics
/// If there is none: the target is wrong.
pub fn of<R>(name: &str, f: impl FnOnce(&Operation) -> R) -> R {
    OPERATIONS.with(|operations| match operations.get(name) {
        Some(operation) => f(operation),
        None => panic!("there is no operation {name}: the target's name is wrong"),
    })
}
