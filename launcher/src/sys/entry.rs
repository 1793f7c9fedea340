//! `main`, which the C runtime calls, in place of Rust's own start-up code.
//!
//! That would ignore SIGPIPE, which the container would inherit, and install a handler for stack
//! overflow that nothing here needs.

use std::ffi::{CStr, CString, c_char, c_int};

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    let words = (0..count)
        // SAFETY: the C runtime passes argc pointers to strings that end with NUL and live as long
        // as the process.
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_owned())
        .collect::<Vec<CString>>();
    c_int::from(crate::run(&words))
}
