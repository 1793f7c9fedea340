//! What `--net` and its companions mean, and what makes no sense.

use std::ffi::CString;

use super::*;
use crate::spec::Spec;
use crate::words::{Request, parse};

fn network(words: &str) -> Result<Network, Error> {
    let words = ["launcher"].into_iter().chain(words.split_whitespace()).chain(["r"]);
    let argv = words.map(|word| CString::new(word).unwrap()).collect::<Vec<_>>();
    match parse(&argv).map_err(|misuse| misuse.error)? {
        Request::Start(typed) => Spec::new(&typed).map(|spec| spec.network),
        _ => panic!("no start"),
    }
}

fn link(words: &str) -> Link {
    match network(words).unwrap() {
        Network::Link(link) => link,
        other => panic!("{other:?}"),
    }
}

#[test]
fn modes_are_told_apart() {
    assert!(matches!(network("").unwrap(), Network::None));
    assert!(matches!(network("--net none").unwrap(), Network::None));
    assert!(matches!(network("--net host").unwrap(), Network::Host));
    assert!(matches!(network("--share net").unwrap(), Network::Host));
    assert!(
        matches!(network("--net=ns:/a:b").unwrap(), Network::Namespace(p) if p.as_c_str() == c"/a:b")
    );
    assert_eq!(link("--net=veth=mtu=9000,ipv6").mtu, Some(9000));
    assert_eq!(link("--net bridge=br0,mtu=1300").bridge, Some(c"br0".into()));
    match network("--net pasta:-4,--mtu,1400 --publish 1:2").unwrap() {
        Network::Pasta(pasta) => {
            assert_eq!(pasta.options, [c"-4", c"--mtu", c"1400"].map(CString::from));
            assert_eq!(pasta.publish.len(), 1);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn details_are_read() {
    let words = "--net veth --network 10.9.8.7/24 --host-ip 10.9.8.1 --container-ip 10.9.8.2 \
                 --network fd00::/64 --container-ip fd00::9 --mac 02:00:00:00:00:0A";
    let link = link(words);
    assert_eq!(link.networks[0].to_string(), "10.9.8.0/24");
    assert_eq!(link.container_ips.len(), 2);
    assert_eq!(link.mac, Some([2, 0, 0, 0, 0, 10]));
    assert!(link.wants_v6());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (words, part) in [
        ("--net vet", "did you mean veth?"),
        ("--net ns:", "--net ns: is unknown"),
        ("--net veth=mtu=0", "68 to 65535"),
        ("--net veth=mut=1400", "--net veth"),
        ("--net veth=mtu=1279,ipv6", "mtu=1280"),
        ("--net veth --network 224.0.0.0/4", "is no network"),
        ("--net veth --network fe80::/64", "is no network"),
        ("--net veth --network 127.5.0.0/24", "is no network"),
        ("--rate 1M", "--rate needs --net veth or bridge=NAME; pasta"),
        ("--net veth --rate 0", "--rate 0 is --net none"),
        ("--net veth --rate 10mbit", "--rate 10mbit is not a size"),
        ("--net pasta --rate 1M", "--rate needs --net veth or bridge"),
        ("--net pasta:mtu=1500", "--net pasta:mtu=1500 is no option"),
        ("--net pasta:-4,/bin/sh", "--net pasta:/bin/sh is no option"),
        ("--net pasta:--mtu,1400,x", "--net pasta:x is no option"),
        ("--net bridge=", "no interface's name"),
        ("--net bridge=a/b", "no interface's name"),
        ("--net bridge=sixteen-letters-", "no interface's name"),
        ("--share net --net veth", "excludes"),
        ("--publish 1:2", "--publish needs"),
        ("--net host --publish 1:2", "--publish needs"),
        ("--net none --network 10.0.0.0/8", "--network needs"),
        ("--net pasta --mac 02:00:00:00:00:01", "--mac needs --net veth or bridge"),
        ("--net veth --network 10.0.0.0", "is no network"),
        ("--net veth --network 10.0.0.0/32", "no room"),
        ("--net veth --network 10.0.0.0/8 --network 11.0.0.0/8", "once for IPv4"),
        ("--net veth --network 10.0.0.0/24 --host-ip 10.0.1.1", "in --network 10.0.0.0/24"),
        ("--net veth --network 10.0.0.0/24 --host-ip 10.0.0.255", "no host's address"),
        ("--net veth --host-ip 10.0.1.1", "needs a --network"),
        ("--net veth --network 10.0.0.0/24 --host-ip 10.0.0.1 --container-ip 10.0.0.1", "both"),
        ("--net veth --mac 01:00:00:00:00:00", "--mac"),
        ("--net veth --mac 2:0:0:0:0:1", "--mac"),
    ] {
        let text = network(words).unwrap_err().to_string();
        assert!(text.contains(part), "{words}: {text}");
    }
}

#[test]
fn the_name_of_a_host_end_is_that_of_its_address() {
    assert_eq!(host_end_name("10.203.0.6".parse().unwrap()).as_c_str(), c"veth-l0acb0006");
    assert_eq!(host_end_name("fd00::1".parse().unwrap()).count_bytes(), 14);
}
