//! The page that a worker shares with its parent: what it is about to do, so that a death names its case.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many buffers of a call are noted: the output and the first parts.
const BUFFERS: usize = 8;

/// What a worker is at. Plain words, each valid at any instant; whoever reads them knows the worker to be dead or stuck.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Page {
    /// Grows with every call, so that a stuck worker can be told from a busy one.
    ticks: AtomicU64,
    phase: AtomicU64,
    subject: AtomicU64,
    index: AtomicU64,
    signal: AtomicU64,
    address: AtomicU64,
    /// 1: the access was a read; 2: a write; 3: beside the stack pointer; 0: the CPU does not say.
    access: AtomicU64,
    buffers: [[AtomicU64; 2]; BUFFERS],
}

/// What the worker was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing of a client's.
    Idle,
    /// Making a case or computing the reference's answer.
    Preparing,
    /// Calling a path.
    Calling,
}

/// A page as it stood when somebody looked.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) phase: Phase,
    pub(crate) subject: usize,
    pub(crate) index: u64,
    pub(crate) signal: u64,
    pub(crate) address: usize,
    pub(crate) access: u64,
    /// Buffer 0 is the output, 1 the input, 2 the next part, …
    pub(crate) buffers: Vec<Range<usize>>,
}

impl Page {
    /// A page that nobody shares, for code that runs without a parent.
    pub(crate) fn private() -> &'static Page {
        Box::leak(Box::default())
    }

    /// Makes the file at `path` a page, for a worker to open, and maps it for as long as the process lives.
    pub(crate) fn create(path: &Path) -> io::Result<&'static Page> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)?;
        file.set_len(size_of::<Page>() as u64)?;
        Self::map(&file)
    }

    /// Maps the file that a parent has made.
    pub(crate) fn open(path: &Path) -> io::Result<&'static Page> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)?;
        if file.metadata()?.len() != size_of::<Page>() as u64 {
            let why = format!("{} is not the page of a parent", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Self::map(&file)
    }

    fn map(file: &std::fs::File) -> io::Result<&'static Page> {
        // SAFETY: the mapping is of a private temporary file that only this parent and its workers know; both sides access it
        // through atomics alone, so a write by the other side is never a data race.
        let map = unsafe { memmap2::MmapMut::map_mut(file) }?;
        let first = Box::leak(Box::new(map)).as_mut_ptr();
        // SAFETY: the mapping is page-aligned, `Page` long, never unmapped (leaked), zero or written by another `Page`, and any
        // bit pattern is a valid `AtomicU64`.
        Ok(unsafe { &*first.cast::<Page>() })
    }

    /// Whether nothing of a client's is at work.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase.load(Relaxed) == 0
    }

    pub(crate) fn idle(&self) {
        self.phase.store(0, Relaxed);
    }

    pub(crate) fn preparing(&self, index: u64) {
        self.index.store(index, Relaxed);
        self.phase.store(1, Relaxed);
        self.ticks.fetch_add(1, Relaxed);
    }

    /// The case that is at work.
    #[cfg(feature = "cli")]
    pub(crate) fn index(&self) -> u64 {
        self.index.load(Relaxed)
    }

    pub(crate) fn calling(&self, subject: usize) {
        self.subject.store(subject as u64, Relaxed);
        self.alive();
        self.phase.store(2, Relaxed);
    }

    /// Called at every step of a call that is stepped and every second by a mutant that is looked after, so that what takes long is not
    /// taken for stuck.
    pub(crate) fn alive(&self) {
        self.ticks.store(self.ticks.load(Relaxed) + 1, Relaxed);
    }

    pub(crate) fn buffer(&self, number: usize, addresses: Range<usize>) {
        if let Some([start, end]) = self.buffers.get(number) {
            start.store(addresses.start as u64, Relaxed);
            end.store(addresses.end as u64, Relaxed);
        }
    }

    /// Called by the signal handler: stores to atomics, and nothing else.
    pub(crate) fn fault(&self, signal: u64, address: u64, access: u64) {
        self.address.store(address, Relaxed);
        self.access.store(access, Relaxed);
        self.signal.store(signal, Relaxed);
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Relaxed)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let range = |[start, end]: &[AtomicU64; 2]| {
            start.load(Relaxed) as usize..end.load(Relaxed) as usize
        };
        Snapshot {
            phase: match self.phase.load(Relaxed) {
                0 => Phase::Idle,
                1 => Phase::Preparing,
                _ => Phase::Calling,
            },
            subject: self.subject.load(Relaxed) as usize,
            index: self.index.load(Relaxed),
            signal: self.signal.load(Relaxed),
            address: self.address.load(Relaxed) as usize,
            access: self.access.load(Relaxed),
            buffers: self.buffers.iter().map(range).collect(),
        }
    }
}

/// The words of a file from `from` to its end, mapped for as long as the process lives.
///
/// # Errors
/// The file cannot be mapped, or is shorter; `from` and its length are to be multiples of 8.
pub(crate) fn words(file: &std::fs::File, from: usize) -> io::Result<&'static [AtomicU64]> {
    // SAFETY: the file is one of counters, in a folder that whoever runs the target has made for them. Other targets map it through
    // here, too, and all access its words through atomics alone; nobody makes it shorter while they run.
    let mut map = unsafe { memmap2::MmapMut::map_mut(file) }?;
    if map.len() < from || !from.is_multiple_of(8) || !map.len().is_multiple_of(8) {
        let why = format!("{} bytes are no words from byte {from} on", map.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let count = (map.len() - from) / 8;
    let first = map.as_mut_ptr();
    std::mem::forget(map);
    // SAFETY: the mapping is page-aligned and `from` a multiple of 8 within it; it is never unmapped (forgotten); any bit pattern is a
    // valid `AtomicU64`.
    Ok(unsafe { std::slice::from_raw_parts(first.add(from).cast::<AtomicU64>(), count) })
}
