//! Spans of time.

use super::Shared;
use crate::error::Error;
use crate::words::Word;

/// Seconds, with or without a fraction, to milliseconds. By hand: the tables that parse a float
/// are a thirtieth of the binary.
pub fn grace(word: Option<&Word>) -> Result<u32, Error> {
    const MAX_SECONDS: u32 = 1_000_000;
    let Some(word) = word else { return Ok(0) };
    let text = word.show();
    let parse = || {
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let seconds = whole.parse::<u32>().ok().filter(|&seconds| seconds <= MAX_SECONDS)?;
        let mut thousandths = fraction.bytes().chain(*b"000").map(|digit| u32::from(digit - b'0'));
        let mut next = || thousandths.next().unwrap_or(0);
        let millis = next() * 100 + next() * 10 + next();
        // What is finer still counts as a whole one: more than nothing must not become nothing.
        let finer = fraction.bytes().skip(3).any(|digit| digit != b'0');
        Some(seconds * 1000 + millis + u32::from(finer))
    };
    parse().ok_or_else(|| {
        Error::misuse(format!("--grace {text} is not a number of seconds up to {MAX_SECONDS}"))
    })
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
