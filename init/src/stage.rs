//! Every step that can fail between clone3 and the command's exec, in the order it is taken.
//!
//! The one place that states the order: the child and init name their steps by it, the launcher
//! turns it into text, the tests walk it.

macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A named step that can fail. The number is what travels in a report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Stage {
            $($(#[$doc])* $name,)*
        }

        impl Stage {
            /// All stages, in order.
            pub const ALL: &'static [Stage] = &[$(Stage::$name,)*];

            /// The stage's name as the status fd shows it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Stage::$name => stringify!($name),)*
                }
            }
        }
    };
}

stages! {
    // The child, in the launcher's image.
    /// Leave the caller's session and process group.
    LeaveSession,
    /// Make a network namespace, while the parent prepares the rest.
    MakeNetwork,
    /// Wait until the parent has written the id maps.
    WaitGate,
    /// Make a cgroup namespace, where the parent had to move us into our cgroup.
    UnshareCgroup,
    /// Make a time namespace and set its clocks (`--uptime`).
    SetUptime,
    /// Clone a host device node (ordinary user: from inside the new mount namespace).
    CloneDevice,
    /// Clone the source of a bind (ordinary user).
    CloneSource,
    /// Clone the rootfs, and make device nodes that lie in it dead (ordinary user).
    CloneRoot,
    /// Drop the caller's supplementary groups.
    ClearGroups,
    /// Become the container's gid 0.
    SetGid,
    /// Become the container's uid 0.
    SetUid,
    /// Make a time namespace, where clone3 could not (seccomp).
    UnshareTime,
    /// Leave the caller's session keyring.
    LeaveKeyring,
    /// Ask for SIGKILL when the parent dies, and see that it has not died yet.
    WatchParent,
    /// Put the caller's umask aside; it comes back before init.
    SetUmask,
    /// Take every mount out of the host's propagation.
    MakePrivate,
    /// Attach the rootfs over `/`.
    AttachRoot,
    /// Cover the rootfs with an overlay that takes the changes.
    MountOverlay,
    /// Clone the container from the process between (ordinary user on an initial ramfs).
    CloneContainer,
    /// Write its id maps.
    MapContainer,
    /// Copy the mount namespace, which locks every mount (initial ramfs).
    CopyNamespace,
    /// Look for the command, before anything is created in the rootfs.
    FindCommand,
    /// Create a missing mount point.
    MakeMountPoint,
    /// Mount the container's /dev.
    MountDev,
    /// Put a device node, a link or a directory into /dev.
    FillDev,
    /// Mount the container's own /dev/pts.
    MountPts,
    /// Mount /dev/shm.
    MountShm,
    /// Mount /dev/mqueue.
    MountMqueue,
    /// Mount /sys, read-only.
    MountSys,
    /// Mount /sys/fs/cgroup, read-only.
    MountCgroup,
    /// Make or open what a mount of the plan is attached to.
    MakeTarget,
    /// Attach a mount of the plan.
    AttachMount,
    /// Mount /proc.
    MountProc,
    /// Make the rootfs read-only.
    SetReadOnly,
    /// Open the container's terminal and hand its master side out.
    OpenTerminal,
    /// Bring up the loopback interface.
    RaiseLoopback,
    /// Set the host name.
    SetHostname,
    /// Add a path to the rules that the command is held to (`--landlock`).
    AllowPath,
    /// Make the rootfs the root.
    PivotRoot,
    /// Copy init to a file system of its own, where no memfd can be executed.
    CopyInit,
    /// Let the channel and `--keep-fd` survive execve.
    KeepFds,
    /// Give the command the caller's limit on open files.
    RestoreLimit,
    /// Execute init.
    ExecInit,

    // init.
    /// Keep the channel to the launcher from the command.
    KeepChannel,
    /// Forbid further user namespaces.
    ForbidUserns,
    /// Detach the old root.
    CutRoot,
    /// Mask what the host's root could reach through /proc.
    MaskProc,
    /// Create the command's process.
    Spawn,

    // The command's process, in init's image.
    /// Drop capabilities from the bounding set.
    DropBounding,
    /// Set the command's groups.
    SetCommandGroups,
    /// Set the command's gid.
    SetCommandGid,
    /// Set no_new_privs.
    SetNoNewPrivs,
    /// Name the label that the command is executed with.
    SetLabel,
    /// Hold the command to the rules of `--landlock`.
    RestrictSelf,
    /// Set the command's uid.
    SetCommandUid,
    /// Set the command's capabilities.
    SetCapabilities,
    /// Change into the working directory.
    ChangeDirectory,
    /// Filter the command's system calls.
    InstallFilter,
    /// Execute the command.
    ExecCommand,
}

impl Stage {
    /// The stage with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Stage> {
        Stage::ALL.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_are_in_order() {
        for (index, &stage) in Stage::ALL.iter().enumerate() {
            assert_eq!(stage as usize, index);
            assert_eq!(Stage::from_number(stage as u8), Some(stage));
        }
        assert_eq!(Stage::from_number(Stage::ALL.len() as u8), None);
    }
}
