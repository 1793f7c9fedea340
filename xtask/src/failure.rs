//! The ways a task can fail. Made where it happens, handed up by everyone, printed by `main`.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a task ended early.
#[derive(Debug)]
pub enum Error {
    /// The command line makes no sense.
    Misuse(String),
    /// The system refused one of our own steps on a file.
    File { doing: &'static str, path: PathBuf, cause: io::Error },
    /// A program could not be started.
    NotStarted { program: OsString, cause: io::Error },
    /// A program ran and said no; `said` is its own explanation where we kept it from the screen.
    Unsuccessful { line: String, status: ExitStatus, said: String },
    /// Something this machine or this folder lacks, and the way out.
    Missing { what: String, advice: String },
    /// What somebody else made is not what it should be.
    Broken { what: PathBuf, why: String },
    /// The task did its work, and the answer is no.
    Verdict(String),
    /// A virtual machine ended without an answer, neither yes nor no.
    NoVerdict(String),
}

impl Error {
    /// The exit code `main` ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Misuse(_) => 2,
            Error::NoVerdict(_) => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Misuse(text) | Error::Verdict(text) | Error::NoVerdict(text) => {
                f.write_str(text)
            }
            Error::File { doing, path, cause } => {
                write!(f, "cannot {doing} {}: {cause}", path.display())
            }
            Error::NotStarted { program, cause } => {
                write!(f, "cannot start {}: {cause}", program.display())
            }
            Error::Unsuccessful { line, status, said } => {
                write!(f, "`{line}` failed ({status})")?;
                if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
            }
            Error::Broken { what, why } => write!(f, "{}: {why}", what.display()),
            Error::Missing { what, advice } => write!(f, "{what}; {advice}"),
        }
    }
}

/// Adds the step and the path to what the system said.
pub trait At<T> {
    /// `doing` completes the sentence "cannot … PATH".
    fn at(self, doing: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|cause| Error::File { doing, path: path.to_path_buf(), cause })
    }
}
