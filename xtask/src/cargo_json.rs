//! Reads the one thing a task wants from cargo's `--message-format=json`: where a binary is.
//!
//! Pure. Cargo writes one object a line; a full parser would be a dependency for two fields.

/// The `executable` of the artifact whose target has this name, the last one if there are more.
pub fn executable(messages: &str, name: &str) -> Option<String> {
    messages
        .lines()
        .filter(|line| line.contains(r#""reason":"compiler-artifact""#))
        .filter(|line| {
            // The artifact's own name stands inside its "target" object.
            let target = line.find(r#""target":{"#).map(|at| &line[at..]);
            target.and_then(|target| string_after(target, r#""name":"#)).as_deref() == Some(name)
        })
        .filter_map(|line| string_after(line, r#""executable":"#))
        .next_back()
}

/// The JSON string that stands right behind `key`; None for null or a key that is not there.
fn string_after(text: &str, key: &str) -> Option<String> {
    let rest = &text[text.find(key)? + key.len()..];
    let mut letters = rest.strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(value),
            '\\' => value.push(escaped(&mut letters)?),
            letter => value.push(letter),
        }
    }
}

fn escaped(letters: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match letters.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        // Cargo writes anything printable as itself, so no surrogate pairs are to be expected.
        'u' => {
            let digits: String = letters.by_ref().take(4).collect();
            char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/x#1","manifest_path":"/w/Cargo.toml","target":{{"kind":["bin"],"crate_types":["bin"],"name":"{name}","src_path":"/w/main.rs"}},"profile":{{"opt_level":"s"}},"filenames":["/w/t"],"executable":{executable},"fresh":true}}"#
        )
    }

    #[test]
    fn executable_of_the_named_artifact_is_found() {
        let messages = [
            artifact("libc", "null"),
            artifact("suite", r#""/w/suite""#),
            artifact("launcher", r#""/w/odd \"name\" \u00e4/launcher""#),
            r#"{"reason":"build-finished","success":true}"#.into(),
        ]
        .join("\n");
        assert_eq!(
            executable(&messages, "launcher").as_deref(),
            Some("/w/odd \"name\" ä/launcher")
        );
        assert_eq!(executable(&messages, "suite").as_deref(), Some("/w/suite"));
    }

    #[test]
    fn library_has_no_executable() {
        assert_eq!(executable(&artifact("init", "null"), "init"), None);
        let both = [artifact("init", "null"), artifact("init", r#""/w/init""#)].join("\n");
        assert_eq!(executable(&both, "init").as_deref(), Some("/w/init"));
    }

    #[test]
    fn cut_off_message_is_no_answer() {
        let whole = artifact("init", r#""/w/init""#);
        for end in 0..whole.find("/w/init\"").unwrap() + 7 {
            assert_eq!(executable(&whole[..end], "init"), None);
        }
    }
}
