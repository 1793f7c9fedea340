//! `--apparmor` and `--selinux-label`: the label of a security module that the command is executed
//! with.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use crate::error::Error;
use crate::spec::confine::Label;
use crate::sys::file::{self, At};

/// What init writes to /proc/self/attr/exec. An error if the kernel does not have the module.
pub fn look_up(label: Option<&Label>) -> Result<Option<CString>, Error> {
    let (module, text, is_there): (_, _, fn() -> bool) = match label {
        None => return Ok(None),
        Some(Label::AppArmor(profile)) => {
            let text = [b"exec ", profile.to_bytes()].concat();
            ("--apparmor", CString::new(text).unwrap_or_default(), || {
                begins_with(c"/sys/module/apparmor/parameters/enabled", b"Y")
            })
        }
        Some(Label::Selinux(label)) => ("--selinux-label", label.clone(), || {
            file::stat_path(c"/sys/fs/selinux/enforce").is_ok()
        }),
    };
    if !is_there() {
        let text = format!("{module}: this kernel has no such security module");
        return Err(Error::refused("PrepareLabel", text)
            .advise("leave it out; /sys/kernel/security/lsm lists those that there are"));
    }
    if module == "--selinux-label" && begins_with(KERNELS_CONTEXT, b"kernel\0") {
        let text = format!("{module}: SELinux has no policy, and would take any label for its own");
        return Err(Error::refused("PrepareLabel", text).advise("load one (load_policy(8))"));
    }
    Ok(Some(text))
}

/// "kernel" and no context, until a policy is loaded (security/selinux/ss/services.c,
/// security_sid_to_context_core).
const KERNELS_CONTEXT: &CStr = c"/sys/fs/selinux/initial_contexts/kernel";

fn begins_with<const N: usize>(path: &CStr, bytes: &[u8; N]) -> bool {
    let mut first = [0; N];
    file::open(At::Cwd, path, libc::O_RDONLY)
        .and_then(|file| file::read(file.as_fd(), &mut first))
        .is_ok_and(|count| count == N && first == *bytes)
}
