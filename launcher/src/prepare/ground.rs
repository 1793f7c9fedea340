//! The part of what is prepared that has to be known before the clone: the caller, how the host's
//! tree is cut away, and the rootfs. The rest is prepared while the kernel makes the child's
//! namespaces.

use super::{Caller, Order, Rootfs};
use crate::error::Error;
use crate::log::Log;
use crate::spec::network::Network;
use crate::spec::{Changes, Spec, Userns};
use crate::sys::system;

/// What is looked at first.
pub struct Ground {
    pub order: Order,
    pub caller: Caller,
    pub rootfs: Rootfs,
    /// Linux 6.3 or later: execve(2) enters an unshared time namespace, and a tmpfs can be idmapped.
    pub is_since_6_3: bool,
}

impl Ground {
    /// Looks.
    pub fn look(spec: &Spec, log: &mut Log) -> Result<Ground, Error> {
        let mut caller = Caller::look()?;
        // Without a proc of the host's the launcher has to mount a visible one in an outer mount
        // namespace (parent/outer.rs), which the order knows.
        let order = Order::of_this_host(&caller.proc, !matches!(spec.userns, Userns::None));
        let rootfs = Rootfs::open(&spec.rootfs, spec.read_only, &mut caller)?;
        log.step(format_args!("open rootfs {}", spec.rootfs.to_string_lossy()));
        Ok(Ground { order, caller, rootfs, is_since_6_3: system::is_at_least(6, 3) })
    }

    /// What becomes of changes to the rootfs.
    pub fn changes<'s>(&self, spec: &'s Spec) -> &'s Changes {
        match &spec.changes {
            // An image is mounted read-only.
            Changes::InPlace if self.rootfs.is_image() && !spec.read_only => &Changes::Dropped,
            other => other,
        }
    }

    /// Whether the child may share our memory (CLONE_VM), which is quicker than a copy. Not:
    ///
    /// - with `--uptime`: such a process cannot setns(2) into a time namespace; nor before Linux 6.3, as only
    ///   then execve(2) enters an unshared one;
    /// - with `--status-fd`: it would share our dumpable attribute, by which its namespaces can be read;
    /// - with `--oom-score-adj`: the kernel sets that of all who share the memory (fs/proc/base.c,
    ///   __set_oom_adj);
    /// - with limits: the OOM killer kills all who share the memory;
    /// - with `--net ns:PATH`: we have not joined that namespace yet, which the child inherits;
    /// - with `--userns none` or [`Order::Locked`].
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
