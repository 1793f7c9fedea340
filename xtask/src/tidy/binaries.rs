//! The rules for what was built: static, and small.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::Violation;
use crate::elf;
use crate::failure::{At, Error};

/// A binary below the target folder and how large it may be. A size is a promise of the README,
/// with some air for other versions of the compiler.
struct Budget(&'static str, u64);

const BUDGETS: &[Budget] = &[
    Budget("x86_64-unknown-linux-musl/release/launcher", 600 * 1024),
    Budget("aarch64-unknown-linux-musl/release/launcher", 600 * 1024),
    Budget("init/x86_64-unknown-linux-musl/release/init", 11 * 1024 + 512),
    Budget("init/aarch64-unknown-linux-musl/release/init", 13 * 1024 + 320),
    Budget("init/riscv64gc-unknown-linux-gnu/release/init", 11 * 1024 + 576),
    Budget("init/armv7-unknown-linux-gnueabihf/release/init", 16 * 1024 + 576),
];

/// Looks at the release binaries that exist.
pub fn violations(target_dir: &Path) -> Result<Vec<Violation>, Error> {
    let mut found = Vec::new();
    for Budget(path, bytes) in BUDGETS {
        let path = target_dir.join(path);
        let file = match fs::read(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => continue,
            file => file.at("read", &path)?,
        };
        let mut add = |text| found.push(Violation { file: path.clone(), line: 0, text });
        if elf::kind(&file) != elf::Kind::Static {
            add("not a static executable".to_string());
        }
        if file.len() as u64 > *bytes {
            add(format!("{} bytes, {bytes} are allowed", file.len()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_has_to_be_static_and_small() {
        let target_dir =
            std::env::temp_dir().join(format!("xtask-binaries-{}", std::process::id()));
        let folder = target_dir.join("init/x86_64-unknown-linux-musl/release");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("init"), vec![0; 11 * 1024 + 513]).unwrap();
        let found = violations(&target_dir);
        fs::remove_dir_all(&target_dir).unwrap();
        let texts: Vec<_> = found.unwrap().into_iter().map(|violation| violation.text).collect();
        assert_eq!(texts, ["not a static executable", "11777 bytes, 11776 are allowed"]);
    }
}
