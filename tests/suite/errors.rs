//! Errors: one line, which names the thing and says what can be done.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::launch::Launch;
use crate::pace::rounds;
use crate::rootfs::Rootfs;
use crate::subject;
use crate::sys::before::Before;

/// Expects the words to be refused with this text and the hint where to read more.
#[track_caller]
fn refused(words: &[&str], text: &str) {
    let launch = words.iter().fold(Launch::bare(), |launch, word| launch.option(*word));
    launch.run().fails(125, &format!("launcher: {text}; see launcher --help"));
}

#[test]
fn no_rootfs() {
    refused(&[], "no ROOTFS given, or an empty one");
    refused(&[""], "no ROOTFS given, or an empty one");
    refused(&["--verbose"], "no ROOTFS given, or an empty one");
    refused(&["--"], "no ROOTFS given, or an empty one");
}

#[test]
fn unknown_option_comes_with_the_nearest() {
    refused(&["--hostnme", "x", "r"], "unknown option --hostnme; did you mean --hostname?");
    refused(&["--keepfd", "3", "r"], "unknown option --keepfd; did you mean --keep-fd?");
    refused(&["--zzzzzzzzzzzzzz", "r"], "unknown option --zzzzzzzzzzzzzz");
    let output = Launch::bare().option("-x").option("r").run();
    output.fails_with(125, "launcher: unknown option -x");
}

#[test]
fn option_without_its_value_or_with_one_too_many() {
    refused(&["--hostname"], "option --hostname needs a value");
    refused(&["--verbose=1", "r"], "option --verbose takes no value");
    let output = Launch::bare().option("--grace=1").option("--grace=2").option("r").run();
    output.fails_with(125, "--grace");
}

#[test]
fn values_that_make_no_sense_are_named() {
    refused(&["--hostname=", "r"], "--hostname is empty");
    let long = "h".repeat(65);
    refused(&["--hostname", &long, "r"], "--hostname has 65 bytes; the kernel takes 64");
    refused(
        &["--workdir", "x", "r"],
        "--workdir x is not absolute: it is a path inside the container",
    );
    refused(&["--env", "=x", "r"], "--env =x has no name");
    refused(&["--env", "", "r"], "--env is empty");
    refused(&["--grace", "-1", "r"], "--grace -1 is not a number of seconds up to 1000000");
    refused(&["--keep-fd", "x", "r"], "--keep-fd x is not a descriptor's number");
    refused(&["--status-fd", "-1", "r"], "--status-fd -1 is not a descriptor's number");
    refused(&["--user", ":5", "r"], "--user :5 is neither UID[:GID] nor NAME[:GROUP]");
    refused(&["--init", "", "r"], "--init is empty");
    refused(&["--pid-file=", "r"], "--pid-file is empty");
    refused(&["--landlock-abi", "9", "r"], "--landlock-abi 9 is not a number from 1 to 5");
    refused(&["r", ""], "COMMAND is an empty word");
}

#[test]
fn unknown_modes_and_namespaces_come_with_the_nearest() {
    refused(&["--userns", "ranges", "r"], "--userns ranges is unknown; did you mean range?");
    refused(
        &["--userns", "zzzzzzzzz", "r"],
        "--userns zzzzzzzzz is unknown: it is one of auto, single, subid, range, identity, none",
    );
    refused(&["--share", "nte", "r"], "--share nte is unknown; did you mean net?");
    refused(
        &["--share", "pid", "r"],
        "--share pid: a container without its own user, mount and pid namespace is none",
    );
}

#[test]
fn maps_that_make_no_sense_are_named() {
    refused(
        &["--uid-map", "0:0", "r"],
        "--uid-map 0:0 is not INSIDE:OUTSIDE:COUNT in numbers below 4294967295",
    );
    refused(
        &["--uid-map=0:0:10", "--uid-map=5:100:1", "r"],
        "--uid-map 5:100:1 and 0:0:10 overlap",
    );
    refused(
        &["--uid-map=1:0:10", "r"],
        "no --uid-map maps the container's id 0, as which its init runs",
    );
    refused(&["--gid-map=0:0:1", "r"], "--gid-map needs a --uid-map beside it");
    refused(
        &["--userns=auto", "--uid-map=0:0:1", "r"],
        "--userns and --uid-map or --gid-map exclude each other",
    );
}

#[test]
fn options_that_exclude_each_other() {
    refused(
        &["--share", "uts", "--hostname", "x", "r"],
        "--hostname would set the host's name with --share uts",
    );
}

#[test]
fn rootfs_that_cannot_be_opened() {
    Launch::on_path("/nonexistent").probe("exit 0").run().fails(
        125,
        "launcher: cannot open rootfs /nonexistent: ENOENT (No such file or directory); there is \
         no such directory; `cargo xtask rootfs` makes one to try",
    );
    let file = subject::probe();
    Launch::on_path(&file).probe("exit 0").run().fails(
        125,
        &format!(
            "launcher: cannot open rootfs {}: ENOTDIR (Not a directory); it is neither a \
             directory nor a squashfs, erofs or ext4 image",
            file.display()
        ),
    );
}

/// What a command that cannot be run is answered with.
#[track_caller]
fn command_fails(rootfs: &Rootfs, command: &str, code: i32, text: &str) {
    let text = text.replace("ROOTFS", &rootfs.path().to_string_lossy());
    Launch::on(rootfs).command([command]).run().fails(code, &format!("launcher: {text}"));
}

#[test]
fn command_that_is_not_there() {
    let hint = "is it on the container's PATH, and with it its interpreter (#!) or ELF loader?";
    let rootfs = Rootfs::new();
    let enoent = "ENOENT (No such file or directory)";
    let text =
        |command: &str| format!("cannot find command {command} in rootfs ROOTFS: {enoent}; {hint}");
    command_fails(&rootfs, "/none", 127, &text("/none"));
    command_fails(&rootfs, "none", 127, &text("none"));
    command_fails(
        &rootfs,
        "/probe/below",
        127,
        "cannot find command /probe/below in rootfs ROOTFS: ENOTDIR (Not a directory); a part of \
         the path is no directory",
    );
}

#[test]
fn script_whose_interpreter_is_not_there() {
    let rootfs = Rootfs::new();
    let start =
        "cannot execute command /script in rootfs ROOTFS: ENOENT (No such file or directory)";
    rootfs.add_script("script", "#!/no/interpreter -x\n");
    let reason =
        "needs the interpreter /no/interpreter of its #! line, which the rootfs does not have";
    command_fails(&rootfs, "/script", 127, &format!("{start}; /script {reason}"));
    rootfs.add_script("script", "#!/probe\r\n");
    let reason = "ends in a carriage return, so the kernel looks for /probe\\r";
    command_fails(&rootfs, "/script", 127, &format!("{start}; the #! line of /script {reason}"));

    rootfs.add_script("script", "#! \n");
    let reason = "the #! line of /script names no interpreter";
    command_fails(&rootfs, "/script", 127, &format!("{start}; {reason}"));

    // Of a chain the last one is named.
    rootfs.add_script("script", "#!/other\n");
    rootfs.add_script("other", "#!/no/interpreter\n");
    let reason =
        "needs the interpreter /no/interpreter of its #! line, which the rootfs does not have";
    command_fails(&rootfs, "/script", 127, &format!("{start}; /other {reason}"));
    rootfs.add_script("other", "#!/script\n");
    let text = "cannot execute command /script in rootfs ROOTFS: \
                ELOOP (Too many symbolic links encountered); /script begins an endless chain of #! \
                lines";
    command_fails(&rootfs, "/script", 126, text);

    symlink("circle", rootfs.inside("circle")).unwrap();
    rootfs.add_script("script", "#!/circle\n");
    let text = "cannot execute command /script in rootfs ROOTFS: \
                ELOOP (Too many symbolic links encountered); the interpreter /circle of the #! line of \
                /script is a link that leads to itself";
    command_fails(&rootfs, "/script", 126, text);
}

#[test]
fn command_that_cannot_be_executed() {
    let rootfs = Rootfs::new();
    let hint = "it is there, but no executable file for this user, or on a noexec mount";
    rootfs.add_file("plain", "text");
    for command in ["/plain", "/tmp"] {
        let text = format!(
            "cannot find command {command} in rootfs ROOTFS: EACCES (Permission denied); {hint}"
        );
        command_fails(&rootfs, command, 126, &text);
    }
    let start = "cannot execute command /binary in rootfs ROOTFS: ENOEXEC (Exec format error)";
    rootfs.add_script("binary", b"\x7fELF\0\0\0\0");
    let reason = "/binary is a program for another machine";
    command_fails(&rootfs, "/binary", 126, &format!("{start}; {reason}"));
    rootfs.add_script("binary", b"\0\0\0\0");
    let reason = "/binary is neither a program nor a text";
    command_fails(&rootfs, "/binary", 126, &format!("{start}; {reason}"));
}

#[test]
fn working_directory_that_is_not_there() {
    Launch::new().option("--workdir=/none").probe("exit 0").run().fails(
        125,
        "launcher: cannot change into --workdir /none: ENOENT (No such file or directory); create \
         it in the rootfs, or give another",
    );
    let launch = Launch::new().option("--workdir=/probe").probe("exit 0");
    launch.run().fails(
        125,
        "launcher: cannot change into --workdir /probe: ENOTDIR (Not a directory); a part of the path \
         is no directory",
    );
}

#[test]
fn descriptor_that_is_not_open() {
    Launch::new().option("--keep-fd=77").probe("exit 0").run().fails(
        125,
        "launcher: cannot keep descriptor 77: EBADF (Bad file number); it is not open in the \
         launcher",
    );
}

/// Has the launcher start without this descriptor, whatever our own caller has left open.
pub fn closed(launch: Launch, number: i32) -> Launch {
    let root = fs::File::open("/").unwrap();
    launch.descriptor(root, number).before(Before::Close(number))
}

/// The numbers that the launcher's own files get: the host's /proc, the rootfs, the channel to the child.
#[test]
fn descriptor_that_is_not_open_is_never_one_of_the_launchers() {
    for number in 3..20 {
        let launch = closed(Launch::new(), number);
        let launch = launch.option("--keep-fd").arg(number.to_string()).probe("fds");
        launch.run().fails_with(125, &format!("cannot keep descriptor {number}: EBADF"));
    }
}

#[test]
fn init_that_cannot_be_used() {
    Launch::new().option("--init=/nonexistent").probe("exit 0").run().fails(
        125,
        "launcher: cannot open --init /nonexistent: ENOENT (No such file or directory); it has to be \
         there",
    );
    let rootfs = Rootfs::new();
    rootfs.add_script("text", "no program\n");
    let path = rootfs.inside("text");
    let launch = Launch::on(&rootfs).option("--init").arg(&path).probe("exit 0");
    launch.run().fails(
        125,
        &format!(
            "launcher: cannot execute --init {}: ENOEXEC (Exec format error); init has to be a \
             static program for this machine",
            path.display()
        ),
    );
}

#[test]
fn names_with_control_characters_stay_on_one_line() {
    let rootfs = Rootfs::new();
    let output = Launch::on(&rootfs).command(["no\nsuch\u{1b}[31m"]).run();
    output.fails_with(127, "find command no\\nsuch\\u{1b}[31m in rootfs");
}

#[test]
fn search_is_not_confused_by_somebody_who_renames() {
    let rootfs = Rootfs::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (rootfs.inside("one"), rootfs.inside("other"));
            fs::create_dir(&one).unwrap();
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&one, &other).unwrap();
                fs::rename(&other, &one).unwrap();
            }
        });
        let ends = (0..rounds(50, 500))
            .map(|_| Launch::on(&rootfs).command(["/tmp/../nosuch"]).run().status.code())
            .collect::<Vec<_>>();
        stop.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(|end| *end == Some(127)), "{ends:?}");
    });
}
