//! Networks as people write them: an address and the length of its prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, and how many of its leading bits are the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

impl Cidr {
    pub fn new(address: IpAddr, prefix: u8) -> Cidr {
        Cidr { address, prefix }
    }

    /// The address alone.
    pub fn host(address: IpAddr) -> Cidr {
        Cidr::new(address, bits(address).1)
    }

    /// `10.1.0.0/24`, `fd00::/64`.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = text.split_once('/')?;
        let address = address.parse().ok()?;
        let is_number = prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix =
            prefix.parse().ok().filter(|&prefix| is_number && prefix <= bits(address).1)?;
        Some(Cidr { address, prefix })
    }

    fn mask(self) -> u128 {
        let width = bits(self.address).1;
        let all = u128::MAX >> (128 - u32::from(width));
        // A shift by the whole width is none.
        all & !all.checked_shr(self.prefix.into()).unwrap_or(0)
    }

    /// The bits of the network, as bytes.
    pub fn mask_bytes(self) -> Vec<u8> {
        octets(self.at(self.mask()))
    }

    fn at(self, number: u128) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => Ipv4Addr::from(number as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from(number).into(),
        }
    }

    /// Its first address, which is the network's own name.
    pub fn network(self) -> Cidr {
        Cidr { address: self.at(bits(self.address).0 & self.mask()), ..self }
    }

    /// The address so far behind the first one, if it is still in here.
    pub fn nth(self, offset: u128) -> Option<IpAddr> {
        let first = bits(self.address).0 & self.mask();
        let address = self.at(first.checked_add(offset)?);
        self.contains(address).then_some(address)
    }

    /// How many addresses it has, as far as they can be counted.
    pub fn size(self) -> u128 {
        let width = bits(self.address).1;
        1u128.checked_shl((width - self.prefix).into()).unwrap_or(u128::MAX)
    }

    pub fn contains(self, address: IpAddr) -> bool {
        let (number, width) = bits(address);
        let (own, own_width) = bits(self.address);
        width == own_width && number & self.mask() == own & self.mask()
    }

    pub fn overlaps(self, other: Cidr) -> bool {
        self.contains(other.address) && self.prefix <= other.prefix
            || other.contains(self.address) && other.prefix <= self.prefix
    }

    /// Whether a machine can have this address in here: IPv4 has two that are not for that, unless
    /// there are but two.
    pub fn is_for_a_host(self, address: IpAddr) -> bool {
        let last = self.network().nth(self.size() - 1);
        let is_end = address == self.network().address || Some(address) == last;
        self.contains(address) && !(address.is_ipv4() && self.prefix < 31 && is_end)
    }

    pub fn is_v4(self) -> bool {
        self.address.is_ipv4()
    }
}

/// An address as the kernel takes it.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn prefixes_are_counted() {
        assert_eq!(cidr("10.1.2.3/8").network().to_string(), "10.0.0.0/8");
        assert_eq!(cidr("fd00:1:2:3::9/64").network().to_string(), "fd00:1:2:3::/64");
        assert_eq!(cidr("1.2.3.4/0").network().to_string(), "0.0.0.0/0");
        assert_eq!(cidr("1.2.3.4/32").network().to_string(), "1.2.3.4/32");
        assert_eq!(cidr("10.0.0.0/30").mask_bytes(), [255, 255, 255, 252]);
        assert_eq!(cidr("::/0").mask_bytes(), [0; 16]);
        for wrong in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "/8", "::/129", "10.0.0.0/+8", "x/8"] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_inside_or_outside() {
        let net = cidr("10.1.2.4/30");
        assert_eq!(net.nth(1), Some("10.1.2.5".parse().unwrap()));
        assert_eq!(net.nth(4), None);
        let hosts = (0..4).filter(|&n| net.is_for_a_host(net.nth(n).unwrap()));
        assert_eq!(hosts.collect::<Vec<_>>(), [1, 2]);
        assert!(cidr("10.1.2.4/31").is_for_a_host("10.1.2.4".parse().unwrap()));
        assert!(!net.contains("::1".parse().unwrap()));
        assert!(cidr("fd00::/64").is_for_a_host("fd00::".parse().unwrap()));
    }

    #[test]
    fn one_network_may_lie_in_another() {
        assert!(cidr("10.0.0.0/8").overlaps(cidr("10.1.0.0/16")));
        assert!(cidr("10.1.0.0/16").overlaps(cidr("10.0.0.0/8")));
        assert!(!cidr("10.1.0.0/16").overlaps(cidr("10.2.0.0/16")));
        assert!(!cidr("0.0.0.0/0").overlaps(cidr("::/0")));
    }
}
