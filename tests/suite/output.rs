//! What a program did, once it has ended, and what a test expects of it.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

/// The end of a run.
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    pub shown: String,
}

impl Output {
    /// Expects exit code 0, and no complaint on standard error.
    #[track_caller]
    pub fn ok(self) -> Output {
        let output = self.code(0);
        assert_eq!(output.complaints(), Vec::<&str>::new(), "complaints\n{output}");
        output
    }

    /// Expects an exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Output {
        assert_eq!(self.status.code(), Some(code), "exit code\n{self}");
        self
    }

    /// Expects an exit code, this one line on standard error, and nothing on standard output.
    #[track_caller]
    pub fn fails(self, code: i32, line: &str) -> Output {
        let output = self.code(code);
        assert_eq!(output.complaints(), [line], "message\n{output}");
        assert_eq!(output.stdout, "", "standard output\n{output}");
        output
    }

    /// Expects an exit code, and one line on standard error that has this in it.
    #[track_caller]
    pub fn fails_with(self, code: i32, part: &str) -> Output {
        let output = self.code(code);
        assert_eq!(output.complaints().len(), 1, "one line\n{output}");
        assert!(output.complaints()[0].contains(part), "{part:?} is missing\n{output}");
        output
    }

    /// Expects exactly this on standard output, line by line.
    #[track_caller]
    pub fn prints(self, lines: &[&str]) -> Output {
        assert_eq!(self.lines(), lines, "standard output\n{self}");
        self
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// What follows `name` and a blank on a line of its own.
    #[track_caller]
    pub fn fact(&self, name: &str) -> &str {
        let value = |line| str::strip_prefix(line, name)?.strip_prefix([' ', '\t']);
        let found = self.lines().into_iter().find_map(value);
        match found {
            Some(value) => value.trim(),
            None => panic!("no fact {name}\n{self}"),
        }
    }

    /// Standard error, without the launcher's warnings about a root file system that cannot be
    /// mapped: where that is so they come with every start, the second with one that has
    /// CAP_SYS_ADMIN, because container root is then the host's.
    pub fn complaints(&self) -> Vec<&str> {
        let warning =
            |line: &str, of: &str| line.starts_with("launcher: warning: ") && line.contains(of);
        let is_unmapped = self.stderr.lines().any(|line| warning(line, "be idmapped"));
        let is_known = |line: &&str| {
            warning(line, "be idmapped")
                || is_unmapped && warning(line, "the masks over /proc do not hold it")
        };
        self.stderr.lines().filter(|line| !is_known(line)).collect()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { status, stdout, stderr, took, shown } = self;
        write!(f, "--- {shown}\n--- {status} after {took:?}\n")?;
        write!(f, "--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
