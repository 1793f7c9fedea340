//! What the tasks ask of the system that they run on, where systems differ.

use std::fs;
use std::path::Path;

use crate::failure::{At, Error};

pub use system::{become_program, bytes, change_owner, mode, owner, set_mode, symlink};

/// Our effective uid and gid: on Linux the owner of /proc/self, elsewhere of our home.
pub fn ids() -> Result<(u32, u32), Error> {
    let ours = match cfg!(target_os = "linux") {
        true => Path::new("/proc/self").to_path_buf(),
        false => std::env::home_dir().unwrap_or_default(),
    };
    Ok(owner(&fs::metadata(&ours).at("read", &ours)?))
}

#[cfg(unix)]
mod system {
    use std::ffi::OsStr;
    use std::fs::{Metadata, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    pub use std::os::unix::fs::{chown as change_owner, symlink};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use crate::failure::{At, Error};

    /// The permissions of a file, with the bits above them.
    pub fn mode(metadata: &Metadata) -> u32 {
        metadata.permissions().mode() & 0o7777
    }

    pub fn owner(metadata: &Metadata) -> (u32, u32) {
        (metadata.uid(), metadata.gid())
    }

    pub fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).at("set the mode of", path)
    }

    /// A path as Linux has it.
    pub fn bytes(path: &OsStr) -> Vec<u8> {
        path.as_bytes().to_vec()
    }

    /// The program stands in our place; comes back only with why not.
    pub fn become_program(command: &mut Command) -> std::io::Error {
        command.exec()
    }
}

/// Windows: all files are ours, and everybody may execute them.
#[cfg(not(unix))]
mod system {
    use std::ffi::OsStr;
    use std::fs::Metadata;
    use std::io;
    use std::path::Path;
    use std::process::Command;

    use crate::failure::Error;

    pub fn mode(_: &Metadata) -> u32 {
        0o755
    }

    pub fn owner(_: &Metadata) -> (u32, u32) {
        (0, 0)
    }

    pub fn set_mode(_: &Path, _: u32) -> Result<(), Error> {
        Ok(())
    }

    pub fn bytes(path: &OsStr) -> Vec<u8> {
        path.to_string_lossy().replace('\\', "/").into_bytes()
    }

    pub fn become_program(command: &mut Command) -> io::Error {
        match command.status() {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(cause) => cause,
        }
    }

    pub fn symlink(_: impl AsRef<Path>, _: impl AsRef<Path>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn change_owner(_: impl AsRef<Path>, _: Option<u32>, _: Option<u32>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
