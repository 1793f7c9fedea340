//! `--landlock`: the rules of landlock(7) for the command: which files and TCP ports it may use,
//! and whether it may signal or connect to processes outside its Landlock domain.

use std::ffi::CString;

use super::mounts::Fields;
use crate::args::Args;
use crate::error::Error;
use crate::words::Word;

/// LANDLOCK_ACCESS_FS_* of linux/landlock.h.
mod fs {
    pub const EXECUTE: u64 = 1;
    pub const WRITE_FILE: u64 = 1 << 1;
    pub const READ_FILE: u64 = 1 << 2;
    pub const READ_DIR: u64 = 1 << 3;
    /// Remove and make: REMOVE_DIR to MAKE_SYM.
    pub const CHANGE_DIR: u64 = 0x1ff0;
    pub const REFER: u64 = 1 << 13;
    pub const TRUNCATE: u64 = 1 << 14;
    pub const IOCTL_DEV: u64 = 1 << 15;
}

const READ: u64 = fs::READ_FILE | fs::READ_DIR;
const WRITE: u64 = fs::WRITE_FILE | fs::CHANGE_DIR | fs::REFER | fs::TRUNCATE | fs::IOCTL_DEV;

/// The accesses that a rule for a file, not a directory, may allow.
pub const OF_A_FILE: u64 =
    fs::EXECUTE | fs::WRITE_FILE | fs::READ_FILE | fs::TRUNCATE | fs::IOCTL_DEV;

/// LANDLOCK_ACCESS_NET_*.
pub const BIND_TCP: u64 = 1;
pub const CONNECT_TCP: u64 = 2;

/// LANDLOCK_SCOPE_*.
const ABSTRACT_SOCKETS: u64 = 1;
const SIGNALS: u64 = 2;

/// The first Landlock ABI version that can restrict every file access used here; an older one
/// leaves some of them unrestricted.
const WHOLE: u32 = 5;
const NETWORK: u32 = 4;
const SCOPES: u32 = 6;

/// The rules, as asked for. A kind of access that no rule names is not restricted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Landlock {
    /// Paths inside, relative to the root, and what is allowed below; with one, all other files
    /// are out of reach.
    pub paths: Vec<(CString, u64)>,
    /// Ports, and which of the two is allowed there.
    pub ports: Vec<(u16, u64)>,
    /// The accesses to TCP that are restricted to those ports.
    pub network: u64,
    /// LANDLOCK_SCOPE_*: ways to reach a process outside this Landlock domain that are closed.
    pub scopes: u64,
    /// The lowest ABI version to accept.
    pub abi: Option<u32>,
}

impl Landlock {
    /// Makes sense of what was typed.
    pub fn parse(args: &Args) -> Result<Option<Landlock>, Error> {
        let abi = args.landlock_abi.as_ref().map(parse_abi).transpose()?;
        let mut rules = Landlock { abi, ..Landlock::default() };
        for word in &args.landlock {
            rules.add(word)?;
        }
        match (args.landlock.is_empty(), abi) {
            (true, None) => Ok(None),
            (true, Some(_)) => Err(Error::misuse("--landlock-abi needs a --landlock beside it")),
            (false, _) => Ok(Some(rules)),
        }
    }

    fn add(&mut self, word: &Word) -> Result<(), Error> {
        let fields = Fields::of("--landlock", &word.0);
        let [subject, value] = fields.up_to()?;
        let subject = subject.unwrap_or_default();
        match (subject, value) {
            ([b'/', ..], rights) => {
                let rights = match rights.unwrap_or(b"rx") {
                    b"r" | b"ro" => READ,
                    b"rx" => READ | fs::EXECUTE,
                    b"rw" => READ | WRITE,
                    b"rwx" => READ | WRITE | fs::EXECUTE,
                    other => return Err(fields.unknown(other, &["r", "rx", "rw", "rwx"])),
                };
                let path = fields.path(subject)?.into_bytes();
                let start = path.iter().position(|&b| b != b'/').unwrap_or(path.len());
                // Relative to the root; the root itself is `.`.
                let path = if start == path.len() { b".".to_vec() } else { path[start..].into() };
                self.paths.push((CString::new(path).unwrap_or_default(), rights));
            }
            (b"bind", Some(port)) => self.add_port(port, BIND_TCP, fields)?,
            (b"connect", Some(port)) => self.add_port(port, CONNECT_TCP, fields)?,
            (b"abstract", None) => self.scopes |= ABSTRACT_SOCKETS,
            (b"signal", None) => self.scopes |= SIGNALS,
            _ => {
                return Err(fields.wrong(
                    "a rule is PATH[:r|rx|rw|rwx], bind:PORT, connect:PORT, abstract or signal",
                ));
            }
        }
        Ok(())
    }

    fn add_port(&mut self, port: &[u8], access: u64, fields: Fields<'_>) -> Result<(), Error> {
        let is_none = port == b"none";
        let others = self.ports.iter().any(|(_, own)| *own == access);
        // That port, and no port.
        if if is_none { others } else { self.network & access != 0 && !others } {
            return Err(fields.wrong("another rule says the contrary: it is none, or ports"));
        }
        self.network |= access;
        if !is_none {
            let text = std::str::from_utf8(port).unwrap_or_default();
            let port = text.parse().map_err(|_| fields.wrong("a port is 0 to 65535, or none"))?;
            self.ports.push((port, access));
        }
        Ok(())
    }

    /// The accesses to files that are restricted, where the kernel has this version.
    pub fn files(&self, abi: u32) -> u64 {
        if self.paths.is_empty() {
            return 0;
        }
        let newer = [(2, fs::REFER), (3, fs::TRUNCATE), (5, fs::IOCTL_DEV)];
        let all = READ | WRITE | fs::EXECUTE;
        newer.iter().filter(|(first, _)| *first > abi).fold(all, |set, (_, access)| set & !access)
    }

    /// What a kernel of this version cannot restrict, of what was asked for, and what to do about
    /// that; `None` if it has all.
    pub fn missing(&self, abi: u32) -> Option<(&'static str, String)> {
        let leave_out = |what| Some((what, "leave that rule out".into()));
        if self.network != 0 && abi < NETWORK {
            return leave_out("bind and connect, which need ABI 4, Linux 6.7");
        }
        if self.scopes != 0 && abi < SCOPES {
            return leave_out("abstract sockets and signals, which need ABI 6, Linux 6.12");
        }
        if self.paths.is_empty() || abi >= self.abi.unwrap_or(WHOLE) {
            return None;
        }
        let what = match abi {
            0..3 => "truncate(2), which needs ABI 3, Linux 6.2, nor ioctl(2) of devices",
            _ => "ioctl(2) of devices, which needs ABI 5, Linux 6.10",
        };
        Some((what, format!("--landlock-abi {abi} makes do with the rest")))
    }

    /// For `--explain`.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = self.paths.iter().map(describe_path).collect::<Vec<_>>();
        if !lines.is_empty() {
            lines.push("no other file can be opened, written, executed, made or removed".into());
            lines.extend(self.abi.map(|abi| format!("as far as version {abi} can restrict it")));
        }
        for (access, name) in [(BIND_TCP, "bind"), (CONNECT_TCP, "connect")] {
            if self.network & access != 0 {
                let ports = self.ports.iter().filter(|(_, own)| *own == access);
                let ports = ports.map(|(port, _)| format!(" {port}")).collect::<String>();
                let ports = if ports.is_empty() { " no port".into() } else { ports };
                lines.push(format!("TCP {name}:{ports}"));
            }
        }
        for (scope, what) in [(ABSTRACT_SOCKETS, "abstract sockets"), (SIGNALS, "signals")] {
            if self.scopes & scope != 0 {
                lines.push(format!("{what}: within the command's own processes"));
            }
        }
        lines
    }
}

fn describe_path((path, rights): &(CString, u64)) -> String {
    let has = |right, letter| if rights & right != 0 { letter } else { "" };
    let path = path.to_string_lossy();
    let path = if path == "." { "" } else { &path };
    format!("/{path}  r{}{}", has(fs::WRITE_FILE, "w"), has(fs::EXECUTE, "x"))
}

fn parse_abi(word: &Word) -> Result<u32, Error> {
    let shown = word.show();
    match shown.parse() {
        Ok(abi @ 1..=WHOLE) => Ok(abi),
        _ => {
            Err(Error::misuse(format!("--landlock-abi {shown} is not a number from 1 to {WHOLE}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(words: &[&str]) -> Result<Landlock, String> {
        let mut rules = Landlock::default();
        for word in words {
            rules.add(&Word((*word).into())).map_err(|error| error.to_string())?;
        }
        Ok(rules)
    }

    #[test]
    fn a_path_has_letters_for_what_may_be_done_below() {
        let rules = rules(&["/usr", "/tmp:rw", "//a\\:b:r", "/:rwx"]).unwrap();
        let shown = rules.paths.iter().map(describe_path).collect::<Vec<_>>();
        assert_eq!(shown, ["/usr  rx", "/tmp  rw", "/a:b  r", "/  rwx"]);
        assert_eq!(rules.paths[3].0, c".".to_owned());
        assert_eq!((rules.network, rules.scopes), (0, 0));
    }

    #[test]
    fn the_network_is_restricted_to_the_ports_that_are_named() {
        let rules = rules(&["connect:443", "connect:80", "bind:none", "abstract"]).unwrap();
        assert_eq!(rules.ports, [(443, CONNECT_TCP), (80, CONNECT_TCP)]);
        assert_eq!((rules.network, rules.scopes), (BIND_TCP | CONNECT_TCP, ABSTRACT_SOCKETS));
        assert_eq!(rules.files(9), 0);
    }

    #[test]
    fn words_that_are_no_rule_are_refused() {
        for (word, part) in [
            ("usr", "a rule is PATH"),
            ("", "a rule is PATH"),
            ("connect", "a rule is PATH"),
            ("signal:1", "a rule is PATH"),
            ("/usr:xr", "did you mean"),
            ("/usr:w", "option w is unknown: it is one of r, rx, rw, rwx"),
            ("/usr:w:x", "too many colons"),
            ("bind:70000", "a port is"),
            ("bind:", "a port is"),
        ] {
            let error = rules(&[word]).unwrap_err();
            assert!(error.contains(part), "{word}: {error}");
        }
        for words in [["bind:80", "bind:none"], ["connect:none", "connect:1"]] {
            let error = rules(&words).unwrap_err();
            assert!(error.contains("the contrary"), "{words:?}: {error}");
        }
        assert!(rules(&["bind:none", "bind:none", "connect:1"]).is_ok());
    }

    #[test]
    fn an_older_kernel_is_refused_unless_it_is_named() {
        let mut files = rules(&["/usr"]).unwrap();
        assert_eq!(files.files(7), 0xffff);
        assert_eq!((files.files(1), files.files(2), files.files(4)), (0x1fff, 0x3fff, 0x7fff));
        assert!(files.missing(2).unwrap().0.contains("Linux 6.2"));
        assert!(files.missing(4).unwrap().0.contains("Linux 6.10"));
        assert!(files.missing(4).unwrap().1.contains("--landlock-abi 4"));
        assert_eq!(files.missing(5), None);
        files.abi = Some(2);
        assert!(files.missing(1).is_some());
        assert_eq!(files.missing(2), None);
        // What was asked for by name is there or is an error.
        let mut network = rules(&["bind:80"]).unwrap();
        network.abi = Some(1);
        assert!(network.missing(3).unwrap().0.contains("Linux 6.7"));
        assert_eq!(network.missing(4), None);
        assert!(rules(&["signal"]).unwrap().missing(5).unwrap().0.contains("Linux 6.12"));
    }
}
