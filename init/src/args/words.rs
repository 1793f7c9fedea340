//! The launcher's side of init's command line.

use core::ffi::CStr;
use core::fmt;

use super::{Ids, Options};

impl Options<'_> {
    /// Writes the options as words that [`parse`](super::parse) reads back. The working directory keeps its
    /// bytes: it comes as a word of its own through `emit_path`, and last.
    pub fn write_words(
        &self,
        mut emit: impl FnMut(fmt::Arguments<'_>),
        mut emit_path: impl FnMut(&str, &CStr),
    ) {
        emit(format_args!("--contract={}", crate::VERSION));
        if let Some(fd) = self.report {
            emit(format_args!("--report={fd}"));
        }
        let flags = [
            (self.steps, "--steps"),
            (self.mount_proc, "--mount-proc"),
            (self.mask_proc, "--mask-proc"),
            (self.forbid_userns, "--forbid-userns"),
            (self.cut_root, "--cut-root"),
            (self.session, "--session"),
            (self.terminal, "--terminal"),
            (self.no_new_privs, "--no-new-privs"),
        ];
        for (set, name) in flags {
            if set {
                emit(format_args!("{name}"));
            }
        }
        if let Some(Ids { uid, gid }) = self.ids {
            emit(format_args!("--ids={uid}:{gid}"));
        }
        if let Some(groups) = self.groups {
            // Digits and commas only, by construction.
            emit(format_args!("--groups={}", core::str::from_utf8(groups).unwrap_or("")));
        }
        if let Some(caps) = self.caps {
            emit(format_args!("--caps={caps:x}"));
        }
        if let Some(mask) = self.sigmask {
            emit(format_args!("--sigmask={mask:x}"));
        }
        if self.grace_ms != 0 {
            emit(format_args!("--grace-ms={}", self.grace_ms));
        }
        if let Some(path) = self.workdir {
            // A word of its own: init wants the NUL behind it.
            emit(format_args!("--workdir"));
            emit_path("", path);
        }
    }
}
