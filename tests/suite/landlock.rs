//! `--landlock`: the command is held to the rules, and nothing else is changed. Each attempt works
//! without the rule.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::ability::require;
use crate::launch::Launch;
use crate::mounts::modes;
use crate::pace;
use crate::rootfs::Rootfs;
use crate::sys;
use crate::sys::before::Before;

/// The rules, on a kernel that may know fewer of them than the launcher asks for by itself.
fn with_rules(launch: Launch, rules: &[&str]) -> Launch {
    let launch = rules.iter().fold(launch, |launch, rule| launch.option("--landlock").arg(*rule));
    let version = sys::landlock_abi().unwrap();
    if version < 5 { launch.option(format!("--landlock-abi={version}")) } else { launch }
}

fn rootfs() -> Rootfs {
    let rootfs = Rootfs::new();
    rootfs.add_file("etc/secret", "x");
    rootfs.add_file("etc/open", "x");
    std::fs::create_dir_all(rootfs.inside("srv/deep")).unwrap();
    rootfs.add_program("srv/program", &crate::subject::probe());
    rootfs
}

#[test]
fn command_reaches_what_a_rule_allows_and_nothing_else() {
    require!(landlock);
    let truncates = sys::landlock_abi().unwrap() >= 3;
    let attempts = [
        ("read /etc/secret", "/etc/open", "EACCES"),
        ("read /etc/open", "/etc/open", "ok"),
        ("read /etc/secret", "/etc:r", "ok"),
        ("list /etc", "/etc:r", "ok"),
        ("list /srv", "/etc:r", "EACCES"),
        ("open /etc/open", "/etc", "EACCES"),
        ("open /etc/open", "/etc:rw", "ok"),
        ("truncate /etc/open", "/etc", if truncates { "EACCES" } else { "ok" }),
        ("truncate /etc/open", "/etc:rw", "ok"),
        ("truncate /etc/open", "/etc/open:rw", "ok"),
        ("open /etc/open", "/etc/open", "EACCES"),
        ("open /etc/open", "/etc/open:rw", "ok"),
        ("create /srv/deep/new", "/srv", "EACCES"),
        ("create /srv/deep/new", "/srv:rw", "ok"),
        ("mkdir /srv/new", "/srv", "EACCES"),
        ("symlink /srv/new", "/srv", "EACCES"),
        ("remove /srv/program", "/srv", "EACCES"),
        ("rename /srv/program /srv/deep/moved", "/srv", "EACCES"),
        ("execute /srv/program", "/srv:r", "EACCES"),
        ("execute /srv/program", "/srv:rw", "EACCES"),
        ("execute /srv/program", "/srv", "ok"),
        ("execute /srv/program", "/srv:rwx", "ok"),
        ("open /dev/null", "/dev:r", "EACCES"),
        ("open /dev/null", "/dev:rw", "ok"),
        ("read /proc/self/status", "/dev", "EACCES"),
        ("read /proc/self/status", "/proc:r", "ok"),
    ];
    for (turn, (words, rule, answer)) in attempts.into_iter().enumerate() {
        for mode in pace::in_turn(modes(), turn) {
            let rootfs = rootfs();
            let launch = || Launch::on(&rootfs).option("--userns").arg(*mode);
            let attempt = format!("try {words}");
            let held = with_rules(launch(), &["/probe", rule]).probe(&attempt).run().ok();
            assert_eq!(held.lines(), [answer], "{mode}: {words}: {rule}");
            if answer != "ok" {
                launch().probe(&attempt).run().ok().prints(&["ok"]);
            }
        }
    }
}

#[test]
fn ioctl_of_a_device_takes_w() {
    require!(landlock);
    let is_held = sys::landlock_abi().unwrap() >= 5;
    let held = if is_held { "EACCES" } else { "ENOTTY" };
    for (rule, answer) in
        [("/dev:r", held), ("/dev/null:r", held), ("/dev:rw", "ENOTTY"), ("/dev/null:rw", "ENOTTY")]
    {
        let launch = with_rules(Launch::new(), &["/probe", rule]);
        launch.probe("try ask-modes /dev/null").run().ok().prints(&[answer]);
    }
    // What was asked for is what an older kernel holds it to.
    if is_held {
        let launch = Launch::new().option("--landlock=/probe").option("--landlock=/dev:r");
        let launch = launch.option("--landlock-abi=4");
        launch.probe("try ask-modes /dev/null").run().ok().prints(&["ENOTTY"]);
    }
}

#[test]
fn rules_hold_for_all_that_the_command_starts_and_cannot_be_left() {
    require!(landlock);
    let all = [&["--cap-add=ALL", "--seccomp=none"][..], &[], &["--new-privs"]];
    let attempts = [
        ("mount /tmp", "EPERM"),
        ("nested mount /tmp", "EPERM"),
        ("nested read /etc/secret", "EACCES"),
        ("read /etc/../etc/secret", "EACCES"),
        ("read /proc/self/root/etc/secret", "EACCES"),
        ("read /proc/1/root/etc/secret", "EACCES"),
    ];
    for (turn, (words, errno)) in attempts.into_iter().enumerate() {
        // One by one: a mount and PID 1's root by all capabilities.
        for options in pace::in_turn(&all, turn / 2 + turn % 2) {
            let rootfs = rootfs();
            let launch = options.iter().fold(Launch::on(&rootfs), |launch, o| launch.option(*o));
            let launch = with_rules(launch, &["/probe", "/proc:rw"]);
            let found = launch.probe(&format!("try {words}")).run().ok();
            let has_none = words.starts_with("nested ") && found.lines() == ["ENOSPC"];
            assert!(has_none || found.lines() == [errno], "{options:?}: {words}: {found}");
        }
    }
}

/// Links of the rootfs lead where they lead inside, and nowhere outside.
#[test]
fn paths_are_the_containers() {
    require!(landlock);
    let rootfs = rootfs();
    std::os::unix::fs::symlink("/etc", rootfs.inside("link")).unwrap();
    let rules = ["/probe", "/link:r"];
    let launch = || with_rules(Launch::on(&rootfs), &rules);
    launch().probe("try read /etc/secret").run().ok().prints(&["ok"]);
    launch().probe("try read /srv/program").run().ok().prints(&["EACCES"]);
    let source = rootfs.inside("etc");
    let bind = format!("--bind={}:/srv/deep", source.display());
    let bound = with_rules(Launch::new().option(bind), &["/probe", "/srv:r"]);
    bound.probe("try read /srv/deep/secret").run().ok().prints(&["ok"]);
    let output = with_rules(Launch::on(&rootfs), &["/nowhere"]).probe("exit 0").run();
    output.fails_with(125, "cannot find --landlock /nowhere in rootfs");
}

#[test]
fn command_that_no_rule_lets_be_executed_is_told_apart() {
    require!(landlock);
    let output = with_rules(Launch::new(), &["/etc"]).probe("exit 0").run().code(126);
    assert!(output.stderr.contains("--landlock has to allow x for it"), "{output}");
}

/// init is not held to them: it reaps, forwards signals, and tells how the command ended.
#[test]
fn pid_1_goes_on_as_ever() {
    require!(landlock);
    let held = |words: &str| with_rules(Launch::new(), &["/probe"]).probe(words);
    held("exit 7").run().code(7);
    held("die 15").run().code(128 + 15);
    let running = held("sleep 60").start();
    running.wait_for("ready");
    running.signal(libc::SIGTERM);
    running.finish().code(128 + 15);
    if sys::landlock_abi().unwrap() >= 6 {
        let held = |words: &str| with_rules(Launch::new(), &["signal"]).probe(words);
        held("try kill 1 0").run().ok().prints(&["EPERM"]);
        Launch::new().probe("try kill 1 0").run().ok().prints(&["ok"]);
        let running = held("sleep 60").start();
        running.wait_for("ready");
        running.signal(libc::SIGTERM);
        running.finish().code(128 + 15);
    }
}

#[test]
fn network_that_is_shared_can_be_cut_down() {
    require!(landlock);
    let version = sys::landlock_abi().unwrap();
    let launch = |rule: &str| {
        let launch = Launch::new().option("--share=net");
        if rule.is_empty() { launch } else { launch.option("--landlock").arg(rule) }
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("connect 127.0.0.1:{port}");
    let (own, other) = (format!("connect:{port}"), format!("connect:{}", port ^ 1));
    launch("").probe(&connect).run().ok().prints(&["ok"]);
    if version >= 4 {
        launch(&own).probe(&connect).run().ok().prints(&["ok"]);
        launch(&other).probe(&connect).run().ok().prints(&["EACCES"]);
        launch("connect:none").probe(&connect).run().ok().prints(&["EACCES"]);
        launch("bind:none").probe(&connect).run().ok().prints(&["ok"]);
        launch(&other).option("--landlock").arg(&own).probe(&connect).run().ok().prints(&["ok"]);
        // Ways that Landlock does not see.
        for (way, answer) in [("mptcp", "EPROTONOSUPPORT"), ("fast", "EOPNOTSUPP")] {
            let attempt = format!("try connect-{way} {port}");
            let control = launch("").probe(&attempt).run().ok();
            control.prints_one_of(&["ok", "EPROTONOSUPPORT", "ENOPROTOOPT", "EOPNOTSUPP"]);
            for rule in [&own, "bind:none"] {
                for option in ["--seccomp=default", "--seccomp=none"] {
                    let held = launch(rule).option(option).probe(&attempt).run().ok();
                    held.prints(&[answer]);
                }
            }
        }
    } else {
        launch(&own).probe(&connect).run().fails_with(125, "which need ABI 4, Linux 6.7");
    }
    let name = format!("landlock-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let connect = format!("abstract {name}");
    launch("").probe(&connect).run().ok().prints(&["ok"]);
    if version >= 6 {
        launch("abstract").probe(&connect).run().ok().prints(&["EPERM"]);
    } else {
        launch("abstract").probe(&connect).run().fails_with(125, "which need ABI 6, Linux 6.12");
    }
}

#[test]
fn ports_can_be_named_that_the_command_may_serve() {
    require!(landlock);
    if sys::landlock_abi().unwrap() < 4 {
        let output = Launch::new().option("--landlock=bind:1").probe("exit 0").run();
        output.fails_with(125, "which need ABI 4, Linux 6.7");
        return;
    }
    for (rules, answer) in [
        (&[][..], "ok"),
        (&["bind:7000"], "ok"),
        (&["bind:7001", "bind:7000"], "ok"),
        (&["bind:7000", "bind:7001"], "ok"),
        (&["bind:7001"], "EACCES"),
        (&["bind:none"], "EACCES"),
        (&["connect:none"], "ok"),
        (&["connect:7000", "bind:7001"], "EACCES"),
    ] {
        let launch =
            rules.iter().fold(Launch::new(), |launch, rule| launch.option("--landlock").arg(*rule));
        launch.probe("try bind 7000").run().ok().prints(&[answer]);
    }
}

#[test]
fn less_than_was_asked_for_is_an_error() {
    let launch = |errno| {
        let refuse = Before::Refuse(vec![libc::SYS_landlock_create_ruleset as u32], errno);
        Launch::new().option("--landlock=/probe").before(refuse).probe("exit 0").run()
    };
    launch(libc::ENOSYS).fails_with(125, "the kernel has no Landlock (Linux 5.13");
    launch(libc::EOPNOTSUPP).fails_with(125, "boot with lsm=landlock");
    // Without a rule there is nothing to miss.
    let refuse = Before::Refuse(vec![libc::SYS_landlock_create_ruleset as u32], libc::ENOSYS);
    Launch::new().before(refuse).probe("exit 3").run().code(3);
    if let Ok(version @ 1..5) = sys::landlock_abi() {
        let output = Launch::new().option("--landlock=/probe").probe("exit 0").run();
        output.fails_with(125, &format!("--landlock-abi {version} makes do with the rest"));
    }
    // A rule that cannot be put in force ends the start.
    require!(landlock);
    for call in [libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self] {
        let refuse = Before::Refuse(vec![call as u32], libc::EPERM);
        let launch = with_rules(Launch::new(), &["/probe"]).before(refuse);
        launch.probe("exit 0").run().code(125);
    }
}

#[test]
fn it_is_told_by_explain_and_check() {
    require!(landlock);
    let launch = with_rules(Launch::new().option("--explain"), &["/etc:rw"]);
    assert!(launch.probe("exit 0").run().ok().stdout.contains("\nlandlock       /etc  rw\n"));
    if sys::landlock_abi().unwrap() >= 4 {
        let output = Launch::new().option("--explain").option("--landlock=connect:1");
        let output = output.probe("exit 0").run().ok();
        assert!(output.stdout.contains("no MPTCP, SMC and MSG_FASTOPEN"), "{output}");
    }
    let launch = with_rules(Launch::new().option("--explain"), &["/nosuch"]);
    launch.probe("exit 0").run().fails_with(125, "find --landlock /nosuch in rootfs");
    let line = format!("yes  landlock, ABI {}", sys::landlock_abi().unwrap());
    let output = Launch::bare().option("--check").run().ok();
    assert!(output.lines().contains(&line.as_str()), "{output}");
}
