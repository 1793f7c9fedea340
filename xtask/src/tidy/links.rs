//! The rule that a link in a Markdown file leads to a file that is there, and to a heading in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::Violation;
use super::tree::Source;

/// Links that lead nowhere. `is_there` knows the files that are no sources.
pub fn violations(sources: &[Source], is_there: impl Fn(&Path) -> bool) -> Vec<Violation> {
    let is_markdown = |source: &&Source| source.path.extension().is_some_and(|is| is == "md");
    let pages = sources.iter().filter(is_markdown);
    let anchors: BTreeMap<_, _> =
        pages.clone().map(|page| (page.path.clone(), anchors(&page.text))).collect();
    let mut found = Vec::new();
    for page in pages {
        for (line, link) in links(&page.text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => page.path.clone(),
                _ => resolve(page.path.parent().unwrap_or(Path::new("")), file),
            };
            let leads = match anchors.get(&path) {
                Some(anchors) => anchor.is_empty() || anchors.contains(anchor),
                None => anchor.is_empty() && is_there(&path),
            };
            if !leads {
                let text = format!("the link {link} leads nowhere");
                found.push(Violation { file: page.path.clone(), line, text });
            }
        }
    }
    found
}

/// Lines outside of code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((index + 1, line))
    })
}

/// What stands in `[…](…)`, but for the addresses of others.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let in_line = |(number, line)| {
        let ends = str::split(line, "](").skip(1).filter_map(|rest| rest.split_once(')'));
        ends.map(move |(link, _)| (number, link))
    };
    prose(text).flat_map(in_line).filter(|(_, link)| !link.contains("://"))
}

/// The headings as GitHub names them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    let name = |(_, heading): (usize, &str)| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|&c| c.is_alphanumeric() || " -_".contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

/// A path from this folder on, without `..`.
fn resolve(folder: &Path, file: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_and_a_heading() {
        let readme = "# One `two`, three\n[a](#one-two-three) [b](sub/x.md#y) [c](https://z/#q)\n\
            [d](sub) and [e](#four), [f](none.md)\n```\n[g](#no)\n# four\n```\n[h](sub/x.md#z)\n";
        let below = "## y\n[i](../README.md#one-two-three) [j](x.svg) [k](../x.svg)\n";
        let sources = [
            Source::new("README.md", readme.into()),
            Source::new("sub/x.md", below.into()),
            Source::new("main.rs", "// [l](#nowhere)".into()),
        ];
        let there = [Path::new("sub"), Path::new("sub/x.svg")];
        let found = violations(&sources, |path| there.contains(&path));
        let found = found.iter().map(|found| (found.line, &*found.text)).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                (3, "the link #four leads nowhere"),
                (3, "the link none.md leads nowhere"),
                (8, "the link sub/x.md#z leads nowhere"),
                (2, "the link ../x.svg leads nowhere"),
            ]
        );
    }
}
