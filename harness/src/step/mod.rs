//! What one call executed, instruction by instruction: taken by the trap flag, attributed by address.
//!
//! ```text
//! trap        the CPU stops after every instruction of a window; the steps
//! code        whose code an address is, which function, which instruction, what CPU it needs
//! convention  what each call had to keep, and did not
//! ```

mod code;
mod convention;
mod trap;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};
use serde::{Deserialize, Serialize};

pub(crate) use code::{
    BASELINE, Code, Function, Owner, by, constant_offsets, decode, disassembled, features, implied,
    is_near_branch, rank, unlinked, variables,
};
pub(crate) use trap::{LIMIT, executable, proven};

use trap::Step;

/// Runs `call` in the window, where instructions are counted, or just so.
pub(crate) fn enter<R>(windowed: bool, call: impl FnOnce() -> R) -> R {
    through(windowed, trap::pathproof_window, call)
}

/// Runs `call` outside of the window that the caller is in, so that it is not counted.
pub(crate) fn leave<R>(windowed: bool, call: impl FnOnce() -> R) -> R {
    through(windowed, trap::pathproof_pause, call)
}

#[inline(always)]
fn through<R>(windowed: bool, door: fn(&mut dyn FnMut()), call: impl FnOnce() -> R) -> R {
    if !windowed {
        return call();
    }
    let (mut call, mut got) = (Some(call), None);
    door(&mut || got = call.take().map(|call| call()));
    got.expect("a door calls once")
}

/// The steps of the windows that were entered during a call.
pub(crate) struct Trace {
    steps: Vec<Step>,
    /// Whether they are all.
    whole: bool,
}

/// Takes the steps of the windows that `call` enters.
///
/// # Errors
/// Instructions cannot be stepped on this system, or `call` panicked outside of a path.
pub(crate) fn record(limit: usize, call: &mut dyn FnMut()) -> Result<Trace, String> {
    let mut steps = Vec::new();
    let whole = trap::record(&mut steps, limit, call)?;
    steps.shrink_to_fit();
    Ok(Trace { steps, whole })
}

/// The bytes at an address that the CPU has just executed from, at most 15, up to the end of the page or over it.
fn bytes_at(address: u64, over: bool) -> &'static [u8] {
    const PAGE: u64 = 4096;
    let len = if over {
        15
    } else {
        (PAGE - address % PAGE).min(15)
    };
    trap::executable(address, len as usize)
}

/// The instructions of this process, decoded once each.
#[derive(Default)]
struct Decoded(HashMap<u64, Instruction>);

impl Decoded {
    fn at(&mut self, address: u64) -> Instruction {
        *self
            .0
            .entry(address)
            .or_insert_with(|| code::decode(address))
    }
}

/// Executed instructions by address, a repeated one counted once.
#[derive(Default)]
struct Counts {
    of: BTreeMap<u64, u64>,
    repeats: BTreeMap<u64, u64>,
}

impl Counts {
    fn take_off(&mut self, overhead: &Counts) {
        for (counted, around) in [
            (&mut self.of, &overhead.of),
            (&mut self.repeats, &overhead.repeats),
        ] {
            for (at, count) in around {
                if let Some(counted) = counted.get_mut(at) {
                    *counted = counted.saturating_sub(*count);
                }
            }
            counted.retain(|_, count| *count > 0);
        }
    }
}

impl Trace {
    fn counts(&self, decoded: &mut Decoded) -> Counts {
        let mut counts = Counts::default();
        let mut before = 0;
        for step in &self.steps {
            let repeated = step.at == before && {
                let instruction = decoded.at(step.at);
                instruction.has_rep_prefix() || instruction.has_repne_prefix()
            };
            let of = if repeated {
                &mut counts.repeats
            } else {
                &mut counts.of
            };
            *of.entry(step.at).or_default() += 1;
            before = step.at;
        }
        counts
    }

    /// The addresses of this program's own code that were executed.
    pub(crate) fn addresses(&self, code: &Code) -> Vec<u64> {
        let mut all: Vec<u64> = self
            .steps
            .iter()
            .map(|step| step.at)
            .filter(|at| code.owner(*at) == Owner::Own)
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The steps in this program's own code, but for those at addresses that are in `around` too: what the harness executes around a
    /// call. An instruction that repeats itself is one step.
    fn own<'a>(&'a self, code: &'a Code, around: &Trace) -> impl Iterator<Item = u64> + 'a {
        let harness: BTreeSet<u64> = around.steps.iter().map(|step| step.at).collect();
        let before = [0].into_iter().chain(self.steps.iter().map(|step| step.at));
        let steps = self.steps.iter().map(|step| step.at).zip(before);
        steps
            .filter(|(at, before)| at != before)
            .map(|(at, _)| at)
            .filter(move |at| !harness.contains(at) && code.owner(*at) == Owner::Own)
    }

    /// A name of the program's own instructions in the order in which they were executed, without what the linker decides about them:
    /// equal sequences have equal names. Where a constant lies is the linker's, but not whether it is aligned to its own size. None
    /// where the steps are not all.
    pub(crate) fn sequence(&self, code: &Code, around: &Trace) -> Option<u64> {
        const NAMES: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);
        let mut named: HashMap<u64, [u8; 8]> = HashMap::new();
        let mut digest = NAMES.digest();
        for at in self.own(code, around) {
            let name = named.entry(at).or_insert_with(|| {
                let instruction = code::decode(at);
                let mut name = unlinked(&instruction, executable(at, instruction.len()));
                name.push(u8::from(is_astray(&instruction)));
                NAMES.checksum(&name).to_le_bytes()
            });
            digest.update(&*name);
        }
        self.whole.then(|| digest.finalize())
    }

    /// The function in which most of them are, and where it lies in the program's file.
    pub(crate) fn most_executed(&self, code: &mut Code, around: &Trace) -> Option<(String, u64)> {
        let steps = by(self.own(code, around).map(|at| (at, 1)));
        let functions = steps
            .into_iter()
            .filter_map(|(at, count)| Some((code.function(at)?, count)));
        let functions = by(functions.collect::<Vec<_>>());
        let (function, _) = functions.into_iter().max_by_key(|(_, count)| *count)?;
        let at = code.in_file(function.start);
        Some((function.name, at))
    }

    /// The functions in which they are, in the order in which they were first entered.
    pub(crate) fn entered(&self, code: &mut Code, around: &Trace) -> Vec<Function> {
        let mut steps: Vec<u64> = Vec::new();
        let mut known = BTreeSet::new();
        for at in self.own(code, around) {
            if known.insert(at) {
                steps.push(at);
            }
        }
        let mut functions: Vec<Function> = Vec::new();
        for function in steps.into_iter().filter_map(|at| code.function(at)) {
            if !functions.contains(&function) {
                functions.push(function);
            }
        }
        functions
    }

    /// Whether the steps are all that there were.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many of the program's own instructions were executed at such addresses, and how many at all.
    pub(crate) fn share(
        &self,
        code: &Code,
        around: &Trace,
        at: &dyn Fn(u64) -> bool,
    ) -> (u64, u64) {
        let own = self.own(code, around);
        own.fold((0, 0), |(inside, all), step| {
            (inside + u64::from(at(step)), all + 1)
        })
    }

    /// How often the instruction at an address was executed.
    pub(crate) fn count(&self, address: u64) -> u32 {
        self.steps.iter().filter(|step| step.at == address).count() as u32
    }

    /// The loop of the program's own code in which most instructions were executed: its first one, and the jump back.
    pub(crate) fn hottest_loop(&self, code: &Code, around: &Trace) -> Option<(u64, u64)> {
        let own: Vec<(u64, u64)> = by(self.own(code, around).map(|at| (at, 1)))
            .into_iter()
            .collect();
        hottest(&own, self, code, &mut Decoded::default())
    }

    /// The conditional jumps that were taken at least once.
    pub(crate) fn taken(&self) -> BTreeSet<u64> {
        let mut decoded = Decoded::default();
        let mut jumps = BTreeSet::new();
        for pair in self.steps.windows(2) {
            let instruction = decoded.at(pair[0].at);
            if instruction.flow_control() == FlowControl::ConditionalBranch
                && pair[1].at != instruction.next_ip()
            {
                jumps.insert(pair[0].at);
            }
        }
        jumps
    }

    /// Every byte of this program's constants that an instruction in `sites` read, with the instruction.
    pub(crate) fn constants(&self, code: &Code, sites: &dyn Fn(u64) -> bool) -> BTreeMap<u64, u64> {
        let (mut decoded, mut read) = (Decoded::default(), BTreeMap::new());
        for step in self.steps.iter().filter(|step| sites(step.at)) {
            let instruction = decoded.at(step.at);
            let reads = !matches!(
                instruction.flow_control(),
                FlowControl::IndirectCall | FlowControl::IndirectBranch
            ) && instruction.mnemonic() != Mnemonic::Lea;
            let Some(operand) =
                (0..instruction.op_count()).find(|op| instruction.op_kind(*op) == OpKind::Memory)
            else {
                continue;
            };
            let address =
                instruction.virtual_address(operand, 0, |register, _, _| step.register(register));
            if let (true, Some(address)) = (reads, address) {
                for byte in address..address.saturating_add(instruction.memory_size().size() as u64)
                {
                    if code.is_constant(byte) {
                        read.entry(byte).or_insert(step.at);
                    }
                }
            }
        }
        read
    }
}

/// Whether it reads a constant that is not aligned to its size, and so takes longer where that reaches into another line of the cache.
fn is_astray(instruction: &Instruction) -> bool {
    let size = instruction.memory_size().size() as u64;
    instruction.is_ip_rel_memory_operand()
        && size.is_power_of_two()
        && !instruction.ip_rel_memory_address().is_multiple_of(size)
}

impl Step {
    fn register(&self, register: Register) -> Option<u64> {
        match register {
            // The bases of segments that are flat; fs and gs are a thread's own and hold no constant.
            Register::CS | Register::DS | Register::ES | Register::SS => Some(0),
            register if register.is_gpr64() => Some(self.registers[register.number()]),
            register if register.is_gpr32() => {
                Some(self.registers[register.number()] & 0xffff_ffff)
            }
            _ => None,
        }
    }
}

/// What one call of a path executed, without what the harness executes around it. It can travel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Executed {
    /// Whether the steps ended before the call did; and whether that was in a library, so that they say little of the path.
    pub(crate) cut: bool,
    pub(crate) cut_elsewhere: bool,
    /// The program's own instructions; the same by the rarest CPU feature of each, and by mnemonic.
    pub(crate) own: u64,
    pub(crate) features: BTreeMap<String, u64>,
    pub(crate) mnemonics: BTreeMap<String, u64>,
    /// For every CPU feature, the first instruction that needs it.
    pub(crate) needs: BTreeMap<String, String>,
    /// Instructions of libraries, by CPU feature.
    pub(crate) elsewhere: BTreeMap<String, u64>,
    /// How often instructions with a `rep` prefix repeated themselves.
    pub(crate) repeats: u64,
    /// Mnemonics of the loop in which most instructions were executed.
    pub(crate) hot_loop: Vec<String>,
    /// Functions of the program, the one with the most instructions first.
    pub(crate) functions: Vec<String>,
    /// The program's own instructions by source line and form.
    pub(crate) profile: BTreeMap<String, u64>,
    pub(crate) allocations: u64,
    pub(crate) allocated: u64,
    /// The allocator's functions that were entered, freeing included.
    pub(crate) allocator: Vec<String>,
    /// Bytes that memcpy and memmove were asked to move; and, for each number of bytes, how many calls were asked to move it.
    pub(crate) copied: u64,
    pub(crate) copies: BTreeMap<u64, u64>,
    /// What calls had to keep and did not.
    pub(crate) broken: Vec<String>,
}

/// Reads a trace: everything that it says beyond the trace of an empty path. Without `sources`, not what only line tables say:
/// `needs` and `profile` are empty.
pub(crate) fn read(code: &mut Code, trace: &Trace, empty: &Trace, sources: bool) -> Executed {
    let mut decoded = Decoded::default();
    let mut counts = trace.counts(&mut decoded);
    counts.take_off(&empty.counts(&mut decoded));
    let (own, elsewhere): (Vec<_>, Vec<_>) = counts
        .of
        .iter()
        .map(|(at, count)| (*at, *count))
        .partition(|(at, _)| code.owner(*at) == Owner::Own);
    let rarest = |instruction: &Instruction| {
        features(instruction)
            .last()
            .map_or(BASELINE, |f| *f)
            .to_string()
    };
    let functions = by(own
        .iter()
        .filter_map(|(at, count)| Some((code.function(*at)?, *count))));
    let mut functions: Vec<(Function, u64)> = functions.into_iter().collect();
    functions.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut executed = Executed {
        cut: !trace.whole,
        cut_elsewhere: !trace.whole
            && trace
                .steps
                .last()
                .is_some_and(|step| code.owner(step.at) == Owner::Elsewhere),
        own: own.iter().map(|(_, count)| count).sum(),
        features: by(own
            .iter()
            .map(|(at, count)| (rarest(&decoded.at(*at)), *count))),
        mnemonics: by(own
            .iter()
            .map(|(at, count)| (mnemonic(&decoded.at(*at)), *count))),
        elsewhere: by(elsewhere
            .iter()
            .map(|(at, count)| (rarest(&decoded.at(*at)), *count))),
        repeats: counts.repeats.values().sum(),
        hot_loop: hot_loop(&own, trace, code, &mut decoded),
        functions: functions
            .into_iter()
            .map(|(function, _)| function.name)
            .collect(),
        broken: convention::broken(trace, code, &mut decoded),
        ..Executed::default()
    };
    if sources {
        executed.profile = profile(code, &own, &mut decoded);
        for (at, _) in &own {
            let instruction = decoded.at(*at);
            for feature in features(&instruction) {
                executed
                    .needs
                    .entry(feature.into())
                    .or_insert_with(|| code.shown(&instruction));
            }
        }
    }
    of_libc(trace, empty, &mut executed);
    executed
}

/// Eight bytes of this program's constants, which are all there.
fn word_at(address: u64) -> u64 {
    let bytes = executable(address, 8).try_into();
    bytes.map_or(0, u64::from_le_bytes)
}

/// A byte of this program's constants.
pub(crate) fn byte_at(address: u64) -> u8 {
    executable(address, 1).first().copied().unwrap_or_default()
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// The mnemonic as assemblers write it.
fn mnemonic(instruction: &Instruction) -> String {
    format!("{:?}", instruction.mnemonic()).to_lowercase()
}

/// Enters the calls of libc's allocator and of its copying.
fn of_libc(trace: &Trace, empty: &Trace, executed: &mut Executed) {
    use trap::Libc;
    let known = trap::libc();
    let calls = |trace: &Trace| -> Vec<(&'static str, Libc, u64)> {
        let mut calls = Vec::new();
        for step in &trace.steps {
            for (name, address, what) in &known {
                if step.at == *address {
                    calls.push((*name, *what, what.bytes(&step.registers)));
                    // memcpy and memmove may be one function.
                    break;
                }
            }
        }
        calls
    };
    let mut of_empty = calls(empty);
    for call @ (name, what, bytes) in calls(trace) {
        if let Some(same) = of_empty.iter().position(|known| *known == call) {
            of_empty.swap_remove(same);
            continue;
        }
        match what {
            Libc::Copies => {
                executed.copied += bytes;
                *executed.copies.entry(bytes).or_default() += 1;
            }
            Libc::Allocates
            | Libc::AllocatesArray
            | Libc::Reallocates
            | Libc::AllocatesAligned
            | Libc::AllocatesInto => {
                executed.allocations += 1;
                executed.allocated += bytes;
                executed.allocator.push(name.into());
            }
            Libc::Frees => executed.allocator.push(name.into()),
        }
    }
    executed.allocator.sort_unstable();
    executed.allocator.dedup();
}

/// The program's own instructions by the client's line and the form of the instruction: what two paths that run the same code
/// have in common, inlined or not, and what two instances of one generic kernel have not, for their registers differ.
fn profile(code: &mut Code, own: &[(u64, u64)], decoded: &mut Decoded) -> BTreeMap<String, u64> {
    by(own.iter().map(|(at, count)| {
        (
            format!("{} {:?}", code.line(*at), decoded.at(*at).code()),
            *count,
        )
    }))
}

/// The loop in which most instructions were executed: from the target of a jump back to the jump.
fn hot_loop(own: &[(u64, u64)], trace: &Trace, code: &Code, decoded: &mut Decoded) -> Vec<String> {
    let Some(range) = hottest(own, trace, code, decoded) else {
        return Vec::new();
    };
    body(own, range)
        .map(|(at, _)| mnemonic(&decoded.at(*at)))
        .collect()
}

/// The loop in which most instructions were executed.
fn hottest(
    own: &[(u64, u64)],
    trace: &Trace,
    code: &Code,
    decoded: &mut Decoded,
) -> Option<Range64> {
    let mut jumps: BTreeMap<Range64, u64> = BTreeMap::new();
    for pair in trace.steps.windows(2) {
        let (from, to) = (pair[0].at, pair[1].at);
        let back = to < from && code.owner(from) == Owner::Own && code.owner(to) == Owner::Own;
        if back
            && matches!(
                decoded.at(from).flow_control(),
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
            )
        {
            *jumps.entry((to, from)).or_default() += 1;
        }
    }
    let hottest = jumps
        .into_iter()
        .max_by_key(|(range, turns)| turns * body(own, *range).count() as u64);
    hottest.map(|(range, _)| range)
}

/// The instructions of a loop.
fn body(own: &[(u64, u64)], (to, from): Range64) -> impl Iterator<Item = &(u64, u64)> {
    own.iter().filter(move |(at, _)| (to..=from).contains(at))
}

/// The target of a jump back, and the jump.
type Range64 = (u64, u64);

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn nothing() {}

    fn trace(call: impl Fn()) -> Trace {
        record(LIMIT, &mut || enter(true, &call)).unwrap()
    }

    #[test]
    fn stepping_is_exact_and_repeats_itself() {
        proven().unwrap();
        let mut code = Code::of_this_program().unwrap();
        let empty = trace(|| {});
        let counts: Vec<u64> = (0..3)
            .map(|_| {
                let data = std::hint::black_box([3u8; 100]);
                let sum = std::cell::Cell::new(0u64);
                let trace = trace(|| sum.set(data.iter().map(|b| u64::from(*b)).sum()));
                assert_eq!(sum.get(), 300);
                read(&mut code, &trace, &empty, false).own
            })
            .collect();
        assert!(
            counts[0] > 5 && counts.iter().all(|count| *count == counts[0]),
            "{counts:?}"
        );
    }

    #[test]
    fn allocations_and_copies_are_seen_with_their_sizes() {
        let mut code = Code::of_this_program().unwrap();
        let empty = trace(nothing);
        let bytes = std::hint::black_box(vec![1u8; 1000]);
        let executed = read(
            &mut code,
            &trace(|| drop(std::hint::black_box(bytes.clone()))),
            &empty,
            false,
        );
        assert_eq!(
            (executed.allocations, executed.allocated, executed.copied),
            (1, 1000, 1000)
        );
        assert!(
            executed.allocator.iter().any(|name| name == "free"),
            "{:?}",
            executed.allocator
        );
        assert!(executed.elsewhere.values().sum::<u64>() > 0);
        let nothing = read(&mut code, &trace(nothing), &empty, false);
        assert_eq!((nothing.own, nothing.allocations), (0, 0));
    }

    #[test]
    fn a_pause_is_not_counted() {
        let mut code = Code::of_this_program().unwrap();
        let empty = trace(|| leave(true, || {}));
        let paused = trace(|| leave(true, || drop(std::hint::black_box(vec![1u8; 64]))));
        assert_eq!(read(&mut code, &paused, &empty, false).allocations, 0);
    }

    #[test]
    fn a_call_that_unwinds_leaves_the_window() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let trace = record(LIMIT, &mut || {
            let _ = std::panic::catch_unwind(|| enter(true, || panic!("out")));
        });
        std::panic::set_hook(hook);
        // What follows is not stepped: the loop would be more than all that may be noted.
        let steps = trace.unwrap().steps.len();
        assert!(steps > 0 && steps <= LIMIT);
        assert!(
            !record(LIMIT, &mut || {})
                .unwrap()
                .steps
                .iter()
                .any(|step| step.at != 0)
        );
    }

    #[test]
    fn what_is_longer_than_the_limit_is_cut_and_runs_to_its_end() {
        let turns = std::cell::Cell::new(0);
        let trace =
            trace(|| (0..LIMIT).for_each(|_| turns.set(std::hint::black_box(turns.get() + 1))));
        assert_eq!(
            (trace.whole, trace.steps.len(), turns.get()),
            (false, LIMIT, LIMIT)
        );
    }
}
