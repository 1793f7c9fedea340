//! `--net pasta`: pasta, or slirp4netns, carries the container's connections as the user who starts
//! it.
//!
//! It does not end with the container (Debian 12's does not, for a process's namespace), nor by a
//! parent death signal, which its change of credentials clears. So it is the child of a process of
//! ours, the keeper, which sees the launcher's end of a pipe close, however the launcher ends, and
//! then kills it.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use super::publish::reserve;
use super::{Deadline, ready};
use crate::error::{Error, show_errno};
use crate::prepare::{Carrier, Prepared, Proc};
use crate::spec::network::{Pasta, Protocol, Publish};
use crate::sys::file::{self, At};
use crate::sys::process::{self, Forked, Words};
use crate::sys::socket::{self, readable};
use crate::sys::{Result as SysResult, descriptors, memfd, signal};

/// The running program. It is killed when this is dropped.
pub struct Served {
    /// The launcher's end of the pipe that the keeper watches.
    life: Option<OwnedFd>,
    keeper: i32,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.life = None;
        process::wait(self.keeper).ok();
    }
}

/// Starts it for the process with this number in /proc, and waits until it is ready.
pub fn serve(
    prepared: &Prepared<'_>,
    carrier: &Carrier,
    spec: &Pasta,
    number: i32,
    deadline: &Deadline,
) -> Result<Served, Error> {
    // pasta ignores it if one port of several is in use.
    drop(reserve(&spec.publish)?);
    let failed = |errno| Error::at("StartPasta", format_args!("start {}", name(carrier)), errno);
    let (life_read, life) = file::pipe().map_err(failed)?;
    let (ready_read, ready_write) = file::pipe().map_err(failed)?;
    let said = memfd::for_data(c"pasta").map_err(failed)?;
    let keeper = match process::clone(0, libc::SIGCHLD).map_err(failed)? {
        Forked::Parent(pid) => pid,
        Forked::Child => {
            let argv = argv(carrier, spec, prepared.ground.caller.uid, number);
            keep(carrier, &argv, &life_read, ready_write.as_fd(), said.as_fd())
        }
    };
    drop(ready_write);
    let served = Served { life: Some(life), keeper };
    // Bytes mean that it is ready, the end of the stream that it has ended.
    let mask = prepared.inherited.mask;
    if !ready::wait(name(carrier), ready_read.as_fd(), mask, deadline)? {
        drop(served);
        return Err(has_failed(carrier, &first_words(&read_all(said.as_fd()))));
    }
    // Another program of this name may write something else, or end right after.
    let wanted = interface(spec);
    let is_there = has_interface(&prepared.ground.caller.proc, number, wanted).map_err(failed)?;
    if !is_there || process::try_wait(keeper).map_err(failed)?.is_some() {
        return Err(has_failed(carrier, &format!("it carries nothing to {wanted} inside")));
    }
    Ok(served)
}

fn has_failed(carrier: &Carrier, text: &str) -> Error {
    let advice = match text {
        text if text.contains(" tun") => {
            Some("/dev/net/tun has to be there and open to this user (CONFIG_TUN; modprobe tun)")
        }
        text if text.contains("rout") || text.contains("xternal interface") => {
            Some("it needs a default route on the host, or -i and an interface")
        }
        _ => None,
    };
    Error::refused("StartPasta", format!("{} failed: {text}", name(carrier)))
        .advise_maybe(advice.map(str::to_owned))
}

/// The first line of what it has printed that is the reason, without complaints about a missing
/// /dev/log.
fn first_words(text: &str) -> String {
    let is_noise = |line: &str| line.is_empty() || line.starts_with("Failed to send ");
    let mut lines = text.lines().map(str::trim).filter(|line| !is_noise(line));
    let line = lines.next().unwrap_or("it has ended without a word");
    line.strip_prefix("pasta: ").unwrap_or(line).into()
}

/// The name of the interface that it makes inside, by its options.
fn interface(spec: &Pasta) -> &str {
    let mut words = spec.options.iter().map(|word| word.to_str().unwrap_or_default());
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("--ns-ifname", name)) => return name,
            None if ["-I", "--ns-ifname"].contains(&word) => return words.next().unwrap_or("eth0"),
            _ => {}
        }
    }
    "eth0"
}

/// Whether the process's network namespace has an interface of this name.
fn has_interface(proc: &Proc, number: i32, name: &str) -> SysResult<bool> {
    let table = proc.read_text(&format!("{number}/net/dev"))?;
    let mut names = table.lines().filter_map(|line| line.split_once(':'));
    Ok(names.any(|(found, _)| found.trim() == name))
}

fn name(carrier: &Carrier) -> &'static str {
    match carrier {
        Carrier::Pasta(_) => "pasta",
        Carrier::Slirp(_) => "slirp4netns",
    }
}

/// Its command line. On standard output it tells that it is ready.
fn argv(carrier: &Carrier, spec: &Pasta, uid: u32, number: i32) -> Words {
    let mut words = Vec::new();
    match carrier {
        Carrier::Slirp(_) => add(
            &mut words,
            "slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=1",
        ),
        Carrier::Pasta(_) => {
            // It writes its pid when it is ready.
            let first = "pasta --foreground --quiet --config-net --pid /proc/self/fd/1";
            add(&mut words, first);
            // Started by root it would become nobody, who may not enter the container's namespaces.
            if uid == 0 {
                add(&mut words, "--runas 0");
            }
            add_ports(&mut words, spec);
            words.extend(spec.options.iter().cloned());
        }
    }
    add(&mut words, &number.to_string());
    if let Carrier::Slirp(_) = carrier {
        add(&mut words, "eth0");
    }
    Words::new(words)
}

/// Adds words that are separated by blanks.
fn add(words: &mut Vec<CString>, text: &str) {
    words.extend(text.split(' ').filter_map(|word| CString::new(word).ok()));
}

/// Adds options by which only published ports are forwarded, except where the user's own options
/// say otherwise.
fn add_ports(words: &mut Vec<CString>, spec: &Pasta) {
    for publish in &spec.publish {
        let Publish { address, host_port, port, protocol } = publish;
        let option = if *protocol == Protocol::Tcp { "-t" } else { "-u" };
        let address = address.map_or(String::new(), |address| format!("{address}/"));
        add(words, &format!("{option} {address}{host_port}:{port}"));
    }
    for (short, long, otherwise) in [
        ("-t", "--tcp-ports", "-t none"),
        ("-u", "--udp-ports", "-u none"),
        // From the container to the host's loopback.
        ("-T", "--tcp-ns", "-T none"),
        ("-U", "--udp-ns", "-U none"),
        // Otherwise the gateway's address leads to the host's loopback.
        ("--map-gw", "--no-map-gw", "--no-map-gw"),
        // Otherwise it is named like the host's interface.
        ("-I", "--ns-ifname", "--ns-ifname eth0"),
    ] {
        let is = |word: &CString| {
            let word = word.to_bytes().split(|b| *b == b'=').next();
            [short, long].iter().any(|name| word == Some(name.as_bytes()))
        };
        if !words.iter().chain(&spec.options).any(is) {
            add(words, otherwise);
        }
    }
}

/// The keeper, a fork of the launcher: runs the program until that ends or the launcher does.
fn keep(
    carrier: &Carrier,
    argv: &Words,
    life: &OwnedFd,
    ready: BorrowedFd<'_>,
    said: BorrowedFd<'_>,
) -> ! {
    // It ends by exit: the copies of the launcher's values must not be dropped, as their
    // descriptors are closed.
    let work = || {
        // So that `pkill launcher` does not kill it.
        process::set_name(c"pasta-keeper")?;
        // Keep neither the caller's streams nor the channel to the child open.
        let null = file::open(At::Cwd, c"/dev/null", libc::O_RDWR)?.into_raw_fd();
        file::duplicate_onto(file::borrow_inherited(null)?, 0)?;
        file::duplicate_onto(ready, 1)?;
        file::duplicate_onto(said, 2)?;
        // Among others the launcher's end of the pipe, which would hide the launcher's death.
        descriptors::close_all_but(life.as_fd())?;
        process::start_session()?;
        let program = match process::clone(0, libc::SIGCHLD)? {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                signal::set_mask(0).ok();
                let (Carrier::Pasta(path) | Carrier::Slirp(path)) = carrier;
                process::execute_path(path, argv, &Words::new(Vec::new()));
                process::exit(init::exit::NOT_EXECUTABLE)
            }
        };
        // Our own copy of `ready` would otherwise hide the end of the program's.
        let null = file::borrow_inherited(0)?;
        file::duplicate_onto(null, 1)?;
        wait_for_end(life, program).ok();
        signal::send(program, libc::SIGKILL).ok();
        process::wait(program)?;
        // Our process group, made by setsid above: the program's children, if it is a script, and us.
        signal::send(0, libc::SIGKILL)
    };
    if let Err(errno) = work() {
        // For the launcher to print, if the program was not ready yet.
        let text = format!("its keeper cannot go on: {}", show_errno(errno));
        file::write(said, text.as_bytes()).ok();
    }
    process::exit(0)
}

/// Waits until the program or the launcher has ended.
fn wait_for_end(life: &OwnedFd, program: i32) -> SysResult<()> {
    let program = process::open_pidfd(program)?;
    let mut fds = [readable(life.as_raw_fd()), readable(program.as_raw_fd())];
    while fds.iter().all(|fd| fd.revents == 0) {
        socket::poll(&mut fds, None)?;
    }
    Ok(())
}

fn read_all(said: BorrowedFd<'_>) -> String {
    let mut bytes = [0; 1024];
    let count = descriptors::read_at(said, &mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
