//! The rules of a container's nf_tables table: masquerading, published ports, and nothing else that
//! comes in.
//!
//! A packet that one table accepts can still be dropped by another, such as a firewall of the
//! host's that drops forwarded packets.

use std::net::{IpAddr, Ipv6Addr};

use crate::netlink::nft::{FORWARD, OUTPUT, POSTROUTING, PREROUTING, RAW, Rule, Table};
use crate::spec::network::{Cidr, Publish};

/// How the container is reached from the host.
pub struct Reach<'a> {
    /// The host's end of the pair, or the bridge.
    pub interface: u32,
    pub is_bridge: bool,
    /// The container's addresses, one of each family, with the prefixes of their networks.
    pub addresses: &'a [Cidr],
    pub publish: &'a [Publish],
}

/// The table with all rules.
pub fn table<'a>(name: &'a str, reach: &Reach<'_>) -> Table<'a> {
    let mut table = Table::new(name);
    table.add_chain(RAW, &reach.raw());
    table.add_chain(PREROUTING, &reach.publishing());
    // Connections that begin on the host, those to 127.0.0.1 among them.
    table.add_chain(OUTPUT, &reach.publishing_here());
    table.add_chain(POSTROUTING, &reach.postrouting());
    table.add_chain(FORWARD, &reach.forward());
    table
}

fn loopback() -> Cidr {
    Cidr::new(IpAddr::from([127, 0, 0, 0]), 8)
}

impl Reach<'_> {
    /// route_localnet, which lets connections to the host's 127.0.0.1 be led to the container, also
    /// lets the container send to the host's loopback (CVE-2020-8558): that is dropped.
    fn raw(&self) -> Vec<Rule> {
        let rule = || Rule::new().comes_in_by(self.interface).goes_to(loopback()).drop();
        if self.leads_from_loopback() { vec![rule()] } else { Vec::new() }
    }

    /// Whether connections to published ports at the host's 127.0.0.1 are led to the container. Not
    /// on a bridge, which is not ours to set route_localnet of.
    pub fn leads_from_loopback(&self) -> bool {
        !self.is_bridge && !self.publish.is_empty() && self.addresses.iter().any(|a| a.is_v4())
    }

    /// A published port at an address from which it cannot be led to the container.
    pub fn leads_nowhere(&self) -> Option<&Publish> {
        self.publish.iter().find(|publish| {
            publish.address.is_some_and(|at| {
                let has_family = self.addresses.iter().any(|a| a.is_v4() == at.is_ipv4());
                // IPv6 has no route_localnet.
                !has_family || at.is_loopback() && (at.is_ipv6() || self.is_bridge)
            })
        })
    }

    fn publishing(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for publish in self.publish {
            for inside in self.addresses {
                let rule = match publish.address {
                    Some(at) if at.is_ipv4() != inside.is_v4() => continue,
                    Some(at) if !at.is_unspecified() => Rule::new().goes_to(Cidr::host(at)),
                    _ => Rule::new().has_family_of(*inside).goes_to_this_machine(),
                };
                let rule = rule.goes_to_port(publish.protocol, publish.host_port);
                rules.push(rule.lead_to(inside.address, publish.port));
            }
        }
        rules
    }

    /// The same for connections that begin on the host. Those to a loopback address that cannot be
    /// led to the container (`leads_nowhere`) are accepted as they are, and then refused, instead
    /// of being lost.
    fn publishing_here(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut leave = |network| rules.push(Rule::new().goes_to(network).accept());
        if self.is_bridge && !self.publish.is_empty() {
            leave(loopback());
        }
        if self.addresses.iter().any(|a| !a.is_v4()) && !self.publish.is_empty() {
            leave(Cidr::host(Ipv6Addr::LOCALHOST.into()));
        }
        rules.extend(self.publishing());
        rules
    }

    fn postrouting(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for &inside in self.addresses {
            let own = Cidr::host(inside.address);
            let out = Rule::new().comes_from(own).goes_out_by_another_than(self.interface);
            rules.push(out.masquerade());
            if !self.publish.is_empty() {
                // From the container itself or a neighbour on the bridge: the answer would not come
                // back by the host otherwise.
                let near = Rule::new().comes_from(inside).goes_to(own).was_led_here();
                rules.push(near.masquerade());
            }
        }
        if self.leads_from_loopback() {
            let local = Rule::new().goes_out_by(self.interface).comes_from(loopback());
            rules.push(local.masquerade());
        }
        rules
    }

    /// Other machines, and containers on other networks, reach the container by published ports only.
    fn forward(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for inside in self.addresses {
            let own = Cidr::host(inside.address);
            let to = || Rule::new().goes_out_by(self.interface).goes_to(own);
            rules.push(to().belongs_to_a_connection().accept());
            rules.push(to().was_led_here().accept());
            if self.is_bridge {
                rules.push(to().comes_in_by(self.interface).accept());
            }
            rules.push(to().drop());
        }
        rules
    }
}
