//! Which rows a table has, and what each compares.

use std::collections::BTreeMap;

use pathproof_reports::State;

use super::super::CompareArgs;

use crate::case::mix;
use crate::desk::IN_PLACE;
use crate::pair::{SHARED_CORE, Subjected, VERSION};
use crate::select::{any, matches_nothing, nearest, select};
use crate::worker::protocol::{Catalog, OperationEntry, SubjectEntry};

/// Plain bytes a call, where no others are asked for: a common width of embeddings, and a page.
pub(in super::super) const SIZES: [usize; 2] = [768, 4096];

/// Beyond it, an arena for inputs and answers would be more memory than an ordinary machine can spare.
const LARGEST: usize = 64 << 20;

/// A path or peer at one side.
#[derive(Clone, PartialEq, Eq)]
pub(in super::super) struct Named {
    pub(in super::super) operation: String,
    pub(in super::super) isa: String,
    pub(in super::super) delivery: String,
}

impl Named {
    pub(in super::super) fn of(entry: &OperationEntry, subject: usize) -> Self {
        let SubjectEntry { isa, delivery, .. } = &entry.subjects[subject];
        Self {
            operation: entry.name.clone(),
            isa: isa.clone(),
            delivery: delivery.clone(),
        }
    }

    pub(in super::super) fn name(&self) -> String {
        format!("{}/{}/{}", self.operation, self.isa, self.delivery)
    }
}

/// What one row compares.
pub(in super::super) struct Row {
    pub(in super::super) base: Named,
    pub(in super::super) head: Named,
    /// What a call is given, as it is shown; and as a side is told.
    pub(in super::super) load: String,
    pub(in super::super) bytes: usize,
    pub(in super::super) params: BTreeMap<String, Vec<u64>>,
    pub(in super::super) seed: u64,
}

impl Row {
    pub(in super::super) fn subjected(&self, named: &Named) -> Subjected {
        Subjected {
            version: VERSION,
            operation: named.operation.clone(),
            isa: named.isa.clone(),
            delivery: named.delivery.clone(),
            bytes: self.bytes,
            seed: self.seed,
            params: self.params.clone(),
            want: None,
            moved: None,
        }
    }
}

/// The rows of a path at the sizes and loads that are asked for.
pub(in super::super) fn rows(
    entry: &OperationEntry,
    (base, head): (Named, Named),
    (sizes, loads): (&[usize], &[String]),
    seed: u64,
) -> Vec<Row> {
    let row = |load: String, bytes: usize, params: &crate::operation::Params| Row {
        base: base.clone(),
        head: head.clone(),
        load,
        bytes,
        params: entry
            .usual
            .iter()
            .chain(params)
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
        seed: mix(&[seed, bytes as u64]) >> 16,
    };
    let none = crate::operation::Params::new();
    let mut taken: Vec<usize> = Vec::new();
    for size in sizes {
        if entry.takes(*size) && !taken.contains(size) {
            taken.push(*size);
        }
    }
    if taken.is_empty() && loads.is_empty() {
        // An operation whose inputs are all short is compared at its longest.
        taken.extend(entry.longest);
    }
    let taken = taken
        .into_iter()
        .map(|size| row(size.to_string(), size, &none));
    let loads = entry
        .loads
        .iter()
        .filter(|(name, ..)| loads.contains(name))
        .map(|(name, bytes, params)| row(name.clone(), *bytes, params));
    taken.chain(loads).collect()
}

/// Why a subject is not compared, if it is not.
pub(in super::super) fn not_compared(its: &SubjectEntry) -> Option<String> {
    its.unavailable
        .clone()
        .or_else(|| its.in_place.then(|| IN_PLACE.to_string()))
        .or_else(|| its.on_threads.then(|| SHARED_CORE.to_string()))
}

/// What is compared, and which paths are not.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// With what is to be said of each in the ledger; in a figure, where no comparison could ever be.
    pub(super) left_out: Vec<(Named, Option<State>, String)>,
}

/// What a call is given, where that was asked for, and otherwise what is usual.
fn wanted<'a>(
    catalog: &Catalog,
    args: &'a CompareArgs,
) -> Result<(&'a [usize], &'a [String]), String> {
    let offered = || catalog.operations.iter().flat_map(|entry| &entry.loads);
    let known = |load: &String| offered().any(|(name, ..)| name == load);
    if let Some(load) = args.loads.iter().find(|load| !known(load)) {
        let names = offered().map(|(name, ..)| format!("{name:?}"));
        let near = nearest(&format!("{load:?}"), names);
        return Err(format!(
            "--load {load:?}: no operation has it; the nearest are {near}"
        ));
    }
    Ok(match (&args.sizes[..], &args.loads[..]) {
        ([], []) => (&SIZES, &[]),
        given => given,
    })
}

/// Each path that the filter means, against itself in another build; or why there is nothing.
pub(super) fn of_one(
    catalog: &Catalog,
    args: &CompareArgs,
    seed: u64,
) -> Result<Result<Table, String>, String> {
    let wanted = wanted(catalog, args)?;
    if let Some(second) = &args.head {
        return Err(format!(
            "{second}: with --base or --base-bin each path is compared with itself, and one FILTER says which"
        ));
    }
    let selected = select(catalog, args.path.as_deref())?;
    if !any(&selected) {
        return Ok(Err(matches_nothing(catalog, args.path.as_deref())));
    }
    let mut table = Table {
        rows: Vec::new(),
        left_out: Vec::new(),
    };
    for (entry, selected) in catalog.operations.iter().zip(&selected) {
        for subject in (0..entry.subjects.len()).filter(|s| selected[*s]) {
            let (its, named) = (&entry.subjects[subject], Named::of(entry, subject));
            // What others publish is no revision's doing.
            if its.peer && args.path.as_deref() != Some(&named.name()) {
                continue;
            }
            if let Some(why) = not_compared(its) {
                let state = its.unavailable.as_ref().map(|_| State::Unavailable);
                table.left_out.push((named, state, why));
                continue;
            }
            let rows = rows(entry, (named.clone(), named.clone()), wanted, seed);
            if rows.is_empty() {
                let why = "it takes none of the sizes and loads that were asked for".into();
                table.left_out.push((named, Some(State::NotExecuted), why));
            }
            table.rows.extend(rows);
        }
    }
    Ok(Ok(table))
}

/// Two paths of one operation, against each other; or why there is nothing.
pub(super) fn of_two(
    catalog: &Catalog,
    args: &CompareArgs,
    seed: u64,
) -> Result<Result<Table, String>, String> {
    let wanted = wanted(catalog, args)?;
    let [Some(base), Some(head)] = [&args.path, &args.head] else {
        return Err(
            "two paths, or --base REV, or --base-bin FILE: with what is to be compared?".into(),
        );
    };
    let (entry, base) = found(catalog, base)?;
    let (of_head, head) = found(catalog, head)?;
    if entry.name != of_head.name {
        return Err(format!(
            "{} and {} are two operations: paths of one are compared, and its peers",
            entry.name, of_head.name
        ));
    }
    for subject in [base, head] {
        if let Some(why) = not_compared(&entry.subjects[subject]) {
            return Ok(Err(format!("{}: {why}", entry.path_name(subject))));
        }
    }
    let pair = (Named::of(entry, base), Named::of(entry, head));
    let rows = rows(entry, pair, wanted, seed);
    if rows.is_empty() {
        let loads: Vec<String> = entry
            .loads
            .iter()
            .map(|(name, ..)| format!("{name:?}"))
            .collect();
        return Ok(Err(format!(
            "{} takes none of the sizes and loads that were asked for; its loads are: {}",
            entry.name,
            if loads.is_empty() {
                "none".into()
            } else {
                loads.join(", ")
            }
        )));
    }
    Ok(Ok(Table {
        rows,
        left_out: Vec::new(),
    }))
}

/// Sizes that can be compared.
pub(in super::super) fn checked(sizes: &[usize]) -> Result<(), String> {
    match sizes.iter().find(|size| !(1..=LARGEST).contains(*size)) {
        Some(size) => Err(format!(
            "--sizes {size}: from 1 to at most {LARGEST} bytes can be compared"
        )),
        None => Ok(()),
    }
}

/// A path or peer by its whole name.
pub(in super::super) fn found<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<(&'a OperationEntry, usize), String> {
    let all = || {
        let operations = catalog.operations.iter();
        operations.flat_map(|entry| (0..entry.subjects.len()).map(move |s| (entry, s)))
    };
    all()
        .find(|(entry, s)| entry.path_name(*s) == name)
        .ok_or_else(|| {
            let near = nearest(name, all().map(|(entry, s)| entry.path_name(s)));
            format!("{name}: no path or peer has this name; the nearest are {near}")
        })
}
