//! The end of the child: it becomes init.

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

/// init, as a file that can be executed and not be written: what the launcher has sealed, or a copy that
/// is as safe.
pub fn executable(program: &Program) -> Result<Held<'_>, Failure> {
    match program {
        Program::Sealed(memfd) => Ok(Held::Parents(memfd.as_fd())),
        Program::Unsealed(source) => source.copy_apart().map(Held::Own).at(Stage::CopyInit),
    }
}

/// Returns only to fail.
pub fn execute(prepared: &Prepared<'_>, program: BorrowedFd<'_>, argv: &Words) -> Failure {
    if let Err(failure) = restore_limits(prepared).at(Stage::RestoreLimit) {
        return failure;
    }
    let errno = match process::execute(program, argv, &prepared.environment) {
        // TOMOYO (Debian's 5.10 has it) looks for the file by the path /dev/fd/N, and behind
        // /dev/fd there is no proc yet. Some seccomp filters have no execveat.
        first @ (Errno::ENOENT | Errno::ENOSYS | Errno::EPERM) => {
            execute_by_path(prepared, program, argv).err().unwrap_or(first)
        }
        errno => errno,
    };
    Failure { stage: Stage::ExecInit, errno, object: 0 }
}

/// By its path in a proc that is attached nowhere; the current directory is in it until init
/// leaves it.
fn execute_by_path(
    prepared: &Prepared<'_>,
    program: BorrowedFd<'_>,
    argv: &Words,
) -> SysResult<()> {
    let mut path = [0; 32];
    write!(&mut path[..], "self/fd/{}\0", program.as_raw_fd()).map_err(|_| Errno::ENAMETOOLONG)?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::ENAMETOOLONG)?;
    let now = process::prlimit(0, NOFILE, None)?;
    process::prlimit(0, NOFILE, Some(&Limit { soft: now.hard, ..now }))?;
    let proc = mount::create(c"proc", [], 0)?;
    file::enter_dir(proc.as_fd())?;
    restore_limits(prepared)?;
    Err(process::execute_path(path, argv, &prepared.environment))
}

/// The caller's limits, and those that were asked for: the parent has raised what
/// they need. From here on few descriptors may be opened.
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
