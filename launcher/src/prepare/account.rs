//! `--user`: the command's ids, groups and home directory, from the container's /etc/passwd and
//! /etc/group. The rootfs may be hostile, so these are resolved inside it, must be regular files,
//! and are read up to a limit.

use std::os::fd::{AsFd, BorrowedFd};

use super::ids::IdPlan;
use crate::error::Error;
use crate::resolve;
use crate::spec::user::{IdOrName, UserSpec};
use crate::sys::{Errno, Result as SysResult, file};

/// The resolved user.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub home: Vec<u8>,
}

/// init sets up to this many (its MAX_GROUPS).
const MAX_GROUPS: usize = 64;
const MAX_BYTES: usize = 16 << 20;

impl Account {
    pub fn look_up(
        user: &UserSpec,
        rootfs: BorrowedFd<'_>,
        ids: &IdPlan,
    ) -> Result<Account, Error> {
        let root_only = user.user == IdOrName::Id(0);
        let passwd = read(rootfs, "/etc/passwd", MAX_BYTES);
        // Supplementary groups give root nothing: for root the file is not read.
        let group = if root_only && user.group.is_none() {
            Ok(Vec::new())
        } else {
            read(rootfs, "/etc/group", MAX_BYTES)
        };
        let mut account = resolve(user, passwd, group)?;
        for (what, map, id) in [("uid", &ids.uid, account.uid), ("gid", &ids.gid, account.gid)] {
            if !map.has_inside(id) {
                return Err(Error::refused(
                    "User",
                    format!("--user: {what} {id} is not one of the container's, which maps {map}"),
                )
                .advise("map it with --uid-map and --gid-map, or see --userns"));
            }
        }
        // A group that is not mapped cannot be set, and owns nothing inside.
        account.groups.retain(|&gid| ids.gid.has_inside(gid));
        if account.groups.len() > MAX_GROUPS {
            return Err(Error::refused(
                "User",
                format!("--user: more than {MAX_GROUPS} supplementary groups in /etc/group"),
            ));
        }
        Ok(account)
    }
}

fn resolve(
    user: &UserSpec,
    passwd: SysResult<Vec<u8>>,
    group: SysResult<Vec<u8>>,
) -> Result<Account, Error> {
    let entry = passwd.as_deref().ok().and_then(|text| {
        Entry::all(text, 6).find(|entry| match &user.user {
            IdOrName::Id(uid) => entry.number(2) == Some(*uid),
            IdOrName::Name(name) => entry.field(0) == name.as_slice(),
        })
    });
    let (uid, own_gid, home, name) = match (&user.user, &entry) {
        (_, Some(entry)) => {
            let bad = || unknown("user with valid ids", "/etc/passwd", &user.user, None);
            let uid = entry.number(2).ok_or_else(bad)?;
            let gid = entry.number(3).ok_or_else(bad)?;
            (uid, gid, entry.field(5).to_vec(), Some(entry.field(0)))
        }
        (IdOrName::Id(0), None) => (0, 0, b"/root".to_vec(), None),
        (IdOrName::Id(uid), None) => (*uid, 0, b"/".to_vec(), None),
        (IdOrName::Name(_), None) => {
            return Err(unknown("user", "/etc/passwd", &user.user, passwd.err()));
        }
    };
    let group_text = group.as_deref().unwrap_or(&[]);
    let (gid, groups) = match &user.group {
        Some(IdOrName::Id(gid)) => (*gid, Vec::new()),
        Some(wanted @ IdOrName::Name(wanted_name)) => {
            let gid = Entry::all(group_text, 3)
                .find(|entry| entry.field(0) == wanted_name.as_slice())
                .and_then(|entry| entry.number(2));
            match gid {
                Some(gid) => (gid, Vec::new()),
                None => return Err(unknown("group", "/etc/group", wanted, group.err())),
            }
        }
        None => (own_gid, name.map_or(Vec::new(), |name| groups_of(name, own_gid, group_text))),
    };
    let home = if home.is_empty() { b"/".to_vec() } else { home };
    Ok(Account { uid, gid, groups, home })
}

fn groups_of(user: &[u8], own_gid: u32, group_text: &[u8]) -> Vec<u32> {
    let mut groups = Entry::all(group_text, 3)
        .filter(|entry| entry.field(3).split(|&b| b == b',').any(|member| member == user))
        .filter_map(|entry| entry.number(2))
        .filter(|&gid| gid != own_gid)
        .collect::<Vec<_>>();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn unknown(what: &str, file: &str, wanted: &IdOrName, errno: Option<Errno>) -> Error {
    let shown = match wanted {
        IdOrName::Id(id) => id.to_string(),
        IdOrName::Name(name) => String::from_utf8_lossy(name).into_owned(),
    };
    match errno {
        Some(errno) => Error::at(
            "User",
            format_args!("find {what} {shown} of --user: read the container's {file}"),
            errno,
        )
        .advise("give numbers, which need no file"),
        None => {
            Error::refused("User", format!("--user: no {what} in the container's {file}: {shown}"))
                .advise("give numbers, which need no entry")
        }
    }
}

/// A file of the rootfs.
pub fn read(rootfs: BorrowedFd<'_>, path: &str, max_bytes: usize) -> SysResult<Vec<u8>> {
    let path = std::ffi::CString::new(path).unwrap_or_default();
    // A FIFO must not block us, and a terminal must not become ours.
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let fd = resolve::open(rootfs, &path, flags)?;
    let stat = file::stat_fd(fd.as_fd())?;
    if !stat.is_regular() {
        return Err(Errno::EINVAL);
    }
    if stat.size > max_bytes as u64 {
        return Err(Errno::EFBIG);
    }
    let mut text = vec![0; max_bytes.min(stat.size as usize)];
    let mut length = 0;
    while length < text.len() {
        match file::read(fd.as_fd(), &mut text[length..])? {
            0 => break,
            count => length += count,
        }
    }
    text.truncate(length);
    Ok(text)
}

/// A line of passwd(5) or group(5).
struct Entry<'a>(Vec<&'a [u8]>);

impl<'a> Entry<'a> {
    /// The lines that have at least `least` fields.
    fn all(text: &'a [u8], least: usize) -> impl Iterator<Item = Entry<'a>> {
        text.split(|&b| b == b'\n')
            .map(|line| Entry(line.split(|&b| b == b':').collect()))
            .filter(move |entry| entry.0.len() >= least)
    }

    fn field(&self, index: usize) -> &'a [u8] {
        self.0.get(index).copied().unwrap_or(&[])
    }

    fn number(&self, index: usize) -> Option<u32> {
        std::str::from_utf8(self.field(index)).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\nbroken\nwww:x:33:34::/var/www:/x\nbad:x:y:1::/:/\n";
    const GROUP: &[u8] = b"root:x:0:\nweb:x:34:\nextra:x:50:a,www\nmore:x:51:www\nno:x:52:wwww\n";

    fn resolve_user(user: IdOrName, group: Option<IdOrName>) -> Result<Account, Error> {
        resolve(&UserSpec { user, group }, Ok(PASSWD.to_vec()), Ok(GROUP.to_vec()))
    }

    fn name(name: &str) -> IdOrName {
        IdOrName::Name(name.as_bytes().to_vec())
    }

    #[test]
    fn a_name_gives_ids_groups_and_home() {
        let account = resolve_user(name("www"), None).unwrap();
        assert_eq!((account.uid, account.gid), (33, 34));
        assert_eq!(account.groups, [50, 51]);
        assert_eq!(account.home, b"/var/www");
        assert_eq!(resolve_user(IdOrName::Id(33), None).unwrap(), account);
    }

    #[test]
    fn a_group_that_is_given_stands_alone() {
        let account = resolve_user(name("www"), Some(name("extra"))).unwrap();
        assert_eq!((account.gid, account.groups.as_slice()), (50, &[][..]));
    }

    #[test]
    fn ids_need_no_entry_but_names_do() {
        let account = resolve_user(IdOrName::Id(7), None).unwrap();
        assert_eq!((account.uid, account.gid, account.home.as_slice()), (7, 0, &b"/"[..]));
        for text in [
            resolve_user(name("nobody"), None).unwrap_err().to_string(),
            resolve_user(name("bad"), None).unwrap_err().to_string(),
            resolve_user(IdOrName::Id(0), Some(name("nogroup"))).unwrap_err().to_string(),
        ] {
            assert!(text.starts_with("--user: no "), "{text}");
        }
        let missing =
            resolve(&UserSpec { user: name("x"), group: None }, Err(Errno::ENOENT), Ok(Vec::new()));
        assert!(missing.unwrap_err().to_string().contains("ENOENT"));
    }
}
