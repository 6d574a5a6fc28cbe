//! `gate`: what a policy asks for, in one table with one verdict.
//!
//! Each part is a verb of this program, run as a child that writes its records; what they say of the policy is `gate::judge`'s.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pathproof_reports::{Compared, Comparison, Gate, Gated, Record, Report};

use super::session::{Session, complain, default_out, program};
use super::verify::address;
use super::{Common, GateArgs, drawn_seed};
use crate::gate::{self, Again, Counts, Held, Part, Policy, Verification};
use crate::ledger::exit;
use crate::plan::{Settings, quoted};
use crate::select;
use crate::worker::protocol::Catalog;
use crate::worker::{Host, Launch};

/// The checks that a policy can ask for, each a section of it.
const CHECKS: [&str; 4] = ["verification", "counts", "times", "mutation"];

pub(super) fn gate(common: &Common, launch: &Launch, args: &GateArgs) -> Result<u8, String> {
    let catalog = Host::new(launch, &Settings::default())?.catalog()?;
    let policy = gate::read(&args.policy, &catalog, &|margin| supported(common, margin))?;
    let gate = Run {
        common,
        launch,
        args,
        catalog: &catalog,
        out: args
            .out
            .clone()
            .unwrap_or_else(|| default_out().join("gate")),
        seed: args.seed.unwrap_or_else(drawn_seed),
        promised: promised(args, &policy)?,
        policy,
        program: program(),
    };
    gate.check()?;
    std::fs::create_dir_all(&gate.out).map_err(|e| {
        format!(
            "cannot make the folder {}: {e}; name another with --out DIR",
            gate.out.display()
        )
    })?;
    let lock = gate.file("lock");
    let lock = std::fs::File::create(&lock)
        .map_err(|e| format!("cannot write {}: {e}", lock.display()))?;
    if lock.try_lock().is_err() {
        return Err(format!(
            "another gate is writing to {}; name another folder with --out DIR",
            gate.out.display()
        ));
    }
    let mut session = Session::begin(
        common,
        "gate",
        Some(gate.seed.into()),
        Some(&gate.file("gate.jsonl")),
    )?;
    common.note(format_args!("seed {}", gate.seed));
    let mut parts = Vec::new();
    let verdict = gate.go(&mut session, &mut parts);
    let code = session.conclude(verdict);
    gate.show(session.report(), parts)?;
    code
}

/// Whether this machine has been shown to see a margin.
fn supported(common: &Common, margin: f64) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    return super::calibrate::refuse(common, margin);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (common, margin);
        Ok(())
    }
}

/// The paths that are promised, if the policy names a file of them: it lies beside the policy.
fn promised(args: &GateArgs, policy: &Policy) -> Result<Option<(PathBuf, Vec<String>)>, String> {
    let file = policy
        .verification
        .as_ref()
        .and_then(|of| of.promised.as_ref());
    let folder = args.policy.parent().unwrap_or(Path::new(""));
    file.map(|file| {
        let file = folder.join(file.get_ref());
        let names =
            select::promised(&file).map_err(|why| format!("{}: {why}", args.policy.display()))?;
        Ok((file, names))
    })
    .transpose()
}

struct Run<'a> {
    common: &'a Common,
    launch: &'a Launch,
    args: &'a GateArgs,
    catalog: &'a Catalog,
    policy: Policy,
    promised: Option<(PathBuf, Vec<String>)>,
    out: PathBuf,
    seed: u32,
    program: String,
}

impl Run<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Whether a check is asked for, by the policy and by `--only`.
    fn wants(&self, check: &str) -> bool {
        let Policy {
            verification,
            counts,
            times,
            mutation,
        } = &self.policy;
        let has = match check {
            "verification" => verification.is_some(),
            "counts" => counts.is_some(),
            "times" => times.is_some(),
            _ => mutation.is_some(),
        };
        has && (self.args.only.is_empty() || self.args.only.iter().any(|only| only == check))
    }

    /// Counts that are taken beside the times.
    fn counts_both_sides(&self) -> bool {
        self.wants("counts")
            && self
                .policy
                .counts
                .as_ref()
                .is_some_and(|of| of.base.is_none())
    }

    /// What must be known before anything runs.
    fn check(&self) -> Result<(), String> {
        if let Some(unknown) = self
            .args
            .only
            .iter()
            .find(|only| !CHECKS.contains(&only.as_str()))
        {
            return Err(format!(
                "--only {unknown}: no such check; there are {}",
                CHECKS.join(", ")
            ));
        }
        for name in &self.args.require {
            select::known(self.catalog, name).map_err(|why| format!("--require {why}"))?;
        }
        if !self.args.require.is_empty() && !self.wants("verification") {
            return Err(
                "--require is of the section [verification], which is not asked for".into(),
            );
        }
        if !CHECKS.iter().any(|check| self.wants(check)) {
            return Err(format!(
                "--only {}: {} has no section of that name",
                self.args.only.join(","),
                self.args.policy.display()
            ));
        }
        if (self.wants("times") || self.counts_both_sides()) && self.base().is_none() {
            return Err(format!(
                "with what are times compared? --base REV or --base-bin FILE was expected, or `base` in [times] of {}",
                self.args.policy.display()
            ));
        }
        Ok(())
    }

    /// The arguments that name the base.
    fn base(&self) -> Option<[String; 2]> {
        let of_policy = self
            .policy
            .times
            .as_ref()
            .and_then(|times| times.base.clone());
        match (&self.args.base_bin, &self.args.base) {
            (Some(file), _) => Some(["--base-bin".into(), file.display().to_string()]),
            (None, Some(base)) => Some(["--base".into(), base.clone()]),
            (None, None) => of_policy.map(|base| ["--base".into(), base]),
        }
    }

    /// Runs what is asked for, the cheapest to fail first, and judges it.
    fn go(
        &self,
        session: &mut Session<'_>,
        parts: &mut Vec<Report>,
    ) -> Result<(u8, String), String> {
        let mut rows = Vec::new();
        let mut enter = |judged: Vec<Gated>, session: &mut Session<'_>| {
            for row in judged {
                session.put(Record::Gated(row.clone()))?;
                rows.push(row);
            }
            Ok::<_, String>(())
        };
        if self.wants("verification") {
            let judged = self.verification(parts)?;
            enter(judged, session)?;
        }
        if let (true, Some(counts)) = (self.wants("counts"), &self.policy.counts)
            && let Some(base) = &counts.base
        {
            let judged = self.counts(counts, base.get_ref(), parts)?;
            enter(judged, session)?;
        }
        if self.wants("times") || self.counts_both_sides() {
            let judged = self.times(parts)?;
            enter(judged, session)?;
        }
        if self.wants("mutation") {
            let judged = self.mutation(parts)?;
            enter(judged, session)?;
        }
        Ok(self.verdict(&rows))
    }

    fn verdict(&self, rows: &[Gated]) -> (u8, String) {
        // Where several hold, the first of these is the exit.
        let order = [
            exit::TROUBLE,
            exit::FINDING,
            exit::NOTHING,
            exit::SLOWER,
            exit::INCONCLUSIVE,
        ];
        let code = order
            .into_iter()
            .find(|code| rows.iter().any(|row| row.exit == *code));
        let code = code.unwrap_or(exit::PASS);
        let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        let left_out: Vec<&str> = CHECKS
            .into_iter()
            .filter(|check| !self.wants(check))
            .collect();
        let word = match code {
            exit::PASS => "the gate passes",
            exit::INCONCLUSIVE => "the gate is inconclusive",
            _ => "the gate fails",
        };
        let mut sentence = format!(
            "{word}: of {} rows {} pass",
            rows.len(),
            count(Gate::Passes)
        );
        for (verdict, is) in [
            (Gate::Fails, "fail"),
            (Gate::Inconclusive, "are inconclusive"),
        ] {
            if count(verdict) > 0 {
                sentence += &format!(", {} {is}", count(verdict));
            }
        }
        if !left_out.is_empty() {
            sentence += &format!("; not asked for: {}", left_out.join(", "));
        }
        (code, sentence)
    }

    /// Runs a verb of this program as a child, and reads what it has written.
    fn part(&self, name: &str, args: &[String], parts: &mut Vec<Report>) -> Result<Report, String> {
        let file = self.file(name).with_extension("jsonl");
        // A part that writes nothing must not be judged by an earlier run's records.
        if let Err(e) = std::fs::remove_file(&file)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            return Err(format!("cannot remove {}: {e}", file.display()));
        }
        let mut command = Command::new(self.launch.program());
        // The policy says what is asked for; the environment would say it again, and otherwise.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("PATHPROOF_") && text != "PATHPROOF_RUNNER" {
                command.env_remove(&name);
            }
        }
        command
            .args(args)
            .args(["--format", "json", "-o"])
            .arg(&file);
        if self.common.quiet {
            command.arg("--quiet");
        }
        self.common
            .note(format_args!("{name}: {} {}", self.program, shell(args)));
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        let status =
            status.map_err(|e| format!("cannot start {}: {e}", self.launch.program().display()))?;
        let report = pathproof_reports::read(&file).map_err(|e| {
            format!(
                "{} {}: it left no records ({status}): {e}",
                self.program,
                shell(args)
            )
        })?;
        parts.push(report.clone());
        Ok(report)
    }

    /// Judges a part: its rows, and what none of them says.
    fn judge(
        &self,
        check: &'static str,
        report: &Report,
        args: &[String],
        looked_into: &[u8],
        rows: impl FnOnce(&Part<'_>) -> Vec<Gated>,
    ) -> Vec<Gated> {
        let command = format!("{} {}", self.program, shell(args));
        let part = Part {
            check,
            report,
            program: &self.program,
            command: &command,
        };
        let mut rows = rows(&part);
        let also = gate::unexplained(&part, &rows, looked_into);
        rows.extend(also);
        rows
    }

    /// What must be verified on this machine, by the policy or by the command line.
    fn required<'b>(&'b self, policy: &'b Verification) -> Vec<&'b str> {
        let of_policy = policy.require.iter().map(|name| name.get_ref().as_str());
        let mut all: Vec<&str> = of_policy
            .chain(self.args.require.iter().map(String::as_str))
            .collect();
        let mut known = std::collections::HashSet::new();
        all.retain(|name| known.insert(*name));
        all
    }

    fn verification(&self, parts: &mut Vec<Report>) -> Result<Vec<Gated>, String> {
        let Some(policy) = &self.policy.verification else {
            return Ok(Vec::new());
        };
        let mut args = vec!["verify".into()];
        args.extend(policy.filter.iter().map(|filter| filter.get_ref().clone()));
        let required = self.required(policy);
        if !required.is_empty() {
            args.extend(["--require".into(), required.join(",")]);
        }
        if let Some((file, _)) = &self.promised {
            args.extend(["--promised".into(), file.display().to_string()]);
        }
        if policy.receipts {
            args.push("--require-receipts".into());
        }
        if policy.exhaustive {
            args.push("--exhaustive".into());
        }
        if let Some(cases) = policy.cases {
            args.extend(["--cases".into(), cases.to_string()]);
        }
        args.extend(["--seed".into(), self.seed.to_string()]);
        let report = self.part("verification", &args, parts)?;
        Ok(self.judge("verification", &report, &args, &[], |part| {
            let mut rows = gate::verification(part, &required, self.catalog);
            if let Some((_, names)) = &self.promised {
                rows.extend(gate::promised(
                    part,
                    names,
                    &select::missing(self.catalog, names),
                ));
            }
            rows
        }))
    }

    fn counts(
        &self,
        policy: &Counts,
        base: &Path,
        parts: &mut Vec<Report>,
    ) -> Result<Vec<Gated>, String> {
        let folder = self.args.policy.parent().unwrap_or(Path::new(""));
        let mut how = vec!["--base".into(), folder.join(base).display().to_string()];
        let tolerances = policy.tolerances();
        how.extend(["--tolerance".into(), tolerances.argument()]);
        if !policy.sizes.is_empty() {
            how.extend(["--sizes".into(), listed(&policy.sizes)]);
        }
        let mut args = vec!["count".into()];
        args.extend(how.clone());
        args.extend(policy.filter.iter().map(|filter| filter.get_ref().clone()));
        let report = self.part("counts", &args, parts)?;
        let mut again = vec!["count".into()];
        again.extend(how);
        Ok(self.judge("counts", &report, &again, &[], |part| {
            gate::counts(part, &tolerances, &Held::Records)
        }))
    }

    /// The comparison, and a second look at what was slower.
    fn times(&self, parts: &mut Vec<Report>) -> Result<Vec<Gated>, String> {
        let (Some(policy), Some(base)) = (&self.policy.times, self.base()) else {
            return Ok(Vec::new());
        };
        let mut how = base.to_vec();
        let mut number = |flag: &str, value: Option<f64>| {
            how.extend(
                value
                    .into_iter()
                    .flat_map(|value| [flag.into(), value.to_string()]),
            );
        };
        number(
            "--margin",
            policy.margin.as_ref().map(|margin| *margin.get_ref()),
        );
        number("--budget", policy.budget);
        if let (Some(build), true) = (&policy.build, how[0] == "--base") {
            how.extend(["--build".into(), build.clone()]);
        }
        let mut args = vec!["compare".into()];
        args.extend(policy.filter.iter().map(|filter| filter.get_ref().clone()));
        args.extend(how.clone());
        if !policy.sizes.is_empty() {
            args.extend(["--sizes".into(), listed(&policy.sizes)]);
        }
        if let Some(within) = policy.within {
            args.extend(["--within".into(), within.to_string()]);
        }
        args.extend(["--seed".into(), self.seed.to_string()]);
        if policy.allow_no_base {
            args.push("--allow-no-base".into());
        }
        if policy.fail_inconclusive {
            args.push("--fail-inconclusive".into());
        }
        let row = |of: &Comparison, seed: u32| {
            let mut args = vec!["compare".into(), of.name()];
            args.extend(how.clone());
            let load = match of.load.parse::<usize>() {
                Ok(_) => "--sizes",
                Err(_) => "--load",
            };
            args.extend([
                load.into(),
                of.load.clone(),
                "--seed".into(),
                seed.to_string(),
            ]);
            args
        };
        let repeat = |of: &Comparison| format!("{} {}", self.program, shell(&row(of, self.seed)));
        let report = self.part("times", &args, parts)?;
        let mut again = Vec::new();
        if self.wants("times") {
            let slower = report
                .comparisons()
                .filter(|of| of.verdict == Compared::Slower);
            for (n, of) in slower.enumerate() {
                let name = format!("times-again-{}", n + 1);
                // Other inputs and placements: what was slower for their sake is not slower.
                let looked = self.part(&name, &row(of, self.seed.wrapping_add(1).max(1)), parts);
                let row = looked.and_then(|report| {
                    let found = report.comparisons().next().cloned();
                    found.ok_or_else(|| {
                        report
                            .end()
                            .map_or("it did not come to its end".into(), |end| {
                                end.verdict.clone()
                            })
                    })
                });
                again.push(Again {
                    of: (of.name(), of.load.clone()),
                    row,
                });
            }
        }
        let mut judged = Vec::new();
        if let (true, Some(counts)) = (self.counts_both_sides(), &self.policy.counts) {
            // Exits of the comparison are looked into below, unless times are not asked for.
            let looked_into = [exit::SLOWER, exit::INCONCLUSIVE];
            judged.extend(self.judge("counts", &report, &args, &looked_into, |part| {
                gate::counts(part, &counts.tolerances(), &Held::Times(&repeat))
            }));
        }
        if self.wants("times") {
            judged.extend(
                self.judge("times", &report, &args, &[exit::SLOWER], |part| {
                    gate::times(part, policy, &again, &repeat)
                }),
            );
        }
        Ok(judged)
    }

    fn mutation(&self, parts: &mut Vec<Report>) -> Result<Vec<Gated>, String> {
        let Some(policy) = &self.policy.mutation else {
            return Ok(Vec::new());
        };
        let mut args = vec!["mutate".into()];
        args.extend(policy.filter.iter().map(|filter| filter.get_ref().clone()));
        if let Some(shard) = &policy.shard {
            args.extend(["--shard".into(), shard.clone()]);
        }
        let report = self.part("mutation", &args, parts)?;
        // Survivors are this verb's findings; a policy that asks for a score alone allows them.
        let looked_into: &[u8] = if policy.accepted_only {
            &[]
        } else {
            &[exit::FINDING]
        };
        Ok(self.judge("mutation", &report, &args, looked_into, |part| {
            gate::mutation(part, policy)
        }))
    }

    /// The page, the summary and the JUnit file; and on GitHub, the step's summary and annotations.
    fn show(&self, report: &Report, parts: Vec<Report>) -> Result<(), String> {
        let markdown = pathproof_reports::markdown(report);
        let mut all = vec![report.clone()];
        all.extend(parts);
        let page = self.file("index.html");
        for (file, text) in [
            (&page, pathproof_reports::page(&all)),
            (&self.file("summary.md"), markdown.clone()),
            (&self.file("junit.xml"), pathproof_reports::junit(report)),
        ] {
            std::fs::write(file, text)
                .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
        }
        self.common.note(format_args!(
            "records: {}\npage:    {}",
            self.file("gate.jsonl").display(),
            address(&page)
        ));
        if let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty())
        {
            use std::io::Write as _;
            let opened = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&file);
            let written = opened.and_then(|mut file| file.write_all(markdown.as_bytes()));
            // A server that cannot take the summary has the verdict all the same.
            if let Err(e) = written {
                complain(format_args!(
                    "cannot write GITHUB_STEP_SUMMARY, {}: {e}",
                    file.display()
                ));
            }
        }
        if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
            eprint!("{}", pathproof_reports::markdown(report)); // FIXME annotations
        }
        Ok(())
    }
}

/// Arguments, for a shell.
fn shell(args: &[String]) -> String {
    args.iter()
        .map(|arg| quoted(arg))
        .collect::<Vec<_>>()
        .join(" ")
}

fn listed(sizes: &[usize]) -> String {
    sizes
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(",")
}
