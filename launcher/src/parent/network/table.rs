//! The container's nf_tables table: creates it, owned by a socket; and removes tables of killed
//! launchers where the kernel knows no owners.

use std::ffi::CStr;
use std::time::Duration;

use super::nat::{self, Reach};
use crate::error::Error;
use crate::netlink::Socket;
use crate::spec::network::HOST_END;
use crate::sys::{Errno, Result as SysResult};

/// The prefix of our tables' names; the rest is that of the host end's name.
const PREFIX: &str = "launcher-";

/// Creates the table that belongs to the host's end of this name. The socket owns it.
pub fn create(
    host_end: &CStr,
    reach: &Reach<'_>,
    routes: &mut Socket,
) -> Result<(Socket, String), Error> {
    let rest = host_end.to_bytes().strip_prefix(HOST_END.to_bytes()).unwrap_or_default();
    let name = format!("{PREFIX}{}", String::from_utf8_lossy(rest));
    let made = Socket::for_filters().and_then(|mut socket| {
        try_create(&mut socket, &name, reach, routes)?;
        Ok(socket)
    });
    let socket = made.map_err(|errno| {
        Error::at("CreateTable", format_args!("create the nf_tables table {name}"), errno).advise(
            "the kernel needs CONFIG_NF_TABLES with INET, and nft_chain_nat, nft_masq, nft_nat, \
             nft_ct and nft_fib_inet, built in or as modules (modprobe)",
        )
    })?;
    Ok((socket, name))
}

fn try_create(
    socket: &mut Socket,
    name: &str,
    reach: &Reach<'_>,
    routes: &mut Socket,
) -> SysResult<()> {
    /// How long a container that has released our address may take to release its table.
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(10);
    let mut attempt = 0;
    loop {
        match socket.create_table(nat::table(name, reach), true) {
            // We have claimed the address, so the table is of a launcher that was killed (before
            // Linux 5.12), or its owner is about to end; deleting it is EPERM until then.
            Err(Errno::EEXIST) if attempt < ATTEMPTS => {
                if socket.delete_table(name).is_err() {
                    std::thread::sleep(PAUSE);
                }
                attempt += 1;
            }
            // Before Linux 5.12 a table cannot have an owner.
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => {
                remove_stale(socket, routes)?;
                return socket.create_table(nat::table(name, reach), false);
            }
            other => return other,
        }
    }
}

/// Removes tables of launchers that were killed: their host end is gone.
fn remove_stale(filters: &mut Socket, routes: &mut Socket) -> SysResult<()> {
    let names = routes.interface_names()?;
    for table in filters.table_names()? {
        let Some(rest) = table.strip_prefix(PREFIX) else { continue };
        let end = format!("{}{rest}", HOST_END.to_string_lossy());
        if !names.iter().any(|(_, name)| name.to_bytes() == end.as_bytes()) {
            filters.delete_table(&table)?;
        }
    }
    Ok(())
}
