//! The part of `--explain` about the network.

use std::ffi::CString;
use std::net::IpAddr;

use crate::prepare::Carrier;
use crate::spec::network::{Link, Network};

/// What is there, and how it is reached. Addresses are chosen when a container starts.
pub fn network(spec: &Network, carrier: Option<&Carrier>) -> Vec<String> {
    let mut lines = match spec {
        Network::None => vec!["loopback, and nothing else".into()],
        Network::Host => vec!["the host's".into()],
        Network::Namespace(path) => vec![format!("that of {}", path.to_string_lossy())],
        Network::Link(link) => describe(link),
        Network::Pasta(pasta) => match carrier {
            Some(Carrier::Pasta(path)) => {
                let options = pasta.options.iter().map(|word| word.to_string_lossy());
                let words = [path.to_string_lossy()].into_iter().chain(options);
                vec![format!("by {}", words.collect::<Vec<_>>().join(" "))]
            }
            Some(Carrier::Slirp(path)) => {
                vec![format!("by {}, as there is no pasta", path.to_string_lossy())]
            }
            None => vec!["by pasta".into()],
        },
    };
    lines.extend(spec.publish().iter().map(|publish| format!("port {publish}")));
    lines
}

fn addresses(all: &[IpAddr]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn describe(link: &Link) -> Vec<String> {
    let mut lines = vec![match &link.bridge {
        Some(name) => format!("eth0, at the bridge {}", name.to_string_lossy()),
        None => "eth0, and out by the host's addresses (masquerading in nf_tables)".into(),
    }];
    let nets = link.networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    lines.push(match (nets.is_empty(), &link.bridge) {
        (false, _) => format!("in {}", nets.join(", ")),
        (true, Some(_)) => "in the bridge's network".into(),
        (true, None) => "in a free network of 10.0.0.0/8".into(),
    });
    if link.ipv6 {
        lines.push("and one for IPv6".into());
    }
    if !link.container_ips.is_empty() {
        lines.push(format!("as {}", addresses(&link.container_ips)));
    }
    if !link.host_ips.is_empty() {
        lines.push(format!("with the gateway {}", addresses(&link.host_ips)));
    }
    lines.extend(link.mtu.map(|mtu| format!("MTU {mtu}")));
    lines.extend(link.rate.map(|rate| format!("at most {rate} bytes/s each way")));
    lines.extend(link.mac.map(|mac| {
        let mac = CString::new(mac.map(|byte| format!("{byte:02x}")).join(":"));
        format!("hardware address {}", mac.unwrap_or_default().to_string_lossy())
    }));
    lines
}
