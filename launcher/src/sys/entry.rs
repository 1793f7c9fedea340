//! Where the C runtime enters: `main`, in place of Rust's own.
//!
//! Rust's start-up code would ignore SIGPIPE, which the container would inherit, and install a
//! stack guard that nothing here needs; without it musl hands argv over as the kernel did.

use std::ffi::{CStr, CString, c_char, c_int};

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    let words = (0..count)
        // SAFETY: argv holds argc pointers to strings that end with NUL and are never freed.
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_owned())
        .collect::<Vec<CString>>();
    c_int::from(crate::run(&words))
}
