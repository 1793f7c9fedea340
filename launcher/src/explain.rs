//! `--explain`: what a start would do, and why, without doing it.
//!
//! The host is looked at as for a start, and the start is rehearsed: what cannot be had here is
//! told, and the exit code is that of the start.

mod init;
mod network;
mod rehearsal;

use std::ffi::CString;
use std::os::fd::AsRawFd;

use crate::error::Error;
use crate::json::quote;
use crate::log::one_line;
use crate::prepare::cgroup::Plan;
use crate::prepare::ids::{self, IdPlan};
use crate::prepare::plan::BARE_PROC;
use crate::prepare::{Ground, Order, Prepared, Source, Step};
use crate::spec::capability;
use crate::spec::confine::{Label, Seccomp};
use crate::spec::landlock::Landlock;
use crate::spec::mounts::{Mount, What};
use crate::spec::{Changes, Explain, Spec, Userns, limits};
use crate::sys::mount::attr;
use crate::sys::signal::SignalSet;

/// A heading, and what stands under it.
type Entry = (&'static str, Vec<String>);

/// The text or the JSON, and the error that a start would end with.
pub fn explain(spec: &Spec, mask: SignalSet, form: Explain) -> (String, Option<Error>) {
    let mut missing = Vec::new();
    let mut entries = rehearsal::look(spec, mask, &mut missing).unwrap_or_else(|error| {
        missing.push(error);
        describe_asked(spec, None, None, None)
    });
    let lines = missing.iter().map(ToString::to_string).collect();
    entries.push(("cannot be had", lines));
    let text = match form {
        Explain::Text => as_text(&entries),
        Explain::Json => as_json(&entries),
    };
    (text, missing.into_iter().next())
}

fn describe(prepared: &Prepared<'_>, cgroup: Option<&Plan>) -> Vec<Entry> {
    let (spec, ground, ids) = (prepared.spec, prepared.ground, &prepared.ids);
    vec![
        ("rootfs", rootfs(spec, ground)),
        ("command", command(prepared)),
        ("init", init::init(spec)),
        ("namespaces", namespaces(spec, ids)),
        ("network", network::network(&spec.network, prepared.carrier.as_ref())),
        ("ids", show_ids(spec, ground, ids)),
        ("mounts", mounts(prepared)),
        ("privileges", privileges(prepared)),
        ("seccomp", seccomp(prepared)),
        ("landlock", landlock(spec)),
        ("limits", limits(spec)),
        ("resources", resources(spec, cgroup)),
        ("from the host", shared(prepared)),
    ]
}

/// Of a start that ends before all is known: what does not depend on the rest.
fn describe_asked(
    spec: &Spec,
    ground: Option<&Ground>,
    ids: Option<&IdPlan>,
    cgroup: Option<&Plan>,
) -> Vec<Entry> {
    let both = ground.zip(ids);
    vec![
        ("rootfs", ground.map(|ground| rootfs(spec, ground)).unwrap_or_default()),
        ("init", init::init(spec)),
        ("namespaces", ids.map(|ids| namespaces(spec, ids)).unwrap_or_default()),
        ("network", network::network(&spec.network, None)),
        ("ids", both.map(|(ground, ids)| show_ids(spec, ground, ids)).unwrap_or_default()),
        ("landlock", landlock(spec)),
        ("limits", limits(spec)),
        ("resources", resources(spec, cgroup)),
        ("not told", vec!["the rest, as the start would end before it is known".into()]),
    ]
}

fn as_text(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (name, lines) in entries {
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            text += &format!("{name:<13}  {}\n", one_line(line));
        }
    }
    text
}

/// An object of lists of strings.
fn as_json(entries: &[Entry]) -> String {
    let members = entries.iter().map(|(name, lines)| {
        let lines = lines.iter().map(|line| quote(line)).collect::<Vec<_>>().join(",");
        format!("{}:[{lines}]", quote(name))
    });
    format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
}

fn rootfs(spec: &Spec, ground: &Ground) -> Vec<String> {
    let path = spec.rootfs.to_string_lossy();
    let kind = if ground.rootfs.is_image() { ", an image" } else { "" };
    let mut lines = vec![format!("{path}{kind}, without devices (nodev)")];
    lines.push(match (spec.read_only, ground.changes(spec)) {
        (true, _) => "read-only".into(),
        (_, Changes::Kept(dir)) => format!("changes are kept in {}", dir.to_string_lossy()),
        (_, Changes::Dropped) => "changes are in memory, and gone at the end".into(),
        (_, Changes::InPlace) => "changes go into it".into(),
    });
    lines.push(match ground.order {
        Order::Pivot => "becomes / by pivot_root; nothing of the host's tree is left".into(),
        Order::Locked => {
            "lies over /, in mounts that the kernel locks (initial ramfs, or no /proc)".into()
        }
    });
    lines
}

fn command(prepared: &Prepared<'_>) -> Vec<String> {
    let process = &prepared.process;
    let words = process.command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>();
    let account = &prepared.account;
    let mut lines = vec![
        words.join(" "),
        format!(
            "in {}, uid {}, gid {}",
            process.workdir.to_string_lossy(),
            account.uid,
            account.gid
        ),
    ];
    if process.has_image {
        lines.push("what the words leave open is as .launcher.json of the rootfs says".into());
    }
    if !account.groups.is_empty() {
        lines.push(format!("groups {:?}", account.groups));
    }
    lines.push(match prepared.streams.terminal {
        true => "a terminal of the container's own".into(),
        false => "the caller's standard input and output, no controlling terminal".into(),
    });
    lines
}

fn namespaces(spec: &Spec, ids: &IdPlan) -> Vec<String> {
    let share = spec.share;
    let all = [
        ("user", !ids.has_userns()),
        ("mnt", false),
        ("pid", false),
        ("net", share.net),
        ("uts", share.uts),
        ("ipc", share.ipc),
        ("cgroup", share.cgroup),
        ("time", share.time),
    ];
    let named = |shared| {
        let names = all.iter().filter(|(_, is)| *is == shared).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(" ")
    };
    let mut lines = vec![format!("new: {}", named(false))];
    if !named(true).is_empty() {
        lines.push(format!("the host's: {}", named(true)));
    }
    if !share.uts {
        lines.push(format!("host name {}", spec.hostname.to_string_lossy()));
    }
    if let Some(seconds) = spec.uptime {
        lines.push(format!("up for {seconds} s when it starts"));
    }
    lines
}

fn show_ids(spec: &Spec, ground: &Ground, ids: &IdPlan) -> Vec<String> {
    let mut lines = vec![ids.to_string()];
    // Nobody is warned of what most machines give a user.
    if ids.mode == "single" && spec.userns == Userns::Auto && ids.warning.is_none() {
        let why_not = ids::plan(&Userns::Subid, &ground.caller, &ground.rootfs).err();
        lines.extend(why_not.map(|error| format!("one id only: {error}")));
    }
    if let Some(warning) = &ids.warning {
        lines.push(format!("warning: {warning}"));
    }
    lines
}

fn mounts(prepared: &Prepared<'_>) -> Vec<String> {
    let share = prepared.spec.share;
    let own = |shared: bool| if shared { "the host's" } else { "new" };
    let options = prepared.spec.proc_options.iter();
    let options = options
        .map(|(key, value)| format!(", {}={}", key.to_string_lossy(), value.to_string_lossy()));
    let mut lines = vec![
        format!(
            "/proc  proc{}{}",
            options.collect::<String>(),
            match (prepared.ids.mask_proc, prepared.masks_proc()) {
                (false, _) => "",
                (true, true) => ", masked: container root is the host's",
                (true, false) => ", without masks: container root is the host's root",
            }
        ),
        "/dev  tmpfs with null, zero, full, random, urandom, tty; pts, shm and mqueue".into(),
        format!("/dev/shm, /dev/mqueue  {}", own(share.ipc)),
        format!("/sys  {} sysfs, read-only", own(share.net)),
    ];
    for step in &prepared.plan {
        let is_bare = step.source.as_ref().is_some_and(Source::is_bare_proc);
        let masks = if is_bare && prepared.masks_proc() { BARE_PROC } else { "" };
        let comma = if masks.is_empty() { "" } else { ", " };
        lines.push(format!("{}{comma}{masks}", show_step(step)));
    }
    lines
}

fn show_step(step: &Step<'_>) -> String {
    let Mount { target, what, .. } = step.mount;
    let target = target.path.to_string_lossy();
    let what = match what {
        What::Bind(bind) if step.source.is_none() => {
            format!("left out: {} is not there", bind.source.to_string_lossy())
        }
        What::Bind(bind) => {
            let source = bind.source.to_string_lossy();
            let below = if bind.recursive { " and what is mounted below" } else { "" };
            format!("the host's {source}{below}, {}", flags(bind.flags))
        }
        What::Tmpfs { flags: set, .. } => format!("tmpfs, {}", flags(*set)),
        What::Overlay { lower, upper, flags: set } => {
            let show = |path: &CString| path.to_string_lossy().into_owned();
            let lower = lower.iter().map(show).collect::<Vec<_>>().join(", ");
            let changes = match upper {
                Some(upper) => format!("changes in {}, ", show(upper)),
                None if set & attr::RDONLY != 0 => String::new(),
                None => "changes in memory, ".into(),
            };
            format!("overlay of {lower}, {changes}{}", flags(*set))
        }
        What::Mqueue => "mqueue".into(),
        What::File { mode, .. } => format!("a file of {} bytes, {mode:o}", step.content.len()),
        What::Symlink(to) => format!("a link to {}", to.to_string_lossy()),
        What::Dir { mode } => format!("a directory, {mode:o}"),
    };
    format!("/{target}  {what}")
}

fn flags(set: u64) -> String {
    let names = [
        (attr::RDONLY, "ro"),
        (attr::NOSUID, "nosuid"),
        (attr::NODEV, "nodev"),
        (attr::NOEXEC, "noexec"),
    ];
    let set = names.iter().filter(|(flag, _)| set & flag != 0).map(|(_, name)| *name);
    let set = set.collect::<Vec<_>>().join(",");
    if set.starts_with("ro") { set } else { format!("rw,{set}") }
}

fn privileges(prepared: &Prepared<'_>) -> Vec<String> {
    let confine = &prepared.spec.confine;
    let (kind, set) = match prepared.account.uid {
        0 => ("capabilities", confine.capabilities.bounding),
        _ => ("ambient capabilities", confine.capabilities.ambient),
    };
    let names = capability::names(set).collect::<Vec<_>>();
    let names = if names.is_empty() { "none".into() } else { names.join(" ") };
    let mut lines = vec![format!("{kind}: {names}")];
    lines.push(match confine.new_privs {
        true => "setuid programs and file capabilities work".into(),
        false => "no_new_privs".into(),
    });
    if prepared.forbids_userns() {
        lines.push("no user namespace can be made inside".into());
    }
    match &confine.label {
        None => {}
        Some(Label::AppArmor(name)) => lines.push(format!("AppArmor: {}", name.to_string_lossy())),
        Some(Label::Selinux(name)) => lines.push(format!("SELinux: {}", name.to_string_lossy())),
    }
    lines
}

fn seccomp(prepared: &Prepared<'_>) -> Vec<String> {
    let logs = prepared.filter.as_ref().is_some_and(|filter| filter.logs);
    let log = if logs { ", refusals are logged" } else { "" };
    let mut lines = vec![match &prepared.spec.confine.seccomp {
        Seccomp::None => "none".into(),
        Seccomp::Default => {
            format!("the containers project's profile, for these capabilities{log}")
        }
        Seccomp::File(path) => format!("{}{log}", path.to_string_lossy()),
    }];
    if prepared.has_userns_filter() {
        lines.push("no user namespaces and no keys, which are the host's".into());
    }
    if prepared.spec.confine.restricts_tcp() {
        lines.push("no MPTCP, SMC and MSG_FASTOPEN, which Landlock does not hold to ports".into());
    }
    lines
}

fn landlock(spec: &Spec) -> Vec<String> {
    let rules = spec.confine.landlock.as_ref();
    rules.map_or_else(|| vec!["none".into()], Landlock::describe)
}

fn limits(spec: &Spec) -> Vec<String> {
    let limits = &spec.limits;
    let mut lines = limits
        .resources
        .iter()
        .map(|(resource, limit)| {
            let name = limits::RESOURCES[*resource as usize];
            format!("{name} {}:{}", limit.soft, limit.hard)
        })
        .collect::<Vec<_>>();
    lines.extend(limits.nice.map(|nice| format!("nice {nice}")));
    lines.extend(limits.oom_score_adj.map(|adj| format!("oom_score_adj {adj}")));
    if lines.is_empty() {
        lines.push("the caller's".into());
    }
    lines
}

/// The limits of the cgroup, and `--timeout`.
fn resources(spec: &Spec, cgroup: Option<&Plan>) -> Vec<String> {
    let mut lines = cgroup.map(Plan::describe).unwrap_or_default();
    lines.extend(spec.end.after_ms.map(|after| {
        let seconds = |millis: u32| format!("{}.{:03} s", millis / 1000, millis % 1000);
        let notice = seconds(spec.end.notice_ms);
        format!("SIGTERM after {}, SIGKILL after {notice} more", seconds(after))
    }));
    if lines.is_empty() {
        lines.push("the cgroup of the caller".into());
    }
    lines
}

/// What of the host's the command can reach besides mounts.
fn shared(prepared: &Prepared<'_>) -> Vec<String> {
    let mut lines = vec!["standard input, output and error".to_owned()];
    lines.extend(prepared.keep_fds.iter().map(|fd| format!("descriptor {}", fd.as_raw_fd())));
    if prepared.sources.notify.is_some() {
        lines.push("the service manager's notification socket, as /dev/notify".into());
    }
    let names = prepared.environment.words().filter_map(|word| {
        let text = word.to_string_lossy();
        text.split_once('=').map(|(name, _)| name.to_owned())
    });
    lines.push(format!("environment: {}", names.collect::<Vec<_>>().join(" ")));
    if prepared.has_hosts_keys() {
        let unless = match prepared.spec.confine.seccomp {
            Seccomp::File(_) => ", unless the filter refuses that",
            _ => "",
        };
        lines.push(format!("the keyrings of the host's users (keyctl(2){unless})"));
    }
    lines.push("umask, signal mask and ignored signals, and what limits do not name".into());
    lines
}
