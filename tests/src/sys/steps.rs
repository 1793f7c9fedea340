//! The system calls of a tracer that goes step by step: ptrace(2).

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// How a wait ended.
pub enum Stop {
    Signal(i32),
    /// The exit code, or 128 and the signal.
    End(i32),
}

/// Starts it; it stops at its execve, by a SIGTRAP.
pub fn spawn_traced(command: &mut Command) -> io::Result<i32> {
    let trace_me = || {
        // SAFETY: takes no memory.
        match unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<()>(), 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it makes one system call.
    let child = unsafe { command.pre_exec(trace_me) }.spawn()?;
    Ok(child.id() as i32)
}

/// Lets it run one instruction, and have the signal unless that is 0.
pub fn step(pid: i32, signal: i32) -> io::Result<()> {
    let none = ptr::null_mut::<()>();
    // SAFETY: takes no memory.
    match unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, pid, none, i64::from(signal)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub fn wait(pid: i32) -> io::Result<Stop> {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(match () {
        () if libc::WIFSTOPPED(status) => Stop::Signal(libc::WSTOPSIG(status)),
        () if libc::WIFEXITED(status) => Stop::End(libc::WEXITSTATUS(status)),
        () => Stop::End(128 + libc::WTERMSIG(status)),
    })
}
