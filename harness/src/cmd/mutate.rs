//! `mutate`: would the verification notice if a path were wrong? A score for every path, and the changes that nobody noticed.

use std::collections::{BTreeMap, BTreeSet};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, PathRow, Record, State, Survivor};

use super::session::{Session, any, complain, default_out, matches_nothing, program, select};
use super::{Common, MutateArgs};
use crate::ledger::exit;
use crate::mutate::accepted::{Accepted, Entry, this_build};
use crate::mutate::{Left, Mutant, Mutated, Mutation, Score, Trial, mutate_all};
use crate::plan::{Check, Settings};
use crate::receipt::ON_THREADS;
use crate::verify::Job;
use crate::worker::protocol::{Catalog, SubjectEntry};
use crate::worker::{Host, Launch};

/// The share of mutants that may be accepted survivors, in percent: more are a verification that needs work, not a longer file.
const MOST_ACCEPTED: u64 = 5;
/// The quantity of what is not mutated under the path that has it.
const SHARED: &str = "mutants of another operation";

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
    };
    let catalog = Host::new(launch, &settings)?.catalog()?;
    let selected = select(&catalog, args.filter.as_deref())?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, args.filter.as_deref()));
        return Ok(exit::NOTHING);
    }
    let accepted = Lists::read(&catalog, args.filter.is_none())?;
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
    let mut accepted = accepted;
    let verdict = go(common, &job, &catalog, &trial, &mut accepted, &mut session);
    if let (Some(path), Ok(_)) = (&args.write, &verdict) {
        std::fs::write(path, accepted.written()?)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    session.conclude(verdict)
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
    accepted: &mut Lists,
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
                survivors.push(survivor(&of.name, entry, mutant, accepted.reason(mutant)));
            }
            accepted.saw(&mutation.functions);
            let known = survivors
                .iter()
                .filter(|survivor| survivor.accepted.is_some())
                .count() as u64;
            old += known;
            fresh += survivors.len() as u64 - known;
            for record in figures(&of.name, entry, &mutation, known) {
                session.put(record)?;
            }
            for (owner, left) in &left {
                elsewhere += left.mutants;
                let owner = &catalog.operations[*owner].name;
                session.put(shared(&of.name, entry, owner, left))?;
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
            "no path has an instruction of its own that could be changed".into(),
        ));
    }
    let once = match elsewhere {
        0 => String::new(),
        n => format!("; {n} that operations share were tried once"),
    };
    let percent = |n: u64| 100.0 * n as f64 / sum.mutants as f64;
    let score = format!(
        "{} of {} mutants were noticed ({:.1} %){once}",
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
    wrong.extend(accepted.wrong());
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
                accepted.not_judged()
            ),
        )
    } else {
        (
            exit::FINDING,
            format!("{}; {score}{}", wrong.join("; "), accepted.not_judged()),
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

/// The mutants of a path that are tried under another operation.
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

/// A list of survivors as it is written: like the one that is read, but that a reason may be missing.
#[derive(serde::Serialize)]
struct Drafts<'a> {
    rustc: &'a str,
    build: String,
    survivor: Vec<Draft<'a>>,
}

#[derive(serde::Serialize)]
struct Draft<'a> {
    function: &'a str,
    offset: u64,
    bytes: &'a str,
    instruction: &'a str,
    source: &'a str,
    change: &'a str,
    reason: &'a str,
    note: &'a str,
}

/// The accepted survivors of all operations, and what has been seen of them.
struct Lists {
    entries: Vec<Entry>,
    /// For each entry, the distinct survivors that it has accepted.
    met: Vec<BTreeSet<String>>,
    /// The functions of which an instruction was changed.
    sites: BTreeSet<String>,
    /// Whether every path was asked for, so that what was not met is gone.
    whole: bool,
    /// Why no entry is applied.
    void: Option<String>,
    /// The survivors of this run.
    seen: Vec<Mutant>,
}

impl Lists {
    fn read(catalog: &Catalog, whole: bool) -> Result<Self, String> {
        let mut texts: Vec<&String> = catalog
            .operations
            .iter()
            .filter_map(|operation| operation.accepted.as_ref())
            .collect();
        texts.sort_unstable();
        texts.dedup();
        let (mut entries, mut void) = (Vec::new(), None);
        let (compiler, kind) = this_build();
        for text in texts {
            let Accepted {
                rustc,
                build,
                survivors,
            } = Accepted::parse(text)?;
            if (rustc.as_str(), build.as_str()) != (compiler, kind.as_str()) {
                void = Some(format!(
                    "accepted survivors are of the code of {rustc} ({build}), and this is of {compiler} ({kind})"
                ));
            }
            entries.extend(survivors);
        }
        let met = vec![BTreeSet::new(); entries.len()];
        Ok(Self {
            entries,
            met,
            sites: BTreeSet::new(),
            whole,
            void,
            seen: Vec::new(),
        })
    }

    /// Why a survivor may live, if it may.
    fn reason(&mut self, mutant: &Mutant) -> Option<String> {
        self.seen.push(mutant.clone());
        if self.void.is_some() {
            return None;
        }
        let Mutant {
            function,
            offset,
            bytes,
            change,
            ..
        } = mutant;
        let number = self
            .entries
            .iter()
            .position(|entry| entry.accepts(function, *offset, bytes, change))?;
        self.met[number].insert(change.clone());
        Some(self.entries[number].reason.name().into())
    }

    /// A list of the survivors of this run, with the reasons that are known. What is new has none, and is to be given one before
    /// the list can be read.
    fn written(&self) -> Result<String, String> {
        // Several paths run the same function; and functions of one name are told by their bytes.
        let mut places: BTreeMap<(&str, u64, &str, &str), &Mutant> = BTreeMap::new();
        for mutant in &self.seen {
            let Mutant {
                function,
                offset,
                bytes,
                change,
                ..
            } = mutant;
            places.insert((function, *offset, bytes, change), mutant);
        }
        let entries = places.into_values().map(|mutant| {
            let accepts = |entry: &&Entry| {
                entry.accepts(
                    &mutant.function,
                    mutant.offset,
                    &mutant.bytes,
                    &mutant.change,
                )
            };
            let known = self.entries.iter().find(accepts);
            let known = known.or_else(|| self.entries.iter().find(|entry| entry.resembles(mutant)));
            Draft {
                function: &mutant.function,
                offset: mutant.offset,
                bytes: &mutant.bytes,
                instruction: &mutant.instruction,
                source: mutant.source.as_deref().unwrap_or_default(),
                change: &mutant.change,
                reason: known.map_or("", |entry| entry.reason.name()),
                note: known.map_or("", |entry| &entry.note),
            }
        });
        let (rustc, build) = this_build();
        let list = Drafts {
            rustc,
            build,
            survivor: entries.collect(),
        };
        toml::to_string(&list).map_err(|e| format!("the survivors cannot be written: {e}"))
    }

    fn saw(&mut self, functions: &BTreeSet<String>) {
        self.sites.extend(functions.iter().cloned());
    }

    /// Entries that are not true any longer.
    fn wrong(&self) -> Vec<String> {
        if let Some(why) = &self.void {
            return vec![why.clone()];
        }
        // A path that the filter leaves out may be the one in which it lives.
        if !self.whole {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        for (entry, met) in self.entries.iter().zip(&self.met) {
            if self.sites.contains(&entry.function) && met.len() != entry.count {
                let Entry {
                    function,
                    offset,
                    bytes,
                    change,
                    count,
                    ..
                } = entry;
                wrong.push(format!("the accepted survivor {function}+{offset:#x} {bytes} {change:?} stands for {count} change(s), and {} survived", met.len()));
            }
        }
        wrong
    }

    /// Entries of which nothing is known: of functions that did not run, or all, where not every path was asked for.
    fn not_judged(&self) -> String {
        if self.void.is_some() || self.entries.is_empty() {
            return String::new();
        }
        if !self.whole {
            return "; whether each accepted survivor lives is found out without a filter".into();
        }
        let of_others = |entry: &&Entry| !self.sites.contains(&entry.function);
        match self.entries.iter().filter(of_others).count() {
            0 => String::new(),
            n => format!("; {n} accepted survivor(s) are of functions that did not run here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::Kind;
    use crate::mutate::accepted::Reason;

    fn mutant(change: &str) -> Mutant {
        Mutant {
            kind: Kind::Nop,
            patch: vec![],
            function: "f".into(),
            offset: 4,
            bytes: "90".into(),
            change: change.into(),
            instruction: "nop".into(),
            source: None,
        }
    }

    fn lists(count: usize, whole: bool) -> Lists {
        let entry = |function: &str, offset| Entry {
            function: function.into(),
            offset,
            bytes: "90".into(),
            instruction: String::new(),
            source: String::new(),
            change: "constant[*] ^ 0x01".into(),
            count,
            reason: Reason::Equivalent,
            note: String::new(),
        };
        Lists {
            entries: vec![entry("f", 4), entry("elsewhere", 9)],
            met: vec![BTreeSet::new(); 2],
            sites: BTreeSet::new(),
            whole,
            void: None,
            seen: Vec::new(),
        }
    }

    #[test]
    fn an_entry_that_no_longer_survives_is_wrong() {
        for (count, wrong) in [(2, 0), (3, 1), (1, 1)] {
            let mut lists = lists(count, true);
            lists.saw(&BTreeSet::from(["f".into()]));
            // Two paths that share a function share its survivors.
            for _ in 0..2 {
                assert_eq!(
                    lists.reason(&mutant("constant[0] ^ 0x01")).as_deref(),
                    Some("equivalent")
                );
                assert_eq!(
                    lists.reason(&mutant("constant[7] ^ 0x01")).as_deref(),
                    Some("equivalent")
                );
            }
            assert_eq!(lists.reason(&mutant("constant[7] ^ 0x80")), None);
            assert_eq!(lists.wrong().len(), wrong, "{count}");
            assert!(lists.not_judged().contains("1 accepted"));
        }
    }

    #[test]
    fn with_a_filter_no_entry_is_called_gone() {
        for (whole, wrong) in [(false, 0), (true, 1)] {
            let mut lists = lists(2, whole);
            lists.saw(&BTreeSet::from(["f".into()]));
            assert_eq!(lists.wrong().len(), wrong);
            assert!(!lists.not_judged().is_empty());
        }
    }

    #[test]
    fn code_of_another_compiler_has_no_accepted_survivors() {
        let mut lists = lists(2, true);
        lists.void = Some("of another compiler".into());
        assert_eq!(lists.reason(&mutant("constant[0] ^ 0x01")), None);
        assert_eq!(lists.wrong(), ["of another compiler"]);
    }

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
