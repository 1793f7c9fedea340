//! The contract between `launcher` and `init`: what the one writes and the other reads.
//!
//! `core` only and free of system calls, so that both sides link it and every table in it is
//! unit-tested on the host. Words travel in argv ([`contract`], [`args`]), everything else by
//! inherited file descriptors; nothing in the environment.
//!
//! A change that an older peer would misread bumps [`VERSION`].

#![cfg_attr(not(test), no_std)]

pub mod args;
pub mod contract;
pub mod exit;
pub mod head;
pub mod names;
pub mod report;
pub mod signals;
pub mod stage;
#[path = "sys/word.rs"]
pub mod word;

/// The version of this contract. `init` refuses to start for a launcher that speaks another one.
pub const VERSION: u32 = 6;

/// `si_code` of a signal that the launcher passes on for a terminal (Ctrl-C, hang-up): init hands
/// it to the command's whole process group, as the terminal would have.
///
/// The kernel lets a process queue any negative code except `SI_TKILL` (-6) for another process
/// (kernel/signal.c, `do_rt_sigqueueinfo`); this one is minus `SI_KERNEL`, the code it stands for.
pub const SI_FROM_TERMINAL: i32 = -0x80;
