//! Verbs that print what the process finds about itself and its surroundings.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use crate::{Outcome, errno, sys, word};

/// `args WORD…`: each word on a line, as an escaped literal.
pub fn print_words(words: &[Vec<u8>]) -> Outcome {
    for word in words {
        println!("\"{}\"", word.escape_ascii());
    }
    Ok(0)
}

/// `env`: each variable on a line, escaped.
pub fn print_environment() -> Outcome {
    for (name, value) in std::env::vars_os() {
        println!("{}={}", name.as_bytes().escape_ascii(), value.as_bytes().escape_ascii());
    }
    Ok(0)
}

/// `status KEY…`: these lines of /proc/self/status, as `KEY value`.
pub fn print_status(keys: &[&str]) -> Outcome {
    let text = fs::read_to_string("/proc/self/status")?;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        if keys.contains(&key) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            println!("{key} {value}");
        }
    }
    Ok(0)
}

/// `show FILE`: its content.
pub fn print_file(words: &[&str]) -> Outcome {
    io::stdout().write_all(&fs::read(word(words, 0)?)?)?;
    // Without Rust's own entry nobody does it at the end, and not every file ends with a line.
    io::stdout().flush()?;
    Ok(0)
}

/// `namespaces`: `TYPE INODE` of each.
pub fn print_namespaces() -> Outcome {
    for entry in fs::read_dir("/proc/self/ns")? {
        let path = entry?.path();
        let link = fs::read_link(&path)?.to_string_lossy().into_owned();
        let inode = link.trim_end_matches(']').rsplit('[').next().unwrap_or("");
        println!("{} {inode}", path.file_name().unwrap_or_default().to_string_lossy());
    }
    Ok(0)
}

/// `fds`: `NUMBER TARGET` of each open descriptor.
pub fn print_descriptors() -> Outcome {
    // What has no link any more is the descriptor that the directory itself was read by.
    let names = fs::read_dir("/proc/self/fd")?.map(|e| e.map(|e| e.file_name()));
    for name in names.collect::<io::Result<Vec<_>>>()? {
        let name = name.to_string_lossy();
        if let Ok(target) = fs::read_link(format!("/proc/self/fd/{name}")) {
            println!("{name} {}", target.display());
        }
    }
    Ok(0)
}

/// `list DIRECTORY`: `KIND MODE NAME` of each entry, in order; a link with its target.
pub fn print_directory(words: &[&str]) -> Outcome {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let mut lines = Vec::new();
    for entry in fs::read_dir(word(words, 0)?)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let kind = metadata.file_type();
        let mode = metadata.permissions().mode() & 0o7777;
        let name = entry.file_name().to_string_lossy().into_owned();
        let line = if kind.is_symlink() {
            format!("link {name} -> {}", fs::read_link(entry.path())?.display())
        } else if kind.is_dir() {
            format!("directory {mode:o} {name}")
        } else if kind.is_char_device() {
            format!("device {mode:o} {name}")
        } else {
            format!("file {mode:o} {name}")
        };
        lines.push((name, line));
    }
    lines.sort_unstable();
    lines.iter().for_each(|(_, line)| println!("{line}"));
    Ok(0)
}

/// `place`: working directory, host name and own pid.
pub fn print_place() -> Outcome {
    println!("cwd {}", std::env::current_dir()?.display());
    println!("hostname {}", fs::read_to_string("/proc/sys/kernel/hostname")?.trim_end());
    println!("pid {}", std::process::id());
    Ok(0)
}

/// `umask`: in octal.
pub fn print_umask() -> Outcome {
    println!("{:o}", sys::umask());
    Ok(0)
}

/// `flags`: what prctl(2) tells of the securebits, and of memory that denies to be executed.
pub fn print_flags() -> Outcome {
    const GET_MDWE: i32 = 66;
    for (name, option) in [("securebits", libc::PR_GET_SECUREBITS), ("mdwe", GET_MDWE)] {
        let answer = sys::ask_process(option).map(|value| value.to_string());
        println!("{name} {}", answer.unwrap_or_else(|error| errno::name(&error)));
    }
    Ok(0)
}

/// `processes`: `PID PARENT NAME` of everything /proc shows.
pub fn print_processes() -> Outcome {
    for (pid, parent, _, name) in all_processes()? {
        println!("{pid} {parent} {name}");
    }
    Ok(0)
}

/// Pid, parent, state and name of every process, by pid.
pub fn all_processes() -> io::Result<Vec<(i32, i32, char, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else { continue };
        // It may have ended meanwhile.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
        let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
        let mut fields = tail.split(' ');
        let state = fields.next().and_then(|s| s.chars().next()).unwrap_or('?');
        let parent = fields.next().and_then(|s| s.parse().ok()).unwrap_or(0);
        all.push((pid, parent, state, name));
    }
    all.sort_unstable();
    Ok(all)
}
