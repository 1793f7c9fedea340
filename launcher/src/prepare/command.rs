//! Where the command can be: the names that execvp(3) would try.

use std::ffi::{CStr, CString};

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
