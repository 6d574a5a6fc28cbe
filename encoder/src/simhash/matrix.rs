//! The matrix of a simhash: made once for each number of planes and dims, kept, and shared.
//!
//! The format's matrix is row-major, one row of `dims` weights for each plane. Kernels work across planes, never along dims, so
//! that it is kept transposed, in panels of 64 planes that are read from front to back:
//!
//! ```text
//! panel 0   dim 0: planes 0 1 .. 63 | dim 1: planes 0 1 .. 63 | ..     256 bytes a dim, four lines of the cache
//! panel 1   dim 0: planes 64 .. 127 | dim 1: planes 64 .. 127 | ..
//! ```
//!
//! Rows are drawn one after the other, so that a matrix of more planes begins with that of fewer, and serves for it.

#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::{Mutex, OnceLock, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};

/// The planes of a panel: those of which a `u64` holds the bits.
pub(super) const PLANES: usize = 64;

/// The weights of one dim for the planes of a panel.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct Weights(pub(super) [f32; PLANES]);

/// How many [`Weights`] a matrix has at most: 256 MiB of them.
pub(super) const MOST_WEIGHTS: usize = (1 << 26) / PLANES;

/// The bytes of matrices that are kept; those that are in use besides are not counted.
const KEPT: usize = 256 << 20;

static MATRICES: Matrices = Matrices::new(KEPT);

/// The matrix of `panels` panels, or more, of `dims` dims. Both are at least 1, and their product at most [`MOST_WEIGHTS`].
pub(super) fn matrix(panels: usize, dims: usize) -> Arc<Matrix> {
    MATRICES.get(Shape { dims, panels })
}

/// A matrix that is made when somebody first looks at it.
pub(super) struct Matrix {
    shape: Shape,
    weights: OnceLock<Vec<Weights>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    dims: usize,
    panels: usize,
}

impl Matrix {
    /// Its panels, in order. Whoever asks first makes them, and others who ask meanwhile wait.
    ///
    /// # Panics
    /// If there is no memory for them. The next who asks tries again.
    pub(super) fn panels(&self) -> impl Iterator<Item = &[Weights]> {
        self.panels_made_by(make)
    }

    fn panels_made_by(
        &self,
        make: impl FnOnce(Shape) -> Vec<Weights>,
    ) -> impl Iterator<Item = &[Weights]> {
        let weights = self.weights.get_or_init(|| make(self.shape));
        weights.chunks_exact(self.shape.dims)
    }
}

/// The format's matrix, whatever its number of panels: one stream of numbers, row after row.
//
// 64 x 768 take 0.4 ms (Zen 3).
fn make(shape: Shape) -> Vec<Weights> {
    let len = shape.panels * shape.dims;
    let mut weights = Vec::new();
    if weights.try_reserve_exact(len).is_err() {
        // Not an abort: whoever asked for too much may do with less.
        panic!("no memory for a simhash matrix of {} bytes", shape.bytes());
    }
    weights.resize(len, Weights([0.0; PLANES]));
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let normal = Normal::new(0.0_f32, 1.0).expect("1 is a deviation");
    for panel in weights.chunks_exact_mut(shape.dims) {
        for plane in 0..PLANES {
            for weights in &mut *panel {
                weights.0[plane] = normal.sample(&mut random);
            }
        }
    }
    weights
}

impl Shape {
    fn bytes(self) -> usize {
        self.panels * self.dims * size_of::<Weights>()
    }
}

/// Matrices to be shared. The lock is held to look for one, not while it is made.
struct Matrices {
    kept: Mutex<Kept>,
    most_bytes: usize,
}

struct Kept {
    /// With the time at which each was last asked for.
    matrices: BTreeMap<Shape, (u64, Arc<Matrix>)>,
    time: u64,
}

impl Matrices {
    const fn new(most_bytes: usize) -> Self {
        let kept = Kept {
            matrices: BTreeMap::new(),
            time: 0,
        };
        Self {
            kept: Mutex::new(kept),
            most_bytes,
        }
    }

    /// The matrix of this shape, or one of the same dims with more panels, if that has been made already: nobody waits for more
    /// than was asked for.
    fn get(&self, shape: Shape) -> Arc<Matrix> {
        // Nothing below panics and leaves the list in a state that others could not use.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { matrices, time } = &mut *kept;
        *time += 1;
        let most = Shape {
            panels: usize::MAX,
            ..shape
        };
        let serves = |(found, (_, matrix)): &(&Shape, &mut (u64, Arc<Matrix>))| {
            **found == shape || matrix.weights.get().is_some()
        };
        if let Some((_, (used, matrix))) = matrices.range_mut(shape..=most).find(serves) {
            *used = *time;
            return Arc::clone(matrix);
        }
        let matrix = Arc::new(Matrix {
            shape,
            weights: OnceLock::new(),
        });
        self.make_room(matrices, shape);
        matrices.insert(shape, (*time, Arc::clone(&matrix)));
        matrix
    }

    /// Drops those that nobody has asked for the longest.
    fn make_room(&self, matrices: &mut BTreeMap<Shape, (u64, Arc<Matrix>)>, shape: Shape) {
        let kept =
            |matrices: &BTreeMap<Shape, _>| matrices.keys().map(|s| s.bytes()).sum::<usize>();
        let mut bytes = shape.bytes() + kept(matrices);
        while bytes > self.most_bytes {
            let Some((&oldest, _)) = matrices.iter().min_by_key(|(_, (used, _))| *used) else {
                return;
            };
            matrices.remove(&oldest);
            bytes -= oldest.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread;

    fn shape(panels: usize, dims: usize) -> Shape {
        Shape { dims, panels }
    }

    /// The format's bits of the first 64 planes of 768 dims, in the format's order: what libraries and CPUs must agree on.
    /// FNV-1a, 64 bits, of the little-endian bytes.
    #[test]
    fn the_matrix_has_the_bits_of_the_format() {
        let digest = |weights: &[Weights]| {
            let in_rows = (0..PLANES).flat_map(|plane| weights.iter().map(move |w| w.0[plane]));
            in_rows
                .flat_map(f32::to_le_bytes)
                .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
                })
        };
        let mut weights = make(shape(1, 768));
        assert_eq!(weights.len(), 768);
        assert_eq!(digest(&weights), 0x7ff5_5863_4609_56a5);
        // One bit of one weight.
        weights[767].0[63] = f32::from_bits(weights[767].0[63].to_bits() ^ 1);
        assert_ne!(digest(&weights), 0x7ff5_5863_4609_56a5);
    }

    #[test]
    fn fewer_planes_are_the_first_of_more() {
        let (few, more) = (make(shape(1, 5)), make(shape(3, 5)));
        assert_eq!(more.len(), 15);
        assert!(few.iter().zip(&more).all(|(few, more)| few.0 == more.0));
        assert_ne!(more[0].0, more[5].0);
    }

    #[test]
    fn weights_are_whole_lines_of_the_cache() {
        assert_eq!(size_of::<Weights>(), 4 * PLANES);
        let weights = make(shape(1, 3));
        assert!(weights.as_ptr().addr().is_multiple_of(64));
    }

    #[test]
    fn who_asks_for_the_same_gets_the_same() {
        let matrices = Matrices::new(KEPT);
        let first = matrices.get(shape(2, 3));
        assert!(Arc::ptr_eq(&first, &matrices.get(shape(2, 3))));
        // Nobody has made it, so that who needs less does not wait for it.
        let less = matrices.get(shape(1, 3));
        assert!(!Arc::ptr_eq(&first, &less));
        assert_eq!(first.panels().count(), 2);
        assert!(Arc::ptr_eq(&first, &matrices.get(shape(2, 3))));
        assert!(Arc::ptr_eq(&less, &matrices.get(shape(1, 3))));
        assert!(!Arc::ptr_eq(&first, &matrices.get(shape(3, 3))));
        assert!(!Arc::ptr_eq(&first, &matrices.get(shape(2, 4))));

        let other = Matrices::new(KEPT);
        let larger = other.get(shape(9, 3));
        assert_eq!(larger.panels().count(), 9);
        assert!(Arc::ptr_eq(&larger, &other.get(shape(1, 3))));
    }

    #[test]
    fn threads_that_race_for_a_new_matrix_get_the_same_and_make_it_once() {
        let (matrices, start) = (Matrices::new(KEPT), Barrier::new(8));
        let made = Mutex::new(0);
        let get = || {
            start.wait();
            let matrix = matrices.get(shape(2, 300));
            let count = |shape| {
                *made.lock().unwrap() += 1;
                make(shape)
            };
            assert_eq!(matrix.panels_made_by(count).count(), 2);
            matrix
        };
        let all: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(get)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(all.iter().all(|matrix| Arc::ptr_eq(matrix, &all[0])));
        assert_eq!(*made.lock().unwrap(), 1);
    }

    #[test]
    fn a_panic_while_one_is_made_disables_nothing() {
        let matrices = Matrices::new(KEPT);
        let matrix = matrices.get(shape(2, 3));
        let no_memory = AssertUnwindSafe(|| matrix.panels_made_by(|_| panic!("planted")).count());
        assert!(catch_unwind(no_memory).is_err());
        assert_eq!(matrices.get(shape(1, 3)).panels().count(), 1);
        assert_eq!(matrices.get(shape(2, 3)).panels().count(), 2);
        assert!(Arc::ptr_eq(&matrix, &matrices.get(shape(2, 3))));
    }

    #[test]
    fn a_panic_under_the_lock_disables_nothing() {
        let matrices = Matrices::new(KEPT);
        let matrix = matrices.get(shape(2, 3));
        let poison = AssertUnwindSafe(|| {
            let _held = matrices.kept.lock();
            panic!("planted");
        });
        assert!(catch_unwind(poison).is_err());
        assert!(matrices.kept.is_poisoned());
        assert!(Arc::ptr_eq(&matrix, &matrices.get(shape(2, 3))));
    }

    #[test]
    fn what_nobody_asked_for_the_longest_goes_first() {
        let matrices = Matrices::new(4 * size_of::<Weights>());
        let [first, second] = [shape(1, 1), shape(1, 2)].map(|shape| matrices.get(shape));
        let again = |shape, matrix| Arc::ptr_eq(&matrices.get(shape), matrix);
        assert!(again(shape(1, 2), &second));
        assert!(again(shape(1, 1), &first));
        // 5 of 4: the second goes. What somebody still holds is still there for him.
        let third = matrices.get(shape(2, 1));
        assert!(again(shape(1, 1), &first));
        assert!(again(shape(2, 1), &third));
        assert_eq!(second.panels().count(), 1);
        assert!(!again(shape(1, 2), &second));
        // One that is larger than all that may be kept is kept alone.
        let largest = matrices.get(shape(5, 1));
        assert!(again(shape(5, 1), &largest));
        assert_eq!(matrices.kept.lock().unwrap().matrices.len(), 1);
    }
}
