//! The QEMU that boots a machine, and its command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::console;
use crate::failure::Error;
use crate::host;
use crate::program;

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// Memory of a guest in MiB: an initramfs is there twice while it is unpacked.
const MEMORY: &str = "1536";

/// Interrupts of the four serial ports of a PC. The last two are not the usual ones, which they
/// would share with the first two; the guest learns them from ACPI.
const INTERRUPTS: [&str; 4] = ["4", "3", "10", "11"];
const ADDRESSES: [&str; 4] = ["0x3f8", "0x2f8", "0x3e8", "0x2e8"];

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

    /// The processor that the guest sees. An emulated one is without page tables of five levels, which
    /// QEMU walks a fifth slower; without `erms`, for which kernels clear and copy pages by an instruction
    /// that QEMU goes through byte by byte, and `fsrm`, which QEMU has from 8.1 on: with that alone the
    /// memmove of Linux 6.1 never ends; and without what costs at each access to a program's
    /// memory. Not without xsave: Linux 7.2 uses what needs it all the same, and panics.
    fn processor(self) -> &'static str {
        match self {
            Accelerator::Kvm => "max",
            Accelerator::Tcg => "max,la57=off,erms=off,fsrm=off,smap=off,pku=off",
        }
    }

    /// What the kernel is told for a machine's sake. QEMU translates code anew wherever it is
    /// mapped: with randomized addresses that is at every execve(2), and took more time than all
    /// the rest of a dynamic program's start.
    fn words(self) -> &'static str {
        match self {
            Accelerator::Kvm => "",
            Accelerator::Tcg => " norandmaps init_on_alloc=0",
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

/// QEMU from PATH. If there is none it is installed, if we may; else the error says how.
pub fn find_or_install() -> Result<PathBuf, Error> {
    if let Some(found) = program::find(PROGRAM) {
        return Ok(found);
    }
    let may_install = host::ids()?.0 == 0 && program::find("apt-get").is_some();
    if !may_install {
        return Err(missing(&format!("there is no {PROGRAM} on PATH")));
    }
    console::progress(&format!("installing {PACKAGE}"));
    // The lists of a fresh system are empty, those of an old one name files that have gone.
    let installed = program::run_quietly(&mut install()).or_else(|_| {
        program::run_quietly(Command::new("apt-get").arg("update"))?;
        program::run_quietly(&mut install())
    });
    installed.map_err(|error| missing(&format!("{PACKAGE} could not be installed: {error}")))?;
    program::find(PROGRAM).ok_or_else(|| missing(&format!("{PACKAGE} has no {PROGRAM}")))
}

/// With the line to type.
fn missing(what: &str) -> Error {
    let advice = match std::env::consts::OS {
        "macos" => "type: brew install qemu".into(),
        "windows" => "type: winget install SoftwareFreedomConservancy.QEMU".into(),
        _ => format!(
            "on Debian type: sudo apt-get install --no-install-recommends {PACKAGE}; elsewhere \
             install the package that has {PROGRAM}"
        ),
    };
    Error::Missing { what: what.into(), advice }
}

fn install() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["install", "-y", "--no-install-recommends", PACKAGE]);
    command
}

/// A machine without anything that was not asked for. `-no-reboot` ends it where the guest would
/// reboot, which is what a kernel does after a panic with `panic=-1`.
pub fn command(program: &Path, accelerator: Accelerator) -> Command {
    let mut command = Command::new(program);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    // One processor, as by default: before version 8.1 QEMU's translation can execute an instruction
    // that another processor has just changed, and kernels that change their own do not boot then.
    command.args(["-machine", "pc", "-cpu", accelerator.processor(), "-m", MEMORY]);
    command.args(match accelerator {
        Accelerator::Kvm => ["-accel", "kvm"],
        Accelerator::Tcg => ["-accel", "tcg"],
    });
    command
}

/// What is booted. Without no_timer_check a kernel panics on a busy machine, whose emulated timer
/// is late; with the mitigations of processor faults, which an emulated one does not have, it is
/// slower.
pub fn kernel(
    accelerator: Accelerator,
    kernel: &Path,
    initramfs: &Path,
    words: &str,
) -> Vec<PathBuf> {
    let own = accelerator.words();
    vec![
        "-kernel".into(),
        kernel.into(),
        "-initrd".into(),
        initramfs.into(),
        "-append".into(),
        format!("console=ttyS0 panic=-1 no_timer_check mitigations=off{own} {words}").into(),
    ]
}

/// Serial ports, in the guest /dev/ttyS1 and on, that write to these files. /dev/ttyS0, the
/// console, is QEMU's standard input and output.
pub fn ports(files: &[PathBuf]) -> Vec<String> {
    let mut words = vec!["-chardev".into(), "stdio,id=port0,signal=off".into()];
    words.extend(["-device".into(), serial(0)]);
    for (index, file) in (1..INTERRUPTS.len()).zip(files) {
        // A comma separates QEMU's options, two are one in a value.
        let file = file.to_string_lossy().replace(',', ",,");
        words.push("-chardev".into());
        words.push(format!("file,id=port{index},path={file}"));
        words.push("-device".into());
        words.push(serial(index));
    }
    words
}

/// The first serial port on our standard input and output, for a user to type into.
pub fn console() -> Vec<String> {
    let words = ["-chardev", "stdio,id=port0,mux=on,signal=off", "-device"];
    words.into_iter().map(str::to_string).chain([serial(0)]).collect()
}

fn serial(index: usize) -> String {
    let (address, interrupt) = (ADDRESSES[index], INTERRUPTS[index]);
    format!("isa-serial,chardev=port{index},index={index},iobase={address},irq={interrupt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_qemu_is_told_what_to_type() {
        let line = missing("there is no qemu-system-x86_64 on PATH").to_string();
        let expected = "there is no qemu-system-x86_64 on PATH; on Debian type: sudo apt-get install \
                        --no-install-recommends qemu-system-x86; elsewhere";
        assert!(line.starts_with(expected), "{line}");
    }

    /// What an emulated machine is spared stays as it is on a real one.
    #[test]
    fn only_what_is_slow_is_left_out() {
        let shown = |accelerator| {
            let words = kernel(accelerator, Path::new("k"), Path::new("i"), "quiet");
            let command = command(Path::new("qemu"), accelerator);
            format!("{command:?} {words:?}")
        };
        for part in ["erms=off", "fsrm=off", "norandmaps"] {
            assert!(shown(Accelerator::Tcg).contains(part));
            assert!(!shown(Accelerator::Kvm).contains(part));
        }
        assert!(shown(Accelerator::Kvm).contains("mitigations=off quiet"));
    }

    #[test]
    fn every_port_has_a_file_and_an_interrupt_of_its_own() {
        let words = ports(&["/a,b".into()]);
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
