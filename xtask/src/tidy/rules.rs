//! The rules for one file at a time.

use super::Violation;
use super::tree::Source;

/// Every rule; each is asked about every file.
pub const ALL: &[fn(&Source) -> Vec<Violation>] = &[
    begins_with_doc,
    keeps_unsafe_below_sys,
    checks_its_syscalls,
    has_no_stray_blanks,
    has_no_reminders,
    is_short,
    is_named_after_a_noun,
];

/// Where `unsafe` may stand: the typed wrappers of syscalls, and init's entry. A name without
/// `.rs` stands for everything that begins so.
const UNSAFE_BELOW: &[&str] = &[
    "init/src/arch.rs",
    "init/src/arch/",
    "init/src/sys.rs",
    "init/src/sys/",
    "launcher/src/sys.rs",
    "launcher/src/sys/",
    "tests/src/sys",
    "tests/suite/sys",
];

/// Longer files have more than one subject.
const LINES_MAX: usize = 400;

/// Names that say nothing about what is in the file.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

/// Words for work that is not done; in two parts, or this file would break the rule.
const REMINDERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

fn begins_with_doc(source: &Source) -> Vec<Violation> {
    if !source.is_rust() || source.text.starts_with("//!") {
        return Vec::new();
    }
    vec![at(source, 1, "a file begins with `//!`: what it owns, who runs it, what is true then")]
}

fn keeps_unsafe_below_sys(source: &Source) -> Vec<Violation> {
    let path = source.path.to_string_lossy();
    if UNSAFE_BELOW.iter().any(|place| path.starts_with(place)) {
        return Vec::new();
    }
    let has_unsafe = |line: &str| {
        has_word(line, "unsafe")
            || has_word(line, "unsafe_code")
                && (has_word(line, "allow") || has_word(line, "expect"))
    };
    lines_with(source, &source.code, has_unsafe, "unsafe code outside of sys")
}

fn checks_its_syscalls(source: &Source) -> Vec<Violation> {
    let is_dropped = |line: &str| {
        let line: String = line.split_whitespace().collect();
        ["let_=sys::", "let_=crate::sys::"].iter().any(|dropped| line.contains(dropped))
    };
    lines_with(source, &source.code, is_dropped, "the result of a syscall is thrown away")
}

fn has_no_stray_blanks(source: &Source) -> Vec<Violation> {
    let mut found = lines_with(
        source,
        &source.text,
        |line| line.ends_with([' ', '\t', '\r']),
        "blank at the end of the line",
    );
    if source.is_rust() {
        found.extend(lines_with(source, &source.text, |line| line.contains('\t'), "tab"));
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        found.push(at(source, source.text.lines().count(), "no end of line at the end"));
    }
    found
}

fn has_no_reminders(source: &Source) -> Vec<Violation> {
    let has_reminder = |line: &str| REMINDERS.iter().any(|word| has_word(line, word));
    lines_with(source, &source.text, has_reminder, "do it, or write an issue")
}

fn is_short(source: &Source) -> Vec<Violation> {
    let count = source.text.lines().count();
    if !source.is_rust() || count <= LINES_MAX {
        return Vec::new();
    }
    vec![at(source, 0, &format!("{count} lines, {LINES_MAX} are enough: split it by subject"))]
}

fn is_named_after_a_noun(source: &Source) -> Vec<Violation> {
    let is_empty = |name: &std::ffi::OsStr| EMPTY_NAMES.iter().any(|empty| name == *empty);
    let parts = source.path.with_extension("");
    if !source.is_rust() || !parts.iter().any(is_empty) {
        return Vec::new();
    }
    vec![at(source, 0, "named after nothing: name it after the thing it owns")]
}

fn at(source: &Source, line: usize, text: &str) -> Violation {
    Violation { file: source.path.clone(), line, text: text.to_string() }
}

fn lines_with(
    source: &Source,
    looked_at: &str,
    is_bad: impl Fn(&str) -> bool,
    text: &str,
) -> Vec<Violation> {
    let lines = looked_at.split('\n').enumerate();
    lines.filter(|(_, line)| is_bad(line)).map(|(index, _)| at(source, index + 1, text)).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        !line[..start].ends_with(is_inside) && !line[start + word.len()..].starts_with(is_inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<usize> {
        let source = Source::new(path, text.to_string());
        ALL.iter().flat_map(|rule| rule(&source)).map(|violation| violation.line).collect()
    }

    #[test]
    fn clean_file_breaks_nothing() {
        assert!(broken("launcher/src/main.rs", "//! What.\n\nfn main() {}\n").is_empty());
    }

    #[test]
    fn unsafe_is_found_where_it_may_not_be() {
        let text =
            "//! x\nunsafe { f() }\n// unsafe\n#![allow(unsafe_code)]\nlet s = \"unsafe\";\n";
        assert_eq!(broken("launcher/src/spawn.rs", text), [2, 4]);
        assert_eq!(broken("launcher/src/system.rs", text), [2, 4]);
        assert!(broken("launcher/src/sys/mount.rs", text).is_empty());
        assert!(broken("tests/suite/sys_pty.rs", text).is_empty());
        assert!(broken("init/src/lib.rs", "//! x\n#![deny(unsafe_code)]\n").is_empty());
    }

    #[test]
    fn dropped_result_of_a_syscall_is_found() {
        assert_eq!(broken("a.rs", "//! x\nlet  _ = sys::mount();\nlet _ = write();\n"), [2]);
    }

    #[test]
    fn blanks_tabs_and_missing_end_are_found() {
        assert_eq!(broken("a.rs", "//! x \n\tx"), [1, 2, 2]);
        assert!(broken("a.toml", "\tx = 1\n").is_empty());
    }

    #[test]
    fn reminder_is_a_whole_word() {
        let text = format!("# {}: later\nmktemp a{}\n", REMINDERS[0], REMINDERS[2]);
        assert_eq!(broken("a.sh", &text), [1]);
    }

    #[test]
    fn long_undocumented_and_nameless_files_are_found() {
        assert_eq!(broken("launcher/src/utils/mount.rs", "fn f() {}\n"), [1, 0]);
        assert_eq!(broken("a.rs", &format!("//! x\n{}", "\n".repeat(LINES_MAX))), [0]);
    }
}
