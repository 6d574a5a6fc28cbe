//! The command line: one file per verb.

#[cfg(target_os = "linux")]
mod calibrate;
mod call;
#[cfg(target_os = "linux")]
mod compare;
mod count;
mod doctor;
mod fuzz;
mod gate;
mod list;
mod mutate;
mod of_case;
mod receipt;
mod replay;
mod report;
mod seeds;
mod session;
mod time;
mod vectors;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::count::Tolerances;
use crate::ledger::exit;
use crate::operation::{self, Operation};
use crate::pair;
use crate::plan::Settings;
use crate::worker::{self, Launch};

const EXIT_CODES: &str = "\
Exit codes: 0 all that was asked holds; 1 a mismatch, a crash or another finding; 2 wrong use, or the harness itself failed; \
3 slower, or more instructions, than the policy allows; 4 nothing ran, or a required path did not; 5 inconclusive, where that was \
asked to be a failure. Several at once: 2, then 1, 4, 3, 5.

FILTER is a glob over the paths' names, OPERATION/ISA/DELIVERY: 'q64_decode', '*/avx2/*', 'q64_*/*/fills'. \
One that matches nothing is exit 4.";

/// Checks that every code path of a codec gives the same bytes as an independent reference.
///
/// Without a verb: `run`.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    common: Common,
}

/// What every verb takes.
#[derive(Args, Clone)]
struct Common {
    /// The form of what is printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, env = "PATHPROOF_FORMAT")]
    format: Format,
    /// Write what would be printed to this file.
    #[arg(short, long, global = true, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Colours on the terminal.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, env = "PATHPROOF_COLOR")]
    color: Color,
    /// Nothing on stderr but errors.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal.
    Text,
    /// The records, one JSON object a line, written as they are made.
    Json,
    /// Markdown, as for a pull request or a step summary.
    Md,
    /// JUnit XML: one test case per path.
    Junit,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Verb {
    /// The main job: look at the machine, verify every path, write the records and the page.
    Run {
        #[command(flatten)]
        verify: VerifyArgs,
        /// Where records.jsonl and index.html go; by default `harness` in cargo's target folder.
        #[arg(long, value_name = "DIR", env = "PATHPROOF_OUT")]
        out: Option<PathBuf>,
    },
    /// Operations and paths, and what cannot run here and why.
    List {
        /// Which paths; all by default.
        filter: Option<String>,
        /// Only the names of the paths, one a line, for `verify --promised`.
        #[arg(long)]
        names: bool,
    },
    /// What this machine can prove, and how noisy it is.
    Doctor,
    /// Every path against the reference, in guarded memory; a ledger at the end.
    Verify {
        #[command(flatten)]
        verify: VerifyArgs,
    },
    /// Which instructions each path executes, by CPU feature and length class, and whether that is what it promises.
    Receipt {
        /// Which paths; all by default. Or a case's token: what each path executes on that very case.
        filter: Option<String>,
        #[command(flatten)]
        limits: Limits,
    },
    /// How many instructions a call of each path and peer executes, exactly; what 64 bytes more cost, and what every call does.
    Count {
        /// Which paths; all by default. Or a case's token: what each path executes on that very case.
        filter: Option<String>,
        /// Plain bytes a call, beside the eight lengths of the closed form, 512 to 4096; by default 64, 384, 768, 1536 and 4096.
        #[arg(
            long,
            value_delimiter = ',',
            value_name = "BYTES,…",
            env = "PATHPROOF_SIZES"
        )]
        sizes: Vec<usize>,
        /// Records to hold the counts against: exit 3 where a path executes more, with the mnemonics that were added.
        #[arg(long, value_name = "FILE", env = "PATHPROOF_BASE")]
        base: Option<PathBuf>,
        /// By how much a count may exceed the base's, in percent; and of single operations, as in 0,q64_encode=0.5.
        #[arg(
            long,
            default_value = "0",
            value_name = "PERCENT",
            env = "PATHPROOF_TOLERANCE"
        )]
        tolerance: String,
        #[command(flatten)]
        limits: Limits,
    },
    /// One path called once in this very process, for a profiler, on the bytes that `count` takes.
    #[command(after_help = call::PROFILERS)]
    Call {
        /// The path, OPERATION/ISA/DELIVERY.
        path: String,
        /// Plain bytes.
        length: usize,
        /// Call a path that does nothing, in the same way: what remains is the window itself.
        #[arg(long)]
        empty: bool,
    },
    /// Whether the verification would notice if a path were wrong: its machine code is changed, one instruction or constant at a
    /// time, and verified. Ends with a score for every path, and the changes that nobody noticed.
    Mutate(#[command(flatten)] MutateArgs),
    /// One case again, from its token alone.
    Replay(#[command(flatten)] ReplayArgs),
    /// A fuzz target, run for a while: what each path took, and what was found. The target is a program that `cargo fuzz build`
    /// made, named after its operation; everything behind `--` goes to its engine.
    Fuzz(#[command(flatten)] FuzzArgs),
    /// Inputs for fuzz targets to begin with, one folder for each operation: rows of real data, all swept values and kinds of places,
    /// and known answers.
    Seeds {
        /// Where the folders go.
        folder: PathBuf,
        /// A file of known answers, as for `vectors`.
        #[arg(long, value_name = "FILE")]
        known: Option<PathBuf>,
    },
    /// Known answers, against the reference and every path.
    Vectors {
        /// A JSON file of known answers; METHODOLOGY.md describes the form.
        file: PathBuf,
        /// Which paths; all by default.
        filter: Option<String>,
        #[command(flatten)]
        limits: Limits,
    },
    /// Times of the selected paths, their peers and their scalar siblings, after each has agreed on the very input. All sizes of
    /// all paths take minutes; a bar on the terminal says how many.
    Time {
        /// Which paths; all by default.
        filter: Option<String>,
        /// Plain bytes a call; by default 64, 384, 768, 1536, 4096, 65536, 1 MiB and 64 MiB, unless loads are named.
        #[arg(
            long,
            value_delimiter = ',',
            value_name = "BYTES,…",
            env = "PATHPROOF_SIZES"
        )]
        sizes: Vec<usize>,
        /// A load of the client's, by its name; by default all of them, unless sizes are named.
        #[arg(long = "load", value_name = "NAME")]
        loads: Vec<String>,
        /// What inputs and placements are drawn from.
        #[arg(long, default_value_t = 1, env = "PATHPROOF_SEED")]
        seed: u64,
    },
    /// Two paths of an operation, or each path and what it was at another revision: slower, faster, same, or inconclusive, with an
    /// interval and the least effect that would have been seen. Sides take turns on one core, in fresh processes and in one arena,
    /// after each has agreed with its reference.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(#[command(flatten)] CompareArgs),
    /// How often a comparison on this machine is wrong: equal code whose links lie elsewhere, and copies of paths in whose loops
    /// instructions were added, both compared as `compare` does. Exit 1 where it cries wolf, 5 where none of the equal code has a verdict.
    Calibrate(#[command(flatten)] CalibrateArgs),
    /// What a policy asks for, in one table with one verdict: verification, required and promised paths, receipts, exact counts, times
    /// against a base, mutation scores. What was slower is measured once more before it fails.
    #[command(after_help = GATE_HELP)]
    Gate(#[command(flatten)] GateArgs),
    /// Records again, as a page (and as the chosen format on stdout). Exit 0 whatever the records say: it is they that were read.
    Report {
        /// Records that `run` or `--format json` wrote.
        #[arg(required = true)]
        records: Vec<PathBuf>,
        /// The page to write; index.html beside the first records by default.
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
}

#[derive(Args, Clone)]
struct VerifyArgs {
    /// Which paths; all by default.
    filter: Option<String>,
    /// ISAs of which every path must have been verified, or paths by their whole name, or exit 4.
    #[arg(
        long,
        value_name = "ISA,…",
        value_delimiter = ',',
        env = "PATHPROOF_REQUIRE"
    )]
    require: Vec<String>,
    /// Paths that this program must have, whether or not they can run here, or exit 4: a file of their whole names, one a line. `list
    /// --names` writes one.
    #[arg(long, value_name = "FILE", env = "PATHPROOF_PROMISED")]
    promised: Option<PathBuf>,
    /// Exit 4 where a path has no receipt, also where none can be had.
    #[arg(long, env = "PATHPROOF_REQUIRE_RECEIPTS", value_parser = FalseyValueParser::new())]
    require_receipts: bool,
    /// Also all 2^16 pairs of bytes at every even offset of a block (for texts: of characters, at every offset).
    #[arg(long, env = "PATHPROOF_EXHAUSTIVE", value_parser = FalseyValueParser::new())]
    exhaustive: bool,
    /// Only one part of the cases: the I-th of N (1-based); all N parts of one --seed together are exactly the whole.
    #[arg(long, value_name = "I/N", env = "PATHPROOF_SHARD")]
    shard: Option<String>,
    /// What all cases are drawn from; drawn from the clock by default, and always printed.
    #[arg(long, env = "PATHPROOF_SEED")]
    seed: Option<u64>,
    /// Your own data: a file, and the bytes of a row.
    #[arg(long, value_name = "FILE:ROW", env = "PATHPROOF_DATA")]
    data: Option<String>,
    /// Random cases per operation.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(..=10_000_000), env = "PATHPROOF_CASES")]
    cases: u64,
    /// Workers at a time; as many as cores by default.
    #[arg(long, env = "PATHPROOF_JOBS")]
    jobs: Option<usize>,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Args, Clone)]
struct MutateArgs {
    /// Which paths; all by default.
    filter: Option<String>,
    /// Leave a check out, such as `aligned`: what the score loses by it is what the check is good for.
    #[arg(long, value_delimiter = ',', value_name = "CHECK,…")]
    without: Vec<String>,
    /// Compute the answers after each change, not before: a reference that shares code or tables with a path then changes, too,
    /// and notices less.
    #[arg(long)]
    answers_after: bool,
    /// Only share I of N of the mutants, as in 2/4: a sample, for less time. All shares of one program together are exactly the whole.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Write the survivors to this file, in the form that the client's list of accepted ones has; reasons that are known go along.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// What all cases are drawn from: always the same by default, so that the same mutants live.
    #[arg(long, default_value_t = 1, env = "PATHPROOF_SEED")]
    seed: u64,
    /// Random cases per operation.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(..=100_000), env = "PATHPROOF_CASES")]
    cases: u64,
    /// Workers at a time; as many as cores by default.
    #[arg(long, env = "PATHPROOF_JOBS")]
    jobs: Option<usize>,
    #[command(flatten)]
    limits: Limits,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  compare q64_encode/ssse3/fills q64_encode/avx2/fills     the second against the first, which is the base
  compare q64_encode/base64-simd/fills q64_encode/avx2/fills --sizes 64,4096     a path against a peer
  compare --base origin/main     every path against itself, where this branch parts from origin/main
  compare 'q64_*/avx2/*' --base-bin old/q64-paths     against another build of this program";

#[derive(Args, Clone)]
struct CompareArgs {
    /// The base: a path or peer, OPERATION/ISA/DELIVERY. With --base or --base-bin: a FILTER, which paths; all by default.
    path: Option<String>,
    /// The head, which is compared with it.
    head: Option<String>,
    /// Compare with a revision: where HEAD parts from it. It is built with the same toolchain, in a folder of its own.
    #[arg(
        long,
        value_name = "REV",
        conflicts_with = "base_bin",
        env = "PATHPROOF_BASE_REV"
    )]
    base: Option<String>,
    /// Compare with another build of this program.
    #[arg(long, value_name = "FILE")]
    base_bin: Option<PathBuf>,
    /// With --base: the shell command that builds this program there, and says so in cargo's JSON; by default `cargo build --release -p
    /// $CARGO_PKG_NAME --message-format=json`.
    #[arg(long, value_name = "CMD", requires = "base", env = "PATHPROOF_BUILD")]
    build: Option<String>,
    /// A base that has no such path, or no harness, is no error. One whose path crashes or is wrong has no verdict.
    #[arg(long, env = "PATHPROOF_ALLOW_NO_BASE", value_parser = FalseyValueParser::new())]
    allow_no_base: bool,
    /// How much is still the same.
    #[arg(
        long,
        default_value_t = 1.0,
        value_name = "PERCENT",
        env = "PATHPROOF_MARGIN"
    )]
    margin: f64,
    /// Seconds that a row may be measured before it is inconclusive; making its input and verifying it come before.
    #[arg(
        long,
        default_value_t = 5.0,
        value_name = "SECONDS",
        env = "PATHPROOF_BUDGET"
    )]
    budget: f64,
    /// Seconds after which no row is begun; those that are not reached are inconclusive.
    #[arg(long, value_name = "SECONDS", env = "PATHPROOF_WITHIN")]
    within: Option<f64>,
    /// Plain bytes a call; by default 768 and 4096.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "BYTES,…",
        env = "PATHPROOF_SIZES"
    )]
    sizes: Vec<usize>,
    /// A load of the client's, by its name.
    #[arg(long = "load", value_name = "NAME")]
    loads: Vec<String>,
    /// Link each side anew so many times, its functions in another order, draw every epoch of those, and leave code where it was
    /// linked: how much of a difference is where code lies, and no verdict of one layout.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=16))]
    layouts: Option<u32>,
    /// Leave code where it was linked. Else each side calls its path as a copy, all at the same place of a page and at another one in
    /// every epoch (x86-64), for a linker's choice is no difference between two versions.
    #[arg(long)]
    as_linked: bool,
    /// Exit 5 where any row has no verdict; without it, where none has one.
    #[arg(long, env = "PATHPROOF_FAIL_INCONCLUSIVE", value_parser = FalseyValueParser::new())]
    fail_inconclusive: bool,
    /// The core that all sides share; the one that has least to do by default.
    #[arg(long, value_name = "N", env = "PATHPROOF_CORE")]
    core: Option<usize>,
    /// What inputs and placements are drawn from; drawn from the clock by default, and always printed.
    #[arg(long, env = "PATHPROOF_SEED")]
    seed: Option<u64>,
}

#[derive(Args, Clone)]
struct CalibrateArgs {
    /// Which paths; all by default.
    filter: Option<String>,
    /// Of how many paths and sizes at most, spread evenly over all that match.
    #[arg(long, default_value_t = 6, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    rows: usize,
    /// Comparisons of equal code, over all rows together.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    nulls: u32,
    /// Effects that are planted.
    #[arg(long, value_delimiter = ',', value_name = "PERCENT,…", default_values_t = [1.0, 2.0, 3.0, 5.0, 10.0])]
    effects: Vec<f64>,
    /// Comparisons of each effect, over all rows together; 0 for none. `compare` believes no fewer than 20.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    each: u32,
    /// How much is still the same; half of an effect, where that is less.
    #[arg(
        long,
        default_value_t = 1.0,
        value_name = "PERCENT",
        env = "PATHPROOF_MARGIN"
    )]
    margin: f64,
    /// Plain bytes a call; by default 768 and 4096.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "BYTES,…",
        env = "PATHPROOF_SIZES"
    )]
    sizes: Vec<usize>,
    /// What else the machine does meanwhile, in your words: it is kept with the rates.
    #[arg(long, default_value = "as it was", value_name = "TEXT")]
    condition: String,
    /// `paired`, as `compare` does it, or without one thing, to see what that is good for: `private-arena`, `as-linked`,
    /// `drawn-addresses`, `one-placement`, `one-process`, `in-sequence`, `three-rounds`.
    #[arg(long, default_value = "paired", value_name = "NAME")]
    method: String,
    /// Compare this program with itself, not links of it that lie elsewhere.
    #[arg(long)]
    one_link: bool,
    /// Seconds that a comparison may take before it is inconclusive.
    #[arg(
        long,
        default_value_t = 5.0,
        value_name = "SECONDS",
        env = "PATHPROOF_BUDGET"
    )]
    budget: f64,
    /// Where the records go; by default calibration.jsonl in `harness` in cargo's target folder, when all is done. `compare` reads it
    /// there, and refuses a margin that it does not support. Those of another method go to calibration-METHOD.jsonl.
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// The core that all sides share; the one that has least to do by default.
    #[arg(long, value_name = "N", env = "PATHPROOF_CORE")]
    core: Option<usize>,
    /// What inputs and placements are drawn from; drawn from the clock by default, and always printed.
    #[arg(long, env = "PATHPROOF_SEED")]
    seed: Option<u64>,
}

const GATE_HELP: &str = "\
The policy is a TOML file; ADOPTING.md tells of every key. The shortest that checks anything:
  [verification]
  require = [\"avx2\"]
Records of each part, the page, summary.md and junit.xml go to --out; where GITHUB_STEP_SUMMARY and GITHUB_ACTIONS are set, a summary and
annotations to GitHub.";

#[derive(Args, Clone)]
struct GateArgs {
    /// What is asked for.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "ci/gate.toml",
        env = "PATHPROOF_POLICY"
    )]
    policy: PathBuf,
    /// The revision with which times, and counts without records, are compared: where HEAD parts from it.
    #[arg(
        long,
        value_name = "REV",
        conflicts_with = "base_bin",
        env = "PATHPROOF_BASE_REV"
    )]
    base: Option<String>,
    /// Another build of this program instead.
    #[arg(long, value_name = "FILE")]
    base_bin: Option<PathBuf>,
    /// ISAs, or paths by their whole name, that must have been verified on this machine, beyond those of the policy.
    #[arg(
        long,
        value_name = "ISA,…",
        value_delimiter = ',',
        env = "PATHPROOF_REQUIRE"
    )]
    require: Vec<String>,
    /// Only these sections of the policy: verification, counts, times, mutation.
    #[arg(long, value_name = "CHECK,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Where records, page, summary and JUnit file go; by default `harness/gate` in cargo's target folder.
    #[arg(long, value_name = "DIR", env = "PATHPROOF_OUT")]
    out: Option<PathBuf>,
    /// What cases, inputs and placements are drawn from; drawn from the clock by default, and always printed.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), env = "PATHPROOF_SEED")]
    seed: Option<u32>,
}

#[derive(Args, Clone)]
struct ReplayArgs {
    /// What a finding printed.
    #[arg(required_unless_present = "input")]
    token: Option<String>,
    /// A glob over the paths' names; all paths of the operation by default.
    path: Option<String>,
    /// A fuzzer's input instead of a token, as it left one behind when a path died: `--input q64_decode crash-1234 [PATH]`.
    #[arg(long, num_args = 2, value_names = ["OPERATION", "FILE"])]
    input: Option<Vec<String>>,
    /// With --input: from how many plain bytes the target made a case at most.
    #[arg(long, default_value_t = crate::fuzz::USUAL_LONGEST, value_name = "BYTES", env = "PATHPROOF_LONGEST")]
    longest: usize,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Args, Clone)]
struct FuzzArgs {
    /// The target's program.
    target: PathBuf,
    /// Folders of inputs to begin with; new ones are written to the first.
    corpus: Vec<PathBuf>,
    /// For how long.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=604_800), env = "PATHPROOF_SECONDS")]
    seconds: u64,
    /// What the engine draws from; drawn from the clock by default, and always printed.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), env = "PATHPROOF_SEED")]
    seed: Option<u32>,
    /// The longest input, in bytes, and the most plain bytes that a case is made from.
    #[arg(
        long,
        default_value_t = crate::fuzz::USUAL_LONGEST as u64,
        value_parser = clap::value_parser!(u64).range(1..=268_435_456),
        value_name = "BYTES",
        env = "PATHPROOF_LONGEST"
    )]
    longest: u64,
    /// The only paths that are called, as `avx2/fills`: all others, say, than those of which a finding is known.
    #[arg(
        long,
        value_name = "ISA/DELIVERY,…",
        value_delimiter = ',',
        env = "PATHPROOF_ONLY"
    )]
    only: Vec<String>,
    /// ISAs of which every path must have taken inputs, or exit 4.
    #[arg(
        long,
        value_name = "ISA,…",
        value_delimiter = ',',
        env = "PATHPROOF_REQUIRE"
    )]
    require: Vec<String>,
    /// Where inputs that are findings go; by default `harness/fuzz/TARGET` in cargo's target folder.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// The target is of no operation: a parser, say, that is to take any bytes.
    #[arg(long)]
    parser: bool,
    /// All that the engine says, on stderr.
    #[arg(short, long)]
    verbose: bool,
    /// Further arguments of the engine, which is one process: none that begin others or leave out findings.
    #[arg(last = true)]
    engine: Vec<String>,
    /// Seconds that one input may take, on all paths, before it is a finding.
    #[arg(
        long,
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=86_400),
        value_name = "SECONDS",
        env = "PATHPROOF_TIMEOUT"
    )]
    timeout: u64,
}

#[derive(Args, Clone)]
struct Limits {
    /// Seconds that one call may take before it is ended as a finding.
    #[arg(
        long,
        default_value_t = 10.0,
        value_name = "SECONDS",
        env = "PATHPROOF_TIMEOUT"
    )]
    timeout: f64,
}

impl Limits {
    fn timeout_ms(&self) -> Result<u64, String> {
        if self.timeout.is_finite() && (0.05..=86_400.0).contains(&self.timeout) {
            return Ok((self.timeout * 1000.0) as u64);
        }
        Err(format!(
            "--timeout {}: a number of seconds from 0.05 to 86400 was expected",
            self.timeout
        ))
    }

    /// Settings for verbs that draw nothing.
    fn settings(&self) -> Result<Settings, String> {
        Ok(Settings {
            timeout: self.timeout_ms()?,
            ..Settings::default()
        })
    }
}

impl VerifyArgs {
    fn jobs(&self) -> Result<usize, String> {
        match self.jobs {
            None => Ok(std::thread::available_parallelism().map_or(1, |n| n.get())),
            Some(0) => Err("--jobs 0: at least one worker is needed".into()),
            Some(jobs) => Ok(jobs.min(1024)),
        }
    }

    fn settings(&self) -> Result<Settings, String> {
        Ok(Settings {
            seed: self.seed.unwrap_or_else(|| drawn_seed().into()),
            cases: self.cases,
            exhaustive: self.exhaustive,
            data: self.data.as_deref().map(parse_data).transpose()?,
            shard: self.shard.as_deref().map_or(Ok((0, 1)), shard_option)?,
            timeout: self.limits.timeout_ms()?,
        })
    }
}

/// A seed from the clock and the process: one that can be typed, and not 0, which engines take for none.
fn drawn_seed() -> u32 {
    let clock = std::time::UNIX_EPOCH.elapsed();
    let clock = clock.map_or(0, |since| since.as_nanos() as u64);
    (crate::case::mix(&[clock, std::process::id().into()]) >> 32).max(1) as u32
}

fn parse_data(text: &str) -> Result<(PathBuf, usize), String> {
    let parsed = text.rsplit_once(':').and_then(|(file, row)| {
        Some((
            PathBuf::from(file),
            row.parse().ok().filter(|row| *row > 0)?,
        ))
    });
    parsed.ok_or_else(|| format!("--data {text:?}: FILE:ROW was expected, ROW being the bytes of a row, as in rows.u8:384"))
}

/// A share, counted from 0, and of how many. What is wrong with it is said behind the name of who gave it.
pub(crate) fn parse_shard(text: &str) -> Result<(u64, u64), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    match parsed {
        Some((i, n)) if (1..=n).contains(&i) => Ok((i - 1, n)),
        _ => Err(format!(
            "{text:?}: I/N was expected, with I from 1 to N, as in 2/4"
        )),
    }
}

/// The same, of the option of that name.
pub(crate) fn shard_option(text: &str) -> Result<(u64, u64), String> {
    parse_shard(text).map_err(|why| format!("--shard {why}"))
}

/// The whole command line of a client. Answers the hidden call of its own workers first, before anything is printed or started.
///
/// Exit codes: 0 all that was asked holds; 1 a finding; 2 wrong use or trouble; 3 slower or larger than the policy allows; 4 nothing
/// ran or a required path did not; 5 inconclusive, where that was asked to be a failure.
pub fn main(operations: Vec<Operation>) -> ExitCode {
    worker::answer(&operations);
    #[cfg(target_os = "linux")]
    pair::answer(&operations);
    let code = operation::check(&operations).and_then(|()| dispatch(&Cli::parse(), &operations));
    ExitCode::from(code.unwrap_or_else(|why| {
        session::complain(why);
        exit::TROUBLE
    }))
}

fn dispatch(cli: &Cli, operations: &[Operation]) -> Result<u8, String> {
    let launch = Launch::this_program()?;
    let common = &cli.common;
    match &cli.verb {
        None => {
            match Cli::parse_from([std::env::args_os().next().unwrap_or_default(), "run".into()])
                .verb
            {
                Some(Verb::Run { verify, out }) => {
                    verify::run(common, &launch, &verify, out.as_deref())
                }
                _ => Err("`run` cannot be parsed".into()),
            }
        }
        Some(Verb::Run { verify, out }) => verify::run(common, &launch, verify, out.as_deref()),
        Some(Verb::Verify { verify }) => verify::verify(common, &launch, verify),
        Some(Verb::List { filter, names }) => {
            list::list(common, &launch, filter.as_deref(), *names)
        }
        Some(Verb::Doctor) => doctor::doctor(common, &launch),
        Some(Verb::Receipt { filter, limits }) => {
            receipt::receipt(common, &launch, filter.as_deref(), limits)
        }
        Some(Verb::Count {
            filter,
            sizes,
            base,
            tolerance,
            limits,
        }) => {
            let policy = count::Policy {
                base: base.as_deref(),
                tolerance: &Tolerances::parse(tolerance)?,
            };
            count::count(common, &launch, filter.as_deref(), sizes, &policy, limits)
        }
        Some(Verb::Call {
            path,
            length,
            empty,
        }) => call::call(common, operations, path, *length, *empty),
        Some(Verb::Mutate(args)) => mutate::mutate(common, &launch, args),
        Some(Verb::Replay(args)) => replay::replay(common, &launch, operations, args),
        Some(Verb::Fuzz(args)) => fuzz::fuzz(common, &launch, operations, args),
        Some(Verb::Seeds { folder, known }) => {
            seeds::seeds(common, operations, folder, known.as_deref())
        }
        Some(Verb::Vectors {
            file,
            filter,
            limits,
        }) => vectors::vectors(common, &launch, file, filter.as_deref(), limits),
        Some(Verb::Time {
            filter,
            sizes,
            loads,
            seed,
        }) => time::time(common, &launch, filter.as_deref(), sizes, loads, *seed),
        #[cfg(target_os = "linux")]
        Some(Verb::Compare(args)) => compare::compare(common, &launch, args),
        #[cfg(target_os = "linux")]
        Some(Verb::Calibrate(args)) => calibrate::calibrate(common, &launch, args),
        #[cfg(not(target_os = "linux"))]
        Some(Verb::Compare(_) | Verb::Calibrate(_)) => Err(
            "comparing needs Linux: a file in memory for the arena, and a core that can be kept"
                .into(),
        ),
        Some(Verb::Gate(args)) => gate::gate(common, &launch, args),
        Some(Verb::Report { records, page }) => report::report(common, records, page.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_shard_is_one_of_its_number() {
        assert_eq!(parse_shard("1/1"), Ok((0, 1)));
        assert_eq!(parse_shard("3/4"), Ok((2, 4)));
        for bad in ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", ""] {
            assert!(parse_shard(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn data_is_a_file_and_a_width() {
        assert_eq!(parse_data("a:b:384"), Ok(("a:b".into(), 384)));
        for bad in ["rows.u8", "rows.u8:", "rows.u8:0", "rows.u8:-1"] {
            assert!(parse_data(bad).is_err(), "{bad}");
        }
    }
}
