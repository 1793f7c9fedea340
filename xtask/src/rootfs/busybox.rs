//! A root file system out of one file: a static busybox and a link for each of its names.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;
use super::{FOLDERS, default_place, make_folder};
use crate::debian;
use crate::elf;
use crate::failure::{At, Error};
use crate::host::{set_mode, symlink};
use crate::program;
use crate::vm::image::{Image, Owners, SHIFT};

/// All programs are in bin; the other folders of a PATH lead there.
const FOLDER_LINKS: &[(&str, &str)] =
    &[("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin")];

/// Puts busybox and its names into an empty `place`.
pub fn install(place: &Path, source: &Source) -> Result<(), Error> {
    let original = match source {
        Source::Busybox(path) => path.clone(),
        _ => find()?,
    };
    let file = read_static(&original)?;
    let names = names(&file, &original)?;

    make_folder(&place.join("bin"), 0o755)?;
    make_folder(&place.join("usr"), 0o755)?;
    let busybox = place.join("bin/busybox");
    fs::write(&busybox, file).at("write", &busybox)?;
    set_mode(&busybox, 0o755)?;
    for (name, target) in FOLDER_LINKS {
        link(target, &place.join(name))?;
    }
    for name in names {
        link("busybox", &place.join("bin").join(name))?;
    }
    Ok(())
}

/// The same, with the example's own files, as a folder of an image: not every host has links, modes
/// and owners as Linux has them. All of it is the container's root's.
pub fn pack(image: &mut Image, folder: &str, file: &Path) -> Result<(), Error> {
    let names = names(&read_static(file)?, file)?;
    let inside = |name: &str| format!("{folder}/{name}");
    for (name, mode) in FOLDERS.iter().chain(&[("bin", 0o755), ("usr", 0o755)]) {
        image.add_folder(&inside(name), *mode);
    }
    image.add_tree(folder, &default_place().join("skeleton"), Owners::OursAreRoots)?;
    image.add_copy(inside("bin/busybox"), 0o755, file);
    for (name, target) in FOLDER_LINKS {
        image.add_link(&inside(name), target);
    }
    for name in names {
        image.add_link(&inside(&format!("bin/{name}")), "busybox");
    }
    image.give_all_to(Path::new(folder), SHIFT);
    Ok(())
}

/// The names of a busybox but its own, as its file has them: sorted, with a 0 behind each. The program
/// would say them, too, but only Linux can run it.
fn names(file: &[u8], path: &Path) -> Result<Vec<String>, Error> {
    let words: Vec<&[u8]> = file.split(|byte| *byte == 0).collect();
    let is_row = |pair: &[&[u8]]| is_applet(pair[0]) && is_applet(pair[1]) && pair[0] < pair[1];
    let mut best: &[&[u8]] = &[];
    for row in words.chunk_by(|a, b| is_row(&[a, b])) {
        if row.len() > best.len() && row.contains(&b"sh".as_slice()) {
            best = row;
        }
    }
    if !best.contains(&b"busybox".as_slice()) {
        return Err(Error::Missing {
            what: format!("{} is no busybox with a shell", path.display()),
            advice: "any other program needs a root file system of its own: --from DIR".into(),
        });
    }
    let names = best.iter().filter(|name| **name != b"busybox");
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// They come out of a program that somebody gave us: nothing that leads elsewhere.
fn is_applet(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"[_.+-".contains(byte);
    (1..=32).contains(&name.len()) && name.iter().all(is_plain) && name[0] != b'.'
}

fn link(target: &str, path: &Path) -> Result<(), Error> {
    symlink(target, path).at("create", path)
}

/// The one on PATH is often linked dynamically and of no use alone; Debian has a static one.
fn find() -> Result<PathBuf, Error> {
    if let Some(path) = program::find("busybox").filter(|path| read_static(path).is_ok()) {
        return Ok(path);
    }
    let package = debian::unpacked("busybox-static")?;
    // Debian 13 moved it from bin to usr/bin.
    let [old, new] = ["bin/busybox", "usr/bin/busybox"].map(|name| package.join(name));
    Ok(if new.is_file() { new } else { old })
}

fn read_static(path: &Path) -> Result<Vec<u8>, Error> {
    let file = fs::read(path).at("read", path)?;
    if elf::kind(&file) == elf::Kind::Static {
        return Ok(file);
    }
    Err(Error::Missing {
        what: format!("{} is not a static executable", path.display()),
        advice: "in a bare root file system nothing else can run".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_sorted_words_around_the_shell() {
        let path = Path::new("/b");
        let file = b"\x7fELF\0x\0bash\0sh\0tcsh\0\0[\0[[\0ash\0busybox\0ls\0sh\0zcat\0a\0\0";
        assert_eq!(names(file, path).unwrap(), ["[", "[[", "ash", "ls", "sh", "zcat"]);
        let line = names(b"bash\0sh\0tcsh\0", path).unwrap_err().to_string();
        assert!(line.starts_with("/b is no busybox with a shell"), "{line}");
    }

    #[test]
    fn only_plain_names_become_links() {
        assert!(is_applet(b"sh") && is_applet(b"["));
        for name in ["", "..", ".x", "../x", "usr/bin/x", "a b"] {
            assert!(!is_applet(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn packed_files_are_the_containers_roots() {
        let file = std::env::temp_dir().join(format!("xtask-pack-{}", std::process::id()));
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        fs::write(&file, [elf.as_slice(), b"ash\0busybox\0sh\0\0"].concat()).unwrap();
        let mut image = Image::default();
        let packed = pack(&mut image, "rootfs", &file);
        fs::remove_file(&file).unwrap();
        packed.unwrap();
        for path in ["rootfs/bin/sh", "rootfs/etc/passwd", "rootfs/tmp", "rootfs/usr/bin"] {
            assert_eq!(image.owner(Path::new(path)), Some((SHIFT, SHIFT)), "{path}");
        }
    }
}
