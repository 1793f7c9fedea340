//! Known ways out of containers, tried from inside in every mode.
//!
//! Each is tried as well where nothing is in its way (on the host, or with a wall taken away), so
//! that it is seen to work there; a test whose attack works nowhere says nothing.

mod ipc;
mod kernel;
mod privileges;
mod processes;
mod rootfs;

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::launch::Launch;
use crate::mounts::modes;
use crate::rootfs::FORKING;
use crate::{subject, sys};

/// What an attempt of the probe's gives on the host, without any launcher.
fn on_host(words: &str) -> String {
    on_host_as(sys::uid(), words)
}

/// The same as this user.
fn on_host_as(uid: u32, words: &str) -> String {
    let forking = FORKING.read();
    let mut probe = Command::new(subject::probe());
    let output = probe.uid(uid).arg("try").args(words.split(' ')).output();
    drop(forking);
    String::from_utf8(output.unwrap().stdout).unwrap().trim_end().to_owned()
}

/// What it gives in a container with these options.
fn inside(options: &[&str], words: &str) -> String {
    let launch = options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
    launch.probe(&format!("try {words}")).run().ok().stdout.trim_end().to_owned()
}

/// It has to give one of these in every mode.
#[track_caller]
fn refused(words: &str, errnos: &[&str]) {
    for mode in modes() {
        let found = inside(&["--userns", mode], words);
        assert!(errnos.contains(&found.as_str()), "{mode}: {words}: {found}");
    }
}
