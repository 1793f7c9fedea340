//! `--net` and the options that go with it: the container's network.

mod cidr;
mod publish;

use std::ffi::{CStr, CString};
use std::net::IpAddr;

use super::resources::bytes;
use super::{Shared, unknown_value};
use crate::args::Args;
use crate::error::Error;
use crate::words::Word;
pub use cidr::{Cidr, octets};
pub use publish::{Protocol, Publish};

/// The container's network.
#[derive(Debug)]
pub enum Network {
    /// A namespace of its own with loopback, and nothing else.
    None,
    /// The host's network namespace.
    Host,
    /// An existing one: the path of its nsfs file.
    Namespace(CString),
    /// A veth pair, one end here and one in the container. Requires root.
    Link(Link),
    /// A program on the host (pasta) forwards its traffic, as the user who starts it.
    Pasta(Pasta),
}

/// A veth pair, and how the container reaches other networks.
#[derive(Debug, Default)]
pub struct Link {
    /// The bridge that the host's end is a port of; `None`: that end has addresses and is routed.
    pub bridge: Option<CString>,
    /// The MTU; `None`: that of the route out.
    pub mtu: Option<u32>,
    /// IPv6 too, in a network of the launcher's choice.
    pub ipv6: bool,
    /// At most one of each family, as what follows; what is not given is chosen.
    pub networks: Vec<Cidr>,
    pub host_ips: Vec<IpAddr>,
    pub container_ips: Vec<IpAddr>,
    pub mac: Option<[u8; 6]>,
    /// Bytes per second, each way.
    pub rate: Option<u64>,
    pub publish: Vec<Publish>,
}

/// For pasta.
#[derive(Debug, Default)]
pub struct Pasta {
    /// Its own options.
    pub options: Vec<CString>,
    pub publish: Vec<Publish>,
}

/// IFNAMSIZ of linux/if.h, without the NUL.
const MAX_INTERFACE_NAME: usize = 15;

const MODES: [&str; 6] = ["none", "host", "veth", "bridge=NAME", "ns:PATH", "pasta"];

impl Network {
    /// Reads `--net` and the options that go with it.
    pub fn parse(args: &Args, share: Shared) -> Result<Network, Error> {
        let Some(word) = &args.net else {
            refuse_details(args, true)?;
            return Ok(if share.net { Network::Host } else { Network::None });
        };
        if share.net && word.0 != b"host" {
            return Err(Error::misuse("--share net is --net host, and excludes any other --net"));
        }
        let bytes = word.0.as_slice();
        let (mode, rest) = match bytes.iter().position(|b| matches!(b, b'=' | b':')) {
            Some(at) => (&bytes[..at], Some((bytes[at], &bytes[at + 1..]))),
            None => (bytes, None),
        };
        let network = match (mode, rest) {
            (b"none", None) => Network::None,
            (b"host", None) => Network::Host,
            (b"ns", Some((b':', path @ [_, ..]))) => {
                Network::Namespace(Word(path.to_vec()).to_c_string())
            }
            (b"veth", None) => return Link::parse(args, None, ""),
            (b"veth", Some((b'=', options))) => {
                return Link::parse(args, None, &String::from_utf8_lossy(options));
            }
            (b"bridge", Some((b'=', options))) => {
                let options = String::from_utf8_lossy(options);
                let (name, options) = options.split_once(',').unwrap_or((&options, ""));
                return Link::parse(args, Some(name), options);
            }
            (b"pasta", None) => return Pasta::parse(args, b""),
            (b"pasta", Some((b':', options))) => return Pasta::parse(args, options),
            _ => return Err(unknown_value("--net", word, &MODES)),
        };
        refuse_details(args, true)?;
        Ok(network)
    }

    /// Whether the network namespace is one that exists already.
    pub fn is_shared(&self) -> bool {
        matches!(self, Network::Host | Network::Namespace(_))
    }

    pub fn publish(&self) -> &[Publish] {
        match self {
            Network::Link(link) => &link.publish,
            Network::Pasta(pasta) => &pasta.publish,
            _ => &[],
        }
    }
}

/// Options that say more about a network that is not there are a mistake.
fn refuse_details(args: &Args, with_publish: bool) -> Result<(), Error> {
    let given = [
        ("--network", !args.network.is_empty()),
        ("--host-ip", !args.host_ip.is_empty()),
        ("--container-ip", !args.container_ip.is_empty()),
        ("--mac", args.mac.is_some()),
        ("--rate", args.rate.is_some()),
        ("--publish", with_publish && !args.publish.is_empty()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some(("--publish", _)) => {
            Err(Error::misuse("--publish needs --net veth, bridge=NAME or pasta"))
        }
        Some((name, _)) => Err(Error::misuse(format!(
            "{name} needs --net veth or bridge=NAME; pasta takes options of its own"
        ))),
        None => Ok(()),
    }
}

/// Whether a host is reached by such an address from more than one place: of fe80::/10 each
/// interface has one of its own.
fn is_for_hosts(address: IpAddr) -> bool {
    let is_local = match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified(),
    };
    !is_local && !address.is_loopback() && !address.is_multicast()
}

fn parse_publish(args: &Args) -> Result<Vec<Publish>, Error> {
    args.publish.iter().map(Publish::parse).collect()
}

/// Whether the word after this option of pasta's can be its value (passt(1)).
fn takes_value(word: &[u8]) -> bool {
    const SWITCHES: [&[u8]; 5] = [b"-4", b"-6", b"--ipv4-only", b"--ipv6-only", b"--map-gw"];
    let is_switch = SWITCHES.contains(&word) || word.starts_with(b"--no-") || word.contains(&b'=');
    word.starts_with(b"-") && !is_switch
}

impl Pasta {
    fn parse(args: &Args, options: &[u8]) -> Result<Network, Error> {
        refuse_details(args, false)?;
        let words = options.split(|b| *b == b',').filter(|word| !word.is_empty());
        let words = words.collect::<Vec<_>>();
        // pasta takes a word that is no option for a command, and would run that.
        let mut before: &[u8] = b"";
        for word in &words {
            if !word.starts_with(b"-") && !takes_value(before) {
                let word = String::from_utf8_lossy(word);
                return Err(Error::misuse(format!("--net pasta:{word} is no option of pasta's"))
                    .advise(
                        "they begin with -, and a value is a word of its own: pasta:--mtu,1400",
                    ));
            }
            before = word;
        }
        let options = words.iter().map(|word| Word(word.to_vec()).to_c_string()).collect();
        Ok(Network::Pasta(Pasta { options, publish: parse_publish(args)? }))
    }
}

impl Link {
    fn parse(args: &Args, bridge: Option<&str>, options: &str) -> Result<Network, Error> {
        let mut link = Link { publish: parse_publish(args)?, ..Link::default() };
        link.bridge = bridge.map(parse_interface).transpose()?;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                None if option == "ipv6" => link.ipv6 = true,
                Some(("mtu", value)) => link.mtu = Some(parse_mtu(value)?),
                _ => {
                    let word = Word(option.into());
                    return Err(unknown_value("--net veth", &word, &["mtu=BYTES", "ipv6"]));
                }
            }
        }
        for word in &args.network {
            let net = Cidr::parse(&word.show()).filter(|net| is_for_hosts(net.address));
            link.networks.push(net.map(Cidr::network).ok_or_else(|| {
                let text = word.show();
                Error::misuse(format!("--network {text} is no network, such as 10.1.2.0/24"))
            })?);
        }
        link.host_ips = parse_addresses("--host-ip", &args.host_ip)?;
        link.container_ips = parse_addresses("--container-ip", &args.container_ip)?;
        link.mac = args.mac.as_ref().map(parse_mac).transpose()?;
        link.rate = args.rate.as_ref().map(parse_rate).transpose()?;
        link.check()?;
        Ok(Network::Link(link))
    }

    /// Checks the addresses against each other.
    fn check(&self) -> Result<(), Error> {
        let twice = |v4: bool| self.networks.iter().filter(|net| net.is_v4() == v4).count() > 1;
        if twice(true) || twice(false) {
            return Err(Error::misuse("--network is given once for IPv4 and once for IPv6"));
        }
        for (option, ips) in
            [("--host-ip", &self.host_ips), ("--container-ip", &self.container_ips)]
        {
            for (index, &ip) in ips.iter().enumerate() {
                if ips[..index].iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
                    return Err(Error::misuse(format!(
                        "{option} is given once for IPv4 and once for IPv6"
                    )));
                }
                match self.networks.iter().find(|net| net.is_v4() == ip.is_ipv4()) {
                    Some(net) if net.is_for_a_host(ip) => {}
                    Some(net) => {
                        return Err(Error::misuse(format!(
                            "{option} {ip} is no host's address in --network {net}"
                        )));
                    }
                    // On a bridge the network is the bridge's, not of our choice.
                    None if self.bridge.is_some() => {}
                    None => {
                        return Err(Error::misuse(format!(
                            "{option} {ip} needs a --network that it is in"
                        )));
                    }
                }
            }
        }
        if let Some(ip) = self.host_ips.iter().find(|ip| self.container_ips.contains(ip)) {
            return Err(Error::misuse(format!("--host-ip and --container-ip are both {ip}")));
        }
        // RFC 8200, 5.
        if self.wants_v6() && self.mtu.is_some_and(|mtu| mtu < 1280) {
            return Err(Error::misuse("IPv6 needs mtu=1280 at least"));
        }
        match self.networks.iter().find(|net| net.size() < 2) {
            Some(net) => {
                Err(Error::misuse(format!("--network {net} has no room for two addresses")))
            }
            None => Ok(()),
        }
    }

    /// Whether IPv6 was asked for, by `--ipv6` or by an address.
    pub fn wants_v6(&self) -> bool {
        self.ipv6 || self.networks.iter().any(|net| !net.is_v4())
    }
}

/// The name of an interface, which is also that of files.
pub fn parse_interface(name: &str) -> Result<CString, Error> {
    let is_name = (1..=MAX_INTERFACE_NAME).contains(&name.len())
        && !name.bytes().any(|b| b == b'/' || b == b':' || b.is_ascii_whitespace())
        && name != "."
        && name != "..";
    match CString::new(name) {
        Ok(name) if is_name => Ok(name),
        _ => Err(Error::misuse(format!("--net bridge={name}: that is no interface's name"))),
    }
}

fn parse_mtu(text: &str) -> Result<u32, Error> {
    /// ETH_MIN_MTU, and the largest that veth takes (ETH_MAX_MTU).
    const RANGE: std::ops::RangeInclusive<u32> = 68..=65535;
    text.parse().ok().filter(|mtu| RANGE.contains(mtu)).ok_or_else(|| {
        Error::misuse(format!("--net veth=mtu={text}: it is a number from 68 to 65535"))
    })
}

fn parse_rate(word: &Word) -> Result<u64, Error> {
    let rate = bytes("--rate", &word.show())?;
    if rate == 0 { Err(Error::misuse("--rate 0 is --net none")) } else { Ok(rate) }
}

fn parse_addresses(option: &str, words: &[Word]) -> Result<Vec<IpAddr>, Error> {
    let parse = |word: &Word| {
        let text = word.show();
        text.parse().map_err(|_| Error::misuse(format!("{option} {text} is no address")))
    };
    words.iter().map(parse).collect()
}

fn parse_mac(word: &Word) -> Result<[u8; 6], Error> {
    let text = word.show();
    let parts =
        text.split(':').map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2));
    let bytes = parts.collect::<Option<Vec<_>>>().and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    match bytes {
        // The lowest bit of the first byte: a group, and no interface's.
        Some(mac) if mac[0] & 1 == 0 && mac != [0; 6] => Ok(mac),
        _ => Err(Error::misuse(format!(
            "--mac {text} is no interface's address, such as 02:00:00:12:34:56"
        ))),
    }
}

/// The name for a host's end: that of an address in the container's network, so that to create the
/// interface is to claim the address.
pub fn host_end_name(address: IpAddr) -> CString {
    let number = match address {
        IpAddr::V4(v4) => u32::from(v4),
        // FNV-1a: 128 bits do not fit into a name.
        IpAddr::V6(v6) => v6.octets().iter().fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        }),
    };
    CString::new(format!("{}{number:08x}", HOST_END.to_string_lossy())).unwrap_or_default()
}

/// The prefix of the names of host ends.
pub const HOST_END: &CStr = c"veth-l";

#[cfg(test)]
mod tests;
