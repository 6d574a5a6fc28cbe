//! The pictures of evidence: what paths executed, how many instructions, and how many mutants of
//! theirs were killed.

use super::super::evidence::{Operation, Score, Subject, features, percent};
use super::super::palette;
use super::super::times::Who;
use super::stacks::{Bar, Part, Row, Scale, Stacks};
use super::thin;
use crate::number::{grouped, size};
use crate::plain::one_line;
use crate::record::Receipt;

/// Thin, and never broken at the end of a line.
const THIN: char = '\u{202f}';

/// Instructions by CPU feature, as shares: of each path at one length.
pub(in super::super) fn mix(operation: &Operation<'_>, length: u64) -> Stacks {
    let row = |path: &Subject<'_>| Row {
        label: one_line(&path.label_or_peer()),
        bar: match path.at(length) {
            Some(receipt) => Ok(mixed(receipt)),
            None if path.receipts.is_empty() => Err(one_line(&path.why_no_receipt())),
            None => Err(format!("no receipt at {}", size(length))),
        },
    };
    Stacks {
        description: format!(
            "{}: instruction mix of {} paths by CPU feature, as stacked horizontal bars of 100% of a path's own \
             instructions, for {} of plain bytes. The table below has the same numbers.",
            one_line(operation.name),
            operation.paths.len(),
            size(length)
        ),
        scale: Scale::Shares,
        axis: "share of the path's own instructions",
        rows: operation.paths.iter().map(row).collect(),
    }
}

fn mixed(receipt: &Receipt) -> Bar {
    let features = features(receipt);
    let all: f64 = features.iter().map(|(_, n)| *n as f64).sum();
    let part = |(name, n): (&str, u64)| {
        let (name, share) = (one_line(name), percent(n as f64 / all, 0));
        Part {
            value: n as f64,
            ink: palette::feature(&name),
            hollow: false,
            inside: vec![format!("{name} {share}"), name],
        }
    };
    let first = if receipt.cut { "first " } else { "" };
    Bar {
        parts: features.into_iter().map(part).collect(),
        words: format!("{first}{}", grouped(receipt.own, THIN)),
    }
}

/// Instructions for 64 bytes more.
pub(in super::super) fn counts(operation: &Operation<'_>, peers: &[&str]) -> Stacks {
    let numbers = operation.paths.iter().map(Subject::marginal);
    let scale = Scale::of(numbers.flatten());
    let row = |path: &Subject<'_>| {
        let bar = path.marginal().map(|value| Bar {
            parts: vec![Part {
                value,
                ink: palette::path(path.isa, path.who, peers),
                hollow: matches!(path.who, Who::Peer | Who::Roofline),
                inside: Vec::new(),
            }],
            words: thin(value),
        });
        Row {
            label: one_line(&path.label_or_peer()),
            bar: bar.map_err(|why| one_line(&why)),
        }
    };
    Stacks {
        description: format!(
            "{}: instructions that {} paths and peers execute for 64 plain bytes more, as horizontal bars. The table \
             below has the same numbers.",
            one_line(operation.name),
            operation.paths.len()
        ),
        scale,
        axis: match scale {
            Scale::Decades(_) => "instructions per 64 bytes, marginal (logarithmic)",
            Scale::Values | Scale::Shares => "instructions per 64 bytes, marginal",
        },
        rows: operation.paths.iter().map(row).collect(),
    }
}

/// What became of mutants, as shares.
pub(in super::super) fn scores(operation: &Operation<'_>) -> Stacks {
    let row = |path: &Subject<'_>| Row {
        label: one_line(&path.label_or_peer()),
        bar: path.score().map(judged).map_err(|why| one_line(&why)),
    };
    let rows: Vec<Row> = operation.mutated().map(row).collect();
    Stacks {
        description: format!(
            "{}: mutants of {} paths, as stacked horizontal bars of 100%: killed, accepted, not accepted. The table \
             below has the same numbers.",
            one_line(operation.name),
            rows.len()
        ),
        scale: Scale::Shares,
        axis: "share of the mutants",
        rows,
    }
}

fn judged(score: Score) -> Bar {
    let fates = [
        (score.killed, palette::KILLED, "killed"),
        (score.accepted, palette::ACCEPTED, "accepted"),
        (score.open(), palette::OPEN, "not accepted"),
    ];
    let part = |(value, ink, word)| Part {
        value,
        ink,
        hollow: false,
        inside: vec![format!("{} {word}", thin(value)), thin(value)],
    };
    let open = match score.open() {
        0.0 => String::new(),
        n => format!(", {} not accepted", thin(n)),
    };
    Bar {
        parts: fates.map(part).into(),
        words: format!("{}{open}", score.percent()),
    }
}
