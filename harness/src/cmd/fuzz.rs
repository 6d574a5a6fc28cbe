//! `fuzz`: runs a fuzz target, reads what its engine says, and gives an account of what each path took. `seeds`: a corpus to begin with.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, Finding, PathRow, Record, State};

use super::session::{Session, complain, default_out, nearest, program};
use super::{Common, FuzzArgs};
use crate::case::{crc32, mix};
use crate::fuzz::{Counts, FOLDER, LONGEST, ONLY, TOKEN, made_from, read, seeds as seeds_of};
use crate::ledger::exit;
use crate::operation::Operation;
use crate::plan::quoted;
use crate::vectors;

/// Seconds beyond its own limit after which a target is taken for stuck: its last input may take as long as a call may.
const GRACE: u64 = 60;

/// Runs a target, and shows its ledger.
pub(super) fn fuzz(
    common: &Common,
    operations: &[Operation],
    args: &FuzzArgs,
) -> Result<u8, String> {
    let target = Target::new(operations, args)?;
    if let (Some(operation), false) = (target.operation, args.require.is_empty()) {
        known(operation, &args.require)?;
    }
    if let Some(operation) = target.operation {
        let paths = || {
            operation
                .paths
                .iter()
                .map(|path| format!("{}/{}", path.isa, path.delivery))
        };
        if let Some(name) = args
            .only
            .iter()
            .find(|name| paths().all(|path| path != **name))
        {
            return Err(format!(
                "--only {name}: {} has no path of that name; the nearest are {}",
                operation.name(),
                nearest(name, paths())
            ));
        }
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

fn known(operation: &Operation, required: &[String]) -> Result<(), String> {
    let isas = || operation.paths.iter().map(|path| path.isa.to_string());
    match required.iter().find(|name| isas().all(|isa| isa != **name)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "--require {name}: {} has no path of that name; the nearest are {}",
            operation.name(),
            nearest(name, isas())
        )),
    }
}

/// The program to be run, and the operation that it is a target of.
struct Target<'a> {
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
            self.artifact = Some(path.trim().into());
        } else if operation.is_some_and(|name| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('/'))
        }) {
            self.what = Some(line.into());
        } else if !line.trim().is_empty() {
            self.last = line.into();
        }
    }

    /// Whether the engine has found something.
    fn found(&self) -> bool {
        self.exit != Some(0)
            && (self.token.is_some() || self.artifact.is_some() || self.summary.is_some())
    }
}

impl<'a> Target<'a> {
    fn new(operations: &'a [Operation], args: &'a FuzzArgs) -> Result<Self, String> {
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
        let mut child = Command::new(program)
            .args(&args.corpus)
            .arg(format!("-seed={seed}"))
            .arg(format!("-max_total_time={}", args.seconds))
            .arg(format!("-max_len={}", args.longest))
            .arg(format!(
                "-timeout={}",
                args.limits.timeout_ms()?.div_ceil(1000)
            ))
            .arg(format!("-artifact_prefix={}/", self.artifacts.display()))
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
        let started = std::time::Instant::now();
        let mut said = Said::default();
        let operation = self.operation.map(Operation::name);
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = line.map_err(|e| format!("cannot read what the target says: {e}"))?;
                let line = String::from_utf8_lossy(&line);
                said.line(&line, operation);
                if args.verbose {
                    bar.suspend(|| common.note(&line));
                }
                bar.set_position(started.elapsed().as_secs().min(args.seconds));
                bar.set_message(status(&said, started.elapsed().as_secs_f64()));
                if started.elapsed().as_secs() > args.seconds + GRACE {
                    // Whoever talks on beyond all limits.
                    let _ = child.kill();
                }
            }
        }
        let status = child
            .wait()
            .map_err(|e| format!("cannot wait for the target: {e}"))?;
        bar.finish_and_clear();
        said.seconds = started.elapsed().as_secs_f64();
        said.exit = status.code();
        if self.operation.is_some() {
            said.counts = Some(read(&self.tally.path().join(&self.name)).map_err(|why| {
                format!(
                    "the target {} has counted nothing: {why}; it is to call pathproof::fuzz; the last that it said: {}",
                    self.name, said.last
                )
            })?);
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
            Some(self.finding(args, seed, said)?)
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
    fn finding(&self, args: &FuzzArgs, seed: u32, said: &Said) -> Result<Finding, String> {
        let summary = said.summary.as_deref().unwrap_or("the process ended");
        let again = |file: &Path| {
            let args = [
                self.program.display().to_string(),
                file.display().to_string(),
            ];
            args.map(|arg| quoted(&arg)).join(" ")
        };
        let without = || {
            let corpus = args
                .corpus
                .iter()
                .map(|folder| folder.display().to_string());
            let target = self.program.display().to_string();
            let args: Vec<_> = [target].into_iter().chain(corpus).collect();
            let args: Vec<_> = args.iter().map(|arg| quoted(arg)).collect();
            format!("{} -seed={seed}", args.join(" "))
        };
        let Some(operation) = self.operation else {
            let command = said.artifact.as_deref().map_or_else(without, again);
            return Ok(Finding {
                operation: self.name.clone(),
                isa: String::new(),
                delivery: String::new(),
                verdict: "crashed".into(),
                detail: summary.into(),
                dump: None,
                token: said
                    .artifact
                    .as_ref()
                    .map_or_else(String::new, |path| path.display().to_string()),
                command,
            });
        };
        // The body has named the path and the token, or was stopped at its work, of which the engine kept the input.
        let path = said
            .counts
            .as_ref()
            .and_then(|counts| counts.head.paths.get(counts.at_work?));
        let (mut isa, mut delivery) = path
            .map(|(isa, delivery, _)| (isa.clone(), delivery.clone()))
            .unwrap_or_default();
        let (mut verdict, mut detail) = ("crashed".to_string(), summary.to_string());
        if let Some(what) = &said.what {
            let rest = what.split_once(": ");
            let (name, rest) = rest.unwrap_or((what, ""));
            let mut name = name.splitn(2, '/').skip(1);
            if let Some((of, by)) = name.next().and_then(|name| name.rsplit_once('/')) {
                (isa, delivery) = (of.into(), by.into());
            }
            let (kind, more) = rest.split_once(": ").unwrap_or((rest, ""));
            (verdict, detail) = (kind.into(), more.into());
        }
        let token = match (&said.token, &said.artifact) {
            (Some(token), _) => token.clone(),
            (None, Some(artifact)) => {
                let data = crate::case::read_file(artifact)?;
                let case = made_from(operation, &data, args.longest)?;
                case.token(&self.artifacts)
                    .map_err(|e| format!("cannot write to {}: {e}", self.artifacts.display()))?
            }
            (None, None) => String::new(),
        };
        let command = match token.as_str() {
            "" => without(),
            token if isa.is_empty() => format!("{} replay {}", program(), quoted(token)),
            token => format!(
                "{} replay {} {}/{isa}/{delivery}",
                program(),
                quoted(token),
                self.name
            ),
        };
        Ok(Finding {
            operation: self.name.clone(),
            isa,
            delivery,
            verdict,
            detail: match &said.artifact {
                Some(path) => format!("{detail} (the input: {})", path.display()),
                None => detail,
            },
            dump: None,
            token,
            command,
        })
    }

    /// The exit code and one sentence for it.
    fn verdict(&self, args: &FuzzArgs, said: &Said) -> (u8, String) {
        if said.found() {
            let sentence = "the target ended with a finding".to_string();
            return (exit::FINDING, sentence);
        }
        let Some(counts) = &said.counts else {
            return match said.inputs {
                Some(1..) => (exit::PASS, format!("no input makes {} fail", self.name)),
                _ => (exit::NOTHING, "the target took no input".into()),
            };
        };
        let mut unmet = Vec::new();
        for ((isa, delivery, unavailable), took) in args.asked(counts) {
            match unavailable {
                Some(why) if args.require.contains(isa) => {
                    unmet.push(format!(
                        "{isa}/{delivery} is required, and unavailable: {why}"
                    ));
                }
                None if *took == 0 => unmet.push(format!("{isa}/{delivery} took no input")),
                _ => {}
            }
        }
        match unmet.is_empty() {
            true => {
                let sentence = format!(
                    "every path that can run here agrees with the reference on {} inputs",
                    counts.inputs
                );
                (exit::PASS, sentence)
            }
            false => (exit::NOTHING, unmet.join("; ")),
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
            let is = |name: &String| name.split_once('/') == Some((isa, delivery));
            self.only.is_empty() || self.only.iter().any(is)
        })
    }
}

fn status(said: &Said, seconds: f64) -> String {
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
        // Findings are those of a process that failed.
        said.exit = Some(0);
        assert!(!said.found());
        said.exit = Some(77);
        assert!(said.found());
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
