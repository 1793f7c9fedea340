//! The assembly: the process's first instructions, a function in a vfork child, and an empty signal
//! handler.
//!
//! There is no C library: the kernel starts the process at `_start`, with argc, argv and the
//! environment on the stack (System V ABI, "Process Initialization").
//!
//! `run_in_child(flags, function, argument)` is clone(2) without a new stack: with CLONE_VM and
//! CLONE_VFORK the child uses the stack below our frame while we are suspended, as after vfork(2),
//! and must not return into that frame. The kernel preserves all registers but those of the result.

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp", // the outermost frame
    "mov rdi, rsp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    ".globl run_in_child",
    "run_in_child:",
    "push rsi",
    "push rdx",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "mov eax, 56",
    "syscall",
    "pop rdi",
    "pop rsi",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    // Below the return address, which the parent still needs.
    "sub rsp, 8",
    "call rsi",
    "ud2",
    ".globl do_nothing",
    "do_nothing:",
    "pop rax", // the restorer's address, which is 0; the signal frame follows
    "push 15",
    "pop rax",
    "syscall",
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
    ".globl run_in_child",
    "run_in_child:",
    "mov x9, x1",
    "mov x10, x2",
    "mov x1, xzr",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x4, xzr",
    "mov x8, #220",
    "svc #0",
    "cbz x0, 2f",
    "ret",
    "2:",
    "mov x0, x10",
    "blr x9",
    "brk #1",
    ".globl do_nothing",
    "do_nothing:",
    "ret",
    entry = sym super::entry,
);

#[cfg(target_arch = "riscv64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mv a0, sp",
    "andi sp, sp, -16",
    "call {entry}",
    "unimp",
    ".globl run_in_child",
    "run_in_child:",
    "mv t1, a1",
    "mv t2, a2",
    "li a1, 0",
    "li a2, 0",
    "li a3, 0",
    "li a4, 0",
    "li a7, 220",
    "ecall",
    "beqz a0, 2f",
    "ret",
    "2:",
    "mv a0, t2",
    "jalr t1",
    "unimp",
    ".globl do_nothing",
    "do_nothing:",
    "ret",
    entry = sym super::entry,
);

#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".arm",
    ".globl _start",
    "_start:",
    "mov r0, sp",
    "bic sp, sp, #15",
    "bl {entry}",
    "udf #0",
    ".globl run_in_child",
    "run_in_child:",
    "push {{r4, r5, r7, lr}}",
    "mov r5, r1",
    "mov r12, r2",
    "mov r1, #0",
    "mov r2, #0",
    "mov r3, #0",
    "mov r4, #0",
    "mov r7, #120",
    "svc #0",
    "cmp r0, #0",
    "beq 2f",
    "pop {{r4, r5, r7, pc}}",
    "2:",
    "mov r0, r12",
    "blx r5",
    "udf #0",
    ".globl do_nothing",
    "do_nothing:",
    "bx lr",
    entry = sym super::entry,
);

unsafe extern "C" {
    /// clone(2) with `flags`. The child calls `function(argument)`, which must not return. Returns
    /// the pid or minus the errno.
    pub(super) fn run_in_child(
        flags: usize,
        function: extern "C" fn(usize) -> !,
        argument: usize,
    ) -> isize;

    /// A signal handler that does nothing but rt_sigreturn(2): on x86_64 itself, elsewhere by the
    /// kernel's return address. Only the kernel may call it.
    pub(super) fn do_nothing();
}
