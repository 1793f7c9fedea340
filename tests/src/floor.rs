//! floor: the kernel work of a container's start, and nothing around it.
//!
//! `floor [--confine FILTER] ROOTFS INIT COMMAND [ARG…]` makes the namespaces, id maps and mounts that
//! `launcher` makes by default, executes init inside with the command, and ends as that does. It looks
//! at nothing, checks nothing and cleans nothing up, and stands for the naive way: a fork, and mount(2)
//! for every mount. It confines nobody, unless to the launcher's capabilities and to the filter of
//! system calls that is in a file. `cargo xtask bench` measures launchers by it.

#![no_main]

#[path = "sys/floor.rs"]
mod sys;

use std::ffi::CStr;

use sys::{Result, Side};

/// The ids that root gives: the first range that systemd sets aside for containers.
const RANGE: &str = "0 524288 65536\n";

/// What the launcher leaves by default.
const CAPABILITIES: u64 = 0x8004_05fb;

const DEVICES: [(&CStr, &CStr); 6] = [
    (c"/dev/null", c"dev/null"),
    (c"/dev/zero", c"dev/zero"),
    (c"/dev/full", c"dev/full"),
    (c"/dev/random", c"dev/random"),
    (c"/dev/urandom", c"dev/urandom"),
    (c"/dev/tty", c"dev/tty"),
];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"dev/fd"),
    (c"fd/0", c"dev/stdin"),
    (c"fd/1", c"dev/stdout"),
    (c"fd/2", c"dev/stderr"),
    (c"pts/ptmx", c"dev/ptmx"),
];

/// Called by the C runtime's entry.
fn run(words: &sys::Words) -> i32 {
    match start(words) {
        Ok(code) => code,
        Err((what, errno)) => {
            eprintln!("floor: {what}: {errno}");
            125
        }
    }
}

fn start(words: &sys::Words) -> Result<i32> {
    let (words, filter) = match words.word(1)? == c"--confine" {
        true => (&words.from(2)?, Some(sys::Filter::read(words.word(2)?)?)),
        false => (words, None),
    };
    let (rootfs, init) = (words.word(1)?, sys::open(words.word(2)?)?);
    let ids = (sys::uid(), sys::gid());
    // An ordinary user can clone mounts only in a namespace of theirs, and maps one id.
    let tree = if ids.0 == 0 { Some(sys::clone_tree(rootfs)?) } else { None };
    let gate = sys::pipe()?;
    match sys::clone_container()? {
        Side::Child => {
            sys::read(gate.0)?;
            assemble(rootfs, tree)?;
            if let Some(filter) = filter {
                sys::drop_capabilities(CAPABILITIES)?;
                filter.install()?;
            }
            sys::execute(init, words)
        }
        Side::Parent(pid) => {
            match tree {
                Some(tree) => {
                    sys::write_file(pid, "uid_map", RANGE)?;
                    sys::write_file(pid, "gid_map", RANGE)?;
                    sys::map_tree(tree, pid)?;
                }
                None => {
                    sys::write_file(pid, "setgroups", "deny")?;
                    sys::write_file(pid, "uid_map", &format!("0 {} 1\n", ids.0))?;
                    sys::write_file(pid, "gid_map", &format!("0 {} 1\n", ids.1))?;
                }
            }
            sys::write(gate.1)?;
            sys::wait(pid)
        }
    }
}

/// In the child.
fn assemble(rootfs: &CStr, tree: Option<i32>) -> Result<()> {
    if tree.is_some() {
        sys::drop_groups()?;
    }
    sys::become_root()?;
    sys::mount(c"none", c"/", c"", sys::PRIVATE, c"")?;
    match tree {
        Some(tree) => sys::attach(tree)?,
        None => {
            sys::mount(rootfs, rootfs, c"", sys::BIND, c"")?;
            sys::enter(rootfs)?;
        }
    }
    sys::mount(c"tmpfs", c"dev", c"tmpfs", sys::NOSUID | sys::NOEXEC, c"mode=755,size=65536k")?;
    for (from, to) in DEVICES {
        sys::make_file(to)?;
        sys::mount(from, to, c"", sys::BIND, c"")?;
    }
    for (to, link) in LINKS {
        sys::make_link(to, link)?;
    }
    for directory in [c"dev/pts", c"dev/shm", c"dev/mqueue"] {
        sys::make_directory(directory)?;
    }
    let restricted = sys::NOSUID | sys::NODEV | sys::NOEXEC;
    let pts = c"mode=620,ptmxmode=666";
    sys::mount(c"devpts", c"dev/pts", c"devpts", sys::NOSUID | sys::NOEXEC, pts)?;
    sys::mount(c"shm", c"dev/shm", c"tmpfs", restricted, c"mode=1777,size=65536k")?;
    sys::mount(c"mqueue", c"dev/mqueue", c"mqueue", restricted, c"")?;
    sys::mount(c"sysfs", c"sys", c"sysfs", restricted | sys::READ_ONLY, c"")?;
    let cgroup = c"sys/fs/cgroup";
    sys::mount(c"cgroup2", cgroup, c"cgroup2", restricted | sys::READ_ONLY, c"")?;
    sys::mount(c"proc", c"proc", c"proc", restricted, c"")?;
    sys::raise_loopback()?;
    sys::set_hostname("container")?;
    sys::pivot()
}
