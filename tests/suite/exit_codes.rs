//! The exit code: the command's own, or the reason why there was no command.

use std::os::unix::process::ExitStatusExt;

use crate::ability::require;
use crate::launch::Launch;
use crate::pace;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys::before::Before;

#[test]
fn every_code_from_0_to_255_is_passed_on() {
    let rootfs = Rootfs::new();
    for code in pace::sample(0..=255) {
        Launch::on(&rootfs).probe(&format!("exit {code}")).run().code(code);
    }
}

#[test]
fn command_ended_by_a_signal_gives_128_plus_its_number() {
    let rootfs = Rootfs::new();
    for signal in [1, 2, 3, 6, 9, 11, 13, 14, 15, 31, 34, 64] {
        let launch = Launch::on(&rootfs).before(Before::Limit(libc::RLIMIT_CORE as i32, 0, 0));
        launch.probe(&format!("die {signal}")).run().code(128 + signal);
    }
}

#[test]
fn core_dump_gives_128_plus_the_signal() {
    let rootfs = Rootfs::new();
    for signal in [3, 6, 11] {
        Launch::on(&rootfs).probe(&format!("die {signal}")).run().code(128 + signal);
    }
}

#[test]
fn die_by_signal_ends_the_launcher_as_the_command_ended() {
    let rootfs = Rootfs::new();
    // With a limit on cores, if it can be had, that would let the launcher leave one where it is.
    let folder = temporary_path("cores");
    std::fs::create_dir(&folder).unwrap();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    let cannot = line.split_whitespace().nth(1) == Some("0");
    let launch = |words: &str| {
        let launch = Launch::on(&rootfs).option("--die-by-signal").probe(words).directory(&folder);
        match cannot {
            true => launch,
            false => launch.before(Before::Limit(libc::RLIMIT_CORE as i32, 1 << 20, 1 << 20)),
        }
    };
    for signal in [1, 2, 6, 9, 11, 13, 15, 64] {
        let output = launch(&format!("die {signal}")).run();
        assert_eq!(output.status.signal(), Some(signal), "{output}");
        assert!(!output.status.core_dumped(), "the launcher dumps no core of its own: {output}");
    }
    launch("exit 7").run().code(7);
    std::fs::remove_dir(&folder).unwrap(); // it is empty
}

#[test]
fn failure_of_the_launcher_gives_125() {
    Launch::on_path("/nonexistent").probe("exit 0").run().code(125);
    Launch::new().option("--workdir").arg("/nonexistent").probe("exit 0").run().code(125);
    Launch::new().option("--user").arg("nobody-here").probe("exit 0").run().code(125);
    Launch::new().option("--init").arg("/nonexistent").probe("exit 0").run().code(125);
}

#[test]
fn command_that_cannot_be_executed_gives_126() {
    let rootfs = Rootfs::new();
    rootfs.add_file("plain", "text");
    rootfs.add_script("binary", b"\x7fELF\0\0\0\0");
    rootfs.add_script("loop", "#!/loop\n");
    for command in ["/plain", "/tmp", "/binary", "/loop"] {
        Launch::on(&rootfs).command([command]).run().code(126);
    }
}

#[test]
fn command_that_is_not_there_gives_127() {
    let rootfs = Rootfs::new();
    rootfs.add_script("script", "#!/no/interpreter\n");
    std::os::unix::fs::symlink("/nonexistent", rootfs.inside("dangling")).unwrap();
    for command in ["/none", "none", "/probe/below", "/script", "/dangling", "./none"] {
        Launch::on(&rootfs).command([command]).run().code(127);
    }
}

#[test]
fn a_file_found_but_not_executable_wins_over_one_not_found() {
    let rootfs = Rootfs::new();
    for folder in ["usr/sbin", "usr/bin"] {
        std::fs::create_dir_all(rootfs.inside(folder)).unwrap();
    }
    rootfs.add_file("usr/sbin/tool", "not executable");
    Launch::on(&rootfs).command(["tool"]).run().code(126);
    // … but not over one that can be executed further on.
    rootfs.add_program("usr/bin/tool", &crate::subject::probe());
    Launch::on(&rootfs).command(["tool", "exit", "5"]).run().code(5);
}

#[test]
fn the_launchers_failure_wins_over_a_missing_command() {
    let launch = Launch::on_path("/nonexistent").command(["/none"]);
    launch.run().code(125);
    Launch::new().option("--bogus").command(["/none"]).run().code(125);
    Launch::new().option("--user").arg("no-such").command(["/none"]).run().code(125);
}

#[test]
fn a_missing_command_wins_over_a_missing_working_directory() {
    // It is looked for before anything is made.
    Launch::new().option("--workdir").arg("/nonexistent").command(["/none"]).run().code(127);
}

#[test]
fn text_file_without_an_interpreter_line_is_run_by_the_shell() {
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_script("script", "echo \"$0 $1 $#\"; exit 9\n");
    let output = Launch::on(&rootfs).command(["/script", "a b", "c"]).run().code(9);
    output.prints(&["/script a b 2"]);
}

#[test]
fn script_with_an_interpreter_line_is_run_by_it() {
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_script("script", "#!/probe args\n");
    let output = Launch::on(&rootfs).command(["/script", "x"]).run().ok();
    output.prints(&["\"/script\"", "\"x\""]);
}

#[test]
fn command_may_use_the_launchers_own_codes() {
    let rootfs = Rootfs::new();
    for code in [125, 126, 127] {
        Launch::on(&rootfs).probe(&format!("exit {code}")).run().fails_quietly(code);
    }
}

impl crate::output::Output {
    /// Expects an exit code, and that nobody says a word.
    #[track_caller]
    fn fails_quietly(self, code: i32) {
        let output = self.code(code);
        assert_eq!(output.complaints(), Vec::<&str>::new(), "{output}");
    }
}
