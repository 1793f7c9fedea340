//! Who is measured: ours, and others with the nearest equal set-up.

use super::subject::Who;

/// A program under a name, and its command lines. In those, words in capitals stand for what
/// `subject.rs` puts in their place: ROOTFS, COMMAND (what runs inside; HOSTCOMMAND is its path on the
/// host), LAUNCHER, INIT, FLOOR and FILTER
/// (ours), BUNDLE and STATE (of OCI runtimes). `{}` is a number that no other run has.
pub struct Contender {
    pub name: &'static str,
    /// What it is made of: its own program first, then those that it starts. Nothing of ours is
    /// looked for.
    pub programs: &'static [&'static str],
    /// What to install where it is not there.
    pub from: &'static str,
    pub root: Option<&'static str>,
    pub user: Option<&'static str>,
}

impl Contender {
    /// As it is shown, if they can run it.
    pub fn line(&self, who: Who) -> Option<String> {
        let line = match who {
            Who::Root => self.root,
            Who::User => self.user,
        };
        line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

const fn ours(
    name: &'static str,
    root: Option<&'static str>,
    user: Option<&'static str>,
) -> Contender {
    Contender { name, programs: &[], from: "", root, user }
}

const fn peer(
    programs: &'static [&'static str],
    from: &'static str,
    root: &'static str,
    user: Option<&'static str>,
) -> Contender {
    Contender { name: programs[0], programs, from, root: Some(root), user }
}

/// What all others are measured by.
pub const FLOOR: Contender =
    ours("floor", Some("FLOOR ROOTFS INIT COMMAND"), Some("FLOOR ROOTFS INIT COMMAND"));

/// For a user, what one without subordinate ids gets; and beside it, what one with them gets.
pub const LAUNCHER: Contender = ours(
    "launcher",
    Some("LAUNCHER ROOTFS COMMAND"),
    Some("LAUNCHER --userns single ROOTFS COMMAND"),
);

pub const OURS: &[Contender] = &[
    LAUNCHER,
    // What the launcher confines the command to by default is kernel work, too.
    ours("floor, confined", Some(FLOOR_CONFINED), Some(FLOOR_CONFINED)),
    ours("launcher, newuidmap", None, Some("LAUNCHER --userns subid ROOTFS COMMAND")),
    ours(
        "launcher, no filter",
        Some("LAUNCHER --seccomp none ROOTFS COMMAND"),
        Some("LAUNCHER --userns single --seccomp none ROOTFS COMMAND"),
    ),
    ours("launcher, minimal", Some(MINIMAL), Some(MINIMAL)),
    ours(
        "launcher, everything on",
        Some(
            "LAUNCHER --read-only --disable-userns --landlock /:rwx \
             --rlimit nofile=1024 --proc-options hidepid=invisible --dns none --bind /usr:/mnt:ro \
             --file /etc/hosts:/tmp/hosts ROOTFS COMMAND",
        ),
        Some(
            "LAUNCHER --userns single --read-only --disable-userns --landlock /:rwx \
             --rlimit nofile=1024 --proc-options hidepid=invisible --dns none --bind /usr:/mnt:ro \
             --file /etc/hosts:/tmp/hosts ROOTFS COMMAND",
        ),
    ),
];

const FLOOR_CONFINED: &str = "FLOOR --confine FILTER ROOTFS INIT COMMAND";

/// Namespaces of users, mounts and processes only.
const MINIMAL: &str = "LAUNCHER --userns single --share net --share uts --share ipc --share cgroup \
    --share time --seccomp none ROOTFS COMMAND";

const BWRAP: &str = "bwrap --unshare-all --unshare-user --die-with-parent --new-session --clearenv \
    --hostname container --bind ROOTFS / --proc /proc --dev /dev --mqueue /dev/mqueue COMMAND";
const UNSHARE: &str = "unshare --user --map-root-user --mount --pid --fork --kill-child --uts --ipc \
    --net --cgroup --time --root ROOTFS --mount-proc COMMAND";
const CRUN: &str = "crun --root STATE --cgroup-manager disabled run --bundle BUNDLE bench-{}";
const RUNC: &str = "runc --root STATE run --bundle BUNDLE bench-{}";
const YOUKI: &str = "youki --root STATE run --bundle BUNDLE bench-{}";
/// Its `--chroot` is off by default, so on the host's root.
const FIREJAIL: &str = "firejail --quiet --noprofile --net=none --keep-var-tmp --caps.drop=all --nonewprivs \
    --private-dev --hostname=container HOSTCOMMAND";
const NSJAIL: &str = "nsjail --mode o --really_quiet --hostname container \
    --disable_rlimits --chroot ROOTFS --rw -- COMMAND";

pub const PEERS: &[Contender] = &[
    peer(&["bwrap"], "Debian: bubblewrap", BWRAP, Some(BWRAP)),
    peer(&["unshare"], "Debian: util-linux", UNSHARE, Some(UNSHARE)),
    peer(&["nsjail"], "github.com/google/nsjail", NSJAIL, Some(NSJAIL)),
    peer(&["crun"], "Debian: crun", CRUN, Some(CRUN)),
    peer(&["youki"], "crates.io: youki", YOUKI, Some(YOUKI)),
    peer(&["runc"], "Debian: runc", RUNC, Some(RUNC)),
    peer(&["firejail"], "Debian: firejail", FIREJAIL, Some(FIREJAIL)),
    peer(
        &["systemd-nspawn"],
        "Debian: systemd-container",
        "systemd-nspawn --quiet --register=no --keep-unit --pipe --as-pid2 --private-network \
         --private-users=524288:65536 --directory=ROOTFS COMMAND",
        None,
    ),
    peer(
        &["podman", "conmon", "crun"],
        "Debian: podman, crun",
        "podman --root STATE/root --runroot STATE/run --storage-driver vfs --cgroup-manager cgroupfs \
         --events-backend none run \
         --rm --interactive --network none --cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --log-driver none --uidmap 0:524288:65536 \
         --rootfs ROOTFS COMMAND",
        Some(
            "podman --root STATE/root --runroot STATE/run --storage-driver vfs --cgroup-manager cgroupfs \
         --events-backend none run \
             --rm --interactive --network none --cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --log-driver none --rootfs ROOTFS COMMAND",
        ),
    ),
];

/// What an init is measured by: the command itself as PID 1, which then has none.
pub const NO_INIT: Contender = ours("no init", Some("HOSTCOMMAND"), None);

pub const INITS: &[Contender] = &[
    ours("init", Some("INIT -- HOSTCOMMAND"), None),
    peer(&["tini-static"], "Debian: tini", "tini-static -- HOSTCOMMAND", None),
    peer(&["tini"], "Debian: tini", "tini -- HOSTCOMMAND", None),
    peer(&["dumb-init"], "Debian: dumb-init", "dumb-init -- HOSTCOMMAND", None),
    peer(&["catatonit"], "Debian: catatonit", "catatonit -- HOSTCOMMAND", None),
];
