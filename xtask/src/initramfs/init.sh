#!/bin/sh
# PID 1 of an image made by `cargo xtask initramfs`, and an example of how to embed the launcher:
# mounts what a machine has, starts the container, and switches off when its command has ended.
set -u
export PATH=/bin TERM="${TERM:-linux}"

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
ip link set lo up

echo "init: $(cut -d ' ' -f 1 /proc/uptime) s after the kernel's start"
# A session and a controlling terminal: without them there is no Ctrl-C.
setsid -c sh /command
code=$?
echo "init: the command ended with exit code $code"
# Waits until all has been written: switching off does not.
stty sane
poweroff -f
