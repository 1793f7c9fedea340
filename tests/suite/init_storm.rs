//! init in bad weather: many signals and many orphans at once, ends that meet, starts that are
//! ended before they are done.

use std::thread;
use std::time::Duration;

use crate::init_behaviours::init_of;
use crate::init_subject as subject;
use crate::pace::{patience, rounds};
use crate::sys::{self, before::Before};

/// xorshift64: the same run every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Queued real-time signals all arrive, each kind in its order; of the others, which the kernel
/// merges while they wait, at least one does; and meanwhile orphans end all the time.
#[test]
fn no_signal_is_lost_in_a_storm_of_signals_and_orphans() {
    for name in subject::NAMES {
        let init = subject::ours(name);
        let running = init.probe("turmoil 12 300").pid_one().start();
        running.wait_for("ready");
        let pid = init_of(&running);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut sent = Vec::new();
        for value in 0..rounds(500, 20_000) as usize {
            let signal = match random.below(4) {
                0 => [1, 2, 3, 10, 13, 14, 15, 28][random.below(8) as usize],
                _ => 34 + random.below(30) as i32,
            };
            if signal < 34 {
                sys::kill(pid, signal).unwrap();
            } else {
                sys::queue(pid, signal, value).unwrap();
            }
            sent.push((signal, value));
            if random.below(16) == 0 {
                thread::sleep(Duration::from_micros(random.below(300)));
            }
        }
        // The last of the highest number comes after all that were sent before it.
        sys::queue(pid, 64, 0xffff).unwrap();
        running.wait_for("value 0xffff\n");
        sys::kill(pid, 12).unwrap();
        let output = running.finish().code(0);
        for signal in 34..64 {
            let mark = format!("signal {signal} code -1 value ");
            let got = output.lines().into_iter().filter_map(|line| line.strip_prefix(&*mark));
            let wanted = sent.iter().filter(|(number, _)| *number == signal);
            let wanted = wanted.map(|(_, value)| format!("{value:#x}"));
            assert_eq!(got.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "{name}: {signal}");
        }
        for signal in [1, 2, 3, 10, 13, 14, 15, 28] {
            let was_sent = sent.iter().any(|(number, _)| *number == signal);
            let came = output.stdout.contains(&format!("signal {signal} "));
            assert_eq!(was_sent, came, "{name}: {signal}");
        }
    }
}

/// Not PID 1, init is ended by what comes before its first instruction, and so is the command by
/// what comes later: either way the end is SIGTERM's.
#[test]
fn sigterm_at_any_time_of_a_start_is_not_lost() {
    let init = subject::ours("init");
    let mut random = Random(1);
    for _ in 0..rounds(300, 10_000) {
        let running = init.probe("sleep 1000").start();
        thread::sleep(patience(Duration::from_micros(random.below(5000))));
        sys::kill(running.pid(), libc::SIGTERM).unwrap();
        let status = running.finish().status;
        use std::os::unix::process::ExitStatusExt;
        let ended = status.code() == Some(143) || status.signal() == Some(libc::SIGTERM);
        assert!(ended, "{status}");
    }
}

/// As PID 1, the kernel drops what comes before init's first instruction unless it is blocked,
/// as the launcher has it.
#[test]
fn sigterm_before_pid_one_runs_waits_for_it() {
    let init = subject::ours("init");
    for _ in 0..rounds(100, 2000) {
        let run = init.probe("await 1000000").before(Before::Block(u64::MAX)).pid_one();
        let running = run.start();
        let pid = loop {
            let pid = init_of(&running);
            if pid != running.pid() {
                break pid;
            }
        };
        sys::kill(pid, libc::SIGTERM).unwrap();
        running.finish().code(0).prints(&["ready", "signal 15"]);
    }
}

#[test]
fn code_is_the_commands_when_an_orphan_ends_with_it() {
    let init = subject::ours("init");
    let script = "(sleep 0 &) ; (exit 3 &) ; exit 7";
    for _ in 0..rounds(200, 2000) {
        assert_eq!(init.run(&["/bin/sh", "-c", script]).code(), Some(7));
    }
}

#[test]
fn orphan_storm_leaves_few_zombies() {
    let init = subject::ours("init");
    let count = rounds(10_000, 40_000); // more would need longer than any test may take
    let proc = Before::mount("proc".as_ref(), "/proc".as_ref()).unwrap();
    let run = init.probe(&format!("storm {count}")).pid_one().before(proc);
    let output = run.start().finish().code(0);
    // A folder of a hundred comes at once; none of them is left when a few more have come.
    let most = output.fact("most").parse::<u32>().unwrap();
    assert!(most < 1000, "{output}");
}
