//! `--pid-file`: the host's pid of the container's init, in a file that is whole whenever it is
//! there, and there while the container runs.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::sys::{Errno, signal};

/// The file, from before the start to after the end.
pub struct PidFile {
    path: PathBuf,
    /// Beside it, so that a rename puts it in place.
    unfinished: PathBuf,
    file: File,
    in_place: bool,
}

impl PidFile {
    /// Creates it under another name: what cannot be written is known before anything starts.
    pub fn create(path: &CStr) -> Result<PidFile, Error> {
        let given = Path::new(OsStr::from_bytes(path.to_bytes()));
        // The launcher changes directory later.
        let path = std::path::absolute(given).map_err(|error| at(given, &error))?;
        // An old pid file is replaced; a device, a directory or a link is somebody's.
        if fs::symlink_metadata(&path).is_ok_and(|old| !old.is_file()) {
            let shown = path.display();
            return Err(Error::refused(
                "WritePidFile",
                format!("--pid-file {shown} is no regular file"),
            )
            .advise("give another path, or remove what is there"));
        }
        let mut unfinished = path.clone().into_os_string();
        unfinished.push(format!(".{}.tmp", signal::own_pid()));
        let unfinished = PathBuf::from(unfinished);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&unfinished)
            .map_err(|error| at(&path, &error))?;
        Ok(PidFile { path, unfinished, file, in_place: false })
    }

    /// Writes the pid and puts the file in its place: a reader finds all of it or nothing.
    pub fn publish(&mut self, pid: i32) -> Result<(), Error> {
        writeln!(self.file, "{pid}")
            .and_then(|()| fs::rename(&self.unfinished, &self.path))
            .map_err(|error| at(&self.path, &error))?;
        self.in_place = true;
        Ok(())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let path = if self.in_place { &self.path } else { &self.unfinished };
        // Another launcher may have put its own in the same place.
        let identity = |data: fs::Metadata| (data.dev(), data.ino());
        let there = fs::symlink_metadata(path).map(identity);
        if there.is_ok_and(|there| self.file.metadata().map(identity).is_ok_and(|own| own == there))
        {
            fs::remove_file(path).ok();
        }
    }
}

fn at(path: &Path, error: &io::Error) -> Error {
    let errno = Errno::new(error.raw_os_error().unwrap_or(libc::EIO));
    Error::at("WritePidFile", format_args!("write --pid-file {}", path.display()), errno)
}
