//! `replay`: one case again, on every path or on some, from its token alone.

use pathproof_reports::{Finding, PathRow, Record, State};

use super::session::{Session, any, complain, matches_nothing, program, select};
use super::{Common, Limits};
use crate::case::Case;
use crate::ledger::exit;
use crate::plan::quoted;
use crate::verdict::{Verdict, side_by_side};
use crate::worker::protocol::{Catalog, Reply, Request};
use crate::worker::{Host, Launch, Stop};

pub(super) fn replay(
    common: &Common,
    launch: &Launch,
    token: &str,
    path: Option<&str>,
    limits: &Limits,
) -> Result<u8, String> {
    let case = Case::parse(token)?;
    let mut host = Host::new(launch, &limits.settings()?)?;
    let catalog = host.catalog()?;
    let operation = find(&catalog, &case.operation)?;
    let mut selected = select(&catalog, path)?;
    selected
        .iter_mut()
        .enumerate()
        .for_each(|(o, row)| row.iter_mut().for_each(|s| *s &= o == operation));
    if !any(&selected) {
        complain(matches_nothing(&catalog, path));
        return Ok(exit::NOTHING);
    }
    match host.ask(
        &Request::Reference {
            operation,
            case: case.clone(),
        },
        &mut |_, _, _| {},
    ) {
        Ok(Reply::Answer(Ok(len))) => {
            common.note(format_args!("the reference answers with {len} bytes"))
        }
        Ok(Reply::Answer(Err(failure))) => {
            common.note(format_args!("the reference refuses: {failure}"))
        }
        Ok(other) => {
            return Err(format!(
                "a worker replied {other:?} when asked for the reference"
            ));
        }
        Err(Stop::Broken(why)) => return Err(why),
        Err(Stop::Death(death)) => return Err(format!("the reference died: {}", death.verdict())),
    }
    let mut session = Session::begin(common, "replay", None, None)?;
    let entry = &catalog.operations[operation];
    let (mut ran, mut failed) = (0, 0);
    for (subject, its) in entry
        .subjects
        .iter()
        .enumerate()
        .filter(|(s, _)| selected[operation][*s])
    {
        let laws = (0..entry.laws.len()).map(Some).filter(|_| !its.peer);
        let mut verdict = Verdict::Agrees;
        for law in std::iter::once(None).chain(laws) {
            // A fresh process: what earlier calls left behind must not matter.
            host.renew();
            verdict = match host.ask(
                &Request::Try {
                    operation,
                    subject,
                    case: case.clone(),
                    law,
                },
                &mut |_, _, _| {},
            ) {
                Ok(Reply::Verdict(verdict)) => verdict,
                Err(Stop::Death(death)) => death.verdict(),
                Err(Stop::Broken(why)) => return session.conclude(Err(why)),
                Ok(other) => {
                    return session.conclude(Err(format!("a worker replied {other:?} to a case")));
                }
            };
            if verdict != Verdict::Agrees {
                break;
            }
        }
        let state = match &verdict {
            Verdict::Agrees => State::Verified,
            Verdict::Unavailable(_) => State::Unavailable,
            _ => State::Failed,
        };
        ran += usize::from(state != State::Unavailable);
        session.put(Record::Path(PathRow {
            operation: entry.name.clone(),
            isa: its.isa.clone(),
            delivery: its.delivery.clone(),
            state,
            cases: u64::from(state != State::Unavailable),
            reason: match state {
                State::Verified => None,
                State::Unavailable => Some(verdict.detail()),
                _ => Some(verdict.to_string()),
            },
            errors: None,
            receipt: None,
            peer: its.peer,
        }))?;
        if verdict.is_finding() {
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
                    "{} replay {} {} --timeout {}",
                    program(),
                    quoted(token),
                    entry.path_name(subject),
                    limits.timeout
                ),
            }))?;
        }
    }
    let (code, sentence) = match (ran, failed) {
        (0, _) => (
            exit::NOTHING,
            "no path of this case can run here".to_string(),
        ),
        (_, 0) => (exit::PASS, format!("the case agrees on {ran} path(s)")),
        _ => (
            exit::FINDING,
            format!("the case fails on {failed} of {ran} path(s)"),
        ),
    };
    session.conclude(Ok((code, sentence)))
}

/// The operation of a name.
pub(super) fn find(catalog: &Catalog, name: &str) -> Result<usize, String> {
    let known: Vec<_> = catalog
        .operations
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    let found = known.iter().position(|known| *known == name);
    found.ok_or_else(|| {
        format!(
            "the token is for an operation {name:?}, and this program has [{}]",
            known.join(", ")
        )
    })
}
