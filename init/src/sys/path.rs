//! Text that is put together on the stack, ends with NUL, and touches no more than it needs.

use core::ffi::CStr;
use core::mem::MaybeUninit;

/// PATH_MAX of linux/limits.h, the NUL included.
const SIZE: usize = 4096;

/// Room for one path. A page of zeros would cost a page fault before every start.
pub struct PathBuffer(MaybeUninit<[u8; SIZE]>);

impl PathBuffer {
    /// Nothing yet.
    pub fn new() -> Self {
        PathBuffer(MaybeUninit::uninit())
    }

    /// The parts behind each other; None if they are too long or have a NUL in them.
    pub fn join(&mut self, parts: &[&[u8]]) -> Option<&CStr> {
        let start = self.0.as_mut_ptr().cast::<u8>();
        let mut length = 0;
        for part in parts {
            for &byte in *part {
                if byte == 0 || length == SIZE - 1 {
                    return None;
                }
                // SAFETY: `length` is below SIZE - 1.
                unsafe { start.add(length).write(byte) };
                length += 1;
            }
        }
        // SAFETY: `length` is at most SIZE - 1; all before it has been written, and is no NUL,
        // so the text ends here. It is borrowed as long as the buffer is.
        unsafe {
            start.add(length).write(0);
            Some(CStr::from_ptr(start.cast()))
        }
    }
}
