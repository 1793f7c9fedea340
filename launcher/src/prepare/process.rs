//! Reads what the image that the rootfs was unpacked from says about its command, if it says
//! anything.
//!
//! The rootfs may be hostile: the file is looked up inside it, has to be a regular one, and is read
//! up to a limit.

use std::os::fd::BorrowedFd;

use super::account;
use crate::error::Error;
use crate::spec::Spec;
use crate::spec::process::{Image, Process};
use crate::sys::Errno;

/// The file in the rootfs, with the image's fields `Entrypoint`, `Cmd`, `Env`, `User` and
/// `WorkingDir`.
const FILE: &str = "/.launcher.json";
const MAX_BYTES: usize = 1 << 20;

/// What is run on this rootfs.
pub fn decide(spec: &Spec, rootfs: BorrowedFd<'_>) -> Result<Process, Error> {
    let shown = || format!("{}{FILE}", spec.rootfs.to_string_lossy());
    let text = match account::read(rootfs, FILE, MAX_BYTES) {
        Err(Errno::ENOENT) => return Ok(Process::of(spec, None)),
        text => text.map_err(|errno| {
            Error::at("ReadImageConfig", format_args!("read {}", shown()), errno)
                .advise("it is to be a file with what the image says; remove it if it does not")
        })?,
    };
    let image = Image::parse(&text).map_err(|wrong| {
        Error::refused("ReadImageConfig", format!("{}: {wrong}", shown()))
            .advise("it is to be what the image says; correct or remove it")
    })?;
    Ok(Process::of(spec, Some(image)))
}

/// Adds to an error about a user that it was the image that named it.
pub fn blame(error: Error, process: &Process) -> Error {
    match process.is_images_user {
        true => error.advise("it is the User of the rootfs's .launcher.json; --user 0 is root"),
        false => error,
    }
}
