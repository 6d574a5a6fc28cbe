//! The engine of a fuzz target: what it says while it runs, and how long it is listened to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::{Counts, TOKEN};

/// No line of an engine that matters is longer.
const LINE: u64 = 64 << 10;
/// What the files of findings begin with.
const ARTIFACTS: [&str; 4] = ["crash-", "timeout-", "oom-", "leak-"];

/// What an engine has said of its run.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Inputs, edges and files of the corpus, and the seconds that it took.
    pub(crate) inputs: Option<u64>,
    pub(crate) edges: Option<u64>,
    pub(crate) corpus: Option<u64>,
    pub(crate) seconds: f64,
    /// The body's own line about a finding, and the case's token.
    pub(crate) what: Option<String>,
    pub(crate) token: Option<String>,
    /// The engine's or the sanitizer's line, and the input that it wrote.
    pub(crate) summary: Option<String>,
    pub(crate) artifact: Option<PathBuf>,
    /// What it said last, for a run that ended in no way that is known.
    pub(crate) last: String,
    /// The path that was being called when the process ended, however it did.
    pub(crate) ended_within: Option<usize>,
    /// What the body counted.
    pub(crate) counts: Option<Counts>,
}

impl Said {
    /// Takes one line. The forms are those of libFuzzer (LLVM 22) as libfuzzer-sys 0.4.13 has it.
    pub(crate) fn line(&mut self, line: &str, operation: Option<&str>) {
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
    pub(crate) fn found(&self) -> bool {
        let told = self.token.is_some() || self.artifact.is_some() || self.summary.is_some();
        told || self.ended_within.is_some()
    }

    /// The verdict of a finding of which the body had no time to speak.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.summary.as_deref().unwrap_or_default() {
            summary if summary.contains("timeout") => "timed out",
            _ => "crashed",
        }
    }
}

/// What the target says, a line at a time, from a thread of its own: who says nothing must not keep us waiting.
pub(crate) fn lines(stderr: Option<ChildStderr>) -> Receiver<String> {
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
pub(crate) fn listen(
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
