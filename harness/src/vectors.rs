//! Known answers: a JSON file of cases whose answers were computed by somebody else.
//!
//! ```json
//! {"meta": {…}, "cases": [
//!   {"op": "q64_encode", "input_hex": "a44f", "params": {}, "output": "KUk_"},
//!   {"op": "q64_decode", "input_hex": "4151c3a9", "error": {"kind": "invalid_character", "position": 2}, "reference": …}
//! ]}
//! ```
//! An answer is `output` (text), `output_hex` or `error`. `reference` says that another implementation answers otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::operation::{Failure, Params};

/// One known answer.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) operation: String,
    pub(crate) input: Vec<u8>,
    pub(crate) params: Params,
    pub(crate) want: Result<Vec<u8>, Failure>,
    /// Another implementation is known to answer otherwise.
    pub(crate) disputed: bool,
}

#[derive(Deserialize)]
struct File {
    cases: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    op: String,
    input_hex: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    output: Option<String>,
    output_hex: Option<String>,
    error: Option<ErrorRow>,
    reference: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    List(Vec<u64>),
}

#[derive(Deserialize)]
struct ErrorRow {
    kind: String,
    position: Option<usize>,
}

/// Reads a file of known answers.
///
/// # Errors
/// One line says which file, which case, and what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<Vec<Known>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read the known answers in {}: {e}", path.display()))?;
    parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}

/// Reads the text of a file of known answers, as the verb `vectors` does, and says how many there are.
///
/// # Errors
/// One line says which case, and what is wrong with it. No text makes it panic.
pub fn known_answers(text: &str) -> Result<usize, String> {
    parse(text).map(|known| known.len())
}

fn parse(text: &str) -> Result<Vec<Known>, String> {
    let file: File = serde_json::from_str(text)
        .map_err(|e| format!("no file of known answers, or one that was cut off: {e}"))?;
    file.cases
        .into_iter()
        .enumerate()
        .map(|(number, row)| known(row).map_err(|why| format!("case {number}: {why}")))
        .collect()
}

fn known(row: Row) -> Result<Known, String> {
    let bytes = |text: &str| {
        hex::decode(text)
            .map_err(|e| format!("{e} in hex {:?}", text.chars().take(40).collect::<String>()))
    };
    let want = match (row.output, row.output_hex, row.error) {
        (Some(text), None, None) => Ok(text.into_bytes()),
        (None, Some(hex), None) => Ok(bytes(&hex)?),
        (None, None, Some(ErrorRow { kind, position })) => Err(Failure {
            kind: Some(kind.into()),
            at: position,
            detail: None,
        }),
        _ => return Err("exactly one of output, output_hex and error was expected".into()),
    };
    let value = |value| match value {
        Value::Number(number) => vec![number],
        Value::List(list) => list,
    };
    Ok(Known {
        operation: row.op,
        input: bytes(&row.input_hex)?,
        params: row
            .params
            .into_iter()
            .map(|(name, v)| (name.into(), value(v)))
            .collect(),
        want,
        disputed: row.reference.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"{"meta": {}, "cases": [
        {"op": "a", "input_hex": "00ff", "params": {"k": 8, "levels": [1, 2], "cuts": []}, "output": "x"},
        {"op": "b", "input_hex": "", "error": {"kind": "bad", "position": null}, "reference": {"output": ""}}
    ]}"#;

    #[test]
    fn answers_errors_and_parameters_are_read() {
        let known = parse(GOOD).unwrap();
        assert_eq!(known[0].input, [0, 255]);
        assert_eq!(known[0].params["levels"], [1, 2]);
        assert!(known[0].params["cuts"].is_empty());
        assert_eq!(known[0].want, Ok(b"x".to_vec()));
        assert_eq!(known[1].want, Err(Failure::kind("bad")));
        assert!(known[1].disputed && !known[0].disputed);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bad, says) in [
            (&GOOD[..GOOD.len() / 2], "cut off"),
            (
                r#"{"cases": [{"op": "a", "input_hex": "0", "output": "x"}]}"#,
                "case 0",
            ),
            (
                r#"{"cases": [{"op": "a", "input_hex": "00"}]}"#,
                "exactly one of",
            ),
            (
                r#"{"cases": [{"op": "a", "input_hex": "00", "output": "x", "output_hex": ""}]}"#,
                "exactly one of",
            ),
        ] {
            assert!(parse(bad).unwrap_err().contains(says), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_file_makes_the_reader_panic(at in 0..GOOD.len(), byte in "[ -~]") {
            let mut text = GOOD.to_string();
            text.replace_range(at..at + 1, &byte);
            let _ = parse(&text);
            let _ = parse(&text[..at]);
        }
    }
}
