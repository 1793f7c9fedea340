//! The namespaces of a container: their CLONE_NEW* flags, the clone that makes them, and why the
//! kernel refuses it.

use std::os::fd::{AsFd, BorrowedFd};

use crate::prepare::{Caller, Proc};
use crate::spec::{Spec, Userns};
use crate::sys::process::{self, Forked};
use crate::sys::{Errno, Result as SysResult};

// CLONE_NEW* of linux/sched.h. CLONE_NEWTIME shares its bit with the exit signal of the old
// clone(2).
const TIME: u64 = 0x0000_0080;
pub const MNT: u64 = 0x0002_0000;
const CGROUP: u64 = 0x0200_0000;
const UTS: u64 = 0x0400_0000;
const IPC: u64 = 0x0800_0000;
pub const USER: u64 = 0x1000_0000;
const PID: u64 = 0x2000_0000;
pub const NET: u64 = 0x4000_0000;

/// A namespace besides the user namespace.
pub struct Namespace {
    /// As in /proc/PID/ns, in user.max_*_namespaces, and for `--share`.
    pub name: &'static str,
    pub flag: u64,
    pub kernel_option: &'static str,
    /// Can be shared with the host.
    pub is_optional: bool,
}

/// Those of a container.
pub const ALL: [Namespace; 7] = [
    Namespace { name: "mnt", flag: MNT, kernel_option: "CONFIG_NAMESPACES", is_optional: false },
    Namespace { name: "pid", flag: PID, kernel_option: "CONFIG_PID_NS", is_optional: false },
    Namespace { name: "net", flag: NET, kernel_option: "CONFIG_NET_NS", is_optional: true },
    Namespace { name: "uts", flag: UTS, kernel_option: "CONFIG_UTS_NS", is_optional: true },
    Namespace { name: "ipc", flag: IPC, kernel_option: "CONFIG_IPC_NS", is_optional: true },
    Namespace { name: "cgroup", flag: CGROUP, kernel_option: "CONFIG_CGROUPS", is_optional: true },
    Namespace { name: "time", flag: TIME, kernel_option: "CONFIG_TIME_NS", is_optional: true },
];

/// The flags of the namespaces that the container does not share, without CLONE_NEWNS: its mount
/// namespace is not always made in the same call.
pub fn own(spec: &Spec) -> u64 {
    let share = spec.share;
    let has_userns = !matches!(spec.userns, Userns::None);
    let unless = |shared: bool, flag| if shared { 0 } else { flag };
    PID | unless(!has_userns, USER)
        | unless(share.net, NET)
        | unless(share.uts, UTS)
        | unless(share.ipc, IPC)
        | unless(share.cgroup, CGROUP)
        // With --uptime the child makes it: clone3 leaves no moment to set the offsets in.
        | unless(share.time || spec.uptime.is_some(), TIME)
}

/// What the clone left out and has to be done afterwards.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lacks {
    /// The child unshares its time namespace.
    pub time: bool,
    /// The parent moves the child into its cgroup, and then the child unshares its cgroup namespace.
    pub cgroup: bool,
}

/// clone3(2), which makes all in one call; or clone(2), where an outer seccomp filter refuses clone3.
pub fn clone_into(flags: u64, exit_signal: i32) -> SysResult<(Forked, Lacks)> {
    match process::clone3(flags, exit_signal, None) {
        // EPERM may also mean that we may make no user namespace: then clone says the same.
        Err(Errno::ENOSYS | Errno::EPERM) => {}
        other => return other.map(|forked| (forked, Lacks::default())),
    }
    let mut lacks = Lacks::default();
    if flags & TIME != 0 {
        // clone has no flag for it (the bit is the exit signal's): unshare it for our children.
        match process::unshare_time() {
            Err(Errno::EPERM) => lacks.time = true,
            other => other?,
        }
    }
    process::clone(flags & !TIME, exit_signal).map(|forked| (forked, lacks))
}

/// The same for a child that gets a cgroup (CLONE_INTO_CGROUP), so that it is in no other even for
/// a moment. Where that is refused, or there are several (`is_all` is false: cgroup v1), the parent
/// moves it afterwards; its cgroup namespace has to be made after that, as its root is the cgroup
/// at that time.
pub fn clone_with_cgroup(
    flags: u64,
    exit_signal: i32,
    cgroup: Option<BorrowedFd<'_>>,
    is_all: bool,
) -> SysResult<(Forked, Lacks)> {
    let fewer = if is_all { flags } else { flags & !CGROUP };
    if let Some(cgroup) = cgroup {
        match process::clone3(fewer, exit_signal, Some(cgroup)) {
            // No clone3 (Linux 5.3, or seccomp), not this flag (5.7), or a cgroup that may be entered
            // only by a move.
            Err(
                Errno::ENOSYS
                | Errno::EPERM
                | Errno::E2BIG
                | Errno::EOPNOTSUPP
                | Errno::EBUSY
                | Errno::EACCES,
            ) => {}
            other => {
                let lacks = Lacks { cgroup: !is_all, ..Lacks::default() };
                return other.map(|forked| (forked, lacks));
            }
        }
    }
    let (forked, lacks) = clone_into(flags & !CGROUP, exit_signal)?;
    Ok((forked, Lacks { cgroup: true, ..lacks }))
}

/// Whether they can be made, tried by a process that ends at once.
pub fn try_out(flags: u64) -> SysResult<()> {
    match clone_into(flags, libc::SIGCHLD)? {
        (Forked::Child, lacks) => {
            process::exit_with(if lacks.time { process::unshare_time() } else { Ok(()) })
        }
        (Forked::Parent(pid), _) => process::wait_for_errno(pid),
    }
}

const NONE_WILL_DO: &str = "; root can do without one: --userns none";

/// Whether setns(2) into our own mount namespace leaves our root, as it leaves that of chroot(2): the
/// table of mounts shows what can be seen from the root. Tried by a process that ends at once.
pub fn root_can_be_left(proc: &Proc) -> SysResult<bool> {
    const LEFT: Errno = Errno::EXDEV;
    let tried = process::try_in_child(0, || {
        let table = || proc.read_text("self/mountinfo");
        let before = table()?;
        let own = proc.open_file("self/ns/mnt", libc::O_RDONLY)?;
        process::enter_namespace(own.as_fd())?;
        if before == table()? { Ok(()) } else { Err(LEFT) }
    });
    match tried {
        Err(LEFT) => Ok(true),
        other => other.map(|()| false),
    }
}

/// Why the kernel refuses these flags, and what can be done.
pub fn advice(errno: Errno, flags: u64, caller: &Caller) -> Option<String> {
    Some(match errno {
        Errno::EPERM if caller.own_uids().is_empty() => {
            "this user has no id in its user namespace (unshare -U without -r)".into()
        }
        Errno::EPERM => {
            let why = "user namespaces are forbidden here: by the sysctl kernel.unprivileged_userns_clone \
                 (Debian), by a chroot, or by an outer container's seccomp (Docker without \
                 CAP_SYS_ADMIN)";
            let otherwise = if caller.can_mount { NONE_WILL_DO } else { "" };
            format!("{why}{otherwise}")
        }
        Errno::EINVAL | Errno::ENOSPC | Errno::EUSERS => missing(errno, flags),
        Errno::EAGAIN => {
            "a limit on processes is reached: ulimit -u, or the cgroup's pids.max".into()
        }
        _ => return None,
    })
}

/// Which of them are refused, found out by trying each.
fn missing(errno: Errno, flags: u64) -> String {
    let (mut names, mut shares) = (Vec::new(), Vec::new());
    // Root may do without a user namespace.
    let user = flags & USER;
    if try_out(user).is_err() {
        names.push(remedy(errno, "user", "CONFIG_USER_NS"));
    } else {
        let wanted = ALL.iter().filter(|namespace| flags & namespace.flag != 0);
        for lacking in wanted.filter(|namespace| try_out(user | namespace.flag).is_err()) {
            names.push(remedy(errno, lacking.name, lacking.kernel_option));
            shares.extend(lacking.is_optional.then(|| format!("--share {}", lacking.name)));
        }
    }
    let share = match shares.len() {
        n if n > 0 && n == names.len() => format!("; {} leaves it out", shares.join(" ")),
        _ => String::new(),
    };
    match names.is_empty() {
        true => "each of them can be had, but not all of them now".into(),
        false => format!("{}{share}", names.join(", ")),
    }
}

fn remedy(errno: Errno, name: &str, kernel_option: &str) -> String {
    let why = match errno {
        Errno::EINVAL => format!("this kernel has no {name} namespace ({kernel_option})"),
        _ if name == "user" => {
            "the sysctl user.max_user_namespaces is reached (0 in a container that may make none: see \
             \"Nesting\" in the README), or the kernel's depth of 32".into()
        }
        _ => format!("the sysctl user.max_{name}_namespaces is reached"),
    };
    if name == "user" { why + NONE_WILL_DO } else { why }
}
