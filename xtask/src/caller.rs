//! Who runs this task.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::{At, Error};

/// Our effective uid and gid: the owner of /proc/self.
pub fn ids() -> Result<(u32, u32), Error> {
    let proc_self = Path::new("/proc/self");
    let metadata = proc_self.metadata().at("read", proc_self)?;
    Ok((metadata.uid(), metadata.gid()))
}
