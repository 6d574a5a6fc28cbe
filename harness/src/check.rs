//! One case on one path: the call, and everything that is looked at after it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::arena::{Buffer, Poison};
use crate::case::{Case, Place, mix};
use crate::operation::{Answer, Call, CodePath, Failure, Input, Operation, Outcome, Params, Peer};
use crate::page::Page;
#[cfg(feature = "cli")]
use crate::step::{enter, leave};
use crate::verdict::{Depth, Stray, Verdict, compare, overlong};

/// Without the command line nothing is counted, and there is no window.
#[cfg(not(feature = "cli"))]
fn enter<R>(_: bool, call: impl FnOnce() -> R) -> R {
    call()
}
#[cfg(not(feature = "cli"))]
use enter as leave;

/// A path or a peer: what a case can be run on.
pub(crate) enum Subject<'a> {
    Path(&'a CodePath),
    Peer(&'a Peer),
}

impl Operation {
    /// Paths first, then peers: the order that every index of a subject refers to.
    pub(crate) fn subjects(&self) -> Vec<Subject<'_>> {
        self.paths
            .iter()
            .map(Subject::Path)
            .chain(self.peers.iter().map(Subject::Peer))
            .collect()
    }
}

impl Subject<'_> {
    pub(crate) fn path(&self) -> &CodePath {
        match self {
            Subject::Path(path) => path,
            Subject::Peer(peer) => &peer.path,
        }
    }
}

/// A case with its bytes and the answer that is due. Made before any path runs on it.
pub(crate) struct Prepared {
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) params: Params,
    pub(crate) want: Outcome<Vec<u8>>,
    /// Whether the answer is the reference's, and not one from a file, which need not say all of a refusal.
    of_reference: bool,
    /// What a `fills` path is to answer instead, whose buffer is too short for that.
    short: Option<Failure>,
    capacity: usize,
    /// Whether the buffer has another length than the operation's capacity.
    roomy: bool,
    input: Place,
    output: Place,
}

impl Prepared {
    /// What a path is to be judged by on `case`.
    pub(crate) fn new(operation: &Operation, case: &Case) -> Result<Self, String> {
        let guarded = || -> Result<Self, String> {
            let parts = operation.resolve(case)?;
            let prepared = Self::from_parts(operation, parts, case, None);
            let due = prepared.want.as_ref().map_or(0, Vec::len);
            let fills = |path: &CodePath| matches!(path.call, Call::Fills(_));
            if due > prepared.capacity
                && prepared.short.is_none()
                && operation.paths.iter().any(fills)
            {
                return Err(format!(
                    "the reference of {} answers with {due} bytes, and Operation::capacity gives its `fills` paths room for {}",
                    operation.name, prepared.capacity
                ));
            }
            Ok(prepared)
        };
        catch_unwind(AssertUnwindSafe(guarded)).unwrap_or_else(|panic| {
            Err(format!(
                "the reference of {} panicked: {}",
                operation.name,
                message(&*panic)
            ))
        })
    }

    /// The same with an answer that is known beforehand.
    pub(crate) fn known(
        operation: &Operation,
        case: &Case,
        want: Outcome<Vec<u8>>,
    ) -> Result<Self, String> {
        let parts = operation.resolve(case)?;
        Ok(Self::from_parts(operation, parts, case, Some(want)))
    }

    fn from_parts(
        operation: &Operation,
        parts: Vec<Vec<u8>>,
        case: &Case,
        want: Option<Outcome<Vec<u8>>>,
    ) -> Self {
        let of_reference = want.is_none();
        let (want, capacity) = {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let input = Input::new(&slices, &case.params);
            (
                want.unwrap_or_else(|| (operation.reference)(&input)),
                (operation.capacity)(&input),
            )
        };
        // Which refusal comes first, of two that are due, is nobody's promise.
        let room = match (&operation.short, &want) {
            (Some(_), Ok(_)) => case.room as isize,
            _ => 0,
        };
        let exact = capacity;
        let capacity = exact.saturating_add_signed(room);
        let short = match (&operation.short, &want) {
            (Some(failure), Ok(due)) if due.len() > capacity && due.len() <= exact => {
                Some(failure(due.len(), capacity))
            }
            _ => None,
        };
        Self {
            parts,
            params: case.params.clone(),
            want,
            of_reference,
            short,
            capacity,
            roomy: room != 0,
            input: case.input,
            output: case.output,
        }
    }

    /// What a peer is to be judged by: its own input, made from this one, and its own reference.
    pub(crate) fn for_peer(&self, peer: &Peer) -> Result<Self, String> {
        let guarded = || {
            let slices: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
            let parts = vec![(peer.input)(&Input::new(&slices, &self.params))];
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let input = Input::new(&slices, &self.params);
            let want = (peer.reference)(&input);
            let capacity = (peer.capacity)(&input).max(want.as_ref().map_or(0, Vec::len));
            Self {
                want,
                of_reference: true,
                short: None,
                capacity,
                roomy: false,
                params: self.params.clone(),
                input: self.input,
                output: self.output,
                parts: parts.clone(),
            }
        };
        catch_unwind(AssertUnwindSafe(guarded)).map_err(|panic| {
            format!(
                "the reference of peer {} panicked: {}",
                peer.path.isa,
                message(&*panic)
            )
        })
    }

    /// What the poison of a case and its stale output are drawn from. The places alone, which its token has: so that a replay
    /// meets the same bytes, and a shrunk case too.
    fn salt(&self) -> u64 {
        let number = |place| match place {
            Place::At(offset) => u64::from(offset),
            Place::Start => 64,
            Place::End => 65,
        };
        mix(&[number(self.input), number(self.output)])
    }

    /// The bytes that a `fills` path is handed.
    #[cfg(feature = "cli")]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How often a case is run: twice between margins, whose poison then differs in every bit.
    pub(crate) fn runs(&self) -> usize {
        if matches!(
            (self.input, self.output),
            (Place::At(_), _) | (_, Place::At(_))
        ) {
            2
        } else {
            1
        }
    }
}

/// The guarded memory of a worker, and how it calls a path.
pub(crate) struct Bench {
    parts: Vec<Buffer>,
    output: Buffer,
    poison: Poison,
    /// What an output buffer holds before a call: the bytes that are due, each changed in the same bits, of which there is at least
    /// one, so that none that the path leaves as it was is the byte that is due.
    stale: Vec<u8>,
    page: &'static Page,
    /// Whether paths are called in the window, where instructions are counted.
    pub(crate) windowed: bool,
}

impl Bench {
    pub(crate) fn new(page: &'static Page) -> Self {
        Self {
            parts: Vec::new(),
            output: Buffer::new(),
            // Always the same: which part of it a case meets is the case's own.
            poison: Poison::new(0x706f),
            stale: Vec::new(),
            page,
            windowed: false,
        }
    }

    /// Places the parts of a case in guarded memory, for any number of calls.
    pub(crate) fn load(&mut self, prepared: &Prepared, run: usize) {
        self.poison.turn(prepared.salt());
        self.parts
            .resize_with(self.parts.len().max(prepared.parts.len()), Buffer::new);
        for (number, (buffer, part)) in self.parts.iter_mut().zip(&prepared.parts).enumerate() {
            buffer.load(part, prepared.input, &self.poison, run);
            self.page.buffer(1 + number, buffer.addresses());
        }
        for number in prepared.parts.len()..self.parts.len() {
            self.page.buffer(1 + number, 0..0);
        }
        let stale = (mix(&[prepared.salt(), run as u64]) as u8) | 1;
        let due = prepared.want.as_ref().map_or(&[][..], Vec::as_slice);
        let due = &due[..due.len().min(prepared.capacity)];
        self.stale.clear();
        self.stale.extend(due.iter().map(|due| due ^ stale));
        self.stale.resize(prepared.capacity, stale);
    }

    /// Calls `path` on the case that was loaded last. `Ok` says how far refusals were compared.
    pub(crate) fn call(
        &mut self,
        path: &CodePath,
        subject: usize,
        prepared: &Prepared,
        run: usize,
    ) -> Result<Option<Depth>, Verdict> {
        let want = match (&path.call, &prepared.short) {
            (Call::Fills(_), Some(short)) => Err(short.clone()),
            _ => prepared
                .want
                .as_ref()
                .map(Vec::as_slice)
                .map_err(Clone::clone),
        };
        let (count, output, poison) = (prepared.parts.len(), &mut self.output, &self.poison);
        let stale = &self.stale;
        match &path.call {
            Call::Fills(_) => {
                output.offer(prepared.capacity, prepared.output, poison, run, |bytes| {
                    bytes.copy_from_slice(stale)
                })
            }
            Call::InPlace(_) => {
                let first = &prepared.parts[0];
                output.offer(first.len(), prepared.output, poison, run, |bytes| {
                    bytes.copy_from_slice(first)
                });
            }
            Call::Returns(_) => {}
            Call::Absent => {
                let why = path
                    .unavailable
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                return Err(Verdict::Unavailable(why));
            }
        }
        let fills = !matches!(path.call, Call::Returns(_));
        self.page
            .buffer(0, if fills { output.addresses() } else { 0..0 });

        let slices: Vec<&[u8]>;
        let one;
        let parts: &[&[u8]] = if count == 1 {
            one = [self.parts[0].bytes()];
            &one
        } else {
            slices = self.parts[..count].iter().map(Buffer::bytes).collect();
            &slices
        };
        let input = Input::new(parts, &prepared.params);
        let windowed = self.windowed;
        let held = |got: Outcome<&[u8]>| {
            let unlike = match (&want, &got) {
                (Err(want), Err(got)) if path.refuses_in_full => {
                    let less = says_more(got, want);
                    let more = prepared.of_reference && says_more(want, got);
                    let unlike = if less { "less" } else { "more" };
                    (less || more)
                        .then(|| format!("it says {unlike}: {got}; the reference's: {want}"))
                }
                _ => None,
            };
            let compared = compare(want.clone(), got)?;
            match unlike {
                Some(why) => Err(Verdict::Broke {
                    law: "a refusal says all that the reference's says, and no more".into(),
                    why,
                }),
                None => Ok(compared),
            }
        };
        self.page.calling(subject);
        let called = catch_unwind(AssertUnwindSafe(|| match &path.call {
            Call::Fills(f) | Call::InPlace(f) => {
                let buffer = output.bytes_mut();
                match enter(windowed, || f(&input, buffer)) {
                    Ok(len) if len > buffer.len() => Err(overlong(want.clone(), buffer, len)),
                    Ok(len) => held(Ok(&buffer[..len])),
                    Err(failure) => held(Err(failure)),
                }
            }
            Call::Returns(f) => {
                let mut compared = Err(Verdict::Panicked("it gave no answer".into()));
                enter(windowed, || {
                    f(&input, &mut |got| {
                        leave(windowed, || {
                            let got = got.map(Answer::bytes);
                            let got = got.as_ref().map(|bytes| &**bytes);
                            compared = match nowhere(&got) {
                                true => Err(Verdict::Panicked("its answer lies at 0".into())),
                                false => held(got.map_err(Clone::clone)),
                            };
                        });
                    });
                });
                compared
            }
            Call::Absent => unreachable!("returned above"),
        }));
        self.page.idle();

        // What lies outside is looked at first: an answer next to a stray write may be right by luck.
        if fills && let Some(touched) = self.output.overrun(&self.poison, run) {
            let len = self.output.addresses().len();
            return Err(Verdict::WroteOutside(Stray::new(
                "output".into(),
                touched.0,
                len,
            )));
        }
        for (number, buffer) in self.parts[..count].iter_mut().enumerate() {
            if let Some(touched) = buffer.changed() {
                let of = if number == 0 {
                    "input".into()
                } else {
                    format!("part {number}")
                };
                let stray = Stray::new(of, touched.0, buffer.addresses().len());
                buffer.load(&prepared.parts[number], prepared.input, &self.poison, run);
                return Err(Verdict::WroteOutside(stray));
            }
        }
        let compared = called.unwrap_or_else(|panic| Err(Verdict::Panicked(message(&*panic))));
        if let (Call::Fills(_), true, Ok(_)) = (&path.call, prepared.roomy, &compared) {
            let written = want.as_ref().map_or(0, |due| due.len());
            let (now, before) = (self.output.bytes(), &self.stale);
            let left_alone = |at: &usize| now[*at] == before[*at];
            if let Some(at) = (written..prepared.capacity).find(|at| !left_alone(at)) {
                return Err(Verdict::Broke {
                    law: "what the answer does not need is left as it is".into(),
                    why: format!(
                        "byte {at} of {} was written, and the answer has {}",
                        prepared.capacity,
                        prepared.want.as_ref().map_or(0, Vec::len)
                    ),
                });
            }
        }
        compared
    }

    /// Runs a case on a path as often as it has to be run; the first verdict that is a finding, if any.
    pub(crate) fn run(&mut self, path: &CodePath, subject: usize, prepared: &Prepared) -> Verdict {
        for run in 0..prepared.runs() {
            self.load(prepared, run);
            if let Err(verdict) = self.call(path, subject, prepared, run) {
                return verdict;
            }
        }
        Verdict::Agrees
    }

    /// Holds a law against a path, on an input that the reference takes; of one that it refuses, laws say nothing.
    pub(crate) fn law(
        &self,
        operation: &Operation,
        law: usize,
        path: &CodePath,
        subject: usize,
        prepared: &Prepared,
    ) -> Verdict {
        if prepared.want.is_err() {
            return Verdict::Agrees;
        }
        let (name, holds) = &operation.laws[law];
        let slices: Vec<&[u8]> = prepared.parts.iter().map(Vec::as_slice).collect();
        let input = Input::new(&slices, &prepared.params);
        // A law's own memory is not guarded: no fault in it is an access outside of these.
        (0..=self.parts.len()).for_each(|number| self.page.buffer(number, 0..0));
        self.page.calling(subject);
        let held = catch_unwind(AssertUnwindSafe(|| {
            holds(&input, &|input: &Input<'_>| {
                call_plainly(operation, path, input)
            })
        }));
        self.page.idle();
        match held {
            Ok(Ok(())) => Verdict::Agrees,
            Ok(Err(why)) => Verdict::Broke {
                law: name.to_string(),
                why: one_line(&why),
            },
            Err(panic) => Verdict::Panicked(message(&*panic)),
        }
    }
}

/// Whether a refusal says more than another: something of which that says nothing.
fn says_more(than: &Failure, refusal: &Failure) -> bool {
    (refusal.kind.is_some() && than.kind.is_none())
        || (refusal.at.is_some() && than.at.is_none())
        || (refusal.detail.is_some() && than.detail.is_none())
}

/// Whether an answer lies where nothing can: an empty one with a null pointer would be taken for none at all by its caller.
fn nowhere<E>(got: &Result<&[u8], E>) -> bool {
    let address = got.as_ref().map_or(1, |bytes| bytes.as_ptr() as usize);
    // The compiler takes it for impossible.
    std::hint::black_box(address) == 0
}

/// Calls a path on ordinary memory, for laws.
fn call_plainly(operation: &Operation, path: &CodePath, input: &Input<'_>) -> Outcome<Vec<u8>> {
    let fill = |mut buffer: Vec<u8>, f: &dyn Fn(&Input<'_>, &mut [u8]) -> Outcome<usize>| {
        let len = f(input, &mut buffer)?;
        buffer.truncate(len);
        Ok(buffer)
    };
    match &path.call {
        Call::Fills(f) => fill(vec![0xa5; (operation.capacity)(input)], f),
        Call::InPlace(f) => fill(input.bytes().to_vec(), f),
        Call::Returns(f) => {
            let mut answer = Ok(Vec::new());
            f(input, &mut |got| {
                answer = got.map(|got| got.bytes().into_owned())
            });
            answer
        }
        Call::Absent => unreachable!("an absent path is not called"),
    }
}

/// A panic's message, on one line.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    one_line(text.unwrap_or("no message"))
}

/// What a client says, on one line and not at any length.
fn one_line(text: &str) -> String {
    const MOST: usize = 2000;
    let line = text.lines().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{} … ({} bytes in all)", &line[..at], line.len()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Source;
    use std::collections::BTreeMap;

    /// What becomes of a path that refuses so, and promises to say all, where the reference says `want`.
    fn verdict(want: Failure, got: Failure, of_reference: bool) -> Verdict {
        let path = |failure: Failure| {
            CodePath::returns("scalar", move |_| Err::<Vec<u8>, _>(failure.clone()))
                .refuses_in_full()
        };
        let known = want.clone();
        let operation =
            Operation::new("refuses", move |_| Err::<Vec<u8>, _>(known.clone())).path(path(got));
        let case = Case {
            operation: "refuses".into(),
            source: Source::Verbatim(vec![vec![1, 2, 3]]),
            params: BTreeMap::new(),
            input: Place::End,
            output: Place::End,
            warm: 0,
            room: 0,
        };
        let prepared = match of_reference {
            true => Prepared::new(&operation, &case),
            false => Prepared::known(&operation, &case, Err(want)),
        };
        let mut bench = Bench::new(Page::private());
        bench.run(&operation.paths[0], 0, &prepared.expect("it refuses"))
    }

    #[test]
    fn a_path_that_refuses_in_full_says_no_less_and_no_more() {
        let full = || Failure::at("bad", 3).detail([7]);
        assert_eq!(verdict(full(), full(), true), Verdict::Agrees);
        let no_place = || Failure::kind("bad").detail([7]);
        assert_eq!(verdict(no_place(), no_place(), true), Verdict::Agrees);
        for (want, got, unlike) in [
            (full(), Failure::at("bad", 3), "less"),
            (full(), no_place(), "less"),
            (no_place(), Failure::kind("bad"), "less"),
            (Failure::opaque(), Failure::kind("bad"), "more"),
            (Failure::at("bad", 3), full(), "more"),
            (no_place(), full(), "more"),
        ] {
            let verdict = verdict(want, got, true);
            assert!(verdict.detail().contains(unlike), "{verdict}");
        }
        // An answer from a file need not say all that there is to say.
        assert_eq!(
            verdict(Failure::kind("bad"), full(), false),
            Verdict::Agrees
        );
        assert_ne!(verdict(full(), no_place(), false), Verdict::Agrees);
    }
}
