//! What the host has: addresses and routes that are taken, the bridge, the way out.

use std::ffi::CStr;

use super::choose::{self, Ends};
use crate::error::Error;
use crate::netlink::Socket;
use crate::netlink::route::Interface;
use crate::spec::network::{Cidr, Link, host_end_name};

/// What the host has.
pub struct Host {
    pub routes: Socket,
    /// What addresses and routes take up.
    pub taken: Vec<Cidr>,
    /// The typed network is that of a container: one that is about to go, maybe.
    pub is_claimed: bool,
    pub bridge: Option<Bridge>,
    /// What the way out takes.
    pub mtu: u32,
}

pub struct Bridge {
    pub interface: Interface,
    pub addresses: Vec<Cidr>,
}

impl Host {
    pub fn look(spec: &Link) -> Result<Host, Error> {
        let failed = |errno| {
            Error::at("LookAtNetwork", "read the host's interfaces and routes", errno)
                .advise("it takes a kernel with CONFIG_NET and rtnetlink")
        };
        let mut routes = Socket::for_routes().map_err(failed)?;
        // First: what is gone by the time of the next question was there at this one.
        let is_claimed = host_end_exists(spec, &mut routes);
        let addresses = routes.addresses().map_err(failed)?;
        let ways = routes.routes().map_err(failed)?;
        let bridge = spec.bridge.as_deref().map(|name| find_bridge(&mut routes, name, &addresses));
        let bridge = bridge.transpose()?;
        let out = ways.iter().find(|route| route.to.prefix == 0).and_then(|route| route.interface);
        let mtu = match (&bridge, out.and_then(|index| routes.interface_at(index).ok())) {
            (Some(bridge), _) => bridge.interface.mtu,
            (None, Some(interface)) => interface.mtu,
            // ETH_DATA_LEN: there is no way out, as yet.
            (None, None) => 1500,
        };
        let taken = addresses.iter().map(|(_, address)| *address);
        let taken = taken.chain(ways.iter().map(|route| route.to));
        let taken = taken.filter(|net| net.prefix > 0).collect();
        Ok(Host { routes, taken, is_claimed, bridge, mtu })
    }

    /// Whether the host is the container's gateway, and not some other machine on its bridge.
    pub fn is_gateway(&self, ends: &[Ends]) -> bool {
        let Some(bridge) = &self.bridge else { return true };
        let is_ours = |e: &Ends| bridge.addresses.iter().any(|own| own.address == e.host);
        !ends.is_empty() && ends.iter().all(is_ours)
    }
}

/// The interface that claims the typed network's first address is there.
fn host_end_exists(spec: &Link, routes: &mut Socket) -> bool {
    let first = spec.networks.first().and_then(|net| choose::ends(spec, *net));
    let name = first.map(|e| host_end_name(e.container.address));
    name.is_some_and(|name| routes.interface(&name).is_ok())
}

/// The interface of this name.
pub fn find(routes: &mut Socket, name: &CStr) -> Result<Interface, Error> {
    routes.interface(name).map_err(|errno| {
        let shown = name.to_string_lossy();
        Error::at("FindInterface", format_args!("find the interface {shown}"), errno)
    })
}

fn find_bridge(
    routes: &mut Socket,
    name: &CStr,
    addresses: &[(u32, Cidr)],
) -> Result<Bridge, Error> {
    let shown = name.to_string_lossy();
    let interface = find(routes, name).map_err(|error| {
        error.advise(format!("make the bridge first: ip link add {shown} up type bridge"))
    })?;
    if interface.kind.as_deref() != Some(c"bridge") {
        return Err(Error::refused(
            "FindInterface",
            format!("--net bridge={shown}: it is no bridge"),
        ));
    }
    let own = addresses.iter().filter(|(index, _)| *index == interface.index);
    // Those of the link alone lead nowhere else.
    let is_routed = |address: &Cidr| {
        !Cidr::new([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10).contains(address.address)
    };
    let addresses = own.map(|(_, address)| *address).filter(is_routed).collect();
    Ok(Bridge { interface, addresses })
}
