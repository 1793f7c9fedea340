//! What the container shares with the host.

use super::unknown_value;
use crate::error::Error;
use crate::words::Word;

/// Namespaces that are the host's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    pub net: bool,
    pub uts: bool,
    pub ipc: bool,
    pub cgroup: bool,
    pub time: bool,
}

impl Shared {
    pub fn parse(words: &[Word]) -> Result<Shared, Error> {
        const NAMES: [&str; 5] = ["net", "uts", "ipc", "cgroup", "time"];
        let mut shared = Shared::default();
        for word in words {
            match word.0.as_slice() {
                b"net" => shared.net = true,
                b"uts" => shared.uts = true,
                b"ipc" => shared.ipc = true,
                b"cgroup" => shared.cgroup = true,
                b"time" => shared.time = true,
                b"user" | b"mnt" | b"mount" | b"pid" => {
                    return Err(Error::misuse(format!(
                        "--share {}: a container without its own user, mount and pid namespace is none",
                        word.show()
                    )));
                }
                _ => return Err(unknown_value("--share", word, &NAMES)),
            }
        }
        Ok(shared)
    }
}
