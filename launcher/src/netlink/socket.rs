//! A netlink socket: sends requests and reads the kernel's answers.

use std::os::fd::{AsFd, OwnedFd};

use super::{ACK, MESSAGE_HEADER, Message, u16_at, u32_at};
use crate::sys::{Errno, Result as SysResult, file, network};

/// The socket. It stays in the network namespace that it was opened in.
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

/// The largest packet of answers (NLMSG_GOODSIZE is less, and a dump goes by our buffer).
const BUFFER: usize = 32 * 1024;

// Message types that are not of the family's (linux/netlink.h).
const ERROR: u16 = 2;
const DONE: u16 = 3;

impl Socket {
    /// For rtnetlink(7).
    pub fn for_routes() -> SysResult<Socket> {
        Socket::open(libc::NETLINK_ROUTE)
    }

    /// For nf_tables.
    pub fn for_filters() -> SysResult<Socket> {
        Socket::open(libc::NETLINK_NETFILTER)
    }

    fn open(protocol: i32) -> SysResult<Socket> {
        Ok(Socket { fd: network::open_netlink(protocol)?, sequence: 0 })
    }

    /// Sends a request, and returns how the kernel acknowledges it.
    pub fn request(&mut self, message: Message) -> SysResult<()> {
        self.requests([message])
    }

    /// Sends requests; returns the error of the first that failed.
    pub fn requests(&mut self, messages: impl IntoIterator<Item = Message>) -> SysResult<()> {
        let mut messages = messages.into_iter().collect::<Vec<_>>();
        messages.iter_mut().for_each(|message| message.add_flags(ACK));
        match self.exchange(messages, |_, _| {})? {
            true => Ok(()),
            false => Err(Errno::EPROTO),
        }
    }

    /// Sends a batch of nf_tables, all of which is done or nothing. The acknowledgement of the last
    /// message is that of all.
    pub fn transaction(
        &mut self,
        begin: Message,
        mut messages: Vec<Message>,
        end: Message,
    ) -> SysResult<()> {
        if let Some(last) = messages.last_mut() {
            last.add_flags(ACK);
        }
        messages.insert(0, begin);
        messages.push(end);
        match self.exchange(messages, |_, _| {})? {
            true => Ok(()),
            false => Err(Errno::EPROTO),
        }
    }

    /// Sends a question, and calls `each` with every answer's type and body.
    pub fn ask(&mut self, question: Message, each: impl FnMut(u16, &[u8])) -> SysResult<()> {
        self.exchange(vec![question], each).map(drop)
    }

    /// Sends messages in one packet. The rules for hundreds of published ports are more than the send
    /// buffer takes by default (net.core.wmem_default).
    fn send(&self, bytes: &[u8]) -> SysResult<()> {
        let socket = self.fd.as_fd();
        match file::write(socket, bytes) {
            Err(Errno::EMSGSIZE) => {
                network::raise_send_buffer(socket, bytes.len()).map_err(|_| Errno::EMSGSIZE)?;
                file::write(socket, bytes).map(drop)
            }
            other => other.map(drop),
        }
    }

    /// Sends messages in one packet and reads the answers. The kernel has answered when the write
    /// returns, or does so at the next read; so EAGAIN is the end. Returns whether there was an
    /// acknowledgement.
    fn exchange(
        &mut self,
        messages: Vec<Message>,
        mut each: impl FnMut(u16, &[u8]),
    ) -> SysResult<bool> {
        let mut bytes = Vec::new();
        for mut message in messages {
            self.sequence += 1;
            message.set_sequence(self.sequence);
            bytes.extend_from_slice(&message.0);
        }
        self.send(&bytes)?;
        let mut buffer = vec![0; BUFFER];
        let (mut failure, mut acknowledged) = (None, false);
        loop {
            let count = match file::read(self.fd.as_fd(), &mut buffer) {
                Ok(count) => count,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            for_each_message(&buffer[..count], |kind, body| match kind {
                // A negative errno, or 0.
                ERROR | DONE => match u32_at(body, 0).unwrap_or(0) as i32 {
                    0 => acknowledged = true,
                    errno => _ = failure.get_or_insert(Errno::new(-errno)),
                },
                _ => each(kind, body),
            });
        }
        failure.map_or(Ok(acknowledged), Err)
    }
}

fn for_each_message(mut bytes: &[u8], mut each: impl FnMut(u16, &[u8])) {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        let Some(body) = bytes.get(MESSAGE_HEADER..length) else { return };
        each(kind, body);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart_and_bad_ones_end_it() {
        let message = |kind: u16, body: &[u8]| {
            let length = (MESSAGE_HEADER + body.len()) as u32;
            let mut bytes =
                [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let mut seen = Vec::new();
        let bytes = [message(20, b"abc"), message(DONE, &[0; 4]), vec![3, 0, 0, 0, 9, 0]].concat();
        for_each_message(&bytes, |kind, body| seen.push((kind, body.to_vec())));
        assert_eq!(seen, [(20, b"abc".to_vec()), (DONE, vec![0; 4])]);
    }
}
