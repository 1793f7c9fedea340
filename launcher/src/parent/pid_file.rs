//! `--pid-file`: the host's pid of the container's init, in a file that is whole whenever it is
//! there, and there while the container runs.

use std::ffi::CStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::error::Error;
use crate::sys::Errno;

/// The file's place; absolute, because the launcher changes directory.
pub struct PidFile {
    path: PathBuf,
    written: bool,
}

impl PidFile {
    pub fn new(path: &CStr) -> Result<PidFile, Error> {
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes()));
        let absolute = std::path::absolute(&path).map_err(|error| at(&path, &error))?;
        Ok(PidFile { path: absolute, written: false })
    }

    /// Writes it beside and renames it: a reader finds all of it or nothing.
    pub fn write(&mut self, pid: i32) -> Result<(), Error> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".{pid}.tmp"));
        let beside = PathBuf::from(beside);
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
            .and_then(|mut file| writeln!(file, "{pid}"))
            .and_then(|()| fs::rename(&beside, &self.path));
        written.map_err(|error| {
            fs::remove_file(&beside).ok();
            at(&self.path, &error)
        })?;
        self.written = true;
        Ok(())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.written {
            // Somebody may have taken it away already.
            fs::remove_file(&self.path).ok();
        }
    }
}

fn at(path: &std::path::Path, error: &io::Error) -> Error {
    let errno = Errno::new(error.raw_os_error().unwrap_or(libc::EIO));
    Error::at("WritePidFile", format_args!("write --pid-file {}", path.display()), errno)
}
