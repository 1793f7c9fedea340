//! The label of a security module that the command is executed with.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use crate::error::Error;
use crate::spec::confine::Label;
use crate::sys::file::{self, At};

/// What init writes to /proc/self/attr/exec, if the module is there to read it.
pub fn look_up(label: Option<&Label>) -> Result<Option<CString>, Error> {
    let (module, text, is_there): (_, _, fn() -> bool) = match label {
        None => return Ok(None),
        Some(Label::AppArmor(profile)) => {
            let text = [b"exec ", profile.to_bytes()].concat();
            ("--apparmor", CString::new(text).unwrap_or_default(), || {
                begins_with(c"/sys/module/apparmor/parameters/enabled", b'Y')
            })
        }
        Some(Label::Selinux(label)) => ("--selinux-label", label.clone(), || {
            file::stat_path(c"/sys/fs/selinux/enforce").is_ok()
        }),
    };
    if is_there() {
        return Ok(Some(text));
    }
    Err(Error::refused(
        "PrepareLabel",
        format!("{module}: this kernel has no such security module"),
    )
    .advise("leave it out; /sys/kernel/security/lsm lists those that there are"))
}

fn begins_with(path: &CStr, byte: u8) -> bool {
    let mut first = [0];
    file::open(At::Cwd, path, libc::O_RDONLY)
        .and_then(|file| file::read(file.as_fd(), &mut first))
        .is_ok_and(|count| count == 1 && first[0] == byte)
}
