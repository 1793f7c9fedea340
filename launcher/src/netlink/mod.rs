//! netlink(7): messages of attributes to the kernel, and what it answers.
//!
//! Two families: routes, interfaces and traffic control (rtnetlink(7)), and nf_tables. Their
//! layouts are the kernel's uapi headers: linux/netlink.h, rtnetlink.h, if_link.h,
//! netfilter/nf_tables.h. Everything is in the machine's byte order unless it says otherwise.
//!
//! By hand, as crates weigh more than all of it. By so much a static program that makes a pair,
//! asks for its number and gives it an address is larger than one that does not: this 19 KB, and
//! with a table of nf_tables 24; neli 0.7 153; netlink-packet-route 0.34 with netlink-packet-core
//! and netlink-sys 512; rtnetlink 0.24, which takes tokio, 765. None of those has the messages of
//! nf_tables; nix has sockets, and no messages.

pub mod nft;
pub mod route;
mod socket;
mod tc;

pub use socket::Socket;

/// Attributes one after the other: length, type, value, each begun at a multiple of four.
#[derive(Default)]
pub struct Attributes(Vec<u8>);

/// struct nlattr; struct rtattr is the same.
const ATTRIBUTE_HEADER: usize = 4;
const NESTED: u16 = 0x8000;
/// Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const KIND_MASK: u16 = 0x3fff;

impl Attributes {
    pub fn new() -> Attributes {
        Attributes::default()
    }

    /// Adds one.
    pub fn with(mut self, kind: u16, value: &[u8]) -> Attributes {
        let length = (ATTRIBUTE_HEADER + value.len()) as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub fn with_u32(self, kind: u16, value: u32) -> Attributes {
        self.with(kind, &value.to_ne_bytes())
    }

    /// For nf_tables, whose numbers are in the network's byte order.
    pub fn with_be32(self, kind: u16, value: u32) -> Attributes {
        self.with(kind, &value.to_be_bytes())
    }

    /// The kernel's strings end with NUL.
    pub fn with_text(self, kind: u16, text: &str) -> Attributes {
        self.with(kind, &[text.as_bytes(), b"\0"].concat())
    }

    pub fn with_nested(self, kind: u16, inner: &Attributes) -> Attributes {
        self.with(kind | NESTED, &inner.0)
    }

    /// One whose value begins with a structure of its own.
    pub fn with_headed(self, kind: u16, header: &[u8], inner: &Attributes) -> Attributes {
        self.with(kind | NESTED, &[header, &inner.0].concat())
    }
}

/// The values of the attributes in an answer.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of one of them.
pub fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A request: struct nlmsghdr, the family's own header, attributes.
pub struct Message(Vec<u8>);

const MESSAGE_HEADER: usize = 16;

// NLM_F_* of linux/netlink.h.
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
/// NLM_F_DUMP: all objects, for a question.
const DUMP: u16 = 0x300;
/// NLM_F_EXCL: a new object must not exist.
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

impl Message {
    fn new(kind: u16, flags: u16, header: &[u8], attributes: &Attributes) -> Message {
        let length = MESSAGE_HEADER + header.len() + attributes.0.len();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&(length as u32).to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
        // The sequence number is the socket's, and so is ours: port 0 is the kernel's to fill in.
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&attributes.0);
        Message(bytes)
    }

    fn add_flags(&mut self, flags: u16) {
        let all = u16::from_ne_bytes([self.0[6], self.0[7]]) | flags;
        self.0[6..8].copy_from_slice(&all.to_ne_bytes());
    }

    fn set_sequence(&mut self, number: u32) {
        self.0[8..12].copy_from_slice(&number.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_come_back() {
        let inner = Attributes::new().with_text(3, "lo").with_be32(4, 1);
        let all = Attributes::new().with(1, b"abcde").with_nested(2, &inner);
        assert_eq!(all.0.len(), 12 + 4 + 8 + 8);
        let read = attributes(&all.0).collect::<Vec<_>>();
        assert_eq!(read[0], (1, &b"abcde"[..]));
        assert_eq!(attribute(read[1].1, 3), Some(&b"lo\0"[..]));
        assert_eq!(attribute(read[1].1, 4), Some(&[0, 0, 0, 1][..]));
        assert_eq!(attribute(&[9, 0, 1, 0, 7], 1), None, "cut off");
        assert_eq!(attribute(&[2, 0, 1, 0], 1), None, "shorter than its header");
    }

    #[test]
    fn a_message_knows_its_length() {
        let mut message = Message::new(16, CREATE, &[7; 16], &Attributes::new().with_u32(1, 2));
        message.set_sequence(5);
        message.add_flags(ACK);
        assert_eq!(u32_at(&message.0, 0), Some(40));
        assert_eq!(u16_at(&message.0, 6), Some(REQUEST | ACK | CREATE));
        assert_eq!(u32_at(&message.0, 8), Some(5));
    }
}
