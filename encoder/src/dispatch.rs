//! The choice of kernels: one table per operation, and the handle that proves a choice sound.

use core::fmt;

use crate::isa::Isa;
use crate::q64::{DECODE_PATHS, DecodeKernel, ENCODE_PATHS, EncodeKernel};

/// The kernels of one operation, one row per [`Isa`] in the order of [`Isa::ALL`], slowest first,
/// on every target; a row whose ISA this target cannot have holds no kernel.
///
/// `F` is the operation's kernel type, an `unsafe fn` whose only precondition is that its row's ISA
/// is available.
pub(crate) struct Paths<F> {
    scalar: F,
    faster: [(Isa, Option<F>); FASTER],
}

const FASTER: usize = Isa::ALL.len() - 1;

/// A kernel that the CPU can run: made by [`Paths::pick`] alone.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<F> {
    isa: Isa,
    kernel: F,
}

impl<F: Copy> Paths<F> {
    /// A table; an ISA without a row, or a row out of order, does not compile.
    pub(crate) const fn new(scalar: F, faster: [(Isa, Option<F>); FASTER]) -> Self {
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
        for (isa, kernel) in self.faster {
            if let Some(kernel) = kernel
                && isa <= limit
                && isa.is_available()
            {
                chosen = Chosen { isa, kernel };
            }
        }
        chosen
    }

    /// The names of the rows.
    const fn isas(&self) -> [Isa; FASTER + 1] {
        let mut isas = [Isa::Scalar; FASTER + 1];
        let mut row = 0;
        while row < FASTER {
            isas[row + 1] = self.faster[row].0;
            row += 1;
        }
        isas
    }
}

impl<F: Copy> Chosen<F> {
    /// The kernel. Its ISA is available, which is all that calling it asks for.
    #[inline]
    pub(crate) fn kernel(self) -> F {
        self.kernel
    }
}

impl<F> fmt::Debug for Chosen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.isa, f)
    }
}

/// `Some(kernel)` where kernels of the target that it names are compiled, else `None`: the only
/// difference that a target makes to a table.
#[cfg(target_arch = "x86_64")]
macro_rules! on_x86_64 {
    ($kernel:expr) => {
        Some($kernel)
    };
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! on_x86_64 {
    ($kernel:expr) => {
        None
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! on_aarch64 {
    ($kernel:expr) => {
        Some($kernel)
    };
}
#[cfg(not(target_arch = "aarch64"))]
macro_rules! on_aarch64 {
    ($kernel:expr) => {
        None
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
}

impl Operation {
    /// All operations.
    pub const ALL: &'static [Self] = &[Self::Q64Encode, Self::Q64Decode];

    /// The name: `q64_encode`, `q64_decode`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q64Encode => "q64_encode",
            Self::Q64Decode => "q64_decode",
        }
    }

    /// The instruction sets that this operation's table has a row for, slowest first: the same on
    /// every target, whether or not it can be run here. A test or benchmark that iterates them
    /// misses no kernel.
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
            Self::Q64Encode => const { &ENCODE_PATHS.isas() },
            Self::Q64Decode => const { &DECODE_PATHS.isas() },
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
    pub(crate) q64_decode: Chosen<DecodeKernel>,
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
        {
            static BEST: std::sync::OnceLock<Encoder> = std::sync::OnceLock::new();
            *BEST.get_or_init(Self::choose)
        }
        // Availability is a constant here, and so is the choice.
        #[cfg(not(feature = "std"))]
        Self::choose()
    }

    /// The kernels of `isa`, or `None` if it is not [available](Isa::is_available): never a lower
    /// kernel in silence.
    ///
    /// An operation without a kernel for `isa` uses the last available row before it;
    /// [`isa_of`](Self::isa_of) tells.
    #[inline]
    pub fn with(isa: Isa) -> Option<Self> {
        isa.is_available().then(|| Self::up_to(isa))
    }

    /// The instruction set that this handle was made for.
    #[inline]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The instruction set of the kernel that runs `operation`.
    pub fn isa_of(&self, operation: Operation) -> Isa {
        match operation {
            Operation::Q64Encode => self.q64_encode.isa,
            Operation::Q64Decode => self.q64_decode.isa,
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
        Self {
            isa,
            q64_encode: ENCODE_PATHS.pick(isa),
            q64_decode: DECODE_PATHS.pick(isa),
        }
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}
