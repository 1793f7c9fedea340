//! The architectures that launcher is made for, and tested on in virtual machines.

use std::str::FromStr;

use crate::failure::Error;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    Aarch64,
}

impl Arch {
    pub const ALL: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];

    /// This machine's. The machines that other hosts than Linux start are x86_64, whatever their own
    /// is.
    pub fn own() -> Result<Arch, Error> {
        let name = if cfg!(target_os = "linux") { std::env::consts::ARCH } else { "x86_64" };
        let found = Arch::ALL.into_iter().find(|arch| arch.name() == name);
        found.ok_or_else(|| Error::Missing {
            what: format!("no static target is known for {name}"),
            advice: "x86_64 and aarch64 are supported".into(),
        })
    }

    /// As `uname -m` has it, and QEMU.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// The static target of it.
    pub fn target(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-linux-musl",
            Arch::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// As Debian has it.
    pub fn debian(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        }
    }
}

impl FromStr for Arch {
    type Err = String;

    fn from_str(word: &str) -> Result<Arch, String> {
        let found = Arch::ALL.into_iter().find(|arch| arch.name() == word);
        found.ok_or_else(|| "x86_64 or aarch64".to_string())
    }
}
