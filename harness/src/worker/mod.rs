//! Workers: single-threaded copies of this program in which clients' code runs, so that it can crash, hang or print.
//!
//! A parent starts one, hands it spans of cases, and knows from a shared page what it was doing when it died. `serve` is the
//! worker's side, `protocol` what is said, `page` what is shared, `system` what the operating system gives.

pub(crate) mod protocol;
pub(crate) mod serve;
mod system;

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::protocol::{Catalog, Reply, Request, VERSION, receive, send};
use crate::arena::GUARD;
use crate::operation::Operation;
use crate::page::{Page, Phase, Snapshot};
use crate::plan::Settings;
use crate::verdict::{Stray, Verdict};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use system::alive;
#[cfg(target_os = "linux")]
pub(crate) use system::{bind, spawn_unmoved};
pub(crate) use system::{die_with_parent, libc, missing, note_faults, take_stdio};

/// The hidden first argument that makes this program a worker.
const WORKER: &str = "worker";
/// How long a worker may take to say hello: a client may have much to set up.
const HELLO: Duration = Duration::from_secs(60);
/// How much of what a subject prints is kept: its end, which says why it aborts.
const KEPT: usize = 2 << 10;

/// If this process was started as a worker: serves until the parent closes, and ends the process.
pub(crate) fn answer(operations: &[Operation]) {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|first| first != WORKER) {
        return;
    }
    let Some(page) = args.next() else {
        eprintln!("error: `worker` is how this program calls itself; try --help");
        std::process::exit(2);
    };
    system::die_with_parent();
    let served = system::take_stdio()
        .and_then(|(from, to)| serve::serve(operations, page.as_ref(), from, to));
    if let Err(error) = &served {
        eprintln!("worker: {error}");
    }
    std::process::exit(i32::from(served.is_err()));
}

/// How this program starts itself again.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// What goes before the program: an emulator, for code of another CPU.
    runner: Vec<String>,
    program: PathBuf,
    /// The program's file as it was then: a build may replace it.
    file: Option<std::fs::Metadata>,
    /// Whether its memory is to lie at the same addresses each time.
    unmoved: bool,
    /// Whether it can be a side of a comparison, or why not, once that is known; all clones know it.
    compares: Arc<OnceLock<Result<(), String>>>,
}

impl Launch {
    /// This program, behind `PATHPROOF_RUNNER` if that is set (`qemu-aarch64 -L /usr/aarch64-linux-gnu`).
    pub(crate) fn this_program() -> Result<Self, String> {
        let program = std::env::current_exe()
            .map_err(|e| format!("this program cannot find itself to start its workers: {e}"))?;
        let runner = std::env::var("PATHPROOF_RUNNER").unwrap_or_default();
        Ok(Self {
            runner: runner.split_whitespace().map(str::to_owned).collect(),
            file: std::fs::metadata(&program).ok(),
            program,
            unmoved: false,
            compares: Arc::new(Ok(()).into()),
        })
    }

    /// Another build of it, started in the same way.
    pub(crate) fn of(&self, program: PathBuf) -> Self {
        Self {
            file: std::fs::metadata(&program).ok(),
            program,
            compares: Arc::default(),
            ..self.clone()
        }
    }

    pub(crate) fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// Whether the program's file is still what it was when it became known.
    ///
    /// # Errors
    /// It is not: what was measured of it and what would be are two builds.
    pub(crate) fn unchanged(&self) -> Result<(), String> {
        #[cfg(unix)]
        fn is(file: &std::fs::Metadata) -> impl PartialEq + use<> {
            use std::os::unix::fs::MetadataExt as _;
            let written = (file.mtime(), file.mtime_nsec());
            (file.dev(), file.ino(), file.len(), written)
        }
        #[cfg(not(unix))]
        fn is(file: &std::fs::Metadata) -> impl PartialEq + use<> {
            (file.len(), file.modified().ok())
        }
        let now = std::fs::metadata(&self.program).ok();
        match now.as_ref().map(is) == self.file.as_ref().map(is) {
            true => Ok(()),
            false => Err(format!(
                "{} is not the file that it was when this run began, and two builds would be measured as one: begin again while nothing builds it, or with a copy of it",
                self.program.display()
            )),
        }
    }

    pub(crate) fn compares(&self) -> &OnceLock<Result<(), String>> {
        &self.compares
    }

    /// The same with memory at the same addresses each time, for programs that may read what nobody has written.
    pub(crate) fn unmoved(&self) -> Self {
        Self {
            unmoved: true,
            ..self.clone()
        }
    }

    pub(crate) fn command(&self) -> Command {
        match self.runner.split_first() {
            None => Command::new(&self.program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
        }
    }
}

/// Why a request has no reply.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The worker died, or was killed for being stuck, while it called a path.
    Death(Death),
    /// The client's own part or this harness failed; nothing can be said about any path.
    Broken(String),
}

/// How a worker died.
#[derive(Debug)]
pub(crate) struct Death {
    pub(crate) at: Snapshot,
    /// The exit status in words, and the last line that it printed.
    how: String,
    /// The limit that it exceeded, in milliseconds.
    timed_out: Option<u64>,
}

impl Death {
    /// The verdict on the path that was being called.
    pub(crate) fn verdict(&self) -> Verdict {
        if let Some(limit) = self.timed_out {
            return Verdict::TimedOut(limit);
        }
        let Snapshot {
            signal,
            address,
            access,
            buffers,
            ..
        } = &self.at;
        if *signal == 0 {
            return Verdict::Crashed(self.how.clone());
        }
        if *access == 3 {
            return Verdict::Crashed(format!("{}, a stack overflow", self.how));
        }
        let distance = |buffer: &std::ops::Range<usize>| {
            let outside = if *address < buffer.start {
                buffer.start - address
            } else {
                address.saturating_sub(buffer.end) + 1
            };
            (buffer.start != 0 && !buffer.contains(address) && outside <= GUARD).then_some(outside)
        };
        let nearest = buffers
            .iter()
            .enumerate()
            .filter_map(|(i, b)| Some((distance(b)?, i)))
            .min();
        let Some((_, number)) = nearest else {
            return Verdict::Crashed(format!(
                "{} at address {address:#x}, near none of its buffers",
                self.how
            ));
        };
        let name = match number {
            0 => "output".to_string(),
            1 => "input".to_string(),
            part => format!("part {}", part - 1),
        };
        let buffer = &buffers[number];
        let stray = Stray::new(
            name,
            address.wrapping_sub(buffer.start) as isize,
            buffer.len(),
        );
        // Where the CPU does not say what the access was, the buffer does.
        if *access == 2 || (*access == 0 && number == 0) {
            Verdict::WroteOutside(stray)
        } else {
            Verdict::ReadOutside(stray)
        }
    }
}

/// What subjects have printed.
#[derive(Debug, Default)]
struct Printed {
    last: VecDeque<u8>,
    bytes: u64,
}

struct Running {
    child: Child,
    to: ChildStdin,
    replies: Receiver<std::io::Result<Reply>>,
    printed: Arc<Mutex<Printed>>,
    /// Reads what is printed, until the worker's end.
    listener: JoinHandle<()>,
}

impl Running {
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hear_out();
    }

    /// What a dead worker printed last arrives through another thread, which ends behind it: unless a process that it started
    /// still holds the pipe.
    fn hear_out(&self) {
        let died = Instant::now();
        while !self.listener.is_finished() && died.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A place for one worker at a time; starts it when needed, and again after a death.
pub(crate) struct Host {
    launch: Launch,
    settings: Settings,
    file: tempfile::NamedTempFile,
    page: &'static Page,
    running: Option<Running>,
    catalog: Option<Catalog>,
    /// Bytes that subjects have printed; dropped, but for their number.
    pub(crate) chatter: u64,
}

impl Host {
    pub(crate) fn new(launch: &Launch, settings: &Settings) -> Result<Self, String> {
        let file = tempfile::Builder::new()
            .prefix("pathproof-")
            .tempfile()
            .and_then(|file| Ok((Page::create(file.path())?, file)));
        let (page, file) = file.map_err(|e| {
            format!(
                "cannot make the page shared with a worker in {}: {e}",
                std::env::temp_dir().display()
            )
        })?;
        let (launch, settings) = (launch.clone(), settings.clone());
        Ok(Self {
            launch,
            settings,
            file,
            page,
            running: None,
            catalog: None,
            chatter: 0,
        })
    }

    /// What its workers draw from.
    pub(crate) fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// What there is to verify, as a worker says it.
    pub(crate) fn catalog(&mut self) -> Result<Catalog, String> {
        self.start()?;
        self.catalog
            .clone()
            .ok_or_else(|| "the worker said hello without a catalog".into())
    }

    /// Ends the worker, so that the next request meets a fresh process.
    pub(crate) fn renew(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.end();
            self.chatter += running.printed.lock().map_or(0, |printed| printed.bytes);
        }
    }

    fn start(&mut self) -> Result<(), String> {
        if self.running.is_some() {
            return Ok(());
        }
        self.page.fault(0, 0, 0);
        self.page.idle();
        let mut command = self.launch.command();
        command
            .arg(WORKER)
            .arg(self.file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Where criterion would keep files; without it, it asks cargo.
            .env("CRITERION_HOME", std::env::temp_dir());
        let spawned = match self.launch.unmoved {
            false => command.spawn(),
            true => system::spawn_unmoved(&mut command),
        };
        let mut child = spawned
            .map_err(|e| format!("cannot start a worker ({:?}): {e}", command.get_program()))?;
        let (Some(mut to), Some(mut from), Some(mut err)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("a worker was started without its pipes".into());
        };
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            while let Some(reply) = receive(&mut from).transpose() {
                let last = reply.is_err();
                if sender.send(reply).is_err() || last {
                    break;
                }
            }
        });
        let printed = Arc::new(Mutex::new(Printed::default()));
        let keep = Arc::clone(&printed);
        let listener = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(len @ 1..) = err.read(&mut chunk) {
                let Ok(mut printed) = keep.lock() else { break };
                printed.bytes += len as u64;
                printed.last.extend(&chunk[..len]);
                let excess = printed.last.len().saturating_sub(KEPT);
                printed.last.drain(..excess);
            }
        });
        let asked = send(&mut to, &Request::Setup(self.settings.clone()));
        self.running = Some(Running {
            child,
            to,
            replies,
            printed,
            listener,
        });
        let hello = match asked {
            Ok(()) => self
                .running
                .as_ref()
                .map(|running| running.replies.recv_timeout(HELLO)),
            Err(_) => None,
        };
        match hello {
            Some(Ok(Ok(Reply::Hello {
                version: VERSION,
                catalog,
            }))) => {
                self.catalog = Some(catalog);
                Ok(())
            }
            Some(Ok(Ok(Reply::Hello { version, .. }))) => Err(format!(
                "a worker speaks version {version} of the protocol, and this program {VERSION}: build both from one source"
            )),
            Some(Ok(Ok(Reply::Broken(why)))) => Err(why),
            _ => {
                if let Some(running) = &mut self.running {
                    running.end();
                }
                let said = self.last_line();
                self.renew();
                let said = if said.is_empty() {
                    String::new()
                } else {
                    format!(" It said: {said}.")
                };
                Err(format!(
                    "a worker did not answer.{said} Its program must begin with `pathproof::main` or `pathproof::tests`; a plain #[test] cannot host workers, a `[[test]] harness = false` can"
                ))
            }
        }
    }

    fn last_line(&self) -> String {
        let Some(running) = &self.running else {
            return String::new();
        };
        let Ok(printed) = running.printed.lock() else {
            return String::new();
        };
        let bytes: Vec<u8> = printed.last.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        text.lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .trim()
            .chars()
            .take(200)
            .collect()
    }

    /// Asks, tells `found` of every finding on the way, and waits for the reply.
    pub(crate) fn ask(
        &mut self,
        request: &Request,
        found: &mut dyn FnMut(u64, usize, Verdict),
    ) -> Result<Reply, Stop> {
        self.start().map_err(Stop::Broken)?;
        let Some(running) = &mut self.running else {
            return Err(Stop::Broken("no worker".into()));
        };
        // A worker that has died since the last reply shows it at the first receive.
        let _ = send(&mut running.to, request);
        let limit = Duration::from_millis(self.settings.timeout);
        let look = limit.min(Duration::from_millis(50));
        let (mut ticks, mut silence, mut looked) =
            (self.page.ticks(), Duration::ZERO, Instant::now());
        loop {
            match running.replies.recv_timeout(look) {
                Ok(Ok(Reply::Found {
                    index,
                    subject,
                    verdict,
                })) => found(index, subject, verdict),
                Ok(Ok(Reply::Broken(why))) => return Err(Stop::Broken(why)),
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) => {
                    self.renew();
                    return Err(Stop::Broken(format!(
                        "a worker's reply cannot be read: {error}"
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.bury(None)),
                Err(RecvTimeoutError::Timeout) => {
                    // Where a look took much longer, the whole machine was held up, and the worker with it.
                    let waited = looked.elapsed().min(2 * look);
                    looked = Instant::now();
                    if self.page.ticks() != ticks {
                        (ticks, silence) = (self.page.ticks(), Duration::ZERO);
                        continue;
                    }
                    silence += waited;
                    // Between calls a worker is at work of its own, such as reading line tables, which no path has to answer for.
                    let limit = match self.page.snapshot().phase {
                        Phase::Idle => limit.max(HELLO),
                        Phase::Preparing | Phase::Calling => limit,
                    };
                    if silence > limit {
                        return Err(self.bury(Some(limit.as_millis() as u64)));
                    }
                }
            }
        }
    }

    /// Has the worker read one byte beyond a guarded input, and says what was made of it.
    pub(crate) fn probe(&mut self) -> Result<Verdict, String> {
        match self.ask(&Request::Overread, &mut |_, _, _| {}) {
            Ok(Reply::Verdict(verdict)) => Ok(verdict),
            Ok(other) => Err(format!("a worker replied {other:?} to a probe")),
            Err(Stop::Death(death)) => Ok(death.verdict()),
            Err(Stop::Broken(why)) => Err(why),
        }
    }

    /// A round trip to the worker.
    pub(crate) fn ping(&mut self) -> Result<(), String> {
        match self.ask(&Request::Ping, &mut |_, _, _| {}) {
            Ok(Reply::Pong) => Ok(()),
            other => Err(format!("a worker replied {other:?} to a ping")),
        }
    }

    /// The worker is dead, or stuck and to be killed: finds out what it was doing.
    fn bury(&mut self, timed_out: Option<u64>) -> Stop {
        let at = self.page.snapshot();
        let mut how = "it is gone".to_string();
        if let Some(running) = &mut self.running {
            if timed_out.is_some() {
                let _ = running.child.kill();
            }
            if let Ok(status) = running.child.wait() {
                how = status.to_string().replace(" (core dumped)", "");
            }
            running.hear_out();
        }
        let said = self.last_line();
        self.renew();
        if at.phase == Phase::Calling {
            if !said.is_empty() {
                how = format!("{how}; it said: {said}");
            }
            return Stop::Death(Death { at, how, timed_out });
        }
        let what = if at.phase == Phase::Preparing {
            "making a case or in its reference"
        } else {
            "between two calls"
        };
        let how = timed_out.map_or(how, |ms| format!("no answer within {ms} ms"));
        let said = if said.is_empty() {
            said
        } else {
            format!("; it said: {said}")
        };
        Stop::Broken(format!(
            "a worker ended {what}, so nothing is known of any path: {how}{said}"
        ))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.renew();
    }
}
