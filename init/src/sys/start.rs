//! The first instructions of the process, and the one way to run a function on another stack.
//!
//! There is no libc: the kernel enters at `_start` with argc, argv and the environment on the
//! stack (System V ABI, "Process Initialization"), and the compiler's calls to memcpy and its
//! like are answered here.

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp", // the outermost frame
    "mov rdi, rsp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    // run_on_stack(flags: rdi, top: rsi, function: rdx, argument: rcx) -> rax
    // clone(flags, stack, parent_tid, child_tid, tls); the kernel keeps all but rax, rcx, r11.
    ".globl run_on_stack",
    "run_on_stack:",
    "mov r8, rdx",
    "mov r9, rcx",
    "xor edx, edx",
    "xor r10d, r10d",
    "mov eax, 56",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    "xor ebp, ebp",
    "mov rdi, r9",
    "call r8",
    "ud2",
    entry = sym super::entry,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "and sp, x0, #-16",
    "bl {entry}",
    "brk #1",
    // run_on_stack(flags: x0, top: x1, function: x2, argument: x3) -> x0
    // clone(flags, stack, parent_tid, tls, child_tid); the kernel keeps all but x0.
    ".globl run_on_stack",
    "run_on_stack:",
    "mov x9, x2",
    "mov x10, x3",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x4, xzr",
    "mov x8, #220",
    "svc #0",
    "cbz x0, 2f",
    "ret",
    "2:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, x10",
    "blr x9",
    "brk #1",
    entry = sym super::entry,
);

unsafe extern "C" {
    /// clone(2) with `flags`; the new process calls `function(argument)` on the stack that ends
    /// at `top`, and `function` must not return. The caller gets the pid or minus the errno.
    pub(super) fn run_on_stack(
        flags: usize,
        top: *mut u8,
        function: extern "C" fn(usize) -> !,
        argument: usize,
    ) -> isize;
}

// The compiler may call these for any copy or comparison. Volatile accesses keep it from
// recognising each loop as a call to the very function it stands in.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for i in 0..count {
        // SAFETY: memcpy's contract: both regions are valid for `count` bytes.
        unsafe { to.add(i).write_volatile(from.add(i).read()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    for i in 0..count {
        // SAFETY: memset's contract: `to` is valid for `count` bytes.
        unsafe { to.add(i).write_volatile(byte as u8) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    for i in 0..count {
        // SAFETY: memcmp's contract: both regions are valid for `count` bytes.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: strlen's contract: `text` is readable up to its NUL.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
