//! The caller: the launcher's own ids and capabilities, and what these allow.

use std::cell::OnceCell;

use super::Proc;
use crate::error::Error;
use crate::spec::capability;
use crate::spec::idmap::{IdRange, Inside, Outside};
use crate::sys::process;

const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;
const CAP_SYS_ADMIN: u32 = 21;

/// The launcher's own identity. Capabilities decide, not the uid: root in a container without
/// CAP_SYS_ADMIN is an ordinary user who may map ids.
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    /// The effective capabilities, a bit for each number.
    pub capabilities: u64,
    /// CAP_SYS_ADMIN over our mount namespace: mounts can be cloned before the container has its own.
    pub can_mount: bool,
    /// CAP_SETUID and CAP_SETGID: any id of our own user namespace can be mapped.
    pub can_map: bool,
    /// The uids and the gids that exist in our own user namespace, once they have been asked for.
    own_ids: OnceCell<[Vec<IdRange>; 2]>,
    pub proc: Proc,
}

impl Caller {
    /// Asks the kernel.
    pub fn look() -> Result<Caller, Error> {
        let caps = process::effective_capabilities()
            .map_err(|errno| Error::at("Capabilities", "read our own capabilities", errno))?;
        let has = |cap: u32| caps & 1 << cap != 0;
        let proc = Proc::open()?;
        Ok(Caller {
            uid: process::effective_uid(),
            gid: process::effective_gid(),
            capabilities: caps,
            can_mount: has(CAP_SYS_ADMIN),
            can_map: has(CAP_SETUID) && has(CAP_SETGID),
            own_ids: OnceCell::new(),
            proc,
        })
    }

    /// For an error: what is needed of root's capabilities, and which of those are missing.
    pub fn lacks(&self) -> String {
        let wanted = 1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_SYS_ADMIN;
        let names = capability::names(wanted & !self.capabilities).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "sys_admin over its mounts".into() } else { names };
        format!(
            "root with CAP_SETGID, CAP_SETUID and CAP_SYS_ADMIN, and this process has no {names}"
        )
    }

    /// Reads the ids that exist in our own user namespace, if that has not been done. The methods
    /// below do so, too, and take a failure for no ids.
    pub fn read_own_ids(&self) -> Result<(), Error> {
        if self.own_ids.get().is_none() {
            let both = [read_map(&self.proc, "uid_map")?, read_map(&self.proc, "gid_map")?];
            self.own_ids.set(both).ok(); // it was empty
        }
        Ok(())
    }

    pub fn own_uids(&self) -> &[IdRange] {
        self.own(0)
    }

    pub fn own_gids(&self) -> &[IdRange] {
        self.own(1)
    }

    fn own(&self, which: usize) -> &[IdRange] {
        self.read_own_ids().ok();
        self.own_ids.get().map_or(&[], |both| &both[which])
    }

    /// Whether a whole range of ids exists in our user namespace, as uids and as gids.
    pub fn owns(&self, start: u32, count: u32) -> bool {
        let within = |ranges: &[IdRange]| {
            ranges.iter().any(|r| {
                start >= r.inside.0
                    && u64::from(start) + u64::from(count)
                        <= u64::from(r.inside.0) + u64::from(r.count)
            })
        };
        within(self.own_uids()) && within(self.own_gids())
    }
}

fn read_map(proc: &Proc, name: &str) -> Result<Vec<IdRange>, Error> {
    let path = format!("self/{name}");
    let text = proc.read_text(&path);
    text.map(|text| parse_map(&text))
        .map_err(|errno| Error::at("ReadMap", format_args!("read /proc/{path}"), errno))
}

fn parse_map(text: &str) -> Vec<IdRange> {
    text.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
            let mut next = || numbers.next().flatten();
            Some(IdRange { inside: Inside(next()?), outside: Outside(next()?), count: next()? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_columns_are_read() {
        let ranges =
            parse_map("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(ranges.len(), 2);
        assert_eq!(
            ranges[1],
            IdRange { inside: Inside(1), outside: Outside(100000), count: 65536 }
        );
    }
}
