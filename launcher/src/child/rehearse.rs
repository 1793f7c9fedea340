//! `--explain`: what init would do for the command and the kernel might refuse, tried by a child that
//! then exits.

use std::os::fd::AsFd;

use init::stage::Stage;

use super::reporter::{At as _, Failure};
use crate::prepare::Prepared;
use crate::sys::file::{self, At};
use crate::sys::{filter, process};

/// Sets no_new_privs and the label, and installs the filter last, as that may refuse any system call.
pub fn try_privileges(prepared: &Prepared<'_>) -> Result<(), Failure> {
    process::set_no_new_privs().at(Stage::SetNoNewPrivs)?;
    if let Some(label) = &prepared.label {
        let path = c"proc/self/attr/exec";
        file::open(At::Cwd, path, libc::O_WRONLY)
            .and_then(|file| file::write(file.as_fd(), label.to_bytes()))
            .at(Stage::SetLabel)?;
    }
    prepared
        .filter
        .as_ref()
        .map_or(Ok(()), |filter| filter::install(filter.file.as_fd()))
        .at(Stage::InstallFilter)
}
