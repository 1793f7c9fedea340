//! An image file as ROOTFS: recognised by its magic number, and mounted read-only.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, RDONLY};
use crate::sys::{Errno, Result as SysResult, device, mount};

/// A file system, and the magic number in its superblock.
struct Kind {
    name: &'static CStr,
    offset: usize,
    magic: &'static [u8],
    kernel_option: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { name: c"squashfs", offset: 0, magic: b"hsqs", kernel_option: "CONFIG_SQUASHFS" },
    Kind {
        name: c"erofs",
        offset: 1024,
        magic: b"\xe2\xe1\xf5\xe0",
        kernel_option: "CONFIG_EROFS_FS",
    },
    Kind { name: c"ext4", offset: 1024 + 56, magic: b"\x53\xef", kernel_option: "CONFIG_EXT4_FS" },
];

/// The magic numbers of archives, which cannot be mounted: the offset, and the bytes there.
const ARCHIVES: [(usize, &[u8]); 5] =
    [(0, b"\x1f\x8b"), (0, b"\x28\xb5\x2f\xfd"), (0, b"\xfd7zXZ"), (0, b"BZh"), (257, b"ustar")];

/// Mounts the image at this path, read-only and detached.
pub fn open(path: &CStr, can_mount: bool) -> Result<OwnedFd, Error> {
    let shown = path.to_string_lossy();
    let failed = |errno| Error::at("OpenRootfs", format_args!("open rootfs {shown}"), errno);
    let image = file::open(At::Cwd, path, libc::O_RDONLY | libc::O_NONBLOCK)
        .map_err(|errno| failed(errno).advise_maybe(super::rootfs::advice(path, errno)))?;
    if !file::stat_fd(image.as_fd()).map_err(failed)?.is_regular() {
        return Err(failed(Errno::ENOTDIR).advise("ROOTFS is a directory, or an image file"));
    }
    let mut head = [0; 2048];
    let count = file::read(image.as_fd(), &mut head).map_err(failed)?;
    let Some(kind) = KINDS.iter().find(|kind| has(&head[..count], kind.offset, kind.magic)) else {
        let is_archive = ARCHIVES.iter().any(|(at, magic)| has(&head[..count], *at, magic));
        let advice = match is_archive {
            true => {
                "it is an archive: `cargo xtask rootfs --from` unpacks it (a compressed image: xz -d, \
                 gzip -d, zstd -d)"
            }
            false => "it is neither a directory nor a squashfs, erofs or ext4 image",
        };
        return Err(failed(Errno::ENOTDIR).advise(advice));
    };
    let name = kind.name.to_string_lossy();
    mount_image(kind.name, image.as_fd()).map_err(|errno| {
        let error = Error::at("MountImage", format_args!("mount {name} image {shown}"), errno);
        match errno {
            Errno::EPERM | Errno::EACCES if !can_mount => error.advise(
                "only root mounts images; unpack it (unsquashfs, fsck.erofs --extract), or mount it \
                 by squashfuse, erofsfuse or fuse2fs",
            ),
            Errno::EINVAL | Errno::EUCLEAN | Errno::EBADMSG | Errno::EIO => {
                error.advise("it is cut short or damaged; the kernel's log (dmesg) says where")
            }
            Errno::ENODEV => error.advise(format!("the kernel lacks {}", kind.kernel_option)),
            Errno::ENOENT | Errno::ENXIO => {
                error.advise("the kernel lacks CONFIG_BLK_DEV_LOOP, or /dev its loop devices")
            }
            _ => error,
        }
    })
}

fn has(head: &[u8], offset: usize, magic: &[u8]) -> bool {
    head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

fn mount_image(kind: &CStr, image: BorrowedFd<'_>) -> SysResult<OwnedFd> {
    let mount =
        |source: &CStr| mount::create(kind, [(c"source", source), (c"ro", c"")], RDONLY | NODEV);
    // erofs mounts a file directly (Linux 6.12). The others answer ENOTBLK.
    let itself = format!("/proc/self/fd/{}", image.as_raw_fd());
    match mount(&CString::new(itself).unwrap_or_default()) {
        Err(Errno::ENOTBLK | Errno::ENOENT) => {}
        other => return other,
    }
    // The loop device is read-only, and the kernel clears it when the mount is gone.
    let (path, device) = device::loop_over(image)?;
    let mounted = mount(&path);
    drop(device);
    mounted
}
