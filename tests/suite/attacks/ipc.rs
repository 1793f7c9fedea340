//! By what processes tell each other: shared memory, queues, keys, netlink. Abstract Unix sockets
//! are in `namespaces.rs`.

use std::fs;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::{attempt, inside, modes, on_host, refused, tell};
use crate::ability::require;
use crate::launch::Launch;
use crate::rootfs::temporary_path;
use crate::sys;
use crate::sys::smuggler::send_descriptor;

/// A segment of the host's shared memory.
#[test]
fn shared_memory_of_the_host_is_not_there() {
    let key = 0x4c00_0000 + std::process::id();
    let segment = sys::shared_memory(key as i32).unwrap();
    let open = format!("call shmget {key} 0 0");
    let host = on_host(&open);
    refused(&open, &["ENOENT"]);
    let shared = inside(&["--share=ipc"], &open);
    sys::remove_shared_memory(segment).unwrap();
    assert_eq!(host, "ok");
    assert!(["ok", "EACCES"].contains(&shared.as_str()), "{shared}");
}

/// The same as files: of /dev/shm, and POSIX message queues.
#[test]
fn shared_files_of_the_host_are_not_there() {
    let name = temporary_path("shared").file_name().unwrap().to_string_lossy().into_owned();
    let file = format!("/dev/shm/{name}");
    std::fs::write(&file, "x").unwrap();
    let read = format!("read {file}");
    assert_eq!(on_host(&read), "ok");
    refused(&read, &["ENOENT"]);
    std::fs::remove_file(file).unwrap();

    require!(message_queues);
    assert_eq!(on_host(&format!("queue /{name}")), "ok");
    let open = format!("open-queue /{name}");
    refused(&open, &["ENOENT"]);
    let shared = inside(&["--share=ipc", "--userns=single"], &open);
    assert_eq!(on_host(&format!("remove-queue /{name}")), "ok");
    assert_eq!(shared, "ok");
}

/// A key of the caller's session, by its name.
#[test]
fn keys_of_the_caller_are_not_there() {
    // The launcher and the probe are started by this thread, and have its session keyring.
    let name = temporary_path("key").file_name().unwrap().to_string_lossy().into_owned();
    sys::add_session_key(&name).unwrap();
    let ask = format!("key {name}");
    assert_eq!(on_host(&ask), "ok");
    refused(&ask, &["ENOSYS"]);
    // Not the filter alone stands in the way.
    for mode in modes() {
        // The filter of `none` alone is always there.
        let missing = if mode == "none" { "ENOSYS" } else { "ENOKEY" };
        assert_eq!(inside(&["--seccomp=none", "--userns", mode], &ask), missing, "{mode}");
    }
}

/// And of the caller's user: by that user's id, for which the user namespace has another keyring, and by
/// its number, which leads to the same one for the same user.
#[test]
fn keys_of_the_callers_user_are_not_there() {
    require!(keyrings);
    let name = temporary_path("users-key").file_name().unwrap().to_string_lossy().into_owned();
    let key = sys::add_users_key(&name).unwrap();
    let find = format!("users-key {name}");
    let host = on_host(&find);
    // KEYCTL_DESCRIBE.
    let describe = format!("call keyctl 6 {key} 0");
    let described = on_host(&describe);
    refused(&find, &["ENOSYS"]);
    refused(&describe, &["ENOSYS"]);
    let unfiltered = inside(&["--userns=single", "--seccomp=none"], &describe);
    let without = modes().contains(&"none").then(|| {
        let options = ["--userns=none", "--seccomp=none"];
        (inside(&options, &find), inside(&["--userns=none", "--unmask", "--seccomp=none"], &find))
    });
    sys::remove_users_key(key).unwrap();
    assert_eq!([host, described, unfiltered], ["ok"; 3]);
    assert!(without.is_none_or(|(walled, free)| walled == "ENOSYS" && free == "ok"));
    // Who asks for that has been told.
    let help = Launch::bare().option("--help").run().ok().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("allows keyctl(2), the caller's keys are open"), "{help}");
}

/// SCM_RIGHTS: somebody on the host hands a directory in, by an abstract socket.
#[test]
fn descriptors_cannot_be_smuggled_in() {
    let outside = temporary_path("smuggled");
    fs::write(&outside, "").unwrap();
    let name = outside.file_name().unwrap().to_str().unwrap().to_owned();
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let folder = fs::File::open(outside.parent().unwrap()).unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            // Who asks may be gone.
            send_descriptor(&socket.unwrap(), folder.as_fd()).ok();
        }
    });
    let words = format!("smuggle {name}");
    let find = |options: &[&str]| {
        let found = attempt(options, &words);
        tell("smuggle NAME", &options.join(" "), &found);
        found
    };
    assert_eq!(find(&["--share=net"]), "ok");
    for mode in modes() {
        let found = attempt(&["--userns", mode], &words);
        tell("smuggle NAME", &format!("mode {mode}"), &found);
        assert_eq!(found, "ECONNREFUSED", "{mode}");
    }
    if sys::landlock_abi().is_ok_and(|version| version >= 6) {
        assert_eq!(find(&["--share=net", "--landlock=abstract"]), "EPERM");
    }
    fs::remove_file(outside).unwrap();
}

const ROUTE: u8 = 0;
const NETFILTER: u8 = 12;

/// CVE-2024-1086 and many more: nf_tables, and the rest of the network's configuration. It is for
/// the root of the network namespace, and container root is that only when it is told so.
#[test]
fn network_cannot_be_configured() {
    const NEW_LINK: u16 = 16;
    const NEW_TABLE: u16 = 10 << 8;
    for (family, kind) in [(ROUTE, NEW_LINK), (NETFILTER, NEW_TABLE)] {
        let words = format!("netlink {family} {kind}");
        refused(&words, &["EPERM", "EPROTONOSUPPORT"]);
        // With the right to it the message itself is looked at; and that of the host's network
        // comes with nothing.
        let own = inside(&["--cap-add=net_admin"], &words);
        assert_ne!(own, "EPERM", "{words}");
        let shared = inside(&["--cap-add=net_admin", "--share=net"], &words);
        assert!(["EPERM", "EPROTONOSUPPORT"].contains(&shared.as_str()), "{words}: {shared}");
    }
}
