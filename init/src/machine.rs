//! The machine's own PID 1: what the kernel leaves to it before the command, and after.
//!
//! In: nothing is mounted but the root, and nobody else runs. Ending is not an option: the kernel
//! panics when its PID 1 ends.

use init::args::OnExit;
use init::word::{Word, Words};

use crate::sys::{self, Reboot};

/// How long the rest has between SIGTERM and SIGKILL, at least; busybox gives them as much.
pub const GRACE_MS: u32 = 1000;

/// File systems and where they belong, in turn.
const MOUNTS: Words = Words::new(b"proc\0/proc\0sysfs\0/sys\0devtmpfs\0/dev\0\0");

/// Whether this is the machine's PID 1 and not a container's, asked without /proc: kthreadd is
/// process 2 of the first pid namespace alone and is in group 0; and Ctrl-Alt-Del, which is then
/// ours to take, is refused in any other. If it is, what the kernel leaves to us is done.
pub fn is_ours(own_pid: i32) -> bool {
    const KTHREADD: i32 = 2;
    own_pid == 1 && sys::group_of(KTHREADD) == Ok(0) && take()
}

/// Takes Ctrl-Alt-Del, and mounts /proc, /sys and /dev where they are missing. EBUSY means that it is
/// there already; whatever else fails, the command is better started without than not at all.
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

/// Carries out what is to become of the machine. Returns if that may not be done.
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
    // What was written last is still on its way to the console.
    sys::drain_terminal();
    // In a child: for the caller of poweroff or halt the kernel calls exit where the hardware
    // does not end it first, and PID 1 must not.
    sys::spawn(&what, reboot).ok();
}

#[cold]
extern "C" fn reboot(what: usize) -> ! {
    sys::reboot(*sys::context::<Reboot>(what)).ok();
    sys::exit(1)
}
