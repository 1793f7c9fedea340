//! Raises the child's hard limits (`--rlimit`) and sets its priorities (`--nice`,
//! `--oom-score-adj`), for which only the parent may have the privilege. The child sets the limits
//! themselves last of all, so that they do not hold for the start.

use std::os::fd::AsFd;

use crate::error::Error;
use crate::prepare::Proc;
use crate::spec::limits::{Limits, name};
use crate::sys::file;
use crate::sys::process::{self, Limit};

/// Applies them to a child that waits at the gate, from which all it clones inherits them. `number`
/// is what /proc calls the child.
pub fn apply(limits: &Limits, pid: i32, proc: &Proc, number: i32) -> Result<(), Error> {
    for (resource, wanted) in &limits.resources {
        let raise = || {
            let now = process::prlimit(pid, *resource, None)?;
            if wanted.hard > now.hard {
                process::prlimit(pid, *resource, Some(&Limit { soft: now.soft, ..*wanted }))?;
            }
            Ok(())
        };
        raise().map_err(|errno| {
            let name = name(*resource);
            Error::at("RaiseLimit", format_args!("raise the hard limit --rlimit {name}"), errno)
                .advise("above one's own hard limit it takes root (CAP_SYS_RESOURCE), and above the sysctl \
                         fs.nr_open no nofile is had")
        })?;
    }
    if let Some(score) = limits.oom_score_adj {
        write_score(proc, number, score).map_err(|errno| {
            Error::at("SetOomScore", format_args!("set --oom-score-adj {score}"), errno)
                .advise("below one's own it takes root (CAP_SYS_RESOURCE)")
        })?;
    }
    if let Some(nice) = limits.nice {
        process::set_nice(pid, nice).map_err(|errno| {
            Error::at("SetNice", format_args!("set --nice {nice}"), errno)
                .advise("below one's own it takes root (CAP_SYS_NICE)")
        })?;
    }
    Ok(())
}

fn write_score(proc: &Proc, number: i32, score: i32) -> crate::sys::Result<()> {
    let file = proc.open_file(&format!("{number}/oom_score_adj"), libc::O_WRONLY)?;
    file::write(file.as_fd(), score.to_string().as_bytes()).map(drop)
}
