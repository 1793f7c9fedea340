//! How much memory a plain start of init's touches: one page of its image, and of its stack at most
//! one that the kernel has not filled.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use crate::ability::require;
use crate::init_behaviours::init_of;
use crate::launch::Launch;
use crate::pace::rounds;
use crate::running::Running;
use crate::subject;
use crate::sys::before::Before;
use crate::sys::first::First;
use crate::sys::terminal;

const PAGE: u64 = 4096;

/// A line to a shell that is about to execute init with these words.
fn about_to_start(words: &[&str], pid_one: bool) -> (Running, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let running = through_gate(words, pid_one).stdin(reader).start();
    running.wait_for("waiting");
    (running, OwnedFd::from(writer).into())
}

/// The same on a terminal, whose other end is what is returned.
fn about_to_start_on_terminal(words: &[&str], pid_one: bool) -> (Running, File) {
    let (master, slave) = terminal::open().unwrap();
    let running = through_gate(words, pid_one).start_on(&slave);
    let (mut master, mut shown) = (File::from(master), Vec::new());
    while !String::from_utf8_lossy(&shown).contains("waiting") {
        let mut some = [0; 64];
        let count = master.read(&mut some).unwrap();
        shown.extend_from_slice(&some[..count]);
    }
    (running, master)
}

fn through_gate(words: &[&str], pid_one: bool) -> Launch {
    let folder = subject::probe().parent().unwrap().to_string_lossy().into_owned();
    // A long one would be another page of stack, and the code for it another of the image.
    let path = format!("{folder}:/usr/bin:/bin");
    let launch = Launch::init(words.iter().copied()).variable("PATH", path);
    let launch = launch.through_shell("echo waiting; read -r _; exec \"$@\"");
    if pid_one { launch.before(Before::PidOne) } else { launch }
}

/// The mappings of a process: the first line of each, and its bytes that this process alone has
/// written.
fn mappings(pid: i32) -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = Vec::new();
    for line in fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap().lines() {
        match line.split_once(':') {
            Some(("Private_Dirty", size)) => {
                let size = size.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
                found.last_mut().unwrap().1 = size * 1024;
            }
            Some((name, _)) if !name.contains(' ') => {}
            _ => found.push((line.to_string(), 0)),
        }
    }
    found
}

/// The bytes of the stack that are written, and that there is no other writable memory.
fn stack(mappings: &[(String, u64)]) -> u64 {
    let mut writable = mappings.iter().filter(|found| found.0.contains(" rw"));
    let stack = writable.next().unwrap();
    assert!(stack.0.ends_with("[stack]") && writable.next().is_none(), "{mappings:?}");
    stack.1
}

/// The exit code of an init that has no more of its image than one page.
fn code_with_one_page((running, mut writer): (Running, File)) -> Option<i32> {
    let pid = init_of(&running);
    let first = First::after(pid, || writer.write_all(b"\n").unwrap()).unwrap();
    let image = mappings(pid).remove(0).0;
    let (start, end) = image.split_once(' ').unwrap().0.split_once('-').unwrap();
    let address = |text| u64::from_str_radix(text, 16).unwrap();
    let (start, end) = (address(start), address(end));
    let one = start..start + PAGE;
    assert!(image.contains(" r-xp ") && one.contains(&first.next().unwrap()), "{image}");
    first.unmap(one.end..end).unwrap();
    drop(first);
    running.finish().status.code()
}

#[test]
fn a_plain_start_needs_one_page_of_the_image() {
    require!(busybox);
    let probe = subject::probe().to_string_lossy().into_owned();
    for pid_one in [true, false] {
        for words in [
            &[&*probe, "exit", "7"][..],
            &["--", &*probe, "exit", "7"],
            &["probe", "exit", "7"],
            // It waits, and reaps an orphan beside the command.
            &["--", "sh", "-c", "(sleep 0.1 & exit) ; sleep 0.2; exit 7"],
        ] {
            for start in [about_to_start, about_to_start_on_terminal] {
                let code = code_with_one_page(start(words, pid_one));
                assert_eq!(code, Some(7), "{words:?} {pid_one}");
            }
        }
        // The others are really gone.
        let words = ["-g", &*probe, "exit", "7"];
        assert_ne!(code_with_one_page(about_to_start(&words, pid_one)), Some(7), "{pid_one}");
    }
}

#[test]
fn a_plain_start_writes_to_at_most_one_page_that_the_kernel_has_not() {
    require!(busybox);
    for round in 0..rounds(40, 1000) {
        let (running, mut writer) = about_to_start(&["--", "probe", "trap", "12"], round % 2 == 0);
        let pid = init_of(&running);
        let first = First::after(pid, || writer.write_all(b"\n").unwrap()).unwrap();
        let before = mappings(pid);
        drop(first);
        running.wait_for("ready");
        // Not as in vfork(2), which is D.
        while !fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") S ") {
            thread::sleep(Duration::from_millis(1));
        }
        let after = mappings(pid);
        let more = stack(&after) - stack(&before);
        println!("{} bytes, and {more}", stack(&before));
        assert!(more <= PAGE, "{before:?} {after:?}");
        crate::sys::kill(pid, 12).unwrap();
        running.finish().code(0);
    }
}
