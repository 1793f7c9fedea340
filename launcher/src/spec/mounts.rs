//! The mount plan: what is mounted or made on the rootfs, and where, in the order given.
//!
//! It is plain data. `prepare` opens the sources; the child (`child/plan.rs`) carries the plan out
//! from first to last, so that a later mount may lie in an earlier one.

mod fields;
mod forms;
mod tmpfs;

use std::ffi::{CStr, CString};

use crate::args::Args;
use crate::error::Error;
use crate::sys::mount::attr::RDONLY;
use crate::words::Word;
pub use fields::Fields;

/// A step of the plan.
#[derive(Debug, PartialEq, Eq)]
pub struct Mount {
    pub target: Target,
    pub what: What,
    /// If its mount point is missing and cannot be made, it is left out.
    pub optional: bool,
}

/// A file system's own, as the kernel takes it.
pub type MountOption = (&'static CStr, CString);

/// What is put there.
#[derive(Debug, PartialEq, Eq)]
pub enum What {
    Bind(Bind),
    /// A new tmpfs with these options and flags.
    Tmpfs {
        options: Vec<MountOption>,
        flags: u64,
    },
    /// Directories of the host's over one another, uppermost first.
    Overlay {
        lower: Vec<CString>,
        /// Where changes go; `None`: into a tmpfs.
        upper: Option<CString>,
        flags: u64,
    },
    /// A new mqueue file system.
    Mqueue,
    /// A file with a copy of something.
    File {
        content: Content,
        mode: u32,
    },
    /// A symbolic link to this.
    Symlink(CString),
    /// A directory.
    Dir {
        mode: u32,
    },
}

/// A file or directory of the host's.
#[derive(Debug, PartialEq, Eq)]
pub struct Bind {
    /// The source has to be a device node.
    pub device: bool,
    pub source: CString,
    /// With the mounts below it (rbind).
    pub recursive: bool,
    /// A missing source is no error: the mount is left out.
    pub optional: bool,
    /// MOUNT_ATTR_* for all its mounts.
    pub flags: u64,
    /// Id-mapped like the rootfs, if the rootfs is.
    pub idmap: bool,
}

/// Where a file's content comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    Descriptor(i32),
    Path(CString),
    Text(Vec<u8>),
}

/// An absolute path inside.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    pub path: CString,
    /// The directories on the way, outermost first, for the child to make those that are missing.
    pub above: Vec<CString>,
}

impl Target {
    /// A file in a directory of the root.
    pub fn below(dir: &CStr, name: &CStr) -> Target {
        let path = [dir.to_bytes(), b"/", name.to_bytes()].concat();
        Target { path: CString::new(path).unwrap_or_default(), above: vec![dir.to_owned()] }
    }
}

/// Where `--here` puts the current directory.
pub const HERE: &[u8] = b"/app";

/// Where programs expect to be able to write on a read-only root, as systemd's volatile and
/// podman's `--read-only` have it.
const VOLATILE: [&[u8]; 3] = [b"/tmp:mode=1777", b"/run:mode=755", b"/var/tmp:mode=1777"];

impl Mount {
    /// Whether it is mounted read-only.
    pub fn is_read_only(&self) -> bool {
        let flags = match &self.what {
            What::Bind(bind) => bind.flags,
            What::Tmpfs { flags, .. } | What::Overlay { flags, .. } => *flags,
            _ => 0,
        };
        flags & RDONLY != 0
    }

    fn new(target: Target, what: What) -> Mount {
        Mount { target, what, optional: false }
    }

    /// Where `--here` puts the current directory.
    pub fn here(args: &Args) -> Result<Option<Target>, Error> {
        let mount = args.here.as_ref().map(|word| forms::parse("--here", word)).transpose()?;
        Ok(mount.map(|mount| mount.target))
    }

    /// The options of /proc.
    pub fn proc_options(args: &Args) -> Result<Vec<MountOption>, Error> {
        args.proc_options.as_ref().map_or(Ok(Vec::new()), forms::proc_options)
    }

    /// The plan that was typed: argh gives the values option by option, `order` the options. What
    /// other options ask for comes first, so that a mount of the user's is on top of it.
    pub fn plan(args: &Args, order: &[String], others: Vec<Mount>) -> Result<Vec<Mount>, Error> {
        let mut typed = [
            ("--bind", args.bind.iter()),
            ("--mount", args.mount.iter()),
            ("--dev-bind", args.dev_bind.iter()),
            ("--device", args.device.iter()),
            ("--tmpfs", args.tmpfs.iter()),
            ("--overlay", args.overlay.iter()),
            ("--mqueue", args.mqueue.iter()),
            ("--file", args.file.iter()),
            ("--symlink", args.symlink.iter()),
            ("--dir", args.dir.iter()),
            ("--here", args.here.as_slice().iter()),
        ];
        let next = |name: &String| {
            let (option, values) = typed.iter_mut().find(|(option, _)| option == name)?;
            Some((*option, values.next()?))
        };
        let typed = order.iter().filter_map(next).map(|(option, word)| forms::parse(option, word));
        let volatile = if args.read_only { &VOLATILE[..] } else { &[] };
        let volatile = volatile.iter().map(|word| {
            let mount = forms::parse("--tmpfs", &Word(word.to_vec()))?;
            Ok(Mount { optional: true, ..mount })
        });
        volatile.chain(others.into_iter().map(Ok)).chain(typed).collect()
    }
}
