//! init where there is next to nothing: a read-only root without /proc and /dev, system calls that
//! are refused, and a fault of its own.

use std::fs;
use std::time::Duration;

use crate::ability::require;
use crate::init_behaviours::{caller, init_of};
use crate::init_subject as subject;
use crate::launch::Launch;
use crate::pace::patience;
use crate::rootfs::Rootfs;
use crate::sys;

/// Of the two programs alone.
fn bare() -> subject::Init {
    subject::inside(Rootfs::bare())
}

#[test]
fn neither_proc_nor_dev_nor_a_writable_root_is_needed() {
    let init = bare();
    let output = init.run_in_root(&["/probe", "try", "create", "/new"]).start().finish();
    output.code(0).prints(&["EROFS"]);
    for (words, code) in [("exit 7", 7), ("die 9", 137)] {
        let words = [&["/probe"], &*words.split(' ').collect::<Vec<_>>()].concat();
        assert_eq!(init.run_in_root(&words).code(), Some(code), "{words:?}");
    }
    let none = init.run_in_root(&["/none"]).start().finish();
    none.fails(127, "init: cannot execute /none: ENOENT (not found)");

    let running = init.run_in_root(&["/probe", "trap", "12"]).start();
    running.wait_for("ready");
    for signal in [15, 34, 12] {
        sys::queue(init_of(&running), signal, 0x77).unwrap();
        running.wait_for(&format!("signal {signal} code -1 value 0x77"));
    }
    running.finish().code(0);

    let words = ["--grace", "10", "/probe", "stubborn", "0.01", "finish"];
    let output = init.run_in_root(&words).start().finish().code(0);
    output.prints(&["left", "asked to end", "finished"]);
}

/// As by filters that are older than they are.
#[test]
fn close_range_and_clone3_may_be_refused() {
    require!(tracing);
    let probe = crate::subject::probe().to_string_lossy().into_owned();
    let script = "exec strace -D -f -o /dev/null -e inject=close_range,clone3:error=EPERM \"$@\"";
    let root = fs::File::open("/").unwrap();
    let launch = Launch::init([&*probe, "trap", "12"]).descriptor(root, 7);
    let running = launch.through_shell(script).start();
    running.wait_for("ready");
    caller::keeps_standard_descriptors(running.pid()).unwrap();
    sys::kill(running.pid(), 12).unwrap();
    running.finish().code(0);
}

/// The kernel tells of a child's end but once: by then, a refusal must not have ended the waiting.
#[test]
fn end_of_the_command_is_not_lost_when_wait_is_refused() {
    require!(tracing);
    let probe = crate::subject::probe().to_string_lossy().into_owned();
    for errno in ["EPERM", "ENOMEM", "ECHILD", "EINTR"] {
        for when in ["1", "2", "1..4", "2+2"] {
            let inject = format!("wait4:error={errno}:when={when}");
            let launch = Launch::init([&*probe, "exit", "7"]).variable("INJECT", &inject);
            let script = "exec strace -qq -o /dev/null -e inject=\"$INJECT\" \"$@\"";
            let output = launch.through_shell(script).run().code(7);
            assert!(output.took < patience(Duration::from_secs(3)), "{errno} {when}: {output}");
        }
    }
}

/// Sent, SIGSEGV and its like are the command's; raised, they are the end of init, which would
/// otherwise fault for ever.
#[test]
#[cfg(target_arch = "x86_64")]
fn fault_of_its_own_ends_it() {
    let running = subject::ours("init").probe("trap 12").pid_one().start();
    running.wait_for("ready");
    sys::kill(init_of(&running), libc::SIGSEGV).unwrap();
    running.wait_for("signal 11 code 0 ");
    sys::fault::jump_nowhere(init_of(&running)).unwrap();
    running.finish().code(128 + libc::SIGSEGV);
}
