//! What the fuzz targets share: the operations of the encoder by name, and faults that only fuzzing finds.
#![forbid(unsafe_code)]

mod planted;

use std::cell::RefCell;
use std::collections::BTreeMap;

use pathproof::Operation;

thread_local! {
    /// Made once: the operations have their corpora with them.
    static OPERATIONS: RefCell<BTreeMap<String, Operation>> = RefCell::new(
        q64_paths::operations()
            .into_iter()
            .chain(planted::operations())
            .map(|operation| (operation.name().to_string(), operation))
            .collect(),
    );
}

/// Runs every path of the operation of this name on one input; see [`pathproof::fuzz`].
///
/// # Panics
/// If there is no operation of that name: the target is wrong.
pub fn every_path_of(name: &str, data: &[u8]) {
    OPERATIONS.with_borrow(|operations| match operations.get(name) {
        Some(operation) => pathproof::fuzz(operation, data),
        None => panic!("there is no operation {name}: the target's name is wrong"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cargo lists the targets; the encoder lists its operations.
    #[test]
    fn every_operation_has_a_target_of_its_name() {
        let manifest = include_str!("../Cargo.toml");
        for operation in q64_paths::operations() {
            let name = operation.name();
            assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name}");
            let file = format!("{}/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&file).expect(&file);
            assert!(
                text.contains(&format!("every_path_of(\"{name}\"")),
                "{file}"
            );
        }
    }
}
