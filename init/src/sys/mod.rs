//! init's only `unsafe`: one typed wrapper per system call, over the `sc` crate.
//!
//! Everything above works with `Result<_, Errno>`, `&CStr` and plain numbers. No wrapper touches
//! memory that it was not lent.
#![allow(unsafe_code)]

mod start;

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr;

use sc::syscall;

/// An errno, as the kernel returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    pub const ENOENT: Errno = Errno(2);
    pub const ENOEXEC: Errno = Errno(8);
    pub const ECHILD: Errno = Errno(10);
    pub const EAGAIN: Errno = Errno(11);
    pub const EACCES: Errno = Errno(13);
    pub const ENOTDIR: Errno = Errno(20);
    pub const EINVAL: Errno = Errno(22);
    pub const ENAMETOOLONG: Errno = Errno(36);
}

pub type Result<T> = core::result::Result<T, Errno>;

/// The kernel's convention: -4095 to -1 are errnos.
fn decode(value: usize) -> Result<usize> {
    match -(value as isize) {
        errno @ 1..=4095 => Err(Errno(errno as u16)),
        _ => Ok(value),
    }
}

fn decode_unit(value: usize) -> Result<()> {
    decode(value).map(drop)
}

// ---- what the kernel handed over -------------------------------------------------------------

/// argv and the environment. They live on the initial stack, as long as the process does.
#[derive(Clone, Copy)]
pub struct Process {
    argc: usize,
    argv: *mut *const u8,
    envp: *const *const u8,
}

/// Called by `_start` with the stack pointer the kernel set up.
extern "C" fn entry(stack: *mut usize) -> ! {
    // SAFETY: the kernel puts argc at the stack pointer, argv with its NULL behind it, then the
    // environment with its NULL (fs/binfmt_elf.c, create_elf_tables).
    let process = unsafe {
        let argc = *stack;
        let argv = stack.add(1).cast::<*const u8>();
        Process { argc, argv, envp: argv.add(argc + 1) }
    };
    exit(crate::main(process))
}

impl Process {
    /// A word of argv.
    pub fn word(self, index: usize) -> Option<&'static CStr> {
        // SAFETY: the index is in range, and the kernel ends every word with NUL; nothing writes
        // to them.
        (index < self.argc).then(|| unsafe { CStr::from_ptr((*self.argv.add(index)).cast()) })
    }

    /// All words of argv.
    pub fn words(self) -> impl Iterator<Item = &'static CStr> {
        (0..self.argc).filter_map(move |index| self.word(index))
    }

    /// The value of an environment variable.
    pub fn env(self, name: &[u8]) -> Option<&'static [u8]> {
        let mut at = self.envp;
        loop {
            // SAFETY: `at` walks the environment up to its NULL; each entry ends with NUL.
            let entry = unsafe {
                if (*at).is_null() {
                    return None;
                }
                CStr::from_ptr((*at).cast()).to_bytes()
            };
            if let Some(value) = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
                return Some(value);
            }
            // SAFETY: the entry was not the NULL at the end.
            at = unsafe { at.add(1) };
        }
    }

    /// Puts other words before the command's own: `sh FILE` for a file without `#!`.
    /// `index` is the command's, at least 1; the slot before it is one of init's own words.
    pub fn prepend_shell(self, index: usize, shell: &'static CStr, file: &CStr) {
        // SAFETY: `index - 1` and `index` are slots of argv. `file` outlives the execve that
        // follows: the caller keeps it on its own stack until then.
        unsafe {
            *self.argv.add(index - 1) = shell.as_ptr().cast();
            *self.argv.add(index) = file.as_ptr().cast();
        }
    }

    /// execve(2) with argv from `index` on and the whole environment. Returns only to fail.
    pub fn execute(self, path: &CStr, index: usize) -> Errno {
        // SAFETY: the path ends with NUL; argv and envp are NULL-terminated arrays of
        // NUL-terminated words.
        let result = unsafe { syscall!(EXECVE, path.as_ptr(), self.argv.add(index), self.envp) };
        decode(result).err().unwrap_or(Errno::EINVAL)
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A bug: say so by the code that means "ours", as there is nobody to print for.
    exit(init::exit::FAILED)
}

// ---- processes ---------------------------------------------------------------------------------

/// exit_group(2).
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: it takes no memory and does not return.
        unsafe { syscall!(EXIT_GROUP, code) };
    }
}

const CLONE_VM: usize = 0x100;
const CLONE_VFORK: usize = 0x4000;
const SIGCHLD_NUMBER: usize = 17;

/// vfork(2) on a stack of its own: `child` runs in this memory while we sleep, until it has
/// executed something or has left. Returns its pid.
pub fn spawn<T>(context: &T, child: extern "C" fn(usize) -> !) -> Result<i32> {
    // Enough for PATH_MAX twice and the frames above; only the touched pages exist.
    let mut stack = MaybeUninit::<[u8; 16384]>::uninit();
    let end = stack.as_mut_ptr().wrapping_add(1).cast::<u8>();
    let top = end.wrapping_sub(end as usize % 16);
    // SAFETY: CLONE_VFORK suspends us until the child has left this memory, so the stack and
    // `context` outlive it, and nobody writes `context` meanwhile but the child, through
    // Cell-like fields that it is lent. `child` does not return.
    let pid = unsafe {
        start::run_on_stack(
            CLONE_VM | CLONE_VFORK | SIGCHLD_NUMBER,
            top,
            child,
            ptr::from_ref(context) as usize,
        )
    };
    decode(pid as usize).map(|pid| pid as i32)
}

/// The context that [`spawn`] lent to its child.
///
/// `argument` must be what the child function was called with, and `T` what spawn was given;
/// there is one caller.
pub fn context<'a, T>(argument: usize) -> &'a T {
    // SAFETY: spawn passes a `&T` that lives until the child has left; see there.
    unsafe { &*(argument as *const T) }
}

/// wait4(2) for any child that has ended: its pid and status, or None while all are alive.
pub fn reap() -> Result<Option<(i32, u32)>> {
    const WNOHANG: usize = 1;
    const WALL: usize = 0x4000_0000;
    let mut status = 0u32;
    // SAFETY: the kernel writes one int to `status`, which is one.
    let pid = unsafe { syscall!(WAIT4, -1isize, &raw mut status, WNOHANG | WALL, 0) };
    decode(pid).map(|pid| (pid != 0).then_some((pid as i32, status)))
}

// ---- signals -----------------------------------------------------------------------------------

pub const SIGTERM: i32 = 15;
pub const SIGCHLD: i32 = 17;
pub const SIGCONT: i32 = 18;

/// A set of signals, bit N-1 for signal N, as the kernel keeps it.
pub type SignalSet = u64;
const SET_BYTES: usize = 8;

/// The head of the kernel's siginfo_t: all that is read here; the rest is carried along.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SignalInfo {
    pub signal: i32,
    pub errno: i32,
    pub code: i32,
    rest: [u32; 29],
}

/// Blocks every signal; returns the mask before.
pub fn block_all_signals() -> Result<SignalSet> {
    set_mask(u64::MAX)
}

/// Sets the signal mask; returns the one before.
pub fn set_mask(mask: SignalSet) -> Result<SignalSet> {
    const SIG_SETMASK: usize = 2;
    let mut old: SignalSet = 0;
    // SAFETY: both point to sets of SET_BYTES bytes.
    let result =
        unsafe { syscall!(RT_SIGPROCMASK, SIG_SETMASK, &raw const mask, &raw mut old, SET_BYTES) };
    decode(result).map(|_| old)
}

/// Gives SIGCHLD its default action: if it is ignored, the kernel reaps for us and no wait(2)
/// ever learns how the command ended.
pub fn default_sigchld() -> Result<()> {
    // struct kernel_sigaction: handler, flags, restorer, mask. All zero is SIG_DFL. (On aarch64
    // there is no restorer in use, but the size is the same.)
    let action = [0usize; 4];
    // SAFETY: `action` has the size of the kernel's struct; the old one is not asked for.
    decode_unit(unsafe { syscall!(RT_SIGACTION, SIGCHLD, action.as_ptr(), 0, SET_BYTES) })
}

/// Takes the next signal, waiting up to `timeout_ms`, or for ever. EAGAIN: none came in time.
pub fn wait_signal(timeout_ms: Option<u64>) -> Result<SignalInfo> {
    let all: SignalSet = u64::MAX;
    let mut info = SignalInfo { signal: 0, errno: 0, code: 0, rest: [0; 29] };
    let time = timeout_ms.map(|ms| [ms / 1000, ms % 1000 * 1_000_000]);
    let time = time.as_ref().map_or(ptr::null(), |time| time.as_ptr());
    // SAFETY: `info` has the 128 bytes of siginfo_t; `time` is null or a 64-bit timespec.
    let result = unsafe {
        syscall!(RT_SIGTIMEDWAIT, &raw const all, &raw mut info, time, SET_BYTES)
    };
    decode(result).map(|_| info)
}

/// kill(2).
pub fn kill(target: i32, signal: i32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(KILL, target as isize, signal) })
}

/// rt_sigqueueinfo(2): passes a signal on with its payload.
pub fn queue(target: i32, info: &SignalInfo) -> Result<()> {
    // SAFETY: `info` has the 128 bytes of siginfo_t and is only read.
    decode_unit(unsafe {
        syscall!(RT_SIGQUEUEINFO, target as isize, info.signal, ptr::from_ref(info))
    })
}

// ---- identity ----------------------------------------------------------------------------------

/// prctl(2) with plain numbers.
fn prctl(option: usize, argument: usize) -> Result<()> {
    // SAFETY: the options used here take no memory.
    decode_unit(unsafe { syscall!(PRCTL, option, argument, 0, 0, 0) })
}

/// Sets the name that ps shows.
pub fn set_name(name: &CStr) -> Result<()> {
    const PR_SET_NAME: usize = 15;
    prctl(PR_SET_NAME, name.as_ptr() as usize)
}

/// Removes a capability from the bounding set; EINVAL for a number the kernel does not know.
pub fn drop_bounding(capability: usize) -> Result<()> {
    const PR_CAPBSET_DROP: usize = 24;
    prctl(PR_CAPBSET_DROP, capability)
}

/// Sets no_new_privs.
pub fn set_no_new_privs() -> Result<()> {
    const PR_SET_NO_NEW_PRIVS: usize = 38;
    prctl(PR_SET_NO_NEW_PRIVS, 1)
}

/// Sets the permitted and effective capabilities; the inheritable ones are cleared.
pub fn set_capabilities(set: u64) -> Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let (low, high) = (set as u32, (set >> 32) as u32);
    let data = [low, low, 0, high, high, 0];
    // SAFETY: a version 3 header is followed by two data structs of three words.
    decode_unit(unsafe { syscall!(CAPSET, header.as_ptr(), data.as_ptr()) })
}

/// setresuid(2) to one id.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(SETRESUID, uid, uid, uid) })
}

/// setresgid(2) to one id.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(SETRESGID, gid, gid, gid) })
}

/// setgroups(2).
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: pointer and length are of one slice, which is only read.
    decode_unit(unsafe { syscall!(SETGROUPS, groups.len(), groups.as_ptr()) })
}

/// setsid(2).
pub fn start_session() -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(SETSID) })
}

/// Makes standard input the session's controlling terminal.
pub fn take_terminal() -> Result<()> {
    const TIOCSCTTY: usize = 0x540e;
    // SAFETY: this request takes a number.
    decode_unit(unsafe { syscall!(IOCTL, 0, TIOCSCTTY, 0) })
}

// ---- files and mounts --------------------------------------------------------------------------

const AT_FDCWD: isize = -100;

/// Changes into a directory that is no symbolic link in its last component.
pub fn change_directory_nofollow(path: &CStr) -> Result<()> {
    const O_PATH_DIRECTORY_NOFOLLOW_CLOEXEC: usize = O_PATH | O_DIRECTORY | O_NOFOLLOW | 0o2_000_000;
    const O_PATH: usize = 0o10_000_000;
    #[cfg(target_arch = "x86_64")]
    const O_DIRECTORY: usize = 0o200_000;
    #[cfg(target_arch = "x86_64")]
    const O_NOFOLLOW: usize = 0o400_000;
    #[cfg(target_arch = "aarch64")]
    const O_DIRECTORY: usize = 0o40_000;
    #[cfg(target_arch = "aarch64")]
    const O_NOFOLLOW: usize = 0o100_000;
    // SAFETY: the path ends with NUL.
    let fd = decode(unsafe {
        syscall!(OPENAT, AT_FDCWD, path.as_ptr(), O_PATH_DIRECTORY_NOFOLLOW_CLOEXEC, 0)
    })?;
    // SAFETY: the fd is ours and closed right after.
    unsafe {
        let result = decode_unit(syscall!(FCHDIR, fd));
        syscall!(CLOSE, fd);
        result
    }
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> Result<()> {
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(CHDIR, path.as_ptr()) })
}

pub const MS_RDONLY: usize = 1;
pub const MS_NOSUID: usize = 2;
pub const MS_NODEV: usize = 4;
pub const MS_NOEXEC: usize = 8;
pub const MS_REMOUNT: usize = 32;
pub const MS_BIND: usize = 4096;

/// mount(2); the type doubles as the source's name.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: usize) -> Result<()> {
    // SAFETY: all three end with NUL; there is no data.
    decode_unit(unsafe {
        syscall!(MOUNT, source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, 0)
    })
}

/// umount2(2) with MNT_DETACH.
pub fn detach(target: &CStr) -> Result<()> {
    const MNT_DETACH: usize = 2;
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(UMOUNT2, target.as_ptr(), MNT_DETACH) })
}

// ---- file descriptors --------------------------------------------------------------------------

/// write(2); how much went out does not matter to any caller (a record is one packet).
pub fn write(fd: i32, bytes: &[u8]) -> Result<()> {
    // SAFETY: pointer and length are of one slice, which is only read.
    decode_unit(unsafe { syscall!(WRITE, fd, bytes.as_ptr(), bytes.len()) })
}

/// The first bytes of a file.
pub fn read_head(path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    const O_CLOEXEC_NONBLOCK: usize = 0o2_004_000;
    // SAFETY: the path ends with NUL; the buffer is writable for its length; the fd is ours.
    unsafe {
        let fd = decode(syscall!(OPENAT, AT_FDCWD, path.as_ptr(), O_CLOEXEC_NONBLOCK, 0))?;
        let count = decode(syscall!(READ, fd, buffer.as_mut_ptr(), buffer.len()));
        syscall!(CLOSE, fd);
        count
    }
}

/// Sets close-on-exec.
pub fn close_on_exec(fd: i32) -> Result<()> {
    const F_SETFD: usize = 2;
    const FD_CLOEXEC: usize = 1;
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(FCNTL, fd, F_SETFD, FD_CLOEXEC) })
}

/// close_range(2), both ends included.
pub fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: nothing in this process owns an fd in the ranges that are closed.
    decode_unit(unsafe { syscall!(CLOSE_RANGE, first, last, 0) })
}

/// The monotonic clock in microseconds.
pub fn now_micros() -> u64 {
    const CLOCK_MONOTONIC: usize = 1;
    let mut time = [0u64; 2];
    // SAFETY: the kernel writes one 64-bit timespec.
    unsafe { syscall!(CLOCK_GETTIME, CLOCK_MONOTONIC, time.as_mut_ptr()) };
    time[0] * 1_000_000 + time[1] / 1000
}
