//! `--check`: what can be done here.

use crate::ability;
use crate::ability::for_root;
use crate::launch::Launch;
use crate::rootfs::Rootfs;
use crate::sys::before::Before;

/// Runs the program as root of a user namespace in which a limit is 0.
const WITHOUT: [&str; 2] = [
    "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_time_namespaces; exec \"$@\"' sh \"$@\"",
    "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"' sh \"$@\"",
];

#[test]
fn a_host_of_containers_can_start_one() {
    let output = Launch::bare().option("--check").run().ok();
    let lines = output.lines();
    assert!(lines[0].contains("Linux") && lines[0].contains("uid"), "{output}");
    assert_eq!(lines.last(), Some(&"a container can be started"), "{output}");
    for what in ["openat2", "user namespace", "time namespace", "id maps", "proc", "devpts"] {
        assert!(lines.contains(&format!("yes  {what}").as_str()), "{what}\n{output}");
    }
}

#[test]
fn its_id_modes_are_those_that_a_start_takes() {
    let rootfs = Rootfs::new();
    let check = Launch::on(&rootfs).option("--check").run().ok();
    for mode in ["range", "identity", "subid", "single"] {
        let start = Launch::on(&rootfs).option("--userns").arg(mode).probe("exit 0").run();
        let promised = check.lines().iter().any(|line| {
            line.strip_prefix("yes  --userns ").is_some_and(|rest| rest.starts_with(mode))
        });
        // A file system without idmapped mounts has a line of its own.
        let is_mappable = !check.stdout.contains("no   idmapped mount");
        if mode != "range" || is_mappable {
            assert_eq!(promised, start.status.success(), "{mode}\n{check}\n{start}");
        }
    }
}

#[test]
fn a_missing_namespace_is_named_with_its_option_and_what_does_without() {
    let check = || Launch::bare().option("--check").through_shell(WITHOUT[0]);
    let output = check().run().ok();
    let line = output.lines().into_iter().find(|line| line.starts_with("no   time namespace"));
    let line = line.unwrap_or_else(|| panic!("no line\n{output}"));
    assert!(line.contains("ENOSPC") && line.contains("CONFIG_TIME_NS"), "{output}");
    assert!(output.stdout.ends_with("a container can be started, with --share time\n"), "{output}");
    let start = || Launch::new().probe("exit 0").through_shell(WITHOUT[0]);
    start().run().fails_with(125, "ENOSPC");
    start().option("--share=time").run().ok();
}

#[test]
fn without_user_namespaces_it_says_so_and_fails() {
    let output = Launch::bare().option("--check").through_shell(WITHOUT[1]).run().code(125);
    assert!(output.stdout.contains("no   user namespace: ENOSPC"), "{output}");
    assert!(output.stdout.ends_with("no container can be started\n"), "{output}");
}

/// As outer containers have it. The machine's root is refused no proc.
#[test]
fn under_a_masked_proc_it_says_what_root_can_do() {
    for_root!();
    let mask = || Before::mount("/dev/null".as_ref(), "/proc/version".as_ref()).unwrap();
    let rootfs = Rootfs::new();
    let start = || Launch::on(&rootfs).probe("exit 0").before(mask());
    let output = start().run().code(125);
    assert!(output.stderr.contains("EPERM") && output.stderr.contains("--userns none"), "{output}");
    let check = Launch::on(&rootfs).option("--check").before(mask()).run();
    assert!(check.stdout.contains("no   proc: EPERM"), "{check}");
    let (code, end) = match ability::pivot_root() {
        Ok(()) => (0, "a container can be started, with --userns none\n"),
        // None without a user namespace.
        Err(_) => (125, "no container can be started\n"),
    };
    assert!(check.stdout.ends_with(end), "{check}");
    check.code(code);
    start().option("--userns=none").run().code(code);
}

#[test]
fn a_rootfs_that_is_not_there_is_named() {
    let output = Launch::on_path("/nowhere").option("--check").run();
    output.fails_with(125, "cannot open rootfs /nowhere: ENOENT");
}
