//! The options by letter and by name.
//!
//! One text, and no table of slices: with 16 bytes a slice that would be larger than the text.

macro_rules! known {
    ($($name:ident $letter:literal $value:literal $long:literal;)*) => {
        /// An option that is understood.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Known {
            $($name,)*
        }

        const KNOWN: &[Known] = &[$(Known::$name,)*];
        const TABLE: &str = concat!($($letter, $value, $long, "\n",)*);
    };
}

// A letter or a blank; `=` if it wants a value, else `-`; the name, if there is one.
known! {
    Help "h" "-" "help";
    Version "V" "-" "version";
    License "l" "-" "license";
    PrintLicense "L" "-" "";
    Verbose "v" "-" "verbose";
    // tini and catatonit.
    Subreaper "s" "-" "";
    DeathSignal "p" "=" "";
    Warn "w" "-" "";
    Group "g" "-" "";
    Remap "e" "=" "";
    Pause "P" "-" "";
    // dumb-init.
    Single "c" "-" "single-child";
    Rewrite "r" "=" "rewrite";
    // Our own.
    Grace " " "=" "grace";
    OnExit " " "=" "on-exit";
    // The launcher's.
    Contract " " "=" "contract";
    Report " " "=" "report";
    Steps " " "-" "steps";
    MountProc " " "-" "mount-proc";
    MaskProc " " "-" "mask-proc";
    ForbidUserns " " "-" "forbid-userns";
    CutRoot " " "-" "cut-root";
    Session " " "-" "session";
    Terminal " " "-" "terminal";
    Ids " " "=" "ids";
    Groups " " "=" "groups";
    Caps " " "=" "caps";
    NoNewPrivs " " "-" "no-new-privs";
    Workdir " " "=" "workdir";
    Sigmask " " "=" "sigmask";
    GraceMs " " "=" "grace-ms";
}

/// The option of this letter, and whether it wants a value.
pub fn by_letter(letter: u8) -> Option<(Known, bool)> {
    if letter == b' ' { None } else { find(letter, b"") }
}

/// The option of this name, and whether it wants a value.
pub fn by_name(name: &[u8]) -> Option<(Known, bool)> {
    if name.is_empty() { None } else { find(b' ', name) }
}

fn find(letter: u8, name: &[u8]) -> Option<(Known, bool)> {
    let mut rest = TABLE.as_bytes();
    let mut index = 0;
    while let [its_letter, value, behind @ ..] = rest {
        let (its_name, next) = super::split_at(behind, b'\n');
        let found = if letter == b' ' { its_name == name } else { *its_letter == letter };
        if found {
            return Some((*KNOWN.get(index)?, *value == b'='));
        }
        rest = next.unwrap_or(&[]);
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_found_by_what_it_has_and_by_nothing_else() {
        let mut letters = Vec::new();
        for (line, &known) in TABLE.lines().zip(KNOWN) {
            let (letter, wants_value, name) =
                (line.as_bytes()[0], line.as_bytes()[1] == b'=', &line[2..]);
            if letter != b' ' {
                assert_eq!(by_letter(letter), Some((known, wants_value)), "{line}");
                assert!(!letters.contains(&letter), "{line}");
                letters.push(letter);
            }
            if !name.is_empty() {
                assert_eq!(by_name(name.as_bytes()), Some((known, wants_value)), "{line}");
            }
            assert!(letter != b' ' || !name.is_empty(), "{line}");
        }
        for letter in 0..=255 {
            assert_eq!(by_letter(letter).is_some(), letters.contains(&letter) && letter != b' ');
        }
        for name in ["", "hel", "helpx", "h", " "] {
            assert_eq!(by_name(name.as_bytes()), None, "{name}");
        }
    }
}
