//! Guarded memory: each buffer of a call lies between two inaccessible pages, flush with one of them or between poisoned margins.
//!
//! ```text
//! | guard |  …  poison | buffer | poison  …  | guard |      At(a): the address is a beyond a multiple of 64
//! | guard | buffer | poison  …               | guard |      Start
//! | guard |               …  poison | buffer | guard |      End
//! ```
#![allow(unsafe_code)]

#[cfg(all(feature = "cli", target_os = "linux"))]
pub(crate) mod shared;

use std::ops::Range;

use crate::case::Place;

/// How far beyond a buffer a stray write is looked for; farther out, the guard page is not far.
pub(crate) const MARGIN: usize = 128;
/// Inaccessible bytes at either end: more than any vector, masked or strided access of a kernel strays.
pub(crate) const GUARD: usize = 64 << 10;

/// A byte outside of a buffer, or inside one that is not to be written, that has changed. Relative to the buffer's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touched(pub(crate) isize);

/// Readable and writable pages that nobody else refers to: between inaccessible ones, or cut out of an arena that several processes
/// share.
pub(crate) struct Region {
    pages: Pages,
    data: Range<usize>,
}

enum Pages {
    Own(region::Allocation),
    #[cfg(all(feature = "cli", target_os = "linux"))]
    Shared(std::rc::Rc<shared::Mapping>),
}

impl Pages {
    fn first(&self) -> *const u8 {
        match self {
            Pages::Own(pages) => pages.as_ptr(),
            #[cfg(all(feature = "cli", target_os = "linux"))]
            Pages::Shared(mapping) => mapping.first(),
        }
    }

    fn first_mut(&mut self) -> *mut u8 {
        match self {
            Pages::Own(pages) => pages.as_mut_ptr(),
            #[cfg(all(feature = "cli", target_os = "linux"))]
            Pages::Shared(mapping) => mapping.first(),
        }
    }
}

impl Region {
    fn new(capacity: usize) -> Self {
        let page = region::page::size();
        let guard = GUARD.next_multiple_of(page);
        let size = capacity.next_multiple_of(page);
        let mut pages = region::alloc(guard + size + guard, region::Protection::READ_WRITE)
            .expect("the system has no memory left for guarded pages");
        let (first, data) = (pages.as_mut_ptr::<u8>(), guard..guard + size);
        for at in [0, data.end] {
            // SAFETY: both ranges are whole pages of this allocation, which nothing refers to yet.
            unsafe { region::protect(first.wrapping_add(at), guard, region::Protection::NONE) }
                .expect("the system can make pages inaccessible");
        }
        let pages = Pages::Own(pages);
        Self { pages, data }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `data` is the part of the pages that stays readable and writable, and no other region's; fresh pages are zero; the
        // borrow of `self` keeps them mapped and unchanged. (Of a shared arena: the other processes wait while this one has its turn.)
        unsafe {
            std::slice::from_raw_parts(self.pages.first().add(self.data.start), self.data.len())
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the exclusive borrow of `self` makes this the only reference.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.pages.first_mut().add(self.data.start),
                self.data.len(),
            )
        }
    }
}

/// One buffer of a call, in guarded memory of its own that grows as cases need it.
pub(crate) struct Buffer {
    region: Region,
    /// The buffer, and the buffer with its margins, as ranges of the region.
    inner: Range<usize>,
    outer: Range<usize>,
    /// What `outer` held after the last `load`, `fill` or `poison`.
    shadow: Vec<u8>,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self {
            region: Region::new(8 << 10),
            inner: 0..0,
            outer: 0..0,
            shadow: Vec::new(),
        }
    }

    /// Lays out a buffer of `len` bytes; its contents and margins are not yet set.
    fn place(&mut self, len: usize, place: Place) {
        let need = len + 2 * MARGIN + 128;
        if self.region.data.len() < need {
            self.region = Region::new(need.next_power_of_two());
        }
        let data = self.region.data.len();
        let start = match place {
            Place::Start => 0,
            Place::End => data - len,
            // Pages begin at multiples of 64.
            Place::At(offset) => MARGIN.next_multiple_of(64) + usize::from(offset),
        };
        self.inner = start..start + len;
        self.outer = start.saturating_sub(MARGIN)..(start + len + MARGIN).min(data);
    }

    /// Poisons the margins from a pattern that differs in every bit between two values of `run`.
    fn poison(&mut self, poison: &Poison, run: usize) {
        let (inner, outer) = (self.inner.clone(), self.outer.clone());
        let bytes = self.region.bytes_mut();
        let (before, after) = (inner.start - outer.start, outer.end - inner.end);
        bytes[outer.start..inner.start]
            .copy_from_slice(&poison.margins(run)[MARGIN - before..MARGIN]);
        bytes[inner.end..outer.end].copy_from_slice(&poison.margins(run)[MARGIN..MARGIN + after]);
    }

    /// Places `bytes` and remembers them, to be read by calls and left as they are.
    pub(crate) fn load(&mut self, bytes: &[u8], place: Place, poison: &Poison, run: usize) {
        self.place(bytes.len(), place);
        self.poison(poison, run);
        let (inner, outer) = (self.inner.clone(), self.outer.clone());
        self.region.bytes_mut()[inner].copy_from_slice(bytes);
        self.shadow.clear();
        self.shadow.extend_from_slice(&self.region.bytes()[outer]);
    }

    /// Places a buffer for a call to write in; `fill` sets what it holds before the call.
    pub(crate) fn offer(
        &mut self,
        len: usize,
        place: Place,
        poison: &Poison,
        run: usize,
        fill: impl FnOnce(&mut [u8]),
    ) {
        self.place(len, place);
        self.poison(poison, run);
        let inner = self.inner.clone();
        fill(&mut self.region.bytes_mut()[inner]);
    }

    /// A buffer with room for `most` bytes, `offset` bytes from the beginning of its pages, for measurements: nothing is poisoned
    /// or compared, and every page is touched now, so that none is made while the clock runs.
    #[cfg(feature = "cli")]
    pub(crate) fn roomy(most: usize, offset: usize) -> Self {
        let mut buffer = Self::on(Region::new((offset + most).max(1)));
        buffer.slide(offset, most);
        buffer.bytes_mut().fill(1);
        buffer
    }

    /// An empty roomy buffer at the beginning of a region.
    #[cfg(feature = "cli")]
    pub(crate) fn on(region: Region) -> Self {
        Self {
            region,
            outer: 0..0,
            inner: 0..0,
            shadow: Vec::new(),
        }
    }

    /// Makes a roomy buffer `len` bytes, `offset` bytes from the beginning of its pages: as far as these reach.
    #[cfg(feature = "cli")]
    pub(crate) fn slide(&mut self, offset: usize, len: usize) {
        let most = self.region.data.len();
        self.inner = offset.min(most)..offset.saturating_add(len).min(most);
        self.outer = self.inner.clone();
    }

    /// Makes a roomy buffer `len` bytes long, at the same place.
    #[cfg(feature = "cli")]
    pub(crate) fn resize(&mut self, len: usize) {
        self.slide(self.inner.start, len);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.region.bytes()[self.inner.clone()]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let inner = self.inner.clone();
        &mut self.region.bytes_mut()[inner]
    }

    /// The addresses that the buffer covers.
    pub(crate) fn addresses(&self) -> Range<usize> {
        let start = self.bytes().as_ptr() as usize;
        start..start + self.inner.len()
    }

    /// The first byte of a loaded buffer or of its margins that is no longer what `load` put there.
    pub(crate) fn changed(&self) -> Option<Touched> {
        let now = &self.region.bytes()[self.outer.clone()];
        if now == self.shadow {
            return None;
        }
        let at = now.iter().zip(&self.shadow).position(|(a, b)| a != b)?;
        Some(Touched(
            (self.outer.start + at) as isize - self.inner.start as isize,
        ))
    }

    /// The byte of the margins nearest to the buffer that is no longer what `offer` put there.
    pub(crate) fn overrun(&self, poison: &Poison, run: usize) -> Option<Touched> {
        let bytes = self.region.bytes();
        let (before, after) = (
            self.inner.start - self.outer.start,
            self.outer.end - self.inner.end,
        );
        let pattern = poison.margins(run);
        let front = (
            &bytes[self.outer.start..self.inner.start],
            &pattern[MARGIN - before..MARGIN],
        );
        let back = (
            &bytes[self.inner.end..self.outer.end],
            &pattern[MARGIN..MARGIN + after],
        );
        if front.0 != front.1 {
            let at = front.0.iter().zip(front.1).rposition(|(a, b)| a != b)?;
            return Some(Touched(at as isize - before as isize));
        }
        if back.0 != back.1 {
            let at = back.0.iter().zip(back.1).position(|(a, b)| a != b)?;
            return Some(Touched((self.inner.len() + at) as isize));
        }
        None
    }
}

/// What lies in the margins: two patterns that differ in every bit, so that no answer can depend on a neighbour in both.
pub(crate) struct Poison {
    runs: [Vec<u8>; 2],
    at: usize,
}

/// From how many places of the patterns the margins are taken: each byte value is then a buffer's neighbour many times.
const TURNS: usize = 4096;

impl Poison {
    pub(crate) fn new(seed: u64) -> Self {
        let len = TURNS + 2 * MARGIN;
        let drawn = crate::case::generate(seed, len, crate::case::Shape::Random);
        let inverted = drawn.iter().map(|b| !b).collect();
        Self {
            runs: [drawn, inverted],
            at: 0,
        }
    }

    /// Takes the margins from another place of the patterns.
    pub(crate) fn turn(&mut self, salt: u64) {
        self.at = (salt % TURNS as u64) as usize;
    }

    /// What lies before a buffer and, from `MARGIN` on, behind it.
    fn margins(&self, run: usize) -> &[u8] {
        &self.runs[run & 1][self.at..][..2 * MARGIN]
    }
}

/// Reads the byte after the last one: what a guard page is there to stop. For the self-test of `doctor` alone.
#[cfg(feature = "cli")]
pub(crate) fn read_beyond(bytes: &[u8]) -> u8 {
    // SAFETY: the caller has placed `bytes` flush with an inaccessible page, so that the read ends the process, as it is to show;
    // a volatile read is neither left out nor taken for impossible by the compiler.
    unsafe { bytes.as_ptr().wrapping_add(bytes.len()).read_volatile() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_lies_where_it_was_asked_to() {
        let (mut buffer, poison) = (Buffer::new(), Poison::new(1));
        for len in [0, 1, 77, 4096, 20_000] {
            for offset in 0..64 {
                buffer.load(&vec![7; len], Place::At(offset), &poison, 0);
                assert_eq!(buffer.addresses().start % 64, usize::from(offset));
            }
            let page = region::page::size();
            buffer.load(&vec![7; len], Place::End, &poison, 0);
            assert_eq!(buffer.addresses().end % page, 0);
            buffer.load(&vec![7; len], Place::Start, &poison, 0);
            assert_eq!(buffer.addresses().start % page, 0);
        }
    }

    #[test]
    fn every_byte_value_is_a_neighbour_on_either_side() {
        let mut poison = Poison::new(3);
        for side in [MARGIN - 1, MARGIN] {
            let mut seen = [0; 256];
            for salt in 0..TURNS as u64 {
                poison.turn(salt);
                seen[usize::from(poison.margins(0)[side])] += 1;
                assert_eq!(poison.margins(0)[side], !poison.margins(1)[side]);
            }
            assert!(seen.iter().all(|count| *count > 1), "{seen:?}");
        }
    }

    #[test]
    fn every_stray_write_within_the_margins_is_seen() {
        let (mut buffer, poison) = (Buffer::new(), Poison::new(2));
        for place in [Place::At(5), Place::Start, Place::End] {
            for run in 0..2 {
                let len = 40;
                buffer.offer(len, place, &poison, run, |b| b.fill(0));
                assert_eq!(buffer.overrun(&poison, run), None);
                let (inner, outer) = (buffer.inner.clone(), buffer.outer.clone());
                for at in outer.filter(|at| !inner.contains(at)) {
                    buffer.region.bytes_mut()[at] ^= 1;
                    assert_eq!(
                        buffer.overrun(&poison, run),
                        Some(Touched(at as isize - inner.start as isize))
                    );
                    buffer.region.bytes_mut()[at] ^= 1;
                }
                buffer.load(&[9; 40], place, &poison, run);
                assert_eq!(buffer.changed(), None);
                buffer.bytes_mut()[39] ^= 1;
                assert_eq!(buffer.changed(), Some(Touched(39)));
            }
        }
    }
}
