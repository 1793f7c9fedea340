//! `cargo xtask tidy`: the house rules that a program can check.
//!
//! Run by a developer, by `test` and so by CI. A rule is a function from what it looks at to the
//! violations it found; all are printed, and one is enough to fail.

mod binaries;
mod code;
mod links;
mod options;
mod rules;
mod tree;

use std::path::PathBuf;

use argh::FromArgs;

use crate::build;
use crate::console;
use crate::failure::Error;
use crate::program;
use crate::workspace;

/// Check the house rules, formatting and lints.
#[derive(FromArgs)]
#[argh(subcommand, name = "tidy")]
pub struct Tidy {}

/// A place that breaks a rule. Line 0 means the file as a whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    file: PathBuf,
    line: usize,
    text: String,
}

impl Tidy {
    /// Runs the task.
    pub fn run(self) -> Result<(), Error> {
        check_sources()?;
        check_binaries()
    }
}

/// Everything that can be said without building: the rules, then rustfmt, then clippy.
pub fn check_sources() -> Result<(), Error> {
    report(&source_violations()?)?;
    run_component("rustfmt", &["fmt", "--all", "--check"])?;
    run_component(
        "clippy",
        &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-Dwarnings"],
    )
}

/// The rules for what was built, if it was.
pub fn check_binaries() -> Result<(), Error> {
    report(&binaries::violations(&workspace::target_dir())?)
}

fn source_violations() -> Result<Vec<Violation>, Error> {
    let root = workspace::root();
    let mut violations = Vec::new();
    let sources = tree::read(&root)?;
    for file in &sources {
        for rule in rules::ALL {
            violations.extend(rule(file));
        }
    }
    violations.extend(links::violations(&sources, |path| root.join(path).exists()));
    violations.extend(options::violations(&root)?);
    Ok(violations)
}

fn report(violations: &[Violation]) -> Result<(), Error> {
    for Violation { file, line, text } in violations {
        match line {
            0 => console::print(&format!("{}: {text}", file.display()))?,
            _ => console::print(&format!("{}:{line}: {text}", file.display()))?,
        }
    }
    match violations.len() {
        0 => Ok(()),
        1 => Err(Error::Verdict("tidy: 1 violation".into())),
        count => Err(Error::Verdict(format!("tidy: {count} violations"))),
    }
}

/// A cargo subcommand that a minimal toolchain lacks.
fn run_component(component: &str, words: &[&str]) -> Result<(), Error> {
    let is_there = program::succeeds(build::cargo().args(&words[..1]).arg("--version"));
    if !is_there && workspace::is_ci() {
        return Err(Error::Missing {
            what: format!("{component} is not installed"),
            advice: format!("rustup component add {component}"),
        });
    }
    if !is_there {
        console::progress(&format!(
            "{component} is not installed and left out; rustup component add {component}"
        ));
        return Ok(());
    }
    console::progress(&format!("running {component}"));
    let target_dir = workspace::target_dir();
    program::run(build::cargo().env("CARGO_TARGET_DIR", target_dir).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_keeps_its_rules() {
        assert_eq!(source_violations().unwrap(), []);
    }
}
