//! From what is asked for ([`Spec`]) to what can be done ([`Prepared`]): the host is looked at and
//! files are opened, and nothing is changed on it.
//!
//! Runs in the launcher, before the gate is opened. What the child will need is in [`Prepared`] as
//! open descriptors and finished strings, so that the child allocates nothing.

mod account;
mod activation;
mod caller;
pub mod cgroup;
mod command;
mod contents;
pub mod dev;
pub mod devices;
pub mod filter;
mod ground;
pub mod ids;
mod image;
mod inherited;
pub mod label;
pub mod landlock;
pub mod network;
mod order;
mod overlay;
pub mod plan;
mod proc;
mod process;
pub mod program;
mod range;
mod rootfs;
mod sources;
mod streams;
mod subid;
mod submounts;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use init::contract::{Terms, Written};
use init::stage::Stage;

use crate::advice;
use crate::error::Error;
use crate::log::Log;
use crate::spec::Spec;
use crate::spec::capability::{self, SYS_ADMIN};
use crate::spec::confine::Seccomp;
use crate::spec::environment::value_of;
use crate::spec::mounts::What;
use crate::spec::network::Network;
use crate::spec::process::Process;
use crate::sys::process::Words;
use crate::sys::{Errno, Result as SysResult, system};
use account::Account;
use activation::Activation;
pub use activation::NOTIFY_NAME;
pub use caller::Caller;
pub use ground::Ground;
use ids::IdPlan;
pub use inherited::Inherited;
pub use network::Carrier;
pub use order::Order;
pub use overlay::Overlay;
pub use plan::Step;
pub use proc::Proc;
pub use program::Program;
pub use rootfs::{NEEDS_MOUNT_API, Rootfs, clone_advice};
pub use sources::{Source, Sources};
use streams::Streams;

/// Everything that a start needs, opened and decided.
pub struct Prepared<'a> {
    pub spec: &'a Spec,
    pub ground: &'a Ground,
    pub ids: IdPlan,
    /// The maps of a further user namespace that has the same ids: each as itself, as the kernel
    /// takes it.
    pub inner_uids: String,
    pub inner_gids: String,
    pub sources: Sources,
    /// The program that carries the container's network (`--net pasta`).
    pub carrier: Option<Carrier>,
    pub plan: Vec<Step<'a>>,
    /// The overlay that takes the changes to the rootfs, if they do not go into it.
    pub overlay: Option<Overlay>,
    /// The paths that the command can have, in the order of PATH.
    pub candidates: Vec<CString>,
    /// init.
    pub program: Program,
    /// The seccomp filter.
    pub filter: Option<filter::Filter>,
    pub landlock: Option<landlock::Rules>,
    /// What init writes to /proc/self/attr/exec.
    pub label: Option<CString>,
    pub environment: Words,
    /// What is run.
    pub process: Process,
    pub account: Account,
    /// The caller's descriptors that the command inherits.
    pub keep_fds: Vec<BorrowedFd<'static>>,
    /// What is written to timens_offsets.
    pub clock_offsets: Option<String>,
    pub streams: Streams,
    pub inherited: &'a Inherited,
}

/// Looks at the host and opens what will be needed. `ground` is what was looked at before the clone.
pub fn prepare<'a>(
    spec: &'a Spec,
    inherited: &'a Inherited,
    ground: &'a Ground,
    log: &mut Log,
) -> Result<Prepared<'a>, Error> {
    let Ground { order, caller, rootfs, is_since_6_3 } = ground;
    let order = *order;
    caller.read_own_ids()?;
    let activation = &inherited.activation;
    if let Some(lost) = &activation.lost {
        log.warn(lost);
    }
    let keep_fds = inherited.keep_fds.clone().map_err(|(number, errno)| {
        let error = Error::at("KeepFd", format_args!("keep descriptor {number}"), errno);
        match activation.descriptors.contains(&number) {
            true => error.advise("LISTEN_FDS says that there are so many"),
            false => error,
        }
    })?;
    let ids = ids::plan(&spec.userns, caller, rootfs)?;
    log.note(format_args!("ids: {ids}"));
    if let Some(warning) = &ids.warning {
        log.warn(warning);
    }
    if !ids.has_userns() {
        order.check_without_userns(spec, caller)?;
    }
    warn_of_loose_masks(&ids, spec, log);
    let process = process::decide(spec, rootfs.dir())?;
    let account = look_up(&process, rootfs, &ids)?;

    let (images, services) = (&process.variables, &activation.variables);
    let environment =
        spec.environment.build(&inherited.environment, &account.home, images, services);
    let search_path = value_of(&environment, b"PATH").unwrap_or_default();
    let candidates = command::candidates(&process.command[0], search_path, &process.workdir);

    let carrier = network::look(&spec.network, caller, order)?;
    let mut sources = Sources::list(spec.share, activation.notify_socket.as_deref(), &caller.proc);
    if matches!(spec.network, Network::Namespace(_)) {
        // A sysfs of the network namespace that we have just joined, in place of the host's.
        sources.sys = network::sysfs();
    }
    if caller.can_mount {
        if *is_since_6_3 && ids.has_userns() && !rootfs.is_by_path() {
            sources.make_dev();
        }
        devices::clone_sources(&sources).map_err(|(index, errno)| {
            let path = sources.devices[index].1.host_path.to_string_lossy();
            Error::at("CloneDevice", format_args!("clone the host's {path}"), errno)
                .advise_maybe(advice::of(Stage::CloneDevice, errno))
        })?;
    }
    plan::check_owners(spec, &ids)?;
    let mut plan = plan::open(spec, caller, inherited, rootfs, log)?;
    if ids.masks_proc(spec) {
        plan::note_bare_procs(&plan, log);
    }
    if let Some(dev) = &sources.dev {
        plan::make_devices(&mut plan, dev.as_fd(), &ids, log)?;
    }
    let overlay =
        Overlay::over_rootfs(ground.changes(spec), rootfs.stat(), caller, rootfs.is_by_path())?;
    let program = program::open(spec.init.as_deref())?;
    let filter = filter::open(&spec.confine, ids.needs_userns_filter(spec, caller), log)?;
    let landlock = landlock::open(spec.confine.landlock.as_ref())?;
    let label = label::look_up(spec.confine.label.as_ref())?;
    log.step("prepare init and devices");

    let streams = streams::look(spec.tty)?;
    let prepared = Prepared {
        spec,
        ground,
        inner_uids: ids.uid.to_itself().to_lines(),
        inner_gids: ids.gid.to_itself().to_lines(),
        ids,
        sources,
        carrier,
        plan,
        overlay,
        candidates,
        program,
        filter,
        landlock,
        label,
        environment: Words::new(environment),
        process,
        account,
        keep_fds,
        clock_offsets: spec.uptime.map(clock_offsets),
        streams,
        inherited,
    };
    if !prepared.ids.has_userns() && prepared.has_hosts_keys() && !spec.confine.unmask {
        log.warn("without a filter the command has the keyrings of the host's users (keyctl(2))");
    }
    Ok(prepared)
}

impl Prepared<'_> {
    /// The fall-back when the rootfs cannot be idmapped: the host's own ids.
    pub fn fall_back_to_identity(&mut self, errno: Errno, log: &mut Log) -> Result<(), Error> {
        let ids = ids::identity_instead(&self.ground.caller, self.spec, errno)?;
        self.use_ids(ids, log)
    }

    /// The fall-back when newuidmap or newgidmap has refused a map: one id.
    pub fn fall_back_to_single(&mut self, refusal: &Error, log: &mut Log) -> Result<(), Error> {
        let ids = ids::single_instead(&self.ground.caller, refusal);
        self.use_ids(ids, log)
    }

    fn use_ids(&mut self, ids: IdPlan, log: &mut Log) -> Result<(), Error> {
        log.note(format_args!("ids: {ids}"));
        if let Some(warning) = &ids.warning {
            log.warn(warning);
        }
        warn_of_loose_masks(&ids, self.spec, log);
        self.account = look_up(&self.process, &self.ground.rootfs, &ids)?;
        self.inner_uids = ids.uid.to_itself().to_lines();
        self.inner_gids = ids.gid.to_itself().to_lines();
        self.ids = ids;
        Ok(())
    }

    /// Whether what the host's root could abuse in /proc is hidden.
    pub fn masks_proc(&self) -> bool {
        self.ids.masks_proc(self.spec)
    }

    /// Whether no user namespace can be made inside.
    pub fn forbids_userns(&self) -> bool {
        self.ids.forbids_userns(self.spec)
    }

    /// Whether the command can reach keyrings of the host's users: they are found by uid, so that the
    /// same uid inside has them unless a filter refuses keyctl(2). No user has the ids of a range.
    pub fn has_hosts_keys(&self) -> bool {
        let is_filtered = self.has_userns_filter() || self.spec.confine.seccomp == Seccomp::Default;
        self.ids.mode != "range" && !is_filtered
    }

    /// Whether the seccomp filter forbids user namespaces.
    pub fn has_userns_filter(&self) -> bool {
        self.ids.needs_userns_filter(self.spec, &self.ground.caller)
    }

    /// The sources that are idmapped as the rootfs is.
    pub fn shown_with_owners(&self) -> impl Iterator<Item = &Source> {
        let is_shown =
            |step: &&Step<'_>| !matches!(&step.mount.what, What::Bind(bind) if !bind.idmap);
        let of_plan = self.plan.iter().filter(is_shown).flat_map(Step::sources);
        of_plan.chain(self.overlay.iter().flat_map(Overlay::sources))
    }

    /// The overlays that the launcher mounts, each with the descriptor that is replaced by it. In
    /// the child the same number still is the tree below.
    pub fn covered(&self) -> impl Iterator<Item = (&Overlay, BorrowedFd<'_>)> {
        let rootfs = self.overlay.as_ref().filter(|overlay| overlay.is_launchers);
        let rootfs = rootfs.and_then(|overlay| Some((overlay, self.ground.rootfs.tree()?)));
        let of_plan = self.plan.iter().filter_map(|step| step.overlay.as_ref());
        rootfs.into_iter().chain(of_plan.filter_map(|overlay| Some((overlay, overlay.place()?))))
    }

    /// Attaches the rootfs over `/`, and changes into it.
    pub fn attach_root(&self) -> SysResult<()> {
        match &self.overlay {
            None => self.ground.rootfs.attach(),
            Some(overlay) if overlay.is_launchers => self.ground.rootfs.attach_replaced(),
            Some(overlay) => overlay.attach_over(self.ground.rootfs.dir()),
        }
    }

    /// Whether an intermediate process makes the outer mount namespace, of which the container gets
    /// a locked copy. Root's launcher makes it itself, except with an overlay: that acts with the
    /// credentials of the process that mounts it, which have to be the container's.
    pub fn has_intermediate(&self) -> bool {
        let is_childs = self.overlay.as_ref().is_some_and(|overlay| !overlay.is_launchers);
        self.ground.order == Order::Locked && (!self.ground.caller.can_mount || is_childs)
    }

    /// The stage of [`Prepared::attach_root`].
    pub fn attach_stage(&self) -> Stage {
        if self.overlay.is_some() { Stage::MountOverlay } else { Stage::AttachRoot }
    }

    /// Whether user namespaces are forbidden by the container's own max_user_namespaces.
    pub fn limits_userns(&self) -> bool {
        self.forbids_userns() && self.ids.has_userns()
    }

    /// init's argv, with the command at its end. `report` is the number of the child's end of the
    /// channel.
    pub fn init_argv(&self, report: i32) -> Words {
        let confine = &self.spec.confine;
        let flags = [
            (self.spec.verbose, Terms::STEPS),
            (self.masks_proc(), Terms::MASK_PROC),
            // Not without a user namespace, where the limit would be the host's and the filter
            // forbids it; nor with --proc-options, where the child has done it (child/system.rs).
            (self.limits_userns() && self.spec.proc_options.is_empty(), Terms::FORBID_USERNS),
            (self.ground.order == Order::Pivot, Terms::CUT_ROOT),
            (self.streams.terminal, Terms::TERMINAL),
            (self.ids.can_set_groups, Terms::SET_GROUPS),
            (!confine.new_privs, Terms::NO_NEW_PRIVS),
            (self.filter.as_ref().is_some_and(|filter| filter.logs), Terms::LOG_REFUSALS),
        ];
        let terms = Terms([
            flags.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag).sum(),
            report as u64,
            self.account.uid.into(),
            self.account.gid.into(),
            confine.capabilities.bounding,
            self.inherited.mask,
            self.spec.grace_ms.into(),
            // uid 0 has its capabilities without ambient ones.
            if self.account.uid == 0 { 0 } else { confine.capabilities.ambient },
            self.filter.as_ref().map_or(0, |filter| filter.file.as_raw_fd() as u64),
            self.label.as_ref().map_or(0, |label| label.count_bytes() as u64),
            self.landlock.as_ref().map_or(0, |rules| rules.set.as_raw_fd() as u64),
        ]);
        let mut words = vec![c"init".to_owned()];
        words.extend(CString::new(Written(terms, &self.account.groups).to_string()));
        words.push(self.process.workdir.clone());
        words.extend(self.label.clone());
        words.extend(self.process.command.iter().cloned());
        Words::new(words)
    }
}

/// The offsets by which the monotonic and boot-time clocks show this many seconds now
/// (time_namespaces(7)).
fn clock_offsets(uptime: u32) -> String {
    let offset = |name: &str, clock| {
        let now = system::clock(clock);
        // The kernel takes nanoseconds from 0 up: one second further back, and forward by the rest.
        let (seconds, rest) = (i64::from(uptime) - now.tv_sec - 1, 1_000_000_000 - now.tv_nsec);
        format!("{name} {} {}\n", seconds + rest / 1_000_000_000, rest % 1_000_000_000)
    };
    offset("monotonic", libc::CLOCK_MONOTONIC) + &offset("boottime", libc::CLOCK_BOOTTIME)
}

/// Warns of capabilities by which container root, if it is the host's root, gets past the masks
/// over /proc: CAP_SYS_ADMIN unmounts them. Without a user namespace others reach the host without
/// a mount.
fn warn_of_loose_masks(ids: &IdPlan, spec: &Spec, log: &mut Log) {
    let enough = 1 << SYS_ADMIN | if ids.has_userns() { 0 } else { capability::OF_THE_HOST };
    let found = spec.confine.capabilities.bounding & enough;
    if ids.masks_proc(spec) && found != 0 {
        let names = capability::names(found).collect::<Vec<_>>().join(" and ");
        log.warn(&format!(
            "container root is the host's root, and with {names} the masks over /proc do not hold it: \
             it can take the host over (--unmask says that this is meant)"
        ));
    }
}

fn look_up(process: &Process, rootfs: &Rootfs, ids: &IdPlan) -> Result<Account, Error> {
    Account::look_up(&process.user, rootfs.dir(), ids)
        .map_err(|error| process::blame(error, process))
}
