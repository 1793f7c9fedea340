//! `--seccomp-log`: what the kernel's log has of a call that was refused.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{for_root, own_name};
use crate::launch::Launch;
use crate::rootfs::temporary_path;
use crate::running;

/// What is written to the log from now on, a record for each read(2) (dev-kmsg).
struct Log(File);

impl Log {
    fn follow() -> Result<Log, String> {
        let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg");
        let mut file = open.map_err(|error| format!("/dev/kmsg: {error}"))?;
        file.seek(SeekFrom::End(0)).map_err(|error| format!("the end of /dev/kmsg: {error}"))?;
        Ok(Log(file))
    }

    /// Whether a record of the filter's with this number comes while it is called again and again:
    /// the kernel drops what is more than ten lines in five seconds (printk_ratelimit).
    fn tells(&mut self, number: usize, call: impl Fn()) -> bool {
        let (start, mut text) = (Instant::now(), vec![0; 8192]);
        let wanted = format!(" syscall={number} ");
        while start.elapsed() < running::limit() {
            call();
            let again = Instant::now();
            while again.elapsed() < Duration::from_millis(500) {
                match self.0.read(&mut text) {
                    Ok(count) => {
                        let line = String::from_utf8_lossy(&text[..count]);
                        let unasked = format!(" syscall={} ", own_number(UNASKED));
                        assert!(!line.contains(&unasked), "{line}");
                        if line.contains("type=1326 ") && line.contains(&wanted) {
                            println!("{line}");
                            return true;
                        }
                    }
                    // EPIPE: overwritten before it was read.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        }
        false
    }
}

/// Made without the option.
const UNASKED: usize = 0;
const ASKED: usize = 1;

/// Calls that nobody else makes, and the profile does not know.
fn own_number(which: usize) -> usize {
    1_000_000 + 10 * std::process::id() as usize + which
}

/// Whether the kernel's log has what a filter is told of at all: a process that a filter ends always is.
fn log_has_filters(log: &mut Log) -> bool {
    let path = temporary_path("profile");
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_KILL_PROCESS"}]}"#;
    fs::write(&path, text).unwrap();
    let launch = || Launch::new().option("--seccomp").arg(&path);
    let number = libc::SYS_getppid as usize;
    let told = log.tells(number, || {
        launch().probe("try call getppid").run().code(128 + libc::SIGSYS);
    });
    fs::remove_file(path).unwrap();
    told
}

#[test]
fn a_refused_call_is_in_the_kernels_log_when_asked_for() {
    for_root!();
    let skip = |why: &str| println!("SKIP {}: {why} (cannot on this machine)", own_name!());
    let logged = fs::read_to_string("/proc/sys/kernel/seccomp/actions_logged").unwrap_or_default();
    if !logged.split_whitespace().any(|action| action == "errno") {
        return skip("kernel.seccomp.actions_logged is without errno");
    }
    let mut log = match Log::follow() {
        Ok(log) => log,
        Err(why) => return skip(&why),
    };
    let refused = |options: &[&str], which: usize| {
        let launch = options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
        let words = format!("try call {}", own_number(which));
        launch.probe(&words).run().ok().prints(&["ENOSYS"]);
    };
    refused(&[], UNASKED);
    if !log.tells(own_number(ASKED), || refused(&["--seccomp-log"], ASKED)) {
        assert!(!log_has_filters(&mut log), "the log has nothing of what --seccomp-log promises");
        skip("an audit daemon has what the kernel's log would");
    }
}
