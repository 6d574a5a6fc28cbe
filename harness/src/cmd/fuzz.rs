//! `fuzz`: runs a fuzz target, reads what its engine says, and gives an account of what each path took.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, Finding, PathRow, Record, State};

use super::replay::find;
use super::session::{Session, default_out, program};
use super::{Common, FuzzArgs, drawn_seed};
use crate::case::Case;
use crate::fuzz::engine::{Said, lines, listen};
use crate::fuzz::{Counts, FOLDER, Head, LONGEST, ONLY, made_from, read};
use crate::ledger::exit;
use crate::operation::Operation;
use crate::plan::{Settings, quoted};
use crate::select::nearest;
use crate::verdict::Verdict;
use crate::worker::protocol::{Reply, Request};
use crate::worker::{Host, Launch, Stop};

/// Seconds beyond its own limit, and that of one input, after which a target is taken for stuck: it runs its corpus before its clock
/// counts.
const GRACE: u64 = 300;
/// Flags of the engine by which several processes share the counters, findings are left out or not told, or the record of the run
/// would not be true.
const NOT_TAKEN: [&str; 13] = [
    "-fork=",
    "-jobs=",
    "-workers=",
    "-ignore_",
    "-merge",
    "-minimize_crash",
    "-close_fd_mask",
    "-artifact_prefix=",
    "-seed=",
    "-max_len=",
    "-max_total_time=",
    "-timeout=",
    "-runs=",
];

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
            "{flag}: one process is run, whose findings are told; seed, length, seconds, timeout and artifacts have flags of their own"
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
    let seed = args.seed.unwrap_or_else(drawn_seed);
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
        said.seconds = started.elapsed().as_secs_f64();
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
            said.ended_within = counts.at_work;
            said.counts = Some(counts);
        }
        // What was found stays, also of one that had to be ended.
        let status = match status {
            Ok(status) => status,
            Err(_) if said.found() => return Ok(said),
            Err(why) => return Err(why),
        };
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
                if *took > 0 {
                    let cases = Figure::new("cases", Ok(*took as f64), "cases");
                    let cases = cases.of(&self.name, isa, delivery).split("fuzzed");
                    records.push(Record::Figure(cases));
                }
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
                    Some(Ok(true)) => {
                        finding.command = format!(
                            "{} replay {} {} --timeout {}",
                            program(),
                            quoted(&finding.token),
                            finding.name(),
                            args.timeout
                        );
                    }
                    Some(Ok(false)) if summary.contains("Sanitizer") => {
                        finding.detail += "; only the target, with its sanitizer, notices";
                    }
                    // After what came before, it does.
                    Some(Ok(false)) => {
                        finding.detail += "; the case alone agrees, in this program: code that keeps state between calls?";
                        finding.command = self.again(args, seed, None);
                    }
                    Some(Err(why)) => finding.detail += &format!("; not tried alone: {why}"),
                    None => {}
                }
            }
            Err(why) => finding.detail += &format!("; no token: {why}"),
        }
        finding
    }

    /// Whether a case alone, in a fresh process of this program, is a finding as well.
    fn alone(
        &self,
        args: &FuzzArgs,
        operation: &Operation,
        subject: usize,
        case: &Case,
    ) -> Result<bool, String> {
        let settings = Settings {
            timeout: args.timeout * 1000,
            ..Settings::default()
        };
        let mut host = Host::new(self.launch, &settings)?;
        let number = find(&host.catalog()?, operation.name())?;
        let laws = (0..operation.laws.len()).map(Some);
        for law in std::iter::once(None).chain(laws) {
            host.renew();
            let request = Request::Try {
                operation: number,
                subject,
                case: case.clone(),
                law,
            };
            let found = match host.ask(&request, &mut |_, _, _| {}) {
                Ok(Reply::Verdict(verdict)) => verdict.is_finding(),
                Err(Stop::Death(death)) => death.verdict() != Verdict::Agrees,
                Err(Stop::Broken(why)) => return Err(why),
                Ok(other) => return Err(format!("a worker replied {other:?} to a case")),
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The command that runs the target again: on the input alone, or all of it.
    fn again(&self, args: &FuzzArgs, seed: u32, artifact: Option<&Path>) -> String {
        let word = |path: &Path| quoted(&path.display().to_string());
        let mut command = format!("{LONGEST}={} ", args.longest);
        if !args.only.is_empty() {
            command += &format!("{ONLY}={} ", args.only.join(","));
        }
        // A name without a folder would be looked for elsewhere.
        let program = self.program.canonicalize();
        command += &word(program.as_deref().unwrap_or(self.program));
        if let Some(artifact) = artifact {
            return format!("{command} -timeout={} {}", args.timeout, word(artifact));
        }
        for folder in &args.corpus {
            command += &format!(" {}", word(folder));
        }
        let (longest, timeout) = (args.longest, args.timeout);
        command += &format!(" -seed={seed} -max_len={longest} -timeout={timeout}");
        for flag in &args.engine {
            command += &format!(" {}", quoted(flag));
        }
        command
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
        if said.edges.unwrap_or(0) == 0 {
            unmet.push(
                "the target is not instrumented, so that its inputs were drawn blindly".into(),
            );
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
