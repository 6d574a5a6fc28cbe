//! A side's process, as its parent sees it.

use std::os::fd::AsFd as _;
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
}

impl Process {
    /// Starts a side and has it prepare its calls. With `shift`, its memory lies where that of any other side lies that is started with
    /// the same: the stack so many bytes lower than it could, and the rest where the system puts it if it does not draw.
    pub(crate) fn start(
        launch: &Launch,
        of: &Subjected,
        shift: Option<usize>,
    ) -> Result<(Self, Ready), Fault> {
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
        let mut child = spawned.map_err(|e| {
            Fault::Broken(format!("cannot start {}: {e}", launch.program().display()))
        })?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Fault::Broken("a side was started without its pipes".into()));
        };
        let mut process = Self { child, to, from };
        let unheard = |fault| match fault {
            Fault::Finding(how) => strange(launch, &how),
            other => other,
        };
        match process
            .ask(&Ask::Begin(Box::new(of.clone())))
            .map_err(unheard)?
        {
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

    /// Asks, and waits for what the side says.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<Said, Fault> {
        let sent = send(&mut self.to, ask);
        let said = sent.and_then(|()| {
            self.wait()?;
            receive::<Said>(&mut self.from)
        });
        match said {
            Ok(Some(Said::Absent(why))) => Err(Fault::Absent(why)),
            Ok(Some(Said::Differs(why))) => Err(Fault::Finding(why)),
            Ok(Some(Said::Broken(why))) => Err(Fault::Broken(why)),
            Ok(Some(said)) => Ok(said),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => Err(Fault::Finding(format!(
                "timed out: no answer within {} s",
                PATIENCE.as_secs()
            ))),
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

    fn wait(&self) -> std::io::Result<()> {
        let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        loop {
            let mut from = [PollFd::new(self.from.as_fd(), PollFlags::POLLIN)];
            match poll(&mut from, timeout) {
                Ok(0) => return Err(std::io::ErrorKind::TimedOut.into()),
                Err(Errno::EINTR) => {}
                other => return other.map(drop).map_err(Into::into),
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

/// A program that ends before it has said anything is asked once more, without a question, for what it prints: one that is no client of
/// pathproof, or of an older one, says so itself.
fn strange(launch: &Launch, how: &str) -> Fault {
    let program = launch.program().display();
    let again = launch.command().arg(SIDE).stdin(Stdio::null()).output();
    let (ended, said) = match again {
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stderr).into_owned();
            let mut lines = text.lines().map(str::trim);
            let said = lines.find(|line| !line.is_empty()).map(str::to_owned);
            (out.status.code().is_some(), said)
        }
        Err(e) => (true, Some(e.to_string())),
    };
    match said {
        Some(said) => {
            let said: String = said.chars().take(200).collect();
            Fault::Absent(format!(
                "{program} does not compare: its pathproof is older than `compare`, or it is no client of it ({how}; it said: {said})"
            ))
        }
        // It says nothing, and without a question it ends well: the question was too much for it.
        None if ended && !how.ends_with("exit status: 0") => {
            Fault::Finding(format!("{how}, while it made its input ({program})"))
        }
        None => Fault::Absent(format!(
            "{program} does not compare: it says nothing, and is no client of pathproof ({how})"
        )),
    }
}
