//! Unit tests of the command line.

use std::cell::Cell;
use std::ffi::CString;

use super::*;

/// An argument vector or an environment.
struct Vector(Vec<CString>);

impl Vector {
    fn new<S: AsRef<[u8]>>(words: impl IntoIterator<Item = S>) -> Self {
        Vector(words.into_iter().map(|word| CString::new(word.as_ref()).unwrap()).collect())
    }

    fn slots(&self) -> Vec<Cell<Option<Word<'_>>>> {
        let words = self.0.iter().map(|word| Cell::new(Some(Word::new(word))));
        words.chain([Cell::new(None)]).collect()
    }
}

/// What became of a command line, in plain values.
#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Run(Vec<String>),
    Text(&'static str),
    Bad(String),
    WrongVersion,
}

fn text(word: Word<'_>) -> String {
    let mut word = word;
    let bytes = std::iter::from_fn(|| Some(word.take()).filter(|&byte| byte != 0));
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// Parses, and looks at the options as long as they live.
fn look<T>(argv: &Vector, variables: &[&str], f: impl FnOnce(&Options<'_>, Parsed) -> T) -> T {
    let environment = Vector::new(variables);
    let (argv, environment) = (argv.slots(), environment.slots());
    let mut options = Options::default();
    let parsed = match parse(&mut options, List::new(&argv), List::new(&environment)) {
        Ok(Request::Run(mut list)) => {
            Parsed::Run(std::iter::from_fn(|| list.take()).map(text).collect())
        }
        Ok(Request::Version) => Parsed::Text("version"),
        Ok(Request::License) => Parsed::Text("license"),
        Ok(Request::Help) => Parsed::Text("help"),
        Err(Misuse::BadOption(word)) => Parsed::Bad(text(word)),
        Err(Misuse::WrongVersion) => Parsed::WrongVersion,
    };
    f(&options, parsed)
}

fn run(words: &[&str]) -> Parsed {
    look(&Vector::new(words), &[], |_, parsed| parsed)
}

fn command(words: &[&str]) -> Parsed {
    Parsed::Run(words.iter().map(ToString::to_string).collect())
}

/// The options of a command line that is understood.
fn options(words: &[&str], variables: &[&str]) -> Options<'static> {
    look(&Vector::new(words), variables, |options, parsed| {
        assert!(matches!(parsed, Parsed::Run(_)), "{words:?}");
        Options { contract: None, ..*options }
    })
}

impl Options<'_> {
    /// The letters of what is set.
    fn letters(&self) -> String {
        (b'@'..=b'~').filter(|&letter| self.flags.have(letter)).map(char::from).collect()
    }
}

#[test]
fn options_end_at_the_first_other_word() {
    assert_eq!(run(&["init", "-g", "sh", "-w"]), command(&["sh", "-w"]));
    assert_eq!(options(&["init", "-g", "sh", "-w"], &[]).letters(), "g");
}

#[test]
fn double_dash_lets_a_command_begin_with_a_dash() {
    assert_eq!(run(&["init", "--", "-odd"]), command(&["-odd"]));
    assert_eq!(run(&["init", "-", "x"]), command(&["-", "x"]));
    assert_eq!(run(&["init", "-g", "--", "--", "x"]), command(&["--", "x"]));
}

#[test]
fn launcher_speaks_for_its_command() {
    let argv = Vector::new(["init", "-@6,32,7,0,0,0,0,2500,0,0,0,0,5", "/a b", "-x", "--"]);
    look(&argv, &["TINI_KILL_PROCESS_GROUP=1"], |options, parsed| {
        assert_eq!(parsed, command(&["-x", "--"]));
        assert_eq!(options.letters(), "@", "variables are the command's");
        assert_eq!(options.grace_ms, 2500);
        let contract = options.contract.unwrap();
        assert_eq!((contract.terms.report(), text(contract.workdir)), (7, "/a b".to_string()));
        assert_eq!(text(contract.groups), ",5");
    });
    assert_eq!(run(&["init", "-@999,1", "/", "sh"]), Parsed::WrongVersion);
    assert_eq!(run(&["init", "-@", "/", "sh"]), Parsed::WrongVersion);
    assert_eq!(run(&["init", "-@6,1", "/", "sh"]), Parsed::Bad("-@6,1".to_string()));
    let whole = "-@6,32,7,0,0,0,0,2500,0,0,0,0";
    assert_eq!(run(&["init", whole]), Parsed::Bad(whole.to_string()), "no directory");
}

#[test]
fn bad_words_are_refused() {
    for word in [
        "--nonsense",
        "--=",
        "--grace:1",
        "--gracex",
        "-x",
        "-gx",
        "- ",
        "-pSIGFOO",
        "-p15x",
        "-e256",
        "-e18446744073709551616",
        "-r15",
        "--rewrite=15:99",
        "--grace=x",
        "--grace=-1",
        "--grace=1.5",
        "--grace=1000001",
        "--on-exit=burn",
        "--on-exit=haltx",
        "-\x01",
        "-W",
    ] {
        assert_eq!(run(&["init", word, "--", "sh"]), Parsed::Bad(word.to_string()), "{word}");
    }
    for word in ["-p", "-e", "-gr", "--grace", "--on-exit"] {
        assert_eq!(run(&["init", word]), Parsed::Bad(word.to_string()), "{word}");
    }
}

#[test]
fn without_a_command_none_is_left() {
    assert_eq!(run(&["init"]), command(&[]));
    assert_eq!(run(&["init", "--"]), command(&[]));
    assert_eq!(run(&[]), command(&[]));
}

#[test]
fn flags_of_tini_and_catatonit() {
    let got = options(&["tini", "-swgvv", "-p", "SIGKILL", "-e", "143", "-e3", "--", "x"], &[]);
    assert_eq!(got.letters(), "egpsvw");
    assert_eq!(got.death_signal, 9);
    assert!(got.successes.has(143) && got.successes.has(3) && !got.successes.has(0));
    assert_eq!(options(&["catatonit", "-P"], &[]).letters(), "P");
    assert_eq!(options(&["tini", "-pTERM", "x"], &[]).death_signal, 15);
    for (word, text) in [
        ("--version", "version"),
        ("-V", "version"),
        ("-l", "license"),
        ("-L", "license"),
        ("-h", "help"),
        ("--help", "help"),
        ("-gh", "help"),
    ] {
        assert_eq!(run(&["tini", word]), Parsed::Text(text), "{word}");
    }
}

#[test]
fn flags_of_dumb_init() {
    let got = options(&["dumb-init", "-c", "-r", "15:2", "--rewrite=1:0", "x"], &[]);
    assert_eq!(got.letters(), "cr");
    assert_eq!((got.rewrites.of(15), got.rewrites.of(1)), (Some(2), None));
    assert_eq!(options(&["dumb-init", "--single-child", "--verbose", "x"], &[]).letters(), "cv");
}

#[test]
fn variables_count_under_their_programs_name() {
    let all =
        ["TINI_KILL_PROCESS_GROUP=", "TINI_VERBOSITY=3", "DUMB_INIT_SETSID=0", "DUMB_INIT_DEBUG=1"];
    for name in ["init", "tini", "docker-init"] {
        assert_eq!(options(&[name, "x"], &all).letters(), "gv", "{name}");
    }
    assert_eq!(options(&["dumb-init", "x"], &all).letters(), "cv");
    assert_eq!(options(&["catatonit", "x"], &all).letters(), "");
    assert_eq!(options(&["dumb-init", "x"], &["DUMB_INIT_SETSID=1"]).letters(), "");
    assert_eq!(options(&["tini", "x"], &["TINI_VERBOSITY=1", "TINI_VERBOSITYX=3"]).letters(), "");
}

#[test]
fn grace_is_in_seconds() {
    for (text, ms) in [("0", 0), ("2", 2000), ("1000000", 1_000_000_000)] {
        assert_eq!(options(&["init", "--grace", text, "x"], &[]).grace_ms, ms, "{text}");
        assert_eq!(options(&["init", "-G", text, "x"], &[]).grace_ms, ms, "{text}");
    }
}

#[test]
fn end_of_the_machine_has_four_kinds() {
    for (text, what) in [
        ("poweroff", OnExit::Poweroff),
        ("reboot", OnExit::Reboot),
        ("halt", OnExit::Halt),
        ("exit", OnExit::Exit),
    ] {
        assert_eq!(options(&["init", "--on-exit", text], &[]).on_exit, Some(what), "{text}");
    }
}

/// A parser never panics, never points behind the end, and is the same for the same words: a
/// hundred thousand command lines out of pieces that mean something, and bytes that do not.
#[test]
fn random_words_are_refused_or_understood_but_never_trip() {
    const PIECES: &[&[u8]] = &[
        b"-",
        b"--",
        b"=",
        b":",
        b",",
        b".",
        b"g",
        b"p",
        b"e",
        b"r",
        b"v",
        b"0",
        b"9",
        b"15",
        b"SIGTERM",
        b"grace",
        b"on-exit",
        b"rewrite",
        b"@6",
        b"@6,0,0,0,0,0,0,0,0,0,0,0",
        b"@6,0,0,0,0,0,0,0,0,0,7,0,20",
        b"help",
        b"1",
        b"64",
        b"256",
        b"18446744073709551616",
        b"\xff",
        b" ",
        b"",
    ];
    // xorshift64: the same run every time.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut understood, mut contracts) = (0, 0);
    for _ in 0..100_000 {
        let mut words = Vec::new();
        for _ in 0..random(6) {
            let mut word = if random(2) == 0 { vec![] } else { vec![b'-'] };
            for _ in 0..random(5) {
                word.extend_from_slice(PIECES[random(PIECES.len())]);
            }
            words.push(word);
        }
        let argv = Vector::new(&words);
        let first = look(&argv, &[], |_, parsed| parsed);
        assert_eq!(first, look(&argv, &[], |_, parsed| parsed));
        if let Parsed::Run(rest) = first {
            understood += 1;
            let at = words.len() - rest.len();
            if let Some(word) = words.get(at) {
                let dashed = at > 0 && word.len() > 1 && word[0] == b'-';
                contracts += usize::from(words.iter().any(|word| word.starts_with(b"-@6,0")));
                let after_contract = words.iter().any(|word| word.contains(&b'@'));
                assert!(!dashed || words[at - 1] == b"--" || after_contract, "{words:?}");
            }
        }
    }
    assert!((10_000..90_000).contains(&understood) && contracts > 1000, "{understood} {contracts}");
}
