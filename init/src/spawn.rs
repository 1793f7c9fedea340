//! The command's process: from vfork to execve.
//!
//! It runs in init's memory while init sleeps, so a failure is written
//! where init finds it: no pipe, and nothing left to wait for when execve has succeeded.

use core::cell::Cell;
use core::ffi::CStr;

use init::args::{Groups, Ids, Options, split_at};
use init::exit;
use init::stage::Stage;

use crate::Failure;
use crate::message::Decimal;
use crate::sys::{self, Errno, PathBuffer, Process, SignalSet};
use crate::terminal::Terminal;

/// Where to look when there is no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// NGROUPS_MAX is 65536; the launcher passes no more than fit here.
const MAX_GROUPS: usize = 64;

struct Context<'a> {
    process: Process,
    command: usize,
    options: &'a Options<'a>,
    terminal: &'a Terminal,
    mask: SignalSet,
    failure: Cell<Option<(Stage, Errno)>>,
}

/// Starts the command; returns its pid once it has been executed.
pub fn command(
    process: Process,
    command: usize,
    options: &Options<'_>,
    terminal: &Terminal,
    inherited_mask: SignalSet,
) -> Result<i32, Failure> {
    let mask = options.sigmask.unwrap_or(inherited_mask);
    let context = Context { process, command, options, terminal, mask, failure: Cell::new(None) };

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
        Ok(()) => {
            let mut entry = PathBuffer::new();
            hand_sockets_on(context.process, &mut entry);
            (Stage::ExecCommand, execute(context.process, context.command))
        }
        Err(failure) => failure,
    }
}

fn set_up(context: &Context<'_>) -> Result<(), (Stage, Errno)> {
    let options = context.options;
    let at = |stage| move |errno| (stage, errno);

    context.terminal.settle(options.session).map_err(at(Stage::StartSession))?;
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

/// sd_listen_fds(3): who passes sockets on names the process that they are for. If that is us, it
/// is the command that is meant.
fn hand_sockets_on(process: Process, entry: &mut PathBuffer) {
    let Some(value) = process.env(b"LISTEN_PID") else { return };
    let mut digits = Decimal::new();
    // CLONE_VM, not CLONE_THREAD: the parent is init.
    if value == digits.write(sys::parent_pid() as u32) {
        let own = digits.write(sys::own_pid() as u32);
        if let Some(entry) = entry.join(&[b"LISTEN_PID=", own]) {
            process.replace_env(b"LISTEN_PID", entry);
        }
    }
}

/// As execvp(3): a name with a slash is a path, another is looked for in PATH; a file that was
/// found but may not be executed is remembered while the search goes on.
fn execute(process: Process, index: usize) -> Errno {
    let Some(name) = process.word(index) else { return Errno::ENOENT };
    let name_bytes = name.to_bytes();
    if name_bytes.is_empty() {
        return Errno::ENOENT;
    }
    if has(name_bytes, b'/') {
        return execute_path(process, index, name);
    }
    let mut result = Errno::ENOENT;
    let mut buffer = PathBuffer::new();
    let mut rest = Some(process.env(b"PATH").unwrap_or(DEFAULT_PATH));
    while let Some(directories) = rest {
        let (directory, behind) = split_at(directories, b':');
        rest = behind;
        // Nothing between two colons means the current directory.
        let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        let Some(path) = buffer.join(&[directory, separator, name_bytes]) else { continue };
        match execute_path(process, index, path) {
            Errno::EACCES => result = Errno::EACCES,
            Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::ENAMETOOLONG
            | Errno::ENODEV
            | Errno::ETIMEDOUT
            | Errno::ESTALE => {}
            other => return other,
        }
    }
    result
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
    let (line, _) = split_at(head.get(..count).unwrap_or(&[]), b'\n');
    !has(line, 0)
}

fn has(bytes: &[u8], byte: u8) -> bool {
    split_at(bytes, byte).1.is_some()
}
