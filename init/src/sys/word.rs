//! Strings as the kernel has them: bytes up to a NUL, behind one pointer.
//!
//! A `&CStr` or `&[u8]` is two machine words, and the former takes a strlen each time one is made.
//! init is a third smaller with these. They are safe to use: none moves past its NUL.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A text that a plain start reads. As a static, unlike a literal, it has a section of its own,
/// which init.ld places beside the code that such a start runs.
#[macro_export]
macro_rules! near {
    ($text:literal) => {{
        static TEXT: [u8; $text.len()] = *$text;
        &TEXT
    }};
}

/// The rest of a string; at its end the next byte is 0, however often it is taken.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Word<'a>(NonNull<u8>, PhantomData<&'a CStr>);

impl<'a> Word<'a> {
    /// A text as a word.
    pub const fn new(text: &'a CStr) -> Self {
        // SAFETY: a CStr ends with NUL.
        unsafe { Word::from_ptr(text.as_ptr().cast()) }
    }

    /// Bytes that end with NUL.
    pub const fn of(text: &'a [u8]) -> Self {
        assert!(matches!(text, [.., 0]));
        // SAFETY: there is a NUL in the text.
        unsafe { Word::from_ptr(text.as_ptr()) }
    }

    /// A string at this address.
    ///
    /// # Safety
    ///
    /// Not null, and readable up to a NUL; it lives as long as `'a`, and nothing writes it meanwhile.
    pub const unsafe fn from_ptr(start: *const u8) -> Self {
        // SAFETY: not null, by the caller's promise.
        Word(unsafe { NonNull::new_unchecked(start.cast_mut()) }, PhantomData)
    }

    /// The next byte.
    pub fn first(self) -> u8 {
        // SAFETY: a word is made of bytes up to a NUL, and `take` never moves past that.
        unsafe { *self.0.as_ptr() }
    }

    /// What follows the next byte; at the end, nothing.
    pub fn rest(mut self) -> Self {
        self.take();
        self
    }

    /// Takes the next byte; 0 at the end.
    pub fn take(&mut self) -> u8 {
        let byte = self.first();
        if byte != 0 {
            // SAFETY: this byte was not the NUL, so another one follows.
            self.0 = unsafe { self.0.add(1) };
        }
        byte
    }

    /// What follows `start`, if the word begins with that.
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

    /// Whether two words are equal.
    pub fn is(self, other: Word<'_>) -> bool {
        self.strip(other).is_some_and(|rest| rest.first() == 0)
    }

    /// What follows the first `byte`; None if there is none.
    pub fn behind(mut self, byte: u8) -> Option<Self> {
        loop {
            match self.take() {
                0 => return None,
                taken if taken == byte => return Some(self),
                _ => {}
            }
        }
    }

    /// The last component of a path.
    pub fn last_component(mut self) -> Self {
        while let Some(behind) = self.behind(b'/') {
            self = behind;
        }
        self
    }

    /// For system calls.
    pub fn as_ptr(self) -> *const u8 {
        self.0.as_ptr()
    }
}

/// A list of words in one text: a table of pointers would be larger than the text.
#[derive(Clone, Copy)]
pub struct Words(Word<'static>);

impl Words {
    /// A text in which each word ends with NUL, and the last word is empty.
    pub const fn new(text: &'static [u8]) -> Self {
        assert!(matches!(text, [.., 0, 0]));
        // SAFETY: the text ends with NUL, by the assertion, and is 'static.
        Words(unsafe { Word::from_ptr(text.as_ptr()) })
    }

    /// The index of the item that a word begins with, and what follows it in the word, which is no
    /// letter.
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
        // SAFETY: this word is not empty, so it is not the last: another follows its NUL.
        self.0.0 = unsafe { self.0.0.add(1) };
        Some(word)
    }
}

/// The rest of argv or of the environment: pointers to strings, up to a null.
#[derive(Clone, Copy)]
pub struct List<'a>(NonNull<Option<Word<'a>>>, PhantomData<&'a Cell<Word<'a>>>);

impl<'a> List<'a> {
    /// From a slice that ends with None.
    pub fn new(words: &'a [Cell<Option<Word<'a>>>]) -> Self {
        assert!(words.last().is_some_and(|last| last.get().is_none()));
        List(NonNull::from(words).cast(), PhantomData)
    }

    /// An array at this address.
    ///
    /// # Safety
    ///
    /// `start` is in an array that ends with null, whose other members point to strings that end
    /// with NUL. They live as long as `'a`, and only by lists they are changed.
    pub const unsafe fn from_ptr(start: NonNull<*const u8>) -> Self {
        List(start.cast(), PhantomData)
    }

    /// The next word.
    pub fn first(self) -> Option<Word<'a>> {
        // SAFETY: in the array: `take` never moves past its null. A Word is a pointer that is not
        // null (repr(transparent)), so a pointer of the array is an `Option<Word>`.
        unsafe { *self.0.as_ptr() }
    }

    /// Takes the next word; None at the end.
    pub fn take(&mut self) -> Option<Word<'a>> {
        let word = self.first();
        if word.is_some() {
            // SAFETY: this was not the null, so another pointer follows.
            self.0 = unsafe { self.0.add(1) };
        }
        word
    }

    /// How often a word is in the list.
    pub fn count(mut self, word: Word<'_>) -> usize {
        let mut count = 0;
        while let Some(next) = self.take() {
            count += usize::from(next.is(word));
        }
        count
    }

    /// Replaces the next word.
    pub fn set(self, word: Word<'a>) {
        // SAFETY: the place is as in `first`; nothing borrows it, as words are copied out of the
        // array.
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

    /// For system calls.
    pub fn as_ptr(self) -> NonNull<*const u8> {
        self.0.cast()
    }
}
