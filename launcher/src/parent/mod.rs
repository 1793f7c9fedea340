//! The parent: the host's side, from clone3 to the exit code.
//!
//! In: a child that waits at the gate. It writes the id maps, opens the gate, passes signals on
//! and waits.

pub mod cgroup;
mod deadline;
mod diagnose;
mod guard;
mod limits;
pub mod maps;
pub mod network;
mod outcome;
mod outer;
mod pid_file;
mod relay;
mod status;
mod supervise;
mod usage;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use init::stage::Stage;

use crate::advice;
use crate::error::Error;
use crate::log::Log;
use crate::namespaces::Lacks;
use crate::prepare::ids::RootfsIds;
use crate::prepare::{Order, Prepared};
use crate::spec::Spec;
use crate::sys::file;
use crate::sys::{Errno, mount, process, socket};
pub use cgroup::Cgroups;
use deadline::Deadline;
use network::Connection;
pub use outcome::Outcome;
pub use pid_file::PidFile;
use status::Namespaces;
pub use status::Status;
use usage::Usage;

/// A child that waits at the gate, or a container that runs. Dropping it closes the channel,
/// which a waiting child takes for our death.
pub struct Container {
    pid: i32,
    /// In /proc.
    number: i32,
    channel: OwnedFd,
    /// For `--status-fd`; read while the child waits, as a short command may be gone later.
    namespaces: Option<Namespaces>,
    /// Those that the child makes itself, once it has been let go.
    late: Vec<&'static str>,
    /// Ends with it.
    network: Option<Connection>,
}

/// Why a child could not be let through the gate.
pub enum Blocked {
    /// Its rootfs cannot be idmapped, and it may have the host's ids instead.
    NotMappable(Errno),
    /// The setuid tools refuse a map that nobody asked for.
    Refused(Error),
    /// For good.
    Failed(Error),
}

impl From<Error> for Blocked {
    fn from(error: Error) -> Self {
        Blocked::Failed(error)
    }
}

/// Gives the child its ids and lets it go. If that fails, no child is left.
pub fn admit(
    prepared: &Prepared<'_>,
    cgroups: Option<&Cgroups<'_>>,
    (pid, channel, lacks): (i32, OwnedFd, Lacks),
    log: &mut Log,
) -> Result<Container, Blocked> {
    log.step(format_args!("clone3 into pid {pid}"));
    let start = || {
        let number = prepared.caller.proc.number(pid)?;
        if let (Some(cgroups), true) = (cgroups, lacks.cgroup) {
            cgroups.admit(pid)?;
        }
        let late = late_namespaces(prepared.spec, lacks);
        let namespaces =
            prepared.spec.status_fd.map(|_| Namespaces::of(&prepared.caller.proc, number, &late));
        let mut container = Container { pid, number, channel, namespaces, late, network: None };
        container.prepare_ids(prepared, log)?;
        container.network = network::connect(prepared, number, log)?;
        container.open_gate(prepared)?;
        // A core of ours would tell of the host. Not before the last clone3: a child that is not
        // dumpable cannot be mapped.
        process::forbid_core().ok();
        Ok(container)
    };
    start().inspect_err(|_| {
        // Its channel is closed, which ends the child.
        process::wait(pid).ok();
    })
}

fn late_namespaces(spec: &Spec, lacks: Lacks) -> Vec<&'static str> {
    let late = [(spec.uptime.is_some(), "time"), (lacks.cgroup && !spec.share.cgroup, "cgroup")];
    late.into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
}

impl Container {
    fn prepare_ids(&self, prepared: &Prepared<'_>, log: &mut Log) -> Result<(), Blocked> {
        maps::write(&prepared.ids, &prepared.caller.proc, self.number).map_err(|error| {
            match prepared.ids.or_single {
                true => Blocked::Refused(error),
                false => Blocked::Failed(error),
            }
        })?;
        log.step("write id maps");
        if prepared.ids.rootfs_ids != RootfsIds::AsTheyAre {
            self.map_rootfs(prepared, log)?;
        }
        cover_rootfs(prepared)?;
        // After the rootfs, which may yet do without.
        self.map_binds(prepared)?;
        give_pipes(prepared);
        limits::apply(&prepared.spec.limits, self.pid, &prepared.caller.proc, self.number)?;
        if prepared.order == Order::Locked {
            outer::assemble(prepared)?;
        }
        Ok(())
    }

    /// Lets the child go on, with what has taken the place of the rootfs that it holds.
    fn open_gate(&self, prepared: &Prepared<'_>) -> Result<(), Error> {
        let replaced = prepared.replaced_rootfs();
        let Some(rootfs) = replaced else { return self.go() };
        socket::send_with_fd(self.channel.as_fd(), b"g", rootfs)
            .map_err(|errno| Error::at("OpenGate", "hand the rootfs to the child", errno))
    }

    /// Lets the child go on.
    fn go(&self) -> Result<(), Error> {
        const GO: &[u8] = b"g";
        file::write(self.channel.as_fd(), GO)
            .map(drop)
            .map_err(|errno| Error::at("OpenGate", "let the child go", errno))
    }

    /// The child holds the same detached mount, so mapping ours maps its.
    fn map_rootfs(&self, prepared: &Prepared<'_>, log: &mut Log) -> Result<(), Blocked> {
        let userns = maps::open_userns(&prepared.caller.proc, self.number)?;
        match mount::map_ids(prepared.rootfs.dir(), userns.as_fd()) {
            Ok(()) => {
                log.step("idmap rootfs");
                Ok(())
            }
            // What mount_setattr(2) says of a mount that cannot be mapped, and no other: container
            // root must not become the host's for the want of memory.
            Err(errno @ (Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM))
                if prepared.ids.rootfs_ids == RootfsIds::MapOrIdentity =>
            {
                Err(Blocked::NotMappable(errno))
            }
            Err(errno) => {
                let shown = prepared.spec.rootfs.to_string_lossy();
                Err(Error::at("MapRoot", format_args!("idmap rootfs {shown}"), errno)
                    .advise(
                        "its file system, or one mounted below it, has no idmapped mounts in this \
                         kernel; chown the tree to the range (uid and gid of its root directory), \
                         or use --userns identity",
                    )
                    .into())
            }
        }
    }

    /// Has binds show the owners that the files of the rootfs show.
    fn map_binds(&self, prepared: &Prepared<'_>) -> Result<(), Error> {
        if !prepared.caller.can_mount || !prepared.ids.is_shifted() {
            return Ok(());
        }
        let mut sources = prepared.shown_with_owners().peekable();
        if sources.peek().is_none() {
            return Ok(());
        }
        let userns = maps::open_userns(&prepared.caller.proc, self.number)?;
        for source in sources {
            let Some(clone) = source.clone() else { continue };
            mount::map_ids(clone, userns.as_fd()).map_err(|errno| {
                let shown = source.host_path.to_string_lossy();
                Error::at("MapSource", format_args!("idmap {shown}"), errno).advise(
                    "its file system, or one mounted below it, has no idmapped mounts in this \
                     kernel; with :noidmap the files of a bind belong to nobody inside",
                )
            })?;
        }
        Ok(())
    }

    /// Serves the container until its end.
    pub fn supervise(
        self,
        prepared: &Prepared<'_>,
        cgroups: Option<&Cgroups<'_>>,
        status: &Status,
        pid_file: Option<&mut PidFile>,
        log: &Log,
    ) -> Result<Outcome, Error> {
        let began = Instant::now();
        let mut deadline = Deadline::begin(prepared.spec.end);
        let ending = supervise::until_end(self, prepared, status, pid_file, &mut deadline, log);
        let oom_kills = cgroups.and_then(usage::oom_kills).unwrap_or(0);
        let ending = ending.map_err(|error| match oom_kills {
            0 => error,
            _ => error.advise("the kernel killed in the container for want of memory: --memory"),
        })?;
        let wants_usage = prepared.spec.resources.stats;
        let usage = wants_usage.then(|| Usage::read(cgroups, began.elapsed()));
        let outcome = Outcome { ending, timed_out: deadline.has_passed(), oom_kills, usage };
        outcome.tell(prepared.spec, cgroups, status);
        Ok(outcome)
    }
}

/// Before Linux 6.6, where the child could not.
fn cover_rootfs(prepared: &Prepared<'_>) -> Result<(), Error> {
    let Some(overlay) = prepared.overlay.as_ref().filter(|overlay| overlay.is_launchers) else {
        return Ok(());
    };
    overlay.replace(prepared.rootfs.dir()).map_err(|errno| {
        let shown = prepared.spec.rootfs.to_string_lossy();
        let error =
            Error::at("CoverRoot", format_args!("cover rootfs {shown} with a tmpfs"), errno);
        match errno {
            Errno::EINVAL => error.advise(
                "before Linux 5.19 no overlay lies on an idmapped rootfs; --userns identity, or \
                 --overlay-dir",
            ),
            _ => error.advise_maybe(advice::of(Stage::MountOverlay, errno)),
        }
    })
}

/// Lets the command open its standard streams by name (`/dev/stdout`): the inode of a pipe
/// belongs to who made it, who may be nobody inside. Only root can give it away, and only what is
/// a pipe and nothing else: a FIFO, a file or a terminal is somebody's outside.
fn give_pipes(prepared: &Prepared<'_>) {
    let Some(owner) = prepared.ids.uid.to_outside(prepared.account.uid) else { return };
    for number in 0..=2 {
        let fd = file::standard(number);
        if let Ok(stat) = file::stat_fd(fd)
            && stat.uid != owner.0
            && stat.is_fifo()
            && file::is_anonymous_pipe(fd).unwrap_or(false)
        {
            // EPERM for an ordinary user: as in every other launcher, then.
            file::change_owner(fd, owner.0, file::KEEP).ok();
        }
    }
}
