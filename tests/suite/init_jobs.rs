//! init in the jobs of an interactive shell: alone, in a pipeline, in the background, in a script.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::own_name;
use crate::init_behaviours::init_of;
use crate::init_subject::{self as subject, Init};
use crate::init_terminal::Session;
use crate::running::limit;
use crate::{pace, sys};

/// bash on a terminal, and what starts it without its files.
fn shell() -> Option<(Session, String)> {
    let Some(bash) = crate::subject::tool("bash") else {
        println!("SKIP {}: no bash", own_name!());
        return None;
    };
    let bash = bash.to_string_lossy().into_owned();
    let words = [&*bash, "--norc", "--noprofile", "--noediting", "-i"];
    let mut session = Session::start(&subject::ours("init"), &words, false);
    session.wait_for("prompt> ");
    Some((session, bash))
}

fn path(init: &Init) -> String {
    init.path().to_string_lossy().into_owned()
}

/// As a job of the shell that started it, it stops with its command, and goes on with it.
pub fn stops_and_goes_on(init: &Init) {
    let Some((mut session, _)) = shell() else { return };
    session.write(&format!("{} sleep 1000\n", init.words()));
    session.wait_for_command("sleep 1000");
    session.write("\x1a");
    session.wait_for("topped");
    session.wait_for("prompt> ");
    session.write("fg\n");
    session.wait_for_command("sleep 1000");
    session.write("\x03");
    session.wait_for("prompt> ");
    session.write("echo code $?\n");
    session.wait_for("code 130");
    session.write("exit 0\n");
    session.running.finish().code(0);
}

/// What reads a line of the terminal, wherever in a pipeline it is.
const READER: &str = "-c 'exec < /dev/tty > /dev/tty; echo ready; read word; echo got $word'";

/// The foreground is the whole job's: whoever else is in it can read what is typed.
#[test]
fn pipeline_keeps_the_terminal() {
    let Some((mut session, bash)) = shell() else { return };
    for name in pace::sample(subject::NAMES) {
        let init = subject::ours(name);
        let (init, reader) = (path(&init), format!("{bash} {READER}"));
        let shown = reader.replace('\'', "");
        let jobs = [
            (format!("{init} sleep 1000 | {reader}"), "sleep 1000"),
            (format!("echo | {init} -- {reader}"), &*shown),
            (format!("{init} -- {reader} | cat"), "cat"),
        ];
        for ((job, other), stop) in jobs.iter().flat_map(|job| [(job, false), (job, true)]) {
            session.write(&format!("{job}\n"));
            session.wait_for("ready\r\n");
            // A child of the shell's drops Ctrl-Z until it has executed something.
            session.wait_for_command(other);
            if stop {
                session.write("\x1a");
                session.wait_for("topped");
                session.wait_for("prompt> ");
                session.write("fg\n");
            }
            session.write("word\n");
            session.wait_for("got word\r\n");
            if *other == "sleep 1000" {
                session.write("\x03");
            }
            session.wait_for("prompt> ");
        }
    }
}

/// Reading the terminal stops it, as any job in the background, and fg lets it.
#[test]
fn background_job_waits_for_the_terminal() {
    let Some((mut session, bash)) = shell() else { return };
    for name in pace::sample(subject::NAMES) {
        let init = subject::ours(name);
        session.write(&format!("{} -- {bash} {READER} &\n", path(&init)));
        session.wait_for("ready\r\n");
        session.write("until jobs | grep -q '[S]topped'; do sleep 0.01; done; fg\n");
        session.write("word\n");
        session.wait_for("got word\r\n");
        session.wait_for("prompt> ");
    }
}

/// Ctrl-C and Ctrl-Z are for the script as well.
#[test]
fn script_is_interrupted_with_the_command() {
    let Some((mut session, bash)) = shell() else { return };
    for name in pace::sample(subject::NAMES) {
        let init = subject::ours(name);
        let line = format!("{} sleep 1000", path(&init));
        session.write(&format!("{bash} -c 'trap \"exit 9\" 2; {line}; exit 8'\n"));
        session.wait_for_command("sleep 1000");
        session.write("\x1a");
        session.wait_for("topped");
        session.wait_for("prompt> ");
        // The shell tells when the script has stopped. init may be about to stop the group then, and
        // a SIGCONT that comes at that moment, sooner than anybody can type, is lost.
        session.wait_until_stopped(&line);
        session.write("fg\n");
        session.wait_for_command("sleep 1000");
        session.write("\x03");
        session.wait_for("prompt> ");
        session.write("echo code $?\n");
        session.wait_for("code 9\r\n");
    }
}

/// Until the command has been executed, init sleeps in vfork(2): a stop would hold both.
#[test]
fn ctrl_z_at_any_time_of_a_start_does_not_hang() {
    let Some((mut session, _)) = shell() else { return };
    let init = subject::ours("init");
    let path = path(&init);
    for round in 0..pace::rounds(100, 2000) {
        session.write(&format!("{path} sleep 0.05\n"));
        thread::sleep(Duration::from_micros(round % 50 * 60));
        session.write("\x1a");
        // It has stopped, or ended: Ctrl-Z before there is a command is lost.
        session.write(&format!("kill -9 %% 2> /dev/null; echo round'' {round}\n"));
        session.wait_for(&format!("round {round}\r\n"));
        session.wait_for("prompt> ");
    }
    // To bash what it has just killed may still be a stopped job, with which it does not exit at
    // once but when told twice.
    session.write("exit 0; exit 0\n");
    session.running.finish().code(0);
}

/// Its children, in order.
fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// It is stopped, or about to be.
fn stops(pid: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    let pending = u64::from_str_radix(field("ShdPnd:"), 16).unwrap();
    field("State:").starts_with('T') || pending >> (libc::SIGTSTP - 1) & 1 != 0
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit();
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A stop signal that is sent to init stops it and the command, and nobody else: its caller and the
/// rest of its group go on. There is no terminal, and the group is one that its parent could continue.
#[test]
fn stop_that_is_sent_is_for_init_and_its_command_alone() {
    for name in pace::sample(subject::NAMES) {
        let init = subject::ours(name);
        let script = format!("sleep 1000 & {} -- sleep 1001 & wait", path(&init));
        let running = subject::ours("init").run(&["sh", "-c", &script]).pid_one().start();
        let (mut shell, mut both) = (0, Vec::new());
        wait_until("no shell with two children", || {
            shell = children(init_of(&running)).first().copied().unwrap_or(0);
            both = children(shell);
            both.len() == 2
        });
        let [other, init] = *both else { unreachable!() };
        let mut command = 0;
        wait_until("no command", || {
            command = children(init).first().copied().unwrap_or(0);
            fs::read(format!("/proc/{command}/cmdline"))
                .is_ok_and(|line| line.starts_with(b"sleep"))
        });
        for signal in [libc::SIGTSTP, libc::SIGTTIN] {
            sys::kill(init, signal).unwrap();
            wait_until("not stopped", || stops(init) && stops(command));
            for pid in [init_of(&running), shell, other] {
                assert!(!stops(pid), "{name}: {signal}: {pid} of {shell} {other}");
            }
            sys::kill(init, libc::SIGCONT).unwrap();
            wait_until("not continued", || !stops(init) && !stops(command));
        }
    }
}
