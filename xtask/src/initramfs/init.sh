#!/bin/sh
# PID 1 of an image made by `cargo xtask initramfs`, and an example of how to embed the launcher:
# mounts what a machine has, starts the container, and switches off when its command has ended.
#
# Below Linux 7.0 pivot_root(2) refuses the initial ramfs, so on those a tmpfs takes its place. The
# container's file system stays as it is, owners included.
set -u
export PATH=/bin TERM="${TERM:-linux}"

if [ "${1-}" != switched ]; then
    mkdir /switch
    mount -t tmpfs -o mode=755,size=80% tmpfs /switch
    for name in /*; do
        [ "$name" = /switch ] || cp -a "$name" /switch
    done
    exec switch_root /switch /init switched
fi

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
ip link set lo up

echo "init: $(cut -d ' ' -f 1 /proc/uptime) s after the kernel's start"
# A session and a controlling terminal: without them there is no Ctrl-C.
setsid -c sh /command
code=$?
echo "init: the command ended with exit code $code"
poweroff -f
