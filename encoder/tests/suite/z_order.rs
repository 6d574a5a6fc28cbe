//! Z-order codes, bit by bit.

use crate::common::{encode, noise};
use q64::{
    Q64Error, Z_ORDER_LEN, z_order_extended_to_buffer, z_order_q64, z_order_q64_extended,
    z_order_to_buffer,
};

fn code(values: &[u8], values_used: usize, bits: u32, at: impl Fn(usize, u32) -> usize) -> String {
    let mut code = 0u32;
    for (d, value) in values.iter().enumerate().take(values_used) {
        for bit in 0..bits {
            let set = value >> (8 - bits + bit) & 1;
            code |= u32::from(set) << at(d, bit);
        }
    }
    encode(&code.to_be_bytes())
}

fn z_order(values: &[u8]) -> String {
    code(values, 16, 2, |d, bit| 2 * d + bit as usize)
}

fn extended(values: &[u8]) -> String {
    code(values, 8, 4, |d, bit| 8 * bit as usize + d)
}

#[test]
fn every_bit_of_every_value_has_its_place() {
    let one_bit = |d: usize, bit: u32| {
        let mut values = [0; 40];
        values[d] = 1 << bit;
        values
    };
    for values in (0..40).flat_map(|d| (0..8).map(move |bit| one_bit(d, bit))) {
        assert_eq!(z_order_q64(&values), z_order(&values));
        assert_eq!(z_order_q64_extended(&values), extended(&values));
    }
}

#[test]
fn both_forms_of_both_codes_agree_at_every_length() {
    for len in (0..=70).chain([768]) {
        for seed in 0..40 {
            let values = noise(seed, len);
            let (mut text, mut long) = ([0xa5; Z_ORDER_LEN], [0xa5; Z_ORDER_LEN + 2]);
            assert_eq!(z_order_to_buffer(&values, &mut text), Ok(8));
            assert_eq!(z_order_extended_to_buffer(&values, &mut long), Ok(8));
            let (want, want_extended) = (z_order(&values), extended(&values));
            assert_eq!((&text[..], &z_order_q64(&values)), (want.as_bytes(), &want));
            assert_eq!(&long[..8], want_extended.as_bytes());
            assert_eq!(long[8..], [0xa5; 2]);
            assert_eq!(z_order_q64_extended(&values), want_extended);
        }
    }
}

#[test]
fn the_two_codes_are_not_the_same() {
    assert_eq!(z_order_q64(&[0x40]), "AQgwAQgx");
    assert_eq!(z_order_q64_extended(&[0x40]), "AQgxAQgw");
}

#[test]
fn a_short_buffer_is_refused_and_left_alone() {
    for available in 0..Z_ORDER_LEN {
        let mut short = vec![0xa5; available];
        let refused = Err(Q64Error::BufferTooSmall {
            needed: 8,
            available,
        });
        assert_eq!(z_order_to_buffer(&[255; 20], &mut short), refused);
        assert_eq!(z_order_extended_to_buffer(&[255; 20], &mut short), refused);
        assert!(short.iter().all(|byte| *byte == 0xa5));
    }
}
