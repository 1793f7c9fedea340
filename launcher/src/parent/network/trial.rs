//! `--check` and `--explain`: whether a veth pair and a table can be made, tried in a network
//! namespace of its own.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use super::nat::{self, Reach};
use crate::namespaces;
use crate::netlink::Socket;
use crate::netlink::route::Pair;
use crate::spec::network::{Cidr, Protocol, Publish};
use crate::sys::file::{self, At};
use crate::sys::{Errno, Result as SysResult, process};

pub const NEEDS: &str = "it needs CONFIG_VETH and CONFIG_NF_TABLES_INET with nat, masq, ct and fib";

/// Makes the pair and the table of a container with a published port, in a namespace that then ends.
pub fn make_pair_and_table() -> SysResult<()> {
    process::try_in_child(namespaces::NET, make)
}

fn make() -> SysResult<()> {
    let mut routes = Socket::for_routes()?;
    let own = file::open(At::Cwd, c"/proc/thread-self/ns/net", libc::O_RDONLY)?;
    routes.create_pair(&Pair {
        name: c"veth0",
        bridge: None,
        mtu: 1500,
        peer: c"eth0",
        peer_namespace: own.as_fd().as_raw_fd(),
        peer_mac: None,
    })?;
    let publish = Publish { address: None, host_port: 1, port: 1, protocol: Protocol::Tcp };
    let reach = Reach {
        interface: routes.interface(c"veth0")?.index,
        is_bridge: false,
        addresses: &[Cidr::new(IpAddr::from([10, 0, 0, 2]), 30)],
        publish: &[publish],
    };
    let mut filters = Socket::for_filters()?;
    match filters.create_table(nat::table("trial", &reach), true) {
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => {
            filters.create_table(nat::table("trial", &reach), false)
        }
        other => other,
    }
}
