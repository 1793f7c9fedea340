//! Keys that a login session hands on; keyctl(2), session-keyring(7).

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;

/// linux/keyctl.h.
const JOIN_SESSION_KEYRING: i32 = 1;
const SESSION_KEYRING: i32 = -3;

/// Gives this thread, and whom it starts, a session keyring with a key in it: the key's number.
pub fn start_session(description: &CStr) -> io::Result<i32> {
    let (kind, secret) = (c"user".as_ptr(), c"secret");
    // SAFETY: all strings end with NUL and outlive the calls; a null name makes a new keyring.
    let key = unsafe {
        let joined = libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0);
        super::check(joined as i32)?;
        let (name, secret, length) = (description.as_ptr(), secret.as_ptr(), secret.count_bytes());
        libc::syscall(libc::SYS_add_key, kind, name, secret, length, SESSION_KEYRING)
    };
    super::check(key as i32)
}
