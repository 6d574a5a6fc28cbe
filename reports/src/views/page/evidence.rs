//! What the machine executed, how many instructions that is, and which changes of the code were
//! noticed: a chart and tables for each.

use maud::{Markup, html};

use super::super::chart::{evidence as charts, stacks};
use super::super::evidence::words::{length, lines};
use super::super::evidence::{
    Evidence, Operation, Score, Shared, Subject, allocations, by_feature, features, hot_loop,
};
use super::super::palette::{self, Ink};
use super::super::times::Who;
use super::{FEW, THIN, broken_at_slashes, legend, of_operation, pictures};
use crate::number::{grouped, measured, size};
use crate::plain::one_line;
use crate::record::Receipt;

/// How many mnemonics of a loop are named.
const LOOP: usize = 16;

/// All evidence; nothing if there is none.
pub(super) fn section(evidence: &Evidence<'_>, peers: &[&str]) -> Markup {
    let with = |has: fn(&Operation<'_>) -> bool| {
        let operations = evidence.operations.iter();
        operations
            .filter(|operation| has(operation))
            .collect::<Vec<_>>()
    };
    let many = evidence.operations.len() > FEW;
    let stepped = with(|operation| operation.has_receipts());
    let counted = with(|operation| operation.has_counts());
    let mutated = with(|operation| operation.has_mutants());
    html! {
        @if !stepped.is_empty() {
            h2 { "Receipts" }
            p.lead {
                "What one call executed, instruction by instruction, for that many plain bytes. Each instruction counts \
                 under the rarest CPU feature that it needs; libraries, such as libc's memcpy, are counted apart."
            }
            @for operation in stepped { section.evidence { (of_operation(operation.name, many, ("", receipts(operation)))) } }
        }
        @if !counted.is_empty() {
            h2 { "Instructions" }
            p.lead {
                "Exact counts of the program's own code: for 64 plain bytes more, and for a call beside those. A count \
                 detects change; it does not rank, for instructions are not equally fast."
            }
            @for operation in counted { section.evidence { (of_operation(operation.name, many, ("", counts(operation, peers)))) } }
        }
        @if !mutated.is_empty() {
            h2 { "Mutation score" }
            p.lead {
                "The machine code of a path is changed in one place, and its verification runs: a mutant that it notices \
                 is killed. One that lives is accepted with a reason, or is a gap in the verification."
            }
            @for operation in mutated { section.evidence { (of_operation(operation.name, many, (&sum(operation), scores(operation)))) } }
            (survivors(evidence))
        }
    }
}

fn receipts(operation: &Operation<'_>) -> Markup {
    html! {
        @if let Some(length) = operation.common_length() {
            @let mix = charts::mix(operation, length);
            @if mix.has_numbers() {
                h4 { "Instruction mix at " (size(length)) }
                p.muted { "By CPU feature, the rarest first. Beside each bar, how many instructions it is made of." }
                (legend(features_at(operation, length), palette::feature))
                (pictures(|width| stacks::draw(&mix, width)))
            }
            (numbers_of_mix(operation, length))
        }
        h4 { "At each path's longest length" }
        table.folded.receipts role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Path" }
                    @for name in ["At", "Own", "Libraries'", "Allocations"] {
                        th.number role="columnheader" scope="col" { (name) }
                    }
                    th role="columnheader" scope="col" { "By feature, hot loop, main function" }
                }
            }
            tbody role="rowgroup" { @for path in &operation.paths { (receipt(path)) } }
        }
    }
}

/// The features that occur at this length, the rarest first.
fn features_at<'o>(operation: &'o Operation<'_>, length: u64) -> Vec<&'o str> {
    let at = operation.paths.iter().filter_map(|path| path.at(length));
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in at.flat_map(features) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| palette::rank_of_feature(name));
    names
}

fn numbers_of_mix(operation: &Operation<'_>, length: u64) -> Markup {
    let names = features_at(operation, length);
    let cell = |receipt: &Receipt, name: &str| receipt.features.get(name).copied();
    html! {
        details {
            summary { "Instruction mix: the same numbers as a table" }
            div.scroll tabindex="0" {
                table.numbers.times {
                    caption { "Own instructions of " (one_line(operation.name)) " at " (size(length)) " by CPU feature" }
                    thead {
                        tr {
                            th scope="col" { "Path" }
                            @for name in &names { th.number scope="col" { (one_line(name)) } }
                            th.number scope="col" { "all" }
                        }
                    }
                    tbody {
                        @for path in &operation.paths {
                            tr {
                                (path_head(path))
                                @match path.at(length) {
                                    Some(receipt) => {
                                        @for name in &names {
                                            td.number { (cell(receipt, name).map_or("–".to_owned(), |n| grouped(n, THIN))) }
                                        }
                                        td.number { @if receipt.cut { "first " } (grouped(receipt.own, THIN)) }
                                    }
                                    None => {
                                        td.reason colspan=(names.len() + 1) {
                                            @if path.receipts.is_empty() { (one_line(&path.why_no_receipt())) }
                                            @else { "no receipt at " (size(length)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The receipt that stands for a path, or why there is none.
fn receipt(path: &Subject<'_>) -> Markup {
    html! {
        tr role="row" {
            th.path role="rowheader" scope="row" { (broken_at_slashes(&path.label_or_peer())) }
            @match path.chosen() {
                Some(receipt) => {
                    td.number role="cell" data-name="at" { (size(receipt.length)) }
                    td.number role="cell" data-name="own" { (grouped(receipt.own, THIN)) }
                    td.number role="cell" data-name="libraries'" { (grouped(receipt.elsewhere, THIN)) }
                    td.number role="cell" data-name="allocations" { (allocations(receipt, THIN)) }
                    td.long role="cell" {
                        div {
                            @for (n, part) in by_feature(receipt, THIN).iter().enumerate() {
                                @if n > 0 { " · " }
                                span.whole { (one_line(part)) }
                            }
                        }
                        @if !receipt.hot_loop.is_empty() {
                            div.muted.path { (one_line(&hot_loop(receipt, LOOP))) }
                        }
                        @if let Some(main) = receipt.functions.first() { div.muted.path { "in " (one_line(main)) } }
                        @for note in path.about(receipt, THIN) { div.warn { (note) } }
                    }
                }
                None => {
                    @for _ in 0..4 { td.number role="cell" {} }
                    td.long.muted.wrap role="cell" { (one_line(&path.why_no_receipt())) }
                }
            }
        }
    }
}

fn counts(operation: &Operation<'_>, peers: &[&str]) -> Markup {
    let chart = charts::counts(operation, peers);
    let shown = |n: Result<f64, String>| n.map_or("–".to_owned(), |n| measured(n, THIN));
    let has_peers = operation.paths.iter().any(|path| path.who == Who::Peer);
    html! {
        @if chart.has_numbers() {
            h4 { "Instructions per 64 bytes" }
            @if has_peers { p.muted { "Outlines: peers, other codecs at the same work." } }
            (pictures(|width| stacks::draw(&chart, width)))
        }
        details {
            summary { "Marginal and fixed instructions as a table" }
            div.scroll tabindex="0" {
                table.numbers.times {
                    caption { "Own instructions of " (one_line(operation.name)) }
                    thead {
                        tr {
                            th scope="col" { "Path" }
                            th.number scope="col" { "per 64 bytes, marginal" }
                            th.number scope="col" { "per call, fixed" }
                            th scope="col" { "Remark, or why none" }
                        }
                    }
                    tbody {
                        @for path in &operation.paths {
                            tr {
                                (path_head(path))
                                td.number { (shown(path.marginal())) }
                                td.number { (shown(path.fixed())) }
                                td.reason { (one_line(&path.about_counts().join("; "))) }
                            }
                        }
                    }
                }
            }
        }
        @if operation.has_receipts() {
            details {
                summary { "Instructions by length" }
                @for path in operation.paths.iter().filter(|path| !path.receipts.is_empty()) {
                    (by_length(operation, path))
                }
            }
        }
    }
}

fn by_length(operation: &Operation<'_>, path: &Subject<'_>) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.numbers.times {
                caption { "Instructions of " (one_line(operation.name)) "/" (one_line(&path.label())) " by plain bytes" }
                thead {
                    tr {
                        th scope="col" { "Plain bytes" }
                        @for receipt in &path.receipts { th.number scope="col" { (length(receipt)) } }
                    }
                }
                tbody {
                    @for (name, cells) in lines(&path.receipts, THIN) {
                        tr {
                            th scope="row" { (name) }
                            @for cell in cells { td.number { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// The scores of all its paths together.
fn sum(operation: &Operation<'_>) -> String {
    let scores: Vec<Score> = operation
        .mutated()
        .filter_map(|path| path.score().ok())
        .collect();
    let of = |n: fn(&Score) -> f64| scores.iter().map(n).sum::<f64>();
    let [all, killed, open] = [of(|s| s.all), of(|s| s.killed), of(|s| s.open())];
    if all == 0.0 {
        return "no mutant of its own".to_owned();
    }
    let [all, killed, open] = [all, killed, open].map(|n| measured(n, THIN));
    format!("{killed} of {all} killed, {open} not accepted")
}

fn scores(operation: &Operation<'_>) -> Markup {
    let chart = charts::scores(operation);
    let shown = |n: Option<f64>| n.map_or("–".to_owned(), |n| measured(n, THIN));
    let kinds = operation.kinds();
    html! {
        @if chart.has_numbers() {
            (legend(["killed", "accepted", "not accepted"], fate))
            (pictures(|width| stacks::draw(&chart, width)))
        }
        details {
            summary { "Mutants: the same numbers as a table" }
            div.scroll tabindex="0" {
                table.numbers.times {
                    caption { "Mutants of " (one_line(operation.name)) }
                    thead {
                        tr {
                            th scope="col" { "Path" }
                            @for name in ["mutants", "killed", "score", "accepted", "not accepted"] {
                                th.number scope="col" { (name) }
                            }
                            th scope="col" { "Remark, or why none" }
                        }
                    }
                    tbody {
                        @for path in operation.mutated() {
                            @let score = path.score().ok();
                            @let [all, killed, accepted] = path.mutants();
                            tr {
                                (path_head(path))
                                td.number { (shown(all)) }
                                td.number { (shown(killed)) }
                                td.number { (score.map_or("–".to_owned(), |score| score.percent())) }
                                td.number { (shown(accepted)) }
                                td.number { (shown(score.map(|score| score.open()))) }
                                td.reason { (one_line(&path.about_score().join("; "))) }
                            }
                        }
                    }
                }
            }
            @if !kinds.is_empty() {
                div.scroll tabindex="0" {
                    table.numbers.times {
                        caption {
                            "Killed of all mutants (accepted) of " (one_line(operation.name)) ", by kind of change"
                        }
                        thead {
                            tr {
                                th scope="col" { "Path" }
                                @for kind in &kinds { th.number scope="col" { (one_line(kind)) } }
                            }
                        }
                        tbody {
                            @for path in operation.paths.iter().filter(|path| path.has_kinds()) {
                                tr {
                                    (path_head(path))
                                    @for kind in &kinds {
                                        td.number { (path.of_kind(kind, THIN).unwrap_or_else(|| "–".to_owned())) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn fate(name: &str) -> Ink {
    match name {
        "killed" => palette::KILLED,
        "accepted" => palette::ACCEPTED,
        _ => palette::OPEN,
    }
}

fn path_head(path: &Subject<'_>) -> Markup {
    html! {
        th.path scope="row" {
            (one_line(&path.label()))
            @if matches!(path.who, Who::Peer | Who::Roofline) { span.muted { " peer" } }
        }
    }
}

/// Those that nobody has accepted, and the others folded.
fn survivors(evidence: &Evidence<'_>) -> Markup {
    let open: Vec<&Shared<'_>> = evidence.unaccepted().collect();
    let accepted = evidence.accepted();
    let count: usize = accepted.iter().map(|(_, of_it)| of_it.len()).sum();
    html! {
        @if !evidence.survivors.is_empty() {
            h3 { "Survivors that are not accepted" }
            @if open.is_empty() { p { "None." } }
            @for shared in open { (survivor(shared)) }
        }
        @if count > 0 {
            details {
                summary { "Accepted survivors: " (grouped(count as u64, THIN)) }
                @for (why, of_it) in accepted {
                    h4 { (grouped(of_it.len() as u64, THIN)) ": " (one_line(why)) }
                    @for shared in of_it { (survivor(shared)) }
                }
            }
        }
    }
}

fn survivor(shared: &Shared<'_>) -> Markup {
    let survivor = shared.survivor;
    html! {
        div.survivor {
            p.path { strong { (one_line(&survivor.instruction)) } " · " (one_line(&survivor.change)) }
            p.muted.path {
                (one_line(&shared.place()))
                @if let Some(source) = &survivor.source { " · " (one_line(source)) }
            }
            p.muted.path {
                @for (n, path) in shared.paths.iter().enumerate() {
                    @if n > 0 { ", " }
                    (broken_at_slashes(path))
                }
            }
        }
    }
}
