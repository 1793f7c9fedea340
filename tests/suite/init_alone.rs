//! init on its own, as another engine would run it.

use std::fs;
use std::time::Duration;

use crate::launch::Launch;
use crate::pace::{patience, slowness};
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::subject;
use crate::sys::before::Before;

/// init with the probe as its command.
fn init(words: &str) -> Launch {
    let probe = subject::probe().to_string_lossy().into_owned();
    Launch::init([probe.as_str()].into_iter().chain(words.split_whitespace()))
}

/// The same, as PID 1.
fn pid_one(words: &str) -> Launch {
    init(words).before(Before::PidOne)
}

#[test]
fn code_of_the_command_is_inits() {
    for code in [0, 1, 125, 255] {
        pid_one(&format!("exit {code}")).run().code(code);
        init(&format!("exit {code}")).run().code(code);
    }
}

#[test]
fn command_ended_by_a_signal_gives_128_plus_its_number() {
    for signal in [1, 9, 15, 64] {
        pid_one(&format!("die {signal}")).run().code(128 + signal);
        init(&format!("die {signal}")).run().code(128 + signal);
    }
}

#[test]
fn command_that_cannot_be_run_is_one_line_on_standard_error() {
    let folder = Rootfs::new();
    folder.add_file("plain", "");
    let run = |path: &str| {
        // A folder of PATH that may not be entered would count as found and refused.
        let launch = Launch::init([path]).variable("PATH", folder.path());
        launch.before(Before::PidOne).run()
    };
    run("/none").fails(127, "init: cannot execute /none: ENOENT (not found)");
    run("none-such").fails(127, "init: cannot execute none-such: ENOENT (not found)");
    let plain = folder.inside("plain").to_string_lossy().into_owned();
    let reason = "EACCES (permission denied, or on a noexec mount)";
    run(&plain).fails(126, &format!("init: cannot execute {plain}: {reason}"));
}

#[test]
fn without_a_command_it_says_how_it_is_used() {
    let line = "init: no command given; see init --help";
    Launch::init([""; 0]).run().fails(125, line);
    Launch::init(["--"]).run().fails(125, line);
    Launch::init(["--bogus"]).run().fails_with(125, "--bogus");
}

#[test]
fn version_is_as_engines_expect_it() {
    let output = Launch::init(["--version"]).run().ok();
    assert!(output.stdout.starts_with("tini version "), "{output}");
}

#[test]
fn options_of_the_command_are_left_alone() {
    let output = Launch::init(["--", &*subject::probe().to_string_lossy(), "args", "--version"]);
    output.run().ok().prints(&["\"--version\""]);
}

#[test]
fn environment_and_descriptors_are_the_callers() {
    let output = pid_one("env").variable("KEPT", "yes").run().ok();
    assert!(output.lines().contains(&"KEPT=yes"), "{output}");
    let root = fs::File::open("/").unwrap();
    let output = init("fds").descriptor(root, 7).run().ok();
    assert_eq!(output.fact("7"), "/");
}

#[test]
fn signal_mask_and_ignored_signals_are_the_callers() {
    let launch = init("status SigBlk SigIgn").before(Before::Block(1 << 9));
    let output = launch.before(Before::Ignore(libc::SIGHUP)).run().ok();
    let facts = (output.fact("SigBlk"), output.fact("SigIgn"));
    assert_eq!(facts, ("0000000000000200", "0000000000000001"));
}

/// init's own pid: the child of the process that was started.
fn init_of(running: &Running) -> i32 {
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

#[test]
fn signals_are_passed_on() {
    let running = pid_one("trap 12").start();
    running.wait_for("ready");
    let init = init_of(&running);
    for signal in [1, 2, 3, 10, 13, 14, 15, 18, 28, 34, 64] {
        crate::sys::kill(init, signal).unwrap();
        running.wait_for(&format!("signal {signal} "));
    }
    crate::sys::queue(init, 40, 0x77).unwrap();
    running.wait_for("signal 40 code -1 value 0x77");
    crate::sys::kill(init, 12).unwrap();
    running.finish().code(0);
}

#[test]
fn sigterm_ends_a_command_that_does_not_catch_it() {
    let running = pid_one("sleep 1000").start();
    running.wait_for("ready");
    crate::sys::kill(init_of(&running), libc::SIGTERM).unwrap();
    let output = running.finish().code(143);
    assert!(output.took < patience(Duration::from_secs(5)), "{output}");
}

#[test]
fn orphans_are_reaped() {
    let running = pid_one("litter 20").start();
    running.wait_for("ready");
    let init = init_of(&running);
    let children = || fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    let is_alone = || children().split_whitespace().count() == 1;
    let waited = (0..500 * slowness()).find(|_| {
        std::thread::sleep(Duration::from_millis(2));
        is_alone()
    });
    assert!(waited.is_some(), "the command alone should be left: {}", children());
}

#[test]
fn nothing_is_printed_on_standard_output() {
    let output = pid_one("exit 0").run().ok();
    assert_eq!(output.stdout, "");
}

#[test]
fn script_without_an_interpreter_line_is_run_by_the_shell() {
    if !std::path::Path::new("/bin/sh").exists() {
        println!("N/A {}: no /bin/sh out here", crate::ability::own_name!());
        return;
    }
    let folder = Rootfs::new();
    folder.add_script("script", "echo script $1\n");
    let path = folder.inside("script").to_string_lossy().into_owned();
    Launch::init([path.as_str(), "x"]).run().ok().prints(&["script x"]);
}

/// Compressed files and pictures have no NUL in their first line, or none at all.
#[test]
fn binary_of_no_known_kind_is_not_run_by_the_shell() {
    let folder = Rootfs::new();
    let path = folder.inside("binary").to_string_lossy().into_owned();
    let line = format!("init: cannot execute {path}: ENOEXEC (not a program for this machine)");
    for bytes in [&b"BZh91AY&SY\xc3\x04\n"[..], b"\x89PNG\r\n\x1a\n", b"o\r\r\n\0\0", b"echo\n\0"] {
        folder.add_script("binary", bytes);
        Launch::init([path.as_str()]).run().fails(126, &line);
    }
}

#[test]
fn an_errno_without_advice_is_named() {
    let path = format!("/{}", "b".repeat(256));
    let line = format!("init: cannot execute {path}: ENAMETOOLONG");
    Launch::init([path.as_str()]).run().fails(126, &line);
}

/// The kernel's limit on interpreters does not hold where each of them is a process of its own.
#[test]
fn scripts_that_are_each_others_command_are_refused() {
    let folder = Rootfs::new();
    let path = |name| folder.inside(name).to_string_lossy().into_owned();
    let (init, other) = (path("init"), path("other"));
    std::os::unix::fs::symlink(crate::subject::init(), &init).unwrap();
    std::os::unix::fs::symlink(crate::subject::init(), &other).unwrap();
    let (a, b) = (path("a"), path("b"));
    let line = |path| {
        format!("init: cannot execute {path}: ELOOP (links or interpreters lead in a circle)")
    };
    // The first one is there once more than the other, and refuses that.
    for second in [&init, &other] {
        folder.add_script("a", format!("#!{init} {b}\n"));
        folder.add_script("b", format!("#!{second} {a}\n"));
        Launch::init([a.as_str()]).run().fails(126, &line(&b));
        Launch::init(["a"]).variable("PATH", folder.path()).run().fails(126, &line(&b));
    }
    folder.add_script("a", format!("#!{init} {a}\n"));
    Launch::init([a.as_str()]).run().fails(126, &line(&a));
    folder.add_script("a", format!("#!{b}\n"));
    folder.add_script("b", format!("#!{a}\n"));
    Launch::init([a.as_str()]).run().fails(126, &line(&a));
    // No circle: the one runs the other's command.
    folder.add_script("a", format!("#!{init} {b}\n"));
    folder.add_script("b", format!("#!{} args\n", subject::probe().display()));
    Launch::init([a.as_str(), "x"]).run().ok().prints(&[
        &format!("{b:?}"),
        &format!("{a:?}"),
        "\"x\"",
    ]);
    // Nor with that command's path among the arguments, however often.
    let words = [vec![&*a], vec![&*b; 40]].concat();
    let output = Launch::init(words).run().ok();
    assert_eq!(output.lines().len(), 42, "{output}");
}
