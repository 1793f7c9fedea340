//! What the command has of its caller's, and the one thing that it could have and must not: the
//! keys of the session. See also `isolation.rs` (descriptors, capabilities) and `environment.rs`.

use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::ability::require;
use crate::launch::Launch;
use crate::mounts::modes;
use crate::output::Output;
use crate::pace::patience;
use crate::person::Person;
use crate::rootfs::{Rootfs, temporary_path};
use crate::running::limit;
use crate::subject;
use crate::sys::before::Before;
use crate::sys::keyring;

/// The probe without a container, handed on by init: what the caller's own programs see.
fn outside(words: &str) -> Launch {
    let words = words.split(' ').map(String::from);
    Launch::init([subject::probe().to_string_lossy().into_owned()].into_iter().chain(words))
}

#[test]
fn keys_of_the_callers_session_cannot_be_read() {
    require!(keyrings);
    let key = keyring::start_session(c"proof").unwrap();
    let words = format!("try read-key {key}");
    outside(&words).run().ok().prints(&["ok"]);
    for mode in modes() {
        let launch = |filter| Launch::new().option("--userns").arg(mode).option(filter);
        launch("--seccomp=default").probe(&words).run().ok().prints(&["ENOSYS"]);
        let unfiltered = launch("--seccomp=none").probe(&words).run().ok();
        unfiltered.prints_one_of(&["EACCES", "ENOKEY"]);
    }
}

/// nohup(1) itself, and then the terminal goes. Without nohup that ends the command (`terminal.rs`).
#[test]
fn command_of_nohup_outlives_its_terminal() {
    require!(terminals);
    require!(busybox);
    require!(nohup);
    let (rootfs, folder) = (Rootfs::new().with_shell(), temporary_path("nohup"));
    fs::create_dir(&folder).unwrap();
    let person = Person::new();
    let script =
        "echo ready; until [ -e /go ]; do /probe await 20 > /dev/null; done; echo went; exit 7";
    let launch = Launch::on(&rootfs).directory(&folder).command(["/bin/sh", "-c", script]);
    let mut running = person.start(launch.through_shell("exec nohup \"$@\""));
    let output = folder.join("nohup.out");
    let deadline = Instant::now() + limit();
    while !fs::read_to_string(&output).is_ok_and(|text| text.contains("ready")) {
        assert!(Instant::now() < deadline, "the command never ran");
        thread::sleep(Duration::from_millis(1));
    }
    drop(person);
    // Time to end, for whom a hangup ends.
    thread::sleep(patience(Duration::from_millis(100)));
    assert_eq!(running.try_wait(), None, "ended by the hangup");
    rootfs.add_file("go", "");
    running.finish().code(7);
    // There may be a warning before, that the root file system cannot be mapped.
    let text = fs::read_to_string(&output).unwrap();
    assert!(text.ends_with("ready\nwent\n"), "{text}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn umask_is_kept() {
    for (mask, shown) in [(0o027, "27"), (0, "0"), (0o777, "777")] {
        Launch::new().before(Before::Umask(mask)).probe("umask").run().ok().prints(&[shown]);
    }
}

#[test]
fn priority_processors_and_oom_score_are_kept() {
    let changed = |launch: Launch| launch.before(Before::Nice(7)).before(Before::OomScore(321));
    let changed = |launch| changed(launch).before(Before::Affinity(0));
    let run = |words: &str| changed(Launch::new()).probe(words).run().ok();
    let nice = |output: &Output| {
        let (_, behind) = output.stdout.split_once(") ").unwrap();
        behind.split(' ').nth(16).unwrap().to_owned()
    };
    assert_eq!(nice(&run("show /proc/self/stat")), "7");
    assert_eq!(run("status Cpus_allowed_list").fact("Cpus_allowed_list"), "0");
    run("show /proc/self/oom_score_adj").prints(&["321"]);
}

/// The kernel's 16, by number: limits that a start can do without, all of them other than before.
const LOWERED: [(i32, u64, u64); 9] = [
    (libc::RLIMIT_CPU as i32, 1000, 2000),
    (libc::RLIMIT_DATA as i32, 1 << 32, 1 << 33),
    (libc::RLIMIT_STACK as i32, 1 << 22, 1 << 23),
    (libc::RLIMIT_CORE as i32, 0, 4096),
    (libc::RLIMIT_NOFILE as i32, 100, 1000),
    (libc::RLIMIT_AS as i32, 1 << 33, 1 << 34),
    (libc::RLIMIT_LOCKS as i32, 10, 20),
    (libc::RLIMIT_SIGPENDING as i32, 1000, 2000),
    (libc::RLIMIT_FSIZE as i32, 1000, 1 << 30),
];

#[test]
fn limits_are_kept() {
    let lowered = |launch| {
        LOWERED.iter().fold(launch, |launch: Launch, &(resource, soft, hard)| {
            launch.before(Before::Limit(resource, soft, hard))
        })
    };
    let words = "show /proc/self/limits";
    let (out, inside) = (lowered(outside(words)).run().ok(), lowered(Launch::new().probe(words)));
    assert_eq!(inside.run().ok().stdout, out.stdout);
    assert_eq!(out.fact("Max open files").split_whitespace().next(), Some("100"));
}
