//! Adds the path rules of `--landlock` to the ruleset, with the paths as the container sees them:
//! when everything is mounted.

use std::os::fd::{AsFd, BorrowedFd};

use init::stage::Stage;

use super::reporter::{At as _, Failure};
use crate::prepare::Prepared;
use crate::resolve;
use crate::spec::landlock::OF_A_FILE;
use crate::sys::{Result as SysResult, file, landlock};

/// Adds a rule for each path. It is about the file (inode), whatever is mounted over the path later.
pub fn allow_paths(prepared: &Prepared<'_>, root: BorrowedFd<'_>) -> Result<(), Failure> {
    let (Some(rules), Some(asked)) = (&prepared.landlock, &prepared.spec.confine.landlock) else {
        return Ok(());
    };
    for (index, (path, access)) in asked.paths.iter().enumerate() {
        let allow = || -> SysResult<()> {
            let file = resolve::open(root, path, libc::O_PATH)?;
            let is_dir = file::stat_fd(file.as_fd())?.is_dir();
            let access = access & rules.files & if is_dir { u64::MAX } else { OF_A_FILE };
            landlock::allow_below(rules.set.as_fd(), file.as_fd(), access)
        };
        allow().at_object(Stage::AllowPath, index)?;
    }
    Ok(())
}
