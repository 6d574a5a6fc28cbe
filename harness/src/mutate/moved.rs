//! A path whose functions are called as copies that lie elsewhere: at the same places of a page for all sides of a comparison, so that
//! where a linker has put them is no difference; and with more instructions in the hottest loop, to see whether that is noticed.
//!
//! ```text
//! body 0: … loop ──┐      A copy that is slower has several bodies. Where the loop of one jumps back, it goes on in the next one, so
//! body 1: … loop <─┘──┐   that every body has its turn, and what is added to one of them is executed once in so many turns.
//! body 2: … loop <────┘   What is added is a chain on a register that the loop's addresses are made of: `lea r, [r]`, which
//!              └─> body 0 changes no flag and no value, and for whose end the loop has to wait.
//! ```
//!
//! Calls among copies, and those through the program's tables, go to copies at once: a jump on the way would be a branch at an address that
//! the linker chose, which the CPU predicts worse or better for it.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code as Form, FlowControl, Instruction, InstructionBlock,
    MemoryOperand, Mnemonic, OpKind, Register,
};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use serde::{Deserialize, Serialize};

use crate::step::{Code, Function, Trace, decode, executable, variables};

/// Where the copy lies, and how much slower it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Move {
    /// Bytes below a multiple of 1 GiB, the last one below the program: the same address in all processes whose addresses are not drawn, and
    /// the same place of a page and of the CPU's tables elsewhere.
    pub(crate) place: u32,
    pub(crate) slow: Slow,
}

/// How much slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slow {
    /// How many bodies the copy has, if a call has as many turns of the loop.
    pub(crate) bodies: u32,
    /// How many instructions the last of them has more.
    pub(crate) extra: u32,
}

impl Slow {
    /// As fast as ever.
    pub(crate) const NOT: Self = Self {
        bodies: 1,
        extra: 0,
    };
}

/// What is to be copied: the same in every process of one build, for addresses are relative to a function of this harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// Of every function its instructions, the first one first; in the order in which they were first entered, which no linker changes.
    functions: Vec<Vec<u64>>,
    /// Where the program's constants point to one of them, as vtables and tables of functions do; and to which.
    pointers: Vec<(u64, usize)>,
    /// The hottest loop, if there is one.
    hottest: Option<Loop>,
}

/// A loop, and what could make it slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Loop {
    /// Its first instruction, and how often that was executed in a call.
    head: u64,
    turns: u32,
    /// The number of the register that its addresses are made of, if there is one.
    register: Option<u32>,
}

type Instructions = BTreeMap<u64, Instruction>;

const REGISTERS: [Register; 16] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RBX,
    Register::RSP,
    Register::RBP,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// Copies lie below a multiple of this, which leaves what they refer to within 2 GiB.
const UNIT: u64 = 1 << 30;
/// More instructions than any kernel has.
const MOST: usize = 20_000;
/// The share of what a call executes that must lie in copies: with less, most of it would be where a linker has put it.
const MOVED: f64 = 0.9;

fn anchor() -> u64 {
    let anchor: fn(u64, usize) -> &'static [u8] = executable;
    anchor as usize as u64
}

/// Reads what is to be copied off a trace of the path: all functions of the program's own code that it enters, and those of the harness
/// that call it, at these addresses.
///
/// # Errors
/// None of them can be copied; it says why.
pub(crate) fn recipe(
    code: &mut Code,
    trace: &Trace,
    around: &Trace,
    callers: &[u64],
) -> Result<Recipe, String> {
    let from = anchor();
    let (mut functions, mut why) = (Vec::new(), None);
    let mut wanted = trace.entered(code, around);
    wanted.extend(callers.iter().filter_map(|at| code.function(*at)));
    for function in wanted {
        match read(code, &function) {
            Ok(all) => functions.push(all),
            Err(not) => why = Some(format!("{}: {not}", function.name)),
        }
    }
    let why = why.unwrap_or_else(|| "it executes no code of this program".into());
    if !trace.is_whole() {
        return Err("a call executes more instructions than can be stepped".into());
    }
    // What calls the path is copied, too; but it is the path that is compared.
    let inside = |at: u64| functions.iter().any(|all| all.contains_key(&at));
    let (copied, all) = trace.share(code, around, &inside);
    if (copied as f64) < MOVED * all as f64 || all == 0 {
        return Err(format!(
            "of {all} instructions that it executes, {copied} lie in functions that can be copied ({why})"
        ));
    }
    let hottest = trace.hottest_loop(code, around).and_then(|(head, jump)| {
        let all = functions.iter().find(|all| all.contains_key(&head))?;
        let mut bases = all.range(head..=jump).flat_map(|(_, of)| addresses(of));
        let register = bases.find_map(|base| {
            let number = REGISTERS.iter().position(|known| *known == base);
            number.filter(|_| base != Register::RSP)
        });
        Some(Loop {
            head: head.wrapping_sub(from),
            turns: trace.count(head),
            register: register.map(|number| number as u32),
        })
    });
    let starts: Vec<u64> = functions
        .iter()
        .filter_map(|all| all.first_key_value().map(|(at, _)| *at))
        .collect();
    let pointers = code.pointers(&starts).into_iter();
    let relative = |all: &Instructions| all.keys().map(|at| at.wrapping_sub(from)).collect();
    Ok(Recipe {
        functions: functions.iter().map(relative).collect(),
        pointers: pointers
            .map(|(at, to)| (at.wrapping_sub(from), to))
            .collect(),
        hottest,
    })
}

/// All instructions of a function that can be reached from its first one.
fn read(code: &mut Code, function: &Function) -> Result<Instructions, &'static str> {
    let mut all = Instructions::new();
    let mut next = vec![function.start];
    let mut inside = |at: u64| {
        code.function(at)
            .is_some_and(|of| of.start == function.start)
    };
    while let Some(mut at) = next.pop() {
        // Behind a call that does not return, another function may begin.
        while !all.contains_key(&at) && inside(at) {
            let instruction = decode(at);
            if instruction.is_invalid() || all.len() >= MOST {
                return Err("more than can be read");
            }
            all.insert(at, instruction);
            match instruction.flow_control() {
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {}
                FlowControl::ConditionalBranch => next.push(instruction.near_branch_target()),
                FlowControl::UnconditionalBranch => {
                    // Elsewhere, it is the last call of a function.
                    next.push(instruction.near_branch_target());
                    break;
                }
                FlowControl::IndirectBranch if is_by_table(&instruction, &all) => {
                    // It would leave the copy, and where to is not known: perhaps to where a jump to the copy would be.
                    return Err("it jumps to where a table says");
                }
                // The last call of a function, through a pointer, or its end.
                _ => break,
            }
            at = instruction.next_ip();
        }
    }
    let end = all.last_key_value().map_or(0, |(_, last)| last.next_ip());
    let first = function.start + 1..function.start + JUMP as u64;
    if end < first.end {
        return Err("shorter than a jump to a copy");
    }
    let into = |of: &Instruction| is_branch(of) && first.contains(&of.near_branch_target());
    if all.values().any(into) {
        return Err("it jumps into its first instructions, where a jump to a copy would be");
    }
    Ok(all)
}

/// Whether an indirect jump is one within its function: through an indexed table of addresses, or to a sum of which a part comes from
/// an indexed table of distances (`movsxd`), as compilers make them. Others are last calls through pointers.
fn is_by_table(jump: &Instruction, all: &Instructions) -> bool {
    let indexed = |of: &Instruction| of.memory_index() != Register::None;
    match jump.op0_kind() {
        OpKind::Memory => indexed(jump),
        _ => all
            .values()
            .any(|of| of.mnemonic() == Mnemonic::Movsxd && indexed(of)),
    }
}

/// Whether it goes to an address that it says itself.
fn is_near(of: &Instruction) -> bool {
    of.op0_kind() == OpKind::NearBranch64
}

fn is_call(of: &Instruction) -> bool {
    of.flow_control() == FlowControl::Call
}

fn is_branch(of: &Instruction) -> bool {
    is_near(of) && !is_call(of)
}

/// The registers of which an instruction makes an address in memory.
fn addresses(of: &Instruction) -> impl Iterator<Item = Register> + use<> {
    let has = (0..of.op_count()).any(|op| of.op_kind(op) == OpKind::Memory);
    let registers = [of.memory_base(), of.memory_index()];
    registers.into_iter().filter(move |_| has)
}

/// A page of x86-64.
const PAGE: u64 = 4096;
/// The bytes of a jump to a place within 2 GiB.
const JUMP: usize = 5;

/// Makes the copies, and has each function begin with a jump to its own. None of them may be at work.
///
/// # Errors
/// There is no room for copies near the program, or this system does not let code be written.
pub(crate) fn apply(recipe: &Recipe, how: Move) -> Result<(), String> {
    let from = anchor();
    let at = |at: &u64| at.wrapping_add(from);
    let functions = recipe.functions.iter().map(|all| {
        let all = all.iter().map(at);
        all.map(|at| (at, decode(at))).collect()
    });
    let functions: Vec<Instructions> = functions.collect();
    let starts: Vec<u64> = functions
        .iter()
        .filter_map(|all| all.first_key_value().map(|(at, _)| *at))
        .collect();
    let hottest = recipe.hottest.filter(|_| how.slow != Slow::NOT);
    if how.slow.extra > 0 && hottest.is_none_or(|of| of.register.is_none()) {
        return Err(
            "it has no loop that makes an address of a register, so that nothing can wait for one"
                .into(),
        );
    }
    let copies: Vec<Vec<Instruction>> = functions
        .iter()
        .map(|all| copied(all, &starts, hottest.as_ref(), how.slow))
        .collect::<Result<_, _>>()?;
    // Each has room for the longest instructions that there are, so that where the next one lies depends on the code alone.
    let rooms: Vec<u64> = copies
        .iter()
        .map(|copy| (copy.len() as u64 * 16).next_multiple_of(64))
        .collect();
    let first = *starts.first().ok_or("nothing is to be copied")?;
    let mut place = match (first / UNIT * UNIT).checked_sub(how.place.into()) {
        Some(below) if below > 0 => below,
        // A program that is linked for the lowest addresses.
        _ => UNIT + u64::from(how.place),
    };
    let pages = place / PAGE * PAGE;
    let len = place - pages + rooms.iter().sum::<u64>() + PAGE;
    // What is written must not be at work.
    if std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count) != 1 {
        return Err("the program has started threads before it was asked for a path".into());
    }
    reserve(pages, len as usize)?;
    let mut blocks = Vec::new();
    for (copy, room) in copies.iter().zip(&rooms) {
        blocks.push(InstructionBlock::new(copy, place));
        place += room;
    }
    let encoded = BlockEncoder::encode_slice(64, &blocks, BlockEncoderOptions::NONE)
        .map_err(|e| format!("the copies cannot be encoded: {e}"))?;
    for (encoded, room) in encoded.iter().zip(&rooms) {
        let bytes = &encoded.code_buffer;
        if bytes.len() as u64 > *room {
            return Err(format!(
                "a copy has {} bytes, and room for {room}",
                bytes.len()
            ));
        }
        // SAFETY: `rip` lies in a fresh mapping that nobody else knows, and has `room` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), encoded.rip as *mut u8, bytes.len());
        }
    }
    // SAFETY: the whole of that mapping, which holds the copies by now. Nothing jumps to them yet.
    unsafe {
        region::protect(
            pages as *const u8,
            len as usize,
            region::Protection::READ_EXECUTE,
        )
    }
    .map_err(|e| format!("this system does not let copies be executed: {e}"))?;
    for (encoded, start) in encoded.iter().zip(&starts) {
        let distance = encoded.rip.wrapping_sub(start + JUMP as u64) as u32;
        let mut jump = [0xe9, 0, 0, 0, 0];
        jump[1..].copy_from_slice(&distance.to_le_bytes());
        // SAFETY: the function's first bytes are made writable before they are written; this process has one thread, which is not in the
        // function, and no branch leads into what is overwritten (`read` has followed all of them, and takes no function that jumps to
        // where a table says).
        unsafe {
            let target = *start as *mut u8;
            region::protect(target, JUMP, region::Protection::READ_WRITE_EXECUTE)
                .map_err(|e| format!("this system does not let code be written: {e}"))?;
            std::ptr::copy_nonoverlapping(jump.as_ptr(), target, JUMP);
            region::protect(target, JUMP, region::Protection::READ_EXECUTE)
                .map_err(|e| format!("code cannot be made what it was: {e}"))?;
        }
    }
    for (at, to) in &recipe.pointers {
        let (word, copy) = (
            at.wrapping_add(from) as *mut u64,
            encoded.get(*to).map(|of| of.rip),
        );
        let copy = copy.ok_or("a pointer to no copy")?;
        // SAFETY: an aligned word of this program's constants, which pointed to the function whose copy it now points to; made writable
        // before it is written. Who read it before calls the original, which jumps to the copy.
        unsafe {
            region::protect(word, 8, region::Protection::READ_WRITE)
                .map_err(|e| format!("this system does not let a constant be written: {e}"))?;
            word.write_volatile(copy);
            region::protect(word, 8, region::Protection::READ)
                .map_err(|e| format!("a constant cannot be made what it was: {e}"))?;
        }
    }
    // In another form, for they lie on the heap, where addresses are looked for.
    let moved: Vec<(u64, u64)> = starts
        .iter()
        .zip(&encoded)
        .map(|(start, copy)| (!start, copy.rip))
        .collect();
    drop((functions, starts, copies, encoded));
    redirect(&moved)
}

/// Has what the program keeps in variables and on its heap, closures and tables of functions, refer to copies. Each pair is the address
/// of a function, inverted, and that of its copy.
fn redirect(moved: &[(u64, u64)]) -> Result<(), String> {
    for range in variables()? {
        for at in (range.start..range.end).step_by(8) {
            let word = at as *mut u64;
            // SAFETY: an aligned word of what this process, which has one thread, can read and write. Only one that is the very address of
            // a function is changed, to that of the function's copy, which does the same.
            unsafe {
                let inverted = !word.read_volatile();
                if let Some((_, copy)) = moved.iter().find(|(start, _)| *start == inverted) {
                    word.write_volatile(*copy);
                }
            }
        }
    }
    Ok(())
}

/// The instructions of a copy, in all of its bodies. Each has an address of its own, far from all others, by which branches are found
/// again; so are calls of what is copied, too.
fn copied(
    all: &Instructions,
    starts: &[u64],
    hottest: Option<&Loop>,
    slow: Slow,
) -> Result<Vec<Instruction>, String> {
    let head = hottest.map(|of| of.head.wrapping_add(anchor()));
    let head = head.filter(|head| all.contains_key(head));
    let turns = hottest.map_or(1, |of| of.turns);
    let register = hottest.and_then(|of| of.register).unwrap_or_default();
    let register = REGISTERS[register as usize & 15];
    // Each body is to have its turn.
    let bodies = head.map_or(1, |_| u64::from(slow.bodies.min(turns).max(1)));
    let apart = |body: u64| (body + 1) << 48;
    let mut copy = Vec::new();
    for body in 0..bodies {
        for (at, instruction) in all {
            let mut of = *instruction;
            let mut own = at.wrapping_add(apart(body));
            if Some(*at) == head && body + 1 == bodies {
                for number in 0..slow.extra {
                    let lea = MemoryOperand::with_base(register);
                    let mut lea = Instruction::with2(Form::Lea_r64_m, register, lea)
                        .map_err(|e| format!("no instruction on {register:?}: {e}"))?;
                    // Who jumps to the head comes through all of them; no address is that of an instruction to which nobody jumps.
                    lea.set_ip(if number == 0 { own } else { 0 });
                    copy.push(lea);
                }
                if slow.extra > 0 {
                    own = own.wrapping_add(1 << 47);
                }
            }
            of.set_ip(own);
            if is_near(&of) {
                let target = instruction.near_branch_target();
                if all.contains_key(&target) && !is_call(&of) {
                    let back = Some(target) == head && *at >= target;
                    let next = if back { (body + 1) % bodies } else { body };
                    of.set_near_branch64(target.wrapping_add(apart(next)));
                } else if starts.contains(&target) {
                    of.set_near_branch64(target.wrapping_add(apart(0)));
                }
            }
            copy.push(of);
        }
    }
    Ok(copy)
}

/// Makes pages for the copies, where there are none.
fn reserve(at: u64, len: usize) -> Result<(), String> {
    let cannot =
        |e: &dyn std::fmt::Display| format!("no room for {len} bytes of copies at {at:#x}: {e}");
    let address = NonZeroUsize::new(at as usize).ok_or_else(|| cannot(&"no address"))?;
    let len = NonZeroUsize::new(len).ok_or_else(|| cannot(&"no copies"))?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE;
    // SAFETY: fresh pages that replace none.
    let mapped = unsafe { mmap_anonymous(Some(address), len, access, flags) };
    match mapped {
        Ok(mapped) if mapped.as_ptr() as u64 == at => Ok(()),
        Ok(_) => Err(cannot(&"the system put them elsewhere")),
        Err(e) => Err(cannot(&e)),
    }
}
