//! Plans the cgroups of a container with limits: where they can be made, and what is to be written
//! there. Nothing is made yet; that is parent/cgroup.
//!
//! A controller (memory, pids …) is either in the one tree of cgroup v2 or in a tree of cgroup v1,
//! where several may share one. So a container has one cgroup on a v2 host, one in each tree that
//! its limits need on a v1 host, and both on a hybrid one.

mod controller;
mod place;
mod setting;
mod tree;

use std::os::fd::{AsFd, OwnedFd};

use crate::error::{Error, show_errno};
use crate::spec::resources::{Device, Resources};
use crate::sys::cgroup::Version;
use crate::sys::{Errno, file};

use super::Proc;
pub use controller::Controller;
use place::Place;
pub use setting::Setting;
use tree::{Host, Tree};

/// The plan.
pub struct Plan {
    pub branches: Vec<Branch>,
    /// Directories in which a launcher that was killed may have left its cgroup.
    pub swept: Vec<OwnedFd>,
    /// What `--stats` cannot tell, and why.
    pub remark: Option<String>,
}

/// A cgroup to make in one of the trees.
pub struct Branch {
    pub version: Version,
    /// The cgroup that it is made in.
    pub parent: OwnedFd,
    /// The parent's path, as in /proc/PID/cgroup.
    pub path: String,
    /// The tree's name, for messages.
    pub tree: String,
    /// Of v2: the controllers that it needs.
    pub controllers: Vec<Controller>,
    /// Of v2: those among them that are yet to be enabled in the parent's cgroup.subtree_control.
    pub enable: Vec<Controller>,
    /// The launcher is the only process in the parent and has to move to a cgroup of its own first.
    pub moves_launcher: bool,
    /// Of v1: the tree has the cpuset controller, whose cpus and mems have to be set before a
    /// process enters.
    pub has_cpuset: bool,
    pub settings: Vec<Setting>,
}

/// Makes the plan. None if no limit was asked for.
pub fn plan(resources: &Resources, proc: &Proc) -> Result<Option<Plan>, Error> {
    if resources.are_the_callers() {
        return Ok(None);
    }
    let host = Host::look(proc)?;
    let devices = resources.io_max.iter().map(|limit| device(&limit.device));
    let devices = devices.collect::<Result<Vec<_>, _>>()?;
    let limited = Controller::ALL.into_iter().filter(|c| setting::has_any(resources, *c));
    let limited = limited.collect::<Vec<_>>();
    // Controllers for --stats, or for --cgroup-parent without a limit, which may be missing.
    let wished = match (resources.stats, &resources.parent) {
        (true, _) => {
            vec![Controller::Memory, Controller::Pids, Controller::Io, Controller::Cpuacct]
        }
        (false, Some(_)) if host.has_only_v1() => Controller::ALL.to_vec(),
        _ => Vec::new(),
    };
    let mut planner = Planner {
        host: &host,
        parent: resources.parent.as_ref().map(|path| path.to_string_lossy().into_owned()),
        plan: Plan { branches: Vec::new(), swept: Vec::new(), remark: None },
    };
    for line in host.of_v1() {
        let has = |controller: &&Controller| line.has(controller.v1_name());
        let needs = limited.iter().filter(has).copied().collect::<Vec<_>>();
        let wishes = wished.iter().any(|controller| has(&controller));
        if needs.is_empty() && !wishes {
            planner.sweep(line);
            continue;
        }
        let mut settings = Vec::new();
        for controller in &needs {
            settings.extend(setting::of_v1(resources, *controller, &devices)?);
        }
        let made = planner.add_v1(line, settings);
        planner.take(made, !needs.is_empty())?;
    }
    let is_of_v2 = |controller: &&Controller| !host.of_v1().any(|l| l.has(controller.v1_name()));
    let needs = limited.iter().filter(is_of_v2).copied().collect::<Vec<_>>();
    let wishes = wished.iter().filter(is_of_v2).copied().collect::<Vec<_>>();
    let is_to_be_in = resources.parent.is_some() && planner.plan.branches.is_empty();
    if !needs.is_empty() || !wishes.is_empty() || is_to_be_in {
        let settings = needs.iter().flat_map(|c| setting::of_v2(resources, *c, &devices));
        let settings = settings.collect::<Vec<_>>();
        let made = planner.add_v2(&needs, &wishes, settings);
        planner.take(made, !needs.is_empty() || is_to_be_in)?;
    } else {
        planner.sweep_v2();
    }
    Ok(Some(planner.plan))
}

struct Planner<'a> {
    host: &'a Host,
    parent: Option<String>,
    plan: Plan,
}

impl Planner<'_> {
    /// Adds a branch. One that is only for --stats may be missing, and is remarked upon then.
    fn take(&mut self, made: Result<Branch, Error>, is_needed: bool) -> Result<(), Error> {
        match made {
            Ok(branch) => self.plan.branches.push(branch),
            Err(error) if is_needed => return Err(error),
            Err(error) => self.plan.remark = Some(error.to_string()),
        }
        Ok(())
    }

    /// In v1 a cgroup with processes can have limited children, so the launcher's own is the parent.
    fn add_v1(&mut self, line: &tree::Line, settings: Vec<Setting>) -> Result<Branch, Error> {
        let tree = self.host.open(line)?;
        let path = tree.resolve(self.parent.as_deref());
        let names = line.names();
        let open = || {
            let dir = tree.open(&path)?;
            file::open(file::At::Dir(dir.as_fd()), c"cgroup.procs", libc::O_WRONLY)?;
            Ok(dir)
        };
        let parent = open().map_err(|errno| {
            Error::at("PlanCgroup", format_args!("have a cgroup in {path} of {names}"), errno)
                .advise(match errno {
                    Errno::ENOENT => "--cgroup-parent is a path as in /proc/self/cgroup",
                    _ => {
                        "this host has it on cgroup v1, where limits are root's to set: run the \
                         launcher as root, or boot with cgroup v2 \
                         (systemd.unified_cgroup_hierarchy=1)"
                    }
                })
        })?;
        self.plan.swept.extend(parent.try_clone());
        Ok(Branch {
            version: Version::One,
            parent,
            path,
            tree: names,
            controllers: Vec::new(),
            enable: Vec::new(),
            moves_launcher: false,
            has_cpuset: line.has("cpuset"),
            settings,
        })
    }

    /// No cgroup is made in this tree, but a killed launcher may have left one.
    fn sweep(&mut self, line: &tree::Line) {
        let open = |tree: Tree| tree.open(&tree.resolve(self.parent.as_deref())).ok();
        self.plan.swept.extend(self.host.open_mounted(line).and_then(open));
    }

    /// The same in v2, where it can be in any cgroup above.
    fn sweep_v2(&mut self) {
        let Some(tree) = self.host.open_mounted(&self.host.of_v2()) else { return };
        let start = tree.resolve(self.parent.as_deref());
        let paths = if self.parent.is_some() { vec![start] } else { tree.upwards(&start) };
        self.plan.swept.extend(paths.iter().filter_map(|path| tree.open(path).ok()));
    }

    fn add_v2(
        &mut self,
        needs: &[Controller],
        wishes: &[Controller],
        settings: Vec<Setting>,
    ) -> Result<Branch, Error> {
        let tree = self.host.open(&self.host.of_v2())?;
        let swept = &mut self.plan.swept;
        let mut choose =
            |all: &[Controller]| place::choose(&tree, self.parent.as_deref(), needs, all, swept);
        let of_kernel = wishes.iter().copied().filter(|controller| controller.is_of_v2());
        let all = needs.iter().copied().chain(of_kernel.filter(|c| !needs.contains(c)));
        let all = all.collect::<Vec<_>>();
        let Place { dir, path, controllers, enable, moves_launcher } =
            choose(&all).or_else(|reason| match all.len() > needs.len() {
                true => choose(needs),
                false => Err(reason),
            })?;
        Ok(Branch {
            version: Version::Two,
            parent: dir,
            path,
            tree: "cgroup v2".into(),
            controllers,
            enable,
            moves_launcher,
            has_cpuset: false,
            settings,
        })
    }
}

impl Plan {
    /// What would be made, line by line.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for branch in &self.branches {
            lines.push(format!("a cgroup in {} of {}", branch.path, branch.tree));
            if branch.moves_launcher {
                lines.push("the launcher moves to one beside it, as it is alone in there".into());
            }
            let show = |setting: &Setting| {
                format!("{}  {} {}", setting.option, setting.file, setting.value)
            };
            lines.extend(branch.settings.iter().map(show));
        }
        lines.extend(self.remark.clone());
        lines
    }
}

/// For `--check`: the controllers that limits can use here; or why there are none.
pub fn abilities(proc: &Proc) -> Result<String, Error> {
    let host = Host::look(proc)?;
    let mut found = Vec::new();
    let mut refusal = None;
    let mut planner = Planner {
        host: &host,
        parent: None,
        plan: Plan { branches: Vec::new(), swept: Vec::new(), remark: None },
    };
    for controller in Controller::ALL {
        let line = host.of_v1().find(|line| line.has(controller.v1_name()));
        let (made, name, version) = match line {
            Some(line) => (planner.add_v1(line, Vec::new()), controller.v1_name(), 1),
            None if controller.is_of_v2() => {
                (planner.add_v2(&[controller], &[], Vec::new()), controller.v2_name(), 2)
            }
            None => continue,
        };
        match made {
            Ok(_) => found.push(format!("{name} (v{version})")),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    match (found.is_empty(), refusal) {
        (true, Some(refusal)) => Err(refusal),
        _ => Ok(found.join(", ")),
    }
}

fn device(device: &Device) -> Result<(u32, u32), Error> {
    let path = match device {
        Device::Number(major, minor) => return Ok((*major, *minor)),
        Device::Path(path) => path,
    };
    let shown = path.to_string_lossy();
    let stat = file::stat_path(path).map_err(|errno| {
        Error::at("PlanCgroup", format_args!("look at the device {shown} of --io-max"), errno)
    })?;
    if stat.mode & libc::S_IFMT != libc::S_IFBLK {
        return Err(Error::refused("PlanCgroup", format!("--io-max {shown} is no block device"))
            .advise("a whole disk is wanted, as /dev/sda or 8:0"));
    }
    Ok((libc::major(stat.rdev), libc::minor(stat.rdev)))
}

/// Why a directory of cgroups cannot be used.
fn unusable(path: &str, errno: Errno) -> String {
    format!("{path} is not ours to write to: {}", show_errno(errno))
}
