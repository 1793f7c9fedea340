//! A rule: expressions that load something of a packet, compare it, and decide.

use std::net::IpAddr;

use crate::netlink::Attributes;
use crate::spec::network::{Cidr, Protocol, octets};

/// Looked at one after the other; the first that does not hold ends it.
#[derive(Default)]
pub struct Rule(Attributes);

/// The only register that is needed, and the second half of an address translation.
const REGISTER: u32 = 1;
const PORT_REGISTER: u32 = 2;
const VERDICT_REGISTER: u32 = 0;

// NFT_META_*.
const IN: u32 = 4;
const OUT: u32 = 5;
const FAMILY: u32 = 15;
const PROTOCOL: u32 = 16;

/// Packets of a connection that has been seen both ways, or that come of one: bits of NFT_CT_STATE.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
/// Connections whose destination was translated: IPS_DST_NAT, of NFT_CT_STATUS.
const TRANSLATED: u32 = 1 << 5;

const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;

impl Rule {
    pub fn new() -> Rule {
        Rule::default()
    }

    pub(super) fn expressions(&self) -> &Attributes {
        &self.0
    }

    fn expression(self, name: &str, data: &Attributes) -> Rule {
        const ELEMENT: u16 = 1;
        let whole = Attributes::new().with_text(1, name).with_nested(2, data);
        Rule(self.0.with_nested(ELEMENT, &whole))
    }

    fn load_meta(self, key: u32) -> Rule {
        self.expression("meta", &Attributes::new().with_be32(1, REGISTER).with_be32(2, key))
    }

    /// Goes on if what was loaded is this, or if it is not.
    fn compare(self, is: bool, value: &[u8]) -> Rule {
        let data = Attributes::new()
            .with_be32(1, REGISTER)
            .with_be32(2, u32::from(!is))
            .with_nested(3, &Attributes::new().with(1, value));
        self.expression("cmp", &data)
    }

    fn mask(self, mask: &[u8]) -> Rule {
        let value = |bytes: &[u8]| Attributes::new().with(1, bytes);
        let data = Attributes::new()
            .with_be32(1, REGISTER)
            .with_be32(2, REGISTER)
            .with_be32(3, mask.len() as u32)
            .with_nested(4, &value(mask))
            .with_nested(5, &value(&vec![0; mask.len()]));
        self.expression("bitwise", &data)
    }

    pub fn comes_in_by(self, interface: u32) -> Rule {
        self.load_meta(IN).compare(true, &interface.to_ne_bytes())
    }

    pub fn goes_out_by(self, interface: u32) -> Rule {
        self.load_meta(OUT).compare(true, &interface.to_ne_bytes())
    }

    pub fn goes_out_by_another_than(self, interface: u32) -> Rule {
        self.load_meta(OUT).compare(false, &interface.to_ne_bytes())
    }

    pub fn comes_from(self, network: Cidr) -> Rule {
        let offset = if network.is_v4() { 12 } else { 8 };
        self.address_at(offset, network)
    }

    pub fn goes_to(self, network: Cidr) -> Rule {
        let offset = if network.is_v4() { 16 } else { 24 };
        self.address_at(offset, network)
    }

    /// Of the same family as this.
    pub fn has_family_of(self, network: Cidr) -> Rule {
        const NFPROTO_IPV4: u8 = 2;
        const NFPROTO_IPV6: u8 = 10;
        self.load_meta(FAMILY)
            .compare(true, &[if network.is_v4() { NFPROTO_IPV4 } else { NFPROTO_IPV6 }])
    }

    /// An address in the packet's header.
    fn address_at(self, offset: u32, network: Cidr) -> Rule {
        const NETWORK_HEADER: u32 = 1;
        let bytes = octets(network.network().address);
        let payload = Attributes::new()
            .with_be32(1, REGISTER)
            .with_be32(2, NETWORK_HEADER)
            .with_be32(3, offset)
            .with_be32(4, bytes.len() as u32);
        let rule = self.has_family_of(network).expression("payload", &payload);
        let rule = match Cidr::host(network.address).prefix == network.prefix {
            true => rule,
            false => rule.mask(&network.mask_bytes()),
        };
        rule.compare(true, &bytes)
    }

    /// To any address of this machine.
    pub fn goes_to_this_machine(self) -> Rule {
        const ADDRESS_TYPE: u32 = 3;
        const OF_DESTINATION: u32 = 2;
        const LOCAL: u32 = 2;
        let fib = Attributes::new()
            .with_be32(1, REGISTER)
            .with_be32(2, ADDRESS_TYPE)
            .with_be32(3, OF_DESTINATION);
        self.expression("fib", &fib).compare(true, &LOCAL.to_ne_bytes())
    }

    pub fn goes_to_port(self, protocol: Protocol, port: u16) -> Rule {
        const TRANSPORT_HEADER: u32 = 2;
        let number = match protocol {
            Protocol::Tcp => libc::IPPROTO_TCP,
            Protocol::Udp => libc::IPPROTO_UDP,
        };
        let payload = Attributes::new()
            .with_be32(1, REGISTER)
            .with_be32(2, TRANSPORT_HEADER)
            .with_be32(3, 2)
            .with_be32(4, 2);
        self.load_meta(PROTOCOL)
            .compare(true, &[number as u8])
            .expression("payload", &payload)
            .compare(true, &port.to_be_bytes())
    }

    pub fn belongs_to_a_connection(self) -> Rule {
        self.connection_has(CT_STATE, ESTABLISHED_OR_RELATED)
    }

    pub fn was_led_here(self) -> Rule {
        self.connection_has(CT_STATUS, TRANSLATED)
    }

    fn connection_has(self, key: u32, bits: u32) -> Rule {
        let load = Attributes::new().with_be32(1, REGISTER).with_be32(2, key);
        self.expression("ct", &load).mask(&bits.to_ne_bytes()).compare(false, &[0; 4])
    }

    /// The connection says that it comes from this machine.
    pub fn masquerade(self) -> Rule {
        self.expression("masq", &Attributes::new())
    }

    /// The connection goes there instead.
    pub fn lead_to(self, address: IpAddr, port: u16) -> Rule {
        const DESTINATION: u32 = 1;
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        // Registers 1 to 4 are 16 bytes each.
        let nat = Attributes::new()
            .with_be32(1, DESTINATION)
            .with_be32(2, family as u32)
            .with_be32(3, REGISTER)
            .with_be32(5, PORT_REGISTER);
        self.set(REGISTER, &octets(address))
            .set(PORT_REGISTER, &port.to_be_bytes())
            .expression("nat", &nat)
    }

    fn set(self, register: u32, value: &[u8]) -> Rule {
        let value = Attributes::new().with(1, value);
        let data = Attributes::new().with_be32(1, register).with_nested(2, &value);
        self.expression("immediate", &data)
    }

    pub fn accept(self) -> Rule {
        self.decide(1)
    }

    pub fn drop(self) -> Rule {
        self.decide(0)
    }

    /// NF_DROP and NF_ACCEPT of linux/netfilter.h.
    fn decide(self, verdict: u32) -> Rule {
        let code = Attributes::new().with_be32(1, verdict);
        let value = Attributes::new().with_nested(2, &code);
        let data = Attributes::new().with_be32(1, VERDICT_REGISTER).with_nested(2, &value);
        self.expression("immediate", &data)
    }
}
