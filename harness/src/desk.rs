//! Calls that are measured: a path, its input, and the buffers on which it is called again and again.

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::arena::Buffer;
use crate::check::Prepared;
use crate::operation::{Answer, Call, CodePath, FillsFn, Input, Outcome, ReturnsFn};
use crate::verdict::{Verdict, compare};

/// The least time that one reading of the clock covers, so that the reading itself is noise.
pub(crate) const BATCH: Duration = Duration::from_micros(5);
/// Buffers are placed at random multiples of 64 below this, which covers every page offset and more than one page colour.
pub(crate) const SPREAD: usize = 256 << 10;

/// The buffers of a placement. All subjects are called on the same ones, one after another: what a placement costs, it costs all of
/// them, and no more memory is needed than for one.
pub(crate) struct Desk {
    input: Vec<Buffer>,
    output: Buffer,
    /// Whose input lies there.
    loaded: Option<Rc<Prepared>>,
}

impl Desk {
    pub(crate) fn new(input: Vec<Buffer>, output: Buffer) -> Self {
        Self {
            input,
            output,
            loaded: None,
        }
    }

    /// Moves the buffers, each so many bytes from the beginning of its pages; what lay in them is to be laid out anew.
    #[cfg(target_os = "linux")]
    pub(crate) fn slide(&mut self, input: &[usize], output: usize) {
        for (buffer, offset) in self.input.iter_mut().zip(input) {
            buffer.slide(*offset, 0);
        }
        self.output.slide(output, 0);
        self.loaded = None;
    }

    /// What lies in the buffers may have changed.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget(&mut self) {
        self.loaded = None;
    }

    /// Lays out a subject's input, unless it lies there, and a buffer of its capacity.
    fn load(&mut self, prepared: &Rc<Prepared>) {
        self.output.resize(prepared.capacity());
        if self
            .loaded
            .as_ref()
            .is_some_and(|loaded| Rc::ptr_eq(loaded, prepared))
        {
            return;
        }
        for (buffer, part) in self.input.iter_mut().zip(&prepared.parts) {
            buffer.resize(part.len());
            buffer.bytes_mut().copy_from_slice(part);
        }
        self.loaded = Some(Rc::clone(prepared));
    }
}

/// Calls `count` times; how long that took. The call itself is all that is repeated. A function of its own, so that a comparison can
/// have it lie where it wants.
#[inline(never)]
fn filling(f: &FillsFn, input: &Input<'_>, buffer: &mut [u8], count: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        black_box(f(black_box(input), black_box(&mut *buffer)).is_ok());
    }
    start.elapsed()
}

/// The same of a path that returns its answer.
#[inline(never)]
fn returning(f: &ReturnsFn, input: &Input<'_>, count: u64) -> Duration {
    let receive = &mut |answer: Outcome<&dyn Answer>| {
        // The answer itself, wherever it lies, and not its bytes: a number is not written out to be timed.
        let _ = answer.map(black_box);
    };
    let start = Instant::now();
    for _ in 0..count {
        f(black_box(input), receive);
    }
    start.elapsed()
}

/// Where the loops are in which paths are called.
#[cfg(target_os = "linux")]
pub(crate) fn loops() -> [u64; 2] {
    let filling: fn(&FillsFn, &Input<'_>, &mut [u8], u64) -> Duration = filling;
    let returning: fn(&ReturnsFn, &Input<'_>, u64) -> Duration = returning;
    [filling as usize as u64, returning as usize as u64]
}

/// A path and what it is called with.
pub(crate) struct Callee<'a> {
    pub(crate) path: &'a CodePath,
    /// Shared by all paths; a peer has its own.
    pub(crate) prepared: Rc<Prepared>,
}

/// Why an in-place path cannot be called again and again on one input.
pub(crate) const IN_PLACE: &str =
    "an in-place call uses its input up, so that it cannot be repeated on it";

/// Why a path cannot be called again and again on one input, if it cannot.
pub(crate) fn not_repeatable(path: &CodePath) -> Option<String> {
    match &path.call {
        Call::InPlace(_) => Some(IN_PLACE.into()),
        _ => path.unavailable.as_ref().map(ToString::to_string),
    }
}

impl Callee<'_> {
    /// Whether the path agrees here.
    pub(crate) fn check(&self, desk: &mut Desk) -> Result<(), Verdict> {
        desk.load(&self.prepared);
        let want = self
            .prepared
            .want
            .as_ref()
            .map(Vec::as_slice)
            .map_err(Clone::clone);
        let parts: Vec<&[u8]> = desk.input.iter().map(Buffer::bytes).collect();
        let input = Input::new(&parts[..self.prepared.parts.len()], &self.prepared.params);
        match &self.path.call {
            Call::Fills(f) => {
                let buffer = desk.output.bytes_mut();
                // A right answer of the subject before must not pass.
                buffer.fill(0);
                match f(&input, buffer) {
                    Ok(len) => compare(want, Ok(buffer.get(..len).unwrap_or_default())).map(drop),
                    Err(failure) => compare(want, Err(failure)).map(drop),
                }
            }
            Call::Returns(f) => {
                let mut compared = Ok(());
                f(&input, &mut |got| {
                    let got = got.map(Answer::bytes);
                    let got = got.as_ref().map(|bytes| &**bytes).map_err(Clone::clone);
                    compared = compare(want.clone(), got).map(drop)
                });
                compared
            }
            Call::InPlace(_) | Call::Absent => {
                Err(Verdict::Unavailable("it is not measured".into()))
            }
        }
    }

    /// Calls `count` times; how long that took.
    pub(crate) fn call(&self, desk: &mut Desk, count: u64) -> Duration {
        desk.load(&self.prepared);
        let parts: Vec<&[u8]> = desk.input.iter().map(Buffer::bytes).collect();
        let input = Input::new(&parts[..self.prepared.parts.len()], &self.prepared.params);
        match &self.path.call {
            Call::Fills(f) => filling(f, &input, desk.output.bytes_mut(), count),
            Call::Returns(f) => returning(f, &input, count),
            Call::InPlace(_) | Call::Absent => Duration::ZERO,
        }
    }

    /// As many calls as fill a reading of the clock: by the least of three, so that an interrupt is not taken for a slow call.
    pub(crate) fn batch(&self, desk: &mut Desk) -> u64 {
        let mut calls = 1;
        loop {
            let least = (0..3).map(|_| self.call(desk, calls)).min();
            if least.is_none_or(|least| least >= BATCH) || calls >= 1 << 20 {
                return calls;
            }
            calls *= 2;
        }
    }
}
