//! The seccomp filter: made or read, and put into a memfd from which init installs it.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use crate::error::Error;
use crate::log::Log;
use crate::seccomp::{default, oci, tcp, userns};
use crate::spec::confine::{Confinement, Seccomp};
use crate::sys::file::{self, At};
use crate::sys::{Errno, Result as SysResult, memfd, system};

/// An instruction's size, and how many the kernel takes (BPF_MAXINSNS of linux/bpf_common.h).
const INSTRUCTION: usize = 8;
const MAX: usize = 4096;

/// The filter, and what is to be done with it.
pub struct Filter {
    /// At its beginning: init reads it.
    pub file: OwnedFd,
    /// The kernel logs what the filter refuses (SECCOMP_FILTER_FLAG_LOG).
    pub logs: bool,
}

/// Makes or reads the filter that was asked for. It is extended where it has to forbid user
/// namespaces, or the ways around Landlock's rules for TCP; then there is one with `--seccomp
/// none`, too.
pub fn open(
    confine: &Confinement,
    forbid_userns: bool,
    log: &mut Log,
) -> Result<Option<Filter>, Error> {
    let capabilities = confine.capabilities.bounding;
    let mut logs = confine.seccomp_log;
    let program = match &confine.seccomp {
        Seccomp::None => None,
        Seccomp::Default => Some(default::filter(capabilities)),
        Seccomp::File(path) => {
            let (program, asks) = from_file(path, capabilities, log)?;
            logs |= asks;
            Some(program)
        }
    };
    let program = match program {
        program if confine.restricts_tcp() => Some(tcp::held(program.as_deref())),
        program => program,
    };
    let program = match program {
        program if forbid_userns => userns::forbidden(program.as_deref()),
        None => return Ok(None),
        Some(program) => program,
    };
    if program.len() > MAX * INSTRUCTION {
        return Err(Error::refused(
            "PrepareFilter",
            "the seccomp filter is too long: the kernel takes 4096 instructions",
        ));
    }
    let file = hold(&program).map_err(|errno| {
        Error::at("PrepareFilter", "put the seccomp filter where init can read it", errno)
    })?;
    Ok(Some(Filter { file, logs }))
}

/// Puts the program into a file.
fn hold(program: &[u8]) -> SysResult<OwnedFd> {
    match memfd::for_data(c"seccomp") {
        Ok(file) => file::write_at(file.as_fd(), program, 0).map(|_| file),
        // Refused by an outer container's seccomp or vm.memfd_noexec. A pipe has room for 64 KiB.
        Err(Errno::EACCES | Errno::ENOSYS | Errno::EPERM) => {
            let (read_end, write_end) = file::pipe()?;
            file::set_nonblocking(write_end.as_fd())?;
            file::write_all(write_end.as_fd(), program).map(|()| read_end)
        }
        Err(errno) => Err(errno),
    }
}

/// From a profile in JSON, or a program that seccomp_export_bpf(3) has written; and whether it asks
/// for logging.
fn from_file(path: &CStr, capabilities: u64, log: &mut Log) -> Result<(Vec<u8>, bool), Error> {
    let shown = path.to_string_lossy();
    let text = read(path).map_err(|errno| {
        Error::at("PrepareFilter", format_args!("read --seccomp {shown}"), errno)
    })?;
    let refused = |why: &str| {
        Error::refused("PrepareFilter", format!("--seccomp {shown} cannot be used: {why}"))
    };
    // A program begins with an instruction that has a zero byte.
    let is_json = text.trim_ascii_start().starts_with(b"{");
    let (program, logs) = if is_json {
        let context = oci::Context { capabilities, kernel: &system::name().0 };
        let oci::Translated { filter, logs, unknown } =
            oci::filter(&text, &context).map_err(|why| refused(&why))?;
        if !unknown.is_empty() {
            let unknown = unknown.join(" ");
            log.warn(&format!("--seccomp {shown} refuses what is no system call here: {unknown}"));
        }
        (filter, logs)
    } else {
        (text, false)
    };
    match program.len() {
        length if length > MAX * INSTRUCTION => Err(refused("the kernel takes 4096 instructions")),
        length if length == 0 || length % INSTRUCTION != 0 => {
            Err(refused("it is neither a profile in JSON nor a compiled filter"))
        }
        _ => Ok((program, logs)),
    }
}

fn read(path: &CStr) -> SysResult<Vec<u8>> {
    /// Many times the length of a profile.
    const LIMIT: usize = 1 << 20;
    let file = file::open(At::Cwd, path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while text.len() < LIMIT {
        match file::read(file.as_fd(), &mut buffer)? {
            0 => break,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(text)
}
