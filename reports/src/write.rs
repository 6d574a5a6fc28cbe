//! Writing a records file, line by line.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::read::MAX_LINE;
use crate::record::{Record, SCHEMA};

/// Writes a records file.
///
/// Every record goes out at once, as one write of a whole line, so that a run that is killed leaves
/// a file that can be read up to its last line. What the reader would refuse is refused here, where
/// the program that is wrong can still be told.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    state: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing is written yet: the machine comes first.
    Empty,
    /// The machine is written.
    Open,
    /// A write failed and may have left half a line: what follows would be glued to it.
    Broken,
}

impl Writer {
    /// Makes the file, or empties the one that is there, and locks it: two runs at once would make one file that is neither's. The
    /// folder must exist.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] if another writer has it; otherwise what the operating system says, with the file's name.
    pub fn create(path: &Path) -> io::Result<Self> {
        let cannot = |e: &io::Error| named(path, "cannot create", e);
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let file = options.open(path).map_err(|e| cannot(&e))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let why = format!("{}: another run writes it", path.display());
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
            }
            // A file system that has no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if file.metadata().is_ok_and(|known| known.is_file()) {
            file.set_len(0).map_err(|e| cannot(&e))?;
        }
        Ok(Writer {
            file,
            path: path.to_owned(),
            state: Progress::Empty,
        })
    }

    /// Writes one record and leaves nothing in a buffer.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`], and nothing is written, if the first record is no
    /// [`Record::Machine`] of schema [`SCHEMA`] or a later one is; if a number is not finite; if a
    /// figure has neither value nor reason; if a receipt's parts do not add up, a survivor has no
    /// place, a comparison's verdict does not follow from its intervals, a calibration is of none or a
    /// gate's row has the exit code of another verdict; if the line would be longer than [`MAX_LINE`] bytes.
    /// Otherwise what the operating system says; after that, every further call fails, for the file
    /// may end in half a line.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = self.line(record).map_err(|what| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{}: {what}", self.path.display()),
            )
        })?;
        if let Err(e) = self.file.write_all(&line) {
            self.state = Progress::Broken;
            return Err(named(&self.path, "cannot write to", &e));
        }
        self.state = Progress::Open;
        Ok(())
    }

    /// The line, with its newline, or why this record cannot be written now.
    fn line(&self, record: &Record) -> Result<Vec<u8>, String> {
        match (self.state, record) {
            (Progress::Broken, _) => {
                return Err("an earlier write failed, so nothing more is written".into());
            }
            (Progress::Empty, Record::Machine(machine)) if machine.schema == SCHEMA => {}
            (Progress::Empty, Record::Machine(machine)) => {
                return Err(format!(
                    "this crate writes schema {SCHEMA}, not {}",
                    machine.schema
                ));
            }
            (Progress::Empty, _) => return Err("the first record must be the machine".into()),
            (Progress::Open, Record::Machine(_)) => {
                return Err("the machine is the first record only".into());
            }
            (Progress::Open, _) => {}
        }
        match record {
            Record::Figure(figure) => match figure.value {
                Some(value) if !value.is_finite() => {
                    return Err(format!(
                        "{} of {:?} is {value}: give a reason instead",
                        figure.quantity,
                        figure.name()
                    ));
                }
                None if figure.reason.is_none() => {
                    return Err(format!(
                        "{} of {:?} has neither value nor reason",
                        figure.quantity,
                        figure.name()
                    ));
                }
                _ => {}
            },
            Record::End(end) if !end.seconds.is_finite() => {
                return Err(format!("the run took {} s", end.seconds));
            }
            _ => {}
        }
        if let Some(what) = record.contradiction() {
            return Err(what);
        }
        let mut line = serde_json::to_vec(record).map_err(|e| e.to_string())?;
        line.push(b'\n');
        if line.len() > MAX_LINE {
            return Err(format!(
                "a record of {} bytes; at most {MAX_LINE} can be read back",
                line.len()
            ));
        }
        Ok(line)
    }
}

/// The error again, with what was tried on which file.
fn named(path: &Path, tried: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{tried} {}: {error}", path.display()))
}
