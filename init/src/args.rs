//! init's command line: `init [OPTIONS] [--] COMMAND [ARG…]`.
//!
//! Options end at the first word that is none, so the command's own are never touched. Those
//! that only the launcher gives are of the form `--name=value` and are written and read here,
//! side by side.

use core::ffi::CStr;
use core::fmt;

/// What init is asked to do besides being PID 1. The default is nothing at all: what a plain
/// `init COMMAND` does in somebody else's container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
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
    /// `--workdir=PATH`: start there.
    pub workdir: Option<&'a CStr>,
    /// `--sigmask=HEX`: the signal mask to give to the command (without the option: our own).
    pub sigmask: Option<u64>,
    /// `--grace=MILLISECONDS`: time for the rest after the command has ended.
    pub grace_ms: u32,
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
pub enum Request<'a> {
    /// Run the command whose words begin at this index of argv.
    Run(Options<'a>, usize),
    /// `--version`.
    Version,
    /// `--help`.
    Help,
}

/// A command line that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse<'a> {
    /// There is no command.
    NoCommand,
    /// An unknown option, or one with a bad value.
    BadOption(&'a CStr),
    /// The launcher speaks another version of the contract.
    WrongVersion,
}

/// Reads the words of argv, its zeroth included.
pub fn parse<'a>(words: impl Iterator<Item = &'a CStr>) -> Result<Request<'a>, Misuse<'a>> {
    let mut options = Options::default();
    let mut words = words.enumerate().skip(1);
    while let Some((index, word)) = words.next() {
        let bytes = word.to_bytes();
        if bytes == b"--" {
            return words.next().map(|(i, _)| Request::Run(options, i)).ok_or(Misuse::NoCommand);
        }
        if bytes.first() != Some(&b'-') || bytes.len() == 1 {
            return Ok(Request::Run(options, index));
        }
        match bytes {
            b"--version" => return Ok(Request::Version),
            b"--help" | b"-h" => return Ok(Request::Help),
            _ => options.read_word(word)?,
        }
    }
    Err(Misuse::NoCommand)
}

impl<'a> Options<'a> {
    fn read_word(&mut self, word: &'a CStr) -> Result<(), Misuse<'a>> {
        let bad = Misuse::BadOption(word);
        let (name, value) = split_at_equals(word);
        match (name, value) {
            (b"--contract", Some(v)) => {
                let version = number(v.to_bytes(), 10).ok_or(bad)?;
                if version != u64::from(crate::VERSION) {
                    return Err(Misuse::WrongVersion);
                }
            }
            (b"--report", Some(v)) => self.report = Some(small(v, 10).ok_or(bad)? as i32),
            (b"--steps", None) => self.steps = true,
            (b"--mount-proc", None) => self.mount_proc = true,
            (b"--mask-proc", None) => self.mask_proc = true,
            (b"--forbid-userns", None) => self.forbid_userns = true,
            (b"--cut-root", None) => self.cut_root = true,
            (b"--session", None) => self.session = true,
            (b"--terminal", None) => self.terminal = true,
            (b"--ids", Some(v)) => self.ids = Some(Ids::parse(v.to_bytes()).ok_or(bad)?),
            (b"--groups", Some(v)) => {
                if Groups(v.to_bytes()).any(|g| g.is_none()) {
                    return Err(bad);
                }
                self.groups = Some(v.to_bytes());
            }
            (b"--caps", Some(v)) => self.caps = Some(number(v.to_bytes(), 16).ok_or(bad)?),
            (b"--no-new-privs", None) => self.no_new_privs = true,
            (b"--workdir", Some(v)) => self.workdir = Some(v),
            (b"--sigmask", Some(v)) => self.sigmask = Some(number(v.to_bytes(), 16).ok_or(bad)?),
            (b"--grace", Some(v)) => self.grace_ms = small(v, 10).ok_or(bad)?,
            _ => return Err(bad),
        }
        Ok(())
    }

    /// Writes the options as words that [`parse`] reads back. The working directory keeps its
    /// bytes: it comes as a word of its own through `emit_path`.
    pub fn write_words(
        &self,
        mut emit: impl FnMut(fmt::Arguments<'_>),
        mut emit_path: impl FnMut(&str, &CStr),
    ) {
        emit(format_args!("--contract={}", crate::VERSION));
        if let Some(fd) = self.report {
            emit(format_args!("--report={fd}"));
        }
        let flags = [
            (self.steps, "--steps"),
            (self.mount_proc, "--mount-proc"),
            (self.mask_proc, "--mask-proc"),
            (self.forbid_userns, "--forbid-userns"),
            (self.cut_root, "--cut-root"),
            (self.session, "--session"),
            (self.terminal, "--terminal"),
            (self.no_new_privs, "--no-new-privs"),
        ];
        for (set, name) in flags {
            if set {
                emit(format_args!("{name}"));
            }
        }
        if let Some(Ids { uid, gid }) = self.ids {
            emit(format_args!("--ids={uid}:{gid}"));
        }
        if let Some(groups) = self.groups {
            // Digits and commas only, by construction.
            emit(format_args!("--groups={}", core::str::from_utf8(groups).unwrap_or("")));
        }
        if let Some(caps) = self.caps {
            emit(format_args!("--caps={caps:x}"));
        }
        if let Some(mask) = self.sigmask {
            emit(format_args!("--sigmask={mask:x}"));
        }
        if self.grace_ms != 0 {
            emit(format_args!("--grace={}", self.grace_ms));
        }
        if let Some(path) = self.workdir {
            emit_path("--workdir=", path);
        }
    }
}

impl Ids {
    fn parse(value: &[u8]) -> Option<Ids> {
        let colon = value.iter().position(|&b| b == b':')?;
        let id = |digits| number(digits, 10).and_then(|n| u32::try_from(n).ok());
        Some(Ids { uid: id(value.get(..colon)?)?, gid: id(value.get(colon + 1..)?)? })
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
        let end = self.0.iter().position(|&b| b == b',').unwrap_or(self.0.len());
        let item = self.0.get(..end).unwrap_or(&[]);
        self.0 = self.0.get(end + 1..).unwrap_or(&[]);
        Some(number(item, 10).and_then(|n| u32::try_from(n).ok()))
    }
}

fn split_at_equals(word: &CStr) -> (&[u8], Option<&CStr>) {
    let bytes = word.to_bytes_with_nul();
    match bytes.iter().position(|&b| b == b'=') {
        // What follows the '=' ends in the word's own NUL.
        Some(at) => (
            bytes.get(..at).unwrap_or(&[]),
            bytes.get(at + 1..).and_then(|rest| CStr::from_bytes_with_nul(rest).ok()),
        ),
        None => (word.to_bytes(), None),
    }
}

fn small(value: &CStr, radix: u32) -> Option<u32> {
    number(value.to_bytes(), radix).and_then(|n| u32::try_from(n).ok()).filter(|&n| n <= 1 << 30)
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &digit in digits {
        let digit = char::from(digit).to_digit(radix)?;
        value = value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn words(list: &[&str]) -> Vec<CString> {
        list.iter().map(|w| CString::new(*w).unwrap()).collect()
    }

    fn run<'a>(list: &'a [CString]) -> Result<Request<'a>, Misuse<'a>> {
        parse(list.iter().map(CString::as_c_str))
    }

    #[test]
    fn options_end_at_the_first_other_word() {
        let list = words(&["init", "--session", "sh", "--terminal"]);
        let Ok(Request::Run(options, at)) = run(&list) else { panic!() };
        assert!(options.session && !options.terminal);
        assert_eq!(at, 2);
    }

    #[test]
    fn double_dash_lets_a_command_begin_with_a_dash() {
        let list = words(&["init", "--", "-odd"]);
        assert_eq!(run(&list), Ok(Request::Run(Options::default(), 2)));
        let list = words(&["init", "-", "x"]);
        assert_eq!(run(&list), Ok(Request::Run(Options::default(), 1)));
    }

    #[test]
    fn what_the_launcher_writes_init_reads() {
        let path = CString::new(b"/a=\xff".to_vec()).unwrap();
        let all = Options {
            report: Some(7),
            steps: true,
            mount_proc: true,
            mask_proc: true,
            forbid_userns: true,
            cut_root: true,
            session: true,
            terminal: true,
            ids: Some(Ids { uid: 1000, gid: u32::MAX - 1 }),
            groups: Some(b"1,20,300"),
            caps: Some(0xa80425fb),
            no_new_privs: true,
            workdir: Some(&path),
            sigmask: Some(u64::MAX),
            grace_ms: 2500,
        };
        for options in [all, Options::default(), Options { groups: Some(b""), ..all }] {
            let mut list = words(&["init"]);
            let mut paths = Vec::new();
            options.write_words(
                |word| list.push(CString::new(word.to_string()).unwrap()),
                |name, path| paths.push([name.as_bytes(), path.to_bytes()].concat()),
            );
            list.extend(paths.into_iter().map(|p| CString::new(p).unwrap()));
            list.extend(words(&["--", "command"]));
            assert_eq!(run(&list), Ok(Request::Run(options, list.len() - 1)));
        }
    }

    #[test]
    fn bad_words_are_refused() {
        for word in [
            "--nonsense",
            "--report=",
            "--report=x",
            "--report=99999999999",
            "--ids=1",
            "--ids=1:",
            "--groups=1,,2",
            "--groups=a",
            "--caps=g",
            "--steps=1",
            "--workdir",
            "-x",
        ] {
            let list = words(&["init", word, "--", "sh"]);
            assert_eq!(run(&list), Err(Misuse::BadOption(&list[1])), "{word}");
        }
        let list = words(&["init", "--contract=999", "sh"]);
        assert_eq!(run(&list), Err(Misuse::WrongVersion));
        assert_eq!(run(&words(&["init"])), Err(Misuse::NoCommand));
        assert_eq!(run(&words(&["init", "--"])), Err(Misuse::NoCommand));
        assert_eq!(run(&[]), Err(Misuse::NoCommand));
    }
}
