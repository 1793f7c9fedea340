//! What files the plan puts into the container hold, read once: a pipe gives it only once, and a start may
//! need a second try.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use crate::error::Error;
use crate::spec::Spec;
use crate::spec::mounts::{Content, What};
use crate::sys::{errno_of, file};

/// Reads them, in the order of the plan.
pub fn read(spec: &Spec) -> Result<Vec<Vec<u8>>, Error> {
    let contents = spec.mounts.iter().filter_map(|mount| match &mount.what {
        What::File { content, .. } => Some(content),
        _ => None,
    });
    contents.map(read_one).collect()
}

fn read_one(content: &Content) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = match content {
        Content::Text(text) => return Ok(text.clone()),
        Content::Path(path) => File::open(std::ffi::OsStr::from_bytes(path.to_bytes()))
            .and_then(|mut file| file.read_to_end(&mut bytes)),
        Content::Descriptor(number) => {
            duplicate(*number).map(File::from).and_then(|mut file| file.read_to_end(&mut bytes))
        }
    };
    read.map(|_| bytes).map_err(|error| {
        let shown = match content {
            Content::Path(path) => path.to_string_lossy().into_owned(),
            Content::Descriptor(number) => format!("descriptor {number}"),
            Content::Text(_) => String::new(),
        };
        Error::at("ReadFile", format_args!("read {shown} for the container"), errno_of(&error))
    })
}

/// The caller's stays open.
fn duplicate(number: i32) -> io::Result<std::os::fd::OwnedFd> {
    let borrowed = file::borrow_inherited(number)
        .map_err(|errno| io::Error::from_raw_os_error(errno.into_raw()))?;
    borrowed.as_fd().try_clone_to_owned()
}
