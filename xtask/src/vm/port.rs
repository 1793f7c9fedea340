//! The file behind a guest's serial port, read line by line while the guest writes it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::failure::{At, Error};

/// A port, and how far it has been read.
pub struct Port {
    path: PathBuf,
    file: File,
    partial: Vec<u8>,
}

impl Port {
    /// Makes the file anew: what an earlier guest wrote is gone.
    pub fn open(path: &Path) -> Result<Port, Error> {
        File::create(path).at("create", path)?;
        let file = File::open(path).at("read", path)?;
        Ok(Port { path: path.to_path_buf(), file, partial: Vec::new() })
    }

    /// The lines that are complete since the last time.
    pub fn new_lines(&mut self) -> Result<Vec<String>, Error> {
        match self.file.read_to_end(&mut self.partial) {
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            result => drop(result.at("read", &self.path)?),
        }
        let end = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let complete: Vec<u8> = self.partial.drain(..end).collect();
        let text = String::from_utf8_lossy(&complete);
        Ok(text.lines().map(|line| line.trim_end_matches('\r').to_string()).collect())
    }

    /// What stands behind the last end of a line.
    pub fn rest(&self) -> String {
        String::from_utf8_lossy(&self.partial).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_once_and_when_complete() {
        let path = std::env::temp_dir().join(format!("xtask-port-{}", std::process::id()));
        std::fs::write(&path, "old\n").unwrap();
        let mut port = Port::open(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        let mut write = |bytes: &[u8]| file.write_all(bytes).unwrap();
        write(b"one\r\ntw");
        let first = port.new_lines().unwrap();
        write(b"o\n\xff");
        let second = port.new_lines().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((first, second), (vec!["one".to_string()], vec!["two".to_string()]));
        assert_eq!(port.rest(), "\u{fffd}");
    }
}
