//! `fuzz`: runs a fuzz target, reads what its engine says, and gives an account of what each path took. `seeds`: a corpus to begin with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, Finding, PathRow, Record, State};

use super::session::{Session, complain, default_out, nearest, program};
use super::{Common, FuzzArgs};
use crate::case::{Case, crc32, mix};
use crate::fuzz::{Counts, FOLDER, Head, LONGEST, ONLY, TOKEN, made_from, read, seeds as seeds_of};
use crate::ledger::exit;
use crate::operation::Operation;
use crate::plan::{Settings, quoted};
use crate::vectors;
use crate::verdict::Verdict;
use crate::worker::protocol::{Reply, Request};
use crate::worker::{Host, Launch, Stop};

/// Seconds beyond its own limit, and that of one input, after which a target is taken for stuck.
const GRACE: u64 = 30;
/// No line of an engine that matters is longer.
const LINE: u64 = 64 << 10;
/// Flags of the engine by which several processes share one ledger, or findings are left out.
const NOT_TAKEN: [&str; 5] = [
    "-fork=",
    "-jobs=",
    "-workers=",
    "-ignore_",
    "-artifact_prefix=",
];
/// What the files of findings begin with.
const ARTIFACTS: [&str; 4] = ["crash-", "timeout-", "oom-", "leak-"];

/// Runs a target, and shows its ledger.
pub(super) fn fuzz(
    common: &Common,
    launch: &Launch,
    operations: &[Operation],
    args: &FuzzArgs,
) -> Result<u8, String> {
    let of_engine = |flag: &&String| NOT_TAKEN.iter().any(|not| flag.starts_with(not));
    if let Some(flag) = args.engine.iter().find(of_engine) {
        return Err(format!(
            "{flag}: one process is run, and its findings are not left out; --artifacts says where they go"
        ));
    }
    let target = Target::new(launch, operations, args)?;
    if let Some(operation) = target.operation {
        let paths = operation.paths.iter();
        let names = paths.map(|path| format!("{}/{}", path.isa, path.delivery));
        all_known("--only", &args.only, operation, &names.collect::<Vec<_>>())?;
        let isas = operation.paths.iter().map(|path| path.isa.to_string());
        all_known(
            "--require",
            &args.require,
            operation,
            &isas.collect::<Vec<_>>(),
        )?;
    }
    let seed = args
        .seed
        .unwrap_or_else(|| 1 + (mix(&[clock(), std::process::id().into()]) >> 33) as u32);
    // Before the target, so that a place that cannot be written costs nobody a run.
    let mut session = Session::begin(common, "fuzz", Some(seed.into()), None)?;
    common.note(format_args!("seed {seed}"));
    let verdict = target.run(common, args, seed).and_then(|said| {
        for record in target.records(args, seed, &said)? {
            session.put(record)?;
        }
        Ok(target.verdict(args, &said))
    });
    session.conclude(verdict)
}

fn clock() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Names of paths that the operation has not.
fn all_known(
    flag: &str,
    names: &[String],
    operation: &Operation,
    known: &[String],
) -> Result<(), String> {
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{flag} {name}: {} has no path of that name; the nearest are {}",
            operation.name(),
            nearest(name, known.iter().cloned())
        )),
    }
}

/// The program to be run, and the operation that it is a target of.
struct Target<'a> {
    launch: &'a Launch,
    program: &'a Path,
    name: String,
    operation: Option<&'a Operation>,
    /// Where inputs that are findings go.
    artifacts: PathBuf,
    /// The counters of the run.
    tally: tempfile::TempDir,
}

/// What an engine has said of its run.
#[derive(Debug, Default)]
struct Said {
    /// Inputs, edges and files of the corpus, and the seconds that it took.
    inputs: Option<u64>,
    edges: Option<u64>,
    corpus: Option<u64>,
    seconds: f64,
    /// The body's own line about a finding, and the case's token.
    what: Option<String>,
    token: Option<String>,
    /// The engine's or the sanitizer's line, and the input that it wrote.
    summary: Option<String>,
    artifact: Option<PathBuf>,
    /// What it said last, for a run that ended in no way that is known.
    last: String,
    /// Its exit code; none if a signal ended it.
    exit: Option<i32>,
    /// What the body counted.
    counts: Option<Counts>,
}

impl Said {
    /// Takes one line. The forms are those of libFuzzer (LLVM 22) as libfuzzer-sys 0.4.13 has it.
    fn line(&mut self, line: &str, operation: Option<&str>) {
        if let Some(status) = line.strip_prefix('#') {
            let mut words = status.split_whitespace();
            let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
            self.inputs = number(words.next()).or(self.inputs);
            while let Some(word) = words.next() {
                match word {
                    "cov:" => self.edges = number(words.next()).or(self.edges),
                    "corp:" => {
                        let files = words.next().and_then(|word| word.split('/').next());
                        self.corpus = number(files).or(self.corpus);
                    }
                    _ => {}
                }
            }
            return;
        }
        let value = |prefix: &str| line.strip_prefix(prefix).map(str::trim);
        if let Some(count) = value("stat::number_of_executed_units:") {
            self.inputs = count.parse().ok().or(self.inputs);
        } else if let Some(token) = value(TOKEN) {
            self.token = Some(token.into());
        } else if let Some(summary) = value("SUMMARY: ") {
            self.summary = Some(summary.into());
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            // Inputs that are only slow are written, too.
            let path = PathBuf::from(path.trim());
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if ARTIFACTS.iter().any(|of| name.starts_with(of)) {
                self.artifact = Some(path);
            }
        } else if operation.is_some_and(|name| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('/'))
        }) {
            self.what = Some(line.into());
        } else if !line.trim().is_empty() {
            self.last = line.into();
        }
    }

    /// Whether body, engine or sanitizer have found something, whatever the exit code is.
    fn found(&self) -> bool {
        self.token.is_some() || self.artifact.is_some() || self.summary.is_some()
    }

    /// The verdict of a finding of which the body had no time to speak.
    fn verdict(&self) -> &'static str {
        match self.summary.as_deref().unwrap_or_default() {
            summary if summary.contains("timeout") => "timed out",
            _ => "crashed",
        }
    }
}

impl<'a> Target<'a> {
    fn new(
        launch: &'a Launch,
        operations: &'a [Operation],
        args: &'a FuzzArgs,
    ) -> Result<Self, String> {
        let program = &args.target;
        let cannot = |why: &str| format!("cannot run the target {}: {why}", program.display());
        if !program.is_file() {
            return Err(cannot(
                "there is no such file; cargo fuzz build writes it below fuzz/target",
            ));
        }
        let name = program
            .file_stem()
            .and_then(|name| name.to_str())
            .ok_or_else(|| cannot("its name is no text"))?
            .to_string();
        let operation = operations.iter().find(|of| of.name() == name);
        match (operation, args.parser) {
            (None, false) => {
                let near = nearest(&name, operations.iter().map(|of| of.name().to_string()));
                return Err(format!(
                    "the target {name} is named after no operation, of which the nearest are {near}; --parser runs one that is of none"
                ));
            }
            (Some(_), true) => {
                return Err(format!(
                    "--parser: the target {name} is named after an operation, whose paths it counts"
                ));
            }
            _ => {}
        }
        if operation.is_none() && !args.require.is_empty() {
            return Err("--require: a target that is of no operation has no paths".into());
        }
        let artifacts = match &args.artifacts {
            Some(folder) => folder.clone(),
            None => default_out().join("fuzz").join(&name),
        };
        let cannot = |folder: &Path, e| format!("cannot make the folder {}: {e}", folder.display());
        for folder in [&artifacts].into_iter().chain(args.corpus.first()) {
            std::fs::create_dir_all(folder).map_err(|e| cannot(folder, e))?;
        }
        let tally = tempfile::tempdir().map_err(|e| format!("cannot make a folder: {e}"))?;
        Ok(Self {
            launch,
            program,
            name,
            operation,
            artifacts,
            tally,
        })
    }

    /// Runs the target to its end.
    fn run(&self, common: &Common, args: &FuzzArgs, seed: u32) -> Result<Said, String> {
        let program = self.program.canonicalize();
        let program = program.unwrap_or_else(|_| self.program.to_path_buf());
        let bar = bar(common, args.seconds, &self.name);
        let mut prefix = OsString::from("-artifact_prefix=");
        prefix.push(&self.artifacts);
        prefix.push("/");
        let mut child = Command::new(program)
            .args(&args.corpus)
            .arg(format!("-seed={seed}"))
            .arg(format!("-max_total_time={}", args.seconds))
            .arg(format!("-max_len={}", args.longest))
            .arg(format!("-timeout={}", args.timeout))
            .arg(prefix)
            .arg("-print_final_stats=1")
            .args(&args.engine)
            .env(FOLDER, self.tally.path())
            .env(LONGEST, args.longest.to_string())
            .env(ONLY, args.only.join(","))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot run the target {}: {e}", self.program.display()))?;
        let started = Instant::now();
        let mut said = Said::default();
        let operation = self.operation.map(Operation::name);
        let lines = lines(child.stderr.take());
        let last = started + Duration::from_secs(args.seconds + args.timeout + GRACE);
        let status = listen(&mut child, &lines, last, &mut |line| {
            if let Some(line) = line {
                said.line(line, operation);
                if args.verbose {
                    bar.suspend(|| common.note(line));
                }
            }
            bar.set_position(started.elapsed().as_secs().min(args.seconds));
            bar.set_message(progress(&said, started.elapsed().as_secs_f64()));
        });
        bar.finish_and_clear();
        let status = status?;
        said.seconds = started.elapsed().as_secs_f64();
        said.exit = status.code();
        if let Some(operation) = self.operation {
            let counts = read(&self.tally.path().join(&self.name)).map_err(|why| {
                format!(
                    "the target {} has counted nothing: {why}; it is to call pathproof::fuzz; the last that it said: {}",
                    self.name, said.last
                )
            })?;
            if counts.head != Head::new(operation) {
                return Err(format!(
                    "the target {} has other paths than this program: build both anew",
                    self.name
                ));
            }
            said.counts = Some(counts);
        }
        if status.success() || said.found() {
            return Ok(said);
        }
        Err(format!(
            "the target {} ended with {status}, and found nothing: {}",
            self.name, said.last
        ))
    }

    /// What became of the run: a row for each path, figures, the finding.
    fn records(&self, args: &FuzzArgs, seed: u32, said: &Said) -> Result<Vec<Record>, String> {
        let finding = if said.found() {
            Some(self.finding(args, seed, said))
        } else {
            None
        };
        let mut records = Vec::new();
        if let Some(counts) = &said.counts {
            for ((isa, delivery, unavailable), took) in args.asked(counts) {
                let failed = finding
                    .as_ref()
                    .is_some_and(|found| found.isa == *isa && found.delivery == *delivery);
                let (state, reason) = match (unavailable, took) {
                    (Some(why), _) => (State::Unavailable, Some(why.clone())),
                    _ if failed => (State::Failed, Some("1 finding".into())),
                    (None, 0) => (State::NotExecuted, Some("no input reached it".into())),
                    _ => (State::Verified, None),
                };
                records.push(Record::Path(PathRow {
                    operation: self.name.clone(),
                    isa: isa.clone(),
                    delivery: delivery.clone(),
                    state,
                    cases: *took,
                    reason,
                    errors: None,
                    receipt: None,
                    peer: false,
                }));
            }
        }
        let said_nothing = || "the engine said nothing of it".to_string();
        let inputs = said.counts.as_ref().map(|counts| counts.inputs);
        let inputs = inputs.or(said.inputs);
        let count = |n: Option<u64>| n.map(|n| n as f64).ok_or_else(said_nothing);
        let rate = match (inputs, said.seconds) {
            (Some(inputs), seconds) if seconds > 0.0 => Ok(inputs as f64 / seconds),
            _ => Err(said_nothing()),
        };
        let figures = [
            Figure::new("inputs", count(inputs), "inputs"),
            Figure::new(
                "inputs a second",
                rate,
                "inputs, of one process, with its start",
            ),
            Figure::new("edges", count(said.edges), "edges of the instrumented code"),
            Figure::new(
                "corpus",
                count(said.corpus),
                "inputs that reach something new",
            ),
            Figure::new("fuzzed for", Ok(said.seconds), "seconds"),
        ];
        records.extend(figures.map(|figure| Record::Figure(figure.of(&self.name, "", ""))));
        records.extend(finding.map(Record::Finding));
        Ok(records)
    }

    /// The finding, with the one command that repeats it.
    fn finding(&self, args: &FuzzArgs, seed: u32, said: &Said) -> Finding {
        let summary = said.summary.as_deref().unwrap_or("the process ended");
        let mut finding = Finding {
            operation: self.name.clone(),
            isa: String::new(),
            delivery: String::new(),
            verdict: said.verdict().into(),
            detail: summary.into(),
            dump: None,
            token: String::new(),
            command: self.again(args, seed, said.artifact.as_deref()),
        };
        if let Some(artifact) = &said.artifact {
            finding.detail += &format!(" (the input: {})", artifact.display());
        }
        let Some(operation) = self.operation else {
            finding.token = said
                .artifact
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string());
            return finding;
        };
        // The body has named the path and the token, or was stopped at its work, of which the engine kept the input.
        let at_work = said.counts.as_ref().and_then(|counts| {
            let path = counts.at_work?;
            counts.head.paths.get(path)
        });
        if let Some((isa, delivery, _)) = at_work {
            (finding.isa, finding.delivery) = (isa.clone(), delivery.clone());
        }
        if let Some(what) = &said.what {
            let (name, rest) = what.split_once(": ").unwrap_or((what, ""));
            let path = name
                .split_once('/')
                .and_then(|(_, path)| path.rsplit_once('/'));
            if let Some((isa, delivery)) = path {
                (finding.isa, finding.delivery) = (isa.into(), delivery.into());
            }
            let (kind, more) = rest.split_once(": ").unwrap_or((rest, ""));
            (finding.verdict, finding.detail) = (kind.into(), more.into());
        }
        let case = match (&said.token, &said.artifact) {
            (Some(token), _) => Case::parse(token),
            (None, Some(artifact)) => crate::case::read_file(artifact)
                .and_then(|data| made_from(operation, &data, args.longest as usize)),
            (None, None) => Err("there is neither a token nor an input".into()),
        };
        let token = case.and_then(|case| {
            let token = case
                .token(&self.artifacts)
                .map_err(|e| format!("cannot write to {}: {e}", self.artifacts.display()))?;
            Ok((case, token))
        });
        match token {
            Ok((case, token)) => {
                finding.token = token;
                let named = |path: &crate::operation::CodePath| {
                    path.isa == finding.isa && path.delivery == finding.delivery
                };
                let subject = operation.paths.iter().position(named);
                match subject.map(|subject| self.alone(args, operation, subject, &case)) {
                    Some(true) => {
                        finding.command = format!(
                            "{} replay {} {} --timeout {}",
                            program(),
                            quoted(&finding.token),
                            finding.name(),
                            args.timeout
                        );
                    }
                    // What only this build notices, or only after what came before.
                    Some(false) => {
                        finding.detail += "; the case alone agrees in this program: only the target notices, or state is kept between calls"
                    }
                    None => {}
                }
            }
            Err(why) => finding.detail += &format!("; no token: {why}"),
        }
        finding
    }

    /// Whether a case alone, in a fresh process of this program, is a finding as well.
    fn alone(&self, args: &FuzzArgs, operation: &Operation, subject: usize, case: &Case) -> bool {
        let settings = Settings {
            timeout: args.timeout * 1000,
            ..Settings::default()
        };
        let Ok(mut host) = Host::new(self.launch, &settings) else {
            return false;
        };
        let Ok(catalog) = host.catalog() else {
            return false;
        };
        let named =
            |entry: &crate::worker::protocol::OperationEntry| entry.name == operation.name();
        let Some(number) = catalog.operations.iter().position(named) else {
            return false;
        };
        let laws = (0..operation.laws.len()).map(Some);
        std::iter::once(None).chain(laws).any(|law| {
            let request = Request::Try {
                operation: number,
                subject,
                case: case.clone(),
                law,
            };
            match host.ask(&request, &mut |_, _, _| {}) {
                Ok(Reply::Verdict(verdict)) => verdict.is_finding(),
                Err(Stop::Death(death)) => death.verdict() != Verdict::Agrees,
                _ => false,
            }
        })
    }

    /// The command that runs the target again: on the input alone, or all of it.
    fn again(&self, args: &FuzzArgs, seed: u32, artifact: Option<&Path>) -> String {
        let word = |path: &Path| quoted(&path.display().to_string());
        let mut command = format!("{LONGEST}={} ", args.longest);
        if !args.only.is_empty() {
            command += &format!("{ONLY}={} ", args.only.join(","));
        }
        command += &word(self.program);
        match artifact {
            Some(artifact) => command + " " + &word(artifact),
            None => {
                let corpora = args
                    .corpus
                    .iter()
                    .map(|folder| format!(" {}", word(folder)));
                let corpora: String = corpora.collect();
                format!("{command}{corpora} -seed={seed} -max_len={}", args.longest)
            }
        }
    }

    /// The exit code and one sentence for it.
    fn verdict(&self, args: &FuzzArgs, said: &Said) -> (u8, String) {
        if said.found() {
            let sentence = "the target ended with a finding".to_string();
            return (exit::FINDING, sentence);
        }
        let Some(counts) = &said.counts else {
            return match (said.inputs, said.edges) {
                (Some(1..), Some(1..)) => {
                    (exit::PASS, format!("no input makes {} fail", self.name))
                }
                (Some(1..), _) => (
                    exit::NOTHING,
                    "the target is not instrumented, so that its inputs were drawn blindly".into(),
                ),
                _ => (exit::NOTHING, "the target took no input".into()),
            };
        };
        let mut unmet = Vec::new();
        for (isa, delivery, unavailable) in &counts.head.paths {
            if let (Some(why), true) = (unavailable, args.require.contains(isa)) {
                unmet.push(format!(
                    "{isa}/{delivery} is required, and unavailable: {why}"
                ));
            }
        }
        for name in &args.require {
            if args.asked(counts).all(|((isa, ..), _)| isa != name) {
                unmet.push(format!("{name} is required, and --only leaves it out"));
            }
        }
        for ((isa, delivery, unavailable), took) in args.asked(counts) {
            if unavailable.is_none() && *took == 0 {
                unmet.push(format!("{isa}/{delivery} took no input"));
            }
        }
        if args.asked(counts).all(|(_, took)| *took == 0) {
            unmet.push("no path took an input".into());
        }
        if !unmet.is_empty() {
            return (exit::NOTHING, unmet.join("; "));
        }
        let sentence = format!(
            "every path that can run here agrees with the reference on {} inputs",
            counts.inputs
        );
        (exit::PASS, sentence)
    }
}

/// What the target says, a line at a time, from a thread of its own: who says nothing must not keep us waiting.
fn lines(stderr: Option<ChildStderr>) -> Receiver<String> {
    let (to, from) = sync_channel(1024);
    std::thread::spawn(move || {
        let mut stderr = BufReader::new(stderr?);
        loop {
            let mut line = Vec::new();
            let taken = stderr.by_ref().take(LINE).read_until(b'\n', &mut line);
            if taken.unwrap_or(0) == 0 {
                return None::<()>;
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_string();
            to.send(line).ok()?;
        }
    });
    from
}

/// Takes the lines of a child until it has ended, or is ended because its time is up. `take` is called some times a second, too.
fn listen(
    child: &mut Child,
    lines: &Receiver<String>,
    last: Instant,
    take: &mut dyn FnMut(Option<&str>),
) -> Result<std::process::ExitStatus, String> {
    const TICK: Duration = Duration::from_millis(200);
    let failed = |e: std::io::Error| format!("cannot wait for the target: {e}");
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => take(Some(&line)),
            Err(RecvTimeoutError::Timeout) => take(None),
            // Whoever closes stderr may go on.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
        }
        if Instant::now() > last {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            return Err("the target did not end in time, and was killed".into());
        }
        if let Some(status) = child.try_wait().map_err(failed)? {
            // What it said before; a grandchild may keep the pipe open.
            while let Ok(line) = lines.recv_timeout(TICK) {
                take(Some(&line));
                if Instant::now() > last {
                    break;
                }
            }
            return Ok(status);
        }
    }
}

impl FuzzArgs {
    /// The paths that were asked for, with the inputs that they took.
    fn asked<'a>(
        &'a self,
        counts: &'a Counts,
    ) -> impl Iterator<Item = (&'a (String, String, Option<String>), &'a u64)> {
        let rows = counts.head.paths.iter().zip(&counts.took);
        rows.filter(|((isa, delivery, _), _)| {
            let is = |name: &String| name.rsplit_once('/') == Some((isa, delivery));
            self.only.is_empty() || self.only.iter().any(is)
        })
    }
}

fn progress(said: &Said, seconds: f64) -> String {
    match (said.inputs, said.edges) {
        (Some(inputs), Some(edges)) => {
            format!(
                "{inputs} inputs, {:.0} a second, {edges} edges",
                inputs as f64 / seconds
            )
        }
        _ => "starting".into(),
    }
}

fn bar(common: &Common, seconds: u64, target: &str) -> ProgressBar {
    // Drawn on a terminal only; elsewhere indicatif draws nothing.
    let target_of_bar = if common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(seconds), target_of_bar);
    let template = format!("fuzzing {target} {{wide_bar}} {{pos}} of {{len}} s; {{msg}}");
    bar.with_style(
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// Writes inputs to begin with, a folder for each operation, each file named after its bytes.
pub(super) fn seeds(
    common: &Common,
    operations: &[Operation],
    folder: &Path,
    file: Option<&Path>,
) -> Result<u8, String> {
    let known = file.map_or_else(|| Ok(Vec::new()), vectors::read)?;
    let mut by_operation: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for known in &known {
        let given = (&known.params, known.input.as_slice());
        by_operation
            .entry(&known.operation)
            .or_default()
            .push(given);
    }
    for name in by_operation.keys() {
        if operations.iter().all(|of| of.name() != *name) {
            common.note(format_args!(
                "there is no operation {name}: its known answers are left out"
            ));
        }
    }
    let none = Vec::new();
    let mut written = 0;
    for operation in operations {
        let folder = folder.join(operation.name());
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
        let given = by_operation.get(operation.name()).unwrap_or(&none);
        for seed in seeds_of(operation, given) {
            let path = folder.join(format!("{:08x}-{}", crc32(&seed), seed.len()));
            std::fs::write(&path, seed)
                .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
            written += 1;
        }
    }
    common.print(&format!(
        "{written} seeds of {} operations in {}\n",
        operations.len(),
        folder.display()
    ))?;
    if written == 0 {
        complain("nothing was written");
        return Ok(exit::NOTHING);
    }
    Ok(exit::PASS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_is_read() {
        let mut said = Said::default();
        for line in [
            "INFO: Seed: 7",
            "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#1024\tpulse  cov: 71 ft: 90 corp: 12/340b lim: 11 exec/s: 512 rss: 31Mb",
            "#99\tDONE",
            "stat::number_of_executed_units: 2048",
            "op/avx2/fills: differs: at byte 3 of 8",
            "other/avx2/fills: differs",
            "token: op:b64.AA:in=end:out=end:0123",
            "SUMMARY: libFuzzer: deadly signal",
            "artifact_prefix='a b/'; Test unit written to a b/crash-12",
            "Base64: AAAA",
        ] {
            said.line(line, Some("op"));
        }
        assert_eq!(
            (said.inputs, said.edges, said.corpus),
            (Some(2048), Some(71), Some(12))
        );
        assert_eq!(
            said.what.as_deref(),
            Some("op/avx2/fills: differs: at byte 3 of 8")
        );
        assert_eq!(said.token.as_deref(), Some("op:b64.AA:in=end:out=end:0123"));
        assert_eq!(said.summary.as_deref(), Some("libFuzzer: deadly signal"));
        assert_eq!(said.artifact, Some("a b/crash-12".into()));
        assert_eq!(said.last, "Base64: AAAA");
        assert!(said.found());
        assert_eq!(said.verdict(), "crashed");
        said.line("SUMMARY: libFuzzer: timeout", None);
        assert_eq!(said.verdict(), "timed out");
        // What is only slow is none.
        let mut slow = Said::default();
        slow.line(
            "artifact_prefix='a/'; Test unit written to a/slow-unit-12",
            None,
        );
        assert!(!slow.found());
    }

    #[test]
    fn no_line_of_an_engine_makes_the_reader_panic() {
        for line in [
            "#",
            "# cov:",
            "#x cov: y corp:",
            "#1 corp: /",
            "token: ",
            "op/",
            "",
        ] {
            Said::default().line(line, Some("op"));
        }
    }
}
