//! Numbers and the parts of words.
//!
//! Plain loops, here and elsewhere in what init's bin uses: the iterators of `core` come to a third
//! more code.

/// What is before the first `separator`, and what is behind it.
pub fn split_at(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == separator {
            return (bytes.get(..at).unwrap_or(&[]), bytes.get(at + 1..));
        }
        at += 1;
    }
    (bytes, None)
}

pub(super) fn id(digits: &[u8]) -> Option<u32> {
    number(digits, 10).and_then(|n| u32::try_from(n).ok())
}

pub(super) fn small(digits: &[u8]) -> Option<u32> {
    id(digits).filter(|&n| n <= 1 << 30)
}

/// Seconds with up to three decimals.
pub(super) fn milliseconds(text: &[u8]) -> Option<u32> {
    let (seconds, decimals) = split_at(text, b'.');
    let seconds = number(seconds, 10).filter(|&s| s <= 1_000_000)?;
    let mut thousandths = 0;
    if let Some(decimals) = decimals {
        thousandths = number(decimals, 10).filter(|_| decimals.len() <= 3)?;
        for _ in decimals.len()..3 {
            thousandths *= 10;
        }
    }
    Some((seconds * 1000 + thousandths) as u32)
}

pub(crate) fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &digit in digits {
        let digit = char::from(digit).to_digit(radix)?;
        value = value.checked_mul(radix.into())?.checked_add(digit.into())?;
    }
    Some(value)
}
