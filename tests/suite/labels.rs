//! A profile of AppArmor's, loaded for the test: the command has it from its first instruction, and
//! is confined by it. How SELinux was tried is in tests/README.md.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::ability::{for_root, require};
use crate::attacks::modes;
use crate::launch::Launch;
use crate::rootfs::{FORKING, Rootfs};
use crate::{pace, subject};

/// Gone when the test ends.
struct Profile {
    name: String,
}

impl Profile {
    fn load() -> Profile {
        let profile = Profile { name: format!("launcher-suite-{}", std::process::id()) };
        profile.parse("--replace");
        profile
    }

    /// Everything but one file and one capability.
    fn parse(&self, what: &str) {
        let text = format!(
            "profile {} {{ file, network, unix, signal, capability, \
             deny /secret r, deny capability sys_chroot, }}\n",
            self.name
        );
        let mut parser = Command::new(subject::tool("apparmor_parser").unwrap());
        parser.args([what, "--skip-cache", "--quiet"]).stdin(Stdio::piped());
        let forking = FORKING.read();
        let mut parser = parser.spawn().unwrap();
        drop(forking);
        parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(parser.wait().unwrap().success(), "{what}");
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.parse("--remove");
    }
}

#[test]
fn command_is_confined_by_the_profile_that_it_is_given() {
    for_root!();
    require!(apparmor);
    let profile = Profile::load();
    let rootfs = Rootfs::new();
    fs::write(rootfs.inside("secret"), "x").unwrap();
    fs::write(rootfs.inside("file"), "x").unwrap();
    for mode in pace::in_turn(&modes(), 0) {
        let confined = format!("--apparmor={}", profile.name);
        for (option, label, answers) in [
            (confined.as_str(), format!("{} (enforce)", profile.name), ["EACCES", "EPERM"]),
            ("--apparmor=unconfined", "unconfined".to_owned(), ["ok", "ok"]),
        ] {
            let launch = || Launch::on(&rootfs).option("--userns").arg(*mode).option(option);
            launch().probe("show /proc/self/attr/current").run().ok().prints(&[&label]);
            launch().probe("try read /secret").run().ok().prints(&[answers[0]]);
            launch().probe("try chroot /").run().ok().prints(&[answers[1]]);
            launch().probe("try read /file").run().ok().prints(&["ok"]);
        }
    }
}
