//! `vectors`: known answers against the reference and every path.

use std::collections::BTreeMap;
use std::path::Path;

use pathproof_reports::{Figure, Finding, PathRow, Record, State};

use super::session::{Session, complain, default_out, program};
use super::{Common, Limits};
use crate::case::{Case, Place, Source};
use crate::ledger::exit;
use crate::plan::quoted;
use crate::select::{any, matches_nothing, select};
use crate::vectors::{Known, read};
use crate::verdict::{Verdict, side_by_side};
use crate::worker::protocol::{Catalog, OperationEntry, Reply, Request};
use crate::worker::{Host, Launch, Stop};

pub(super) fn vectors(
    common: &Common,
    launch: &Launch,
    file: &Path,
    filter: Option<&str>,
    limits: &Limits,
) -> Result<u8, String> {
    let known = read(file)?;
    let mut host = Host::new(launch, &limits.settings()?)?;
    let catalog = host.catalog()?;
    let selected = select(&catalog, filter)?;
    if !any(&selected) {
        complain(matches_nothing(&catalog, filter));
        return Ok(exit::NOTHING);
    }
    let mut by_operation: BTreeMap<&str, Vec<&Known>> = BTreeMap::new();
    known.iter().for_each(|known| {
        by_operation
            .entry(&known.operation)
            .or_default()
            .push(known)
    });
    let mut session = Session::begin(common, "vectors", None, None)?;
    let mut sums = Sums::default();
    for (operation, entry) in catalog
        .operations
        .iter()
        .enumerate()
        .filter(|(o, _)| selected[*o].contains(&true))
    {
        let Some(known) = by_operation.get(entry.name.as_str()) else {
            let why = "the file has no known answer of this operation".to_string();
            session.put(figure(&entry.name, "known answers", Err(why), "cases"))?;
            continue;
        };
        let disputed = known.iter().filter(|known| known.disputed).count();
        session.put(figure(
            &entry.name,
            "known answers",
            Ok(known.len()),
            "cases",
        ))?;
        session.put(figure(
            &entry.name,
            "another implementation differs",
            Ok(disputed),
            "of the cases; we follow the format",
        ))?;
        let subjects = (0..entry.subjects.len())
            .filter(|s| selected[operation][*s] && !entry.subjects[*s].peer);
        // The reference is judged first: what it gets wrong, every path that agrees with it gets wrong.
        for subject in std::iter::once(None).chain(subjects.map(Some)) {
            let judge = Judge {
                catalog: &catalog,
                operation,
                subject,
                file,
            };
            match judge.all(known, &mut host) {
                Ok((row, finding)) => sums.add(&mut session, row, finding)?,
                Err(why) => return session.conclude(Err(why)),
            }
        }
    }
    let strangers = by_operation
        .iter()
        .filter(|(name, _)| catalog.operations.iter().all(|entry| entry.name != **name));
    for (name, known) in strangers {
        let why = format!(
            "this program has no operation of that name: {} known answer(s) not checked",
            known.len()
        );
        session.put(figure(name, "known answers", Err(why), "cases"))?;
    }
    let (code, sentence) = sums.verdict();
    session.conclude(Ok((code, sentence)))
}

/// The name under which the reference has a row.
const REFERENCE: &str = "reference";

#[derive(Default)]
struct Sums {
    verified: usize,
    failed: usize,
    unavailable: usize,
    answers: u64,
    /// Those that paths gave, not the references.
    by_paths: u64,
}

impl Sums {
    fn add(
        &mut self,
        session: &mut Session<'_>,
        row: PathRow,
        finding: Option<Finding>,
    ) -> Result<(), String> {
        match row.state {
            State::Verified => self.verified += 1,
            State::Failed => self.failed += 1,
            State::Unavailable | State::NotExecuted => self.unavailable += 1,
        }
        self.answers += row.cases;
        if row.isa != REFERENCE {
            self.by_paths += row.cases;
        }
        session.put(Record::Path(row))?;
        finding.map_or(Ok(()), |finding| session.put(Record::Finding(finding)))
    }

    fn verdict(&self) -> (u8, String) {
        let Sums {
            verified,
            failed,
            unavailable,
            answers,
            by_paths,
        } = self;
        let sentence = format!(
            "known answers: {verified} path(s) and reference(s) give all of them, {failed} do not, {unavailable} are unavailable; {answers} answers checked"
        );
        let code = match (failed, by_paths) {
            (1.., _) => exit::FINDING,
            (_, 0) => exit::NOTHING,
            _ => exit::PASS,
        };
        (code, sentence)
    }
}

/// Holds known answers against one path, or against the reference.
struct Judge<'a> {
    catalog: &'a Catalog,
    operation: usize,
    subject: Option<usize>,
    file: &'a Path,
}

impl Judge<'_> {
    fn entry(&self) -> &OperationEntry {
        &self.catalog.operations[self.operation]
    }

    fn all(&self, known: &[&Known], host: &mut Host) -> Result<(PathRow, Option<Finding>), String> {
        let (isa, delivery) = match self.subject {
            None => (REFERENCE.to_string(), "returns".to_string()),
            Some(s) => (
                self.entry().subjects[s].isa.clone(),
                self.entry().subjects[s].delivery.clone(),
            ),
        };
        // The reference is no path that a filter could name, and is judged with any of the operation's.
        let filter = match self.subject {
            None => self.entry().name.clone(),
            Some(subject) => self.entry().path_name(subject),
        };
        let operation = self.entry().name.clone();
        let mut row = PathRow {
            operation: operation.clone(),
            isa: isa.clone(),
            delivery: delivery.clone(),
            state: State::Verified,
            cases: 0,
            reason: None,
            errors: None,
            receipt: None,
            peer: false,
        };
        let mut first = None;
        let mut failed = 0;
        for known in known {
            let (case, verdict) = self.one(known, host)?;
            match verdict {
                Verdict::Unavailable(why) => {
                    return Ok((
                        PathRow {
                            state: State::Unavailable,
                            reason: Some(why),
                            ..row
                        },
                        None,
                    ));
                }
                Verdict::Agrees => {}
                verdict => {
                    failed += 1;
                    first.get_or_insert((case, verdict));
                }
            }
            row.cases += 1;
        }
        let Some((case, verdict)) = first else {
            return Ok((row, None));
        };
        row.state = State::Failed;
        row.reason = Some(format!("{failed} of {} known answers", known.len()));
        let findings = default_out().join("findings");
        let finding = Finding {
            operation,
            isa,
            delivery,
            verdict: verdict.kind().into(),
            detail: format!("{} (a known answer)", verdict.detail()),
            dump: side_by_side(&verdict),
            token: case
                .token(&findings)
                .map_err(|e| format!("cannot write to {}: {e}", findings.display()))?,
            command: format!(
                "{} vectors {} {filter}",
                program(),
                quoted(&self.file.display().to_string())
            ),
        };
        Ok((row, Some(finding)))
    }

    /// One known answer, flush with the guard page at either end; the first verdict that is no agreement.
    fn one(&self, known: &Known, host: &mut Host) -> Result<(Case, Verdict), String> {
        let case = |place| Case {
            operation: known.operation.clone(),
            source: Source::Verbatim(vec![known.input.clone()]),
            params: known.params.clone(),
            input: place,
            output: place,
            warm: 0,
            room: 0,
        };
        let (mut case, end) = (case(Place::Start), case(Place::End));
        for next in [end.clone(), case.clone()] {
            case = next;
            let want = known.want.clone().into();
            let (operation, subject) = (self.operation, self.subject);
            let verdict = match host.ask(
                &Request::Known {
                    operation,
                    subject,
                    case: case.clone(),
                    want,
                },
                &mut |_, _, _| {},
            ) {
                Ok(Reply::Verdict(verdict)) => verdict,
                Err(Stop::Death(death)) => death.verdict(),
                Err(Stop::Broken(why)) => return Err(why),
                Ok(other) => return Err(format!("a worker replied {other:?} to a known answer")),
            };
            if verdict != Verdict::Agrees {
                return Ok((case, verdict));
            }
        }
        Ok((case, Verdict::Agrees))
    }
}

fn figure(operation: &str, quantity: &str, value: Result<usize, String>, unit: &str) -> Record {
    let number = value.map(|value| value as f64);
    Record::Figure(Figure::new(quantity, number, unit).of(operation, "", ""))
}
