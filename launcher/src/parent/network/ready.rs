//! Waits until pasta is ready, or has ended; until `--timeout`, a limit, or a signal that asks us
//! to end.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::parent::deadline::{Deadline, TIMED_OUT};
use crate::sys::signal::{self, SignalSet};
use crate::sys::socket::{self, readable};
use crate::sys::{Result as SysResult, file};

/// Enough on any machine: it makes one interface.
const LIMIT: Duration = Duration::from_secs(30);

/// The signals that ask a program to end. Others stay pending for the command.
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// How the wait has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Ready,
    /// The program has ended, and so closed the pipe.
    Closed,
    Signal(i32),
    Late,
}

/// Waits. False: the program has ended before it was ready.
pub fn wait(
    name: &str,
    ready: BorrowedFd<'_>,
    callers_mask: SignalSet,
    deadline: &Deadline,
) -> Result<bool, Error> {
    let stage = "StartPasta";
    let left = deadline.left().filter(|left| *left < LIMIT);
    let end = until(ready, asked_by(callers_mask), left.unwrap_or(LIMIT))
        .map_err(|errno| Error::at(stage, format_args!("wait for {name}"), errno))?;
    match end {
        End::Ready => Ok(true),
        End::Closed => Ok(false),
        End::Signal(signal) => {
            let text = format!("signal {signal} came before {name} was ready");
            Err(Error::refused(stage, text).with_code(128 + signal as u8))
        }
        End::Late if left.is_some() => {
            let text = format!("the time of --timeout was over before {name} was ready");
            Err(Error::refused(stage, text).with_code(TIMED_OUT))
        }
        End::Late => {
            let text = format!("{name} was not ready after {} s", LIMIT.as_secs());
            let advice = format!("is what PATH has by this name the {name} that it should be?");
            Err(Error::refused(stage, text).advise(advice))
        }
    }
}

/// Those that the caller neither ignores nor blocks: they would end the command, too.
fn asked_by(callers_mask: SignalSet) -> SignalSet {
    let minds = |signal: &i32| !signal::is_ignored(*signal).unwrap_or(false);
    let set = ENDING.into_iter().filter(minds).map(signal::only).sum::<SignalSet>();
    set & !callers_mask
}

fn until(ready: BorrowedFd<'_>, signals: SignalSet, limit: Duration) -> SysResult<End> {
    let queue = signal::open_signalfd(signals)?;
    let began = Instant::now();
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let mut fds = [readable(ready.as_raw_fd()), readable(queue.as_raw_fd())];
        let count = socket::poll(&mut fds, Some(left))?;
        if let Some(arrived) = signal::read_signalfd(queue.as_fd())? {
            return Ok(End::Signal(arrived.signal));
        }
        if fds[0].revents != 0 {
            return Ok(match file::read(ready, &mut [0; 16]) {
                Ok(1..) => End::Ready,
                _ => End::Closed,
            });
        }
        if count == 0 && left.is_zero() {
            return Ok(End::Late);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_by_a_word_by_the_end_of_the_stream_or_by_its_limit() {
        let (read, write) = file::pipe().unwrap();
        let wait = |limit| until(read.as_fd(), 0, limit).unwrap();
        assert_eq!(wait(Duration::from_millis(5)), End::Late);
        file::write(write.as_fd(), b"1").unwrap();
        assert_eq!(wait(LIMIT), End::Ready);
        drop(write);
        assert_eq!(wait(LIMIT), End::Closed);
    }
}
