//! What a table of comparisons came to: the exit, and a sentence.

use std::collections::BTreeMap;

use pathproof_reports::{Compared, Comparison};

use super::super::CompareArgs;
use crate::ledger::exit;

/// What the rows came to.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) verdicts: BTreeMap<Compared, Vec<String>>,
    /// Rows for which there was time.
    pub(super) reached: usize,
    pub(super) findings: usize,
    pub(super) broken: Vec<String>,
}

impl Totals {
    fn count(&self, verdicts: &[Compared]) -> usize {
        let of = verdicts
            .iter()
            .filter_map(|verdict| self.verdicts.get(verdict));
        of.map(Vec::len).sum()
    }

    /// What the run's exit says.
    fn code(&self, allow_no_base: bool, fail_inconclusive: bool) -> u8 {
        let no_base = self.count(&[Compared::NoBase]);
        let unclear = self.count(&[Compared::Inconclusive, Compared::Void]);
        let rows = self.count(&Compared::ALL);
        if !self.broken.is_empty() {
            exit::TROUBLE
        } else if self.findings > 0 {
            exit::FINDING
        } else if self.reached == 0 || (no_base > 0 && !allow_no_base) {
            exit::NOTHING
        } else if self.count(&[Compared::Slower]) > 0 {
            exit::SLOWER
        } else if unclear > 0 && (fail_inconclusive || unclear + no_base == rows) {
            exit::INCONCLUSIVE
        } else {
            exit::PASS
        }
    }

    /// The exit, and the run in a sentence.
    pub(super) fn verdict(&self, args: &CompareArgs) -> (u8, String) {
        let rows = self.count(&Compared::ALL);
        let of = |verdict| self.verdicts.get(&verdict).map_or(&[][..], Vec::as_slice);
        let counted: Vec<String> = Compared::ALL
            .into_iter()
            .filter(|verdict| !of(*verdict).is_empty())
            .map(|verdict| format!("{} {verdict}", of(verdict).len()))
            .collect();
        let unclear = of(Compared::Inconclusive).len() + of(Compared::Void).len();
        let mut sentence = format!(
            "of {rows} rows {} at a margin of {} %",
            counted.join(", "),
            args.margin
        );
        if unclear > 0 {
            sentence += &format!(
                "; {:.0} % have no verdict",
                100.0 * unclear as f64 / rows as f64
            );
        }
        for verdict in [Compared::Slower, Compared::Void, Compared::NoBase] {
            let named = of(verdict);
            if !named.is_empty() {
                let more = match named.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                let first: Vec<&str> = named.iter().take(NAMED).map(String::as_str).collect();
                sentence += &format!("; {verdict}: {}{more}", first.join("; "));
            }
        }
        if let Some(first) = self.broken.first() {
            return (exit::TROUBLE, format!("{first}; {sentence}"));
        }
        let no_base = of(Compared::NoBase).len();
        let code = self.code(args.allow_no_base, args.fail_inconclusive);
        if no_base > 0 && !args.allow_no_base {
            sentence += "; --allow-no-base lets that pass";
        }
        (code, sentence)
    }
}

/// How many rows a sentence names.
const NAMED: usize = 3;

pub(super) fn shown(of: &Comparison) -> String {
    let name = format!("{} at {}", of.name(), of.load);
    match (&of.ratio, &of.reason) {
        (Some(ratio), _) => {
            let percent = |ratio: f64| (ratio - 1.0) * 100.0;
            format!(
                "{name} by {:+.1} % [{:+.1}, {:+.1}]",
                percent(ratio.at),
                percent(ratio.low),
                percent(ratio.high)
            )
        }
        (None, Some(why)) => format!("{name} ({why})"),
        (None, None) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(verdicts: &[Compared], allow_no_base: bool, fail_inconclusive: bool) -> u8 {
        let mut totals = Totals::default();
        for verdict in verdicts {
            let of = totals.verdicts.entry(*verdict).or_default();
            of.push("a row".into());
            totals.reached += 1;
        }
        totals.code(allow_no_base, fail_inconclusive)
    }

    #[test]
    fn a_run_without_a_verdict_does_not_pass() {
        use Compared::{Faster, Identical, Inconclusive, NoBase, Same, Slower, Void};
        for (verdicts, want) in [
            (&[][..], exit::NOTHING),
            (&[Same, Identical, Faster], exit::PASS),
            (&[Same, Inconclusive, Void], exit::PASS),
            (&[Inconclusive], exit::INCONCLUSIVE),
            (&[Void, Void], exit::INCONCLUSIVE),
            (&[Slower, Inconclusive], exit::SLOWER),
            (&[Same, NoBase], exit::NOTHING),
            (&[Slower, NoBase], exit::NOTHING),
        ] {
            assert_eq!(code(verdicts, false, false), want, "{verdicts:?}");
        }
        let mut late = Totals::default();
        late.verdicts.insert(Inconclusive, vec!["a row".into()]);
        assert_eq!(late.code(true, false), exit::NOTHING);
        assert_eq!(code(&[Same, Void], false, true), exit::INCONCLUSIVE);
        assert_eq!(code(&[Same, Inconclusive], false, true), exit::INCONCLUSIVE);
        assert_eq!(code(&[Same, NoBase], true, true), exit::PASS);
        assert_eq!(code(&[NoBase], true, false), exit::PASS);
        assert_eq!(code(&[NoBase, Void], true, false), exit::INCONCLUSIVE);
    }
}
