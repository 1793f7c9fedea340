//! A root file system that means harm: anything but a directory where one is expected, links that
//! lead out of it in every way, and somebody who puts one in the place of the other meanwhile.
//! The start is right or refused by one line, and nothing outside is touched or shown.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::mounts::modes;
use crate::output::Output;
use crate::rootfs::{Rootfs, listing, temporary_path};
use crate::sys::before::Before;
use crate::{pace, subject, sys};

/// What a launcher mounts on, opens, reads or executes in a root file system.
const NAMES: [&str; 17] = [
    "proc",
    "proc/self",
    "sys",
    "sys/fs",
    "sys/fs/cgroup",
    "dev",
    "dev/null",
    "dev/pts",
    "dev/shm",
    "dev/console",
    "etc",
    "etc/passwd",
    "tmp",
    "run",
    "sbin",
    "init",
    "bin",
];

/// A tree of the host's that looks like a root file system, for links to lead to.
pub struct Host {
    path: PathBuf,
    before: Vec<String>,
    mounts: Vec<String>,
}

const SECRET: &str = "the-hosts-secret";

impl Host {
    pub fn new() -> Host {
        let path = temporary_path("host");
        for name in ["proc/self", "sys/fs/cgroup", "sys/firmware", "dev/pts", "dev/shm", "bin"] {
            fs::create_dir_all(path.join(name)).unwrap();
        }
        for name in ["etc", "tmp", "run", "sbin"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        fs::write(path.join("etc/passwd"), format!("root:x:0:0::/{SECRET}:/bin/sh\n")).unwrap();
        for name in ["dev/null", "dev/console", "init"] {
            fs::write(path.join(name), SECRET).unwrap();
        }
        Host { before: listing(&path), mounts: mounts(), path }
    }

    /// On the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Expects that a start has neither changed nor shown anything.
    #[track_caller]
    pub fn is_unharmed_by(&self, what: &str, output: &Output) {
        assert_eq!(listing(&self.path), self.before, "{what}\n{output}");
        assert!(!output.stdout.contains(SECRET), "{what}\n{output}");
        let left = mounts().into_iter().filter(|line| !self.mounts.contains(line));
        let ours = |line: &String| line.contains(&*self.path.to_string_lossy());
        assert_eq!(left.filter(ours).collect::<Vec<_>>(), Vec::<String>::new(), "{what}");
        match output.status.code() {
            Some(0) => {
                assert_eq!(output.complaints(), Vec::<&str>::new(), "{what}\n{output}");
                // The environment is the command's, or the mounts are in their places.
                let has = |text| output.stdout.contains(text);
                let is_right = has("HOME=") || has(" - proc ") && has(" - devpts ");
                assert!(is_right, "{what}\n{output}");
            }
            Some(125..=127) => assert_eq!(output.complaints().len(), 1, "{what}\n{output}"),
            _ => panic!("{what}\n{output}"),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().map(String::from).collect()
}

/// A start with each of the modes, or, as there are many, with one of them after the other.
fn modes_in_turn(count: &mut usize) -> &'static [&'static str] {
    *count += 1;
    let at = *count % modes().len();
    if pace::rounds(1, 2) == 2 { modes() } else { &modes()[at..=at] }
}

/// A command that shows what this name has to do with.
fn start(rootfs: &Rootfs, mode: &str, name: &str) -> Launch {
    let file = if name.starts_with("etc") { "environ" } else { "mountinfo" };
    Launch::on(rootfs).option("--userns").arg(mode).probe(&format!("show /proc/self/{file}"))
}

/// What can lie at `name`, with a word for it. A link target leads to the host's own file.
pub fn shapes(name: &str, host: &Host) -> Vec<(&'static str, PathBuf)> {
    let there = host.path.join(name);
    let from_root = there.strip_prefix("/").unwrap();
    let far = ["../"; 20].concat();
    vec![
        ("absolute", there.clone()),
        ("relative", Path::new(&far).join(from_root)),
        ("above the root", Path::new("/..").join(from_root)),
        ("dangling", "/no/such/place".into()),
        ("loop", Path::new("/").join(name)),
        ("empty-handed", ".".into()),
        ("root", "/".into()),
        ("magic", Path::new("/proc/1/root").join(from_root)),
        ("own magic", Path::new("/proc/self/cwd").join(from_root)),
        ("into proc", "/proc/self/fd".into()),
        ("into sys", "/sys/kernel".into()),
    ]
}

/// Everything but links.
pub fn put_other(path: &Path, kind: &str) {
    match kind {
        "file" => fs::write(path, "text").unwrap(),
        "fifo" => sys::make_fifo(path).unwrap(),
        "device" => sys::make_null_node(path).unwrap(),
        "directory" => fs::create_dir(path).unwrap(),
        other => unreachable!("{other}"),
    }
}

/// A root file system with nothing at this name, but all that leads there.
fn rootfs_without(name: &str) -> Rootfs {
    let rootfs = Rootfs::new();
    if let Some(above) = Path::new(name).parent() {
        fs::create_dir_all(rootfs.inside(&above.to_string_lossy())).unwrap();
    }
    fs::remove_dir(rootfs.inside(name)).ok();
    rootfs
}

#[test]
fn links_of_every_kind_in_every_place() {
    let (host, mut count, mut right) = (Host::new(), 0, 0);
    for (turn, name) in NAMES.into_iter().enumerate() {
        let rootfs = rootfs_without(name);
        for (kind, target) in pace::in_turn(&shapes(name, &host), turn) {
            symlink(target, rootfs.inside(name)).unwrap();
            for mode in modes_in_turn(&mut count) {
                let what = format!("{mode}: {name} is a link, {kind}: {}", target.display());
                let output = start(&rootfs, mode, name).run();
                host.is_unharmed_by(&what, &output);
                right += usize::from(output.status.success());
            }
            fs::remove_file(rootfs.inside(name)).unwrap();
        }
    }
    assert!(right > count / 3, "{right} of {count} were right");
}

#[test]
fn anything_but_links_in_every_place() {
    let (host, mut count, mut right) = (Host::new(), 0, 0);
    let kinds = ["file", "fifo", "directory", "device"];
    let kinds = if sys::uid() == 0 { &kinds[..] } else { &kinds[..3] };
    for (turn, name) in NAMES.into_iter().enumerate() {
        for kind in pace::in_turn(kinds, turn) {
            let rootfs = rootfs_without(name);
            put_other(&rootfs.inside(name), kind);
            for mode in modes_in_turn(&mut count) {
                let what = format!("{mode}: {name} is a {kind}");
                let output = start(&rootfs, mode, name).run();
                host.is_unharmed_by(&what, &output);
                right += usize::from(output.status.success());
            }
        }
    }
    assert!(right > count / 3, "{right} of {count} were right");
}

#[test]
fn mounts_in_every_place() {
    for_root!();
    let (host, mut count) = (Host::new(), 0);
    let c_path = |path: PathBuf| CString::new(path.as_os_str().as_bytes()).unwrap();
    for name in NAMES {
        let source = host.path.join(name);
        if !source.exists() {
            continue;
        }
        let rootfs = rootfs_without(name);
        put_other(&rootfs.inside(name), if source.is_dir() { "directory" } else { "file" });
        for mode in modes_in_turn(&mut count) {
            let mount = (c_path(source.clone()), c_path(rootfs.inside(name)));
            let output = start(&rootfs, mode, name).before(Before::Mounts(vec![mount])).run();
            if name.starts_with("etc") {
                // What is mounted there is the root file system's, and was meant to be shown.
                assert!(output.stdout.contains(SECRET), "{mode}: {name}\n{output}");
                continue;
            }
            host.is_unharmed_by(&format!("{mode}: {name} is a mount"), &output);
        }
    }
}

/// A link to `/..` stays in a root file system that is a root. Between pivot_root and the end of
/// the old root it does not: what hides /proc/keys must not be a file of the host's.
#[test]
fn masks_are_not_taken_from_the_host() {
    for_root!();
    let host = Host::new();
    let rootfs = rootfs_without("dev");
    let place = host.path.join("dev");
    let place = place.strip_prefix("/").unwrap();
    fs::create_dir_all(rootfs.inside(&place.to_string_lossy())).unwrap();
    symlink(Path::new("/..").join(place), rootfs.inside("dev")).unwrap();
    let launch = Launch::on(&rootfs).option("--userns=identity");
    launch.probe("show /proc/keys").run().ok().prints(&[]);
}

/// Puts links in the places of directories, and back, without end.
struct Swapper<'a> {
    pairs: Vec<(PathBuf, PathBuf)>,
    stop: &'a AtomicBool,
}

impl<'a> Swapper<'a> {
    fn new(rootfs: &Rootfs, host: &Host, stop: &'a AtomicBool) -> Swapper<'a> {
        let mut pairs = Vec::new();
        for name in ["proc", "sys", "dev", "etc", "tmp", "bin"] {
            for (count, target) in [host.path.join(name), "/..".into()].into_iter().enumerate() {
                let other = rootfs.inside(&format!("{name}.{count}"));
                symlink(target, &other).unwrap();
                pairs.push((rootfs.inside(name), other));
            }
        }
        Swapper { pairs, stop }
    }

    fn run(&self) -> usize {
        let mut swaps = 0;
        while !self.stop.load(Ordering::Relaxed) {
            for (one, other) in &self.pairs {
                sys::exchange(one, other).unwrap();
                swaps += 1;
            }
            // Every three rounds each of three is back in its place: now and then a start finds
            // all as it should be.
            if swaps % (3 * self.pairs.len()) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        swaps
    }
}

/// However the test ends, the swapper does.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn swapping_links_for_directories_while_containers_start() {
    let host = Host::new();
    let rootfs = Rootfs::new();
    fs::create_dir(rootfs.inside("bin")).unwrap();
    rootfs.add_program("bin/probe", &subject::probe());
    rootfs.add_file("etc/passwd", "root:x:0:0::/inside:/bin/sh\n");
    let (stop, starts) = (AtomicBool::new(false), pace::rounds(60, 500) as usize);
    let mut ends = BTreeMap::<Option<i32>, usize>::new();
    let swapper = Swapper::new(&rootfs, &host, &stop);
    thread::scope(|scope| {
        let stop = Stop(&stop);
        let swaps = scope.spawn(|| swapper.run());
        // A few starts can all lose the race: until one has won it.
        let goes_on = |n, ends: &BTreeMap<_, _>| n < starts || !ends.contains_key(&Some(0));
        let mut n = 0;
        while n < starts.max(200) && goes_on(n, &ends) {
            let mode = modes()[n % modes().len()];
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            // Not by its /proc: a mount goes with the directory that somebody renames, later too.
            let words = if n % 2 == 0 { ["probe", "env"] } else { ["/probe", "env"] };
            let output = launch.command(words).run();
            host.is_unharmed_by("swapping", &output);
            *ends.entry(output.status.code()).or_default() += 1;
            n += 1;
        }
        drop(stop);
        let (swaps, starts) = (swaps.join().unwrap(), n);
        println!("{starts} starts against {swaps} swaps ended with {ends:?}");
        assert!(swaps > starts * 10, "{swaps} swaps are no race");
    });
    assert!(ends.contains_key(&Some(0)), "none was right: {ends:?}");
}

/// A mount goes with its directory when somebody renames that. The masks have to be over the very
/// /proc that was mounted, or there is none.
#[test]
fn swapping_proc_for_a_directory_leaves_it_masked() {
    for_root!();
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    fs::create_dir(rootfs.inside("other")).unwrap();
    let stop = AtomicBool::new(false);
    let pairs = vec![(rootfs.inside("proc"), rootfs.inside("other"))];
    let swapper = Swapper { pairs, stop: &stop };
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| swapper.run());
        let (starts, mut right) = (pace::rounds(60, 500), 0);
        let mut n = 0;
        // A few starts can all lose the race: until one has won it.
        while n < starts || right == 0 && n < starts.max(200) {
            n += 1;
            let launch = Launch::on(&rootfs).option("--userns=identity");
            let script = "for place in proc other proc other; do
                /probe try open /$place/sys/kernel/core_pattern; done";
            let output = launch.command(["/bin/sh", "-c", script]).run();
            assert!(!output.stdout.contains("ok"), "{output}");
            right += usize::from(output.stdout.contains("EROFS"));
        }
        assert!(right > 0, "none was started");
    });
}
