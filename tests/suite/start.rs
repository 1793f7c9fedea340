//! A start, as everybody makes it.

use crate::ability::{for_user, require};
use crate::launch::Launch;
use crate::rootfs::Rootfs;
use crate::subject;

#[test]
fn command_is_run_as_pid_2_below_init() {
    let output = Launch::new().probe("processes").run().ok();
    output.prints(&["1 0 init", "2 1 probe"]);
}

#[test]
fn arguments_keep_their_bytes() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(b"\xff\xfe \n'\"\\".to_vec());
    let words = ["/probe", "args", "", "--version", "--", "-x", "a b"].map(OsString::from);
    let words = words.into_iter().chain([odd]);
    let output = Launch::new().command(words).run().ok();
    output.prints(&[
        r#""""#,
        r#""--version""#,
        r#""--""#,
        r#""-x""#,
        r#""a b""#,
        r#""\xff\xfe \n\'\"\\""#,
    ]);
}

#[test]
fn command_is_looked_for_on_the_containers_path() {
    let rootfs = Rootfs::new();
    std::fs::create_dir_all(rootfs.inside("usr/bin")).unwrap();
    rootfs.add_program("usr/bin/found", &subject::probe());
    Launch::on(&rootfs).command(["found"]).run().ok().prints(&["probe"]);
}

#[test]
fn command_with_a_slash_is_a_path_from_the_working_directory() {
    let rootfs = Rootfs::new();
    std::fs::create_dir_all(rootfs.inside("usr/bin")).unwrap();
    rootfs.add_program("usr/bin/found", &subject::probe());
    let launch = Launch::on(&rootfs).option("--workdir").arg("/usr").command(["bin/found"]);
    launch.run().ok().prints(&["probe"]);
}

#[test]
fn without_a_command_the_shell_is_run() {
    require!(busybox);
    use std::io::Write;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"echo $0 $((6 * 7)); exit 3\n").unwrap();
    drop(writer);
    let output = Launch::on(&Rootfs::new().with_shell()).stdin(reader).run().code(3);
    output.prints(&["/bin/sh 42"]);
}

#[test]
fn standard_input_output_and_error_are_the_callers() {
    require!(busybox);
    use std::io::Write;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"typed\n").unwrap();
    drop(writer);
    let script = "read line; echo out $line; echo err $line >&2";
    let rootfs = Rootfs::new().with_shell();
    let output = Launch::on(&rootfs).stdin(reader).command(["/bin/sh", "-c", script]).run();
    let output = output.code(0).prints(&["out typed"]);
    assert_eq!(output.complaints(), ["err typed"], "{output}");
}

#[test]
fn rootfs_may_be_relative_or_a_link_or_have_an_odd_name() {
    use std::os::unix::fs::symlink;
    let rootfs = Rootfs::new();
    let (folder, name) = (rootfs.path().parent().unwrap(), rootfs.path().file_name().unwrap());
    let run = |path: &str| Launch::on_path(path).directory(folder).probe("place").run().ok();
    assert_eq!(run(&format!("./{}", name.to_string_lossy())).fact("cwd"), "/");

    let link = crate::rootfs::temporary_path("link");
    symlink(rootfs.path(), &link).unwrap();
    assert_eq!(run(&link.to_string_lossy()).fact("cwd"), "/");
    std::fs::remove_file(link).unwrap();

    std::fs::create_dir(rootfs.inside("help")).unwrap();
    rootfs.add_program("help/probe", &subject::probe());
    let in_rootfs = |launch: Launch| launch.directory(rootfs.path()).probe("place").run().ok();
    assert_eq!(in_rootfs(Launch::on_path("help")).fact("cwd"), "/");
    std::fs::rename(rootfs.inside("help"), rootfs.inside("--env")).unwrap();
    assert_eq!(in_rootfs(Launch::bare().option("--").option("--env")).fact("cwd"), "/");
}

#[test]
fn rootfs_of_somebody_else_can_be_used() {
    for_user!();
    require!(foreign_rootfs);
    let launch = Launch::on_path(subject::rootfs()).command(["/bin/sh", "-c", "id -u; pwd"]);
    launch.run().ok().prints(&["0", "/"]);
}

#[test]
fn start_prints_nothing_of_its_own() {
    let output = Launch::new().probe("exit 3").run().code(3);
    assert_eq!((output.stdout.as_str(), output.complaints().len()), ("", 0));
}

#[test]
fn file_made_inside_belongs_to_the_caller_on_the_host() {
    use std::os::unix::fs::MetadataExt;
    let rootfs = Rootfs::new();
    Launch::on(&rootfs).probe("try create /made text").run().ok().prints(&["ok"]);
    let made = rootfs.inside("made").metadata().unwrap();
    assert_eq!((made.uid(), made.gid()), (crate::sys::uid(), crate::sys::gid()));
}
