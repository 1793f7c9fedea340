//! `--user`: the user and group that the command runs as, by the container's ids or names.

use crate::error::Error;
use crate::words::Word;

/// An id, or a name that only the container's /etc/passwd or /etc/group knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdOrName {
    Id(u32),
    Name(Vec<u8>),
}

/// The user and, if given, the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSpec {
    pub user: IdOrName,
    pub group: Option<IdOrName>,
}

impl UserSpec {
    /// The container's.
    pub const ROOT: UserSpec = UserSpec { user: IdOrName::Id(0), group: None };

    /// `UID[:GID]`, `NAME[:GROUP]` or a mixture.
    pub fn of(word: &[u8]) -> Option<UserSpec> {
        let mut parts = word.split(|&b| b == b':');
        let user = IdOrName::parse(parts.next()?)?;
        let group = parts.next().map(IdOrName::parse);
        match (group, parts.next()) {
            (None, None) => Some(UserSpec { user, group: None }),
            (Some(Some(group)), None) => Some(UserSpec { user, group: Some(group) }),
            _ => None,
        }
    }

    /// The value of `--user`.
    pub fn parse(word: &Word) -> Result<UserSpec, Error> {
        let wrong = || format!("--user {} is neither UID[:GID] nor NAME[:GROUP]", word.show());
        UserSpec::of(&word.0).ok_or_else(|| Error::misuse(wrong()))
    }
}

impl IdOrName {
    fn parse(part: &[u8]) -> Option<IdOrName> {
        if part.is_empty() {
            return None;
        }
        if !part.iter().all(u8::is_ascii_digit) {
            return Some(IdOrName::Name(part.to_vec()));
        }
        // All digits, but too large: no name either. -1 is no id.
        let id = std::str::from_utf8(part).ok()?.parse::<u32>().ok()?;
        (id != u32::MAX).then_some(IdOrName::Id(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Result<UserSpec, Error> {
        UserSpec::parse(&Word(word.as_bytes().to_vec()))
    }

    #[test]
    fn ids_and_names_mix() {
        assert_eq!(parse("5").unwrap(), UserSpec { user: IdOrName::Id(5), group: None });
        let mixed = parse("www:33").unwrap();
        assert_eq!(mixed.user, IdOrName::Name(b"www".to_vec()));
        assert_eq!(mixed.group, Some(IdOrName::Id(33)));
    }

    #[test]
    fn nonsense_is_refused() {
        for word in ["", ":", "a:", ":b", "a:b:c", "4294967295", "99999999999"] {
            assert!(parse(word).is_err(), "{word}");
        }
    }
}
