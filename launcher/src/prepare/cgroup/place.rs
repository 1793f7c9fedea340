//! Chooses the parent of the container's cgroup in the tree of cgroup v2: as near to the launcher's
//! own cgroup as the kernel allows, so that limits on the launcher hold for the container.
//!
//! A cgroup with controllers enabled for its children must not have processes itself ("no internal
//! processes", cgroups(7)), except the root. So the launcher's own cgroup will do if no other
//! process is in it, and the launcher then moves out of it; otherwise one above. For root that ends
//! at the root, for a user at the last that is delegated to them.

use std::os::fd::{AsFd, OwnedFd};

use super::tree::Tree;
use super::{Controller, unusable};
use crate::error::Error;
use crate::sys::file::{self, At};
use crate::sys::{Errno, cgroup, signal};

/// A place that will do.
pub struct Place {
    pub dir: OwnedFd,
    pub path: String,
    pub controllers: Vec<Controller>,
    /// Those that it does not give to its children yet.
    pub enable: Vec<Controller>,
    pub moves_launcher: bool,
}

/// Why a cgroup will not do.
enum Refusal {
    NotOurs(Errno),
    Lacks(Controller),
    HasProcesses,
}

/// The nearest cgroup with all these controllers. Every directory that was looked at is added to
/// `swept`.
pub fn choose(
    tree: &Tree,
    parent: Option<&str>,
    needs: &[Controller],
    controllers: &[Controller],
    swept: &mut Vec<OwnedFd>,
) -> Result<Place, Error> {
    let start = tree.resolve(parent);
    let paths = if parent.is_some() { vec![start.clone()] } else { tree.upwards(&start) };
    let mut first = None;
    for path in paths {
        match look(tree, &path, controllers, swept) {
            Ok(place) => return Ok(place),
            Err(refusal) => first = first.or(Some((path, refusal))),
        }
    }
    let (path, refusal) = first.unwrap_or((start, Refusal::NotOurs(Errno::ENOENT)));
    Err(explain(&path, &refusal, needs, parent))
}

fn look(
    tree: &Tree,
    path: &str,
    controllers: &[Controller],
    swept: &mut Vec<OwnedFd>,
) -> Result<Place, Refusal> {
    let dir = tree.open(path).map_err(Refusal::NotOurs)?;
    swept.extend(dir.try_clone());
    for name in [c"cgroup.procs", c"cgroup.subtree_control"] {
        file::open(At::Dir(dir.as_fd()), name, libc::O_WRONLY).map_err(Refusal::NotOurs)?;
    }
    let list = |name| cgroup::read(dir.as_fd(), name).map_err(Refusal::NotOurs);
    let (all, given) = (list(c"cgroup.controllers")?, list(c"cgroup.subtree_control")?);
    let has = |list: &str, c: &Controller| list.split_whitespace().any(|own| own == c.v2_name());
    if let Some(lacking) = controllers.iter().find(|controller| !has(&all, controller)) {
        return Err(Refusal::Lacks(*lacking));
    }
    let enable = controllers.iter().copied().filter(|c| !has(&given, c)).collect::<Vec<_>>();
    // Only the root has no cgroup.type.
    let is_root = file::open(At::Dir(dir.as_fd()), c"cgroup.type", libc::O_PATH).is_err();
    let mut moves_launcher = false;
    if !enable.is_empty() && !is_root {
        let processes = list(c"cgroup.procs")?;
        moves_launcher = path == tree.own() && processes.trim() == signal::own_pid().to_string();
        if !processes.trim().is_empty() && !moves_launcher {
            return Err(Refusal::HasProcesses);
        }
    }
    let controllers = controllers.to_vec();
    Ok(Place { dir, path: path.to_owned(), controllers, enable, moves_launcher })
}

fn explain(path: &str, refusal: &Refusal, needs: &[Controller], parent: Option<&str>) -> Error {
    const DELEGATE: &str = "an ordinary user needs a cgroup that is delegated to them: systemd-run \
                            --user --scope -p Delegate=yes launcher …, or one that root has given \
                            them (cgroups(7), --cgroup-parent)";
    let text = match refusal {
        Refusal::NotOurs(errno) => unusable(path, *errno),
        Refusal::Lacks(controller) => {
            format!("{path} has no controller {}", controller.v2_name())
        }
        Refusal::HasProcesses => format!("{path} has other processes than the launcher"),
    };
    let advice = match refusal {
        Refusal::NotOurs(Errno::ENOENT) if parent.is_some() => {
            "--cgroup-parent is a cgroup that exists, by a path as in /proc/self/cgroup".into()
        }
        Refusal::NotOurs(Errno::EROFS) => {
            "an outer container has it read-only: give that one a writable /sys/fs/cgroup".into()
        }
        Refusal::NotOurs(_) => DELEGATE.into(),
        Refusal::Lacks(controller) => {
            format!("it is not delegated, or the kernel lacks {}", controller.kernel_option())
        }
        Refusal::HasProcesses => {
            format!("cgroups with processes cannot have limited children (cgroups(7)); {DELEGATE}")
        }
    };
    let names = needs.iter().map(|controller| controller.v2_name()).collect::<Vec<_>>();
    let names = if names.is_empty() { "a cgroup".into() } else { names.join(" and ") };
    Error::refused("PlanCgroup", format!("cannot limit {names}: {text}")).advise(advice)
}
