//! Batches: every row of a matrix on its own.

use pathproof::{Failure, Outcome};

use super::{q64, simhash, top_k};

/// The text of each row, one after the other.
pub(crate) fn encode(matrix: &[u8], row: usize) -> Outcome<Vec<u8>> {
    Ok(rows(matrix, row)?.flat_map(q64::encode).collect())
}

/// The data of each row, one after the other; a refusal has its place in the whole.
pub(crate) fn decode(text: &[u8], row: usize) -> Outcome<Vec<u8>> {
    let mut data = Vec::new();
    for (number, text) in rows(text, row)?.enumerate() {
        let decoded = q64::decode(text).map_err(|refusal| Failure {
            at: refusal.at.map(|at| at + number * row),
            ..refusal
        })?;
        data.extend(decoded);
    }
    Ok(data)
}

/// The text of the largest of each row, one after the other.
pub(crate) fn top_k(matrix: &[u8], row: usize, k: usize) -> Outcome<Vec<u8>> {
    let mut text = Vec::new();
    for row in rows(matrix, row)? {
        text.extend(top_k::top_k(row, k)?);
    }
    Ok(text)
}

/// The simhash of each row, one after the other.
pub(crate) fn simhash(matrix: &[u8], row: usize, planes: usize) -> Outcome<Vec<u8>> {
    let mut text = Vec::new();
    for row in rows(matrix, row)? {
        text.extend(simhash::simhash(row, planes)?);
    }
    Ok(text)
}

/// Whole rows, and no others.
fn rows(matrix: &[u8], row: usize) -> Outcome<std::slice::Chunks<'_, u8>> {
    if row == 0 || !matrix.len().is_multiple_of(row) {
        return Err(Failure::kind("bad_rows").detail([matrix.len() as u64, row as u64]));
    }
    Ok(matrix.chunks(row))
}
