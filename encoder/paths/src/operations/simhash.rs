//! Simhash: on which side of each of some planes a vector lies, as text.

use pathproof::{CallPath, CodePath, Input, Operation};
use q64::{Encoder, Isa, PARALLEL_FROM};

use super::batch::{NO_SUCH_ROW, no_such_row, row, rows_alone, whole};
use super::{SURVIVORS, chosen, failure, missing, promised, rows, too_short};
use crate::reference::simhash::{NEAR_ZERO_20, NEAR_ZERO_100, NEAR_ZERO_768};
use crate::{peers, reference};

/// As many as is usual; fewer than a byte has bits; a panel and one more; two panels. With a third, the matrices of all dims would
/// be more than the encoder keeps, and most of the time would go into making them again.
const PLANES: &[&[u64]] = &[&[64], &[1], &[7], &[65], &[128]];

/// Each further length is another matrix to be drawn, by the path and by the reference. No code depends on greater ones.
const LONGEST: usize = 768;
/// And with each length go a few thousand sums.
const SWEPT: usize = 96;

pub(super) fn simhash() -> Operation {
    let of = q64::Operation::Simhash;
    let rows = rows(of, |encoder, isa| {
        [
            CodePath::fills(isa, move |i, out| {
                let text = encoder.simhash_into(i.bytes(), planes(i), out);
                text.map_err(failure)
            }),
            CodePath::returns(isa, move |i| {
                encoder.simhash(i.bytes(), planes(i)).map_err(failure)
            }),
        ]
    });
    let chosen = chosen(
        of,
        |i, out| q64::simhash_to_buffer(i.bytes(), planes(i), out),
        |i| q64::simhash_q64(i.bytes(), planes(i)).map(String::into_bytes),
        len,
    );

    near_zero(Operation::new(of.name(), |i| {
        reference::simhash::simhash(i.bytes(), planes(i))
    }))
    .survivors(SURVIVORS)
    .param("planes", PLANES)
    .longest(LONGEST)
    .sweeps_to(SWEPT)
    .capacity(len)
    .refuses_short(too_short)
    .paths(rows)
    .paths(chosen)
    .law("fewer planes give the first bits of more", |i, simhash| {
        // Eight panels first, whose matrix then serves for fewer.
        let all = bits(i, 512, simhash)?;
        for fewer in [planes(i) / 2, planes(i)] {
            let fewer = bits(i, fewer, simhash)?;
            if !all.starts_with(&fewer) {
                return Err(format!("{fewer:?} do not begin {all:?}"));
            }
        }
        Ok(())
    })
    .law(AT_MOST, at_most)
    .law("what lies on every plane is on no side", |i, simhash| {
        let middle = vec![128; i.bytes().len()];
        let bits = bits(&Input::new(&[&middle], i.params()), planes(i), simhash)?;
        (!bits.contains(&true))
            .then_some(())
            .ok_or_else(|| format!("{bits:?}"))
    })
    .peer(peers::simhash::simhash())
}

/// Dims of a row of a batch, and rows of one that is near zero.
const ROW: usize = 20;
const TWELVE: usize = 12;

pub(super) fn batch() -> Operation {
    let of = q64::Operation::Simhash;
    let row_of_table = |&isa: &Isa| {
        let path = match Encoder::with(isa) {
            Some(encoder) => CodePath::fills(isa.name(), move |i, out| {
                let text = encoder.simhash_rows_into(i.bytes(), row(i), planes(i), out);
                text.map_err(failure)
            }),
            None => CodePath::absent(isa.name(), "fills", missing(isa)),
        };
        promised(of, isa, path)
    };

    Operation::new("simhash_batch", |i| {
        reference::batch::simhash(i.bytes(), row(i), planes(i))
    })
    // Matrices of rows near zero, for the rows that are summed together.
    .rows("near_zero_12x20", NEAR_ZERO_20, TWELVE * ROW)
    .survivors(SURVIVORS)
    // Two groups of rows that share what is read, and some that do not; rows of nothing.
    .param("row", &[&[ROW as u64], &[3], &[0]])
    .param("planes", &[&[64], &[65], &[7]])
    .sweeps_to(2 * SWEPT)
    .from_bytes(|bytes, params| whole(bytes, params["row"][0]))
    .load("10,000 rows of 384", 10_000 * 384, &[("row", &[384])])
    .capacity(|i| len(i) * i.bytes().len().checked_div(row(i)).unwrap_or(0))
    .refuses_short(too_short)
    .paths(of.paths().iter().map(row_of_table))
    .path(
        CodePath::fills("auto", |i, out| {
            let text = q64::simhash_batch_to_buffer(i.bytes(), row(i), planes(i), out);
            text.map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::returns("auto", |i| {
            q64::simhash_batch(i.bytes(), row(i), planes(i)).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::fills("auto", |i, out| {
            let text = q64::parallel_simhash_batch_to_buffer(i.bytes(), row(i), planes(i), out);
            text.map_err(failure)
        })
        .via("parallel")
        .on_threads()
        .switches_at(&[PARALLEL_FROM])
        .refuses_in_full(),
    )
    .law("a batch is its rows", |i, simhash| {
        rows_alone(i, simhash, row(i))
    })
    .law(NO_SUCH_ROW, no_such_row)
    .law(AT_MOST, at_most)
}

/// Adds rows that show in which order products are summed, and how often they are rounded.
fn near_zero(operation: Operation) -> Operation {
    operation
        .rows("near_zero_100", NEAR_ZERO_100, 100)
        .rows("near_zero_768", NEAR_ZERO_768, 768)
}

const AT_MOST: &str = "the most are 65,536 planes, and one weight more than 2^26 is refused";

/// Whether as many planes as are allowed are taken, and one more plane or weight refused. As many weights as are allowed would be a
/// matrix of 256 MiB for every call.
fn at_most(i: &Input<'_>, simhash: &CallPath<'_>) -> Result<(), String> {
    let call = |data: &[u8], planes: usize| {
        // One row, where it is a batch.
        let params = [("planes", planes), ("row", data.len())];
        let params = params.map(|(name, n)| (name.into(), vec![n as u64]));
        simhash(&Input::new(&[data], &params.into()))
    };
    let one = &[i.bytes().first().copied().unwrap_or(0x3d)];
    for (data, planes) in [
        (&one[..], 0),
        (one, 65_536),
        (one, 65_537),
        (&[0x3d; 1025], 65_536),
        (&vec![0x3d; (1 << 19) + 1], 128),
        (&vec![0x3d; (1 << 20) + 1], 64),
    ] {
        let (got, due) = (
            call(data, planes),
            reference::simhash::simhash(data, planes),
        );
        if got != due {
            let len = data.len();
            return Err(format!(
                "{planes} planes of {len} bytes: {got:?}, not {due:?}"
            ));
        }
    }
    Ok(())
}

fn planes(i: &Input<'_>) -> usize {
    i.get("planes") as usize
}

fn len(i: &Input<'_>) -> usize {
    reference::simhash::len(planes(i))
}

/// What a path says of `planes` planes: a bit for each, and zeros up to a whole byte.
fn bits(i: &Input<'_>, planes: usize, simhash: &CallPath<'_>) -> Result<Vec<bool>, String> {
    let mut params = i.params().clone();
    params.insert("planes".into(), vec![planes as u64]);
    let text = simhash(&Input::new(i.parts(), &params)).map_err(|e| format!("{planes}: {e}"))?;
    let bytes = reference::q64::decode(&text).map_err(|e| format!("its text is none: {e}"))?;
    let bit = |byte: &u8| {
        let byte = *byte;
        (0..8).map(move |bit| byte & 0x80 >> bit != 0)
    };
    let mut bits: Vec<bool> = bytes.iter().flat_map(bit).collect();
    if bits.len() != planes.next_multiple_of(8) || bits[planes..].contains(&true) {
        return Err(format!("{planes} planes are {bits:?}"));
    }
    bits.truncate(planes);
    Ok(bits)
}
