//! What `--net` needs before the gate: joins a namespace, checks the privilege to make interfaces,
//! finds pasta.

use std::ffi::CString;
use std::os::fd::AsFd;

use super::{Caller, Order, Source, command};
use crate::error::Error;
use crate::spec::network::{Network, Pasta};
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::sys::{Errno, mount, process};

/// A program of the host's that carries the container's connections without privilege.
pub enum Carrier {
    Pasta(CString),
    /// slirp4netns, where there is no pasta.
    Slirp(CString),
}

/// Checks whether the network can be had. An existing namespace is joined by the launcher here; the
/// child inherits it.
pub fn look(network: &Network, caller: &Caller, order: Order) -> Result<Option<Carrier>, Error> {
    match network {
        Network::None | Network::Host => Ok(None),
        Network::Link(_) if caller.can_mount => Ok(None),
        Network::Link(_) => Err(Error::refused(
            "MakeNetwork",
            "--net veth and bridge take CAP_SYS_ADMIN and CAP_NET_ADMIN over the mounts and the network \
             that the launcher is in: the host's end is an interface there",
        )
        .advise("--net pasta needs no privilege")),
        Network::Namespace(path) => {
            let shown = path.to_string_lossy();
            let failed = |errno| {
                let advice = match errno {
                    Errno::EINVAL => Some("it is no network namespace, such as /proc/PID/ns/net"),
                    Errno::EPERM => Some("to join one takes root (CAP_SYS_ADMIN) there and here"),
                    _ => None,
                };
                Error::at("JoinNetwork", format_args!("join --net ns:{shown}"), errno)
                    .advise_maybe(advice.map(str::to_owned))
            };
            let namespace = file::open(At::Cwd, path, libc::O_RDONLY).map_err(failed)?;
            process::enter_network(namespace.as_fd()).map_err(failed)?;
            Ok(None)
        }
        Network::Pasta(pasta) => {
            if order == Order::Locked && !caller.can_mount {
                // The container's network namespace is made by the intermediate process, after the
                // gate.
                return Err(Error::refused(
                    "FindPasta",
                    "--net pasta cannot be had by an ordinary user on an initial ramfs",
                )
                .advise("it needs Linux 7.0, or another root: switch_root to a tmpfs first"));
            }
            find(pasta).map(Some)
        }
    }
}

/// Finds pasta, or slirp4netns where that will do.
pub fn find(pasta: &Pasta) -> Result<Carrier, Error> {
    if let Some(path) = command::on_path("pasta") {
        return Ok(Carrier::Pasta(path));
    }
    let missing = |text: &str| {
        Error::refused("FindPasta", text)
            .advise("it is in the package passt (Debian: apt-get install passt)")
    };
    match command::on_path("slirp4netns") {
        Some(path) if pasta.publish.is_empty() && pasta.options.is_empty() => {
            Ok(Carrier::Slirp(path))
        }
        Some(_) => Err(missing("there is only slirp4netns, and --publish and options need pasta")),
        None => Err(missing("--net pasta needs the program pasta, which is not on PATH")),
    }
}

/// A new sysfs, which shows the interfaces of the network namespace that we are in now. None where
/// it cannot be mounted: /sys is then left out.
pub fn sysfs() -> Option<Source> {
    let made = mount::create(c"sysfs", [], RDONLY | NOSUID | NODEV | NOEXEC).ok()?;
    Some(Source::of_mount(made, c"/sys"))
}
