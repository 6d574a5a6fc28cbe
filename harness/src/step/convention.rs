//! The calling convention: what every call must keep for its caller, looked at where it returns.
//!
//! "System V Application Binary Interface, AMD64 Architecture Processor Supplement", 3.2.1: rbx, rbp, rsp and r12 to r15 belong to
//! the caller; the direction flag is clear; the x87 is in x87 mode; the control bits of MXCSR and the x87 control word are kept.

use iced_x86::FlowControl;

use super::trap::{Step, Vectors};
use super::{Code, Decoded, Trace};

const KEPT: [(&str, usize); 6] = [
    ("rbx", 3),
    ("rbp", 5),
    ("r12", 12),
    ("r13", 13),
    ("r14", 14),
    ("r15", 15),
];
const STACK: usize = 4;
/// Bit 10 of the flags register.
const DIRECTION: u64 = 1 << 10;
/// The bits of MXCSR that control: denormals are zero, masks, rounding, flush to zero. The others are flags, which any
/// calculation sets.
const CONTROL: u32 = 0xffc0;

/// A call that has not returned yet.
struct Frame<'a> {
    /// Where it returns to.
    back: u64,
    /// The machine when it was called.
    before: &'a Step,
    /// The function's first instruction.
    callee: u64,
}

/// What calls did not keep, a line each, each once.
pub(super) fn broken(trace: &Trace, code: &mut Code, decoded: &mut Decoded) -> Vec<String> {
    let mut found = Vec::new();
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for pair in trace.steps.windows(2) {
        let [before, step] = pair else { continue };
        // Frames that were left without a return: by unwinding.
        while frames
            .last()
            .is_some_and(|frame| step.registers[STACK] > frame.before.registers[STACK])
        {
            frames.pop();
        }
        if let Some(frame) = frames.last()
            && frame.back == step.at
            && frame.before.registers[STACK] == step.registers[STACK]
        {
            let broken = kept(frame.before, step);
            if !broken.is_empty() {
                let name = code
                    .function(frame.callee)
                    .map_or_else(|| "a function".into(), |function| function.name);
                found.push(format!("{name} returns with {}", broken.join(", ")));
            }
            frames.pop();
        }
        let instruction = decoded.at(before.at);
        let is_call = matches!(
            instruction.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if is_call && step.registers[STACK] == before.registers[STACK].wrapping_sub(8) {
            frames.push(Frame {
                back: instruction.next_ip(),
                before,
                callee: step.at,
            });
        }
    }
    if let (true, [first, .., last]) = (trace.whole, &trace.steps[..]) {
        found.extend(restored(first.vectors, last.vectors));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What a call returned with that its caller did not have before.
fn kept(before: &Step, after: &Step) -> Vec<String> {
    let mut broken: Vec<String> = KEPT
        .iter()
        .filter(|(_, number)| before.registers[*number] != after.registers[*number])
        .map(|(name, _)| format!("{name} changed"))
        .collect();
    if after.flags & DIRECTION != 0 {
        broken.push("the direction flag set".into());
    }
    broken
}

/// What the whole call left in the floating-point and vector units.
fn restored(before: Vectors, after: Vectors) -> Vec<String> {
    let mut broken = Vec::new();
    if (before.mxcsr ^ after.mxcsr) & CONTROL != 0 {
        broken.push(format!(
            "the call changes the control bits of MXCSR from {:#06x} to {:#06x}",
            before.mxcsr & CONTROL,
            after.mxcsr & CONTROL
        ));
    }
    if before.x87_control != after.x87_control {
        broken.push(format!(
            "the call changes the x87 control word from {:#06x} to {:#06x}",
            before.x87_control, after.x87_control
        ));
    }
    if before.x87_in_use == 0 && after.x87_in_use != 0 {
        broken.push("the call leaves x87 or MMX registers in use: `emms` is missing".into());
    }
    if (before.upper, after.upper) == (Some(false), Some(true)) {
        broken.push(
            "the call leaves the upper halves of vector registers in use: `vzeroupper` is missing"
                .into(),
        );
    }
    broken
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_must_be_kept_is_missed() {
        let before = Step::default();
        for (name, number) in KEPT {
            let mut after = before;
            after.registers[number] = 1;
            assert_eq!(kept(&before, &after), [format!("{name} changed")]);
        }
        let after = Step {
            flags: DIRECTION,
            ..before
        };
        assert_eq!(kept(&before, &after), ["the direction flag set"]);
        assert!(kept(&before, &before).is_empty());

        let clean = Vectors {
            mxcsr: 0x1f80,
            x87_control: 0x37f,
            x87_in_use: 0,
            upper: Some(false),
        };
        for (spoiled, word) in [
            (
                Vectors {
                    mxcsr: 0x9f80,
                    ..clean
                },
                "MXCSR",
            ),
            (
                Vectors {
                    x87_control: 0x27f,
                    ..clean
                },
                "x87 control",
            ),
            (
                Vectors {
                    x87_in_use: 1,
                    ..clean
                },
                "emms",
            ),
            (
                Vectors {
                    upper: Some(true),
                    ..clean
                },
                "vzeroupper",
            ),
        ] {
            let broken = restored(clean, spoiled);
            assert!(broken.len() == 1 && broken[0].contains(word), "{broken:?}");
        }
        // A flag of MXCSR is set by any inexact sum; where there are no upper halves, none are in use.
        assert!(
            restored(
                clean,
                Vectors {
                    mxcsr: 0x1fa0,
                    ..clean
                }
            )
            .is_empty()
        );
        assert!(
            restored(
                Vectors {
                    upper: None,
                    ..clean
                },
                Vectors {
                    upper: None,
                    ..clean
                }
            )
            .is_empty()
        );
    }
}
