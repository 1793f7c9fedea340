//! `--timeout`: the command's time.

use std::time::Duration;

use crate::launch::Launch;
use crate::pace::{patience, rounds};
use crate::status::status_of;

const OVER: &str = "launcher: the command's time is over (--timeout)";

#[test]
fn command_that_takes_too_long_is_terminated_and_the_code_is_124() {
    let output = Launch::new().option("--timeout=0.3").probe("sleep 1000").run().code(124);
    assert_eq!(output.complaints(), [OVER]);
    assert!(output.took >= Duration::from_millis(300), "{output}");
}

#[test]
fn command_that_ends_in_time_is_as_without() {
    Launch::new().option("--timeout=1h").probe("exit 7").run().code(7);
    let output = Launch::new().option("--timeout=100").probe("exit 0").run().ok();
    assert!(output.took < patience(Duration::from_secs(50)), "{output}");
}

#[test]
fn command_that_minds_sigterm_ends_by_itself_and_the_code_is_124() {
    let launch = Launch::new().option("--timeout=0.5").option("--grace=100");
    let output = launch.probe("trap 15").run().code(124);
    assert!(output.stdout.contains("signal 15"), "{output}");
    assert!(output.took < patience(Duration::from_secs(50)), "{output}");
}

#[test]
fn command_that_does_not_mind_sigterm_is_killed_after_the_grace() {
    let launch = Launch::new().option("--timeout=0.2s").option("--grace=0.3");
    let output = launch.probe("stubborn 1000 never").run();
    // The rest of the container has its grace as well.
    assert!(matches!(output.status.code(), Some(0 | 124)), "{output}");
    let launch = Launch::new().option("--timeout=0.2s").option("--grace=0.3");
    let launch = launch.before(crate::sys::before::Before::Ignore(libc::SIGTERM));
    let output = launch.probe("sleep 1000").run().code(124);
    assert!(output.took >= Duration::from_millis(500), "{output}");
}

#[test]
fn status_tells_it() {
    let launch = Launch::new().option("--timeout=0.2").option("--status-fd=9");
    let (lines, output) = status_of(launch.probe("sleep 1000"));
    let line = r#"{"event":"exited","signal":15,"core":false,"timed_out":true}"#;
    assert_eq!(lines.last().map(String::as_str), Some(line), "{output}");
}

/// Whoever is there by then, the command is asked to end.
#[test]
fn time_that_is_over_before_the_command_runs_ends_it_as_well() {
    for time in ["0.001", "0.003", "0.01"] {
        let launch = Launch::new().option(format!("--timeout={time}")).option("--grace=1000");
        launch.probe("sleep 1000").run().code(124);
    }
    // Such a child is a copy of the launcher, and may come late to where it forgets what was sent to the
    // launcher's group.
    for round in 0..rounds(60, 600) {
        let time = format!("--timeout={}", 0.0003 + 0.0001 * (round % 10) as f64);
        let launch = Launch::new().option(time).option("--grace=1000").option("--oom-score-adj=0");
        launch.probe("sleep 1000").run().code(124);
    }
}

#[test]
fn times_that_are_none_are_refused() {
    for text in ["0", "x", "1w", "-1"] {
        let output = Launch::new().option(format!("--timeout={text}")).probe("exit 0").run();
        output.fails_with(125, &format!("--timeout {text} is not a time"));
    }
}
