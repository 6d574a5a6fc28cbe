//! Batches: each row of a matrix on its own, on the calling thread or on several.

use pathproof::{CallPath, CodePath, Failure, Input, Operation};
use q64::PARALLEL_FROM;

use super::{SURVIVORS, failure, too_short};
use crate::reference;

/// A batch as it is in real use.
const MANY: &str = "10,000 rows of 384";
const MANY_BYTES: usize = 10_000 * 384;

/// Rows of these lengths: with positions that go on from row to row and with ones that do not, and with no row that could be.
const ROWS: &[&[u64]] = &[&[16], &[1], &[2], &[3], &[0], &[384]];

pub(super) fn encode() -> Operation {
    Operation::new("q64_encode_batch", |i| {
        reference::batch::encode(i.bytes(), row(i))
    })
    .param("row", ROWS)
    .load(MANY, MANY_BYTES, &[("row", &[384])])
    .from_bytes(|bytes, params| whole(bytes, params["row"][0]))
    .capacity(|i| 2 * i.bytes().len())
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .path(
        CodePath::fills("auto", |i, out| {
            q64::q64_encode_batch_to_buffer(i.bytes(), row(i), out).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::returns("auto", |i| {
            q64::q64_encode_batch(i.bytes(), row(i)).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::fills("auto", |i, out| {
            q64::parallel_q64_encode_batch_to_buffer(i.bytes(), row(i), out).map_err(failure)
        })
        .via("parallel")
        .on_threads()
        .switches_at(&[PARALLEL_FROM])
        .refuses_in_full(),
    )
    .law("a batch is its rows", |i, encode| {
        rows_alone(i, encode, row(i))
    })
    .law(NO_SUCH_ROW, no_such_row)
}

pub(super) fn decode() -> Operation {
    Operation::new("q64_decode_batch", |i| {
        reference::batch::decode(i.bytes(), row(i))
    })
    .param("row", ROWS)
    .load(MANY, MANY_BYTES, &[("row", &[768])])
    .from_bytes(|bytes, params| match params["row"][0] {
        0 => bytes.to_vec(),
        // The text of half as much, each row on its own; of an odd length there is none.
        row => {
            let data = row as usize / 2;
            let rows = bytes.chunks_exact(data.max(1));
            rows.flat_map(reference::q64::encode).collect()
        }
    })
    .capacity(|i| i.bytes().len() / 2)
    .work(|i| i.bytes().len() / 2)
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .path(
        CodePath::fills("auto", |i, out| {
            q64::q64_decode_batch_to_buffer(i.bytes(), row(i), out).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::returns("auto", |i| {
            q64::q64_decode_batch(i.bytes(), row(i)).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::fills("auto", |i, out| {
            q64::parallel_q64_decode_batch_to_buffer(i.bytes(), row(i), out).map_err(failure)
        })
        .via("parallel")
        .on_threads()
        .switches_at(&[2 * PARALLEL_FROM])
        .refuses_in_full(),
    )
    .law("a batch is its rows", |i, decode| {
        rows_alone(i, decode, row(i))
    })
    .law(NO_SUCH_ROW, no_such_row)
}

pub(super) fn top_k() -> Operation {
    let k = |i: &Input<'_>| i.get("k") as usize;
    Operation::new("top_k_batch", move |i| {
        reference::batch::top_k(i.bytes(), row(i), k(i))
    })
    .param("row", &[&[16], &[1], &[0], &[300]])
    .param("k", &[&[4], &[0], &[20]])
    .load(MANY, MANY_BYTES, &[("row", &[384]), ("k", &[32])])
    .from_bytes(|bytes, params| whole(bytes, params["row"][0]))
    .capacity(move |i| {
        let len = reference::top_k::len(row(i), k(i));
        len * i.bytes().len().checked_div(row(i)).unwrap_or(0)
    })
    .refuses_short(too_short)
    .survivors(SURVIVORS)
    .path(
        CodePath::fills("auto", move |i, out| {
            q64::top_k_batch_to_buffer(i.bytes(), row(i), k(i), out).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::returns("auto", move |i| {
            q64::top_k_batch(i.bytes(), row(i), k(i)).map_err(failure)
        })
        .refuses_in_full(),
    )
    .path(
        CodePath::fills("auto", move |i, out| {
            q64::parallel_top_k_batch_to_buffer(i.bytes(), row(i), k(i), out).map_err(failure)
        })
        .via("parallel")
        .on_threads()
        .switches_at(&[PARALLEL_FROM])
        .refuses_in_full(),
    )
    .law("a batch is its rows", |i, top_k| {
        rows_alone(i, top_k, row(i))
    })
    .law(NO_SUCH_ROW, no_such_row)
    .law(
        "the most are 65,535 indices of rows of 65,535",
        |_, top_k| {
            for (row, k) in [
                (65_535, 1),
                (65_536, 1),
                (16, 65_535),
                (16, 65_536),
                // Text of a multiple of 256 bytes.
                (16, 128),
            ] {
                let data = vec![7; row];
                let due = reference::batch::top_k(&data, row, k);
                let params =
                    [("row", row), ("k", k)].map(|(name, n)| (name.into(), vec![n as u64]));
                let got = top_k(&Input::new(&[&data], &params.into()));
                if got != due {
                    return Err(format!("{k} of a row of {row} bytes: {got:?}, not {due:?}"));
                }
            }
            Ok(())
        },
    )
}

/// What does not fit 32 bits, and is 0 of those.
pub(super) const NO_SUCH_ROW: &str = "no batch has rows of 4 GiB, but an empty one";

pub(super) fn no_such_row(i: &Input<'_>, call: &CallPath<'_>) -> Result<(), String> {
    let row = 1 << 32;
    let mut params = i.params().clone();
    params.insert("row".into(), vec![row]);
    let call = |bytes: &[u8]| call(&Input::new(&[bytes], &params));
    let len = i.bytes().len();
    let bad_rows = Failure::kind("bad_rows").detail([len as u64, row]);
    // What bounds its rows may say so, whether there are any or not.
    let too_long = |refusal: &Failure| refusal.kind.as_deref() == Some("too_long");
    match (call(&[]), call(i.bytes())) {
        (none, some) if none != Ok(vec![]) && !none.as_ref().is_err_and(too_long) => {
            Err(format!("an empty batch: {none:?}, and {some:?}"))
        }
        (_, some) if len > 0 && some != Err(bad_rows) => Err(format!("{len} bytes: {some:?}")),
        _ => Ok(()),
    }
}

pub(super) fn row(i: &Input<'_>) -> usize {
    i.get("row") as usize
}

/// As many bytes as whole rows have.
pub(super) fn whole(bytes: &[u8], row: u64) -> Vec<u8> {
    let over = bytes.len().checked_rem(row as usize).unwrap_or(0);
    bytes[..bytes.len() - over].to_vec()
}

/// Whether the answer is what the path answers to each row alone, one after the other.
pub(super) fn rows_alone(i: &Input<'_>, call: &CallPath<'_>, row: usize) -> Result<(), String> {
    let answer = |bytes: &[u8]| {
        call(&Input::new(&[bytes], i.params())).map_err(|e| format!("{} bytes: {e}", bytes.len()))
    };
    let alone: Result<Vec<_>, _> = i.bytes().chunks(row.max(1)).map(answer).collect();
    let holds = alone?.concat() == answer(i.bytes())?;
    holds
        .then_some(())
        .ok_or_else(|| format!("not with rows of {row} bytes"))
}
