//! What a child is cloned on: who asks, how the host's tree is cut away, and the rootfs. It comes
//! first, as a child can be cloned while the rest is prepared.

use super::{Caller, Order, Rootfs};
use crate::error::Error;
use crate::log::Log;
use crate::spec::network::Network;
use crate::spec::{Changes, Spec, Userns};
use crate::sys::system;

/// The first that is looked at.
pub struct Ground {
    pub order: Order,
    pub caller: Caller,
    pub rootfs: Rootfs,
    /// Linux 6.3 or later: execve(2) enters a time namespace, and a tmpfs has idmapped mounts.
    pub is_since_6_3: bool,
}

impl Ground {
    /// Looks.
    pub fn look(spec: &Spec, log: &mut Log) -> Result<Ground, Error> {
        let mut caller = Caller::look()?;
        // A user namespace gets a proc only while another is in sight, which then is ours to put
        // there: in a mount namespace that is not the container's.
        let order = Order::of_this_host(&caller.proc, !matches!(spec.userns, Userns::None));
        let rootfs = Rootfs::open(&spec.rootfs, spec.read_only, &mut caller)?;
        log.step(format_args!("open rootfs {}", spec.rootfs.to_string_lossy()));
        Ok(Ground { order, caller, rootfs, is_since_6_3: system::is_at_least(6, 3) })
    }

    /// What becomes of changes to the rootfs.
    pub fn changes<'s>(&self, spec: &'s Spec) -> &'s Changes {
        match &spec.changes {
            // An image is never changed.
            Changes::InPlace if self.rootfs.is_image() && !spec.read_only => &Changes::Dropped,
            other => other,
        }
    }

    /// Whether the child may run in our memory, which is quicker.
    ///
    /// Who shares it cannot enter a time namespace but by execve(2), and by that not on every kernel.
    /// Nor has it a dumpable attribute of its own, by which it could be looked into or not, nor a score
    /// for the want of memory (fs/proc/base.c, __set_oom_adj): ours would change with it. And if it is
    /// killed in a cgroup for that, so is everybody who shares the memory. What it inherits has to be
    /// there by now, as a namespace that we enter for it is not.
    pub fn child_can_share_memory(&self, spec: &Spec) -> bool {
        self.order == Order::Pivot
            && !matches!(spec.userns, Userns::None)
            && !matches!(spec.network, Network::Namespace(_))
            && spec.resources.are_the_callers()
            && spec.limits.oom_score_adj.is_none()
            && spec.status_fd.is_none()
            && spec.uptime.is_none()
            && (spec.share.time || self.is_since_6_3)
    }
}
