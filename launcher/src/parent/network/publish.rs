//! Reserves the host's ports that are published.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use crate::error::Error;
use crate::spec::network::{Protocol, Publish};
use crate::sys::{Errno, network};

/// Reserves the published ports. A port that a program of the host's or another container has is an
/// error.
pub fn reserve(publish: &[Publish]) -> Result<Vec<OwnedFd>, Error> {
    let mut ports = Vec::new();
    for publish in publish {
        let is_tcp = publish.protocol == Protocol::Tcp;
        let address = publish.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let port = network::reserve_port(address, publish.host_port, is_tcp);
        ports.push(port.map_err(|errno| {
            let advice = match errno {
                Errno::EADDRINUSE => Some("a program of the host's has it, or a container"),
                Errno::EACCES => {
                    Some("a port below 1024 takes root (net.ipv4.ip_unprivileged_port_start)")
                }
                Errno::EADDRNOTAVAIL => Some("the host has no such address"),
                _ => None,
            };
            Error::at("Publish", format_args!("publish port {publish}"), errno)
                .advise_maybe(advice.map(str::to_owned))
        })?);
    }
    Ok(ports)
}
