//! Text from records, made harmless for a line of a terminal, a table or a page.
//!
//! Records may come from anybody's pull request. A control character could recolour a terminal or
//! hide a line; one that turns the reading direction could make a command look like another. Both
//! are shown as escapes instead.

use std::fmt::Write as _;

/// The text on one line: every control or direction character, line breaks included, as an escape.
pub(crate) fn one_line(text: &str) -> String {
    shown(text, |c| c.is_control() || misleads(c))
}

/// As [`one_line`], but line breaks stay.
#[cfg(feature = "charts")]
pub(crate) fn block(text: &str) -> String {
    shown(text, |c| c != '\n' && (c.is_control() || misleads(c)))
}

fn shown(text: &str, escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if escaped(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether this character changes the reading direction or the line without being a control
/// character (Unicode's bidi marks, embeddings and isolates, and the two separators), or is one of
/// the two that XML cannot carry.
fn misleads(c: char) -> bool {
    matches!(
        c,
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}'
    ) || matches!(c, '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_direction_marks_are_shown() {
        assert_eq!(
            one_line("a\u{1b}[31mb\nc\u{202e}d\u{fffe} é"),
            "a\\u{1b}[31mb\\nc\\u{202e}d\\u{fffe} é"
        );
    }

    #[test]
    #[cfg(feature = "charts")]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("a\r\nb\tc"), "a\\r\nb\\tc");
    }
}
