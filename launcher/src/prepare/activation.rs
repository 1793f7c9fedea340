//! What a service manager passes to a service: sockets (sd_listen_fds(3)) and the notification socket
//! (sd_notify(3)). Both are meant for the command and are passed on.

use std::ffi::{CStr, CString};

use crate::sys::{file, signal};

/// The notification socket's name in the container's own /dev, where it is bind-mounted.
pub const NOTIFY_NAME: &CStr = c"notify";

/// What the caller's environment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Activation {
    /// Descriptors to pass on.
    pub descriptors: std::ops::Range<i32>,
    /// The host's notification socket.
    pub notify_socket: Option<CString>,
    /// The variables for the command.
    pub variables: Vec<Vec<u8>>,
    /// The warning about a notification socket that the command does not get.
    pub lost: Option<String>,
}

impl Activation {
    /// Reads the variables. They are for this process only if LISTEN_PID says so.
    pub fn read(environment: &[Vec<u8>], share_net: bool) -> Activation {
        let is_socket = |path: &CStr| file::stat_path(path).is_ok_and(|stat| stat.is_socket());
        Activation::of_process(signal::own_pid(), environment, share_net, is_socket)
    }

    fn of_process(
        pid: i32,
        environment: &[Vec<u8>],
        share_net: bool,
        is_socket: impl Fn(&CStr) -> bool,
    ) -> Activation {
        let get = |name: &[u8]| {
            environment.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
        };
        let mut activation = Activation::default();
        let count = get(b"LISTEN_FDS").and_then(|text| str::from_utf8(text).ok()?.parse().ok());
        if let Some(count) = count
            && (1..=1024).contains(&count)
            && get(b"LISTEN_PID") == Some(pid.to_string().as_bytes())
        {
            // The first passed descriptor is 3. The process they are for is PID 1 inside: init,
            // which writes the command's pid there.
            activation.descriptors = 3..3 + count;
            activation.variables.push(format!("LISTEN_FDS={count}").into());
            activation.variables.push(b"LISTEN_PID=1".to_vec());
            if let Some(names) = get(b"LISTEN_FDNAMES") {
                activation.variables.push([b"LISTEN_FDNAMES=", names].concat());
            }
        }
        let Some(address) = get(b"NOTIFY_SOCKET") else { return activation };
        let path = CString::new(address).ok().filter(|path| is_socket(path));
        let why = match (address.first(), path) {
            (Some(b'/'), Some(path)) => {
                activation.notify_socket = Some(path);
                let inside = [b"NOTIFY_SOCKET=/dev/", NOTIFY_NAME.to_bytes()].concat();
                activation.variables.push(inside);
                return activation;
            }
            (Some(b'/'), None) => "there is no socket that this user can see",
            (Some(b'@'), _) if share_net => {
                activation.variables.push([b"NOTIFY_SOCKET=", address].concat());
                return activation;
            }
            (Some(b'@'), _) => {
                "an abstract socket belongs to a network namespace; --share net keeps it"
            }
            // As sd_notify(3): nobody listens.
            (None, _) => return activation,
            _ => "neither a path nor an abstract socket",
        };
        let shown = String::from_utf8_lossy(address);
        activation.lost = Some(format!(
            "the command does not get NOTIFY_SOCKET={}: {why}",
            shown.escape_default()
        ));
        activation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str], share_net: bool) -> Activation {
        let entries = entries.iter().map(|e| e.as_bytes().to_vec()).collect::<Vec<_>>();
        Activation::of_process(42, &entries, share_net, |path| path == c"/run/n")
    }

    #[test]
    fn sockets_are_for_the_process_that_is_named() {
        let ours = read(&["LISTEN_FDS=2", "LISTEN_PID=42", "LISTEN_FDNAMES=a:b"], false);
        assert_eq!(ours.descriptors, 3..5);
        assert_eq!(ours.variables[1], b"LISTEN_PID=1");
        assert_eq!(ours.variables[2], b"LISTEN_FDNAMES=a:b");
        for entries in [
            &["LISTEN_FDS=2", "LISTEN_PID=43"][..],
            &["LISTEN_FDS=2"],
            &["LISTEN_FDS=-1", "LISTEN_PID=42"],
        ] {
            assert_eq!(read(entries, false), Activation::default());
        }
    }

    #[test]
    fn a_notify_socket_is_there_or_missed() {
        assert_eq!(read(&["NOTIFY_SOCKET=@x"], true).variables, [b"NOTIFY_SOCKET=@x".to_vec()]);
        let path = read(&["NOTIFY_SOCKET=/run/n"], false);
        assert_eq!(path.notify_socket, Some(c"/run/n".to_owned()));
        assert_eq!(path.variables, [b"NOTIFY_SOCKET=/dev/notify".to_vec()]);
        assert_eq!(path.lost, None);
        for address in ["@x", "/run/other", "vsock:2:1"] {
            let none = read(&[&format!("NOTIFY_SOCKET={address}")], false);
            assert_eq!((none.notify_socket, none.variables), (None, Vec::new()));
            assert!(none.lost.is_some_and(|lost| lost.contains(address)));
        }
        assert_eq!(read(&["NOTIFY_SOCKET="], false), Activation::default());
    }
}
