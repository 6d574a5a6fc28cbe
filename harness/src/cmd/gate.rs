//! `gate`: what a policy asks for, in one table with one verdict.
//!
//! Each part is a verb of this program, run as a child that writes its records; what they say of the policy is `gate::judge`'s.

use std::fs::TryLockError;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use pathproof_reports::{Compared, Comparison, End, Gate, Gated, Record, Report};

use super::session::{Session, complain, default_out, program, program_name};
use super::verify::address;
use super::{Common, GateArgs, drawn_seed};
use crate::gate::{self, Again, Counts, Part, Policy, Verification};
use crate::ledger::exit;
use crate::plan::{Settings, quoted};
use crate::select;
use crate::worker::protocol::Catalog;
use crate::worker::{Host, Launch};

/// The checks that a policy can ask for, each a section of it.
const CHECKS: [&str; 4] = ["verification", "counts", "times", "mutation"];
/// What is made of the records.
const SHOWN: [&str; 3] = ["index.html", "summary.md", "junit.xml"];

pub(super) fn gate(common: &Common, launch: &Launch, args: &GateArgs) -> Result<u8, String> {
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| default_out().join("gate"));
    let _lock = clear(&out)?;
    let catalog = Host::new(launch, &Settings::default())?.catalog()?;
    let times = args.only.is_empty() || args.only.iter().any(|only| only == "times");
    let policy = gate::read(&args.policy, &catalog, &|margin| match times {
        true => supported(common, margin),
        false => Ok(()),
    })?;
    let gate = Run {
        common,
        launch,
        args,
        catalog: &catalog,
        out,
        seed: args.seed.unwrap_or_else(drawn_seed),
        policy,
        program: called(),
    };
    gate.check()?;
    let records = gate.file("gate.jsonl");
    let mut session = Session::begin(common, "gate", Some(gate.seed.into()), Some(&records))?;
    common.note(format_args!("seed {}", gate.seed));
    let mut parts = Vec::new();
    let verdict = gate.go(&mut session, &mut parts);
    let code = session.conclude(verdict);
    gate.show(session.report(), parts)?;
    code
}

/// Makes the folder, or takes out of it what an earlier gate has left: whatever happens to this one, none of that stands for it.
/// Nobody else writes there as long as the lock is held.
fn clear(out: &Path) -> Result<std::fs::File, String> {
    std::fs::create_dir_all(out).map_err(|e| {
        format!(
            "cannot make the folder {}: {e}; name another with --out DIR",
            out.display()
        )
    })?;
    let place = out.join("lock");
    let lock = std::fs::File::create(&place);
    let lock = lock.map_err(|e| format!("cannot write {}: {e}", place.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(format!(
                "another gate is writing to {}; name another folder with --out DIR",
                out.display()
            ));
        }
        Err(TryLockError::Error(e)) => return Err(format!("cannot lock {}: {e}", place.display())),
    }
    let cannot = |e: std::io::Error| format!("cannot clear {}: {e}", out.display());
    for entry in std::fs::read_dir(out).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let part = CHECKS.iter().any(|check| name.starts_with(check));
        let ours = (part || name.starts_with("gate.")) && name.ends_with(".jsonl");
        if ours || SHOWN.contains(&&*name) {
            std::fs::remove_file(&file).map_err(cannot)?;
        }
    }
    Ok(lock)
}

/// How this program is called, for a shell. Cargo's name of its package goes along where it is another one: by that a base is built.
fn called() -> String {
    match std::env::var("CARGO_PKG_NAME") {
        Ok(name) if name != program_name() => {
            format!("CARGO_PKG_NAME={} {}", quoted(&name), program())
        }
        _ => program(),
    }
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

struct Run<'a> {
    common: &'a Common,
    launch: &'a Launch,
    args: &'a GateArgs,
    catalog: &'a Catalog,
    policy: Policy,
    out: PathBuf,
    seed: u32,
    program: String,
}

impl Run<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// A file that the policy names, which lies beside it.
    fn beside(&self, file: &Path) -> String {
        let folder = self.args.policy.parent().unwrap_or(Path::new(""));
        folder.join(file).display().to_string()
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
        for name in self.asked_for() {
            select::known(self.catalog, name).map_err(|why| format!("--require {why}"))?;
        }
        if self.asked_for().next().is_some() && !self.wants("verification") {
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
            // CI servers set to nothing what they do not have.
            (None, Some(base)) if !base.is_empty() => Some(["--base".into(), base.clone()]),
            _ => of_policy.map(|base| ["--base".into(), base]),
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
        let code = exit_of(rows);
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
        for (verdict, one, more) in [
            (Gate::Fails, "fails", "fail"),
            (Gate::Inconclusive, "is inconclusive", "are inconclusive"),
        ] {
            match count(verdict) {
                0 => {}
                1 => sentence += &format!(", 1 {one}"),
                n => sentence += &format!(", {n} {more}"),
            }
        }
        if !left_out.is_empty() {
            sentence += &format!("; not asked for: {}", left_out.join(", "));
        }
        (code, sentence)
    }

    /// Runs a verb of this program as a child, and reads what it has written.
    fn part(&self, name: &str, args: &[String], parts: &mut Vec<Report>) -> Result<Report, String> {
        self.launch.unchanged()?;
        let file = self.file(name).with_extension("jsonl");
        let mut command = self.launch.command();
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
        let report = ended(pathproof_reports::read(&file).ok(), status);
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
            command: &command,
        };
        let mut rows = rows(&part);
        let also = gate::unexplained(&part, &rows, looked_into);
        rows.extend(also);
        rows
    }

    /// What the command line requires; a variable that is empty requires nothing.
    fn asked_for(&self) -> impl Iterator<Item = &str> {
        let names = self.args.require.iter().map(String::as_str);
        names.filter(|name| !name.is_empty())
    }

    /// What must be verified on this machine, by the policy or by the command line.
    fn required<'b>(&'b self, policy: &'b Verification) -> Vec<&'b str> {
        let of_policy = policy.require.iter().map(|name| name.get_ref().as_str());
        let mut all: Vec<&str> = of_policy.chain(self.asked_for()).collect();
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
        if let Some(list) = &policy.promised {
            args.extend(["--promised".into(), self.beside(list.get_ref())]);
        }
        if policy.receipts {
            args.push("--require-receipts".into());
        }
        if policy.exhaustive {
            args.push("--exhaustive".into());
        }
        if let Some(cases) = &policy.cases {
            args.extend(["--cases".into(), cases.get_ref().to_string()]);
        }
        args.extend(["--seed".into(), self.seed.to_string()]);
        let report = self.part("verification", &args, parts)?;
        Ok(self.judge("verification", &report, &args, &[], |part| {
            let mut rows = gate::verification(part, &required, policy.receipts, self.catalog);
            let names = &policy.promised_paths;
            if !names.is_empty() {
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
        let mut how = vec!["--base".into(), self.beside(base)];
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
            gate::counts_of_records(part, &tolerances)
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
        number(
            "--budget",
            policy.budget.as_ref().map(|budget| *budget.get_ref()),
        );
        if let (Some(build), true) = (&policy.build, how[0] == "--base") {
            how.extend(["--build".into(), build.clone()]);
        }
        let mut args = vec!["compare".into()];
        args.extend(policy.filter.iter().map(|filter| filter.get_ref().clone()));
        args.extend(how.clone());
        if !policy.sizes.is_empty() {
            args.extend(["--sizes".into(), listed(&policy.sizes)]);
        }
        if let Some(within) = &policy.within {
            args.extend(["--within".into(), within.get_ref().to_string()]);
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
                    let is_it = |row: &&Comparison| row.name() == of.name() && row.load == of.load;
                    let found = report.comparisons().find(is_it).cloned();
                    let Some(end) = report.end() else {
                        return Err("it did not come to its end".into());
                    };
                    found.ok_or_else(|| end.verdict.clone())
                });
                again.push(Again {
                    of: (of.name(), of.load.clone()),
                    row,
                });
            }
        }
        let mut judged = Vec::new();
        if let (true, Some(counts)) = (self.counts_both_sides(), &self.policy.counts) {
            // Nobody but a gate holds both sides' counts against each other.
            let own = self.own("counts", &base);
            // What the comparison says of times is no matter of counts: those that are missing are rows.
            let looked_into = [exit::SLOWER, exit::INCONCLUSIVE];
            judged.extend(self.judge("counts", &report, &own, &looked_into, |part| {
                gate::counts_of_both_sides(part, &counts.tolerances())
            }));
        }
        if self.wants("times") {
            judged.extend(
                self.judge("times", &report, &args, &[exit::SLOWER], |part| {
                    let mut rows = gate::times(part, policy, &again, &repeat);
                    rows.extend(gate::itself(part));
                    rows
                }),
            );
        }
        Ok(judged)
    }

    /// This gate's own arguments, for one check.
    fn own(&self, check: &str, base: &[String; 2]) -> Vec<String> {
        let policy = self.args.policy.display().to_string();
        let seed = self.seed.to_string();
        let own = [
            "gate", "--only", check, "--policy", &policy, "--seed", &seed,
        ];
        own.into_iter()
            .map(str::to_owned)
            .chain(base.clone())
            .collect()
    }

    fn mutation(&self, parts: &mut Vec<Report>) -> Result<Vec<Gated>, String> {
        let Some(policy) = &self.policy.mutation else {
            return Ok(Vec::new());
        };
        let mut args = vec!["mutate".into()];
        args.extend(policy.filter.iter().map(|filter| filter.get_ref().clone()));
        if let Some(shard) = &policy.shard {
            args.extend(["--shard".into(), shard.get_ref().clone()]);
        }
        let report = self.part("mutation", &args, parts)?;
        // Survivors, and a list of accepted ones that is not true any more, are this verb's findings; a policy that asks for a score
        // alone asks for neither.
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
            // A stderr that is gone has nobody to tell.
            let told = pathproof_reports::annotations(report);
            let _ = std::io::stderr().write_all(told.as_bytes());
        }
        Ok(())
    }
}

/// The exit of all rows. Where several hold, it is the first of this order.
fn exit_of(rows: &[Gated]) -> u8 {
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
    code.unwrap_or(exit::PASS)
}

/// A part's records. Where its process ended otherwise than they say, or left none, they end with that.
fn ended(report: Option<Report>, status: ExitStatus) -> Report {
    let verdict = match &report {
        Some(report) => match report.end() {
            Some(end) if status.code() != Some(end.exit.into()) => Some(format!(
                "its records end with exit code {}, and it with {status}",
                end.exit
            )),
            _ => None,
        },
        None => Some(format!(
            "it left no records, and ended with {status}; stderr says why"
        )),
    };
    let mut report = report.unwrap_or_else(|| Report {
        source: String::new(),
        records: Vec::new(),
        truncated: false,
    });
    if let Some(verdict) = verdict {
        report.records.push(Record::End(End {
            exit: exit::TROUBLE,
            seconds: 0.0,
            verdict,
        }));
    }
    report
}

/// Arguments, for a shell.
fn shell(args: &[String]) -> String {
    args.iter()
        .map(|arg| quoted(arg))
        .collect::<Vec<_>>()
        .join(" ")
}

fn listed(sizes: &[toml::Spanned<usize>]) -> String {
    sizes
        .iter()
        .map(|size| size.get_ref().to_string())
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn of_several_exits_one_is_given() {
        let rows = |exits: &[u8]| {
            let row = |exit: &u8| Gated {
                check: "times".into(),
                subject: "all paths".into(),
                verdict: Gate::Fails,
                found: "this".into(),
                allowed: "that".into(),
                exit: *exit,
                command: None,
            };
            exit_of(&exits.iter().map(row).collect::<Vec<_>>())
        };
        assert_eq!(rows(&[]), 0);
        assert_eq!(rows(&[0, 5, 0]), 5);
        assert_eq!(rows(&[5, 3]), 3);
        assert_eq!(rows(&[3, 4]), 4);
        assert_eq!(rows(&[4, 1, 3]), 1);
        assert_eq!(rows(&[1, 3, 4, 2, 5]), 2);
    }

    #[test]
    fn records_that_say_otherwise_than_their_process_are_not_believed() {
        let report = |exit| Report {
            source: String::new(),
            records: vec![Record::End(End {
                exit,
                seconds: 0.0,
                verdict: "so it ended".into(),
            })],
            truncated: false,
        };
        let exit = |of: Option<Report>, raw| {
            let ended = ended(of, ExitStatus::from_raw(raw));
            ended.end().expect("an end").exit
        };
        let code = |code: i32| code << 8;
        assert_eq!(exit(Some(report(0)), code(0)), 0);
        assert_eq!(exit(Some(report(3)), code(3)), 3);
        assert_eq!(exit(Some(report(0)), code(101)), exit::TROUBLE);
        assert_eq!(exit(Some(report(0)), 9), exit::TROUBLE);
        assert_eq!(exit(None, code(0)), exit::TROUBLE);
    }
}
