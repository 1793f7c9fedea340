//! The two ways to cut the host's tree away, and which one this host needs.

use super::Proc;
use crate::sys::mount;

/// How the host's tree is cut away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By pivot_root, after which nothing of it is left.
    Pivot,
    /// Where pivot_root is EINVAL because the host's root is the initial ramfs (before Linux
    /// 7.0), or where the host has no /proc. The usual ways round that (chroot, or MS_MOVE and chroot) are left again by
    /// `umount2("/", MNT_DETACH)` and setns(2). Here the rootfs is attached over `/` in a mount
    /// namespace that somebody more privileged owns, and the container gets a copy of it, in
    /// which the kernel locks every mount: the host's tree stays beneath, and out of reach.
    Locked,
}

impl Order {
    /// Asked before the start, in which pivot_root comes late: what has been done by then cannot be
    /// done again (a pipe has been read, what was typed has gone to the terminal).
    pub fn of_this_host(proc: &Proc) -> Order {
        // The kernel mounts a proc in the container only while another is in sight, and ours is in
        // sight nowhere but in that outer namespace.
        if !proc.is_hosts {
            return Order::Locked;
        }
        // The initial ramfs is a tmpfs or a ramfs: on all others the table need not be read.
        if !mount::is_in_memory(c"/").unwrap_or(true) {
            return Order::Pivot;
        }
        let table = proc.read_text("self/mountinfo").unwrap_or_default();
        if is_mounted_on_nothing(&table) { Order::Locked } else { Order::Pivot }
    }
}

/// Whether there is a mount that is its own parent, as in proc(5)'s mountinfo no other can be. It is
/// listed only for whoever has it as root.
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
