//! The child: the steps from clone3 to init, in the order of [`Stage`].
//!
//! In: new namespaces, ids that are not mapped until the gate opens, every signal blocked, and
//! memory that is the launcher's (CLONE_VM) or a copy. So it changes none of the launcher's data
//! and allocates nothing. It opens by host path only what the parent could not open for it. Out:
//! execveat(2) of init, or a report of the stage that failed.

mod dev;
pub mod hand_over;
mod identity;
mod intermediate;
mod landlock;
mod network;
mod plan;
mod rehearse;
mod reporter;
mod root;
mod system;
mod time;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use init::exit;
use init::stage::Stage;

use crate::prepare::{Order, Prepared};
use crate::spawn::{Start, Task};
use crate::sys::{cgroup, file, mount, process};
use reporter::{At as _, Failure, Reporter};
pub use root::MOUNT_POINTS;

/// Goes through the steps; does not come back.
pub fn enter(start: &Start<'_>) -> ! {
    let mut reporter = Reporter::new(start.child_end.as_fd(), start.spec.verbose);
    let Err(failure) = steps(start, &mut reporter);
    reporter.fail(failure);
    process::exit(exit::FAILED)
}

/// Never `Ok`: success is init running.
fn steps(
    start: &Start<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<std::convert::Infallible, Failure> {
    let spec = start.spec;
    let channel = start.child_end.as_fd();

    let Task { prepared, argv } = identity::wait_at_gate(start)?;
    reporter.done(Stage::WaitGate);
    let lacks = start.lacks.get();
    if lacks.cgroup && !spec.share.cgroup {
        // Now that the parent has moved us: the namespace's root is the cgroup that we are in.
        cgroup::unshare_namespace().at(Stage::UnshareCgroup)?;
        if spec.status_fd.is_some() {
            // --status-fd tells the namespace: the parent reads it while we are there for certain.
            reporter.moved();
            identity::wait_for_parent(channel).at(Stage::UnshareCgroup)?;
        }
    }
    time::enter(prepared)?;
    if prepared.ground.order == Order::Pivot {
        // While our ids are still the caller's: container root may not be allowed to search the
        // paths.
        root::clone_mounts(prepared)?;
        reporter.done(Stage::CloneRoot);
    }
    identity::become_root(prepared)?;
    identity::unshare_time(lacks.time)?;
    identity::leave_keyring()?;
    identity::watch_parent(start)?;
    reporter.done(Stage::WatchParent);

    // Files inside get exactly the modes that are given here. The command gets the caller's umask
    // back.
    let callers_umask = file::set_umask(0).at(Stage::SetUmask)?;

    let root = match prepared.ground.order {
        Order::Pivot => root::attach_over_hosts(prepared, reporter)?,
        Order::Locked => root::enter_copy(start, prepared, reporter)?,
    };
    let root = root.as_fd();
    // Not earlier: nobody could write the id maps of a process that is not dumpable. From here on a
    // crash leaves no core file of the launcher's memory. execve makes init dumpable again.
    process::set_dumpable(false).at(Stage::WatchParent)?;

    // Before anything is created, so that a start that cannot work leaves no trace in the rootfs;
    // unless the command may lie on a mount of the plan.
    if prepared.plan.is_empty() {
        root::find_command(prepared, root)?;
        reporter.done(Stage::FindCommand);
    }
    root::make_mount_point(root, root::PROC)?;
    let dev = dev::assemble(prepared, root, reporter)?;
    system::mount_sys(prepared, root, reporter)?;
    if !prepared.plan.is_empty() {
        plan::apply(prepared, root, &dev)?;
        reporter.done(Stage::AttachMount);
        root::find_command(prepared, root)?;
        reporter.done(Stage::FindCommand);
    }
    system::mount_proc(prepared, root)?;
    reporter.done(Stage::MountProc);
    prepared.ground.rootfs.finish(root).at(Stage::SetReadOnly)?;
    if prepared.streams.terminal && spec.explain.is_none() {
        dev.open_terminal(prepared, channel)?;
        reporter.done(Stage::OpenTerminal);
    }
    if !spec.share.net {
        network::raise_loopback()?;
        reporter.done(Stage::RaiseLoopback);
    }
    if !spec.share.uts {
        process::set_hostname(&spec.hostname).at(Stage::SetHostname)?;
        reporter.done(Stage::SetHostname);
    }

    landlock::allow_paths(prepared, root)?;
    if prepared.ground.rootfs.is_by_path() {
        // Without mount_setattr a cloned mount is still in the peer group of the host's.
        mount::make_private().at(Stage::MakePrivate)?;
    }
    if prepared.ground.order == Order::Pivot {
        // The old root now lies over the new one, until init detaches it.
        mount::pivot_here().at(Stage::PivotRoot)?;
        reporter.done(Stage::PivotRoot);
    }

    let program = hand_over::executable(&prepared.program)?;
    if spec.explain.is_some() {
        rehearse::try_privileges(prepared)?;
        reporter.is_rehearsed();
        process::exit(0)
    }
    file::set_umask(callers_umask).at(Stage::SetUmask)?;
    keep_open(prepared, channel).at(Stage::KeepFds)?;
    Err(hand_over::execute(prepared, program.as_fd(), argv))
}

/// Clears close-on-exec of what init needs. All other descriptors are closed by execve.
fn keep_open(prepared: &Prepared<'_>, channel: BorrowedFd<'_>) -> crate::sys::Result<()> {
    let keep = |fd: BorrowedFd<'_>| file::set_close_on_exec(fd.as_raw_fd(), false);
    keep(channel)?;
    prepared.filter.iter().try_for_each(|filter| keep(filter.file.as_fd()))?;
    prepared.landlock.iter().try_for_each(|rules| keep(rules.set.as_fd()))?;
    prepared.keep_fds.iter().try_for_each(|&fd| keep(fd))
}
