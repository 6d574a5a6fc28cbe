//! Z-order: plain code for every target, for it is a dozen instructions.

use pathproof::{CodePath, Operation};
use q64::Z_ORDER_LEN;

use super::{SURVIVORS, failure, too_short};
use crate::{peers, reference};

pub(super) fn z_order() -> Operation {
    Operation::new("z_order_q64", |i| {
        Ok(reference::z_order::z_order(i.bytes()))
    })
    .capacity(|_| Z_ORDER_LEN)
    // It looks at no more of the values, however many there are.
    .work(|i| i.bytes().len().min(16))
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .path(plain(CodePath::fills("scalar", |i, out| {
        q64::z_order_to_buffer(i.bytes(), out).map_err(failure)
    })))
    .path(plain(CodePath::returns("scalar", |i| {
        Ok(q64::z_order_q64(i.bytes()))
    })))
    .peer(peers::z_order::z_order())
}

pub(super) fn extended() -> Operation {
    Operation::new("z_order_q64_extended", |i| {
        Ok(reference::z_order::extended(i.bytes()))
    })
    .capacity(|_| Z_ORDER_LEN)
    .work(|i| i.bytes().len().min(8))
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .path(plain(CodePath::fills("scalar", |i, out| {
        q64::z_order_extended_to_buffer(i.bytes(), out).map_err(failure)
    })))
    .path(plain(CodePath::returns("scalar", |i| {
        Ok(q64::z_order_q64_extended(i.bytes()))
    })))
    .peer(peers::z_order::extended())
}

fn plain(path: CodePath) -> CodePath {
    path.only(q64::Isa::Scalar.features())
}
