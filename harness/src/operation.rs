//! What a client says about its codec: operations, their code paths, their peers.
//!
//! Nothing here runs anything. A client builds a list of [`Operation`]s and hands it to
//! [`main`](crate::main), [`tests`](crate::tests) or [`fuzz`](crate::fuzz).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The sweeps go over every length of plain bytes up to this one, where an operation says no other.
pub(crate) const SWEPT: usize = 512;

/// A name that is usually a literal.
pub type Text = Cow<'static, str>;

/// Named parameters of a call: `k`, `planes`, `levels`, `needle`. Each is a list; a plain number is a list of one.
pub type Params = BTreeMap<Text, Vec<u64>>;

/// What a call gives: an answer, or a refusal.
pub type Outcome<T> = Result<T, Failure>;

/// One call's input: the parts (a text; a haystack and a needle) and the parameters.
///
/// While a path is verified, every part lies in guarded memory: one byte beyond either end is poison or an inaccessible page.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    parts: &'a [&'a [u8]],
    params: &'a Params,
}

impl<'a> Input<'a> {
    /// An input of these parts and parameters; laws and peers make their own.
    ///
    /// # Panics
    /// If `parts` is empty: every input has at least one part.
    pub fn new(parts: &'a [&'a [u8]], params: &'a Params) -> Self {
        assert!(!parts.is_empty(), "an input has at least one part");
        Self { parts, params }
    }

    /// The first part, which is the whole input of most operations.
    pub fn bytes(&self) -> &'a [u8] {
        self.parts[0]
    }

    /// Part `index`, in the order of [`Operation::part`]; part 0 is [`bytes`](Self::bytes).
    ///
    /// # Panics
    /// If the operation has no such part.
    pub fn part(&self, index: usize) -> &'a [u8] {
        self.parts[index]
    }

    /// All parts.
    pub fn parts(&self) -> &'a [&'a [u8]] {
        self.parts
    }

    /// All parameters.
    pub fn params(&self) -> &'a Params {
        self.params
    }

    /// The number named `name`.
    ///
    /// # Panics
    /// If the operation declared no such [parameter](Operation::param), or declared it as an empty list.
    pub fn get(&self, name: &str) -> u64 {
        self.list(name)[0]
    }

    /// The list named `name`.
    ///
    /// # Panics
    /// If the operation declared no such [parameter](Operation::param).
    pub fn list(&self, name: &str) -> &'a [u64] {
        match self.params.get(name) {
            Some(list) => list,
            None => panic!("no parameter named {name}: declare it with Operation::param"),
        }
    }
}

/// A refusal: what is wrong, and the byte of the input at which it is.
///
/// Two refusals agree if they agree in all that both of them name. The ledger says how far that was:
/// `kind+position+detail`, `kind+position`, `kind`, `position`, or `opaque` where one side names neither.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// The kind of error, in one word that all paths share.
    pub kind: Option<Text>,
    /// The 0-based index of the offending byte in the first part.
    pub at: Option<usize>,
    /// What else it says, as up to three numbers: the byte that it found there, and what was due, say. Those that are left out are 0.
    pub detail: Option<[u64; 3]>,
}

impl Failure {
    /// A refusal of a kind at a byte.
    pub fn at(kind: impl Into<Text>, at: usize) -> Self {
        Self {
            kind: Some(kind.into()),
            at: Some(at),
            detail: None,
        }
    }

    /// The same refusal, which says these one to three numbers, too.
    pub fn detail<const N: usize>(self, numbers: [u64; N]) -> Self {
        const { assert!(1 <= N && N <= 3, "a refusal says one to three numbers") };
        let mut detail = [0; 3];
        detail[..N].copy_from_slice(&numbers);
        Self {
            detail: Some(detail),
            ..self
        }
    }

    /// A refusal of a kind that has no position.
    pub fn kind(kind: impl Into<Text>) -> Self {
        Self {
            kind: Some(kind.into()),
            at: None,
            detail: None,
        }
    }

    /// A refusal that says no more than that.
    pub fn opaque() -> Self {
        Self {
            kind: None,
            at: None,
            detail: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.at) {
            (Some(kind), Some(at)) => write!(f, "{kind} at {at}"),
            (Some(kind), None) => write!(f, "{kind}"),
            (None, Some(at)) => write!(f, "refused at {at}"),
            (None, None) => write!(f, "refused"),
        }?;
        self.detail.map_or(Ok(()), |[a, b, c]| {
            let shown = [a, b, c].map(|number| number.to_string());
            let said = 1 + [b, c].iter().rposition(|n| *n != 0).map_or(0, |at| at + 1);
            write!(f, " ({})", shown[..said].join(", "))
        })
    }
}

/// What a call may answer with: bytes, or anything that has one byte form.
pub trait Answer {
    /// The answer as bytes; equal answers have equal bytes and unlike ones do not.
    fn bytes(&self) -> Cow<'_, [u8]>;
}

impl Answer for Vec<u8> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.into()
    }
}

impl Answer for &[u8] {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl Answer for Cow<'_, [u8]> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl Answer for String {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.as_bytes().into()
    }
}

/// An answer that somebody else keeps, too.
impl<A: Answer> Answer for std::rc::Rc<A> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        (**self).bytes()
    }
}

/// The answer of a check: that it passed.
impl Answer for () {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&[])
    }
}

/// Written out as text, so that a difference can be read: `true`, `17`, `Some(3)`.
macro_rules! answer_as_text {
    ($($t:ty),*) => {$(
        impl Answer for $t {
            fn bytes(&self) -> Cow<'_, [u8]> {
                format!("{self:?}").into_bytes().into()
            }
        }
    )*};
}
answer_as_text!(
    bool,
    u8,
    u16,
    u32,
    u64,
    usize,
    i32,
    i64,
    Option<usize>,
    Option<u64>
);

/// Why a path cannot run here. The ledger shows it; it is never a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The CPU lacks these features.
    Cpu(Text),
    /// The code exists for another target only.
    Target(Text),
    /// It was left out of this build.
    NotBuilt(Text),
    /// Something that it needs is not on this machine.
    NotInstalled(Text),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Cpu(features) => write!(f, "this CPU lacks {features}"),
            Reason::Target(target) => write!(
                f,
                "exists only on {target}; this is {}",
                std::env::consts::ARCH
            ),
            Reason::NotBuilt(what) => write!(f, "not built: {what}"),
            Reason::NotInstalled(what) => write!(f, "not installed: {what}"),
        }
    }
}

pub(crate) type FillsFn = dyn Fn(&Input<'_>, &mut [u8]) -> Outcome<usize>;
/// Hands the answer to a receiver, so that its own type is forgotten without a copy. What its bytes are is asked there: writing a
/// number out as text is no part of the path.
pub(crate) type ReturnsFn = dyn Fn(&Input<'_>, &mut dyn FnMut(Outcome<&dyn Answer>));

/// How the harness calls a path.
pub(crate) enum Call {
    /// Writes into a buffer of the operation's capacity and says how much.
    Fills(Box<FillsFn>),
    /// Finds its input in the buffer and leaves its answer there.
    InPlace(Box<FillsFn>),
    /// Returns an answer of its own.
    Returns(Box<ReturnsFn>),
    /// There is nothing to call.
    Absent,
}

/// One way through the code of an operation: an instruction set and a delivery, printed as `operation/isa/delivery`.
pub struct CodePath {
    pub(crate) isa: Text,
    pub(crate) delivery: Text,
    pub(crate) call: Call,
    pub(crate) unavailable: Option<Reason>,
    pub(crate) executes: Vec<Text>,
    pub(crate) only: Option<Vec<Text>>,
    pub(crate) block: usize,
    pub(crate) refuses_in_full: bool,
    pub(crate) switches_at: Vec<usize>,
    pub(crate) on_threads: bool,
}

/// The block of a path that names none: what a cache line, and the widest register in use, hold.
const BLOCK: usize = 64;

impl CodePath {
    fn new(isa: Text, delivery: &'static str, call: Call) -> Self {
        Self {
            isa,
            delivery: delivery.into(),
            call,
            unavailable: None,
            executes: Vec::new(),
            only: None,
            block: BLOCK,
            refuses_in_full: false,
            switches_at: Vec::new(),
            on_threads: false,
        }
    }

    /// Delivery `fills`: writes its answer to the front of a buffer of [`Operation::capacity`] bytes and returns the answer's length.
    pub fn fills(
        isa: impl Into<Text>,
        f: impl Fn(&Input<'_>, &mut [u8]) -> Outcome<usize> + 'static,
    ) -> Self {
        Self::new(isa.into(), "fills", Call::Fills(Box::new(f)))
    }

    /// Delivery `in_place`: the buffer holds the first part, and its front holds the answer afterwards.
    pub fn in_place(
        isa: impl Into<Text>,
        f: impl Fn(&Input<'_>, &mut [u8]) -> Outcome<usize> + 'static,
    ) -> Self {
        Self::new(isa.into(), "in_place", Call::InPlace(Box::new(f)))
    }

    /// Delivery `returns`: returns its answer.
    pub fn returns<A: Answer>(
        isa: impl Into<Text>,
        f: impl Fn(&Input<'_>) -> Outcome<A> + 'static,
    ) -> Self {
        let call = move |input: &Input<'_>, receive: &mut dyn FnMut(Outcome<&dyn Answer>)| match f(
            input,
        ) {
            Ok(answer) => receive(Ok(&answer)),
            Err(failure) => receive(Err(failure)),
        };
        Self::new(isa.into(), "returns", Call::Returns(Box::new(call)))
    }

    /// A path of which this build has no code, such as `neon` on x86: a row with a reason.
    pub fn absent(isa: impl Into<Text>, delivery: &'static str, why: Reason) -> Self {
        Self::new(isa.into(), delivery, Call::Absent).unavailable(why)
    }

    /// Names the delivery anew: `capi` for an in-process call through the C ABI.
    pub fn via(mut self, delivery: &'static str) -> Self {
        self.delivery = delivery.into();
        self
    }

    /// Marks the path as one that cannot run here; its code is dropped.
    pub fn unavailable(mut self, why: Reason) -> Self {
        self.call = Call::Absent;
        self.unavailable = Some(why);
        self
    }

    /// The path where `here` holds, and elsewhere [`unavailable`](Self::unavailable): its code is then dropped and never called.
    pub fn available_if(self, here: bool, why_not: Reason) -> Self {
        if here {
            self
        } else {
            self.unavailable(why_not)
        }
    }

    /// A promise: a call that takes at least a [`block`](Self::block) of input executes at least one instruction of each of these
    /// CPU features, in the spelling of `#[target_feature]`. Receipts check it.
    pub fn executes(mut self, features: &[&'static str]) -> Self {
        self.executes = features.iter().map(|&f| f.into()).collect();
        self
    }

    /// A promise: a call executes nothing beyond these CPU features, those that they imply, and what every CPU of the target has.
    /// Receipts check it, of the program's own code: libc may do as it likes.
    pub fn only(mut self, features: &[&'static str]) -> Self {
        self.only = Some(features.iter().map(|&f| f.into()).collect());
        self
    }

    /// The bytes of the first part that the path's main loop takes at a time; 64 if not given. Receipts are taken on both sides of
    /// it, and from it on [`executes`](Self::executes) must hold. 0 counts as 1.
    pub fn block(mut self, bytes: usize) -> Self {
        self.block = bytes.max(1);
        self
    }

    /// A promise: a refusal names all that the reference's names, of kind, position and detail, and no more. Without it, what one
    /// side does not name is not compared.
    pub fn refuses_in_full(mut self) -> Self {
        self.refuses_in_full = true;
        self
    }

    /// Lengths of the first part at which the code inside changes; each is verified on both sides.
    pub fn switches_at(mut self, lengths: &[usize]) -> Self {
        self.switches_at = lengths.to_vec();
        self
    }

    /// Says that the work is done on other threads than the caller's. Only the caller's can be stepped: such a path is verified and
    /// timed, and has no receipt, no count and no mutants; so it cannot promise [`executes`](Self::executes) or
    /// [`only`](Self::only).
    pub fn on_threads(mut self) -> Self {
        self.on_threads = true;
        self
    }
}

/// Makes a part of an input from plain bytes.
type PlainFn = dyn Fn(&[u8], &Params) -> Vec<u8>;
type InputFn = dyn Fn(&Input<'_>) -> Vec<u8>;
/// What a path says that is handed fewer bytes than its answer needs.
type ShortFn = dyn Fn(usize, usize) -> Failure;
type ReferenceFn = dyn Fn(&Input<'_>) -> Outcome<Vec<u8>>;

/// The same work with other bytes, to be measured beside the paths: hex beside Q64, a plain copy, a roofline.
///
/// A peer has an input and a reference of its own and is checked against that reference on the very inputs of the run.
/// It is a row of its own and never counts as a path.
pub struct Peer {
    pub(crate) path: CodePath,
    pub(crate) input: Box<InputFn>,
    pub(crate) reference: Box<ReferenceFn>,
    pub(crate) capacity: Box<dyn Fn(&Input<'_>) -> usize>,
}

impl Peer {
    /// A peer that takes `input(case)`, made from the same plain bytes as the operation's input, and answers as `reference` does.
    ///
    /// `path.isa` is the peer's name (`faster-hex`). A `fills` peer is handed exactly as many bytes as its reference's answer has,
    /// unless [`capacity`](Self::capacity) says otherwise.
    pub fn new<A: Answer>(
        path: CodePath,
        input: impl Fn(&Input<'_>) -> Vec<u8> + 'static,
        reference: impl Fn(&Input<'_>) -> Outcome<A> + 'static,
    ) -> Self {
        let reference = move |i: &Input<'_>| reference(i).map(|a| a.bytes().into_owned());
        Self {
            path,
            input: Box::new(input),
            reference: Box::new(reference),
            capacity: Box::new(|_| 0),
        }
    }

    /// The least number of bytes that a `fills` peer is handed.
    pub fn capacity(mut self, f: impl Fn(&Input<'_>) -> usize + 'static) -> Self {
        self.capacity = Box::new(f);
        self
    }
}

/// Calls one path, outside of the guarded arena, on an input that a law made up.
pub type CallPath<'a> = dyn Fn(&Input<'_>) -> Outcome<Vec<u8>> + 'a;
type LawFn = dyn Fn(&Input<'_>, &CallPath<'_>) -> Result<(), String>;

/// The real data of an operation: rows of one width.
pub(crate) struct Rows {
    pub(crate) set: Text,
    pub(crate) data: &'static [u8],
    pub(crate) row: usize,
}

/// A call as it is made in real use, to be timed.
pub(crate) struct Load {
    pub(crate) name: Text,
    /// Plain bytes.
    pub(crate) bytes: usize,
    /// Where they are not the usual ones.
    pub(crate) params: Params,
}

/// One function of a codec: the independent reference, and every path that must agree with it.
pub struct Operation {
    pub(crate) name: Text,
    pub(crate) reference: Box<ReferenceFn>,
    pub(crate) params: Vec<(Text, Vec<Vec<u64>>)>,
    pub(crate) usual: Params,
    pub(crate) longest: Option<usize>,
    pub(crate) swept: usize,
    pub(crate) loads: Vec<Load>,
    pub(crate) from_bytes: Option<Box<PlainFn>>,
    pub(crate) parts: Vec<Box<PlainFn>>,
    pub(crate) capacity: Box<dyn Fn(&Input<'_>) -> usize>,
    pub(crate) work: Box<dyn Fn(&Input<'_>) -> usize>,
    pub(crate) rows: Vec<Rows>,
    pub(crate) laws: Vec<(Text, Box<LawFn>)>,
    pub(crate) short: Option<Box<ShortFn>>,
    pub(crate) accepted: Option<&'static str>,
    pub(crate) paths: Vec<CodePath>,
    pub(crate) peers: Vec<Peer>,
}

impl Operation {
    /// An operation and its reference: written from the specification, sharing no code and no table with the paths.
    pub fn new<A: Answer>(
        name: impl Into<Text>,
        reference: impl Fn(&Input<'_>) -> Outcome<A> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            reference: Box::new(move |i| reference(i).map(|a| a.bytes().into_owned())),
            params: Vec::new(),
            usual: Params::new(),
            longest: None,
            swept: SWEPT,
            loads: Vec::new(),
            from_bytes: None,
            parts: Vec::new(),
            capacity: Box::new(|_| 0),
            work: Box::new(|i| i.bytes().len()),
            rows: Vec::new(),
            laws: Vec::new(),
            short: None,
            accepted: None,
            paths: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// A parameter and the values that the sweeps give it. Where every value is a single number, random cases draw any number
    /// from the least to the greatest; otherwise they draw one of the lists, a beginning of it, its numbers in another order, or
    /// the list with small changes: no shorter than the shortest, and its numbers from the least to the greatest of all.
    pub fn param(mut self, name: impl Into<Text>, swept: &[&[u64]]) -> Self {
        self.params
            .push((name.into(), swept.iter().map(|v| v.to_vec()).collect()));
        self
    }

    /// The values of parameters with which receipts, counts and times are taken, and single positions damaged; of a parameter that
    /// is not named here, the first that the sweeps give it.
    pub fn usual(mut self, params: &[(&'static str, &[u64])]) -> Self {
        self.usual.extend(by_name(params));
        self
    }

    /// A call as it is made in real use, by its name: `load("10,000 rows of 384", 3_840_000, &[("row", &[384])])`. `time` measures
    /// it beside the sizes; parameters that are not named have their [`usual`](Self::usual) values.
    pub fn load(
        mut self,
        name: impl Into<Text>,
        bytes: usize,
        params: &[(&'static str, &[u64])],
    ) -> Self {
        self.loads.push(Load {
            name: name.into(),
            bytes,
            params: by_name(params).collect(),
        });
        self
    }

    /// No case is made from more plain bytes than these: for operations whose work, or whose reference's, grows much faster than
    /// the input, or that have a largest input. Without it, sweeps and random cases go to about 70,000, and times to 64 MiB.
    pub fn longest(mut self, bytes: usize) -> Self {
        self.longest = Some(bytes);
        self
    }

    /// The sweeps go over every length up to this many plain bytes, at most 512, and receipts judge a path by its main loop at 8
    /// times as many, plus one: for operations that execute hundreds of instructions for a byte. Without it, 512 and 4,097. Random
    /// cases, shapes and rows are as long as ever.
    pub fn sweeps_to(mut self, bytes: usize) -> Self {
        self.swept = bytes.min(SWEPT);
        self
    }

    /// Makes a valid input from any bytes, for operations that refuse some inputs (decoders, validators), or to which random bytes
    /// are seldom of interest (a search: plant what it looks for). The sweeps then cover valid inputs made from every length of
    /// plain bytes, and the harness also damages them in every way it knows.
    pub fn from_bytes(mut self, f: impl Fn(&[u8], &Params) -> Vec<u8> + 'static) -> Self {
        self.from_bytes = Some(Box::new(f));
        self
    }

    /// Adds a further part (a needle, a dictionary) made from the same plain bytes; it lies in guarded memory as the first does.
    pub fn part(mut self, f: impl Fn(&[u8], &Params) -> Vec<u8> + 'static) -> Self {
        self.parts.push(Box::new(f));
        self
    }

    /// Exactly how many bytes a `fills` path is handed. Must hold for every input, a damaged one too.
    pub fn capacity(mut self, f: impl Fn(&Input<'_>) -> usize + 'static) -> Self {
        self.capacity = Box::new(f);
        self
    }

    /// The bytes that GB/s divides by; the length of the first part if not given.
    pub fn work(mut self, f: impl Fn(&Input<'_>) -> usize + 'static) -> Self {
        self.work = Box::new(f);
        self
    }

    /// Real data, as rows of `row` bytes; a last row that is not whole is left out.
    pub fn rows(mut self, set: impl Into<Text>, data: &'static [u8], row: usize) -> Self {
        self.rows.push(Rows {
            set: set.into(),
            data,
            row,
        });
        self
    }

    /// Something that must hold for every path beyond its answer, on every input that the reference takes:
    /// `decode(encode(x)) = x`. The second argument calls the path.
    pub fn law(
        mut self,
        name: impl Into<Text>,
        f: impl Fn(&Input<'_>, &CallPath<'_>) -> Result<(), String> + 'static,
    ) -> Self {
        self.laws.push((name.into(), Box::new(f)));
        self
    }

    /// A promise of the `fills` paths: a buffer that is too short for the answer is refused and left as it is, and of a longer one
    /// nothing is written behind the answer. `failure` says how it is refused, of the bytes that the answer needs and those that
    /// were available. Without it, buffers have exactly the [`capacity`](Self::capacity).
    pub fn refuses_short(mut self, failure: impl Fn(usize, usize) -> Failure + 'static) -> Self {
        self.short = Some(Box::new(failure));
        self
    }

    /// Mutants that may live, as the text of a TOML file (`include_str!`) that `mutate --write` begins: `rustc`, the compiler whose
    /// code it is about; and for each source line of a function its `changes`, a `reason` (`equivalent`, `unreachable`, `speed`,
    /// `memory`, `first_call` or `not_looked_at`) and a `note`. Several operations may share a file.
    pub fn survivors(mut self, accepted: &'static str) -> Self {
        self.accepted = Some(accepted);
        self
    }

    /// Adds a path.
    pub fn path(mut self, path: CodePath) -> Self {
        self.paths.push(path);
        self
    }

    /// Adds paths, in the order in which they will be listed.
    pub fn paths(mut self, paths: impl IntoIterator<Item = CodePath>) -> Self {
        self.paths.extend(paths);
        self
    }

    /// Adds a peer.
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peers.push(peer);
        self
    }

    /// Adds peers, in the order in which they will be listed.
    pub fn peers(mut self, peers: impl IntoIterator<Item = Peer>) -> Self {
        self.peers.extend(peers);
        self
    }

    /// How many plain bytes a case is made from at most.
    pub(crate) fn most(&self) -> usize {
        self.longest.unwrap_or(usize::MAX)
    }

    /// Up to how many plain bytes every length is swept.
    pub(crate) fn swept(&self) -> usize {
        self.swept.min(self.most())
    }

    /// The operation's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn by_name(params: &[(&'static str, &[u64])]) -> impl Iterator<Item = (Text, Vec<u64>)> {
    let owned = |(name, value): &(&'static str, &[u64])| ((*name).into(), value.to_vec());
    params.iter().map(owned)
}

/// Says what is wrong with a client's list: names that could not be printed, parsed or told apart.
pub(crate) fn check(operations: &[Operation]) -> Result<(), String> {
    let plain = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    };
    let mut names = std::collections::BTreeSet::new();
    for operation in operations {
        let name = &operation.name;
        if !plain(name) {
            return Err(format!(
                "operation {name:?}: a name is made of letters, digits, '_', '-' and '+'"
            ));
        }
        if !names.insert(name.to_string()) {
            return Err(format!(
                "two operations are named {name}: a token could not tell them apart"
            ));
        }
        for (param, swept) in &operation.params {
            if !plain(param) || ["in", "out", "warm", "room"].contains(&param.as_ref()) {
                return Err(format!(
                    "operation {name}: {param:?} cannot be the name of a parameter"
                ));
            }
            if swept.is_empty() {
                return Err(format!(
                    "operation {name}: parameter {param} has no value to sweep"
                ));
            }
        }
        let of_loads = operation.loads.iter().flat_map(|load| load.params.keys());
        for param in operation.usual.keys().chain(of_loads) {
            if operation.params.iter().all(|(name, _)| name != param) {
                let known: Vec<_> = operation.params.iter().map(|(name, _)| &**name).collect();
                return Err(format!(
                    "operation {name}: a value is given to {param:?}, and its parameters are [{}]; declare it with Operation::param",
                    known.join(", ")
                ));
            }
        }
        let mut loads = std::collections::BTreeSet::new();
        for Load {
            name: load, bytes, ..
        } in &operation.loads
        {
            let is_number = load.parse::<u64>().is_ok();
            if load.trim().is_empty() || load.lines().count() > 1 || is_number {
                return Err(format!(
                    "operation {name}: a load is named {load:?}; a line of words that is no number was expected"
                ));
            }
            if !loads.insert(load) {
                return Err(format!("operation {name}: two loads are named {load:?}"));
            }
            let most = operation.most().min(crate::case::LONGEST);
            if !(1..=most).contains(bytes) {
                return Err(format!(
                    "operation {name}: the load {load:?} has {bytes} plain bytes, and 1 to {most} are possible"
                ));
            }
        }
        for set in &operation.rows {
            if set.row > operation.most() {
                return Err(format!(
                    "operation {name}: set {:?} has rows of {} bytes, and the longest is {}",
                    set.set,
                    set.row,
                    operation.most()
                ));
            }
            if !plain(&set.set) || set.row == 0 || set.data.len() < set.row {
                return Err(format!(
                    "operation {name}: set {:?} of {} bytes holds no row of {} bytes, or its name is not plain",
                    set.set,
                    set.data.len(),
                    set.row
                ));
            }
        }
        let mut paths = std::collections::BTreeSet::new();
        for path in operation
            .paths
            .iter()
            .chain(operation.peers.iter().map(|p| &p.path))
        {
            // A peer crate's name may follow the ISA: `auto` and `auto/base64-simd` are two paths.
            if !path.isa.split('/').all(plain) || !plain(&path.delivery) {
                return Err(format!(
                    "operation {name}: path {:?}/{:?} is not made of plain names",
                    path.isa, path.delivery
                ));
            }
            if path.on_threads && (!path.executes.is_empty() || path.only.is_some()) {
                return Err(format!(
                    "operation {name}: path {}/{} works on other threads, where nobody can check what it promises to execute",
                    path.isa, path.delivery
                ));
            }
            if !paths.insert((path.isa.clone(), path.delivery.clone())) {
                return Err(format!(
                    "operation {name}: two paths are named {}/{}",
                    path.isa, path.delivery
                ));
            }
        }
        if paths.is_empty() {
            return Err(format!("operation {name} has no path"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(change: impl Fn(Operation) -> Operation) -> Result<(), String> {
        let path = CodePath::returns("scalar", |i| Ok(i.bytes().to_vec()));
        let operation = Operation::new("op", |i| Ok(i.bytes().to_vec())).path(path);
        check(&[change(operation)])
    }

    #[test]
    fn what_contradicts_itself_is_said() {
        let other = || CodePath::returns("other", |i| Ok(i.bytes().to_vec())).on_threads();
        for (refused, says) in [
            (
                of(|op| op.param("k", &[&[1]]).usual(&[("q", &[3])])),
                "a value is given to \"q\", and its parameters are [k]",
            ),
            (of(|op| op.load("all", 9, &[("q", &[])])), "given to \"q\""),
            (of(|op| op.load("4096", 9, &[])), "named \"4096\""),
            (of(|op| op.load(" ", 9, &[])), "named \" \""),
            (
                of(|op| op.load("a", 9, &[]).load("a", 8, &[])),
                "two loads are named \"a\"",
            ),
            (of(|op| op.load("a", 0, &[])), "has 0 plain bytes"),
            (
                of(|op| op.load("a", 5, &[]).longest(4)),
                "5 plain bytes, and 1 to 4",
            ),
            (
                of(|op| op.rows("set", &[0; 20], 10).longest(9)),
                "rows of 10 bytes, and the longest is 9",
            ),
            (
                of(|op| op.path(other().executes(&["avx2"]))),
                "op: path other/returns works on other threads",
            ),
            (
                of(|op| op.path(other().only(&[]))),
                "works on other threads",
            ),
        ] {
            let why = refused.unwrap_err();
            assert!(why.contains(says), "{why}");
        }
        assert_eq!(of(|op| op.path(other()).longest(0)), Ok(()));
    }
}
