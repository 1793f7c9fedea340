//! nf_tables: creates and deletes tables with their chains and rules.
//!
//! Layouts and numbers: linux/netfilter/nf_tables.h and nfnetlink.h. Numbers of attributes are in
//! the network's byte order; what is compared is in that of where it comes from.

mod rule;

use super::{APPEND, Attributes, CREATE, DUMP, EXCLUSIVE, Message, Socket, attribute};
use crate::sys::{Errno, Result as SysResult};
pub use rule::Rule;

const SUBSYSTEM: u16 = 10;
/// The family of tables that see IPv4 and IPv6.
const INET: u8 = 1;

// NFNL_MSG_BATCH_* and NFT_MSG_*.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;

const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
/// Nobody else may change it, and it ends with the socket that made it (Linux 5.12).
const TABLE_OWNED: u32 = 2;

/// A base chain: the hook in the kernel at which its rules see packets.
#[derive(Clone, Copy)]
pub struct Hook {
    pub chain: &'static str,
    kind: &'static str,
    /// NF_INET_*.
    number: u32,
    /// The order of chains at a hook, as iptables has it.
    priority: i32,
}

/// Packets that come in, before they belong to a connection.
pub const RAW: Hook = Hook { chain: "raw", kind: "filter", number: 0, priority: -300 };
/// The first packet of a connection that comes in: where it is to go.
pub const PREROUTING: Hook = Hook { chain: "prerouting", kind: "nat", number: 0, priority: -100 };
/// The same, of one that begins here.
pub const OUTPUT: Hook = Hook { chain: "output", kind: "nat", number: 3, priority: -100 };
/// Packets that pass through.
pub const FORWARD: Hook = Hook { chain: "forward", kind: "filter", number: 2, priority: 0 };
/// The first packet of a connection that goes out: where it says that it comes from.
pub const POSTROUTING: Hook = Hook { chain: "postrouting", kind: "nat", number: 4, priority: 100 };

/// A table in the making.
pub struct Table<'a> {
    name: &'a str,
    messages: Vec<Message>,
}

impl<'a> Table<'a> {
    pub fn new(name: &'a str) -> Table<'a> {
        Table { name, messages: Vec::new() }
    }

    /// Adds a chain with these rules, if there are any.
    pub fn add_chain(&mut self, hook: Hook, rules: &[Rule]) {
        if rules.is_empty() {
            return;
        }
        const TABLE: u16 = 1;
        const NAME: u16 = 3;
        const HOOK: u16 = 4;
        const KIND: u16 = 7;
        let place = Attributes::new().with_be32(1, hook.number).with_be32(2, hook.priority as u32);
        let chain = Attributes::new()
            .with_text(TABLE, self.name)
            .with_text(NAME, hook.chain)
            .with_nested(HOOK, &place)
            .with_text(KIND, hook.kind);
        self.messages.push(message(NEW_CHAIN, CREATE, &chain));
        let name = self.name;
        self.messages.extend(rules.iter().map(|rule| rule_message(name, hook, rule)));
    }
}

fn rule_message(table: &str, hook: Hook, rule: &Rule) -> Message {
    const TABLE: u16 = 1;
    const CHAIN: u16 = 2;
    const EXPRESSIONS: u16 = 4;
    let attributes = Attributes::new()
        .with_text(TABLE, table)
        .with_text(CHAIN, hook.chain)
        .with_nested(EXPRESSIONS, rule.expressions());
    message(NEW_RULE, CREATE | APPEND, &attributes)
}

/// struct nfgenmsg comes first.
fn message(kind: u16, flags: u16, attributes: &Attributes) -> Message {
    Message::new(SUBSYSTEM << 8 | kind, flags, &[INET, 0, 0, 0], attributes)
}

fn mark(kind: u16) -> Message {
    let subsystem = SUBSYSTEM.to_be_bytes();
    Message::new(kind, 0, &[0, 0, subsystem[0], subsystem[1]], &Attributes::new())
}

fn table(name: &str, flags: u32) -> Attributes {
    Attributes::new().with_text(TABLE_NAME, name).with_be32(TABLE_FLAGS, flags)
}

impl Socket {
    /// Makes a table as a whole. `owned`: it is gone when this socket is closed.
    pub fn create_table(&mut self, made: Table<'_>, owned: bool) -> SysResult<()> {
        let flags = if owned { TABLE_OWNED } else { 0 };
        let new = message(NEW_TABLE, CREATE | EXCLUSIVE, &table(made.name, flags));
        let messages = std::iter::once(new).chain(made.messages).collect();
        self.transaction(mark(BEGIN), messages, mark(END))
    }

    /// Takes it away, and says nothing if there is none.
    pub fn delete_table(&mut self, name: &str) -> SysResult<()> {
        let name = Attributes::new().with_text(TABLE_NAME, name);
        let messages = vec![message(DELETE_TABLE, 0, &name)];
        match self.transaction(mark(BEGIN), messages, mark(END)) {
            Err(Errno::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// The names of all tables of this family.
    pub fn table_names(&mut self) -> SysResult<Vec<String>> {
        let mut names = Vec::new();
        self.ask(message(GET_TABLE, DUMP, &Attributes::new()), |_, body| {
            let name = body.get(4..).and_then(|attributes| attribute(attributes, TABLE_NAME));
            names.extend(
                name.map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').into()),
            );
        })?;
        Ok(names)
    }
}
