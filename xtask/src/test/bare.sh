#!/bin/sh
# PID 1 of a machine on which nobody has made anything: nothing is mounted, there are no accounts and
# no newuidmap, and the console is no controlling terminal. Starts containers there as root and as a
# user, on a root that is read-only in the end, and then without user namespaces on another.
set -u
export PATH=/bin

# Without a redirection: there is no /dev/null.
try() {
    what=$1
    shift
    "$@"
    echo "$what: code $?"
}
start() {
    launcher "$@" /rootfs /bin/sh -c 'echo $(id -u) of $(cat /proc/self/uid_map), $(tty)'
}
left() {
    for path in /proc/self /sys/kernel /dev/null /tmp /etc/passwd; do
        [ ! -e $path ] || echo $path
    done
}

if [ "${1-}" != switched ]; then
    rm -r /etc /tmp
    try "root, nothing mounted" start
    try "a user, nothing mounted" probe as 1000 launcher /rootfs
    mount -o remount,ro rootfs /
    try "root, read-only" start
    try "root, no input" start <&-
    echo "left on the host: [$(left)]"
    mount -t proc proc /proc
    try "a user, no devices" probe as 1000 launcher /rootfs
    mount -t devtmpfs devtmpfs /dev
    try "a user, read-only" probe as 1000 launcher /rootfs /bin/sh -c 'cat /proc/self/uid_map'
    # With another root than the initial ramfs all kernels can do without user namespaces.
    mount -t tmpfs tmpfs /sys
    cp -a /bin /rootfs /bare.sh /sys
    mkdir /sys/proc /sys/dev /sys/sys
    exec switch_root /sys /bare.sh switched
fi
mount -t proc proc /proc
echo 0 > /proc/sys/user/max_user_namespaces
try "root, no user namespace" start
try "root, --userns none" start --userns none
poweroff -f
