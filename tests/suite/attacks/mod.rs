//! Known ways out of containers, tried from inside in every mode.
//!
//! Each is tried as well where nothing is in its way (on the host, or with a wall taken away), so
//! that it is seen to work there; a test whose attack works nowhere says nothing.
//!
//! Every attempt is a line of the table that `cargo xtask test` writes.

mod escape;
mod ipc;
mod kernel;
mod overwrite;
mod privileges;
mod processes;
mod rootfs;

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::launch::Launch;
use crate::rootfs::FORKING;
use crate::{ability, mounts, pace, subject, sys};

/// The ways to start that this caller has, with the one that has to be asked for by name: without a
/// user namespace.
pub fn modes() -> Vec<&'static str> {
    let without = (sys::uid() == 0 && ability::pivot_root().is_ok()).then_some("none");
    mounts::modes().iter().copied().chain(without).collect()
}

/// A cell of the table: what came of an attempt at a place.
pub fn tell(words: &str, place: &str, found: &str) {
    println!("ATTACK {}\t{place}\t{found}", stable(words));
}

/// Without the numbers that are others each time: those of temporary names, and long ones.
fn stable(words: &str) -> String {
    let own = format!("-{}-", std::process::id());
    let is_number = |word: &str| word.len() > 7 && word.bytes().all(|b| b.is_ascii_digit());
    let plain = |word: &str| match word.split_once(&own) {
        Some((name, _)) => format!("{name}-N"),
        None if is_number(word) => "N".into(),
        None => word.to_owned(),
    };
    words.split(' ').map(plain).collect::<Vec<_>>().join(" ")
}

/// HOST is a process of the host's, this one; so is PID, which inside is the container's first.
fn numbered(words: &str, pid: u32) -> String {
    words.replace("HOST", &std::process::id().to_string()).replace("PID", &pid.to_string())
}

/// What an attempt of the probe's gives on the host, without any launcher.
fn on_host(words: &str) -> String {
    let found = on_host_as(sys::uid(), words);
    tell(words, "host", &found);
    found
}

/// The same as this user.
fn on_host_as(uid: u32, words: &str) -> String {
    let forking = FORKING.read();
    let mut probe = Command::new(subject::probe());
    let words = numbered(words, std::process::id());
    let output = probe.uid(uid).arg("try").args(words.split(' ')).output();
    drop(forking);
    String::from_utf8(output.unwrap().stdout).unwrap().trim_end().to_owned()
}

/// What it gives in a container with these options.
fn inside(options: &[&str], words: &str) -> String {
    let found = attempt(options, words);
    tell(words, &options.join(" "), &found);
    found
}

fn attempt(options: &[&str], words: &str) -> String {
    let launch = options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
    let words = numbered(words, 1);
    launch.probe(&format!("try {words}")).run().ok().stdout.trim_end().to_owned()
}

/// It has to give one of these in every mode.
#[track_caller]
fn refused(words: &str, errnos: &[&str]) {
    for mode in pace::in_turn(&modes(), words.len()) {
        let found = attempt(&["--userns", mode], words);
        tell(words, &format!("mode {mode}"), &found);
        // Below the host's root there is no namespace to be nested in.
        let no_namespace = if *mode == "none" { "EPERM" } else { "ENOSPC" };
        let has_none = words.starts_with("nested ") && found == no_namespace;
        assert!(has_none || errnos.contains(&found.as_str()), "{mode}: {words}: {found}");
    }
}
