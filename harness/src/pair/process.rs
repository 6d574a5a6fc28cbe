//! A side's process, as its parent sees it.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::side::{Ask, Ready, SIDE, Said, Subjected, VERSION};
use crate::worker::protocol::{receive, send};
use crate::worker::{Launch, bind, spawn_unmoved};

/// What fills the space above a side's stack, and up to which length paths of programs are made alike.
const STACK: &str = "PATHPROOF_STACK";
const LONGEST_PATH: usize = 1024;
/// How long a side may take to answer, and how long a program of which nothing is known to say its first word, for which it makes an
/// input and asks its reference: one that is no client says none.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_secs(30);
/// How long a strange program may take to say what it is.
const HEARING: Duration = Duration::from_secs(5);
/// How what is said of a side begins that was waited for in vain.
const LATE: &str = "timed out: no answer within ";
/// How much is written at once where a pipe has room: it has room for so much, then.
const ROOM: usize = 4096;
/// How much of what a strange program prints is read, and how many characters of anything strange are shown.
const HEARD: u64 = 64 << 10;
const SHOWN: usize = 200;

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

/// One living side; it ends with this, and all that it has started with it.
pub(crate) struct Process {
    program: PathBuf,
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
        let patience = match launch.compares().get() {
            Some(Err(why)) => return Err(Fault::Absent(why.clone())),
            Some(Ok(())) => PATIENCE,
            None => FIRST,
        };
        let mut process = Self::spawn(launch, shift, patience)?;
        match process.first(launch, &Ask::Begin(Box::new(of.clone())))? {
            Said::Ready(ready) if ready.version == VERSION => {
                process.patience = PATIENCE;
                Ok((process, *ready))
            }
            Said::Ready(ready) => Err(Fault::Broken(format!(
                "{} compares by version {} of the sides' protocol, and this program by {VERSION}: take a base whose pathproof is as new, or build both with one",
                launch.program().display(),
                ready.version
            ))),
            other => Err(process.nonsense(&other, "at its beginning")),
        }
    }

    /// What a side says that no side should.
    pub(super) fn nonsense(&self, said: &Said, when: &str) -> Fault {
        let (program, said) = (self.program.display(), shown(&format!("{said:?}")));
        Fault::Broken(format!("a side said {said} {when} ({program})"))
    }

    fn spawn(launch: &Launch, shift: Option<usize>, patience: Duration) -> Result<Self, Fault> {
        let mut command = side(launch);
        command
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
        let changed = launch.unchanged().err().map(Fault::Broken);
        let mut child = match (spawned, changed) {
            (Ok(child), None) => child,
            (Ok(mut child), Some(fault)) => {
                end(&mut child);
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
            program: launch.program().into(),
            child,
            to,
            from,
            patience,
        })
    }

    /// The first that a program is asked, which may be no client of pathproof. One that is silent until it is too late is not started
    /// again, for any row: each would be waited for as long.
    fn first(&mut self, launch: &Launch, ask: &Ask) -> Result<Said, Fault> {
        let said = self.ask(ask);
        let program = launch.program().display();
        match said {
            Err(Fault::Finding(how)) if launch.compares().get() == Some(&Ok(())) => {
                Err(before_ready(launch, &how))
            }
            Err(Fault::Finding(how)) if how.starts_with(LATE) => {
                let why = format!(
                    "{program} does not compare: it says nothing, and is no client of pathproof, or takes too long to make its input ({how})"
                );
                let _ = launch.compares().set(Err(why.clone()));
                Err(Fault::Absent(why))
            }
            Err(Fault::Finding(how)) => Err(strange(launch, &how)),
            // What a client says.
            said @ (Ok(_) | Err(Fault::Absent(_))) => {
                let _ = launch.compares().set(Ok(()));
                said
            }
            said => said,
        }
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
                kill(&self.child);
                let patience = self.patience.as_secs();
                Err(Fault::Finding(format!("{LATE}{patience} s")))
            }
            Err(e) if e.kind() == std::io::ErrorKind::Other => {
                let (program, e) = (self.program.display(), shown(&e.to_string()));
                Err(Fault::Broken(format!(
                    "what a side said cannot be read ({program}): {e}"
                )))
            }
            // Its end of a pipe is closed: it is dead, or will be.
            Ok(None) | Err(_) => Err(self.died()),
        }
    }

    /// What it is that it says no more.
    fn died(&self) -> Fault {
        let how = match ended(&self.child, Instant::now() + Duration::from_secs(2)) {
            // No code does that to itself, and it was not this program.
            Some(how) if how.signal() == Some(Signal::SIGKILL as i32) => {
                return Fault::Broken(format!(
                    "a side was killed from outside (SIGKILL): perhaps memory ran out ({})",
                    self.program.display()
                ));
            }
            Some(how) => how.to_string(),
            None => "it goes on, and says no more".into(),
        };
        Fault::Finding(format!("crashed: {how}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A program as a side, in a group of its own, so that what it starts can be ended with it. Ctrl-C at a terminal, which is for this
/// program's group, does not reach it: it ends with this program. (What one that is no client had started may then go on. In this
/// program's group it would not, but would go on after each that is ended for its silence.)
fn side(launch: &Launch) -> Command {
    let mut command = launch.command();
    command.arg(SIDE).process_group(0);
    bind(&mut command);
    command
}

/// How it has ended by then, if it has. It is not reaped: its number is that of its group, and must not become another's.
fn ended(child: &Child, until: Instant) -> Option<ExitStatus> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(group(child)), flags) {
            Ok(WaitStatus::Exited(_, code)) => return Some(ExitStatus::from_raw(code << 8)),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                return Some(ExitStatus::from_raw(signal as i32));
            }
            _ if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
            _ => return None,
        }
    }
}

fn group(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

/// Kills one that has not been reaped, and all that it has started.
fn kill(child: &Child) {
    let _ = killpg(group(child), Signal::SIGKILL);
}

fn end(child: &mut Child) {
    kill(child);
    let _ = child.wait();
}

/// The beginning of what is not known to be short.
fn shown(said: &str) -> String {
    match said.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{} …", &said[..cut]),
        None => said.into(),
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

fn before_ready(launch: &Launch, how: &str) -> Fault {
    let program = launch.program().display();
    Fault::Finding(format!("{how}, before it was ready ({program})"))
}

/// A program that ends before it has said anything is asked once more, without a question, for what it prints: one that is no client
/// of pathproof, or of an older one, says so itself.
fn strange(launch: &Launch, how: &str) -> Fault {
    let program = launch.program().display();
    let mut command = side(launch);
    command.stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let (ended_well, said) = match command.spawn() {
        Ok(child) => hear(child, HEARING),
        Err(e) => (false, e.to_string()),
    };
    let mut lines = said.lines().map(str::trim);
    match lines.find(|line| !line.is_empty()) {
        Some(said) => {
            let said = shown(said);
            Fault::Absent(format!(
                "{program} does not compare: its pathproof is older than `compare`, or it is no client of it ({how}; it said: {said})"
            ))
        }
        // It says nothing, and without a question it ends well: the question was too much for it.
        None if ended_well && !how.ends_with("exit status: 0") => before_ready(launch, how),
        None => Fault::Absent(format!(
            "{program} does not compare: it says nothing, and is no client of pathproof ({how})"
        )),
    }
}

/// Whether a program ends well by itself, and the beginning of what it prints on stderr. It is ended when it has printed that much, or
/// goes on for too long.
fn hear(mut child: Child, patience: Duration) -> (bool, String) {
    let begun = Instant::now();
    let until = begun + patience;
    let mut said = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        let pipe = &mut pipe;
        // What came before it was too late is kept.
        let _ = Timed { pipe, until }.take(HEARD).read_to_end(&mut said);
    }
    // How one ends that has said something does not matter.
    let until = if said.is_empty() { until } else { begun };
    let well = ended(&child, until).is_some_and(|how| how.success());
    end(&mut child);
    (well, String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

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
        let program = script(
            folder.path(),
            "test -z \"$(head -c 1)\" || exit 2; while echo 'usage: none' >&2; do :; done",
        );
        assert!(matches!(fault(program), Fault::Absent(why) if why.contains("usage: none")));
    }

    #[test]
    fn only_one_that_ends_well_without_a_question_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["exec false", "exit 0", "kill $$"] {
            let fault = fault(script(folder.path(), text));
            assert!(matches!(fault, Fault::Absent(_)), "{text}: {fault:?}");
        }
        let fault = fault(script(
            folder.path(),
            "test -n \"$(head -c 1)\" || exit 0; kill $$",
        ));
        assert!(
            matches!(&fault, Fault::Finding(why) if why.contains("SIGTERM), before it was ready")),
            "{fault:?}"
        );
    }

    #[test]
    fn a_silent_program_is_waited_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(script(folder.path(), "echo >>\"$0.starts\"; exec sleep 60"));
        let mut process = Process::spawn(&launch, None, Duration::from_secs(1)).unwrap();
        let fault = process.first(&launch, &Ask::Step).unwrap_err();
        // Whatever of it is asked then, and by whichever clone.
        let of = Subjected {
            version: VERSION,
            operation: String::new(),
            isa: String::new(),
            delivery: String::new(),
            bytes: 1,
            seed: 0,
            params: BTreeMap::new(),
            want: None,
            moved: None,
        };
        let again = Process::start(&launch.clone(), &of, None).map(drop);
        assert_eq!(again, Err(fault));
        let starts = std::fs::read(folder.path().join("program.starts")).unwrap();
        assert_eq!(starts, b"\n");
    }

    #[test]
    fn a_client_that_is_late_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(script(folder.path(), "exec sleep 60"));
        launch.compares().set(Ok(())).unwrap();
        let mut process = Process::spawn(&launch, None, Duration::from_secs(1)).unwrap();
        let fault = process.first(&launch, &Ask::Step).unwrap_err();
        assert!(
            matches!(&fault, Fault::Finding(why) if why.starts_with("timed out") && why.contains("before it was ready")),
            "{fault:?}"
        );
    }

    #[test]
    fn what_a_side_has_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let text = "sleep 60 & echo $! >\"$0.new\"; mv \"$0.new\" \"$0.child\"; wait";
        let launch = launch(script(folder.path(), text));
        let file = folder.path().join("program.child");
        let process = Process::spawn(&launch, None, Duration::from_secs(20)).unwrap();
        let started = Instant::now();
        while !file.exists() && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let child = std::fs::read_to_string(file).unwrap();
        // One that nobody waits for is dead and still there.
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
            stat.is_ok_and(|stat| !stat.contains(") Z"))
        };
        assert!(lives());
        drop(process);
        let dropped = Instant::now();
        while lives() && dropped.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!lives());
    }

    #[test]
    fn one_that_is_killed_from_outside_is_no_finding() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "kill -9 $$");
        let named = program.display().to_string();
        let fault = fault(program);
        assert!(
            matches!(&fault, Fault::Broken(why) if why.contains("SIGKILL") && why.contains(&named)),
            "{fault:?}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_shown_in_short_and_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        // A frame of 1000 bytes: a word that no side says.
        let text = "printf '\\350\\003\\000\\000\"%0998d\"' 0; exec sleep 60";
        let program = script(folder.path(), text);
        let named = program.display().to_string();
        let Fault::Broken(why) = fault(program) else {
            panic!("it is read");
        };
        assert!(
            why.contains(&named) && why.contains("unknown variant `000"),
            "{why}"
        );
        assert!(why.len() < named.len() + 300, "{why}");
        assert_eq!(shown("short"), "short");
        assert_eq!(shown(&"é".repeat(300)).chars().count(), SHOWN + 2);
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
        let changed = |of| matches!(of, Err(Fault::Broken(why)) if why.contains("is not the file that it was"));
        assert!(changed(start()));
        std::fs::remove_file(launch.program()).unwrap();
        assert!(changed(start()));
    }
}
