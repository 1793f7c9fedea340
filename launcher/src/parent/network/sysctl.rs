//! Sysctls of the network (/proc/sys/net), in the launcher's own network namespace.

use std::ffi::CStr;
use std::os::fd::AsFd;

use crate::error::Error;
use crate::log::Log;
use crate::netlink::route::BY_ADVERTISEMENT;
use crate::netlink::{Socket, route::Route};
use crate::prepare::Proc;
use crate::sys::{Errno, file};

/// Sets one of an interface of ours, with which it ends. ENOENT for IPv6 is ignored: the kernel has
/// no IPv6.
pub fn set_of_interface(
    proc: &Proc,
    family: &str,
    interface: &CStr,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let interface = interface.to_string_lossy();
    let advice = "/proc/sys has to be writable";
    match write(proc, &format!("net/{family}/conf/{interface}/{name}"), value, advice) {
        Err(error) if error.errno == Some(Errno::ENOENT) && family == "ipv6" => Ok(()),
        other => other,
    }
}

/// Turns the host's forwarding on. It is never turned off again, as others may need it by then.
pub fn forward(proc: &Proc, v4: bool, v6: bool, log: &mut Log) -> Result<(), Error> {
    if v4 && turn_on(proc, "net/ipv4/ip_forward")? {
        log.note("sysctl net.ipv4.ip_forward is 1 from now on");
    }
    if v6 && turn_on(proc, "net/ipv6/conf/all/forwarding")? {
        log.note("sysctl net.ipv6.conf.all.forwarding is 1 from now on");
        warn_of_advertisements(proc, log);
    }
    Ok(())
}

fn turn_on(proc: &Proc, name: &str) -> Result<bool, Error> {
    let is_on = proc.read_text(&format!("sys/{name}")).is_ok_and(|text| text.trim() != "0");
    if !is_on {
        write(proc, name, "1", "/proc/sys has to be writable; or set it yourself before")?;
    }
    Ok(!is_on)
}

/// A host that forwards IPv6 ignores router advertisements unless accept_ra is 2: warns if it has
/// used them.
fn warn_of_advertisements(proc: &Proc, log: &mut Log) {
    let lookup = || {
        let mut socket = Socket::for_routes()?;
        let names = socket.interface_names()?;
        Ok::<_, Errno>((socket.routes()?, names))
    };
    let Ok((routes, names)) = lookup() else { return };
    let by_router = |route: &&Route| route.to.prefix == 0 && route.protocol == BY_ADVERTISEMENT;
    for route in routes.iter().filter(by_router) {
        let Some((_, name)) = names.iter().find(|(index, _)| Some(*index) == route.interface)
        else {
            continue;
        };
        let name = name.to_string_lossy();
        let path = format!("net/ipv6/conf/{name}/accept_ra");
        if proc.read_text(&format!("sys/{path}")).is_ok_and(|text| text.trim() == "1") {
            log.warn(&format!(
                "the host forwards IPv6 now, and so listens to no router on {name} any more; \
                 sysctl net.ipv6.conf.{name}.accept_ra=2 has it listen again"
            ));
        }
    }
}

fn write(proc: &Proc, name: &str, value: &str, advice: &str) -> Result<(), Error> {
    proc.open_file(&format!("sys/{name}"), libc::O_WRONLY)
        .and_then(|fd| file::write(fd.as_fd(), value.as_bytes()))
        .map(drop)
        .map_err(|errno| {
            let shown = name.replace('/', ".");
            Error::at("SetSysctl", format_args!("set the sysctl {shown} to {value}"), errno)
                .advise(advice)
        })
}
