//! The last of a container's mounts: what hides parts of /proc, and the cut.
//!
//! In: PID 1 of the new pid namespace; `/` is the rootfs with a /proc of the
//! container's, the old root lies over it. Out: nothing
//! of the host is left in the mount namespace.

use init::contract::Terms;
use init::stage::Stage;
use init::word::{Word, Words};

use crate::reporter::Steps;
use crate::sys::{self, Errno, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT};
use crate::{Failure, ROOT};

const RESTRICTED: usize = MS_NOSUID | MS_NODEV | MS_NOEXEC;
const ROOT_PROC: Word<'_> = Word::new(c"/proc");
const HERE: Word<'_> = Word::new(c".");

/// What the OCI runtimes do in /proc, each path behind a letter. `r`, read-only: the host's settings,
/// which only the host's root may write, and a container whose root is the host's could. Hidden
/// altogether: `f`, files, and `d`, directories.
const MASKS: Words = Words::new(
    b"rbus\0rfs\0rirq\0rsys\0rsysrq-trigger\0\
fkcore\0fkeys\0flatency_stats\0fsched_debug\0ftimer_list\0finterrupts\0\
dacpi\0dasound\0dscsi\0d/sys/devices/virtual/powercap\0d/sys/firmware\0\0",
);

/// Does what the launcher asks for.
#[cold]
#[inline(never)]
pub fn arrange(terms: &Terms) -> Result<(), Failure> {
    // The launcher executes us from a memfd: the kernel named us by its number.
    sys::set_name(Word::new(c"init")).ok();
    let mut steps = Steps::new(terms);
    // The command must not inherit the socket: with it, it could speak for us.
    sys::close_on_exec(terms.report())
        .map_err(|errno| Failure { stage: Stage::KeepChannel, errno })?;
    if terms.want(Terms::FORBID_USERNS) {
        // Before the mask makes /proc/sys read-only.
        let forbidden =
            sys::overwrite(Word::new(c"/proc/sys/user/max_user_namespaces"), Word::new(c"0"), 1);
        steps.step(Stage::ForbidUserns, forbidden)?;
    }
    if terms.want(Terms::CUT_ROOT) {
        // Processes in the old root (none but us) would keep it alive; detaching needs no wait.
        let cut = sys::detach(ROOT).and_then(|()| sys::change_directory(ROOT));
        steps.step(Stage::CutRoot, cut)?;
    }
    if terms.want(Terms::MASK_PROC) {
        // After the cut: as long as the old root lies over `/`, a `..` there leads into it, and a
        // link of the rootfs's would have a file of the host's for a mask.
        steps.step(Stage::MaskProc, mask_proc())?;
    }
    Ok(())
}

fn mask_proc() -> sys::Result<()> {
    const NO_NAME: Word<'_> = Word::new(c"");
    const TMPFS: Word<'_> = Word::new(c"tmpfs");
    // A mount goes with its directory when somebody outside renames that, so this may be another by
    // now, and the proc elsewhere without its masks.
    sys::change_directory_nofollow(ROOT_PROC)?;
    sys::expect_proc(HERE)?;
    for mut path in MASKS {
        let result = match path.take() {
            b'r' => sys::mount(path, path, NO_NAME, MS_BIND).and_then(|()| {
                let read_only = MS_REMOUNT | MS_BIND | MS_RDONLY | RESTRICTED;
                sys::mount(NO_NAME, path, NO_NAME, read_only)
            }),
            b'f' => sys::mount(Word::new(c"/dev/null"), path, NO_NAME, MS_BIND),
            _ => sys::mount(TMPFS, path, TMPFS, RESTRICTED | MS_RDONLY),
        };
        // A path that this kernel does not have needs no mask.
        if result != Err(Errno::ENOENT) {
            result?;
        }
    }
    Ok(())
}
