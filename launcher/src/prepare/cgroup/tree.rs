//! The trees of cgroups that this host has, and where they are mounted: by /proc/self/cgroup and
//! /proc/self/mountinfo (cgroups(7)).

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use super::super::submounts::unescape;
use super::Proc;
use crate::error::Error;
use crate::sys::cgroup::{self, Version};
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, mount};

/// The host's trees.
pub struct Host {
    lines: Vec<Line>,
    mountinfo: String,
    /// The mount options of cgroup v2, as PID 1 has it mounted.
    options: String,
}

/// A line of /proc/self/cgroup: a tree, and where in it we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Separated by commas; empty for the tree of v2.
    controllers: String,
    path: String,
}

/// An open tree.
pub struct Tree {
    root: OwnedFd,
    /// The path of that root in the tree, which a mount may show only in part.
    name: String,
    /// Our own cgroup's path.
    own: String,
}

impl Host {
    pub fn look(proc: &Proc) -> Result<Host, Error> {
        let read = |path: &str| {
            proc.read_text(path).map_err(|errno| {
                Error::at("PlanCgroup", format_args!("read /proc/{path}"), errno)
                    .advise("limits need a kernel with CONFIG_CGROUPS")
            })
        };
        let lines = read("self/cgroup")?.lines().filter_map(Line::parse).collect();
        let mountinfo = read("self/mountinfo")?;
        let text = proc.read_text("1/mountinfo").unwrap_or_default();
        let options =
            text.lines().find_map(|line| line.split_once(" - cgroup2 ")?.1.split(' ').nth(1));
        Ok(Host { lines, mountinfo, options: options.unwrap_or_default().into() })
    }

    pub fn of_v1(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.controllers.is_empty())
    }

    /// The line of v2. It is missing before v2 is first mounted: then all processes are in its root.
    pub fn of_v2(&self) -> Line {
        let found = self.lines.iter().find(|line| line.controllers.is_empty());
        found.cloned().unwrap_or(Line { controllers: String::new(), path: "/".into() })
    }

    pub fn has_only_v1(&self) -> bool {
        self.of_v1().any(|line| line.has("memory") || line.has("pids") || line.has("cpu"))
    }

    /// Opens the tree where it is mounted, or else by a detached mount of our own. That has the
    /// same options: a new mount of cgroup2 changes those of all (kernel/cgroup/cgroup.c,
    /// apply_cgroup_root_flags), so that nsdelegate could be lost.
    pub fn open(&self, line: &Line) -> Result<Tree, Error> {
        if let Some(tree) = self.open_mounted(line) {
            return Ok(tree);
        }
        let failed = |errno| {
            let shown = line.names();
            Error::at("PlanCgroup", format_args!("find a mount of {shown}, or make one"), errno)
                .advise(match errno {
                    Errno::EPERM => "root has to mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
                    _ => "limits need a kernel with CONFIG_CGROUPS",
                })
        };
        let flags = NOSUID | NODEV | NOEXEC;
        let (kind, names) = match line.controllers.as_str() {
            "" => (c"cgroup2", self.options.as_str()),
            names => (c"cgroup", names),
        };
        let names = names.split(',').filter(|name| !["", "rw", "ro"].contains(name));
        let names = names.filter_map(|name| CString::new(name).ok()).collect::<Vec<_>>();
        let options = names.iter().map(|name| (name.as_c_str(), c""));
        let root = mount::create(kind, options, flags).map_err(failed)?;
        Ok(Tree { root, name: "/".into(), own: line.path.clone() })
    }

    pub fn open_mounted(&self, line: &Line) -> Option<Tree> {
        let wanted = if line.controllers.is_empty() { Version::Two } else { Version::One };
        self.mountinfo.lines().find_map(|text| {
            let (name, point) = line.mounted_at(text)?;
            let root = file::open(At::Cwd, &point, libc::O_RDONLY | libc::O_DIRECTORY).ok()?;
            // Something else may be mounted over it.
            let found = cgroup::version(root.as_fd()).ok()?;
            (found == Some(wanted)).then(|| Tree { root, name, own: line.path.clone() })
        })
    }
}

impl Line {
    /// `4:memory:/a/b`, or `0::/a/b` for v2. None for a tree without a controller (`name=systemd`).
    fn parse(text: &str) -> Option<Line> {
        let (_, rest) = text.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let line = Line { controllers: controllers.into(), path: path.into() };
        (!controllers.contains('=')).then_some(line)
    }

    pub fn has(&self, controller: &str) -> bool {
        self.controllers.split(',').any(|own| own == controller)
    }

    /// For messages.
    pub fn names(&self) -> String {
        match self.controllers.as_str() {
            "" => "cgroup v2".into(),
            names => format!("cgroup v1 ({names})"),
        }
    }

    /// The root and the mount point of a line of mountinfo (proc(5)), if it is a mount of this tree
    /// that shows our own cgroup.
    fn mounted_at(&self, mountinfo: &str) -> Option<(String, CString)> {
        let (left, right) = mountinfo.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (unescape(left.next()?.as_bytes()), unescape(left.next()?.as_bytes()));
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        let has = |name: &str| options.split(',').any(|option| option == name);
        let is_it = match self.controllers.as_str() {
            "" => kind == "cgroup2",
            names => kind == "cgroup" && names.split(',').all(has),
        };
        let root = String::from_utf8(root).ok()?;
        let is_above = below(&self.path, &root).is_some();
        (is_it && is_above).then_some((root, CString::new(point).ok()?))
    }
}

impl Tree {
    /// Our own cgroup's path.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// The path of a cgroup that was asked for; our own if none was.
    pub fn resolve(&self, path: Option<&str>) -> String {
        match path {
            None => self.own.clone(),
            Some(path) if path.starts_with('/') => path.into(),
            Some(path) => format!("{}/{path}", self.own.trim_end_matches('/')),
        }
    }

    /// The path of a cgroup, and of those above it as far as the mount shows them.
    pub fn upwards(&self, path: &str) -> Vec<String> {
        let mut found = vec![path.to_owned()];
        let mut rest = path;
        while let Some((above, _)) = rest.rsplit_once('/')
            && rest != self.name
            && rest != "/"
        {
            rest = if above.is_empty() { "/" } else { above };
            found.push(rest.to_owned());
        }
        found
    }

    /// Opens a cgroup.
    pub fn open(&self, path: &str) -> SysResult<OwnedFd> {
        let path = below(path, &self.name).ok_or(Errno::ENOENT)?;
        let path = CString::new(format!("./{path}")).map_err(|_| Errno::EINVAL)?;
        file::open(At::Dir(self.root.as_fd()), &path, libc::O_RDONLY | libc::O_DIRECTORY)
    }
}

/// The rest of a path behind `above`, if it is below that.
fn below<'a>(path: &'a str, above: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(above.trim_end_matches('/'))?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trees_with_controllers_or_of_v2() {
        assert_eq!(Line::parse("9:name=systemd:/"), None);
        let line = Line::parse("1:cpu,cpuacct:/a:b").unwrap();
        assert!(line.has("cpu") && line.has("cpuacct") && !line.has("acct"));
        assert_eq!(line.path, "/a:b");
        assert_eq!(Line::parse("0::/x").unwrap().names(), "cgroup v2");
    }

    #[test]
    fn mounts_are_found_by_kind_options_and_root() {
        let v1 = Line { controllers: "cpu,cpuacct".into(), path: "/a/b".into() };
        let v2 = Line { controllers: String::new(), path: "/a/b".into() };
        let text = |root: &str, rest: &str| {
            format!("31 23 0:28 {root} /sys/c\\040g rw,x shared:1 - {rest}")
        };
        let found =
            |line: &Line, root, rest| line.mounted_at(&text(root, rest)).map(|(name, _)| name);
        assert_eq!(
            v1.mounted_at(&text("/", "cgroup cgroup rw,cpu,cpuacct")),
            Some(("/".into(), c"/sys/c g".to_owned()))
        );
        assert_eq!(found(&v1, "/", "cgroup cgroup rw,cpu"), None);
        assert_eq!(found(&v1, "/", "cgroup2 cgroup2 rw"), None);
        assert_eq!(found(&v2, "/a", "cgroup2 cgroup2 rw,nsdelegate").as_deref(), Some("/a"));
        assert_eq!(found(&v2, "/a/bc", "cgroup2 cgroup2 rw"), None);
    }

    #[test]
    fn paths_are_relative_to_where_a_tree_is_seen_from() {
        assert_eq!(below("/a/b", "/"), Some("a/b"));
        assert_eq!(below("/a/b", "/a"), Some("b"));
        assert_eq!(below("/a", "/a"), Some(""));
        assert_eq!(below("/ab", "/a"), None);
        let root = file::open(At::Cwd, c"/", libc::O_RDONLY).unwrap();
        let mut tree = Tree { root, name: "/".into(), own: "/a/b".into() };
        assert_eq!(tree.upwards("/a/b"), ["/a/b", "/a", "/"]);
        assert_eq!(tree.resolve(Some("c")), "/a/b/c");
        assert_eq!(tree.resolve(Some("/c")), "/c");
        tree.name = "/a".into();
        assert_eq!(tree.upwards("/a/b"), ["/a/b", "/a"]);
    }
}
