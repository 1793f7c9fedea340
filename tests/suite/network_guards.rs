//! `--net`: what must not pass, from outside and from inside. Each way is open where nothing guards it.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{for_root, require};
use crate::lab::{HOST, ask, in_lab, ip, set_sysctl, sysctl};
use crate::launch::Launch;
use crate::network::{serving, veth};
use crate::network_ends::expect_nothing_left_after_kill;
use crate::pace::patience;
use crate::rootfs::Rootfs;

#[test]
fn nothing_else_is_reached_from_outside() {
    for_root!();
    require!(own_networks);
    in_lab(|lab| {
        let launch = veth().option("--network=10.7.0.0/24").option("--publish=8080:81");
        let _running = serving(launch);
        let inside = Ipv4Addr::new(10, 7, 0, 2);
        lab.internet(|| ip(&format!("route add 10.7.0.0/24 via {HOST}")));
        // Dropped, not refused: so the clock is to end it.
        let limit = patience(Duration::from_millis(500));
        let connect = move || TcpStream::connect_timeout(&(inside, 80).into(), limit).map(drop);
        let answer = lab.internet(connect).map_err(|error| error.kind());
        assert_eq!(answer, Err(ErrorKind::TimedOut));
        assert_eq!(ask(inside, 80).unwrap(), "10.7.0.1", "the host itself may");
    });
}

/// CVE-2020-8558: what leads the host's 127.0.0.1 to a published port is no way back. The container
/// takes the addresses off its own loopback, so that they lead to its gateway.
#[test]
fn the_hosts_loopback_is_not_reached_from_inside() {
    for_root!();
    require!(own_networks);
    require!(busybox);
    const SCRIPT: &str = "ip=/bin/busybox\\ ip
        $ip address del 127.0.0.1/8 dev lo && $ip route add 127.0.0.7 via 10.7.1.1 || exit 9
        echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet || exit 8
        exec /probe ask 10.7.1.1:99 127.0.0.7:99";
    in_lab(|_| {
        let rootfs = Rootfs::new().with_shell();
        let server = TcpListener::bind("0.0.0.0:99").unwrap();
        let running = Launch::on(&rootfs)
            .option("--net=veth")
            .option("--network=10.7.1.0/24")
            .option("--publish=8082:80")
            .option("--cap-add=net_admin")
            .option("--unmask")
            .command(["/bin/sh", "-c", SCRIPT])
            .start();
        // It comes to us first by the way that is open, and so is ready for the other.
        server.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + patience(Duration::from_secs(10));
        let (mut stream, peer) = loop {
            match server.accept() {
                Ok(client) => break client,
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Err(error) => panic!("{error}\n{}", running.finish()),
            }
        };
        std::io::Write::write_all(&mut stream, peer.ip().to_string().as_bytes()).unwrap();
        drop(stream);
        let output = running.finish().code(0);
        assert_eq!(output.lines()[0], "10.7.1.2", "{output}");
        assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{output}");
    });
}

/// CVE-2020-10749: who listened to the container's router advertisements would send by it.
#[test]
fn the_host_learns_no_route_from_inside() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        for (option, setting, value) in
            [("--net=veth=ipv6", "accept_ra", "0"), ("--net=veth", "disable_ipv6", "1")]
        {
            let running = Launch::new().option(option).probe("sleep 1000").start();
            running.wait_for("ready");
            let links = std::fs::read_dir("/proc/sys/net/ipv6/conf").unwrap().flatten();
            let names = links.map(|link| link.file_name().to_string_lossy().into_owned());
            let ends = names.filter(|name| name.starts_with("veth-l")).collect::<Vec<_>>();
            assert_eq!(ends.len(), 1, "{ends:?}");
            assert_eq!(sysctl(&format!("net/ipv6/conf/{}/{setting}", ends[0])), value, "{option}");
            drop(running);
            expect_nothing_left_after_kill();
        }
    });
}

#[test]
fn forwarding_is_turned_on_once_with_a_note_and_never_off() {
    for_root!();
    require!(own_networks);
    in_lab(|_| {
        let settings = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
        settings.iter().for_each(|name| set_sysctl(name, "0"));
        let launch = || Launch::new().option("--net=veth=ipv6").option("--verbose");
        let notes = |stderr: &str| {
            ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
                .map(|name| stderr.contains(&format!("sysctl {name} is 1 from now on")))
        };
        for wanted in [[true; 2], [false; 2]] {
            let output = launch().probe("exit 0").run().code(0);
            assert_eq!(notes(&output.stderr), wanted, "{output}");
            settings.iter().for_each(|name| assert_eq!(sysctl(name), "1", "{name}"));
        }
    });
}
