//! What was typed: every option, and its help text. Nothing is checked here but the form.

use argh::{ArgsInfo, FromArgs};

use crate::words::Word;

/// Run COMMAND in a container on the root file system ROOTFS.
///
/// All namespaces are new, the host's files, processes and network are out of reach, and
/// nothing is left behind. No daemon, no setuid; root or ordinary user.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    help_triggers("-h", "--help"),
    note = "Exit status: that of COMMAND, 128+N if signal N ended it, 124 if --timeout did; 125 if the launcher failed, 126 if COMMAND cannot be executed, 127 if it is not found.",
    example = "launcher --read-only / sh",
    example = "launcher ./rootfs /bin/sh",
    example = "launcher --hostname build --env CI=1 --workdir /src ./rootfs make -j4"
)]
pub struct Args {
    /// host name of the container (default: container)
    #[argh(option, arg_name = "name")]
    pub hostname: Option<Word>,

    /// set K to V for the command, or pass the caller's K on; repeatable
    #[argh(option, arg_name = "K[=V]")]
    pub env: Vec<Word>,

    /// start from the caller's environment, not from PATH, HOME and TERM alone
    #[argh(switch)]
    pub keep_env: bool,

    /// directory inside to start in (default: /)
    #[argh(option, arg_name = "path")]
    pub workdir: Option<Word>,

    /// put the host's SRC on DST of the container, with what is mounted below: SRC[:DST[:OPTS]];
    /// OPTS: ro, suid, dev, noexec, norec, noidmap, optional
    #[argh(option, arg_name = "src:dst")]
    pub bind: Vec<Word>,

    /// the same as --bind
    #[argh(option, arg_name = "src:dst")]
    pub mount: Vec<Word>,

    /// the same as --bind, and device nodes in it work
    #[argh(option, arg_name = "src:dst")]
    pub dev_bind: Vec<Word>,

    /// put a device node of the host there: SRC[:DST]
    #[argh(option, arg_name = "node")]
    pub device: Vec<Word>,

    /// mount a tmpfs: DST[:OPTS]; OPTS: size=N, mode=OCTAL, nr_inodes=N, uid=N,
    /// gid=N, ro, noexec
    #[argh(option, arg_name = "dst")]
    pub tmpfs: Vec<Word>,

    /// mount an overlay of the host's directories: DST:lower=DIR[,lower=DIR…][,upper=DIR][,ro]
    #[argh(option, arg_name = "dst:layers")]
    pub overlay: Vec<Word>,

    /// mount a message queue file system
    #[argh(option, arg_name = "dst")]
    pub mqueue: Vec<Word>,

    /// mount options of /proc: hidepid=off|noaccess|invisible|ptraceable, subset=pid
    #[argh(option, arg_name = "options")]
    pub proc_options: Option<Word>,

    /// put a copy of a file, or of what descriptor FD gives, there: SRC|FD:DST[:MODE]
    #[argh(option, arg_name = "src:dst")]
    pub file: Vec<Word>,

    /// make a symbolic link at DST: TO:DST
    #[argh(option, arg_name = "to:dst")]
    pub symlink: Vec<Word>,

    /// make a directory: DST[:MODE]
    #[argh(option, arg_name = "dst")]
    pub dir: Vec<Word>,

    /// bind the current directory to /app, or to DST by --here=DST, and start there
    #[argh(option, arg_name = "dst")]
    pub here: Option<Word>,

    /// make the root file system read-only, with a tmpfs on /tmp, /run and /var/tmp
    #[argh(switch)]
    pub read_only: bool,

    /// how names are found: host, none or ADDRESS[,ADDRESS]; files over /etc/resolv.conf, hosts
    /// and hostname
    #[argh(option, arg_name = "how")]
    pub dns: Option<Word>,

    /// leave the root file system as it is: changes are in memory, and gone at the end
    #[argh(switch)]
    pub ephemeral: bool,

    /// leave the root file system as it is: changes are kept in this directory, for the next time
    #[argh(option, arg_name = "path")]
    pub overlay_dir: Option<Word>,

    /// a terminal of the container's own, also if standard input or output is none
    #[argh(switch)]
    pub tty: bool,

    /// the standard streams as they are, also if they are a terminal
    #[argh(switch)]
    pub no_tty: bool,

    /// run as UID[:GID] or NAME[:GROUP] of the container's /etc/passwd (default: 0)
    #[argh(option, arg_name = "user")]
    pub user: Option<Word>,

    /// how to map ids: auto, single, subid, range, identity or none (default: auto)
    #[argh(option, arg_name = "mode")]
    pub userns: Option<Word>,

    /// map user ids INSIDE:OUTSIDE:COUNT; repeatable
    #[argh(option, arg_name = "map")]
    pub uid_map: Vec<Word>,

    /// map group ids INSIDE:OUTSIDE:COUNT; repeatable (default: as --uid-map)
    #[argh(option, arg_name = "map")]
    pub gid_map: Vec<Word>,

    /// keep the host's namespace: net, uts, ipc, cgroup or time; repeatable
    #[argh(option, arg_name = "namespace")]
    pub share: Vec<Word>,

    /// the network: none, host, veth, bridge=NAME, ns:PATH or pasta (default: none, loopback alone);
    /// options of veth and bridge: mtu=BYTES, ipv6
    #[argh(option, arg_name = "how")]
    pub net: Option<Word>,

    /// network of --net veth or bridge: ADDRESS/PREFIX; repeatable for IPv6 (default: for veth a
    /// free one in 10.x, for bridge the bridge's)
    #[argh(option, arg_name = "cidr")]
    pub network: Vec<Word>,

    /// address of the host's end in it, the container's gateway; repeatable for IPv6
    #[argh(option, arg_name = "ip")]
    pub host_ip: Vec<Word>,

    /// address of the container in it; repeatable for IPv6
    #[argh(option, arg_name = "ip")]
    pub container_ip: Vec<Word>,

    /// hardware address of the container's eth0
    #[argh(option, arg_name = "mac")]
    pub mac: Option<Word>,

    /// bytes that eth0 passes in a second, each way, at most: 64K, 1.5M
    #[argh(option, arg_name = "size")]
    pub rate: Option<Word>,

    /// have a port of the host's lead to one of the container's: [IP:]HOST:CONTAINER[/tcp|/udp];
    /// repeatable
    #[argh(option, arg_name = "ports")]
    pub publish: Vec<Word>,

    /// give the command a capability, or ALL; to a --user as an ambient one; repeatable
    #[argh(option, arg_name = "name")]
    pub cap_add: Vec<Word>,

    /// take a capability from the command, or ALL; repeatable
    #[argh(option, arg_name = "name")]
    pub cap_drop: Vec<Word>,

    /// let setuid programs and file capabilities inside give privileges
    #[argh(switch)]
    pub new_privs: bool,

    /// forbid user namespaces inside, and so what only the root of one reaches
    #[argh(switch)]
    pub disable_userns: bool,

    /// filter of system calls: default, none, or the path of a profile in OCI's JSON; where it
    /// allows keyctl(2), the caller's keys are open to a container that has the caller's id
    #[argh(option, arg_name = "filter")]
    pub seccomp: Option<Word>,

    /// tell the kernel's log of each call that the filter refuses
    #[argh(switch)]
    pub seccomp_log: bool,

    /// hold the command to PATH[:r|rx|rw|rwx] of its files (default: rx), to bind:PORT and
    /// connect:PORT of TCP, or to its own processes: abstract, signal; repeatable
    #[argh(option, arg_name = "rule")]
    pub landlock: Vec<Word>,

    /// make do with what this version of Landlock restricts: 1 to 5
    #[argh(option, arg_name = "N")]
    pub landlock_abi: Option<Word>,

    /// execute the command with this AppArmor profile
    #[argh(option, arg_name = "profile")]
    pub apparmor: Option<Word>,

    /// execute the command with this SELinux context
    #[argh(option, arg_name = "label")]
    pub selinux_label: Option<Word>,

    /// limit a resource of getrlimit(2) to SOFT[:HARD], a number or unlimited; repeatable
    #[argh(option, arg_name = "name=soft[:hard]")]
    pub rlimit: Vec<Word>,

    /// how soon the container is killed when memory is short: -1000 to 1000
    #[argh(option, arg_name = "score")]
    pub oom_score_adj: Option<Word>,

    /// scheduling priority: -20 (first) to 19
    #[argh(option, arg_name = "N")]
    pub nice: Option<Word>,

    /// memory of the command and all it starts, at most: 64M, 1.5G; above it the kernel kills
    #[argh(option, arg_name = "size")]
    pub memory: Option<Word>,

    /// memory above which the kernel slows it down and takes memory back
    #[argh(option, arg_name = "size")]
    pub memory_high: Option<Word>,

    /// swap on top of the memory, at most
    #[argh(option, arg_name = "size")]
    pub swap: Option<Word>,

    /// processors' worth of time, at most: 1.5
    #[argh(option, arg_name = "N.N")]
    pub cpus: Option<Word>,

    /// share of processor time against others: 1 to 10000 (usual: 100)
    #[argh(option, arg_name = "N")]
    pub cpu_weight: Option<Word>,

    /// run on these processors alone: 0-3,8
    #[argh(option, arg_name = "list")]
    pub cpuset_cpus: Option<Word>,

    /// processes and threads, at most
    #[argh(option, arg_name = "N")]
    pub pids: Option<Word>,

    /// share of block devices' time against others: 1 to 10000 (usual: 100)
    #[argh(option, arg_name = "N")]
    pub io_weight: Option<Word>,

    /// limit a block device: DEV:rbps=SIZE,wbps=SIZE,riops=N,wiops=N per second; repeatable
    #[argh(option, arg_name = "dev:limits")]
    pub io_max: Vec<Word>,

    /// memory in huge pages of a size, at most: 2M=64M; repeatable
    #[argh(option, arg_name = "page=size")]
    pub hugetlb: Vec<Word>,

    /// where to make the cgroup, as /proc/self/cgroup names it (default: near our own)
    #[argh(option, arg_name = "path")]
    pub cgroup_parent: Option<Word>,

    /// tell at the end what was used
    #[argh(switch)]
    pub stats: bool,

    /// end the command after this long: SIGTERM, after --grace (10 s) SIGKILL; exit code 124
    #[argh(option, arg_name = "duration")]
    pub timeout: Option<Word>,

    /// leave /proc as it is even where container root is the host's root: it can take the host over
    #[argh(switch)]
    pub unmask: bool,

    /// pass descriptor N on to the command; repeatable
    #[argh(option, arg_name = "N")]
    pub keep_fd: Vec<Word>,

    /// run this program of the host as PID 1, not the built-in init
    #[argh(option, arg_name = "path")]
    pub init: Option<Word>,

    /// seconds that other processes get to end in once the command has ended (default: 0)
    #[argh(option, arg_name = "seconds")]
    pub grace: Option<Word>,

    /// how long the container has been up when it starts: fresh, or SECONDS (default: as the host)
    #[argh(option, arg_name = "time")]
    pub uptime: Option<Word>,

    /// end by the signal that ended the command, not with 128+N
    #[argh(switch)]
    pub die_by_signal: bool,

    /// write the host's pid of the container's init to this file, while it runs
    #[argh(option, arg_name = "path")]
    pub pid_file: Option<Word>,

    /// write a JSON object per event to descriptor N: started, failed, stats, exited
    #[argh(option, arg_name = "N")]
    pub status_fd: Option<Word>,

    /// as the machine's first process: poweroff, reboot or halt at the end (default: poweroff)
    #[argh(option, arg_name = "what")]
    pub on_exit: Option<Word>,

    /// show each step and how long it took (also LAUNCHER_DEBUG=1)
    #[argh(switch)]
    pub verbose: bool,

    /// show what a start would do, and start nothing; --explain=json for programs
    #[argh(option, arg_name = "form")]
    pub explain: Option<Word>,

    /// show what this host and kernel can do, and what is missing; ROOTFS may be left out
    #[argh(switch)]
    pub check: bool,

    /// show the version
    #[argh(switch)]
    pub version: bool,

    /// directory that becomes the container's /; for root also a squashfs, erofs or ext4 image
    #[argh(positional, arg_name = "ROOTFS")]
    pub rootfs: Word,

    /// what to run inside (default: /bin/sh)
    #[argh(positional, greedy, arg_name = "COMMAND")]
    pub command: Vec<Word>,
}
