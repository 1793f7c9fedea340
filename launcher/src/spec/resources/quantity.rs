//! Quantities as people write them: sizes, numbers with a fraction, lists of processors. By hand:
//! the tables that parse a float are a thirtieth of the binary.

use std::fmt;

use super::CPU_PERIOD;
use crate::error::Error;

/// A size in bytes: a number, with or without a fraction, and K, M, G or T for powers of 1024
/// (also `KiB`, `KB`, `k`, …, `B`). What is finer than a byte still counts as one.
pub fn bytes(option: &str, text: &str) -> Result<u64, Error> {
    parse_bytes(text).ok_or_else(|| {
        Error::misuse(format!("{option} {text} is not a size, as 65536, 64M or 1.5G"))
    })
}

fn parse_bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
    let shift = match unit {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    let (whole, fraction) = split(number)?;
    let mut total = u128::from(whole) << shift;
    // Digit by digit, each a tenth of the one before.
    let (mut tenths, mut scale) = (0u128, 1u128);
    for digit in fraction.bytes().take(18) {
        tenths = tenths * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    total += (tenths << shift).div_ceil(scale);
    u64::try_from(total).ok().filter(|&total| total <= i64::MAX as u64)
}

/// The digits before the point, and those behind it.
fn split(number: &str) -> Option<(u64, &str)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    Some((whole.parse().ok()?, fraction))
}

/// Processors, with at most a fraction, in microseconds of every [`CPU_PERIOD`], which is as fine
/// as the kernel counts.
pub fn quota(text: &str) -> Option<u64> {
    let (whole, fraction) = split(text)?;
    let digits = fraction.bytes().map(|digit| u64::from(digit - b'0')).chain([0; 5]);
    let found = digits.take(5).fold(0, |found, digit| found * 10 + digit);
    whole.checked_mul(CPU_PERIOD)?.checked_add(found).filter(|&quota| quota < 1 << 42)
}

/// A whole number.
pub fn whole(option: &str, text: &str, least: u64, most: u64) -> Result<u64, Error> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
    digits.flatten().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Error::misuse(match most {
            u64::MAX => format!("{option} {text} is not a whole number from {least} on"),
            _ => format!("{option} {text} is not a number from {least} to {most}"),
        })
    })
}

/// Processors by number, as cpuset(7) lists them: `0-3,8`. Ascending, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(Vec<(u32, u32)>);

impl CpuList {
    pub fn parse(option: &str, text: &str) -> Result<CpuList, Error> {
        CpuList::read(text).filter(|list| !list.0.is_empty()).ok_or_else(|| {
            Error::misuse(format!("{option} {text} is not a list of processors, as 0-3,8"))
        })
    }

    /// Also what the kernel writes: an empty one is none.
    pub fn read(text: &str) -> Option<CpuList> {
        /// More than any kernel is built for.
        const MOST: u32 = 1 << 16;
        if text.trim().is_empty() {
            return Some(CpuList(Vec::new()));
        }
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for part in text.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                is_number.then(|| text.parse().ok()).flatten().filter(|&number: &u32| number < MOST)
            };
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            // Behind all that begin before it: a sort of std's is seven KiB.
            let at = ranges.iter().take_while(|range| range.0 < first).count();
            ranges.insert(at, (first, last));
        }
        let mut joined: Vec<(u32, u32)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Some(CpuList(joined))
    }

    /// Whether each of them is also in the other.
    pub fn is_within(&self, other: &CpuList) -> bool {
        self.0.iter().all(|(first, last)| other.0.iter().any(|(a, b)| a <= first && last <= b))
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |&(first, last): &(u32, u32)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        f.write_str(&self.0.iter().map(show).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_people_write_them() {
        for (text, size) in [
            ("0", 0),
            ("65536", 65536),
            ("64M", 64 << 20),
            ("64m", 64 << 20),
            ("64MB", 64 << 20),
            ("64MiB", 64 << 20),
            ("100B", 100),
            ("1.5G", 3 << 29),
            ("0.1K", 103),
            ("8T", 8 << 40),
        ] {
            assert_eq!(parse_bytes(text), Some(size), "{text}");
        }
        for text in
            ["", "M", "-1", "+1", "1.", ".5", "1..5", "64X", "64 M", "1e6", "99999999T", "ä", "1.M"]
        {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_processors_are_put_in_order() {
        let show = |text| CpuList::read(text).map(|list| list.to_string());
        assert_eq!(show("3,0-1,2").as_deref(), Some("0-3"));
        assert_eq!(show("8,0-3,2-4\n").as_deref(), Some("0-4,8"));
        for text in ["a", "1-", "-1", "3-1", "0,,1", "70000"] {
            assert_eq!(show(text), None, "{text}");
        }
        let list = |text| CpuList::read(text).unwrap();
        assert!(list("0-1").is_within(&list("0-3")));
        assert!(!list("0-4").is_within(&list("0-3,5")));
        assert!(CpuList::parse("--cpuset-cpus", "").is_err());
    }
}
