//! An interactive start: the container has a terminal of its own, between it and the caller's.

use std::os::fd::AsFd;
use std::time::Duration;

use crate::ability::require;
use crate::launch::Launch;
use crate::pace;
use crate::person::Person;
use crate::rootfs::Rootfs;
use crate::sys::before::Before;
use crate::sys::terminal;

#[test]
fn command_has_a_controlling_terminal_of_the_containers_own() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("session"));
    let shown = person.sees("controlling ok");
    running.finish().code(0);
    for line in ["session 1\r\n", "group 2\r\n", "foreground 2\r\n", "fd 0 terminal /dev/pts/0\r\n"]
    {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    for line in ["fd 1 terminal /dev/pts/0\r\n", "fd 2 terminal /dev/pts/0\r\n"] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
}

#[test]
fn dev_console_is_there_too() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("try open /dev/console"));
    person.sees("ok\r\n");
    running.finish().code(0);
}

#[test]
fn exit_code_passes_through() {
    require!(terminals);
    let person = Person::new();
    person.start(Launch::new().probe("exit 9")).finish().code(9);
}

#[test]
fn what_is_typed_reaches_the_command_and_is_echoed_once() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("read-line"));
    person.sees("ready\r\n");
    person.types("hello\r");
    let shown = person.sees("line \"hello\\n\"");
    assert_eq!(shown.matches("hello").count(), 2, "one echo, one answer: {shown:?}");
    running.finish().code(0);
}

#[test]
fn everything_written_is_shown_also_at_the_end() {
    require!(terminals);
    require!(busybox);
    let mut person = Person::new();
    let rootfs = Rootfs::new().with_shell();
    let script = "for i in $(/bin/busybox seq 3000); do echo line $i; done; echo the end";
    let running = person.start(Launch::on(&rootfs).command(["/bin/sh", "-c", script]));
    let shown = person.sees("the end\r\n");
    assert_eq!(shown.lines().count(), 3001);
    assert!(shown.contains("line 2999\r\nline 3000\r\nthe end"));
    running.finish().code(0);
}

#[test]
fn ctrl_c_interrupts_the_foreground_command() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("sleep 1000"));
    person.sees("ready");
    person.types("\x03");
    running.finish().code(128 + libc::SIGINT);
}

#[test]
fn ctrl_c_interrupts_only_the_job_of_a_shell() {
    require!(terminals);
    require!(busybox);
    let mut person = Person::new();
    let rootfs = Rootfs::new().with_shell();
    let running = person.start(Launch::on(&rootfs).command(["/bin/sh", "-i"]));
    // What is typed before the terminal is handed on belongs to the caller's.
    person.sees("# ");
    person.types("/probe sleep 1000\r");
    person.sees("ready\r\n");
    person.types("\x03");
    person.types("echo co''de $?\r");
    person.sees("code 130\r\n");
    person.types("exit 5\r");
    running.finish().code(5);
}

#[test]
fn ctrl_c_comes_once() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("trap 15"));
    person.sees("ready");
    person.types("\x03");
    person.sees("signal 2 ");
    running.signal(libc::SIGTERM);
    assert!(!person.sees("signal 15 ").contains("signal 2 "));
    running.finish().code(0);
}

/// The output goes elsewhere, so the terminal is the caller's, and its Ctrl-C the launcher's.
#[test]
fn ctrl_c_of_the_callers_terminal_comes_once() {
    require!(terminals);
    let rootfs = Rootfs::new();
    for _ in 0..pace::rounds(20, 100) {
        let mut person = Person::new();
        let launch = Launch::on(&rootfs).stdin(person.terminal.try_clone().unwrap());
        let running = launch.before(Before::TakeTerminal).probe("trap 15").start();
        running.wait_for("ready");
        person.types("\x03");
        running.wait_for("signal 2 ");
        running.signal(libc::SIGTERM);
        assert_eq!(running.finish().ok().stdout.matches("signal 2 ").count(), 1);
    }
}

#[test]
fn ctrl_z_stops_the_job_of_a_shell() {
    require!(terminals);
    require!(busybox);
    let mut person = Person::new();
    let rootfs = Rootfs::new().with_shell();
    let running = person.start(Launch::on(&rootfs).command(["/bin/sh", "-i"]));
    person.types("/probe sleep 1000\r");
    person.sees("ready\r\n");
    person.types("\x1a");
    person.sees("Stopped");
    person.types("kill %1; fg; echo co''de $?\r");
    person.sees("code 143\r\n");
    person.types("exit 5\r");
    running.finish().code(5);
}

#[test]
fn ctrl_d_ends_the_input() {
    require!(terminals);
    require!(busybox);
    let mut person = Person::new();
    let rootfs = Rootfs::new().with_shell();
    let script = "echo ready; exec /bin/busybox cat";
    let running = person.start(Launch::on(&rootfs).command(["/bin/sh", "-c", script]));
    person.sees("ready\r\n");
    person.types("text\r");
    person.sees("text\r\ntext\r\n");
    person.types("\x04");
    running.finish().code(0);
}

/// Held back by the container's terminal; the caller's does not know these keys meanwhile.
#[test]
fn ctrl_s_holds_the_output_until_ctrl_q() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("read-line"));
    person.sees("ready\r\n");
    person.types("\x13hello\r");
    let pause = Duration::from_millis(300);
    let is_shown = terminal::wait_readable(person.master.as_fd(), pause).unwrap();
    assert!(!is_shown, "{:?}", person.sees("h"));
    person.types("\x11");
    person.sees("line \"hello\\n\"");
    running.finish().code(0);
}

#[test]
fn size_is_the_callers_and_follows_it() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("size 2"));
    person.sees("size 24 80\r\n");
    terminal::set_size(person.terminal.as_fd(), 40, 132).unwrap();
    person.sees("size 40 132\r\n");
    terminal::set_size(person.terminal.as_fd(), 10, 20).unwrap();
    person.sees("size 10 20\r\n");
    running.finish().code(0);
}

#[test]
fn size_is_right_from_the_start() {
    require!(terminals);
    let mut person = Person::new();
    let rootfs = Rootfs::new();
    for _ in 0..pace::rounds(50, 500) {
        let running = person.start(Launch::on(&rootfs).probe("size"));
        running.finish().code(0);
        assert_eq!(person.sees("\r\n"), "size 24 80\r\n");
    }
}

#[test]
fn modes_of_the_callers_terminal_are_restored() {
    require!(terminals);
    let mut person = Person::new();
    let before = terminal::modes(person.terminal.as_fd()).unwrap();
    for words in ["exit 0", "die 9", "die 2"] {
        person.start(Launch::new().probe(words)).finish();
        assert_eq!(terminal::modes(person.terminal.as_fd()).unwrap(), before, "{words}");
    }
    let running = person.start(Launch::new().probe("trap 15"));
    person.sees("ready");
    assert!(!terminal::is_canonical(person.terminal.as_fd()).unwrap(), "raw meanwhile");
    running.signal(libc::SIGTERM);
    running.finish().code(0);
    assert_eq!(terminal::modes(person.terminal.as_fd()).unwrap(), before);
    person.start(Launch::new().command(["/none"])).finish().code(127);
    assert_eq!(terminal::modes(person.terminal.as_fd()).unwrap(), before);
}

#[test]
fn terminal_that_hangs_up_ends_the_command() {
    require!(terminals);
    let mut person = Person::new();
    let running = person.start(Launch::new().probe("sleep 1000"));
    person.sees("ready");
    drop(person);
    let output = running.finish().code(128 + libc::SIGHUP);
    assert!(output.took < pace::patience(Duration::from_secs(5)), "{output}");
}

#[test]
fn another_user_owns_the_terminal() {
    require!(terminals);
    require!(many_ids);
    let mut person = Person::new();
    let running = person.start(Launch::new().option("--user=1000").probe("try open /dev/pts/0"));
    person.sees("ok\r\n");
    running.finish().code(0);
}

#[test]
fn output_that_goes_elsewhere_means_no_terminal() {
    require!(terminals);
    let person = Person::new();
    let launch = Launch::new().stdin(person.terminal.try_clone().unwrap());
    let output = launch.probe("session").run().ok();
    assert_eq!((output.fact("controlling"), output.fact("foreground")), ("ENXIO", "none"));
    assert_eq!(output.fact("session"), "2");
}
