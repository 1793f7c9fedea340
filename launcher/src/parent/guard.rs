//! The terminal guard: a process that gives the caller's terminal its modes back if the launcher is
//! killed or crashes while the terminal is raw. It does nothing else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::process::{self, Forked};
use crate::sys::terminal::{self, Modes};
use crate::sys::{Errno, Result as SysResult, descriptors, file, socket};

/// The guard. Dropping this ends it and leaves the terminal as it is.
pub struct Guard {
    pid: i32,
    channel: OwnedFd,
}

impl Guard {
    /// Starts it for standard input, which has these modes and is about to become raw.
    pub fn start(modes: &Modes) -> SysResult<Guard> {
        let (channel, its_end) = socket::pair()?;
        match process::clone(0, libc::SIGCHLD)? {
            Forked::Parent(pid) => {
                drop(its_end);
                // A byte says that it watches. At the end of the stream it exits with an errno.
                match file::read(channel.as_fd(), &mut [0]) {
                    Ok(1..) => Ok(Guard { pid, channel }),
                    _ => Err(process::wait_for_errno(pid).err().unwrap_or(Errno::ECHILD)),
                }
            }
            Forked::Child => {
                drop(channel);
                process::exit_with(watch(its_end.as_fd(), modes))
            }
        }
    }
}

/// Waits on the channel: a byte means that the launcher is done, the end of the stream that it has
/// died.
fn watch(channel: BorrowedFd<'_>, modes: &Modes) -> SysResult<()> {
    // In a session of its own it is not killed with the shell's job. All signals are blocked, so it
    // is not stopped (SIGTTOU) when the shell has the terminal back.
    process::start_session()?;
    // The launcher's locks and pipes must end with it, so no descriptor of them stays open here.
    let terminal = file::standard(0);
    (1..=2).try_for_each(|number| file::duplicate_onto(terminal, number))?;
    descriptors::close_all_but(channel)?;
    file::write(channel, b"w")?;
    let is_over = file::read(channel, &mut [0])? > 0;
    // If the terminal is not raw any more, a shell has set it meanwhile.
    if is_over || !terminal::modes(terminal)?.is_raw() {
        return Ok(());
    }
    terminal::set_modes(terminal, modes)
}

impl Drop for Guard {
    fn drop(&mut self) {
        file::write(self.channel.as_fd(), b"b").ok();
        process::wait(self.pid).ok();
    }
}
