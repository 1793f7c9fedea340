//! `cargo xtask build`: the release binaries, static, for this machine's architecture or another.
//!
//! Run by a developer, and by `run` and `test` before they start anything.

use std::path::{Path, PathBuf};
use std::process::Command;

use argh::FromArgs;

use crate::arch::Arch;
use crate::cargo_json;
use crate::console;
use crate::failure::Error;
use crate::program;
use crate::workspace;

/// Build launcher and init (release, static) and print where they are.
#[derive(FromArgs)]
#[argh(subcommand, name = "build")]
pub struct Build {
    /// the machines they are for: x86_64 or aarch64 (default: this one's)
    #[argh(option, arg_name = "name")]
    arch: Option<Arch>,
}

impl Build {
    /// Runs the task.
    pub fn run(self) -> Result<(), Error> {
        let arch = self.arch.map_or_else(Arch::own, Ok)?;
        console::print(&launcher_on(arch)?.to_string_lossy())?;
        console::print(&init_on(arch)?.to_string_lossy())
    }
}

/// Builds `launcher`, which builds and embeds its own init.
pub fn launcher() -> Result<PathBuf, Error> {
    launcher_on(Arch::own()?)
}

/// The same for machines of this architecture.
pub fn launcher_on(arch: Arch) -> Result<PathBuf, Error> {
    let mut command = static_cargo(arch, "build", "release", &workspace::target_dir())?;
    executable(command.args(["-p", "launcher", "--bin", "launcher"]), "launcher")
}

/// Builds `init` alone. It is run from init/ to pick up the link flags of init/.cargo, in a target
/// folder of its own: other flags in the shared one would rebuild everything each time.
pub fn init() -> Result<PathBuf, Error> {
    init_on(Arch::own()?)
}

/// The same for machines of this architecture.
pub fn init_on(arch: Arch) -> Result<PathBuf, Error> {
    let folder = workspace::target_dir().join("init");
    let mut command = static_cargo(arch, "build", "release", &folder)?;
    command.current_dir(workspace::root().join("init"));
    executable(command.args(["--bin", "init"]), "init")
}

/// What init is made for beside this machine. Of the standard library it uses `core` alone, so the
/// kind of C library in these names means nothing.
pub const OTHER_TARGETS: [&str; 3] =
    [ARM64, "riscv64gc-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"];
/// The one that is also run, in an emulator.
pub const ARM64: &str = "aarch64-unknown-linux-musl";

/// Builds `init` for another machine. Without its standard library it is left out, unless in CI.
pub fn init_for(target: &str) -> Result<Option<PathBuf>, Error> {
    if workspace::is_ci() {
        ensure_target(target)?;
    } else if !has_target(target)? {
        console::progress(&format!("no init for {target}: rustup target add {target}"));
        return Ok(None);
    }
    let mut command = cargo();
    command.current_dir(workspace::root().join("init"));
    command.args(["build", "--release", "--bin", "init", "--target", target, "--target-dir"]);
    executable(command.arg(workspace::target_dir().join("init")), "init").map(Some)
}

/// Builds the container tests without running them.
pub fn suite(arch: Arch) -> Result<PathBuf, Error> {
    let mut command = static_cargo(arch, "test", "suite", &workspace::target_dir())?;
    executable(command.args(["--no-run", "-p", "tests", "--test", "suite"]), "suite")
}

/// Builds the program the container tests run inside.
pub fn probe(arch: Arch) -> Result<PathBuf, Error> {
    program_of_tests(arch, "probe")
}

/// Builds another program of the tests' package.
pub fn of_tests(name: &str) -> Result<PathBuf, Error> {
    program_of_tests(Arch::own()?, name)
}

fn program_of_tests(arch: Arch, name: &str) -> Result<PathBuf, Error> {
    let mut command = static_cargo(arch, "build", "release", &workspace::target_dir())?;
    executable(command.args(["-p", "tests", "--bin", name]), name)
}

/// A nested cargo in the workspace. The caller's rustflags would replace the ones that make the
/// binaries static, so they are not handed on.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let flags = text.starts_with("CARGO_") && text.ends_with("RUSTFLAGS");
        if flags || text == "RUSTFLAGS" || text == "CARGO_BUILD_TARGET" {
            command.env_remove(&name);
        }
    }
    command
}

fn static_cargo(
    arch: Arch,
    verb: &str,
    profile: &str,
    target_dir: &Path,
) -> Result<Command, Error> {
    let target = arch.target();
    ensure_target(target)?;
    let mut command = cargo();
    command
        .args([verb, "--profile", profile, "--target", target])
        .arg("--target-dir")
        .arg(target_dir);
    Ok(command)
}

fn executable(command: &mut Command, name: &str) -> Result<PathBuf, Error> {
    console::progress(&format!("building {name}"));
    let messages = program::read(command.arg("--message-format=json-render-diagnostics"))?;
    let messages = String::from_utf8_lossy(&messages);
    cargo_json::executable(&messages, name).map(PathBuf::from).ok_or_else(|| Error::Missing {
        what: format!("cargo built no executable named {name}"),
        advice: format!("see `{}`", program::shown(command)),
    })
}

/// Asks rustc, not rustup, what is installed: it answers in milliseconds, and a toolchain from
/// elsewhere has no rustup.
fn ensure_target(target: &str) -> Result<(), Error> {
    if has_target(target)? {
        return Ok(());
    }
    if program::find("rustup").is_none() {
        return Err(Error::Missing {
            what: format!("the Rust standard library for {target} is not installed"),
            advice: format!("with rustup it would be `rustup target add {target}`"),
        });
    }
    console::progress(&format!("installing the Rust standard library for {target}"));
    let mut rustup = Command::new("rustup");
    program::run(rustup.current_dir(workspace::root()).args(["target", "add", target]))
}

fn has_target(target: &str) -> Result<bool, Error> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut question = Command::new(rustc);
    question.current_dir(workspace::root());
    let answer = program::read(question.args(["--print", "target-libdir", "--target", target]))?;
    Ok(Path::new(String::from_utf8_lossy(&answer).trim_end()).is_dir())
}
