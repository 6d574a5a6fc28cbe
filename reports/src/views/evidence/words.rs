//! The evidence in words, for a terminal and Markdown.

use super::{
    Evidence, Operation, Shared, Subject, allocations, by_feature, hot_loop, per_64_bytes,
};
use crate::number::{grouped, measured, size};
use crate::record::Receipt;
use crate::views::words::Table;

/// How many mnemonics of a loop are named, and how many lengths stand beside each other.
const LOOP: usize = 8;
const LENGTHS: usize = 10;

impl Evidence<'_> {
    /// Receipts, counts and scores of all operations. Text from records is as it is there.
    pub(in super::super) fn in_words(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        for operation in self.operations.iter().filter(|of| of.has_receipts()) {
            tables.push(operation.receipts());
        }
        for operation in self.operations.iter().filter(|of| of.has_counts()) {
            tables.push(operation.counts());
            tables.extend(
                operation
                    .paths
                    .iter()
                    .flat_map(|path| path.by_length(operation)),
            );
        }
        for operation in self.operations.iter().filter(|of| of.has_mutants()) {
            tables.push(operation.scores());
            tables.extend(operation.kinds_of_change());
        }
        tables.extend(self.open());
        tables
    }

    /// The survivors that nobody has accepted, and how many there are of the others.
    fn open(&self) -> Option<Table> {
        let row = |shared: &Shared<'_>| {
            let survivor = shared.survivor;
            vec![
                shared.place(),
                survivor.instruction.clone(),
                survivor.change.clone(),
                survivor.source.clone().unwrap_or_default(),
                shared.paths.join(", "),
            ]
        };
        let rows: Vec<Vec<String>> = self.unaccepted().map(row).collect();
        let accepted = self.accepted_in_words();
        (!self.survivors.is_empty()).then(|| Table {
            title: match rows.len() {
                0 => "Survivors: none that is not accepted".to_owned(),
                n => format!("Survivors that are not accepted: {n}"),
            },
            header: ["changed at", "instruction", "change", "source", "paths"]
                .map(str::to_owned)
                .to_vec(),
            rows,
            notes: accepted.into_iter().collect(),
            ..Table::default()
        })
    }

    fn accepted_in_words(&self) -> Option<String> {
        let of_reason = |(why, of_it): &(&str, Vec<&Shared<'_>>)| {
            format!("{} {why}", grouped(of_it.len() as u64, ','))
        };
        let reasons: Vec<String> = self.accepted().iter().map(of_reason).collect();
        let all = self.survivors.len() - self.unaccepted().count();
        (all > 0).then(|| {
            let all = grouped(all as u64, ',');
            format!("Accepted, each change once: {all} ({})", reasons.join("; "))
        })
    }
}

impl Shared<'_> {
    /// `function+0x61`.
    pub(in super::super) fn place(&self) -> String {
        format!("{}+{:#x}", self.survivor.function, self.survivor.offset)
    }
}

impl Operation<'_> {
    fn receipts(&self) -> Table {
        let header = [
            "path",
            "at",
            "own",
            "libraries'",
            "allocations",
            "by feature",
            "hot loop",
            "main function",
            "remark",
        ];
        let row = |path: &Subject<'_>| {
            let mut words = vec![path.label()];
            let mut notes: Vec<String> = Vec::new();
            notes.extend((!path.is_ours()).then(|| "peer".to_owned()));
            match path.chosen() {
                Some(receipt) => {
                    let main = receipt.functions.first();
                    words.extend([
                        size(receipt.length),
                        grouped(receipt.own, ','),
                        grouped(receipt.elsewhere, ','),
                        allocations(receipt, ','),
                        by_feature(receipt, ',').join(" · "),
                        hot_loop(receipt, LOOP),
                        main.map_or_else(String::new, |main| format!("in {main}")),
                    ]);
                    notes.extend(path.about(receipt, ','));
                }
                None => {
                    words.extend(["-", "-", "-", "-", "", "", ""].map(str::to_owned));
                    notes.push(path.why_no_receipt());
                }
            }
            words.push(notes.join("; "));
            words
        };
        Table {
            title: format!("{}: Receipts, instructions of one call", self.name),
            header: header.map(str::to_owned).to_vec(),
            numbers: 4,
            rows: self.paths.iter().map(row).collect(),
            ..Table::default()
        }
    }

    fn counts(&self) -> Table {
        let header = [
            "path",
            "per 64 bytes, marginal",
            "per call, fixed",
            "remark, or why none",
        ];
        let row = |path: &Subject<'_>| {
            let shown = |n: Result<f64, String>| n.map_or("-".to_owned(), |n| measured(n, ','));
            let mut notes: Vec<String> = Vec::new();
            notes.extend((!path.is_ours()).then(|| "peer".to_owned()));
            notes.extend(path.about_counts());
            vec![
                path.label(),
                shown(path.marginal()),
                shown(path.fixed()),
                notes.join("; "),
            ]
        };
        Table {
            title: format!("{}: Instructions, of the program's own code", self.name),
            header: header.map(str::to_owned).to_vec(),
            numbers: 2,
            rows: self.paths.iter().map(row).collect(),
            ..Table::default()
        }
    }

    fn scores(&self) -> Table {
        let header = [
            "path",
            "mutants",
            "killed",
            "score",
            "accepted",
            "not accepted",
            "remark, or why none",
        ];
        let row = |path: &Subject<'_>| {
            let shown = |n: Option<f64>| n.map_or("-".to_owned(), |n| measured(n, ','));
            let score = path.score().ok();
            let [all, killed, accepted] = path.mutants().map(shown);
            vec![
                path.label(),
                all,
                killed,
                score.map_or("-".to_owned(), |score| score.percent()),
                accepted,
                shown(score.map(|score| score.open())),
                path.about_score().join("; "),
            ]
        };
        Table {
            title: format!("{}: Mutation score", self.name),
            header: header.map(str::to_owned).to_vec(),
            numbers: 5,
            rows: self.mutated().map(row).collect(),
            ..Table::default()
        }
    }

    /// The kinds of change that occur, in their order.
    pub(in super::super) fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for (kind, _) in self.paths.iter().flat_map(Subject::kinds) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds.sort_by_key(|kind| super::rank_of_kind(kind));
        kinds
    }

    /// Killed of all, by kind of change.
    fn kinds_of_change(&self) -> Option<Table> {
        let kinds = self.kinds();
        let row = |path: &Subject<'_>| {
            let cell = |kind: &&str| path.of_kind(kind, ',').unwrap_or_else(|| "-".to_owned());
            let mut words = vec![path.label()];
            words.extend(kinds.iter().map(cell));
            words
        };
        let with_any = self.paths.iter().filter(|path| path.has_kinds());
        let rows: Vec<Vec<String>> = with_any.map(row).collect();
        let named = ["path"].into_iter().chain(kinds.iter().copied());
        (!rows.is_empty()).then(|| Table {
            title: format!(
                "{}: Killed of all mutants (accepted), by kind of change",
                self.name
            ),
            header: named.map(str::to_owned).collect(),
            numbers: kinds.len(),
            rows,
            detail: true,
            ..Table::default()
        })
    }
}

impl Subject<'_> {
    /// All that is known of the path, line by line.
    pub(in super::super) fn in_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(receipt) = self.chosen() {
            lines.push(format!(
                "receipt at {}: {} own instructions ({}), {} in libraries, allocations {}",
                size(receipt.length),
                grouped(receipt.own, ','),
                by_feature(receipt, ',').join(" · "),
                grouped(receipt.elsewhere, ','),
                allocations(receipt, ',')
            ));
            lines.push(hot_loop(receipt, LOOP));
            lines.extend(receipt.functions.first().map(|main| format!("in {main}")));
            lines.extend(self.about(receipt, ','));
        }
        for (number, per) in [(self.marginal(), "64 bytes"), (self.fixed(), "call")] {
            lines.extend(number.map(|n| format!("{} instructions per {per}", measured(n, ','))));
        }
        if let Ok(score) = self.score() {
            let shown = [score.killed, score.all, score.accepted, score.open()];
            let [killed, all, accepted, open] = shown.map(|n| measured(n, ','));
            let percent = score.percent();
            lines.push(format!(
                "{killed} of {all} mutants killed ({percent}), {accepted} accepted, {open} not"
            ));
        }
        lines.retain(|line| !line.is_empty());
        lines
    }

    /// Tables of the path's receipts, a column for each length.
    fn by_length(&self, operation: &Operation<'_>) -> Vec<Table> {
        let table = |receipts: &[&Receipt]| {
            let mut header = vec!["plain bytes".to_owned()];
            header.extend(receipts.iter().map(|receipt| length(receipt)));
            let (lines, rows) = (lines(receipts, ','), Vec::new());
            let mut table = Table {
                title: format!(
                    "{}/{}: Instructions by length",
                    operation.name,
                    self.label()
                ),
                header,
                numbers: receipts.len(),
                rows,
                detail: true,
                ..Table::default()
            };
            for (name, cells) in lines {
                let mut row = vec![name.to_owned()];
                row.extend(cells);
                table.rows.push(row);
            }
            table
        };
        self.receipts.chunks(LENGTHS).map(table).collect()
    }
}

/// The length of a receipt's call, as the heading of a column.
pub(in super::super) fn length(receipt: &Receipt) -> String {
    let refused = if receipt.refused { ", refused" } else { "" };
    format!("{}{refused}", size(receipt.length))
}

/// What receipts count, line by line; a count that is nothing throughout has no line.
pub(in super::super) fn lines(
    receipts: &[&Receipt],
    separator: char,
) -> Vec<(&'static str, Vec<String>)> {
    let own = receipts.iter().map(|receipt| {
        // What was stepped of a call that did not come to its end.
        let least = if receipt.cut { "≥" } else { "" };
        format!("{least}{}", grouped(receipt.own, separator))
    });
    let each = receipts.iter().map(|receipt| {
        let quotient = per_64_bytes(receipt);
        quotient.map_or("-".to_owned(), |n| measured(n, separator))
    });
    let mut lines = vec![("a call", own.collect()), ("per 64 bytes", each.collect())];
    type Count = fn(&Receipt) -> u64;
    let others: [(&str, Count); 5] = [
        ("in libraries", |receipt| receipt.elsewhere),
        ("repeats of rep", |receipt| receipt.repeats),
        ("allocations", |receipt| receipt.allocations),
        ("bytes allocated", |receipt| receipt.allocated),
        ("bytes copied by memcpy", |receipt| receipt.copied),
    ];
    for (name, count) in others {
        if receipts.iter().any(|receipt| count(receipt) > 0) {
            let cells = receipts
                .iter()
                .map(|receipt| grouped(count(receipt), separator));
            lines.push((name, cells.collect()));
        }
    }
    lines
}
