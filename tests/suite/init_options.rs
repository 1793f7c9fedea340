//! init's options, as the programs have them whose place it takes.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::init_behaviours::init_of;
use crate::init_subject as subject;
use crate::pace::patience;
use crate::sys;

fn probe() -> String {
    crate::subject::probe().to_string_lossy().into_owned()
}

#[test]
fn exit_codes_can_be_made_a_success() {
    let init = subject::ours("tini");
    for (code, shown) in [(143, 0), (3, 0), (4, 4)] {
        let words = ["-e", "143", "-e3", "--", &probe(), "exit", &code.to_string()];
        assert_eq!(init.run(&words).code(), Some(shown), "{code}");
    }
}

#[test]
fn signals_can_be_rewritten_and_dropped() {
    let init = subject::ours("dumb-init");
    let words = ["-r", "15:10", "--rewrite", "1:0", "--", &probe(), "trap", "12"];
    let running = init.run(&words).pid_one().start();
    running.wait_for("ready");
    let init = init_of(&running);
    sys::kill(init, 1).unwrap();
    sys::kill(init, 15).unwrap();
    running.wait_for("signal 10 ");
    sys::kill(init, 12).unwrap();
    let output = running.finish().code(0);
    let signals = output.lines().into_iter().filter_map(|line| line.split(' ').nth(1));
    assert_eq!(signals.collect::<Vec<_>>(), ["10", "12"]);
}

#[test]
fn whole_group_is_reached_by_g_and_by_its_variable() {
    let script = "trap 'wait; exit 9' 15; (trap 'echo child; exit' 15; echo ready; \
                  while :; do sleep 0.01; done) & wait";
    let check = |run: subject::Run| {
        let running = run.pid_one().start();
        running.wait_for("ready");
        sys::kill(init_of(&running), libc::SIGTERM).unwrap();
        let output = running.finish().code(9);
        assert!(output.stdout.contains("child"), "{output}");
    };
    let init = subject::ours("tini");
    check(init.run(&["-g", "--", "/bin/sh", "-c", script]));
    let run = init.run(&["--", "/bin/sh", "-c", script]);
    check(run.variable("TINI_KILL_PROCESS_GROUP", "1"));
    check(subject::ours("dumb-init").run(&["--", "/bin/sh", "-c", script]));
    check(subject::ours("catatonit").run(&["-g", "--", "/bin/sh", "-c", script]));
}

#[test]
fn pause_ends_by_sigterm_and_sigint_alone() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let init = subject::ours("catatonit");
        let mut running = init.run(&["-P"]).pid_one().start();
        thread::sleep(patience(Duration::from_millis(100)));
        sys::kill(init_of(&running), libc::SIGHUP).unwrap();
        thread::sleep(patience(Duration::from_millis(50)));
        assert!(running.try_wait().is_none());
        sys::kill(init_of(&running), signal).unwrap();
        running.finish().code(0);
    }
}

#[test]
fn rest_has_its_time_after_the_command_as_pid_one_and_as_subreaper() {
    for pid_one in [false, true] {
        let init = subject::ours("init");
        let words = ["--grace", "1000", "--", &probe(), "stubborn", "0.2", "finish"];
        let run = init.run(&words);
        let output = (if pid_one { run.pid_one() } else { run }).start().finish().code(0);
        assert!(output.stdout.ends_with("asked to end\nfinished\n"), "{output}");
        assert!(output.took < patience(Duration::from_secs(4)), "{output}");
    }
}

#[test]
fn second_stop_signal_shortens_the_grace() {
    let init = subject::ours("init");
    let words = ["--grace", "1000", "--", &probe(), "stubborn", "1000", "never"];
    let running = init.run(&words).pid_one().start();
    running.wait_for("asked to end");
    sys::kill(init_of(&running), libc::SIGTERM).unwrap();
    let output = running.finish().code(0);
    assert!(output.took < patience(Duration::from_secs(5)), "{output}");
}

/// More than a few batches end behind few SIGCHLDs, as the kernel merges them.
#[test]
fn grace_is_over_when_all_have_ended_however_many_they_are() {
    for pid_one in [false, true] {
        let init = subject::ours("init");
        let run = init.run(&["--grace", "1000", "--", &probe(), "brood", "600"]);
        let output = (if pid_one { run.pid_one() } else { run }).start().finish().code(0);
        assert!(output.took < patience(Duration::from_secs(5)), "{output}");
    }
}

#[test]
fn command_is_told_when_the_parent_of_init_ends() {
    let init = subject::ours("tini");
    let path = init.path().to_string_lossy().into_owned();
    let out = crate::rootfs::Rootfs::new();
    let file = out.inside("out").to_string_lossy().into_owned();
    let script = format!("{path} -p SIGUSR1 -- {} trap 10 > {file} & sleep 2", probe());
    assert!(Command::new("/bin/sh").args(["-c", &script]).status().unwrap().success());
    let deadline = Instant::now() + patience(Duration::from_secs(5));
    while !std::fs::read_to_string(&file).unwrap().contains("signal 10 ") {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn on_exit_ends_no_machine_unless_it_is_pid_one() {
    let init = subject::ours("init");
    let words = ["--on-exit", "poweroff", "--", &probe(), "exit", "4"];
    assert_eq!(init.run(&words).code(), Some(4));
    // In a pid namespace, reboot(2) ends its init; the engine sees how.
    let ended = 128 + libc::SIGINT;
    assert_eq!(init.run(&words).pid_one().code(), Some(ended));
}

#[test]
fn verbose_and_warn_speak_on_standard_error() {
    let init = subject::ours("tini");
    let output = init.run(&["-v", "--", &probe(), "exit", "4"]).start().finish().code(4);
    assert_eq!((&*output.stdout, &*output.stderr), ("", "init: the command ended with code 4\n"));
    let words = ["-w", "--", "/bin/sh", "-c", "(sleep 0.05 &); sleep 2"];
    let output = init.run(&words).start().finish().code(0);
    assert!(output.stderr.starts_with("init: reaped "), "{output}");
}

/// dumb-init's `-c`: what its caller sends to the whole group reaches the command at once.
#[test]
fn command_can_stay_in_the_group_of_its_caller() {
    let script = "group() { cut -d' ' -f5 /proc/$1/stat; }; echo $(($(group $$) - $(group $PPID)))";
    for (name, option, variable) in [
        ("dumb-init", Some("-c"), "X"),
        ("dumb-init", None, "DUMB_INIT_SETSID"),
        ("init", Some("-c"), "X"),
        ("dumb-init", None, "X"),
        ("init", None, "X"),
    ] {
        let words: Vec<_> = option.into_iter().chain(["--", "/bin/sh", "-c", script]).collect();
        let output = subject::ours(name).run(&words).variable(variable, "0").start().finish();
        let stays = option.is_some() || variable != "X";
        assert_eq!(output.stdout.trim() == "0", stays, "{name} {option:?} {variable}: {output}");
    }
}
