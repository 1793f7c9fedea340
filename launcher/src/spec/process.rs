//! The command, its user, working directory and environment: as the caller says, else as the image
//! says that the rootfs was unpacked from, else a shell as root in `/`.
//!
//! An image says it in a file of its rootfs (`cargo xtask rootfs --from` writes it), which is the
//! container's own and may hold anything: only what a command could do for itself can be said
//! there, and what is not understood is an error.

use std::ffi::CString;

use super::Spec;
use super::environment::name_of;
use super::mounts::Target;
use super::user::UserSpec;
use crate::error::Error;
use crate::json::Value;
use crate::words::Word;

/// What is run, decided.
#[derive(Debug)]
pub struct Process {
    /// The command and its arguments; never empty.
    pub command: Vec<CString>,
    pub user: UserSpec,
    /// Whether the user is the image's.
    pub is_images_user: bool,
    /// Whether anything came from an image.
    pub has_image: bool,
    pub workdir: CString,
    /// The image's variables.
    pub variables: Vec<Vec<u8>>,
}

/// What an image says, in the terms of OCI's image-spec (config.md).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Image {
    entrypoint: Vec<CString>,
    cmd: Vec<CString>,
    env: Vec<Vec<u8>>,
    user: Option<UserSpec>,
    workdir: Option<CString>,
}

impl Process {
    /// The caller's words win, one by one: a command is all of the image's entrypoint and command.
    pub fn of(spec: &Spec, image: Option<Image>) -> Process {
        let has_image = image.is_some();
        let Image { entrypoint, cmd, env, user, workdir } = image.unwrap_or_default();
        let by_image = [entrypoint, cmd].concat();
        let command = match (spec.command.as_slice(), by_image.as_slice()) {
            ([], []) => vec![c"/bin/sh".to_owned()],
            ([], words) | (words, _) => words.to_vec(),
        };
        Process {
            command,
            is_images_user: spec.user.is_none() && user.is_some(),
            has_image,
            user: spec.user.clone().or(user).unwrap_or(UserSpec::ROOT),
            workdir: spec.workdir.clone().or(workdir).unwrap_or(c"/".to_owned()),
            variables: env,
        }
    }
}

impl Image {
    /// Parses the text of the file; an error says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Image, String> {
        let value = Value::parse(text).map_err(|at| format!("no JSON at byte {at}"))?;
        let Value::Object(fields) = value else { return Err("no JSON object".into()) };
        let mut image = Image::default();
        for (name, value) in fields {
            let value = match value {
                Value::Null => continue,
                value => value,
            };
            match name.as_str() {
                "Entrypoint" => image.entrypoint = command(&name, &value)?,
                "Cmd" => image.cmd = words(&name, &value)?,
                "Env" => image.env = variables(&value)?,
                "User" => image.user = user(text_of(&name, &value)?)?,
                "WorkingDir" => image.workdir = workdir(text_of(&name, &value)?)?,
                _ => return Err(format!("{name} is unknown")),
            }
        }
        if image.entrypoint.is_empty() && image.cmd.first().is_some_and(|word| word.is_empty()) {
            return Err("Cmd begins with an empty word".into());
        }
        Ok(image)
    }
}

/// `--workdir`, else where `--here` is.
pub fn parse_workdir(word: Option<&Word>, here: Option<Target>) -> Result<Option<CString>, Error> {
    match word {
        None => Ok(here.map(|target| {
            CString::new([b"/", target.path.to_bytes()].concat()).unwrap_or_default()
        })),
        Some(word) if word.0.first() == Some(&b'/') => Ok(Some(word.to_c_string())),
        Some(word) => Err(Error::misuse(format!(
            "--workdir {} is not absolute: it is a path inside the container",
            word.show()
        ))),
    }
}

fn text_of<'a>(name: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_text().ok_or(format!("{name} is no string"))
}

fn words(name: &str, value: &Value) -> Result<Vec<CString>, String> {
    let list = value.as_list().ok_or(format!("{name} is no list"))?;
    let word = |value: &Value| CString::new(text_of(name, value)?).map_err(|_| nul(name));
    list.iter().map(word).collect()
}

fn command(name: &str, value: &Value) -> Result<Vec<CString>, String> {
    let words = words(name, value)?;
    match words.first() {
        Some(first) if first.is_empty() => Err(format!("{name} begins with an empty word")),
        _ => Ok(words),
    }
}

fn variables(value: &Value) -> Result<Vec<Vec<u8>>, String> {
    let entry = |word: CString| {
        let entry = word.into_bytes();
        match name_of(&entry).len() {
            0 => Err("a variable of Env has no name".into()),
            length if length == entry.len() => {
                Err(format!("{} of Env has no value", String::from_utf8_lossy(&entry)))
            }
            _ => Ok(entry),
        }
    };
    words("Env", value)?.into_iter().map(entry).collect()
}

/// An empty one is none.
fn user(text: &str) -> Result<Option<UserSpec>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match UserSpec::of(text.as_bytes()) {
        Some(user) if !text.contains('\0') => Ok(Some(user)),
        _ => Err(format!("User {text} is neither UID[:GID] nor NAME[:GROUP]")),
    }
}

fn workdir(text: &str) -> Result<Option<CString>, String> {
    match text.as_bytes() {
        [] => Ok(None),
        [b'/', ..] => CString::new(text).map(Some).map_err(|_| nul("WorkingDir")),
        _ => Err(format!("WorkingDir {text} is not absolute")),
    }
}

fn nul(name: &str) -> String {
    format!("{name} has a NUL character in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_an_image_can_say_is_read() {
        let image = Image::parse(
            br#"{"Entrypoint": ["/init", "a"], "Cmd": ["b"], "Env": ["A=1", "B="],
            "User": "www:33", "WorkingDir": "/srv"}"#,
        );
        let image = image.unwrap();
        assert_eq!(image.entrypoint, [c"/init".to_owned(), c"a".to_owned()]);
        assert_eq!((image.cmd, image.env.len()), (vec![c"b".to_owned()], 2));
        assert_eq!(image.user, UserSpec::of(b"www:33"));
        assert_eq!(image.workdir, Some(c"/srv".to_owned()));
        for nothing in [r#"{}"#, r#"{"User": "", "WorkingDir": "", "Cmd": null, "Env": []}"#] {
            assert_eq!(Image::parse(nothing.as_bytes()), Ok(Image::default()), "{nothing}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("", "no JSON at byte 0"),
            ("[]", "no JSON object"),
            ("{\"Env\": [}", "no JSON at byte 9"),
            (r#"{"Privileged": true}"#, "Privileged is unknown"),
            (r#"{"cmd": ["sh"]}"#, "cmd is unknown"),
            (r#"{"Cmd": "sh"}"#, "Cmd is no list"),
            (r#"{"Cmd": [1]}"#, "Cmd is no string"),
            (r#"{"Cmd": [""]}"#, "Cmd begins with an empty word"),
            (r#"{"Entrypoint": ["", "x"]}"#, "Entrypoint begins"),
            (r#"{"Cmd": ["a\u0000b"]}"#, "NUL"),
            (r#"{"Env": ["A"]}"#, "A of Env has no value"),
            (r#"{"Env": ["=1"]}"#, "no name"),
            (r#"{"Env": ["A=\u0000"]}"#, "NUL"),
            (r#"{"User": "a:b:c"}"#, "User a:b:c"),
            (r#"{"User": "a\u0000b"}"#, "User a"),
            (r#"{"WorkingDir": "srv"}"#, "not absolute"),
            (r#"{"WorkingDir": "/\u0000"}"#, "NUL"),
        ] {
            let wrong = Image::parse(text.as_bytes()).unwrap_err();
            assert!(wrong.contains(part), "{text}: {wrong}");
        }
    }
}
