//! Whatever the caller has done to the process that becomes the launcher, the start is right, or
//! one line says why it is not.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::thread;
use std::time::Duration;

use crate::ability::{for_user, require};
use crate::launch::Launch;
use crate::pace::patience;
use crate::rootfs::{Rootfs, temporary_path};
use crate::subject;
use crate::sys::before::Before;

const NOFILE: i32 = libc::RLIMIT_NOFILE as i32;
const FSIZE: i32 = libc::RLIMIT_FSIZE as i32;
const KIB: u64 = 1024;

#[test]
fn low_limits_are_enough_and_come_back() {
    let rootfs = Rootfs::new();
    let cases = [
        (NOFILE, 16, 4096, "Max open files"),
        (NOFILE, 5, 4096, "Max open files"),
        (FSIZE, 0, libc::RLIM_INFINITY, "Max file size"),
        (libc::RLIMIT_STACK as i32, 64 * KIB, 64 * KIB, "Max stack size"),
        (libc::RLIMIT_AS as i32, 16 * KIB * KIB, 16 * KIB * KIB, "Max address space"),
        (libc::RLIMIT_DATA as i32, KIB * KIB, KIB * KIB, "Max data size"),
        (libc::RLIMIT_MEMLOCK as i32, 0, 0, "Max locked memory"),
        (libc::RLIMIT_SIGPENDING as i32, 0, 0, "Max pending signals"),
    ];
    for (resource, soft, hard, name) in cases {
        let launch = Launch::on(&rootfs).before(Before::Limit(resource, soft, hard));
        let pid_file = temporary_path("pid");
        let launch = launch.option("--pid-file").arg(&pid_file);
        let output = launch.probe("show /proc/self/limits").run().ok();
        let found = output.fact(name).split_whitespace().next().unwrap();
        assert_eq!(found, soft.to_string(), "{name}");
        assert!(!pid_file.exists());
    }
}

#[test]
fn limits_that_are_too_low_are_named() {
    let rootfs = Rootfs::new();
    // Some starts need no more than 16.
    let memory = libc::RLIMIT_AS as i32;
    for (resource, limit, advice) in
        [(NOFILE, 8, "ulimit -Hn"), (FSIZE, 0, "ulimit -Hf"), (memory, 2048 * KIB, "ulimit -v")]
    {
        let launch = Launch::on(&rootfs).before(Before::Limit(resource, limit, limit));
        launch.probe("exit 0").run().fails_with(125, advice);
    }
}

#[test]
fn no_process_left_to_have_is_said() {
    // Root may have more than its limit.
    for_user!();
    let limit = Before::Limit(libc::RLIMIT_NPROC as i32, 1, 1);
    Launch::new().before(limit).probe("exit 0").run().fails_with(125, "EAGAIN");
}

/// A file that cannot be written to must not end the launcher before it gives its exit code.
#[test]
fn nothing_can_be_said_and_the_exit_code_is_right() {
    let run = |launch: Launch, stderr: &File| {
        let launch = launch.before(Before::Limit(FSIZE, 0, 0));
        launch.descriptor(stderr.try_clone().unwrap(), 2).run()
    };
    let path = temporary_path("stderr");
    let file = File::create(&path).unwrap();
    run(Launch::bare().option("--bogus"), &file).code(125);
    run(Launch::new().probe("exit 0"), &file).code(125);
    fs::remove_file(path).unwrap();
}

/// A line that nobody reads is not waited for: all signals are blocked, and none would end it.
#[test]
fn standard_error_that_nobody_reads_holds_nobody_up() {
    let rootfs = Rootfs::new();
    for (options, code) in [(&["--bogus"][..], 125), (&["--verbose"], 0), (&["--stats"], 0)] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stderr = writer.try_clone().unwrap();
        let filler = thread::spawn(move || while writer.write(&[b'x'; 4096]).is_ok() {});
        thread::sleep(patience(Duration::from_millis(50)));
        let launch = Launch::on(&rootfs).descriptor(stderr, 2).probe("exit 0");
        options.iter().fold(launch, |launch, option| launch.option(*option)).run().code(code);
        drop(reader);
        filler.join().unwrap();
    }
}

#[test]
fn standard_error_that_is_full_or_closed_changes_nothing() {
    let rootfs = Rootfs::new();
    let full = || {
        let full = File::options().write(true).open("/dev/full").unwrap();
        Before::descriptor(&full.into(), 2).unwrap()
    };
    for change in [full as fn() -> Before, || Before::Close(2)] {
        let run = |launch: Launch| launch.before(change()).run();
        run(Launch::on(&rootfs).probe("exit 3")).code(3);
        run(Launch::on(&rootfs).option("--verbose").probe("exit 3")).code(3);
        run(Launch::on(&rootfs).command(["/none"])).code(127);
        run(Launch::on(&rootfs).option("--bogus")).code(125);
    }
}

#[test]
fn every_combination_of_closed_standard_descriptors() {
    let rootfs = Rootfs::new();
    for closed in 0..8 {
        let launch = |words: &str| {
            let all = (0..3).filter(|fd| closed & 1 << fd != 0).map(Before::Close);
            all.fold(Launch::on(&rootfs), Launch::before).probe(words)
        };
        launch("exit 5").run().code(5);
        let output = launch("fds").run().code(0);
        if closed & 2 != 0 {
            continue; // nothing comes out
        }
        let lines = output.lines();
        let numbers = lines.iter().map(|line| &line[..1]).collect::<String>();
        assert_eq!(numbers, "012", "{closed:03b}\n{output}");
        for line in lines {
            let harmless = line.contains("/dev/null") || line.contains("pipe:");
            assert!(harmless, "{closed:03b}: nothing of the launcher's\n{output}");
        }
    }
}

#[test]
fn working_directory_that_was_deleted_is_nobodys_business() {
    require!(busybox);
    let (rootfs, gone) = (Rootfs::new(), temporary_path("gone"));
    fs::create_dir(&gone).unwrap();
    let launch = Launch::on(&rootfs).directory(&gone).probe("place");
    let launch = launch.variable("GONE", &gone).through_shell("rmdir \"$GONE\" && exec \"$@\"");
    assert_eq!(launch.run().ok().fact("cwd"), "/");
}

#[test]
fn hundred_thousand_arguments() {
    let words = ["/probe", "args"].map(OsString::from).into_iter();
    let words = words.chain((0..100_000).map(|n| (n % 10).to_string().into()));
    let output = Launch::new().command(words).run().ok();
    assert_eq!(output.lines().len(), 100_000);
}

#[test]
fn mebibyte_of_environment() {
    let value = "x".repeat(100 * KIB as usize);
    let names = (0..11).map(|n| format!("V{n}"));
    let launch = Launch::new().option("--keep-env");
    let output =
        names.fold(launch, |launch, name| launch.variable(name, &value)).probe("env").run().ok();
    assert!(output.stdout.len() > KIB as usize * KIB as usize);
}

/// With half a mebibyte of stack the kernel takes 128 KiB of words (execve(2)), and counts a pointer with
/// each. What fits the launcher need not fit init: here it gets a long HOME.
#[test]
fn more_words_than_the_kernel_takes_are_refused() {
    let home = format!("root:x:0:0::/{}:/bin/sh\n", "h".repeat(2000));
    let rootfs = Rootfs::new().with_accounts(&home, "");
    let (program, path) = (subject::launcher(), std::env::var_os("PATH").unwrap());
    let fixed = [program.as_os_str(), program.as_os_str(), rootfs.path().as_os_str(), &path];
    let fixed = fixed.map(|word| word.len() + 9).iter().sum::<usize>() + "PATH=/probe".len() + 9;
    let left = 128 * KIB as usize - fixed - 500;
    let words = (0..left / 1009).map(|_| "x".repeat(1000)).chain(["x".repeat(left % 1009)]);
    let launch = Launch::on(&rootfs).command(["/probe".to_string()].into_iter().chain(words));
    let stack = Before::Limit(libc::RLIMIT_STACK as i32, 512 * KIB, 512 * KIB);
    launch.before(stack).run().fails_with(125, "execute init from its memfd: E2BIG");
}

#[test]
fn no_environment_at_all() {
    require!(busybox);
    let output = Launch::new().probe("env").through_shell("exec env -i \"$@\"").run().ok();
    assert_eq!(output.lines().len(), 2, "PATH and HOME: {output}");
}

#[test]
fn names_that_are_no_utf_8_are_taken_as_they_are() {
    let odd = |text: &str| OsString::from_vec([text.as_bytes(), b"\xff\xfe\n"].concat());
    let folder = temporary_path("odd");
    let path = folder.join(odd("rootfs"));
    fs::create_dir_all(path.join(odd("work"))).unwrap();
    fs::copy(subject::probe(), path.join(odd("command"))).unwrap();
    let option = |name: &str, value: &OsStr| {
        OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat())
    };
    let absolute = |name: OsString| OsString::from_vec([b"/", name.as_bytes()].concat());
    let run = |verb: &str| {
        let launch = Launch::on_path(&path).option(option("--hostname", &odd("host")));
        let launch = launch.option(option("--workdir", &absolute(odd("work"))));
        let launch = launch.option("--env").arg(option("NAME", &odd("value")));
        let launch = launch.option(option("--pid-file", folder.join(odd("pid")).as_os_str()));
        launch.command([absolute(odd("command")), verb.into(), odd("word")]).run().ok()
    };
    run("args").prints(&[r#""word\xff\xfe\n""#]);
    assert!(run("env").lines().contains(&r"NAME=value\xff\xfe\n"));
    // The rest is not shown, but taken.
    run("umask");
    fs::remove_dir_all(folder).unwrap();
}
