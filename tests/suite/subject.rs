//! Where the programs under test are: from the environment, or beside this program as cargo
//! leaves them.

use std::env;
use std::path::{Path, PathBuf};

/// The launcher.
pub fn launcher() -> PathBuf {
    from_env("LAUNCHER", |target, triple| target.join(triple).join("release/launcher"))
}

/// init, as it is shipped on its own.
pub fn init() -> PathBuf {
    from_env("INIT", |target, triple| target.join("init").join(triple).join("release/init"))
}

/// The command that most tests run.
pub fn probe() -> PathBuf {
    from_env("PROBE", |target, triple| target.join(triple).join("release/probe"))
}

/// The example root file system, which has busybox.
pub fn rootfs() -> PathBuf {
    from_env("ROOTFS", |target, _| target.join("../rootfs"))
}

/// An image of the root file system, with the probe in it.
pub fn image(kind: &str) -> Option<PathBuf> {
    image_file(&format!("rootfs.{kind}"))
}

/// An image of that name.
pub fn image_file(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("TEST_IMAGES")?);
    Some(folder.join(name)).filter(|path| path.is_file())
}

/// Whether a word is one of those images.
pub fn is_image(word: &Path) -> bool {
    env::var_os("TEST_IMAGES").is_some_and(|folder| word.parent() == Some(Path::new(&folder)))
}

/// What was an image of OCI's, unpacked by `cargo xtask rootfs`.
pub fn unpacked() -> Option<PathBuf> {
    Some(PathBuf::from(env::var_os("TEST_UNPACKED")?)).filter(|path| path.is_dir())
}

/// A program of the machine's, found on PATH.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The default is below cargo's target folder: this program is TARGET/TRIPLE/release/deps/suite-….
fn from_env(variable: &str, default: fn(&Path, &Path) -> PathBuf) -> PathBuf {
    if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
        return path.into();
    }
    let own = env::current_exe().unwrap_or_default();
    let mut above = own.ancestors().skip(3);
    let triple = above.next().and_then(Path::file_name).unwrap_or_default();
    let target = above.next().unwrap_or(Path::new("target"));
    let path = default(target, Path::new(triple));
    assert!(path.exists(), "{} is not there: run this by `cargo xtask test`", path.display());
    path
}
