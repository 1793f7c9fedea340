//! Reports: the records that the child and init send to the parent, eight bytes each.
//!
//! They are sent on a `SOCK_SEQPACKET` socket, one record a packet, so none is read in part. The
//! end of the stream means that the sender has gone.

use crate::stage::Stage;

/// Bytes of a record.
pub const SIZE: usize = 8;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// This stage failed; nothing further will be done.
    Failed {
        /// The stage.
        stage: Stage,
        /// The errno it failed with.
        errno: u16,
        /// Which of the stage's objects (device, mount point …), where it has several.
        object: u16,
    },
    /// The kernel has refused a step that the container can do without.
    Skipped {
        /// The stage.
        stage: Stage,
        /// The errno it failed with.
        errno: u16,
    },
    /// This stage is done (with `--verbose` only).
    Done {
        /// The stage.
        stage: Stage,
        /// Since the sender's previous one, in microseconds.
        micros: u32,
    },
    /// The sender, an intermediate process, exits; the container is this process from here on (an
    /// ordinary user on an initial ramfs).
    HandedOver {
        /// Its pid, in the pid namespace of the sender and the launcher.
        pid: u32,
    },
    /// The sender has entered another namespace, and waits until the parent has read it (with
    /// `--status-fd`).
    Moved,
    /// The master side of the container's terminal is in this packet's ancillary data.
    Terminal,
    /// The command is running: execve(2) succeeded.
    Started,
    /// A signal has stopped the command, which has a terminal. Not if the launcher passed that
    /// signal on.
    Stopped {
        /// Its number.
        signal: u32,
    },
    /// A signal has ended the command. (An exit code is init's own exit code.)
    Ended {
        /// The wait status, for [`crate::exit::Ending`].
        status: u32,
    },
}

const FAILED: u8 = 1;
const SKIPPED: u8 = 2;
const DONE: u8 = 3;
const TERMINAL: u8 = 4;
const STARTED: u8 = 5;
const ENDED: u8 = 6;
const HANDED_OVER: u8 = 7;
const MOVED: u8 = 8;
const STOPPED: u8 = 9;

impl Report {
    /// Layout: kind, stage, errno (little endian), a 32-bit detail (little endian).
    #[inline(always)] // for each kind a constant and a few shifts
    pub fn to_bytes(self) -> [u8; SIZE] {
        let (kind, second, errno, detail) = match self {
            Report::Failed { stage, errno, object } => {
                (FAILED, stage as u8, errno, u32::from(object))
            }
            Report::Skipped { stage, errno } => (SKIPPED, stage as u8, errno, 0),
            Report::Done { stage, micros } => (DONE, stage as u8, 0, micros),
            Report::HandedOver { pid } => (HANDED_OVER, 0, 0, pid),
            Report::Moved => (MOVED, 0, 0, 0),
            Report::Terminal => (TERMINAL, 0, 0, 0),
            Report::Started => (STARTED, 0, 0, 0),
            Report::Stopped { signal } => (STOPPED, 0, 0, signal),
            Report::Ended { status } => (ENDED, 0, 0, status),
        };
        let heads = u32::from(kind) | u32::from(second) << 8 | u32::from(errno) << 16;
        (u64::from(detail) << 32 | u64::from(heads)).to_le_bytes()
    }

    /// The inverse of [`Report::to_bytes`]; `None` for bytes that are no record.
    pub fn from_bytes(bytes: &[u8]) -> Option<Report> {
        let &[kind, second, e0, e1, d0, d1, d2, d3] = bytes else { return None };
        let errno = u16::from_le_bytes([e0, e1]);
        let detail = u32::from_le_bytes([d0, d1, d2, d3]);
        Some(match kind {
            FAILED => Report::Failed {
                stage: Stage::from_number(second)?,
                errno,
                object: u16::try_from(detail).ok()?,
            },
            SKIPPED => Report::Skipped { stage: Stage::from_number(second)?, errno },
            DONE => Report::Done { stage: Stage::from_number(second)?, micros: detail },
            HANDED_OVER => Report::HandedOver { pid: detail },
            MOVED => Report::Moved,
            TERMINAL => Report::Terminal,
            STARTED => Report::Started,
            STOPPED => Report::Stopped { signal: detail },
            ENDED => Report::Ended { status: detail },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_round_trips() {
        let mut records = vec![Report::Moved, Report::Terminal, Report::Started];
        records.push(Report::Stopped { signal: 20 });
        records.push(Report::Ended { status: 0x8b });
        records.push(Report::HandedOver { pid: 1 << 22 });
        for &stage in Stage::ALL {
            records.push(Report::Failed { stage, errno: 133, object: 65535 });
            records.push(Report::Skipped { stage, errno: 1 });
            records.push(Report::Done { stage, micros: u32::MAX });
        }
        for record in records {
            assert_eq!(Report::from_bytes(&record.to_bytes()), Some(record));
        }
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        assert_eq!(Report::from_bytes(&[]), None);
        assert_eq!(Report::from_bytes(&[0; 8]), None);
        assert_eq!(Report::from_bytes(&[99, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Report::from_bytes(&[FAILED, 255, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Report::from_bytes(&[STARTED; 9]), None);
    }
}
