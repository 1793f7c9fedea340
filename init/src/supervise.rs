//! PID 1's life: wait for a signal, pass it on, reap.
//!
//! In: every signal is blocked, the command runs. A blocked signal is queued even for PID 1,
//! which the kernel otherwise shields from signals that it does not handle. Nothing here can
//! fail in a way that ends init: after the spawn only the command's end does.

use init::SI_FROM_TERMINAL;
use init::exit::Ending;

use crate::sys::{self, Errno, SIGCHLD, SIGCONT, SIGTERM, SignalInfo};

/// Serves until the command has ended, then gives the rest `grace_ms` to end too.
pub fn until_end(command: i32, grace_ms: u32) -> Ending {
    let ending = loop {
        let Ok(info) = sys::wait_signal(None) else { continue };
        if info.signal != SIGCHLD {
            forward(command, &info);
        } else if let Some(ending) = reap_all(command).1 {
            break ending;
        }
    };
    if grace_ms != 0 {
        wait_for_the_rest(grace_ms);
    }
    ending
}

/// Reaps whatever has ended: whether anybody is left, and how the command ended if it did.
fn reap_all(command: i32) -> (bool, Option<Ending>) {
    let mut ending = None;
    loop {
        match sys::reap() {
            Ok(Some((pid, status))) => {
                if pid == command {
                    ending = Some(Ending::from_wait_status(status));
                }
            }
            Ok(None) => return (true, ending),
            Err(Errno::ECHILD) => return (false, ending),
            Err(_) => {}
        }
    }
}

fn forward(command: i32, info: &SignalInfo) {
    // ESRCH means that the command has just ended, and SIGCHLD is about to tell.
    match info.code {
        // What a terminal sent concerns the whole group; the command leads one if it leads a
        // session. Otherwise there is no such group, and it is for the command alone.
        SI_FROM_TERMINAL => {
            sys::kill(-command, info.signal).or_else(|_| sys::kill(command, info.signal))
        }
        // Queued by a process: the kernel lets us pass the payload on.
        code if code < 0 => sys::queue(command, info),
        _ => sys::kill(command, info.signal),
    }
    .ok();
}

/// SIGTERM for all, SIGCONT so that the stopped see it; then their time runs. A second SIGTERM
/// or any other signal that asks us to end cuts it short.
fn wait_for_the_rest(grace_ms: u32) {
    let everybody = -1;
    if sys::kill(everybody, SIGTERM).is_err() {
        return; // ESRCH: nobody is left
    }
    sys::kill(everybody, SIGCONT).ok();
    let deadline = sys::now_micros() / 1000 + u64::from(grace_ms);
    while reap_all(0).0 {
        let now = sys::now_micros() / 1000;
        if now >= deadline {
            return;
        }
        if let Ok(info) = sys::wait_signal(Some(deadline - now))
            && info.signal == SIGTERM
        {
            return;
        }
    }
}
