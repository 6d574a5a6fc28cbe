//! `list`: operations and paths, and what cannot run here and why.

use comfy_table::{ContentArrangement, Table, TableStyle, presets};
use pathproof_reports::{PathRow, Record, State};

use super::session::{complain, program_name};
use super::{Common, Format};
use crate::ledger::exit;
use crate::machine;
use crate::operation::SWEPT;
use crate::plan::Settings;
use crate::select::{any, matches_nothing, select};
use crate::worker::protocol::{Catalog, OperationEntry, SubjectEntry};
use crate::worker::{Host, Launch};

pub(super) fn list(
    common: &Common,
    launch: &Launch,
    filter: Option<&str>,
    names: bool,
) -> Result<u8, String> {
    let settings = Settings::default();
    let catalog = Host::new(launch, &settings)?.catalog()?;
    let selected = select(&catalog, filter)?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, filter));
        return Ok(exit::NOTHING);
    }
    if names {
        let paths = chosen(&catalog, &selected).filter(|(.., subject)| !subject.peer);
        let lines = paths.map(|(of, s, _)| of.path_name(s) + "\n");
        common.print(&lines.collect::<String>())?;
        return Ok(exit::PASS);
    }
    common.print(&match common.format {
        Format::Text => text(&catalog, &selected, presets::UTF8_FULL_CONDENSED),
        Format::Md => text(&catalog, &selected, presets::ASCII_MARKDOWN),
        Format::Json => json(&catalog, &selected)?,
        Format::Junit => {
            return Err("list has no JUnit form: nothing is tested; take text, json or md".into());
        }
    })?;
    Ok(exit::PASS)
}

fn chosen<'a>(
    catalog: &'a Catalog,
    selected: &'a [Vec<bool>],
) -> impl Iterator<Item = (&'a OperationEntry, usize, &'a SubjectEntry)> {
    catalog
        .operations
        .iter()
        .zip(selected)
        .flat_map(|(operation, selected)| {
            let subjects = operation.subjects.iter().enumerate();
            subjects
                .filter(|(s, _)| selected[*s])
                .map(move |(s, subject)| (operation, s, subject))
        })
}

fn text(catalog: &Catalog, selected: &[Vec<bool>], preset: TableStyle) -> String {
    let mut table = Table::new();
    table
        .load_style(preset)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["path", "here", "executes", "switches at"]);
    for (operation, s, subject) in chosen(catalog, selected) {
        let here = match &subject.unavailable {
            Some(why) => format!("unavailable: {why}"),
            None if subject.peer => "available, a peer".into(),
            None if subject.on_threads => "available, on other threads".into(),
            None => "available".into(),
        };
        let mut executes = subject.executes.join(", ");
        if let Some(only) = &subject.only {
            executes += &format!(" (only {})", only.join(", "));
        }
        let switches: Vec<_> = subject.switches_at.iter().map(usize::to_string).collect();
        table.add_row([operation.path_name(s), here, executes, switches.join(", ")]);
    }
    let mut lines = vec![table.to_string(), String::new()];
    for (operation, _) in catalog
        .operations
        .iter()
        .zip(selected)
        .filter(|(_, selected)| selected.contains(&true))
    {
        let params = operation.params.iter().map(|(name, swept)| {
            let usual = &operation.usual[name.as_str()];
            format!("{name} over {}, usually {}", listed(swept), list_of(usual))
        });
        let longest = operation
            .longest
            .map(|bytes| format!("at most {bytes} plain bytes"));
        let swept = (operation.swept < SWEPT.min(operation.longest.unwrap_or(SWEPT)))
            .then(|| format!("every length up to {}", operation.swept));
        let loads = operation.loads.iter().map(|(name, bytes, params)| {
            let values = params
                .iter()
                .map(|(name, v)| format!(", {name} {}", list_of(v)));
            format!(
                "the load \"{name}\" of {bytes} plain bytes{}",
                values.collect::<String>()
            )
        });
        let sets = operation
            .sets
            .iter()
            .map(|(name, rows, width)| format!("{rows} rows of {width} bytes ({name})"));
        let laws = operation
            .laws
            .iter()
            .map(|law| format!("the law \"{law}\""));
        let cases: u64 = operation.checks.iter().map(|(_, count)| count).sum();
        let also: Vec<_> = params
            .chain(longest)
            .chain(swept)
            .chain(sets)
            .chain(laws)
            .chain(loads)
            .collect();
        let also = if also.is_empty() {
            String::new()
        } else {
            format!("; {}", also.join("; "))
        };
        lines.push(format!(
            "{}: {cases} cases and the random ones{also}",
            operation.name
        ));
    }
    lines.join("\n") + "\n"
}

/// A parameter's value: a number, or a list of none or several.
fn list_of(value: &[u64]) -> String {
    match value {
        [number] => number.to_string(),
        list => format!("{list:?}"),
    }
}

fn listed(swept: &[Vec<u64>]) -> String {
    let values: Vec<_> = swept.iter().map(|value| list_of(value)).collect();
    values.join(", ")
}

fn json(catalog: &Catalog, selected: &[Vec<bool>]) -> Result<String, String> {
    let row = |(operation, _, subject): (&OperationEntry, usize, &SubjectEntry)| {
        let (state, reason) = match &subject.unavailable {
            Some(why) => (State::Unavailable, why.clone()),
            None => (State::NotExecuted, "listed, not run".to_string()),
        };
        Record::Path(PathRow {
            operation: operation.name.clone(),
            isa: subject.isa.clone(),
            delivery: subject.delivery.clone(),
            state,
            cases: 0,
            reason: Some(reason),
            errors: None,
            receipt: None,
            peer: subject.peer,
        })
    };
    let machine = Record::Machine(machine::fingerprint(&program_name()));
    let records = std::iter::once(machine).chain(chosen(catalog, selected).map(row));
    let line = |record| {
        serde_json::to_string(&record)
            .map(|line| line + "\n")
            .map_err(|e| e.to_string())
    };
    records.map(line).collect()
}
