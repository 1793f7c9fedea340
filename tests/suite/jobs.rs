//! The launcher as a job of an interactive shell: Ctrl-Z and fg, with a terminal of the container's own.

use std::os::fd::AsFd;

use crate::ability::require;
use crate::background::{only_child, shell, wait_until_stopped};
use crate::launch::Launch;
use crate::pace;
use crate::person::Person;
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::sys::{self, terminal};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

fn in_shell(rootfs: &Rootfs, script: &str) -> (Person, Running) {
    shell(Launch::on(rootfs).command(["/bin/sh", "-c", script]))
}

/// The shell has its terminal back, as it was.
fn sees_the_shell(person: &mut Person) {
    person.sees("Stopped");
    person.sees("sh> ");
    person.types("$BUSYBOX stty -a | $BUSYBOX grep -c ' icanon'; echo do''ne\r");
    person.sees("1\r\ndone\r\n");
    person.sees("sh> ");
}

fn leave(mut person: Person, running: Running) {
    person.sees("sh> ");
    person.types("exit 5\r");
    running.finish().code(5);
}

#[test]
fn ctrl_z_stops_a_command_that_is_no_shell_and_fg_goes_on() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    // All of its group is stopped, and asks for the terminal as soon as it goes on.
    let (mut person, running) = in_shell(&rootfs, "echo ready; cat; echo end");
    person.types("\"$@\"\r");
    person.sees("ready\r\n");
    for round in 0..pace::rounds(3, 200) {
        person.types(CTRL_Z);
        sees_the_shell(&mut person);
        person.types("fg\r");
        // Echoed, by one terminal or both, and by cat.
        person.types(&format!("round {round}\r"));
        person.sees(&format!("round {round}\r\n"));
        person.sees(&format!("round {round}\r\n"));
    }
    person.types(CTRL_C);
    person.sees("sh> ");
    person.types("echo co''de $?\r");
    person.sees("code 130\r\n");
    leave(person, running);
}

/// It puts the screen in order before it stops, and draws it again.
#[test]
fn ctrl_z_and_fg_in_an_editor() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_file("text", "alpha\n");
    let (mut person, running) = shell(Launch::on(&rootfs).command(["/bin/busybox", "vi", "/text"]));
    person.types("\"$@\"\r");
    person.sees("alpha");
    person.sees("100%");
    person.types(CTRL_Z);
    sees_the_shell(&mut person);
    person.types("fg\r");
    person.sees("alpha");
    person.sees("100%");
    person.types(":q!\r");
    leave(person, running);
}

#[test]
fn a_shell_inside_keeps_its_jobs_to_itself() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let launch = Launch::on(&rootfs).option("--env=PS1=in> ");
    let (mut person, running) = shell(launch.command(["/bin/sh", "-i"]));
    person.types("\"$@\"\r");
    person.sees("in> ");
    // At its prompt a shell ignores it.
    person.types(CTRL_Z);
    person.types("/probe sleep 1000\r");
    person.sees("ready\r\n");
    person.types(CTRL_Z);
    person.sees("Stopped");
    person.sees("in> ");
    person.types("kill %1; fg; echo co''de $?\r");
    person.sees("code 143\r\n");
    person.sees("in> ");
    person.types("exit 7\r");
    person.sees("sh> ");
    person.types("echo co''de $?\r");
    person.sees("code 7\r\n");
    leave(person, running);
}

/// As `suspend` of a shell and `:stop` of an editor do. What is of the caller's terminal may be another
/// by then.
#[test]
fn a_command_that_stops_itself_stops_the_launcher() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    for signal in ["TSTP", "STOP"] {
        let script = format!("trap 'echo con''tinued' CONT; kill -{signal} $$; stty size");
        let (mut person, running) = in_shell(&rootfs, &script);
        person.types("\"$@\"\r");
        sees_the_shell(&mut person);
        terminal::set_size(person.terminal.as_fd(), 40, 132).unwrap();
        person.types("fg\r");
        let shown = person.sees("40 132\r\n");
        assert_eq!(shown.matches("continued").count(), 1, "{signal}: {shown}");
        leave(person, running);
    }
}

#[test]
fn kill_tstp_of_the_launcher_stops_the_command_too() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let script = "echo ready; while read word; do echo got $word; done";
    let (mut person, running) = in_shell(&rootfs, script);
    person.types("\"$@\"\r");
    person.sees("ready\r\n");
    for round in 0..pace::rounds(3, 100) {
        sys::kill(only_child(&running), libc::SIGTSTP).unwrap();
        sees_the_shell(&mut person);
        person.types("fg\r");
        person.types(&format!("{round}\r"));
        person.sees(&format!("got {round}\r\n"));
    }
    person.types(CTRL_Z);
    sees_the_shell(&mut person);
    person.types("kill %1; fg; echo co''de $?\r");
    person.sees("code 143\r\n");
    leave(person, running);
}

/// Where nobody could continue it the kernel drops what Ctrl-Z sends.
#[test]
fn ctrl_z_without_a_shell_does_nothing() {
    require!(terminals);
    for option in ["--tty", "--no-tty"] {
        let mut person = Person::new();
        let running = person.start(Launch::new().option(option).probe("read-line"));
        person.sees("ready\r\n");
        for _ in 0..pace::rounds(3, 100) {
            person.types(CTRL_Z);
            person.sees("^Z");
        }
        person.types("hello\r");
        person.sees("line \"hello\\n\"");
        running.finish().code(0);
    }
}

#[test]
fn in_the_background_it_stops_rather_than_write_where_that_is_not_wanted() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let (mut person, running) = in_shell(&rootfs, "echo it is sho''wn");
    person.types("$BUSYBOX stty tostop; \"$@\" &\r");
    wait_until_stopped(&running, "launcher");
    person.types("echo sh''ell $((6 * 7))\r");
    let shown = person.sees("shell 42");
    assert!(!shown.contains("is shown"), "{shown}");
    person.types("fg\r");
    person.sees("it is shown");
    leave(person, running);
}
