//! The ordinary user that the container tests run as, made up for the time of the run.
//!
//! Root alone uses this. The user exists in a mount namespace of his own, where a changed copy of
//! /etc, in memory, lies over the host's; nothing of the host is changed.

use std::path::Path;
use std::process::Command;

/// Far from any id a system gives out. The same number is used in the script.
pub const UID: u32 = 54321;

/// Run by sh as root in the new mount namespace. $1: an empty folder. The rest: what to become.
/// All of /etc is copied because subuid and subgid may be missing, and making them there would
/// change the host. The second range of ids is for the tests that want more than one line.
const SCRIPT: &str = r#"
etc=$1
shift
mount -t tmpfs -o mode=755 tmpfs "$etc"
cp -a /etc/. "$etc"
for file in passwd group subuid subgid; do
    touch "$etc/$file"
    sed -i '/^tester:/d' "$etc/$file"
done
echo "tester:x:54321:54321::$HOME:/bin/sh" >> "$etc/passwd"
echo "tester:x:54321:" >> "$etc/group"
for file in subuid subgid; do
    echo "tester:10000000:65536" >> "$etc/$file"
    echo "tester:10100000:1000" >> "$etc/$file"
    chmod 644 "$etc/$file"
done
mount --move "$etc" /etc
unset PWD
exec "$@"
"#;

/// A command that becomes `program` as the ordinary user; arguments added to it are the program's.
/// setpriv is given by its path: busybox has one too, which cannot do it.
/// Neither no_new_privs nor a smaller bounding set: newuidmap is setuid root.
pub fn become_tester(etc: &Path, setpriv: &Path, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-euc", SCRIPT, "sh"]);
    command.arg(etc).arg(setpriv);
    command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]);
    command.args(["--inh-caps=-all", "--ambient-caps=-all", "--"]).arg(program);
    command
}
