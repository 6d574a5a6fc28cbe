//! Top-k: the indices of the largest bytes, as text.

use pathproof::{CallPath, CodePath, Failure, Input, Operation};

use super::{SURVIVORS, chosen, failure, rows, too_short};
use crate::{peers, reference};

/// As many as is usual; none, one; more than a mask has bits; more than there are bytes, by more than that.
const KS: &[&[u64]] = &[&[32], &[0], &[1], &[300], &[600]];

/// The most data, and the most indices.
const MOST: usize = 65_535;

pub(super) fn top_k() -> Operation {
    let of = q64::Operation::TopK;
    let rows = rows(of, |encoder, isa| {
        [
            CodePath::fills(isa, move |i, out| {
                encoder.top_k_into(i.bytes(), k(i), out).map_err(failure)
            }),
            CodePath::returns(isa, move |i| {
                encoder.top_k(i.bytes(), k(i)).map_err(failure)
            }),
        ]
    });
    let chosen = chosen(
        of,
        |i, out| q64::top_k_to_buffer(i.bytes(), k(i), out),
        |i| q64::top_k_q64(i.bytes(), k(i)).map(String::into_bytes),
        len,
    );

    Operation::new(of.name(), |i| reference::top_k::top_k(i.bytes(), k(i)))
        .survivors(SURVIVORS)
        .param("k", KS)
        .longest(MOST)
        .capacity(len)
        .refuses_short(too_short)
        .paths(rows)
        .paths(chosen)
        .law(
            "no byte that is left out is greater than one that is named, nor equal and before it",
            |i, top_k| {
                named_rightly(i, i.bytes(), top_k)?;
                // Bytes of four values only: ties everywhere.
                let coarse: Vec<u8> = i.bytes().iter().map(|byte| byte & 0xc0).collect();
                named_rightly(i, &coarse, top_k)
            },
        )
        .law("what k indices name, k + 1 name, too", |i, top_k| {
            let (fewer, more) = (
                indices(i, i.bytes(), k(i), top_k)?,
                indices(i, i.bytes(), k(i) + 1, top_k)?,
            );
            let missing = fewer.iter().find(|index| !more.contains(index));
            missing.map_or(Ok(()), |index| {
                Err(format!("{} do not name {index}", k(i) + 1))
            })
        })
        .law("the most are 65,535 indices of 65,535 bytes", at_most)
        .peer(peers::top_k::top_k())
}

fn k(i: &Input<'_>) -> usize {
    i.get("k") as usize
}

/// The length of the text; of one that is refused, none.
fn len(i: &Input<'_>) -> usize {
    if i.bytes().len() > MOST {
        return 0;
    }
    reference::top_k::len(i.bytes().len(), k(i))
}

/// What a path answers to other data and another k.
fn call(i: &Input<'_>, data: &[u8], k: usize, top_k: &CallPath<'_>) -> Result<Vec<u8>, String> {
    let mut params = i.params().clone();
    params.insert("k".into(), vec![k as u64]);
    top_k(&Input::new(&[data], &params)).map_err(|e| format!("{k} of {} bytes: {e}", data.len()))
}

/// The indices that a path names, of which there must be `k`, or as many as there are bytes; the others are ones.
fn indices(
    i: &Input<'_>,
    data: &[u8],
    k: usize,
    top_k: &CallPath<'_>,
) -> Result<Vec<usize>, String> {
    let text = call(i, data, k, top_k)?;
    let bytes = reference::q64::decode(&text).map_err(|e| format!("its text is none: {e}"))?;
    let width = reference::top_k::width(data.len());
    let index = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |index, byte| index << 8 | usize::from(*byte))
    };
    let mut indices: Vec<usize> = bytes.chunks(width).map(index).collect();
    let padding = indices.split_off(k.min(data.len()).min(indices.len()));
    let ones = (1 << (8 * width)) - 1;
    if indices.len() + padding.len() != k || padding.iter().any(|index| *index != ones) {
        return Err(format!("{k} indices are {indices:?}, {padding:?}"));
    }
    Ok(indices)
}

fn named_rightly(i: &Input<'_>, data: &[u8], top_k: &CallPath<'_>) -> Result<(), String> {
    let named = indices(i, data, k(i), top_k)?;
    if !named.is_sorted_by(|a, b| a < b) || named.last().is_some_and(|last| *last >= data.len()) {
        return Err(format!(
            "indices do not ascend to one of the data: {named:?}"
        ));
    }
    // The least that is named, the last of its equals.
    let rank = |index: usize| (255 - data[index], index);
    let Some(last) = named.iter().map(|index| rank(*index)).max() else {
        return Ok(());
    };
    let left_out = (0..data.len()).filter(|index| named.binary_search(index).is_err());
    let first = left_out.map(rank).min();
    match first {
        Some(first) if first < last => Err(format!(
            "{} is left out, and {} named: {:?}",
            first.1, last.1, data
        )),
        _ => Ok(()),
    }
}

/// Whether as much as is allowed is taken, and one more refused.
fn at_most(i: &Input<'_>, top_k: &CallPath<'_>) -> Result<(), String> {
    let text = call(i, i.bytes(), MOST, top_k)?;
    if text.len() != reference::top_k::len(i.bytes().len(), MOST) {
        return Err(format!("{MOST} indices have {} characters", text.len()));
    }
    // A block that is all padding is written by other code than one that names a byte.
    let named = reference::top_k::len(i.bytes().len(), i.bytes().len());
    let is_ones = |at: usize| text[at] == b"Pfv_"[at % 4];
    if let Some(at) = (named..text.len()).find(|at| !is_ones(*at)) {
        return Err(format!(
            "character {at} of the padding is {:?}",
            char::from(text[at])
        ));
    }
    // The greatest byte is the last.
    let long: Vec<u8> = [vec![0; MOST - 1], vec![1; 2]].concat();
    if call(i, &long[..MOST], 1, top_k)? != b"Pfv-" {
        return Err(format!("byte {} is not found", MOST - 1));
    }
    for (data, k, kind) in [(i.bytes(), MOST + 1, "too_many"), (&long, 1, "too_long")] {
        let refusal = Failure::kind(kind).detail([MOST as u64 + 1, MOST as u64]);
        match call(i, data, k, top_k) {
            Err(why) if why.ends_with(&refusal.to_string()) => {}
            other => return Err(format!("{k} of {} bytes: {other:?}", data.len())),
        }
    }
    Ok(())
}
