//! The first bytes of a program file: which other program, interpreter or ELF loader, the kernel
//! needs to execute it. Pure, and allocates nothing.

/// How much of a file is looked at: a page, as the kernel's own look for `#!` is shorter and a
/// linker puts the name of the loader right behind the headers.
pub const LENGTH: usize = 4096;

/// `e_machine` of our own programs (elf(5)).
const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    62
};

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// `#!`, and what follows up to the first blank.
    Script {
        interpreter: &'a [u8],
    },
    /// A 64-bit ELF file, and the loader that it names.
    Elf {
        loader: Option<&'a [u8]>,
    },
    Other,
}

impl<'a> Head<'a> {
    /// Reads the first bytes of a file.
    pub fn parse(bytes: &'a [u8]) -> Head<'a> {
        if let Some(rest) = bytes.strip_prefix(b"#!") {
            let line = rest.split(|&b| b == b'\n').next().unwrap_or(&[]);
            let blank = |b: &u8| *b == b' ' || *b == b'\t';
            let interpreter = line.split(blank).find(|word| !word.is_empty());
            return Head::Script { interpreter: interpreter.unwrap_or(&[]) };
        }
        if bytes.starts_with(b"\x7fELF") {
            // For another machine's program the kernel says ENOEXEC and does not look for its loader.
            let is_ours = bytes.get(18..20) == Some(&MACHINE.to_le_bytes());
            return Head::Elf { loader: if is_ours { loader_of(bytes) } else { None } };
        }
        Head::Other
    }

    /// The other program, by its path inside.
    pub fn needs(self) -> Option<&'a [u8]> {
        match self {
            Head::Script { interpreter } => Some(interpreter),
            Head::Elf { loader } => loader,
            Head::Other => None,
        }
    }
}

/// PT_INTERP of an ELF64 file in our own byte order (elf(5)), without its NUL.
fn loader_of(bytes: &[u8]) -> Option<&[u8]> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, count: usize| {
        let field = bytes.get(at..at.checked_add(count)?)?;
        Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    let place = |number: u64| usize::try_from(number).ok();
    let (table, entry, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let (offset, size) = (0..count).find_map(|index| {
        let at = place(table.checked_add(entry * index)?)?;
        let is_loader = number(at, 4)? == PT_INTERP;
        is_loader.then_some((number(at.checked_add(8)?, 8)?, number(at.checked_add(32)?, 8)?))
    })?;
    let name = bytes.get(place(offset)?..place(offset.checked_add(size)?)?)?;
    name.strip_suffix(b"\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_the_first_word() {
        let interpreter = |bytes| Head::parse(bytes).needs();
        assert_eq!(interpreter(b"#!/bin/sh\necho"), Some(&b"/bin/sh"[..]));
        assert_eq!(interpreter(b"#! \t/usr/bin/env python\n"), Some(&b"/usr/bin/env"[..]));
        assert_eq!(interpreter(b"#!/bin/sh\r\necho"), Some(&b"/bin/sh\r"[..]));
        assert_eq!(interpreter(b"#!"), Some(&b""[..]));
        assert_eq!(Head::parse(b"echo"), Head::Other);
    }

    #[test]
    fn a_loader_is_found_in_the_program_headers() {
        let mut elf = vec![0; 64 + 2 * 56];
        elf[..4].copy_from_slice(b"\x7fELF");
        elf[18..20].copy_from_slice(&MACHINE.to_le_bytes());
        elf[32] = 64; // e_phoff
        elf[54] = 56; // e_phentsize
        elf[56] = 2; // e_phnum
        elf[64 + 56] = 3; // the second: PT_INTERP
        elf[64 + 56 + 8] = 176; // right behind
        elf[64 + 56 + 32] = 4;
        elf.extend_from_slice(b"/ld\0");
        assert_eq!(Head::parse(&elf), Head::Elf { loader: Some(b"/ld") });
        for length in 4..elf.len() {
            assert_eq!(Head::parse(&elf[..length]), Head::Elf { loader: None }, "{length}");
        }
        let mut others = elf.clone();
        others[18] ^= 1;
        assert_eq!(Head::parse(&others), Head::Elf { loader: None });
        elf[32..40].fill(0xff);
        assert_eq!(Head::parse(&elf), Head::Elf { loader: None });
    }
}
