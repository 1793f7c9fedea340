//! `--net`: what it takes up, and that nothing of it is left, however the launcher ends.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{for_root, not_on_initial_ramfs, own_name, require};
use crate::lab::{
    HOST_V6, LOCALHOST, SERVER, SERVER_V6, ask, expect_refusal, in_lab, ip, ip_prints, set_sysctl,
};
use crate::launch::Launch;
use crate::network::{serving, veth};
use crate::pace::patience;
use crate::status::status_of;
use crate::sys::network::nf_tables;

/// Linux 5.12: a table ends with the socket of who made it.
fn tables_have_owners() -> bool {
    !crate::ability::kernel_is_before(5, 12)
}

/// Nothing of a container's is there, now or soon: after SIGKILL the kernel takes its time.
#[track_caller]
pub fn expect_nothing_left() {
    let deadline = Instant::now() + patience(Duration::from_secs(5));
    loop {
        let (links, tables) = (ip_prints("link"), nf_tables().unwrap());
        if !links.contains("veth-l") && !tables.contains("launcher-") {
            return;
        }
        assert!(Instant::now() < deadline, "{links}\n{tables:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The same of launchers that were killed: without owners their tables wait for the next start with a
/// network.
#[track_caller]
pub fn expect_nothing_left_after_kill() {
    if !tables_have_owners() {
        veth().probe("exit 0").run().ok();
    }
    expect_nothing_left();
}

/// What cannot be had is an error, and not passed over.
#[test]
fn addresses_that_lead_nowhere_are_refused() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        ip("link add br0 type bridge");
        ip("link set br0 up");
        ip("address add 10.8.0.1/24 dev br0");
        for (net, option, part) in [
            ("veth", "--publish=[::1]:80:80", "[::1]:80:80/tcp does not lead to the container"),
            ("veth", "--publish=[2001:db8::1]:80:80", "does not lead to the container"),
            ("veth=ipv6", "--publish=[::1]:80:80", "does not lead to the container"),
            ("bridge=br0", "--publish=127.0.0.1:80:80", "does not lead to the container"),
            ("bridge=br0", "--container-ip=10.9.0.5", "10.9.0.5 cannot be had on that bridge"),
            ("bridge=br0", "--container-ip=10.8.0.1", "10.8.0.1 cannot be had on that bridge"),
            ("bridge=br0", "--host-ip=10.9.0.5", "10.9.0.5 cannot be had on that bridge"),
            ("bridge=br0", "--container-ip=fd00::5", "fd00::5 cannot be had on that bridge"),
        ] {
            let launch = Launch::new().option("--net").arg(net).option(option);
            let output = launch.probe("exit 0").run().code(125);
            let is_one_line = output.complaints().len() == 1;
            assert!(is_one_line && output.stderr.contains(part), "{net} {option}\n{output}");
            expect_nothing_left();
        }
        let _running = serving(veth().option("--publish=0.0.0.0:8080:80"));
        ask(LOCALHOST, 8080).expect("all of the host's");
    });
}

/// Of an interface that is not there before, nobody can set anything before.
#[test]
fn advice_for_a_sysctl_can_be_followed() {
    for_root!();
    // There the kernel gives no proc beside one with something mounted below.
    not_on_initial_ramfs!();
    require!(own_networks);
    in_lab(|_| {
        let script = "exec unshare -m sh -c 'mount -o bind /proc/sys /proc/sys &&
            mount -o remount,bind,ro /proc/sys && exec \"$@\"' sh \"$@\"";
        set_sysctl("net/ipv4/ip_forward", "1");
        let output = veth().probe("exit 0").through_shell(script).run().code(125);
        let is_named = output.stderr.contains(".disable_ipv6 to 1: EROFS");
        assert!(is_named && !output.stderr.contains("before"), "{output}");
    });
}

/// Scripts have no other way to know it.
#[test]
fn status_tells_the_addresses() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let launch = veth().option("--network=10.7.0.0/24").option("--network=fd00:7::/64");
        let (lines, output) = status_of(launch.option("--status-fd=9").probe("exit 0"));
        output.ok();
        assert!(
            lines[0].ends_with(r#"},"addresses":["10.7.0.2/24","fd00:7::2/64"]}"#),
            "{lines:?}"
        );
        let (lines, _) = status_of(Launch::new().option("--status-fd=9").probe("exit 0"));
        assert!(!lines[0].contains("addresses"), "{lines:?}");
    });
}

#[test]
fn ports_are_published_for_ipv6() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        let launch = Launch::new().option("--net=veth=ipv6").option("--publish=8080:80");
        let _running = serving(launch.option("--publish=[2001:db8::1]:8081:80"));
        let host = HOST_V6.parse::<Ipv6Addr>().unwrap();
        for port in [8080, 8081] {
            assert_eq!(lab.internet(move || ask(host, port)).unwrap(), SERVER_V6);
            assert_eq!(ask(host, port).unwrap(), HOST_V6);
        }
        ask(LOCALHOST, 8080).unwrap();
        // Published at one address.
        expect_refusal(ask(LOCALHOST, 8081), 8081);
        // What asks for "localhost" goes on to 127.0.0.1.
        expect_refusal(ask(Ipv6Addr::LOCALHOST, 8080), 8080);
    });
}

#[test]
fn a_bridge_carries_ipv6() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        ip("link add br0 type bridge");
        ip("link set br0 up");
        set_sysctl("net/ipv6/conf/br0/accept_dad", "0");
        ip("address add fd00:8::1/64 dev br0");
        let bridged = || Launch::new().option("--net=bridge=br0,ipv6");
        let _running = serving(bridged());
        let words = format!("ask [fd00:8::2]:80 [{SERVER_V6}]:80");
        bridged().probe(&words).run().ok().prints(&["fd00:8::3", HOST_V6]);
    });
}

/// Takes a connection, and gives back as many bytes as come.
fn echo_once(server: &TcpListener) {
    let (mut client, _) = server.accept().unwrap();
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    client.write_all(&bytes).ok();
}

#[test]
fn a_rate_holds_in_both_directions() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        lab.internet(|| {
            let server = TcpListener::bind(format!("{SERVER}:99")).unwrap();
            thread::spawn(move || echo_once(&server));
        });
        // 1 MB a second, of which the first 128 KiB pass at once, out and then in.
        let launch = veth().option("--rate=1000000").probe(&format!("exchange {SERVER}:99 628000"));
        let output = launch.run();
        if output.stderr.contains("the kernel needs CONFIG_NET_SCH_TBF") {
            println!(
                "SKIP {}: the kernel has no token bucket (cannot on this machine)",
                own_name!()
            );
            return;
        }
        let output = output.ok();
        assert_eq!(output.lines()[0], "628000", "{output}");
        assert!(output.lines()[1].parse::<u32>().unwrap() >= 980, "{output}");
        // What is queued for nobody does not hold the end up.
        expect_nothing_left();
    });
}
