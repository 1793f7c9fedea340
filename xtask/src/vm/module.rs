//! The kernel modules a guest loads: the wanted ones and what they depend on, in loading order.
//!
//! Debian's packages have no modules.dep, which depmod makes at installation. What a module
//! depends on is written in itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{At, Error};
use crate::program;

/// What the container tests may ask of a kernel; its memory and pty file systems are built in.
pub const WANTED: &[&str] = &[
    "bfq",
    "bridge",
    "dummy",
    "erofs",
    "ext4",
    "fuse",
    "ipvlan",
    "loop",
    "macvlan",
    "nf_conntrack",
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
    "nft_masq",
    "nft_nat",
    "overlay",
    "sch_tbf",
    "squashfs",
    "tun",
    "veth",
];

/// A module, not compressed.
pub struct Module {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Modules in loading order, and the wanted ones that the kernel does not have.
#[derive(Default)]
pub struct Modules {
    pub found: Vec<Module>,
    pub missing: Vec<String>,
}

/// Reads them from `folder`, lib/modules/RELEASE. Without a folder all are missing.
pub fn collect(folder: Option<&Path>, busybox: &Path) -> Result<Modules, Error> {
    let mut modules = Modules::default();
    let Some(folder) = folder else {
        modules.missing = WANTED.iter().map(|name| name.to_string()).collect();
        return Ok(modules);
    };
    let files = files(&folder.join("kernel"))?;
    let list = folder.join("modules.builtin");
    let built_in = fs::read_to_string(&list).at("read", &list)?;
    let built_in: Vec<String> = built_in.lines().map(|line| module_name(Path::new(line))).collect();
    for name in WANTED {
        add(&mut modules, name, &files, &built_in, busybox)?;
    }
    Ok(modules)
}

/// Depth first, so what a module depends on comes before it.
fn add(
    modules: &mut Modules,
    name: &str,
    files: &BTreeMap<String, PathBuf>,
    built_in: &[String],
    busybox: &Path,
) -> Result<(), Error> {
    let is_name = |other: &String| other == name;
    if built_in.iter().any(is_name) || modules.found.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let Some(file) = files.get(name) else {
        modules.missing.push(name.to_string());
        return Ok(());
    };
    let bytes = read(file, busybox)?;
    for dependency in depends(&bytes) {
        add(modules, &dependency, files, built_in, busybox)?;
    }
    modules.found.push(Module { name: name.to_string(), bytes });
    Ok(())
}

fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            let path = entry.at("read", &folder)?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(module_name(&path), path);
            }
        }
    }
    Ok(found)
}

/// In file names `-` and `_` are both used, in the kernel's own words only `_` is.
fn module_name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().replace('-', "_")
}

/// Debian compresses them from 6.12 on, but only some kernels can load them so.
fn read(file: &Path, busybox: &Path) -> Result<Vec<u8>, Error> {
    if file.extension().is_some_and(|extension| extension == "xz") {
        return program::read(Command::new(busybox).args(["xz", "-d", "-c"]).arg(file));
    }
    fs::read(file).at("read", file)
}

/// The `depends=` string of a module's .modinfo section.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module[start + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    value.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_module() {
        let module = b"\x7fELF\0license=GPL\0depends=nf_tables,nf-nat\0name=nft_masq\0";
        assert_eq!(depends(module), ["nf_tables", "nf_nat"]);
        assert!(depends(b"\0depends=\0").is_empty() && depends(b"\x7fELF").is_empty());
    }

    #[test]
    fn dependencies_come_first_and_once() {
        let folder = std::env::temp_dir().join(format!("xtask-modules-{}", std::process::id()));
        fs::create_dir_all(folder.join("kernel/net")).unwrap();
        fs::write(folder.join("kernel/net/nft-masq.ko"), b"\0depends=nf_tables,nf_nat\0").unwrap();
        fs::write(folder.join("kernel/net/nf_tables.ko"), b"\0depends=nf_nat\0").unwrap();
        fs::write(folder.join("kernel/net/nf_nat.ko"), b"\0depends=libcrc32c\0").unwrap();
        fs::write(folder.join("modules.builtin"), "kernel/lib/libcrc32c.ko\n").unwrap();
        let modules = collect(Some(&folder), Path::new("/none"));
        fs::remove_dir_all(&folder).unwrap();
        let modules = modules.unwrap();
        let order: Vec<_> = modules.found.iter().map(|module| &*module.name).collect();
        assert_eq!(order, ["nf_nat", "nf_tables", "nft_masq"]);
        assert!(modules.missing.contains(&"overlay".to_string()));
        assert!(!modules.missing.contains(&"nft_masq".to_string()));
    }
}
