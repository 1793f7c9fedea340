//! Where programs are found: the command by the PATH of the container, as execvp(3) would try it, and
//! programs that help the launcher by its own PATH.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;

use crate::sys::file;

/// The paths to look at, in order, as seen from the rootfs.
pub fn candidates(command: &CStr, search_path: &[u8], workdir: &CStr) -> Vec<CString> {
    let name = command.to_bytes();
    let from_workdir = |path: &[u8]| match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [workdir.to_bytes(), b"/", path].concat(),
    };
    let paths = if name.contains(&b'/') {
        vec![from_workdir(name)]
    } else {
        let directories = search_path.split(|&b| b == b':');
        directories.map(|dir| from_workdir(&[dir, b"/", name].concat())).collect()
    };
    paths.into_iter().filter_map(|path| CString::new(path).ok()).collect()
}

/// A program of the host's by the launcher's own PATH.
pub fn on_path(name: &str) -> Option<CString> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).find_map(|dir| {
        let file = CString::new(dir.join(name).into_os_string().into_vec()).ok()?;
        let stat = file::stat_path(&file).ok()?;
        (stat.is_regular() && stat.is_executable()).then_some(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_makes_it_a_path_and_anything_else_is_looked_for() {
        let find = |name: &CStr| candidates(name, b"/bin:rel:/usr/bin", c"/w");
        assert_eq!(find(c"/x/y"), [c"/x/y".to_owned()]);
        assert_eq!(find(c"./y"), [c"/w/./y".to_owned()]);
        assert_eq!(
            find(c"y"),
            [c"/bin/y".to_owned(), c"/w/rel/y".to_owned(), c"/usr/bin/y".to_owned()]
        );
    }
}
