//! Why a command that is there cannot be executed: the kernel's ENOENT and EACCES do not say
//! which file they mean. Runs after the container has ended; only looks, inside the rootfs.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use crate::prepare::Prepared;
use crate::sys::{Errno, file};

/// What stands in the way, if it can be told from here.
pub fn exec_failure(prepared: &Prepared<'_>, errno: Errno) -> Option<String> {
    let path = prepared.candidates.iter().find(|path| is_executable_file(prepared, path))?;
    let shown = path.to_string_lossy();
    let head = read_head(prepared, path)?;
    match (parse_head(&head), errno) {
        (Head::Script { interpreter, ends_in_cr: true }, Errno::ENOENT) => Some(format!(
            "the #! line of {shown} ends in a carriage return, so the kernel looks for {interpreter}\\r"
        )),
        (Head::Script { interpreter, .. }, Errno::ENOENT | Errno::EACCES) => {
            let path = CString::new(interpreter.clone()).ok()?;
            // If that one can be executed, it is the script that this user may not.
            (!is_executable_file(prepared, &path)).then(|| {
                format!(
                    "{shown} needs the interpreter {interpreter} of its #! line, which {}",
                    missing_or_not_executable(errno)
                )
            })
        }
        (Head::Elf { loader_at }, Errno::ENOENT) => {
            let loader = read_loader(prepared, path, loader_at?)?;
            Some(format!("{shown} needs the ELF loader {loader}, which the rootfs does not have"))
        }
        (Head::Elf { .. }, Errno::ENOEXEC) => {
            Some(format!("{shown} is a program for another machine"))
        }
        (Head::Other, Errno::ENOEXEC) => Some(format!("{shown} is neither a program nor a text")),
        _ => None,
    }
}

fn missing_or_not_executable(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => "the rootfs does not have",
        _ => "is not executable",
    }
}

fn is_executable_file(prepared: &Prepared<'_>, path: &CStr) -> bool {
    file::open_in_root(prepared.rootfs.dir(), path, libc::O_PATH)
        .and_then(|fd| file::stat_fd(fd.as_fd()))
        .is_ok_and(|stat| stat.is_regular() && stat.is_executable())
}

fn read_at(prepared: &Prepared<'_>, path: &CStr, offset: u64, buffer: &mut [u8]) -> Option<usize> {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let fd = file::open_in_root(prepared.rootfs.dir(), path, flags).ok()?;
    file::read_at(fd.as_fd(), buffer, offset).ok()
}

fn read_head(prepared: &Prepared<'_>, path: &CStr) -> Option<Vec<u8>> {
    let mut head = vec![0; 4096];
    let count = read_at(prepared, path, 0, &mut head)?;
    head.truncate(count);
    Some(head)
}

fn read_loader(prepared: &Prepared<'_>, path: &CStr, (offset, size): (u64, u64)) -> Option<String> {
    let mut text = vec![0; usize::try_from(size).ok().filter(|&size| size <= 4096)?];
    let count = read_at(prepared, path, offset, &mut text)?;
    text.truncate(count);
    let text = CString::from_vec_with_nul(text).ok()?;
    Some(text.to_string_lossy().into_owned())
}

/// What a file begins as.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    /// `#!`, and what follows up to the first blank.
    Script {
        interpreter: String,
        ends_in_cr: bool,
    },
    /// A 64-bit ELF file; where it names its loader, and in how many bytes.
    Elf {
        loader_at: Option<(u64, u64)>,
    },
    Other,
}

fn parse_head(head: &[u8]) -> Head {
    if let Some(rest) = head.strip_prefix(b"#!") {
        let line = rest.split(|&b| b == b'\n').next().unwrap_or(&[]);
        let words = String::from_utf8_lossy(line).into_owned();
        let interpreter = words.trim_start_matches([' ', '\t']).split([' ', '\t']).next();
        let interpreter = interpreter.unwrap_or_default();
        let ends_in_cr = interpreter.ends_with('\r');
        return Head::Script { interpreter: interpreter.trim_end_matches('\r').into(), ends_in_cr };
    }
    if head.starts_with(b"\x7fELF") {
        return Head::Elf { loader_at: find_loader(head) };
    }
    Head::Other
}

/// PT_INTERP of an ELF64 file in our own byte order (elf(5)).
fn find_loader(head: &[u8]) -> Option<(u64, u64)> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, bytes: usize| {
        let field = head.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    let (table, entry, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    (0..count).find_map(|index| {
        let at = usize::try_from(table.checked_add(entry * index)?).ok()?;
        (number(at, 4)? == PT_INTERP).then_some((number(at + 8, 8)?, number(at + 32, 8)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(interpreter: &str, ends_in_cr: bool) -> Head {
        Head::Script { interpreter: interpreter.into(), ends_in_cr }
    }

    #[test]
    fn the_interpreter_is_the_first_word() {
        assert_eq!(parse_head(b"#!/bin/sh\necho"), script("/bin/sh", false));
        assert_eq!(parse_head(b"#! \t/usr/bin/env python\n"), script("/usr/bin/env", false));
        assert_eq!(parse_head(b"#!/bin/sh\r\necho"), script("/bin/sh", true));
        assert_eq!(parse_head(b"#!"), script("", false));
        assert_eq!(parse_head(b"echo"), Head::Other);
    }

    #[test]
    fn a_loader_is_found_in_the_program_headers() {
        let mut elf = vec![0; 64 + 2 * 56];
        elf[..4].copy_from_slice(b"\x7fELF");
        elf[32] = 64; // e_phoff
        elf[54] = 56; // e_phentsize
        elf[56] = 2; // e_phnum
        elf[64 + 56] = 3; // the second: PT_INTERP
        elf[64 + 56 + 9] = 2; // at 512
        elf[64 + 56 + 32] = 28; // 28 bytes
        assert_eq!(parse_head(&elf), Head::Elf { loader_at: Some((512, 28)) });
        assert_eq!(parse_head(&elf[..100]), Head::Elf { loader_at: None });
    }
}
