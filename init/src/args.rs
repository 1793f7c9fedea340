//! init's command line: `init [OPTIONS] [--] COMMAND [ARG…]`.
//!
//! Options end at the first word that is none, so the command's own are never touched. The flags of
//! tini, dumb-init and catatonit are all understood, under every name. [`words`] writes the others.

mod numbers;
mod table;
mod words;

use core::ffi::CStr;

use crate::names::Name;
use crate::signals::{self, Rewrites};
pub(crate) use numbers::number;
pub use numbers::split_at;
use numbers::{id, milliseconds, small};
use table::Known;

/// What init is asked to do besides being PID 1. The default is nothing at all: what a plain
/// `init COMMAND` does in somebody else's container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// What we were called as.
    pub name: Name,
    /// `--report=FD`: the socket to report to; init says nothing on stderr then.
    pub report: Option<i32>,
    /// `--steps`: report every step with its duration.
    pub steps: bool,
    /// `--mount-proc`: mount /proc (before the cut: the kernel wants a visible one).
    pub mount_proc: bool,
    /// `--mask-proc`: make what the host's root could abuse in /proc read-only or empty.
    pub mask_proc: bool,
    /// `--forbid-userns`: no user namespace can be made inside.
    pub forbid_userns: bool,
    /// `--cut-root`: detach the old root that pivot_root left over `/`.
    pub cut_root: bool,
    /// `--session`: the command leads a session of its own.
    pub session: bool,
    /// `--terminal`: standard input is that session's controlling terminal.
    pub terminal: bool,
    /// `--ids=UID:GID`: run the command as these.
    pub ids: Option<Ids>,
    /// `--groups=G,G…`: with these supplementary groups (without the option: unchanged).
    pub groups: Option<&'a [u8]>,
    /// `--caps=HEX`: with these capabilities, and none beside them in the bounding set.
    pub caps: Option<u64>,
    /// `--no-new-privs`: no way to gain privileges by executing something.
    pub no_new_privs: bool,
    /// `--workdir PATH`: start there.
    pub workdir: Option<&'a CStr>,
    /// `--sigmask=HEX`: the signal mask to give to the command (without the option: our own).
    pub sigmask: Option<u64>,
    /// `--grace SECONDS`, `--grace-ms=N`: time for the rest after the command's end.
    pub grace_ms: u32,
    /// `-g`: signals go to the command's whole process group.
    pub group: bool,
    /// `-c`: dumb-init without its session.
    pub single: bool,
    /// `-v`: say how the command ended.
    pub verbose: bool,
    /// `-w`: say who was reaped.
    pub warn: bool,
    /// `-P`: run nothing, reap until SIGINT or SIGTERM.
    pub pause: bool,
    /// `-p SIGNAL`: the signal for us when our parent ends.
    pub death_signal: Option<u8>,
    /// `-e CODE`: exit codes of the command that become 0.
    pub successes: Codes,
    /// `-r FROM:TO`: signals that the command gets as others, or not at all.
    pub rewrites: Rewrites,
    /// `--on-exit`: what becomes of the machine; the default depends on whose PID 1 this is.
    pub on_exit: Option<OnExit>,
}

/// What to do when the command of the machine's PID 1 has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Turn the machine off.
    Poweroff,
    /// Start it again.
    Reboot,
    /// Stop it, and leave it on.
    Halt,
    /// End, as in a container; the kernel panics when its own PID 1 does so.
    Exit,
}

/// A set of exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codes([u32; 8]);

impl Codes {
    /// Adds one.
    pub fn add(&mut self, code: u8) {
        self.0[usize::from(code >> 5)] |= 1 << (code & 31);
    }

    /// Whether it is in the set.
    pub fn has(self, code: u8) -> bool {
        self.0[usize::from(code >> 5)] >> (code & 31) & 1 != 0
    }
}

/// The ids of the command, as the container counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run the command whose words begin at this index of argv; it may be the end of argv.
    Run(usize),
    /// `--version`.
    Version,
    /// `--license`.
    License,
    /// `--help`.
    Help,
}

/// A command line that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse<'a> {
    /// An unknown option, or one with a bad value, or without one.
    BadOption(&'a CStr),
    /// The launcher speaks another version of the contract.
    WrongVersion,
}

/// Reads argv, by index, and the variables that the programs of our names read.
pub fn parse<'a>(
    options: &mut Options<'a>,
    word: impl Fn(usize) -> Option<&'a CStr>,
    variable: impl Fn(&[u8]) -> Option<&'a [u8]>,
) -> Result<Request, Misuse<'a>> {
    // Where the launcher speaks, variables are the command's.
    if !word(1).is_some_and(|first| first.to_bytes().starts_with(b"--contract")) {
        options.name = Name::from_word(word(0).map_or(b"", CStr::to_bytes));
        options.read_environment(variable);
    }
    let mut at = 1;
    while let Some(current) = word(at) {
        let [b'-', rest @ ..] = current.to_bytes() else { break };
        if rest.is_empty() {
            break;
        }
        at += 1;
        if rest == b"-" {
            break;
        }
        let mut letters = rest;
        loop {
            // `--name`, `--name=value`, or one of several letters.
            let (found, attached) = if let [b'-', name @ ..] = rest {
                letters = &[];
                let (name, value) = split_at(name, b'=');
                (table::by_name(name), value)
            } else {
                let [letter, behind @ ..] = letters else { break };
                letters = behind;
                (table::by_letter(*letter), (!behind.is_empty()).then_some(behind))
            };
            let bad = Misuse::BadOption(current);
            let (known, wants_value) = found.ok_or(bad)?;
            let mut value = Value { bytes: b"", word: None };
            if wants_value {
                if let Some(bytes) = attached {
                    value.bytes = bytes;
                } else {
                    let next = word(at).ok_or(bad)?;
                    value = Value { bytes: next.to_bytes(), word: Some(next) };
                    at += 1;
                }
                letters = &[];
            } else if attached.is_some() && letters.is_empty() {
                return Err(bad);
            }
            match known {
                Known::Version => return Ok(Request::Version),
                Known::License | Known::PrintLicense => return Ok(Request::License),
                Known::Help => return Ok(Request::Help),
                Known::Contract if number(value.bytes, 10) != Some(crate::VERSION.into()) => {
                    return Err(Misuse::WrongVersion);
                }
                _ => options.read(known, value).ok_or(bad)?,
            }
            if letters.is_empty() {
                break;
            }
        }
    }
    Ok(Request::Run(at))
}

/// An option's value; a word of its own ends with NUL.
#[derive(Clone, Copy)]
struct Value<'a> {
    bytes: &'a [u8],
    word: Option<&'a CStr>,
}

impl<'a> Options<'a> {
    /// tini and dumb-init can be told by variables too.
    fn read_environment(&mut self, variable: impl Fn(&[u8]) -> Option<&'a [u8]>) {
        if self.name == Name::DumbInit {
            self.single = variable(b"DUMB_INIT_SETSID") == Some(b"0");
            self.verbose = variable(b"DUMB_INIT_DEBUG") == Some(b"1");
        } else if self.name != Name::Catatonit {
            self.group = variable(b"TINI_KILL_PROCESS_GROUP").is_some();
            // 1 is tini's default, and says nothing of what we say.
            self.verbose =
                variable(b"TINI_VERBOSITY").and_then(|v| number(v, 10)).is_some_and(|v| v > 1);
        }
    }

    fn read(&mut self, known: Known, value: Value<'a>) -> Option<()> {
        let bytes = value.bytes;
        let flag = match known {
            Known::Steps => &mut self.steps,
            Known::MountProc => &mut self.mount_proc,
            Known::MaskProc => &mut self.mask_proc,
            Known::ForbidUserns => &mut self.forbid_userns,
            Known::CutRoot => &mut self.cut_root,
            Known::Session => &mut self.session,
            Known::Terminal => &mut self.terminal,
            Known::NoNewPrivs => &mut self.no_new_privs,
            Known::Group => &mut self.group,
            Known::Single => &mut self.single,
            Known::Verbose => &mut self.verbose,
            Known::Warn => &mut self.warn,
            Known::Pause => &mut self.pause,
            _ => return self.read_value(known, bytes, value.word),
        };
        *flag = true;
        Some(())
    }

    fn read_value(&mut self, known: Known, bytes: &'a [u8], word: Option<&'a CStr>) -> Option<()> {
        match known {
            Known::Ids => self.ids = Some(Ids::parse(bytes)?),
            Known::Groups => {
                for group in Groups(bytes) {
                    group?;
                }
                self.groups = Some(bytes);
            }
            Known::Workdir => self.workdir = Some(word?),
            Known::Caps => self.caps = Some(number(bytes, 16)?),
            Known::Sigmask => self.sigmask = Some(number(bytes, 16)?),
            Known::Report => self.report = Some(small(bytes)? as i32),
            Known::GraceMs => self.grace_ms = small(bytes)?,
            Known::Grace => self.grace_ms = milliseconds(bytes)?,
            Known::DeathSignal => self.death_signal = Some(signals::parse(bytes)?),
            Known::Remap => self.successes.add(u8::try_from(id(bytes)?).ok()?),
            Known::Rewrite => return self.rewrites.read(bytes).then_some(()),
            Known::OnExit => {
                self.on_exit =
                    Some(match signals::position(b"poweroff reboot halt exit ", bytes)? {
                        0 => OnExit::Poweroff,
                        1 => OnExit::Reboot,
                        2 => OnExit::Halt,
                        _ => OnExit::Exit,
                    });
            }
            _ => {} // -s: not being PID 1 makes us a subreaper. The others were seen to.
        }
        Some(())
    }
}

impl Ids {
    fn parse(value: &[u8]) -> Option<Ids> {
        let (uid, gid) = split_at(value, b':');
        Some(Ids { uid: id(uid)?, gid: id(gid?)? })
    }
}

/// The numbers of a comma-separated list; `None` for an item that is none.
pub struct Groups<'a>(pub &'a [u8]);

impl Iterator for Groups<'_> {
    type Item = Option<u32>;

    fn next(&mut self) -> Option<Option<u32>> {
        if self.0.is_empty() {
            return None;
        }
        let (item, rest) = split_at(self.0, b',');
        self.0 = rest.unwrap_or(&[]);
        Some(id(item))
    }
}

#[cfg(test)]
mod tests;
