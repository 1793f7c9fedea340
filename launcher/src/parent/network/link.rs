//! `--net veth` and `--net bridge=NAME`: a veth pair, addresses, routes, and an nf_tables table.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::choose::Ends;
use super::claim::claim;
use super::host::{Host, find};
use super::nat::Reach;
use super::publish::reserve;
use super::{sysctl, table};
use crate::error::Error;
use crate::log::Log;
use crate::netlink::Socket;
use crate::prepare::Proc;
use crate::spec::network::{Cidr, Link};
use crate::sys::{Result as SysResult, process};

/// The name of the container's end.
pub const INSIDE: &CStr = c"eth0";

/// The host's side of it. It is removed when this is dropped.
pub struct Attached {
    routes: Socket,
    /// Of the host's end.
    index: u32,
    /// The socket that owns the table, and the table's name.
    table: Option<(Socket, String)>,
    /// The sockets that reserve the published ports.
    _ports: Vec<OwnedFd>,
    /// The container's addresses, for `--status-fd`.
    pub addresses: Vec<String>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        // The interface first, as the table guards its route_localnet. ENODEV: the container's
        // network namespace is gone already, and the pair with it.
        self.routes.delete_link(self.index).ok();
        if let Some((socket, name)) = &mut self.table {
            socket.delete_table(name).ok();
        }
    }
}

/// Makes it for the network namespace of the process with this number in /proc.
pub fn attach(spec: &Link, proc: &Proc, number: i32, log: &mut Log) -> Result<Attached, Error> {
    let mut host = Host::look(spec)?;
    // Before anything is made, as it is the likeliest to be refused.
    let ports = reserve(&spec.publish)?;
    let path = format!("{number}/ns/net");
    let namespace = proc
        .open_file(&path, libc::O_RDONLY)
        .map_err(|errno| Error::at("OpenNetwork", format_args!("open /proc/{path}"), errno))?;
    let (name, ends) = claim(spec, &mut host, namespace.as_fd())?;
    let index = find(&mut host.routes, &name)?.index;
    let is_gateway = host.is_gateway(&ends);
    let addresses = ends.iter().map(|e| e.container).collect::<Vec<_>>();
    let shown = addresses.iter().map(Cidr::to_string).collect::<Vec<_>>();
    let list = shown.join(", ");
    let mut made =
        Attached { routes: host.routes, index, table: None, _ports: ports, addresses: shown };
    log.step(format_args!("{} to eth0 {list}", name.to_string_lossy()));

    if host.bridge.is_none() {
        made.give_addresses(&ends, &name)?;
    }
    let wants_v6 = ends.iter().any(|e| !e.container.is_v4());
    // accept_ra: a router advertisement from inside could divert the host's traffic
    // (CVE-2020-10749). accept_dad: while duplicate address detection runs, no neighbour
    // solicitation is sent (ndisc_send_ns), so that published ports do not work yet.
    let settings: &[_] = match host.bridge.is_none() && wants_v6 {
        true => &[("accept_ra", "0"), ("accept_dad", "0")],
        false => &[("disable_ipv6", "1")],
    };
    for (setting, value) in settings {
        sysctl::set_of_interface(proc, "ipv6", &name, setting, value)?;
    }
    configure_inside(proc, namespace.as_fd(), &ends, spec.rate)?;
    limit(&mut made.routes, index, spec.rate)?;
    log.step("configure eth0");

    if is_gateway {
        let reach = Reach {
            interface: host.bridge.as_ref().map_or(index, |bridge| bridge.interface.index),
            is_bridge: host.bridge.is_some(),
            addresses: &addresses,
            publish: &spec.publish,
        };
        made.lead(&name, &reach, proc)?;
        sysctl::forward(proc, addresses.iter().any(|a| a.is_v4()), wants_v6, log)?;
        log.step("nf_tables");
    } else if !spec.publish.is_empty() {
        return Err(Error::refused(
            "Publish",
            "--publish needs a bridge with an address of the host's",
        )
        .advise("ip address add ADDRESS/PREFIX dev BRIDGE"));
    }
    Ok(made)
}

impl Attached {
    fn give_addresses(&mut self, ends: &[Ends], name: &CStr) -> Result<(), Error> {
        for Ends { host, container } in ends {
            let address = Cidr::new(*host, container.prefix);
            self.routes.add_address(self.index, address).map_err(|errno| {
                let shown = name.to_string_lossy();
                Error::at("AddAddress", format_args!("give {shown} the address {address}"), errno)
            })?;
        }
        Ok(())
    }

    /// Makes the table: masquerading and published ports.
    fn lead(&mut self, name: &CStr, reach: &Reach<'_>, proc: &Proc) -> Result<(), Error> {
        if let Some(publish) = reach.leads_nowhere() {
            let text = format!("--publish {publish} does not lead to the container");
            return Err(Error::refused("Publish", text).advise(
                "it has no address of that family (ipv6), or the host's loopback is no way in",
            ));
        }
        self.table = Some(table::create(name, reach, &mut self.routes)?);
        // Only with the table, which guards against the reverse (CVE-2020-8558).
        if reach.leads_from_loopback() {
            sysctl::set_of_interface(proc, "ipv4", name, "route_localnet", "1")?;
        }
        Ok(())
    }
}

/// Configures the container's end: addresses, default route, rate.
fn configure_inside(
    proc: &Proc,
    namespace: BorrowedFd<'_>,
    ends: &[Ends],
    rate: Option<u64>,
) -> Result<(), Error> {
    let failed = |errno| Error::at("ConfigureInside", "configure the container's eth0", errno);
    let mut socket = socket_in(proc, namespace).map_err(failed)?;
    let index = socket.interface(INSIDE).map_err(failed)?.index;
    let mut configure = || {
        socket.raise(index)?;
        for Ends { host, container } in ends {
            socket.add_address(index, *container)?;
            socket.add_default_route(*host)?;
        }
        Ok(())
    };
    configure().map_err(failed)?;
    limit(&mut socket, index, rate)
}

/// Limits what an end sends (`--rate`).
fn limit(socket: &mut Socket, index: u32, rate: Option<u64>) -> Result<(), Error> {
    let Some(rate) = rate else { return Ok(()) };
    socket.limit_rate(index, rate).map_err(|errno| {
        Error::at("LimitRate", "set --rate", errno)
            .advise("the kernel needs CONFIG_NET_SCH_TBF, or its module (modprobe sch_tbf)")
    })
}

/// A netlink socket in that network namespace, to which it belongs after we have left it again.
fn socket_in(proc: &Proc, namespace: BorrowedFd<'_>) -> SysResult<Socket> {
    let own = proc.open_file("self/ns/net", libc::O_RDONLY)?;
    process::enter_network(namespace)?;
    let socket = Socket::for_routes();
    process::enter_network(own.as_fd())?;
    socket
}
