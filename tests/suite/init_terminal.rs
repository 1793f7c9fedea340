//! init on a terminal: what is typed reaches the command, and a shell in it controls its jobs.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::own_name;
use crate::init_subject::{self as subject, Init};
use crate::running::{Running, limit};
use crate::sys;

/// An interactive program on a pty.
pub struct Session {
    pub running: Running,
    master: std::fs::File,
    seen: String,
}

impl Session {
    pub fn start(init: &Init, words: &[&str], pid_one: bool) -> Session {
        let (master, terminal): (OwnedFd, OwnedFd) = sys::terminal::open().unwrap();
        let run = init.run(words).variable("PS1", "prompt> ").variable("HOME", "/nonexistent");
        let run = run.variable("TERM", "dumb").variable("ENV", "");
        let run = if pid_one { run.pid_one() } else { run };
        let running = run.on(&terminal).start_as_is();
        Session { running, master: master.into(), seen: String::new() }
    }

    /// Waits until this command has the foreground.
    #[track_caller]
    pub fn wait_for_command(&mut self, words: &str) {
        let deadline = Instant::now() + limit() / 4;
        while in_foreground(self.running.pid(), words).is_none() {
            assert!(Instant::now() < deadline, "no {words:?} in the foreground");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until this command, somewhere below, has stopped.
    pub fn wait_until_stopped(&mut self, words: &str) {
        let deadline = Instant::now() + limit() / 4;
        let is_stopped = |fields: &[&str]| fields.first() == Some(&"T");
        while find(self.running.pid(), words, &is_stopped).is_none() {
            assert!(Instant::now() < deadline, "{words:?} has not stopped");
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn write(&mut self, text: &str) {
        use std::io::Write;
        self.seen.clear();
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until this has been printed.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        use std::io::Read;
        use std::os::fd::AsFd;
        let deadline = Instant::now() + limit() / 4;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let readable = sys::terminal::wait_readable(self.master.as_fd(), left).unwrap();
            assert!(readable && !left.is_zero(), "no {text:?} in {:?}", self.seen);
            let mut buffer = [0; 1024];
            let count = self.master.read(&mut buffer).unwrap_or(0);
            assert!(count != 0, "no {text:?}, but the end, in {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }
}

/// The pid of a process below this one that is this command and has the terminal's foreground.
fn in_foreground(pid: i32, words: &str) -> Option<i32> {
    find(
        pid,
        words,
        &|fields| matches!(fields, ["R" | "S", _, group, _, _, foreground, ..] if group == foreground),
    )
}

/// The pid of a process below this one, or of itself, that is this command and of which the fields of
/// /proc/PID/stat are as wanted: state, parent, group, session, terminal, its foreground group
/// (proc(5)).
fn find(pid: i32, words: &str, is_wanted: &dyn Fn(&[&str]) -> bool) -> Option<i32> {
    let read = |what: &str| fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let stat = read("stat");
    let fields = stat.rsplit(") ").next()?.split(' ').collect::<Vec<_>>();
    let is_it = read("cmdline").replace('\0', " ").trim_end() == words;
    let children = read(&format!("task/{pid}/children"));
    if is_it && is_wanted(&fields) {
        return Some(pid);
    }
    children.split_whitespace().find_map(|child| find(child.parse().ok()?, words, is_wanted))
}

/// sleep, Ctrl-Z, jobs, fg, Ctrl-C, exit.
fn control_jobs(init: &Init, shell: &[&str], pid_one: bool) {
    let mut session = Session::start(init, shell, pid_one);
    session.wait_for("prompt> ");
    session.write("echo a''b\n");
    session.wait_for("ab\r\n");
    session.write("sleep 1000\n");
    session.wait_for_command("sleep 1000");
    session.write("\x1a");
    session.wait_for("topped");
    session.write("jobs\n");
    session.wait_for("sleep 1000");
    session.wait_for("prompt> ");
    session.write("fg\n");
    session.wait_for_command("sleep 1000");
    session.write("\x03");
    session.wait_for("prompt> ");
    session.write("echo code $?\n");
    session.wait_for("code 130");
    session.write("exit 5\n");
    session.running.finish().code(5);
}

fn shells() -> Vec<Vec<String>> {
    let word = |path: PathBuf| path.to_string_lossy().into_owned();
    let mut shells = Vec::new();
    if let Some(bash) = crate::subject::tool("bash") {
        let words = ["--norc", "--noprofile", "--noediting", "-i"].map(String::from);
        shells.push([word(bash)].into_iter().chain(words).collect());
    }
    let busybox = crate::subject::rootfs().join("bin/busybox");
    if busybox.is_file() {
        shells.push([word(busybox), "ash".into(), "-i".into()].into());
    }
    shells
}

/// With init as PID 1, and with init behind one that leads the session.
pub fn shells_control_their_jobs(init: &Init) {
    if shells().is_empty() {
        println!("SKIP {}: neither bash nor busybox", own_name!());
    }
    for shell in shells() {
        let mut words = shell.iter().map(String::as_str).collect::<Vec<_>>();
        words.insert(0, "--");
        for pid_one in [false, true] {
            control_jobs(init, &words, pid_one);
        }
    }
}

#[test]
fn ctrl_c_ends_a_plain_command_once() {
    for name in subject::NAMES {
        let probe = crate::subject::probe().to_string_lossy().into_owned();
        let mut session = Session::start(&subject::ours(name), &[&probe, "trap", "2"], true);
        session.wait_for("ready");
        session.write("\x03");
        session.running.finish().code(0);
        let mut session = Session::start(&subject::ours(name), &[&probe, "sleep", "20"], false);
        session.wait_for("ready");
        session.write("\x03");
        session.running.finish().code(130);
    }
}

/// Nobody could continue it: the kernel would ignore Ctrl-Z for it without init, too.
#[test]
fn ctrl_z_does_not_hang_a_plain_command() {
    for name in subject::NAMES {
        for pid_one in [false, true] {
            let probe = crate::subject::probe().to_string_lossy().into_owned();
            let init = subject::ours(name);
            let mut session = Session::start(&init, &[&probe, "sleep", "0.3"], pid_one);
            session.wait_for("ready");
            session.write("\x1a");
            session.running.finish().code(0);
        }
    }
}
