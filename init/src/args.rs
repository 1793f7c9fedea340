//! init's command line: `init [OPTIONS] [--] COMMAND [ARG…]`.
//!
//! Options end at the first word that is none, so that the command's own options are its own. The
//! flags of tini, dumb-init and catatonit are all understood, whatever name init is called by.

use crate::contract::{self, Terms};
use crate::names::Name;
use crate::near;
use crate::signals::{self, Rewrites};
use crate::word::{List, Word, Words};

/// What init is asked to do besides being PID 1. The default is nothing at all: what a plain
/// `init COMMAND` does in somebody else's container.
#[derive(Clone, Copy, Default)]
#[repr(C)] // in this order: the first fields, at small offsets, take shorter instructions
pub struct Options<'a> {
    /// Which options were given.
    pub flags: Flags,
    /// What the launcher asks for, if it has started us.
    pub contract: Option<Contract<'a>>,
    /// `--grace SECONDS`: how long the remaining processes have after the command's end.
    pub grace_ms: u32,
    /// `-e CODE`: exit codes of the command that become 0.
    pub successes: Codes,
    /// `-p SIGNAL`: our parent death signal; 0 is none.
    pub death_signal: u8,
    /// The name that we were called by.
    pub name: Name,
    /// `--on-exit`: what becomes of the machine; the default depends on whether we are its PID 1.
    pub on_exit: Option<OnExit>,
    /// `-r FROM:TO`: signals that the command gets as others, or not at all.
    pub rewrites: Rewrites,
}

/// What the launcher asks for.
#[derive(Clone, Copy)]
pub struct Contract<'a> {
    /// The numbers.
    pub terms: Terms,
    /// The command's supplementary groups, if these are to be set; read by [`contract::next`].
    pub groups: Word<'a>,
    /// The command's working directory.
    pub workdir: Word<'a>,
    /// What to write to /proc/self/attr/exec, if there is a label.
    pub label: Word<'a>,
}

/// A set of options, each by its letter: bit N stands for the N-th character from `@` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u64);

impl Flags {
    /// Signals go to the command's whole process group.
    pub const GROUP: u8 = b'g';
    /// dumb-init's `-c`: the command gets no session and no process group of its own.
    pub const SINGLE: u8 = b'c';
    /// Print how the command has ended.
    pub const VERBOSE: u8 = b'v';
    /// Print the pid of each child that is reaped.
    pub const WARN: u8 = b'w';
    /// Run nothing, reap until SIGINT or SIGTERM.
    pub const PAUSE: u8 = b'P';
    /// tini's `-s`: be a subreaper, which we are anyway if not PID 1.
    const SUBREAPER: u8 = b's';

    /// Sets one.
    pub fn set(&mut self, letter: u8) {
        self.0 |= 1 << (letter & 63);
    }

    /// Whether it is set.
    pub fn have(self, letter: u8) -> bool {
        self.0 >> (letter & 63) & 1 != 0
    }
}

/// What to do when the command of the machine's PID 1 has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Turn the machine off.
    Poweroff = 1,
    /// Start it again.
    Reboot,
    /// Stop it, and leave it on.
    Halt,
    /// Exit, as in a container; a machine is turned off.
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
    pub fn has(&self, code: u8) -> bool {
        self.0[usize::from(code >> 5)] >> (code & 31) & 1 != 0
    }
}

/// What the command line asks for.
#[derive(Clone, Copy)]
pub enum Request<'a> {
    /// Run the command, which these words are; the list may be empty.
    Run(List<'a>),
    /// `--version`.
    Version,
    /// `--license`.
    License,
    /// `--help`.
    Help,
}

/// A command line that makes no sense.
#[derive(Clone, Copy)]
pub enum Misuse<'a> {
    /// An unknown option, or one with a bad value or none.
    BadOption(Word<'a>),
    /// The launcher is of another version of the contract.
    WrongVersion,
}

/// The long options; [`LETTERS`] has the letters that they stand for.
const NAMES: Words =
    Words::new(b"help\0version\0license\0verbose\0single-child\0rewrite\0grace\0on-exit\0\0");
const LETTERS: [u8; 8] = *b"hVlvcrGX";

const GROUP: Word<'_> = Word::of(near!(b"TINI_KILL_PROCESS_GROUP\0"));
const VERBOSITY: Word<'_> = Word::of(near!(b"TINI_VERBOSITY\0"));
const DASHES: Word<'_> = Word::of(near!(b"--\0"));

/// Reads argv, and the environment variables of the program that we are called by the name of.
#[inline(never)]
pub fn parse<'a>(
    options: &mut Options<'a>,
    mut words: List<'a>,
    environment: List<'_>,
) -> Result<Request<'a>, Misuse<'a>> {
    options.name = words.take().map_or(Name::Init, Name::from_word);
    options.read_environment(environment);
    let mut behind = words;
    match behind.take() {
        Some(word) if word.is(DASHES) => Ok(Request::Run(behind)),
        Some(word) if word.first() == b'-' => options.parse(words),
        _ => Ok(Request::Run(words)),
    }
}

impl<'a> Options<'a> {
    /// Whether there is nothing to do but run a command.
    pub fn are_plain(&self) -> bool {
        self.flags == Flags::default() && self.name != Name::DumbInit
    }

    /// Reads options; the first word begins with a dash.
    #[cold]
    #[inline(never)]
    fn parse(&mut self, mut words: List<'a>) -> Result<Request<'a>, Misuse<'a>> {
        while let Some(whole) = words.first() {
            let mut word = whole;
            // A dash alone is the command.
            if word.take() != b'-' || word.first() == 0 {
                break;
            }
            words.take();
            let bad = Misuse::BadOption(whole);
            let named = word.first() == b'-';
            let mut letter = word.take();
            if named {
                if word.first() == 0 {
                    break;
                }
                let (index, behind) = NAMES.position(word).ok_or(bad)?;
                letter = *LETTERS.get(usize::from(index)).ok_or(bad)?;
                word = behind;
            }
            // Letters in one word: the first that takes a value has the rest of the word, or the
            // next word.
            loop {
                match letter {
                    b'h' => return Ok(Request::Help),
                    b'V' => return Ok(Request::Version),
                    b'l' | b'L' => return Ok(Request::License),
                    Flags::VERBOSE
                    | Flags::SUBREAPER
                    | Flags::WARN
                    | Flags::GROUP
                    | Flags::PAUSE
                    | Flags::SINGLE => self.flags.set(letter),
                    contract::LETTER => {
                        if number(&mut word) != Some(crate::VERSION.into()) {
                            return Err(Misuse::WrongVersion);
                        }
                        return self.accept(word, words).ok_or(bad).map(Request::Run);
                    }
                    _ => {
                        if word.first() == 0 {
                            word = words.take().ok_or(bad)?;
                        } else if named && word.take() != b'=' {
                            return Err(bad);
                        }
                        self.read(letter, &mut word).ok_or(bad)?;
                        if word.first() != 0 {
                            return Err(bad);
                        }
                    }
                }
                letter = word.take();
                if letter == 0 {
                    break;
                }
                if named {
                    return Err(bad);
                }
            }
        }
        Ok(Request::Run(words))
    }

    /// The environment variables of tini and dumb-init.
    fn read_environment(&mut self, environment: List<'_>) {
        let number_of = |name| environment.value(name).and_then(|mut value| number(&mut value));
        if self.name == Name::DumbInit {
            if number_of(Word::new(c"DUMB_INIT_SETSID")) == Some(0) {
                self.flags.set(Flags::SINGLE);
            }
            if number_of(Word::new(c"DUMB_INIT_DEBUG")) == Some(1) {
                self.flags.set(Flags::VERBOSE);
            }
        } else if self.name != Name::Catatonit {
            if environment.value(GROUP).is_some() {
                self.flags.set(Flags::GROUP);
            }
            // 1 is tini's default, at which it prints no more than we do.
            if number_of(VERBOSITY) > Some(1) {
                self.flags.set(Flags::VERBOSE);
            }
        }
    }

    /// The launcher has started us: reads its terms. Variables like TINI_VERBOSITY are the
    /// command's then.
    fn accept(&mut self, word: Word<'a>, mut words: List<'a>) -> Option<List<'a>> {
        self.flags = Flags::default();
        self.flags.set(contract::LETTER);
        let workdir = words.take()?;
        let contract = self.contract.insert(Contract {
            terms: Terms::default(),
            groups: word,
            workdir,
            label: word,
        });
        contract.terms.read(&mut contract.groups)?;
        if contract.terms.label_length() != 0 {
            contract.label = words.take()?;
        }
        self.grace_ms = contract.terms.grace_ms();
        Some(words)
    }

    /// Reads the value of an option, as far as it is understood; the caller refuses a rest.
    fn read(&mut self, letter: u8, value: &mut Word<'_>) -> Option<()> {
        self.flags.set(letter);
        match letter {
            b'p' => self.death_signal = signals::take(value)?,
            b'e' => self.successes.add(u8::try_from(number(value)?).ok()?),
            b'r' => self.rewrites.read(value)?,
            b'G' => {
                let seconds = number(value).filter(|&seconds| seconds <= 1_000_000)?;
                self.grace_ms = seconds as u32 * 1000;
            }
            b'X' => {
                const WORDS: Words = Words::new(b"poweroff\0reboot\0halt\0exit\0\0");
                let (index, behind) = WORDS.position(*value)?;
                *value = behind;
                self.on_exit = Some(match index {
                    0 => OnExit::Poweroff,
                    1 => OnExit::Reboot,
                    2 => OnExit::Halt,
                    _ => OnExit::Exit,
                });
            }
            _ => return None,
        }
        Some(())
    }
}

/// Takes a decimal number that fits, if the word begins with one.
#[cold]
pub fn number(word: &mut Word<'_>) -> Option<u64> {
    let mut value = None;
    while let digit @ b'0'..=b'9' = word.first() {
        word.take();
        value = Some(value.unwrap_or(0u64).checked_mul(10)?.checked_add((digit - b'0').into())?);
    }
    value
}

#[cfg(test)]
mod tests;
