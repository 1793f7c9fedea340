//! Writes the child's uid_map, gid_map and setgroups (user_namespaces(7)).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use init::exit::Ending;

use crate::error::Error;
use crate::prepare::Proc;
use crate::prepare::ids::{IdPlan, Writer};
use crate::spec::idmap::IdMap;
use crate::sys::Errno;
use crate::sys::file;
use crate::sys::process::{self, Words};

/// Writes all three, ourselves or by newuidmap(1) and newgidmap(1).
pub fn write(ids: &IdPlan, proc: &Proc, pid: i32) -> Result<(), Error> {
    match &ids.writer {
        Writer::Parent => {
            if !ids.can_set_groups {
                // Without privilege the kernel accepts a gid_map only once setgroups(2) is denied:
                // otherwise a user could drop a group that denies them a file.
                write_file(proc, pid, "setgroups", "deny")?;
            }
            write_file(proc, pid, "uid_map", &ids.uid.to_lines())?;
            write_file(proc, pid, "gid_map", &ids.gid.to_lines())
        }
        Writer::Nobody => Ok(()),
        Writer::Tools(tools) => {
            run_tool(&tools.newuidmap, pid, &ids.uid)?;
            run_tool(&tools.newgidmap, pid, &ids.gid)
        }
    }
}

/// The child's user namespace, as a descriptor.
pub fn open_userns(proc: &Proc, pid: i32) -> Result<OwnedFd, Error> {
    let path = format!("{pid}/ns/user");
    proc.open_file(&path, libc::O_RDONLY)
        .map_err(|errno| Error::at("OpenUserns", format_args!("open /proc/{path}"), errno))
}

fn write_file(proc: &Proc, pid: i32, name: &'static str, text: &str) -> Result<(), Error> {
    let path = format!("{pid}/{name}");
    let stage = match name {
        "uid_map" => "WriteUidMap",
        "gid_map" => "WriteGidMap",
        _ => "WriteSetgroups",
    };
    // One write: the kernel takes a map whole or not at all.
    proc.open_file(&path, libc::O_WRONLY)
        .and_then(|fd| file::write(fd.as_fd(), text.as_bytes()))
        .map(drop)
        .map_err(|errno| {
            let shown = text.trim_end().replace('\n', ", ");
            Error::at(stage, format_args!("write /proc/{path} ({shown})"), errno)
                .advise_maybe(advice(errno))
        })
}

fn advice(errno: Errno) -> Option<String> {
    Some(
        match errno {
            Errno::EPERM => {
                "the ids are not ours to give (an ordinary user gives its own, or uses --userns subid; \
                 id 0 needs CAP_SETFCAP since Linux 5.12)"
            }
            Errno::EACCES => {
                "AppArmor may restrict user namespaces: sysctl \
                 kernel.apparmor_restrict_unprivileged_userns (Ubuntu)"
            }
            Errno::EINVAL => "a line is outside of our own user namespace's ids, or there are too many",
            _ => return None,
        }
        .into(),
    )
}

fn run_tool(tool: &CStr, pid: i32, map: &IdMap) -> Result<(), Error> {
    let shown = tool.to_string_lossy();
    let numbers = map.ranges().iter().flat_map(|r| [r.inside.0, r.outside.0, r.count]);
    let numbers = std::iter::once(pid.to_string()).chain(numbers.map(|number| number.to_string()));
    let words = numbers.filter_map(|number| CString::new(number).ok());
    let argv = Words::new(std::iter::once(tool.to_owned()).chain(words).collect());
    let (ending, said) = process::run(&argv)
        .map_err(|errno| Error::at("RunNewidmap", format_args!("run {shown}"), errno))?;
    if ending == Ending::Code(0) {
        return Ok(());
    }
    // What they write to stderr is mostly the reason.
    let said = String::from_utf8_lossy(&said);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(Error::refused("RunNewidmap", format!("{shown} refused the map {map}: {said}")).advise(
        "is it setuid root, and are the ranges those of /etc/subuid and /etc/subgid? \
         --userns single needs neither",
    ))
}
