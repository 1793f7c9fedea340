//! Unpacks archives and container images: tar, plain or compressed, image layouts of OCI and
//! archives of such, and what `docker save` writes.
//!
//! What is unpacked may be hostile. No name and no link in it leads out of the folder that is
//! filled (`tree.rs`), nothing is used whose digest is not the promised one (`blobs.rs`), and what
//! would be alive on this machine, device nodes, is left out.

mod blobs;
mod image;
mod layer;
mod stream;
#[cfg(test)]
mod tests;
mod tree;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::source::Wish;
use crate::console;
use crate::failure::{At, Error};
use blobs::Blobs;
use image::Image;
use tree::{Meta, Tree};

/// What `launcher` reads: the image's words about its command.
pub const CONFIG: &str = ".launcher.json";

/// Unpacks an archive: a root file system, or an image.
pub fn archive(path: &Path, wish: &Wish, place: &Path) -> Result<(), Error> {
    expect_archive(path)?;
    if let Some(blobs) = Blobs::in_archive(path)? {
        return image(&blobs, wish, place);
    }
    if !wish.is_none() {
        return Err(Error::Misuse(format!(
            "--platform and --tag are about images, and {} is none",
            path.display()
        )));
    }
    let mut tree = Tree::open(place)?;
    let file = File::open(path).at("open", path)?;
    layer::unpack(&mut tree, stream::of_file(file).at("read", path)?, path)?;
    finish(tree, place)
}

/// A download that failed is empty, or something else altogether.
fn expect_archive(path: &Path) -> Result<(), Error> {
    let file = File::open(path).at("open", path)?;
    let mut head = Vec::new();
    let stream = stream::of_file(file).at("read", path)?;
    stream.take(512).read_to_end(&mut head).at("read", path)?;
    // The checksum of the first header (tar(5)).
    let checksum = head.get(148..156).unwrap_or(b"none");
    if checksum.iter().all(|byte| matches!(byte, b'0'..=b'7' | b' ' | 0)) {
        return Ok(());
    }
    Err(Error::Misuse(format!(
        "{} is no tar archive, plain or compressed; launcher takes a squashfs, erofs or ext4 image as it is",
        path.display()
    )))
}

/// Unpacks the image of a layout's folder.
pub fn layout(path: &Path, wish: &Wish, place: &Path) -> Result<(), Error> {
    image(&Blobs::in_folder(path)?, wish, place)
}

fn image(blobs: &Blobs, wish: &Wish, place: &Path) -> Result<(), Error> {
    let Image { layers, config } = Image::find(blobs, wish)?;
    let mut tree = Tree::open(place)?;
    for (number, layer) in layers.iter().enumerate() {
        console::progress(&format!("layer {} of {}", number + 1, layers.len()));
        layer::apply(&mut tree, layer)?;
    }
    let shown = place.join(CONFIG);
    if let Some(folder) = config.get("WorkingDir").and_then(|folder| folder.as_str()) {
        let folder = tree::inside(folder.as_bytes()).at("create", folder.as_ref())?;
        tree.make_folders(&folder).at("create", &place.join(folder))?;
    }
    let text = format!("{:#}\n", serde_json::Value::Object(config));
    let name = PathBuf::from(CONFIG);
    tree.add_file(&name, &Meta::new(0o644), &mut text.as_bytes()).at("write", &shown)?;
    finish(tree, place)
}

fn finish(tree: Tree, place: &Path) -> Result<(), Error> {
    for remark in tree.finish().at("finish", place)? {
        console::progress(&remark);
    }
    Ok(())
}
