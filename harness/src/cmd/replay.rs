//! `replay`: one case again, on every path or on some, from its token alone, or from what a fuzzer left behind.

use pathproof_reports::{Finding, PathRow, Record, State};

use super::session::{Session, complain, default_out, program};
use super::{Common, ReplayArgs};
use crate::case::{Case, read_file};
use crate::fuzz::made_from;
use crate::ledger::exit;
use crate::operation::Operation;
use crate::plan::quoted;
use crate::select::{any, matches_nothing, nearest, select};
use crate::verdict::{Verdict, side_by_side};
use crate::worker::protocol::{Catalog, Reply, Request};
use crate::worker::{Host, Launch, Stop};

pub(super) fn replay(
    common: &Common,
    launch: &Launch,
    operations: &[Operation],
    args: &ReplayArgs,
) -> Result<u8, String> {
    let limits = &args.limits;
    let (case, token, path) = match args.input.as_deref() {
        Some([operation, file]) => {
            if let (Some(_), Some(path)) = (&args.token, &args.path) {
                return Err(format!(
                    "replay --input takes the place of the token, and {path:?} is one argument too many"
                ));
            }
            let case = of_fuzzer(operations, operation, file, args.longest)?;
            let findings = default_out().join("findings");
            let token = case
                .token(&findings)
                .map_err(|e| format!("cannot write to {}: {e}", findings.display()))?;
            common.note(format_args!("token: {token}"));
            // Without a token, the path is the first that is left.
            (case, token, args.token.as_deref())
        }
        _ => {
            let token = args.token.clone().unwrap_or_default();
            (Case::parse(&token)?, token, args.path.as_deref())
        }
    };
    let token = token.as_str();
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

/// The case that a fuzz target made of a file's bytes.
fn of_fuzzer(
    operations: &[Operation],
    name: &str,
    file: &str,
    longest: usize,
) -> Result<Case, String> {
    let Some(operation) = operations.iter().find(|of| of.name() == name) else {
        let near = nearest(name, operations.iter().map(|of| of.name().to_string()));
        return Err(format!(
            "--input {name}: there is no such operation; the nearest are {near}"
        ));
    };
    made_from(operation, &read_file(file.as_ref())?, longest)
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
