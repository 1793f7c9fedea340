//! Every system call of a start, failed once by strace: one line and 125, or a start that is as
//! good as any. The calls are those of a trace, so a new one is found by itself.
//!
//! The command is init's `--version`, a static program that makes two calls of its own.

use std::collections::BTreeMap;
use std::fs;

use crate::ability::require;
use crate::launch::Launch;
use crate::lifecycle::{expect_gone, mark};
use crate::mounts::modes;
use crate::output::Output;
use crate::pace;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{subject, sys};

/// By which the C library sets the thread's pointer, before it has any code to tell of an error: it
/// ends itself by a signal. On x86_64 the kernel refuses only an address that no process can have.
pub const NOT_FAILED: [&str; 1] = ["arch_prctl"];

/// How often each call is made by the process that makes it most often.
fn calls_of_a_start(launch: Launch) -> BTreeMap<String, usize> {
    let trace = temporary_path("trace");
    launch
        .variable("TRACE", &trace)
        .through_shell("exec strace -f -o \"$TRACE\" \"$@\"")
        .run()
        .code(0);
    let text = fs::read_to_string(&trace).unwrap();
    fs::remove_file(&trace).unwrap();
    let mut calls = BTreeMap::<(String, String), usize>::new();
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').unwrap();
        if let Some((name, _)) = rest.trim_start().split_once('(')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            *calls.entry((pid.into(), name.into())).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in calls {
        let entry = most.entry(name).or_insert(0);
        *entry = count.max(*entry);
    }
    most.retain(|name: &String, _| !NOT_FAILED.contains(&name.as_str()));
    let is_whole = ["pivot_root", "chroot"].into_iter().any(|call| most.contains_key(call));
    assert!(is_whole && most.len() > 30, "a trace of what? {most:?}");
    most
}

fn start(rootfs: &Rootfs, options: &[&str], mark: &str) -> Launch {
    let launch = Launch::on(rootfs).variable("RUST_BACKTRACE", "0");
    let launch = options.iter().fold(launch, |launch, option| launch.option(*option));
    launch.command(["/quit", "--version", mark])
}

/// A launcher that is refused something while the command runs can only say so. The channel is kept
/// from the command by fcntl(2), and that before there is one. The one execve(2) that is seen to fail
/// is the command's: strace leaves its own alone, and init comes by execveat(2).
fn is_right_or_refused(output: &Output, call: &str) -> bool {
    let complaints = output.complaints();
    match output.status.code() {
        Some(0) => complaints.is_empty() && output.stdout.contains("version"),
        Some(125 | 126) => {
            let is_code = (output.status.code() == Some(126)) == (call == "execve");
            let one = complaints.len() == 1 && complaints[0].starts_with("launcher: cannot ");
            is_code && one && (call != "fcntl" || !output.stdout.contains("version"))
        }
        _ => false,
    }
}

/// One call in `one_in` of a start with these options, and a look at what is left after each.
pub fn fail_every_call_once(options: &[&str], errno: &str, one_in: usize, look: &dyn Fn(&str)) {
    let (rootfs, mark) = (Rootfs::new(), mark());
    rootfs.add_program("quit", &subject::init());
    let (mut wrong, mut injected) = (Vec::new(), 0);
    let trace = temporary_path("trace");
    let calls = calls_of_a_start(start(&rootfs, options, &mark));
    let all =
        calls.into_iter().flat_map(|(name, count)| (1..=count).map(move |n| (name.clone(), n)));
    let all = pace::sample(all).step_by(one_in).collect::<Vec<_>>();
    for (name, when) in &all {
        let inject = format!("{name}:error={errno}:when={when}");
        // A hang is a failure too: the run ends at its deadline with a panic.
        let output = start(&rootfs, options, &mark)
            .variable("INJECT", &inject)
            .variable("CALL", name)
            .variable("TRACE", &trace)
            // Only what is traced can be failed.
            .through_shell(
                "exec strace -f -qq -o \"$TRACE\" -e trace=\"$CALL\" -e inject=\"$INJECT\" \"$@\"",
            )
            .run();
        injected += usize::from(fs::read_to_string(&trace).unwrap().contains("(INJECTED)"));
        look(&inject);
        if !is_right_or_refused(&output, name) {
            wrong.push(format!("{inject}\n{output}"));
        }
    }
    fs::remove_file(&trace).unwrap();
    println!("{injected} of {} calls were failed", all.len());
    // A call that is made only at times need not come again; on a slow machine they are few.
    assert!(injected + 3 > all.len() * 9 / 10, "{injected} of {} calls were failed", all.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(rootfs.path().to_str().unwrap()), "left over: {mounts}");
    expect_gone(&mark);
}

#[test]
fn every_call_that_is_refused_ends_in_one_line() {
    require!(tracing);
    // strace takes the setuid bit from newuidmap.
    let modes = if sys::uid() == 0 { modes() } else { &["single"] };
    for (index, mode) in pace::sample(modes).enumerate() {
        // Another mode makes much the same calls.
        let option = format!("--userns={mode}");
        fail_every_call_once(&[&option], "EPERM", if index == 0 { 1 } else { 4 }, &|_| {});
    }
}

#[test]
fn every_call_that_the_kernel_lacks_ends_in_one_line() {
    require!(tracing);
    let mode = if sys::uid() == 0 { "--userns=auto" } else { "--userns=single" };
    // The other half of what is refused above.
    let one_in = if pace::slowness() > 1 { 2 } else { 1 };
    fail_every_call_once(&[mode], "ENOSYS", one_in, &|_| {});
}
