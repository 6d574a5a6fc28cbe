//! What a calibration says: how often equal code alarmed, and how much of what was planted was found.

use pathproof_reports::{Calibration, limits};

use crate::ledger::exit;

/// What comparisons of equal code came to.
#[derive(Debug, Default)]
pub(super) struct Nulls {
    all: u32,
    /// Those that have a verdict: the others say nothing, also not that it is equal.
    pub(super) decided: u32,
    pub(super) alarms: u32,
    inconclusive: u32,
    void: u32,
}

impl Nulls {
    /// The limits of the rate of alarms.
    fn rate(&self) -> [f64; 2] {
        rate(self.alarms, self.decided)
    }

    /// Whether there are more alarms than were promised, beyond chance.
    pub(super) fn too_many(&self, promised: f64) -> bool {
        self.rate()[0] > promised
    }
}

pub(super) fn alarms(cells: &[Calibration]) -> Nulls {
    let nulls = cells.iter().filter(|cell| cell.effect == 0.0);
    nulls.fold(Nulls::default(), |sum, cell| {
        let alarms = cell.slower + cell.faster;
        Nulls {
            all: sum.all + cell.comparisons(),
            decided: sum.decided + alarms + cell.same,
            alarms: sum.alarms + alarms,
            inconclusive: sum.inconclusive + cell.inconclusive,
            void: sum.void + cell.void,
        }
    })
}

/// The limits of a share, 95 % on both sides together.
fn rate(count: u32, of: u32) -> [f64; 2] {
    limits(count.into(), of.into(), 0.95).unwrap_or([0.0, 1.0])
}

/// Whether the method keeps its promise, and what it sees.
pub(super) fn verdict(cells: &[Calibration], promised: f64) -> (u8, String) {
    let percent = |share: f64| 100.0 * share;
    let nulls = alarms(cells);
    let Nulls {
        all,
        decided,
        alarms,
        inconclusive,
        void,
    } = nulls;
    let [least, most] = nulls.rate().map(percent);
    let (code, mut sentence) = match (all, decided) {
        (0, _) => (exit::NOTHING, "no equal code was compared".into()),
        (_, 0) => (
            exit::INCONCLUSIVE,
            format!(
                "of {all} comparisons of equal code none has a verdict: {inconclusive} inconclusive, {void} void"
            ),
        ),
        _ => (
            exit::PASS,
            format!(
                "of {all} comparisons of equal code {decided} have a verdict, and {alarms} of these alarmed (95 %: {least:.1} to {most:.1} %); {inconclusive} inconclusive, {void} void"
            ),
        ),
    };
    let mut effects: Vec<f64> = cells
        .iter()
        .map(|cell| cell.effect)
        .filter(|e| *e > 0.0)
        .collect();
    effects.sort_by(f64::total_cmp);
    effects.dedup();
    for effect in effects {
        let of = |is: bool| {
            cells
                .iter()
                .filter(move |cell| cell.effect == effect && cell.reads_back() == is)
        };
        let found = of(true).map(|cell| cell.slower).sum();
        let all = of(true).map(Calibration::comparisons).sum();
        let [least, most] = rate(found, all).map(percent);
        let effect = percent(effect);
        sentence += &format!(
            "; of {all} that were {effect} % slower {found} were found ({least:.0} to {most:.0} %)"
        );
        let left_out: u32 = of(false).map(Calibration::comparisons).sum();
        let read = of(false).filter_map(|cell| cell.measured).map(percent);
        let ends = read.map(|one| [one, one]);
        let ends = ends.reduce(|[low, high], [one, _]| [low.min(one), high.max(one)]);
        if let Some([low, high]) = ends {
            sentence += &format!(
                ", without {left_out} in which it read back as {low:.1} to {high:.1} %: code that waits for memory, or a busy machine"
            );
        }
    }
    if nulls.too_many(promised) {
        sentence += &format!("; {:.2} % were promised: it cries wolf", percent(promised));
        return (exit::FINDING, sentence);
    }
    (code, sentence)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::PAIRED;
    use super::*;

    pub(in super::super) fn cell(slower: u32, same: u32) -> Calibration {
        Calibration {
            operation: "op".into(),
            isa: "avx2".into(),
            delivery: "fills".into(),
            load: "768".into(),
            method: PAIRED.into(),
            condition: String::new(),
            effect: 0.0,
            measured: None,
            margin: 0.01,
            slower,
            faster: 0,
            same,
            inconclusive: 0,
            void: 0,
            seconds: 0.3,
            seconds_most: 1.0,
        }
    }

    #[test]
    fn a_method_that_alarms_more_often_than_it_promises_is_a_finding() {
        let cell = |effect: f64, slower: u32, same: u32| Calibration {
            effect,
            ..cell(slower, same)
        };
        let (code, sentence) = verdict(&[cell(0.0, 0, 40), cell(0.03, 20, 0)], 0.01);
        assert_eq!(code, exit::PASS);
        assert!(
            sentence.contains("of 20 that were 3 % slower 20 were found (83 to 100 %)"),
            "{sentence}"
        );
        // One may be chance; twelve of forty are none.
        assert_eq!(verdict(&[cell(0.0, 1, 39)], 0.01).0, exit::PASS);
        let (code, sentence) = verdict(&[cell(0.0, 12, 28)], 0.01);
        assert_eq!(code, exit::FINDING);
        assert!(
            sentence.ends_with("1.00 % were promised: it cries wolf"),
            "{sentence}"
        );
    }

    #[test]
    fn what_has_no_verdict_is_no_silence() {
        let unclear = |inconclusive: u32, void: u32, same: u32| Calibration {
            inconclusive,
            void,
            ..cell(0, same)
        };
        let (code, sentence) = verdict(&[unclear(98, 2, 0)], 0.01);
        assert_eq!(code, exit::INCONCLUSIVE);
        assert_eq!(
            sentence,
            "of 100 comparisons of equal code none has a verdict: 98 inconclusive, 2 void"
        );
        let (code, sentence) = verdict(&[unclear(55, 5, 40)], 0.01);
        assert_eq!(code, exit::PASS);
        assert!(
            sentence.starts_with("of 100 comparisons of equal code 40 have a verdict, and 0 of these alarmed (95 %: 0.0 to 8.8 %); 55 inconclusive, 5 void"),
            "{sentence}"
        );
        // Twelve of forty are no fewer for a hundred that say nothing.
        let wolf = Calibration {
            inconclusive: 1000,
            ..cell(12, 28)
        };
        assert_eq!(verdict(&[wolf], 0.05).0, exit::FINDING);
        assert_eq!(verdict(&[], 0.01).0, exit::NOTHING);
    }

    #[test]
    fn what_reads_back_as_another_effect_is_not_found() {
        let planted = |measured: f64| Calibration {
            effect: 0.03,
            measured: Some(measured),
            ..cell(20, 0)
        };
        let (_, sentence) = verdict(&[planted(0.031), planted(0.004), planted(0.06)], 0.01);
        assert!(
            sentence.contains("of 20 that were 3 % slower 20 were found (83 to 100 %), without 40 in which it read back as 0.4 to 6.0 %"),
            "{sentence}"
        );
    }
}
