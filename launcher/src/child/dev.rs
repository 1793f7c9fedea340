//! The container's /dev: a tmpfs with the device nodes that every program expects, and a devpts,
//! tmpfs (shm) and mqueue of its own below. And the container's terminal.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use init::report::Report;
use init::stage::Stage;

use super::identity;
use super::reporter::{At as _, Failure, Reporter};
use super::root;
use crate::prepare::{NOTIFY_NAME, Prepared, Source, Sources, dev};
use crate::spec::mounts::What;
use crate::sys::descriptors::Held;
use crate::sys::file::At;
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, file, mount, socket, terminal};

/// The object of a FillDev report that is not about a device node.
const NO_DEVICE: usize = u16::MAX as usize;

/// `tty`, the group that terminals belong to (Debian's base-passwd, and other distributions). The
/// number is in the options of devpts below, too.
const TTY_GROUP: u32 = 5;

/// The mounted /dev.
pub struct Dev<'a> {
    dev: Held<'a>,
    /// The directory that devpts is mounted on. The plan's files and device nodes are in there, where
    /// they have a name and nobody sees them.
    below_pts: Option<OwnedFd>,
}

/// Mounts and fills /dev.
pub fn assemble<'a>(
    prepared: &'a Prepared<'_>,
    root: BorrowedFd<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<Dev<'a>, Failure> {
    let target = root::make_mount_point(root, root::DEV)?;
    let sources = &prepared.sources;
    let dev = match &sources.dev {
        Some(made) => Held::Parents(made.as_fd()),
        None => Held::Own(dev::create().at(Stage::MountDev)?),
    };
    mount::attach(dev.as_fd(), At::Dir(target.as_fd()), c"").at(Stage::MountDev)?;
    reporter.done(Stage::MountDev);

    for (index, (name, device)) in sources.bound_devices().enumerate() {
        if device.is_cloned() {
            device.attach_file(dev.as_fd(), name).at_object(Stage::FillDev, index)?;
        }
    }
    if matches!(dev, Held::Own(_)) {
        dev::fill(dev.as_fd()).at_object(Stage::FillDev, NO_DEVICE)?;
    }
    if let Some(socket) = sources.notify.as_ref().filter(|socket| socket.is_cloned()) {
        let bound = socket.attach_file(dev.as_fd(), NOTIFY_NAME);
        bound.at_object(Stage::FillDev, NO_DEVICE)?;
    }
    reporter.done(Stage::FillDev);

    let mut steps = prepared.plan.iter();
    let below_pts =
        match steps.any(|s| s.device.is_some() || matches!(s.mount.what, What::File { .. })) {
            true => Some(dev::open_below_pts(dev.as_fd()).at(Stage::MountPts)?),
            false => None,
        };
    // mount(2) by relative path: this tmpfs is ours alone, so nobody can exchange a directory for a
    // link.
    file::enter_dir(dev.as_fd()).at(Stage::MountDev)?;
    mount_pts(prepared).at(Stage::MountPts)?;
    reporter.done(Stage::MountPts);
    mount_shm(sources, dev.as_fd()).at(Stage::MountShm)?;
    reporter.done(Stage::MountShm);
    match mount_mqueue(prepared, sources, dev.as_fd()) {
        Ok(()) => reporter.done(Stage::MountMqueue),
        // CONFIG_POSIX_MQUEUE may be off; a program that needs queues is told by mq_open(3).
        Err(errno) => reporter.skipped(Stage::MountMqueue, errno),
    }
    file::enter_dir(root).at(Stage::MountDev)?;
    Ok(Dev { dev, below_pts })
}

fn bind(dir: BorrowedFd<'_>, name: &CStr, onto: BorrowedFd<'_>) -> SysResult<()> {
    let clone = mount::clone_tree(At::Dir(dir), name, false)?;
    mount::attach(clone.as_fd(), At::Dir(onto), c"")
}

fn mount_pts(prepared: &Prepared<'_>) -> SysResult<()> {
    // The kernel refuses a gid that the container does not have.
    let options = match prepared.ids.gid.has_inside(TTY_GROUP) {
        true => c"mode=620,ptmxmode=666,gid=5",
        false => c"mode=620,ptmxmode=666",
    };
    mount::create_at(c"devpts", c"pts", NOSUID | NOEXEC, options)
}

fn mount_shm(sources: &Sources, dev: BorrowedFd<'_>) -> SysResult<()> {
    if let Some(hosts) = sources.shm.as_ref().filter(|hosts| hosts.is_cloned()) {
        return attach_hosts(hosts, dev, c"shm");
    }
    let options = c"mode=1777,size=65536k";
    mount::create_at(c"tmpfs", c"shm", NOSUID | NODEV | NOEXEC, options)
}

fn mount_mqueue(prepared: &Prepared<'_>, sources: &Sources, dev: BorrowedFd<'_>) -> SysResult<()> {
    if prepared.spec.share.ipc {
        // The host's IPC namespace is not owned by our user namespace: a new mount of it is EPERM.
        return match sources.mqueue.as_ref().filter(|hosts| hosts.is_cloned()) {
            Some(hosts) => attach_hosts(hosts, dev, c"mqueue"),
            None => Ok(()),
        };
    }
    mount::create_at(c"mqueue", c"mqueue", NOSUID | NODEV | NOEXEC, c"")
}

/// Attaches a mount of the host's. The current directory is /dev, before and afterwards.
fn attach_hosts(hosts: &Source, dev: BorrowedFd<'_>, name: &CStr) -> SysResult<()> {
    let onto = file::open(At::Dir(dev), name, libc::O_PATH | libc::O_DIRECTORY)?;
    hosts.attach(onto.as_fd(), dev)
}

impl Dev<'_> {
    /// Attaches a new file with this content onto another one. The new file is created below
    /// /dev/pts: the kernel mounts no file that has no name (O_TMPFILE).
    pub fn attach_file(
        &self,
        number: usize,
        content: &[u8],
        mode: u32,
        onto: BorrowedFd<'_>,
    ) -> SysResult<()> {
        let mut name = [0; 24];
        write!(&mut name[..], "{number}\0").map_err(|_| Errno::ENAMETOOLONG)?;
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::ENAMETOOLONG)?;
        let dir = self.below_pts.as_ref().ok_or(Errno::EBADF)?.as_fd();
        // /dev is noexec, which before Linux 5.12 could be taken from a mount by its path only. So a
        // program goes to a tmpfs of its own, in there as well.
        let apart = match mode & 0o111 {
            0 => None,
            _ => {
                file::make_dir(At::Dir(dir), name, 0o755)?;
                let apart = mount::create(c"tmpfs", [(c"mode", c"755")], NOSUID | NODEV)?;
                mount::attach(apart.as_fd(), At::Dir(dir), name)?;
                Some(apart)
            }
        };
        let dir = apart.as_ref().map_or(dir, AsFd::as_fd);
        let file = file::create(dir, name, mode)?;
        file::write_all(file.as_fd(), content)?;
        bind(dir, name, onto)
    }

    /// Attaches a device node that the launcher has made onto a file.
    pub fn attach_device(&self, name: &CStr, onto: BorrowedFd<'_>) -> SysResult<()> {
        bind(self.below_pts.as_ref().ok_or(Errno::EBADF)?.as_fd(), name, onto)
    }

    /// Opens a terminal in the container's own devpts: one of the host's would belong to nobody in
    /// here, and would let the command type into the host's session (TIOCSTI). The master is sent
    /// to the parent. The other side becomes standard input and output and /dev/console; init makes
    /// it the controlling terminal.
    pub fn open_terminal(
        &self,
        prepared: &Prepared<'_>,
        channel: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let open = || {
            let flags = libc::O_RDWR | libc::O_NOCTTY;
            let master = file::open(At::Dir(self.dev.as_fd()), c"pts/ptmx", flags)?;
            terminal::unlock(master.as_fd())?;
            let peer = terminal::open_peer(master.as_fd())?;
            if prepared.account.uid != 0 {
                file::change_owner(peer.as_fd(), prepared.account.uid, file::KEEP)?;
            }
            let console = mount::clone_tree(At::Dir(peer.as_fd()), c"", false)?;
            file::create_empty(self.dev.as_fd(), c"console")?;
            mount::attach(console.as_fd(), At::Dir(self.dev.as_fd()), c"console")?;
            socket::send_with_fd(channel, &Report::Terminal.to_bytes(), master.as_fd())?;
            // The parent sets its size and modes to those of the caller's terminal, before the
            // command can read them.
            identity::wait_for_parent(channel)?;
            file::duplicate_onto(peer.as_fd(), 0)?;
            file::duplicate_onto(peer.as_fd(), 1)?;
            if prepared.streams.stderr_is_terminal {
                file::duplicate_onto(peer.as_fd(), 2)?;
            }
            Ok(())
        };
        open().at(Stage::OpenTerminal)
    }
}
