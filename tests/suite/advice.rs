//! Errors that name the very thing that is in the way, and say what to do: what the host lacks or
//! forbids, and files that a command needs. The others are in `errors.rs`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::ability::{for_user, not_on_initial_ramfs, require};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::{subject, sys};

#[test]
fn component_that_cannot_be_searched_is_named() {
    // Root may search anything.
    for_user!();
    let (outer, rootfs) = (Rootfs::new(), Rootfs::new());
    let closed = outer.inside("closed");
    fs::create_dir(&closed).unwrap();
    let path = closed.join("rootfs");
    fs::rename(rootfs.path(), &path).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o600)).unwrap();
    let output = Launch::on_path(path.join(".")).probe("exit 0").run();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    output.fails(
        125,
        &format!(
            "launcher: cannot open rootfs {}/.: EACCES (Permission denied); this user may not \
             search {}",
            path.display(),
            closed.display()
        ),
    );
}

#[test]
fn component_that_leads_nowhere_is_named() {
    let outer = Rootfs::new();
    outer.add_file("file", "text");
    symlink("loop", outer.inside("loop")).unwrap();
    for (name, errno, advice) in [
        ("file", "ENOTDIR (Not a directory)", "PART is no directory"),
        ("none", "ENOENT (No such file or directory)", "there is no PART"),
        (
            "loop",
            "ELOOP (Too many symbolic links encountered)",
            "the link PART leads back to itself",
        ),
    ] {
        let part = outer.inside(name).to_string_lossy().into_owned();
        let advice = advice.replace("PART", &part);
        Launch::on_path(format!("{part}/rootfs/below")).probe("exit 0").run().fails(
            125,
            &format!("launcher: cannot open rootfs {part}/rootfs/below: {errno}; {advice}"),
        );
    }
}

/// As /proc is below `/`: what it covers is not for a user to see.
#[test]
fn mounts_below_what_a_user_covers_are_named() {
    for_user!();
    not_on_initial_ramfs!();
    require!(ephemeral);
    let launch = || Launch::on_path("/").command(["true"]);
    let output = launch().option("--ephemeral").run();
    output.fails_with(
        125,
        "cannot cover rootfs / with a tmpfs: EINVAL (Invalid argument); an ordinary",
    );
    let output = Launch::new().option("--overlay=/o:lower=/").probe("exit 0").run();
    output.fails_with(125, "EINVAL (Invalid argument); a layer is on");
}

/// The launcher, while strace fails these system calls.
fn with_refused(calls: &str, errno: &str) -> Output {
    let launch = Launch::new().option("--userns=single").probe("exit 0");
    let launch = launch.variable("CALLS", calls).variable("ERRNO", errno);
    launch
        .through_shell(
            "exec strace -f -qq -o /dev/null -e trace=\"$CALLS\" -e inject=\"$CALLS:error=$ERRNO\" \"$@\"",
        )
        .run()
}

#[test]
fn hosts_that_forbid_user_namespaces_are_told_how_they_do_it() {
    require!(tracing);
    require!(busybox);
    let cases = [
        ("clone,clone3", "EPERM", "kernel.unprivileged_userns_clone (Debian)"),
        ("clone,clone3", "EPERM", "(Docker without CAP_SYS_ADMIN)"),
        ("clone,clone3", "ENOSPC", "user.max_user_namespaces"),
        ("clone,clone3", "EINVAL", "CONFIG_USER_NS"),
        ("mount_setattr,mount", "EACCES", "kernel.apparmor_restrict_unprivileged_userns (Ubuntu)"),
    ];
    // Root's first mount is made outside of any namespace.
    let cases = if sys::uid() == 0 { &cases[..4] } else { &cases };
    for (calls, errno, advice) in cases {
        let output = with_refused(calls, errno).fails_with(125, advice);
        assert!(output.complaints()[0].contains(&format!(": {errno} (")), "{output}");
    }
}

#[test]
fn tools_that_refuse_are_named_with_what_they_say() {
    for_user!();
    require!(subordinate_ids);
    // A copy is not setuid.
    let tools = Rootfs::new();
    for name in ["newuidmap", "newgidmap"] {
        tools.add_program(name, &subject::tool(name).unwrap());
    }
    let launch = Launch::new().option("--userns=subid").variable("PATH", tools.path());
    let part = format!("{}/newuidmap refused the map 0:", tools.path().display());
    let output = launch.probe("exit 0").run().fails_with(125, &part);
    assert!(output.stderr.contains("is it setuid root"), "{output}");
    // Somebody else's ids.
    let own = format!("--uid-map=0:{}:1", sys::uid());
    let launch = Launch::new().option(own).option("--uid-map=1:4000:10");
    let output = launch.probe("exit 0").run().fails_with(125, "newuidmap refused the map 0:");
    assert!(output.stderr.contains("ranges those of /etc/subuid"), "{output}");
}

/// The head of a 64-bit ELF program for this machine that asks for this loader (elf(5)).
fn program_with_loader(loader: &str) -> Vec<u8> {
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(3u16.to_le_bytes()); // ET_DYN
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0u64, 64, 0].map(u64::to_le_bytes).concat()); // entry, program headers, sections
    bytes.extend(0u32.to_le_bytes());
    bytes.extend([64u16, 56, 1, 0, 0, 0].map(u16::to_le_bytes).concat());
    bytes.extend([3u32, 4].map(u32::to_le_bytes).concat()); // PT_INTERP, readable
    let length = loader.len() as u64 + 1;
    bytes.extend([120, 0, 0, length, length, 1].map(u64::to_le_bytes).concat());
    bytes.extend(loader.bytes().chain([0]));
    bytes
}

#[test]
fn loader_that_is_missing_is_named() {
    let rootfs = Rootfs::new();
    rootfs.add_script("dynamic", program_with_loader("/lib64/ld-none.so.9"));
    let output = Launch::on(&rootfs).command(["/dynamic"]).run();
    output.fails_with(127, "/dynamic needs the ELF loader /lib64/ld-none.so.9, which the rootfs");
}

/// Whether its loader is there or not.
#[test]
fn program_for_another_machine_is_named() {
    let rootfs = Rootfs::new();
    let mut program = program_with_loader("/lib64/ld-none.so.9");
    program[18] ^= 0x80;
    rootfs.add_script("foreign", program);
    let output = Launch::on(&rootfs).command(["/foreign"]).run();
    output
        .fails_with(126, "ENOEXEC (Exec format error); /foreign is a program for another machine");
}

#[test]
fn loader_that_is_cut_off_is_named() {
    let rootfs = Rootfs::new();
    rootfs.add_script("loader", "x");
    rootfs.add_script("dynamic", program_with_loader("/loader"));
    let output = Launch::on(&rootfs).command(["/dynamic"]).run();
    output.fails_with(126, "the ELF loader of /dynamic, /loader, is damaged");
}

#[test]
fn bind_source_that_is_not_there_is_explained() {
    let gone = Rootfs::new();
    let (rootfs, part) = (Rootfs::new(), gone.inside("none"));
    let bind = || Launch::on(&rootfs).option("--bind").arg(part.join("below")).probe("exit 0");
    bind().run().fails_with(125, &format!("; there is no {}", part.display()));
    // As a shell does in whose directory somebody has removed.
    let here = Launch::on(&rootfs).option("--here").probe("exit 0").variable("R", gone.inside("x"));
    here.through_shell("mkdir $R && cd $R && rmdir $R && exec \"$@\"")
        .run()
        .fails_with(125, "the current directory has been removed");
}

#[test]
fn links_that_end_nowhere_or_never_are_told_apart() {
    let rootfs = Rootfs::new();
    symlink("loop", rootfs.inside("loop")).unwrap();
    symlink("/nowhere", rootfs.inside("dangling")).unwrap();
    symlink("/probe/below", rootfs.inside("below")).unwrap();
    for (command, code, errno) in
        [("/loop", 126, "ELOOP"), ("/dangling", 127, "ENOENT"), ("/below", 127, "ENOTDIR")]
    {
        let part =
            format!("find command {command} in rootfs {}: {errno} (", rootfs.path().display());
        Launch::on(&rootfs).command([command]).run().fails_with(code, &part);
    }
}
