//! Unit tests of the command line.

use std::ffi::CString;

use super::*;

fn words(list: &[&str]) -> Vec<CString> {
    list.iter().map(|w| CString::new(*w).unwrap()).collect()
}

type Parsed<'a> = Result<(Options<'a>, Request), Misuse<'a>>;

fn run_with<'a>(list: &'a [CString], variables: &'a [(&str, &str)]) -> Parsed<'a> {
    let mut options = Options::default();
    let value = |name: &[u8]| {
        let found = variables.iter().find(|(own, _)| own.as_bytes() == name);
        found.map(|(_, value)| value.as_bytes())
    };
    let request = parse(&mut options, |at| list.get(at).map(CString::as_c_str), value)?;
    Ok((options, request))
}

fn run(list: &[CString]) -> Parsed<'_> {
    run_with(list, &[])
}

fn options(list: &[&str], variables: &[(&str, &str)]) -> Options<'static> {
    let list = words(list);
    let (options, _) = run_with(&list, variables).unwrap();
    Options { groups: None, workdir: None, ..options }
}

#[test]
fn options_end_at_the_first_other_word() {
    let list = words(&["init", "--session", "sh", "--terminal"]);
    let (options, request) = run(&list).unwrap();
    assert!(options.session && !options.terminal);
    assert_eq!(request, Request::Run(2));
}

#[test]
fn double_dash_lets_a_command_begin_with_a_dash() {
    assert_eq!(run(&words(&["init", "--", "-odd"])).unwrap().1, Request::Run(2));
    assert_eq!(run(&words(&["init", "-", "x"])).unwrap().1, Request::Run(1));
    assert_eq!(run(&words(&["init", "-g", "--", "--", "x"])).unwrap().1, Request::Run(3));
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
        ..Options::default()
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
        // Variables are the command's, not ours, when the launcher is there.
        let variables = [("TINI_KILL_PROCESS_GROUP", "1")];
        assert_eq!(run_with(&list, &variables), Ok((options, Request::Run(list.len() - 1))));
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
        "--=",
        "--workdir=/",
        "-x",
        "-gx",
        "- ",
        "-pSIGFOO",
        "-e256",
        "-r15",
        "--rewrite=15:99",
        "--grace=1.2345",
        "--grace=-1",
        "--on-exit=burn",
    ] {
        let list = words(&["init", word, "--", "sh"]);
        assert_eq!(run(&list), Err(Misuse::BadOption(&list[1])), "{word}");
    }
    for word in ["-p", "-e", "-gr", "--grace", "--on-exit"] {
        let list = words(&["init", word]);
        assert_eq!(run(&list), Err(Misuse::BadOption(&list[1])), "{word}");
    }
    let list = words(&["init", "--contract=999", "sh"]);
    assert_eq!(run(&list), Err(Misuse::WrongVersion));
}

#[test]
fn without_a_command_its_index_is_the_end() {
    assert_eq!(run(&words(&["init"])).unwrap().1, Request::Run(1));
    assert_eq!(run(&words(&["init", "--"])).unwrap().1, Request::Run(2));
    assert_eq!(run(&[]).unwrap().1, Request::Run(1));
}

#[test]
fn flags_of_tini_and_catatonit() {
    let got = options(&["tini", "-swgvv", "-p", "SIGKILL", "-e", "143", "-e3", "--", "x"], &[]);
    assert!(got.warn && got.group && got.verbose && !got.pause);
    assert_eq!(got.death_signal, Some(9));
    assert!(got.successes.has(143) && got.successes.has(3) && !got.successes.has(0));
    assert!(options(&["catatonit", "-P"], &[]).pause);
    assert_eq!(options(&["tini", "-pTERM", "x"], &[]).death_signal, Some(15));
    for (word, request) in [
        ("--version", Request::Version),
        ("-V", Request::Version),
        ("-l", Request::License),
        ("-L", Request::License),
        ("-h", Request::Help),
        ("--help", Request::Help),
    ] {
        assert_eq!(run(&words(&["tini", word])).unwrap().1, request, "{word}");
    }
}

#[test]
fn flags_of_dumb_init() {
    let got = options(&["dumb-init", "-c", "-r", "15:2", "--rewrite=1:0", "x"], &[]);
    assert!(got.single && !got.verbose);
    assert_eq!((got.rewrites.of(15), got.rewrites.of(1)), (Some(2), None));
    assert!(options(&["dumb-init", "--single-child", "--verbose", "x"], &[]).verbose);
}

#[test]
fn variables_count_under_their_programs_name() {
    let all = [
        ("TINI_KILL_PROCESS_GROUP", ""),
        ("TINI_VERBOSITY", "3"),
        ("DUMB_INIT_SETSID", "0"),
        ("DUMB_INIT_DEBUG", "1"),
    ];
    for name in ["init", "tini", "docker-init"] {
        let got = options(&[name, "x"], &all);
        assert!(got.group && got.verbose && !got.single, "{name}");
    }
    let got = options(&["dumb-init", "x"], &all);
    assert!(got.single && got.verbose && !got.group);
    let got = options(&["catatonit", "x"], &all);
    assert!(!got.single && !got.verbose && !got.group);
    assert!(!options(&["dumb-init", "x"], &[("DUMB_INIT_SETSID", "1")]).single);
    assert!(!options(&["tini", "x"], &[("TINI_VERBOSITY", "1")]).verbose);
}

#[test]
fn grace_is_in_seconds() {
    for (text, ms) in [("0", 0), ("2", 2000), ("0.5", 500), ("1.25", 1250), ("3.007", 3007)] {
        assert_eq!(options(&["init", "--grace", text, "x"], &[]).grace_ms, ms, "{text}");
    }
    assert_eq!(options(&["init", "--grace-ms=250", "x"], &[]).grace_ms, 250);
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
        b"ids",
        b"groups",
        b"caps",
        b"contract",
        b"report",
        b"workdir",
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
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut list = Vec::new();
        for _ in 0..random(6) {
            let mut word = Vec::new();
            for _ in 0..random(5) {
                word.extend_from_slice(PIECES[random(PIECES.len())]);
            }
            list.push(CString::new(word).unwrap());
        }
        let first = run(&list);
        assert_eq!(first, run(&list));
        if let Ok((_, Request::Run(at))) = first {
            understood += 1;
            assert!(at <= list.len().max(1), "{list:?}");
            if let Some(word) = list.get(at) {
                let dashed = word.to_bytes().len() > 1 && word.to_bytes()[0] == b'-';
                assert!(!dashed || list[at - 1].to_bytes() == b"--", "{list:?}");
            }
        }
    }
    assert!(understood > 10_000, "{understood}");
}
