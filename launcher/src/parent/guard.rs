//! Who gives the caller's terminal its modes back when the launcher cannot any more, having been
//! killed or having crashed: a process that waits for that and does nothing else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::process::{self, Forked};
use crate::sys::terminal::{self, Modes};
use crate::sys::{Errno, Result as SysResult, descriptors, file, socket};

/// The process. Dropping this ends it; the terminal is as its owner has left it, then.
pub struct Guard {
    pid: i32,
    channel: OwnedFd,
}

impl Guard {
    /// For standard input, which has these modes and is about to become raw.
    pub fn start(modes: &Modes) -> SysResult<Guard> {
        let (channel, its_end) = socket::pair()?;
        match process::clone(0, libc::SIGCHLD)? {
            Forked::Parent(pid) => {
                drop(its_end);
                // A byte says that it watches; else it ends, and says by which errno.
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

/// A byte is the launcher's good-bye; the end of the stream is its death.
fn watch(channel: BorrowedFd<'_>, modes: &Modes) -> SysResult<()> {
    // Out of the job that a shell kills as one. All signals are blocked, so that a shell which has
    // the terminal back by then does not stop us.
    process::start_session()?;
    // Locks and pipes of the launcher's are not to outlive it.
    let terminal = file::standard(0);
    (1..=2).try_for_each(|number| file::duplicate_onto(terminal, number))?;
    descriptors::close_all_but(channel)?;
    file::write(channel, b"w")?;
    let is_over = file::read(channel, &mut [0])? > 0;
    // A shell that was faster has set them as it likes.
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
