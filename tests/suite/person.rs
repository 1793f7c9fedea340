//! Somebody at a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::launch::Launch;
use crate::running::{Running, limit};
use crate::sys::terminal;

/// The caller's terminal: what is typed goes in at the master's side, what is shown comes out.
pub struct Person {
    pub master: File,
    pub terminal: OwnedFd,
    shown: String,
}

impl Person {
    /// With 24 lines of 80 columns.
    pub fn new() -> Person {
        let (master, terminal) = terminal::open().unwrap();
        terminal::set_size(terminal.as_fd(), 24, 80).unwrap();
        Person { master: master.into(), terminal, shown: String::new() }
    }

    /// Starts it on the terminal, as the leader of its session.
    #[track_caller]
    pub fn start(&self, launch: Launch) -> Running {
        launch.start_on(&self.terminal)
    }

    /// Presses keys.
    pub fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until this has been shown, and gives what was shown up to it.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + limit();
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let is_there = terminal::wait_readable(self.master.as_fd(), left).unwrap();
            assert!(is_there, "{text:?} was not shown, but {:?}", self.shown);
            let mut buffer = [0; 4096];
            let count = self.master.read(&mut buffer).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
            self.overlook_warning();
        }
    }

    /// Not what every start says where root has no range (`Output::complaints`).
    fn overlook_warning(&mut self) {
        if let Some(at) = self.shown.find("launcher: warning: ")
            && let Some(length) = self.shown[at..].find("\r\n")
            && self.shown[at..at + length].contains("be idmapped")
        {
            self.shown.replace_range(at..at + length + 2, "");
        }
    }
}
