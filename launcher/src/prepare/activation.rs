//! What a service manager hands to a service: sockets (sd_listen_fds(3)) and the way to say that
//! it is ready (sd_notify(3)). Both are meant for the command, so both go through.

use std::ffi::CString;

use crate::sys::signal;

/// Where the notification socket lies inside: in the container's own /dev, which every rootfs
/// gets and nothing else of the host's can be reached by.
pub const NOTIFY_NAME: &std::ffi::CStr = c"notify";

/// What the caller's environment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Activation {
    /// Descriptors to pass on.
    pub descriptors: std::ops::Range<i32>,
    /// The host's notification socket.
    pub notify_socket: Option<CString>,
    /// Variables that tell the command.
    pub variables: Vec<Vec<u8>>,
}

impl Activation {
    /// Reads the variables. They are for this process only if LISTEN_PID says so.
    pub fn read(environment: &[Vec<u8>], share_net: bool) -> Activation {
        Activation::of_process(signal::own_pid(), environment, share_net)
    }

    fn of_process(pid: i32, environment: &[Vec<u8>], share_net: bool) -> Activation {
        let get = |name: &[u8]| {
            environment
                .iter()
                .find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
                .and_then(|value| std::str::from_utf8(value).ok())
        };
        let mut activation = Activation::default();
        let count = get(b"LISTEN_FDS").and_then(|text| text.parse::<i32>().ok());
        if let Some(count) = count
            && (1..=1024).contains(&count)
            && get(b"LISTEN_PID") == Some(&pid.to_string())
        {
            // The first passed descriptor is 3. The process they are for is PID 1 inside: init,
            // which writes the command's pid there.
            activation.descriptors = 3..3 + count;
            activation.variables.push(format!("LISTEN_FDS={count}").into());
            activation.variables.push(b"LISTEN_PID=1".to_vec());
            if let Some(names) = get(b"LISTEN_FDNAMES") {
                activation.variables.push(format!("LISTEN_FDNAMES={names}").into());
            }
        }
        match get(b"NOTIFY_SOCKET") {
            Some(path) if path.starts_with('/') => {
                activation.notify_socket = CString::new(path).ok();
                let inside = [b"NOTIFY_SOCKET=/dev/", NOTIFY_NAME.to_bytes()].concat();
                activation.variables.push(inside);
            }
            // An abstract socket belongs to a network namespace.
            Some(name) if share_net && name.starts_with('@') => {
                activation.variables.push(format!("NOTIFY_SOCKET={name}").into());
            }
            _ => {}
        }
        activation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str], share_net: bool) -> Activation {
        let entries = entries.iter().map(|e| e.as_bytes().to_vec()).collect::<Vec<_>>();
        Activation::of_process(42, &entries, share_net)
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
    fn an_abstract_notify_socket_needs_the_network_namespace() {
        assert_eq!(read(&["NOTIFY_SOCKET=@x"], false), Activation::default());
        assert_eq!(read(&["NOTIFY_SOCKET=@x"], true).variables, [b"NOTIFY_SOCKET=@x".to_vec()]);
        let path = read(&["NOTIFY_SOCKET=/run/n"], false);
        assert_eq!(path.notify_socket, Some(c"/run/n".to_owned()));
        assert_eq!(path.variables, [b"NOTIFY_SOCKET=/dev/notify".to_vec()]);
    }
}
