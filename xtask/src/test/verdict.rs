//! What a guest writes to its second port: that it has booted, how each half of the tests ended,
//! and that this is all.
//!
//! Pure. Written by guest.sh: `ready UPTIME`, `HALF EXITCODE START END` with times in seconds,
//! `end`. Without the last line there is no verdict.

use std::time::Duration;

/// The lines so far.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// Seconds from the kernel's start to the guest's init.
    pub ready: Option<f32>,
    pub halves: Vec<Half>,
    pub is_complete: bool,
}

/// One half of the tests.
#[derive(Debug, PartialEq)]
pub struct Half {
    pub name: String,
    pub code: i32,
    pub time: Duration,
}

impl Verdict {
    /// Takes in a line; one that is none of ours changes nothing, so the verdict stays incomplete
    /// or without its half.
    pub fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["ready", uptime] => self.ready = uptime.parse().ok(),
            ["end"] => self.is_complete = true,
            [name, code, start, end] => self.halves.extend(half(name, code, start, end)),
            _ => {}
        }
    }

    /// The half of this name, of a guest that came to its end.
    pub fn half(&self, name: &str) -> Option<&Half> {
        self.halves.iter().find(|half| self.is_complete && half.name == name)
    }
}

fn half(name: &str, code: &str, start: &str, end: &str) -> Option<Half> {
    let seconds = end.parse::<f32>().ok()? - start.parse::<f32>().ok()?;
    let time = Duration::try_from_secs_f32(seconds).ok()?;
    Some(Half { name: name.to_string(), code: code.parse().ok()?, time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lines: &[&str]) -> Verdict {
        let mut verdict = Verdict::default();
        lines.iter().for_each(|line| verdict.read(line));
        verdict
    }

    #[test]
    fn complete_verdict_has_both_halves() {
        let verdict = verdict(&["ready 1.25", "root 0 2.00 12.50", "user 101 12.50 13.00", "end"]);
        assert_eq!(verdict.ready, Some(1.25));
        assert_eq!(verdict.half("root").map(|half| half.code), Some(0));
        let user = verdict.half("user").unwrap();
        assert_eq!((user.code, user.time), (101, Duration::from_millis(500)));
    }

    #[test]
    fn guest_that_stops_early_gives_no_verdict() {
        assert_eq!(verdict(&["ready 1.25", "root 0 2.00 12.50"]).half("root"), None);
        assert_eq!(verdict(&["ready 1.25", "root 0 2.00", "end"]).half("root"), None);
        assert_eq!(verdict(&["root x 2.00 3.00", "root 0 3.00 2.00", "end"]).half("root"), None);
    }
}
