//! Reads the two facts about an executable that matter here: that it is one, and that it is static.
//!
//! Pure. Layout: elf(5), the file header and the program headers, little endian only.

/// `p_type` of the header naming the dynamic loader; elf(5).
const PT_INTERP: u32 = 3;

/// What a file's first bytes say it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// An executable the kernel can start alone, anywhere.
    Static,
    /// An executable that needs a loader and libraries beside it.
    Dynamic,
    /// An ELF file that is cut off or of the other byte order.
    Unreadable,
    /// Something else.
    NotElf,
}

/// Where a class of ELF file keeps its fields: (e_phoff, e_phentsize), both in the file header.
struct Layout {
    wide: bool,
    phoff: usize,
    phentsize: usize,
}

const ELF32: Layout = Layout { wide: false, phoff: 28, phentsize: 42 };
const ELF64: Layout = Layout { wide: true, phoff: 32, phentsize: 54 };

/// Tells what these bytes of a whole file are.
pub fn kind(file: &[u8]) -> Kind {
    if !file.starts_with(b"\x7fELF") {
        return Kind::NotElf;
    }
    match has_interpreter(file) {
        Some(true) => Kind::Dynamic,
        Some(false) => Kind::Static,
        None => Kind::Unreadable,
    }
}

fn has_interpreter(file: &[u8]) -> Option<bool> {
    let layout = match (file.get(4)?, file.get(5)?) {
        (1, 1) => ELF32,
        (2, 1) => ELF64,
        _ => return None,
    };
    let table = if layout.wide {
        usize::try_from(u64::from_le_bytes(bytes(file, layout.phoff)?)).ok()?
    } else {
        u32::from_le_bytes(bytes(file, layout.phoff)?) as usize
    };
    let size = usize::from(u16::from_le_bytes(bytes(file, layout.phentsize)?));
    let count = usize::from(u16::from_le_bytes(bytes(file, layout.phentsize + 2)?));
    for index in 0..count {
        let header = table.checked_add(index.checked_mul(size)?)?;
        if u32::from_le_bytes(bytes(file, header)?) == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit file with program headers of these types.
    fn elf64(types: &[u32]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(64, 0);
        file[32] = 64;
        file[54] = 56;
        file[56] = types.len() as u8;
        for kind in types {
            let start = file.len();
            file.extend(kind.to_le_bytes());
            file.resize(start + 56, 0);
        }
        file
    }

    #[test]
    fn loader_makes_it_dynamic() {
        assert_eq!(kind(&elf64(&[6, 1, 3])), Kind::Dynamic);
        assert_eq!(kind(&elf64(&[6, 1, 1])), Kind::Static);
        assert_eq!(kind(&elf64(&[])), Kind::Static);
    }

    #[test]
    fn thirty_two_bits_are_read_too() {
        let mut file = b"\x7fELF\x01\x01\x01".to_vec();
        file.resize(52, 0);
        (file[28], file[42], file[44]) = (52, 32, 1);
        file.extend(PT_INTERP.to_le_bytes());
        assert_eq!(kind(&file), Kind::Dynamic);
    }

    #[test]
    fn cut_off_file_is_never_called_static() {
        let whole = elf64(&[1, 1, 3]);
        for length in 4..whole.len() - 56 {
            assert_eq!(kind(&whole[..length]), Kind::Unreadable, "{length} bytes");
        }
    }

    #[test]
    fn hostile_offsets_are_refused() {
        let mut file = elf64(&[3]);
        file[32..40].fill(0xff);
        assert_eq!(kind(&file), Kind::Unreadable);
        file[5] = 2;
        assert_eq!(kind(&file), Kind::Unreadable);
    }

    #[test]
    fn script_is_not_elf() {
        assert_eq!(kind(b"#!/bin/sh\n"), Kind::NotElf);
        assert_eq!(kind(b""), Kind::NotElf);
    }

    #[test]
    fn this_test_binary_is_elf() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(kind(&file), Kind::Static | Kind::Dynamic));
    }
}
