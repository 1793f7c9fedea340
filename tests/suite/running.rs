//! A program that runs, and what it has printed so far.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::output::Output;
use crate::pace::patience;
use crate::rootfs::{FORKING, Rootfs};
use crate::{subject, sys};

/// No test waits longer for anything.
pub fn limit() -> Duration {
    patience(Duration::from_secs(20))
}

/// A started program. It is killed when the value is dropped.
pub struct Running {
    child: Child,
    shown: String,
    stdout: Stream,
    stderr: Stream,
    started: Instant,
    /// Made for this run, and removed after it.
    _rootfs: Option<Rootfs>,
    /// The image that it runs on.
    image: Option<PathBuf>,
}

/// What comes out of a pipe, read by a thread.
#[derive(Clone, Default)]
struct Stream(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

/// The mounts of the machine: no start changes them, while it runs or afterwards. Without the last
/// field, which is the file system's and the same in all namespaces: others may change that.
fn mounts() -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let without_last = |line: &str| Some(line.rsplit_once(' ')?.0.to_owned() + "\n");
    table.lines().filter_map(without_last).collect()
}

/// What they are before the first start. This namespace is the suite's own (`xtask/src/test.rs`), so
/// nobody else changes them either.
fn mounts_before() -> &'static str {
    static BEFORE: OnceLock<String> = OnceLock::new();
    BEFORE.get_or_init(mounts)
}

/// As losetup -a would show it. A loop device outlives its mount for a moment, and others may run on
/// the same image.
#[track_caller]
fn expect_no_loop_device_of(image: &Path) {
    let deadline = Instant::now() + limit();
    while has_loop_device(image) {
        assert!(Instant::now() < deadline, "a loop device is left of {}", image.display());
        thread::sleep(Duration::from_millis(1));
    }
}

fn has_loop_device(image: &Path) -> bool {
    let path = fs::canonicalize(image).unwrap();
    let devices = fs::read_dir("/sys/block").unwrap().flatten();
    let backing =
        devices.filter_map(|d| fs::read_to_string(d.path().join("loop/backing_file")).ok());
    backing.into_iter().any(|file| file.trim_end() == path.to_str().unwrap())
}

impl Running {
    #[track_caller]
    pub fn start(mut command: Command, shown: String, rootfs: Option<Rootfs>) -> Running {
        mounts_before();
        let image = command.get_args().map(PathBuf::from).find(|word| subject::is_image(word));
        let started = Instant::now();
        let forking = FORKING.read();
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        drop(forking);
        let stdout = child.stdout.take().map_or_else(Stream::ended, Stream::read);
        let stderr = child.stderr.take().map_or_else(Stream::ended, Stream::read);
        Running { child, shown, stdout, stderr, started, _rootfs: rootfs, image }
    }

    /// The pid of the program itself.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: i32) {
        sys::kill(self.pid(), signal).unwrap_or_else(|error| panic!("{signal}: {error}"));
    }

    /// Waits until it has printed this; everything printed so far.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + limit();
        let is_there = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        if !self.stdout.wait(deadline, |bytes, _| is_there(bytes)) {
            panic!("{text:?} was not printed in time\n{}", self.report());
        }
        self.stdout.text()
    }

    /// Everything printed so far.
    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// Whether it has ended, and how.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end and the end of its output.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let deadline = Instant::now() + limit();
        let ended = self.stdout.wait(deadline, |_, ended| ended);
        let ended = ended && self.stderr.wait(deadline, |_, ended| ended);
        if !ended {
            panic!("output did not end in {:?}\n{}", limit(), self.report());
        }
        let status = loop {
            match self.try_wait() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    panic!("did not end in {:?}\n{}", limit(), self.report());
                }
                None => thread::sleep(Duration::from_micros(300)),
            }
        };
        assert_eq!(mounts(), mounts_before(), "mounts of the machine\n{}", self.report());
        if let Some(image) = &self.image {
            expect_no_loop_device_of(image);
        }
        Output {
            status,
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            took: self.started.elapsed(),
            shown: self.shown.clone(),
        }
    }

    fn report(&self) -> String {
        let (out, err) = (self.stdout.text(), self.stderr.text());
        format!("--- {}\n--- stdout\n{out}\n--- stderr\n{err}", self.shown)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An init that is not PID 1 does not take its command along when it is killed.
        let below = match self.child.try_wait() {
            Ok(None) => descendants(self.pid()),
            _ => Vec::new(),
        };
        // Both fail if it has ended and been waited for, which is as well.
        self.child.kill().ok();
        self.child.wait().ok();
        for pid in below {
            sys::kill(pid, libc::SIGKILL).ok();
        }
    }
}

/// The children of a process, and theirs.
fn descendants(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let list = fs::read_to_string(path).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|word| word.parse::<i32>().ok()));
        at += 1;
    }
    found.split_off(1)
}

impl Stream {
    fn ended() -> Stream {
        let stream = Stream::default();
        stream.state().ended = true;
        stream
    }

    fn read(mut from: impl Read + Send + 'static) -> Stream {
        let stream = Stream::default();
        let writer = stream.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut state = writer.state();
                state.bytes.extend_from_slice(&buffer[..count]);
                state.ended = count == 0;
                writer.0.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        stream
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.state().bytes).into_owned()
    }

    /// Waits for something to be true of the bytes so far and whether they have ended.
    fn wait(&self, deadline: Instant, is_true: impl Fn(&[u8], bool) -> bool) -> bool {
        let mut state = self.state();
        while !is_true(&state.bytes, state.ended) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap().0;
        }
        true
    }
}
