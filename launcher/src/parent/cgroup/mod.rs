//! The container's cgroups: made before the clone, given their limits, and removed at the end.
//!
//! In each tree there are two, one in the other. The limits are on the outer one; the container
//! is in the inner one, which is the root of its cgroup namespace: so whoever may write to what they
//! see inside cannot raise them, and nobody outside (a service manager that settles its own
//! cgroups) can take a controller away that a child has given on.
//!
//! The outer one is locked (flock(2)) by whoever made it, for as long as they live: what is found
//! unlocked belongs to a launcher that was killed, and is removed by the next start.

mod removal;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::log::Log;
use crate::prepare::cgroup::{Branch, Controller, Plan, Setting};
use crate::spec::resources::CpuList;
use crate::sys::cgroup::{Version, read, write};
use crate::sys::file::{self, At};
use crate::sys::lock::{self, Lock};
use crate::sys::{Errno, Result as SysResult, names, signal};

/// The cgroups of one container. They are removed when this is dropped.
pub struct Cgroups<'a> {
    plan: &'a Plan,
    made: Vec<Made<'a>>,
    /// The branch whose parent the launcher has left for a cgroup of its own beside the container's.
    vacated: Option<(&'a Branch, Named)>,
}

/// The two in one of the trees.
struct Made<'a> {
    branch: &'a Branch,
    outer: Named,
    /// None until it has been made.
    inner: Option<OwnedFd>,
}

/// A cgroup, and its name in its parent.
struct Named {
    name: CString,
    dir: OwnedFd,
}

/// The name of the inner cgroup.
const INNER: &CStr = c"container";

/// What the name of the launcher's own cgroup ends with.
const SELF: &str = ".self";

impl<'a> Cgroups<'a> {
    /// Makes them, before the child is cloned; removes what killed launchers have left first.
    pub fn make(plan: &'a Plan, log: &mut Log) -> Result<Cgroups<'a>, Error> {
        for dir in &plan.swept {
            removal::sweep(dir.as_fd());
        }
        let mut cgroups = Cgroups { plan, made: Vec::new(), vacated: None };
        for branch in &plan.branches {
            cgroups.add(branch, log)?;
        }
        log.step("make cgroup");
        Ok(cgroups)
    }

    fn add(&mut self, branch: &'a Branch, log: &Log) -> Result<(), Error> {
        let path = &branch.path;
        let failed =
            |errno| Error::at("MakeCgroup", format_args!("make a cgroup in {path}"), errno);
        if branch.moves_launcher {
            let own = create(branch.parent.as_fd(), SELF).map_err(failed)?;
            // From here on `drop` removes it, whatever fails.
            let (_, own) = self.vacated.insert((branch, own));
            move_into(own.dir.as_fd(), 0).map_err(failed)?;
        }
        let outer = create(branch.parent.as_fd(), "").map_err(failed)?;
        // As above.
        self.made.push(Made { branch, outer, inner: None });
        let Some(made) = self.made.last_mut() else { return Ok(()) };
        made.give_controllers(log)?;
        made.limit()?;
        made.make_inner().map_err(|errno| {
            let action = format_args!("make a cgroup within these limits in {path}");
            made.explain(Error::at("MakeCgroup", action, errno))
        })?;
        made.inner.as_ref().map_or(Ok(()), |inner| made.set_all(inner, true))
    }

    /// What `--stats` cannot tell, and why.
    pub fn remark(&self) -> Option<&str> {
        self.plan.remark.as_deref()
    }

    /// The cgroup to clone the child into (CLONE_INTO_CGROUP), which only the tree of v2 has. None
    /// with a cpuset: older kernels (5.10) apply it to a process that is moved there, and not to
    /// one that is cloned there (kernel/cgroup/cpuset.c, cpuset_fork).
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        let made = self.made.iter().find(|made| made.branch.version == Version::Two)?;
        let has_cpuset = made.branch.controllers.contains(&Controller::Cpuset);
        made.inner.as_ref().filter(|_| !has_cpuset).map(AsFd::as_fd)
    }

    /// Whether there is no cgroup but in the tree of v2.
    pub fn are_one(&self) -> bool {
        self.made.iter().all(|made| made.branch.version == Version::Two)
    }

    /// Moves a child that waits at the gate into the inner cgroups.
    pub fn admit(&self, pid: i32) -> Result<(), Error> {
        for made in &self.made {
            let Some(inner) = &made.inner else { continue };
            move_into(inner.as_fd(), pid).map_err(|errno| {
                let action = format!("move the container into its cgroup in {}", made.branch.path);
                Error::at("EnterCgroup", action, errno).advise_maybe(match errno {
                    Errno::EACCES => Some(
                        "a user moves a process only within what is delegated to them \
                         (cgroups(7))"
                            .into(),
                    ),
                    _ => None,
                })
            })?;
        }
        Ok(())
    }

    /// A file of the outer or inner cgroup in whichever tree has it.
    pub fn read(&self, which: Which, name: &CStr) -> Option<String> {
        self.made.iter().find_map(|made| {
            let dir = match which {
                Which::Outer => Some(&made.outer.dir),
                Which::Inner => made.inner.as_ref(),
            }?;
            read(dir.as_fd(), name).ok()
        })
    }
}

/// One of the two in each tree.
#[derive(Clone, Copy)]
pub enum Which {
    Outer,
    Inner,
}

impl Made<'_> {
    /// Enables controllers (cgroup.subtree_control): in the parent for the outer cgroup, there for
    /// the inner. In the parent they stay enabled: others may need them by the end.
    fn give_controllers(&self, log: &Log) -> Result<(), Error> {
        for (dir, path, list) in [
            (&self.branch.parent, &*self.branch.path, &self.branch.enable),
            (&self.outer.dir, "the container's cgroup", &self.branch.controllers),
        ] {
            for controller in list {
                let name = controller.v2_name();
                give(dir.as_fd(), *controller).map_err(|errno| {
                    let action = format!("give children of {path} the controller {name}");
                    Error::at("MakeCgroup", action, errno).advise_maybe(advice(errno, *controller))
                })?;
            }
        }
        if !self.branch.enable.is_empty() {
            let names = self.branch.enable.iter().map(|c| c.v2_name()).collect::<Vec<_>>();
            let names = names.join(" ");
            log.note(format_args!("cgroup {} gives its children {names} now", self.branch.path));
        }
        Ok(())
    }

    fn limit(&self) -> Result<(), Error> {
        if self.branch.has_cpuset {
            // A new cpuset of v1 is empty, and no process can be moved into it.
            for name in [c"cpuset.mems", c"cpuset.cpus"] {
                let copy = || {
                    let text = read(self.branch.parent.as_fd(), name)?;
                    write(self.outer.dir.as_fd(), name, text.trim())
                };
                copy().map_err(|errno| {
                    self.failed("--cpuset-cpus", &name.to_string_lossy(), errno)
                })?;
            }
        }
        if self.branch.version == Version::One {
            // Before Linux 5.11 a limit on memory holds for the cgroups below only with this set.
            match write(self.outer.dir.as_fd(), c"memory.use_hierarchy", "1") {
                Ok(()) | Err(Errno::ENOENT) => {} // ENOENT: a tree without that controller
                Err(errno) => return Err(self.failed("--memory", "use_hierarchy 1", errno)),
            }
        }
        self.set_all(&self.outer.dir, false)
    }

    fn set_all(&self, dir: &OwnedFd, are_flat: bool) -> Result<(), Error> {
        let mut settings = self.branch.settings.iter().filter(|set| set.is_flat == are_flat);
        settings.try_for_each(|setting| self.set(dir.as_fd(), setting))
    }

    fn set(&self, dir: BorrowedFd<'_>, setting: &Setting) -> Result<(), Error> {
        let Setting { option, file, value, beside, .. } = setting;
        let name = |text: &str| CString::new(text).unwrap_or_default();
        let mut written = write(dir, &name(file), value);
        if let Some((file, value)) = beside {
            written = match (written, write(dir, &name(file), value)) {
                (written, Err(Errno::ENOENT)) => written,
                (Err(Errno::ENOENT), other) => other,
                (written, other) => written.and(other),
            };
        }
        written.map_err(|errno| self.failed(option, &format!("{file} {value}"), errno))?;
        // cgroup v2 accepts processors that do not exist, and then sets no limit.
        if file == "cpuset.cpus" && self.branch.version == Version::Two {
            let lists = read(dir, c"cpuset.cpus.effective").ok();
            let lists = lists.as_deref().and_then(CpuList::read).zip(CpuList::read(value));
            if !lists.is_some_and(|(effective, wanted)| effective.is_within(&wanted)) {
                return Err(self.failed(option, value, Errno::EINVAL));
            }
        }
        Ok(())
    }

    fn failed(&self, option: &str, what: &str, errno: Errno) -> Error {
        let advice = match (option, errno) {
            ("--io-weight", Errno::ENOENT) => {
                "it takes CONFIG_BLK_CGROUP_IOCOST, or the scheduler bfq (CONFIG_BFQ_GROUP_IOSCHED)"
            }
            ("--swap", Errno::ENOENT) => {
                "the kernel does not account for swap: CONFIG_SWAP, and swapaccount=1 before Linux 6.1"
            }
            ("--hugetlb", Errno::ENOENT) => "this machine has no huge pages of that size",
            ("--cpus", Errno::ENOENT) => "the kernel lacks CONFIG_CFS_BANDWIDTH",
            ("--io-max", Errno::ENOENT) => "the kernel lacks CONFIG_BLK_DEV_THROTTLING",
            ("--io-max", Errno::ENODEV) => {
                "a whole disk is wanted, as /dev/sda or 8:0, and not a partition of it"
            }
            ("--cpus", Errno::EINVAL) => "a cgroup above allows less",
            ("--cpuset-cpus", _) => "not all of them are there, or they are not ours to use",
            (_, Errno::ENOENT) => "this kernel has no such limit",
            _ => return Error::at("SetLimit", format_args!("set {option} ({what})"), errno),
        };
        Error::at("SetLimit", format_args!("set {option} ({what})"), errno).advise(advice)
    }

    /// The memory that the inner cgroup takes is already counted in the outer.
    fn explain(&self, error: Error) -> Error {
        let is_limited = self.branch.settings.iter().any(|set| set.option == "--memory");
        match error.errno {
            Some(Errno::ENOMEM) if is_limited => error.advise("--memory is too little for a start"),
            _ => error,
        }
    }

    fn make_inner(&mut self) -> SysResult<()> {
        let outer = self.outer.dir.as_fd();
        file::make_dir(At::Dir(outer), INNER, 0o755)?;
        let inner = open_dir(outer, INNER)?;
        if self.branch.has_cpuset {
            for name in [c"cpuset.mems", c"cpuset.cpus"] {
                write(inner.as_fd(), name, read(outer, name)?.trim())?;
            }
        }
        self.inner = Some(inner);
        Ok(())
    }
}

impl Drop for Cgroups<'_> {
    fn drop(&mut self) {
        for made in &self.made {
            removal::remove_for_good(made.branch.parent.as_fd(), &made.outer.name);
        }
        if let Some((branch, own)) = &self.vacated {
            // Back into the parent, which is possible only while its children have no controllers.
            for controller in &branch.enable {
                let text = format!("-{}", controller.v2_name());
                write(branch.parent.as_fd(), c"cgroup.subtree_control", &text).ok();
            }
            if move_into(branch.parent.as_fd(), 0).is_ok() {
                removal::remove_for_good(branch.parent.as_fd(), &own.name);
            }
        }
    }
}

/// Makes a cgroup under a name that is free, and locks it.
fn create(parent: BorrowedFd<'_>, suffix: &str) -> SysResult<Named> {
    /// A name can be taken by a launcher with the same pid in another pid namespace.
    const ATTEMPTS: u32 = 10_000;
    let pid = signal::own_pid();
    for number in 0..ATTEMPTS {
        let dot = if number == 0 { String::new() } else { format!(".{number}") };
        let name = CString::new(format!("{}{pid}{dot}{suffix}", removal::PREFIX));
        let name = name.unwrap_or_default();
        match file::make_dir(At::Dir(parent), &name, 0o755) {
            Err(Errno::EEXIST) => continue,
            other => other?,
        }
        // Until it is locked it looks like a killed launcher's, and another may remove it.
        let lock = || {
            let dir = open_dir(parent, &name)?;
            lock::try_lock(dir.as_fd(), Lock::Exclusive)?;
            let (ours, there) = (file::stat_fd(dir.as_fd())?, open_dir(parent, &name)?);
            Ok((file::stat_fd(there.as_fd())?.is_same(&ours)).then_some(dir))
        };
        match lock() {
            Ok(Some(dir)) => return Ok(Named { name, dir }),
            Ok(None) | Err(Errno::ENOENT | Errno::ENODEV | Errno::EAGAIN) => {}
            Err(errno) => {
                names::remove_dir(parent, &name).ok();
                return Err(errno);
            }
        }
    }
    Err(Errno::EEXIST)
}

fn give(dir: BorrowedFd<'_>, controller: Controller) -> SysResult<()> {
    write(dir, c"cgroup.subtree_control", &format!("+{}", controller.v2_name()))
}

fn advice(errno: Errno, controller: Controller) -> Option<String> {
    Some(match errno {
        Errno::EBUSY => "a process has come into that cgroup meanwhile".into(),
        Errno::ENOENT => format!("the kernel lacks {}", controller.kernel_option()),
        Errno::EINVAL => "a realtime process is in the way of the cpu controller".into(),
        _ => return None,
    })
}

/// Moves a process into a cgroup; 0 is ourselves.
fn move_into(dir: BorrowedFd<'_>, pid: i32) -> SysResult<()> {
    write(dir, c"cgroup.procs", &pid.to_string())
}

fn open_dir(at: BorrowedFd<'_>, name: &CStr) -> SysResult<OwnedFd> {
    file::open(At::Dir(at), name, libc::O_RDONLY | libc::O_DIRECTORY)
}
