//! The container's /proc, with the options that it is mounted with.

use crate::ability::require;
use crate::launch::Launch;

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
