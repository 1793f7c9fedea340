//! The command's process, from vfork to execve.
//!
//! It runs in init's memory while init is suspended, so it leaves a failure in a variable that init
//! then reads. No pipe is needed, and when vfork returns, execve has succeeded or failed.

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

/// Without PATH.
const DEFAULT_PATH: Word<'static> =
    Word::new(c"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
const PATH: Word<'static> = Word::of(near!(b"PATH\0"));
const LISTEN_PID: Word<'static> = Word::of(near!(b"LISTEN_PID\0"));
/// The launcher passes at most so many (its MAX_GROUPS).
const MAX_GROUPS: usize = 64;
/// The longest path whose buffer fits on the page of stack that is in use anyway.
const SHORT: usize = size_of::<Short>() - 2;
/// How often a script's path may be among its own arguments.
const MAX_TURNS: usize = 16;

struct Context<'a> {
    handed: &'a Handed,
    command: List<'static>,
    /// PATH.
    path: Word<'static>,
    watch: &'a Watch<'static>,
    inherited_mask: SignalSet,
    /// The stage that is being done.
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
    // If we have inherited an ignored SIGCHLD, the kernel would reap the command unseen.
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
        // Last: a pending signal may end this process as soon as it is unblocked.
        None => {
            sys::set_mask(context.inherited_mask);
        }
    }
    at(Stage::ExecCommand);
    Ok(())
}

/// With no_new_privs the filter is installed last, as it holds for all system calls after it.
/// Without, that takes CAP_SYS_ADMIN, so it comes before capabilities are dropped.
fn install_filter(terms: &Terms, when: u64, at: impl Fn(Stage)) -> sys::Result<()> {
    if terms.filter() == 0 || terms.flags() & Terms::NO_NEW_PRIVS != when {
        return Ok(());
    }
    at(Stage::InstallFilter);
    sys::install_filter(terms.filter(), terms.want(Terms::LOG_REFUSALS))
}

/// Confines the command. The order is the kernel's: dropping from the bounding set takes
/// CAP_SETPCAP, groups and gid take CAP_SETGID, and a change from uid 0 to another clears the
/// capabilities. They are set last.
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
        // For the next execve, the command's. The container's /proc is mounted by now.
        at(Stage::SetLabel);
        sys::overwrite(Word::new(c"/proc/self/attr/exec"), *label, terms.label_length())?;
    }
    if terms.want(Terms::NO_NEW_PRIVS) {
        at(Stage::SetNoNewPrivs);
        sys::set_no_new_privs()?;
    }
    if terms.landlock() != 0 {
        // Without no_new_privs this takes CAP_SYS_ADMIN; and before the filter, which may refuse it.
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
    // With another uid than 0 they have been cleared, except for PR_SET_KEEPCAPS.
    at(Stage::SetCapabilities);
    sys::set_capabilities(if terms.uid() == 0 { terms.caps() } else { ambient }, ambient)?;
    // As the command's user, who may not be allowed to enter it.
    at(Stage::ChangeDirectory);
    sys::change_directory(*workdir)?;
    // Late: a pending signal may end this process as soon as it is unblocked.
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

/// sd_listen_fds(3): LISTEN_PID names the process that sockets are passed to. If that is us, it is
/// changed to the command.
fn hand_sockets_on(handed: &Handed, entry: &mut Entry) {
    // The parent of this process is init.
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

/// As execvp(3): a name with a slash is a path, another is looked for in PATH; the search goes on
/// after a file that may not be executed (EACCES), but that errno is remembered.
fn execute(context: &Context<'_>) -> Errno {
    match context.command.first() {
        Some(name) if name.behind(b'/').is_some() => execute_path(context, name),
        Some(name) if name.first() == 0 => Errno::ENOENT,
        // A buffer of PATH_MAX touches another page of stack, which would stay init's: only if
        // needed.
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
        // An empty entry of PATH is the current directory.
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
    // A script whose interpreter is init (`#!/init`) can be its own command, or two can be each
    // other's. Each turn is a process of its own, so the kernel's limit on interpreters does not
    // stop it. Either the path is the script's own, or each turn adds the script's path to the
    // arguments.
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
