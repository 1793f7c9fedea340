//! Looks at the host's network: the addresses and routes in use, the bridge, the default route's MTU.

use std::ffi::CStr;

use super::choose::{self, Ends};
use crate::error::Error;
use crate::netlink::Socket;
use crate::netlink::route::Interface;
use crate::spec::network::{Cidr, Link, host_end_name};

/// The host's network.
pub struct Host {
    pub routes: Socket,
    /// The networks of addresses and routes.
    pub taken: Vec<Cidr>,
    /// A container has the network that was given; it may be about to end.
    pub is_claimed: bool,
    pub bridge: Option<Bridge>,
    /// The MTU of the bridge, or of the default route's interface.
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
        // First, so that a container that ends between the questions counts as there.
        let is_claimed = host_end_exists(spec, &mut routes);
        let addresses = routes.addresses().map_err(failed)?;
        let ways = routes.routes().map_err(failed)?;
        let bridge = spec.bridge.as_deref().map(|name| find_bridge(&mut routes, name, &addresses));
        let bridge = bridge.transpose()?;
        let out = ways.iter().find(|route| route.to.prefix == 0).and_then(|route| route.interface);
        let mtu = match (&bridge, out.and_then(|index| routes.interface_at(index).ok())) {
            (Some(bridge), _) => bridge.interface.mtu,
            (None, Some(interface)) => interface.mtu,
            // No default route: ETH_DATA_LEN.
            (None, None) => 1500,
        };
        let taken = addresses.iter().map(|(_, address)| *address);
        let taken = taken.chain(ways.iter().map(|route| route.to));
        let taken = taken.filter(|net| net.prefix > 0).collect();
        Ok(Host { routes, taken, is_claimed, bridge, mtu })
    }

    /// Whether the container's gateway is the host, and not another machine on the bridge.
    pub fn is_gateway(&self, ends: &[Ends]) -> bool {
        let Some(bridge) = &self.bridge else { return true };
        let is_ours = |e: &Ends| bridge.addresses.iter().any(|own| own.address == e.host);
        !ends.is_empty() && ends.iter().all(is_ours)
    }
}

/// Whether there is an interface that claims the first address of the network that was given.
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
    // Without link-local addresses, which are not routed.
    let is_routed = |address: &Cidr| {
        !Cidr::new([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10).contains(address.address)
    };
    let addresses = own.map(|(_, address)| *address).filter(is_routed).collect();
    Ok(Bridge { interface, addresses })
}
