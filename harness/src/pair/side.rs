//! One side of a comparison: a process of some build of the client's program, which calls one path when it has its turn.
//!
//! A side says nothing of itself but what it is asked, so that what runs between two turns is little. What is said here is not what
//! workers say: it has a version of its own and changes seldom, since the other side may be a build of months ago.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::arena::{Buffer, shared};
use crate::case::{Case, Place, Shape, Source};
use crate::check::{Bench, Prepared, Subject};
use crate::desk::{BATCH, Callee, Desk, SPREAD, loops, not_repeatable};
use crate::mutate::moved::{self, Move, Recipe, Slow};
use crate::operation::{CodePath, Operation, Params};
use crate::page::Page;
use crate::receipt::{code, empty, trace};
use crate::step::{self, Code, Trace};
use crate::worker::protocol::{Answered, receive, send};

/// The hidden first argument that makes this program a side.
pub(crate) const SIDE: &str = "side";
/// Grows when a frame changes its meaning; both sides must have the same.
pub(crate) const VERSION: u32 = 1;
/// Calls before the first turn of a placement, unless they take longer than that: what a path keeps or allocates is then there.
const WARM_CALLS: u64 = 100;
/// Answers up to this length are handed to the next process of a side, which need not ask its reference again.
const HANDED_ON: usize = 64 << 10;

/// What a side is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// First of all: prepare the calls; answered by `Ready`.
    Begin(Box<Subjected>),
    /// Make room in an arena, or in pages of its own; answered by `Done`.
    Map {
        arena: Option<PathBuf>,
        /// The most bytes that any side needs, of the output and of each part.
        output: usize,
        input: Vec<usize>,
    },
    /// Lay the buffers, so far from the beginning of their rooms, and hold the path against its reference there; answered by `Done`.
    Lay { output: usize, input: Vec<usize> },
    /// How many calls fill a batch, and how long one takes; answered by `Paced`.
    Pace,
    /// Call, first unmeasured, then in batches; answered by `Took`.
    Turn {
        unmeasured: u64,
        batches: u32,
        calls: u64,
    },
    /// Step one call; answered by `Stepped`.
    Step,
}

/// A path or peer, and what it is to be called with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Subjected {
    pub(crate) version: u32,
    pub(crate) operation: String,
    pub(crate) isa: String,
    pub(crate) delivery: String,
    /// Plain bytes that the input is made from, the seed that they are drawn from, and parameters.
    pub(crate) bytes: usize,
    pub(crate) seed: u64,
    pub(crate) params: BTreeMap<String, Vec<u64>>,
    /// The answer of the reference, if an earlier process of this side has asked it.
    pub(crate) want: Option<Answered>,
    /// Where the path's code is to lie, if not where it was linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) moved: Option<Moved>,
}

/// A path that is called as a copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Moved {
    pub(crate) how: Move,
    /// What is to be copied, if an earlier process of this side has looked; or why nothing can be.
    pub(crate) recipe: Option<Result<Recipe, String>>,
}

/// What a side says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Ready(Box<Ready>),
    Done,
    Paced {
        calls: u64,
        nanos: f64,
    },
    /// Nanoseconds of each batch.
    Took(Vec<u64>),
    Stepped(Box<Steps>),
    /// There is no such path in this build, or none that can be measured.
    Absent(String),
    /// The path did not agree with its reference on this input.
    Differs(String),
    /// The client's own part failed, or the harness.
    Broken(String),
}

/// What a side has prepared.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) version: u32,
    pub(crate) output: usize,
    pub(crate) input: Vec<usize>,
    /// Names of the input's bytes and of the answer's: equal bytes have equal names.
    pub(crate) question: u64,
    pub(crate) answer: u64,
    /// The answer, if it is short enough to be handed on.
    pub(crate) want: Option<Answered>,
    pub(crate) peer: bool,
    /// What was copied, if that was asked for; or why nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recipe: Option<Result<Recipe, String>>,
}

/// What one call executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steps {
    /// Instructions of the program's own code; none if there were too many to step.
    pub(crate) own: Option<u64>,
    /// Instructions of libraries by what CPU they need; bytes that were allocated, and that were copied.
    pub(crate) elsewhere: BTreeMap<String, u64>,
    pub(crate) memory: [u64; 2],
    /// A name of the program's own instructions in the order in which they were executed, without what the linker decides: equal
    /// sequences have equal names. None if there were too many to step.
    pub(crate) sequence: Option<u64>,
    /// The function in which most were executed, and where it lies in the program's file.
    pub(crate) function: Option<(String, u64)>,
    /// What is to be copied if the code is to lie elsewhere, or why nothing can be.
    pub(crate) recipe: Result<Recipe, String>,
}

impl Steps {
    /// Whether both executed the same, as far as a linker does not decide it, so that there is nothing to measure.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.sequence.is_some()
            && (self.sequence, &self.elsewhere, self.memory)
                == (other.sequence, &other.elsewhere, other.memory)
    }
}

const NAMES: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

/// If this process was started as a side: serves until its parent closes, and ends the process.
pub(crate) fn answer(operations: &[Operation]) {
    if std::env::args_os().nth(1).is_none_or(|first| first != SIDE) {
        return;
    }
    crate::worker::die_with_parent();
    let served = crate::worker::take_stdio().and_then(|(mut from, mut to)| {
        // A path's panic is told with its message.
        std::panic::set_hook(Box::new(|_| {}));
        let serve = || serve(operations, &mut from, &mut to);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(serve)).unwrap_or_else(|panic| {
            let why = crate::check::message(&*panic);
            send(&mut to, &Said::Differs(format!("panicked: {why}")))
        })
    });
    if let Err(error) = &served {
        eprintln!("side: {error}");
    }
    std::process::exit(i32::from(served.is_err()));
}

fn serve(
    operations: &[Operation],
    from: &mut impl std::io::Read,
    to: &mut impl std::io::Write,
) -> std::io::Result<()> {
    let Some(Ask::Begin(subjected)) = receive(from)? else {
        return Ok(());
    };
    let mut side = match Side::new(operations, &subjected) {
        Ok(side) => side,
        Err(said) => return send(to, &said),
    };
    send(to, &Said::Ready(Box::new(side.ready.clone())))?;
    while let Some(ask) = receive(from)? {
        let said = side.answer(ask).unwrap_or_else(|said| said);
        send(to, &said)?;
    }
    Ok(())
}

struct Side<'a> {
    callee: Callee<'a>,
    desk: Option<Desk>,
    ready: Ready,
}

impl<'a> Side<'a> {
    fn new(operations: &'a [Operation], of: &Subjected) -> Result<Self, Said> {
        let operation = operations.iter().find(|known| known.name == *of.operation);
        let operation =
            operation.ok_or_else(|| Said::Absent(format!("no operation {}", of.operation)))?;
        let known = operation.paths.iter().map(Subject::Path);
        let known = known.chain(operation.peers.iter().map(Subject::Peer));
        let mut known = known.filter(|subject| {
            let path = subject.path();
            path.isa == *of.isa && path.delivery == *of.delivery
        });
        let subject = known.next().ok_or_else(|| {
            Said::Absent(format!(
                "no path {}/{}/{}",
                of.operation, of.isa, of.delivery
            ))
        })?;
        if let Some(why) = not_measurable(&subject) {
            return Err(Said::Absent(why));
        }
        let case = Case {
            operation: of.operation.clone(),
            source: Source::Seeded {
                seed: of.seed,
                len: of.bytes,
                shape: Shape::Random,
            },
            params: of
                .params
                .iter()
                .map(|(name, value)| (name.clone().into(), value.clone()))
                .collect::<Params>(),
            input: Place::At(0),
            output: Place::At(0),
            warm: 0,
            room: 0,
        };
        let (prepared, peer) = match &subject {
            Subject::Path(_) => match of.want.clone() {
                Some(want) => (Prepared::known(operation, &case, want.outcome()), false),
                None => (Prepared::new(operation, &case), false),
            },
            Subject::Peer(peer) => {
                let own = Prepared::known(operation, &case, Ok(Vec::new()));
                (own.and_then(|own| own.for_peer(peer)), true)
            }
        };
        let prepared = prepared.map_err(Said::Broken)?;
        let mut question = NAMES.digest();
        for part in &prepared.parts {
            question.update(&(part.len() as u64).to_le_bytes());
            question.update(part);
        }
        let mut answer = NAMES.digest();
        match &prepared.want {
            Ok(bytes) => answer.update(bytes),
            Err(failure) => answer.update(failure.to_string().as_bytes()),
        }
        let short = prepared.want.as_ref().map_or(0, Vec::len) <= HANDED_ON;
        let ready = Ready {
            version: VERSION,
            output: prepared.capacity(),
            input: prepared.parts.iter().map(Vec::len).collect(),
            question: question.finalize(),
            answer: answer.finalize(),
            want: (short && !peer).then(|| prepared.want.clone().into()),
            peer,
            recipe: None,
        };
        let callee = Callee {
            path: match subject {
                Subject::Path(path) => path,
                Subject::Peer(peer) => &peer.path,
            },
            prepared: Rc::new(prepared),
        };
        let mut side = Self {
            callee,
            desk: None,
            ready,
        };
        if let Some(moved) = &of.moved {
            side.ready.recipe = Some(side.move_code(moved)?);
        }
        Ok(side)
    }

    /// Has the path run as a copy, if its code can be copied. One that was to be slower must be.
    fn move_code(&self, moved: &Moved) -> Result<Result<Recipe, String>, Said> {
        let mut recipe = match &moved.recipe {
            Some(recipe) => recipe.clone(),
            None => match traced(&self.callee) {
                Ok((mut code, around, whole)) => {
                    moved::recipe(&mut code, &whole, &around, &loops())
                }
                // Where nothing can be stepped.
                Err(Said::Broken(why)) => Err(why),
                Err(other) => return Err(other),
            },
        };
        if let Ok(of) = &recipe
            && let Err(why) = moved::apply(of, moved.how)
        {
            recipe = Err(why);
        }
        match recipe {
            Err(why) if moved.how.slow != Slow::NOT => Err(Said::Absent(why)),
            recipe => Ok(recipe),
        }
    }

    fn answer(&mut self, ask: Ask) -> Result<Said, Said> {
        let broken = |why: &str| Said::Broken(why.into());
        match ask {
            Ask::Begin(_) => Err(broken("begun twice")),
            Ask::Map {
                arena,
                output,
                input,
            } => {
                let lengths: Vec<usize> = [output]
                    .into_iter()
                    .chain(input)
                    .map(|most| most.saturating_add(SPREAD))
                    .collect();
                let rooms = shared::map(arena.as_deref(), &lengths).map_err(Said::Broken)?;
                let mut rooms = rooms.into_iter().map(Buffer::on);
                let output = rooms.next().ok_or_else(|| broken("no room"))?;
                self.desk = Some(Desk::new(rooms.collect(), output));
                Ok(Said::Done)
            }
            Ask::Step => stepped(&self.callee),
            Ask::Lay { output, input } => {
                let desk = self.desk.as_mut().ok_or_else(|| broken("no arena"))?;
                desk.slide(&input, output);
                let agrees = self.callee.check(desk);
                agrees.map_err(|verdict| Said::Differs(verdict.to_string()))?;
                // Until its state is steady, or it is slow.
                let mut calls = 0;
                while calls < WARM_CALLS && self.callee.call(desk, 1) < 4 * BATCH {
                    calls += 1;
                }
                Ok(Said::Done)
            }
            Ask::Pace => {
                let desk = self.desk.as_mut().ok_or_else(|| broken("no arena"))?;
                let calls = self.callee.batch(desk);
                let mut took: Vec<f64> = (0..9)
                    .map(|_| self.callee.call(desk, calls).as_secs_f64() * 1e9)
                    .collect();
                let took = super::sign::quantile(&mut took, 0.1).unwrap_or(f64::NAN);
                let calls_a_batch = calls as f64 * (BATCH.as_secs_f64() * 1e9 / took).max(1.0);
                Ok(Said::Paced {
                    calls: calls_a_batch.ceil() as u64,
                    nanos: took / calls as f64,
                })
            }
            Ask::Turn {
                unmeasured,
                batches,
                calls,
            } => {
                let desk = self.desk.as_mut().ok_or_else(|| broken("no arena"))?;
                // The sides share the arena: what the one before has left there may be the input of a peer.
                desk.forget();
                self.callee.call(desk, unmeasured);
                let took = (0..batches).map(|_| self.callee.call(desk, calls).as_nanos() as u64);
                Ok(Said::Took(took.collect()))
            }
        }
    }
}

/// Why a path that works on other threads is not compared.
pub(crate) const SHARED_CORE: &str = "it works on other threads, and all sides share one core";

/// Why a subject cannot be a side, if it cannot.
fn not_measurable(subject: &Subject<'_>) -> Option<String> {
    let path = subject.path();
    not_repeatable(path).or_else(|| path.on_threads.then(|| SHARED_CORE.to_string()))
}

/// The steps of one call, and of one of an empty path, after another one has agreed.
fn traced(callee: &Callee<'_>) -> Result<(Code, Trace, Trace), Said> {
    let mut bench = Bench::new(Page::private());
    let prepared = &*callee.prepared;
    let mut stepper = None;
    code(&mut stepper).map_err(Said::Broken)?;
    let code = stepper.ok_or_else(|| Said::Broken("no code to read".into()))?;
    let verdict = bench.run(callee.path, 0, prepared);
    if verdict.is_finding() {
        return Err(Said::Differs(verdict.to_string()));
    }
    bench.load(prepared, 0);
    let mut steps =
        |path: &CodePath| trace(path, 0, prepared, step::LIMIT, &mut bench).map_err(Said::Broken);
    let around = steps(&empty(&callee.path.call))?;
    Ok((code, around, steps(callee.path)?))
}

fn stepped(callee: &Callee<'_>) -> Result<Said, Said> {
    let (mut code, around, whole) = traced(callee)?;
    let executed = step::read(&mut code, &whole, &around, false);
    Ok(Said::Stepped(Box::new(Steps {
        own: (!executed.cut).then_some(executed.own),
        elsewhere: executed.elsewhere,
        memory: [executed.allocated, executed.copied],
        sequence: whole.sequence(&code, &around),
        function: whole.most_executed(&mut code, &around),
        recipe: moved::recipe(&mut code, &whole, &around, &loops()),
    })))
}
