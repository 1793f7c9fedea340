//! `--explain` tells what was asked for and cannot be had, as the start that it does not make would.

use std::fs;
use std::net::TcpListener;

use crate::ability::{self, require};
use crate::explain::under;
use crate::launch::Launch;
use crate::output::Output;
use crate::pace;
use crate::rootfs::{Rootfs, temporary_path};

/// Options and a command without arguments.
fn launch(rootfs: &Rootfs, options: &[&str], command: &str) -> Launch {
    let launch = Launch::on(rootfs);
    options.iter().fold(launch, |launch, option| launch.option(*option)).command([command])
}

/// The same line and the same code as of the start, and in both forms what it says.
fn is_told(rootfs: &Rootfs, options: &[&str], command: &str) -> Output {
    let started = launch(rootfs, options, command).run();
    let before = rootfs.listing();
    let output = launch(rootfs, &[&["--explain"], options].concat(), command).run();
    let json = launch(rootfs, &[&["--explain=json"], options].concat(), command).run();
    assert_eq!(rootfs.listing(), before, "{output}");
    if !under(&output, "not tried").is_empty() {
        assert!(ability::ephemeral().is_err(), "{output}");
        return output;
    }
    // But for the numbers of processes, and for warnings: a start that fails early gives none.
    let plain = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("launcher: warning: "));
        lines.collect::<String>().replace(|c: char| c.is_ascii_digit(), "")
    };
    for explained in [&output, &json] {
        assert_eq!(explained.status.code(), started.status.code(), "{started}{explained}");
        assert_eq!(plain(&explained.stderr), plain(&started.stderr), "{started}{explained}");
    }
    let line = |output: &Output| {
        let line =
            output.complaints().first().map_or("", |line| line.trim_start_matches("launcher: "));
        line.to_owned()
    };
    let told = under(&output, "cannot be had");
    assert_eq!(told.first().copied().unwrap_or_default(), line(&output), "{output}");
    let quoted = line(&json).replace('\\', "\\\\").replace('"', "\\\"");
    let end = if quoted.is_empty() { "[]}\n".into() } else { format!("[\"{quoted}\"]}}\n") };
    assert!(json.stdout.ends_with(&format!("\"cannot be had\":{end}")), "{json}");
    output
}

#[test]
fn what_is_missing_is_told_with_the_code_of_a_start() {
    let (rootfs, filter) = (Rootfs::new(), temporary_path("filter"));
    fs::write(&filter, [6; 8]).unwrap();
    rootfs.add_file("etc/text", "no program");
    rootfs.add_script("script", "#!/nosuch/sh\n");
    let no_filter = format!("--seccomp={}", filter.display());
    let cases = [
        (&[][..], "/nosuch", 127),
        (&[], "nosuch", 127),
        (&[], "/script", 127),
        (&[], "/etc/text", 126),
        (&["--workdir=/nosuch"], "/probe", 125),
        (&["--bind=/nosuch"], "/probe", 125),
        (&["--dev-bind=/nosuch"], "/probe", 125),
        (&["--device=/proc/version:/x"], "/probe", 125),
        (&["--overlay=/o:lower=/nosuch"], "/probe", 125),
        (&["--overlay-dir=/nosuch"], "/probe", 125),
        (&["--file=/nosuch:/f"], "/probe", 125),
        (&["--user=nobody-here"], "/probe", 125),
        (&["--status-fd=987"], "/probe", 125),
        (&["--keep-fd=987"], "/probe", 125),
        (&["--pid-file=/nosuch/pid"], "/probe", 125),
        (&["--init=/nosuch"], "/probe", 125),
        (&["--cgroup-parent=/nosuch"], "/probe", 125),
        (&["--net=ns:/nosuch"], "/probe", 125),
        (&["--net=bridge=nosuch0"], "/probe", 125),
        (&[&no_filter], "/probe", 125),
    ];
    for (options, command, code) in pace::one_in(4, cases) {
        is_told(&rootfs, options, command).code(code);
    }
    fs::remove_file(filter).unwrap();
}

/// Root has them, or a kernel or a machine.
#[test]
fn what_may_be_missing_is_told_where_it_is() {
    let (rootfs, taken) = (Rootfs::new(), TcpListener::bind("0.0.0.0:0").unwrap());
    let publish = format!("--publish={}:80", taken.local_addr().unwrap().port());
    for options in [
        &["--nice=-5"][..],
        &["--oom-score-adj=-5"],
        &["--memory=64M"],
        &["--userns=none"],
        &["--userns=range"],
        &["--userns=subid"],
        &["--landlock=/nosuch"],
        &["--selinux-label=a:b:c"],
        &["--apparmor=nosuch"],
        &["--net=veth", &publish],
        &["--tmpfs=/t:uid=99999999"],
    ] {
        let output = is_told(&rootfs, options, "/probe");
        println!("{options:?}: {:?}", under(&output, "cannot be had"));
    }
}

#[test]
fn all_that_is_missing_is_told_and_the_first_is_the_starts() {
    let options = ["--explain", "--status-fd=987", "--pid-file=/nosuch/pid"];
    let output = launch(&Rootfs::new(), &options, "/nosuch").run();
    output.fails_with(125, "--status-fd 987: EBADF");
    let output = launch(&Rootfs::new(), &options, "/nosuch").run();
    let told = under(&output, "cannot be had");
    let parts = ["--status-fd 987", "--pid-file /nosuch/pid", "find command /nosuch"];
    assert_eq!(told.len(), parts.len(), "{output}");
    for (line, part) in told.iter().zip(parts) {
        assert!(line.contains(part), "{part}\n{output}");
    }
    // Also where the first is early.
    let options = [
        "--explain",
        "--keep-fd=987",
        "--bind=/nosuch:/x",
        "--seccomp=/nosuch",
        "--selinux-label=none",
    ];
    let output = launch(&Rootfs::new(), &options, "/nosuch").run();
    let told = under(&output, "cannot be had");
    let parts =
        ["keep descriptor 987", "open bind source /nosuch", "--seccomp /nosuch", "--selinux-label"];
    assert_eq!(told.len(), parts.len(), "{output}");
    for (line, part) in told.iter().zip(parts) {
        assert!(line.contains(part), "{part}\n{output}");
    }
}

#[test]
fn what_does_not_depend_on_what_is_missing_is_told_too() {
    let asked = ["--explain", "--rlimit=nofile=99", "--read-only"];
    let explain = |options: &[&str]| {
        launch(&Rootfs::new(), &[&asked[..], options].concat(), "/probe").run().code(125)
    };
    let known = |output: &Output| {
        assert_eq!(under(output, "limits"), ["nofile 99:99"], "{output}");
        assert_eq!(under(output, "network"), ["loopback, and nothing else"], "{output}");
        assert_eq!(under(output, "not told").len(), 1, "{output}");
        assert!(under(output, "command").is_empty(), "{output}");
        assert_eq!(under(output, "cannot be had").len(), 1, "{output}");
    };
    let output = explain(&["--keep-fd=987"]);
    known(&output);
    assert!(under(&output, "rootfs").contains(&"read-only"), "{output}");
    assert!(under(&output, "namespaces")[0].starts_with("new: "), "{output}");
    assert_eq!(under(&output, "ids").len(), 1, "{output}");
    let output = explain(&["--user=nobody-here"]);
    known(&output);
    // There is no rootfs, so nothing is known that depends on one.
    let output =
        asked.iter().fold(Launch::on_path("/nosuch"), |launch, option| launch.option(*option));
    let output = output.probe("exit 0").run().code(125);
    known(&output);
    for heading in ["rootfs", "namespaces", "ids"] {
        assert!(under(&output, heading).is_empty(), "{output}");
    }
    // What can be had has no such line.
    let output = launch(&Rootfs::new(), &asked, "/probe").run().ok();
    assert!(under(&output, "not told").is_empty(), "{output}");
}

/// And in what is mounted on that.
#[test]
fn the_command_is_looked_for_in_what_a_start_mounts() {
    let (rootfs, tools) = (Rootfs::new(), Rootfs::bare());
    let bind = format!("--explain --bind={}:/a/tools --dir=/a/tools", tools.path().display());
    let options = bind.split(' ').collect::<Vec<_>>();
    launch(&rootfs, &options, "/a/tools/probe").run().ok();
    let output = launch(&rootfs, &options, "/a/tools/nosuch").run();
    if under(&output, "not tried").is_empty() {
        output.fails_with(127, "find command /a/tools/nosuch");
        let hidden = [&options[..], &["--tmpfs=/a"]].concat();
        launch(&rootfs, &hidden, "/a/tools/probe").run().code(127);
    } else {
        require!(ephemeral);
        panic!("{output}");
    }
}

/// What cannot be tried without a trace is not, and it says so.
#[test]
fn a_directory_for_changes_stays_as_it_is() {
    let (rootfs, folder) = (Rootfs::new(), temporary_path("changes"));
    fs::create_dir(&folder).unwrap();
    let option = format!("--overlay-dir={}", folder.display());
    let output = launch(&rootfs, &["--explain", &option], "/nosuch").run();
    if output.status.code() == Some(125) {
        println!("{}", output.stderr);
    } else {
        assert!(!under(&output, "not tried").is_empty(), "{output}");
    }
    fs::remove_dir(&folder).unwrap(); // it is empty
}
