//! Verbs that end, last, or leave other processes behind.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Outcome, facts, number, sys, word};

/// `exit CODE`.
pub fn exit_with(words: &[&str]) -> Outcome {
    number(words, 0)
}

/// `die SIGNAL`: by the default action of a signal.
pub fn die_by(words: &[&str]) -> Outcome {
    sys::die_by(number(words, 0)?)?;
    Err(io::Error::other("the signal did not end me"))
}

/// `as ID COMMAND…`: executed by the user and group of this number, which need no name.
pub fn execute_as(words: &[&str]) -> Outcome {
    let id = number(words, 0)?;
    Err(Command::new(word(words, 1)?).args(&words[2..]).uid(id).gid(id).exec())
}

/// `sleep SECONDS`: says so first. More words are a mark for those who look for us.
pub fn sleep(words: &[&str]) -> Outcome {
    let seconds = number::<f64>(words, 0)?;
    println!("ready");
    std::thread::sleep(Duration::from_secs_f64(seconds));
    Ok(0)
}

/// `stop`: as SIGSTOP does it; says when it goes on.
pub fn stop_self() -> Outcome {
    println!("stopping");
    sys::kill(sys::own_pid(), libc::SIGSTOP)?;
    println!("continued");
    Ok(0)
}

/// `orphan [keep]`: leaves a daemon in a session of its own, which stays until it is killed.
/// With `keep` it holds standard output and error open.
pub fn leave_daemon(words: &[&str]) -> Outcome {
    let keeps_output = words.first() == Some(&"keep");
    let pid = daemonise(|| {
        if !keeps_output {
            sys::close_standard();
        }
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    })?;
    println!("daemon {pid}");
    Ok(0)
}

/// `stubborn SECONDS MODE`: leaves a process that, told by SIGTERM to end, says so and goes on for
/// so long (`finish`: then says so), or never ends by itself (`never`).
pub fn leave_stubborn(words: &[&str]) -> Outcome {
    let seconds = number::<f64>(words, 0)?;
    let never = word(words, 1)? == "never";
    let (reader, writer) = io::pipe()?;
    daemonise(move || {
        sys::block_all_signals();
        drop(writer);
        while sys::next_signal(None).is_ok_and(|got| got.signal != libc::SIGTERM) {}
        println!("asked to end");
        loop {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            if !never {
                println!("finished");
                return;
            }
        }
    })?;
    // It must have blocked its signals before we end.
    io::Read::read(&mut { reader }, &mut [0])?;
    println!("left");
    Ok(0)
}

/// `brood COUNT`: leaves a process with so many children that have ended. Who adopts them gets all at
/// once, when SIGTERM ends it.
pub fn leave_brood(words: &[&str]) -> Outcome {
    let count = number::<usize>(words, 0)?;
    let (reader, writer) = io::pipe()?;
    daemonise(move || {
        for _ in 0..count {
            if let Ok(sys::Forked::Child) = sys::fork() {
                sys::exit(0);
            }
        }
        drop(writer);
        std::thread::sleep(Duration::from_secs(1000));
    })?;
    // All of them have ended.
    io::Read::read(&mut { reader }, &mut [0])?;
    Ok(0)
}

/// `zombies COUNT`: leaves so many orphans that end at once, and says how many of them are still
/// there after a while, and how many processes there are.
pub fn leave_zombies(words: &[&str]) -> Outcome {
    for _ in 0..number::<usize>(words, 0)? {
        daemonise(|| {})?;
    }
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let all = facts::all_processes()?;
        let zombies = all.iter().filter(|(.., state, _)| *state == 'Z').count();
        if (zombies == 0 && all.len() == 2) || Instant::now() > deadline {
            println!("zombies {zombies}");
            println!("processes {}", all.len());
            return Ok(0);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `litter COUNT`: leaves so many orphans that end at once, and stays.
pub fn leave_litter(words: &[&str]) -> Outcome {
    for _ in 0..number::<usize>(words, 0)? {
        daemonise(|| {})?;
    }
    sleep(&["60"])
}

/// Runs `work` in a grandchild whose parent has ended; the grandchild's pid.
fn daemonise(work: impl FnOnce()) -> io::Result<i32> {
    let (mut reader, mut writer) = io::pipe()?;
    if let sys::Forked::Parent(middle) = sys::fork()? {
        // The middle drops its end when it ends, and the grandchild gives its own up first.
        drop((work, writer));
        sys::wait(middle)?;
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text)?;
        return text.parse().map_err(|_| io::Error::other("no pid"));
    }
    drop(reader);
    if let sys::Forked::Parent(grandchild) = sys::fork()? {
        io::Write::write_all(&mut writer, grandchild.to_string().as_bytes())?;
        sys::exit(0);
    }
    drop(writer);
    sys::start_session()?;
    work();
    sys::exit(0)
}
