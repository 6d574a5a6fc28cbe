//! What parent and worker say to each other: frames of a little-endian u32 length and that many bytes of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::mutate::{Mutation, Trial};
use crate::operation::{Failure, Params};
use crate::plan::{Check, Settings};
use crate::receipt::{Class, Stepped};
use crate::step::implied;
use crate::time::{Given, Pace, Times};
use crate::verdict::{Depth, Verdict};

/// Grows with every change of the frames; parent and worker must have the same.
pub(crate) const VERSION: u32 = 5;
/// No frame is longer; a length beyond it means that something else is talking.
const LONGEST: u32 = 256 << 20;

/// What a parent asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// First of all; answered by `Hello`.
    Setup(Settings),
    /// Run the cases `from..to` of a check on all subjects but those to skip; answered by any number of `Found`, then `Done`.
    Span {
        operation: usize,
        check: Check,
        from: u64,
        to: u64,
        skip: Vec<usize>,
    },
    /// The case of an index; answered by `Described`.
    Describe {
        operation: usize,
        check: Check,
        index: u64,
    },
    /// Run one case on one subject; answered by `Verdict`. With a law, hold that law against it.
    Try {
        operation: usize,
        subject: usize,
        case: Case,
        law: Option<usize>,
    },
    /// What the reference says of a case; answered by `Answer`.
    Reference { operation: usize, case: Case },
    /// Measure subjects; answered by `Times`.
    Time {
        operation: usize,
        subjects: Vec<usize>,
        given: Given,
        pace: Pace,
    },
    /// Step one call of each subject on an input of a class; answered by `Stepped`.
    Step {
        operation: usize,
        subjects: Vec<usize>,
        class: Class,
        /// The input, if it is not the one of the class.
        given: Option<Case>,
        /// Whether source lines are wanted.
        sources: bool,
    },
    /// What the reference executes on an input of a class; answered by `Profile`.
    Profile { operation: usize, class: Class },
    /// Change the machine code of a path in every way there is, and see what the verification notices; answered by `Mutated`.
    Mutate {
        operation: usize,
        subject: usize,
        trial: Trial,
        /// Mutants that are not to be tried.
        leave: BTreeSet<u64>,
    },
    /// Which mutants a path has; answered by `Mutants`.
    Mutants { operation: usize, subject: usize },
    /// Whether instructions can be stepped here, and how fast; answered by `Stepping`.
    Stepping,
    /// Answered by `Pong`.
    Ping,
    /// Read one byte beyond an input, for `doctor`; answered by nothing but a death.
    Overread,
    /// Run one case on one subject, or on the reference itself, against a known answer; answered by `Verdict`.
    Known {
        operation: usize,
        subject: Option<usize>,
        case: Case,
        want: Answered,
    },
}

/// What a worker replies.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Hello {
        version: u32,
        catalog: Catalog,
    },
    Found {
        index: u64,
        subject: usize,
        verdict: Verdict,
    },
    Done {
        tallies: Vec<Tally>,
        nanos: u64,
    },
    /// The case as it was planned, and with its bytes in it.
    Described {
        planned: Case,
        verbatim: Case,
    },
    Verdict(Verdict),
    /// The length of the reference's answer, or its refusal.
    Answer(Result<usize, Failure>),
    Times(Times),
    /// Subjects with what their calls executed.
    Stepped(Vec<(usize, Stepped)>),
    /// Instructions by line and form.
    Profile(BTreeMap<String, u64>),
    Mutated(Mutation),
    /// By what they change, with their functions.
    Mutants(BTreeMap<u64, String>),
    /// Steps a second, or why there are none.
    Stepping(Result<f64, String>),
    Pong,
    /// The client's own part (reference, input maker, law) failed, or the request made no sense.
    Broken(String),
}

/// An outcome that can travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answered {
    Bytes(Vec<u8>),
    Refused(Failure),
}

impl Answered {
    pub(crate) fn outcome(self) -> Result<Vec<u8>, Failure> {
        match self {
            Answered::Bytes(bytes) => Ok(bytes),
            Answered::Refused(failure) => Err(failure),
        }
    }
}

impl From<Result<Vec<u8>, Failure>> for Answered {
    fn from(outcome: Result<Vec<u8>, Failure>) -> Self {
        outcome.map_or_else(Answered::Refused, Answered::Bytes)
    }
}

/// What a subject has been through in a span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Cases run to their end, and the calls that they took.
    pub(crate) cases: u64,
    pub(crate) calls: u64,
    /// Cases that ended in a finding.
    pub(crate) failed: u64,
    /// Refusals that agreed, by how far they could be compared; the order of [`Depth::ALL`].
    pub(crate) refusals: [u64; Depth::ALL.len()],
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.cases += other.cases;
        self.calls += other.calls;
        self.failed += other.failed;
        self.refusals
            .iter_mut()
            .zip(other.refusals)
            .for_each(|(a, b)| *a += b);
    }

    pub(crate) fn refused(&mut self, depth: Depth) {
        self.refusals[Depth::ALL
            .iter()
            .position(|d| *d == depth)
            .unwrap_or_default()] += 1;
    }
}

/// What there is to verify, in names and numbers alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Catalog {
    pub(crate) operations: Vec<OperationEntry>,
}

/// An operation of the catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OperationEntry {
    pub(crate) name: String,
    /// Parameters by name, with the values swept.
    pub(crate) params: Vec<(String, Vec<Vec<u64>>)>,
    /// Of each parameter, the value with which receipts, counts and times are taken.
    pub(crate) usual: Params,
    /// How many plain bytes a case is made from at most.
    pub(crate) longest: Option<usize>,
    /// Up to how many plain bytes every length is swept.
    pub(crate) swept: usize,
    /// How many plain bytes the input has on which a path is judged by its main loop.
    pub(crate) long: usize,
    /// Calls as they are made in real use: name, plain bytes, the values of parameters that are not the usual ones.
    pub(crate) loads: Vec<(String, usize, Params)>,
    /// Sets of real data: name, rows, bytes a row.
    pub(crate) sets: Vec<(String, usize, usize)>,
    pub(crate) laws: Vec<String>,
    /// Survivors of mutation that the client has accepted, as the text of its file.
    pub(crate) accepted: Option<String>,
    /// Paths, then peers.
    pub(crate) subjects: Vec<SubjectEntry>,
    /// The checks that it has, and how many cases of each.
    pub(crate) checks: Vec<(Check, u64)>,
}

/// A path or a peer of the catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SubjectEntry {
    pub(crate) isa: String,
    pub(crate) delivery: String,
    pub(crate) peer: bool,
    pub(crate) unavailable: Option<String>,
    pub(crate) executes: Vec<String>,
    pub(crate) only: Option<Vec<String>>,
    /// Whether its answer is to be made in the caller's buffer, without an allocation and without a copy of the whole.
    pub(crate) zero_copy: bool,
    pub(crate) block: usize,
    pub(crate) switches_at: Vec<usize>,
    pub(crate) on_threads: bool,
    /// Whether its answer is made where its input was.
    pub(crate) in_place: bool,
    /// The inputs on which receipts are taken.
    pub(crate) classes: Vec<Class>,
}

impl SubjectEntry {
    /// Whether it is a path that can run here, on the thread that calls it.
    pub(crate) fn is_stepped(&self) -> bool {
        self.unavailable.is_none() && !self.peer && !self.on_threads
    }

    /// Whether the path promises to need less than this CPU feature. One that promises to need nothing beyond the baseline does
    /// without what the baseline has, too: compilers put SSE2 into any code.
    pub(crate) fn does_without(&self, feature: &str) -> bool {
        self.only.as_ref().is_some_and(|only| {
            only.is_empty() || !implied(only.iter().map(String::as_str)).contains(&feature)
        })
    }

    /// Whether the path is of this ISA: `avx2` means `avx2` and every flavour of it, such as `avx2/basic` and
    /// `avx2+stream`.
    pub(crate) fn is_of(&self, isa: &str) -> bool {
        let rest = self.isa.strip_prefix(isa);
        !self.peer && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '+']))
    }
}

impl OperationEntry {
    /// `operation/isa/delivery`.
    pub(crate) fn path_name(&self, subject: usize) -> String {
        let SubjectEntry { isa, delivery, .. } = &self.subjects[subject];
        format!("{}/{isa}/{delivery}", self.name)
    }

    /// Whether a name means this path: its ISA's, or its own.
    pub(crate) fn is_meant(&self, subject: usize, name: &str) -> bool {
        let entry = &self.subjects[subject];
        entry.is_of(name) || (!entry.peer && self.path_name(subject) == name)
    }

    /// Whether a case may be made from so many plain bytes.
    pub(crate) fn takes(&self, plain: usize) -> bool {
        self.longest.is_none_or(|longest| plain <= longest)
    }
}

/// Sends one frame.
pub(crate) fn send(to: &mut impl Write, frame: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(frame).map_err(io::Error::other)?;
    let len = u32::try_from(body.len()).ok().filter(|len| *len <= LONGEST);
    let len = len.ok_or_else(|| {
        io::Error::other(format!(
            "a frame of {} bytes; at most {LONGEST} can be sent",
            body.len()
        ))
    })?;
    to.write_all(&len.to_le_bytes())?;
    to.write_all(&body)?;
    to.flush()
}

/// Receives one frame; `None` where the other side has closed.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut len = [0; 4];
    match from.read_exact(&mut len) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let len = u32::from_le_bytes(len);
    if len > LONGEST {
        return Err(io::Error::other(format!(
            "a frame of {len} bytes was announced; something else is talking"
        )));
    }
    let mut body = Vec::new();
    from.take(len.into()).read_to_end(&mut body)?;
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = receive::<Request>(&mut bytes.as_slice());
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut pipe = Vec::new();
        let frame = Reply::Answer(Err(Failure::at("bad", 3)));
        send(&mut pipe, &frame).unwrap();
        let mut read = pipe.as_slice();
        let back: Reply = receive(&mut read).unwrap().unwrap();
        assert_eq!(format!("{back:?}"), format!("{frame:?}"));
        assert!(receive::<Reply>(&mut read).unwrap().is_none());
        // A frame that is cut off is an error, not a wait and not a panic.
        assert!(receive::<Reply>(&mut &pipe[..pipe.len() - 1]).is_err());
    }
}
