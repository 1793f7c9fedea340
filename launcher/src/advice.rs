//! From a stage, an object and an errno to the words a person can act on.

#[cfg(test)]
mod tests;

use init::stage::Stage;

use crate::child::MOUNT_POINTS;
use crate::error::Error;
use crate::namespaces;
use crate::prepare::{NEEDS_MOUNT_API, Prepared, Step, clone_advice};
use crate::spawn;
use crate::spec::Changes;
use crate::spec::mounts::What;
use crate::sys::Errno;

/// The error that a report of the child's or init's stands for.
pub fn stage_failed(stage: Stage, errno: Errno, object: u16, prepared: &Prepared<'_>) -> Error {
    let action = action(stage, usize::from(object), prepared);
    let advice = match (stage, errno) {
        (Stage::ExecCommand, Errno::EACCES) if prepared.landlock.is_some() => {
            let what = "--landlock has to allow x for it, its interpreter (#!) and its ELF loader";
            Some(what.into())
        }
        (Stage::CloneContainer, _) => namespaces::advice(
            errno,
            spawn::all_of_container(prepared.spec),
            &prepared.ground.caller,
        ),
        (Stage::MakeNetwork, _) => {
            let flags = namespaces::USER | namespaces::NET;
            namespaces::advice(errno, flags, &prepared.ground.caller)
        }
        (Stage::AttachMount, Errno::EINVAL | Errno::ELOOP) => {
            let mount = prepared.spec.mounts.get(usize::from(object));
            of_mount(mount.map(|mount| &mount.what)).map(String::from)
        }
        (Stage::MakeTarget, Errno::EROFS | Errno::EPERM) if is_in_sys(prepared, object) => Some(
            "nothing can be made in /sys: name what is there, or begin with --tmpfs /sys".into(),
        ),
        _ => of(stage, errno),
    };
    Error::at(stage.name(), action, errno).advise_maybe(advice)
}

/// What was being done, on which object.
fn action(stage: Stage, object: usize, prepared: &Prepared<'_>) -> String {
    let spec = prepared.spec;
    let rootfs = spec.rootfs.to_string_lossy();
    let command = prepared.process.command[0].to_string_lossy();
    let account = &prepared.account;
    let device = prepared.sources.devices.get(object);
    let device = device.map_or("links", |(_, d)| d.host_path.to_str().unwrap_or_default());
    match stage {
        Stage::LeaveSession => "leave the caller's session".into(),
        Stage::WaitGate => "wait for the parent".into(),
        Stage::UnshareCgroup => "make a cgroup namespace".into(),
        Stage::SetUptime => "set the container's clocks".into(),
        Stage::ClearGroups => "drop the caller's groups".into(),
        Stage::SetGid => "become the container's gid 0".into(),
        Stage::SetUid => "become the container's uid 0".into(),
        Stage::UnshareTime => "make a time namespace".into(),
        Stage::LeaveKeyring => "leave the caller's session keyring".into(),
        Stage::WatchParent => "tie the container to the launcher".into(),
        Stage::SetUmask => "set the umask".into(),
        Stage::MakePrivate => "make the mounts of / private".into(),
        Stage::CloneDevice => format!("clone the host's {device}"),
        Stage::CloneRoot => format!("clone the mounts of rootfs {rootfs}"),
        Stage::CloneSource => format!("clone the mounts of {}", show_source(prepared, object)),
        Stage::AttachRoot => format!("attach rootfs {rootfs} over /"),
        Stage::MountOverlay => match &spec.changes {
            Changes::Kept(path) => {
                format!("cover rootfs {rootfs} with --overlay-dir {}", path.to_string_lossy())
            }
            _ => format!("cover rootfs {rootfs} with a tmpfs"),
        },
        Stage::CloneContainer | Stage::MakeNetwork => "create the container's namespaces".into(),
        Stage::MapContainer => "write the container's id maps from inside".into(),
        Stage::CopyNamespace => "copy the mount namespace".into(),
        Stage::FindCommand => format!("find command {command} in rootfs {rootfs}"),
        Stage::MakeMountPoint => {
            let point = MOUNT_POINTS.get(object).map_or("", |p| p.to_str().unwrap_or(""));
            format!("open or create the mount point {rootfs}/{point}")
        }
        Stage::MountDev => format!("mount a tmpfs on {rootfs}/dev"),
        Stage::FillDev => format!("put {device} into the container's /dev"),
        Stage::MountPts => format!("mount devpts on {rootfs}/dev/pts"),
        Stage::MountShm => format!("mount a tmpfs on {rootfs}/dev/shm"),
        Stage::MountMqueue => format!("mount mqueue on {rootfs}/dev/mqueue"),
        Stage::MountSys => format!("mount sysfs on {rootfs}/sys"),
        Stage::MountCgroup => format!("mount cgroup2 on {rootfs}/sys/fs/cgroup"),
        Stage::MakeTarget => format!("open or create {}", show_target(prepared, object)),
        Stage::AttachMount => format!("mount onto {}", show_target(prepared, object)),
        Stage::SetReadOnly => format!("make rootfs {rootfs} read-only"),
        Stage::OpenTerminal => "open a terminal in the container's /dev/pts".into(),
        Stage::RaiseLoopback => "bring up the container's loopback interface".into(),
        Stage::SetHostname => format!("set the host name to {}", spec.hostname.to_string_lossy()),
        Stage::AllowPath => {
            let rules = spec.confine.landlock.as_ref();
            let path = rules.and_then(|rules| rules.paths.get(object)).map(|(path, _)| path);
            let path = path.map_or("".into(), |path| path.to_string_lossy());
            format!("find --landlock /{path} in rootfs {rootfs}")
        }
        Stage::PivotRoot => format!("make rootfs {rootfs} the root"),
        Stage::CopyInit => "copy init to a tmpfs, as no memfd may be executed".into(),
        Stage::KeepFds => "keep descriptors open for the command".into(),
        Stage::RestoreLimit => "set the command's limits".into(),
        Stage::ExecInit => match &spec.init {
            Some(path) => format!("execute --init {}", path.to_string_lossy()),
            None => "execute init from its memfd".into(),
        },
        Stage::MountProc => format!("mount proc on {rootfs}/proc"),
        Stage::KeepChannel => "keep the launcher's channel from the command".into(),
        Stage::ForbidUserns => "forbid user namespaces in the container".into(),
        Stage::CutRoot => "detach the old root".into(),
        Stage::MaskProc => format!("mask {rootfs}/proc"),
        Stage::Spawn => format!("create a process for command {command}"),
        Stage::DropBounding => "drop capabilities from the bounding set".into(),
        Stage::SetCommandGroups => format!("give the command the groups {:?}", account.groups),
        Stage::SetCommandGid => format!("give the command the gid {}", account.gid),
        Stage::SetNoNewPrivs => "set no_new_privs".into(),
        Stage::RestrictSelf => "hold the command to the rules of --landlock".into(),
        Stage::SetCommandUid => format!("give the command the uid {}", account.uid),
        Stage::SetCapabilities => "set the command's capabilities".into(),
        Stage::ChangeDirectory => {
            format!("change into --workdir {}", prepared.process.workdir.to_string_lossy())
        }
        Stage::SetLabel => "write the command's label to /proc/self/attr/exec".into(),
        Stage::InstallFilter => "install the seccomp filter".into(),
        Stage::ExecCommand => format!("execute command {command} in rootfs {rootfs}"),
    }
}

fn show_target(prepared: &Prepared<'_>, index: usize) -> String {
    let rootfs = prepared.spec.rootfs.to_string_lossy();
    let target = prepared.spec.mounts.get(index).map(|mount| mount.target.path.to_string_lossy());
    format!("{rootfs}/{}", target.unwrap_or_default())
}

fn is_in_sys(prepared: &Prepared<'_>, index: u16) -> bool {
    let mount = prepared.spec.mounts.get(usize::from(index));
    mount.is_some_and(|mount| mount.target.path.as_bytes().starts_with(b"sys/"))
}

fn show_source(prepared: &Prepared<'_>, index: usize) -> String {
    let sources = prepared.plan.get(index).into_iter().flat_map(Step::sources);
    let paths = sources.map(|source| source.host_path.to_string_lossy()).collect::<Vec<_>>();
    paths.join(", ")
}

/// What the kernel finds wrong with a new mount.
fn of_mount(what: Option<&What>) -> Option<&'static str> {
    match what {
        Some(What::Tmpfs { .. }) => Some("the kernel takes no tmpfs with these options (tmpfs(5))"),
        Some(What::Overlay { .. }) => Some(
            "a layer is on a file system that overlays cannot use, lies in another layer, or, for an ordinary \
             user, has something mounted below it",
        ),
        _ => None,
    }
}

/// What the user can do about it.
pub fn of(stage: Stage, errno: Errno) -> Option<String> {
    let text = match (stage, errno) {
        (Stage::SetGid | Stage::SetUid, Errno::EINVAL) => {
            "the map does not have the id 0 of the container"
        }
        (
            Stage::CloneDevice | Stage::CloneRoot | Stage::MakePrivate,
            Errno::EACCES | Errno::EPERM,
        ) => {
            "AppArmor may restrict user namespaces: sysctl \
             kernel.apparmor_restrict_unprivileged_userns (Ubuntu), or an outer container's seccomp"
        }
        (Stage::MakePrivate, Errno::EINVAL) => {
            "/ is no mount point, as in a chroot(2): bind the directory onto itself (mount --bind) \
             before the chroot, and start with --userns none"
        }
        (Stage::SetUptime, Errno::EINVAL) => "the kernel lacks CONFIG_TIME_NS",
        (Stage::SetUptime, Errno::ERANGE) => "the clocks would be negative, or too far ahead",
        (Stage::LeaveKeyring, Errno::EDQUOT) => {
            "the user's keys are used up: sysctl kernel.keys.maxkeys"
        }
        (Stage::CloneDevice, Errno::ENOENT) => {
            "the container's is the host's: mount a devtmpfs on /dev, or in a chroot bind the host's"
        }
        (Stage::CloneRoot, errno) => return clone_advice(errno),
        (
            Stage::CloneDevice
            | Stage::AttachRoot
            | Stage::MountDev
            | Stage::MountPts
            | Stage::MountShm,
            Errno::ENOSYS | Errno::EPERM,
        ) => NEEDS_MOUNT_API,
        (Stage::FindCommand | Stage::ExecCommand, Errno::ENOENT) => {
            "is it on the container's PATH, and with it its interpreter (#!) or ELF loader?"
        }
        (Stage::FindCommand | Stage::ExecCommand, Errno::EACCES) => {
            "it is there, but no executable file for this user, or on a noexec mount"
        }
        (Stage::ExecCommand, Errno::EPERM) => {
            "the file has capabilities (getcap) that the container does not give, which setcap -r \
             removes; or the profile of --seccomp refuses execve"
        }
        (Stage::ExecCommand, Errno::ENOEXEC) => "it is no program for this machine",
        (Stage::MakeMountPoint, Errno::EACCES | Errno::EPERM | Errno::EROFS) => {
            "create it, or let the container's root write there"
        }
        (
            Stage::MakeMountPoint | Stage::MakeTarget | Stage::CopyInit | Stage::FillDev,
            Errno::ENOSPC,
        ) => "no space, or no inode, is left there (df, df -i)",
        (Stage::MakeMountPoint, Errno::ENOTDIR | Errno::ELOOP | Errno::EEXIST) => {
            "it has to be a directory"
        }
        (Stage::CloneSource, Errno::EINVAL) => {
            "norec of a directory with mounts below takes root; and a pipe, or a mount that is \
             unbindable (mount(8)), cannot be bound at all"
        }
        (Stage::MakeMountPoint | Stage::MakeTarget, Errno::ENOENT) => {
            "a symbolic link on the way leads to nothing"
        }
        (Stage::CloneSource, Errno::ESTALE) => "another file has taken its place meanwhile",
        (Stage::MountOverlay | Stage::AttachMount, Errno::EOPNOTSUPP) => {
            "a tmpfs keeps no user attributes before Linux 6.6, which an overlay needs; \
             --overlay-dir or upper= with a directory on ext4, xfs or btrfs does"
        }
        (Stage::MountOverlay | Stage::AttachMount, Errno::EACCES) => {
            "container root has to be able to write to --overlay-dir or upper=, and to search the layers"
        }
        (Stage::MountOverlay, Errno::ENODEV) => {
            "the kernel lacks CONFIG_OVERLAY_FS, or its module overlay; a copy of the rootfs needs none"
        }
        // has_locked_children in fs/namespace.c.
        (Stage::MountOverlay, Errno::EINVAL) => {
            "an ordinary user can have nothing mounted below the rootfs, as its overlay would uncover what \
             lies there (findmnt -R); or a layer's file system cannot be one"
        }
        (Stage::MountOverlay, Errno::EPERM) => {
            "before Linux 5.11 no overlay can be mounted in a user namespace"
        }
        (Stage::AttachMount, Errno::EPERM) => {
            "an overlay takes Linux 5.11; or an outer container's seccomp forbids it"
        }
        (Stage::MakeTarget, Errno::ENOTDIR) => "a directory is mounted on a directory",
        (Stage::MakeTarget, Errno::EISDIR) => "a file is mounted on a file",
        (Stage::MakeTarget, Errno::EEXIST) => "something else is there, a dangling link maybe",
        (Stage::MakeTarget, Errno::EACCES | Errno::EPERM | Errno::EROFS) => {
            "create it, or let the container's root write there"
        }
        (Stage::MountDev | Stage::MountPts | Stage::MountShm, Errno::ENODEV) => {
            "the kernel lacks CONFIG_TMPFS or CONFIG_UNIX98_PTYS"
        }
        (Stage::ExecInit, Errno::EACCES) => {
            "the sysctl vm.memfd_noexec or a security module forbids to execute a memfd"
        }
        (Stage::ExecInit, Errno::ENOENT | Errno::ENOEXEC) => {
            "init has to be a static program for this machine"
        }
        (Stage::MountProc, Errno::EPERM) => {
            "the host's /proc is not mounted or has masks over it, as in many containers; root can do \
             with --userns none, see \"Nesting\" in the README"
        }
        (Stage::MountProc, Errno::ELOOP | Errno::ENOTDIR) => {
            "/proc of the rootfs has to be a directory, not a link"
        }
        (Stage::InstallFilter, Errno::ENOSYS | Errno::EINVAL) => {
            "the kernel lacks CONFIG_SECCOMP_FILTER; --seccomp none goes without, with --userns none \
             together with --unmask, and without a --landlock for ports; or the file of --seccomp is no filter"
        }
        (Stage::MountMqueue, Errno::ENODEV) => "the kernel lacks CONFIG_POSIX_MQUEUE",
        (Stage::OpenTerminal, Errno::ENOSPC) => {
            "all terminals are taken: sysctl kernel.pty.max; --no-tty needs none"
        }
        (Stage::RaiseLoopback, Errno::ENODEV | Errno::EAFNOSUPPORT) => {
            "the kernel lacks CONFIG_INET; --net host needs none"
        }
        (Stage::RaiseLoopback, Errno::EPERM) => {
            "without a user namespace it takes CAP_NET_ADMIN, or --share net; or an outer container's \
             seccomp forbids it"
        }
        (Stage::DropBounding, Errno::EPERM) => {
            "without a user namespace it takes CAP_SETPCAP; or an outer container's seccomp forbids it"
        }
        (Stage::SetHostname, Errno::EPERM | Errno::ENOSYS) => {
            "an outer container's seccomp forbids it; --share uts leaves the host's"
        }
        (Stage::PivotRoot, Errno::EINVAL | Errno::EBUSY) => {
            "the root is no mount point, or an initial ramfs: switch_root to a tmpfs"
        }
        (Stage::SetCommandGroups | Stage::SetCommandGid | Stage::SetCommandUid, Errno::EINVAL) => {
            "the container has no such id: --userns, --uid-map"
        }
        (Stage::SetLabel, Errno::EINVAL) => "the security module does not know it",
        (Stage::SetLabel, Errno::ENOENT) => "no such profile is loaded",
        (Stage::MaskProc, Errno::ESTALE) => "somebody renames in the rootfs while it starts",
        (Stage::AllowPath, Errno::ENOENT) => "a rule is for what is there when the command starts",
        (Stage::ChangeDirectory, Errno::EACCES) => "the command's user may not enter it",
        (Stage::ChangeDirectory, Errno::ENOENT) => "create it in the rootfs, or give another",
        (Stage::UnshareTime, _) => {
            "an outer container's seccomp forbids clone3 as well; --share time leaves it out"
        }
        (Stage::Spawn, Errno::EINVAL) => {
            "an outer container's seccomp forbids clone3, without which a time namespace of a \
             user's needs Linux 6.2; --share time leaves it out"
        }
        (Stage::Spawn, Errno::EAGAIN) => "a limit on processes is reached",
        _ => return None,
    };
    Some(text.into())
}
