//! Builds init for the launcher's own target and hands its path to `prepare/program.rs`, so that
//! a plain `cargo build` of the launcher is all there is to do; and turns the names of the seccomp
//! profile into numbers.

mod profile;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        println!(
            "cargo::error=launcher is a program of Linux's; elsewhere `cargo xtask run --kernel FILE \
             -- ROOTFS COMMAND` starts it in a virtual machine"
        );
        return;
    }
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let init_dir = manifest_dir.join("../init");
    let target = init_target(&variable("TARGET"));
    let target_dir = Path::new(&variable("OUT_DIR")).join("init");

    for input in ["src", "Cargo.toml", "init.ld", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={}", init_dir.join(input).display());
    }
    println!("cargo::rerun-if-changed=build");
    profile::write(
        &manifest_dir.join("src/seccomp/profile.txt"),
        &Path::new(&variable("OUT_DIR")).join("profile.rs"),
        &variable("CARGO_CFG_TARGET_ARCH"),
    );

    // In init/, so that init/.cargo/config.toml applies; without the flags and wrappers that
    // are meant for the launcher.
    let status = Command::new(variable("CARGO"))
        .current_dir(&init_dir)
        .args(["build", "--quiet", "--release", "--bin", "init", "--target", &target])
        .arg("--target-dir")
        .arg(&target_dir)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .unwrap_or_else(|error| panic!("cannot run cargo to build init: {error}"));
    assert!(
        status.success(),
        "building init for {target} failed; is the target there? rustup target add {target}"
    );
    // Nothing unwinds (src/sys/unwind.rs), so the tables for it and their index are of no use. The
    // linker of the musl targets (.cargo/config.toml) takes its options as they are.
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        println!("cargo::rustc-link-arg-bins=--no-eh-frame-hdr");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tables.ld");
        println!("cargo::rustc-link-arg-bins=-T{script}");
        println!("cargo::rerun-if-changed={script}");
    }
    let binary = target_dir.join(&target).join("release/init");
    println!("cargo::rustc-env=LAUNCHER_INIT={}", binary.display());
}

/// init has no C library, so it is the same program for glibc and musl; its link flags are given
/// for musl, which brings its own linker.
fn init_target(target: &str) -> String {
    target.replace("-linux-gnu", "-linux-musl")
}
