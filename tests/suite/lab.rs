//! A network to try things in: a host in a namespace of its own, and beyond it "the internet",
//! another one, with a server on it. Nothing of the machine's real network is touched.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::pace::patience;
use crate::subject;
use crate::sys::network::{leave_network, thread_id};

/// The host's address on the way out.
pub const HOST: &str = "198.51.100.1";
pub const HOST_V6: &str = "2001:db8::1";
/// The server's in the internet: port 80 answers with the address that it sees, port 53 with its own
/// address to whatever name it is asked for.
pub const SERVER: &str = "198.51.100.2";
pub const SERVER_V6: &str = "2001:db8::2";

/// The host's own.
pub const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The host, as seen by the thread that is it.
pub struct Lab {
    tasks: Sender<Task>,
}

/// Something to do in the internet.
type Task = Box<dyn FnOnce() + Send>;

/// Runs a test as a host with a way to the internet.
pub fn in_lab(test: impl FnOnce(&Lab) + Send + 'static) {
    let host = thread::spawn(move || {
        leave_network().unwrap();
        let (tasks, waiting) = channel();
        let (ready, is_ready) = channel();
        thread::spawn(move || be_internet(&ready, &waiting));
        let lab = Lab { tasks };
        lab.connect(is_ready.recv().unwrap());
        lab.internet(|| {
            ip("link set lo up");
            set_sysctl("net/ipv6/conf/up1/accept_dad", "0");
            ip("link set up1 up");
            ip(&format!("address add {SERVER}/24 dev up1"));
            ip(&format!("address add {SERVER_V6}/64 dev up1"));
            serve();
        });
        test(&lab);
    });
    if let Err(panic) = host.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Whether that can be.
pub fn is_possible() -> Result<(), String> {
    let attempt = thread::spawn(|| {
        leave_network().map_err(|error| format!("no network namespace: {error}"))?;
        try_ip("link add up0 type veth")
    });
    attempt.join().unwrap()
}

fn be_internet(ready: &Sender<i32>, waiting: &Receiver<Task>) {
    leave_network().unwrap();
    ready.send(thread_id()).unwrap();
    waiting.iter().for_each(|task| task());
}

impl Lab {
    /// Two namespaces and a wire. busybox gives the other end a name of the kernel's.
    fn connect(&self, internet: i32) {
        ip("link set lo up");
        ip("link add up0 type veth");
        ip("link set veth0 name up1");
        ip(&format!("link set up1 netns {internet}"));
        // No second of waiting whether the address is somebody else's.
        set_sysctl("net/ipv6/conf/up0/accept_dad", "0");
        ip("link set up0 up");
        ip(&format!("address add {HOST}/24 dev up0"));
        ip(&format!("address add {HOST_V6}/64 dev up0"));
        ip(&format!("route add default via {SERVER}"));
        ip(&format!("route add default via {SERVER_V6} dev up0"));
    }

    /// Does something in the internet, and waits for it.
    pub fn internet<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        self.tasks.send(Box::new(move || drop(done.send(task())))).unwrap();
        result.recv().expect("the task failed")
    }
}

/// `ip` of busybox, in this thread's network.
#[track_caller]
pub fn ip(words: &str) {
    try_ip(words).unwrap();
}

fn try_ip(words: &str) -> Result<(), String> {
    let output = output_of_ip(words);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn output_of_ip(words: &str) -> std::process::Output {
    let mut command = Command::new(subject::rootfs().join("bin/busybox"));
    command.arg("ip").args(words.split(' ')).output().unwrap()
}

/// What it prints.
pub fn ip_prints(words: &str) -> String {
    String::from_utf8_lossy(&output_of_ip(words).stdout).into_owned()
}

/// /proc/sys is that of the thread which opens it.
pub fn set_sysctl(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/{name}"), value).unwrap();
}

pub fn sysctl(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap().trim().to_owned()
}

/// An answer comes, or a refusal; only what hangs takes so long.
const HANGS: Duration = Duration::from_secs(30);

/// What a server at this address says.
pub fn ask(address: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    let address = SocketAddr::new(address.into(), port);
    let mut stream = TcpStream::connect_timeout(&address, patience(HANGS))?;
    stream.set_read_timeout(Some(patience(HANGS)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The same by UDP.
pub fn ask_by_udp(address: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    let address = SocketAddr::new(address.into(), port);
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(patience(HANGS)))?;
    socket.connect(address)?;
    socket.send(b"?")?;
    let mut bytes = [0; 64];
    let count = socket.recv(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

/// That nobody serves there. What is dropped on the way is no refusal.
#[track_caller]
pub fn expect_refusal(answer: io::Result<String>, port: u16) {
    let kind = answer.map_err(|error| error.kind());
    assert_eq!(kind, Err(io::ErrorKind::ConnectionRefused), "port {port}");
}

/// The servers of the internet: threads of this thread, in its network.
fn serve() {
    let web = TcpListener::bind("[::]:80").unwrap();
    thread::spawn(move || {
        for mut client in web.incoming().flatten() {
            let from = client.peer_addr().unwrap().ip().to_canonical();
            client.write_all(from.to_string().as_bytes()).ok();
        }
    });
    let names = UdpSocket::bind("[::]:53").unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((count, from)) = names.recv_from(&mut bytes) {
            names.send_to(&answer(&bytes[..count]), from).ok();
        }
    });
}

/// To a question of one name (RFC 1035, 4.1): for an IPv4 address SERVER, for others nothing.
fn answer(question: &[u8]) -> Vec<u8> {
    let wants_v4 = question.ends_with(&[0, 1, 0, 1]);
    let mut text = question.to_vec();
    text[2..4].copy_from_slice(&[0x81, 0x80]);
    text[6..12].copy_from_slice(&[0, u8::from(wants_v4), 0, 0, 0, 0]);
    if wants_v4 {
        // The name of the question, A, IN, a minute, four bytes.
        text.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 2]);
    }
    text
}
