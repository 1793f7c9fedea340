//! Whether the processor can run guests here, found out by running one.
//!
//! /dev/kvm is there on machines, virtual ones above all, where it aborts or hangs.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use super::image::Image;
use super::machine::{Ending, Machine};
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

/// KVM if this kernel boots with it in a short time.
pub fn choose(qemu: &Path, kernel: &Path) -> Result<Accelerator, Error> {
    let kvm = Path::new("/dev/kvm");
    if OpenOptions::new().read(true).write(true).open(kvm).is_err() {
        return Ok(Accelerator::Tcg);
    }
    console::progress("trying KVM");
    let folder = super::folder()?;
    let mut image = Image::default();
    image.add_folder("dev", 0o755);
    image.add_copy("bin/busybox", 0o755, &super::base()?.join("bin/busybox"));
    image.add_file("init", 0o755, INIT);
    let initramfs = folder.join("probe.initramfs");
    image.write(&initramfs)?;
    let machine = Machine {
        qemu,
        accelerator: Accelerator::Kvm,
        kernel,
        initramfs: &initramfs,
        words: "quiet",
        talk: &[],
        ports: &[folder.join("probe.console.log"), folder.join("probe.verdict.log")],
        complaints: &folder.join("probe.qemu.log"),
        boot_limit: LIMIT,
        silence_limit: LIMIT,
    };
    let run = machine.run(|_, _| Ok(()))?;
    if run.booted && run.ending == Ending::SwitchedOff {
        return Ok(Accelerator::Kvm);
    }
    console::progress("/dev/kvm is there but cannot boot a kernel; going on without it");
    Ok(Accelerator::Tcg)
}
