//! What became of one case on one path, and how two answers are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::operation::{Failure, Outcome};

/// How many bytes of an answer a [`Side`] shows, before and after the first difference.
const SHOWN: usize = 128;

/// What became of one case on one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Verdict {
    /// The answer is the reference's.
    Agrees,
    /// The answer is not the reference's.
    Differs(Box<Difference>),
    /// The path read outside of a buffer, and an inaccessible page stopped it.
    ReadOutside(Stray),
    /// The path wrote outside of its buffer, or into its input.
    WroteOutside(Stray),
    /// The path panicked, with this message.
    Panicked(String),
    /// The path ended its process.
    Crashed(String),
    /// The path did not come back within this many milliseconds.
    TimedOut(u64),
    /// A law does not hold for the path.
    Broke {
        /// The law's name.
        law: String,
        /// What the law says about it.
        why: String,
    },
    /// The path cannot run here.
    Unavailable(String),
}

/// Two answers that are not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Index of the first byte that differs; 0 where one side refused.
    pub at: usize,
    /// What the reference says.
    pub want: Side,
    /// What the path says.
    pub got: Side,
}

/// An access outside of a buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// `input`, `part 1`, … or `output`.
    pub of: String,
    /// Offset of the byte from the buffer's first byte: -1 is the byte before it.
    pub at: isize,
    /// How far beyond the nearer edge, in bytes: 1 is the neighbour; 0 is a byte inside a buffer that was not to be written.
    pub by: usize,
}

/// One side of a difference: a refusal, or an answer's length and the bytes around the first difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The refusal, if it was one.
    pub failure: Option<Failure>,
    /// The answer's length in bytes.
    pub len: usize,
    /// Where `window` begins in the answer; a multiple of 16.
    pub from: usize,
    /// The answer's bytes around the first difference.
    pub window: Vec<u8>,
}

impl Side {
    fn new(outcome: &Outcome<&[u8]>, at: usize) -> Self {
        match outcome {
            Err(failure) => Self {
                failure: Some(failure.clone()),
                len: 0,
                from: 0,
                window: Vec::new(),
            },
            Ok(bytes) => {
                let from = at.saturating_sub(SHOWN) & !15;
                let to = (at + SHOWN).min(bytes.len());
                let window = bytes.get(from..to).unwrap_or_default().to_vec();
                Self {
                    failure: None,
                    len: bytes.len(),
                    from,
                    window,
                }
            }
        }
    }
}

impl Side {
    /// A whole answer that is short and reads as text, such as `Some(3)` or a few characters.
    fn as_text(&self) -> Option<&str> {
        let whole = self.failure.is_none() && self.window.len() == self.len && self.len <= 40;
        let printable = self.window.iter().all(|byte| (0x20..0x7f).contains(byte));
        str::from_utf8(&self.window)
            .ok()
            .filter(|_| whole && printable)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            Some(failure) => write!(f, "{failure}"),
            None => match self.as_text() {
                Some("") => write!(f, "an empty answer"),
                Some(text) => write!(f, "{text:?}"),
                None => write!(f, "{} byte(s)", self.len),
            },
        }
    }
}

impl Stray {
    /// An access at `at`, relative to a buffer of `len` bytes.
    pub(crate) fn new(of: String, at: isize, len: usize) -> Self {
        let by = if at < 0 {
            at.unsigned_abs()
        } else {
            (at as usize + 1).saturating_sub(len)
        };
        Self { of, at, by }
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.by, self.at) {
            (0, at) => write!(f, "{} byte {at}", self.of),
            (by, ..0) => write!(f, "{} by {by} before its start", self.of),
            (by, _) => write!(f, "{} by {by} beyond its end", self.of),
        }
    }
}

impl Verdict {
    /// The kind of verdict in a word or two, as ledgers and records name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Verdict::Agrees => "agrees",
            Verdict::Differs(_) => "differs",
            Verdict::ReadOutside(_) => "read outside",
            Verdict::WroteOutside(_) => "wrote outside",
            Verdict::Panicked(_) => "panicked",
            Verdict::Crashed(_) => "crashed",
            Verdict::TimedOut(_) => "timed out",
            Verdict::Broke { .. } => "broke a law",
            Verdict::Unavailable(_) => "unavailable",
        }
    }

    /// What findings are told apart by: the kind, and the law that was broken.
    pub(crate) fn sort(&self) -> (&'static str, &str) {
        match self {
            Verdict::Broke { law, .. } => (self.kind(), law),
            _ => (self.kind(), ""),
        }
    }

    /// Whether both are of one sort and, where answers differ, the same sides refused: so that a text which is wrongly accepted
    /// is not made smaller into one that is refused at the wrong place.
    pub(crate) fn resembles(&self, other: &Verdict) -> bool {
        let refused = |verdict: &Verdict| match verdict {
            Verdict::Differs(difference) => {
                [&difference.want, &difference.got].map(|side| side.failure.is_some())
            }
            _ => [false; 2],
        };
        self.sort() == other.sort() && refused(self) == refused(other)
    }

    /// Whether a path with this verdict has failed.
    pub fn is_finding(&self) -> bool {
        !matches!(self, Verdict::Agrees | Verdict::Unavailable(_))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { at, want, got } = self;
        if want.failure.is_some() || got.failure.is_some() {
            return write!(f, "says {got}; expected {want}");
        }
        match (want.len, got.len) {
            (len, same) if len == same => write!(f, "at byte {at} of {len}")?,
            (want, got) => write!(f, "at byte {at}, and the length is {got}; expected {want}")?,
        }
        if want.as_text().is_some() && got.as_text().is_some() {
            write!(f, ": says {got}; expected {want}")?;
        }
        Ok(())
    }
}

impl Verdict {
    /// What there is to say beyond the kind.
    pub fn detail(&self) -> String {
        match self {
            Verdict::Agrees => String::new(),
            Verdict::Differs(difference) => difference.to_string(),
            Verdict::ReadOutside(stray) | Verdict::WroteOutside(stray) => stray.to_string(),
            Verdict::Panicked(message) => message.clone(),
            Verdict::Crashed(how) => how.clone(),
            Verdict::TimedOut(ms) => format!("no answer within {} s", *ms as f64 / 1000.0),
            Verdict::Broke { law, why } => format!("\"{law}\": {why}"),
            Verdict::Unavailable(why) => why.clone(),
        }
    }
}

/// The kind, and what there is to say beyond it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Agrees => write!(f, "{}", self.kind()),
            _ => write!(f, "{}: {}", self.kind(), self.detail()),
        }
    }
}

/// How far two refusals could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Depth {
    Opaque,
    Position,
    Kind,
    KindAndPosition,
    All,
}

impl Depth {
    pub(crate) const ALL: [Depth; 5] = [
        Depth::All,
        Depth::KindAndPosition,
        Depth::Kind,
        Depth::Position,
        Depth::Opaque,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Depth::Opaque => "opaque",
            Depth::Position => "position",
            Depth::Kind => "kind",
            Depth::KindAndPosition => "kind+position",
            Depth::All => "kind+position+detail",
        }
    }
}

/// Compares an answer with the reference's. `Ok` says how far refusals were compared, if both sides refused.
pub(crate) fn compare(want: Outcome<&[u8]>, got: Outcome<&[u8]>) -> Result<Option<Depth>, Verdict> {
    let at = match (&want, &got) {
        (Ok(w), Ok(g)) if w == g => return Ok(None),
        (Ok(w), Ok(g)) => w
            .iter()
            .zip(g.iter())
            .position(|(w, g)| w != g)
            .unwrap_or(w.len().min(g.len())),
        (Err(w), Err(g)) => {
            let kind = w.kind.as_ref().zip(g.kind.as_ref());
            let at = w.at.zip(g.at);
            let detail = w.detail.zip(g.detail);
            if kind.is_none_or(|(w, g)| w == g)
                && at.is_none_or(|(w, g)| w == g)
                && detail.is_none_or(|(w, g)| w == g)
            {
                return Ok(Some(match (kind.is_some(), at.is_some()) {
                    (true, true) if detail.is_some() => Depth::All,
                    (true, true) => Depth::KindAndPosition,
                    (true, false) => Depth::Kind,
                    (false, true) => Depth::Position,
                    (false, false) => Depth::Opaque,
                }));
            }
            0
        }
        _ => 0,
    };
    Err(Verdict::Differs(Box::new(Difference {
        at,
        want: Side::new(&want, at),
        got: Side::new(&got, at),
    })))
}

/// The verdict on a path that claims an answer of `len` bytes, which is more than its buffer has: what lies there, and that length.
pub(crate) fn overlong(want: Outcome<&[u8]>, buffer: &[u8], len: usize) -> Verdict {
    let at = match &want {
        Ok(want) => want
            .iter()
            .zip(buffer)
            .position(|(w, g)| w != g)
            .unwrap_or(want.len().min(buffer.len())),
        Err(_) => 0,
    };
    Verdict::Differs(Box::new(Difference {
        at,
        want: Side::new(&want, at),
        got: Side {
            len,
            ..Side::new(&Ok(buffer), at)
        },
    }))
}

/// Both sides of a difference as hex, side by side, a line for every 16 bytes around the first one that differs.
pub(crate) fn side_by_side(verdict: &Verdict) -> Option<String> {
    let Verdict::Differs(difference) = verdict else {
        return None;
    };
    let Difference { at, want, got } = &**difference;
    if want.failure.is_some() || got.failure.is_some() {
        let (bytes, who) = if want.failure.is_some() {
            (got, "got")
        } else {
            (want, "expected")
        };
        if bytes.failure.is_some() || bytes.window.is_empty() {
            return None;
        }
        let rows = bytes.window.chunks(16).take(4).enumerate();
        let rows = rows.map(|(i, row)| format!("{:>8}  {}", bytes.from + 16 * i, hex(row, None)));
        return Some(format!("{who}:\n{}", rows.collect::<Vec<_>>().join("\n")));
    }
    let mut lines = vec![format!("{:>8}  {:<65}  {}", "byte", "expected", "got")];
    let first = (at & !15).saturating_sub(32).max(want.from);
    for start in (first..).step_by(16).take(6) {
        let row = |side: &Side| -> Vec<u8> {
            let window = side
                .window
                .get(start.saturating_sub(side.from)..)
                .unwrap_or_default();
            window[..window.len().min(16)].to_vec()
        };
        let (w, g) = (row(want), row(got));
        if w.is_empty() && g.is_empty() {
            break;
        }
        let mark = if w == g { ' ' } else { '≠' };
        lines.push(format!(
            "{start:>8} {mark}{:<65}  {}",
            hex(&w, Some(&g)),
            hex(&g, Some(&w))
        ));
    }
    Some(lines.join("\n"))
}

/// 16 bytes as hex and as text; bytes equal to the other side's are shown as they are, unlike ones in brackets.
fn hex(row: &[u8], other: Option<&[u8]>) -> String {
    let mut text = String::new();
    for i in 0..16 {
        let unlike = other.is_some_and(|other| other.get(i) != row.get(i));
        match row.get(i) {
            Some(byte) if unlike => text += &format!("[{byte:02x}"),
            Some(byte) => text += &format!(" {byte:02x}"),
            None => text += "   ",
        }
    }
    let printable = row.iter().map(|&b| {
        if (0x20..0x7f).contains(&b) {
            b as char
        } else {
            '.'
        }
    });
    format!("{text} |{}", printable.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_compared_as_far_as_both_name_them() {
        let refuse = |f: Failure| Err(f);
        let full = || Failure::at("bad", 3);
        assert_eq!(
            compare(refuse(full()), refuse(full())),
            Ok(Some(Depth::KindAndPosition))
        );
        assert_eq!(
            compare(refuse(full()), refuse(Failure::kind("bad"))),
            Ok(Some(Depth::Kind))
        );
        assert_eq!(
            compare(refuse(full()), refuse(Failure::opaque())),
            Ok(Some(Depth::Opaque))
        );
        let found = |byte| full().detail([byte]);
        assert_eq!(
            compare(refuse(found(7)), refuse(found(7))),
            Ok(Some(Depth::All))
        );
        assert!(compare(refuse(found(7)), refuse(found(8))).is_err());
        assert_eq!(
            compare(refuse(found(7)), refuse(full())),
            Ok(Some(Depth::KindAndPosition))
        );
        for other in [
            Failure::at("bad", 4),
            Failure::at("worse", 3),
            Failure::kind("worse"),
        ] {
            assert!(compare(refuse(full()), refuse(other)).is_err());
        }
        assert!(compare(Ok(b"x"), refuse(full())).is_err());
        assert!(compare(refuse(full()), Ok(b"x")).is_err());
    }

    #[test]
    fn the_first_unlike_byte_is_named() {
        let at = |want: &[u8], got: &[u8]| match compare(Ok(want), Ok(got)) {
            Err(Verdict::Differs(difference)) => Some(difference.at),
            _ => None,
        };
        assert_eq!(at(b"abcd", b"abcd"), None);
        assert_eq!(at(b"abcd", b"abXd"), Some(2));
        assert_eq!(at(b"abcd", b"abc"), Some(3));
        assert_eq!(at(b"", b"a"), Some(0));
    }

    #[test]
    fn a_stray_access_is_measured_from_the_nearer_edge() {
        let shown = |at, len| Stray::new("input".into(), at, len).to_string();
        assert_eq!(shown(-1, 10), "input by 1 before its start");
        assert_eq!(shown(10, 10), "input by 1 beyond its end");
        assert_eq!(shown(4, 10), "input byte 4");
    }

    #[test]
    fn both_sides_stand_beside_each_other() {
        let want: Vec<u8> = (0..100).collect();
        let mut got = want.clone();
        got[50] = 0xee;
        let Err(verdict) = compare(Ok(&want), Ok(&got)) else {
            panic!("they differ")
        };
        let shown = side_by_side(&verdict).unwrap();
        let line = shown.lines().find(|l| l.contains('≠')).unwrap();
        assert!(
            line.contains("48") && line.contains("[32") && line.contains("[ee"),
            "{shown}"
        );
        assert_eq!(shown.matches('≠').count(), 1);
    }
}
