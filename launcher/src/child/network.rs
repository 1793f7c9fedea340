//! The loopback interface, which in a new network namespace is down.

use init::stage::Stage;

use super::reporter::{At, Failure};
use crate::sys::{Errno, network};

/// Brings it up.
pub fn raise_loopback() -> Result<(), Failure> {
    match network::raise_loopback() {
        // A kernel without IPv4 has no loopback address to give.
        Err(Errno::EAFNOSUPPORT) => Ok(()),
        other => other.at(Stage::RaiseLoopback),
    }
}
