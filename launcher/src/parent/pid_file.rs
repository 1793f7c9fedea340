//! `--pid-file`: the pid of the container's init on the host, in a file that appears complete and
//! exists while the container runs.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::sys::file::At;
use crate::sys::{Errno, errno_of, names, signal};

/// The file. Dropping this removes it.
pub struct PidFile {
    path: PathBuf,
    file: File,
    /// Its name, if it has one yet.
    name: Option<PathBuf>,
}

impl PidFile {
    /// Creates it without a name (O_TMPFILE): a path that cannot be written is refused before
    /// anything starts, and a launcher that is killed leaves nothing.
    pub fn create(path: &CStr) -> Result<PidFile, Error> {
        let given = Path::new(OsStr::from_bytes(path.to_bytes()));
        // The launcher changes directory later.
        let path = std::path::absolute(given).map_err(|error| at(given, &error))?;
        // An old pid file is replaced; a device, a directory or a link is not.
        if fs::symlink_metadata(&path).is_ok_and(|old| !old.is_file()) {
            let shown = path.display();
            return Err(Error::refused(
                "WritePidFile",
                format!("--pid-file {shown} is no regular file"),
            )
            .advise("give another path, or remove what is there"));
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let unnamed = OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open(folder);
        let created = match unnamed {
            // The file system has no O_TMPFILE.
            Err(error) if errno_of(&error) == Errno::EOPNOTSUPP => create_beside(&path),
            other => other.map(|file| (file, None)),
        };
        let (file, name) = created.map_err(|error| at(&path, &error))?;
        Ok(PidFile { path, file, name })
    }

    /// Writes the pid, then gives the file its name: a reader finds it complete or not at all.
    pub fn publish(&mut self, pid: i32) -> Result<(), Error> {
        self.write(pid).map_err(|error| at(&self.path, &error))
    }

    fn write(&mut self, pid: i32) -> io::Result<()> {
        writeln!(self.file, "{pid}")?;
        let place = CString::new(self.path.as_os_str().as_bytes())?;
        if self.name.is_none() && names::link(self.file.as_fd(), At::Cwd, &place).is_err() {
            // There is a file of that name, which only rename(2) replaces.
            let (file, name) = create_beside(&self.path)?;
            (self.file, self.name) = (file, name);
            writeln!(self.file, "{pid}")?;
        }
        if let Some(name) = &self.name {
            fs::rename(name, &self.path)?;
        }
        self.name = Some(self.path.clone());
        Ok(())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let Some(path) = &self.name else { return };
        // Another launcher may have replaced it by its own.
        let identity = |data: fs::Metadata| (data.dev(), data.ino());
        let there = fs::symlink_metadata(path).map(identity);
        if there.is_ok_and(|there| self.file.metadata().map(identity).is_ok_and(|own| own == there))
        {
            fs::remove_file(path).ok();
        }
    }
}

/// Creates it in the same directory, under a name that nobody else uses.
fn create_beside(path: &Path) -> io::Result<(File, Option<PathBuf>)> {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{}.tmp", signal::own_pid()));
    let file = OpenOptions::new().write(true).create_new(true).open(&name)?;
    Ok((file, Some(name.into())))
}

fn at(path: &Path, error: &io::Error) -> Error {
    let errno = errno_of(error);
    Error::at("WritePidFile", format_args!("write --pid-file {}", path.display()), errno)
}
