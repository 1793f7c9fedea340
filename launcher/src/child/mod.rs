//! The child: the steps inside, from clone3 to init, in the order of [`Stage`].
//!
//! In: all new namespaces, ids unmapped until the gate opens, every signal blocked, the memory the
//! launcher's or a copy of it. Changes nothing in it, allocates nothing, opens by host path only what the caller could not
//! open for it, and ends in execveat or in a report.

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
        // Not before the parent had moved us: its root is the cgroup that we are in now.
        cgroup::unshare_namespace().at(Stage::UnshareCgroup)?;
        if spec.status_fd.is_some() {
            // Who asked for the status is told of it, also of a command that ends at once.
            reporter.moved();
            identity::wait_for_parent(channel).at(Stage::UnshareCgroup)?;
        }
    }
    time::enter(prepared)?;
    if prepared.ground.order == Order::Pivot {
        // As the caller still, who may be nobody inside.
        root::clone_mounts(prepared)?;
        reporter.done(Stage::CloneRoot);
    }
    identity::become_root(prepared)?;
    identity::unshare_time(lacks.time)?;
    identity::leave_keyring()?;
    identity::watch_parent(start)?;
    reporter.done(Stage::WatchParent);

    // Modes inside are as they are given here; the command gets the caller's mask back.
    let callers_umask = file::set_umask(0).at(Stage::SetUmask)?;

    let root = match prepared.ground.order {
        Order::Pivot => root::attach_over_hosts(prepared, reporter)?,
        Order::Locked => root::enter_copy(start, prepared, reporter)?,
    };
    let root = root.as_fd();
    // The maps are written, so nobody needs to look into us any more; and no core of this copy of
    // the launcher's memory is left. execve makes init dumpable again.
    process::set_dumpable(false).at(Stage::WatchParent)?;

    // Before anything is made: a start that cannot work must not leave a trace in the rootfs. But
    // the command may lie in what the plan mounts.
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
        // Without mount_setattr a clone, such as a device node, is still a peer of the host's.
        mount::make_private().at(Stage::MakePrivate)?;
    }
    if prepared.ground.order == Order::Pivot {
        // The old root now lies over the new one; init detaches it.
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

/// Everything else is closed by execve.
fn keep_open(prepared: &Prepared<'_>, channel: BorrowedFd<'_>) -> crate::sys::Result<()> {
    let keep = |fd: BorrowedFd<'_>| file::set_close_on_exec(fd.as_raw_fd(), false);
    keep(channel)?;
    prepared.filter.iter().try_for_each(|filter| keep(filter.file.as_fd()))?;
    prepared.landlock.iter().try_for_each(|rules| keep(rules.set.as_fd()))?;
    prepared.keep_fds.iter().try_for_each(|&fd| keep(fd))
}
