//! The rule that the README's table of options and the launcher's arguments say the same.
//!
//! The table's rows begin with "| `--", the options are in the first cell. The arguments are the
//! fields of an argh struct.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::Violation;
use crate::failure::{At, Error};

const README: &str = "README.md";
const ARGUMENTS: &str = "launcher/src/args.rs";

/// argh's own: in the table, but not a field.
const BUILT_IN: &str = "help";

/// What stands in one of the two and not in the other; nothing while one is not written.
pub fn violations(root: &Path) -> Result<Vec<Violation>, Error> {
    let (readme, arguments) = (read(root, README)?, read(root, ARGUMENTS)?);
    let (Some(readme), Some(arguments)) = (readme, arguments) else { return Ok(Vec::new()) };
    Ok(compare(&in_table(&readme), &in_arguments(&arguments)))
}

fn read(root: &Path, name: &str) -> Result<Option<String>, Error> {
    match fs::read_to_string(root.join(name)) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        text => text.at("read", &root.join(name)).map(Some),
    }
}

fn compare(table: &BTreeSet<String>, arguments: &BTreeSet<String>) -> Vec<Violation> {
    let lacks = |file: &str, name: &String| Violation {
        file: file.into(),
        line: 0,
        text: format!("the option --{name} is missing"),
    };
    let undocumented = arguments.difference(table).map(|name| lacks(README, name));
    let invented = table.difference(arguments).filter(|name| *name != BUILT_IN);
    undocumented.chain(invented.map(|name| lacks(ARGUMENTS, name))).collect()
}

/// The `--name` words in the first cells of the table.
fn in_table(readme: &str) -> BTreeSet<String> {
    let rows = readme.lines().filter(|line| line.starts_with("| `--"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.flat_map(|cell| cell.split("--").skip(1)).map(leading_name).collect()
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

/// The long names of the options and switches of an argh struct.
fn in_arguments(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = source;
    while let Some(start) = rest.find("#[argh(") {
        rest = &rest[start + "#[argh(".len()..];
        let Some(end) = rest.find(")]") else { break };
        let (attribute, behind) = (&rest[..end], &rest[end + ")]".len()..]);
        let is_option = attribute
            .split(',')
            .any(|part| matches!(part.split('=').next().map(str::trim), Some("option" | "switch")));
        if is_option {
            names.extend(long_name(attribute).or_else(|| field_name(behind)));
        }
        rest = behind;
    }
    names
}

/// What `long = "name"` in the attribute says.
fn long_name(attribute: &str) -> Option<String> {
    let long = attribute.split(',').find_map(|part| part.trim().strip_prefix("long"))?;
    Some(long.trim_start().strip_prefix('=')?.trim().trim_matches('"').to_string())
}

/// The name of the field behind the attribute, as argh makes an option of it.
fn field_name(behind: &str) -> Option<String> {
    let lines = behind.lines().map(str::trim);
    let mut fields = lines.filter(|line| !line.is_empty() && !line.starts_with(['/', '#']));
    let (declaration, _) = fields.next()?.split_once(':')?;
    Some(declaration.rsplit(' ').next()?.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARGS: &str = r#"
        /// keep the host's network
        #[argh(switch)]
        pub keep_net: bool,

        /// an environment variable
        #[argh(option, short = 'e', long = "env", arg_name = "name=value")]
        pub environment: Vec<String>,

        #[argh(
            option,
            default = "String::new()"
        )]
        /// the host name
        pub(crate) hostname: String,

        #[argh(positional, greedy)]
        pub words: Vec<String>,
    "#;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn arguments_are_the_options_of_the_struct() {
        assert_eq!(in_arguments(ARGS), set(&["keep-net", "env", "hostname"]));
    }

    #[test]
    fn table_has_options_in_its_first_cell_only() {
        let readme = "| Option | Meaning |\n|---|---|\n| `--keep-net` | not with `--env` |\n\
            | `--uid-map MAP`, `--gid-map MAP` | ids |\ntext --not-this\n";
        assert_eq!(in_table(readme), set(&["keep-net", "uid-map", "gid-map"]));
    }

    #[test]
    fn both_directions_are_compared() {
        let found = compare(&set(&["a", "help", "only-table"]), &set(&["a", "only-args"]));
        let texts: Vec<_> = found.iter().map(|found| (found.file.to_str(), &*found.text)).collect();
        assert_eq!(
            texts,
            [
                (Some(README), "the option --only-args is missing"),
                (Some(ARGUMENTS), "the option --only-table is missing"),
            ]
        );
    }
}
