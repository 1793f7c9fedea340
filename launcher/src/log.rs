//! What the launcher says on stderr besides errors: steps for `--verbose`, and warnings.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

/// The lines of one start.
pub struct Log {
    /// When the step before ended; None when nobody wants to know.
    step_began: Option<Instant>,
    /// A start that has to be tried again warns once.
    warned: String,
}

impl Log {
    pub fn new(verbose: bool) -> Log {
        Log { step_began: verbose.then(Instant::now), warned: String::new() }
    }

    /// Ends a step of the parent's.
    pub fn step(&mut self, what: impl fmt::Display) {
        if let Some(began) = self.step_began {
            self.done(what, began.elapsed());
            self.step_began = Some(Instant::now());
        }
    }

    /// A step that was timed elsewhere: by the child, by init.
    pub fn done(&self, what: impl fmt::Display, took: Duration) {
        if self.step_began.is_some() {
            say(format_args!("{:>7} us  {what}", took.as_micros()));
        }
    }

    /// A decision that took no time worth telling.
    pub fn note(&self, what: impl fmt::Display) {
        if self.step_began.is_some() {
            say(format_args!("            {what}"));
        }
    }

    /// Something the user should know even if not asked.
    pub fn warn(&mut self, what: &str) {
        if self.warned != what {
            say(format_args!("warning: {what}"));
            what.clone_into(&mut self.warned);
        }
    }
}

/// One line, in one write. A stderr that is closed or full has nobody to tell.
pub fn say(line: impl fmt::Display) {
    let line = format!("launcher: {}\n", one_line(&line.to_string()));
    std::io::stderr().write_all(line.as_bytes()).ok();
}

/// Names may hold anything: a newline would make two lines, an escape would speak to the terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(one_line("a\nb\u{1b}[31m\t\u{e4}"), "a\\nb\\u{1b}[31m\\t\u{e4}");
    }
}
