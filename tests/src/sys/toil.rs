//! The system calls of toil.

#![allow(unsafe_code)]

use std::io::{self, PipeReader, PipeWriter, Read};
use std::mem;
use std::ptr;

/// What is sent to and fro.
const SIGNAL: i32 = libc::SIGUSR1;

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set() -> libc::sigset_t {
    // SAFETY: plain data, for which all zero is a value; the calls write that alone.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, SIGNAL);
        set
    }
}

/// It stays pending until it is taken.
pub fn hold_back_signal() -> io::Result<()> {
    // SAFETY: reads one set.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set(), ptr::null_mut()) }).map(drop)
}

pub fn send_to_pid1() -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::kill(1, SIGNAL) }).map(drop)
}

/// Waits for it for a second at most.
pub fn take_signal() -> io::Result<()> {
    let limit = libc::timespec { tv_sec: 1, tv_nsec: 0 };
    // SAFETY: reads a set and a timespec, writes nothing.
    check(unsafe { libc::sigtimedwait(&set(), ptr::null_mut(), &limit) }).map(drop)
}

/// Processes in a group of their own whose parent is gone, so PID 1's children: each ends when the
/// pipe does. Returns their group.
pub fn leave_orphans(count: u32, mut input: PipeReader, end: &PipeWriter) -> io::Result<i32> {
    use std::os::fd::AsRawFd;
    // SAFETY: there is no other thread, so the child may do whatever we may.
    let middle = check(unsafe { libc::fork() })?;
    if middle == 0 {
        // SAFETY: takes no memory; the copy of the pipe's end is used by nobody here.
        unsafe {
            libc::setpgid(0, 0);
            libc::close(end.as_raw_fd());
        }
        for _ in 0..count {
            // SAFETY: as above.
            if unsafe { libc::fork() } == 0 {
                // The end of it is what is waited for.
                input.read_exact(&mut [0]).ok();
                break;
            }
        }
        // SAFETY: ends the process at once, without what the parent has still to write.
        unsafe { libc::_exit(0) }
    }
    // SAFETY: no status is asked for.
    check(unsafe { libc::waitpid(middle, ptr::null_mut(), 0) }).map(|_| middle)
}

/// Whether anybody of the group is there, if only to be reaped.
pub fn is_there(group: i32) -> bool {
    // SAFETY: takes no memory.
    unsafe { libc::kill(-group, 0) == 0 }
}

/// In nanoseconds.
pub fn cpu_of_pid1() -> io::Result<u64> {
    let mut clock = 0;
    // SAFETY: the kernel's name of the clock is written to one int.
    match unsafe { libc::clock_getcpuclockid(1, &raw mut clock) } {
        0 => {}
        errno => return Err(io::Error::from_raw_os_error(errno)),
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The first and the last that we may run on; one and the same if there is no other.
pub fn processors() -> io::Result<(usize, usize)> {
    // SAFETY: plain data, for which all zero is a value.
    let mut set = unsafe { mem::zeroed::<libc::cpu_set_t>() };
    // SAFETY: the kernel writes one set.
    check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) })?;
    // SAFETY: the numbers are within the set.
    let mut ours = (0..size_of_val(&set) * 8).filter(|at| unsafe { libc::CPU_ISSET(*at, &set) });
    let first = ours.next().ok_or(io::ErrorKind::NotFound)?;
    Ok((first, ours.next_back().unwrap_or(first)))
}

/// `processor` is one of [`processors`].
pub fn stay_on(pid: i32, processor: usize) -> io::Result<()> {
    // SAFETY: plain data, for which all zero is a value.
    let mut set = unsafe { mem::zeroed::<libc::cpu_set_t>() };
    // SAFETY: the number is within the set.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: reads one set.
    check(unsafe { libc::sched_setaffinity(pid, size_of_val(&set), &raw const set) }).map(drop)
}
