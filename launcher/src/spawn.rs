//! clone3(2), or clone(2): the launcher becomes two processes, parent and child.
//!
//! Mostly the child shares the launcher's memory until it executes init (CLONE_VM), and is cloned
//! before everything is prepared ([`spawn_early`]). Where it may not, it is a copy that is cloned
//! afterwards ([`spawn`]). Either way it waits at the gate until the parent has written its id
//! maps.

use std::cell::{Cell, OnceCell};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use init::stage::Stage;

use crate::advice;
use crate::child;
use crate::error::Error;
use crate::namespaces::{self, Lacks};
use crate::parent::Cgroups;
use crate::prepare::{Ground, Order, Prepared, Proc};
use crate::spec::Spec;
use crate::spec::network::Network;
use crate::sys::file::At;
use crate::sys::process::{self, Forked, Words};
use crate::sys::shared::{self, Entry, Gate, SharedMemoryChild};
use crate::sys::{Errno, Result as SysResult, descriptors, file, mount, processor, socket};

/// What both sides use. The child has it in the shared memory, or in its copy.
pub struct Start<'a> {
    pub spec: &'a Spec,
    /// The two ends of the channel: reports to the parent, words to the child.
    pub parent_end: OwnedFd,
    pub child_end: OwnedFd,
    /// The child shares our memory and our descriptors.
    shares_memory: Cell<bool>,
    /// The processor that such a child has begun to run on; [`NOT_BEGUN`] before that.
    first_processor: AtomicU32,
    /// Where such a child waits. A copy waits at the channel.
    gate: Gate,
    pub lacks: Cell<Lacks>,
    /// Empty until everything is prepared.
    task: OnceCell<Task<'a>>,
}

/// What the child does behind the gate.
pub struct Task<'a> {
    pub prepared: Prepared<'a>,
    /// What init is to be executed with.
    pub argv: Words,
}

/// In place of a processor's number.
const NOT_BEGUN: u32 = u32::MAX;

/// Of linux/sched.h: the new process is a child of the caller's parent.
const CLONE_PARENT: u64 = 0x0000_8000;

impl<'a> Start<'a> {
    /// Creates the channel.
    pub fn new(spec: &'a Spec) -> Result<Start<'a>, Error> {
        let (parent_end, child_end) = socket::pair()
            .map_err(|errno| Error::at("Channel", "create the channel to the child", errno))?;
        Ok(Start {
            spec,
            parent_end,
            child_end,
            shares_memory: Cell::new(false),
            first_processor: AtomicU32::new(NOT_BEGUN),
            gate: Gate::new(),
            lacks: Cell::default(),
            task: OnceCell::new(),
        })
    }

    /// Moves us to another processor if the child waits for this one, so that both run at a time.
    ///
    /// The kernel places a new process on its parent's processor if it takes no other for idle. In
    /// a virtual machine an idle one looks preempted (kernel/sched/sched.h, available_idle_cpu), so
    /// that happens although others are idle. A change of our own affinity moves us; the child
    /// inherited its own. A child that has not begun (`has_had_time` is false) may be about to
    /// begin elsewhere.
    ///
    /// Not where more processes want to run than there are processors: we would queue behind them.
    pub fn yield_processor(&self, proc: &Proc, has_had_time: bool) {
        if !self.shares_memory.get() {
            return;
        }
        // All failures here cost time only.
        let Ok(here) = processor::current() else { return };
        let childs = self.first_processor.load(Ordering::Relaxed);
        if childs != here && !(childs == NOT_BEGUN && has_had_time) {
            return;
        }
        // Two of the running are we and the child.
        if let Ok(running) = proc.running() {
            processor::leave(here, running.saturating_sub(1)).ok();
        }
    }

    /// Sets the child's task, before the gate is opened.
    pub fn set(&self, prepared: Prepared<'a>) {
        let argv = prepared.init_argv(self.child_end.as_raw_fd());
        self.task.set(Task { prepared, argv }).ok(); // it was empty
    }

    /// The task. An error before it is set.
    pub fn task(&self) -> Result<&Task<'a>, Error> {
        self.known().map_err(|errno| Error::at("Clone", "tell the child what to do", errno))
    }

    /// The same for the child, which makes no [`Error`]: that allocates.
    pub fn known(&self) -> SysResult<&Task<'a>> {
        self.task.get().ok_or(Errno::EBADE)
    }

    /// Takes what was prepared back, when there is no child any more.
    pub fn into_prepared(self) -> Option<Prepared<'a>> {
        self.task.into_inner().map(|task| task.prepared)
    }

    /// Changes what was prepared, while there is no child.
    pub fn change(
        &mut self,
        change: impl FnOnce(&mut Prepared<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(task) = self.task.get_mut() {
            change(&mut task.prepared)?;
            task.argv = task.prepared.init_argv(self.child_end.as_raw_fd());
        }
        Ok(())
    }

    /// Whether the child shares our memory.
    pub fn shares_memory(&self) -> bool {
        self.shares_memory.get()
    }

    /// Whether the child makes its network namespace itself, while we prepare the rest.
    pub fn makes_network(&self) -> bool {
        self.shares_memory.get() && matches!(self.spec.network, Network::None)
    }

    /// The gate: lets the child go on.
    pub fn open_gate(&self) -> SysResult<()> {
        if self.shares_memory.get() {
            return self.gate.open();
        }
        // A copy has descriptors of its own: it is sent the overlays that have replaced trees it
        // holds.
        for (_, covered) in self.known()?.prepared.covered() {
            socket::send_with_fd(self.parent_end.as_fd(), b"c", covered)?;
        }
        file::write(self.parent_end.as_fd(), b"g").map(drop)
    }

    /// The child: waits at the gate. Afterwards it has a descriptor table of its own, without the
    /// parent's end of the channel, so that it sees the parent's death as a hang-up. False: the
    /// parent has died.
    pub fn wait_at_gate(&self) -> SysResult<bool> {
        if self.shares_memory.get() {
            // After the wait: by then the table has everything that was prepared.
            let opened = self.gate.wait()?;
            shared::unshare_descriptors()?;
            file::close_in_copy(self.parent_end.as_fd())?;
            return Ok(opened);
        }
        file::close_in_copy(self.parent_end.as_fd())?;
        for (_, covered) in self.known()?.prepared.covered() {
            if !self.take_instead_of(covered)? {
                return Ok(false);
            }
        }
        file::read(self.child_end.as_fd(), &mut [0]).map(|count| count != 0)
    }

    /// Receives the overlay that has replaced this tree, and puts it under the same number. False:
    /// the parent has died.
    fn take_instead_of(&self, covered: BorrowedFd<'_>) -> SysResult<bool> {
        let channel = self.child_end.as_fd();
        loop {
            socket::poll(&mut [socket::readable(channel.as_raw_fd())], None)?;
            match socket::receive(channel, &mut [0]) {
                Err(Errno::EAGAIN) => {}
                Ok((1.., Some(new))) => {
                    return descriptors::replace(covered, new.as_fd()).map(|()| true);
                }
                other => return other.map(|_| false),
            }
        }
    }

    /// Whether the parent has died since it opened the gate.
    pub fn is_abandoned(&self) -> SysResult<bool> {
        match self.shares_memory.get() {
            true => Ok(self.gate.is_abandoned()),
            false => socket::is_hung_up(self.child_end.as_fd()),
        }
    }
}

impl SharedMemoryChild for Start<'_> {
    fn run(&self) -> ! {
        self.first_processor.store(processor::current().unwrap_or(NOT_BEGUN), Ordering::Relaxed);
        child::enter(self)
    }
}

/// A child that waits at the gate, by its pid. It is killed when this is dropped.
pub struct Waiting(i32);

impl Waiting {
    pub fn pid(&self) -> i32 {
        self.0
    }

    /// The child has been let through the gate.
    pub fn release(self) -> i32 {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        process::kill_and_reap(self.0);
    }
}

/// Clones a child that shares our memory, before its task is known. None: it has to be a copy of
/// us, made by [`spawn`] when the task is known, which also tells why the kernel refuses it if it
/// does.
pub fn spawn_early(start: &Start<'_>, ground: &Ground) -> Result<Option<Waiting>, Error> {
    if !ground.child_can_share_memory(start.spec) {
        return Ok(None);
    }
    let back = enter_rootfs(start.spec, ground)?;
    start.shares_memory.set(true);
    start.gate.tie();
    let all = all_of_container(start.spec);
    let flags = if start.makes_network() { all & !namespaces::NET } else { all };
    let entry = Entry::new(start);
    let cloned = entry.and_then(|entry| process::clone_vm(flags, libc::SIGCHLD, &entry));
    let child = cloned.ok().map(Waiting);
    if child.is_some() {
        start.yield_processor(&ground.caller.proc, false);
    }
    leave_rootfs(back)?;
    Ok(child)
}

/// Clones the child as a copy of us into its namespaces, and into its cgroups if it is to have some.
pub fn spawn(
    start: &Start<'_>,
    ground: &Ground,
    cgroups: Option<&Cgroups<'_>>,
) -> Result<Waiting, Error> {
    start.shares_memory.set(false);
    let spec = start.spec;
    let Task { prepared, .. } = start.task()?;
    let back = enter_rootfs(spec, ground)?;
    let flags = match ground.order {
        Order::Pivot => all_of_container(spec),
        // The intermediate process: its mount namespace is what the container gets a locked copy of.
        Order::Locked if prepared.has_intermediate() && ground.caller.proc.is_hosts => {
            namespaces::USER | namespaces::MNT
        }
        // The outer mount namespace, which root owns, is ours from here on (parent/outer.rs). The
        // container's is a locked copy, which the child makes later.
        Order::Locked => {
            mount::unshare_namespace().map_err(|errno| {
                Error::at("UnshareMounts", "leave the host's mount namespace", errno)
            })?;
            mount::make_private().map_err(|errno| {
                let stage = Stage::MakePrivate;
                Error::at(stage.name(), "make the mounts of / private", errno)
                    .advise_maybe(advice::of(stage, errno))
            })?;
            match prepared.has_intermediate() {
                true => namespaces::USER,
                false => namespaces::own(spec),
            }
        }
    };
    let cloned = match cgroups {
        None => namespaces::clone_into(flags, libc::SIGCHLD),
        Some(cgroups) => {
            let (place, is_all) = (cgroups.birthplace(), cgroups.are_one());
            namespaces::clone_with_cgroup(flags, libc::SIGCHLD, place, is_all)
        }
    };
    match cloned {
        Ok((Forked::Child, lacks)) => {
            start.lacks.set(lacks);
            child::enter(start)
        }
        Ok((Forked::Parent(pid), lacks)) => {
            start.lacks.set(lacks);
            let child = Waiting(pid);
            leave_rootfs(back)?;
            Ok(child)
        }
        Err(errno) => Err(Error::at("Clone", "create the container's namespaces", errno)
            .advise_maybe(namespaces::advice(errno, flags, &ground.caller))),
    }
}

/// Changes into the rootfs if the child is to clone its mounts: the current directory is the one
/// path into the old mount namespace that the kernel carries over into the new. Returns the
/// previous directory.
fn enter_rootfs(spec: &Spec, ground: &Ground) -> Result<Option<OwnedFd>, Error> {
    if ground.rootfs.tree().is_some() {
        return Ok(None);
    }
    let step = || {
        let back = file::open(At::Cwd, c".", libc::O_PATH)?;
        file::enter_dir(ground.rootfs.dir())?;
        Ok(Some(back))
    };
    step().map_err(|errno| {
        let shown = spec.rootfs.to_string_lossy();
        Error::at("EnterRoot", format_args!("change into rootfs {shown}"), errno)
    })
}

/// Changes back, as the caller's relative paths are looked up from there.
fn leave_rootfs(back: Option<OwnedFd>) -> Result<(), Error> {
    back.map_or(Ok(()), |back| file::enter_dir(back.as_fd()))
        .map_err(|errno| Error::at("EnterRoot", "change back from the rootfs", errno))
}

/// clone3 once more, by the intermediate process: the container proper, as the launcher's own child.
pub fn spawn_within(spec: &Spec) -> SysResult<(Forked, Lacks)> {
    // With CLONE_PARENT the exit signal is that of the caller.
    namespaces::clone_into(all_of_container(spec) | CLONE_PARENT, 0)
}

/// All namespaces of a container, as CLONE_NEW* flags.
pub fn all_of_container(spec: &Spec) -> u64 {
    namespaces::MNT | namespaces::own(spec)
}
