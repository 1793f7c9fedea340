//! Why execve(2) refused a command that is there: ENOENT and EACCES do not say which file they are
//! about, the program, its interpreter or its ELF loader. Only looks, inside the rootfs.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use crate::head::{self, Head};
use crate::prepare::Prepared;
use crate::resolve;
use crate::sys::{Errno, file};

/// More interpreters of interpreters than the kernel follows (fs/exec.c, exec_binprm).
const INTERPRETERS: usize = 8;

/// What stands in the way, if it can be told from here.
pub fn exec_failure(prepared: &Prepared<'_>, errno: Errno) -> Option<String> {
    let command = prepared.candidates.iter().find(|path| is_executable_file(prepared, path))?;
    // A script's interpreter may be a script: the last of the chain is what the kernel looks at.
    let mut path = command.clone();
    for _ in 0..INTERPRETERS {
        let mut bytes = [0; head::LENGTH];
        let count =
            resolve::read_head(prepared.ground.rootfs.as_opened(), &path, &mut bytes).ok()?;
        match Head::parse(&bytes[..count]) {
            Head::Script { interpreter } => {
                let next = CString::new(interpreter).ok()?;
                if !is_executable_file(prepared, &next) {
                    return of_script(&path, interpreter, errno);
                }
                path = next;
            }
            head => return of_program(&path, head, errno),
        }
    }
    (errno == Errno::ELOOP)
        .then(|| format!("{} begins an endless chain of #! lines", command.to_string_lossy()))
}

/// A script whose interpreter is not there, or not to be executed.
fn of_script(script: &CStr, interpreter: &[u8], errno: Errno) -> Option<String> {
    let (script, other) = (script.to_string_lossy(), String::from_utf8_lossy(interpreter));
    match errno {
        Errno::ENOENT if interpreter.ends_with(b"\r") => Some(format!(
            "the #! line of {script} ends in a carriage return, so the kernel looks for {}\\r",
            other.trim_end()
        )),
        Errno::ENOENT | Errno::EACCES if interpreter.is_empty() => {
            Some(format!("the #! line of {script} names no interpreter"))
        }
        Errno::ELOOP => Some(format!(
            "the interpreter {other} of the #! line of {script} is a link that leads to itself"
        )),
        Errno::ENOENT => Some(format!(
            "{script} needs the interpreter {other} of its #! line, which the rootfs does not have"
        )),
        Errno::EACCES => Some(format!(
            "{script} needs the interpreter {other} of its #! line, which is not executable"
        )),
        _ => None,
    }
}

fn of_program(program: &CStr, head: Head<'_>, errno: Errno) -> Option<String> {
    let shown = program.to_string_lossy();
    match (head, errno) {
        (Head::Elf { loader: Some(loader) }, Errno::EIO | Errno::ELIBBAD) => Some(format!(
            "the ELF loader of {shown}, {}, is damaged",
            String::from_utf8_lossy(loader)
        )),
        (Head::Elf { loader: Some(loader) }, Errno::ENOENT) => Some(format!(
            "{shown} needs the ELF loader {}, which the rootfs does not have",
            String::from_utf8_lossy(loader)
        )),
        (Head::Elf { .. }, Errno::ENOEXEC) => {
            Some(format!("{shown} is a program for another machine"))
        }
        (Head::Other, Errno::ENOEXEC) => Some(format!("{shown} is neither a program nor a text")),
        _ => None,
    }
}

fn is_executable_file(prepared: &Prepared<'_>, path: &CStr) -> bool {
    resolve::open(prepared.ground.rootfs.as_opened(), path, libc::O_PATH)
        .and_then(|fd| file::stat_fd(fd.as_fd()))
        .is_ok_and(|stat| stat.is_regular() && stat.is_executable())
}
