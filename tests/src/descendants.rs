//! Verbs about who looks after whose children.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Outcome, facts, number, signals, sys};

/// `adopted`: the name of the process that a grandchild belongs to once its parent has ended.
pub fn print_adopter() -> Outcome {
    print_of_orphan(|| {
        let name = fs::read_to_string(format!("/proc/{}/comm", sys::parent_pid()))?;
        Ok(format!("parent {name}"))
    })
}

/// `traced`: an orphan asks to be traced by who has adopted it, which stops it at any signal.
pub fn ask_adopter_to_trace() -> Outcome {
    print_of_orphan(|| {
        sys::ask_to_be_traced()?;
        // Nobody would notice it otherwise.
        sys::kill(sys::own_pid(), libc::SIGWINCH)?;
        Ok("went on\n".into())
    })
}

/// Prints what a grandchild has to say once its parent has ended.
fn print_of_orphan(speak: impl FnOnce() -> io::Result<String>) -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    if let sys::Forked::Parent(middle) = sys::fork()? {
        drop(writer);
        sys::wait(middle)?;
        // Its end is the grandchild's.
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text)?;
        print!("{text}");
        return Ok(0);
    }
    let middle = sys::own_pid();
    if let sys::Forked::Parent(_) = sys::fork()? {
        sys::exit(0);
    }
    while sys::parent_pid() == middle {
        thread::sleep(Duration::from_millis(1));
    }
    io::Write::write_all(&mut { writer }, speak()?.as_bytes())?;
    sys::exit(0)
}

/// `turmoil UNTIL ORPHANS`: as `trap`, while another process leaves so many orphans behind, each
/// of which ends after up to a millisecond.
pub fn make_turmoil(words: &[&str]) -> Outcome {
    let orphans = number::<u32>(words, 1)?;
    if let sys::Forked::Child = sys::fork()? {
        for index in 0..orphans {
            let middle = match sys::fork()? {
                sys::Forked::Parent(pid) => pid,
                sys::Forked::Child => {
                    if let sys::Forked::Child = sys::fork()? {
                        thread::sleep(Duration::from_micros(u64::from(index * 7919 % 1000)));
                    }
                    sys::exit(0)
                }
            };
            sys::wait(middle)?;
        }
        sys::exit(0)
    }
    signals::trap(words)
}

/// `storm COUNT`: one after the other leaves so many orphans that end at once; prints the most
/// zombies that were ever there at once, and how long it took until none was left.
pub fn leave_storm(words: &[&str]) -> Outcome {
    let count = number::<u32>(words, 0)?;
    let began = Instant::now();
    if let sys::Forked::Parent(maker) = sys::fork()? {
        let mut most = 0;
        loop {
            let all = facts::all_processes()?;
            let zombies = all.iter().filter(|(.., state, _)| *state == 'Z').count();
            most = most.max(zombies);
            if all.len() <= 3
                && !all.iter().any(|(pid, _, state, _)| *pid == maker && *state != 'Z')
            {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        sys::wait(maker)?;
        println!("most {most}\ntook {}", began.elapsed().as_millis());
        return Ok(0);
    }
    for _ in 0..count / 100 {
        if let sys::Forked::Parent(middle) = sys::fork()? {
            sys::wait(middle)?;
            continue;
        }
        for _ in 0..100 {
            if let sys::Forked::Child = sys::fork()? {
                sys::exit(0);
            }
        }
        sys::exit(0);
    }
    sys::exit(0)
}
