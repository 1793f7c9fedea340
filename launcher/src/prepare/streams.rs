//! The standard streams: whether the container gets a terminal of its own in their place.

use std::os::fd::AsFd;

use crate::error::Error;
use crate::sys::file::{self, At};
use crate::sys::terminal;

/// What was decided.
pub struct Streams {
    /// The container gets a terminal of its own.
    pub terminal: bool,
    /// Standard error is one too, and goes there.
    pub stderr_is_terminal: bool,
}

/// Looks at them. `wanted`: what `--tty` and `--no-tty` say.
///
/// The command is in a session of its own, where the kernel stops nobody who reads a terminal from
/// the background: there it would get what is typed for the shell. With a terminal of its own it is
/// the launcher that reads, and stops; without one the command reads nothing.
pub fn look(wanted: Option<bool>) -> Result<Streams, Error> {
    let is_terminal = |fd: i32| terminal::modes(file::standard(fd)).is_ok();
    let has_input = is_terminal(0);
    let terminal = wanted.unwrap_or_else(|| has_input && is_terminal(1));
    if !terminal && has_input && !terminal::is_foreground(file::standard(0)) {
        file::open(At::Cwd, c"/dev/null", libc::O_RDONLY)
            .and_then(|nothing| file::duplicate_onto(nothing.as_fd(), 0))
            .map_err(|errno| Error::at("Streams", "open /dev/null for the command", errno))?;
    }
    Ok(Streams { terminal, stderr_is_terminal: is_terminal(2) })
}
