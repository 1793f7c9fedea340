//! Claims the container's addresses by creating the interface that is named after one: of two
//! launchers that try the same name, the kernel lets one succeed (EEXIST).

use std::ffi::CString;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::choose::{self, Ends};
use super::host::{Bridge, Host};
use super::link::INSIDE;
use crate::error::Error;
use crate::netlink::Socket;
use crate::netlink::route::Pair;
use crate::spec::network::{Cidr, Link, host_end_name};
use crate::sys::{Errno, signal};

/// What to try.
type Candidates<'a> = Box<dyn Iterator<Item = Vec<Ends>> + 'a>;

/// Creates the veth pair by the first name that is free. Returns that name, and the addresses.
pub fn claim(
    spec: &Link,
    host: &mut Host,
    namespace: BorrowedFd<'_>,
) -> Result<(CString, Vec<Ends>), Error> {
    /// If all are taken: how often to try again, and how long to wait between, as a container that
    /// has just ended may be about to release one.
    const ROUNDS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(10);
    let mut socket = Socket::for_routes().map_err(pair_failed)?;
    let mut last = None;
    for _ in 0..ROUNDS {
        let (candidates, is_choice) = candidates(spec, host)?;
        for ends in candidates {
            // Without an address (a bridge that has none): named after our pid.
            let key = ends.first().map_or_else(own_number, |e| e.container.address);
            let name = host_end_name(key);
            match socket.create_pair(&Pair {
                name: &name,
                bridge: host.bridge.as_ref().map(|bridge| bridge.interface.index),
                mtu: spec.mtu.unwrap_or(host.mtu),
                peer: INSIDE,
                peer_namespace: namespace.as_raw_fd(),
                peer_mac: spec.mac,
            }) {
                Ok(()) => return Ok((name, ends)),
                Err(Errno::EEXIST) => last = Some(key),
                Err(errno) => return Err(pair_failed(errno)),
            }
        }
        if is_choice {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Err(match last {
        None => Error::refused("ChooseNetwork", "the host's routes leave no network in 10.0.0.0/8")
            .advise("give a --network"),
        Some(key) => Error::refused(
            "ClaimAddress",
            format!("no address is left for the container: another one has {key}"),
        ),
    })
}

fn own_number() -> IpAddr {
    std::net::Ipv4Addr::from(signal::own_pid() as u32).into()
}

fn pair_failed(errno: Errno) -> Error {
    let advice = match errno {
        Errno::EOPNOTSUPP => Some("the kernel lacks CONFIG_VETH, or its module (modprobe veth)"),
        Errno::EPERM => Some(
            "it takes CAP_NET_ADMIN over the network that the launcher is in; --net pasta does not",
        ),
        Errno::EXFULL => Some("a bridge has 1024 ports"),
        _ => None,
    };
    Error::at("CreateInterfaces", "create a pair of interfaces for the container", errno)
        .advise_maybe(advice.map(str::to_owned))
}

/// The ends to try, one after the other, and whether there is more than one.
fn candidates<'a>(spec: &'a Link, host: &'a Host) -> Result<(Candidates<'a>, bool), Error> {
    if let Some(bridge) = &host.bridge {
        let all = on_bridge(spec, bridge)?;
        let is_choice = all.len() > 1;
        return Ok((Box::new(all.into_iter()), is_choice));
    }
    let ends_in = move |mut nets: Vec<Cidr>| {
        if spec.ipv6 && nets.iter().all(|net| net.is_v4()) {
            nets.push(choose::v6_beside(nets[0]));
        }
        nets.into_iter().filter_map(|net| choose::ends(spec, net)).collect::<Vec<_>>()
    };
    if spec.networks.is_empty() {
        let nets = choose::free_networks(&host.taken, signal::own_pid() as u32);
        return Ok((Box::new(nets.map(move |net| ends_in(vec![net]))), true));
    }
    let is_taken = |net: &&Cidr| host.taken.iter().any(|taken| taken.overlaps(**net));
    match spec.networks.iter().find(is_taken) {
        // If a container has it, that may be about to end: try.
        Some(net) if !host.is_claimed => Err(Error::refused(
            "ChooseNetwork",
            format!("--network {net} is in use: the host has an address or a route there"),
        )),
        _ => Ok((Box::new(std::iter::once(ends_in(spec.networks.clone()))), false)),
    }
}

/// On a bridge: for each family the addresses to try. The first one names the interface.
fn on_bridge(spec: &Link, bridge: &Bridge) -> Result<Vec<Vec<Ends>>, Error> {
    let mut per_family = Vec::new();
    for v4 in [true, false] {
        let own = bridge.addresses.iter().find(|address| address.is_v4() == v4);
        let typed = spec.networks.iter().find(|net| net.is_v4() == v4).copied();
        if !v4 && !spec.wants_v6() {
            continue;
        }
        let Some(net) = typed.or(own.copied()) else { continue };
        let typed = spec.host_ips.iter().copied().find(|ip| net.is_for_a_host(*ip));
        let own = own.map(|own| own.address).filter(|ip| net.contains(*ip));
        let Some(gateway) = typed.or(own).or_else(|| net.nth(1)) else { continue };
        let ends = choose::in_bridge(spec, net, gateway).into_iter();
        per_family
            .push(ends.map(|container| Ends { host: gateway, container }).collect::<Vec<_>>());
    }
    let first = || per_family.iter().filter_map(|ends| ends.first());
    let passed_over = spec.host_ips.iter().find(|ip| !first().any(|e| e.host == **ip));
    let other = spec.container_ips.iter().find(|ip| !first().any(|e| e.container.address == **ip));
    if let Some(ip) = passed_over.or(other) {
        return Err(Error::refused("ChooseNetwork", format!("{ip} cannot be had on that bridge"))
            .advise(
                "an address of the bridge's network or of --network is wanted, and the container's \
                 is another than the gateway's",
            ));
    }
    let Some(first) = per_family.first() else { return Ok(vec![Vec::new()]) };
    let count = first.len();
    let at = |index: usize| {
        per_family.iter().filter_map(move |ends| ends.get(index).or(ends.last()).copied())
    };
    Ok((0..count).map(|index| at(index).collect()).collect())
}
