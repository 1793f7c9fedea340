//! Verbs about the network.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};

use crate::{Outcome, errno, sys, word};

/// `loopback`: the interfaces, whether lo is up, and whether 127.0.0.1 reaches itself.
pub fn try_loopback() -> Outcome {
    for line in fs::read_to_string("/proc/net/dev")?.lines() {
        if let Some((name, _)) = line.split_once(':') {
            println!("interface {}", name.trim());
        }
    }
    println!("lo {}", if sys::interface_is_up("lo")? { "up" } else { "down" });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.write_all(b"x")?;
    server.read_exact(&mut [0])?;
    println!("127.0.0.1 reached");
    Ok(0)
}

/// `connect ADDRESS:PORT`.
pub fn connect(words: &[&str]) -> Outcome {
    errno::print(TcpStream::connect(word(words, 0)?).map(drop));
    Ok(0)
}

/// `abstract NAME`: connects to a Unix socket that lives in the network namespace.
pub fn connect_abstract(words: &[&str]) -> Outcome {
    let address = SocketAddr::from_abstract_name(word(words, 0)?)?;
    errno::print(UnixStream::connect_addr(&address).map(drop));
    Ok(0)
}

/// `notify`: says to $NOTIFY_SOCKET that it is ready.
pub fn notify() -> Outcome {
    let path = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"READY=1", path));
    errno::print(sent.map(drop));
    Ok(0)
}
