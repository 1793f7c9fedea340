//! How a command ends, or does not even begin, and what is said of it.

use super::{equal, expect};
use crate::init_subject::Init;
use crate::rootfs::Rootfs;

pub fn codes(init: &Init) -> Result<(), String> {
    for (words, code) in [("exit 0", 0), ("exit 7", 7), ("die 9", 137), ("die 15", 143)] {
        equal(init.probe(words).pid_one().code(), Some(code))?;
        equal(init.probe(words).code(), Some(code))?;
    }
    Ok(())
}

/// Two of the names have codes of their own, and are measured by those.
pub fn missing(init: &Init) -> Result<(), String> {
    let codes = match (init.is_ours, init.name) {
        (true, "dumb-init") => [2, 2],
        (true, "catatonit") => [1, 1],
        _ => [127, 126],
    };
    let got = ["/none", "/etc/passwd"].map(|path| init.run(&["--", path]).code());
    equal(got, codes.map(Some))
}

pub fn foreign_binary(init: &Init) -> Result<(), String> {
    let code = match init.name {
        "dumb-init" => 2,
        "catatonit" => 1,
        _ => 126,
    };
    let folder = Rootfs::new();
    folder.add_script("binary", b"\x7fELF\0\0\0\0");
    let path = folder.inside("binary").to_string_lossy().into_owned();
    equal(init.run(&["--", &path]).code(), Some(code))
}

pub fn names_the_file(init: &Init) -> Result<(), String> {
    let output = init.run(&["--", "/none"]).start().finish();
    expect(output.stderr.contains("/none") && output.stdout.is_empty(), || output.to_string())
}

pub fn options_end(init: &Init) -> Result<(), String> {
    let output = init.probe("args -v --version -x").pid_one().start().finish();
    equal(output.lines(), vec!["\"-v\"", "\"--version\"", "\"-x\""])
}
