//! What is shown of the files that the machines have written.

use std::fs;
use std::path::Path;

use crate::console;
use crate::failure::{At, Error};

/// How it ended.
pub fn show_end(log: &Path) -> Result<(), Error> {
    let text = read(log)?;
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(15)..];
    end.iter().try_for_each(|line| console::print(&format!("  {line}")))
}

/// libtest's list of what failed and why, or all there is if it did not get that far.
pub fn show_failures(log: &Path) -> Result<(), Error> {
    let text = read(log)?;
    console::print(failures(&text))?;
    console::progress(&format!("all of it is in {}", log.display()));
    Ok(())
}

fn failures(text: &str) -> &str {
    match text.find("\nfailures:\n") {
        Some(start) => text[start..].trim(),
        None => text.trim(),
    }
}

fn read(log: &Path) -> Result<String, Error> {
    let bytes = fs::read(log).at("read", log)?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_what_libtest_lists() {
        let log = "test a ... FAILED\n\nfailures:\n\n---- a ----\nwhy\n\nfailures:\n    a\n";
        assert_eq!(failures(log), "failures:\n\n---- a ----\nwhy\n\nfailures:\n    a");
        assert_eq!(failures("cannot start\n"), "cannot start");
    }
}
