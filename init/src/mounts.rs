//! The last steps of a container's mounts: detaches the old root, and masks parts of /proc.
//!
//! In: we are PID 1 of the new pid namespace; `/` is the rootfs, with the container's own /proc;
//! the old root is mounted over it. Out: nothing of the host's tree is left in the mount namespace.

use init::contract::Terms;
use init::stage::Stage;
use init::word::{Word, Words};

use crate::reporter::Steps;
use crate::sys::{self, Errno, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT};
use crate::{Failure, ROOT};

const RESTRICTED: usize = MS_NOSUID | MS_NODEV | MS_NOEXEC;
const ROOT_PROC: Word<'_> = Word::new(c"/proc");
const HERE: Word<'_> = Word::new(c".");

/// What is masked, as the OCI runtimes do it, each path behind a letter. `r`: read-only; these are
/// the host's settings, which a container could write whose root is the host's. `f`: a file that is
/// hidden; `d`: a directory that is hidden.
const MASKS: Words = Words::new(
    b"rbus\0rfs\0rirq\0rsys\0rsysrq-trigger\0\
fkcore\0fkeys\0flatency_stats\0fsched_debug\0ftimer_list\0finterrupts\0\
dacpi\0dasound\0dscsi\0d/sys/devices/virtual/powercap\0d/sys/firmware\0\0",
);

/// Does what the launcher asks for.
#[cold]
#[inline(never)]
pub fn arrange(terms: &Terms) -> Result<(), Failure> {
    // We are executed from a memfd, by whose number the kernel has named us.
    sys::set_name(Word::new(c"init")).ok();
    let mut steps = Steps::new(terms);
    // The command must not inherit the channel, on which it could send reports of its own.
    sys::close_on_exec(terms.report())
        .map_err(|errno| Failure { stage: Stage::KeepChannel, errno })?;
    if terms.want(Terms::FORBID_USERNS) {
        // Before the mask makes /proc/sys read-only.
        let forbidden =
            sys::overwrite(Word::new(c"/proc/sys/user/max_user_namespaces"), Word::new(c"0"), 1);
        steps.step(Stage::ForbidUserns, forbidden)?;
    }
    if terms.want(Terms::CUT_ROOT) {
        // MNT_DETACH: it does not matter that we are still in it.
        let cut = sys::detach(ROOT).and_then(|()| sys::change_directory(ROOT));
        steps.step(Stage::CutRoot, cut)?;
    }
    if terms.want(Terms::MASK_PROC) {
        // After that: while the old root is mounted over `/`, a `..` in a symbolic link of the
        // rootfs could lead into it, so that a mask would lie on a file of the host's.
        steps.step(Stage::MaskProc, mask_proc())?;
    }
    Ok(())
}

fn mask_proc() -> sys::Result<()> {
    const NO_NAME: Word<'_> = Word::new(c"");
    const TMPFS: Word<'_> = Word::new(c"tmpfs");
    // Somebody outside can rename the directory that proc is mounted on, and proc moves with it.
    // Then /proc is another directory, and the masks would not be on proc.
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
        // ENOENT: this kernel has no such file.
        if result != Err(Errno::ENOENT) {
            result?;
        }
    }
    Ok(())
}
