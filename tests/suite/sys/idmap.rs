//! Whether a directory's file system has idmapped mounts: found out by making one.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::{c_path, check};

/// linux/mount.h.
const OPEN_TREE_CLONE: u32 = 1;
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

/// struct mount_attr of linux/mount.h.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Makes an idmapped mount of the directory, which nobody sees.
pub fn try_on(directory: &Path) -> io::Result<()> {
    let directory = c_path(directory)?;
    // SAFETY: the path ends with NUL and outlives the calls; the child only waits for its end;
    // the attributes are as large as said. Descriptors that an error leaves open end with the
    // process, and the child by the kill.
    unsafe {
        let sleeper =
            check(libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0)
                as i32)?;
        if sleeper == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
        let tried = (|| {
            fs::write(format!("/proc/{sleeper}/uid_map"), "0 65536 65536")?;
            fs::write(format!("/proc/{sleeper}/gid_map"), "0 65536 65536")?;
            let userns = fs::File::open(format!("/proc/{sleeper}/ns/user"))?;
            let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as u32;
            let here = libc::AT_FDCWD;
            let tree = libc::syscall(libc::SYS_open_tree, here, directory.as_ptr(), flags) as i32;
            let tree = check(tree)?;
            let attributes = Attributes {
                set: MOUNT_ATTR_IDMAP,
                clear: 0,
                propagation: 0,
                userns: std::os::fd::AsRawFd::as_raw_fd(&userns) as u64,
            };
            let result = libc::syscall(
                libc::SYS_mount_setattr,
                tree,
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                &raw const attributes,
                size_of::<Attributes>(),
            ) as i32;
            let result = check(result).map(drop);
            libc::close(tree);
            result
        })();
        libc::kill(sleeper, libc::SIGKILL);
        libc::waitpid(sleeper, std::ptr::null_mut(), 0);
        tried
    }
}
