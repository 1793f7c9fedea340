//! kill -9 of the launcher at any moment: nothing of its container stays. A pid file that is in
//! its place may, as its writer cannot remove it any more; the next start replaces it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{for_user, require};
use crate::launch::Launch;
use crate::lifecycle::{expect_gone, mark, marked};
use crate::pace::{patience, rounds};
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys;

/// What a container could leave behind, somewhere in this machine.
struct Traces {
    folder: PathBuf,
    rootfs: Rootfs,
    before: Vec<String>,
    map: String,
}

impl Traces {
    fn new() -> Traces {
        let (folder, rootfs) = (temporary_path("tmp"), Rootfs::new());
        fs::create_dir(&folder).unwrap();
        let map = Traces::map_of(&rootfs);
        Traces { folder, before: rootfs.listing(), rootfs, map }
    }

    /// The range that the root file system gets, which nobody else can have meanwhile.
    fn map_of(rootfs: &Rootfs) -> String {
        Launch::on(rootfs).probe("show /proc/self/uid_map").run().ok().stdout
    }

    fn launch(&self, mark: &str) -> Launch {
        let launch = Launch::on(&self.rootfs).variable("TMPDIR", &self.folder);
        let launch = launch.option("--pid-file").arg(self.folder.join("pid"));
        launch.probe(&format!("sleep 1000 {mark}"))
    }

    /// Expects that nothing is left. How many pid files were in place.
    #[track_caller]
    fn expect_none(&self, mark: &str) -> usize {
        expect_gone(mark);
        let entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.collect::<Vec<_>>();
        for file in &files {
            assert_eq!(file.file_name(), Some("pid".as_ref()), "{files:?}");
            let text = fs::read_to_string(file).unwrap();
            assert!(text.trim_end().parse::<i32>().is_ok() && text.ends_with('\n'), "{text:?}");
            fs::remove_file(file).unwrap();
        }
        files.len()
    }

    /// Expects it of what is seen once, at the end.
    fn expect_none_at_all(self) {
        assert_eq!(self.rootfs.listing(), self.before);
        assert_eq!(Traces::map_of(&self.rootfs), self.map, "the range is held");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&*self.rootfs.path().to_string_lossy()), "{mounts}");
        fs::remove_dir(&self.folder).unwrap();
    }
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed_at_any_moment_of_a_start() {
    let traces = Traces::new();
    let rounds = rounds(100, 1000) as u32;
    // Up to where it runs: what follows is but sleep.
    let start = Launch::on(&traces.rootfs).probe("exit 0").run().ok().took;
    let (mut containers, mut pid_files) = (0, 0);
    for round in 0..rounds {
        let mark = mark();
        let mut running = traces.launch(&mark).start();
        thread::sleep(start * round / rounds);
        containers += usize::from(marked(&mark).len() > 1);
        running.signal(libc::SIGKILL);
        // Last of all, when it has closed and unmounted, the kernel sends what PR_SET_PDEATHSIG asks for.
        let deadline = Instant::now() + patience(Duration::from_secs(10));
        while running.try_wait().is_none() {
            assert!(Instant::now() < deadline, "killed, but still there");
            thread::sleep(Duration::from_millis(1));
        }
        pid_files += traces.expect_none(&mark);
    }
    println!("{rounds} kills, {containers} of a container, {pid_files} after the start");
    assert!(containers > 0, "no container was ever seen");
    traces.expect_none_at_all();
}

/// newuidmap may take its time; the child waits for it at the gate.
#[test]
fn nothing_is_left_when_the_launcher_is_killed_while_ids_are_mapped() {
    for_user!();
    require!(subordinate_ids);
    require!(busybox);
    let traces = Traces::new();
    let tools = Rootfs::new().with_shell();
    let (pid, end) = (tools.inside("pid"), tools.inside("end"));
    sys::make_fifo(&end).unwrap();
    let busybox = tools.inside("bin/busybox");
    let script = format!(
        "#!{} sh\necho $$ > {1}.new && mv {1}.new {1}; read x < {2}\n",
        busybox.display(),
        pid.display(),
        end.display()
    );
    for name in ["newuidmap", "newgidmap"] {
        tools.add_script(name, &script);
    }
    let mark = mark();
    let running = traces.launch(&mark).variable("PATH", tools.path()).start();
    wait_for_file(&pid);
    assert_eq!(marked(&mark).len(), 2, "launcher and child");
    running.signal(libc::SIGKILL);
    traces.expect_none(&mark);
    // The tool has privileges of its own, and ends by itself.
    fs::write(&end, "x\n").unwrap();
    traces.expect_none_at_all();
}

#[track_caller]
fn wait_for_file(path: &Path) {
    let deadline = Instant::now() + patience(Duration::from_secs(10));
    while !path.exists() {
        assert!(Instant::now() < deadline, "{path:?} never came");
        thread::sleep(Duration::from_millis(1));
    }
}
