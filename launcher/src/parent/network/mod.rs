//! The container's network, as far as it is made on the host's side.
//!
//! In: a child that waits at the gate, its ids mapped, in a network namespace with nothing in it. A
//! network that is there is complete when the gate opens. It goes with the container: the kernel
//! removes a pair of interfaces with the namespace of one of them, and a table with the socket of
//! its owner, so nothing stays either when the launcher is killed.

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

/// What serves the container's network, while it lives: dropped, it goes.
pub enum Connection {
    Link { link: Attached },
    Program { _served: Served },
}

impl Connection {
    /// The container's, as far as they are of our choice.
    pub fn addresses(&self) -> &[String] {
        match self {
            Connection::Link { link } => &link.addresses,
            Connection::Program { .. } => &[],
        }
    }
}

/// For `--explain`: looks for what can be in the way, as far as nobody else sees it.
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

/// Makes the network of the child with this number in /proc, if it gets one.
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
