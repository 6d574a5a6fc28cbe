//! The instruction sets that kernels are written for.

use core::fmt;

/// An instruction set: a *bundle* of CPU features that real processors have together, not a single
/// CPUID bit.
///
/// The order, of the variants and of [`Isa::ALL`], is slowest first. Every name exists on every
/// target; [`is_built`](Self::is_built) says whether this target can have it,
/// [`is_available`](Self::is_available) whether this CPU does.
///
/// ```
/// use q64::Isa;
///
/// assert!(Isa::Scalar.is_available());
/// assert_eq!(Isa::Avx2.to_string(), "avx2");
/// ```
//
// To register an ISA: add a variant, its place in `ALL` and its arm in `bundle`, all in order of
// speed. The table of each operation (`…_PATHS`) then fails to compile until it has a row for the
// new name.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust, on every target.
    Scalar,
    /// x86-64 with SSE2, which is all of x86-64: 16-byte registers.
    Sse2,
    /// x86-64 with SSSE3: 16-byte registers and the byte shuffle (`pshufb`).
    Ssse3,
    /// x86-64 with AVX2, and the bit instructions that came with it (BMI1, BMI2, POPCNT): 32-byte
    /// registers.
    Avx2,
    /// x86-64 with AVX-512 F, BW and VL, and the bit instructions of [`Avx2`](Self::Avx2): 64-byte
    /// registers and masks for single bytes.
    Avx512,
    /// [`Avx512`](Self::Avx512) and VBMI: byte permutes across all of a register (`vpermb`).
    Avx512vbmi,
    /// [`Avx512vbmi`](Self::Avx512vbmi) and GFNI: any function of a byte's bits that is linear, such
    /// as a shift (`vgf2p8affineqb`).
    Avx512gfni,
    /// AArch64 with NEON, which every AArch64 CPU that runs an ordinary operating system has:
    /// 16-byte registers and byte tables of up to 64 bytes.
    Neon,
}

/// What there is to know about an [`Isa`].
struct Bundle {
    name: &'static str,
    arch: Option<&'static str>,
    features: &'static [&'static str],
    built: bool,
    detected: fn() -> bool,
}

/// A bundle from its name, its target and its features; what is listed and what is detected is the
/// same list.
macro_rules! bundle {
    ($name:literal, $arch:tt, [$($feature:tt)*]) => {
        Bundle {
            name: $name,
            arch: Some($arch),
            features: &[$($feature),*],
            built: cfg!(target_arch = $arch),
            detected: || true $(&& detected!($arch, $feature))*,
        }
    };
}

/// Whether the CPU has a feature. Of another architecture's features it has none, and the compiler
/// does not even know their names.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
macro_rules! detected {
    ("x86_64", $feature:tt) => {
        std::arch::is_x86_feature_detected!($feature)
    };
    ($other:tt, $feature:tt) => {
        false
    };
}
#[cfg(all(feature = "std", target_arch = "aarch64"))]
macro_rules! detected {
    ("aarch64", $feature:tt) => {
        std::arch::is_aarch64_feature_detected!($feature)
    };
    ($other:tt, $feature:tt) => {
        false
    };
}
#[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
macro_rules! detected {
    ($arch:tt, $feature:tt) => {
        cfg!(target_feature = $feature)
    };
}

impl Isa {
    /// All instruction sets, slowest first, on every target.
    pub const ALL: &'static [Self] = &[
        Self::Scalar,
        Self::Sse2,
        Self::Ssse3,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512vbmi,
        Self::Avx512gfni,
        Self::Neon,
    ];

    #[inline]
    const fn bundle(self) -> Bundle {
        match self {
            Self::Scalar => Bundle {
                name: "scalar",
                arch: None,
                features: &[],
                built: true,
                detected: || true,
            },
            Self::Sse2 => bundle!("sse2", "x86_64", ["sse2"]),
            Self::Ssse3 => bundle!("ssse3", "x86_64", ["ssse3"]),
            Self::Avx2 => bundle!("avx2", "x86_64", ["avx2" "bmi1" "bmi2" "popcnt"]),
            Self::Avx512 => bundle!(
                "avx512",
                "x86_64",
                ["avx512f" "avx512bw" "avx512vl" "bmi1" "bmi2" "popcnt"]
            ),
            Self::Avx512vbmi => bundle!(
                "avx512vbmi",
                "x86_64",
                ["avx512f" "avx512bw" "avx512vl" "bmi1" "bmi2" "popcnt" "avx512vbmi"]
            ),
            Self::Avx512gfni => bundle!(
                "avx512gfni",
                "x86_64",
                ["avx512f" "avx512bw" "avx512vl" "bmi1" "bmi2" "popcnt" "avx512vbmi" "gfni"]
            ),
            Self::Neon => bundle!("neon", "aarch64", ["neon"]),
        }
    }

    /// The name in lower case, as [`Display`](fmt::Display) prints it: `scalar`, `avx2`,
    /// `avx512vbmi`.
    pub const fn name(self) -> &'static str {
        self.bundle().name
    }

    /// The CPU features of the bundle, in the spelling of `#[target_feature]`; empty for
    /// [`Isa::Scalar`]. A kernel of this ISA enables no others.
    pub const fn features(self) -> &'static [&'static str] {
        self.bundle().features
    }

    /// The architecture that has this ISA, in the spelling of `cfg(target_arch)`; `None` for
    /// [`Isa::Scalar`], which all have.
    pub const fn arch(self) -> Option<&'static str> {
        self.bundle().arch
    }

    /// Whether kernels of this ISA are compiled for this target.
    pub const fn is_built(self) -> bool {
        self.bundle().built
    }

    /// Whether this CPU and operating system can run kernels of this ISA: it is
    /// [built](Self::is_built) and every one of its [features](Self::features) is there.
    ///
    /// With the feature `std` the CPU is asked, once per process
    /// (the standard library remembers the answer). Without it a `no_std` program cannot
    /// ask: only features that were fixed when it was compiled count (`-C target-feature=+ssse3`,
    /// `-C target-cpu=…`), and what every CPU of the target has: [`Isa::Sse2`] on x86-64,
    /// [`Isa::Neon`] on AArch64.
    #[inline]
    pub fn is_available(self) -> bool {
        self.is_built() && (self.bundle().detected)()
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
