//! The choice of kernels: one table per operation, and the handle that proves a choice sound.

use core::fmt;

use crate::isa::Isa;
use crate::q64::{
    DECODE_PATHS, DecodeKernel, ENCODE_PATHS, ENCODE_STREAMING, EncodeKernel, STREAMS_FROM,
};
#[cfg(feature = "simhash")]
use crate::simhash::{SIMHASH_PATHS, SimhashKernel};
use crate::top_k::{TOP_K_PATHS, TopKKernel};

/// The kernels of one operation, one row per [`Isa`] in the order of [`Isa::ALL`], slowest first,
/// on every target.
///
/// `F` is the operation's kernel type, an `unsafe fn` whose only precondition is that its row's ISA
/// is available.
pub(crate) struct Paths<F> {
    scalar: F,
    faster: [(Isa, Row<F>); FASTER],
}

const FASTER: usize = Isa::ALL.len() - 1;

/// What an operation has for an ISA.
#[derive(Clone, Copy)]
pub(crate) enum Row<F> {
    /// A kernel.
    Kernel(F),
    /// A kernel that is compiled for another target.
    Elsewhere,
    /// Nothing: what the ISA adds to those before it does not help. Their last one is used.
    Nothing,
}

/// A kernel that the CPU can run: made by [`Paths::pick`] and [`Chosen::alternative`] alone.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<F> {
    isa: Isa,
    kernel: F,
}

impl<F: Copy> Paths<F> {
    /// A table; an ISA without a row, or a row out of order, does not compile.
    pub(crate) const fn new(scalar: F, faster: [(Isa, Row<F>); FASTER]) -> Self {
        let mut row = 0;
        while row < FASTER {
            assert!(
                faster[row].0 as usize == Isa::ALL[row + 1] as usize,
                "rows follow Isa::ALL"
            );
            row += 1;
        }
        Self { scalar, faster }
    }

    /// The last row that is available, up to and including the row of `limit`.
    fn pick(&self, limit: Isa) -> Chosen<F> {
        let mut chosen = Chosen {
            isa: Isa::Scalar,
            kernel: self.scalar,
        };
        for (isa, row) in self.faster {
            if let Row::Kernel(kernel) = row
                && isa <= limit
                && isa.is_available()
            {
                chosen = Chosen { isa, kernel };
            }
        }
        chosen
    }

    /// The names of the rows that hold a kernel, on this target or elsewhere, and how many there
    /// are.
    const fn isas(&self) -> ([Isa; FASTER + 1], usize) {
        let mut isas = [Isa::Scalar; FASTER + 1];
        let (mut row, mut count) = (0, 1);
        while row < FASTER {
            if !matches!(self.faster[row].1, Row::Nothing) {
                isas[count] = self.faster[row].0;
                count += 1;
            }
            row += 1;
        }
        (isas, count)
    }
}

impl<F: Copy> Chosen<F> {
    /// The kernel. Its ISA is available, which is all that calling it asks for.
    #[inline]
    pub(crate) fn kernel(self) -> F {
        self.kernel
    }

    /// The kernel of the same ISA among `rows`, or this one if there is none.
    fn alternative(self, rows: &[(Isa, Row<F>)]) -> Self {
        for &(isa, row) in rows {
            if let Row::Kernel(kernel) = row
                && isa == self.isa
            {
                return Self { isa, kernel };
            }
        }
        self
    }
}

impl<F> fmt::Debug for Chosen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.isa, f)
    }
}

/// A row with a kernel where those of the target that it names are compiled: the only difference
/// that a target makes to a table.
#[cfg(target_arch = "x86_64")]
macro_rules! on_x86_64 {
    ($kernel:expr) => {
        $crate::dispatch::Row::Kernel($kernel)
    };
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! on_x86_64 {
    ($kernel:expr) => {
        $crate::dispatch::Row::Elsewhere
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! on_aarch64 {
    ($kernel:expr) => {
        $crate::dispatch::Row::Kernel($kernel)
    };
}
#[cfg(not(target_arch = "aarch64"))]
macro_rules! on_aarch64 {
    ($kernel:expr) => {
        $crate::dispatch::Row::Elsewhere
    };
}
pub(crate) use {on_aarch64, on_x86_64};

/// An operation that has kernels: the key of [`Encoder::isa_of`].
//
// To register an operation: add a variant with its name and its table here, and its kernel to
// `Encoder`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Bytes to Q64 text: [`Encoder::encode_into`], [`Encoder::encode`].
    Q64Encode,
    /// Q64 text to bytes: [`Encoder::decode_into`], [`Encoder::decode`].
    Q64Decode,
    /// The largest bytes' indices as Q64 text: [`Encoder::top_k_into`], [`Encoder::top_k`].
    TopK,
    /// Sides of planes as Q64 text: [`Encoder::simhash_into`], [`Encoder::simhash`].
    #[cfg(feature = "simhash")]
    Simhash,
}

impl Operation {
    /// All operations.
    pub const ALL: &'static [Self] = &[
        Self::Q64Encode,
        Self::Q64Decode,
        Self::TopK,
        #[cfg(feature = "simhash")]
        Self::Simhash,
    ];

    /// The name: `q64_encode`, `q64_decode`, `top_k_q64`, `simhash_q64`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q64Encode => "q64_encode",
            Self::Q64Decode => "q64_decode",
            Self::TopK => "top_k_q64",
            #[cfg(feature = "simhash")]
            Self::Simhash => "simhash_q64",
        }
    }

    /// The instruction sets that this operation has a kernel for, slowest first: the same on every
    /// target, whether or not it can be run here. A test or benchmark that iterates them, and those
    /// of [`streaming_paths`](Self::streaming_paths), misses no kernel.
    ///
    /// ```
    /// use q64::{Encoder, Operation};
    ///
    /// for &isa in Operation::Q64Encode.paths() {
    ///     match Encoder::with(isa) {
    ///         Some(encoder) => assert_eq!(encoder.encode(b"Q64"), "FRj2DU"),
    ///         None => println!("{isa} cannot run here"),
    ///     }
    /// }
    /// ```
    pub const fn paths(self) -> &'static [Isa] {
        match self {
            Self::Q64Encode => {
                const ISAS: &([Isa; FASTER + 1], usize) = &ENCODE_PATHS.isas();
                ISAS.0.split_at(ISAS.1).0
            }
            Self::Q64Decode => {
                const ISAS: &([Isa; FASTER + 1], usize) = &DECODE_PATHS.isas();
                ISAS.0.split_at(ISAS.1).0
            }
            Self::TopK => {
                const ISAS: &([Isa; FASTER + 1], usize) = &TOP_K_PATHS.isas();
                ISAS.0.split_at(ISAS.1).0
            }
            #[cfg(feature = "simhash")]
            Self::Simhash => {
                const ISAS: &([Isa; FASTER + 1], usize) = &SIMHASH_PATHS.isas();
                ISAS.0.split_at(ISAS.1).0
            }
        }
    }

    /// The instruction sets that this operation has a second kernel for, with streaming stores:
    /// [`Encoder::streams_from`] says what it is for.
    ///
    /// ```
    /// use q64::{Encoder, Isa, Operation};
    ///
    /// let isas = Operation::Q64Encode.streaming_paths();
    /// assert!(isas.contains(&Isa::Avx2));
    /// for encoder in isas.iter().filter_map(|&isa| Encoder::with(isa)) {
    ///     assert_eq!(encoder.streams_from(0).encode(b"Q64"), "FRj2DU");
    /// }
    /// ```
    pub const fn streaming_paths(self) -> &'static [Isa] {
        match self {
            Self::Q64Encode => {
                const {
                    let mut isas = [Isa::Scalar; ENCODE_STREAMING.len()];
                    let mut row = 0;
                    while row < isas.len() {
                        isas[row] = ENCODE_STREAMING[row].0;
                        row += 1;
                    }
                    &{ isas }
                }
            }
            Self::Q64Decode | Self::TopK => &[],
            #[cfg(feature = "simhash")]
            Self::Simhash => &[],
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Kernels for every operation, all of which this CPU can run: **holding the value proves that the
/// CPU has the features**, so its methods are safe and ask nothing.
///
/// A small `Copy` value; a call through it costs one indirect call.
///
/// ```
/// use q64::{Encoder, Isa};
///
/// let best = Encoder::new();
/// let scalar = Encoder::with(Isa::Scalar).expect("always available");
/// assert_eq!(best.encode(&[0x9f, 0x04]), scalar.encode(&[0x9f, 0x04]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    isa: Isa,
    pub(crate) q64_encode: Chosen<EncodeKernel>,
    /// The one for long data; the same where the ISA has no other.
    pub(crate) q64_encode_streaming: Chosen<EncodeKernel>,
    pub(crate) streams_from: usize,
    pub(crate) q64_decode: Chosen<DecodeKernel>,
    pub(crate) top_k: Chosen<TopKKernel>,
    #[cfg(feature = "simhash")]
    pub(crate) simhash: Chosen<SimhashKernel>,
}

impl Encoder {
    /// The fastest kernel of each operation that this CPU can run: the last available row of the
    /// operation's table.
    ///
    /// With the feature `std` it is chosen once per process; after that the call is a load and a
    /// compare.
    #[inline]
    pub fn new() -> Self {
        #[cfg(feature = "std")]
        return *Self::best();
        #[cfg(not(feature = "std"))]
        Self::best()
    }

    /// As [`new`](Self::new), but where it is kept: a call through it copies nothing.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn best() -> &'static Self {
        static BEST: std::sync::OnceLock<Encoder> = std::sync::OnceLock::new();
        BEST.get_or_init(Self::choose)
    }

    /// As [`new`](Self::new): availability is a constant here, and so is the choice.
    #[cfg(not(feature = "std"))]
    #[inline]
    pub(crate) fn best() -> Self {
        Self::choose()
    }

    /// The kernels of `isa`, or `None` if it is not [available](Isa::is_available): never a lower
    /// kernel in silence.
    ///
    /// An operation without a kernel for `isa` uses the last available row before it;
    /// [`isa_of`](Self::isa_of) tells.
    ///
    /// ```
    /// use q64::{Encoder, Isa};
    ///
    /// assert!(Encoder::with(Isa::Scalar).is_some());
    /// assert_eq!(Encoder::with(Isa::Avx2).is_some(), Isa::Avx2.is_available());
    /// ```
    #[inline]
    pub fn with(isa: Isa) -> Option<Self> {
        isa.is_available().then(|| Self::up_to(isa))
    }

    /// The instruction set that this handle was made for.
    ///
    /// ```
    /// use q64::{Encoder, Isa};
    ///
    /// assert_eq!(Encoder::with(Isa::Scalar).unwrap().isa(), Isa::Scalar);
    /// assert!(Encoder::new().isa().is_available());
    /// ```
    #[inline]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The instruction set of the kernel that runs `operation`.
    ///
    /// ```
    /// use q64::{Encoder, Isa, Operation};
    ///
    /// let encoder = Encoder::new();
    /// assert!(encoder.isa_of(Operation::Q64Decode) <= encoder.isa());
    /// assert!(Operation::Q64Decode.paths().contains(&encoder.isa_of(Operation::Q64Decode)));
    /// ```
    pub fn isa_of(&self, operation: Operation) -> Isa {
        match operation {
            Operation::Q64Encode => self.q64_encode.isa,
            Operation::Q64Decode => self.q64_decode.isa,
            Operation::TopK => self.top_k.isa,
            #[cfg(feature = "simhash")]
            Operation::Simhash => self.simhash.isa,
        }
    }

    /// The same handle, but with streaming stores for `data_len` bytes of data and more, instead of
    /// [`STREAMS_FROM`]: 0 for always, [`usize::MAX`] for never.
    ///
    /// Streaming stores go around the caches. That is faster for text so long that it would leave
    /// the cache before anybody reads it, and slower below that. They are there for encoding, on
    /// the instruction sets of [`Operation::streaming_paths`]; for others this changes nothing. Nor
    /// does it for an output at an address that is no multiple of 4, where no text can be encoded
    /// in aligned pieces.
    ///
    /// ```
    /// let encoder = q64::Encoder::new();
    /// assert_eq!(encoder.streams_from(0).encode(b"Q64"), encoder.encode(b"Q64"));
    /// ```
    #[inline]
    #[must_use]
    pub fn streams_from(self, data_len: usize) -> Self {
        Self {
            streams_from: data_len,
            ..self
        }
    }

    #[inline]
    fn choose() -> Self {
        let available = |isa: &Isa| isa.is_available();
        let best = Isa::ALL.iter().copied().rfind(available);
        Self::up_to(best.unwrap_or(Isa::Scalar))
    }

    #[inline]
    fn up_to(isa: Isa) -> Self {
        let q64_encode = ENCODE_PATHS.pick(isa);
        Self {
            isa,
            q64_encode,
            q64_encode_streaming: q64_encode.alternative(&ENCODE_STREAMING),
            streams_from: STREAMS_FROM,
            q64_decode: DECODE_PATHS.pick(isa),
            top_k: TOP_K_PATHS.pick(isa),
            #[cfg(feature = "simhash")]
            simhash: SIMHASH_PATHS.pick(isa),
        }
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}
