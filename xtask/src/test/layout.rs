//! An image layout of OCI (image-spec, image-layout.md), for tests of what unpacks one.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::failure::{At, Error};
use crate::rootfs;

/// How a layer is packed.
#[derive(Clone, Copy)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A layout that is being made.
pub struct Layout {
    folder: PathBuf,
    layers: Vec<Value>,
    diffs: Vec<String>,
}

/// A layer that is being made.
pub struct Layer(Builder<Vec<u8>>);

impl Layout {
    pub fn new(folder: &Path) -> Result<Layout, Error> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).at("create", &blobs)?;
        Ok(Layout { folder: folder.into(), layers: Vec::new(), diffs: Vec::new() })
    }

    /// Adds a layer on top.
    pub fn add(&mut self, packing: Packing, layer: Layer) -> Result<(), Error> {
        let content = layer.0.into_inner().at("write", &self.folder)?;
        self.diffs.push(digest(&content));
        let (packed, suffix) = match packing {
            Packing::Plain => (content, ""),
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&content).at("write", &self.folder)?;
                (encoder.finish().at("write", &self.folder)?, "+gzip")
            }
            Packing::Zstd => {
                (compress_to_vec(Cursor::new(content), CompressionLevel::Fastest), "+zstd")
            }
        };
        let kind = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
        self.layers.push(self.blob(&kind, &packed)?);
        Ok(())
    }

    /// Ends it with one image, for these platforms; `config` says what the image says.
    pub fn finish(self, config: &Value, platforms: &[&str]) -> Result<(), Error> {
        let mut manifests = Vec::new();
        for platform in platforms {
            let (os, architecture) = platform.split_once('/').unwrap_or(("", platform));
            let config = json!({
                "os": os, "architecture": architecture, "config": config,
                "rootfs": {"type": "layers", "diff_ids": self.diffs},
            });
            let kind = "application/vnd.oci.image.config.v1+json";
            let config = self.blob(kind, config.to_string().as_bytes())?;
            let kind = "application/vnd.oci.image.manifest.v1+json";
            let manifest = json!({
                "schemaVersion": 2, "mediaType": kind, "config": config, "layers": self.layers,
            });
            let mut entry = self.blob(kind, manifest.to_string().as_bytes())?;
            entry["platform"] = json!({"os": os, "architecture": architecture});
            manifests.push(entry);
        }
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": manifests});
        let entry = self.blob(kind, index.to_string().as_bytes())?;
        let top = json!({"schemaVersion": 2, "manifests": [entry]});
        self.write("index.json", top.to_string().as_bytes())?;
        self.write("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#)
    }

    fn blob(&self, kind: &str, content: &[u8]) -> Result<Value, Error> {
        let digest = digest(content);
        self.write(&digest.replacen("sha256:", "blobs/sha256/", 1), content)?;
        Ok(json!({"mediaType": kind, "digest": digest, "size": content.len()}))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(name);
        fs::write(&path, content).at("write", &path)
    }
}

/// As images write it.
pub fn digest(content: &[u8]) -> String {
    let bytes = Sha256::digest(content);
    bytes.iter().fold("sha256:".to_string(), |hex, byte| format!("{hex}{byte:02x}"))
}

impl Layer {
    pub fn new() -> Layer {
        Layer(Builder::new(Vec::new()))
    }

    /// The archive.
    #[cfg(test)]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("a tar archive in memory")
    }

    pub fn folder(self, path: &str, mode: u32) -> Layer {
        self.entry(EntryType::Directory, path, "", mode, b"")
    }

    pub fn file(self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Layer {
        self.entry(EntryType::Regular, path, "", mode, content.as_ref())
    }

    #[cfg(test)]
    pub fn symlink(self, path: &str, target: &str) -> Layer {
        self.entry(EntryType::Symlink, path, target, 0o777, b"")
    }

    /// An entry of any kind, its words as they are: what is hostile has no better way in.
    pub fn entry(mut self, kind: EntryType, path: &str, to: &str, mode: u32, data: &[u8]) -> Layer {
        let mut header = Header::new_ustar();
        let fields = header.as_old_mut();
        fields.name[..path.len()].copy_from_slice(path.as_bytes());
        fields.linkname[..to.len()].copy_from_slice(to.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(data.len() as u64);
        header.set_cksum();
        // In memory nothing fails.
        self.0.append(&header, data).expect("a tar archive in memory");
        self
    }

    /// All that is in a folder of this machine.
    pub fn tree(mut self, folder: &Path) -> io::Result<Layer> {
        self.0.follow_symlinks(false);
        self.0.append_dir_all("", folder)?;
        Ok(self)
    }

    /// What pax says of the next entry.
    #[cfg(test)]
    pub fn pax(mut self, said: &[(&str, &[u8])]) -> Layer {
        self.0.append_pax_extensions(said.iter().copied()).expect("a tar archive in memory");
        self
    }
}

/// A root file system that was an image: `rootfs` with the probe, in layers that take things away.
/// What the suite finds in it is in `tests/suite/unpacked.rs`.
pub fn unpack_one(place: &Path, base: &Path, probe: &Path) -> Result<(), Error> {
    let folder = place.with_extension("layout");
    let mut layout = Layout::new(&folder)?;
    let tree = Layer::new().tree(base).at("pack", base)?;
    let first =
        tree.file("gone", 0o644, "1").folder("emptied", 0o755).file("emptied/old", 0o644, "1");
    layout.add(Packing::Gzip, first)?;
    let second = Layer::new()
        .file(".wh.gone", 0o644, "")
        .file("emptied/new", 0o644, "2")
        .file("emptied/.wh..wh..opq", 0o644, "")
        .file("etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/sh\n")
        .folder("srv/web", 0o755);
    layout.add(Packing::Zstd, second)?;
    let probe = fs::read(probe).at("read", probe)?;
    layout.add(Packing::Plain, Layer::new().file("probe", 0o755, probe))?;
    let script = "echo \"$GREETING\"; pwd; id -u; id -g; echo \"$HOME\"; echo \"$@\"";
    let config = json!({
        "Entrypoint": ["/bin/sh", "-c", script, "sh"], "Cmd": ["one", "two"],
        "Env": ["GREETING=hello", "PATH=/bin"], "User": "web", "WorkingDir": "/srv/web",
        "Labels": {"ignored": "yes"},
    });
    let own = rootfs::source::Wish::default().platform();
    layout.finish(&config, &["linux/s390x", &own])?;
    rootfs::complete(place, Some(&folder), rootfs::Old::Keep)?;
    fs::remove_dir_all(&folder).at("remove", &folder)
}
