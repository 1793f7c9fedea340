//! `--status-fd`: tells programs what happens to the container, one JSON object a line.
//!
//! `{"event":"started","pid":N,"namespaces":{"user":INODE,…},"addresses":["10.203.0.2/30"]}`, the
//! last of them with `--net veth` and `bridge`, `{"event":"failed","stage":"…",
//! "errno":"EPERM","code":N,"message":"…"}`, `{"event":"stats","wall_us":N,…}` for `--stats`,
//! `{"event":"exited","code":N}` or `{"event":"exited","signal":N,"core":false}`, with
//! `"oom_kills":N` and `"timed_out":true` where that was so. So an exit code of 125, 126 or 127
//! that is the command's own ("exited") can be told from the launcher's ("failed").

use std::os::fd::{AsRawFd, BorrowedFd};

use init::exit::Ending;

use super::{Outcome, Usage};
use crate::error::{Error, show_errno};
use crate::json::quote;
use crate::log;
use crate::prepare::Proc;
use crate::sys::{Errno, file};

/// Where to write, if anywhere.
pub struct Status(Option<BorrowedFd<'static>>);

const NAMES: [&str; 8] = ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time"];

impl Status {
    /// The descriptor that the caller left open for it.
    pub fn open(number: Option<i32>) -> Result<Status, Error> {
        let borrow = |fd| {
            file::borrow_for_writing(fd).map_err(|errno| {
                Error::at("StatusFd", format_args!("write to --status-fd {fd}"), errno)
                    .advise("it has to be open for writing in the launcher")
            })
        };
        Ok(Status(number.map(borrow).transpose()?))
    }

    /// The command runs.
    pub fn started(&self, pid: i32, namespaces: &Namespaces, addresses: &[String]) {
        let Namespaces(list) = namespaces;
        let addresses = match addresses.join("\",\"") {
            none if none.is_empty() => none,
            some => format!(",\"addresses\":[\"{some}\"]"),
        };
        self.write(&format!(
            "{{\"event\":\"started\",\"pid\":{pid},\"namespaces\":{{{list}}}{addresses}}}\n"
        ));
    }

    /// It never ran.
    pub fn failed(&self, error: &Error) {
        let errno = error.errno.and_then(|errno| errno.name()).map_or("null".into(), quote);
        self.write(&format!(
            "{{\"event\":\"failed\",\"stage\":\"{}\",\"errno\":{errno},\"code\":{},\"message\":{}}}\n",
            error.stage,
            error.code,
            quote(&error.to_string())
        ));
    }

    /// What it used.
    pub fn used(&self, usage: &Usage) {
        self.write(&format!("{{\"event\":\"stats\",{}}}\n", usage.to_json()));
    }

    /// It has ended.
    pub fn exited(&self, outcome: &Outcome) {
        let how = match outcome.ending {
            Ending::Code(code) => format!("\"code\":{code}"),
            Ending::Signal { signal, core } => format!("\"signal\":{signal},\"core\":{core}"),
        };
        let kills = match outcome.oom_kills {
            0 => String::new(),
            count => format!(",\"oom_kills\":{count}"),
        };
        let timed_out = if outcome.timed_out { ",\"timed_out\":true" } else { "" };
        self.write(&format!("{{\"event\":\"exited\",{how}{kills}{timed_out}}}\n"));
    }

    /// EPIPE is ignored: the reader has gone. Of any other failure a line on stderr tells.
    fn write(&self, line: &str) {
        let Some(fd) = self.0 else { return };
        if let Err(errno) = log::tell(fd, line.as_bytes())
            && errno != Errno::EPIPE
        {
            let fd = fd.as_raw_fd();
            let errno = show_errno(errno);
            log::say(format_args!("warning: cannot write to --status-fd {fd}: {errno}"));
        }
    }
}

/// A process's namespaces, as the members of a JSON object.
pub struct Namespaces(String);

impl Namespaces {
    /// Reads them, except those that are yet to be made. The process must not have been reaped.
    pub fn of(proc: &Proc, number: i32, without: &[&str]) -> Namespaces {
        let entry = |name: &&str| Some(format!("\"{name}\":{}", inode(proc, number, name)?));
        let names = NAMES.iter().filter(|name| !without.contains(name));
        Namespaces(names.filter_map(entry).collect::<Vec<_>>().join(","))
    }

    /// Adds one that has been made since, unless the process has ended.
    pub fn add(&mut self, proc: &Proc, number: i32, name: &str) {
        if let Some(inode) = inode(proc, number, name) {
            self.0 += &format!(",\"{name}\":{inode}");
        }
    }
}

/// From a link such as `net:[4026531840]`.
fn inode(proc: &Proc, pid: i32, name: &str) -> Option<u64> {
    let link = proc.read_link(&format!("{pid}/ns/{name}")).ok()?;
    std::str::from_utf8(&link).ok()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}
