//! An empty unwinder, in place of the one that Rust's standard library links.
//!
//! A panic aborts, so nothing is ever unwound. But the standard library's panic message can have a
//! backtrace, for which an unwinder, a reader of DWARF and a decompressor are linked: a third of
//! the whole binary. The linker takes these symbols (Itanium C++ ABI, Exception Handling, level I)
//! from the archive only if they are undefined.

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`: there are no frames.
const END_OF_STACK: c_int = 5;

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_trace: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Functions about a frame, of which there is none.
macro_rules! nothing {
    ($($name:ident($($argument:ty),*))*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),*) -> usize {
                0
            }
        )*
    };
}

nothing! {
    _Unwind_GetIP(*mut c_void)
    _Unwind_GetIPInfo(*mut c_void, *mut c_int)
    _Unwind_GetCFA(*mut c_void)
    _Unwind_GetLanguageSpecificData(*mut c_void)
    _Unwind_GetRegionStart(*mut c_void)
    _Unwind_GetTextRelBase(*mut c_void)
    _Unwind_GetDataRelBase(*mut c_void)
    _Unwind_FindEnclosingFunction(*mut c_void)
    _Unwind_SetGR(*mut c_void, c_int, usize)
    _Unwind_SetIP(*mut c_void, usize)
    _Unwind_RaiseException(*mut c_void)
    _Unwind_DeleteException(*mut c_void)
    _Unwind_Resume(*mut c_void)
}
