//! Calls that do not come back: each at one length, so that all other calls are right.

use std::hint::{black_box, spin_loop};

use pathproof::{Input, Outcome};

use super::codec::encode;

pub(super) fn panics(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    assert_ne!(i.bytes().len(), 40, "a table has no row for this length");
    Ok(encode(i.bytes(), out))
}

pub(super) fn aborts(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    if i.bytes().len() == 41 {
        eprintln!("double free of a scratch buffer");
        std::process::abort();
    }
    Ok(encode(i.bytes(), out))
}

/// Ends its process as if all were well.
pub(super) fn exits(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    if i.bytes().len() == 42 {
        std::process::exit(0);
    }
    Ok(encode(i.bytes(), out))
}

pub(super) fn overflows(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    fn deeper(depth: u64) -> u64 {
        if black_box(depth) == u64::MAX {
            0
        } else {
            black_box(deeper(depth + 1)) + 1
        }
    }
    if i.bytes().len() == 43 {
        deeper(0);
    }
    Ok(encode(i.bytes(), out))
}

/// An instruction that this CPU does not have.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(super) fn illegal(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    if i.bytes().len() == 44 {
        // SAFETY: `ud2` raises #UD and nothing else; the process does not go on behind it.
        unsafe { std::arch::asm!("ud2", options(noreturn)) }
    }
    Ok(encode(i.bytes(), out))
}

pub(super) fn loops(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    while i.bytes().len() == 45 {
        spin_loop();
    }
    Ok(encode(i.bytes(), out))
}
