//! The parent: the host's side, from clone3 to the exit code.
//!
//! In: a child that waits at the gate. [`admit`] writes its id maps, makes its network and opens
//! the gate. [`Container::supervise`] then passes signals on, reads reports, and waits for the end.

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
mod placeholders;
mod relay;
mod status;
mod supervise;
mod usage;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use init::exit::Ending;
use init::report::{self, Report};
use init::stage::Stage;

use crate::advice;
use crate::error::Error;
use crate::log::Log;
use crate::namespaces::Lacks;
use crate::prepare::ids::{RootfsIds, Writer};
use crate::prepare::{Order, Prepared, Source};
use crate::spawn::{Start, Task, Waiting};
use crate::spec::Spec;
use crate::spec::time::End;
use crate::sys::file;
use crate::sys::{Errno, mount, process, socket};
pub use cgroup::Cgroups;
use deadline::Deadline;
use network::Connection;
pub use outcome::Outcome;
pub use pid_file::PidFile;
pub use placeholders::Placeholders;
use status::Namespaces;
pub use status::Status;
use usage::Usage;

/// A child that has been let through the gate; later the container's init.
pub struct Container<'a> {
    prepared: &'a Prepared<'a>,
    /// The parent's end.
    channel: BorrowedFd<'a>,
    pid: i32,
    /// What /proc calls it; see [`Proc`](crate::prepare::Proc).
    number: i32,
    /// The child shares our memory until it executes init.
    shares_memory: bool,
    /// For `--status-fd`. Read while the child waits, as a short command may be gone later.
    namespaces: Option<Namespaces>,
    /// The namespaces that the child makes itself, behind the gate.
    late: Vec<&'static str>,
    /// Dropped, and so removed, at the container's end.
    network: Option<Connection>,
    /// Of `--timeout`; it runs from here on.
    deadline: Deadline,
}

/// Why a child could not be let through the gate.
pub enum Blocked {
    /// Its rootfs cannot be idmapped; the next child may have the host's ids instead.
    NotMappable(Errno),
    /// newuidmap or newgidmap refuses a map that nobody asked for; the next child may have one id.
    Refused(Error),
    /// The start has failed.
    Failed(Error),
}

impl From<Error> for Blocked {
    fn from(error: Error) -> Self {
        Blocked::Failed(error)
    }
}

impl Blocked {
    /// Changes what was prepared for the next child, if there is a way; else the error.
    pub fn fall_back(self, prepared: &mut Prepared<'_>, log: &mut Log) -> Result<(), Error> {
        match self {
            Blocked::NotMappable(errno) => prepared.fall_back_to_identity(errno, log),
            Blocked::Refused(error) => prepared.fall_back_to_single(&error, log),
            Blocked::Failed(error) => Err(error),
        }
    }
}

/// Gives the child its ids and its network, and opens the gate. If that fails, the child is killed.
pub fn admit<'a>(
    start: &'a Start<'_>,
    cgroups: Option<&Cgroups<'_>>,
    child: Waiting,
    log: &mut Log,
) -> Result<Container<'a>, Blocked> {
    let pid = child.pid();
    log.step(format_args!("clone3 into pid {pid}"));
    let Task { prepared, .. } = start.task()?;
    let lacks = start.lacks.get();
    let proc = &prepared.ground.caller.proc;
    let number = proc.number(pid)?;
    if let (Some(cgroups), true) = (cgroups, lacks.cgroup) {
        cgroups.admit(pid)?;
    }
    let late = late_namespaces(prepared.spec, lacks);
    let namespaces = prepared.spec.status_fd.map(|_| Namespaces::of(proc, number, &late));
    let channel = start.parent_end.as_fd();
    let deadline = Deadline::begin(prepared.spec.end);
    let (shares_memory, network) = (start.shares_memory(), None);
    let mut container = Container {
        prepared,
        channel,
        pid,
        number,
        shares_memory,
        namespaces,
        late,
        network,
        deadline,
    };
    if let Err(blocked) = container.prepare_ids(log) {
        let Blocked::Failed(error) = blocked else { return Err(blocked) };
        if let Some(reason) = container.childs_reason() {
            return Err(reason.into());
        }
        let Some(ending) = has_ended(child) else { return Err(error.into()) };
        return Err(supervise::ended_early(ending, prepared).into());
    }
    container.network = match prepared.spec.explain {
        None => network::connect(prepared, number, &deadline, log)?,
        Some(_) => network::rehearse(&prepared.spec.network).map(|()| None)?,
    };
    start.open_gate().map_err(|errno| Error::at("OpenGate", "let the child go", errno))?;
    child.release();
    Ok(container)
}

/// How the child has ended, if somebody has killed it meanwhile: then an error that its files in
/// /proc give is not the reason.
fn has_ended(child: Waiting) -> Option<Ending> {
    // While it exits, those files are EACCES already, and wait4(2) does not report it yet.
    const TIMES: u32 = 100;
    for _ in 0..TIMES {
        if let Ok(Some(status)) = process::try_wait(child.pid()) {
            child.release();
            return Some(Ending::from_wait_status(status));
        }
        socket::poll(&mut [], Some(Duration::from_millis(1))).ok();
    }
    None
}

fn late_namespaces(spec: &Spec, lacks: Lacks) -> Vec<&'static str> {
    let late = [(spec.uptime.is_some(), "time"), (lacks.cgroup && !spec.share.cgroup, "cgroup")];
    late.into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
}

impl Container<'_> {
    /// The failure that the child has reported meanwhile, if it has: it is the reason for what
    /// failed here.
    fn childs_reason(&self) -> Option<Error> {
        let mut bytes = [0; report::SIZE];
        while let Ok((count @ 1.., _)) = socket::receive(self.channel, &mut bytes) {
            if let Some(Report::Failed { stage, errno, object }) =
                Report::from_bytes(&bytes[..count])
            {
                let errno = Errno::new(i32::from(errno));
                return Some(advice::stage_failed(stage, errno, object, self.prepared));
            }
        }
        None
    }

    fn prepare_ids(&self, log: &mut Log) -> Result<(), Blocked> {
        let prepared = self.prepared;
        maps::write(&prepared.ids, &prepared.ground.caller.proc, self.number).map_err(|error| {
            // A shortage passes. The next start would then have other ids than this one: no
            // fall-back.
            let is_short = matches!(
                error.errno,
                Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)
            );
            match prepared.ids.or_single && !is_short {
                true => Blocked::Refused(error),
                false => Blocked::Failed(error),
            }
        })?;
        log.step("write id maps");
        self.map_mounts(log)?;
        if prepared.spec.explain.is_none() {
            give_pipes(prepared);
        }
        limits::apply(&prepared.spec.limits, self.pid, &prepared.ground.caller.proc, self.number)?;
        if prepared.ground.order == Order::Locked {
            outer::assemble(prepared)?;
        }
        Ok(())
    }

    /// Whether the parent has to know when the command starts, or has anything to do before. A
    /// child that shares our memory clears dumpable for both. After newuidmap a SIGCHLD is pending,
    /// which wakes us up anyway.
    fn is_start_awaited(&self) -> bool {
        let Prepared { spec, streams, ids, .. } = self.prepared;
        let has_run_tools = matches!(ids.writer, Writer::Tools(_));
        !self.shares_memory || has_run_tools || spec.status_fd.is_some() || streams.terminal
    }

    /// Lets the child go on from where it waits for a word on the channel.
    fn go(&self) -> Result<(), Error> {
        const GO: &[u8] = b"g";
        file::write(self.channel, GO)
            .map(drop)
            .map_err(|errno| Error::at("OpenGate", "let the child go on", errno))
    }

    /// Makes idmapped mounts of the rootfs, the binds and /dev. The child holds the same detached
    /// mounts, so they are idmapped there, too.
    fn map_mounts(&self, log: &mut Log) -> Result<(), Blocked> {
        let prepared = self.prepared;
        let is_shifted = prepared.ground.caller.can_mount && prepared.ids.is_shifted();
        let is_rootfs = prepared.ids.rootfs_ids != RootfsIds::AsTheyAre;
        let dev = prepared.sources.dev.as_ref().filter(|_| is_shifted);
        let mut binds = prepared.shown_with_owners().filter(|_| is_shifted).peekable();
        if !is_rootfs && dev.is_none() && binds.peek().is_none() {
            return Ok(cover(prepared)?);
        }
        let userns = maps::open_userns(&prepared.ground.caller.proc, self.number)?;
        let userns = userns.as_fd();
        if is_rootfs {
            self.map_rootfs(userns)?;
            log.step("idmap rootfs");
        }
        // After the rootfs: if that cannot be idmapped, the next child gets other ids.
        if let Some(dev) = dev {
            mount::map_ids(dev.as_fd(), userns)
                .map_err(|errno| Error::at("MapDev", "idmap the container's /dev", errno))?;
        }
        binds.try_for_each(|source| map_bind(source, userns))?;
        Ok(cover(prepared)?)
    }

    fn map_rootfs(&self, userns: BorrowedFd<'_>) -> Result<(), Blocked> {
        let prepared = self.prepared;
        match mount::map_ids(prepared.ground.rootfs.dir(), userns) {
            // The errnos of mount_setattr(2) for a mount that cannot be idmapped, and no others:
            // container root must not become the host's root because memory is short.
            Err(errno @ (Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM))
                if prepared.ids.rootfs_ids == RootfsIds::MapOrIdentity =>
            {
                Err(Blocked::NotMappable(errno))
            }
            mapped => Ok(mapped.map_err(|errno| {
                let shown = prepared.spec.rootfs.to_string_lossy();
                Error::at("MapRoot", format_args!("idmap rootfs {shown}"), errno).advise(
                    "its file system, or one mounted below it, has no idmapped mounts in this \
                     kernel; chown the tree to the range (uid and gid of its root directory), \
                     or use --userns identity",
                )
            })?),
        }
    }

    /// `--explain`: waits for the child, which exits where it would execute init, or reports a
    /// failure.
    pub fn rehearse(self, log: &Log) -> Result<(), Error> {
        let mut deadline = Deadline::begin(End { after_ms: None, ..self.prepared.spec.end });
        supervise::until_end(self, &Status::open(None)?, None, &mut deadline, log).map(drop)
    }

    /// Serves the container until its end.
    pub fn supervise(
        self,
        cgroups: Option<&Cgroups<'_>>,
        status: &Status,
        pid_file: Option<&mut PidFile>,
        log: &Log,
    ) -> Result<Outcome, Error> {
        let prepared = self.prepared;
        let began = Instant::now();
        let mut deadline = self.deadline;
        let ending = supervise::until_end(self, status, pid_file, &mut deadline, log);
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

/// Mounts the overlays that the child cannot mount (before Linux 6.6).
fn cover(prepared: &Prepared<'_>) -> Result<(), Error> {
    for (overlay, first) in prepared.covered() {
        overlay.replace(first).map_err(|errno| {
            let shown = overlay.show(&prepared.spec.rootfs);
            let error = Error::at("CoverRoot", format_args!("cover {shown} with a tmpfs"), errno);
            match errno {
                Errno::EINVAL => error.advise(
                    "before Linux 5.19 no overlay lies on idmapped layers; --userns identity, or \
                     --overlay-dir or upper=",
                ),
                _ => error.advise_maybe(advice::of(Stage::MountOverlay, errno)),
            }
        })?;
    }
    Ok(())
}

/// Makes an idmapped mount of a bind's source, as of the rootfs.
fn map_bind(source: &Source, userns: BorrowedFd<'_>) -> Result<(), Error> {
    let Some(clone) = source.tree() else { return Ok(()) };
    mount::map_ids(clone, userns).map_err(|errno| {
        let shown = source.host_path.to_string_lossy();
        Error::at("MapSource", format_args!("idmap {shown}"), errno).advise(
            "its file system, or one mounted below it, has no idmapped mounts in this \
             kernel; with :noidmap the files of a bind belong to nobody inside",
        )
    })
}

/// Lets the command open its standard streams by name (`/dev/stdout`): the inode of a pipe belongs
/// to whoever made it, who may be nobody inside, so it is given to the command's user. Only root
/// can do that, and it is done only to an anonymous pipe: a FIFO, a file or a terminal is
/// somebody's on the host.
fn give_pipes(prepared: &Prepared<'_>) {
    let Some(owner) = prepared.ids.uid.to_outside(prepared.account.uid) else { return };
    for number in 0..=2 {
        let fd = file::standard(number);
        if let Ok(stat) = file::stat_fd(fd)
            && stat.uid != owner.0
            && stat.is_fifo()
            && file::is_anonymous_pipe(fd).unwrap_or(false)
        {
            // EPERM for an ordinary user, who does without.
            file::change_owner(fd, owner.0, file::KEEP).ok();
        }
    }
}
