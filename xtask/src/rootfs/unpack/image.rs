//! From an image's index to its layers and its words about the command (image-spec: image-layout.md,
//! image-index.md, manifest.md, config.md; and `docker save` of before it wrote that).

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::blobs::Blobs;
use super::layer::Layer;
use crate::failure::Error;
use crate::rootfs::source::Wish;

/// What is to be unpacked.
pub struct Image {
    pub layers: Vec<Layer>,
    /// Those fields of the configuration that `launcher` knows.
    pub config: Map<String, Value>,
}

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYERS: [&str; 2] =
    ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];

/// The annotation of a layout's index that names an image.
const TAG: &str = "/annotations/org.opencontainers.image.ref.name";

/// An index of indexes of indexes is no honest one.
const DEPTH: usize = 4;

/// The fields, and whether each is a list of strings.
const FIELDS: [(&str, bool); 5] =
    [("Cmd", true), ("Entrypoint", true), ("Env", true), ("User", false), ("WorkingDir", false)];

impl Image {
    /// The image that is wished for.
    pub fn find(blobs: &Blobs, wish: &Wish) -> Result<Image, Error> {
        match blobs.has("index.json") {
            true => in_layout(blobs, wish),
            false => of_docker(blobs, wish),
        }
    }
}

fn in_layout(blobs: &Blobs, wish: &Wish) -> Result<Image, Error> {
    let version = blobs.part(Path::new("oci-layout"))?.json()?;
    let version = text(&version, "/imageLayoutVersion").unwrap_or_default();
    if !version.starts_with("1.") {
        return Err(broken(blobs, format!("version {version:?} of layouts is not known")));
    }
    let mut index = blobs.part(Path::new("index.json"))?.json()?;
    let mut tag = wish.tag.as_deref();
    for _ in 0..DEPTH {
        let chosen = choose(blobs, &index, wish, tag.take())?;
        let digest = text(&chosen, "/digest").unwrap_or_default();
        let value = blobs.named(digest)?.json()?;
        let kind = text(&value, "/mediaType").or(text(&chosen, "/mediaType")).unwrap_or_default();
        if MANIFESTS.contains(&kind) {
            return of_manifest(blobs, &value, wish);
        }
        if !INDEXES.contains(&kind) {
            return Err(broken(blobs, format!("{digest} is no image, but {kind:?}")));
        }
        index = value;
    }
    Err(broken(blobs, "its indexes have no end".into()))
}

/// The entry of an index: that of the tag if one is wished for, and of the platform.
fn choose(blobs: &Blobs, index: &Value, wish: &Wish, tag: Option<&str>) -> Result<Value, Error> {
    let all = list(index, "/manifests");
    let tagged = all.iter().filter(|entry| tag.is_none() || text(entry, TAG) == tag);
    let tagged = tagged.collect::<Vec<_>>();
    if let (Some(tag), true) = (tag, tagged.is_empty()) {
        return Err(broken(blobs, format!("no image is called {tag}; {}", tags(all))));
    }
    let fitting = tagged.iter().filter(|entry| {
        entry.get("platform").is_none_or(|_| wish.takes(&platform(entry, "/platform")))
    });
    let fitting = fitting.collect::<Vec<_>>();
    let Some(first) = fitting.first() else {
        let have = tagged.iter().map(|entry| platform(entry, "/platform")).collect::<Vec<_>>();
        let why = format!(
            "no image for {}, but for {}; see --platform",
            wish.platform(),
            have.join(", ")
        );
        return Err(broken(blobs, why));
    };
    if fitting.iter().any(|entry| text(entry, TAG) != text(first, TAG)) {
        return Err(broken(blobs, format!("it holds several images; {}", tags(all))));
    }
    Ok((**first).clone())
}

fn tags(entries: &[Value]) -> String {
    let tags = entries.iter().filter_map(|entry| text(entry, TAG)).collect::<Vec<_>>();
    format!("--tag takes one of {}", tags.join(", "))
}

/// os/architecture, and the variant if there is one.
fn platform(value: &Value, below: &str) -> String {
    let part = |name: &str| text(value, &format!("{below}/{name}"));
    let parts = [part("os"), part("architecture"), part("variant")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

fn of_manifest(blobs: &Blobs, manifest: &Value, wish: &Wish) -> Result<Image, Error> {
    let kind = text(manifest, "/config/mediaType").unwrap_or_default();
    if !CONFIGS.contains(&kind) {
        return Err(broken(blobs, format!("it is no image of a root file system, but {kind:?}")));
    }
    let config = blobs.named(text(manifest, "/config/digest").unwrap_or_default())?.json()?;
    let mut layers = Vec::new();
    for layer in list(manifest, "/layers") {
        let kind = text(layer, "/mediaType").unwrap_or_default();
        let is_known = LAYERS.iter().any(|known| kind.starts_with(known));
        if !is_known || kind.ends_with("+encrypted") {
            return Err(broken(blobs, format!("a layer is {kind:?}, which is not known")));
        }
        let digest = text(layer, "/digest").unwrap_or_default();
        layers.push((PathBuf::from(digest), blobs.named(digest)?));
    }
    assemble(blobs, &config, layers, wish)
}

fn of_docker(blobs: &Blobs, wish: &Wish) -> Result<Image, Error> {
    let manifest = blobs.part(Path::new("manifest.json"))?.json()?;
    let images = list(&manifest, "").iter();
    let has_tag = |image: &&Value, tag: &str| {
        list(image, "/RepoTags").iter().any(|own| own.as_str() == Some(tag))
    };
    let fitting = images.filter(|image| wish.tag.as_deref().is_none_or(|tag| has_tag(image, tag)));
    let [image] = fitting.collect::<Vec<_>>()[..] else {
        let all = list(&manifest, "").iter().flat_map(|image| list(image, "/RepoTags"));
        let tags = all.filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        return Err(broken(blobs, format!("--tag takes one image of it: {tags}")));
    };
    let config = text(image, "/Config").unwrap_or_default();
    let config = blobs.part(Path::new(config))?.json()?;
    let mut layers = Vec::new();
    for layer in list(image, "/Layers").iter().filter_map(Value::as_str) {
        layers.push((PathBuf::from(layer), blobs.part(Path::new(layer))?));
    }
    assemble(blobs, &config, layers, wish)
}

fn assemble(
    blobs: &Blobs,
    config: &Value,
    layers: Vec<(PathBuf, super::blobs::Part)>,
    wish: &Wish,
) -> Result<Image, Error> {
    let own = platform(config, "");
    if !wish.takes(&own) {
        return Err(broken(blobs, format!("it is for {own}; --platform {own} takes it")));
    }
    let diffs = list(config, "/rootfs/diff_ids");
    if diffs.len() != layers.len() {
        let why = format!("it has {} layers and {} digests of them", layers.len(), diffs.len());
        return Err(broken(blobs, why));
    }
    let layer = |((name, part), diff): ((PathBuf, _), &Value)| Layer {
        name,
        part,
        diff: diff.as_str().unwrap_or_default().to_string(),
    };
    let layers = layers.into_iter().zip(diffs).map(layer).collect();
    Ok(Image { layers, config: words(blobs, config)? })
}

/// What the configuration says of the command, checked.
fn words(blobs: &Blobs, config: &Value) -> Result<Map<String, Value>, Error> {
    let mut words = Map::new();
    for (name, is_list) in FIELDS {
        let value = config.pointer(&format!("/config/{name}")).unwrap_or(&Value::Null);
        let is_right = match value {
            Value::Null => continue,
            Value::Array(items) => is_list && items.iter().all(Value::is_string),
            Value::String(_) => !is_list,
            _ => false,
        };
        if !is_right {
            return Err(broken(blobs, format!("{name} of its configuration makes no sense")));
        }
        let value = match (name, value.as_str()) {
            (_, Some("")) => continue,
            ("WorkingDir", Some(path)) if !path.starts_with('/') => format!("/{path}").into(),
            _ => value.clone(),
        };
        words.insert(name.to_string(), value);
    }
    Ok(words)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn broken(blobs: &Blobs, why: String) -> Error {
    Error::Broken { what: blobs.path().into(), why }
}
