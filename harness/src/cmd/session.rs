//! What verbs share: where records go, and how they are shown.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use pathproof_reports::{End, Record, Report, Run, Writer};

use super::{Color, Common, Format};
use crate::ledger::exit;
use crate::machine;

/// How this program is called, for the commands that it prints: relative to here where it lies below here.
pub(super) fn program() -> String {
    let exe = std::env::current_exe().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let shown = match exe.strip_prefix(&here) {
        // With a slash, or a shell would look for it elsewhere.
        Ok(below) if below.components().count() == 1 => format!("./{}", below.display()),
        Ok(below) => below.display().to_string(),
        Err(_) => exe.display().to_string(),
    };
    crate::plan::quoted(&shown)
}

/// The name of this program, without folders.
pub(super) fn program_name() -> String {
    let exe = std::env::current_exe().unwrap_or_default();
    exe.file_stem().map_or_else(
        || "pathproof".into(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// `harness` in cargo's target folder, if this program lies in one (cargo marks it with CACHEDIR.TAG); else `target/harness` here.
pub(super) fn default_out() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let target = exe
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let target = target.map_or_else(|| PathBuf::from("target"), Path::to_path_buf);
    let here = std::env::current_dir().unwrap_or_default();
    target
        .strip_prefix(here)
        .map(Path::to_path_buf)
        .unwrap_or(target)
        .join("harness")
}

/// The records of one run: written as they are made, kept to be shown at the end.
pub(super) struct Session<'a> {
    common: &'a Common,
    started: Instant,
    file: Option<Writer>,
    /// Opened before anything runs, so that a place that cannot be written costs nobody a run.
    printed: Box<dyn std::io::Write>,
    report: Report,
}

impl<'a> Session<'a> {
    /// Begins a run, with the machine and the run itself as its first records.
    pub(super) fn begin(
        common: &'a Common,
        verb: &str,
        seed: Option<u64>,
        records: Option<&Path>,
    ) -> Result<Self, String> {
        // Before the records, so that a place that cannot be printed to does not cost an older run its file.
        let printed = common.sink()?;
        let file = records
            .map(|path| {
                Writer::create(path).map_err(|e| format!("cannot write {}: {e}", path.display()))
            })
            .transpose()?;
        let report = Report {
            source: records.map_or_else(String::new, |p| p.display().to_string()),
            records: Vec::new(),
            truncated: false,
        };
        let mut session = Self {
            common,
            started: Instant::now(),
            file,
            printed,
            report,
        };
        session.put(Record::Machine(machine::fingerprint(&program_name())))?;
        session.put(Record::Run(Run {
            verb: verb.into(),
            args: std::env::args_os()
                .skip(1)
                .skip_while(|arg| arg.as_os_str() == verb)
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect(),
            seed,
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        }))?;
        Ok(session)
    }

    pub(super) fn put(&mut self, record: Record) -> Result<(), String> {
        if let Some(file) = &mut self.file {
            file.write(&record)
                .map_err(|e| format!("cannot write {}: {e}", self.report.source))?;
        }
        if self.common.format == Format::Json {
            let line = serde_json::to_string(&record)
                .map_err(|e| format!("a record cannot be written: {e}"))?;
            self.print(&(line + "\n"))?;
        }
        self.report.records.push(record);
        Ok(())
    }

    /// Ends the run with its code and sentence, and shows it.
    fn end(&mut self, exit: u8, verdict: String) -> Result<(), String> {
        self.put(Record::End(End {
            exit,
            seconds: self.started.elapsed().as_secs_f64(),
            verdict,
        }))?;
        if self.common.format == Format::Json {
            return Ok(());
        }
        self.print(&self.common.render(&self.report))
    }

    fn print(&mut self, text: &str) -> Result<(), String> {
        written(
            self.printed
                .write_all(text.as_bytes())
                .and_then(|()| self.printed.flush()),
        )
    }

    /// Ends the run with a code and a sentence, or with the error that ended it: what was measured stays, and the error goes on.
    pub(super) fn conclude(&mut self, verdict: Result<(u8, String), String>) -> Result<u8, String> {
        match verdict {
            Ok((code, sentence)) => self.end(code, sentence).map(|()| code),
            Err(why) => match self.end(exit::TROUBLE, why.clone()) {
                Ok(()) => Err(why),
                Err(also) => Err(format!("{why}; and {also}")),
            },
        }
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }
}

impl Common {
    /// Stdout, or the file that `-o` names.
    pub(super) fn sink(&self) -> Result<Box<dyn std::io::Write>, String> {
        match &self.output {
            None => Ok(Box::new(std::io::stdout())),
            Some(path) => match std::fs::File::create(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(e) => Err(format!("cannot write {}: {e}", path.display())),
            },
        }
    }

    pub(super) fn print(&self, text: &str) -> Result<(), String> {
        written(self.sink()?.write_all(text.as_bytes()))
    }

    /// A report in the form that was asked for.
    pub(super) fn render(&self, report: &Report) -> String {
        match self.format {
            Format::Text => pathproof_reports::text(report, self.color()),
            Format::Json => pathproof_reports::json(report),
            Format::Md => pathproof_reports::markdown(report),
            Format::Junit => pathproof_reports::junit(report),
        }
    }

    pub(super) fn color(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                self.output.is_none()
                    && std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none()
            }
        }
    }

    /// A remark on stderr.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

/// The one line that says what is wrong, on stderr; a stderr that is gone has nobody to tell.
pub(super) fn complain(why: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {why}");
}

/// Whoever reads our stdout may have seen enough (`list | head`); every other failure to print is told.
fn written(result: std::io::Result<()>) -> Result<(), String> {
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| format!("cannot write what was to be printed: {e}")),
    }
}
