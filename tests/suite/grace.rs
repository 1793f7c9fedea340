//! `--grace`: time for what the command leaves behind.

use std::time::Duration;

use crate::launch::Launch;
use crate::pace::patience;

#[test]
fn without_grace_what_is_left_is_killed_at_once() {
    let output = Launch::new().probe("stubborn 0.2 finish").run().ok();
    output.prints(&["left"]);
}

#[test]
fn with_grace_it_is_asked_to_end_and_may_finish() {
    let output = Launch::new().option("--grace=1000").probe("stubborn 0.2 finish").run().ok();
    let output = output.prints(&["left", "asked to end", "finished"]);
    assert!(output.took < patience(Duration::from_secs(5)), "no longer than it takes: {output}");
}

#[test]
fn grace_comes_to_an_end() {
    let output = Launch::new().option("--grace").arg("0.3").probe("stubborn 1000 never").run().ok();
    let output = output.prints(&["left", "asked to end"]);
    let took = output.took;
    assert!(
        took >= Duration::from_millis(300) && took < patience(Duration::from_secs(2)),
        "{output}"
    );
}

#[test]
fn grace_without_anything_left_takes_no_time() {
    let output = Launch::new().option("--grace=1000").probe("exit 3").run().code(3);
    assert!(output.took < patience(Duration::from_secs(2)), "{output}");
}

#[test]
fn exit_code_is_the_commands_also_after_grace() {
    let launch = Launch::new().option("--grace=0.1").option("--env=X=1");
    launch.probe("die 9").run().code(137);
}

#[test]
fn second_sigterm_cuts_the_grace_short() {
    let running = Launch::new().option("--grace=1000").probe("stubborn 1000 never").start();
    running.wait_for("asked to end");
    running.signal(libc::SIGTERM);
    let output = running.finish().ok();
    assert!(output.took < patience(Duration::from_secs(5)), "{output}");
}
