//! `receipt` and `count` of a token: what each path executes on that very case.

use pathproof_reports::{Finding, PathRow, Record, State};

use super::replay::find;
use super::session::{Session, program};
use super::{Common, Limits};
use crate::case::Case;
use crate::ledger::exit;
use crate::plan::quoted;
use crate::receipt::{self, Class};
use crate::verdict::{Verdict, side_by_side};
use crate::worker::protocol::{Reply, Request};
use crate::worker::{Host, Launch, Stop};

/// Whether what stands in the place of a filter is a token: no path's name has a colon.
pub(super) fn is_token(filter: Option<&str>) -> Option<&str> {
    filter.filter(|text| text.contains(':'))
}

/// Steps one call of every path of the case's operation that can be stepped here, each in a process of its own, after it has agreed
/// with the reference on the case.
pub(super) fn step(
    common: &Common,
    launch: &Launch,
    verb: &str,
    token: &str,
    limits: &Limits,
) -> Result<u8, String> {
    let case = Case::parse(token)?;
    let mut host = Host::new(launch, &limits.settings()?)?;
    let catalog = host.catalog()?;
    let operation = find(&catalog, &case.operation)?;
    let entry = &catalog.operations[operation];
    let available = receipt::available(&mut host);
    let mut session = Session::begin(common, verb, None, None)?;
    let (mut stepped, mut failed) = (0, 0);
    for (subject, its) in entry.subjects.iter().enumerate().filter(|(_, s)| !s.peer) {
        let mut row = PathRow {
            operation: entry.name.clone(),
            isa: its.isa.clone(),
            delivery: its.delivery.clone(),
            state: State::Unavailable,
            cases: 0,
            reason: its.unavailable.clone(),
            errors: None,
            receipt: None,
            peer: false,
        };
        if its.is_stepped() {
            match &available {
                Err(why) => {
                    row.state = State::NotExecuted;
                    row.reason = Some(format!("no receipt: {why}"));
                }
                Ok(_) => {
                    host.renew();
                    let request = Request::Step {
                        operation,
                        subjects: vec![subject],
                        class: Class::of(entry.long),
                        given: Some(case.clone()),
                        sources: verb == "receipt",
                    };
                    let verdict = match host.ask(&request, &mut |_, _, _| {}) {
                        Ok(Reply::Stepped(mut of)) => {
                            let of = of.pop().ok_or("a worker stepped nothing")?.1;
                            if let Some(executed) = &of.executed {
                                let class = Class {
                                    length: of.input,
                                    damaged: of.answer.is_none(),
                                };
                                let receipt = receipt::record(entry, subject, class, executed);
                                row.receipt = Some(receipt::summary(&receipt));
                                session.put(Record::Receipt(receipt))?;
                            }
                            of.verdict
                        }
                        Err(Stop::Death(death)) => death.verdict(),
                        Err(Stop::Broken(why)) => return session.conclude(Err(why)),
                        Ok(other) => {
                            let why = format!("a worker replied {other:?} when asked to step");
                            return session.conclude(Err(why));
                        }
                    };
                    row.cases = 1;
                    (row.state, row.reason) = match &verdict {
                        Verdict::Agrees => (State::Verified, None),
                        _ => (State::Failed, Some(verdict.to_string())),
                    };
                    if verdict == Verdict::Agrees {
                        stepped += 1;
                    } else {
                        failed += 1;
                        session.put(Record::Finding(Finding {
                            operation: entry.name.clone(),
                            isa: its.isa.clone(),
                            delivery: its.delivery.clone(),
                            verdict: verdict.kind().into(),
                            detail: verdict.detail(),
                            dump: side_by_side(&verdict),
                            token: token.into(),
                            command: format!(
                                "{} replay {} {}",
                                program(),
                                quoted(token),
                                entry.path_name(subject)
                            ),
                        }))?;
                    }
                }
            }
        } else if its.on_threads && its.unavailable.is_none() {
            row.reason = Some(receipt::ON_THREADS.into());
        }
        session.put(Record::Path(row))?;
    }
    session.conclude(Ok(match (failed, stepped) {
        (1.., _) => (
            exit::FINDING,
            format!("{failed} path(s) fail on the case, {stepped} were stepped on it"),
        ),
        (0, 0) => (exit::NOTHING, "no path was stepped on the case".into()),
        _ => (
            exit::PASS,
            format!("{stepped} path(s) were stepped on the case"),
        ),
    }))
}
