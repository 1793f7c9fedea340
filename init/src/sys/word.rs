//! Words as the kernel hands them over: bytes up to a NUL, behind one pointer.
//!
//! `&CStr` is two machine words and a strlen each time one is made; `&[u8]` makes two registers of
//! every argument. Init is a third smaller with these. They are safe to read: none moves past its
//! end.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A text that a plain start reads. A static, unlike a literal, has a section of its own, which
/// init.ld puts beside the code that such a start runs.
#[macro_export]
macro_rules! near {
    ($text:literal) => {{
        static TEXT: [u8; $text.len()] = *$text;
        &TEXT
    }};
}

/// What is left of a word; at its end the next byte is 0, again and again.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Word<'a>(NonNull<u8>, PhantomData<&'a CStr>);

impl<'a> Word<'a> {
    /// A text as a word.
    pub const fn new(text: &'a CStr) -> Self {
        // SAFETY: a CStr ends with NUL.
        unsafe { Word::from_ptr(text.as_ptr().cast()) }
    }

    /// A text that ends with NUL.
    pub const fn of(text: &'a [u8]) -> Self {
        assert!(matches!(text, [.., 0]));
        // SAFETY: there is a NUL in the text.
        unsafe { Word::from_ptr(text.as_ptr()) }
    }

    /// The kernel's own, or a text that was put together.
    ///
    /// # Safety
    ///
    /// Not null, and followed by a NUL; all up to it lives as long as `'a`, and nobody writes it.
    pub const unsafe fn from_ptr(start: *const u8) -> Self {
        // SAFETY: see above.
        Word(unsafe { NonNull::new_unchecked(start.cast_mut()) }, PhantomData)
    }

    /// The next byte.
    pub fn first(self) -> u8 {
        // SAFETY: made of bytes that end with NUL, and never moved past it.
        unsafe { *self.0.as_ptr() }
    }

    /// What is behind the next byte; at the end, the end.
    pub fn rest(mut self) -> Self {
        self.take();
        self
    }

    /// The next byte, which is then taken.
    pub fn take(&mut self) -> u8 {
        let byte = self.first();
        if byte != 0 {
            // SAFETY: this byte was not the NUL, so there is one behind it.
            self.0 = unsafe { self.0.add(1) };
        }
        byte
    }

    /// What is behind these bytes, if it begins with them.
    pub fn strip(mut self, mut start: Word<'_>) -> Option<Self> {
        while start.first() != 0 {
            if start.take() != self.take() {
                return None;
            }
        }
        Some(self)
    }

    /// How many bytes are left.
    pub fn length(mut self) -> usize {
        let mut length = 0;
        while self.take() != 0 {
            length += 1;
        }
        length
    }

    /// Whether it is the same as another.
    pub fn is(self, other: Word<'_>) -> bool {
        self.strip(other).is_some_and(|rest| rest.first() == 0)
    }

    /// What is behind the first `byte` in it.
    pub fn behind(mut self, byte: u8) -> Option<Self> {
        loop {
            match self.take() {
                0 => return None,
                taken if taken == byte => return Some(self),
                _ => {}
            }
        }
    }

    /// What is behind the last slash of a path.
    pub fn last_component(mut self) -> Self {
        while let Some(behind) = self.behind(b'/') {
            self = behind;
        }
        self
    }

    /// For the kernel.
    pub fn as_ptr(self) -> *const u8 {
        self.0.as_ptr()
    }
}

/// Words behind each other in one text, where a table of pointers would be larger than the text.
#[derive(Clone, Copy)]
pub struct Words(Word<'static>);

impl Words {
    /// A text in which each word ends with NUL, and the last word is empty.
    pub const fn new(text: &'static [u8]) -> Self {
        assert!(matches!(text, [.., 0, 0]));
        // SAFETY: there is a NUL in the text.
        Words(unsafe { Word::from_ptr(text.as_ptr()) })
    }

    /// Where a word is among them, and what is behind it: no letter.
    pub fn position<'a>(self, word: Word<'a>) -> Option<(u8, Word<'a>)> {
        for (index, item) in (0..).zip(self) {
            if let Some(behind) = word.strip(item)
                && behind.first() < b'A'
            {
                return Some((index, behind));
            }
        }
        None
    }
}

impl Iterator for Words {
    type Item = Word<'static>;

    fn next(&mut self) -> Option<Word<'static>> {
        let word = self.0;
        if word.first() == 0 {
            return None;
        }
        while self.0.take() != 0 {}
        // SAFETY: behind the NUL of a word there is another one, at last the empty one.
        self.0.0 = unsafe { self.0.0.add(1) };
        Some(word)
    }
}

/// What is left of argv, or of the environment: words up to a null.
#[derive(Clone, Copy)]
pub struct List<'a>(NonNull<Option<Word<'a>>>, PhantomData<&'a Cell<Word<'a>>>);

impl<'a> List<'a> {
    /// A list as it is handed to a program.
    pub fn new(words: &'a [Cell<Option<Word<'a>>>]) -> Self {
        assert!(words.last().is_some_and(|last| last.get().is_none()));
        List(NonNull::from(words).cast(), PhantomData)
    }

    /// The kernel's own.
    ///
    /// # Safety
    ///
    /// `start` is in an array that ends with null, whose other members point to bytes that end with
    /// NUL; it lives as long as `'a`, and only lists change it.
    pub const unsafe fn from_ptr(start: NonNull<*const u8>) -> Self {
        List(start.cast(), PhantomData)
    }

    /// The next word.
    pub fn first(self) -> Option<Word<'a>> {
        // SAFETY: in the array, and never moved past its null. A word is a pointer that is not
        // null, so a slot of the kernel's is an `Option<Word>`.
        unsafe { *self.0.as_ptr() }
    }

    /// The next word, which is then taken.
    pub fn take(&mut self) -> Option<Word<'a>> {
        let word = self.first();
        if word.is_some() {
            // SAFETY: this was not the null, so there is a slot behind it.
            self.0 = unsafe { self.0.add(1) };
        }
        word
    }

    /// How often a word is among them.
    pub fn count(mut self, word: Word<'_>) -> usize {
        let mut count = 0;
        while let Some(next) = self.take() {
            count += usize::from(next.is(word));
        }
        count
    }

    /// Changes the next word.
    pub fn set(self, word: Word<'a>) {
        // SAFETY: as in `first`; what was there is only read by copying it.
        unsafe { *self.0.as_ptr() = Some(word) };
    }

    /// Moves to a variable, if this is an environment; returns its value.
    pub fn seek(&mut self, name: Word<'_>) -> Option<Word<'a>> {
        while let Some(entry) = self.first() {
            if let Some(mut behind) = entry.strip(name)
                && behind.take() == b'='
            {
                return Some(behind);
            }
            self.take();
        }
        None
    }

    /// The value of a variable, if this is an environment.
    pub fn value(mut self, name: Word<'_>) -> Option<Word<'a>> {
        self.seek(name)
    }

    /// For the kernel.
    pub fn as_ptr(self) -> NonNull<*const u8> {
        self.0.cast()
    }
}
