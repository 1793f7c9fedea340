//! `--explain`: rehearses a start up to where init would be executed, by the same code, in
//! namespaces that then end.
//!
//! Nothing is created in the rootfs: where that might happen, an overlay in memory is mounted over
//! it. Cgroups and interfaces on the host are not made either.

use std::ffi::CStr;

use init::stage::Stage;

use super::{Entry, describe, describe_asked};
use crate::child::MOUNT_POINTS;
use crate::error::Error;
use crate::log::Log;
use crate::parent::{self, PidFile, Status};
use crate::prepare::ids::IdPlan;
use crate::prepare::{Ground, Inherited, Overlay, Prepared, cgroup, prepare};
use crate::prepare::{filter, ids, label, landlock, network, plan};
use crate::resolve;
use crate::spawn::{Start, spawn};
use crate::spec::network::Network;
use crate::spec::{Changes, Spec};
use crate::sys::Errno;
use crate::sys::signal::SignalSet;

/// What there is to tell. The order is that of a start, which ends with the first that is missing.
pub fn look(spec: &Spec, mask: SignalSet, missing: &mut Vec<Error>) -> Result<Vec<Entry>, Error> {
    let log = &mut Log::new(false);
    missing.extend(Status::open(spec.status_fd).err());
    let inherited = Inherited::replace(spec, mask)?;
    missing.extend(spec.pid_file.as_deref().and_then(|path| PidFile::create(path).err()));
    let ground = Ground::look(spec, log)?;
    let cgroup = cgroup::plan(&spec.resources, &ground.caller.proc);
    let cgroup = cgroup.unwrap_or_else(|error| {
        missing.push(error);
        None
    });
    let mut prepared = match prepare(spec, &inherited, &ground, log) {
        Ok(prepared) => prepared,
        Err(first) => {
            missing.push(first);
            let ids = also_missing(spec, &inherited, &ground, log, missing);
            return Ok(describe_asked(spec, Some(&ground), ids.as_ref(), cgroup.as_ref()));
        }
    };
    let has_own = prepared.overlay.is_some();
    let cover = cover(&mut prepared);
    let mut start = Start::new(spec)?;
    start.set(prepared);
    let untold = match cover {
        Err(reason) => Some(reason),
        Ok(is_covered) => match rehearse(&mut start, &ground, log) {
            Err(error) if is_covered && is_of_cover(&error) => Some(error.to_string()),
            other => {
                missing.extend(other.err());
                None
            }
        },
    };
    let Some(mut prepared) = start.into_prepared() else { return Ok(Vec::new()) };
    if !has_own {
        prepared.overlay = None;
    }
    let mut entries = describe(&prepared, cgroup.as_ref());
    let remark = || "so ids may turn out to be others, and the command not to be there".to_owned();
    entries.extend(untold.map(|reason| ("not tried", vec![reason, remark()])));
    Ok(entries)
}

/// What was asked for and cannot be had either, of what is known without the rest. And the ids, if
/// those can.
fn also_missing(
    spec: &Spec,
    inherited: &Inherited,
    ground: &Ground,
    log: &mut Log,
    missing: &mut Vec<Error>,
) -> Option<IdPlan> {
    let (confine, caller, rootfs) = (&spec.confine, &ground.caller, &ground.rootfs);
    // It may have been joined.
    let is_joined = matches!(spec.network, Network::Namespace(_));
    let network = (!is_joined).then(|| network::look(&spec.network, caller, ground.order).err());
    let (ids, no_ids) = match ids::plan(&spec.userns, caller, rootfs) {
        Ok(ids) => (Some(ids), None),
        Err(error) => (None, Some(error)),
    };
    let also = [
        no_ids,
        network.flatten(),
        plan::open(spec, caller, inherited, rootfs, log).err(),
        filter::open(confine, false, log).err(),
        landlock::open(confine.landlock.as_ref()).err(),
        label::look_up(confine.label.as_ref()).err(),
    ];
    for error in also.into_iter().flatten() {
        if missing.iter().all(|told| told.to_string() != error.to_string()) {
            missing.push(error);
        }
    }
    ids
}

/// Sees to it that nothing is changed, if something would be: whether it was necessary, or why it
/// cannot be done.
fn cover(prepared: &mut Prepared<'_>) -> Result<bool, String> {
    let keeps = |overlay: &Overlay| overlay.is_kept();
    let of_plan = prepared.plan.iter().filter_map(|step| step.overlay.as_ref());
    if prepared.overlay.iter().chain(of_plan).any(keeps) {
        return Err("it would leave traces in the directory for the changes".into());
    }
    let ground = prepared.ground;
    let (root, by_path) = (&ground.rootfs, ground.rootfs.is_by_path());
    let is_there = |path: &&CStr| resolve::open(root.dir(), path, libc::O_PATH).is_ok();
    if prepared.overlay.is_some() || prepared.plan.is_empty() && MOUNT_POINTS.iter().all(is_there) {
        return Ok(false);
    }
    let overlay = Overlay::over_rootfs(&Changes::Dropped, root.stat(), &ground.caller, by_path);
    prepared.overlay = overlay.map_err(|error| error.to_string())?;
    Ok(true)
}

/// Whether it is the cover that could not be had, which a start does without.
fn is_of_cover(error: &Error) -> bool {
    let is_at = |stage: Stage| error.stage == stage.name();
    let has_no_marks = matches!(
        error.errno,
        Some(Errno::EOVERFLOW | Errno::EOPNOTSUPP | Errno::EPERM | Errno::EIO)
    );
    error.stage == "CoverRoot"
        || is_at(Stage::MountOverlay)
        || has_no_marks && (is_at(Stage::MakeTarget) || is_at(Stage::MakeMountPoint))
}

fn rehearse(start: &mut Start<'_>, ground: &Ground, log: &mut Log) -> Result<(), Error> {
    loop {
        let child = spawn(start, ground, None)?;
        let blocked = match parent::admit(start, None, child, log) {
            Ok(container) => return container.rehearse(log),
            Err(blocked) => blocked,
        };
        start.change(|prepared| blocked.fall_back(prepared, log))?;
    }
}
