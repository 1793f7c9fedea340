//! The boots. All have the same image: busybox's file system with `/init`, `/launcher`, a root file
//! system for containers in `/rootfs`, in `/init.sh` the script of `cargo xtask initramfs`, and
//! `/bare.sh`. The initial ramfs stays the root.

use crate::vm::machine::HALT;

/// A boot, and what has to come of it.
pub struct Boot {
    pub name: &'static str,
    /// For the kernel's command line: `rdinit=PROGRAM`, and behind `--` the program's arguments.
    pub words: &'static str,
    /// When the first has been shown, the second is typed; one after the other.
    pub talk: &'static [(&'static str, &'static str)],
    /// What the console shows, in this order. Lines of the machine's programs end in `\r\n`.
    pub shows: &'static [&'static str],
}

/// What the kernel says last, on every console level, when it is told to do so.
const OFF: &str = "reboot: Power down";
const RESTART: &str = "reboot: Restarting system";

pub const BOOTS: &[Boot] = &[
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
        // Nobody has mounted cgroups there.
        name: "launcher is the first process, and limits its container",
        words: "loglevel=1 rdinit=/launcher -- --memory 24M --pids 20 /rootfs /bin/sh -c \
                \"cat /proc/self/cgroup; x=a; while :; do x=$x$x; done\"",
        talk: &[],
        shows: &["0::/\r\n", "out of memory (--memory 24.0M)", "ended with code 137\r\n", OFF],
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
        // In a second one it would not ask again to be let go.
        name: "init has one grace, and a signal ends it",
        words: "rdinit=/init -- --grace 9999 /bin/sh -c \"(trap '' HUP; trap 'trap : TERM; echo asked > \
                /dev/console; kill -INT 1' TERM; : > /ready; while :; do sleep 0.01; done) & \
                until [ -e /ready ]; do sleep 0.01; done\"",
        talk: &[],
        shows: &["asked\r\n", OFF],
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
