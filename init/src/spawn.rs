//! The command's process: from vfork to execve.
//!
//! It runs in init's memory while init sleeps, so a failure is written
//! where init finds it: no pipe, and nothing left to wait for when execve has succeeded.

use core::cell::Cell;

use init::args::{Contract, number};
use init::contract::{self, Terms};
use init::exit;
use init::head;
use init::near;
use init::stage::Stage;
use init::word::{List, Word};

use crate::Failure;
use crate::supervise::Watch;
use crate::sys::{self, Entry, Errno, Handed, Path, Short, SignalSet, Text};

/// Where to look when there is no PATH.
const DEFAULT_PATH: Word<'static> =
    Word::new(c"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
const PATH: Word<'static> = Word::of(near!(b"PATH\0"));
const LISTEN_PID: Word<'static> = Word::of(near!(b"LISTEN_PID\0"));
/// NGROUPS_MAX is 65536; the launcher passes no more than fit here.
const MAX_GROUPS: usize = 64;
/// Bytes for a file's path that leaves init's stack as it is.
const SHORT: usize = size_of::<Short>() - 2;
/// So often a script's path may be among its own arguments.
const MAX_TURNS: usize = 16;

struct Context<'a> {
    handed: &'a Handed,
    command: List<'static>,
    /// PATH.
    path: Word<'static>,
    watch: &'a Watch<'static>,
    inherited_mask: SignalSet,
    /// What is being done.
    stage: Cell<Stage>,
    failure: Cell<Option<Errno>>,
}

/// Starts the command; returns its pid once it has been executed.
pub fn command(
    handed: &Handed,
    command: List<'static>,
    watch: &Watch<'static>,
    inherited_mask: SignalSet,
) -> Result<i32, Failure> {
    let stage = Cell::new(Stage::Spawn);
    let failure = Cell::new(None);
    let path = handed.environment.value(PATH).unwrap_or(DEFAULT_PATH);
    let context = Context { handed, command, path, watch, inherited_mask, stage, failure };
    // An ignored SIGCHLD is inherited across execve and would hide the command's end from us.
    let pid = sys::default_sigchld().and_then(|()| sys::spawn(&context, run));
    let result = match context.failure.get() {
        Some(errno) => Err(errno),
        None => pid,
    };
    result.map_err(|errno| Failure { stage: context.stage.get(), errno })
}

/// Returns only to fail.
extern "C" fn run(argument: usize) -> ! {
    let context: &Context<'_> = sys::context(argument);
    let errno = match set_up(context) {
        Ok(()) => {
            let mut entry = Entry::uninit();
            hand_sockets_on(context.handed, &mut entry);
            execute(context)
        }
        Err(errno) => errno,
    };
    context.failure.set(Some(errno));
    sys::exit(exit::FAILED)
}

fn set_up(context: &Context<'_>) -> sys::Result<()> {
    let at = |stage| context.stage.set(stage);

    context.watch.terminal.settle();
    match &context.watch.options.contract {
        Some(contract) => confine(contract, at)?,
        // Late: a signal that is pending for this process only must not end it before.
        None => {
            sys::set_mask(context.inherited_mask);
        }
    }
    at(Stage::ExecCommand);
    Ok(())
}

/// With no_new_privs as late as can be. Without it a filter takes CAP_SYS_ADMIN to install, so it
/// comes before that goes.
fn install_filter(terms: &Terms, when: u64, at: impl Fn(Stage)) -> sys::Result<()> {
    if terms.filter() == 0 || terms.flags() & Terms::NO_NEW_PRIVS != when {
        return Ok(());
    }
    at(Stage::InstallFilter);
    sys::install_filter(terms.filter(), terms.want(Terms::LOG_REFUSALS))
}

/// The order is the kernel's: the bounding set needs CAP_SETPCAP, groups and gid CAP_SETGID; a
/// change from uid 0 to another clears all of them; what uid 0 keeps is set last.
#[cold]
#[inline(never)]
fn confine(contract: &Contract<'_>, at: impl Fn(Stage)) -> sys::Result<()> {
    let Contract { terms, groups, workdir, label } = contract;
    at(Stage::DropBounding);
    drop_bounding_except(terms.caps())?;
    if terms.want(Terms::SET_GROUPS) {
        at(Stage::SetCommandGroups);
        set_groups(*groups)?;
    }
    at(Stage::SetCommandGid);
    sys::set_gid(terms.gid())?;
    if terms.label_length() != 0 {
        // For the next execve, which is the command's. Our own /proc is there by now.
        at(Stage::SetLabel);
        sys::overwrite(Word::new(c"/proc/self/attr/exec"), *label, terms.label_length())?;
    }
    if terms.want(Terms::NO_NEW_PRIVS) {
        at(Stage::SetNoNewPrivs);
        sys::set_no_new_privs()?;
    }
    if terms.landlock() != 0 {
        // Without no_new_privs it takes CAP_SYS_ADMIN; the filter may not know the call.
        at(Stage::RestrictSelf);
        sys::restrict_self(terms.landlock())?;
    }
    install_filter(terms, 0, &at)?;
    at(Stage::SetCommandUid);
    let ambient = terms.ambient();
    if ambient != 0 {
        sys::keep_capabilities()?;
    }
    sys::set_uid(terms.uid())?;
    // A uid other than 0 has lost them by now, unless it was to keep some.
    at(Stage::SetCapabilities);
    sys::set_capabilities(if terms.uid() == 0 { terms.caps() } else { ambient }, ambient)?;
    // As the command's user: it must not start where it may not be.
    at(Stage::ChangeDirectory);
    sys::change_directory(*workdir)?;
    // Late: a signal that is pending for this process only must not end it before.
    sys::set_mask(terms.sigmask());
    install_filter(terms, Terms::NO_NEW_PRIVS, at)
}

fn drop_bounding_except(keep: u64) -> sys::Result<()> {
    for capability in 0..64 {
        if keep >> capability & 1 == 0 {
            match sys::drop_bounding(capability) {
                Err(Errno::EINVAL) => break, // past the kernel's last one
                result => result?,
            }
        }
    }
    Ok(())
}

fn set_groups(mut word: Word<'_>) -> sys::Result<()> {
    let mut groups = [0u32; MAX_GROUPS];
    let mut count = 0;
    while let Some(group) = contract::next(&mut word) {
        *groups.get_mut(count).ok_or(Errno::EINVAL)? = group as u32;
        count += 1;
    }
    sys::set_groups(groups.get(..count).unwrap_or(&[]))
}

/// sd_listen_fds(3): who passes sockets on names the process that they are for. If that is us, it
/// is the command that is meant.
fn hand_sockets_on(handed: &Handed, entry: &mut Entry) {
    // CLONE_VM, not CLONE_THREAD: the parent is init.
    let mut at = handed.environment;
    if let Some(mut value) = at.seek(LISTEN_PID)
        && number(&mut value) == Some(sys::parent_pid() as u64)
    {
        let mut entry = Text::new(entry);
        entry.add(LISTEN_PID);
        entry.byte(b'=');
        entry.number(sys::own_pid() as u32);
        Handed::replace_variable(at, entry.word());
    }
}

/// As execvp(3): a name with a slash is a path, another is looked for in PATH; a file that was
/// found but may not be executed is remembered while the search goes on.
fn execute(context: &Context<'_>) -> Errno {
    match context.command.first() {
        Some(name) if name.behind(b'/').is_some() => execute_path(context, name),
        Some(name) if name.first() == 0 => Errno::ENOENT,
        // PATH_MAX is a page of stack, which would stay init's: only for what may need it.
        Some(name) if context.path.length() + name.length() < SHORT => search_near(context, name),
        Some(name) => search_far(context, name),
        None => Errno::ENOENT,
    }
}

#[inline(never)]
fn search_near(context: &Context<'_>, name: Word<'_>) -> Errno {
    search(context, name, &mut Text::new(&mut Short::uninit()))
}

#[cold]
#[inline(never)]
fn search_far(context: &Context<'_>, name: Word<'_>) -> Errno {
    search(context, name, &mut Text::new(&mut Path::uninit()))
}

#[inline(never)]
fn search(context: &Context<'_>, name: Word<'_>, file: &mut Text<'_>) -> Errno {
    let mut result = Errno::ENOENT;
    let mut path = context.path;
    loop {
        file.clear();
        let end = loop {
            match path.take() {
                end @ (0 | b':') => break end,
                byte => file.byte(byte),
            }
        };
        // Nothing between two colons means the current directory.
        if !file.bytes().is_empty() {
            file.byte(b'/');
        }
        file.add(name);
        if !file.is_full() {
            match execute_path(context, file.word()) {
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
        if end == 0 {
            return result;
        }
    }
}

#[inline(never)]
fn execute_path(context: &Context<'_>, path: Word<'_>) -> Errno {
    let Context { handed, command, .. } = *context;
    // Scripts whose interpreter is init can be their own or each other's command. Each of them is a
    // process of its own, so the kernel's limit on interpreters does not hold. One that names no other
    // file is its own; with others each turn leaves its path among its arguments.
    if let Some(script) = handed.script()
        && (path.is(script) || command.count(script) > MAX_TURNS)
    {
        return Errno::ELOOP;
    }
    match handed.execute(path, command) {
        // POSIX: a text file without `#!` is a shell script.
        Errno::ENOEXEC => execute_text(context, path),
        errno => errno,
    }
}

#[cold]
#[inline(never)]
fn execute_text(context: &Context<'_>, path: Word<'_>) -> Errno {
    if !head::is_text(sys::read_head(path, &mut [0; 256])) {
        return Errno::ENOEXEC;
    }
    let script = context.handed.shell_script(context.command, path);
    context.handed.execute(Word::new(c"/bin/sh"), script)
}
