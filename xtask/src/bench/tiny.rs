//! The commands that run inside while starts are measured: a few instructions each, in an ELF file
//! (elf(5)) of one segment that is written here by hand, so that a start has next to nothing to
//! load.

use crate::failure::Error;

/// Says when it was reached: writes a struct timespec of CLOCK_MONOTONIC, and ends with 0.
pub fn stamp() -> Result<Vec<u8>, Error> {
    elf(&[SPEAK, END])
}

/// The same, but before it ends it waits for the end of its standard input.
pub fn hold() -> Result<Vec<u8>, Error> {
    elf(&[SPEAK, LISTEN, END])
}

/// Instructions for each machine.
type Code = (&'static [u8], &'static [u32]);

const SPEAK: Code = (
    &[
        0x48, 0x83, 0xec, 0x10, // sub rsp, 16
        0xbf, 0x01, 0x00, 0x00, 0x00, // mov edi, CLOCK_MONOTONIC
        0x48, 0x89, 0xe6, // mov rsi, rsp
        0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, clock_gettime
        0x0f, 0x05, // syscall
        0xbf, 0x01, 0x00, 0x00, 0x00, // mov edi, 1
        0xba, 0x10, 0x00, 0x00, 0x00, // mov edx, 16
        0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, write
        0x0f, 0x05, // syscall
    ],
    &[
        0xd100_43ff, // sub sp, sp, 16
        0xd280_0020, // mov x0, CLOCK_MONOTONIC
        0x9100_03e1, // mov x1, sp
        0xd280_0e28, // mov x8, clock_gettime
        0xd400_0001, // svc 0
        0xd280_0020, // mov x0, 1
        0x9100_03e1, // mov x1, sp
        0xd280_0202, // mov x2, 16
        0xd280_0808, // mov x8, write
        0xd400_0001, // svc 0
    ],
);

const LISTEN: Code = (
    &[
        0x31, 0xff, // xor edi, edi
        0xba, 0x01, 0x00, 0x00, 0x00, // mov edx, 1
        0x31, 0xc0, // xor eax, eax: read
        0x0f, 0x05, // syscall
    ],
    &[
        0xd280_0000, // mov x0, 0
        0xd280_0022, // mov x2, 1
        0xd280_07e8, // mov x8, read
        0xd400_0001, // svc 0
    ],
);

const END: Code = (
    &[
        0x31, 0xff, // xor edi, edi
        0xb8, 0x3c, 0x00, 0x00, 0x00, // mov eax, exit
        0x0f, 0x05, // syscall
    ],
    &[
        0xd280_0000, // mov x0, 0
        0xd280_0ba8, // mov x8, exit
        0xd400_0001, // svc 0
    ],
);

/// A file of these instructions, for this machine.
fn elf(pieces: &[Code]) -> Result<Vec<u8>, Error> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let (machine, code) = match std::env::consts::ARCH {
        "x86_64" => (62u16, pieces.iter().flat_map(|piece| piece.0).copied().collect::<Vec<_>>()),
        "aarch64" => {
            let words = pieces.iter().flat_map(|piece| piece.1);
            (183, words.flat_map(|word| word.to_le_bytes()).collect())
        }
        other => {
            return Err(Error::Missing {
                what: format!("no command is written for {other}"),
                advice: "x86_64 and aarch64 are supported".into(),
            });
        }
    };
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend(2u16.to_le_bytes()); // ET_EXEC
    file.extend(machine.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    // The entry, the program headers, no section headers.
    [BASE + HEADERS, 64, 0].iter().for_each(|word| file.extend(word.to_le_bytes()));
    file.extend(0u32.to_le_bytes());
    [64u16, 56, 1, 64, 0, 0].iter().for_each(|half| file.extend(half.to_le_bytes()));
    // PT_LOAD, to be read and executed: where in the file, where in memory, how much, how aligned.
    file.extend([1u32, 5].iter().flat_map(|word| word.to_le_bytes()));
    [0, BASE, BASE, size, size, 0x1000].iter().for_each(|word| file.extend(word.to_le_bytes()));
    file.extend(code);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_small_static_programs() {
        for file in [stamp().unwrap(), hold().unwrap()] {
            assert_eq!(crate::elf::kind(&file), crate::elf::Kind::Static);
            assert!(file.len() < 256);
        }
    }
}
