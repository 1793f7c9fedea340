//! Whether the processor can run guests here, and whether a kernel boots at all, found out by
//! booting one.
//!
//! /dev/kvm is there on machines, virtual ones above all, where it aborts or hangs.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::image::Image;
use super::machine::{Ending, Machine, Run};
use super::qemu::Accelerator;
use crate::console;
use crate::failure::Error;

/// A working KVM needs a second for this.
const LIMIT: Duration = Duration::from_secs(10);

/// Says a word on the verdict's port, and is off.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
echo ready > /dev/ttyS1
/bin/busybox poweroff -f
";

/// What a kernel is tried with.
pub struct Trial<'a> {
    pub qemu: &'a Path,
    pub accelerator: Accelerator,
    /// Of [`write_image`].
    pub image: &'a Path,
    /// Where the ports' files go.
    pub folder: &'a Path,
    pub limit: Duration,
}

impl Trial<'_> {
    /// Boots it, and switches it off.
    pub fn boot(&self, kernel: &Path) -> Result<Run, Error> {
        let file = |name: &str| self.folder.join(format!("probe.{name}.log"));
        let machine = Machine {
            qemu: self.qemu,
            accelerator: self.accelerator,
            kernel,
            initramfs: self.image,
            words: "quiet",
            talk: &[],
            ports: &[file("console"), file("verdict")],
            complaints: &file("qemu"),
            boot_limit: self.limit,
            silence_limit: self.limit,
        };
        machine.run(|_, _| Ok(()))
    }
}

/// The image for it.
pub fn write_image() -> Result<PathBuf, Error> {
    let mut image = Image::default();
    image.add_folder("dev", 0o755);
    image.add_copy("bin/busybox", 0o755, &super::base()?.join("bin/busybox"));
    image.add_file("init", 0o755, INIT);
    let place = super::folder()?.join("probe.initramfs");
    image.write(&place)?;
    Ok(place)
}

/// KVM if this kernel boots with it in a short time.
pub fn choose(qemu: &Path, kernel: &Path) -> Result<Accelerator, Error> {
    let kvm = Path::new("/dev/kvm");
    if OpenOptions::new().read(true).write(true).open(kvm).is_err() {
        return Ok(Accelerator::Tcg);
    }
    console::progress("trying KVM");
    let (image, folder) = (write_image()?, super::folder()?);
    let (image, folder) = (image.as_path(), folder.as_path());
    let trial = Trial { qemu, accelerator: Accelerator::Kvm, image, folder, limit: LIMIT };
    let run = trial.boot(kernel)?;
    if run.booted && run.ending == Ending::SwitchedOff {
        return Ok(Accelerator::Kvm);
    }
    console::progress("/dev/kvm is there but cannot boot a kernel; going on without it");
    Ok(Accelerator::Tcg)
}
