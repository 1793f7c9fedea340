//! Whether the processor can run guests here, and whether a kernel boots at all, found out by
//! booting one.
//!
//! /dev/kvm is there on machines, virtual ones above all, where it aborts or hangs.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::image::Image;
use super::kernel::Kernel;
use super::machine::{Ending, Machine, Run};
use super::qemu::{self, Accelerator, Qemu};
use crate::arch::Arch;
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
    pub qemu: &'a Qemu,
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
pub fn write_image(arch: Arch) -> Result<PathBuf, Error> {
    let mut image = Image::default();
    image.add_folder("dev", 0o755);
    image.add_copy("bin/busybox", 0o755, &super::base(arch)?.join("bin/busybox"));
    image.add_file("init", 0o755, INIT);
    let place = super::folder()?.join(format!("probe-{}.initramfs", arch.name()));
    image.write(&place)?;
    Ok(place)
}

/// QEMU for machines of this kernel's architecture: with KVM if the kernel boots so in a short time.
pub fn choose(kernel: &Kernel) -> Result<Qemu, Error> {
    let arch = kernel.arch;
    let program = qemu::find_or_install(arch)?;
    let mut qemu = Qemu { program, arch, accelerator: Accelerator::Tcg };
    let kvm = Path::new("/dev/kvm");
    let is_own = arch == Arch::own()?;
    if !is_own || OpenOptions::new().read(true).write(true).open(kvm).is_err() {
        return Ok(qemu);
    }
    console::progress("trying KVM");
    qemu.accelerator = Accelerator::Kvm;
    let (image, folder) = (write_image(arch)?, super::folder()?);
    let (image, folder) = (image.as_path(), folder.as_path());
    let run = Trial { qemu: &qemu, image, folder, limit: LIMIT }.boot(&kernel.image)?;
    if !run.booted || run.ending != Ending::SwitchedOff {
        console::progress("/dev/kvm is there but cannot boot a kernel; going on without it");
        qemu.accelerator = Accelerator::Tcg;
    }
    Ok(qemu)
}
