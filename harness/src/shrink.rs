//! Makes a failing case smaller, as a proptest tree: it proposes, is told whether that still fails, and keeps the least.
//!
//! The tree is driven here and not by proptest's runner, which prints about every shrinking that it ends early.

use proptest::strategy::ValueTree;

use crate::case::{Case, Place, Source};

/// A case, and what is tried next to make it smaller.
#[derive(Debug, Clone)]
pub(crate) struct CaseTree {
    /// The least case known to fail.
    best: Case,
    /// What is proposed now.
    tried: Case,
    step: Step,
}

/// The steps, in their order. A step that helped is tried again; one that did not moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Simpler places.
    Place(usize),
    /// All numbers of a parameter to smaller ones.
    Param(usize),
    /// One number of a parameter taken out, where others are left; then one to a smaller value. Counted from the end.
    Without {
        param: usize,
        from_end: usize,
    },
    Smaller {
        param: usize,
        from_end: usize,
    },
    /// `size` bytes of part `part` taken out at `at`.
    Cut {
        part: usize,
        size: usize,
        at: usize,
    },
    /// `size` bytes of part `part` at `at` made the plainest that there are.
    Plain {
        part: usize,
        size: usize,
        at: usize,
    },
    Done,
}

/// A byte that reads well and stands for "it does not matter which".
const PLAIN: u8 = b'A';
/// A part is looked at in at most so many pieces of one size; smaller cuts are then tried at its end alone.
const PIECES: usize = 128;

impl CaseTree {
    pub(crate) fn new(case: Case) -> Self {
        Self {
            best: case.clone(),
            tried: case,
            step: Step::Place(0),
        }
    }

    fn part(&self, part: usize) -> Option<&Vec<u8>> {
        match &self.best.source {
            Source::Verbatim(parts) => parts.get(part),
            _ => None,
        }
    }

    /// The case that the present step proposes, if it proposes one.
    fn proposal(&self) -> Option<Case> {
        let mut case = self.best.clone();
        match self.step {
            Step::Place(number) => {
                let simpler = |place| match place {
                    Place::At(offset) if offset > 0 => {
                        Place::At(if number < 2 { 0 } else { offset / 2 })
                    }
                    place => place,
                };
                let place = if number % 2 == 0 {
                    &mut case.input
                } else {
                    &mut case.output
                };
                *place = simpler(*place);
            }
            Step::Param(number) => {
                let list = case.params.values_mut().nth(number)?;
                list.iter_mut().for_each(|value| *value /= 2);
            }
            Step::Without { param, from_end } => {
                let list = case.params.values_mut().nth(param)?;
                let at = list.len().checked_sub(1 + from_end)?;
                // A list that may be empty is not told from one that may not.
                (list.len() > 1).then(|| list.remove(at))?;
            }
            Step::Smaller { param, from_end } => {
                let list = case.params.values_mut().nth(param)?;
                let at = list.len().checked_sub(1 + from_end)?;
                list[at] /= 2;
            }
            Step::Cut { part, size, at } => {
                let Source::Verbatim(parts) = &mut case.source else {
                    return None;
                };
                let bytes = parts.get_mut(part)?;
                bytes.drain(at..(at + size).min(bytes.len()));
            }
            Step::Plain { part, size, at } => {
                let Source::Verbatim(parts) = &mut case.source else {
                    return None;
                };
                let bytes = parts.get_mut(part)?;
                let end = (at + size).min(bytes.len());
                bytes[at..end].fill(PLAIN);
            }
            Step::Done => return None,
        }
        (case != self.best).then_some(case)
    }

    /// The step after the present one did not help (or, for a cut that helped, the same place again).
    fn advance(&mut self) {
        let len = |part| self.part(part).map(Vec::len);
        let numbers = |param| self.best.params.values().nth(param).map_or(0, Vec::len);
        // Powers of two: whole blocks, so that what depends on the length of the tail or on a lane stays as it is.
        let first_cut = |part: usize, len: usize| {
            let size = len.checked_ilog2().map_or(1, |log| 1 << log);
            Step::Cut {
                part,
                size,
                at: len.saturating_sub(size),
            }
        };
        self.step = match self.step {
            Step::Place(number) if number < 3 => Step::Place(number + 1),
            Step::Place(_) => Step::Param(0),
            Step::Param(param) => Step::Without { param, from_end: 0 },
            Step::Without { param, from_end } if from_end + 1 < numbers(param) => Step::Without {
                param,
                from_end: from_end + 1,
            },
            Step::Without { param, .. } => Step::Smaller { param, from_end: 0 },
            Step::Smaller { param, from_end } if from_end + 1 < numbers(param) => Step::Smaller {
                param,
                from_end: from_end + 1,
            },
            Step::Smaller { param, .. } if param + 1 < self.best.params.len() => {
                Step::Param(param + 1)
            }
            Step::Smaller { .. } => len(0).map_or(Step::Done, |len| first_cut(0, len)),
            Step::Cut { part, size, at } => {
                let len = len(part).unwrap_or(0);
                let everywhere = len <= PIECES * size;
                match (at.checked_sub(size), size) {
                    // From the end to the start, so that a text keeps its beginning.
                    (Some(at), _) if everywhere => Step::Cut { part, size, at },
                    (None, _) if everywhere && at > 0 => Step::Cut { part, size, at: 0 },
                    (_, 2..) => Step::Cut {
                        part,
                        size: size / 2,
                        at: len.saturating_sub(size / 2),
                    },
                    _ => Step::Plain {
                        part,
                        size: len.div_ceil(4).max(1),
                        at: 0,
                    },
                }
            }
            Step::Plain { part, size, at } => {
                let length = len(part).unwrap_or(0);
                let smaller = size / 4 + size % 4 % 2;
                match (at + size < length, size) {
                    (true, _) => Step::Plain {
                        part,
                        size,
                        at: at + size,
                    },
                    (false, 2..) if length <= PIECES * smaller.max(1) => Step::Plain {
                        part,
                        size: smaller,
                        at: 0,
                    },
                    (false, _) => match len(part + 1) {
                        Some(len) => first_cut(part + 1, len),
                        None => Step::Done,
                    },
                }
            }
            Step::Done => Step::Done,
        };
        if let Step::Plain { size: 0, part, at } = self.step {
            self.step = Step::Plain { part, size: 1, at };
        }
    }

    fn propose(&mut self) -> bool {
        loop {
            if self.step == Step::Done {
                self.tried = self.best.clone();
                return false;
            }
            if let Some(case) = self.proposal() {
                self.tried = case;
                return true;
            }
            self.advance();
        }
    }
}

impl ValueTree for CaseTree {
    type Value = Case;

    fn current(&self) -> Case {
        self.tried.clone()
    }

    /// The present case fails: it is the least one now, and the same step is tried again.
    fn simplify(&mut self) -> bool {
        if self.tried != self.best {
            self.best = self.tried.clone();
            if let Step::Cut { part, size, at } = self.step {
                let len = self.part(part).map_or(0, Vec::len);
                if at >= len {
                    self.step = Step::Cut {
                        part,
                        size,
                        at: len.saturating_sub(size),
                    };
                }
            }
            if matches!(self.step, Step::Plain { .. }) {
                self.advance();
            }
        }
        self.propose()
    }

    /// The present case does not fail: go on from the least one with the next step.
    fn complicate(&mut self) -> bool {
        self.advance();
        self.propose()
    }
}

/// The least case found for which `fails` still holds, in at most `tries` questions. `case` itself is known to fail.
pub(crate) fn shrink(case: Case, tries: u32, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut tree = CaseTree::new(case);
    let mut more = tree.simplify();
    for _ in 0..tries {
        if !more {
            break;
        }
        more = if fails(&tree.current()) {
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    tree.best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Params;

    fn case(bytes: Vec<u8>, params: &[(&'static str, u64)]) -> Case {
        Case {
            operation: "op".into(),
            source: Source::Verbatim(vec![bytes]),
            params: params
                .iter()
                .map(|(k, v)| ((*k).into(), vec![*v]))
                .collect::<Params>(),
            input: Place::At(37),
            output: Place::At(5),
            warm: 0,
            room: 0,
        }
    }

    fn bytes(case: &Case) -> &[u8] {
        match &case.source {
            Source::Verbatim(parts) => &parts[0],
            _ => panic!("shrinking keeps bytes as bytes"),
        }
    }

    #[test]
    fn the_one_byte_that_matters_is_left() {
        let mut tries = 0;
        let full: Vec<u8> = (0..=255).cycle().take(700).collect();
        let least = shrink(case(full, &[]), 5_000, |c| {
            tries += 1;
            bytes(c).contains(&200)
        });
        assert_eq!(bytes(&least), [200]);
        assert_eq!((least.input, least.output), (Place::At(0), Place::At(0)));
        assert!(tries < 500, "{tries}");
    }

    #[test]
    fn a_length_that_matters_is_kept_and_the_bytes_become_plain() {
        let least = shrink(case(vec![3; 77], &[("k", 300)]), 5_000, |c| {
            bytes(c).len() == 77 && c.params["k"][0] >= 9
        });
        assert_eq!(bytes(&least), [PLAIN; 77]);
        assert_eq!(least.params["k"], [9]);
    }

    #[test]
    fn of_a_list_the_numbers_that_matter_are_left() {
        let mut full = case(vec![3; 9], &[]);
        let list = vec![64, 3, 128, 7, 256, 7];
        full.params = Params::from([("cuts".into(), list), ("k".into(), vec![40])]);
        let least = shrink(full, 5_000, |c| {
            let (cuts, k) = (&c.params["cuts"], &c.params["k"]);
            let at = |n| cuts.iter().position(|cut| *cut >= n);
            k[0] >= 4 && at(100).is_some_and(|at| cuts[at..].contains(&7))
        });
        assert_eq!(least.params["cuts"], [128, 7]);
        assert_eq!(least.params["k"], [5]);
    }

    #[test]
    fn a_tail_is_left_alone_with_its_length() {
        let least = shrink(case(vec![1; 89], &[]), 5_000, |c| bytes(c).len() % 16 == 9);
        assert_eq!(bytes(&least), [PLAIN; 9]);
    }

    #[test]
    fn a_long_case_takes_few_questions() {
        let mut tries = 0;
        let least = shrink(case(vec![1; 65_537], &[]), 5_000, |c| {
            tries += 1;
            bytes(c).len() > 17_000
        });
        assert_eq!(bytes(&least), vec![PLAIN; 17_001]);
        assert!(tries < 2_000, "{tries}");
    }

    #[test]
    fn an_alignment_that_matters_is_kept() {
        let least = shrink(
            case(vec![1; 9], &[]),
            5_000,
            |c| matches!(c.input, Place::At(a) if a % 8 == 5),
        );
        assert!(
            matches!(least.input, Place::At(a) if a % 8 == 5),
            "{least:?}"
        );
        assert!(bytes(&least).is_empty());
    }

    #[test]
    fn two_bytes_that_matter_are_left_in_order() {
        let full: Vec<u8> = (0..=255).collect();
        let least = shrink(case(full, &[]), 5_000, |c| {
            let at = |byte| bytes(c).iter().position(|b| *b == byte);
            at(10).zip(at(201)).is_some_and(|(a, b)| a < b)
        });
        assert_eq!(bytes(&least), [10, 201]);
    }
}
