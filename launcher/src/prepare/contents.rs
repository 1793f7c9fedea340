//! The contents of the files that the mount plan creates (`--file`, `--dns`). They are read once and
//! kept: a pipe can be read only once, and a start may need a second child.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use crate::error::Error;
use crate::spec::Spec;
use crate::spec::mounts::{Content, What};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, errno_of, file};

/// The size of the tmpfs that they are copied to (/dev).
const MOST: u64 = 64 << 20;

/// Reads them, in the order of the plan. A read from a pipe may block for ever, so the caller's
/// signal mask is in force meanwhile: nothing has been made yet that a signal's default action
/// could leave behind.
pub fn read(spec: &Spec, callers_mask: SignalSet) -> Result<Vec<Vec<u8>>, Error> {
    if !spec.mounts.iter().any(|mount| matches!(mount.what, What::File { .. })) {
        return Ok(Vec::new());
    }
    let set = |mask| {
        signal::set_mask(mask)
            .map_err(|errno| Error::at("BlockSignals", "set the signal mask", errno))
    };
    let own_mask = set(callers_mask)?;
    let contents = read_all(spec);
    // Also after a failure, or a SIGPIPE could end us before it has been told.
    set(own_mask)?;
    contents
}

fn read_all(spec: &Spec) -> Result<Vec<Vec<u8>>, Error> {
    let contents = spec.mounts.iter().filter_map(|mount| match &mount.what {
        What::File { content, .. } => Some(content),
        _ => None,
    });
    contents.map(read_one).collect()
}

fn read_one(content: &Content) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let opened = match content {
        Content::Text(text) => return Ok(text.clone()),
        Content::Path(path) => File::open(std::ffi::OsStr::from_bytes(path.to_bytes())),
        Content::Descriptor(number) => duplicate(*number).map(File::from),
    };
    let read = opened.and_then(|file| match file.take(MOST + 1).read_to_end(&mut bytes)? as u64 {
        0..=MOST => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFBIG)),
    });
    read.map(|()| bytes).map_err(|error| {
        let shown = match content {
            Content::Path(path) => path.to_string_lossy().into_owned(),
            Content::Descriptor(number) => format!("descriptor {number}"),
            Content::Text(_) => String::new(),
        };
        let errno = errno_of(&error);
        let error = Error::at("ReadFile", format_args!("read {shown} for the container"), errno);
        match errno {
            Errno::EFBIG => error.advise("--file copies up to 64 MiB; --bind takes any file"),
            _ => error,
        }
    })
}

/// The caller's stays open.
fn duplicate(number: i32) -> io::Result<std::os::fd::OwnedFd> {
    let borrowed = file::borrow_inherited(number)
        .map_err(|errno| io::Error::from_raw_os_error(errno.into_raw()))?;
    borrowed.as_fd().try_clone_to_owned()
}
