//! With and without a terminal of the container's own, whatever the caller has.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::ability::require;
use crate::launch::Launch;
use crate::mounts::modes;
use crate::pace;
use crate::person::Person;
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::sys::terminal;

/// A run with a pipe to type into.
fn start_piped(launch: Launch) -> (Running, std::io::PipeWriter) {
    let (read, write) = std::io::pipe().unwrap();
    (launch.option("--tty").stdin(OwnedFd::from(read)).start(), write)
}

#[test]
fn a_terminal_can_be_had_without_one() {
    let (running, pipe) = start_piped(Launch::new().probe("session"));
    let output = running.finish().code(0);
    drop(pipe);
    for line in ["controlling ok", "fd 0 terminal /dev/pts/0", "fd 1 terminal /dev/pts/0"] {
        assert!(output.stdout.contains(&format!("{line}\r\n")), "{line}\n{output}");
    }
    assert!(output.stdout.contains("fd 2 other pipe:"), "{output}");
}

#[test]
fn what_comes_through_a_pipe_is_typed() {
    let (running, mut pipe) = start_piped(Launch::new().probe("read-line"));
    running.wait_for("ready");
    pipe.write_all(b"hello\n").unwrap();
    let output = running.finish().code(0);
    assert!(output.stdout.contains("line \"hello\\n\""), "{output}");
    let (running, mut pipe) = start_piped(Launch::new().probe("sleep 1000"));
    running.wait_for("ready");
    pipe.write_all(b"\x03").unwrap();
    running.finish().code(128 + libc::SIGINT);
}

#[test]
fn the_end_of_a_pipe_is_the_end_of_the_input() {
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    for (text, shown) in [("", ""), ("a line\n", "a line\r\n"), ("half", "half")] {
        let script = "stty -echo; cat; echo end";
        let (running, mut pipe) =
            start_piped(Launch::on(&rootfs).command(["/bin/sh", "-c", script]));
        pipe.write_all(text.as_bytes()).unwrap();
        drop(pipe);
        let output = running.finish().code(0);
        assert!(output.stdout.ends_with(&format!("{shown}end\r\n")), "{text:?}: {output}");
    }
    let (read, write) = std::io::pipe().unwrap();
    drop(write);
    let launch = Launch::on(&rootfs).option("--tty").stdin(OwnedFd::from(read));
    launch.command(["/bin/sh"]).run().code(0);
}

#[test]
fn an_output_that_ends_hangs_up() {
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let launch = Launch::on(&rootfs).option("--tty").through_shell("\"$@\" | head -c 100; echo $?");
    let output = launch.command(["/bin/sh", "-c", "while echo y; do :; done"]).run().code(0);
    assert!(output.stdout.ends_with("y0\n"), "{output}");
}

#[test]
fn the_streams_can_be_had_as_they_are() {
    require!(terminals);
    let mut person = Person::new();
    let before = terminal::modes(person.terminal.as_fd()).unwrap();
    let running = person.start(Launch::new().option("--no-tty").probe("session"));
    let shown = person.sees("controlling ENXIO\r\n");
    running.finish().code(0);
    assert!(shown.contains("session 2\r\n"), "{shown}");
    let name = std::fs::read_link(format!("/proc/self/fd/{}", person.terminal.as_raw_fd()));
    let name = name.unwrap();
    for fd in 0..3 {
        let line = format!("fd {fd} terminal {}\r\n", name.display());
        assert!(shown.contains(&line), "{line}{shown}");
    }
    assert_eq!(terminal::modes(person.terminal.as_fd()).unwrap(), before);
    let both = Launch::new().option("--tty").option("--no-tty").run();
    both.fails_with(125, "--tty and --no-tty exclude each other");
}

/// Ways to put bytes into a terminal's input: TIOCSTI, the same with a bit above the kernel's 32,
/// the same once the terminal is one's own, and TIOCLINUX.
const ATTACKS: [&str; 4] = ["type", "type-high", "type-own", "paste"];

/// What is in the input of the caller's terminal when this has been typed.
fn typed(person: &mut Person) -> String {
    person.types("mark\r");
    let mut line = [0; 64];
    let count = File::from(person.terminal.try_clone().unwrap()).read(&mut line).unwrap();
    String::from_utf8_lossy(&line[..count]).into_owned()
}

#[test]
fn nothing_can_be_typed_into_the_callers_terminal() {
    require!(terminals);
    // Whoever has the terminal can, where the kernel still knows how.
    let probe = crate::subject::probe();
    for attack in &ATTACKS[..2] {
        let mut person = Person::new();
        let words = [probe.as_os_str(), "try".as_ref(), attack.as_ref()];
        person.start(Launch::init(words)).finish().code(0);
        let line = typed(&mut person);
        assert!(["xmark\n", "mark\n"].contains(&line.as_str()), "{line}");
        crate::attacks::tell(attack, "host", if line == "mark\n" { "EIO" } else { "ok" });
    }

    let ways = modes().iter().flat_map(|mode| ["--tty", "--no-tty"].map(|option| (*mode, option)));
    let ways = ways.collect::<Vec<_>>();
    for (turn, attack) in ATTACKS.into_iter().enumerate() {
        let words = format!("try {attack}");
        for (count, filter) in ["default", "none"].into_iter().enumerate() {
            for (mode, option) in pace::in_turn(&ways, turn + count) {
                let mut person = Person::new();
                let launch = Launch::new().option("--userns").arg(*mode).option(*option);
                let launch = launch.option("--seccomp").arg(filter).probe(&words);
                person.start(launch).finish().code(0);
                let what = format!("{attack} {mode} {option} {filter}");
                assert_eq!(typed(&mut person), "mark\n", "{what}");
            }
        }
        crate::attacks::tell(attack, "mode auto", "nothing typed");
        // Input alone, or standard error alone, is the caller's terminal.
        let mut person = Person::new();
        let launch = Launch::new().stdin(person.terminal.try_clone().unwrap()).probe(&words);
        launch.run().ok().prints_one_of(&["EPERM", "EIO", "ENOTTY", "ok"]);
        if attack != "type-own" {
            assert_eq!(typed(&mut person), "mark\n", "{attack}");
        }
    }
}
