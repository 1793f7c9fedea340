//! Which namespaces are the container's own, and what those contain.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::launch::Launch;

const ALL: [&str; 10] = [
    "user",
    "mnt",
    "pid",
    "pid_for_children",
    "net",
    "uts",
    "ipc",
    "cgroup",
    "time",
    "time_for_children",
];

/// The inode of a namespace of ours; None where the kernel does not have it.
fn own(name: &str) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
    let text = link.to_str()?.trim_end_matches(']').to_owned();
    Some(text.rsplit('[').next()?.to_owned())
}

/// The namespaces that are the same inside as outside.
#[track_caller]
pub fn shared_with_host(launch: Launch) -> Vec<&'static str> {
    let output = launch.probe("namespaces").run().ok();
    let is_same = |name: &&str| own(name).is_some_and(|inode| output.fact(name) == inode);
    ALL.into_iter().filter(is_same).collect()
}

#[test]
fn every_namespace_is_the_containers_own() {
    assert_eq!(shared_with_host(Launch::new()), [""; 0]);
}

#[test]
fn share_keeps_the_hosts_namespace_and_no_other() {
    for name in ["net", "uts", "ipc", "cgroup"] {
        assert_eq!(shared_with_host(Launch::new().option("--share").arg(name)), [name]);
    }
    let shared = shared_with_host(Launch::new().option("--share=time"));
    assert_eq!(shared, ["time", "time_for_children"]);
}

#[test]
fn share_may_be_repeated() {
    let words = ["net", "uts", "ipc", "cgroup", "time"];
    let launch =
        words.iter().fold(Launch::new(), |launch, word| launch.option("--share").arg(*word));
    let expected = ["net", "uts", "ipc", "cgroup", "time", "time_for_children"];
    assert_eq!(shared_with_host(launch), expected);
}

#[test]
fn share_uts_keeps_the_hosts_name() {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let output = Launch::new().option("--share=uts").probe("place").run().ok();
    assert_eq!(output.fact("hostname"), name.trim_end());
}

#[test]
fn container_has_a_loopback_interface_that_works() {
    let output = Launch::new().probe("loopback").run().ok();
    assert_eq!(output.fact("lo"), "up");
    assert_eq!(output.fact("interface"), "lo", "the first one");
    assert!(output.stdout.contains("127.0.0.1 reached"), "{output}");
}

#[test]
fn hosts_network_is_out_of_reach_unless_shared() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let words = format!("connect {}", listener.local_addr().unwrap());
    Launch::new().probe(&words).run().ok().prints(&["ECONNREFUSED"]);
    Launch::new().option("--share=net").probe(&words).run().ok().prints(&["ok"]);
}

#[test]
fn hosts_abstract_sockets_are_out_of_reach_unless_the_network_is_shared() {
    let name = format!("suite-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let words = format!("abstract {name}");
    Launch::new().probe(&words).run().ok().prints(&["ECONNREFUSED"]);
    Launch::new().option("--share=net").probe(&words).run().ok().prints(&["ok"]);
    drop(listener);
}

#[test]
fn shared_network_and_ipc_leave_sys_shm_and_queues_usable() {
    let launch = |share: &str| Launch::new().option("--share").arg(share);
    launch("net").probe("try list /sys/class/net").run().ok().prints(&["ok"]);
    launch("ipc").probe("try list /dev/shm").run().ok().prints(&["ok"]);
    launch("ipc").probe("try list /dev/mqueue").run().ok().prints(&["ok"]);
}

#[test]
fn cgroup_root_is_the_containers_own() {
    let output = Launch::new().probe("show /proc/self/cgroup").run().ok();
    let is_root = |line: &str| line.ends_with(":/");
    assert!(!output.lines().is_empty() && output.lines().into_iter().all(is_root), "{output}");
}
