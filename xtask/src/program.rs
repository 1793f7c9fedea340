//! Other people's programs: finding, showing and running them.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::failure::Error;
use crate::host;

/// Runs it on our own streams; anything but exit code 0 is an error.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|cause| not_started(command, cause))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Unsuccessful { line: shown(command), status, said: String::new() })
}

/// Runs it and returns its standard output; its standard error is for the user.
pub fn read(command: &mut Command) -> Result<Vec<u8>, Error> {
    successful(command, Stdio::inherit()).map(|output| output.stdout)
}

/// Runs it without a word unless it fails; then the error carries what it said last.
pub fn run_quietly(command: &mut Command) -> Result<(), Error> {
    successful(command, Stdio::piped()).map(drop)
}

/// Whether it starts and ends with exit code 0, in silence.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

fn successful(command: &mut Command, stderr: Stdio) -> Result<Output, Error> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .output()
        .map_err(|cause| not_started(command, cause))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(Error::Unsuccessful {
        line: shown(command),
        status: output.status,
        said: said.trim().to_string(),
    })
}

/// The error for a program that did not start.
pub fn not_started(command: &Command, cause: std::io::Error) -> Error {
    Error::NotStarted { program: command.get_program().to_os_string(), cause }
}

/// The command line as one would type it.
pub fn shown(command: &Command) -> String {
    let mut line = quoted(command.get_program());
    for word in command.get_args() {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    line
}

fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The first executable file of that name on PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| {
        file.is_absolute()
            && file.metadata().is_ok_and(|m| m.is_file() && host::mode(&m) & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_line_can_be_typed_again() {
        let mut command = Command::new("./launcher");
        command.args(["./rootfs", "sh", "-c", "echo 'it'", ""]);
        assert_eq!(shown(&command), r"./launcher ./rootfs sh -c 'echo '\''it'\''' ''");
    }

    #[test]
    fn last_words_of_a_failed_program_are_kept() {
        let error =
            run_quietly(Command::new("sh").args(["-c", "echo first >&2; echo why >&2; exit 3"]));
        assert!(error.unwrap_err().to_string().ends_with("(exit status: 3): why"));
    }

    #[test]
    fn program_that_is_not_there_is_not_found() {
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
