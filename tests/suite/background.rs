//! A start in the background of an interactive shell, and a terminal that goes away.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use crate::ability::require;
use crate::launch::Launch;
use crate::pace::patience;
use crate::person::Person;
use crate::rootfs::{Rootfs, temporary_path};
use crate::running::{Running, limit};
use crate::subject;
use crate::sys::before::Before;

/// A shell with job control, whose `$@` is the launcher and its words.
pub fn shell(launch: Launch) -> (Person, Running) {
    let mut person = Person::new();
    let busybox = subject::rootfs().join("bin/busybox");
    let launch = launch.variable("BUSYBOX", busybox).variable("PS1", "sh> ");
    let running = person.start(launch.through_shell("exec \"$BUSYBOX\" sh -i -s \"$@\""));
    person.sees("sh> ");
    (person, running)
}

/// Waits until the shell's child of that name is stopped.
pub fn wait_until_stopped(shell: &Running, name: &str) {
    let deadline = Instant::now() + limit();
    let children = format!("/proc/{0}/task/{0}/children", shell.pid());
    let is_stopped = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.contains(&format!("({name}) T"))
    };
    while !fs::read_to_string(&children).unwrap().split_whitespace().any(is_stopped) {
        assert!(Instant::now() < deadline, "{name} was not stopped");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The shell's child.
pub fn only_child(shell: &Running) -> i32 {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", shell.pid()));
    children.unwrap().trim().parse().unwrap()
}

/// What is typed is the shell's; the launcher, which would have read it, stops (as by SIGTTIN).
#[test]
fn in_the_background_it_stops_rather_than_take_what_is_typed() {
    require!(terminals);
    require!(busybox);
    for option in ["--hostname=x", "--tty"] {
        let wait = temporary_path("wait");
        crate::sys::make_fifo(&wait).unwrap();
        let launch = Launch::new().option(option).variable("WAIT", &wait).probe("read-line");
        let (mut person, running) = shell(launch);
        person.types("\"$@\" &\r");
        person.sees("ready");
        // While the shell has no eye on the terminal.
        person.types("$BUSYBOX cat $WAIT\r");
        let other_end = File::options().write(true).open(&wait).unwrap();
        person.types("echo sh''ell $((6 * 7))\r");
        wait_until_stopped(&running, "launcher");
        drop(other_end);
        person.sees("shell 42");
        person.sees("sh> ");
        person.types("fg\r");
        person.types("hello\r");
        person.sees("line \"hello\\n\"");
        person.sees("sh> ");
        person.types("exit 5\r");
        running.finish().code(5);
        fs::remove_file(wait).unwrap();
    }
}

/// A shell's line editor has the terminal by then, and has its own idea of it.
#[test]
fn in_the_background_its_terminal_is_as_a_new_one() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let launch = Launch::on(&rootfs).command(["sh", "-c", "stty -a; echo do''ne"]);
    let (mut person, running) = shell(launch);
    person.types("$BUSYBOX stty -icanon -echo -icrnl erase ^H; \"$@\" & wait\r");
    let shown = person.sees("done");
    let modes = shown.split_whitespace().collect::<Vec<_>>();
    for mode in ["icanon", "echo", "icrnl", "isig"] {
        assert!(modes.contains(&mode), "{mode}: {shown}");
    }
    assert!(shown.contains("erase = ^H"), "{shown}");
    person.sees("sh> ");
    person.types("exit 5\r");
    running.finish().code(5);
}

/// Without a terminal of its own a command reads nothing there: in a session of its own it would
/// not be stopped.
#[test]
fn in_the_background_without_a_terminal_it_reads_nothing() {
    require!(terminals);
    require!(busybox);
    let (mut person, running) = shell(Launch::new().option("--no-tty").probe("read-line"));
    person.types("\"$@\" &\r");
    person.sees("line \"\"");
    person.types("exit 5\r");
    running.finish().code(5);
}

#[test]
fn in_the_background_it_shows_and_ends_as_ever() {
    require!(terminals);
    require!(busybox);
    let (mut person, running) = shell(Launch::new().probe("exit 7"));
    person.types("\"$@\" & wait $!; echo co''de $?\r");
    person.sees("code 7");
    person.types("exit 5\r");
    running.finish().code(5);
}

#[test]
fn a_terminal_that_is_gone_ends_also_what_ignores_that() {
    require!(terminals);
    let mut person = Person::new();
    let launch = Launch::new().option("--grace=0.3").before(Before::Ignore(libc::SIGHUP));
    let running = person.start(launch.probe("sleep 1000"));
    person.sees("ready");
    let began = Instant::now();
    drop(person);
    let output = running.finish().code(128 + libc::SIGKILL);
    assert!(began.elapsed() >= Duration::from_millis(300), "{output}");
    assert!(began.elapsed() < patience(Duration::from_secs(8)), "{output}");
}

/// As in an emulator of a terminal that is closed: the shell is told, and so is the launcher.
#[test]
fn a_terminal_that_is_closed_ends_the_container_under_a_shell() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new();
    let (mut person, running) = shell(Launch::on(&rootfs).option("--grace=1").probe("sleep 1000"));
    person.types("\"$@\"\r");
    person.sees("ready");
    let launcher = only_child(&running);
    drop(person);
    running.finish();
    let deadline = Instant::now() + limit();
    while fs::exists(format!("/proc/{launcher}")).unwrap() {
        assert!(Instant::now() < deadline, "the launcher goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
}
