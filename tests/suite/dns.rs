//! Names: the files of --dns.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::running::Running;

#[track_caller]
fn run(rootfs: &Rootfs, options: &[&str], script: &str) -> Output {
    let launch = Launch::on(rootfs).command(["sh", "-c", script]);
    options.iter().fold(launch, |launch, option| launch.option(*option)).run()
}

/// With files of its own, the last a link that leads nowhere.
fn rootfs() -> Rootfs {
    let rootfs = Rootfs::new().with_shell();
    for name in ["run", "var/tmp"] {
        fs::create_dir_all(rootfs.inside(name)).unwrap();
    }
    rootfs.add_file("etc/hosts", "own\n");
    rootfs.add_file("etc/hostname", "own\n");
    symlink("../run/resolved/resolv.conf", rootfs.inside("etc/resolv.conf")).unwrap();
    rootfs
}

#[test]
fn without_dns_the_files_are_the_rootfss() {
    run(&rootfs(), &[], "cat /etc/hosts /etc/hostname; readlink /etc/resolv.conf").ok().prints(&[
        "own",
        "own",
        "../run/resolved/resolv.conf",
    ]);
}

#[test]
fn files_lie_over_the_rootfss() {
    let rootfs = rootfs();
    let before = rootfs.listing();
    let script = "cat /etc/resolv.conf /etc/hostname /etc/hosts; echo more >> /etc/resolv.conf";
    for more in ["--verbose", "--read-only"] {
        let options = ["--dns=9.9.9.9,2620:fe::fe", "--hostname=box", more];
        run(&rootfs, &options, script).code(0).prints(&[
            "nameserver 9.9.9.9",
            "nameserver 2620:fe::fe",
            "box",
            "127.0.0.1 localhost",
            "::1 localhost",
            "127.0.1.1 box",
        ]);
    }
    assert_eq!(rootfs.listing(), before);
    let output = run(&rootfs, &["--dns=none"], "grep -c nameserver /etc/resolv.conf");
    output.code(1).prints(&["0"]);
}

/// All but when it was changed, which for a directory is also when something in it was made or removed.
fn what_is_there(rootfs: &Rootfs) -> Vec<String> {
    let without_time = |line: String| match line.rsplitn(3, ' ').collect::<Vec<_>>()[..] {
        [link, _, rest] => format!("{rest} {link}"),
        _ => line.clone(),
    };
    rootfs.listing().into_iter().map(without_time).collect()
}

/// Without /etc, and with one that is empty.
#[test]
fn a_rootfs_that_lacks_the_files_is_left_as_it_was() {
    let rootfs = Rootfs::new().with_shell();
    for name in ["run", "var/tmp"] {
        fs::create_dir_all(rootfs.inside(name)).unwrap();
    }
    for has_etc in [true, false] {
        fs::remove_dir_all(rootfs.inside("etc")).ok();
        if has_etc {
            fs::create_dir(rootfs.inside("etc")).unwrap();
        }
        let before = what_is_there(&rootfs);
        for option in ["--verbose", "--read-only", "--share=uts", "--userns=single"] {
            let output = run(&rootfs, &["--dns=9.9.9.9", option], "cat /etc/resolv.conf");
            output.code(0).prints(&["nameserver 9.9.9.9"]);
            run(&rootfs, &["--dns=9.9.9.9", option, "--workdir=/none"], "").code(125);
            assert_eq!(what_is_there(&rootfs), before, "{option}");
        }
    }
}

#[test]
fn what_is_made_for_the_files_is_for_everybody_to_read() {
    let rootfs = Rootfs::new().with_shell();
    fs::remove_dir_all(rootfs.inside("etc")).ok();
    let launch = Launch::on(&rootfs).option("--dns=none");
    let launch = launch.command(["sh", "-c", "stat -c %a /etc /etc/hosts"]);
    launch.through_shell("umask 077; exec \"$@\"").run().ok().prints(&["755", "644"]);
}

/// Whose name is removed is unmounted wherever it was a mount point, so the last one does it. A file of
/// the rootfs's own is left, empty as it may be.
#[test]
fn containers_that_share_a_placeholder_keep_it_and_the_last_removes_it() {
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_file("etc/hosts", "");
    let before = what_is_there(&rootfs);
    let start = || {
        let (stdin, go) = io::pipe().unwrap();
        let launch = Launch::on(&rootfs).option("--dns=9.9.9.9").stdin(stdin);
        let script = "echo ready; read x; cat /etc/resolv.conf";
        let running = launch.command(["sh", "-c", script]).start();
        running.wait_for("ready");
        (running, go)
    };
    let [first, second, third] = [start(), start(), start()];
    assert_eq!(fs::read(rootfs.inside("etc/resolv.conf")).unwrap(), b"");
    let end = |(running, go): (Running, io::PipeWriter)| {
        drop(go);
        running.finish().code(0).prints(&["ready", "nameserver 9.9.9.9"]);
    };
    let kill = |(running, _): (Running, io::PipeWriter)| {
        running.signal(libc::SIGKILL);
        running.finish();
    };
    end(first);
    kill(third);
    end(second);
    assert_eq!(what_is_there(&rootfs), before);
    // What one leaves is the next one's.
    kill(start());
    assert_ne!(what_is_there(&rootfs), before);
    run(&rootfs, &["--dns=none"], "").ok();
    assert_eq!(what_is_there(&rootfs), before);
}

#[test]
fn the_hosts_servers_are_a_copy() {
    let Ok(text) = fs::read_to_string("/etc/resolv.conf") else {
        run(&rootfs(), &["--dns=host"], "").fails_with(125, "cannot read /etc/resolv.conf");
        return;
    };
    let output = run(&rootfs(), &["--dns", "host", "--share", "net"], "cat /etc/resolv.conf").ok();
    assert_eq!(output.stdout, text);
}

#[test]
fn a_file_of_the_users_wins() {
    let options = ["--dns=none", "--file", "/dev/null:/etc/hosts"];
    run(&rootfs(), &options, "wc -c < /etc/hosts").ok().prints(&["0"]);
    let options = ["--dns=none", "--device", "/dev/null:/etc/hosts"];
    run(&rootfs(), &options, "wc -c < /etc/hosts; ls /dev/pts").ok().prints(&["0", "ptmx"]);
}

#[test]
fn links_are_covered_where_they_are() {
    let (outside, rootfs) = (Rootfs::bare(), rootfs());
    outside.add_file("hosts", "outside\n");
    let before = outside.listing();
    fs::remove_file(rootfs.inside("etc/hosts")).unwrap();
    symlink(outside.inside("hosts"), rootfs.inside("etc/hosts")).unwrap();
    run(&rootfs, &["--dns=none"], "echo x >> /etc/hosts; tail -n 1 /etc/hosts").ok().prints(&["x"]);
    assert_eq!(outside.listing(), before);
    fs::remove_dir_all(rootfs.inside("etc")).unwrap();
    symlink(outside.path(), rootfs.inside("etc")).unwrap();
    run(&rootfs, &["--dns=none"], "").fails_with(125, "/etc/resolv.conf");
    assert_eq!(outside.listing(), before);
}
