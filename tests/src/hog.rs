//! Verbs that take all that they can get of a machine.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::{Outcome, number, sys, word};

/// `hog WHAT …`: `memory MEGABYTES`, `huge PAGES`, `cpu SECONDS PROCESSES`, `forks SECONDS`, `files PATH SECONDS`.
pub fn run(words: &[&str]) -> Outcome {
    match word(words, 0)? {
        "memory" => take_memory(number(words, 1)?),
        "huge" => take_huge_pages(number(words, 1)?),
        "cpu" => spin(number(words, 1)?, number(words, 2)?),
        "forks" => fork(number(words, 1)?),
        "files" => write(word(words, 1)?, number(words, 2)?),
        what => Err(io::Error::other(format!("unknown hog {what}"))),
    }
}

/// Every page of it is written to; then it says so.
fn take_memory(megabytes: usize) -> Outcome {
    let mut blocks = Vec::new();
    for _ in 0..megabytes {
        let mut block = vec![0u8; 1 << 20];
        block.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        blocks.push(std::hint::black_box(block));
    }
    println!("has {megabytes} MB");
    Ok(0)
}

/// Of 2 MiB each.
fn take_huge_pages(count: usize) -> Outcome {
    sys::huge::take(count)?;
    println!("has {count} huge pages");
    Ok(0)
}

fn spin(seconds: f64, processes: u32) -> Outcome {
    println!("ready");
    for _ in 1..processes {
        if let sys::Forked::Child = sys::fork()? {
            break;
        }
    }
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds {
        std::hint::spin_loop();
    }
    Ok(0)
}

/// As many processes as there can be, each of which forks on; says how many it started itself.
fn fork(seconds: f64) -> Outcome {
    println!("ready");
    let (began, mut count, mut is_first) = (Instant::now(), 0u64, true);
    while began.elapsed().as_secs_f64() < seconds {
        match sys::fork() {
            Ok(sys::Forked::Child) => is_first = false,
            Ok(sys::Forked::Parent(_)) => count += 1,
            // Once more at once: whoever is out for harm does not wait.
            Err(_) => {}
        }
    }
    if is_first {
        println!("forked {count}");
    }
    sys::exit(0)
}

/// Writes and syncs; says how much.
fn write(path: &str, seconds: f64) -> Outcome {
    println!("ready");
    let mut file = File::create(path)?;
    let block = vec![1u8; 1 << 20];
    let (began, mut megabytes) = (Instant::now(), 0u64);
    while began.elapsed() < Duration::from_secs_f64(seconds) {
        file.write_all(&block)?;
        file.sync_data()?;
        megabytes += 1;
        if megabytes % 32 == 0 {
            io::Seek::rewind(&mut file)?;
        }
    }
    println!("wrote {megabytes} MB");
    Ok(0)
}
