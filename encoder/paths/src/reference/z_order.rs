//! Z-order: the bits of the first values, each at its place in a number of 32 bits.

use super::q64;

/// The top 2 bits of 16 values: value `d` at bit `2d`.
pub(crate) fn z_order(values: &[u8]) -> Vec<u8> {
    let bits = (0..).zip(values).take(16);
    let code: u32 = bits
        .map(|(d, value)| u32::from(value / 64) << (2 * d))
        .sum();
    q64::encode(&code.to_be_bytes())
}

/// The top 4 bits of 8 values: bit `k` of value `d` at bit `8k + d`.
pub(crate) fn extended(values: &[u8]) -> Vec<u8> {
    let mut code: u32 = 0;
    for (d, value) in values.iter().enumerate().take(8) {
        for k in 0..4 {
            if (value / 16) & (1 << k) != 0 {
                code |= 1 << (8 * k + d);
            }
        }
    }
    q64::encode(&code.to_be_bytes())
}
