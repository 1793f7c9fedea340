//! Kernels that were built without what a container is made of. No kernel of Debian's is: a filter of
//! system calls answers as such a one does. What a sysctl takes away is in `refused.rs`.

use crate::ability;
use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::sys;
use crate::sys::before::Before;

/// The launcher in the mode that needs no other program, which a filter would be laid on, too. Without
/// clone3 an ordinary user's time namespace takes Linux 6.2.
fn launch() -> Launch {
    let mode = if sys::uid() == 0 { "identity" } else { "single" };
    Launch::new().option("--userns").arg(mode).option("--share=time").probe("exit 0")
}

#[test]
fn namespace_that_is_not_built_in_is_named_with_its_option_and_done_without() {
    let cases = [
        ("net", libc::CLONE_NEWNET, "CONFIG_NET_NS"),
        ("uts", libc::CLONE_NEWUTS, "CONFIG_UTS_NS"),
        ("ipc", libc::CLONE_NEWIPC, "CONFIG_IPC_NS"),
        ("cgroup", libc::CLONE_NEWCGROUP, "CONFIG_CGROUPS"),
    ];
    for (name, flag, option) in cases {
        let line = format!(
            "launcher: cannot create the container's namespaces: EINVAL (Invalid argument); this \
             kernel has no {name} namespace ({option}); --share {name} leaves it out"
        );
        launch().before(Before::LackNamespace(flag)).run().fails(125, &line);
        let explained = launch().option("--explain").before(Before::LackNamespace(flag)).run();
        explained.fails_with(125, &line);
        launch().option("--share").arg(name).before(Before::LackNamespace(flag)).run().ok();
    }
    let without = launch().before(Before::LackNamespace(libc::CLONE_NEWPID)).run();
    without.fails_with(125, "this kernel has no pid namespace (CONFIG_PID_NS)");
}

#[test]
fn kernel_without_user_namespaces_is_told_and_root_can_do_without() {
    let lack = || Before::LackNamespace(libc::CLONE_NEWUSER);
    let line = "this kernel has no user namespace (CONFIG_USER_NS); root can do without one: \
                --userns none";
    launch().before(lack()).run().fails_with(125, line);
    let check = Launch::bare().option("--check").before(lack()).run();
    if sys::uid() != 0 {
        check.code(125);
        return;
    }
    assert!(check.stdout.contains("no   user namespace: EINVAL"), "{check}");
    if ability::pivot_root().is_ok() {
        let none = Launch::new().option("--userns=none").option("--share=time");
        none.before(lack()).probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
    }
}

#[test]
fn kernel_without_seccomp_filters_is_told_and_done_without() {
    // ENOSYS: without CONFIG_SECCOMP; EINVAL: with that alone.
    for errno in [libc::ENOSYS, libc::EINVAL] {
        let lack = || Before::Refuse(vec![libc::SYS_seccomp as u32], errno);
        let line = "; the kernel lacks CONFIG_SECCOMP_FILTER; --seccomp none goes without, with \
                    --userns none together with --unmask";
        launch().before(lack()).run().fails_with(125, line);
        launch().option("--explain").before(lack()).run().fails_with(125, line);
        launch().before(lack()).option("--seccomp=none").run().ok();
        if sys::uid() == 0 && ability::pivot_root().is_ok() {
            // There a filter has to keep user namespaces out.
            let none = || Launch::new().option("--userns=none").option("--seccomp=none");
            let none = || none().probe("exit 0").before(lack());
            none().run().fails_with(125, line);
            none().option("--unmask").run().ok();
        }
    }
}

#[test]
fn file_systems_that_are_not_built_in_are_named() {
    // strace does not see where a user's child is, and so not what a relative path means to it.
    for_root!();
    require!(tracing);
    let cases = [("pts", "devpts", "CONFIG_UNIX98_PTYS"), ("shm", "a tmpfs", "CONFIG_TMPFS")];
    for (point, kind, option) in cases {
        let script =
            "exec strace -f -qq -o /dev/null -P \"$POINT\" -e inject=mount:error=ENODEV \"$@\"";
        let output = launch().variable("POINT", point).through_shell(script).run();
        output.fails_with(125, &format!("cannot mount {kind} on ")).fails_with(125, option);
    }
}
