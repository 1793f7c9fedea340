//! What the machine for the container tests consists of: a minimal system, the programs under
//! test, their tools, and the command lines of the two halves.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::session::Session;
use super::stage::Stay;
use super::subject::{Programs, Subject};
use super::{Whom, images, layout, ordinary, suite, tools};
use crate::arch::Arch;
use crate::console;
use crate::failure::{At, Error};
use crate::program;
use crate::vm::image::{Image, Owners};
use crate::vm::kernel::Kernel;
use crate::vm::module;
use crate::workspace;

/// PID 1 inside.
const INIT: &str = include_str!("guest.sh");

/// The halves of the tests, in the order of guest.sh.
pub const HALVES: [&str; 2] = ["root", "user"];

/// There is one processor; while one test waits another can use it.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

/// All but the kernel's modules. `base` is a root file system of busybox.
pub fn image(
    arch: Arch,
    programs: &Programs,
    base: &Path,
    slowness: u32,
    words: &[OsString],
) -> Result<Image, Error> {
    let mut image = Image::default();
    image.add_tree("", base, Owners::OursAreRoots)?;
    image.add_file("init", 0o755, INIT);
    for (folder, mode) in [("stay", 0o755), ("dev", 0o755), ("test/etc", 0o755)] {
        image.add_folder(folder, mode);
    }
    // As Debian's adduser leaves them for the first user of a system.
    for path in ["etc/subuid", "etc/subgid"] {
        image.add_file(path, 0o644, "other:100000:65536\n");
    }
    let rootfs = programs.rootfs.as_deref().unwrap_or(base);
    image.add_tree("test/rootfs", rootfs, Owners::OursAreRoots)?;
    let parts = [
        ("test/launcher", &programs.launcher),
        ("test/init", &programs.init),
        ("test/probe", &programs.probe),
        ("test/suite", &programs.suite),
    ];
    for (path, program) in parts {
        image.add_program(path, 0o755, &program.path)?;
    }
    tools::pack(&mut image, "test/tools", arch)?;
    let folder = workspace::cache().join(format!("images-{}", arch.name()));
    fs::create_dir_all(&folder).at("create", &folder)?;
    for file in images::make(&folder, rootfs, &programs.probe.path)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        image.add_copy(format!("test/images/{name}"), 0o644, &file);
    }

    let unpacked = folder.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).at("remove", &unpacked)?;
    }
    layout::unpack_one(&unpacked, rootfs, &programs.probe.path)?;
    image.add_tree("test/unpacked", &unpacked, Owners::OursAreRoots)?;

    let subject = Subject {
        suite: "/test/suite".into(),
        launcher: "/test/launcher".into(),
        init: "/test/init".into(),
        init_for_arm: None,
        probe: "/test/probe".into(),
        rootfs: "/test/rootfs".into(),
        tools: "/test/tools".into(),
        images: "/test/images".into(),
        unpacked: "/test/unpacked".into(),
        slowness,
    };
    for name in HALVES {
        let home = PathBuf::from(format!("/stay/{name}"));
        let stay = Stay { name, tmp: home.join("tmp"), home };
        let whom = match name {
            "user" => Whom::Tester(Path::new("/test/etc")),
            // Nobody else is there.
            _ => Whom::Caller,
        };
        let mut command = suite(&subject, &stay, whom, OsStr::new(""), words);
        if std::env::var_os(TEST_THREADS).is_none() {
            command.env(TEST_THREADS, "3");
        }
        image.add_file(&format!("test/{name}.sh"), 0o644, script(&command));
    }
    Ok(image)
}

/// Adds the modules of the kernel that is to be booted.
pub fn add_modules(image: &mut Image, kernel: &Kernel, base: &Path) -> Result<(), Error> {
    let modules = module::collect(kernel.modules.as_deref(), &base.join("bin/busybox"))?;
    if !modules.missing.is_empty() {
        let missing = modules.missing.join(", ");
        let release = &kernel.release;
        let why = match &kernel.modules {
            Some(folder) => format!("not in {}", folder.display()),
            // As `kernel::at` looks for them.
            None => format!(
                "there is no kernel/ beside {}, in ../lib/modules/{release} from there or in \
                 /lib/modules/{release}",
                kernel.image.display()
            ),
        };
        console::progress(&format!("{release} is without the modules {missing}: {why}"));
    }
    let mut order = String::new();
    for module in modules.found {
        order += &format!("{}\n", module.name);
        image.add_file(&format!("modules/{}.ko", module.name), 0o644, module.bytes);
    }
    image.add_file("modules/order", 0o644, order);
    Ok(())
}

/// What the kernel's command line tells guest.sh.
pub fn kernel_words(session: &Session) -> String {
    let Session { root, tests: [as_root, as_user] } = session;
    let (root, tester) = (root.name(), ordinary::UID);
    format!("quiet GUEST_ROOT={root} TESTER={tester} ROOT_TESTS={as_root} USER_TESTS={as_user}")
}

/// The same start by a shell: the folder, the whole environment, the words.
fn script(command: &Command) -> String {
    let mut env = Command::new("env");
    env.arg("-i");
    for (name, value) in command.get_envs() {
        let mut pair = name.to_os_string();
        pair.push("=");
        pair.push(value.unwrap_or_default());
        env.arg(pair);
    }
    env.arg(command.get_program()).args(command.get_args());
    let mut cd = Command::new("cd");
    cd.arg(command.get_current_dir().unwrap_or(Path::new("/")));
    format!("{} && exec {} \"$@\"\n", program::shown(&cd), program::shown(&env))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_starts_what_the_command_would() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo \"$A\" \"$1\"; pwd", "sh", "it's\ntwo lines"]);
        command.current_dir("/").env_clear().env("A", "a b").env("PATH", "/usr/bin:/bin");
        let direct = program::read(&mut command).unwrap();
        let script = script(&command);
        let by_script = program::read(Command::new("sh").args(["-c", &script, "sh"])).unwrap();
        assert_eq!(String::from_utf8(direct), String::from_utf8(by_script));
    }
}
