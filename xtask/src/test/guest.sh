#!/bin/sh
# PID 1 of the machine that `cargo xtask test` boots: makes a minimal system of the initramfs, runs
# both halves of the container tests, and switches off.
#
# Ports: /dev/ttyS0 is the console, /dev/ttyS1 gets the verdict, /dev/ttyS2 and /dev/ttyS3 what the
# tests print. From the kernel's command line, in the environment: GUEST_ROOT, TESTER, and what to run
# as root and as the user: ROOT_TESTS, USER_TESTS (all, none, or a filter).
set -u
export PATH=/bin

# Below Linux 7.0 pivot_root(2) refuses the initial ramfs. A tmpfs in its place is like a disk.
if [ "$GUEST_ROOT" = tmpfs ] && [ "${1-}" != switched ]; then
    mkdir /switch
    mount -t tmpfs -o mode=755,size=80% tmpfs /switch
    for name in /*; do
        [ "$name" = /switch ] || cp -a "$name" /switch
    done
    exec switch_root /switch /init switched
fi

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t securityfs -o nosuid,nodev,noexec securityfs /sys/kernel/security
mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ip link set lo up

for port in 1 2 3; do
    stty -F /dev/ttyS$port raw -echo
done
now() { cut -d ' ' -f 1 /proc/uptime; }
say() { echo "$*" > /dev/ttyS1; }
say ready "$(now)"

while read -r module; do
    insmod "/modules/$module.ko" || echo "guest: cannot load $module"
done < /modules/order
# As udev has it.
chmod 666 /dev/net/tun
# A way out, as pasta(1) copies it, that leads nowhere. Addresses: RFC 5737.
ip link add uplink type dummy
ip address add 192.0.2.2/24 dev uplink
ip link set uplink up
ip route add default via 192.0.2.1

# The tests' temporary files are on ext4, as on most machines. Inodes of 256 bytes have times in
# nanoseconds.
truncate -s 256M /stay.img
mke2fs -F -I 256 /stay.img > /dev/null
if ! mount -t ext4 -o loop /stay.img /stay; then
    echo "guest: no ext4, so the temporary files are on a tmpfs"
    mount -t tmpfs -o mode=755 tmpfs /stay
fi
# As a service manager leaves them: each half is in a cgroup of its own with every controller, and the
# user may divide his further.
cgroups=/sys/fs/cgroup
delegate() {
    for controller in $(cat $cgroups/cgroup.controllers); do
        echo "+$controller" > "$1/cgroup.subtree_control"
    done
}
delegate $cgroups
for half in root user; do
    mkdir -p /stay/$half/tmp $cgroups/$half/main
    delegate $cgroups/$half
done
chown -R "$TESTER:$TESTER" /stay/user
for cgroup in $cgroups/user $cgroups/user/main; do
    chown "$TESTER:$TESTER" $cgroup
    for file in $(cat /sys/kernel/cgroup/delegate); do
        [ ! -e "$cgroup/$file" ] || chown "$TESTER:$TESTER" "$cgroup/$file"
    done
done

# Each half has its own port; cat is there for the tests not to see a terminal.
set -o pipefail
run() {
    case $3 in
        none) return ;;
        all) set -- "$1" "$2" ;;
    esac
    half=$1 port=$2
    shift 2
    start=$(now)
    (
        echo 0 > "$cgroups/$half/main/cgroup.procs"
        exec sh "/test/$half.sh" "$@"
    ) < /dev/null 2>&1 | cat > "/dev/ttyS$port"
    say "$half" $? "$start" "$(now)"
}
run root 2 "$ROOT_TESTS"
run user 3 "$USER_TESTS"
say end
poweroff -f
