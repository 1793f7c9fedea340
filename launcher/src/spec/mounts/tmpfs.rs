//! `--tmpfs DST[:OPTS]`: the options are the kernel's (tmpfs(5)), which says of none what is wrong
//! with it.

use std::ffi::{CStr, CString};

use super::fields::Fields;
use super::{Mount, What};
use crate::error::Error;
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID, RDONLY};

const WORDS: [&str; 7] = ["size=", "mode=", "nr_inodes=", "uid=", "gid=", "ro", "noexec"];
const OPTIONS: [&CStr; 5] = [c"size", c"mode", c"nr_inodes", c"uid", c"gid"];

/// Makes sense of it.
pub fn parse(fields: Fields<'_>) -> Result<Mount, Error> {
    let [target, options] = fields.up_to()?;
    let target = fields.target(target.unwrap_or_default())?;
    let mut flags = NOSUID | NODEV;
    let mut set = Vec::new();
    for word in fields.options(options) {
        let equals = word.iter().position(|&b| b == b'=').unwrap_or(word.len());
        let (name, value) = (&word[..equals], word.get(equals + 1..));
        let key = OPTIONS.into_iter().find(|key| key.to_bytes() == name);
        match (key, value, name) {
            (Some(key), Some(value), _) => {
                check(fields, key, value)?;
                set.push((key, CString::new(value).unwrap_or_default()));
            }
            (None, None, b"ro") => flags |= RDONLY,
            (None, None, b"noexec") => flags |= NOEXEC,
            _ => return Err(fields.unknown(&word, &WORDS)),
        }
    }
    if !set.iter().any(|(key, _)| *key == c"mode") {
        set.push((c"mode", c"755".to_owned()));
    }
    Ok(Mount::new(target, What::Tmpfs { options: set, flags }))
}

fn check(fields: Fields<'_>, key: &CStr, value: &[u8]) -> Result<(), Error> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let (is_right, why) = match key.to_bytes() {
        b"mode" => return fields.mode(Some(value), 0).map(drop),
        b"size" => (is_amount(text, "%"), "size is a number of bytes: 65536, 64M, 1G, 50%"),
        b"nr_inodes" => (is_amount(text, ""), "nr_inodes is a number: 1000, 10K"),
        _ => (number(text).is_some_and(|id| id < u32::MAX.into()), "an id is a number"),
    };
    if is_right { Ok(()) } else { Err(fields.wrong(why)) }
}

/// As memparse() of the kernel reads it, which takes an overflow for another number.
fn is_amount(text: &str, more: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = &text[digits.len()..];
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" => 0,
        unit if unit == more => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        "E" => 60,
        _ => return false,
    };
    // The kernel counts bytes in a signed number (loff_t).
    number(digits).is_some_and(|number| number <= i64::MAX as u64 >> shift)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<What, Error> {
        parse(Fields::of("--tmpfs", value.as_bytes())).map(|mount| mount.what)
    }

    #[test]
    fn options_are_the_kernels() {
        let options = vec![(c"size", c"1m".to_owned()), (c"mode", c"1777".to_owned())];
        let what = What::Tmpfs { options, flags: NOSUID | NODEV | NOEXEC };
        assert_eq!(parsed("/t:size=1m,mode=1777,noexec").unwrap(), what);
        for value in ["size=0", "size=50%", "size=7E", "nr_inodes=10k", "uid=0,gid=4294967294"] {
            assert!(parsed(&format!("/t:{value}")).is_ok(), "{value}");
        }
    }

    #[test]
    fn a_value_that_the_kernel_would_refuse_or_misread_is_named() {
        for (value, part) in [
            ("size=-1", "size is a number"),
            ("size=", "size is a number"),
            ("size=1x", "size is a number"),
            ("size=M", "size is a number"),
            ("size=1KK", "size is a number"),
            ("size=8E", "size is a number"),
            ("size=99999999999999999999", "size is a number"),
            ("nr_inodes=5%", "nr_inodes is a number"),
            ("uid=root", "an id is a number"),
            ("gid=+5", "an id is a number"),
            ("uid=4294967295", "an id is a number"),
            ("mode=9", "octal"),
        ] {
            let text = parsed(&format!("/t:{value}")).unwrap_err().to_string();
            assert!(text.contains(part) && text.contains(value), "{value}: {text}");
        }
    }
}
