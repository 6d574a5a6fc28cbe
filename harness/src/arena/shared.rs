//! An arena that several processes share: the same pages at the same address in each of them, so that where a buffer lies is no
//! difference between two sides.
//!
//! ```text
//! | output, and room to slide in | part 0, and room | part 1, and room | …
//! ```

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;
use std::ptr::NonNull;
use std::rc::Rc;

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous, munmap};

use super::{Pages, Region};

/// Where the arena lies in every process. It is far from what Linux chooses by itself for programs, their heaps, libraries and stacks,
/// and within the 39 bits of address that the smallest of 64-bit systems have.
const ADDRESS: usize = 0x20_0000_0000;

/// Pages that are unmapped with the last region of them.
pub(super) struct Mapping {
    first: NonNull<u8>,
    len: usize,
}

impl Mapping {
    pub(super) fn first(&self) -> *mut u8 {
        self.first.as_ptr()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is the whole of a mapping that `map` made, and no region of it is left.
        let _ = unsafe { munmap(self.first.cast(), self.len) };
    }
}

/// How many bytes an arena with regions of these lengths has.
pub(crate) fn size(lengths: &[usize]) -> usize {
    lengths.iter().map(|len| pages(*len)).sum()
}

fn pages(len: usize) -> usize {
    len.max(1).next_multiple_of(region::page::size())
}

/// Maps `arena`, the file of a parent, and cuts it into regions of these lengths. Without a file, private pages at an address that the
/// system chooses. Every page is touched.
///
/// # Errors
/// The file is not there, is shorter than the regions, or its address is taken.
pub(crate) fn map(arena: Option<&Path>, lengths: &[usize]) -> Result<Vec<Region>, String> {
    let len = NonZeroUsize::new(size(lengths)).ok_or("an arena without a region")?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let mapped = match arena {
        Some(path) => {
            let cannot = |e: &dyn std::fmt::Display| {
                format!(
                    "cannot map the arena {} of {len} bytes at {ADDRESS:#x}: {e}",
                    path.display()
                )
            };
            let file = File::options().read(true).write(true).open(path);
            let file = file.map_err(|e| cannot(&e))?;
            let has = file.metadata().map_err(|e| cannot(&e))?.len();
            if has < len.get() as u64 {
                return Err(cannot(&format_args!("it has {has} bytes")));
            }
            let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED_NOREPLACE;
            // SAFETY: nothing is replaced; the file is as long as the mapping, and its parent does not make it shorter. Other processes
            // write to it, but none while this one has its turn, and between turns this one holds no reference into it.
            unsafe { mmap(NonZeroUsize::new(ADDRESS), len, access, flags, &file, 0) }
                .map_err(|e| cannot(&e))?
        }
        // SAFETY: fresh pages, at an address that nobody uses.
        None => unsafe { mmap_anonymous(None, len, access, MapFlags::MAP_PRIVATE) }
            .map_err(|e| format!("cannot map {len} private bytes: {e}"))?,
    };
    // SAFETY: advice about the whole of a mapping of this process; where the kernel has no huge pages, it is refused and not missed.
    let _ = unsafe { madvise(mapped, len.get(), MmapAdvise::MADV_NOHUGEPAGE) };
    let mapping = Rc::new(Mapping {
        first: mapped.cast(),
        len: len.get(),
    });
    if arena.is_some() && mapping.first() as usize != ADDRESS {
        return Err(format!(
            "the arena was mapped at {:?}, and was to lie at {ADDRESS:#x}: a kernel before 4.17?",
            mapping.first()
        ));
    }
    let mut start = 0;
    let mut regions = Vec::new();
    for len in lengths {
        let data = start..start + pages(*len);
        start = data.end;
        let mut region = Region {
            pages: Pages::Shared(Rc::clone(&mapping)),
            data,
        };
        for page in region.bytes_mut().chunks_mut(region::page::size()) {
            // A write, or every page would be the one of zeros.
            page[0] = 1;
        }
        regions.push(region);
    }
    Ok(regions)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::arena::Buffer;

    #[test]
    fn regions_are_disjoint_and_another_mapping_sees_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lengths = [5000, 1, 8192];
        file.as_file().set_len(size(&lengths) as u64).unwrap();
        let mut buffers: Vec<Buffer> = map(Some(file.path()), &lengths)
            .unwrap()
            .into_iter()
            .map(Buffer::on)
            .collect();
        for (buffer, len) in buffers.iter_mut().zip(lengths) {
            buffer.slide(0, len);
            buffer.bytes_mut().fill(len as u8);
        }
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(bytes[..5000].iter().all(|b| *b == 5000u32 as u8));
        assert_eq!((bytes[8192], buffers[1].bytes()), (1, &[1][..]));
        assert_eq!(buffers[0].addresses().start, ADDRESS);
        // As far as the pages reach, and no farther.
        buffers[0].slide(8000, 1000);
        assert_eq!(buffers[0].bytes().len(), 192);
        // The address is taken: a second one is refused, not put elsewhere.
        let taken = map(Some(file.path()), &lengths).map(drop).unwrap_err();
        assert!(taken.contains("EEXIST"), "{taken}");
        drop(buffers);
        assert!(map(Some(file.path()), &lengths).is_ok());
        let short = map(Some(file.path()), &[1 << 20]).map(drop).unwrap_err();
        assert!(short.contains("it has 20480 bytes"), "{short}");
        assert!(map(None, &lengths).is_ok());
    }
}
