//! JSON (RFC 8259), read into values. Pure.

/// A value. Numbers keep their text: what they are is for the reader to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads a whole text; if it is none, the offset of the byte that is wrong.
    pub fn parse(text: &[u8]) -> Result<Value, usize> {
        let mut reader = Reader { text, at: 0 };
        match reader.value(0) {
            Some(value) if reader.peek().is_none() => Ok(value),
            _ => Err(reader.at),
        }
    }

    /// A field of an object; None if there is none, or if it is null.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let Value::Object(fields) = self else { return None };
        let (_, value) = fields.iter().find(|(own, _)| own == name)?;
        Some(value).filter(|value| **value != Value::Null)
    }

    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(values) = self { Some(values) } else { None }
    }

    pub fn as_number(&self) -> Option<u64> {
        if let Value::Number(digits) = self { digits.parse().ok() } else { None }
    }
}

/// Nobody nests this deep but to exhaust a stack.
const DEPTH: usize = 64;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.text().map(Value::Text),
            b'[' => self.items(b']', |reader| reader.value(depth + 1)).map(Value::List),
            b'{' => {
                let field = |reader: &mut Self| {
                    reader.peek();
                    let name = reader.text()?;
                    reader.take(b':')?;
                    Some((name, reader.value(depth + 1)?))
                };
                let fields = self.items(b'}', field)?;
                // Who reads it takes the first of two, others the last: it would say two things.
                let mut names = fields.iter().map(|(name, _)| name).collect::<Vec<_>>();
                names.sort_unstable();
                let is_clear = names.windows(2).all(|pair| pair[0] != pair[1]);
                is_clear.then_some(Value::Object(fields))
            }
            _ => self.word(),
        }
    }

    /// From the opening bracket to the closing one.
    fn items<T>(
        &mut self,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(close).is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(close).is_some() {
                return Some(items);
            }
            self.take(b',')?;
        }
    }

    /// A number, true, false or null.
    fn word(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let word = std::str::from_utf8(&rest[..length]).ok()?;
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                Value::Number(word.to_owned())
            }
            _ => return None,
        };
        self.at += length;
        Some(value)
    }

    fn text(&mut self) -> Option<String> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let letter = self.escaped()?;
                    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                ..b' ' => return None,
                _ => bytes.push(byte),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let letter = *self.text.get(self.at)?;
        self.at += 1;
        Some(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\x08',
            b'f' => '\x0c',
            b'"' | b'\\' | b'/' => char::from(letter),
            b'u' => {
                let unit = self.unit()?;
                // Two halves make one character above U+FFFF.
                if (0xd800..0xdc00).contains(&unit)
                    && self.text.get(self.at..self.at + 2) == Some(b"\\u")
                {
                    self.at += 2;
                    let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + low)?
                } else {
                    char::from_u32(unit)?
                }
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
    }
}

/// A string as JSON has it.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted() {
        assert_eq!(quote("a\"b\\c\nd\u{e4}"), "\"a\\\"b\\\\c\\u000ad\u{e4}\"");
    }

    fn parse(text: &str) -> Result<Value, usize> {
        Value::parse(text.as_bytes())
    }

    #[test]
    fn values_are_read() {
        let text =
            r#" {"a": [1, -2.5e3, "x\n\"\u00e4\ud83d\ude00"], "b": null, "c": {}, "d": true} "#;
        let value = parse(text).unwrap();
        let list = value.field("a").unwrap().as_list().unwrap();
        assert_eq!(list[0].as_number(), Some(1));
        assert_eq!(list[1], Value::Number("-2.5e3".into()));
        assert_eq!(list[2].as_text(), Some("x\n\"ä😀"));
        assert_eq!(value.field("b"), None);
        assert_eq!(value.field("c"), Some(&Value::Object(Vec::new())));
        assert_eq!(value.field("d"), Some(&Value::Bool(true)));
        assert_eq!(parse("18446744073709551615").unwrap().as_number(), Some(u64::MAX));
        assert_eq!(parse("-1").unwrap().as_number(), None);
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_is_wrong() {
        for (text, at) in
            [("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("[1] x", 4), ("tru", 0), ("\"a", 2)]
        {
            assert_eq!(parse(text), Err(at), "{text}");
        }
        for text in ["\"\\q\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\n\"", "{1:2}", "'a'"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(Value::parse(b"\"\xff\"").is_err());
    }
}
