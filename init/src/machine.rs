//! init as the machine's own PID 1: what it has to do before the command, and to end the machine.
//!
//! In: nothing may be mounted but the root, and no other process runs. It must not exit: the kernel
//! panics when its PID 1 ends.

use init::args::OnExit;
use init::word::{Word, Words};

use crate::sys::{self, Reboot};

/// The least time between SIGTERM and SIGKILL for the remaining processes, as busybox init gives
/// them.
pub const GRACE_MS: u32 = 1000;

/// File systems and their mount points, in pairs.
const MOUNTS: Words = Words::new(b"proc\0/proc\0sysfs\0/sys\0devtmpfs\0/dev\0\0");

/// Whether this is the machine's PID 1 and not a container's; if so, prepares the machine. Without
/// /proc: only in the initial pid namespace process 2 is kthreadd, in process group 0, and only
/// there Ctrl-Alt-Del can be taken over.
pub fn is_ours(own_pid: i32) -> bool {
    const KTHREADD: i32 = 2;
    own_pid == 1 && sys::group_of(KTHREADD) == Ok(0) && take()
}

/// Takes Ctrl-Alt-Del over, and mounts /proc, /sys and /dev where they are missing. Failures are
/// ignored: EBUSY means that it is mounted already, and with any other the command is still better
/// started than not.
#[cold]
#[inline(never)]
fn take() -> bool {
    if sys::reboot(Reboot::CatchCtrlAltDel).is_err() {
        return false;
    }
    let mut words = MOUNTS;
    while let (Some(kind), Some(place)) = (words.next(), words.next()) {
        sys::make_directory(place).ok();
        sys::mount(kind, place, kind, 0).ok();
    }
    sys::open_standard(Word::new(c"/dev/console"));
    true
}

/// Ends the machine, or restarts it. Returns if that is refused.
#[cold]
#[inline(never)]
pub fn end(what: OnExit) {
    let what = match what {
        // The kernel panics when its own PID 1 ends.
        OnExit::Poweroff | OnExit::Exit => Reboot::PowerOff,
        OnExit::Reboot => Reboot::Restart,
        OnExit::Halt => Reboot::Halt,
    };
    sys::sync();
    // What was written last may still be in the console's buffer.
    sys::drain_terminal();
    // In a child: after power-off or halt the kernel ends the caller if the hardware does not
    // (do_exit), and PID 1 must not end.
    sys::spawn(&what, reboot).ok();
}

#[cold]
extern "C" fn reboot(what: usize) -> ! {
    sys::reboot(*sys::context::<Reboot>(what)).ok();
    sys::exit(1)
}
