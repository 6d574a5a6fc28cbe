//! `report`: records again, as a page and in any form.

use std::path::{Path, PathBuf};

use super::verify::{address, page_beside};
use super::{Common, Format};
use crate::ledger::exit;

pub(super) fn report(
    common: &Common,
    records: &[PathBuf],
    page: Option<&Path>,
) -> Result<u8, String> {
    let reports = records
        .iter()
        .map(|path| pathproof_reports::read(path).map_err(|e| e.to_string()));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    let page = page.map_or_else(|| page_beside(&records[0]), Path::to_path_buf);
    std::fs::write(&page, pathproof_reports::page(&reports)).map_err(|e| {
        format!(
            "cannot write {}: {e}; name another with --page FILE",
            page.display()
        )
    })?;
    if common.format == Format::Junit && reports.len() > 1 {
        return Err(
            "one JUnit file has one report: give one records file, or another --format".into(),
        );
    }
    common.print(
        &reports
            .iter()
            .map(|report| common.render(report))
            .collect::<String>(),
    )?;
    common.note(format_args!("page: {}", address(&page)));
    Ok(exit::PASS)
}
