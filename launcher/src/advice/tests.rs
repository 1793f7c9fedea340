//! No stage is without advice.

use super::*;
use crate::error::general_advice;

/// What a kernel, a full or broken machine, a filter or a hostile rootfs answers with.
const LIKELY: [Errno; 23] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::EIO,
    Errno::E2BIG,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::ENODEV,
    Errno::ENOTDIR,
    Errno::EISDIR,
    Errno::EINVAL,
    Errno::ENFILE,
    Errno::EMFILE,
    Errno::ENOSPC,
    Errno::EROFS,
    Errno::ENAMETOOLONG,
    Errno::ENOSYS,
    Errno::ELOOP,
    Errno::EOPNOTSUPP,
    Errno::ESTALE,
    Errno::EDQUOT,
];

#[test]
fn every_stage_has_advice_for_every_likely_errno() {
    for &stage in Stage::ALL {
        for errno in LIKELY {
            let advice = of(stage, errno);
            let advice = advice.as_deref().or(general_advice(errno));
            assert!(advice.is_some_and(|text| text.len() > 10), "{stage:?} {errno}");
        }
    }
}
