//! What an init has to do, as a list: run against ours under each of its names, and against the
//! programs whose place it takes, so that a wrong test shows. The list is the README's table.

pub mod caller;
mod children;
mod ends;
mod moments;
mod signals;

use std::fs;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::own_name;
use crate::init_subject::{self as subject, Init, NAMES, PEERS};
use crate::pace::{self, patience};
use crate::running::Running;

type Check = fn(&Init) -> Result<(), String>;

/// A behaviour, and who of tini, dumb-init and catatonit shows it (t, d, c), in the versions that
/// Debian 12 has; and ours for 64-bit ARM in an emulator of user space (e).
struct Behaviour(&'static str, &'static str, Check);

const BEHAVIOURS: &[Behaviour] = &[
    Behaviour("exit code, and 128 plus the signal", "tdce", ends::codes),
    Behaviour("127 for a missing command, 126 for one that is none", "t", ends::missing),
    Behaviour("126 for a binary of no known kind", "", ends::foreign_binary),
    Behaviour("the error names the file, on stderr", "td", ends::names_the_file),
    Behaviour("the command's own options are left alone", "de", ends::options_end),
    Behaviour("signals are forwarded", "tdce", signals::forwards),
    Behaviour("real-time signals are forwarded, 34 to 64", "tdce", signals::forwards_real_time),
    Behaviour("… and the C library's own 32 and 33", "", signals::forwards_the_librarys),
    Behaviour("SIGSEGV and its like are forwarded when sent", "de", signals::forwards_sent_faults),
    Behaviour("sigqueue values arrive", "e", signals::payload),
    Behaviour("1 000 queued signals arrive in order", "e", signals::order),
    Behaviour("a caller that ignores SIGCHLD hides nothing", "de", caller::ignored_sigchld),
    Behaviour("the command has its caller's mask", "te", caller::callers_mask),
    Behaviour("the command has its caller's ignored signals", "tc", caller::callers_ignores),
    Behaviour("closed standard descriptors", "dce", caller::closed_stdio),
    Behaviour("orphans are reaped", "tdce", children::reaps),
    Behaviour("orphans are reaped when it is not PID 1", "tc", children::subreaper),
    Behaviour("an orphan that it has to trace goes on", "", children::traced),
    Behaviour("a stopped command goes on by SIGCONT", "tdce", signals::stops),
    Behaviour("pins no descriptor of its caller's", "e", caller::pins_no_descriptor),
    Behaviour("pins no directory of its caller's", "de", caller::pins_no_directory),
    Behaviour("LISTEN_PID is the command's", "ce", caller::listen_pid),
    Behaviour("no wake-ups when idle", "dce", children::idle),
    Behaviour("SIGTERM 0 to 5 ms after its start is not lost", "tce", moments::early_end),
    Behaviour("a blocked SIGTERM from before PID 1 runs arrives", "tce", moments::pending_end),
    Behaviour("the code is the command's when an orphan ends with it", "tdce", moments::two_ends),
    Behaviour("Ctrl-Z and fg as a job of a shell", "e", moments::job),
    Behaviour("an interactive shell in it controls its jobs", "tde", moments::shell),
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

/// Whether it shows the behaviour, and a line about that.
fn shown(Behaviour(what, _, check): &Behaviour, init: &Init, letter: char) -> (bool, String) {
    // What it prints may not have the facts at all.
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| check(init)))
        .unwrap_or_else(|_| Err("no such facts".into()));
    let outcome = outcome.map_err(|fault| fault.chars().take(150).collect::<String>());
    (outcome.is_ok(), format!("{letter}: {what}: {outcome:?}"))
}

/// What does not come out as the list has it for this letter.
fn deviations(init: &Init, letter: char) -> Vec<String> {
    let mut found = Vec::new();
    for behaviour in BEHAVIOURS {
        // Some are races that it loses most of the time, or waits that are too short for it on a busy
        // machine: what deviates does so three times.
        let mut deviation = None;
        for _ in 0..3 {
            let (is_shown, line) = shown(behaviour, init, letter);
            println!("{line}");
            deviation = (behaviour.1.contains(letter) != is_shown).then_some(line);
            if deviation.is_none() {
                break;
            }
        }
        found.extend(deviation);
    }
    found
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
        match subject::peer(name) {
            Some(init) => faults.extend(deviations(&init, name.chars().next().unwrap())),
            None => println!("SKIP {}: no {name} on PATH", own_name!()),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What the emulator cannot show, and how it then fails: it makes a fork of vfork(2), so that no
/// failure of execve(2) is seen; it keeps signals for itself; it knows neither subreapers nor tracing.
/// Another one may do more, but not fail otherwise.
const EMULATORS: [(&str, &str); 7] = [
    ("127 for a missing", "[Some(125), Some(125)] instead of"),
    ("126 for a binary", "Some(125) instead of"),
    ("the error names the file", "exit status: 125"),
    ("… and the C library's", "no \"signal 32 \" in"),
    ("the command has its caller's ignored", "380000\" instead of"),
    ("orphans are reaped when it is not PID 1", "exit status: 0"),
    ("an orphan that it has to trace", "no \"went on\""),
];

#[test]
fn program_for_64_bit_arm_shows_what_its_emulator_can() {
    if std::env::var_os("INIT_AARCH64").is_none() {
        println!("N/A {}: no init for aarch64", own_name!());
        return;
    }
    let Some(init) = subject::for_arm() else {
        assert!(std::env::var_os("CI").is_none(), "no qemu-aarch64-static");
        println!("SKIP {}: no qemu-aarch64-static", own_name!());
        return;
    };
    assert!(init.run(&["--version"]).start().finish().stdout.starts_with("tini version "));
    let mut faults = deviations(&init, 'e');
    faults.retain(|line| line.contains("Err("));
    for behaviour in BEHAVIOURS.iter().filter(|Behaviour(_, who, _)| !who.contains('e')) {
        let (is_shown, line) = shown(behaviour, &init, 'e');
        let reason = EMULATORS.iter().find(|(what, _)| behaviour.0.starts_with(what));
        let (_, how) = reason.unwrap_or_else(|| panic!("{}: why not?", behaviour.0));
        if !is_shown && !line.replace("\\\"", "\"").contains(how) {
            faults.push(line);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
