//! A row: epochs until the verdict is clear, or the budget is spent.

use std::time::{Duration, Instant};

use pathproof_reports::{Compared, Ratio, Side};
use proptest::test_runner::TestRng;

use super::epoch::{Entrant, Epoch, Epochs, Method};
use super::process::Fault;
use super::sign::{Rule, median, quantile};

/// What a row came to.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) verdict: Compared,
    pub(crate) ratio: Option<Ratio>,
    pub(crate) control: Option<Ratio>,
    /// The least effect that would have been seen.
    pub(crate) least: Option<f64>,
    pub(crate) epochs: usize,
    pub(crate) seconds: f64,
    pub(crate) sides: [Side; 2],
    /// The least and the greatest ratio that a link had, where there are several.
    pub(crate) spread: Option<[f64; 2]>,
    pub(crate) reason: Option<String>,
    /// Why code was where it was linked, if that was not asked for.
    pub(crate) as_linked: Option<String>,
}

/// Compares until the rule has a verdict, or `budget` is spent. An error names the side, 0 for the base, 1 for the head, 2 for the
/// control.
pub(crate) fn measure(
    entrants: &mut [Entrant; 3],
    rule: &Rule,
    method: Method,
    budget: Duration,
    draw: TestRng,
) -> Result<Measured, (usize, Fault)> {
    let start = Instant::now();
    let wanted = budget.as_secs_f64() / (2 * rule.first) as f64;
    let mut epochs = Epochs::new(entrants, method, wanted, draw);
    let mut made: Vec<Epoch> = Vec::new();
    let mut next = method.epochs.unwrap_or(rule.first);
    if !method.turns {
        let made = in_sequence(&mut epochs, next)?;
        return Ok(judge(&made, rule, start.elapsed()));
    }
    loop {
        made.push(epochs.next()?);
        let spent = start.elapsed();
        let due = spent + spent / made.len() as u32 > budget && method.epochs.is_none();
        if made.len() < next && !due {
            continue;
        }
        let last = due || method.epochs.is_some() || next >= rule.most();
        let mut measured = judge(&made, rule, spent);
        let unclear = matches!(measured.verdict, Compared::Inconclusive | Compared::Void);
        if !unclear || last {
            if measured.verdict == Compared::Inconclusive {
                measured.reason = Some(why(&measured, due));
            }
            measured.as_linked = epochs.as_linked.take();
            return Ok(measured);
        }
        next *= 2;
    }
}

/// So many epochs of the base, then of the head, then of the control: the way in which one compares with figures of yesterday.
fn in_sequence(epochs: &mut Epochs<'_>, count: usize) -> Result<Vec<Epoch>, (usize, Fault)> {
    let mut made: Vec<Epoch> = Vec::new();
    for side in 0..3 {
        for n in 0..count {
            let one = epochs.next_of(&[side])?;
            match made.get_mut(n) {
                Some(epoch) => epoch.nanos[side] = one.nanos[side],
                None => made.push(one),
            }
        }
    }
    for epoch in &mut made {
        let [base, head, control] = epoch.nanos.map(f64::ln);
        (epoch.head, epoch.control) = (head - base, control - base);
    }
    Ok(made)
}

fn why(measured: &Measured, due: bool) -> String {
    let epochs = measured.epochs;
    match (measured.ratio, due) {
        (None, _) => format!("{epochs} epochs are too few for an interval: a longer --budget"),
        (_, true) => {
            "out of time: a longer --budget narrows the interval, a wider --margin needs less"
                .into()
        }
        (_, false) => {
            format!("still unclear after {epochs} epochs: the difference is close to the margin")
        }
    }
}

fn judge(made: &[Epoch], rule: &Rule, spent: Duration) -> Measured {
    let of = |value: &dyn Fn(&Epoch) -> f64| -> Vec<f64> { made.iter().map(value).collect() };
    let (heads, controls) = (of(&|e| e.head), of(&|e| e.control));
    let (mut verdict, ratio) = rule.judge(&heads);
    let (moved, control) = rule.judge(&controls);
    let mut reason = None;
    if is_effect(moved) {
        let what = format!("the control, the base once more, came out {moved} than the base");
        // What is as far from both is no matter of how the base is linked.
        let (beside, _) = rule.judge(&of(&|e| e.head - e.control));
        if is_effect(verdict) && beside == verdict {
            reason = Some(format!("{what}; the head is {verdict} than both"));
        } else {
            verdict = Compared::Void;
            reason = Some(what);
        }
    }
    let side = |side: usize| Side {
        nanos: median(&mut of(&|e| e.nanos[side])),
        nanos_q90: quantile(&mut of(&|e| e.nanos[side]), 0.9),
        ..Side::default()
    };
    Measured {
        verdict,
        ratio,
        control,
        least: ratio.map(|r| (1.0 + rule.margin) * r.at / r.low - 1.0),
        epochs: made.len(),
        seconds: spent.as_secs_f64(),
        sides: [side(0), side(1)],
        spread: spread(made),
        reason,
        as_linked: None,
    }
}

fn is_effect(verdict: Compared) -> bool {
    matches!(verdict, Compared::Slower | Compared::Faster)
}

/// For every pair of links the median of its epochs: the least and the greatest.
fn spread(made: &[Epoch]) -> Option<[f64; 2]> {
    let mut links: Vec<[usize; 2]> = made.iter().map(|e| e.links).collect();
    links.sort_unstable();
    links.dedup();
    if links.len() < 2 {
        return None;
    }
    let of = |pair: &[usize; 2]| {
        let its = made.iter().filter(|e| e.links == *pair).map(|e| e.head);
        median(&mut its.collect::<Vec<_>>()).map(f64::exp)
    };
    let ratios: Vec<f64> = links.iter().filter_map(of).collect();
    let least = ratios.iter().copied().reduce(f64::min)?;
    Some([least, ratios.iter().copied().reduce(f64::max)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: f64, control: f64) -> Measured {
        // Enough for the first look, and none like the other.
        let made: Vec<Epoch> = (0..20)
            .map(|n| {
                let noise = 1e-4 * f64::from(n % 5);
                Epoch {
                    head: (1.0 + head).ln() + noise,
                    control: (1.0 + control).ln() - noise,
                    nanos: [100.0; 3],
                    links: [0, 0],
                }
            })
            .collect();
        judge(&made, &Rule::new(0.01, 1), Duration::from_secs(1))
    }

    #[test]
    fn a_control_that_moves_leaves_no_verdict_but_of_what_is_as_far_from_both() {
        assert_eq!(judged(0.03, 0.0).verdict, Compared::Slower);
        assert_eq!(judged(0.0, 0.0).reason, None);
        for (head, control) in [(0.0, 0.02), (0.0, -0.02), (0.03, 0.028), (-0.03, -0.025)] {
            let void = judged(head, control);
            assert_eq!(void.verdict, Compared::Void, "{head} beside {control}");
            assert!(void.reason.is_some_and(|why| why.contains("the control")));
        }
        // A regression is not hidden by it.
        for (head, control, want) in [
            (0.3, 0.012, Compared::Slower),
            (0.3, -0.012, Compared::Slower),
            (-0.3, 0.02, Compared::Faster),
        ] {
            let found = judged(head, control);
            assert_eq!(found.verdict, want, "{head} beside {control}");
            assert!(found.reason.is_some_and(|why| why.ends_with("than both")));
        }
    }
}
