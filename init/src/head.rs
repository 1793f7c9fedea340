//! Tells a text file from a binary by its first bytes.

/// Whether it may be a shell script: it has no control character but those that file(1) allows in
/// text. To look for a NUL alone would not do: compressed files may have none for a long way.
pub fn is_text(head: &[u8]) -> bool {
    const ESC: u8 = 27;
    head.iter().all(|&byte| byte >= b' ' || matches!(byte, 7..=13 | ESC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_no_control_characters() {
        for text in [&b""[..], b"echo\n", b"\ta\x0c\r\n\x1b[1m", "\u{e4}\n".as_bytes(), b"\xe4\n"] {
            assert!(is_text(text), "{text:?}");
        }
        // ELF, gzip, bzip2, PNG, a .pyc of Python's, a NUL behind the first line.
        for binary in [
            &b"\x7fELF\x02\x01\x01\0"[..],
            b"\x1f\x8b\x08\0",
            b"BZh91AY&SY\x1e\x90",
            b"\x89PNG\r\n\x1a\n",
            b"o\r\r\n\0\0\0\0",
            b"echo\n\0",
        ] {
            assert!(!is_text(binary), "{binary:?}");
        }
    }
}
