//! `doctor`: what this machine can prove, and how noisy it is.

use comfy_table::{ContentArrangement, Table, TableStyle, presets};
use pathproof_reports::{Figure, Record};

use super::session::program_name;
use super::{Common, Format};
use crate::ledger::exit;
use crate::machine;
use crate::plan::Settings;
use crate::worker::{Host, Launch};

pub(super) fn doctor(common: &Common, launch: &Launch) -> Result<u8, String> {
    let settings = Settings::default();
    let machine = machine::fingerprint(&program_name());
    let figures = machine::doctor(&mut Host::new(launch, &settings)?);
    let table = |preset: TableStyle| {
        let mut table = Table::new();
        table
            .load_style(preset)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(["what", "value", "meaning"]);
        table.add_row([
            "cpu",
            &machine.cpu,
            machine.hypervisor.as_deref().map_or("", |_| "a guest"),
        ]);
        table.add_row([
            "system",
            &format!("{} {} {}", machine.os, machine.arch, machine.kernel),
            "",
        ]);
        table.add_row([
            "features",
            &machine.features.join(" "),
            "detected; paths that need others are unavailable",
        ]);
        for figure in &figures {
            let value = figure.value.map_or_else(
                || "—".into(),
                |value| {
                    format!("{value:.3}")
                        .trim_end_matches('0')
                        .trim_end_matches('.')
                        .to_string()
                },
            );
            let meaning = figure.reason.as_ref().map_or_else(
                || figure.unit.clone(),
                |why| format!("not measurable: {why}"),
            );
            table.add_row([&figure.quantity, &value, &meaning]);
        }
        format!("{table}\n")
    };
    let text = match common.format {
        Format::Text => table(presets::UTF8_FULL_CONDENSED),
        Format::Md => table(presets::ASCII_MARKDOWN),
        Format::Json => json(&figures, Record::Machine(machine.clone()))?,
        Format::Junit => {
            return Err(
                "doctor has no JUnit form: nothing is tested; take text, json or md".into(),
            );
        }
    };
    common.print(&text)?;
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
