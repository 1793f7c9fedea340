//! The command's process: from vfork to execve.
//!
//! It runs in init's memory on a stack of its own while init sleeps, so a failure is written
//! where init finds it: no pipe, and nothing left to wait for when execve has succeeded.

use core::cell::Cell;
use core::ffi::CStr;

use init::args::{Groups, Ids, Options};
use init::exit;
use init::stage::Stage;

use crate::Failure;
use crate::sys::{self, Errno, Process, SignalSet};

/// Where to look when there is no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// PATH_MAX of linux/limits.h, the NUL included.
const PATH_MAX: usize = 4096;
/// NGROUPS_MAX is 65536; the launcher passes no more than fit here.
const MAX_GROUPS: usize = 64;

struct Context<'a> {
    process: Process,
    command: usize,
    options: &'a Options<'a>,
    mask: SignalSet,
    failure: Cell<Option<(Stage, Errno)>>,
}

/// Starts the command; returns its pid once it has been executed.
pub fn command(
    process: Process,
    command: usize,
    options: &Options<'_>,
    inherited_mask: SignalSet,
) -> Result<i32, Failure> {
    let mask = options.sigmask.unwrap_or(inherited_mask);
    let context = Context { process, command, options, mask, failure: Cell::new(None) };

    // An ignored SIGCHLD is inherited across execve and would hide the command's end from us.
    let pid = sys::default_sigchld()
        .and_then(|()| sys::spawn(&context, run))
        .map_err(|errno| Failure { stage: Stage::Spawn, errno })?;
    match context.failure.get() {
        None => Ok(pid),
        Some((stage, errno)) => Err(Failure { stage, errno }),
    }
}

extern "C" fn run(argument: usize) -> ! {
    let context: &Context<'_> = sys::context(argument);
    let (stage, errno) = become_command(context);
    context.failure.set(Some((stage, errno)));
    sys::exit(exit::FAILED)
}

/// Returns only to fail.
fn become_command(context: &Context<'_>) -> (Stage, Errno) {
    match set_up(context) {
        Ok(()) => (Stage::ExecCommand, execute(context.process, context.command)),
        Err(failure) => failure,
    }
}

fn set_up(context: &Context<'_>) -> Result<(), (Stage, Errno)> {
    let options = context.options;
    let at = |stage| move |errno| (stage, errno);

    if options.session {
        sys::start_session().map_err(at(Stage::StartSession))?;
        if options.terminal {
            sys::take_terminal().map_err(at(Stage::StartSession))?;
        }
    }
    // The order is the kernel's: the bounding set needs CAP_SETPCAP, groups and gid CAP_SETGID;
    // a change from uid 0 to another clears all of them; what uid 0 keeps is set last.
    if let Some(caps) = options.caps {
        drop_bounding_except(caps).map_err(at(Stage::DropBounding))?;
    }
    if let Some(list) = options.groups {
        set_groups(list).map_err(at(Stage::SetCommandGroups))?;
    }
    if let Some(Ids { gid, .. }) = options.ids {
        sys::set_gid(gid).map_err(at(Stage::SetCommandGid))?;
    }
    if options.no_new_privs {
        sys::set_no_new_privs().map_err(at(Stage::SetNoNewPrivs))?;
    }
    if let Some(Ids { uid, .. }) = options.ids {
        sys::set_uid(uid).map_err(at(Stage::SetCommandUid))?;
    }
    if let Some(caps) = options.caps {
        // A uid other than 0 has lost them by now, and gets none.
        let root = options.ids.is_none_or(|ids| ids.uid == 0);
        let caps = if root { caps } else { 0 };
        sys::set_capabilities(caps).map_err(at(Stage::SetCapabilities))?;
    }
    // As the command's user: it must not start where it may not be.
    if let Some(path) = options.workdir {
        sys::change_directory(path).map_err(at(Stage::ChangeDirectory))?;
    }
    // Last: a signal that is pending for this process only must not end it before.
    sys::set_mask(context.mask).map_err(at(Stage::ExecCommand))?;
    Ok(())
}

fn drop_bounding_except(keep: u64) -> sys::Result<()> {
    for capability in 0..64 {
        if keep & (1 << capability) == 0 {
            match sys::drop_bounding(capability) {
                Ok(()) => {}
                Err(Errno::EINVAL) => break, // past the kernel's last one
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}

fn set_groups(list: &[u8]) -> sys::Result<()> {
    let mut groups = [0u32; MAX_GROUPS];
    let mut count = 0;
    for group in Groups(list) {
        *groups.get_mut(count).ok_or(Errno::EINVAL)? = group.ok_or(Errno::EINVAL)?;
        count += 1;
    }
    sys::set_groups(groups.get(..count).unwrap_or(&[]))
}

/// As execvp(3): a name with a slash is a path, another is looked for in PATH; a file that was
/// found but may not be executed is remembered while the search goes on.
fn execute(process: Process, index: usize) -> Errno {
    let Some(name) = process.word(index) else { return Errno::ENOENT };
    let name_bytes = name.to_bytes();
    if name_bytes.is_empty() {
        return Errno::ENOENT;
    }
    if name_bytes.contains(&b'/') {
        return execute_path(process, index, name);
    }
    let mut denied = None;
    let mut buffer = [0u8; PATH_MAX];
    for directory in process.env(b"PATH").unwrap_or(DEFAULT_PATH).split(|&b| b == b':') {
        match join(directory, name_bytes, &mut buffer) {
            Some(path) => match execute_path(process, index, path) {
                Errno::EACCES => denied = Some(Errno::EACCES),
                Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG => {}
                other => return other,
            },
            None => continue,
        }
    }
    denied.unwrap_or(Errno::ENOENT)
}

fn execute_path(process: Process, index: usize, path: &CStr) -> Errno {
    match process.execute(path, index) {
        // POSIX: a text file without `#!` is a shell script.
        Errno::ENOEXEC if is_text(path) => {
            process.prepend_shell(index, c"sh", path);
            process.execute(c"/bin/sh", index - 1)
        }
        errno => errno,
    }
}

/// No NUL in the first line, as bash(1) tells a script from a program for another machine.
fn is_text(path: &CStr) -> bool {
    let mut head = [0u8; 128];
    let count = sys::read_head(path, &mut head).unwrap_or(0);
    let head = head.get(..count).unwrap_or(&[]);
    let line = head.split(|&b| b == b'\n').next().unwrap_or(&[]);
    !line.contains(&0)
}

/// `directory/name`, or just the name for an empty directory, which means the current one.
fn join<'a>(directory: &[u8], name: &[u8], buffer: &'a mut [u8; PATH_MAX]) -> Option<&'a CStr> {
    let mut length = 0;
    let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
    for part in [directory, separator, name, b"\0"] {
        buffer.get_mut(length..length + part.len())?.copy_from_slice(part);
        length += part.len();
    }
    CStr::from_bytes_with_nul(buffer.get(..length)?).ok()
}
