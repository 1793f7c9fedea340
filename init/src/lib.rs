//! The contract between `launcher` and `init`: what one writes and the other reads. Both link this.
//!
//! Numbers and words are in argv ([`contract`], [`args`]); reports and the seccomp filter go by
//! inherited descriptors ([`report`]); nothing is in the environment. `core` only and no system
//! calls, so that all of it is unit-tested on the host.
//!
//! A change that an older peer would misread increments [`VERSION`].

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

/// The version of this contract. `init` refuses a launcher of another one.
pub const VERSION: u32 = 6;

/// `si_code` of a signal that the launcher passes on for a terminal (Ctrl-C, hang-up): init sends
/// it to the command's whole process group, as the terminal would have.
///
/// The kernel lets a process queue any negative code except `SI_TKILL` (-6) for another process
/// (kernel/signal.c, `do_rt_sigqueueinfo`); this one is minus `SI_KERNEL`, the code it stands for.
pub const SI_FROM_TERMINAL: i32 = -0x80;
