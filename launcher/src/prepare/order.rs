//! The two ways to cut the host's tree away: by pivot_root, or by locked mounts.

use super::{Caller, Proc};
use crate::error::Error;
use crate::namespaces;
use crate::spec::{Spec, capability};
use crate::sys::mount;

/// How the host's tree is cut away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By pivot_root, after which nothing of it is left.
    Pivot,
    /// By locked mounts: where pivot_root is EINVAL because the host's root is the initial ramfs
    /// (before Linux 7.0), or where the host has no /proc.
    ///
    /// The usual ways round that, chroot or MS_MOVE and chroot, can be undone from inside, by
    /// `umount2("/", MNT_DETACH)` and setns(2). Here the rootfs is attached over `/` in an outer
    /// mount namespace that a more privileged user namespace owns, and the container gets a copy of
    /// that: the kernel locks every mount in such a copy (mount_namespaces(7)). The host's tree is
    /// still beneath, and cannot be uncovered.
    Locked,
}

impl Order {
    /// Decided beforehand and not when pivot_root fails: a start cannot begin again by then (a pipe
    /// has been read, input has gone to the container's terminal).
    pub fn of_this_host(proc: &Proc, has_userns: bool) -> Order {
        // In a user namespace the kernel mounts a proc only while another is visible in the mount
        // namespace: that takes an outer one, where the launcher mounts it.
        if !proc.is_hosts && has_userns {
            return Order::Locked;
        }
        // The initial ramfs is a tmpfs or a ramfs. With any other the table need not be read.
        if !mount::is_in_memory(c"/").unwrap_or(true) {
            return Order::Pivot;
        }
        let table = proc.read_text("self/mountinfo").unwrap_or_default();
        if is_mounted_on_nothing(&table) { Order::Locked } else { Order::Pivot }
    }

    /// Refuses what does not hold without a user namespace of the container's own (`--userns none`).
    pub fn check_without_userns(self, spec: &Spec, caller: &Caller) -> Result<(), Error> {
        let asked = spec.confine.capabilities.bounding;
        // Capabilities that this kernel does not know are not missed.
        let known = u64::MAX >> caller.capabilities.leading_zeros().min(63);
        if asked & known & !caller.capabilities != 0 {
            let names = capability::names(asked & known & !caller.capabilities);
            return Err(Error::refused(
                "PlanIds",
                format!(
                    "--userns none gives no capability that the launcher has not: {}",
                    names.collect::<Vec<_>>().join(" ")
                ),
            )
            .advise("take it away with --cap-drop, or leave --userns none out"));
        }
        if self == Order::Locked {
            // Mounts are locked only in a copy that a less privileged user namespace owns.
            return Err(Error::refused(
                "PlanIds",
                "--userns none cannot cut an initial ramfs away",
            )
            .advise("it needs Linux 7.0, or another root: switch_root to a tmpfs first"));
        }
        if asked & 1 << capability::SYS_ADMIN == 0 {
            return Ok(()); // setns(2) takes it
        }
        let left = namespaces::root_can_be_left(&caller.proc)
            .map_err(|errno| Error::at("PlanIds", "look for a way out of this root", errno))?;
        match left {
            false => Ok(()),
            true => Err(Error::refused(
                "PlanIds",
                "--userns none with CAP_SYS_ADMIN does not hold in a chroot, which setns(2) leaves",
            )
            .advise("leave the capability out, or start the launcher outside the chroot")),
        }
    }
}

/// Whether our root is the initial ramfs: in mountinfo (proc(5)) only that has its own id as its
/// parent's, and it is listed only for processes that have it as root.
fn is_mounted_on_nothing(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| {
        let mut ids = line.split(' ');
        ids.next() == ids.next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_ramfs_is_its_own_parent() {
        const BELOW: &str = "20 1 0:19 / /proc rw - proc proc rw\n";
        assert!(is_mounted_on_nothing(&format!("{BELOW}1 1 0:2 / / rw - rootfs rootfs rw\n")));
        assert!(!is_mounted_on_nothing(&format!("{BELOW}30 1 0:2 / / rw - tmpfs none rw\n")));
        assert!(!is_mounted_on_nothing(""));
    }
}
