//! `--net` and limits together: launchers that are killed at any moment of a start leave the host as it
//! was. What is on it is listed before and afterwards, and compared whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{for_root, own_name, require};
use crate::cgroups::{cgroups_of, expect_swept};
use crate::lab::{LOCALHOST, ask, in_lab, ip, ip_prints, set_sysctl};
use crate::launch::Launch;
use crate::network_ends::expect_nothing_left_after_kill;
use crate::pace::{patience, rounds};
use crate::rootfs::Rootfs;
use crate::sys::network::nf_tables;

/// What the host has, but for cgroups, which other tests make, too.
struct Host {
    links: BTreeSet<String>,
    addresses: BTreeSet<String>,
    routes: BTreeSet<String>,
    sysctls: BTreeMap<PathBuf, String>,
}

impl Host {
    fn look() -> Host {
        let mut sysctls = BTreeMap::new();
        read_below(Path::new("/proc/sys/net"), &mut sysctls);
        Host {
            links: lines("-o link", 2),
            addresses: lines("-o address", 4),
            routes: lines("route list table 0", 3),
            sysctls,
        }
    }

    /// Expects all of it to be so again, now or soon.
    #[track_caller]
    fn expect_again(&self) {
        let deadline = Instant::now() + patience(Duration::from_secs(5));
        loop {
            let now = Host::look();
            let differences = [
                self.links.symmetric_difference(&now.links).cloned().collect(),
                self.addresses.symmetric_difference(&now.addresses).cloned().collect(),
                self.routes.symmetric_difference(&now.routes).cloned().collect(),
                now.changed_sysctls(self),
            ];
            if differences.iter().all(Vec::is_empty) {
                return;
            }
            assert!(Instant::now() < deadline, "{differences:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Those that were there before and are not as they were: a module that is loaded has new ones.
    fn changed_sysctls(&self, before: &Host) -> Vec<String> {
        let changed = before.sysctls.iter().filter_map(|(path, old)| {
            let new = self.sysctls.get(path).map_or("gone", String::as_str);
            (new != old).then(|| format!("{}: {old} is {new}", path.display()))
        });
        changed.collect()
    }
}

/// What `ip` lists, by so many words of each line: behind them may be what comes and goes.
fn lines(words: &str, count: usize) -> BTreeSet<String> {
    let start = |line: &str| line.split_whitespace().take(count).collect::<Vec<_>>().join(" ");
    ip_prints(words).lines().map(start).collect()
}

/// A bridge that keeps its address and its carrier, whoever joins it.
fn make_bridge() {
    set_sysctl("net/ipv6/conf/default/accept_dad", "0");
    ip("link add br0 type bridge");
    ip("link set br0 address 02:00:00:00:00:01");
    ip("link add port type veth");
    ip("link set port master br0");
    for link in ["port", "veth0", "br0"] {
        // Or the kernel gives it one of its own, in its own time.
        set_sysctl(&format!("net/ipv6/conf/{link}/addr_gen_mode"), "1");
        ip(&format!("link set {link} up"));
    }
    ip("address add 10.8.0.1/24 dev br0");
}

/// Every file that can be read, but for what is a counter.
fn read_below(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_below(&path, into);
        } else if let Ok(text) = fs::read_to_string(&path)
            && !path.ends_with("nf_conntrack_count")
        {
            into.insert(path, text.trim().to_owned());
        }
    }
}

/// On a host with both versions of cgroups it has no need of v2 itself.
#[test]
fn a_start_removes_what_is_left_in_v2() {
    for_root!();
    require!(limits);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let is_of_v1 = |line: &str| line.contains(" - cgroup ") && line.contains("pids");
    if !mounts.lines().any(is_of_v1) {
        // Where v2 has all the controllers each start is in v2, and looks there.
        println!("N/A {}: for cgroup v1 beside v2", own_name!());
        return;
    }
    let of_v2 = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let Some(point) = of_v2.and_then(|line| line.split(' ').nth(4)) else {
        println!("SKIP {}: no cgroup2 is mounted (cannot on this machine)", own_name!());
        return;
    };
    // The number of no process.
    let left = Path::new(point).join("launcher-4194999");
    fs::create_dir(&left).unwrap();
    Launch::new().option("--pids=100").probe("exit 0").run().ok();
    assert!(!left.exists());
}

#[test]
fn nothing_is_left_of_starts_that_are_killed() {
    for_root!();
    require!(own_networks);
    require!(limits);
    in_lab(|_| {
        // That is turned on and stays on (network.rs).
        set_sysctl("net/ipv4/ip_forward", "1");
        set_sysctl("net/ipv6/conf/all/forwarding", "1");
        make_bridge();
        let rootfs = Rootfs::new();
        let start = |round: usize| {
            let net = ["veth", "veth=ipv6", "bridge=br0", "veth"][round % 4];
            let launch = Launch::on(&rootfs).option("--net").arg(net);
            launch.option("--publish=8080:80").option("--pids=100").option("--memory=200M")
        };
        let before = Host::look();
        let took = start(0).probe("exit 0").run().ok().took;
        let rounds = rounds(50, 500) as u32;
        let mut launchers = Vec::new();
        let (mut links, mut tables, mut cgroups) = (0, 0, 0);
        for round in 0..rounds {
            let running = start(round as usize).probe("sleep 1000").start();
            thread::sleep(took * round / rounds);
            running.signal(libc::SIGKILL);
            let launcher = running.pid();
            running.finish();
            links += usize::from(ip_prints("link").contains("veth-l"));
            tables += usize::from(nf_tables().unwrap().contains("launcher-"));
            cgroups += usize::from(!cgroups_of(launcher).is_empty());
            launchers.push(launcher);
        }
        println!(
            "{rounds} kills; right after {links} an interface was still there, after {tables} a \
             table, after {cgroups} a cgroup"
        );
        assert!(links + cgroups > 0, "no start was killed while it had anything");
        expect_nothing_left_after_kill();
        // It may find some whose last process is not quite gone.
        expect_swept(&launchers, || Launch::on(&rootfs).option("--pids=100"));
        before.expect_again();
        println!(
            "in the end 0 interfaces, addresses, routes, tables and cgroups, 0 of {} sysctls changed",
            before.sysctls.len()
        );
        // The port is free, and nobody is led elsewhere.
        let server = TcpListener::bind("127.0.0.1:8080").unwrap();
        let answering = thread::spawn(move || drop(server.accept()));
        assert_eq!(ask(LOCALHOST, 8080).unwrap(), "");
        answering.join().unwrap();
    });
}
