//! Tells code from text in Rust source, so that a rule about words does not trip over prose.
//!
//! Pure. Knows comments, strings, raw strings, characters and lifetimes; no more of the language.

/// The source with comments and the insides of literals replaced by spaces. Lines stay lines.
pub fn without_text(source: &str) -> String {
    let letters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < letters.len() {
        let end = text_end(&letters, at);
        match end {
            Some(end) => {
                let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
                code.extend(letters[at..end].iter().map(blank));
                at = end;
            }
            None => {
                code.push(letters[at]);
                at += 1;
            }
        }
    }
    code
}

/// If a comment or literal begins at `at`, the index behind it.
fn text_end(letters: &[char], at: usize) -> Option<usize> {
    let next = letters.get(at + 1);
    match letters[at] {
        '/' if next == Some(&'/') => {
            Some(position(letters, at, |c| c == '\n').unwrap_or(letters.len()))
        }
        '/' if next == Some(&'*') => Some(comment_end(letters, at)),
        '"' => Some(quoted_end(letters, at, '"')),
        'r' if begins_literal(letters, at) => raw_end(letters, at),
        '\'' if next == Some(&'\\') => Some(quoted_end(letters, at, '\'')),
        '\'' if letters.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn position(letters: &[char], from: usize, wanted: impl Fn(char) -> bool) -> Option<usize> {
    (from..letters.len()).find(|at| wanted(letters[*at]))
}

/// Block comments nest.
fn comment_end(letters: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < letters.len() {
        match (letters[at], letters[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    letters.len()
}

fn quoted_end(letters: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < letters.len() {
        match letters[at] {
            '\\' => at += 2,
            letter if letter == quote => return at + 1,
            _ => at += 1,
        }
    }
    letters.len()
}

/// Whether the `r` here is a prefix and not the end of a name; `br` and `cr` are prefixes too.
fn begins_literal(letters: &[char], at: usize) -> bool {
    let in_name = |at: usize| letters[at].is_alphanumeric() || letters[at] == '_';
    match at {
        0 => true,
        _ if !in_name(at - 1) => true,
        1 => matches!(letters[0], 'b' | 'c'),
        _ => matches!(letters[at - 1], 'b' | 'c') && !in_name(at - 2),
    }
}

fn raw_end(letters: &[char], start: usize) -> Option<usize> {
    let quote = position(letters, start + 1, |c| c != '#')?;
    if letters[quote] != '"' {
        return None;
    }
    let hashes = quote - start - 1;
    let closes = |at: usize| {
        letters[at] == '"' && letters[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    let end = (quote + 1..letters.len()).find(|at| closes(*at));
    Some(end.map_or(letters.len(), |at| at + 1 + hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        without_text(source).split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(words("a // unsafe\nb /* x /* unsafe */ y */ c"), ["a", "b", "c"]);
        assert_eq!(words(r#"a "unsafe \" unsafe" b"#), ["a", "b"]);
        assert_eq!(words("a r#\"unsafe \" unsafe\"# b"), ["a", "b"]);
        assert_eq!(words("a '\"' b '\\'' c"), ["a", "b", "c"]);
    }

    #[test]
    fn lifetimes_and_names_are_code() {
        assert_eq!(words("fn f<'a>(x: &'a str)"), ["fn", "f<'a>(x:", "&'a", "str)"]);
        assert_eq!(words("for \"x\" r#type"), ["for", "r#type"]);
        assert_eq!(words("br\"unsafe\" x"), ["b", "x"]);
    }

    #[test]
    fn lines_stay_lines() {
        let source = "a\n/*\n\n*/\n\"x\ny\"\n'\\n'\nb";
        assert_eq!(without_text(source).lines().count(), source.lines().count());
    }

    #[test]
    fn unfinished_text_ends_with_the_file() {
        for source in ["/* unsafe", "\"unsafe", "r#\"unsafe", "'\\", "/", "r", "r#", "'"] {
            assert!(!without_text(source).contains("unsafe"), "{source}");
        }
    }
}
