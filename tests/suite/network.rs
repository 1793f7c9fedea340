//! `--net`: from the container to the world, from the world to the container, and nothing left.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{for_root, for_user, not_on_initial_ramfs, require};
use crate::lab::{
    HOST, HOST_V6, LOCALHOST, Lab, SERVER, SERVER_V6, ask, ask_by_udp, expect_refusal, in_lab, ip,
    set_sysctl, sysctl,
};
use crate::launch::Launch;
use crate::network_ends::{expect_nothing_left, expect_nothing_left_after_kill};
use crate::pace::{patience, rounds};
use crate::rootfs::Rootfs;
use crate::running::Running;

pub fn veth() -> Launch {
    Launch::new().option("--net=veth")
}

#[test]
fn the_world_is_reached_by_the_hosts_address() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let asked = veth().probe(&format!("ask {SERVER}:80")).run().ok();
        asked.prints(&[HOST]);
        expect_nothing_left();
        assert_eq!(sysctl("net/ipv4/ip_forward"), "1");
    });
}

#[test]
fn ipv6_is_there_when_asked_for() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let words = format!("ask {SERVER}:80 [{SERVER_V6}]:80");
        Launch::new().option("--net=veth=ipv6").probe(&words).run().ok().prints(&[HOST, HOST_V6]);
        let output = veth().probe(&words).run().ok();
        assert_eq!(output.lines()[1], "NetworkUnreachable", "{output}");
        let launch = veth().option("--network=fd00:5::/64").option("--container-ip=fd00:5::9");
        launch.probe(&format!("ask [{SERVER_V6}]:80")).run().ok().prints(&[HOST_V6]);
    });
}

#[test]
fn names_are_found() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let launch = veth().option("--dns").arg(SERVER);
        launch.probe("resolve example.org").run().ok().prints(&[SERVER]);
    });
}

/// A container that serves at port 80.
pub fn serving(launch: Launch) -> Running {
    let running = launch.probe("serve 80").start();
    running.wait_for("serving");
    running
}

fn from_internet(lab: &Lab, port: u16) -> std::io::Result<String> {
    let host: Ipv4Addr = HOST.parse().unwrap();
    lab.internet(move || ask(host, port))
}

#[test]
fn published_ports_are_reached_from_everywhere() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        let host: Ipv4Addr = HOST.parse().unwrap();
        let launch = veth().option("--network=10.7.0.0/24").option("--publish=8080:80");
        let running = serving(launch.option("--publish=8081:80/udp"));
        assert_eq!(from_internet(lab, 8080).unwrap(), SERVER);
        assert_eq!(ask(host, 8080).unwrap(), HOST);
        assert_eq!(ask(LOCALHOST, 8080).unwrap(), "10.7.0.1");
        assert_eq!(ask_by_udp(LOCALHOST, 8081).unwrap(), "10.7.0.1");
        assert_eq!(lab.internet(move || ask_by_udp(host, 8081)).unwrap(), SERVER);
        // Only UDP is led there.
        expect_refusal(ask(LOCALHOST, 8081), 8081);
        drop(running);
        expect_nothing_left_after_kill();
        expect_refusal(ask(LOCALHOST, 8080), 8080);
    });
}

#[test]
fn a_port_may_be_published_at_one_address() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        let _running = serving(veth().option("--publish=127.0.0.1:8080:80"));
        ask(LOCALHOST, 8080).unwrap();
        expect_refusal(from_internet(lab, 8080), 8080);
    });
}

/// Their rules are more than a socket to the kernel takes by default.
#[test]
fn hundreds_of_ports_can_be_published() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let publish = |launch: Launch, n| launch.option(format!("--publish={}:80", 20_000 + n));
        let _running = serving((0..300).fold(veth(), publish));
        for port in [20_000, 20_299] {
            ask(LOCALHOST, port).unwrap();
        }
    });
}

#[test]
fn a_port_that_somebody_has_is_refused() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let _taken = TcpListener::bind("0.0.0.0:8080").unwrap();
        let output = veth().option("--publish=8080:80").probe("exit 0").run();
        output.fails_with(125, "cannot publish port 8080:80/tcp: EADDRINUSE");
        let _running = serving(veth().option("--publish=8081:80"));
        let output = veth().option("--publish=8081:80").probe("exit 0").run();
        output.fails_with(125, "8081:80/tcp: EADDRINUSE");
    });
}

/// Who has had it closed the connection, so that the kernel keeps that for a minute (TIME_WAIT).
#[test]
fn a_port_that_somebody_has_had_is_published() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let server = TcpListener::bind("0.0.0.0:8080").unwrap();
        let client = TcpStream::connect((LOCALHOST, 8080)).unwrap();
        drop(server.accept().unwrap());
        drop((client, server));
        let _running = serving(veth().option("--publish=8080:80"));
        ask(LOCALHOST, 8080).unwrap();
        let output = veth().option("--publish=127.0.0.1:8080:80").probe("exit 0").run();
        output.fails_with(125, "cannot publish port 127.0.0.1:8080:80/tcp: EADDRINUSE");
    });
}

#[test]
fn eth0_is_as_it_was_asked_for() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        ip("link set up0 mtu 1400");
        let shell = || Launch::on_path(crate::subject::rootfs()).option("--net=veth");
        let show = ["/bin/busybox", "ip", "address", "show", "eth0"];
        let launch = shell().option("--network=10.9.9.0/24").option("--host-ip=10.9.9.7");
        let launch = launch.option("--container-ip=10.9.9.8").option("--mac=02:00:00:00:00:09");
        let text = launch.command(show).run().ok().stdout;
        for part in ["mtu 1400", "inet 10.9.9.8/24", "link/ether 02:00:00:00:00:09"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let launch = Launch::on_path(crate::subject::rootfs()).option("--net=veth=mtu=9000");
        let text = launch.command(show).run().ok().stdout;
        assert!(text.contains("mtu 9000") && text.contains("inet 10.203."), "{text}");
    });
}

#[test]
fn a_network_of_the_hosts_is_not_taken() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        ip("address add 10.203.0.1/16 dev up0");
        let show = ["/bin/busybox", "ip", "address", "show", "eth0"];
        let rootfs = crate::subject::rootfs();
        let text = Launch::on_path(&rootfs).option("--net=veth").command(show).run().ok().stdout;
        assert!(text.contains("inet 10.204."), "{text}");
        let output = veth().option("--network=10.203.7.0/24").probe("exit 0").run();
        output.fails_with(125, "--network 10.203.7.0/24 is in use");
        ip("route add 10.0.0.0/8 via 198.51.100.2");
        veth().probe("exit 0").run().fails_with(125, "leave no network in 10.0.0.0/8");
    });
}

#[test]
fn an_address_can_be_had_again_at_once() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        for _ in 0..5 {
            veth().option("--network=10.7.0.0/24").probe("exit 0").run().ok();
        }
        let running = veth().option("--network=10.7.0.0/24").probe("trap 15").start();
        running.wait_for("ready");
        running.signal(libc::SIGKILL);
        veth().option("--network=10.7.0.0/24").probe("exit 0").run().ok();
        let _running = serving(veth().option("--network=10.7.0.0/24"));
        let output = veth().option("--network=10.7.0.0/24").probe("exit 0").run();
        output.fails_with(125, "another one has 10.7.0.2");
    });
}

#[test]
fn containers_of_a_bridge_talk_to_each_other_and_the_world() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        ip("link add br0 type bridge");
        ip("link set br0 up");
        ip("address add 10.8.0.1/24 dev br0");
        let bridged = || Launch::new().option("--net=bridge=br0");
        let _running = serving(bridged().option("--publish=8080:80"));
        let output = bridged().probe(&format!("ask 10.8.0.2:80 {SERVER}:80 {HOST}:8080")).run();
        output.ok().prints(&["10.8.0.3", HOST, "10.8.0.1"]);
        assert_eq!(from_internet(lab, 8080).unwrap(), SERVER);
        expect_refusal(ask(LOCALHOST, 8080), 8080);
        let output = veth().probe("ask 10.8.0.2:80").run().ok();
        assert_eq!(output.lines(), ["TimedOut"], "others do not reach it");
        let output = Launch::new().option("--net=bridge=up0").probe("exit 0").run();
        output.fails_with(125, "--net bridge=up0: it is no bridge");
        let output = Launch::new().option("--net=bridge=br9").probe("exit 0").run();
        output.fails_with(125, "br9: ENODEV (No such device); make the bridge first");
    });
}

#[test]
fn a_namespace_that_is_there_is_joined() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        let path = lab.internet(|| format!("/proc/{}/ns/net", crate::sys::network::thread_id()));
        let launch = || Launch::new().option(format!("--net=ns:{path}"));
        launch().probe(&format!("ask {SERVER}:80")).run().ok().prints(&[SERVER]);
        launch().probe("list /sys/class/net").run().ok().prints(&[
            "link lo -> ../../devices/virtual/net/lo",
            "link up1 -> ../../devices/virtual/net/up1",
        ]);
        let output = Launch::new().option("--net=ns:/proc/self/ns/uts").probe("exit 0").run();
        output.fails_with(125, "ns:/proc/self/ns/uts: EINVAL");
        let output = Launch::new().option("--net=ns:/nowhere").probe("exit 0").run();
        output.fails_with(125, "ns:/nowhere: ENOENT");
    });
}

#[test]
fn many_at_once_have_addresses_of_their_own() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let rootfs = Rootfs::new().with_shell();
        let script = "/bin/busybox ip -o address show eth0 | { read a b c d e; echo has $d; }; \
                      exec /probe trap 15";
        let start = |_| {
            let launch = Launch::on(&rootfs).option("--net=veth");
            launch.command(["/bin/sh", "-c", script]).start()
        };
        let count = rounds(100, 100) as usize;
        let running = (0..count).map(start).collect::<Vec<_>>();
        let texts = running.iter().map(|running| running.wait_for("ready"));
        assert_eq!(texts.collect::<BTreeSet<_>>().len(), count);
        running.iter().for_each(|running| running.signal(libc::SIGTERM));
        running.into_iter().for_each(|running| drop(running.finish().ok()));
        expect_nothing_left();
    });
}

#[test]
fn without_a_network_no_sysctl_changes() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        set_sysctl("net/ipv4/ip_forward", "0");
        Launch::new().option("--net=none").probe("loopback").run().ok();
        assert_eq!(sysctl("net/ipv4/ip_forward"), "0");
        Launch::new()
            .option("--net=host")
            .probe(&format!("ask {SERVER}:80"))
            .run()
            .ok()
            .prints(&[HOST]);
    });
}

#[test]
fn an_ordinary_user_is_told_of_pasta() {
    for_user!();
    let lacks = "--net veth and bridge take CAP_SYS_ADMIN and CAP_NET_ADMIN over the mounts and the \
                 network that the launcher is in: the host's end is an interface there; --net pasta";
    // Root of a user namespace is that of neither.
    for script in ["exec \"$@\"", "exec unshare -Ur \"$@\""] {
        veth().probe("exit 0").through_shell(script).run().fails_with(125, lacks);
    }
    let mounts = veth().probe("exit 0").through_shell("exec unshare -Urm \"$@\"").run();
    mounts.fails_with(125, "it takes CAP_NET_ADMIN over the network that the launcher is in");
}

/// Waits until nobody is there any more.
#[track_caller]
fn expect_refused(port: u16) {
    let deadline = Instant::now() + patience(Duration::from_secs(5));
    while ask(LOCALHOST, port).map_err(|error| error.kind()) != Err(ErrorKind::ConnectionRefused) {
        assert!(Instant::now() < deadline, "port {port} is still served");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pasta_is_ready_before_the_command_and_ends_with_it() {
    for_root!();
    require!(own_networks);
    require!(pasta);
    require!(tunnels);
    not_on_initial_ramfs!();
    in_lab(|lab| {
        let pasta = || Launch::new().option("--net=pasta").option("--publish=8080:80");
        pasta().probe(&format!("ask {SERVER}:80")).run().ok().prints(&[HOST]);
        expect_refused(8080);
        let running = serving(pasta());
        ask(LOCALHOST, 8080).unwrap();
        // Debian 12's pasta loses what a server says first to one from outside.
        assert!(lab.internet(|| TcpStream::connect((HOST, 8080)).is_ok()));
        // Only what is published.
        expect_refusal(from_internet(lab, 80), 80);
        running.signal(libc::SIGKILL);
        running.finish();
        expect_refused(8080);
        let _taken = TcpListener::bind("0.0.0.0:8080").unwrap();
        pasta().probe("exit 0").run().fails_with(125, "port 8080:80/tcp: EADDRINUSE");
    });
}

#[test]
fn pasta_needs_no_privilege() {
    for_user!();
    require!(pasta);
    require!(tunnels);
    not_on_initial_ramfs!();
    let output = Launch::new().option("--net=pasta").probe("loopback").run().ok();
    assert!(output.lines().contains(&"interface eth0"), "{output}");
}
