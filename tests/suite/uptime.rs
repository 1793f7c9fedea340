//! Clocks of the container's own: --uptime.

use std::fs;

use crate::launch::Launch;

/// Seconds since the start of the machine, as the container has it.
fn uptime(option: Option<&str>) -> f64 {
    let launch = option.into_iter().fold(Launch::new(), |launch, option| launch.option(option));
    parse(&launch.probe("show /proc/uptime").run().ok().stdout)
}

fn parse(text: &str) -> f64 {
    text.split(' ').next().unwrap().parse().unwrap()
}

/// What a start takes at most.
const START: f64 = 20.0;

#[test]
fn uptime_is_the_hosts_unless_given() {
    let host = parse(&fs::read_to_string("/proc/uptime").unwrap());
    assert!((host..host + START).contains(&uptime(None)));
}

#[test]
fn uptime_is_what_is_given() {
    assert!((0.0..START).contains(&uptime(Some("--uptime=fresh"))));
    assert!((1e6..1e6 + START).contains(&uptime(Some("--uptime=1000000"))));
}

#[test]
fn the_namespace_that_is_told_is_the_containers() {
    let launch = Launch::new().option("--status-fd=1").option("--uptime=fresh");
    let (read, write) = std::io::pipe().unwrap();
    let launch = launch.stdin(std::os::fd::OwnedFd::from(read));
    let running = launch.probe("read-line").start();
    let text = running.wait_for("ready");
    let text = if text.contains("started") { text } else { running.wait_for("started") };
    let number = |name: &str| {
        let (_, rest) = text.split_once(&format!("\"{name}\":")).expect(name);
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let link = fs::read_link(format!("/proc/{}/ns/time", number("pid"))).unwrap();
    assert_eq!(link.to_string_lossy(), format!("time:[{}]", number("time")));
    assert_ne!(link, fs::read_link("/proc/self/ns/time").unwrap());
    drop(write);
    running.finish().code(0);
}
