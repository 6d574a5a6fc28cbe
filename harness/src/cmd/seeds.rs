//! `seeds`: inputs for fuzz targets to begin with.

use std::collections::BTreeMap;
use std::path::Path;

use super::Common;
use super::session::complain;
use crate::case::crc32;
use crate::fuzz::seeds as seeds_of;
use crate::ledger::exit;
use crate::operation::Operation;
use crate::vectors;

/// Writes inputs to begin with, a folder for each operation, each file named after its bytes.
pub(super) fn seeds(
    common: &Common,
    operations: &[Operation],
    folder: &Path,
    file: Option<&Path>,
) -> Result<u8, String> {
    let known = file.map_or_else(|| Ok(Vec::new()), vectors::read)?;
    let mut by_operation: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for known in &known {
        let given = (&known.params, known.input.as_slice());
        by_operation
            .entry(&known.operation)
            .or_default()
            .push(given);
    }
    for name in by_operation.keys() {
        if operations.iter().all(|of| of.name() != *name) {
            common.note(format_args!(
                "there is no operation {name}: its known answers are left out"
            ));
        }
    }
    let none = Vec::new();
    let mut written = 0;
    for operation in operations {
        let folder = folder.join(operation.name());
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
        let given = by_operation.get(operation.name()).unwrap_or(&none);
        for seed in seeds_of(operation, given) {
            let path = folder.join(format!("{:08x}-{}", crc32(&seed), seed.len()));
            std::fs::write(&path, seed)
                .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
            written += 1;
        }
    }
    common.print(&format!(
        "{written} seeds of {} operations in {}\n",
        operations.len(),
        folder.display()
    ))?;
    if written == 0 {
        complain("nothing was written");
        return Ok(exit::NOTHING);
    }
    Ok(exit::PASS)
}
