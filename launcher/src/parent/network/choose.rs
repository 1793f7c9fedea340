//! Chooses the addresses that a container can get. Pure.
//!
//! These are candidates: two launchers can choose the same at once. An address is claimed by
//! creating the interface that is named after it ([`claim`](super::claim)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::spec::network::{Cidr, Link};

/// The two ends, with the prefix of the network they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The container's gateway.
    pub host: IpAddr,
    pub container: Cidr,
}

/// The networks with two hosts (/30) in 10.0.0.0/8 that overlap none that is taken: first those in
/// 10.203.0.0/16, from the one with the number `start` on, then those in the other /16.
pub fn free_networks(taken: &[Cidr], start: u32) -> impl Iterator<Item = Cidr> {
    const FIRST: u32 = 203;
    const PREFIX: u8 = 30;
    /// In each /16.
    const COUNT: u32 = 1 << (PREFIX - 16);
    let of_16 = move |index: u32| Cidr::new(ten(((FIRST + index) % 256) << 16), 16);
    let is_taken_whole =
        |net: Cidr| taken.iter().any(|taken| taken.prefix <= net.prefix && taken.overlaps(net));
    (0..256)
        .map(of_16)
        .filter(move |&net| !is_taken_whole(net))
        .flat_map(move |net| {
            (0..COUNT).filter_map(move |index| {
                let offset = (start.wrapping_add(index) % COUNT) << (32 - PREFIX);
                net.nth(offset.into()).map(|first| Cidr::new(first, PREFIX))
            })
        })
        .filter(|net| !taken.iter().any(|taken| taken.overlaps(*net)))
}

fn ten(rest: u32) -> IpAddr {
    Ipv4Addr::from(10 << 24 | rest).into()
}

/// The private network (RFC 4193) that goes with an IPv4 one.
pub fn v6_beside(v4: Cidr) -> Cidr {
    let IpAddr::V4(address) = v4.network().address else { return v4 };
    let number = 0xfd6c_6175 << 96 | u128::from(u32::from(address)) << 64;
    Cidr::new(Ipv6Addr::from(number).into(), 64)
}

/// The two ends in a network of their own: the addresses that were given, else its first ones.
pub fn ends(link: &Link, net: Cidr) -> Option<Ends> {
    let typed = |ips: &[IpAddr]| ips.iter().copied().find(|&ip| net.contains(ip));
    let (host, container) = (typed(&link.host_ips), typed(&link.container_ips));
    let free = |other: Option<IpAddr>| {
        let mut all = (0..4).filter_map(|offset| net.nth(offset));
        // An IPv6 network's first address is the subnet-router anycast address (RFC 4291).
        all.find(|&ip| {
            net.is_for_a_host(ip)
                && Some(ip) != other
                && (net.is_v4() || ip != net.network().address)
        })
    };
    let host = host.or_else(|| free(container))?;
    let container = container.or_else(|| free(Some(host)))?;
    Some(Ends { host, container: Cidr::new(container, net.prefix) })
}

/// The addresses to try for the container in a bridge's network, except the gateway's.
pub fn in_bridge(link: &Link, net: Cidr, gateway: IpAddr) -> Vec<Cidr> {
    /// More containers than a bridge has ports for (BR_MAX_PORTS).
    const MOST: u128 = 1024;
    let is_free = |ip: &IpAddr| net.is_for_a_host(*ip) && *ip != gateway;
    if let Some(&ip) = link.container_ips.iter().find(|ip| is_free(ip)) {
        return vec![Cidr::new(ip, net.prefix)];
    }
    let all = (1..net.size().min(MOST)).filter_map(|offset| net.nth(offset));
    let free = all.filter(is_free);
    free.map(|ip| Cidr::new(ip, net.prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    fn first(taken: &[&str], start: u32) -> Option<String> {
        let taken = taken.iter().map(|text| cidr(text)).collect::<Vec<_>>();
        free_networks(&taken, start).next().map(|net| net.to_string())
    }

    #[test]
    fn a_network_overlaps_nothing_of_the_hosts() {
        assert_eq!(first(&[], 0).unwrap(), "10.203.0.0/30");
        assert_eq!(first(&[], 16385).unwrap(), "10.203.0.4/30");
        assert_eq!(first(&["10.203.0.0/24"], 0).unwrap(), "10.203.1.0/30");
        assert_eq!(first(&["10.203.0.1/32"], 0).unwrap(), "10.203.0.4/30");
        assert_eq!(first(&["10.128.0.0/9"], 7).unwrap(), "10.0.0.28/30");
        assert_eq!(first(&["10.0.0.0/8"], 0), None);
        assert_eq!(free_networks(&[], 5).take(20000).count(), 20000);
    }

    #[test]
    fn ends_are_what_was_typed_or_the_first_addresses() {
        let show = |link: &Link, net: &str| {
            ends(link, cidr(net)).map(|ends| format!("{} {}", ends.host, ends.container))
        };
        let mut link = Link::default();
        assert_eq!(show(&link, "10.0.0.4/30").unwrap(), "10.0.0.5 10.0.0.6/30");
        assert_eq!(show(&link, "10.0.0.4/31").unwrap(), "10.0.0.4 10.0.0.5/31");
        assert_eq!(show(&link, "fd00::/64").unwrap(), "fd00::1 fd00::2/64");
        link.container_ips = vec!["10.0.0.5".parse().unwrap()];
        assert_eq!(show(&link, "10.0.0.4/30").unwrap(), "10.0.0.6 10.0.0.5/30");
    }

    #[test]
    fn a_bridge_has_room_for_what_its_network_holds() {
        let all = in_bridge(&Link::default(), cidr("10.0.0.0/29"), "10.0.0.1".parse().unwrap());
        let shown = all.iter().map(Cidr::to_string).collect::<Vec<_>>();
        assert_eq!(shown.len(), 5);
        assert_eq!((shown[0].as_str(), shown[4].as_str()), ("10.0.0.2/29", "10.0.0.6/29"));
    }

    #[test]
    fn v6_networks_are_as_distinct_as_those_they_are_beside() {
        assert_eq!(v6_beside(cidr("10.203.0.4/30")).to_string(), "fd6c:6175:acb:4::/64");
    }
}
