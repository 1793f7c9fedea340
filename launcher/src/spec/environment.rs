//! The command's environment.

use std::ffi::CString;

use crate::error::Error;
use crate::words::Word;

/// What `--env` and `--keep-env` ask for.
#[derive(Debug)]
pub struct Environment {
    keep: bool,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    /// `K=V`.
    Set(Vec<u8>),
    /// `K`: the value of the caller's variable, if it is set.
    Pass(Vec<u8>),
}

/// The PATH that podman gives a container.
const PATH: &[u8] = b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Environment {
    /// Parses the values of `--env`.
    pub fn parse(words: &[Word], keep: bool) -> Result<Environment, Error> {
        let changes = words
            .iter()
            .map(|word| match word.0.iter().position(|&b| b == b'=') {
                Some(0) => Err(Error::misuse(format!("--env {} has no name", word.show()))),
                Some(_) => Ok(Change::Set(word.0.clone())),
                None if word.0.is_empty() => Err(Error::misuse("--env is empty")),
                None => Ok(Change::Pass(word.0.clone())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Environment { keep, changes })
    }

    /// The environment as execve(2) takes it, from the caller's, the user's home directory, the
    /// image's, and what a service manager's variables become inside.
    pub fn build(
        &self,
        callers: &[Vec<u8>],
        home: &[u8],
        images: &[Vec<u8>],
        services: &[Vec<u8>],
    ) -> Vec<CString> {
        let of_caller = |name: &[u8]| callers.iter().find(|entry| name_of(entry) == name).cloned();
        let mut entries = if self.keep { callers.to_vec() } else { Vec::new() };
        if !self.keep {
            entries.push(PATH.to_vec());
            entries.push([b"HOME=", home].concat());
            entries.extend(of_caller(b"TERM"));
        }
        images.iter().for_each(|entry| set(&mut entries, entry.clone()));
        // The caller's own values name a pid and a path outside the container.
        let of_services = |entry: &[u8]| {
            let name = name_of(entry);
            name.starts_with(b"LISTEN_") || name == b"NOTIFY_SOCKET"
        };
        entries.retain(|entry| !of_services(entry));
        entries.extend(services.iter().cloned());
        for change in &self.changes {
            let entry = match change {
                Change::Set(entry) => Some(entry.clone()),
                Change::Pass(name) => of_caller(name),
            };
            if let Some(entry) = entry {
                set(&mut entries, entry);
            }
        }
        entries.into_iter().filter_map(|entry| CString::new(entry).ok()).collect()
    }
}

fn set(entries: &mut Vec<Vec<u8>>, entry: Vec<u8>) {
    entries.retain(|old| name_of(old) != name_of(&entry));
    entries.push(entry);
}

/// What stands before the `=`.
pub fn name_of(entry: &[u8]) -> &[u8] {
    entry.split(|&b| b == b'=').next().unwrap_or(entry)
}

/// The value of a variable.
pub fn value_of<'a>(environment: &'a [CString], name: &[u8]) -> Option<&'a [u8]> {
    environment
        .iter()
        .map(|entry| entry.to_bytes())
        .find(|entry| name_of(entry) == name)
        .and_then(|entry| entry.get(name.len() + 1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(words: &[&str], keep: bool) -> Vec<String> {
        let words = words.iter().map(|w| Word(w.as_bytes().to_vec())).collect::<Vec<_>>();
        let callers = [b"TERM=vt100".to_vec(), b"SECRET=1".to_vec(), b"odd".to_vec()];
        Environment::parse(&words, keep)
            .unwrap()
            .build(&callers, b"/root", &[], &[])
            .into_iter()
            .map(|entry| entry.into_string().unwrap())
            .collect()
    }

    #[test]
    fn by_default_nothing_of_the_callers_comes_through_but_term() {
        assert_eq!(
            build(&[], false),
            [std::str::from_utf8(PATH).unwrap(), "HOME=/root", "TERM=vt100"]
        );
    }

    #[test]
    fn later_words_win_and_a_bare_name_passes_the_callers_value() {
        let env = build(&["A=1", "A=2", "SECRET", "HOME=/x", "MISSING"], false);
        assert_eq!(env[1..], ["TERM=vt100", "A=2", "SECRET=1", "HOME=/x"]);
    }

    #[test]
    fn keep_env_keeps_everything() {
        assert_eq!(build(&["A="], true), ["TERM=vt100", "SECRET=1", "odd", "A="]);
    }

    #[test]
    fn an_image_has_its_say_between_the_caller_and_the_words() {
        let words = ["A=word"].map(|word| Word(word.as_bytes().to_vec()));
        let callers = [b"TERM=vt100".to_vec(), b"LISTEN_FDS=9".to_vec()];
        let images = ["PATH=/image", "A=image", "B=image", "LISTEN_FDS=3", "TERM=image"];
        let images = images.map(|entry| entry.as_bytes().to_vec());
        let services = [b"LISTEN_FDS=1".to_vec()];
        let environment = |keep| {
            let environment = Environment::parse(&words, keep).unwrap();
            environment.build(&callers, b"/root", &images, &services)
        };
        let expected =
            ["HOME=/root", "PATH=/image", "B=image", "TERM=image", "LISTEN_FDS=1", "A=word"];
        let expected = expected.map(|entry| CString::new(entry).unwrap());
        assert_eq!(environment(false), expected);
        assert_eq!(environment(true), expected[1..]);
    }

    #[test]
    fn a_word_without_a_name_is_refused() {
        for word in ["", "=x"] {
            assert!(Environment::parse(&[Word(word.as_bytes().to_vec())], false).is_err());
        }
    }
}
