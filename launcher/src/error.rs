//! The error of a start: the stage, the action and its object, the errno, and advice.

use std::fmt;

use init::exit;

use crate::sys::Errno;

/// A failure, on its way to the one line that `main` prints.
#[derive(Debug)]
pub struct Error {
    /// What the launcher exits with.
    pub code: u8,
    /// A name for machines (`--status-fd`).
    pub stage: &'static str,
    /// The errno, when the kernel said no.
    pub errno: Option<Errno>,
    text: String,
    advice: Option<String>,
}

impl Error {
    /// A wrong command line.
    pub fn misuse(text: impl Into<String>) -> Self {
        Error {
            code: exit::FAILED,
            stage: "Arguments",
            errno: None,
            text: text.into(),
            advice: Some("see launcher --help".into()),
        }
    }

    /// An error without an errno.
    pub fn refused(stage: &'static str, text: impl Into<String>) -> Self {
        Error { code: exit::FAILED, stage, errno: None, text: text.into(), advice: None }
    }

    /// The kernel refused an action, such as "open rootfs ./x".
    pub fn at(stage: &'static str, action: impl fmt::Display, errno: Errno) -> Self {
        Error {
            code: exit::FAILED,
            stage,
            errno: Some(errno),
            text: format!("cannot {action}"),
            advice: None,
        }
    }

    /// Adds what the user can do.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds what the user can do, if there is anything.
    pub fn advise_maybe(mut self, advice: Option<String>) -> Self {
        self.advice = advice.or(self.advice);
        self
    }

    /// Sets another exit code.
    pub fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(errno) = self.errno {
            write!(f, ": {}", show_errno(errno))?;
        }
        match self.advice.as_deref().or(self.errno.and_then(general_advice)) {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

/// Advice for an errno wherever it comes from.
pub fn general_advice(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EMFILE => {
            "the hard limit on open files is too low: 64 and one for each mount are enough (ulimit -Hn)"
        }
        Errno::E2BIG => {
            "words and variables take more than a quarter of the stack's limit: ulimit -s"
        }
        Errno::EFBIG => "the hard limit on the size of files is too low: ulimit -Hf",
        Errno::ENFILE => "the machine's open files are used up: sysctl fs.file-max",
        Errno::ENOMEM => "there is not enough memory, or a limit on it: ulimit -v, memory.max",
        Errno::EAGAIN => "a limit on processes is reached: ulimit -u, or the cgroup's pids.max",
        Errno::ENOSPC => "a limit is reached: for mounts it is the sysctl fs.mount-max",
        Errno::EDQUOT => "a quota is used up",
        Errno::EPERM => "an outer container's seccomp or a security module may forbid it",
        Errno::EACCES => "permissions or a security module forbid it",
        Errno::ENOSYS => {
            "this kernel is too old for it, or an outer container's seccomp forbids it"
        }
        Errno::EINVAL | Errno::EOPNOTSUPP => {
            "this kernel or file system cannot do it: see launcher --check"
        }
        Errno::ENODEV => "the kernel lacks the file system or the module",
        Errno::EBADF => "it is not open in the launcher",
        Errno::ENOENT => "it has to be there",
        Errno::ENOTDIR => "a part of the path is no directory",
        Errno::EISDIR => "it is a directory",
        Errno::EEXIST => "something else is there",
        Errno::ELOOP => "symbolic links lead in a circle, or one is where none may be",
        Errno::ENAMETOOLONG => "a path has up to 4095 bytes, a name 255",
        Errno::EROFS => "the file system is read-only",
        Errno::EBUSY => "something else is using it",
        Errno::ESTALE => "somebody renames it; try again",
        Errno::EIO => "a device or file system failed: see dmesg",
        Errno::EUCLEAN | Errno::EBADMSG => {
            "the file system is damaged, or its image cut short: see dmesg"
        }
        _ => return None,
    })
}

/// `EPERM (Operation not permitted)`.
pub fn show_errno(errno: Errno) -> String {
    match errno.name_and_description() {
        Some((name, text)) => format!("{name} ({text})"),
        None => format!("errno {}", errno.into_raw()),
    }
}
