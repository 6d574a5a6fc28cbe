//! `doctor`: what this machine can prove and measure, and how noisy it is.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use pathproof_reports::{Figure, Machine, Record};

use super::session::program_name;
use super::{Common, Format};
use crate::ledger::exit;
use crate::machine;
use crate::plan::Settings;
use crate::worker::{Host, Launch};

/// How wide a table is that no terminal sets a width for.
const WIDTH: u16 = 100;
/// How wide its column of values is at most, so that the list of features leaves room for the meanings.
const VALUES: u16 = 30;

pub(super) fn doctor(common: &Common, launch: &Launch) -> Result<u8, String> {
    let settings = Settings::default();
    let machine = machine::fingerprint(&program_name());
    let figures = machine::doctor(&mut Host::new(launch, &settings)?);
    let told = match common.format {
        Format::Text => text(&machine, &figures),
        Format::Md => markdown(&machine, &figures),
        Format::Json => json(&figures, Record::Machine(machine.clone()))?,
        Format::Junit => {
            return Err(
                "doctor has no JUnit form: nothing is tested; take text, json or md".into(),
            );
        }
    };
    common.print(&told)?;
    // A machine on which the harness' own safety does not work can prove nothing.
    let broken = figures
        .iter()
        .find(|figure| figure.quantity == "guard pages" && figure.value.is_none());
    Ok(if broken.is_some() {
        exit::TROUBLE
    } else {
        exit::PASS
    })
}

fn text(machine: &Machine, figures: &[Figure]) -> String {
    let mut table = table(machine, figures);
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_none() {
        table.set_width(WIDTH);
    }
    if let Some(values) = table.column_mut(1) {
        values.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(VALUES)));
    }
    format!("{table}\n")
}

/// A row is a line, however long.
fn markdown(machine: &Machine, figures: &[Figure]) -> String {
    let mut table = table(machine, figures);
    table.load_style(presets::ASCII_MARKDOWN);
    format!("{table}\n")
}

fn table(machine: &Machine, figures: &[Figure]) -> Table {
    let mut table = Table::new();
    table.set_header(["what", "value", "meaning"]);
    table.add_row([
        "cpu",
        &machine.cpu,
        machine.hypervisor.as_deref().map_or("", |_| "a guest"),
    ]);
    let system = format!("{} {} {}", machine.os, machine.arch, machine.kernel);
    table.add_row(["system", &system, ""]);
    table.add_row(match machine.libc.as_deref() {
        Some(libc) => [
            "C library",
            libc,
            "its memcpy and allocator are the ones that paths call",
        ],
        None => [
            "C library",
            "—",
            "not known: this system's has no call that names it",
        ],
    });
    table.add_row([
        "features",
        &machine.features.join(" "),
        "detected; paths that need others are unavailable",
    ]);
    for figure in figures {
        let (value, meaning) = match (figure.value, &figure.reason) {
            (None, why) => {
                let why = why.as_deref().unwrap_or("for no known reason");
                ("—".into(), format!("not measurable: {why}"))
            }
            (Some(value), None) => (short(value), figure.unit.clone()),
            (Some(value), Some(note)) => (short(value), format!("{}: {note}", figure.unit)),
        };
        table.add_row([&figure.quantity, &value, &meaning]);
    }
    table
}

fn short(value: f64) -> String {
    let digits = format!("{value:.3}");
    digits.trim_end_matches('0').trim_end_matches('.').into()
}

fn json(figures: &[Figure], machine: Record) -> Result<String, String> {
    let records = std::iter::once(machine).chain(figures.iter().cloned().map(Record::Figure));
    records
        .map(|record| {
            serde_json::to_string(&record)
                .map(|line| line + "\n")
                .map_err(|e| e.to_string())
        })
        .collect()
}
