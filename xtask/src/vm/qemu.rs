//! The QEMU that boots a machine, and its command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::console;
use crate::failure::Error;
use crate::host;
use crate::program;

/// Memory of a guest in MiB: an initramfs is there twice while it is unpacked.
const MEMORY: &str = "1536";

/// Interrupts of a PC's four serial ports. The last two are not the usual ones, which they
/// would share with the first two; the guest learns them from ACPI.
const INTERRUPTS: [&str; 4] = ["4", "3", "10", "11"];
const ADDRESSES: [&str; 4] = ["0x3f8", "0x2f8", "0x3e8", "0x2e8"];

/// What runs machines of one architecture.
#[derive(Clone, Debug)]
pub struct Qemu {
    pub program: PathBuf,
    pub arch: Arch,
    pub accelerator: Accelerator,
}

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor.
    Kvm,
    /// QEMU's own translation: slow, and everywhere.
    Tcg,
}

impl Accelerator {
    /// How much longer a guest needs for everything, in round numbers: a start of a container
    /// needs 5 ms on hardware, 30 to 90 emulated, and the machine may have other work.
    pub fn slowness(self) -> u32 {
        match self {
            Accelerator::Kvm => 1,
            Accelerator::Tcg => 10,
        }
    }

    /// As it is told to the user.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        }
    }
}

fn program_of(arch: Arch) -> String {
    format!("qemu-system-{}", arch.name())
}

/// Debian's package that has it.
fn package_of(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "qemu-system-x86",
        Arch::Aarch64 => "qemu-system-arm",
    }
}

/// QEMU from PATH. If there is none it is installed, if we may; else the error says how.
pub fn find_or_install(arch: Arch) -> Result<PathBuf, Error> {
    let (name, package) = (program_of(arch), package_of(arch));
    if let Some(found) = program::find(&name) {
        return Ok(found);
    }
    let may_install = host::ids()?.0 == 0 && program::find("apt-get").is_some();
    if !may_install {
        return Err(missing(arch, &format!("there is no {name} on PATH")));
    }
    console::progress(&format!("installing {package}"));
    // The lists of a fresh system are empty, those of an old one name files that have gone.
    let installed = program::run_quietly(&mut install(package)).or_else(|_| {
        program::run_quietly(Command::new("apt-get").arg("update"))?;
        program::run_quietly(&mut install(package))
    });
    installed
        .map_err(|error| missing(arch, &format!("{package} could not be installed: {error}")))?;
    program::find(&name).ok_or_else(|| missing(arch, &format!("{package} has no {name}")))
}

/// With the line to type.
fn missing(arch: Arch, what: &str) -> Error {
    let (name, package) = (program_of(arch), package_of(arch));
    let advice = match std::env::consts::OS {
        "macos" => "type: brew install qemu".into(),
        "windows" => "type: winget install SoftwareFreedomConservancy.QEMU".into(),
        _ => format!(
            "on Debian type: sudo apt-get install --no-install-recommends {package}; elsewhere \
             install the package that has {name}"
        ),
    };
    Error::Missing { what: what.into(), advice }
}

fn install(package: &str) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["install", "-y", "--no-install-recommends", package]);
    command
}

impl Qemu {
    /// A machine without anything that was not asked for. `-no-reboot` ends it where the guest would
    /// reboot, which is what a kernel does after a panic with `panic=-1`.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
        // One processor, as by default: before version 8.1 QEMU's translation can execute an instruction
        // that another processor has just changed, and kernels that change their own do not boot then.
        command.args(["-machine", self.machine(), "-cpu", self.processor(), "-m", MEMORY]);
        command.args(match self.accelerator {
            Accelerator::Kvm => ["-accel", "kvm"],
            Accelerator::Tcg => ["-accel", "tcg"],
        });
        command
    }

    fn machine(&self) -> &'static str {
        match self.arch {
            Arch::X86_64 => "pc",
            Arch::Aarch64 => "virt",
        }
    }

    /// The processor that the guest sees. An emulated one of x86_64 is without page tables of five
    /// levels, which QEMU walks a fifth slower; without `erms`, for which kernels clear and copy pages by
    /// an instruction that QEMU goes through byte by byte, and `fsrm`, which QEMU has from 8.1 on: with
    /// that alone the memmove of Linux 6.1 never ends; and without what costs at each access to a
    /// program's memory. Not without xsave: Linux 7.2 uses what needs it all the same, and panics. One of
    /// aarch64 is without signed pointers and wide vectors, which cost two fifths of the time.
    fn processor(&self) -> &'static str {
        match (self.accelerator, self.arch) {
            (Accelerator::Kvm, _) => "max",
            (Accelerator::Tcg, Arch::X86_64) => "max,la57=off,erms=off,fsrm=off,smap=off,pku=off",
            (Accelerator::Tcg, Arch::Aarch64) => "max,pauth=off,sve=off",
        }
    }

    /// What is booted. Without no_timer_check a kernel panics on a busy machine, whose emulated timer
    /// is late; with the mitigations of processor faults, which an emulated one does not have, it is
    /// slower.
    pub fn kernel(&self, kernel: &Path, initramfs: &Path, words: &str) -> Vec<PathBuf> {
        // QEMU translates code anew wherever it is mapped: with randomized addresses that is at every
        // execve(2), and took more time than all the rest of a dynamic program's start.
        let own = match self.accelerator {
            Accelerator::Kvm => "",
            Accelerator::Tcg => " norandmaps init_on_alloc=0",
        };
        // Of x86's timers.
        let timer = match self.arch {
            Arch::X86_64 => " no_timer_check",
            Arch::Aarch64 => "",
        };
        vec![
            "-kernel".into(),
            kernel.into(),
            "-initrd".into(),
            initramfs.into(),
            "-append".into(),
            format!("console=ttyS0 panic=-1{timer} mitigations=off{own} {words}").into(),
        ]
    }

    /// Serial ports, in the guest /dev/ttyS1 and on, that write to these files. /dev/ttyS0, the
    /// console, is QEMU's standard input and output.
    pub fn ports(&self, files: &[PathBuf]) -> Vec<String> {
        let mut words = vec!["-chardev".into(), "stdio,id=port0,signal=off".into()];
        words.extend(["-device".into(), self.serial(0)]);
        for (index, file) in (1..INTERRUPTS.len()).zip(files) {
            // A comma separates QEMU's options, two are one in a value.
            let file = file.to_string_lossy().replace(',', ",,");
            words.push("-chardev".into());
            words.push(format!("file,id=port{index},path={file}"));
            words.push("-device".into());
            words.push(self.serial(index));
        }
        words
    }

    /// The first serial port on our standard input and output, for a user to type into.
    pub fn console(&self) -> Vec<String> {
        let words = ["-chardev", "stdio,id=port0,mux=on,signal=off", "-device"];
        words.into_iter().map(str::to_string).chain([self.serial(0)]).collect()
    }

    fn serial(&self, index: usize) -> String {
        match self.arch {
            Arch::X86_64 => {
                let (address, interrupt) = (ADDRESSES[index], INTERRUPTS[index]);
                format!(
                    "isa-serial,chardev=port{index},index={index},iobase={address},irq={interrupt}"
                )
            }
            // The machine's own port is of another kind, and there is one. The kernel numbers these as
            // they stand on the bus.
            Arch::Aarch64 => format!("pci-serial,chardev=port{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_qemu_is_told_what_to_type() {
        let line = missing(Arch::X86_64, "there is no qemu-system-x86_64 on PATH").to_string();
        let expected = "there is no qemu-system-x86_64 on PATH; on Debian type: sudo apt-get install \
                        --no-install-recommends qemu-system-x86; elsewhere";
        assert!(line.starts_with(expected), "{line}");
    }

    /// What an emulated machine is spared stays as it is on a real one.
    #[test]
    fn only_what_is_slow_is_left_out() {
        let shown = |accelerator| {
            let qemu = Qemu { program: "qemu".into(), arch: Arch::X86_64, accelerator };
            let words = qemu.kernel(Path::new("k"), Path::new("i"), "quiet");
            format!("{:?} {words:?}", qemu.command())
        };
        for part in ["erms=off", "fsrm=off", "norandmaps"] {
            assert!(shown(Accelerator::Tcg).contains(part));
            assert!(!shown(Accelerator::Kvm).contains(part));
        }
        assert!(shown(Accelerator::Kvm).contains("mitigations=off quiet"));
    }

    #[test]
    fn every_port_has_a_file_and_an_interrupt_of_its_own() {
        let accelerator = Accelerator::Tcg;
        let qemu = Qemu { program: "qemu".into(), arch: Arch::X86_64, accelerator };
        let words = qemu.ports(&["/a,b".into()]);
        assert_eq!(
            words,
            [
                "-chardev",
                "stdio,id=port0,signal=off",
                "-device",
                "isa-serial,chardev=port0,index=0,iobase=0x3f8,irq=4",
                "-chardev",
                "file,id=port1,path=/a,,b",
                "-device",
                "isa-serial,chardev=port1,index=1,iobase=0x2f8,irq=3",
            ]
        );
    }
}
