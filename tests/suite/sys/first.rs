//! A process that is stopped at its first instruction: what execve(2) has just made of it.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use super::check;

/// Traced by this thread; when this is dropped, it runs.
pub struct First {
    pid: i32,
}

const NOTHING: *mut libc::c_void = ptr::null_mut();

impl First {
    /// Waits for the execve(2) that `go` leads to.
    pub fn after(pid: i32, go: impl FnOnce()) -> io::Result<First> {
        const EXECVE: i32 = libc::SIGTRAP | libc::PTRACE_EVENT_EXEC << 8;
        let traced = First { pid };
        // SAFETY: takes numbers.
        check(unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, pid, NOTHING, libc::PTRACE_O_TRACEEXEC as usize)
        } as i32)?;
        go();
        loop {
            let status = traced.wait()?;
            if status >> 8 == EXECVE {
                break;
            }
            let signal = libc::WSTOPSIG(status) as usize;
            // SAFETY: takes numbers.
            check(unsafe { libc::ptrace(libc::PTRACE_CONT, pid, NOTHING, signal) } as i32)?;
        }
        // Out of the system call, whose answer would come between.
        traced.step()?;
        Ok(traced)
    }

    /// Has it unmap memory of its own, by a system call in the place of its next instruction.
    pub fn unmap(&self, memory: Range<u64>) -> io::Result<()> {
        const SYSCALL: i64 = 0x050f;
        let before = self.registers()?;
        let at = before.rip as *mut libc::c_void;
        let mut call = before;
        call.rax = libc::SYS_munmap as u64;
        (call.rdi, call.rsi) = (memory.start, memory.end - memory.start);
        // SAFETY: the kernel checks the address in the other process.
        let code = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, self.pid, at, NOTHING) };
        self.write(at, code & !0xffff | SYSCALL)?;
        self.set_registers(&call)?;
        self.step()?;
        let answer = self.registers()?.rax as i64;
        self.write(at, code)?;
        self.set_registers(&before)?;
        if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-answer as i32)) }
    }

    /// The address of its next instruction.
    pub fn next(&self) -> io::Result<u64> {
        Ok(self.registers()?.rip)
    }

    fn write(&self, at: *mut libc::c_void, word: i64) -> io::Result<()> {
        // SAFETY: as in `unmap`.
        check(unsafe { libc::ptrace(libc::PTRACE_POKETEXT, self.pid, at, word) } as i32).map(drop)
    }

    fn registers(&self) -> io::Result<libc::user_regs_struct> {
        let mut all = MaybeUninit::<libc::user_regs_struct>::zeroed();
        // SAFETY: the kernel writes one such struct, of numbers.
        unsafe {
            check(libc::ptrace(libc::PTRACE_GETREGS, self.pid, NOTHING, all.as_mut_ptr()) as i32)?;
            Ok(all.assume_init())
        }
    }

    fn set_registers(&self, all: &libc::user_regs_struct) -> io::Result<()> {
        let all = ptr::from_ref(all);
        // SAFETY: the kernel reads one such struct.
        check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, self.pid, NOTHING, all) } as i32)
            .map(drop)
    }

    fn step(&self) -> io::Result<()> {
        // SAFETY: takes numbers.
        check(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid, NOTHING, NOTHING) } as i32)?;
        self.wait().map(drop)
    }

    /// Until it stops.
    fn wait(&self) -> io::Result<i32> {
        let mut status = 0;
        // SAFETY: the kernel writes one int.
        check(unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) })?;
        if libc::WIFSTOPPED(status) { Ok(status) } else { Err(io::Error::other("it has ended")) }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        // SAFETY: takes numbers. One that has ended is not there to be let go.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.pid, NOTHING, NOTHING) };
    }
}
