//! What can be done here. A test names what it needs, and is left out where that is missing;
//! where it runs it does not ask.

use std::fs;
use std::path::Path;

use crate::launch::Launch;
use crate::rootfs::temporary_folder;
use crate::{subject, sys};

/// Why not; `Ok` if it can.
pub type Ability = Result<(), String>;

/// Ends a reason that is no neglect: nothing that can be installed would help.
const EXCUSE: &str = "(cannot on this machine)";

/// Leaves the test out, with a line that says so, unless the ability is there.
macro_rules! require {
    ($ability:ident) => {
        if let Err(reason) = $crate::ability::$ability() {
            println!("SKIP {}: {reason}", $crate::ability::own_name!());
            return;
        }
    };
}

/// Leaves the test out for an ordinary user: it is about root.
macro_rules! for_root {
    () => {
        if $crate::sys::uid() != 0 {
            println!("N/A {}: for root", $crate::ability::own_name!());
            return;
        }
    };
}

/// Leaves the test out for root: it is about an ordinary user.
macro_rules! for_user {
    () => {
        if $crate::sys::uid() == 0 {
            println!("N/A {}: for an ordinary user", $crate::ability::own_name!());
            return;
        }
    };
}

/// Leaves the test out on an initial ramfs that cannot be pivoted from: it is about a program that
/// does so.
macro_rules! not_on_initial_ramfs {
    () => {
        if let Err(reason) = $crate::ability::pivot_root() {
            println!("N/A {}: {reason}", $crate::ability::own_name!());
            return;
        }
    };
}

/// The name of the test around it, also where the thread does not have it.
macro_rules! own_name {
    () => {{
        fn here() {}
        let name = std::any::type_name_of_val(&here).trim_end_matches("::here");
        name.split_once("::").map_or(name, |(_, name)| name)
    }};
}

pub(crate) use {for_root, for_user, not_on_initial_ramfs, own_name, require};

/// Mounts that show other ids, on the file system of the temporary files.
pub fn idmapped_mounts() -> Ability {
    sys::idmap::try_on(&temporary_folder()).map_err(|error| {
        format!("no idmapped mounts in TMPDIR: {error} (needs Linux 5.12) {EXCUSE}")
    })
}

/// Ranges of /etc/subuid and /etc/subgid, and the tools that map them.
pub fn subordinate_ids() -> Ability {
    for name in ["newuidmap", "newgidmap"] {
        subject::tool(name).ok_or(format!("no {name} on PATH"))?;
    }
    for path in ["/etc/subuid", "/etc/subgid"] {
        if subordinate_lines(path).is_empty() {
            return Err(format!("no line for this user in {path}"));
        }
    }
    Ok(())
}

/// Ids other than 0 inside: by a range of one's own, or subordinate ones.
pub fn many_ids() -> Ability {
    if sys::uid() == 0 { Ok(()) } else { subordinate_ids() }
}

/// Start and count of our lines.
pub fn subordinate_lines(path: &str) -> Vec<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = sys::uid().to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    });
    let text = fs::read_to_string(path).unwrap_or_default();
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let (start, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (Some(owner) == name || owner == uid).then_some((start, count))
    };
    text.lines().filter_map(parse).collect()
}

/// busybox, in the example root file system.
pub fn busybox() -> Ability {
    let path = subject::rootfs().join("bin/busybox");
    if path.is_file() { Ok(()) } else { Err(format!("no {}", path.display())) }
}

/// AppArmor, and who compiles and loads its profiles.
pub fn apparmor() -> Ability {
    if !Path::new("/sys/kernel/security/apparmor/.replace").exists() {
        return Err(format!("no AppArmor in this kernel {EXCUSE}"));
    }
    subject::tool("apparmor_parser").map(drop).ok_or("no apparmor_parser on PATH".into())
}

/// bubblewrap, another launcher.
pub fn bwrap() -> Ability {
    subject::tool("bwrap").map(drop).ok_or("no bwrap on PATH".into())
}

/// strace, to fail system calls.
pub fn tracing() -> Ability {
    subject::tool("strace").map(drop).ok_or("no strace on PATH".into())
}

/// Whether the kernel is older than this version.
pub fn kernel_is_before(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|part| part.trim().parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap()) < (major, minor)
}

/// nohup of coreutils.
pub fn nohup() -> Ability {
    subject::tool("nohup").map(drop).ok_or("no nohup on PATH".into())
}

/// unshare of util-linux or busybox.
pub fn unshare() -> Ability {
    subject::tool("unshare").map(drop).ok_or("no unshare on PATH".into())
}

/// Keys in the kernel (CONFIG_KEYS), and nobody who forbids them.
pub fn keyrings() -> Ability {
    // In a thread of its own: the session stays with it.
    let session = std::thread::spawn(|| sys::keyring::start_session(c"ability"));
    let key = session.join().unwrap();
    key.map(drop).map_err(|error| format!("no keyrings: {error} {EXCUSE}"))
}

/// A pty of our own.
pub fn terminals() -> Ability {
    sys::terminal::open().map(drop).map_err(|error| format!("cannot open a pty: {error}"))
}

/// A root file system that belongs to somebody else.
pub fn foreign_rootfs() -> Ability {
    use std::os::unix::fs::MetadataExt;
    busybox()?;
    match subject::rootfs().join("bin").metadata() {
        Ok(metadata) if metadata.uid() != sys::uid() => Ok(()),
        _ => Err("ROOTFS is this user's own".into()),
    }
}

/// Landlock in the kernel, and switched on.
pub fn landlock() -> Ability {
    sys::landlock_abi()
        .map(drop)
        .map_err(|error| format!("no Landlock: {error} (needs Linux 5.13) {EXCUSE}"))
}

/// POSIX message queues in the kernel.
pub fn message_queues() -> Ability {
    if Path::new("/proc/sys/fs/mqueue").exists() {
        Ok(())
    } else {
        Err(format!("the kernel has no message queues {EXCUSE}"))
    }
}

/// Files that lines for root can be put over.
pub fn subordinate_files() -> Ability {
    for path in ["/etc/subuid", "/etc/subgid"] {
        if !Path::new(path).is_file() {
            return Err(format!("no {path}"));
        }
    }
    Ok(())
}

/// Overlays, mounted in a user namespace.
pub fn overlay() -> Ability {
    if kernel_is_before(5, 11) {
        return Err(format!("no overlay in a user namespace (needs Linux 5.11) {EXCUSE}"));
    }
    overlay_of_roots()
}

fn overlay_of_roots() -> Ability {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.ends_with("\toverlay")) {
        return Ok(());
    }
    let remedy = match Path::new("/proc/modules").exists() {
        true => "modprobe overlay",
        false => "this kernel takes no modules, those of cargo xtask test --vm have it",
    };
    Err(format!("no overlay in /proc/filesystems; {remedy}"))
}

/// `--ephemeral`: for a user from Linux 6.6 on, for root before, whose marks are `trusted.` attributes.
pub fn ephemeral() -> Ability {
    if sys::uid() == 0 {
        overlay_of_roots()
    } else {
        overlay().and_then(|()| attributes_on_tmpfs())
    }
}

/// `user.` attributes on a tmpfs (Linux 6.6).
pub fn attributes_on_tmpfs() -> Ability {
    let error =
        |error| format!("no user attributes on a tmpfs: {error} (needs Linux 6.6) {EXCUSE}");
    sys::try_attribute(Path::new("/dev/shm")).map_err(error)
}

/// `user.` attributes on the file system of the temporary files.
pub fn attributes_on_files() -> Ability {
    let error = |error| format!("no user attributes in TMPDIR: {error} {EXCUSE}");
    sys::try_attribute(&temporary_folder()).map_err(error)
}

/// Images of each kind, made where the tests were built.
pub fn images() -> Ability {
    let missing = ["squashfs", "erofs", "ext4"].into_iter().find(|k| subject::image(k).is_none());
    missing.map_or(Ok(()), |kind| Err(format!("no {kind} image was made for the tests")))
}

/// What was an image of OCI's.
pub fn unpacked_image() -> Ability {
    subject::unpacked().map(drop).ok_or("no image was unpacked for the tests".into())
}

/// pivot_root(2): before Linux 7.0 the initial ramfs, a mount that is its own parent, has none.
pub fn pivot_root() -> Ability {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut ids = table.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>());
    match ids.any(|ids| ids[0] == ids[1]) {
        true => Err("the root is the initial ramfs".into()),
        false => Ok(()),
    }
}

/// name_to_handle_at(2) on the file system of the temporary files.
pub fn file_handles() -> Ability {
    let words = [subject::probe().into_os_string(), "handle".into(), temporary_folder().into()];
    let output = Launch::init(words).run();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("no file handles in TMPDIR: {} {EXCUSE}", output.stderr.trim())),
    }
}

/// Whether the controllers are on cgroup v1.
pub fn is_on_cgroup_v1() -> bool {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    own.lines().any(|line| line.split(':').nth(1) == Some("memory"))
}

/// Limits by cgroups: for root anywhere, for a user where a cgroup is delegated to them.
pub fn limits() -> Ability {
    use std::os::unix::fs::MetadataExt;
    if sys::uid() == 0 {
        return Ok(());
    }
    if is_on_cgroup_v1() {
        return Err(format!("limits are root's on cgroup v1 {EXCUSE}"));
    }
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.trim().trim_start_matches("0::").rsplit_once('/').map_or("", |(above, _)| above);
    match fs::metadata(format!("/sys/fs/cgroup{own}")) {
        Ok(metadata) if metadata.uid() == sys::uid() => Ok(()),
        _ => Err(format!("no cgroup is delegated to this user {EXCUSE}")),
    }
}

/// cgroup v2 with limits.
pub fn cgroup2() -> Ability {
    limits()?;
    match is_on_cgroup_v1() {
        true => Err(format!("the controllers are on cgroup v1 {EXCUSE}")),
        false => Ok(()),
    }
}

/// A cgroup of v2 whose processes are killed by one write, whoever sees them.
pub fn cgroup_kill() -> Ability {
    cgroup2()?;
    match kernel_is_before(5, 14) {
        true => Err(format!("no cgroup.kill (needs Linux 5.14) {EXCUSE}")),
        false => Ok(()),
    }
}

/// Network namespaces and veth pairs of our own, made by busybox.
pub fn own_networks() -> Ability {
    busybox()?;
    crate::lab::is_possible()
}

/// pasta of the package passt.
pub fn pasta() -> Ability {
    subject::tool("pasta").map(drop).ok_or("no pasta on PATH".into())
}

/// Tunnels, which pasta makes in the container's network.
pub fn tunnels() -> Ability {
    let opened = fs::File::options().read(true).write(true).open("/dev/net/tun");
    opened.map(drop).map_err(|error| format!("/dev/net/tun: {error} {EXCUSE}"))
}
