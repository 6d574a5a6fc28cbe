//! How many inputs each path took: counters in a mapped file, which are right at any instant, however the process ends.
//!
//! ```text
//! {"operation":"q64_decode","paths":[["scalar","fills",null],["neon","fills","exists only on …"],…]}\n   padded to 8 bytes
//! u64 inputs | u64 path at work, plus 1; 0: none | u64 inputs that path 0 took | path 1 | …
//! ```

use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::operation::Operation;
use crate::page::words;

/// The environment variable that names the folder of the files, one per operation.
pub(crate) const FOLDER: &str = "PATHPROOF_TALLY";

/// Words before those of the paths.
const INPUTS: usize = 0;
const AT_WORK: usize = 1;
const PATHS: usize = 2;

/// What the counters are of: the first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) operation: String,
    /// ISA, delivery, and why it cannot run here.
    pub(crate) paths: Vec<(String, String, Option<String>)>,
}

impl Head {
    pub(crate) fn new(operation: &Operation) -> Self {
        let path = |path: &crate::operation::CodePath| {
            let why = path.unavailable.as_ref().map(ToString::to_string);
            (path.isa.to_string(), path.delivery.to_string(), why)
        };
        Self {
            operation: operation.name().into(),
            paths: operation.paths.iter().map(path).collect(),
        }
    }

    fn line(&self) -> io::Result<String> {
        let mut line = serde_json::to_string(self)? + "\n";
        while !line.len().is_multiple_of(8) {
            line.insert(line.len() - 1, ' ');
        }
        Ok(line)
    }
}

/// The counters of an operation, in use.
pub(crate) struct Tally {
    head: Head,
    words: Words,
}

/// Where the counters are.
enum Words {
    /// In a file that somebody reads.
    Shared(&'static [AtomicU64]),
    Own(Vec<AtomicU64>),
}

impl std::ops::Deref for Words {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        match self {
            Words::Shared(words) => words,
            Words::Own(words) => words,
        }
    }
}

impl Tally {
    /// Opens the operation's file in the folder of the environment, which several processes may share; counters of this process
    /// alone if no folder is named.
    pub(crate) fn open(operation: &Operation) -> Result<Self, String> {
        let head = Head::new(operation);
        let Some(folder) = std::env::var_os(FOLDER) else {
            let words = (0..PATHS + head.paths.len()).map(|_| AtomicU64::new(0));
            return Ok(Self {
                words: Words::Own(words.collect()),
                head,
            });
        };
        let path = PathBuf::from(folder).join(operation.name());
        let words = Self::map(&path, &head).map_err(|e| {
            format!(
                "cannot count in {}, which {FOLDER} names: {e}",
                path.display()
            )
        })?;
        Ok(Self {
            head,
            words: Words::Shared(words),
        })
    }

    fn map(path: &Path, head: &Head) -> io::Result<&'static [AtomicU64]> {
        let line = head.line()?;
        let len = (line.len() + 8 * (PATHS + head.paths.len())) as u64;
        let mut file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        // Whoever is first writes the head; the others wait for that.
        file.lock()?;
        if file.metadata()?.len() == 0 {
            file.write_all(line.as_bytes())?;
            file.set_len(len)?;
        }
        let mut found = vec![0; line.len()];
        file.rewind()?;
        file.read_exact(&mut found)?;
        if found != line.as_bytes() || file.metadata()?.len() != len {
            let why = "it has the counters of other paths; name an empty folder";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        file.unlock()?;
        words(&file, line.len())
    }

    pub(crate) fn input(&self) {
        self.words[INPUTS].fetch_add(1, Relaxed);
    }

    /// A path is about to be called.
    pub(crate) fn begin(&self, path: usize) {
        self.words[AT_WORK].store(path as u64 + 1, Relaxed);
    }

    pub(crate) fn done(&self) {
        self.words[AT_WORK].store(0, Relaxed);
    }

    /// A path took an input and agreed.
    pub(crate) fn took(&self, path: usize) {
        self.words[PATHS + path].fetch_add(1, Relaxed);
    }

    /// For whoever runs the target by hand.
    pub(crate) fn print(&self) {
        let inputs = self.words[INPUTS].load(Relaxed);
        if inputs == 0 || matches!(self.words, Words::Shared(_)) {
            return;
        }
        let mut text = format!("{}: {inputs} inputs\n", self.head.operation);
        for ((isa, delivery, unavailable), word) in self.head.paths.iter().zip(&self.words[PATHS..])
        {
            let took = match (unavailable, word.load(Relaxed)) {
                (Some(why), _) => format!("unavailable: {why}"),
                (None, 0) => "NOT EXECUTED".into(),
                (None, n) => format!("{n} inputs"),
            };
            text += &format!("  {isa}/{delivery}: {took}\n");
        }
        // A stderr that is gone has nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// A file of counters, as it stands.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) head: Head,
    pub(crate) inputs: u64,
    /// The path that was being called when the process ended.
    pub(crate) at_work: Option<usize>,
    pub(crate) took: Vec<u64>,
}

/// Reads a file of counters.
///
/// # Errors
/// It cannot be read, or is none.
#[cfg(feature = "cli")]
pub(crate) fn read(path: &Path) -> Result<Counts, String> {
    let bytes = crate::case::read_file(path)?;
    parse(&bytes).ok_or_else(|| format!("{} is no file of counters", path.display()))
}

fn parse(bytes: &[u8]) -> Option<Counts> {
    let line = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let head: Head = serde_json::from_slice(&bytes[..line]).ok()?;
    let mut words = bytes[line..]
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()));
    let (inputs, at_work) = (words.next()?, words.next()?);
    let took: Vec<u64> = words.collect();
    let at_work = (at_work as usize).checked_sub(1);
    let fits = took.len() == head.paths.len() && at_work.is_none_or(|path| path < took.len());
    fits.then_some(Counts {
        head,
        inputs,
        at_work,
        took,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{CodePath, Reason};

    fn operation() -> Operation {
        let absent = Reason::NotBuilt("by hand".into());
        Operation::new("op", |i| Ok(i.bytes().len()))
            .path(CodePath::returns("scalar", |i| Ok(i.bytes().len())))
            .path(CodePath::absent("neon", "fills", absent))
    }

    #[test]
    fn counters_are_in_the_file_at_once_and_several_processes_share_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("op");
        let head = Head::new(&operation());
        let tally = |_| Tally {
            words: Words::Shared(Tally::map(&path, &head).unwrap()),
            head: head.clone(),
        };
        let [one, two] = [1, 2].map(tally);
        for tally in [&one, &two, &one] {
            tally.input();
            tally.begin(0);
            tally.took(0);
        }
        let counts = parse(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(counts.head, head);
        assert_eq!((counts.inputs, counts.at_work), (3, Some(0)));
        assert_eq!(counts.took, [3, 0]);
        two.done();
        let counts = parse(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(counts.at_work, None);
    }

    #[test]
    fn the_counters_of_other_paths_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("op");
        let head = Head::new(&operation());
        Tally::map(&path, &head).unwrap();
        let mut other = head.clone();
        other.paths[0].0 = "sse2".into();
        assert!(Tally::map(&path, &other).is_err());
        other.paths.pop();
        assert!(Tally::map(&path, &other).is_err());
    }

    #[test]
    fn what_is_no_file_of_counters_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("op");
        Tally::map(&path, &Head::new(&operation())).unwrap();
        let good = std::fs::read(&path).unwrap();
        assert!(parse(&good).is_some());
        for len in 0..good.len() {
            assert!(parse(&good[..len]).is_none() || len == good.len(), "{len}");
        }
        // A path at work that there is not.
        let mut bad = good.clone();
        let at = good.len() - 24;
        bad[at] = 9;
        assert!(parse(&bad).is_none());
    }
}
