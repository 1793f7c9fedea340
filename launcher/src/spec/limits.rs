//! Resource limits (getrlimit(2)), nice value and OOM score adjustment of the command.

use super::unknown_value;
use crate::args::Args;
use crate::error::Error;
use crate::sys::process::Limit;
use crate::words::Word;

/// Limits and priorities, as asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Limits {
    /// Each RLIMIT_* once.
    pub resources: Vec<(u32, Limit)>,
    /// oom_score_adj: the higher, the earlier it is killed when memory is short; -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The nice value: -20 to 19.
    pub nice: Option<i32>,
}

/// RLIMIT_* by number (asm-generic/resource.h), without the prefix and in small letters.
pub const RESOURCES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

pub const FSIZE: u32 = 1;
pub const NOFILE: u32 = 7;
pub const AS: u32 = 9;

impl Limits {
    /// Makes sense of what was typed.
    pub fn parse(args: &Args) -> Result<Limits, Error> {
        let mut resources = Vec::new();
        for word in &args.rlimit {
            let (resource, limit) = parse_limit(word)?;
            resources.retain(|(before, _)| *before != resource);
            resources.push((resource, limit));
        }
        Ok(Limits {
            resources,
            oom_score_adj: parse_number("--oom-score-adj", &args.oom_score_adj, -1000, 1000)?,
            nice: parse_number("--nice", &args.nice, -20, 19)?,
        })
    }

    /// The limit on this resource, if one was asked for.
    pub fn of(&self, resource: u32) -> Option<&Limit> {
        self.resources.iter().find(|(own, _)| *own == resource).map(|(_, limit)| limit)
    }
}

/// The name of a resource, for messages.
pub fn name(resource: u32) -> &'static str {
    RESOURCES.get(resource as usize).unwrap_or(&"")
}

/// `NAME=SOFT[:HARD]`, each a number or `unlimited`.
fn parse_limit(word: &Word) -> Result<(u32, Limit), Error> {
    let text = word.show();
    let misuse = || Error::misuse(format!("--rlimit {text} is not NAME=SOFT[:HARD]"));
    let (name, values) = text.split_once('=').ok_or_else(misuse)?;
    let Some(resource) = RESOURCES.iter().position(|own| *own == name) else {
        return Err(unknown_value("--rlimit", &Word(name.into()), &RESOURCES));
    };
    let number = |text: &str| match text {
        "unlimited" => Ok(u64::MAX), // RLIM_INFINITY
        _ => text.parse().map_err(|_| misuse()),
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let limit = Limit { soft: number(soft)?, hard: number(hard)? };
    if limit.soft > limit.hard {
        return Err(Error::misuse(format!(
            "--rlimit {text}: the soft limit is above the hard one"
        )));
    }
    Ok((resource as u32, limit))
}

fn parse_number(
    option: &str,
    word: &Option<Word>,
    least: i32,
    most: i32,
) -> Result<Option<i32>, Error> {
    let Some(word) = word else { return Ok(None) };
    let text = word.show();
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(Error::misuse(format!("{option} {text} is not a number from {least} to {most}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Result<(u32, u64, u64), String> {
        match parse_limit(&Word(text.into())) {
            Ok((resource, Limit { soft, hard })) => Ok((resource, soft, hard)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_limit_is_a_name_and_one_or_two_numbers() {
        assert_eq!(limit("nofile=100"), Ok((NOFILE, 100, 100)));
        assert_eq!(name(NOFILE), "nofile");
        assert_eq!(limit("core=0:unlimited"), Ok((4, 0, u64::MAX)));
        for (text, part) in [
            ("nofile", "not NAME="),
            ("nofiles=1", "did you mean nofile?"),
            ("nope=1", "nope is unknown: it is one of cpu, fsize,"),
            ("nofile=", "not NAME="),
            ("nofile=1:", "not NAME="),
            ("nofile=-1", "not NAME="),
            ("nofile=2:1", "above the hard one"),
        ] {
            let error = limit(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
