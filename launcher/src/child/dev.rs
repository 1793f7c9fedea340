//! /dev: a tmpfs with the nodes every program expects, and terminals of its own.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use init::report::Report;
use init::stage::Stage;

use super::identity;
use super::reporter::{At as _, Failure, Reporter};
use super::root;
use crate::prepare::{NOTIFY_NAME, Prepared, Source, Sources};
use crate::sys::file::At;
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, file, mount, socket, terminal};

const LINKS: [(&CStr, &CStr); 5] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
];

/// What a report of FillDev names when it is not about a device node.
const NO_DEVICE: usize = u16::MAX as usize;

/// The group that terminals belong to (Debian's base-passwd, and every distribution since).
const TTY_GROUP: u32 = 5;

/// The mounted /dev.
pub struct Dev {
    dev: OwnedFd,
    pts: OwnedFd,
    /// What devpts is mounted on: nobody sees a file in there.
    below_pts: OwnedFd,
}

/// Mounts and fills /dev.
pub fn assemble(
    prepared: &Prepared<'_>,
    root: BorrowedFd<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<Dev, Failure> {
    let target = root::make_mount_point(root, root::DEV)?;
    // The device nodes are mounts of their own, with the host's flags; nothing else here is one.
    let options = [(c"mode", c"755"), (c"size", c"65536k")];
    let dev = mount::create(c"tmpfs", options, NOSUID | NODEV | NOEXEC).at(Stage::MountDev)?;
    mount::attach(dev.as_fd(), At::Dir(target.as_fd()), c"").at(Stage::MountDev)?;
    reporter.done(Stage::MountDev);

    let sources = &prepared.sources;
    for (index, (name, device)) in sources.devices.iter().enumerate() {
        if let Some(node) = device.clone() {
            bind_onto_new_file(node, dev.as_fd(), name).at_object(Stage::FillDev, index)?;
        }
    }
    for (name, target) in LINKS {
        file::make_symlink(target, dev.as_fd(), name).at_object(Stage::FillDev, NO_DEVICE)?;
    }
    for name in [c"pts", c"shm", c"mqueue"] {
        file::make_dir(At::Dir(dev.as_fd()), name, 0o755).at_object(Stage::FillDev, NO_DEVICE)?;
    }
    if let Some(socket) = sources.notify.as_ref().and_then(Source::clone) {
        let bound = bind_onto_new_file(socket, dev.as_fd(), NOTIFY_NAME);
        bound.at_object(Stage::FillDev, NO_DEVICE)?;
    }
    reporter.done(Stage::FillDev);

    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let below_pts = file::open(At::Dir(dev.as_fd()), c"pts", flags).at(Stage::MountPts)?;
    let pts = mount_pts(prepared, below_pts.as_fd()).at(Stage::MountPts)?;
    reporter.done(Stage::MountPts);
    mount_shm(sources, dev.as_fd()).at(Stage::MountShm)?;
    reporter.done(Stage::MountShm);
    match mount_mqueue(prepared, sources, dev.as_fd()) {
        Ok(()) => reporter.done(Stage::MountMqueue),
        // CONFIG_POSIX_MQUEUE is off on many boards; who needs queues is told by mq_open itself.
        Err(errno) => reporter.skipped(Stage::MountMqueue, errno),
    }
    Ok(Dev { dev, pts, below_pts })
}

fn bind_onto_new_file(source: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> SysResult<()> {
    file::create_empty(dir, name)?;
    mount::attach(source, At::Dir(dir), name)
}

fn mount_pts(prepared: &Prepared<'_>, onto: BorrowedFd<'_>) -> SysResult<OwnedFd> {
    let options = [(c"mode", c"620"), (c"ptmxmode", c"666"), (c"gid", c"5")];
    // The kernel takes no id that the container does not have.
    let has_group = prepared.ids.gid.has_inside(TTY_GROUP);
    let options = options.into_iter().take(if has_group { 3 } else { 2 });
    let pts = mount::create(c"devpts", options, NOSUID | NOEXEC)?;
    mount::attach(pts.as_fd(), At::Dir(onto), c"")?;
    Ok(pts)
}

fn mount_shm(sources: &Sources, dev: BorrowedFd<'_>) -> SysResult<()> {
    if let Some(hosts) = sources.shm.as_ref().and_then(Source::clone) {
        return mount::attach(hosts, At::Dir(dev), c"shm");
    }
    let options = [(c"mode", c"1777"), (c"size", c"65536k")];
    let shm = mount::create(c"tmpfs", options, NOSUID | NODEV | NOEXEC)?;
    mount::attach(shm.as_fd(), At::Dir(dev), c"shm")
}

fn mount_mqueue(prepared: &Prepared<'_>, sources: &Sources, dev: BorrowedFd<'_>) -> SysResult<()> {
    if prepared.spec.share.ipc {
        // A new mount would show the queues of a namespace that is not ours: EPERM.
        return match sources.mqueue.as_ref().and_then(Source::clone) {
            Some(hosts) => mount::attach(hosts, At::Dir(dev), c"mqueue"),
            None => Ok(()),
        };
    }
    let mqueue = mount::create(c"mqueue", [], NOSUID | NODEV | NOEXEC)?;
    mount::attach(mqueue.as_fd(), At::Dir(dev), c"mqueue")
}

impl Dev {
    /// Attaches a new file with this content onto another one. It keeps a name, out of sight: the
    /// kernel mounts nothing that has none, nor on it.
    pub fn attach_file(
        &self,
        number: usize,
        content: &[u8],
        mode: u32,
        onto: BorrowedFd<'_>,
    ) -> SysResult<()> {
        let mut name = [0; 24]; // on the stack: nothing is allocated here
        write!(&mut name[..], "{number}\0").map_err(|_| Errno::ENAMETOOLONG)?;
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::ENAMETOOLONG)?;
        let dir = self.below_pts.as_fd();
        let file = file::create(dir, name, mode)?;
        file::write_all(file.as_fd(), content)?;
        let clone = mount::clone_tree(At::Dir(dir), name, false)?;
        if mode & 0o111 != 0 {
            mount::allow_exec(clone.as_fd())?;
        }
        mount::attach(clone.as_fd(), At::Dir(onto), c"")
    }

    /// Opens a terminal of the container's own devpts: one of the host's would belong to nobody
    /// in here, and would let the command type into the host's session (TIOCSTI). The master
    /// goes out to the parent; the other side becomes standard input and output, /dev/console,
    /// and by init's doing the controlling terminal.
    pub fn open_terminal(
        &self,
        prepared: &Prepared<'_>,
        channel: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let open = || {
            let flags = libc::O_RDWR | libc::O_NOCTTY;
            let master = file::open(At::Dir(self.pts.as_fd()), c"ptmx", flags)?;
            terminal::unlock(master.as_fd())?;
            let peer = terminal::open_peer(master.as_fd())?;
            if prepared.account.uid != 0 {
                file::change_owner(peer.as_fd(), prepared.account.uid)?;
            }
            let console = mount::clone_tree(At::Dir(peer.as_fd()), c"", false)?;
            bind_onto_new_file(console.as_fd(), self.dev.as_fd(), c"console")?;
            socket::send_with_fd(channel, &Report::Terminal.to_bytes(), master.as_fd())?;
            // The parent gives it the size and the modes of the caller's; the command must not
            // look before that.
            identity::wait_for_parent(channel)?;
            file::duplicate_onto(peer.as_fd(), 0)?;
            file::duplicate_onto(peer.as_fd(), 1)?;
            if prepared.stderr_is_terminal {
                file::duplicate_onto(peer.as_fd(), 2)?;
            }
            Ok(())
        };
        open().at(Stage::OpenTerminal)
    }
}
