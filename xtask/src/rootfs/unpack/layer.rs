//! A tar archive into the tree: a whole root file system, or a layer of an image on those below it
//! (image-spec, layer.md).

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tar::{Archive, Entry, EntryType};

use super::blobs::{Digesting, Part};
use super::stream::{self, Stream};
use super::tree::{self, Meta, Tree};
use crate::failure::{At, Error};

/// A layer of an image.
pub struct Layer {
    /// For messages.
    pub name: PathBuf,
    pub part: Part,
    /// The digest of what is in it, uncompressed.
    pub diff: String,
}

/// The name of a file that says another, or all others, of its folder are gone.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Of aufs, which had them first, for itself.
const OF_AUFS: &[u8] = b".wh..wh.";

/// What a whiteout takes away.
enum Gone {
    One(PathBuf),
    AllIn(PathBuf),
}

/// Puts a layer on those below. Its whiteouts are about those alone, wherever they stand in it: so
/// they come first, and before them a look at whether it is the layer that it is to be.
pub fn apply(tree: &mut Tree, layer: &Layer) -> Result<(), Error> {
    let Layer { name, part, diff } = layer;
    let open = || stream::of(part.open()?).at("read", name);
    let mut content = Digesting::new(open()?);
    let gone = whiteouts(&mut content, name)?;
    io::copy(&mut content, &mut io::sink()).at("read", name)?;
    content.expect(diff, name)?;
    for gone in gone {
        match &gone {
            Gone::One(path) => tree.remove(path).at("remove", path)?,
            Gone::AllIn(path) => tree.empty(path).at("empty", path)?,
        }
    }
    each_entry(open()?, name, |path, entry| match whiteout(path)? {
        None if !is_whiteout(path) => add(tree, path, entry),
        _ => Ok(()),
    })
}

/// Puts an archive into the tree, as it is.
pub fn unpack(tree: &mut Tree, content: Stream, name: &Path) -> Result<(), Error> {
    each_entry(content, name, |path, entry| add(tree, path, entry))
}

fn whiteouts(content: &mut impl Read, name: &Path) -> Result<Vec<Gone>, Error> {
    let mut all = Vec::new();
    each_entry(content, name, |path, _| {
        all.extend(whiteout(path)?);
        Ok(())
    })?;
    Ok(all)
}

fn is_whiteout(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(WHITEOUT))
}

fn whiteout(path: &Path) -> io::Result<Option<Gone>> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let folder = path.parent().unwrap_or(Path::new(""));
    match name.strip_prefix(WHITEOUT) {
        None => Ok(None),
        Some(_) if name == OPAQUE => Ok(Some(Gone::AllIn(folder.into()))),
        Some(_) if name.starts_with(OF_AUFS) => Ok(None),
        Some(b"" | b"." | b"..") => Err(io::Error::other("it is a whiteout of nothing")),
        Some(other) => Ok(Some(Gone::One(folder.join(OsStr::from_bytes(other))))),
    }
}

fn each_entry<R: Read>(
    content: R,
    name: &Path,
    mut take: impl FnMut(&Path, &mut Entry<'_, R>) -> io::Result<()>,
) -> Result<(), Error> {
    let mut archive = Archive::new(content);
    for entry in archive.entries().at("read", name)? {
        let mut entry = entry.at("read", name)?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue; // a remark of whoever made the archive
        }
        let shown = name.join(String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches('/'));
        let path = tree::inside(&entry.path_bytes()).at("unpack", &shown)?;
        take(&path, &mut entry).at("unpack", &shown)?;
    }
    Ok(())
}

fn add<R: Read>(tree: &mut Tree, path: &Path, entry: &mut Entry<'_, R>) -> io::Result<()> {
    let meta = meta(entry)?;
    let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
    match entry.header().entry_type() {
        // As archives of before 1988 have it.
        EntryType::Regular if entry.path_bytes().ends_with(b"/") => tree.add_folder(path, meta),
        EntryType::Directory => tree.add_folder(path, meta),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            tree.add_file(path, &meta, entry)
        }
        EntryType::Link => tree.add_link(path, &tree::inside(&target)?),
        EntryType::Symlink => tree.add_symlink(path, &target, &meta),
        EntryType::Fifo => tree.add_fifo(path, &meta),
        EntryType::Char | EntryType::Block => {
            tree.leave_device_out();
            Ok(())
        }
        other => Err(io::Error::other(format!("it is of an unknown kind: {other:?}"))),
    }
}

fn meta<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Meta> {
    let header = entry.header();
    let id = |id: u64| u32::try_from(id).map_err(|_| io::Error::other("its owner is no id"));
    let seconds = i64::try_from(header.mtime()?).unwrap_or_default();
    let mut meta = Meta {
        mode: header.mode()?,
        owner: (id(header.uid()?)?, id(header.gid()?)?),
        time: Some((seconds, 0)),
        attributes: Vec::new(),
    };
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let (key, value) = (extension.key_bytes(), extension.value_bytes());
        if key == b"mtime" {
            meta.time = time(value).or(meta.time);
        } else if let Some(name) = key.strip_prefix(b"SCHILY.xattr.").filter(|n| is_kept(n)) {
            meta.attributes.push((name.to_vec(), value.to_vec()));
        }
    }
    Ok(meta)
}

/// What a program may rely on. Of the others some tell the kernel things that only whoever mounts
/// is to say: an overlay's marks, labels.
fn is_kept(attribute: &[u8]) -> bool {
    let is_users = attribute.starts_with(b"user.") && !attribute.starts_with(b"user.overlay.");
    is_users || attribute == b"security.capability"
}

/// Seconds with a fraction, as pax writes them.
fn time(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse::<i64>().ok()?;
    let whole = seconds.parse::<i64>().ok()?;
    match seconds.starts_with('-') && nanoseconds > 0 {
        true => Some((whole - 1, 1_000_000_000 - nanoseconds)),
        false => Some((whole, nanoseconds)),
    }
}
