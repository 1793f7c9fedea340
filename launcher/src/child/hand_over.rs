//! The last step of the child: it executes init.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use init::stage::Stage;

use super::reporter::{At as _, Failure};
use crate::prepare::{Prepared, Program};
use crate::spec::limits::NOFILE;
use crate::sys::descriptors::Held;
use crate::sys::process::{self, Limit, Words};
use crate::sys::{Errno, Result as SysResult, file, mount};

/// init, as a file that can be executed and that nobody can write: the sealed memfd, or where there
/// can be none, a copy on a read-only tmpfs.
pub fn executable(program: &Program) -> Result<Held<'_>, Failure> {
    match program {
        Program::Sealed(memfd) => Ok(Held::Parents(memfd.as_fd())),
        Program::Unsealed(source) => source.copy_apart().map(Held::Own).at(Stage::CopyInit),
    }
}

/// Executes init; returns only to fail.
pub fn execute(prepared: &Prepared<'_>, program: BorrowedFd<'_>, argv: &Words) -> Failure {
    if let Err(failure) = restore_limits(prepared).at(Stage::RestoreLimit) {
        return failure;
    }
    let errno = match process::execute(program, argv, &prepared.environment) {
        // TOMOYO (in Debian's 5.10) looks the file up as /dev/fd/N, which leads to /proc, and no proc
        // can be seen there yet. Some seccomp filters refuse execveat.
        first @ (Errno::ENOENT | Errno::ENOSYS | Errno::EPERM) => {
            execute_by_path(prepared, program, argv).err().unwrap_or(first)
        }
        errno => errno,
    };
    Failure { stage: Stage::ExecInit, errno, object: 0 }
}

/// By its path self/fd/N in a new, detached proc. That stays the current directory until init
/// changes it.
fn execute_by_path(
    prepared: &Prepared<'_>,
    program: BorrowedFd<'_>,
    argv: &Words,
) -> SysResult<()> {
    let mut path = [0; 32];
    write!(&mut path[..], "self/fd/{}\0", program.as_raw_fd()).map_err(|_| Errno::ENAMETOOLONG)?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::ENAMETOOLONG)?;
    // `execute` has lowered the limit already, and this takes descriptors.
    let now = process::prlimit(0, NOFILE, None)?;
    process::prlimit(0, NOFILE, Some(&Limit { soft: now.hard, ..now }))?;
    let proc = mount::create(c"proc", [], 0)?;
    file::enter_dir(proc.as_fd())?;
    restore_limits(prepared)?;
    Err(process::execute_path(path, argv, &prepared.environment))
}

/// Sets the caller's limits and those of --rlimit, for which the parent has raised the hard limits.
/// From here on only few descriptors may be opened.
fn restore_limits(prepared: &Prepared<'_>) -> SysResult<()> {
    let limits = &prepared.spec.limits;
    for (resource, callers) in &prepared.inherited.limits {
        if limits.of(*resource).is_none() {
            process::prlimit(0, *resource, Some(callers))?;
        }
    }
    limits
        .resources
        .iter()
        .try_for_each(|(resource, limit)| process::prlimit(0, *resource, Some(limit)).map(drop))
}
