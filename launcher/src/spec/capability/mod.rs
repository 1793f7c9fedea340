//! Which capabilities the command gets.

mod names;

use crate::error::Error;
use crate::words::{Word, nearest};
use names::NAMES;

pub const SYS_ADMIN: u8 = 21;
pub const SYS_RESOURCE: u8 = 24;
pub const AUDIT_WRITE: u8 = 29;
pub const PERFMON: u8 = 38;
pub const BPF: u8 = 39;

/// podman's default set, by number (capabilities(7)): enough for package managers and daemons
/// inside, and without CAP_SYS_ADMIN, which could clear read-only and nodev from the mounts.
const DEFAULT: u64 = 1 << 0 // CHOWN
    | 1 << 1 // DAC_OVERRIDE
    | 1 << 3 // FOWNER
    | 1 << 4 // FSETID
    | 1 << 5 // KILL
    | 1 << 6 // SETGID
    | 1 << 7 // SETUID
    | 1 << 8 // SETPCAP
    | 1 << 10 // NET_BIND_SERVICE
    | 1 << 18 // SYS_CHROOT
    | 1 << 31; // SETFCAP

/// What each gives the host to who has it in the initial user namespace: any file by its handle,
/// modules, ports, tracing PID 1 (which has no filter), kexec, the kernel's memory.
pub const OF_THE_HOST: u64 = 1 << 2 // DAC_READ_SEARCH
    | 1 << 16 // SYS_MODULE
    | 1 << 17 // SYS_RAWIO
    | 1 << 19 // SYS_PTRACE
    | 1 << 22 // SYS_BOOT
    | 1 << PERFMON
    | 1 << BPF;

const ALL: u64 = (1 << NAMES.len()) - 1;

/// Sets, a bit for each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The bounding set; what a command that is root has.
    pub bounding: u64,
    /// What was asked for by name: a command that is another user has these, and as ambient ones,
    /// or execve(2) would take them away.
    pub ambient: u64,
}

impl Capabilities {
    /// The default set, and what `--cap-add` and `--cap-drop` change. Their order does not
    /// matter: `ALL` comes before any name.
    pub fn parse(add: &[Word], drop: &[Word]) -> Result<Capabilities, Error> {
        let (added, dropped) = (parse("--cap-add", add)?, parse("--cap-drop", drop)?);
        let both = added.named & dropped.named;
        if both != 0 {
            return Err(Error::misuse(format!(
                "--cap-add and --cap-drop both name {}",
                NAMES[both.trailing_zeros() as usize]
            )));
        }
        if added.all && dropped.all {
            return Err(Error::misuse("--cap-add ALL and --cap-drop ALL exclude each other"));
        }
        let base = match (added.all, dropped.all) {
            (true, _) => ALL,
            (_, true) => 0,
            _ => DEFAULT,
        };
        let asked = if added.all { ALL } else { added.named };
        let dropped = dropped.named;
        Ok(Capabilities { bounding: (base | asked) & !dropped, ambient: asked & !dropped })
    }
}

/// The names of a set.
pub fn names(set: u64) -> impl Iterator<Item = &'static str> {
    NAMES
        .iter()
        .enumerate()
        .filter(move |(number, _)| set & 1 << number != 0)
        .map(|(_, name)| *name)
}

/// The words of one option.
#[derive(Default)]
struct Named {
    all: bool,
    named: u64,
}

fn parse(option: &str, words: &[Word]) -> Result<Named, Error> {
    let mut result = Named::default();
    for word in words {
        match by_name(&word.0) {
            Some(number) => result.named |= 1 << number,
            None if word.0.eq_ignore_ascii_case(b"all") => result.all = true,
            None => {
                let name = word.show().to_ascii_lowercase();
                let near = nearest(name.trim_start_matches("cap_"), NAMES.into_iter());
                let hint = near.map_or("; see capabilities(7)".into(), |near| {
                    format!("; did you mean {near}?")
                });
                return Err(Error::misuse(format!("{option} {} is unknown{hint}", word.show())));
            }
        }
    }
    Ok(result)
}

/// A capability's number; small letters or capitals, with `CAP_` or without.
pub fn by_name(name: &[u8]) -> Option<u8> {
    let small = name.to_ascii_lowercase();
    let name = small.strip_prefix(b"cap_").unwrap_or(&small);
    NAMES.iter().position(|known| known.as_bytes() == name).map(|number| number as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(add: &[&str], drop: &[&str]) -> Result<(u64, u64), String> {
        let words =
            |list: &[&str]| list.iter().map(|w| Word(w.as_bytes().to_vec())).collect::<Vec<_>>();
        match Capabilities::parse(&words(add), &words(drop)) {
            Ok(Capabilities { bounding, ambient }) => Ok((bounding, ambient)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn names_add_to_the_default_and_take_from_it() {
        const NET_RAW: u64 = 1 << 13;
        assert_eq!(sets(&[], &[]), Ok((0x8004_05fb, 0)));
        assert_eq!(sets(&["net_raw"], &[]), Ok((DEFAULT | NET_RAW, NET_RAW)));
        assert_eq!(sets(&["CAP_NET_RAW"], &["Chown"]), Ok((DEFAULT & !1 | NET_RAW, NET_RAW)));
        assert_eq!(sets(&[], &["all"]), Ok((0, 0)));
        assert_eq!(sets(&["NET_RAW"], &["ALL"]), Ok((NET_RAW, NET_RAW)));
        assert_eq!(sets(&["ALL"], &[]), Ok((0x1ff_ffff_ffff, 0x1ff_ffff_ffff)));
        assert_eq!(sets(&["ALL"], &["net_raw"]), Ok((ALL & !NET_RAW, ALL & !NET_RAW)));
        // One that is there anyway, asked for: a user that is not root is to have it too.
        assert_eq!(sets(&["chown"], &[]), Ok((DEFAULT, 1)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (add, drop, part) in [
            (&["net_rw"][..], &[][..], "did you mean net_raw?"),
            (&["CAP_SYSADMIN"], &[], "did you mean sys_admin?"),
            (&["kill"], &["KILL"], "both name kill"),
            (&["all"], &["all"], "exclude"),
            (&[""], &[], "--cap-add"),
        ] {
            let text = sets(add, drop).unwrap_err();
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn numbers_are_the_kernels() {
        for (number, name) in [
            (SYS_ADMIN, "sys_admin"),
            (AUDIT_WRITE, "audit_write"),
            (PERFMON, "perfmon"),
            (BPF, "bpf"),
            (31, "setfcap"),
            (40, "checkpoint_restore"),
        ] {
            assert_eq!(NAMES[usize::from(number)], name);
        }
    }
}
