//! A bundle for OCI runtimes: config.json (runtime-spec, config.md) for what the launcher makes by
//! default, without the filter.

use std::path::Path;

use serde_json::{Value, json};

/// The configuration; `map` is of uids and gids alike: inside from 0 on, outside, how many.
pub fn config(rootfs: &Path, command: &str, (outside, count): (u32, u32)) -> Value {
    let map = json!([{ "containerID": 0, "hostID": outside, "size": count }]);
    let kinds = ["user", "mount", "pid", "network", "uts", "ipc", "cgroup"];
    let namespaces = kinds.map(|kind| json!({ "type": kind }));
    let mount = |place: &str, kind: &str, options: &str| {
        let options = options.split(',').collect::<Vec<_>>();
        json!({ "destination": place, "type": kind, "source": kind, "options": options })
    };
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": [command],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "noNewPrivileges": true,
        },
        "root": { "path": rootfs },
        "hostname": "container",
        "mounts": [
            mount("/proc", "proc", "nosuid,nodev,noexec"),
            mount("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
            mount("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"),
            mount("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k"),
            mount("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
            mount("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
        ],
        "linux": { "namespaces": namespaces, "uidMappings": map, "gidMappings": map },
    })
}
