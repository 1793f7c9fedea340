//! Makes the Landlock ruleset, with the rules for ports. The child adds those for paths, which are
//! the container's; init restricts the command by it (landlock_restrict_self(2)).

use std::os::fd::{AsFd, OwnedFd};

use crate::error::Error;
use crate::spec::landlock::Landlock;
use crate::sys::Errno;
use crate::sys::landlock::{self, Handled};

const STAGE: &str = "PrepareLandlock";

/// The ruleset, and the accesses to files that it handles.
pub struct Rules {
    pub set: OwnedFd,
    pub files: u64,
}

/// An error where the kernel can restrict less than was asked for.
pub fn open(asked: Option<&Landlock>) -> Result<Option<Rules>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let abi = landlock::abi().map_err(|errno| {
        let error = Error::at(STAGE, "use --landlock", errno);
        match errno {
            Errno::EOPNOTSUPP => error.advise(
                "it is built in and not switched on: boot with lsm=landlock, and what is in \
                 /sys/kernel/security/lsm",
            ),
            _ => error.advise(
                "the kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK), or an outer \
                 container's seccomp forbids it",
            ),
        }
    })?;
    if let Some((what, advice)) = asked.missing(abi) {
        let text = format!("--landlock: ABI {abi}, which this kernel has, cannot restrict {what}");
        return Err(Error::refused(STAGE, text).advise(advice));
    }
    let files = asked.files(abi.min(asked.abi.unwrap_or(abi)));
    let handled = Handled { files, network: asked.network, scopes: asked.scopes };
    let failed = |errno| Error::at(STAGE, "make the rules of --landlock", errno);
    let set = landlock::create(&handled).map_err(failed)?;
    for (port, access) in &asked.ports {
        landlock::allow_port(set.as_fd(), *port, *access).map_err(failed)?;
    }
    Ok(Some(Rules { set, files }))
}
