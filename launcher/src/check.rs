//! `--check`: what this host and kernel can do for a container, found out by doing it.
//!
//! Every ability is tried as a start uses it, in processes that end at once. Nothing is concluded
//! from a version or a configuration file, as an outer container or a sysctl may restrict what
//! these promise.

mod inside;

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::AsFd;

use init::exit;
use init::stage::Stage;

use crate::advice;
use crate::error::{Error, show_errno};
use crate::namespaces::{self, Namespace};
use crate::parent::network::trial;
use crate::prepare::cgroup;
use crate::prepare::ids::{self, IdPlan};
use crate::prepare::{Caller, Carrier, Program, Rootfs, Sources, devices, network, program};
use crate::spec::network::Pasta;
use crate::spec::{Shared, Userns};
use crate::sys::process::{self, Words};
use crate::sys::{Errno, Result as SysResult, file, landlock, memfd, mount, system};

/// What the abilities are tried on when no ROOTFS is given.
const ANY_DIRECTORY: &CStr = c"/";

/// The lines, and what they mean for a start.
pub struct Findings {
    lines: String,
    can_start: bool,
    /// The options that do without what cannot be had.
    options: Vec<String>,
}

/// Tries everything, with the rootfs if there is one.
pub fn look(rootfs: &CStr) -> Result<Findings, Error> {
    let mut caller = Caller::look()?;
    caller.read_own_ids()?;
    let rootfs = if rootfs.is_empty() { ANY_DIRECTORY } else { rootfs };
    // In the order of a start.
    let sources = Sources::list(Shared::default(), None, &caller.proc);
    if caller.can_mount {
        devices::clone_sources(&sources).ok();
    }
    let rootfs = Rootfs::open(rootfs, false, &mut caller)?;
    let (release, machine) = system::name();
    let lines = format!(
        "launcher {}, Linux {release} on {machine}, uid {}{}\n",
        env!("CARGO_PKG_VERSION"),
        caller.uid,
        if caller.can_mount { " with CAP_SYS_ADMIN" } else { "" },
    );
    let mut findings = Findings { lines, can_start: true, options: Vec::new() };
    findings.check_calls();
    findings.check_devices(&sources);
    findings.check_limits(&caller);
    let ids = findings.check_ids(&caller, &rootfs);
    if !caller.proc.is_hosts {
        // A start mounts a visible proc (parent/outer.rs); here /proc in a mount namespace of our
        // own will do.
        let put = || {
            mount::unshare_namespace()?;
            mount::make_private()?;
            mount::attach(caller.proc.dir(), file::At::Cwd, c"/proc")
        };
        put().ok();
    }
    findings.check_network(&caller);
    if let (Some(namespaces), Some(ids)) = (findings.check_namespaces(&caller), ids) {
        let could_start = findings.can_start;
        let without = namespaces & !namespaces::USER;
        if without != namespaces {
            findings.check_inside(namespaces, &ids, &rootfs, &caller);
        }
        // Root may do without a user namespace, in which the kernel refuses more (a proc beside a
        // masked one, say).
        let is_refused = could_start && !findings.can_start && caller.can_map && caller.can_mount;
        if is_refused {
            findings.lines += "with --userns none:\n";
            findings.options.push("--userns none".into());
            findings.can_start = true;
        }
        if is_refused || without == namespaces {
            let ids = ids::plan(&Userns::None, &caller, &rootfs)?;
            findings.check_inside(without, &ids, &rootfs, &caller);
        }
    }
    Ok(findings)
}

impl Findings {
    /// The text, and the code to exit with.
    pub fn report(self) -> (String, u8) {
        let mut text = self.lines;
        text += match self.can_start {
            true => "a container can be started",
            false => "no container can be started",
        };
        if self.can_start && !self.options.is_empty() {
            text += &format!(", with {}", self.options.join(" "));
        }
        (text + "\n", if self.can_start { 0 } else { exit::FAILED })
    }

    fn yes(&mut self, what: impl fmt::Display) {
        self.lines += &format!("yes  {what}\n");
    }

    /// What is missing, and why, and what a start does about it.
    fn no(&mut self, what: impl fmt::Display, reason: impl fmt::Display) {
        self.lines += &format!("no   {what}: {reason}\n");
    }

    /// Without this there is no start.
    fn required(&mut self, what: impl fmt::Display, tried: Result<(), String>) {
        match tried {
            Ok(()) => self.yes(what),
            Err(reason) => {
                self.no(what, reason);
                self.can_start = false;
            }
        }
    }

    /// A start is made some other way without it.
    fn optional(&mut self, what: impl fmt::Display, tried: SysResult<()>, otherwise: &str) {
        match tried {
            Ok(()) => self.yes(what),
            Err(errno) => self.no(what, format_args!("{}; {otherwise}", show_errno(errno))),
        }
    }

    /// System calls that are newer than some kernels, or that an outer container's filter does not
    /// know.
    fn check_calls(&mut self) {
        let root = file::open(file::At::Cwd, c"/", libc::O_PATH);
        let resolve = root.and_then(|root| file::open_in_root(root.as_fd(), c".", libc::O_PATH));
        self.optional("openat2", resolve.map(drop), "paths are looked up name by name without it");
        let apart = "it is copied to a tmpfs of its own, and executed by a proc of its own";
        self.optional("init from a memfd", run_init(), apart);
        let setattr = if mount::has_setattr() { Ok(()) } else { Err(Errno::ENOSYS) };
        self.optional("mount_setattr", setattr, "Linux 5.12; no idmapped mounts without it");
        match landlock::abi() {
            Ok(abi) => self.yes(format_args!("landlock, ABI {abi}")),
            Err(errno) => self.no("landlock", format_args!("{}; no --landlock", show_errno(errno))),
        }
    }

    fn check_devices(&mut self, sources: &Sources) {
        let mut paths = sources.devices.iter().map(|(_, device)| &device.host_path);
        let missing = paths.find(|path| file::stat_path(path).is_err());
        let missing = missing.map(|path| format!("the host has no {}", path.to_string_lossy()));
        self.required("device nodes", missing.map_or(Ok(()), Err));
    }

    /// The controllers that limits need; no start without a limit minds.
    fn check_limits(&mut self, caller: &Caller) {
        match cgroup::abilities(&caller.proc) {
            Ok(names) => self.yes(format_args!("limits: {names}")),
            Err(error) => self.no("limits", error),
        }
    }

    /// The ways out for `--net`.
    fn check_network(&mut self, caller: &Caller) {
        if caller.can_mount {
            self.optional("--net veth", trial::make_pair_and_table(), trial::NEEDS);
        }
        match network::find(&Pasta::default()) {
            Ok(Carrier::Pasta(_)) => self.yes("--net pasta"),
            Ok(Carrier::Slirp(_)) => self.yes("--net pasta, by slirp4netns"),
            Err(error) => self.lines += &format!("no   {error}\n"),
        }
    }

    /// The CLONE_NEW* that can be had; none without a user namespace where that allows the others.
    fn check_namespaces(&mut self, caller: &Caller) -> Option<u64> {
        let user = namespaces::try_out(namespaces::USER)
            .map_err(|errno| explain(errno, namespaces::advice(errno, namespaces::USER, caller)));
        let mut flags = namespaces::USER;
        match user {
            // Root goes on without.
            Err(reason) if caller.can_map && caller.can_mount => {
                self.no("user namespace", reason);
                self.options.push("--userns none".into());
                flags = 0;
            }
            other => {
                let has_user = other.is_ok();
                self.required("user namespace", other);
                if !has_user {
                    return None;
                }
            }
        }
        let user = flags;
        for namespace in &namespaces::ALL {
            let Namespace { name, kernel_option, .. } = namespace;
            let what = format!("{name} namespace");
            match namespaces::try_out(user | namespace.flag) {
                Ok(()) => {
                    flags |= namespace.flag;
                    self.yes(what);
                }
                Err(errno) => {
                    let advice =
                        format!("it needs {kernel_option}, and user.max_{name}_namespaces above 0");
                    self.no(what, explain(errno, Some(advice)));
                    self.can_start &= namespace.is_optional;
                    let option = namespace.is_optional.then(|| format!("--share {name}"));
                    self.options.extend(option);
                }
            }
        }
        Some(flags)
    }

    /// The ways to map ids, best first; the plan that a start without options takes.
    fn check_ids(&mut self, caller: &Caller, rootfs: &Rootfs) -> Option<IdPlan> {
        let modes = [Userns::Range, Userns::Identity, Userns::Subid, Userns::Single, Userns::None];
        for mode in &modes {
            match ids::plan(mode, caller, rootfs) {
                Ok(plan) => self.yes(format_args!("--userns {plan}")),
                Err(error) => self.lines += &format!("no   {error}\n"),
            }
        }
        match ids::plan(&Userns::Auto, caller, rootfs) {
            Ok(plan) => {
                self.yes(format_args!("ids without an option: {}", plan.mode));
                Some(plan)
            }
            Err(error) => {
                self.required("ids without an option", Err(error.to_string()));
                None
            }
        }
    }

    /// What only a process in the namespaces can try.
    fn check_inside(&mut self, namespaces: u64, ids: &IdPlan, rootfs: &Rootfs, caller: &Caller) {
        let trial = match inside::run(namespaces, ids, rootfs, caller) {
            Ok(trial) => trial,
            Err(error) => return self.required("id maps", Err(error.to_string())),
        };
        self.yes("id maps");
        if let Some(tried) = trial.idmap {
            self.optional(
                "idmapped mount of this root",
                tried,
                "its file system, or one mounted below it, has none: --userns identity",
            );
        }
        for (step, tried) in inside::STEPS.iter().zip(trial.steps) {
            // Locked mounts, in place of pivot_root, take a user namespace.
            if step.is_needed || step.stage == Stage::PivotRoot && !ids.has_userns() {
                let explain = |errno| explain(errno, advice::of(step.stage, errno));
                self.required(step.what, tried.map_err(explain));
            } else {
                self.optional(step.what, tried, step.otherwise);
            }
        }
    }
}

fn explain(errno: Errno, advice: Option<String>) -> String {
    let errno = show_errno(errno);
    advice.map_or(errno.clone(), |advice| format!("{errno}; {advice}"))
}

/// Executes the built-in init as a start does; it has nothing to do but to tell its version.
fn run_init() -> SysResult<()> {
    let Ok(Program::Sealed(memfd)) = program::open(None) else { return Err(Errno::EACCES) };
    let argv = Words::new([c"init", c"--version"].map(CString::from).into());
    let none = Words::new(Vec::new());
    process::try_in_child(0, || {
        // What it prints is for nobody; a host may have no /dev/null.
        let output = memfd::for_data(c"output")?;
        file::duplicate_onto(output.as_fd(), 1)?;
        Err(process::execute(memfd.as_fd(), &argv, &none))
    })
}
