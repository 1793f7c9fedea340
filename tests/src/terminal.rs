//! Verbs about terminals and sessions.

use std::fs;
use std::io;

use crate::{Outcome, errno, number, sys};

/// `session`: ids, and whether there is a controlling terminal.
pub fn print_session() -> Outcome {
    println!("pid {}", sys::own_pid());
    println!("session {}", sys::session());
    println!("group {}", sys::group());
    println!("foreground {}", sys::foreground_group(0).map_or("none".into(), |g| g.to_string()));
    for fd in 0..3 {
        let target = fs::read_link(format!("/proc/self/fd/{fd}"))?;
        let is_terminal = if sys::is_terminal(fd) { "terminal" } else { "other" };
        println!("fd {fd} {is_terminal} {}", target.display());
    }
    match fs::OpenOptions::new().read(true).write(true).open("/dev/tty") {
        Ok(_) => println!("controlling ok"),
        Err(error) => println!("controlling {}", errno::name(&error)),
    }
    Ok(0)
}

/// `size [CHANGES]`: rows and columns of standard input, now and whenever SIGWINCH says that they
/// are others, so many times.
pub fn print_sizes(words: &[&str]) -> Outcome {
    let mut changes = if words.is_empty() { 0 } else { number::<usize>(words, 0)? };
    sys::block_all_signals();
    let mut size = sys::window_size(0)?;
    println!("size {} {}", size.0, size.1);
    while changes > 0 {
        while sys::next_signal(None)?.signal != libc::SIGWINCH {}
        let now = sys::window_size(0)?;
        if now != size {
            println!("size {} {}", now.0, now.1);
            changes -= 1;
            size = now;
        }
    }
    Ok(0)
}

/// `read-line`: what is typed up to the end of a line, escaped.
pub fn read_line() -> Outcome {
    println!("ready");
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    println!("line \"{}\"", line.escape_default());
    Ok(0)
}

/// `pty`: opens one, says which, and whether bytes pass.
pub fn open_pty() -> Outcome {
    println!("pty {}", sys::open_pty()?);
    Ok(0)
}
