//! Which paths are meant: by a filter, by the name of an ISA, by a name of their own.

use std::path::Path;

use crate::worker::protocol::Catalog;

/// Which subjects a filter means: a glob over `operation/isa/delivery`, or over the beginning of it up to a slash.
pub(crate) fn select(catalog: &Catalog, filter: Option<&str>) -> Result<Vec<Vec<bool>>, String> {
    let patterns = match filter {
        None => Vec::new(),
        Some(filter) => [filter.to_string(), format!("{filter}/*")]
            .iter()
            .map(|text| {
                glob::Pattern::new(text)
                    .map_err(|e| format!("filter {filter:?}: {}, at character {}", e.msg, e.pos))
            })
            .collect::<Result<_, _>>()?,
    };
    let meant =
        |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name));
    let of = |entry: &crate::worker::protocol::OperationEntry| -> Vec<bool> {
        (0..entry.subjects.len())
            .map(|subject| meant(&entry.path_name(subject)))
            .collect()
    };
    Ok(catalog.operations.iter().map(of).collect())
}

/// Whether a selection has anything in it.
pub(crate) fn any(selected: &[Vec<bool>]) -> bool {
    selected.iter().flatten().any(|selected| *selected)
}

/// What to say where it has not.
pub(crate) fn matches_nothing(catalog: &Catalog, filter: Option<&str>) -> String {
    let names = catalog
        .operations
        .iter()
        .flat_map(|o| (0..o.subjects.len()).map(|s| o.path_name(s)));
    let near = nearest(filter.unwrap_or_default(), names);
    format!(
        "nothing ran: the filter {:?} matches no path; the nearest are {near}; `list` shows all",
        filter.unwrap_or_default()
    )
}

/// Whether a name means paths of this program: an ISA, or the whole name of a path.
///
/// # Errors
/// It means none; with the nearest names that do.
pub(crate) fn known(catalog: &Catalog, name: &str) -> Result<(), String> {
    let paths = || {
        let all = catalog.operations.iter().flat_map(|operation| {
            let subjects = 0..operation.subjects.len();
            subjects.map(move |subject| (operation, subject))
        });
        all.filter(|(operation, subject)| !operation.subjects[*subject].peer)
    };
    if paths().any(|(operation, subject)| operation.is_meant(subject, name)) {
        return Ok(());
    }
    let near = match name.contains('/') {
        true => nearest(name, paths().map(|(of, subject)| of.path_name(subject))),
        false => nearest(
            name,
            paths().map(|(of, subject)| of.subjects[subject].isa.clone()),
        ),
    };
    Err(format!(
        "{name}: no operation has a path of that name; the nearest are {near}"
    ))
}

/// The paths that a file promises, one a line by their whole names, but for empty lines and those that begin with `#`.
///
/// # Errors
/// The file cannot be read, or promises nothing: then it could not fail.
pub(crate) fn promised(file: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("cannot read the promised paths in {}: {e}", file.display()))?;
    let lines = text.lines().map(str::trim);
    let names: Vec<String> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    match names.is_empty() {
        true => Err(format!(
            "{} promises no path: OPERATION/ISA/DELIVERY was expected, one a line",
            file.display()
        )),
        false => Ok(names),
    }
}

/// Which of these paths the program does not have: not even as one that cannot run here.
pub(crate) fn missing<'a>(catalog: &Catalog, names: &'a [String]) -> Vec<&'a str> {
    let has = |name: &str| {
        catalog.operations.iter().any(|of| {
            let mut subjects = 0..of.subjects.len();
            subjects.any(|subject| !of.subjects[subject].peer && of.path_name(subject) == name)
        })
    };
    names
        .iter()
        .map(String::as_str)
        .filter(|name| !has(name))
        .collect()
}

pub(crate) fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let known: std::collections::BTreeSet<String> = known.collect();
    let mut known: Vec<String> = known.into_iter().collect();
    known.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
    known.truncate(3);
    known.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let known = ["scalar", "avx2", "avx512vbmi", "avx512", "neon"].map(String::from);
        assert!(nearest("avx513", known.into_iter()).starts_with("avx512, avx512vbmi"));
    }
}
