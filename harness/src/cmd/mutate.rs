//! `mutate`: would the verification notice if a path were wrong? A score for every path, and the changes that nobody noticed.

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, PathRow, Record, State, Survivor};

use super::session::{Session, complain, default_out, program};
use super::{Common, MutateArgs, shard_option};
use crate::ledger::exit;
use crate::mutate::accepted::Known;
use crate::mutate::{Left, Mutant, Mutated, Mutation, Score, Trial, mutate_all};
use crate::plan::{Check, Settings};
use crate::receipt::ON_THREADS;
use crate::select::{any, matches_nothing, select};
use crate::verify::Job;
use crate::worker::protocol::{Catalog, SubjectEntry};
use crate::worker::{Host, Launch};

/// The share of mutants that may be accepted survivors, in percent: more are a verification that needs work, not a longer file. Of a
/// kernel it is about 2, of all of the encoder, whose kernels are tried once and whose glue is much, 8.
const MOST_ACCEPTED: u64 = 10;
/// The quantity of what is not mutated under the path that has it.
const SHARED: &str = "mutants of another path";

pub(super) fn mutate(common: &Common, launch: &Launch, args: &MutateArgs) -> Result<u8, String> {
    let settings = Settings {
        seed: args.seed,
        cases: args.cases,
        ..args.limits.settings()?
    };
    let trial = Trial {
        without: args
            .without
            .iter()
            .map(|name| check(name))
            .collect::<Result<_, _>>()?,
        after: args.answers_after,
        share: args.shard.as_deref().map(shard_option).transpose()?,
    };
    let catalog = Host::new(launch, &settings)?.catalog()?;
    let selected = select(&catalog, args.filter.as_deref())?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, args.filter.as_deref()));
        return Ok(exit::NOTHING);
    }
    let texts = catalog.operations.iter();
    let texts = texts.filter_map(|operation| operation.accepted.as_deref());
    let whole = args.filter.is_none() && trial.share.is_none_or(|(_, shares)| shares == 1);
    let mut known = Known::read(texts, whole)?;
    let job = Job {
        launch: launch.clone(),
        settings,
        selected,
        jobs: args
            .jobs
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get())),
        findings: default_out().join("findings"),
        program: program(),
    };
    let mut session = Session::begin(common, "mutate", Some(job.settings.seed), None)?;
    let verdict = go(common, &job, &catalog, &trial, &mut known, &mut session);
    if let (Some(path), Ok(_)) = (&args.write, &verdict) {
        let list = comments(path) + &known.written()?;
        std::fs::write(path, list).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    session.conclude(verdict)
}

/// The comments at the top of a file, if it is there: they are kept.
fn comments(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let comments = text
        .split_inclusive('\n')
        .take_while(|line| line.starts_with('#'));
    comments.collect()
}

/// A check by its name.
fn check(name: &str) -> Result<Check, String> {
    Check::ALL
        .into_iter()
        .find(|check| check.name() == name)
        .ok_or_else(|| {
            let names: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
            format!(
                "--without {name:?}: there is no such check; there are {}",
                names.join(", ")
            )
        })
}

fn go(
    common: &Common,
    job: &Job,
    catalog: &Catalog,
    trial: &Trial,
    known: &mut Known,
    session: &mut Session<'_>,
) -> Result<(u8, String), String> {
    let mut paths = 0;
    for (o, operation) in catalog.operations.iter().enumerate() {
        let subjects = operation.subjects.iter().zip(&job.selected[o]);
        for (entry, _) in subjects.filter(|(_, selected)| **selected) {
            paths += u64::from(entry.is_stepped());
            let threads =
                || (entry.on_threads && !entry.peer).then(|| format!("not mutated: {ON_THREADS}"));
            if let Some(why) = entry.unavailable.clone().or_else(threads) {
                session.put(Record::Path(row(
                    &operation.name,
                    entry,
                    State::Unavailable,
                    Some(why),
                )))?;
            }
        }
    }
    if paths == 0 {
        return Ok((
            exit::NOTHING,
            "none of these paths can run here and be mutated".into(),
        ));
    }
    common.note(format_args!("seed {}", job.settings.seed));
    let bar = bar(common, paths);
    let (mut sum, mut fresh, mut old, mut elsewhere) = (Score::default(), 0, 0, 0);
    let done = mutate_all(
        job,
        catalog,
        trial,
        &mut |Mutated {
                  operation,
                  subject,
                  mutation,
                  left,
              }| {
            let of = &catalog.operations[operation];
            let entry = &of.subjects[subject];
            bar.inc(1);
            bar.set_message(of.path_name(subject));
            let score = mutation.score();
            sum.mutants += score.mutants;
            sum.killed += score.killed;
            let mut survivors = Vec::new();
            for mutant in &mutation.survivors {
                let reason = known.reason(mutant).map(|reason| reason.name().into());
                survivors.push(survivor(&of.name, entry, mutant, reason));
            }
            known.changed(&mutation.functions);
            let accepted = survivors
                .iter()
                .filter(|survivor| survivor.accepted.is_some())
                .count() as u64;
            old += accepted;
            fresh += survivors.len() as u64 - accepted;
            for record in figures(&of.name, entry, &mutation, accepted) {
                session.put(record)?;
            }
            for (owner, left) in &left {
                elsewhere += left.mutants;
                let owner = catalog.operations[owner.0].path_name(owner.1);
                session.put(shared(&of.name, entry, &owner, left))?;
            }
            survivors
                .into_iter()
                .try_for_each(|survivor| session.put(Record::Survivor(survivor)))
        },
    );
    bar.finish_and_clear();
    done?;
    if sum.mutants == 0 {
        return Ok((
            exit::NOTHING,
            match trial.share {
                Some(_) => "this share has no mutant: fewer shares have more each (--shard)",
                None => "no path has an instruction of its own that could be changed",
            }
            .into(),
        ));
    }
    let once = match elsewhere {
        0 => String::new(),
        n => format!("; {n} that paths share were tried once"),
    };
    let percent = |n: u64| 100.0 * n as f64 / sum.mutants as f64;
    let of = match trial.share {
        Some((number, shares)) => format!(" of share {}/{shares}", number + 1),
        None => String::new(),
    };
    let score = format!(
        "{} of {} mutants{of} were noticed ({:.1} %){once}",
        sum.killed,
        sum.mutants,
        percent(sum.killed)
    );
    if !trial.without.is_empty() || trial.after {
        return Ok((
            exit::PASS,
            format!("a trial of a lesser verification: {score}"),
        ));
    }
    let mut wrong = Vec::new();
    if fresh > 0 {
        wrong.push(format!("{fresh} survivor(s) that nobody has accepted"));
    }
    wrong.extend(known.wrong());
    if 100 * old > MOST_ACCEPTED * sum.mutants {
        wrong.push(format!(
            "{old} accepted survivors are {:.1} % of all mutants, more than {MOST_ACCEPTED} %",
            percent(old)
        ));
    }
    Ok(if wrong.is_empty() {
        (
            exit::PASS,
            format!(
                "{score}; the other {old} are accepted{}",
                known.not_judged()
            ),
        )
    } else {
        (
            exit::FINDING,
            format!("{}; {score}{}", wrong.join("; "), known.not_judged()),
        )
    })
}

fn bar(common: &Common, paths: u64) -> ProgressBar {
    let target = if common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(paths), target);
    let style = ProgressStyle::with_template(
        "mutating {wide_bar} {pos} of {len} paths, {eta} left; done: {msg}",
    );
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn row(operation: &str, entry: &SubjectEntry, state: State, reason: Option<String>) -> PathRow {
    PathRow {
        operation: operation.into(),
        isa: entry.isa.clone(),
        delivery: entry.delivery.clone(),
        state,
        cases: 0,
        reason,
        errors: None,
        receipt: None,
        peer: entry.peer,
    }
}

/// The mutants of a path that are tried under another.
fn shared(operation: &str, entry: &SubjectEntry, owner: &str, left: &Left) -> Record {
    let mut figure = Figure::new(SHARED, Ok(left.mutants as f64), "mutants").split(owner);
    let functions = left.functions.len();
    figure.reason = Some(format!(
        "of {functions} function(s) that it shares with {owner}, where they are mutated"
    ));
    Record::Figure(figure.of(operation, &entry.isa, &entry.delivery))
}

/// The scores of a path: all of it, and each kind of change.
fn figures(
    operation: &str,
    entry: &SubjectEntry,
    mutation: &Mutation,
    accepted: u64,
) -> Vec<Record> {
    let of = |quantity: &str, value: u64| {
        Figure::new(quantity, Ok(value as f64), "mutants").of(
            operation,
            &entry.isa,
            &entry.delivery,
        )
    };
    let all = mutation.score();
    let mut figures = vec![
        of("mutants", all.mutants),
        of("mutants killed", all.killed),
        of("mutants accepted", accepted),
        of("dead bits of constants, left out", mutation.dead),
    ];
    for (kind, score) in &mutation.scores {
        figures.push(of("mutants", score.mutants).split(kind.name()));
        figures.push(of("mutants killed", score.killed).split(kind.name()));
    }
    figures.into_iter().map(Record::Figure).collect()
}

fn survivor(
    operation: &str,
    entry: &SubjectEntry,
    mutant: &Mutant,
    accepted: Option<String>,
) -> Survivor {
    Survivor {
        operation: operation.into(),
        isa: entry.isa.clone(),
        delivery: entry.delivery.clone(),
        function: mutant.function.clone(),
        offset: mutant.offset,
        bytes: mutant.bytes.clone(),
        change: mutant.change.clone(),
        instruction: mutant.instruction.clone(),
        source: mutant.source.clone(),
        accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_known_by_its_name() {
        assert_eq!(check("flush end"), Ok(Check::FlushEnd));
        assert!(
            check("flush")
                .unwrap_err()
                .contains("flush end, flush start")
        );
    }
}
