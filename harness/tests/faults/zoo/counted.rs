//! Paths that are looked at instruction by instruction: few to a block, and between some of them pauses, which no other has.

use std::hint::spin_loop;
use std::sync::OnceLock;

/// The exclusive or of the 64-bit words, with so many pauses in a call and in a block of 64 bytes.
pub(super) fn folded<const A_CALL: usize, const A_BLOCK: usize>(bytes: &[u8]) -> [u8; 8] {
    (0..A_CALL).for_each(|_| spin_loop());
    let mut all = 0;
    let (blocks, tail) = bytes.as_chunks::<64>();
    for block in blocks {
        (0..A_BLOCK).for_each(|_| spin_loop());
        for word in block.as_chunks().0 {
            all ^= u64::from_le_bytes(*word);
        }
    }
    for (at, byte) in tail.iter().enumerate() {
        all ^= u64::from(*byte) << (at % 8 * 8);
    }
    all.to_le_bytes()
}

/// The first call of a process makes a table, with many pauses.
pub(super) fn folded_by_table(bytes: &[u8]) -> [u8; 8] {
    static TABLE: OnceLock<[u8; 8]> = OnceLock::new();
    let made = || {
        (0..1000).for_each(|_| spin_loop());
        [0; 8]
    };
    let (all, table) = (folded::<0, 0>(bytes), TABLE.get_or_init(made));
    (u64::from_le_bytes(all) ^ u64::from_le_bytes(*table)).to_le_bytes()
}

/// With a pause in every second block or so: how many these are is a matter of the data.
pub(super) fn folded_by_data(bytes: &[u8]) -> [u8; 8] {
    for block in bytes.as_chunks::<64>().0 {
        if block[0] < 128 {
            spin_loop();
        }
    }
    folded::<0, 0>(bytes)
}

/// The format in plain code.
pub(super) fn reference(bytes: &[u8]) -> [u8; 8] {
    let mut all = [0; 8];
    for (at, byte) in bytes.iter().enumerate() {
        all[at % 8] ^= byte;
    }
    all
}
