//! Interfaces, addresses and routes: rtnetlink(7).

use std::ffi::{CStr, CString};
use std::net::IpAddr;

use super::{Attributes, CREATE, DUMP, EXCLUSIVE, Message, Socket, attribute, u32_at};
use crate::spec::network::{Cidr, octets};
use crate::sys::{Errno, Result as SysResult};

// RTM_* of linux/rtnetlink.h.
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;

// IFLA_* of linux/if_link.h, and what they hold.
const LINK_ADDRESS: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_MTU: u16 = 4;
const LINK_MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const LINK_NAMESPACE: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;

/// What an interface is.
pub struct Interface {
    pub index: u32,
    pub mtu: u32,
    /// `bridge`, `veth`; a physical one has none.
    pub kind: Option<CString>,
}

/// A way to other networks.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    pub to: Cidr,
    /// The interface, unless there are several ways.
    pub interface: Option<u32>,
    /// RTPROT_*: who made it.
    pub protocol: u8,
}

/// By router advertisements (RTPROT_RA).
pub const BY_ADVERTISEMENT: u8 = 9;

/// A pair of interfaces to make; this end is up.
pub struct Pair<'a> {
    pub name: &'a CStr,
    /// The bridge that this end becomes a port of.
    pub bridge: Option<u32>,
    pub mtu: u32,
    pub peer: &'a CStr,
    pub peer_namespace: i32,
    pub peer_mac: Option<[u8; 6]>,
}

/// struct ifinfomsg. What is set of the flags is changed.
fn link_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&flags.to_ne_bytes());
    header
}

fn with_name(attributes: Attributes, name: &CStr) -> Attributes {
    attributes.with(LINK_NAME, name.to_bytes_with_nul())
}

impl Socket {
    /// Makes a veth(4) pair. EEXIST: the name is taken.
    pub fn create_pair(&mut self, pair: &Pair<'_>) -> SysResult<()> {
        let up = link_header(0, libc::IFF_UP as u32);
        let mut peer = with_name(Attributes::new(), pair.peer)
            .with_u32(LINK_MTU, pair.mtu)
            .with_u32(LINK_NAMESPACE, pair.peer_namespace as u32);
        if let Some(mac) = &pair.peer_mac {
            peer = peer.with(LINK_ADDRESS, mac);
        }
        // The kernel makes the peer first, which cannot be up without its other end (ENOTCONN).
        let data = Attributes::new().with_headed(VETH_PEER, &link_header(0, 0), &peer);
        let info = Attributes::new().with_text(INFO_KIND, "veth").with_nested(INFO_DATA, &data);
        let mut own = with_name(Attributes::new(), pair.name).with_u32(LINK_MTU, pair.mtu);
        if let Some(bridge) = pair.bridge {
            own = own.with_u32(LINK_MASTER, bridge);
        }
        let own = own.with_nested(LINK_INFO, &info);
        self.request(Message::new(NEW_LINK, CREATE | EXCLUSIVE, &up, &own))
    }

    /// Brings an interface up.
    pub fn raise(&mut self, index: u32) -> SysResult<()> {
        let header = link_header(index, libc::IFF_UP as u32);
        self.request(Message::new(NEW_LINK, 0, &header, &Attributes::new()))
    }

    /// Removes an interface, and with it the other end of a pair.
    pub fn delete_link(&mut self, index: u32) -> SysResult<()> {
        let header = link_header(index, 0);
        self.request(Message::new(DELETE_LINK, 0, &header, &Attributes::new()))
    }

    /// Looks one up.
    pub fn interface(&mut self, name: &CStr) -> SysResult<Interface> {
        let name = with_name(Attributes::new(), name);
        self.ask_for_interface(Message::new(GET_LINK, 0, &link_header(0, 0), &name))
    }

    /// The one with this number.
    pub fn interface_at(&mut self, index: u32) -> SysResult<Interface> {
        let header = link_header(index, 0);
        self.ask_for_interface(Message::new(GET_LINK, 0, &header, &Attributes::new()))
    }

    fn ask_for_interface(&mut self, question: Message) -> SysResult<Interface> {
        let mut found = None;
        self.ask(question, |kind, body| {
            if let (NEW_LINK, Some((index, attributes))) = (kind, read_link(body)) {
                let info = attribute(attributes, LINK_INFO).and_then(|i| attribute(i, INFO_KIND));
                found = Some(Interface {
                    index,
                    mtu: attribute(attributes, LINK_MTU).and_then(|m| u32_at(m, 0)).unwrap_or(0),
                    kind: info
                        .and_then(|kind| CStr::from_bytes_until_nul(kind).ok())
                        .map(Into::into),
                });
            }
        })?;
        found.ok_or(Errno::ENODEV)
    }

    /// The names of all.
    pub fn interface_names(&mut self) -> SysResult<Vec<(u32, CString)>> {
        let mut names = Vec::new();
        let question = Message::new(GET_LINK, DUMP, &link_header(0, 0), &Attributes::new());
        self.ask(question, |_, body| {
            let name = read_link(body).and_then(|(index, attributes)| {
                let name = CStr::from_bytes_until_nul(attribute(attributes, LINK_NAME)?).ok()?;
                Some((index, name.to_owned()))
            });
            names.extend(name);
        })?;
        Ok(names)
    }

    /// Gives an interface an address, and with it the route to its network.
    pub fn add_address(&mut self, index: u32, address: Cidr) -> SysResult<()> {
        /// Nobody else is there to have it already, so it is not tried out first.
        const NO_DUPLICATE_DETECTION: u8 = 0x02;
        const ADDRESS: u16 = 1;
        const LOCAL: u16 = 2;
        let flags = if address.is_v4() { 0 } else { NO_DUPLICATE_DETECTION };
        let header = address_header(Some(address), flags, index);
        let bytes = octets(address.address);
        let attributes = Attributes::new().with(LOCAL, &bytes).with(ADDRESS, &bytes);
        self.request(Message::new(NEW_ADDRESS, CREATE | EXCLUSIVE, &header, &attributes))
    }

    /// All addresses, with the interfaces that have them.
    pub fn addresses(&mut self) -> SysResult<Vec<(u32, Cidr)>> {
        let mut found = Vec::new();
        let header = address_header(None, 0, 0);
        self.ask(Message::new(GET_ADDRESS, DUMP, &header, &Attributes::new()), |kind, body| {
            found.extend((kind == NEW_ADDRESS).then(|| read_address(body)).flatten());
        })?;
        Ok(found)
    }

    /// Makes a gateway the way to everywhere.
    pub fn add_default_route(&mut self, gateway: IpAddr) -> SysResult<()> {
        const MAIN: u8 = 254;
        const BOOT: u8 = 3;
        const UNICAST: u8 = 1;
        const GATEWAY: u16 = 5;
        let mut header = [0; ROUTE_HEADER];
        header[0] = family(gateway);
        (header[4], header[5], header[7]) = (MAIN, BOOT, UNICAST);
        let attributes = Attributes::new().with(GATEWAY, &octets(gateway));
        self.request(Message::new(NEW_ROUTE, CREATE | EXCLUSIVE, &header, &attributes))
    }

    /// All routes of all tables.
    pub fn routes(&mut self) -> SysResult<Vec<Route>> {
        let mut found = Vec::new();
        let question = Message::new(GET_ROUTE, DUMP, &[0; ROUTE_HEADER], &Attributes::new());
        self.ask(question, |kind, body| {
            found.extend((kind == NEW_ROUTE).then(|| read_route(body)).flatten());
        })?;
        Ok(found)
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

/// The interface's number, and its attributes.
fn read_link(body: &[u8]) -> Option<(u32, &[u8])> {
    Some((u32_at(body, 4)?, body.get(16..)?))
}

/// struct ifaddrmsg.
fn address_header(address: Option<Cidr>, flags: u8, index: u32) -> [u8; 8] {
    let mut header = [0; 8];
    if let Some(address) = address {
        (header[0], header[1], header[2]) = (family(address.address), address.prefix, flags);
    }
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

fn read_address(body: &[u8]) -> Option<(u32, Cidr)> {
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    let attributes = body.get(8..)?;
    // On a link between two, the other's is not ours.
    let bytes = attribute(attributes, LOCAL).or_else(|| attribute(attributes, ADDRESS))?;
    Some((u32_at(body, 4)?, Cidr::new(address_of(bytes)?, body[1])))
}

/// struct rtmsg.
const ROUTE_HEADER: usize = 12;

fn read_route(body: &[u8]) -> Option<Route> {
    const TO: u16 = 1;
    const INTERFACE: u16 = 4;
    let attributes = body.get(ROUTE_HEADER..)?;
    let any = match i32::from(body[0]) {
        libc::AF_INET => "0.0.0.0".parse().ok()?,
        libc::AF_INET6 => "::".parse().ok()?,
        _ => return None,
    };
    let to = attribute(attributes, TO).and_then(address_of).unwrap_or(any);
    let interface = attribute(attributes, INTERFACE).and_then(|bytes| u32_at(bytes, 0));
    Some(Route { to: Cidr::new(to, body[1]), interface, protocol: body[5] })
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_without_destination_goes_everywhere() {
        let mut body = vec![0; ROUTE_HEADER];
        body[0] = libc::AF_INET as u8;
        body.extend_from_slice(&Attributes::new().with_u32(4, 7).0);
        let route = read_route(&body).unwrap();
        assert_eq!((route.to.to_string().as_str(), route.interface), ("0.0.0.0/0", Some(7)));
        assert_eq!(read_route(&body[..8]), None);
    }
}
