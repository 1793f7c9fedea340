//! Durations: `--timeout`, `--grace` and the container's uptime.

use super::Shared;
use crate::error::Error;
use crate::words::Word;

/// The longest duration: eleven days.
const MAX_SECONDS: u32 = 1_000_000;

/// `--grace`, in milliseconds.
pub fn grace(word: Option<&Word>) -> Result<u32, Error> {
    let Some(word) = word else { return Ok(0) };
    let text = word.show();
    millis(&text, 1).ok_or_else(|| {
        Error::misuse(format!("--grace {text} is not a number of seconds up to {MAX_SECONDS}"))
    })
}

/// When the command has to end, if it does not by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// `--timeout`.
    pub after_ms: Option<u32>,
    /// From the first signal (SIGTERM, or the SIGHUP of its terminal) to SIGKILL.
    pub notice_ms: u32,
}

pub fn end(timeout: Option<&Word>, grace: Option<&Word>) -> Result<End, Error> {
    /// What `docker stop` and podman give.
    const NOTICE_MS: u32 = 10_000;
    let notice_ms = if grace.is_some() { self::grace(grace)? } else { NOTICE_MS };
    Ok(End { after_ms: self::timeout(timeout)?, notice_ms })
}

/// Seconds, or what a suffix makes of them as for timeout(1).
fn timeout(word: Option<&Word>) -> Result<Option<u32>, Error> {
    let Some(word) = word else { return Ok(None) };
    let text = word.show();
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86400),
        _ => (&text[..], 1),
    };
    millis(number, unit).filter(|&millis| millis > 0).map(Some).ok_or_else(|| {
        Error::misuse(format!(
            "--timeout {text} is not a time up to {MAX_SECONDS} s, as 90, 1.5m or 2h"
        ))
    })
}

/// A number, with or without a fraction, of units of so many seconds. By hand: the tables that
/// parse a float are a thirtieth of the binary.
fn millis(text: &str, unit: u32) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut thousandths = fraction.bytes().chain(*b"000").map(|digit| u64::from(digit - b'0'));
    let mut next = || thousandths.next().unwrap_or(0);
    let millis = next() * 100 + next() * 10 + next();
    // Rounded up: a duration above zero must not become zero.
    let finer = fraction.bytes().skip(3).any(|digit| digit != b'0');
    let millis = u64::from(whole.parse::<u32>().ok()?) * 1000 + millis + u64::from(finer);
    let millis = millis.checked_mul(unit.into())?;
    u32::try_from(millis).ok().filter(|&millis| millis <= MAX_SECONDS * 1000)
}

pub fn uptime(word: Option<&Word>, share: Shared) -> Result<Option<u32>, Error> {
    let Some(word) = word else { return Ok(None) };
    if share.time {
        return Err(Error::misuse("--uptime would set the host's clocks with --share time"));
    }
    let text = word.show();
    let seconds = match text.as_str() {
        "fresh" => Some(0),
        // Up to 34 years; the kernel takes 292 (timens_offsets in time_namespaces(7)).
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|&seconds| seconds < 1 << 30)
        }
        _ => None,
    };
    seconds.map(Some).ok_or_else(|| {
        Error::misuse(format!("--uptime {text} is neither fresh nor a number of seconds"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_is_seconds() {
        let grace = |text: &str| grace(Some(&Word(text.into())));
        assert_eq!(grace("1.5").unwrap(), 1500);
        assert_eq!(grace("0.0001").unwrap(), 1);
        assert_eq!(grace("12.3456").unwrap(), 12346);
        assert_eq!(grace("7").unwrap(), 7000);
        for text in ["-1", "inf", "nan", "1.", ".5", "1000001"] {
            assert!(grace(text).unwrap_err().to_string().contains(&format!("--grace {text}")));
        }
    }

    #[test]
    fn timeout_is_as_timeout_1_takes_it() {
        let timeout = |text: &str| timeout(Some(&Word(text.into()))).map(Option::unwrap);
        for (text, after_ms) in
            [("2", 2000), ("0.5s", 500), ("1.5m", 90_000), ("2h", 7_200_000), ("1d", 86_400_000)]
        {
            assert_eq!(timeout(text).unwrap(), after_ms, "{text}");
        }
        for text in ["", "0", "-1", "1w", "s", "12d", "1.m", "ä"] {
            assert!(timeout(text).unwrap_err().to_string().contains("--timeout"), "{text}");
        }
        assert_eq!(end(None, None).unwrap(), End { after_ms: None, notice_ms: 10_000 });
        let given = end(Some(&Word(b"1".to_vec())), Some(&Word(b"0.2".to_vec()))).unwrap();
        assert_eq!(given, End { after_ms: Some(1000), notice_ms: 200 });
    }

    #[test]
    fn uptime_is_whole_seconds() {
        let uptime = |text: &str| uptime(Some(&Word(text.into())), Shared::default());
        assert_eq!(uptime("fresh").unwrap(), Some(0));
        assert_eq!(uptime("86400").unwrap(), Some(86400));
        for text in ["", "-1", "1.5", "9999999999"] {
            assert!(uptime(text).unwrap_err().to_string().contains(&format!("--uptime {text}")));
        }
        let share = Shared { time: true, ..Shared::default() };
        let refused = super::uptime(Some(&Word(b"1".to_vec())), share).unwrap_err();
        assert!(refused.to_string().contains("--share time"));
    }
}
