//! Makes the container's network from the host's side (`--net veth`, `bridge` and `pasta`).
//!
//! In: a child that waits at the gate, with its ids mapped, in an empty network namespace. Out: its
//! network is complete. It ends with the container, also when the launcher is killed: the kernel
//! removes a veth pair with the network namespace of either end, and an nf_tables table with the
//! socket of its owner.

mod choose;
mod claim;
mod host;
mod link;
mod nat;
mod pasta;
mod publish;
mod ready;
mod sysctl;
mod table;
pub mod trial;

use super::Deadline;
use crate::error::Error;
use crate::log::Log;
use crate::prepare::Prepared;
use crate::spec::network::Network;
use host::Host;
use link::Attached;
use pasta::Served;
use publish::reserve;

/// The container's network. It is removed when this is dropped.
pub enum Connection {
    Link { link: Attached },
    Program { _served: Served },
}

impl Connection {
    /// The container's addresses, where the launcher has chosen or set them.
    pub fn addresses(&self) -> &[String] {
        match self {
            Connection::Link { link } => &link.addresses,
            Connection::Program { .. } => &[],
        }
    }
}

/// For `--explain`: tries what can fail, without anything that others would see.
pub fn rehearse(network: &Network) -> Result<(), Error> {
    if let Network::Link(link) = network {
        Host::look(link)?;
        reserve(network.publish())?;
        trial::make_pair_and_table().map_err(|errno| {
            Error::at(
                "CreateInterfaces",
                "make a pair of interfaces and a table of nf_tables",
                errno,
            )
            .advise(trial::NEEDS)
        })?;
    }
    Ok(())
}

/// Makes the network of the child with this number in /proc, if `--net` asks for one.
pub fn connect(
    prepared: &Prepared<'_>,
    number: i32,
    deadline: &Deadline,
    log: &mut Log,
) -> Result<Option<Connection>, Error> {
    match (&prepared.spec.network, &prepared.carrier) {
        (Network::Link(spec), _) => {
            let link = link::attach(spec, &prepared.ground.caller.proc, number, log)?;
            Ok(Some(Connection::Link { link }))
        }
        (Network::Pasta(spec), Some(carrier)) => {
            let served = pasta::serve(prepared, carrier, spec, number, deadline)?;
            log.step("start pasta");
            Ok(Some(Connection::Program { _served: served }))
        }
        _ => Ok(None),
    }
}
