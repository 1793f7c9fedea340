//! Boot tests: a program as the machine's first process, and what the console shows until the
//! machine is off.
//!
//! To add one, add it to BOOTS. All boot the same image: busybox's file system with `/init`,
//! `/launcher`, a root file system for containers in `/rootfs`, and in `/init.sh` the
//! script of `cargo xtask initramfs`. The initial ramfs stays the root.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::subject::Programs;
use super::tally::{Row, Skips, Tally};
use crate::console;
use crate::failure::{At, Error};
use crate::initramfs;
use crate::vm;
use crate::vm::image::{Image, Owners};
use crate::vm::kernel::Kernel;
use crate::vm::machine::{Ending, HALT, Machine};
use crate::vm::qemu::Accelerator;

/// A boot, and what has to come of it.
struct Boot {
    name: &'static str,
    /// For the kernel's command line: `rdinit=PROGRAM`, and behind `--` the program's arguments.
    words: &'static str,
    /// When the first has been shown, the second is typed; one after the other.
    talk: &'static [(&'static str, &'static str)],
    /// What the console shows, in this order. Lines of the machine's programs end in `\r\n`.
    shows: &'static [&'static str],
}

/// What the kernel says last, on every console level, when it is told to do so.
const OFF: &str = "reboot: Power down";
const RESTART: &str = "reboot: Restarting system";

const BOOTS: &[Boot] = &[
    Boot {
        name: "init is the first process and switches off after its command",
        words: "rdinit=/init -- /bin/sh -c \"echo child of $PPID; exit 3\"",
        talk: &[],
        shows: &["child of 1\r\n", OFF],
    },
    Boot {
        name: "launcher is the first process, tells how the container ended, and switches off",
        words: "rdinit=/launcher -- /rootfs /bin/sh -c \
                \"echo $$ in $(hostname), $(id -u) of $(cat /proc/self/uid_map); exit 7\"",
        talk: &[],
        // Behind the exit code there is nothing but the kernel's word, which has its time before it.
        shows: &["2 in container, 0 of 0 524288 65536\r\n", "ended with code 7\r\n[", OFF],
    },
    Boot {
        name: "console of the first process is a terminal with job control",
        words: "rdinit=/launcher -- --on-exit poweroff /rootfs /bin/sh",
        talk: &[
            ("# ", "sh -c 'echo one $((1+1)); sleep 1000'\n"),
            ("one 2", "\u{3}"),
            ("# ", "echo code $?; sh -c 'echo two $((1+1)); sleep 1001'\n"),
            ("two 2", "\u{1a}"),
            // The first exit may only warn of the stopped job.
            ("# ", "jobs; kill -9 %1; exit 5; exit 5\n"),
        ],
        shows: &[
            "code 130\r\n",
            "Stopped",
            "sleep 1001",
            "\r\ninit: the command ended with code 5\r\n",
            OFF,
        ],
    },
    Boot {
        name: "container that cannot be started ends the machine with the reason, by a reboot if wanted",
        words: "rdinit=/launcher -- --on-exit reboot /nowhere",
        talk: &[],
        shows: &[
            "launcher: cannot open rootfs /nowhere: ENOENT",
            "ended with code 125\r\n",
            RESTART,
        ],
    },
    Boot {
        name: "without user namespaces the launcher says so, and halts if wanted",
        words: "sysctl.user.max_user_namespaces=0 rdinit=/launcher -- --on-exit halt /rootfs",
        talk: &[],
        shows: &["ENOSPC (No space left on device)", "--userns none", "code 125\r\n", HALT],
    },
    Boot {
        name: "launcher with a wrong option says so and ends the machine",
        words: "rdinit=/launcher -- --bogus /rootfs",
        talk: &[],
        shows: &["launcher: unknown option --bogus", "ended with code 125\r\n", OFF],
    },
    Boot {
        name: "machine without any mount, account or controlling terminal starts containers from a ramfs",
        words: "rootfstype=ramfs rdinit=/bare.sh",
        talk: &[],
        shows: &[
            "0 of 0 524288 65536, /dev/pts/0\r\nroot, nothing mounted: code 0\r\n",
            "only root of the machine can do without\r\na user, nothing mounted: code 125\r\n",
            "0 of 0 524288 65536, /dev/pts/0\r\nroot, read-only: code 0\r\n",
            "0 of 0 524288 65536, not a tty\r\nroot, no input: code 0\r\n",
            "left on the host: []\r\n",
            "/dev/null: ENOENT (No such file or directory); the container's is the host's: mount a \
             devtmpfs on /dev",
            "a user, no devices: code 125\r\n",
            "          1\r\na user, read-only: code 0\r\n",
            "user.max_user_namespaces",
            "root can do without one: --userns none\r\nroot, no user namespace: code 125\r\n",
            "0 of 0 0 4294967295, /dev/pts/0\r\nroot, --userns none: code 0\r\n",
            OFF,
        ],
    },
    Boot {
        name: "script of cargo xtask initramfs runs its command in a container",
        words: "rdinit=/init.sh",
        talk: &[
            ("# ", "sh -c 'echo I am $PPID; sleep 1000'\n"),
            ("I am 2", "\u{3}"),
            ("# ", "exit 9\n"),
        ],
        shows: &["s after the kernel's start\r\n", "I am 2\r\n", "exit code 9\r\n", OFF],
    },
    Boot {
        name: "init alone is a shell with a terminal, /proc, /sys and /dev",
        words: "rdinit=/init",
        talk: &[
            ("/ # ", "mount; sh -c 'echo on$((1+1)); exec sleep 100'\n"),
            ("on2", "\x03"),
            ("/ # ", "echo $?; exit\n"),
        ],
        shows: &["proc on /proc ", "sysfs on /sys ", "devtmpfs on /dev ", "\r\n130\r\n", OFF],
    },
    Boot {
        name: "init with a wrong option says so and is a shell",
        words: "rdinit=/init -- --bogus",
        talk: &[("/ # ", "exit\n")],
        shows: &["init: unknown option or bad value: --bogus; see init --help\r\n", OFF],
    },
    Boot {
        name: "init --on-exit reboot, and no command",
        words: "rdinit=/init -- --on-exit reboot /none",
        talk: &[],
        shows: &["init: cannot execute /none: ENOENT (not found)\r\n", RESTART],
    },
    // The end of a session hangs its terminal up, for everybody.
    Boot {
        name: "init --on-exit halt asks the rest to end before",
        words: "rdinit=/init -- --on-exit=halt /bin/sh -c \"(trap '' HUP; trap 'echo asked > \
                /dev/console; exit' TERM; : > /ready; while :; do sleep 0.01; done) & \
                until [ -e /ready ]; do sleep 0.01; done\"",
        talk: &[],
        shows: &["asked\r\n", HALT],
    },
    Boot {
        name: "init --on-exit exit switches off, too",
        words: "rdinit=/init -- -X exit /bin/sh -c \"kill -9 $$\"",
        talk: &[],
        shows: &[OFF],
    },
    Boot {
        name: "init halts by SIGUSR1",
        words: "rdinit=/init -- /bin/sh -c \"kill -USR1 1; sleep 1000\"",
        talk: &[],
        shows: &[HALT],
    },
    Boot {
        name: "init switches off by SIGUSR2",
        words: "rdinit=/init -- -X halt /bin/sh -c \"kill -USR2 1; sleep 1000\"",
        talk: &[],
        shows: &[OFF],
    },
    Boot {
        name: "init reboots by SIGTERM",
        words: "rdinit=/init -- /bin/sh -c \"kill 1; sleep 1000\"",
        talk: &[],
        shows: &[RESTART],
    },
    Boot {
        // 0: the kernel leaves it to PID 1.
        name: "init has ctrl-alt-del, which is SIGINT, and reboots by it",
        words: "rdinit=/init -- /bin/sh -c \"cat /proc/sys/kernel/ctrl-alt-del; kill -INT 1; \
                sleep 1000\"",
        talk: &[],
        shows: &["0\r\n", RESTART],
    },
];

/// From the start of QEMU to the end, on real hardware.
const LIMIT: Duration = Duration::from_secs(20);

/// The machine that the boots are tried on.
pub struct Lab<'a> {
    pub qemu: &'a Path,
    pub accelerator: Accelerator,
    pub image: &'a Path,
}

/// Writes the image that all boots share.
pub fn write_image(programs: &Programs, base: &Path) -> Result<PathBuf, Error> {
    let mut image = Image::default();
    image.add_tree("", base, Owners::OursAreRoots)?;
    image.add_tree("rootfs", base, Owners::Shifted(vm::image::SHIFT))?;
    initramfs::add_script(&mut image, "init.sh", &["/bin/sh".into()]);
    image.add_file("bare.sh", 0o755, include_str!("bare.sh"));
    let parts = [
        ("init", &programs.init),
        ("launcher", &programs.launcher),
        ("bin/launcher", &programs.launcher),
        ("bin/probe", &programs.probe),
    ];
    for (path, program) in parts {
        image.add_program(path, 0o755, &program.path)?;
    }
    let place = vm::folder()?.join("boots.initramfs");
    image.write(&place)?;
    Ok(place)
}

/// Those that are wanted by words as libtest takes them: the name, or a part of it.
fn wanted(words: &[OsString]) -> impl Iterator<Item = &'static Boot> {
    let is_filter = |word: &&OsString| !word.as_encoded_bytes().starts_with(b"-");
    let filters: Vec<String> =
        words.iter().filter(is_filter).map(|word| word.to_string_lossy().into_owned()).collect();
    BOOTS.iter().filter(move |boot| {
        filters.is_empty() || filters.iter().any(|filter| boot.name.contains(filter))
    })
}

/// Whether any is.
pub fn are_wanted(words: &[OsString]) -> bool {
    wanted(words).next().is_some()
}

impl Lab<'_> {
    /// Tries all wanted boots with this kernel.
    pub fn run(&self, kernel: &Kernel, words: &[OsString]) -> Result<Row, Error> {
        let start = Instant::now();
        let mut tally = Tally::default();
        for boot in wanted(words) {
            let began = Instant::now();
            let fault = self.try_boot(kernel, boot)?;
            let result = if fault.is_some() { "FAILED" } else { "ok" };
            let seconds = began.elapsed().as_secs_f32();
            let line = format!("{} ... {result} <{seconds:.3}s>", boot.name);
            console::progress(&format!("{} boot: {line}", kernel.version));
            if let Some(fault) = fault {
                console::print(&fault)?;
            }
            tally.add(&format!("test {line}"), result == "ok");
        }
        let success = tally.all_passed();
        let (name, time) = (format!("{} boots", kernel.version), start.elapsed());
        Ok(Row { name, tally, time, success, skips: Skips::Forbidden })
    }

    /// What is wrong, if anything.
    fn try_boot(&self, kernel: &Kernel, boot: &Boot) -> Result<Option<String>, Error> {
        let folder = vm::folder()?;
        let file = |what: &str| folder.join(format!("{}-boot.{what}", kernel.version));
        let console = file("console.log");
        let limit = LIMIT * self.accelerator.slowness();
        let machine = Machine {
            qemu: self.qemu,
            accelerator: self.accelerator,
            kernel: &kernel.image,
            initramfs: self.image,
            words: &format!("quiet {}", boot.words),
            talk: boot.talk,
            ports: std::slice::from_ref(&console),
            complaints: &file("qemu.log"),
            boot_limit: limit,
            silence_limit: limit,
        };
        let run = machine.run(|_, _| Ok(()))?;
        let shown = fs::read(&console).at("read", &console)?;
        let shown = String::from_utf8_lossy(&shown);
        let fault = match (run.ending, missing(&shown, boot.shows)) {
            (Ending::SwitchedOff | Ending::Halted, None) => return Ok(None),
            (Ending::SwitchedOff | Ending::Halted, Some(text)) => format!("{text:?} was not shown"),
            (ending, _) => format!("{ending:?}"),
        };
        Ok(Some(format!("{}: {fault}\nkernel's words: {}\n{shown}", boot.name, boot.words)))
    }
}

/// The first of them that does not come behind the one before it.
fn missing<'a>(shown: &str, wanted: &[&'a str]) -> Option<&'a str> {
    let mut rest = shown;
    wanted.iter().copied().find(|text| match rest.split_once(text) {
        Some((_, behind)) => {
            rest = behind;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_an_order() {
        assert_eq!(missing("a b c", &["a", "c"]), None);
        assert_eq!(missing("c b a", &["a", "c"]), Some("c"));
        assert_eq!(missing("a", &["a", "a"]), Some("a"));
    }
}
