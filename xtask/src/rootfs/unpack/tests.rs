//! Images and archives that are made here, honest ones and hostile ones.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tar::EntryType;

use super::*;
use crate::rootfs::{Old, complete, complete_from, source::Source};
use crate::test::layout::{Layer, Layout, Packing};

/// A folder for one test, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("outside"), "untouched").unwrap();
        Scratch(folder)
    }

    /// A layout of these layers.
    fn layout(&self, layers: Vec<Layer>, config: &Value, platforms: &[&str]) -> PathBuf {
        let folder = self.0.join("layout");
        fs::remove_dir_all(&folder).ok();
        let mut layout = Layout::new(&folder).unwrap();
        for (layer, packing) in
            layers.into_iter().zip([Packing::Gzip, Packing::Zstd, Packing::Plain].iter().cycle())
        {
            layout.add(*packing, layer).unwrap();
        }
        layout.finish(config, platforms).unwrap();
        folder
    }

    /// What becomes of these layers.
    fn unpack(&self, layers: Vec<Layer>) -> Result<PathBuf, Error> {
        let own = Wish::default().platform();
        let layout = self.layout(layers, &json!({}), &[&own]);
        let made = self.0.join("made");
        fs::remove_dir_all(&made).ok();
        complete(&made, Some(&layout), Old::Keep)?;
        Ok(made)
    }

    fn is_untouched(&self) -> bool {
        fs::read(self.0.join("outside")).unwrap() == b"untouched"
            && fs::metadata(self.0.join("outside")).unwrap().nlink() == 1
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(&self.0).status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

#[test]
fn layers_lie_over_one_another_and_take_away_what_is_below_alone() {
    let scratch = Scratch::new("layers");
    let first = Layer::new()
        .folder("a", 0o755)
        .file("a/old", 0o644, "1")
        .file("a/both", 0o644, "1")
        .folder("b", 0o755)
        .file("b/below", 0o644, "1")
        .file("c", 0o644, "a file")
        .folder("d", 0o755)
        .file("d/in", 0o644, "1")
        .folder("usr/lib", 0o755)
        .symlink("lib", "usr/lib");
    // Whiteouts at the end are about the layers below all the same.
    let second = Layer::new()
        .file("a/both", 0o644, "2")
        .file("a/new", 0o644, "2")
        .file("a/.wh.both", 0o644, "")
        .file("a/.wh.old", 0o644, "")
        .file("b/here", 0o644, "2")
        .file("b/.wh..wh..opq", 0o644, "")
        .file(".wh.never", 0o644, "")
        .file("nowhere/.wh.x", 0o644, "")
        .file("a/.wh..wh.plnk", 0o644, "")
        .folder("c", 0o755)
        .file("c/in", 0o644, "2")
        .file("d", 0o644, "now a file")
        .file("lib/through", 0o644, "2");
    let made = scratch.unpack(vec![first, second]).unwrap();
    let names = |folder: &str| {
        let entries = fs::read_dir(made.join(folder)).unwrap();
        let mut names =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
        names.sort();
        names
    };
    assert_eq!(
        (names("a"), names("b"), names("c")),
        (vec!["both".into(), "new".into()], vec!["here".into()], vec!["in".into()])
    );
    assert_eq!(
        (text(made.join("a/both")), text(made.join("d"))),
        ("2".into(), "now a file".into())
    );
    assert_eq!(text(made.join("usr/lib/through")), "2", "a link is followed as inside");
    assert!(made.join("lib").is_symlink() && !made.join("nowhere").exists());
}

#[test]
fn modes_times_links_and_pipes_are_kept_and_devices_left_out() {
    let scratch = Scratch::new("kinds");
    let first = Layer::new()
        .folder("shut", 0o500)
        .file("shut/file", 0o4711, "x")
        .entry(EntryType::Link, "shut/hard", "/shut/file", 0, b"")
        .entry(EntryType::Link, "shut/file", "shut/hard", 0, b"")
        .entry(EntryType::Fifo, "pipe", "", 0o622, b"")
        .entry(EntryType::Char, "null", "", 0o666, b"")
        .entry(EntryType::XGlobalHeader, "pax_global_header", "", 0, b"")
        .pax(&[("mtime", b"1234567890.5")])
        .file("timed", 0o644, "")
        .pax(&[("SCHILY.xattr.user.kept", b"v\0w"), ("SCHILY.xattr.user.overlay.opaque", b"y")])
        .file("attributed", 0o644, "");
    // A folder that is shut in the layer below.
    let made = scratch.unpack(vec![first, Layer::new().file("shut/second", 0o644, "")]).unwrap();
    let meta = |name: &str| made.join(name).symlink_metadata().unwrap();
    assert_eq!(meta("shut").mode() & 0o7777, 0o500);
    let expected = if is_root() { 0o4711 } else { 0o711 };
    assert_eq!(
        meta("shut/file").mode() & 0o7777,
        expected,
        "what is not given away does not run as its owner"
    );
    assert_eq!(meta("shut/file").ino(), meta("shut/hard").ino());
    assert!(meta("pipe").file_type().is_fifo() && meta("pipe").mode() & 0o777 == 0o622);
    assert!(!made.join("null").exists() && !made.join("pax_global_header").exists());
    assert_eq!((meta("timed").mtime(), meta("timed").mtime_nsec()), (1_234_567_890, 500_000_000));
    assert_eq!(meta("shut").mtime(), 1_000_000_000, "what came later left it as it was");
    let listed = rustix::fs::listxattr_query(made.join("attributed")).unwrap_or(0);
    let mut names = vec![0; listed];
    rustix::fs::listxattr(made.join("attributed"), &mut names[..]).unwrap_or(0);
    let names = String::from_utf8_lossy(&names).into_owned();
    assert!(!names.contains("overlay"), "{names}");
    // Not every file system of temporary files has such attributes.
    if rustix::fs::setxattr(made.join("timed"), "user.x", b"", rustix::fs::XattrFlags::empty())
        .is_ok()
    {
        assert!(names.contains("user.kept"), "{names}");
    }
}

#[test]
fn nothing_leads_out() {
    let scratch = Scratch::new("hostile");
    let outside = scratch.0.join("outside").to_string_lossy().into_owned();
    let folder = scratch.0.to_string_lossy().into_owned();
    let link = |path: &str, to: &str| Layer::new().symlink(path, to);
    // Those are refused.
    for layer in [
        Layer::new().file("../outside", 0o644, "x"),
        Layer::new().file("a/../../outside", 0o644, "x"),
        Layer::new().file("a/.wh...", 0o644, ""),
        Layer::new().file(".wh.", 0o644, ""),
        Layer::new().entry(EntryType::Link, "x", "../outside", 0, b""),
        Layer::new().entry(EntryType::Link, "x", &outside, 0, b""),
        link("up", "..").entry(EntryType::Link, "x", "up/outside", 0, b""),
        link("up", &folder).file("up/outside", 0o644, "x"),
    ] {
        let error = scratch.unpack(vec![layer]);
        assert!(error.is_err() && scratch.is_untouched());
    }
    // Those end inside.
    for layers in [
        vec![Layer::new().file(&outside, 0o644, "x")],
        vec![link("up", "../../../..").file("up/outside", 0o644, "x")],
        vec![link("outside", &outside).file("outside", 0o644, "x")],
        vec![link("outside", &outside), Layer::new().file("outside", 0o600, "x")],
        vec![link("a", &folder).folder("a", 0o700).file("a/outside", 0o600, "x")],
        vec![link("a", &folder), Layer::new().file("a/.wh.outside", 0o644, "")],
        vec![link("a", &folder), Layer::new().file("a/.wh..wh..opq", 0o644, "")],
        vec![link("a", ".."), Layer::new().file("a/.wh.outside", 0o644, "")],
        vec![link(".source", &outside)],
        vec![link(".launcher.json", &outside)],
        vec![link("etc", &folder)],
        vec![link("tmp", &outside), Layer::new().folder("tmp", 0o777)],
    ] {
        let made = scratch.unpack(layers).unwrap();
        assert!(scratch.is_untouched() && made.join(".source").is_file());
        assert!(!made.join(CONFIG).is_symlink());
        assert!(!scratch.0.join("passwd").exists());
    }
}

/// A blob that is not what it is called, at every place where there is one.
#[test]
fn what_has_another_digest_is_refused() {
    let scratch = Scratch::new("digests");
    let own = Wish::default().platform();
    let layer = || vec![Layer::new().file("a", 0o644, "1")];
    let layout = scratch.layout(layer(), &json!({}), &[&own]);
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|e| e.unwrap().path());
    let blobs = blobs.collect::<Vec<_>>();
    assert_eq!(blobs.len(), 4, "a layer, configuration, manifest and index");
    let made = scratch.0.join("made");
    for blob in blobs {
        let content = fs::read(&blob).unwrap();
        fs::write(&blob, [&content[..], b"\n"].concat()).unwrap();
        let error = complete(&made, Some(&layout), Old::Keep).unwrap_err().to_string();
        assert!(error.contains("its digest is sha256:"), "{error}");
        assert!(!made.join("a").exists());
        fs::write(&blob, content).unwrap();
    }
    complete(&made, Some(&layout), Old::Keep).unwrap();
    // The same from an archive as docker save had them, whose layers are named by nobody.
    let archive = |text: &str| {
        let mut inner = Layer::new().file("a", 0o644, text).into_bytes();
        let config = json!({"os": "linux", "architecture": own.trim_start_matches("linux/"),
            "config": {"Cmd": ["/a"]},
            "rootfs": {"diff_ids": [crate::test::layout::digest(
                &Layer::new().file("a", 0o644, "1").into_bytes())]}});
        let manifest =
            json!([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["b/layer.tar"]}]);
        let outer = Layer::new()
            .file("l/layer.tar", 0o644, std::mem::take(&mut inner))
            .symlink("b/layer.tar", "../l/layer.tar")
            .file("c.json", 0o644, config.to_string())
            .file("manifest.json", 0o644, manifest.to_string());
        let path = scratch.0.join("docker.tar");
        fs::write(&path, outer.into_bytes()).unwrap();
        complete(&made, Some(&path), Old::Replace)
    };
    archive("1").unwrap();
    assert!(text(made.join(CONFIG)).contains("/a"));
    assert!(archive("2").unwrap_err().to_string().contains("its digest is"));
}

#[test]
fn image_is_that_of_this_machine_and_its_words_are_kept() {
    let scratch = Scratch::new("platforms");
    let own = Wish::default().platform();
    let config = json!({"Env": ["A=1"], "Cmd": ["/x"], "Entrypoint": null, "User": "",
        "WorkingDir": "srv/deep", "Volumes": {"/v": {}}});
    let layer = || vec![Layer::new().file(CONFIG, 0o644, "the image's own")];
    let layout = scratch.layout(layer(), &config, &["linux/s390x", &own, "unknown/unknown"]);
    let made = scratch.0.join("made");
    complete(&made, Some(&layout), Old::Keep).unwrap();
    let kept: Value = serde_json::from_str(&text(made.join(CONFIG))).unwrap();
    assert_eq!(kept, json!({"Env": ["A=1"], "Cmd": ["/x"], "WorkingDir": "/srv/deep"}));
    assert!(made.join("srv/deep").is_dir());

    let source = |platform: Option<&str>, tag: Option<&str>| {
        let wish = Wish { platform: platform.map(Into::into), tag: tag.map(Into::into) };
        complete_from(&made, &Source::Layout(layout.clone(), wish), Old::Replace)
    };
    source(Some("linux/s390x"), None).unwrap();
    let error = source(Some("linux/ppc64le"), None).unwrap_err().to_string();
    assert!(error.contains("no image for linux/ppc64le, but for linux/s390x"), "{error}");
    assert!(source(None, Some("latest")).unwrap_err().to_string().contains("no image is called"));
    for broken in [json!({"Env": "A"}), json!({"Cmd": [1]}), json!({"User": 5})] {
        scratch.layout(layer(), &broken, &[&own]);
        assert!(source(None, None).unwrap_err().to_string().contains("makes no sense"));
    }
}

#[test]
fn archives_are_unpacked_however_they_are_packed() {
    let scratch = Scratch::new("archives");
    let own = Wish::default().platform();
    let layout =
        scratch.layout(vec![Layer::new().file("a", 0o644, "1")], &json!({"Cmd": ["x"]}), &[&own]);
    let image = Layer::new().tree(&layout).unwrap().into_bytes();
    let plain = Layer::new().file("./a", 0o644, "1").file(".wh.kept", 0o644, "").into_bytes();
    let made = scratch.0.join("made");
    for (content, is_image) in [(plain, false), (image, true)] {
        let packed = |program: &str, content: &[u8]| {
            let path = scratch.0.join("archive");
            let mut file = fs::File::create(&path).unwrap();
            match program {
                "" => file.write_all(content).unwrap(),
                "zstd" => {
                    // Two frames, and one between them that says nothing.
                    let level = ruzstd::encoding::CompressionLevel::Fastest;
                    let (one, two) = content.split_at(700);
                    file.write_all(&ruzstd::encoding::compress_to_vec(one, level)).unwrap();
                    file.write_all(b"\x50\x2a\x4d\x18\x03\0\0\0abc").unwrap();
                    file.write_all(&ruzstd::encoding::compress_to_vec(two, level)).unwrap();
                }
                program => {
                    let mut packer = Command::new(program);
                    packer.arg("-c").stdin(std::process::Stdio::piped()).stdout(file);
                    let mut packer = packer.spawn().unwrap();
                    packer.stdin.take().unwrap().write_all(content).unwrap();
                    assert!(packer.wait().unwrap().success());
                }
            }
            path
        };
        for program in ["", "gzip", "zstd", "xz", "bzip2"] {
            if !program.is_empty() && program != "zstd" && crate::program::find(program).is_none() {
                println!("no {program} here");
                continue;
            }
            complete(&made, Some(&packed(program, &content)), Old::Replace).unwrap();
            assert_eq!(text(made.join("a")), "1", "{program}");
            assert_eq!(
                (made.join(CONFIG).exists(), made.join(".wh.kept").exists()),
                (is_image, !is_image)
            );
        }
    }
    let short = scratch.0.join("short");
    fs::write(&short, b"\x1f\x8b\x08\0").unwrap();
    assert!(complete(&made, Some(&short), Old::Replace).is_err());
    assert!(!made.join("a").exists());
}

/// The layout itself may be hostile.
#[test]
fn a_layout_does_not_lead_out_either() {
    let scratch = Scratch::new("layout");
    let own = Wish::default().platform();
    let layout = scratch.layout(vec![Layer::new().file("a", 0o644, "1")], &json!({}), &[&own]);
    let made = scratch.0.join("made");
    let index = layout.join("index.json");
    let good = text(&index);
    for digest in ["sha256:../../../outside", "sha256:", "md5:00", "../../outside", ""] {
        let entry =
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest});
        fs::write(&index, json!({"manifests": [entry]}).to_string()).unwrap();
        let error = complete(&made, Some(&layout), Old::Keep).unwrap_err().to_string();
        assert!(error.contains("is no SHA-256 digest"), "{error}");
    }
    fs::remove_file(&index).unwrap();
    symlink("/dev/zero", &index).unwrap();
    let error = complete(&made, Some(&layout), Old::Keep).unwrap_err().to_string();
    assert!(!error.is_empty());
    fs::remove_file(&index).unwrap();
    fs::write(&index, good).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "2.0.0"}"#).unwrap();
    let error = complete(&made, Some(&layout), Old::Keep).unwrap_err().to_string();
    assert!(error.contains("version"), "{error}");
    assert!(!Path::new(&made).join("a").exists());
}

#[test]
fn what_is_no_archive_is_refused() {
    let scratch = Scratch::new("no-archive");
    for (name, bytes) in [("empty", &b""[..]), ("image", b"hsqs\xff\xfe"), ("text", &[b'x'; 1024])]
    {
        let path = scratch.0.join(name);
        fs::write(&path, bytes).unwrap();
        let refused = archive(&path, &Wish::default(), &scratch.0.join("place"));
        assert!(matches!(refused, Err(Error::Misuse(_))), "{name}");
    }
}
