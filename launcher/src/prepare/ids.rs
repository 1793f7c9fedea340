//! Decides how ids are mapped (`--userns`, `--uid-map`, `--gid-map`). `--verbose` shows the decision.

use std::fmt;
use std::fs;

use super::Caller;
use super::range::{self, HeldRange};
use super::rootfs::Rootfs;
use super::subid::{self, Tools};
use crate::error::{Error, show_errno};
use crate::spec::confine::Seccomp;
use crate::spec::idmap::{IdMap, IdRange, Outside};
use crate::spec::{Spec, Userns};
use crate::sys::Errno;

/// The decision.
#[derive(Debug)]
pub struct IdPlan {
    /// The mode, as `--userns` names it.
    pub mode: &'static str,
    pub uid: IdMap,
    pub gid: IdMap,
    pub writer: Writer,
    /// Whether setgroups(2) works inside.
    pub can_set_groups: bool,
    /// How the owners of the rootfs's files become the container's.
    pub rootfs_ids: RootfsIds,
    /// Container root is the host's root: /proc has to be masked.
    pub mask_proc: bool,
    pub warning: Option<String>,
    /// Nobody asked for this mode: if the map is refused, the fall-back is one id.
    pub or_single: bool,
    /// The lock on the range.
    _range: Option<HeldRange>,
}

/// Who writes the maps.
#[derive(Clone, Debug)]
pub enum Writer {
    /// The parent, by its capabilities or because the map has one id.
    Parent,
    /// newuidmap(1) and newgidmap(1), which are setuid root.
    Tools(Tools),
    /// Nobody: the container has no user namespace of its own.
    Nobody,
}

/// How the files of the rootfs come to belong to the container's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootfsIds {
    /// The owners stay as they are.
    AsTheyAre,
    /// By an idmapped mount; where that cannot be made, the container gets the host's ids.
    MapOrIdentity,
    /// By an idmapped mount; where that cannot be made, the start fails.
    MapOrFail,
}

/// Decides.
pub fn plan(userns: &Userns, caller: &Caller, rootfs: &Rootfs) -> Result<IdPlan, Error> {
    match userns {
        Userns::Auto => auto(caller, rootfs),
        Userns::Single => Ok(single(caller)),
        Userns::Subid => subordinate(caller, rootfs),
        Userns::Range => own_range(caller, rootfs, RootfsIds::MapOrFail),
        Userns::Identity if caller.can_map => Ok(identity(caller)),
        Userns::None if caller.can_map && caller.can_mount => {
            Ok(IdPlan { mode: "none", writer: Writer::Nobody, ..identity(caller) })
        }
        Userns::None => {
            Err(Error::refused("PlanIds", format!("--userns none needs {}", caller.lacks()))
                .advise("without a user namespace only root can make the other ones"))
        }
        Userns::Identity => Err(Error::refused(
            "PlanIds",
            "--userns identity needs CAP_SETUID and CAP_SETGID, which this process has not",
        )
        .advise("use --userns single or subid, or be root")),
        Userns::Explicit { uid, gid } => explicit(uid, gid, caller, rootfs),
    }
}

/// The fall-back when the kernel has refused to idmap the rootfs: the host's ids, with a warning.
pub fn identity_instead(caller: &Caller, spec: &Spec, errno: Errno) -> Result<IdPlan, Error> {
    let mut plan = identity(caller);
    plan.warning = Some(format!(
        "{} cannot be idmapped: {}; its file system, or one mounted below it, has no idmapped mounts \
         in this kernel; container root is the host's root, with /proc masked (--userns identity \
         says that this is meant)",
        spec.rootfs.to_string_lossy(),
        show_errno(errno),
    ));
    Ok(plan)
}

/// The fall-back when newuidmap or newgidmap has refused a map: one id, with a warning.
pub fn single_instead(caller: &Caller, refusal: &Error) -> IdPlan {
    let warning = format!("the container has one id only: {refusal}");
    IdPlan { warning: Some(warning), ..single(caller) }
}

/// `--userns auto`: the best that can be had. If that is the host's root, there is a warning.
fn auto(caller: &Caller, rootfs: &Rootfs) -> Result<IdPlan, Error> {
    let (mut plan, lacks) = match (caller.can_map, caller.can_mount) {
        (true, true) => (auto_for_root(caller, rootfs)?, "ids of a range"),
        (true, false) => (identity(caller), "CAP_SYS_ADMIN over its mounts"),
        (false, _) => (auto_for_user(caller, rootfs), "CAP_SETUID or no CAP_SETGID"),
    };
    /// The inode of the initial user namespace (include/linux/proc_ns.h, PROC_USER_INIT_INO).
    const INITIAL: u64 = 0xEFFF_FFFD;
    // In a user namespace that somebody has made around us there is no warning.
    let is_initial = || !caller.proc.stat("self/ns/user").is_ok_and(|stat| stat.ino != INITIAL);
    if plan.mask_proc && plan.warning.is_none() && is_initial() {
        plan.warning = Some(format!(
            "container root is the host's root, with /proc masked: this process has no {lacks} \
             (--userns {} says that this is meant)",
            plan.mode,
        ));
    }
    Ok(plan)
}

fn auto_for_root(caller: &Caller, rootfs: &Rootfs) -> Result<IdPlan, Error> {
    if !range::exist(caller) {
        // Root of a user namespace whose own ids are a range, or subordinate ones.
        return Ok(identity(caller));
    }
    match own_range(caller, rootfs, RootfsIds::MapOrIdentity) {
        // No /dev/kmsg, on which launchers lock ranges.
        Err(error) if error.errno == Some(Errno::ENOENT) => {
            let warning = format!("container root is the host's root, with /proc masked: {error}");
            Ok(IdPlan { warning: Some(warning), ..identity(caller) })
        }
        other => other,
    }
}

fn auto_for_user(caller: &Caller, rootfs: &Rootfs) -> IdPlan {
    // Without newuidmap or a line in /etc/subuid: one id, without a warning, as on most machines.
    match subordinate(caller, rootfs) {
        Ok(plan) => IdPlan { or_single: true, ..plan },
        Err(_) => single(caller),
    }
}

fn single(caller: &Caller) -> IdPlan {
    let [uid, gid] = [caller.uid, caller.gid].map(|id| IdMap::single(Outside(id)));
    let plan = direct(caller, "single", uid, gid, RootfsIds::AsTheyAre);
    IdPlan { can_set_groups: caller.can_map && plan.can_set_groups, ..plan }
}

fn identity(caller: &Caller) -> IdPlan {
    // Each of our ids as itself.
    let as_itself = |ranges: &[IdRange]| IdMap::from_ranges(ranges.to_vec()).to_itself();
    let (uid, gid) = (as_itself(caller.own_uids()), as_itself(caller.own_gids()));
    direct(caller, "identity", uid, gid, RootfsIds::AsTheyAre)
}

fn own_range(caller: &Caller, rootfs: &Rootfs, rootfs_ids: RootfsIds) -> Result<IdPlan, Error> {
    if !(caller.can_map && caller.can_mount) {
        let lacks = caller.lacks();
        return Err(Error::refused("PlanIds", format!("--userns range needs {lacks}"))
            .advise("an ordinary user has --userns subid and single"));
    }
    if !range::exist(caller) {
        return Err(Error::refused(
            "PlanIds",
            "--userns range: this user namespace does not have the ids of any range",
        )
        .advise("use --userns identity, which is harmless in here"));
    }
    let stat = rootfs.stat();
    // A rootfs that was chowned to a range (systemd-nspawn --private-users) has that range.
    let (held, rootfs_ids) = if range::is_start(stat.uid, stat.gid) {
        (range::take_shifted(stat.uid)?, RootfsIds::AsTheyAre)
    } else {
        (range::take(caller, stat.dev.rotate_left(32) ^ stat.ino)?, rootfs_ids)
    };
    let map = IdMap::range(held.start, range::COUNT);
    Ok(IdPlan {
        mode: "range",
        uid: map.clone(),
        gid: map,
        writer: Writer::Parent,
        can_set_groups: true,
        rootfs_ids,
        mask_proc: false,
        warning: None,
        or_single: false,
        _range: Some(held),
    })
}

fn subordinate(caller: &Caller, rootfs: &Rootfs) -> Result<IdPlan, Error> {
    let name = subid::user_name(caller.uid);
    let shown = name.clone().unwrap_or_else(|| caller.uid.to_string());
    let read = |path: &'static str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let ranges = subid::ranges_of(&text, caller.uid, name.as_deref());
        if ranges.is_empty() {
            return Err(Error::refused(
                "PlanIds",
                format!("--userns subid: {path} has no line for {shown}"),
            )
            .advise(format!("add one, such as {shown}:100000:65536, or use --userns single")));
        }
        Ok(ranges)
    };
    let (uids, gids) = (read("/etc/subuid")?, read("/etc/subgid")?);
    if caller.can_map {
        let (uid, gid) = (subid::map_of(None, &uids), subid::map_of(None, &gids));
        let rootfs_ids = if_foreign(&uid, caller, rootfs);
        return Ok(direct(caller, "subid", uid, gid, rootfs_ids));
    }
    let tools = Tools::find().map_err(|tool| {
        Error::refused("PlanIds", format!("--userns subid needs {tool}, which is not on PATH"))
            .advise("install it (Debian: uidmap), or use --userns single")
    })?;
    // A tree whose root directory belongs to the first subordinate id has that id as its root
    // (mmdebstrap --mode=unshare makes such). Otherwise the caller becomes 0.
    let shifted = uids.first().is_some_and(|&(start, _)| start.0 == rootfs.stat().uid);
    let own = |id: u32| (!shifted).then_some(Outside(id));
    Ok(IdPlan {
        writer: Writer::Tools(tools),
        ..direct(
            caller,
            "subid",
            subid::map_of(own(caller.uid), &uids),
            subid::map_of(own(caller.gid), &gids),
            RootfsIds::AsTheyAre,
        )
    })
}

fn explicit(uid: &IdMap, gid: &IdMap, caller: &Caller, rootfs: &Rootfs) -> Result<IdPlan, Error> {
    let (uid, gid) = (uid.clone(), gid.clone());
    if caller.can_map {
        let rootfs_ids = if_foreign(&uid, caller, rootfs);
        return Ok(direct(caller, "explicit", uid, gid, rootfs_ids));
    }
    if uid == IdMap::single(Outside(caller.uid)) && gid == IdMap::single(Outside(caller.gid)) {
        return Ok(single(caller));
    }
    let tools = Tools::find().map_err(|tool| {
        Error::refused("PlanIds", format!("--uid-map needs {tool}, which is not on PATH"))
            .advise("install it (Debian: uidmap); without it a user maps only 0 to itself")
    })?;
    // newgidmap(1) denies setgroups(2) where the map has only the caller's own gid.
    let own_gid_only = gid == IdMap::single(Outside(caller.gid));
    let plan = direct(caller, "explicit", uid, gid, RootfsIds::AsTheyAre);
    Ok(IdPlan {
        writer: Writer::Tools(tools),
        can_set_groups: plan.can_set_groups && !own_gid_only,
        ..plan
    })
}

/// Maps that the parent writes itself.
fn direct(
    caller: &Caller,
    mode: &'static str,
    uid: IdMap,
    gid: IdMap,
    rootfs_ids: RootfsIds,
) -> IdPlan {
    IdPlan {
        mode,
        writer: Writer::Parent,
        can_set_groups: setgroups_is_allowed(caller),
        rootfs_ids,
        mask_proc: reaches_host_root(caller, &uid),
        uid,
        gid,
        warning: None,
        or_single: false,
        _range: None,
    }
}

/// Idmaps the rootfs if its owner is nobody inside.
fn if_foreign(uid: &IdMap, caller: &Caller, rootfs: &Rootfs) -> RootfsIds {
    if caller.can_mount && !uid.has_outside(Outside(rootfs.stat().uid)) {
        RootfsIds::MapOrFail
    } else {
        RootfsIds::AsTheyAre
    }
}

/// Whether the container has the id of the host's root, who may write the kernel's settings: the
/// owner of /proc/sys, whatever number that has in our user namespace.
fn reaches_host_root(caller: &Caller, uid: &IdMap) -> bool {
    /// How an id is shown that our user namespace does not have (fs.overflowuid's default).
    const OVERFLOW: u32 = 65534;
    match caller.proc.stat("sys/kernel") {
        Ok(stat) => stat.uid != OVERFLOW && uid.has_outside(Outside(stat.uid)),
        Err(_) => uid.has_outside(Outside(0)),
    }
}

/// Where setgroups(2) is denied in our own user namespace, it is in all below.
fn setgroups_is_allowed(caller: &Caller) -> bool {
    !caller.proc.read_text("self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

impl IdPlan {
    /// Whether the container has a user namespace of its own.
    pub fn has_userns(&self) -> bool {
        !matches!(self.writer, Writer::Nobody)
    }

    /// Whether what the host's root could abuse in /proc is hidden.
    pub fn masks_proc(&self, spec: &Spec) -> bool {
        self.mask_proc && !spec.confine.unmask
    }

    /// Whether no user namespace can be made inside. In one, the host's root could mount the host's
    /// cgroups writable; and in [`Order::Locked`](super::Order::Locked) a /proc without masks, as
    /// the host's is still fully visible beneath.
    pub fn forbids_userns(&self, spec: &Spec) -> bool {
        self.masks_proc(spec) || spec.confine.disable_userns
    }

    /// Whether the seccomp filter has to forbid user namespaces, and keys: without a user namespace
    /// of its own the container has no limit on them, and the host's keyrings. `--seccomp none` is
    /// respected on a kernel without user namespaces, which may lack seccomp, too.
    pub fn needs_userns_filter(&self, spec: &Spec, caller: &Caller) -> bool {
        let has_none = || caller.proc.stat("self/ns/user").err() == Some(Errno::ENOENT);
        let has_filter = spec.confine.seccomp != Seccomp::None;
        self.forbids_userns(spec) && !self.has_userns() && (has_filter || !has_none())
    }

    /// Whether any id inside has another number outside.
    pub fn is_shifted(&self) -> bool {
        self.uid != self.uid.to_itself() || self.gid != self.gid.to_itself()
    }
}

impl fmt::Display for IdPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, uid {}, gid {}", self.mode, self.uid, self.gid)?;
        if self.rootfs_ids != RootfsIds::AsTheyAre {
            f.write_str(", rootfs idmapped")?;
        }
        if self.mask_proc {
            f.write_str(", /proc masked")?;
        }
        if !self.can_set_groups {
            f.write_str(", setgroups denied")?;
        }
        Ok(())
    }
}
