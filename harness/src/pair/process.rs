//! A side's process, as its parent sees it.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::side::{Ask, Ready, SIDE, Said, Subjected, VERSION};
use crate::worker::protocol::{receive, send};
use crate::worker::{Launch, spawn_unmoved};

/// What fills the space above a side's stack, and up to which length paths of programs are made alike.
const STACK: &str = "PATHPROOF_STACK";
const LONGEST_PATH: usize = 1024;
/// How long a side may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much is written at once where a pipe has room: it has room for so much, then.
const ROOM: usize = 4096;
/// How much of what a strange program prints is read.
const HEARD: u64 = 64 << 10;

/// Why a row has no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The side's build has no such path, or no harness.
    Absent(String),
    /// The path broke a promise: it did not agree, or died.
    Finding(String),
    /// Nothing is known of any path.
    Broken(String),
}

/// One living side; it ends with this.
pub(crate) struct Process {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    patience: Duration,
}

impl Process {
    /// Starts a side and has it prepare its calls. With `shift`, its memory lies where that of any other side lies that is started with
    /// the same: the stack so many bytes lower than it could, and the rest where the system puts it if it does not draw.
    pub(crate) fn start(
        launch: &Launch,
        of: &Subjected,
        shift: Option<usize>,
    ) -> Result<(Self, Ready), Fault> {
        let mut process = Self::spawn(launch, shift, PATIENCE)?;
        match process.first(launch, &Ask::Begin(Box::new(of.clone())))? {
            Said::Ready(ready) if ready.version == VERSION => Ok((process, *ready)),
            Said::Ready(ready) => Err(Fault::Broken(format!(
                "{} compares by version {} of the sides' protocol, and this program by {VERSION}: take a base whose pathproof is as new, or build both with one",
                launch.program().display(),
                ready.version
            ))),
            other => Err(Fault::Broken(format!(
                "a side said {other:?} at its beginning"
            ))),
        }
    }

    fn spawn(launch: &Launch, shift: Option<usize>, patience: Duration) -> Result<Self, Fault> {
        let mut command = launch.command();
        command
            .arg(SIDE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What a path prints. It cannot be kept: a pipe that nobody reads would stop the side, and a file could fill the disk.
            .stderr(Stdio::null());
        let spawned = match shift {
            None => command.spawn(),
            Some(shift) => {
                // Above the stack lie the program's path and its environment.
                let path = launch.program().as_os_str().len();
                let filler = shift + LONGEST_PATH.saturating_sub(path);
                command.arg0(SIDE).env(STACK, "-".repeat(filler));
                spawn_unmoved(&mut command)
            }
        };
        // Looked at after the start, so that what was started is the file as it was known.
        let changed = changed(launch).map(Fault::Broken);
        let mut child = match (spawned, changed) {
            (Ok(child), None) => child,
            (Ok(mut child), Some(fault)) => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(fault);
            }
            (Err(e), fault) => {
                let program = launch.program().display();
                let cannot = || Fault::Broken(format!("cannot start {program}: {e}"));
                return Err(fault.unwrap_or_else(cannot));
            }
        };
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Fault::Broken("a side was started without its pipes".into()));
        };
        Ok(Self {
            child,
            to,
            from,
            patience,
        })
    }

    /// The first that a program is asked, which may be no client of pathproof.
    fn first(&mut self, launch: &Launch, ask: &Ask) -> Result<Said, Fault> {
        self.ask(ask).map_err(|fault| match fault {
            Fault::Finding(how) => strange(launch, &how, self.patience),
            other => other,
        })
    }

    /// Asks, and waits for what the side says; one that does not say it in time is ended.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<Said, Fault> {
        let until = Instant::now() + self.patience;
        let mut frame = Vec::new();
        let sent = send(&mut frame, ask).and_then(|()| {
            let pipe = &mut self.to;
            Timed { pipe, until }.write_all(&frame)
        });
        let said = sent.and_then(|()| {
            let pipe = &mut self.from;
            receive::<Said>(&mut Timed { pipe, until })
        });
        match said {
            Ok(Some(Said::Absent(why))) => Err(Fault::Absent(why)),
            Ok(Some(Said::Differs(why))) => Err(Fault::Finding(why)),
            Ok(Some(Said::Broken(why))) => Err(Fault::Broken(why)),
            Ok(Some(said)) => Ok(said),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                let _ = self.child.kill();
                Err(Fault::Finding(format!(
                    "timed out: no answer within {} s",
                    self.patience.as_secs()
                )))
            }
            Err(e) if e.kind() == std::io::ErrorKind::Other => Err(Fault::Broken(format!(
                "what a side said cannot be read: {e}"
            ))),
            // Its end of a pipe is closed: it is dead, or will be.
            Ok(None) | Err(_) => {
                let how = self.ended();
                Err(Fault::Finding(format!("crashed: {how}")))
            }
        }
    }

    /// How it ended; one that has only closed its pipe is ended.
    fn ended(&mut self) -> String {
        let closed = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.to_string().replace(" (core dumped)", ""),
                Ok(None) if closed.elapsed() < Duration::from_secs(2) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(None) => return "it goes on, and says no more".into(),
                Err(e) => return e.to_string(),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe that is waited for until then, and no longer, however little comes at a time.
struct Timed<'a, P> {
    pipe: &'a mut P,
    until: Instant,
}

impl<P> Timed<'_, P> {
    fn wait(pipe: BorrowedFd<'_>, until: Instant, flags: PollFlags) -> std::io::Result<()> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(pipe, flags)], left) {
                Ok(0) => return Err(std::io::ErrorKind::TimedOut.into()),
                Err(Errno::EINTR) => {}
                other => return other.map(drop).map_err(Into::into),
            }
        }
    }
}

impl<P: Read + AsFd> Read for Timed<'_, P> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        Self::wait(self.pipe.as_fd(), self.until, PollFlags::POLLIN)?;
        self.pipe.read(into)
    }
}

impl<P: Write + AsFd> Write for Timed<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::wait(self.pipe.as_fd(), self.until, PollFlags::POLLOUT)?;
        self.pipe.write(&bytes[..bytes.len().min(ROOM)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.pipe.flush()
    }
}

/// Why a side must not be what the program's file is now, if that has changed since the file became a side.
fn changed(launch: &Launch) -> Option<String> {
    let is = |file: &std::fs::Metadata| {
        let written = (file.mtime(), file.mtime_nsec());
        (file.dev(), file.ino(), file.len(), written)
    };
    let now = std::fs::metadata(launch.program()).ok();
    let program = launch.program().display();
    (now.as_ref().map(is) != launch.file().map(is)).then(|| {
        format!(
            "{program} is not the file that it was when this run began, and two builds would be measured as one: compare again while nothing builds it, or a copy of it"
        )
    })
}

/// A program that ends, or is ended, before it has said anything is asked once more, without a question, for what it prints: one that
/// is no client of pathproof, or of an older one, says so itself.
fn strange(launch: &Launch, how: &str, patience: Duration) -> Fault {
    let program = launch.program().display();
    let mut command = launch.command();
    command.arg(SIDE).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let (ended_well, said) = match command.spawn() {
        Ok(child) => hear(child, patience),
        Err(e) => (false, e.to_string()),
    };
    let mut lines = said.lines().map(str::trim);
    match lines.find(|line| !line.is_empty()) {
        Some(said) => {
            let said: String = said.chars().take(200).collect();
            Fault::Absent(format!(
                "{program} does not compare: its pathproof is older than `compare`, or it is no client of it ({how}; it said: {said})"
            ))
        }
        // It says nothing, and without a question it ends well: the question was too much for it.
        None if ended_well && !how.ends_with("exit status: 0") => {
            Fault::Finding(format!("{how}, while it made its input ({program})"))
        }
        None => Fault::Absent(format!(
            "{program} does not compare: it says nothing, and is no client of pathproof ({how})"
        )),
    }
}

/// Whether a program ends well by itself, and the beginning of what it prints on stderr. It is ended when it has printed that much, or
/// goes on for too long.
fn hear(mut child: Child, patience: Duration) -> (bool, String) {
    let until = Instant::now() + patience;
    let mut said = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        let pipe = &mut pipe;
        // What came before it was too late is kept.
        let _ = Timed { pipe, until }.take(HEARD).read_to_end(&mut said);
    }
    let mut ended = child.try_wait();
    while said.is_empty() && matches!(ended, Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
        ended = child.try_wait();
    }
    let _ = child.kill();
    let _ = child.wait();
    let well = ended.is_ok_and(|how| how.is_some_and(|how| how.success()));
    (well, String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    use super::*;

    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn launch(program: PathBuf) -> Launch {
        Launch::this_program().unwrap().of(program)
    }

    /// What becomes of a program that is given a second to answer; it must not take much longer.
    fn fault(program: PathBuf) -> Fault {
        let (launch, begun) = (launch(program), Instant::now());
        let mut process = Process::spawn(&launch, None, Duration::from_secs(1)).unwrap();
        let fault = process.first(&launch, &Ask::Step).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(20), "{fault:?}");
        fault
    }

    #[test]
    fn a_program_that_does_not_go_on_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            // Its first four bytes announce a frame of 162 MiB.
            "echo 'ok!'; exec sleep 60",
            "exec sleep 60",
            // Always a little, and never a frame.
            "printf '\\377\\377\\0\\0'; while sleep 0.1; do printf x; done",
        ] {
            let Fault::Absent(why) = fault(script(folder.path(), text)) else {
                panic!("{text}");
            };
            assert!(
                why.contains("it says nothing") && why.contains("timed out: no answer within 1 s"),
                "{text}: {why}"
            );
        }
    }

    #[test]
    fn a_program_that_prints_for_ever_is_heard_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "while echo 'usage: none' >&2; do :; done");
        assert!(matches!(fault(program), Fault::Absent(why) if why.contains("usage: none")));
    }

    #[test]
    fn only_one_that_ends_well_without_a_question_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["exec false", "exit 0", "kill -9 $$"] {
            let fault = fault(script(folder.path(), text));
            assert!(matches!(fault, Fault::Absent(_)), "{text}: {fault:?}");
        }
        let fault = fault(script(
            folder.path(),
            "read -r question || exit 0; kill -9 $$",
        ));
        assert!(
            matches!(&fault, Fault::Finding(why) if why.contains("while it made its input")),
            "{fault:?}"
        );
    }

    #[test]
    fn a_question_that_nobody_reads_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(script(folder.path(), "exec sleep 60"));
        let mut process = Process::spawn(&launch, None, Duration::from_secs(1)).unwrap();
        let long = Ask::Lay {
            output: 0,
            input: vec![usize::MAX; 1 << 16],
        };
        let fault = process.ask(&long).unwrap_err();
        assert!(
            matches!(&fault, Fault::Finding(why) if why.starts_with("timed out")),
            "{fault:?}"
        );
    }

    #[test]
    fn a_program_that_is_replaced_is_not_started_as_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(script(folder.path(), "exec sleep 60"));
        let start = || Process::spawn(&launch, None, Duration::from_secs(1)).map(drop);
        assert_eq!(start(), Ok(()));
        script(folder.path(), "exec sleep 600");
        let changed = |of| matches!(of, Err(Fault::Broken(why)) if why.contains("compare again"));
        assert!(changed(start()));
        std::fs::remove_file(launch.program()).unwrap();
        assert!(changed(start()));
    }
}
