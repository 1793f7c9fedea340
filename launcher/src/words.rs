//! From the words of argv to [`Args`].
//!
//! A Unix argv is bytes, and argh takes UTF-8. So each byte is passed to argh as the character of
//! the same number (U+0000 to U+00FF), which loses nothing; option names are ASCII and look the
//! same. Options end at the first word that is none, so that all words after ROOTFS are the
//! command's own.

use std::ffi::{CStr, CString};

use argh::{ArgsInfo, FlagInfoKind, FromArgValue, FromArgs};

use crate::args::Args;
use crate::error::Error;
use crate::spec::mounts;

/// A word that was typed, byte for byte. It cannot hold a NUL, as it comes from argv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub Vec<u8>);

impl FromArgValue for Word {
    fn from_arg_value(value: &str) -> Result<Self, String> {
        Ok(Word(to_bytes(value)))
    }
}

impl Word {
    /// For system calls.
    pub fn to_c_string(&self) -> CString {
        CString::new(self.0.clone()).unwrap_or_default()
    }

    /// For messages.
    pub fn show(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// Options and their values.
pub struct Typed {
    pub args: Args,
    /// The names of the options in the order in which they were typed, which argh does not tell:
    /// mounts need it.
    pub order: Vec<String>,
}

/// What the words ask for.
pub enum Request {
    /// Start a container.
    Start(Box<Typed>),
    /// See what can be done here, with this rootfs if it is not empty.
    Check(CString),
    /// Print this and leave.
    Print(String),
}

/// A wrong command line, and the value of `--status-fd` if that is in it.
pub struct Misuse {
    pub error: Error,
    pub status_fd: Option<Word>,
}

/// Reads argv, its zeroth word included.
pub fn parse(argv: &[CString]) -> Result<Request, Misuse> {
    let mut split = Split::new(argv.get(1..).unwrap_or(&[]));
    split.divide().and_then(|()| read(&split)).map_err(|error| {
        let at = split.options.iter().position(|word| word == b"--status-fd");
        let value = at.and_then(|at| split.options.get(at + 1));
        Misuse { error, status_fd: value.cloned().map(Word) }
    })
}

fn read(split: &Split<'_>) -> Result<Request, Error> {
    let Split { options, order, .. } = split;
    // After "--" argh takes every word as it is. For --version and --check, which need no ROOTFS, a
    // missing one becomes an empty one, which the spec refuses otherwise.
    let rest = if split.rest.is_empty() { &[CString::default()] } else { split.rest };
    let rest = rest.iter().map(|word| from_bytes(word.to_bytes()));
    let words = options.iter().map(|word| from_bytes(word)).chain(["--".into()]).chain(rest);
    let words = words.collect::<Vec<_>>();
    let words = words.iter().map(String::as_str).collect::<Vec<_>>();
    match Args::from_args(&["launcher"], &words) {
        Ok(args) if args.version => {
            Ok(Request::Print(format!("launcher {}\n", env!("CARGO_PKG_VERSION"))))
        }
        Ok(args) if args.check => Ok(Request::Check(args.rootfs.to_c_string())),
        Ok(args) => Ok(Request::Start(Box::new(Typed { args, order: order.clone() }))),
        Err(early) if early.status.is_ok() => Ok(Request::Print(early.output)),
        Err(early) => {
            let line = early.output.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(Error::misuse(String::from_utf8_lossy(&to_bytes(&line)).into_owned()))
        }
    }
}

/// The words, divided.
struct Split<'a> {
    /// The launcher's options, `--name=value` as two words.
    options: Vec<Vec<u8>>,
    /// Their names.
    order: Vec<String>,
    /// What follows them.
    rest: &'a [CString],
}

impl<'a> Split<'a> {
    fn new(typed: &'a [CString]) -> Split<'a> {
        Split { options: Vec::new(), order: Vec::new(), rest: typed }
    }

    /// Divides the words. After an error, what was divided before stays.
    fn divide(&mut self) -> Result<(), Error> {
        let known = Args::get_args_info();
        while let Some((word, rest)) = self.rest.split_first() {
            let bytes = word.to_bytes();
            if bytes == b"--" {
                self.rest = rest;
                break;
            }
            if bytes.first() != Some(&b'-') || bytes.len() == 1 {
                break;
            }
            self.rest = rest;
            if bytes == b"-h" || bytes == b"--help" {
                (self.options, self.rest) = (vec![b"--help".to_vec()], &[]);
                break;
            }
            let equals = bytes.iter().position(|&b| b == b'=');
            let name = &bytes[..equals.unwrap_or(bytes.len())];
            let Some(flag) = known.flags.iter().find(|flag| flag.long.as_bytes() == name) else {
                return Err(unknown_option(word, name, known.flags.iter().map(|flag| flag.long)));
            };
            self.options.push(name.to_vec());
            self.order.push(flag.long.to_owned());
            let takes_value = !matches!(flag.kind, FlagInfoKind::Switch);
            match (takes_value, equals.map(|equals| &bytes[equals + 1..])) {
                (true, Some(value)) => self.options.push(value.to_vec()),
                (true, None) => self.take_value(flag.long)?,
                (false, Some(_)) => {
                    return Err(Error::misuse(format!("option {} takes no value", flag.long)));
                }
                (false, None) => {}
            }
        }
        Ok(())
    }

    /// Adds an option's value: the next word, except for options that need none.
    fn take_value(&mut self, option: &str) -> Result<(), Error> {
        let value = match (option, self.rest) {
            ("--here", _) => mounts::HERE.to_vec(),
            ("--explain", _) => b"text".to_vec(),
            (_, [value, rest @ ..]) => {
                self.rest = rest;
                value.to_bytes().to_vec()
            }
            _ => return Err(Error::misuse(format!("option {option} needs a value"))),
        };
        self.options.push(value);
        Ok(())
    }
}

fn unknown_option<'a>(word: &CStr, name: &[u8], known: impl Iterator<Item = &'a str>) -> Error {
    let word = word.to_string_lossy();
    Error::misuse(match nearest(&String::from_utf8_lossy(name), known) {
        Some(near) => format!("unknown option {word}; did you mean {near}?"),
        None => format!("unknown option {word}"),
    })
}

/// The candidate that is fewest edits away, if it is near enough to be meant: one edit, or most of
/// the letters are right.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .min()
        .filter(|&(edits, candidate)| {
            let is_like = edits == 1 && word.len() > 1 || 2 * edits < word.len();
            is_like && edits <= 2.max(candidate.len() / 3)
        })
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, to leave out, to replace, or to exchange with their neighbours, by rows.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before = Vec::new();
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn to_bytes(text: &str) -> Vec<u8> {
    // A character above U+00FF can only come from argh's own text.
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&[u8]]) -> Vec<CString> {
        let all = [&[&b"launcher"[..]], words].concat();
        all.into_iter().map(|word| CString::new(word).unwrap()).collect()
    }

    fn start(words: &[&[u8]]) -> Args {
        match parse(&argv(words)) {
            Ok(Request::Start(typed)) => typed.args,
            Ok(_) => panic!("no start"),
            Err(Misuse { error, .. }) => panic!("{error}"),
        }
    }

    fn refused(words: &[&[u8]]) -> String {
        match parse(&argv(words)) {
            Err(Misuse { error, .. }) => error.to_string(),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn check_needs_no_rootfs() {
        let rootfs = |words: &[&[u8]]| match parse(&argv(words)) {
            Ok(Request::Check(rootfs)) => rootfs,
            _ => panic!("no check"),
        };
        assert_eq!(rootfs(&[b"--check"]), CString::default());
        assert_eq!(rootfs(&[b"--check", b"r"]), CString::new("r").unwrap());
    }

    #[test]
    fn options_end_at_rootfs() {
        let args = start(&[b"--verbose", b"./rootfs", b"sh", b"--verbose", b"-c", b"x", b"--help"]);
        assert!(args.verbose);
        assert_eq!(args.rootfs, Word(b"./rootfs".to_vec()));
        assert_eq!(args.command.len(), 5);
    }

    #[test]
    fn a_rootfs_may_be_called_help_or_begin_with_a_dash() {
        assert_eq!(start(&[b"help"]).rootfs, Word(b"help".to_vec()));
        let args = start(&[b"--", b"-odd", b"--", b"x"]);
        assert_eq!(args.rootfs, Word(b"-odd".to_vec()));
        assert_eq!(args.command, [Word(b"--".to_vec()), Word(b"x".to_vec())]);
    }

    #[test]
    fn values_come_after_a_space_or_an_equals_sign_and_keep_their_bytes() {
        let args = start(&[b"--env=A=\xff\xfe", b"--env", b"--x", b"--hostname=", b"r"]);
        assert_eq!(args.env, [Word(b"A=\xff\xfe".to_vec()), Word(b"--x".to_vec())]);
        assert_eq!(args.hostname, Some(Word(Vec::new())));
    }

    #[test]
    fn wrong_use_is_one_line_that_names_the_word() {
        assert!(refused(&[b"--hostnme", b"x", b"r"]).contains("did you mean --hostname?"));
        assert!(
            refused(&[b"--zzzzzzzzzzzz"])
                .ends_with("unknown option --zzzzzzzzzzzz; see launcher --help")
        );
        assert!(refused(&[b"--hostname"]).contains("needs a value"));
        assert!(refused(&[b"--verbose=1", b"r"]).contains("takes no value"));
        assert!(refused(&[b"--grace=1", b"--grace=2", b"r"]).contains("--grace"));
        for words in [&[&b"--\xff"[..]][..], &[b"-x"], &[b"--user"]] {
            assert_eq!(refused(words).lines().count(), 1);
        }
    }

    #[test]
    fn only_what_is_near_is_meant() {
        let near = |word, known: &[&'static str]| nearest(word, known.iter().copied());
        for (word, known) in
            [("nofiles", "nofile"), ("nte", "net"), ("r0", "ro"), ("xr", "rx"), ("vet", "veth")]
        {
            assert_eq!(near(word, &["core", known]), Some(known), "{word}");
        }
        for word in ["nope", "x", "", "quite-another"] {
            assert_eq!(near(word, &["core", "cpu", "as", "ro", "x-"]), None, "{word}");
        }
        assert_eq!(distance(b"ab", b"ba"), 1);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }

    #[test]
    fn help_and_version_are_printed() {
        for word in [&b"--help"[..], b"-h"] {
            assert!(
                matches!(parse(&argv(&[b"--verbose", word])), Ok(Request::Print(text)) if text.contains("--hostname"))
            );
        }
        assert!(
            matches!(parse(&argv(&[b"--version"])), Ok(Request::Print(text)) if text.starts_with("launcher "))
        );
    }
}
