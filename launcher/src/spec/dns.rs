//! `--dns`: the container's resolv.conf, hosts and hostname, which are mounted over those of the
//! rootfs.

use std::ffi::CStr;
use std::net::IpAddr;

use super::mounts::{Content, Mount, Target, What};
use super::{Shared, unknown_value};
use crate::error::Error;
use crate::words::Word;

/// Their paths inside.
pub const ETC: &CStr = c"etc";

const NAMES: [&CStr; 3] = [c"resolv.conf", c"hosts", c"hostname"];

/// Their names, where they are mounted.
pub fn names(word: Option<&Word>, share: Shared) -> &'static [&'static CStr] {
    match word {
        None => &[],
        Some(_) if share.uts => &NAMES[..2],
        Some(_) => &NAMES,
    }
}

/// The files of `--dns`, as steps of the plan.
pub fn files(word: Option<&Word>, hostname: &[u8], share: Shared) -> Result<Vec<Mount>, Error> {
    let Some(word) = word else { return Ok(Vec::new()) };
    let [in_resolv_conf, in_hosts, in_hostname] = NAMES;
    let resolv_conf = match word.0.as_slice() {
        b"host" => Content::Path(c"/etc/resolv.conf".to_owned()),
        // An empty one: without any the C library asks 127.0.0.1.
        b"none" => Content::Text(b"# --dns none\n".to_vec()),
        _ => Content::Text(servers(word)?),
    };
    let mut hosts = b"127.0.0.1 localhost\n::1 localhost\n".to_vec();
    let file = |name: &CStr, content| Mount {
        target: Target::below(ETC, name),
        what: What::File { content, mode: 0o644 },
        optional: false,
    };
    let mut files = vec![file(in_resolv_conf, resolv_conf)];
    if !share.uts {
        // Where Debian has the machine's own name, if it has no address of its own.
        hosts = [&hosts, &b"127.0.1.1 "[..], hostname, b"\n"].concat();
        files.push(file(in_hostname, Content::Text([hostname, b"\n"].concat())));
    }
    files.push(file(in_hosts, Content::Text(hosts)));
    Ok(files)
}

fn servers(word: &Word) -> Result<Vec<u8>, Error> {
    let text = word.show();
    let mut lines = String::new();
    for address in text.split(',') {
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(unknown_value("--dns", word, &["host", "none", "an address"]));
        };
        lines += &format!("nameserver {address}\n");
    }
    Ok(lines.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(word: &str, share: Shared) -> Vec<(String, String)> {
        let files = files(Some(&Word(word.into())), b"box", share).unwrap();
        let show = |mount: &Mount| match &mount.what {
            What::File { content: Content::Text(text), .. } => String::from_utf8_lossy(text).into(),
            What::File { content: Content::Path(path), .. } => format!("{path:?}"),
            other => panic!("{other:?}"),
        };
        let path = |mount: &Mount| mount.target.path.to_string_lossy().into_owned();
        files.iter().map(|mount| (path(mount), show(mount))).collect()
    }

    #[test]
    fn servers_are_listed_in_their_order() {
        let files = texts("9.9.9.9,2620:fe::fe", Shared::default());
        let lines = "nameserver 9.9.9.9\nnameserver 2620:fe::fe\n";
        assert_eq!(files[0], ("etc/resolv.conf".into(), lines.into()));
        assert_eq!(files[1], ("etc/hostname".into(), "box\n".into()));
        assert!(files[2].1.ends_with("127.0.1.1 box\n"));
    }

    #[test]
    fn the_hosts_name_is_not_ours_to_tell() {
        let files = texts("host", Shared { uts: true, ..Shared::default() });
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].1, "\"/etc/resolv.conf\"");
        assert!(!files[1].1.contains("box"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for word in ["", "9.9.9", "9.9.9.9,", "hots", "1.1.1.1 "] {
            let text = files(Some(&Word(word.into())), b"", Shared::default()).unwrap_err();
            assert!(text.to_string().contains("--dns"), "{word}");
        }
    }
}
