//! /etc/subuid and /etc/subgid (subuid(5)), and the setuid tools that act on them.

use std::ffi::CString;
use std::fs;

use super::command;
use crate::spec::idmap::{IdMap, IdRange, Inside, Outside};

/// newuidmap(1) and newgidmap(1), found on PATH.
#[derive(Clone, Debug)]
pub struct Tools {
    pub newuidmap: CString,
    pub newgidmap: CString,
}

impl Tools {
    /// Looks for both.
    pub fn find() -> Result<Tools, &'static str> {
        Ok(Tools {
            newuidmap: command::on_path("newuidmap").ok_or("newuidmap")?,
            newgidmap: command::on_path("newgidmap").ok_or("newgidmap")?,
        })
    }
}

/// The ranges that a file grants to a user, by name or by number, in its order.
pub fn ranges_of(text: &str, uid: u32, name: Option<&str>) -> Vec<(Outside, u32)> {
    lines(text)
        .filter(|(owner, ..)| Some(*owner) == name || owner.parse() == Ok(uid))
        .map(|(_, start, count)| (start, count))
        .collect()
}

/// All lines: owner, start, count.
pub fn lines(text: &str) -> impl Iterator<Item = (&str, Outside, u32)> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let start = fields.next()?.parse().ok()?;
        let count = fields.next()?.parse().ok()?;
        (count > 0).then_some((owner, Outside(start), count))
    })
}

/// The name of a user of the host. Accounts that only a directory service knows have none here;
/// their subordinate ids can still be listed by number.
pub fn user_name(uid: u32) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Consecutive ids inside, from 0: the caller first, if it is to be there, then the ranges, as far
/// as there are numbers for them.
pub fn map_of(own: Option<Outside>, ranges: &[(Outside, u32)]) -> IdMap {
    let mut next = 0;
    let mut map = Vec::new();
    for &(outside, count) in own.map(|id| (id, 1)).iter().chain(ranges) {
        // The last number, -1, is no id.
        let count = count.min(u32::MAX - next);
        if count > 0 {
            map.push(IdRange { inside: Inside(next), outside, count });
        }
        next += count;
    }
    IdMap::from_ranges(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# no line\nann:100000:65536\nbob:200000:65536\n1000:300000:10\nann:400000:5\nann:1:0\n";

    #[test]
    fn lines_of_a_user_by_name_and_number() {
        assert_eq!(
            ranges_of(TEXT, 1000, Some("ann")),
            [(Outside(100000), 65536), (Outside(300000), 10), (Outside(400000), 5)]
        );
        assert_eq!(ranges_of(TEXT, 7, None), []);
    }

    #[test]
    fn ids_inside_are_consecutive() {
        let map = map_of(Some(Outside(1000)), &ranges_of(TEXT, 1000, Some("ann")));
        assert_eq!(map.to_lines(), "0 1000 1\n1 100000 65536\n65537 300000 10\n65547 400000 5\n");
        assert_eq!(map_of(None, &[(Outside(5), 2)]).to_lines(), "0 5 2\n");
        let all = map_of(Some(Outside(0)), &[(Outside(1), u32::MAX), (Outside(7), 9)]);
        assert_eq!(all.to_lines(), "0 0 1\n1 1 4294967294\n");
    }
}
