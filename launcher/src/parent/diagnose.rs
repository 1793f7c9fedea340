//! Why a command that is there cannot be executed: the kernel's ENOENT and EACCES do not say
//! which file they mean. Runs after the container has ended; only looks, inside the rootfs.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use crate::head::{self, Head};
use crate::prepare::Prepared;
use crate::resolve;
use crate::sys::{Errno, file};

/// What stands in the way, if it can be told from here.
pub fn exec_failure(prepared: &Prepared<'_>, errno: Errno) -> Option<String> {
    let path = prepared.candidates.iter().find(|path| is_executable_file(prepared, path))?;
    let shown = path.to_string_lossy();
    let mut bytes = [0; head::LENGTH];
    let count = resolve::read_head(prepared.rootfs.dir(), path, &mut bytes).ok()?;
    let head = Head::parse(&bytes[..count]);
    let other = head.needs().map(String::from_utf8_lossy).unwrap_or_default();
    match (head, errno) {
        (Head::Script { interpreter }, Errno::ENOENT) if interpreter.ends_with(b"\r") => {
            let other = other.trim_end();
            Some(format!(
                "the #! line of {shown} ends in a carriage return, so the kernel looks for {other}\\r"
            ))
        }
        (Head::Script { .. }, Errno::ENOENT) => Some(format!(
            "{shown} needs the interpreter {other} of its #! line, which the rootfs does not have"
        )),
        (Head::Script { interpreter }, Errno::EACCES) => {
            let path = CString::new(interpreter).ok()?;
            // If that one can be executed, it is the script that this user may not.
            (!is_executable_file(prepared, &path)).then(|| {
                format!(
                    "{shown} needs the interpreter {other} of its #! line, which is not executable"
                )
            })
        }
        (Head::Elf { loader: Some(_) }, Errno::ENOENT) => {
            Some(format!("{shown} needs the ELF loader {other}, which the rootfs does not have"))
        }
        (Head::Elf { .. }, Errno::ENOEXEC) => {
            Some(format!("{shown} is a program for another machine"))
        }
        (Head::Other, Errno::ENOEXEC) => Some(format!("{shown} is neither a program nor a text")),
        _ => None,
    }
}

fn is_executable_file(prepared: &Prepared<'_>, path: &CStr) -> bool {
    resolve::open(prepared.rootfs.dir(), path, libc::O_PATH)
        .and_then(|fd| file::stat_fd(fd.as_fd()))
        .is_ok_and(|stat| stat.is_regular() && stat.is_executable())
}
