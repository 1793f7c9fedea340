//! Text that is put together in a buffer on the stack and touches no more of that than it needs.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::slice;

use init::word::Word;

/// Room for one path, its NUL included (PATH_MAX of linux/limits.h), or for a line.
pub type Path = MaybeUninit<[u8; 4096]>;
/// Room for most paths.
pub type Short = MaybeUninit<[u8; 256]>;
/// Room for a short entry of the environment.
pub type Entry = MaybeUninit<[u8; 32]>;

/// A text in such a buffer, which is not initialised: to write zeros would cost a page fault at
/// every start.
pub struct Text<'a> {
    start: NonNull<u8>,
    length: usize,
    size: usize,
    room: PhantomData<&'a mut [u8]>,
}

impl<'a> Text<'a> {
    /// An empty text.
    pub fn new<const SIZE: usize>(room: &'a mut MaybeUninit<[u8; SIZE]>) -> Self {
        Text { start: NonNull::from(room).cast(), length: 0, size: SIZE, room: PhantomData }
    }

    /// Starts again.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Adds a byte, which is no NUL, unless the text is full.
    #[inline(never)]
    pub fn byte(&mut self, byte: u8) {
        if !self.is_full() {
            // SAFETY: `length` is below `size`, so this byte is in the buffer, which is borrowed
            // mutably.
            unsafe { self.start.add(self.length).write(byte) };
            self.length += 1;
        }
    }

    /// Adds a word.
    pub fn add(&mut self, mut word: Word<'_>) {
        while word.first() != 0 {
            self.byte(word.take());
        }
    }

    /// Adds a number's digits.
    #[cold]
    pub fn number(&mut self, number: u32) {
        if number > 9 {
            self.number(number / 10);
        }
        self.byte(b'0' + (number % 10) as u8);
    }

    /// Whether no more fits, so that the text may have been cut.
    pub fn is_full(&self) -> bool {
        self.length + 1 >= self.size
    }

    /// The text.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the bytes up to `length` have been written, and are borrowed as long as the text.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The text as a word.
    pub fn word(&mut self) -> Word<'_> {
        // SAFETY: `length` is below `size`, so there is room for the NUL. All before it has been
        // written, and the text cannot be changed while the word borrows it.
        unsafe {
            self.start.add(self.length).write(0);
            Word::from_ptr(self.start.as_ptr())
        }
    }
}
