//! The fields of a mount option: divided by colons, and its list of options by commas; a backslash
//! takes the next byte as it is.

use std::ffi::CString;

use super::Target;
use crate::error::Error;
use crate::spec::unknown_value;
use crate::words::Word;

/// One option's value.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    pub option: &'a str,
    value: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn of(option: &'a str, value: &'a [u8]) -> Fields<'a> {
        Fields { option, value }
    }

    /// The fields, at most this many, with their backslashes.
    pub fn up_to<const N: usize>(&self) -> Result<[Option<&'a [u8]>; N], Error> {
        let mut found = split(self.value, b':');
        let fields = std::array::from_fn(|_| found.next());
        match found.next() {
            Some(_) => Err(self.wrong("there are too many colons; one in a path is written \\:")),
            None => Ok(fields),
        }
    }

    /// The words of a list.
    pub fn options(&self, list: Option<&[u8]>) -> Vec<Vec<u8>> {
        let words = list.into_iter().flat_map(|list| split(list, b',')).map(unescape);
        words.filter(|word| !word.is_empty()).collect()
    }

    /// The one field, a target.
    pub fn only(&self) -> Result<Target, Error> {
        let [target] = self.up_to()?;
        self.target(target.unwrap_or_default())
    }

    /// A path of the host's, or a link's.
    pub fn path(&self, bytes: &[u8]) -> Result<CString, Error> {
        match CString::new(unescape(bytes)) {
            Ok(path) if !bytes.is_empty() => Ok(path),
            _ => Err(self.wrong("a path is missing")),
        }
    }

    /// A path inside.
    pub fn target(&self, bytes: &[u8]) -> Result<Target, Error> {
        if bytes.first() != Some(&b'/') {
            return Err(self.wrong(match bytes {
                [] => "the path inside is missing",
                _ => "the path inside is not absolute",
            }));
        }
        let bytes = unescape(bytes);
        let names = bytes.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
        let names = names.collect::<Vec<_>>();
        if names.contains(&&b".."[..]) {
            return Err(self.wrong("the path inside has a .. in it"));
        }
        match names.first() {
            None => return Err(self.wrong("the whole root is ROOTFS's")),
            Some(&b"proc") => return Err(self.wrong("/proc is the container's own")),
            Some(_) => {}
        }
        let path = |names: &[&[u8]]| CString::new(names.join(&b'/')).unwrap_or_default();
        let above = (1..names.len()).map(|end| path(&names[..end])).collect();
        Ok(Target { path: path(&names), above })
    }

    /// Permissions.
    pub fn mode(&self, bytes: Option<&[u8]>, default: u32) -> Result<u32, Error> {
        let Some(bytes) = bytes else { return Ok(default) };
        octal(bytes).filter(|&mode| mode <= 0o7777).ok_or_else(|| self.wrong("a mode is octal"))
    }

    /// An option that is none.
    pub fn unknown(&self, word: &[u8], known: &[&str]) -> Error {
        unknown_value(&format!("{} option", self.option), &Word(word.to_vec()), known)
    }

    /// The value makes no sense, and why.
    pub fn wrong(&self, why: &str) -> Error {
        Error::misuse(format!("{} {}: {why}", self.option, Word(self.value.to_vec()).show()))
    }
}

/// The pieces between separators that no backslash stands before.
fn split(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut is_escaped = false;
    bytes.split(move |&byte| {
        let ends = byte == separator && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// Without the backslashes.
fn unescape(piece: &[u8]) -> Vec<u8> {
    let mut bytes = piece.iter();
    let mut plain = Vec::with_capacity(piece.len());
    while let Some(&byte) = bytes.next() {
        // A last one stands for itself.
        plain.push(if byte == b'\\' { *bytes.next().unwrap_or(&byte) } else { byte });
    }
    plain
}

/// A number in octal digits.
fn octal(bytes: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(bytes).ok()?;
    u32::from_str_radix(text, 8).ok().filter(|_| !text.starts_with('+'))
}
