//! Verbs about the network.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use crate::{Outcome, errno, number, sys, word};

/// How long an answer may take, also on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(3);

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

/// `serve PORT`: tells everybody who comes, by TCP or UDP, where they come from.
pub fn serve(words: &[&str]) -> Outcome {
    let port: u16 = number(words, 0)?;
    let listener =
        TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)))?;
    let socket = UdpSocket::bind(listener.local_addr()?)?;
    println!("serving");
    std::thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 64]) {
            socket.send_to(from.ip().to_canonical().to_string().as_bytes(), from).ok();
        }
    });
    loop {
        let (mut client, from) = listener.accept()?;
        client.write_all(from.ip().to_canonical().to_string().as_bytes()).ok();
        // Debian 12's pasta drops what comes together with the end of the stream.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `ask ADDRESS:PORT…`: what is answered there.
pub fn ask(words: &[&str]) -> Outcome {
    for address in words {
        let address = address.parse().map_err(io::Error::other)?;
        let mut text = String::new();
        let asked = TcpStream::connect_timeout(&address, PATIENCE).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.read_to_string(&mut text)
        });
        match asked {
            Ok(_) => println!("{text}"),
            Err(error) => println!("{:?}", error.kind()),
        }
    }
    Ok(0)
}

/// `exchange ADDRESS:PORT BYTES`: sends so many, and receives what the server then has for us. How many
/// bytes those are, and the milliseconds of it all.
pub fn exchange(words: &[&str]) -> Outcome {
    let began = Instant::now();
    let mut stream = TcpStream::connect(word(words, 0)?)?;
    stream.write_all(&vec![1; number(words, 1)?])?;
    stream.shutdown(Shutdown::Write)?;
    let received = io::copy(&mut stream, &mut io::sink())?;
    println!("{received}\n{}", began.elapsed().as_millis());
    Ok(0)
}

/// `resolve NAME`: its addresses, as the C library finds them.
pub fn resolve(words: &[&str]) -> Outcome {
    for address in (word(words, 0)?, 0).to_socket_addrs()? {
        println!("{}", address.ip());
    }
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
