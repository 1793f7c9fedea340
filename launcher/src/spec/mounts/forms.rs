//! How each mount option is written.

use std::ffi::CString;

use super::fields::Fields;
use super::{Bind, Content, Mount, MountOption, What, tmpfs};
use crate::error::Error;
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::words::Word;

/// Makes sense of one option.
pub fn parse(option: &str, value: &Word) -> Result<Mount, Error> {
    let fields = Fields::of(option, &value.0);
    match option {
        "--bind" | "--mount" => bind(fields, NOSUID | NODEV, true),
        // The file systems of device nodes have no idmapped mounts.
        "--dev-bind" => bind(fields, NOSUID, false),
        "--device" => device(fields),
        "--tmpfs" => tmpfs::parse(fields),
        "--overlay" => overlay(fields),
        "--mqueue" => Ok(Mount::new(fields.only()?, What::Mqueue)),
        "--file" => file(fields),
        "--symlink" => symlink(fields),
        "--dir" => dir(fields),
        _ => here(fields),
    }
}

/// `SRC[:DST[:OPTS]]`.
fn bind(fields: Fields<'_>, flags: u64, idmap: bool) -> Result<Mount, Error> {
    let [source, target, options] = fields.up_to()?;
    let source = source.unwrap_or_default();
    let target = fields.target(target.unwrap_or(source))?;
    let source = fields.path(source)?;
    let mut bind = Bind { source, device: false, recursive: true, optional: false, flags, idmap };
    for word in fields.options(options) {
        let (flag, set) = match word.as_slice() {
            b"ro" => (RDONLY, true),
            b"rw" => (RDONLY, false),
            b"nosuid" => (NOSUID, true),
            b"suid" => (NOSUID, false),
            b"nodev" => (NODEV, true),
            b"dev" => (NODEV, false),
            b"noexec" => (NOEXEC, true),
            b"exec" => (NOEXEC, false),
            other => {
                match other {
                    b"rec" | b"rbind" => bind.recursive = true,
                    b"norec" | b"bind" => bind.recursive = false,
                    b"optional" => bind.optional = true,
                    b"idmap" => bind.idmap = true,
                    b"noidmap" => bind.idmap = false,
                    _ => return Err(fields.unknown(other, &BIND_OPTIONS)),
                }
                continue;
            }
        };
        bind.flags = if set { bind.flags | flag } else { bind.flags & !flag };
    }
    Ok(Mount::new(target, What::Bind(bind)))
}

const BIND_OPTIONS: [&str; 15] = [
    "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "rec", "norec", "rbind",
    "bind", "optional", "idmap", "noidmap",
];

/// `SRC[:DST]`.
fn device(fields: Fields<'_>) -> Result<Mount, Error> {
    let [source, target] = fields.up_to()?;
    let source = source.unwrap_or_default();
    let target = fields.target(target.unwrap_or(source))?;
    let source = fields.path(source)?;
    let flags = NOSUID | NOEXEC;
    let bind =
        Bind { source, device: true, recursive: false, optional: false, flags, idmap: false };
    Ok(Mount::new(target, What::Bind(bind)))
}

/// `DST:lower=DIR[,lower=DIR…][,upper=DIR][,ro]`.
fn overlay(fields: Fields<'_>) -> Result<Mount, Error> {
    /// More would not go into the 256 bytes that fsconfig(2) takes.
    const LOWER_MAX: usize = 64;
    let [target, options] = fields.up_to()?;
    let target = fields.target(target.unwrap_or_default())?;
    let (mut lower, mut upper, mut flags) = (Vec::new(), None, NOSUID | NODEV);
    for word in fields.options(options) {
        let path = |bytes: &[u8]| match bytes {
            [] => Err(fields.wrong("a path is missing")),
            bytes => Ok(CString::new(bytes).unwrap_or_default()),
        };
        match (word.strip_prefix(b"lower="), word.strip_prefix(b"upper="), word.as_slice()) {
            (Some(directory), ..) => lower.push(path(directory)?),
            (_, Some(directory), _) if upper.is_none() => upper = Some(path(directory)?),
            (_, Some(_), _) => return Err(fields.wrong("upper= is there twice")),
            (.., b"ro") => flags |= RDONLY,
            _ => return Err(fields.unknown(&word, &["lower=", "upper=", "ro"])),
        }
    }
    match lower.len() {
        1..=LOWER_MAX => Ok(Mount::new(target, What::Overlay { lower, upper, flags })),
        0 => Err(fields.wrong("lower=DIR is missing")),
        _ => Err(fields.wrong("there are more than 64 lower=")),
    }
}

/// `hidepid=…,subset=pid` (proc(5)).
pub fn proc_options(word: &Word) -> Result<Vec<MountOption>, Error> {
    let fields = Fields::of("--proc-options", &word.0);
    let parse = |word: Vec<u8>| match word.as_slice() {
        b"subset=pid" => Ok((c"subset", c"pid".to_owned())),
        other => match other.strip_prefix(b"hidepid=") {
            Some(
                b"0" | b"1" | b"2" | b"4" | b"off" | b"noaccess" | b"invisible" | b"ptraceable",
            ) => Ok((c"hidepid", CString::new(&other[8..]).unwrap_or_default())),
            _ => Err(fields.unknown(other, &PROC_OPTIONS)),
        },
    };
    fields.options(Some(&word.0)).into_iter().map(parse).collect()
}

const PROC_OPTIONS: [&str; 5] =
    ["subset=pid", "hidepid=off", "hidepid=noaccess", "hidepid=invisible", "hidepid=ptraceable"];

/// `SRC|FD:DST[:MODE]`.
fn file(fields: Fields<'_>) -> Result<Mount, Error> {
    let [source, target, mode] = fields.up_to()?;
    let source = source.unwrap_or_default();
    let digits = std::str::from_utf8(source).ok().and_then(|text| text.parse().ok());
    let content = match digits.filter(|_| source.iter().all(u8::is_ascii_digit)) {
        Some(number) => Content::Descriptor(number),
        None => Content::Path(fields.path(source)?),
    };
    let target = fields.target(target.unwrap_or_default())?;
    let mode = fields.mode(mode, 0o644)?;
    if mode > 0o777 {
        return Err(fields.wrong("it is nosuid; a mode is at most 777"));
    }
    Ok(Mount::new(target, What::File { content, mode }))
}

/// `TO:DST`.
fn symlink(fields: Fields<'_>) -> Result<Mount, Error> {
    let [to, target] = fields.up_to()?;
    let to = fields.path(to.unwrap_or_default())?;
    let target = fields.target(target.unwrap_or_default())?;
    Ok(Mount::new(target, What::Symlink(to)))
}

/// `DST[:MODE]`.
fn dir(fields: Fields<'_>) -> Result<Mount, Error> {
    let [target, mode] = fields.up_to()?;
    let target = fields.target(target.unwrap_or_default())?;
    let mode = fields.mode(mode, 0o755)?;
    Ok(Mount::new(target, What::Dir { mode }))
}

/// `DST`.
fn here(fields: Fields<'_>) -> Result<Mount, Error> {
    let flags = NOSUID | NODEV;
    let source = c".".to_owned();
    let bind = Bind { source, device: false, recursive: true, optional: false, flags, idmap: true };
    Ok(Mount::new(fields.only()?, What::Bind(bind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(option: &str, value: &str) -> Result<Mount, Error> {
        super::parse(option, &Word(value.into()))
    }

    fn bound(value: &str) -> (Bind, CString) {
        match parse("--bind", value).unwrap() {
            Mount { target, what: What::Bind(bind), .. } => (bind, target.path),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_source_alone_is_its_own_target() {
        let (bind, target) = bound("/srv/data");
        assert_eq!((bind.source.as_c_str(), target.as_c_str()), (c"/srv/data", c"srv/data"));
        assert_eq!(bind.flags, NOSUID | NODEV);
        assert!(bind.recursive && bind.idmap && !bind.optional);
    }

    #[test]
    fn options_of_a_bind_add_and_take_away() {
        let (bind, _) = bound("x:/y:ro,dev,norec,noidmap,optional,noexec,exec");
        assert_eq!(bind.flags, NOSUID | RDONLY);
        assert!(!bind.recursive && !bind.idmap && bind.optional);
    }

    #[test]
    fn colons_and_backslashes_can_be_in_a_path() {
        let (bind, target) = bound(r"a\:b\\c:/x\:y\,z");
        assert_eq!((bind.source.as_c_str(), target.as_c_str()), (c"a:b\\c", c"x:y,z"));
    }

    #[test]
    fn targets_know_what_lies_above_them() {
        let Mount { target, .. } = parse("--dir", "//a/./b//c/").unwrap();
        assert_eq!(target.path.as_c_str(), c"a/b/c");
        assert_eq!(target.above, [c"a".to_owned(), c"a/b".to_owned()]);
    }

    #[test]
    fn a_file_comes_from_a_path_or_from_a_descriptor() {
        let what = |value| parse("--file", value).unwrap().what;
        let from = |content, mode| What::File { content, mode };
        assert_eq!(what("9:/f"), from(Content::Descriptor(9), 0o644));
        assert_eq!(what("./9:/f:600"), from(Content::Path(c"./9".to_owned()), 0o600));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_named() {
        for (option, value, part) in [
            ("--bind", "", "missing"),
            ("--bind", "/a:b", "not absolute"),
            ("--bind", "a", "not absolute"),
            ("--bind", "/a:/", "ROOTFS"),
            ("--bind", "/a:/b/../c", ".."),
            ("--bind", "/a:/proc/x", "/proc"),
            ("--bind", "/a:/b:readonly", "readonly"),
            ("--bind", "/a:/b:r0", "did you mean ro?"),
            ("--bind", "/a:/b:ro:x", "too many"),
            ("--proc-options", "subset=sys", "did you mean subset=pid?"),
            ("--proc-options", "hidepid=3", "did you mean hidepid="),
            ("--tmpfs", "/a:sice=1", "did you mean size=?"),
            ("--file", "1:/a:9", "octal"),
            ("--file", "1:/a:4755", "at most 777"),
            ("--tmpfs", "/a:mode=9", "octal"),
            ("--overlay", "/a", "lower=DIR is missing"),
            ("--overlay", "/a:lower=", "a path is missing"),
            ("--overlay", "/a:lower=b,upper=c,upper=d", "twice"),
            ("--overlay", "/a:lowr=b", "did you mean lower=?"),
            ("--symlink", "/a", "missing"),
            ("--dir", "/a:77777", "octal"),
        ] {
            let error = match option {
                "--proc-options" => proc_options(&Word(value.into())).unwrap_err(),
                _ => parse(option, value).unwrap_err(),
            };
            let text = error.to_string();
            assert!(text.contains(part) && text.contains(option), "{option} {value}: {text}");
        }
    }
}
