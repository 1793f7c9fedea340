//! What an init has to do, as a list: run against ours under each of its names, and against the
//! programs whose place it takes, so that a wrong test shows. The list is the README's table.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::own_name;
use crate::init_subject::{self as subject, Init, NAMES, PEERS};
use crate::pace::{self, patience};
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::sys::{self, before::Before};

type Check = fn(&Init) -> Result<(), String>;

/// A behaviour, and who of tini, dumb-init and catatonit shows it (t, d, c), in the versions that
/// Debian 12 has.
struct Behaviour(&'static str, &'static str, Check);

const BEHAVIOURS: &[Behaviour] = &[
    Behaviour("exit code, and 128 plus the signal", "tdc", codes),
    Behaviour("127 for a missing command, 126 for one that is none", "t", missing),
    Behaviour("126 for a binary of no known kind", "", foreign_binary),
    Behaviour("the error names the file, on stderr", "td", names_the_file),
    Behaviour("the command's own options are left alone", "d", options_end),
    Behaviour("signals are forwarded", "tdc", forwards),
    Behaviour("real-time signals are forwarded, 34 to 64", "tdc", forwards_real_time),
    Behaviour("… and the C library's own 32 and 33", "", forwards_the_librarys),
    Behaviour("SIGSEGV and its like are forwarded when sent", "d", forwards_sent_faults),
    Behaviour("sigqueue values arrive", "", payload),
    Behaviour("1 000 queued signals arrive in order", "", order),
    Behaviour("a caller that ignores SIGCHLD hides nothing", "d", ignored_sigchld),
    Behaviour("the command has its caller's mask", "t", callers_mask),
    Behaviour("the command has its caller's ignored signals", "tc", callers_ignores),
    Behaviour("closed standard descriptors", "dc", closed_stdio),
    Behaviour("orphans are reaped", "tdc", reaps),
    Behaviour("orphans are reaped when it is not PID 1", "tc", subreaper),
    Behaviour("a stopped command goes on by SIGCONT", "tdc", stops),
    Behaviour("pins no descriptor of its caller's", "", pins_no_descriptor),
    Behaviour("pins no directory of its caller's", "d", pins_no_directory),
    Behaviour("LISTEN_PID is the command's", "c", listen_pid),
    Behaviour("no wake-ups when idle", "dc", idle),
];

/// What is wrong, unless it is so.
fn expect(condition: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(what()) }
}

#[allow(clippy::needless_pass_by_value, reason = "what is compared is made on the spot")]
fn equal<T: PartialEq + std::fmt::Debug>(got: T, wanted: T) -> Result<(), String> {
    expect(got == wanted, || format!("{got:?} instead of {wanted:?}"))
}

/// init's own pid, when it is PID 1: the child of the process that was started.
pub fn init_of(running: &Running) -> i32 {
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(running.pid())
}

fn trap(init: &Init, until: i32) -> (Running, i32) {
    let running = init.probe(&format!("trap {until}")).pid_one().start();
    running.wait_for("ready");
    let pid = init_of(&running);
    (running, pid)
}

/// Whether this is printed soon; a test that has to fail somewhere cannot take its whole limit.
fn prints(running: &Running, text: &str) -> Result<(), String> {
    let deadline = Instant::now() + patience(Duration::from_secs(2));
    while Instant::now() < deadline {
        if running.printed().contains(text) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(format!("no {text:?} in {:?}", running.printed()))
}

fn codes(init: &Init) -> Result<(), String> {
    for (words, code) in [("exit 0", 0), ("exit 7", 7), ("die 9", 137), ("die 15", 143)] {
        equal(init.probe(words).pid_one().code(), Some(code))?;
        equal(init.probe(words).code(), Some(code))?;
    }
    Ok(())
}

/// Two of the names have codes of their own, and are measured by those.
fn missing(init: &Init) -> Result<(), String> {
    let codes = match (init.is_ours, init.name) {
        (true, "dumb-init") => [2, 2],
        (true, "catatonit") => [1, 1],
        _ => [127, 126],
    };
    let got = ["/none", "/etc/passwd"].map(|path| init.run(&["--", path]).code());
    equal(got, codes.map(Some))
}

fn foreign_binary(init: &Init) -> Result<(), String> {
    let code = match init.name {
        "dumb-init" => 2,
        "catatonit" => 1,
        _ => 126,
    };
    let folder = Rootfs::new();
    folder.add_script("binary", b"\x7fELF\0\0\0\0");
    let path = folder.inside("binary").to_string_lossy().into_owned();
    equal(init.run(&["--", &path]).code(), Some(code))
}

fn names_the_file(init: &Init) -> Result<(), String> {
    let output = init.run(&["--", "/none"]).start().finish();
    expect(output.stderr.contains("/none") && output.stdout.is_empty(), || output.to_string())
}

fn options_end(init: &Init) -> Result<(), String> {
    let output = init.probe("args -v --version -x").pid_one().start().finish();
    equal(output.lines(), vec!["\"-v\"", "\"--version\"", "\"-x\""])
}

fn forwards(init: &Init) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    for signal in [1, 2, 3, 10, 13, 14, 15, 16, 18, 23, 24, 25, 26, 27, 28, 29, 30] {
        sys::kill(pid, signal).map_err(|error| error.to_string())?;
        prints(&running, &format!("signal {signal} "))?;
    }
    sys::kill(pid, 12).map_err(|error| error.to_string())?;
    equal(running.finish().status.code(), Some(0))
}

fn forwards_all(init: &Init, signals: impl Iterator<Item = i32>) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    for signal in signals {
        sys::kill(pid, signal).map_err(|error| error.to_string())?;
        prints(&running, &format!("signal {signal} "))?;
    }
    Ok(())
}

fn forwards_real_time(init: &Init) -> Result<(), String> {
    forwards_all(init, 34..=64)
}

fn forwards_the_librarys(init: &Init) -> Result<(), String> {
    forwards_all(init, 32..=33)
}

fn forwards_sent_faults(init: &Init) -> Result<(), String> {
    forwards_all(init, [4, 5, 6, 7, 8, 11, 31].into_iter())
}

fn payload(init: &Init) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    sys::queue(pid, 40, 0x1234_5678).map_err(|error| error.to_string())?;
    prints(&running, "signal 40 code -1 value 0x12345678")
}

fn order(init: &Init) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    for value in 0..1000 {
        sys::queue(pid, 34, value).map_err(|error| error.to_string())?;
    }
    prints(&running, "value 0x3e7\n")?;
    let text = running.printed();
    let wanted = (0..1000).map(|value| format!("signal 34 code -1 value {value:#x}"));
    equal(
        text.lines().skip(1).collect::<Vec<_>>(),
        wanted.collect::<Vec<_>>().iter().map(String::as_str).collect(),
    )
}

fn ignored_sigchld(init: &Init) -> Result<(), String> {
    let run = init.probe("exit 7").before(Before::Ignore(libc::SIGCHLD));
    equal(run.code(), Some(7))
}

fn callers_mask(init: &Init) -> Result<(), String> {
    let mask = 1 << (libc::SIGUSR2 - 1) | 1 << (libc::SIGTSTP - 1) | 1 << 40;
    let run = init.probe("status SigBlk").before(Before::Block(mask));
    let output = run.start().finish();
    equal(output.fact("SigBlk"), &format!("{mask:016x}"))
}

fn callers_ignores(init: &Init) -> Result<(), String> {
    let signals = [libc::SIGHUP, libc::SIGUSR2, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    let run = signals
        .iter()
        .fold(init.probe("status SigIgn"), |run, &signal| run.before(Before::Ignore(signal)));
    let ignored = signals.iter().fold(0u64, |set, signal| set | 1 << (signal - 1));
    let output = run.start().finish();
    equal(output.fact("SigIgn"), &format!("{ignored:016x}"))
}

fn closed_stdio(init: &Init) -> Result<(), String> {
    let run = init.probe("exit 7").pid_one();
    let run = (0..3).fold(run, |run, fd| run.before(Before::Close(fd)));
    equal(run.code(), Some(7))
}

fn reaps(init: &Init) -> Result<(), String> {
    let proc = Before::mount("proc".as_ref(), "/proc".as_ref()).unwrap();
    let output = init.probe("zombies 300").pid_one().before(proc).start().finish();
    equal((output.fact("zombies"), output.fact("processes")), ("0", "2"))
}

fn subreaper(init: &Init) -> Result<(), String> {
    let output = init.probe("adopted").start().finish();
    let name = output.fact("parent");
    expect(init.name.starts_with(name) || name == init.name, || output.to_string())
}

fn stops(init: &Init) -> Result<(), String> {
    let running = init.probe("stop").pid_one().start();
    prints(&running, "stopping")?;
    thread::sleep(patience(Duration::from_millis(20)));
    sys::kill(init_of(&running), libc::SIGCONT).map_err(|error| error.to_string())?;
    prints(&running, "continued")?;
    equal(running.finish().status.code(), Some(0))
}

fn pins_no_descriptor(init: &Init) -> Result<(), String> {
    let root = fs::File::open("/").unwrap();
    let run = init.probe("sleep 1000").before(Before::Descriptor(root.into(), 7));
    let running = run.start();
    prints(&running, "ready")?;
    let mut open = Vec::new();
    let deadline = Instant::now() + patience(Duration::from_millis(300));
    while Instant::now() < deadline {
        open = fs::read_dir(format!("/proc/{}/fd", running.pid()))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| !["0", "1", "2"].contains(&&*name.to_string_lossy()))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
    }
    Err(format!("{open:?} are open"))
}

fn pins_no_directory(init: &Init) -> Result<(), String> {
    let running = init.probe("sleep 1000").start();
    prints(&running, "ready")?;
    thread::sleep(patience(Duration::from_millis(20)));
    let directory = fs::read_link(format!("/proc/{}/cwd", running.pid())).unwrap();
    equal(directory.to_string_lossy().as_ref(), "/")
}

fn listen_pid(init: &Init) -> Result<(), String> {
    let run = init.probe("env").variable("LISTEN_PID", "1").variable("LISTEN_FDS", "1");
    let output = run.pid_one().start().finish();
    expect(output.lines().contains(&"LISTEN_PID=2"), || output.to_string())?;
    // What is for somebody else stays so.
    let run = init.probe("env").variable("LISTEN_PID", "777").pid_one();
    let output = run.start().finish();
    expect(output.lines().contains(&"LISTEN_PID=777"), || output.to_string())
}

fn idle(init: &Init) -> Result<(), String> {
    let running = init.probe("sleep 1000").start();
    prints(&running, "ready")?;
    let switches = || {
        let path = format!("/proc/{}/status", running.pid());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
        line.to_owned()
    };
    thread::sleep(patience(Duration::from_millis(100)));
    let before = switches();
    thread::sleep(Duration::from_millis(2100));
    equal(switches(), before)
}

#[test]
fn ours_shows_every_behaviour_under_every_name() {
    let mut faults = Vec::new();
    for name in pace::sample(NAMES) {
        let init = subject::ours(name);
        for Behaviour(what, _, check) in BEHAVIOURS {
            if let Err(fault) = check(&init) {
                faults.push(format!("{name}: {what}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_others_show_what_the_table_says() {
    // The ones that hang take all the patience there is, and the table is about hardware.
    if pace::slowness() > 1 {
        println!("N/A {}: for a machine that is not slow", own_name!());
        return;
    }
    let mut faults = Vec::new();
    for name in PEERS {
        let Some(init) = subject::peer(name) else {
            println!("SKIP {}: no {name} on PATH", own_name!());
            continue;
        };
        for Behaviour(what, who, check) in BEHAVIOURS {
            // What it prints may not have the facts at all.
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| check(&init)))
                .unwrap_or_else(|_| Err("no such facts".into()));
            let outcome = outcome.map_err(|fault| fault.chars().take(150).collect::<String>());
            println!("{name}: {what}: {outcome:?}");
            if who.contains(&name[..1]) != outcome.is_ok() {
                faults.push(format!("{name}: {what}: {outcome:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
