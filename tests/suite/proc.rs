//! The container's /proc, with the options that it is mounted with.

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::rootfs::Rootfs;

#[test]
fn a_part_of_proc_can_be_all_of_it() {
    let launch = || Launch::new().option("--proc-options=subset=pid");
    launch().probe("try read /proc/self/status").run().ok().prints(&["ok"]);
    launch().probe("try read /proc/uptime").run().ok().prints(&["ENOENT"]);
    Launch::new().probe("try read /proc/uptime").run().ok().prints(&["ok"]);
    // There is no /proc/sys in it, by which user namespaces are forbidden.
    let output = launch().option("--disable-userns").probe("try unshare-user").run().ok();
    output.prints_one_of(&["EPERM", "ENOSPC"]);
    let launch = launch().option("--disable-userns").option("--seccomp=none");
    launch.probe("try unshare-user").run().ok().prints(&["ENOSPC"]);
}

#[test]
fn processes_can_be_hidden_from_other_users() {
    require!(many_ids);
    // The kernel hides nothing from group 0 (proc(5), gid=), which where root has no range is the host's.
    let user = || Launch::new().option("--user=1000:1000");
    user().probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
    for value in ["2", "invisible"] {
        let launch = user().option(format!("--proc-options=hidepid={value}"));
        launch.probe("processes").run().ok().prints(&["2 1 probe"]);
    }
}

/// What the OCI runtimes hide, and files in what they make read-only, as far as this kernel has them.
const HIDDEN: &str = "/proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/timer_list \
                      /proc/timer_stats /proc/interrupts /proc/acpi /proc/asound /proc/scsi \
                      /sys/devices/virtual/powercap /sys/firmware";
const READ_ONLY: &str = "/proc/bus/input/devices /proc/irq/default_smp_affinity \
                         /proc/sys/kernel/core_pattern /proc/sysrq-trigger";

/// Those that show anything, or are writable.
const FIND: &str = "for f in $HIDDEN; do [ -d $f ] && ls -A $f || head -c 1 $f; done; \
                    for f in $READ_ONLY; do (: >> $f) 2> /dev/null && echo $f; done; true";

#[test]
fn what_runtimes_mask_is_masked_from_the_hosts_root() {
    for_root!();
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    for mode in ["identity", "single"] {
        let run = |more: &[&str]| {
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            let launch = more.iter().fold(launch, |launch, word| launch.option(*word));
            let launch = launch.option(format!("--env=HIDDEN={HIDDEN}"));
            let launch = launch.option(format!("--env=READ_ONLY={READ_ONLY}"));
            launch.command(["sh", "-c", FIND]).run()
        };
        run(&[]).prints(&[]);
        // They are there, and nothing else is in the way.
        let shown = run(&["--unmask"]).stdout;
        assert!(shown.contains("core_pattern\n"), "{shown}");
    }
}
