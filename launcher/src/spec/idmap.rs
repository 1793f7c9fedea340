//! Id maps (user_namespaces(7)): which id inside the user namespace is which id outside.

use std::fmt;

use crate::error::Error;
use crate::words::Word;

/// An id in the container's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inside(pub u32);

/// An id in the launcher's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outside(pub u32);

/// A line of uid_map or gid_map; see user_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    pub inside: Inside,
    pub outside: Outside,
    pub count: u32,
}

impl IdRange {
    fn contains_inside(&self, id: u32) -> bool {
        id.checked_sub(self.inside.0).is_some_and(|offset| offset < self.count)
    }

    fn contains_outside(&self, id: u32) -> bool {
        id.checked_sub(self.outside.0).is_some_and(|offset| offset < self.count)
    }
}

/// The ranges of one map; they do not overlap, and one holds the container's id 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMap(Vec<IdRange>);

/// The kernel takes this many lines (UID_GID_MAP_MAX_EXTENTS, Linux 4.15).
const MAX_LINES: usize = 340;

impl IdMap {
    /// A map of one id: 0 inside.
    pub fn single(outside: Outside) -> IdMap {
        IdMap::range(outside, 1)
    }

    /// 0 and up to a range outside.
    pub fn range(outside: Outside, count: u32) -> IdMap {
        IdMap(vec![IdRange { inside: Inside(0), outside, count }])
    }

    /// From ranges that are known not to overlap and to include 0.
    pub fn from_ranges(ranges: Vec<IdRange>) -> IdMap {
        IdMap(ranges)
    }

    /// From `INSIDE:OUTSIDE:COUNT` words.
    pub fn parse(option: &str, words: &[Word]) -> Result<IdMap, Error> {
        let ranges = words
            .iter()
            .map(|word| {
                parse_range(&word.0).ok_or_else(|| {
                    Error::misuse(format!(
                        "{option} {} is not INSIDE:OUTSIDE:COUNT in numbers below 4294967295",
                        word.show()
                    ))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if ranges.len() > MAX_LINES {
            return Err(Error::misuse(format!("more than {MAX_LINES} times {option}")));
        }
        let overlap = |a: u32, b: u32, x: &IdRange, y: &IdRange| {
            u64::from(a) < u64::from(b) + u64::from(y.count)
                && u64::from(b) < u64::from(a) + u64::from(x.count)
        };
        for (index, a) in ranges.iter().enumerate() {
            for b in &ranges[..index] {
                if overlap(a.inside.0, b.inside.0, a, b) || overlap(a.outside.0, b.outside.0, a, b)
                {
                    return Err(Error::misuse(format!("{option} {a} and {b} overlap")));
                }
            }
        }
        let map = IdMap(ranges);
        if !map.has_inside(0) {
            return Err(Error::misuse(format!(
                "no {option} maps the container's id 0, as which its init runs"
            )));
        }
        Ok(map)
    }

    /// Whether the container has this id.
    pub fn has_inside(&self, id: u32) -> bool {
        self.0.iter().any(|range| range.contains_inside(id))
    }

    /// Whether this id outside is one of the container's.
    pub fn has_outside(&self, id: Outside) -> bool {
        self.0.iter().any(|range| range.contains_outside(id.0))
    }

    /// The id outside that an id of the container is mapped to.
    pub fn to_outside(&self, id: u32) -> Option<Outside> {
        let range = self.0.iter().find(|range| range.contains_inside(id))?;
        Some(Outside(range.outside.0 + (id - range.inside.0)))
    }

    /// The ranges.
    pub fn ranges(&self) -> &[IdRange] {
        &self.0
    }

    /// The identity map of a nested user namespace that has every id of this one.
    pub fn to_itself(&self) -> IdMap {
        IdMap(self.0.iter().map(|r| IdRange { outside: Outside(r.inside.0), ..*r }).collect())
    }

    /// The text to write to uid_map or gid_map.
    pub fn to_lines(&self) -> String {
        self.0.iter().map(|r| format!("{} {} {}\n", r.inside.0, r.outside.0, r.count)).collect()
    }
}

fn parse_range(word: &[u8]) -> Option<IdRange> {
    let text = std::str::from_utf8(word).ok()?;
    let mut numbers = text.split(':').map(|part| {
        // Rust parses "+5" as a number; here it is a mistake.
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten()
    });
    let (inside, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let end = |start: u32| u64::from(start) + u64::from(count) <= u64::from(u32::MAX);
    // -1 (u32::MAX) is no valid id, and the kernel refuses empty ranges.
    (numbers.next().is_none() && count > 0 && end(inside) && end(outside)).then_some(IdRange {
        inside: Inside(inside),
        outside: Outside(outside),
        count,
    })
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.inside.0, self.outside.0, self.count)
    }
}

impl fmt::Display for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<IdMap, Error> {
        let words = words.iter().map(|w| Word(w.as_bytes().to_vec())).collect::<Vec<_>>();
        IdMap::parse("--uid-map", &words)
    }

    #[test]
    fn lines_are_as_the_kernel_takes_them() {
        let map = parse(&["0:1000:1", "1:100000:65536"]).unwrap();
        assert_eq!(map.to_lines(), "0 1000 1\n1 100000 65536\n");
        assert!(map.has_inside(65536) && !map.has_inside(65537));
        assert_eq!(map.to_outside(2), Some(Outside(100001)));
        assert_eq!(map.to_outside(65537), None);
        assert!(map.has_outside(Outside(1000)) && !map.has_outside(Outside(1001)));
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            &["0:0"][..],
            &["0:0:0"],
            &["0:0:1:1"],
            &["a:0:1"],
            &["0:0:4294967296"],
            &[""],
            &["+0:0:1"],
            &["0:4294967295:1"],
            &["1:1000:1"],
            &["0:0:10", "5:100:1"],
            &["0:0:10", "10:9:1"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
        assert!(parse(&["0:0:4294967295"]).is_ok());
        assert!(parse(&["0:0:10", "10:10:1"]).is_ok());
    }
}
