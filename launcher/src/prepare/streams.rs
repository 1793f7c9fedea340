//! Decides whether the container gets a terminal of its own in place of the standard streams
//! (`--tty`).

use std::os::fd::AsFd;

use crate::error::Error;
use crate::sys::file::{self, At};
use crate::sys::terminal;

/// The decision.
pub struct Streams {
    /// The container gets a terminal of its own.
    pub terminal: bool,
    /// Standard error is a terminal, too, and is replaced as well.
    pub stderr_is_terminal: bool,
}

/// Looks at the streams. `wanted`: what `--tty` and `--no-tty` say.
///
/// In the background, without a terminal of its own, the command gets /dev/null as standard input.
/// It is in another session, so the kernel would not stop it (SIGTTIN) when it reads what is typed
/// for the shell.
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
