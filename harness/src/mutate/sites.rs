//! What can be changed: for every instruction that a path executes and every constant that it reads, the mutants.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, Encoder, FlowControl, Instruction, Mnemonic, OpKind,
    Register,
};
use serde::{Deserialize, Serialize};

use crate::case::mix;
use crate::step::{Code, constant_offsets, disassembled, hex, is_near_branch, unlinked};

/// A kind of change; the order is that of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    Nop,
    Immediate,
    Constant,
    Jump,
    Condition,
    Operands,
    Mask,
    Displacement,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Nop => "nop",
            Kind::Immediate => "immediate",
            Kind::Constant => "constant",
            Kind::Jump => "jump",
            Kind::Condition => "condition",
            Kind::Operands => "operands",
            Kind::Mask => "mask",
            Kind::Displacement => "displacement",
        }
    }
}

/// A change of this process' own memory, and what a reader is to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mutant {
    pub(crate) kind: Kind,
    /// The bytes to write, by address.
    pub(crate) patch: Vec<(u64, u8)>,
    pub(crate) function: String,
    /// From the function's beginning to the instruction's.
    pub(crate) offset: u64,
    /// The instruction's bytes, those that linking sets as zero.
    pub(crate) bytes: String,
    /// `nop`, `immediate ^ 0x01`, `constant[3] ^ 0x80`.
    pub(crate) change: String,
    pub(crate) instruction: String,
    pub(crate) source: Option<String>,
}

impl Mutant {
    /// The same for every mutant that changes the same bytes to the same, in any process of this program.
    pub(super) fn id(&self, code: &Code) -> u64 {
        let words = self
            .patch
            .iter()
            .flat_map(|(at, byte)| [code.in_file(*at), u64::from(*byte)]);
        mix(&words.collect::<Vec<_>>())
    }
}

/// What a byte is changed by: its lowest bit, its highest, all.
const FLIPS: [u8; 3] = [0x01, 0x80, 0xff];

/// All mutants of the instructions at `sites`, and of the constants that they read. `taken` are the jumps that were ever taken:
/// of one that was not, the other side is no site, and whether it guards that is not asked. It is inverted, and no more.
pub(crate) fn mutants(
    code: &mut Code,
    sites: &[u64],
    constants: &BTreeMap<u64, u64>,
    taken: &BTreeSet<u64>,
) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let guards_nothing = |jump: &Instruction| {
        jump.flow_control() == FlowControl::ConditionalBranch && !taken.contains(&jump.ip())
    };
    for &at in sites {
        let Some(site) = Site::at(code, at) else {
            continue;
        };
        // A comparison stands directly before its jump.
        let for_nothing = guards_nothing(&site.instruction)
            || (is_comparison(&site.instruction) && {
                let next = crate::step::decode(site.instruction.next_ip());
                guards_nothing(&next) && sites.contains(&next.ip())
            });
        for (kind, change, bytes) in changes(&site.instruction, &site.raw) {
            if for_nothing && kind != Kind::Jump {
                continue;
            }
            let patch = (at..)
                .zip(bytes)
                .zip(&site.raw)
                .filter(|((_, new), old)| new != *old)
                .map(|(patch, _)| patch);
            mutants.push(site.mutant(kind, change, patch.collect()));
        }
    }
    let mut first: BTreeMap<u64, u64> = BTreeMap::new();
    for (&byte, &reader) in constants {
        let base = *first.entry(reader).or_insert(byte);
        let (Some(site), [old]) = (Site::at(code, reader), crate::step::executable(byte, 1)) else {
            continue;
        };
        for flip in FLIPS {
            let change = format!("constant[{}] ^ {flip:#04x}", byte - base);
            mutants.push(site.mutant(Kind::Constant, change, vec![(byte, old ^ flip)]));
        }
    }
    mutants
}

/// An instruction that is executed.
struct Site {
    instruction: Instruction,
    raw: Vec<u8>,
    function: String,
    offset: u64,
    source: Option<String>,
}

impl Site {
    fn at(code: &mut Code, at: u64) -> Option<Self> {
        let instruction = crate::step::decode(at);
        let function = code.function(at);
        (!instruction.is_invalid()).then(|| Self {
            raw: crate::step::executable(at, instruction.len()).to_vec(),
            offset: at - function.as_ref().map_or(at, |function| function.start),
            function: function.map_or_else(|| "unknown".into(), |function| function.name),
            source: code.source(at),
            instruction,
        })
    }

    fn mutant(&self, kind: Kind, change: String, patch: Vec<(u64, u8)>) -> Mutant {
        let unlinked = unlinked(&self.instruction, &self.raw);
        Mutant {
            kind,
            patch,
            function: self.function.clone(),
            offset: self.offset,
            bytes: hex(&unlinked),
            change,
            instruction: disassembled(&placed(&unlinked, self.offset)),
            source: self.source.clone(),
        }
    }
}

/// An instruction as if its function began at 0: the same wherever the program was linked.
fn placed(unlinked: &[u8], offset: u64) -> Instruction {
    Decoder::with_ip(64, unlinked, offset, DecoderOptions::NONE).decode()
}

/// Whether an instruction has no result but the flags.
fn is_comparison(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test)
}

/// The changes of one instruction: kind, words for it, and its bytes afterwards, as many as before.
fn changes(instruction: &Instruction, raw: &[u8]) -> Vec<(Kind, String, Vec<u8>)> {
    let mut changes = Vec::new();
    if matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Endbr64) {
        return changes;
    }
    let offsets = constant_offsets(raw, instruction.ip());
    let with = |at: usize, change: &dyn Fn(u8) -> u8| {
        let mut bytes = raw.to_vec();
        bytes[at] = change(bytes[at]);
        bytes
    };
    changes.push((Kind::Nop, "nop".into(), vec![0x90; raw.len()]));
    if offsets.has_immediate() && !is_near_branch(instruction) {
        // Of a shuffle's or a blend's immediate the upper half counts as much.
        let flips: &[u8] = if instruction.op0_register().is_vector_register() {
            &[0x01, 0x10]
        } else {
            &[0x01]
        };
        for &flip in flips {
            changes.push((
                Kind::Immediate,
                format!("immediate ^ {flip:#04x}"),
                with(offsets.immediate_offset(), &|byte| byte ^ flip),
            ));
        }
    }
    if offsets.has_displacement() && !instruction.is_ip_rel_memory_operand() {
        changes.push((
            Kind::Displacement,
            "displacement + 1".into(),
            with(offsets.displacement_offset(), &|byte| byte.wrapping_add(1)),
        ));
    }
    let condition = instruction.condition_code();
    // jcc, cmovcc and setcc have the condition in the low half of the last byte of their opcode.
    if condition != ConditionCode::None
        && let Some(opcode) = opcode(instruction, raw)
    {
        changes.push((
            Kind::Jump,
            "condition inverted".into(),
            with(opcode, &|byte| byte ^ 1),
        ));
        use ConditionCode as C;
        let neighbour = match condition {
            C::b | C::be | C::ae | C::a => Some(4),
            C::l | C::le | C::ge | C::g => Some(2),
            _ => None,
        };
        if let Some(bit) = neighbour {
            changes.push((
                Kind::Condition,
                "equal goes the other way".into(),
                with(opcode, &|byte| byte ^ bit),
            ));
        }
    }
    changes.extend(
        swapped(instruction)
            .and_then(|new| same_length(&new, raw))
            .map(|bytes| (Kind::Operands, "operands swapped".into(), bytes)),
    );
    if instruction.op_mask() != Register::None {
        let mut new = *instruction;
        new.set_op_mask(Register::None);
        new.set_zeroing_masking(false);
        changes.extend(same_length(&new, raw).map(|bytes| (Kind::Mask, "no mask".into(), bytes)));
        let mut new = *instruction;
        new.set_zeroing_masking(!instruction.zeroing_masking());
        let to_register =
            instruction.op0_kind() == OpKind::Register && !instruction.op0_register().is_k();
        let bytes = to_register.then(|| same_length(&new, raw)).flatten();
        changes.extend(bytes.map(|bytes| {
            (
                Kind::Mask,
                "zeroed for merged, or merged for zeroed".into(),
                bytes,
            )
        }));
    }
    changes.retain(|(_, _, bytes)| bytes != raw);
    changes
}

/// Where the opcode byte with the condition is.
fn opcode(instruction: &Instruction, raw: &[u8]) -> Option<usize> {
    match instruction.flow_control() {
        FlowControl::ConditionalBranch => match raw {
            [0x70..=0x7f, ..] => Some(0),
            [0x0f, 0x80..=0x8f, ..] => Some(1),
            _ => None,
        },
        // Behind the prefixes: 0f 4x cmovcc, 0f 9x setcc.
        _ => raw
            .windows(2)
            .position(|pair| matches!(pair, [0x0f, 0x40..=0x4f | 0x90..=0x9f]))
            .map(|at| at + 1),
    }
}

/// The last two operands in each other's place, where both are registers of one size and their order matters.
fn swapped(instruction: &Instruction) -> Option<Instruction> {
    let count = instruction.op_count();
    let (a, b) = match count {
        2 => (0, 1),
        3.. => (1, 2),
        _ => return None,
    };
    let (first, second) = (instruction.op_kind(a), instruction.op_kind(b));
    if (first, second) != (OpKind::Register, OpKind::Register) || commutes(instruction.mnemonic()) {
        return None;
    }
    let (first, second) = (instruction.op_register(a), instruction.op_register(b));
    if first == second
        || first.size() != second.size()
        || !first.is_vector_register()
        || !second.is_vector_register()
    {
        return None;
    }
    let mut new = *instruction;
    new.set_op_register(a, second);
    new.set_op_register(b, first);
    Some(new)
}

/// Whether an operation of vectors gives the same for its operands in either order; of two operands a copy does not matter here.
fn commutes(mnemonic: Mnemonic) -> bool {
    let name = format!("{mnemonic:?}").to_lowercase();
    let name = name.strip_prefix('v').unwrap_or(&name);
    [
        "pand", "por", "pxor", "padd", "pmax", "pmin", "pmul", "pavg", "pcmpeq", "ptest", "andp",
        "orp", "xorp", "pmaddwd",
    ]
    .iter()
    .any(|stem| name.starts_with(stem))
        && !name.starts_with("pandn")
}

/// The bytes of an instruction, if they are as many as before.
fn same_length(new: &Instruction, raw: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(64);
    encoder.encode(new, new.ip()).ok()?;
    let bytes = encoder.take_buffer();
    (bytes.len() == raw.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(raw: &[u8]) -> Vec<(Kind, String, String)> {
        let instruction = Decoder::with_ip(64, raw, 0x1000, DecoderOptions::NONE).decode();
        let shown = |bytes: &[u8]| {
            disassembled(&Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode())
        };
        changes(&instruction, raw)
            .into_iter()
            .map(|(kind, change, bytes)| (kind, change, shown(&bytes)))
            .collect()
    }

    fn one(raw: &[u8], kind: Kind) -> Vec<String> {
        of(raw)
            .into_iter()
            .filter(|(of, ..)| *of == kind)
            .map(|(.., shown)| shown)
            .collect()
    }

    #[test]
    fn each_kind_changes_what_it_says() {
        // vpsrlw xmm0, xmm1, 4
        assert_eq!(
            one(&[0xc5, 0xf9, 0x71, 0xd1, 0x04], Kind::Immediate),
            ["vpsrlw xmm0,xmm1,5", "vpsrlw xmm0,xmm1,14h"]
        );
        // vpshufb ymm0, ymm1, ymm2
        assert_eq!(
            one(&[0xc4, 0xe2, 0x75, 0x00, 0xc2], Kind::Operands),
            ["vpshufb ymm0,ymm2,ymm1"]
        );
        // pshufb xmm0, xmm1; paddb xmm0, xmm1 commutes.
        assert_eq!(
            one(&[0x66, 0x0f, 0x38, 0x00, 0xc1], Kind::Operands),
            ["pshufb xmm1,xmm0"]
        );
        assert_eq!(one(&[0x66, 0x0f, 0xfc, 0xc1], Kind::Operands), [""; 0]);
        // jb and cmovae
        assert_eq!(one(&[0x72, 0x10], Kind::Jump), ["jae short 1012h"]);
        assert_eq!(one(&[0x72, 0x10], Kind::Condition), ["jbe short 1012h"]);
        assert_eq!(
            one(&[0x48, 0x0f, 0x43, 0xc1], Kind::Jump),
            ["cmovb rax,rcx"]
        );
        assert_eq!(
            one(&[0x0f, 0x8c, 0, 1, 0, 0], Kind::Condition),
            ["jle 1106h"]
        );
        // mov rax, [rdi+8]
        assert_eq!(
            one(&[0x48, 0x8b, 0x47, 0x08], Kind::Displacement),
            ["mov rax,[rdi+9]"]
        );
        // vmovdqu8 zmm0{k1}{z}, [rdi]
        let masked = [0x62, 0xf1, 0x7f, 0xc9, 0x6f, 0x07];
        assert_eq!(
            one(&masked, Kind::Mask),
            ["vmovdqu8 zmm0,[rdi]", "vmovdqu8 zmm0{k1},[rdi]"]
        );
        // Every instruction but a nop can be left out.
        assert_eq!(one(&masked, Kind::Nop), ["nop"]);
        assert!(of(&[0x90]).is_empty());
    }

    #[test]
    fn bytes_that_linking_sets_are_not_the_instructions_own() {
        let shown = |raw: &[u8]| {
            hex(&unlinked(
                &Decoder::with_ip(64, raw, 0, DecoderOptions::NONE).decode(),
                raw,
            ))
        };
        assert_eq!(
            shown(&[0xc5, 0xf9, 0x6f, 0x05, 1, 2, 3, 4]),
            "c5f96f0500000000"
        ); // vmovdqa xmm0, [rip+…]
        assert_eq!(shown(&[0xe8, 1, 2, 3, 4]), "e800000000"); // call
        assert_eq!(shown(&[0x72, 0x10]), "7210"); // a short jump stays in its function
        assert_eq!(shown(&[0x48, 0x8b, 0x47, 0x08]), "488b4708");
    }
}
