//! The last mounts of a container: /proc, its masks, and the cut.
//!
//! In: PID 1 of the new pid namespace; `/` is the rootfs, the old root lies over it. Out: nothing
//! of the host is left in the mount namespace.

use core::ffi::CStr;

use init::args::Options;
use init::stage::Stage;

use crate::Failure;
use crate::reporter::Reporter;
use crate::sys::{self, Errno, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT};

const RESTRICTED: usize = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/// What the OCI runtimes make read-only: the host's settings, which only the host's root may
/// write, and a container whose root is the host's could.
const READ_ONLY: [&CStr; 5] =
    [c"/proc/bus", c"/proc/fs", c"/proc/irq", c"/proc/sys", c"/proc/sysrq-trigger"];

/// What they hide altogether: files …
const HIDDEN_FILES: [&CStr; 6] = [
    c"/proc/kcore",
    c"/proc/keys",
    c"/proc/latency_stats",
    c"/proc/sched_debug",
    c"/proc/timer_list",
    c"/proc/interrupts",
];

/// … and directories.
const HIDDEN_DIRECTORIES: [&CStr; 5] = [
    c"/proc/acpi",
    c"/proc/asound",
    c"/proc/scsi",
    c"/sys/devices/virtual/powercap",
    c"/sys/firmware",
];

/// Does what the options ask for.
pub fn arrange(options: &Options<'_>, reporter: &mut Reporter) -> Result<(), Failure> {
    if options.mount_proc {
        // The kernel lets a user namespace mount a proc only while another one is fully visible
        // in its mount namespace (fs/namespace.c, mount_too_revealing): before the cut.
        reporter.step(Stage::MountProc, mount_proc())?;
    }
    if options.forbid_userns {
        // Before the mask makes /proc/sys read-only.
        let forbidden = sys::overwrite(c"/proc/sys/user/max_user_namespaces", b"0");
        reporter.step(Stage::ForbidUserns, forbidden)?;
    }
    if options.mask_proc {
        reporter.step(Stage::MaskProc, mask_proc())?;
    }
    if options.cut_root {
        // Processes in the old root (none but us) would keep it alive; detaching needs no wait.
        let cut = sys::detach(c"/").and_then(|()| sys::change_directory(c"/"));
        reporter.step(Stage::CutRoot, cut)?;
    }
    Ok(())
}

/// A rootfs may have anything at /proc: a symbolic link would put proc elsewhere, and its masks
/// with it (CVE-2019-19921), so it must be a directory, and is mounted on by standing in it.
fn mount_proc() -> sys::Result<()> {
    sys::change_directory_nofollow(c"/proc")?;
    sys::mount(c"proc", c".", c"proc", RESTRICTED)?;
    sys::change_directory(c"/")
}

fn mask_proc() -> sys::Result<()> {
    for path in READ_ONLY {
        if_there(sys::mount(path, path, c"", MS_BIND).and_then(|()| {
            sys::mount(c"", path, c"", MS_REMOUNT | MS_BIND | MS_RDONLY | RESTRICTED)
        }))?;
    }
    for path in HIDDEN_FILES {
        if_there(sys::mount(c"/dev/null", path, c"", MS_BIND))?;
    }
    for path in HIDDEN_DIRECTORIES {
        if_there(sys::mount(c"tmpfs", path, c"tmpfs", RESTRICTED | MS_RDONLY))?;
    }
    Ok(())
}

/// A path that this kernel does not have needs no mask.
fn if_there(result: sys::Result<()>) -> sys::Result<()> {
    match result {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}
