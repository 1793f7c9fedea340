//! The spec: the container as it was asked for, checked, as plain data. The first stage of a start.
//!
//! Nothing here makes a system call or looks at a file system. Whatever can be refused by the
//! arguments alone is refused here. The command line is one way to make a [`Spec`]; the later
//! stages see only the spec.

pub mod capability;
pub mod confine;
pub mod dns;
pub mod environment;
pub mod idmap;
pub mod landlock;
pub mod limits;
pub mod mounts;
pub mod network;
pub mod process;
pub mod resources;
mod share;
pub mod time;
pub mod user;

use std::ffi::{CStr, CString};

use crate::args::Args;
use crate::error::Error;
use crate::words::{Typed, Word, nearest};
use confine::Confinement;
use environment::Environment;
use idmap::IdMap;
use limits::Limits;
use mounts::{Mount, MountOption};
use network::Network;
use resources::Resources;
pub use share::Shared;
use time::End;
use user::UserSpec;

/// A container as asked for.
#[derive(Debug)]
pub struct Spec {
    /// The directory that becomes `/`.
    pub rootfs: CString,
    /// What to do with the machine when the command has ended, if the launcher is its PID 1.
    pub on_exit: Option<&'static CStr>,
    /// The command and its arguments; if empty, those of the image.
    pub command: Vec<CString>,
    pub environment: Environment,
    pub hostname: CString,
    /// The working directory, if not the image's.
    pub workdir: Option<CString>,
    /// What is mounted on the rootfs, in this order.
    pub mounts: Vec<Mount>,
    /// The names of those of `--dns`, in /etc.
    pub dns_files: &'static [&'static CStr],
    /// The mount options of /proc.
    pub proc_options: Vec<MountOption>,
    /// The rootfs is mounted read-only.
    pub read_only: bool,
    /// Where changes to the rootfs go.
    pub changes: Changes,
    /// Whether the container has a terminal of its own; `None`: the launcher decides.
    pub tty: Option<bool>,
    /// The user the command runs as, if not the image's.
    pub user: Option<UserSpec>,
    pub userns: Userns,
    /// Which namespaces are the host's.
    pub share: Shared,
    pub network: Network,
    pub confine: Confinement,
    pub limits: Limits,
    pub resources: Resources,
    pub end: End,
    /// Inherited descriptors for the command.
    pub keep_fds: Vec<i32>,
    /// A program that is PID 1 instead of the built-in init.
    pub init: Option<CString>,
    pub grace_ms: u32,
    /// How long the container has been up when it starts, if not as long as the host.
    pub uptime: Option<u32>,
    pub die_by_signal: bool,
    pub pid_file: Option<CString>,
    pub status_fd: Option<i32>,
    pub verbose: bool,
    /// Nothing is started: the plan is printed.
    pub explain: Option<Explain>,
}

/// The format of `--explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    Text,
    Json,
}

/// Where the container's changes to its rootfs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Into the rootfs.
    InPlace,
    /// Into a tmpfs: they are lost at the end.
    Dropped,
    /// Into this directory of the host; the rootfs stays as it is.
    Kept(CString),
}

/// How ids inside relate to ids outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Userns {
    /// Chosen by what the caller may do.
    Auto,
    /// One id: the container's root is the caller.
    Single,
    /// The caller's ranges of /etc/subuid and /etc/subgid.
    Subid,
    /// A range of the container's own.
    Range,
    /// Every id is itself.
    Identity,
    /// No user namespace at all.
    None,
    /// The ranges given.
    Explicit { uid: IdMap, gid: IdMap },
}

impl Spec {
    /// Makes sense of what was typed.
    pub fn new(typed: &Typed) -> Result<Spec, Error> {
        let args = &typed.args;
        if args.rootfs.0.is_empty() {
            return Err(Error::misuse("no ROOTFS given, or an empty one"));
        }
        if args.command.first().is_some_and(|first| first.0.is_empty()) {
            return Err(Error::misuse("COMMAND is an empty word"));
        }
        let mut share = Shared::parse(&args.share)?;
        let network = Network::parse(args, share)?;
        share.net = network.is_shared();
        if share.uts && args.hostname.is_some() {
            return Err(Error::misuse("--hostname would set the host's name with --share uts"));
        }
        let hostname = parse_hostname(args.hostname.as_ref())?;
        let names = dns::files(args.dns.as_ref(), hostname.to_bytes(), share)?;
        let mounts = Mount::plan(args, &typed.order, names)?;
        let confine = Confinement::parse(args)?;
        let is_read_only = args.read_only || mounts.iter().any(Mount::is_read_only);
        if is_read_only && confine.capabilities.bounding & 1 << capability::SYS_ADMIN != 0 {
            return Err(Error::misuse(
                "--read-only and ro do not hold against a command with CAP_SYS_ADMIN, which could \
                 clear them",
            ));
        }
        Ok(Spec {
            rootfs: args.rootfs.to_c_string(),
            command: args.command.iter().map(Word::to_c_string).collect(),
            environment: Environment::parse(&args.env, args.keep_env)?,
            hostname,
            workdir: process::parse_workdir(args.workdir.as_ref(), Mount::here(args)?)?,
            mounts,
            dns_files: dns::names(args.dns.as_ref(), share),
            proc_options: Mount::proc_options(args)?,
            read_only: args.read_only,
            changes: parse_changes(args)?,
            tty: parse_tty(args)?,
            user: args.user.as_ref().map(UserSpec::parse).transpose()?,
            userns: parse_userns(args)?,
            share,
            network,
            confine,
            limits: Limits::parse(args)?,
            resources: Resources::parse(args)?,
            end: time::end(args.timeout.as_ref(), args.grace.as_ref())?,
            keep_fds: args
                .keep_fd
                .iter()
                .map(|word| parse_fd("--keep-fd", word))
                .collect::<Result<_, _>>()?,
            init: parse_path("--init", args.init.as_ref())?,
            on_exit: on_exit(args)?,
            grace_ms: time::grace(args.grace.as_ref())?,
            uptime: time::uptime(args.uptime.as_ref(), share)?,
            die_by_signal: args.die_by_signal,
            pid_file: parse_path("--pid-file", args.pid_file.as_ref())?,
            status_fd: parse_status_fd(args.status_fd.as_ref())?,
            verbose: args.verbose,
            explain: parse_explain(args.explain.as_ref())?,
        })
    }
}

fn parse_hostname(word: Option<&Word>) -> Result<CString, Error> {
    /// __NEW_UTS_LEN of linux/utsname.h.
    const MAX: usize = 64;
    let Some(word) = word else { return Ok(c"container".to_owned()) };
    match word.0.len() {
        1..=MAX => Ok(word.to_c_string()),
        0 => Err(Error::misuse("--hostname is empty")),
        length => {
            Err(Error::misuse(format!("--hostname has {length} bytes; the kernel takes {MAX}")))
        }
    }
}

fn parse_explain(word: Option<&Word>) -> Result<Option<Explain>, Error> {
    let Some(word) = word else { return Ok(None) };
    match word.0.as_slice() {
        b"text" => Ok(Some(Explain::Text)),
        b"json" => Ok(Some(Explain::Json)),
        _ => Err(unknown_value("--explain", word, &["text", "json"])),
    }
}

fn parse_changes(args: &Args) -> Result<Changes, Error> {
    match (args.ephemeral, parse_path("--overlay-dir", args.overlay_dir.as_ref())?) {
        (false, None) => Ok(Changes::InPlace),
        (true, None) => Ok(Changes::Dropped),
        (false, Some(path)) => Ok(Changes::Kept(path)),
        (true, Some(_)) => Err(Error::misuse("--ephemeral and --overlay-dir exclude each other")),
    }
}

fn parse_tty(args: &Args) -> Result<Option<bool>, Error> {
    match (args.tty, args.no_tty) {
        (true, true) => Err(Error::misuse("--tty and --no-tty exclude each other")),
        (tty, no_tty) => Ok((tty || no_tty).then_some(tty)),
    }
}

fn parse_path(option: &str, word: Option<&Word>) -> Result<Option<CString>, Error> {
    match word {
        Some(word) if word.0.is_empty() => Err(Error::misuse(format!("{option} is empty"))),
        word => Ok(word.map(Word::to_c_string)),
    }
}

/// The value of `--status-fd`; found before the rest is parsed, as usage errors are reported there.
pub fn parse_status_fd(word: Option<&Word>) -> Result<Option<i32>, Error> {
    word.map(|word| parse_fd("--status-fd", word)).transpose()
}

fn parse_fd(option: &str, word: &Word) -> Result<i32, Error> {
    std::str::from_utf8(&word.0)
        .ok()
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| {
            Error::misuse(format!("{option} {} is not a descriptor's number", word.show()))
        })
}

fn parse_userns(args: &Args) -> Result<Userns, Error> {
    if !args.uid_map.is_empty() || !args.gid_map.is_empty() {
        if args.userns.is_some() {
            return Err(Error::misuse("--userns and --uid-map or --gid-map exclude each other"));
        }
        if args.uid_map.is_empty() {
            return Err(Error::misuse("--gid-map needs a --uid-map beside it"));
        }
        let uid = IdMap::parse("--uid-map", &args.uid_map)?;
        let gid = match args.gid_map.as_slice() {
            [] => uid.clone(),
            words => IdMap::parse("--gid-map", words)?,
        };
        return Ok(Userns::Explicit { uid, gid });
    }
    let Some(word) = &args.userns else { return Ok(Userns::Auto) };
    match word.0.as_slice() {
        b"auto" => Ok(Userns::Auto),
        b"single" => Ok(Userns::Single),
        b"subid" => Ok(Userns::Subid),
        b"range" => Ok(Userns::Range),
        b"identity" => Ok(Userns::Identity),
        b"none" => Ok(Userns::None),
        _ => Err(unknown_value(
            "--userns",
            word,
            &["auto", "single", "subid", "range", "identity", "none"],
        )),
    }
}

/// `--on-exit`, as init takes it.
pub fn on_exit(args: &Args) -> Result<Option<&'static CStr>, Error> {
    let Some(word) = &args.on_exit else { return Ok(None) };
    match word.0.as_slice() {
        b"poweroff" => Ok(Some(c"poweroff")),
        b"reboot" => Ok(Some(c"reboot")),
        b"halt" => Ok(Some(c"halt")),
        _ => Err(unknown_value("--on-exit", word, &["poweroff", "reboot", "halt"])),
    }
}

fn unknown_value(option: &str, word: &Word, known: &[&str]) -> Error {
    let shown = word.show();
    let hint = match nearest(&shown, known.iter().copied()) {
        Some(near) => format!("; did you mean {near}?"),
        None => format!(": it is one of {}", known.join(", ")),
    };
    Error::misuse(format!("{option} {shown} is unknown{hint}"))
}

#[cfg(test)]
mod tests {
    use super::process::Process;
    use super::*;
    use crate::words::{Request, parse};

    fn spec(words: &[&str]) -> Result<Spec, Error> {
        let argv = [&["launcher"], words].concat();
        let argv = argv.into_iter().map(|w| CString::new(w).unwrap()).collect::<Vec<_>>();
        match parse(&argv).map_err(|misuse| misuse.error)? {
            Request::Start(typed) => Spec::new(&typed),
            _ => panic!("no start"),
        }
    }

    #[test]
    fn words_win_over_the_image_and_the_image_over_a_shell_as_root() {
        let image = || {
            Some(
                process::Image::parse(
                    br#"{"Entrypoint": ["e"], "Cmd": ["c"], "User": "5", "WorkingDir": "/w"}"#,
                )
                .unwrap(),
            )
        };
        let process = |words, image| {
            let process = Process::of(&spec(words).unwrap(), image);
            let words = process.command.iter().map(|word| word.to_str().unwrap());
            (words.collect::<Vec<_>>().join(" "), process.user, process.workdir)
        };
        let user = |id| UserSpec { user: user::IdOrName::Id(id), group: None };
        let words = &["--user=7", "--workdir=/x", "r", "a", "b"][..];
        assert_eq!(process(&["r"], None), ("/bin/sh".into(), user(0), c"/".to_owned()));
        assert_eq!(process(&["r"], image()), ("e c".into(), user(5), c"/w".to_owned()));
        assert_eq!(process(words, image()), ("a b".into(), user(7), c"/x".to_owned()));
        assert_eq!(process(&["--here", "r"], image()).2, c"/app".to_owned());
    }

    #[test]
    fn words_that_make_no_sense_are_refused_and_named() {
        for (words, part) in [
            (&[][..], "no ROOTFS"),
            (&[""], "no ROOTFS"),
            (&["r", ""], "COMMAND is an empty word"),
            (&["--hostname=", "r"], "--hostname"),
            (&["--workdir", "x", "r"], "not absolute"),
            (&["--keep-fd", "+3", "r"], "--keep-fd +3"),
            (&["--keep-fd", "99999999999", "r"], "--keep-fd"),
            (&["--status-fd", "x", "r"], "--status-fd x"),
            (&["--share", "nt", "r"], "did you mean net?"),
            (&["--share", "pid", "r"], "is none"),
            (&["--userns", "ranges", "r"], "did you mean range?"),
            (&["--userns", "zzzzzzzzz", "r"], "it is one of auto"),
            (&["--userns", "auto", "--uid-map", "0:0:1", "r"], "exclude"),
            (&["--gid-map", "0:0:1", "r"], "--uid-map"),
            (&["--share", "uts", "--hostname", "x", "r"], "--share uts"),
            (&["--init", "", "r"], "--init is empty"),
            (&["--seccomp", "nnoe", "r"], "neither default nor none"),
            (&["--seccomp=none", "--seccomp-log", "r"], "nothing to log"),
            (&["--cap-add", "net_rw", "r"], "did you mean net_raw?"),
            (&["--apparmor", "", "r"], "--apparmor is empty"),
            (&["--apparmor=a", "--selinux-label=b", "r"], "exclude"),
        ] {
            let text = spec(words).unwrap_err().to_string();
            assert!(text.contains(part), "{words:?}: {text}");
        }
    }
}
