//! `escape WAY FILE`: tries to see a file of the host's with every capability that the container's
//! user namespace gives, and prints `out` or `in`.
//!
//! `naive CUT ROOTFS escape WAY FILE` does the same in what many launchers make of a root that
//! pivot_root refuses: each way out is shown to work there, or its test would show nothing.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::{Outcome, sys, word};

/// Tries it.
pub fn run(words: &[&str]) -> Outcome {
    let (way, file) = (word(words, 0)?, Path::new(word(words, 1)?));
    let mut is_out = false;
    match way {
        // The host's tree lies beneath.
        "umount" => {
            let own = own_namespace()?;
            for _ in 0..3 {
                sys::detach(c"/").ok();
                sys::enter_namespace_of(&own).ok();
                is_out |= file.exists();
            }
        }
        // Joining a mount namespace, be it one's own, gives one its topmost root.
        "setns" => {
            sys::enter_namespace_of(&own_namespace()?).ok();
        }
        // What covers `/` is ours to take away again, and something else with it.
        "cover" => {
            let own = own_namespace()?;
            sys::mount(c"tmpfs", c"/").ok();
            sys::enter_namespace_of(&own).ok();
            for _ in 0..3 {
                sys::detach(c"/").ok();
                sys::enter_namespace_of(&own).ok();
                is_out |= file.exists();
            }
        }
        // A copy of the namespace that is ours.
        "unshare" => {
            sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).ok();
            sys::detach(c"/").ok();
            sys::enter_namespace_of(&own_namespace()?).ok();
        }
        // Whoever stands outside of its root can go up.
        "chroot" => {
            std::env::set_current_dir("/")?;
            sys::chroot(c"/proc").ok();
            for _ in 0..64 {
                std::env::set_current_dir("..").ok();
            }
            sys::chroot(c".").ok();
        }
        "pivot" => {
            let own = own_namespace()?;
            std::env::set_current_dir("/")?;
            sys::pivot(c".", c".").ok();
            sys::detach(c".").ok();
            sys::enter_namespace_of(&own).ok();
        }
        "move" => {
            let own = own_namespace()?;
            sys::move_mount(c"/", c"/proc").ok();
            sys::enter_namespace_of(&own).ok();
        }
        // The roots of all that can be seen.
        "proc" => {
            for process in fs::read_dir("/proc")?.flatten() {
                let root = process.path().join("root");
                is_out |= file.strip_prefix("/").is_ok_and(|file| root.join(file).exists());
            }
        }
        // What was open before the root was changed is where it was.
        "descriptor" => {
            let numbers = fs::read_dir("/proc/self/fd")?.flatten().map(|entry| entry.path());
            for number in numbers.collect::<Vec<_>>() {
                is_out |= file.strip_prefix("/").is_ok_and(|file| number.join(file).exists());
            }
        }
        // By the number that its file system knows it by.
        "handle" => is_out = sys::open_known(c".", word(words, 2)?).is_ok(),
        other => return Err(io::Error::other(format!("no way {other}"))),
    }
    println!("{}", if is_out || file.exists() { "out" } else { "in" });
    Ok(0)
}

fn own_namespace() -> io::Result<File> {
    File::open("/proc/self/ns/mnt")
}

/// `handle FILE`: the number, for the way of that name.
pub fn print_handle(words: &[&str]) -> Outcome {
    println!("{}", sys::handle_of(&c_string(word(words, 0)?)?)?);
    Ok(0)
}

/// Changes the root in one of the usual ways, in namespaces of its own, and goes on with a verb.
pub fn naive(words: &[&str]) -> Outcome {
    let rootfs = c_string(word(words, 1)?)?;
    own_root(0)?;
    // Somebody who does not move with us.
    let sys::Forked::Parent(other) = sys::fork()? else {
        loop {
            sys::pause();
        }
    };
    sys::bind(&rootfs, &rootfs)?;
    std::env::set_current_dir(word(words, 1)?)?;
    sys::bind(c"/proc", c"proc")?;
    match word(words, 0)? {
        "chroot" => sys::chroot(c".")?,
        "move" => {
            sys::move_mount(c".", c"/")?;
            sys::chroot(c".")?;
        }
        // A root that can be pivoted from: `/` over itself, which from below is found at its `..`.
        "pivot" => {
            sys::bind(c"/", c"/")?;
            std::env::set_current_dir("/..")?;
            sys::chroot(c".")?;
            std::env::set_current_dir(word(words, 1)?)?;
            sys::pivot(c".", c".")?;
            sys::detach(c".")?;
        }
        cut => return Err(io::Error::other(format!("no cut {cut}"))),
    }
    std::env::set_current_dir("/")?;
    let outcome = run(words.get(3..).unwrap_or_default());
    sys::kill(other, libc::SIGKILL)?;
    outcome
}

/// `naive-mount SOURCE TARGET ROOT`: binds by path, as mount(8) does, until that leads out of ROOT.
pub fn naive_mount(words: &[&str]) -> Outcome {
    const TRIES: usize = 20_000;
    let (source, target) = (c_string(word(words, 0)?)?, c_string(word(words, 1)?)?);
    own_root(0)?;
    for _ in 0..TRIES {
        if sys::bind(&source, &target).is_err() {
            continue;
        }
        let table = fs::read_to_string("/proc/self/mountinfo")?;
        let point = table.lines().last().and_then(|line| line.split(' ').nth(4));
        let point = point.unwrap_or_default().to_owned();
        if !Path::new(&point).starts_with(word(words, 2)?) {
            println!("outside");
            return Ok(0);
        }
        sys::detach(&c_string(&point)?).ok();
    }
    println!("inside");
    Ok(0)
}

/// Root of a user namespace, with mounts of its own and these further namespaces.
pub fn own_root(more: i32) -> io::Result<()> {
    let (uid, gid) = (sys::uid(), sys::gid());
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | more)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(io::Error::other)
}
