//! `--publish`: a port of the host's that leads to one of the container's.

use std::fmt;
use std::net::IpAddr;

use crate::error::Error;
use crate::words::Word;

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The host's address it is at; all of them, if there is none.
    pub address: Option<IpAddr>,
    pub host_port: u16,
    pub port: u16,
    pub protocol: Protocol,
}

impl Publish {
    /// `[IP:]HOST:CONTAINER[/udp|tcp]`; an IPv6 address in brackets.
    pub fn parse(word: &Word) -> Result<Publish, Error> {
        let text = word.show();
        Publish::read(&text).ok_or_else(|| {
            Error::misuse(format!(
                "--publish {text} is not [IP:]HOST:CONTAINER[/tcp|/udp], with ports from 1 to 65535"
            ))
        })
    }

    fn read(text: &str) -> Option<Publish> {
        let (ports, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.split('/').next()?, Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some(_) => return None,
        };
        let (front, port) = ports.rsplit_once(':')?;
        let (address, host_port) = match front.rsplit_once(':') {
            None => (None, front),
            Some((address, host_port)) => {
                let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let address = bare.unwrap_or(address).parse::<IpAddr>().ok()?;
                (Some(address), host_port)
            }
        };
        Some(Publish {
            address,
            host_port: parse_port(host_port)?,
            port: parse_port(port)?,
            protocol,
        })
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&port| is_number && port != 0)
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(address) => write!(f, "{address}:")?,
            None => {}
        }
        write!(f, "{}:{}/{}", self.host_port, self.port, self.protocol.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        for (typed, shown) in [
            ("8080:80", "8080:80/tcp"),
            ("53:5353/udp", "53:5353/udp"),
            ("127.0.0.1:1:2/tcp", "127.0.0.1:1:2/tcp"),
            ("[fd00::1]:1:2", "[fd00::1]:1:2/tcp"),
        ] {
            let publish = Publish::parse(&Word(typed.into())).unwrap();
            assert_eq!(publish.to_string(), shown);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for word in
            ["", "80", "0:80", "80:0", "a:80", "80:65536", "80:80/sctp", "x:1:2", "1:2:", "+1:2"]
        {
            let error = Publish::parse(&Word(word.into())).unwrap_err().to_string();
            assert!(error.contains("--publish"), "{word}");
        }
    }
}
