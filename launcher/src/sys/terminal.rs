//! Terminals: modes (termios(3)), sizes and ptys.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::{Result, own};

/// The kernel's struct termios (asm-generic/termbits.h): 36 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Modes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    line: u8,
    characters: [u8; 19],
}

/// A terminal's size, as TIOCGWINSZ has it.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
    x_pixels: u16,
    y_pixels: u16,
}

const TCGETS: u32 = 0x5401;
const TCSETSW: u32 = 0x5403;

/// The modes of a terminal; ENOTTY for any other file.
pub fn modes(fd: BorrowedFd<'_>) -> Result<Modes> {
    let mut modes =
        Modes { input: 0, output: 0, control: 0, local: 0, line: 0, characters: [0; 19] };
    // SAFETY: the kernel writes one struct termios.
    unsafe { syscall!(Sysno::ioctl, fd.as_raw_fd(), TCGETS, &raw mut modes) }?;
    Ok(modes)
}

/// Sets the modes after the output written so far (TCSADRAIN).
pub fn set_modes(fd: BorrowedFd<'_>, modes: &Modes) -> Result<()> {
    // SAFETY: the kernel reads one struct termios.
    unsafe { syscall!(Sysno::ioctl, fd.as_raw_fd(), TCSETSW, std::ptr::from_ref(modes)) }.map(drop)
}

impl Modes {
    /// As cfmakeraw(3): every byte passes unchanged in both directions.
    pub fn raw(mut self) -> Modes {
        self.input &= !(libc::IGNBRK
            | libc::BRKINT
            | libc::PARMRK
            | libc::ISTRIP
            | libc::INLCR
            | libc::IGNCR
            | libc::ICRNL
            | libc::IXON);
        self.output &= !libc::OPOST;
        self.local &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG | libc::IEXTEN);
        self.control = self.control & !(libc::CSIZE | libc::PARENB) | libc::CS8;
        self.characters[libc::VMIN] = 1;
        self.characters[libc::VTIME] = 0;
        self
    }

    /// With what depends on the keyboard and not on the program: the erase character, and whether
    /// characters are UTF-8.
    pub fn with_keys_of(mut self, other: &Modes) -> Modes {
        self.input |= other.input & libc::IUTF8;
        self.characters[libc::VERASE] = other.characters[libc::VERASE];
        self
    }

    /// Whether input is neither echoed nor edited.
    pub fn is_raw(&self) -> bool {
        self.local & (libc::ECHO | libc::ICANON | libc::ISIG) == 0
    }

    /// Whether a process that writes from the background is stopped (TOSTOP).
    pub fn stops_writers(&self) -> bool {
        self.local & libc::TOSTOP != 0
    }

    /// The character that ends the input (VEOF, Ctrl-D).
    pub fn end_of_input(&self) -> u8 {
        self.characters[libc::VEOF]
    }
}

/// The size of a terminal.
pub fn size(fd: BorrowedFd<'_>) -> Result<Size> {
    let mut size = Size::default();
    // SAFETY: the kernel writes one struct winsize.
    unsafe { syscall!(Sysno::ioctl, fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) }?;
    Ok(size)
}

/// Sets the size of a terminal; its foreground processes get SIGWINCH.
pub fn set_size(fd: BorrowedFd<'_>, size: &Size) -> Result<()> {
    // SAFETY: the kernel reads one struct winsize.
    unsafe { syscall!(Sysno::ioctl, fd.as_raw_fd(), libc::TIOCSWINSZ, std::ptr::from_ref(size)) }
        .map(drop)
}

/// unlockpt(3): lets the other side of a pty be opened.
pub fn unlock(master: BorrowedFd<'_>) -> Result<()> {
    let zero = 0i32;
    // SAFETY: the kernel reads one int.
    unsafe { syscall!(Sysno::ioctl, master.as_raw_fd(), libc::TIOCSPTLCK, &raw const zero) }
        .map(drop)
}

/// Opens the other side of a pty, without a path (TIOCGPTPEER, Linux 4.13).
pub fn open_peer(master: BorrowedFd<'_>) -> Result<OwnedFd> {
    const TIOCGPTPEER: u32 = 0x5441;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: this request takes flags by value.
    unsafe { syscall!(Sysno::ioctl, master.as_raw_fd(), TIOCGPTPEER, flags) }.map(own)
}

/// Whether we may read from this terminal now: we are in its foreground, or it is not our
/// controlling terminal.
pub fn is_foreground(fd: BorrowedFd<'_>) -> bool {
    let mut group = 0i32;
    // SAFETY: the kernel writes one int.
    let foreground =
        unsafe { syscall!(Sysno::ioctl, fd.as_raw_fd(), libc::TIOCGPGRP, &raw mut group) };
    // SAFETY: it takes no memory and cannot fail.
    let own = unsafe { syscall!(Sysno::getpgid, 0) };
    foreground.is_err() || own == Ok(group as usize)
}
