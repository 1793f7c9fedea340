//! The terminal under load: much through it, many new sizes, and launchers that are killed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::require;
use crate::launch::Launch;
use crate::pace;
use crate::person::Person;
use crate::rootfs::Rootfs;
use crate::running::limit;
use crate::sys::before::Before;
use crate::sys::{self, terminal};

/// Bytes of every value, so that each that is not passed on unchanged is missed.
struct Noise(u64);

impl Noise {
    /// xorshift64 (Marsaglia).
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.next());
    }
}

#[test]
fn bytes_pass_unchanged_in_both_directions_at_once() {
    require!(terminals);
    require!(busybox);
    let megabytes = pace::rounds(2, 100);
    let total = megabytes as usize * 1_000_000;
    let rootfs = Rootfs::new().with_shell();
    let script = format!("stty raw -echo; echo ready; head -c {total}");
    let mut person = Person::new();
    let running = person.start(Launch::on(&rootfs).command(["/bin/sh", "-c", &script]));
    person.sees("ready\n");
    let began = Instant::now();
    let mut keyboard: File = person.master.try_clone().unwrap();
    let typing = thread::spawn(move || {
        let (mut noise, mut block) = (Noise(1), [0; 1000]);
        for _ in 0..total / block.len() {
            noise.fill(&mut block);
            keyboard.write_all(&block).unwrap();
        }
    });
    let (mut noise, mut buffer, mut at) = (Noise(1), [0; 4096], 0);
    while at < total {
        let is_there = terminal::wait_readable(person.master.as_fd(), limit()).unwrap();
        assert!(is_there, "{at} of {total} bytes came back");
        let count = person.master.read(&mut buffer).unwrap();
        for (offset, byte) in buffer[..count].iter().enumerate() {
            assert_eq!(*byte, noise.next(), "byte {}", at + offset);
        }
        at += count;
    }
    println!("{megabytes} MB there and back in {:?}", began.elapsed());
    typing.join().unwrap();
    running.finish().code(0);
}

#[test]
fn the_last_of_many_sizes_arrives() {
    require!(terminals);
    let mut person = Person::new();
    let rounds = pace::rounds(100, 1000) as u16;
    let running = person.start(Launch::new().probe("size 1000000"));
    person.sees("size 24 80\r\n");
    for round in 1..=rounds {
        // Without a look at what was shown, so that some come while another is passed on.
        terminal::set_size(person.terminal.as_fd(), 100 + round, 200).unwrap();
    }
    person.sees(&format!("size {} 200\r\n", 100 + rounds));
    for round in 1..=rounds {
        terminal::set_size(person.terminal.as_fd(), round, 99).unwrap();
        person.sees(&format!("size {round} 99\r\n"));
    }
    running.signal(libc::SIGKILL);
    running.finish();
}

#[test]
fn a_launcher_that_is_killed_leaves_the_terminal_sane() {
    require!(terminals);
    let rootfs = Rootfs::new();
    for round in 0..pace::rounds(20, 200) {
        let mut person = Person::new();
        let before = terminal::modes(person.terminal.as_fd()).unwrap();
        // At any time: before the terminal is taken, while it is, and after.
        let running = person.start(Launch::on(&rootfs).probe("sleep 1000"));
        if round % 4 == 0 {
            person.sees("ready\r\n");
            assert!(!terminal::is_canonical(person.terminal.as_fd()).unwrap(), "raw meanwhile");
        } else {
            thread::sleep(Duration::from_micros(round * 997 % 20_000));
        }
        running.signal(libc::SIGTERM);
        // A signal that comes first of all ends the launcher itself.
        let status = running.finish().status;
        let ends = [status.code() == Some(128 + libc::SIGTERM), status.signal().is_some()];
        assert!(ends.contains(&true), "round {round}: {status}");
        assert_eq!(terminal::modes(person.terminal.as_fd()).unwrap(), before, "round {round}");
    }
}

/// Killed for good it restores nothing itself, and nothing of the container holds on to the terminal.
#[test]
fn a_launcher_that_is_killed_for_good_leaves_the_terminal_sane() {
    require!(terminals);
    let rootfs = Rootfs::new();
    for round in 0..pace::rounds(20, 200) {
        let mut person = Person::new();
        let before = terminal::modes(person.terminal.as_fd()).unwrap();
        let launch = Launch::on(&rootfs);
        let launch = match round % 4 {
            // In an outer container. newuidmap is not executed by whom a filter is laid on.
            0 => launch
                .option("--userns=single")
                .before(Before::Refuse(vec![libc::SYS_close_range as u32], libc::EPERM)),
            _ => launch,
        };
        let running = person.start(launch.probe("sleep 1000"));
        if round % 2 == 0 {
            person.sees("ready\r\n");
            assert!(!terminal::is_canonical(person.terminal.as_fd()).unwrap(), "raw meanwhile");
        } else {
            thread::sleep(Duration::from_micros(round * 997 % 20_000));
        }
        // As it crashes, and as nobody can prepare for: by its shell, with all that is in its group.
        sys::kill(-running.pid(), libc::SIGKILL).unwrap();
        assert_eq!(running.finish().status.code(), None, "round {round}");
        let deadline = Instant::now() + limit();
        while terminal::modes(person.terminal.as_fd()).unwrap() != before {
            assert!(Instant::now() < deadline, "round {round}: the terminal is left raw");
            thread::sleep(Duration::from_millis(1));
        }
        // Whoever still had it open would have this side read on.
        let Person { mut master, terminal: last, .. } = person;
        drop(last);
        let mut buffer = [0; 64];
        let error = loop {
            let is_there = terminal::wait_readable(master.as_fd(), limit()).unwrap();
            assert!(is_there, "round {round}: somebody holds the terminal");
            match master.read(&mut buffer) {
                Ok(count) => assert!(count > 0, "round {round}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::EIO), "round {round}");
    }
}
