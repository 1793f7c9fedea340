//! Boot tests: a program as the machine's first process, and what the console shows until the
//! machine is off.
//!
//! To add one, add it to the list.

mod list;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::subject::Programs;
use super::tally::{Row, Skips, Tally};
use crate::arch::Arch;
use crate::console;
use crate::failure::{At, Error};
use crate::initramfs;
use crate::vm;
use crate::vm::image::{Image, Owners};
use crate::vm::kernel::Kernel;
use crate::vm::machine::{Ending, Machine};
use crate::vm::qemu::Qemu;
use list::{BOOTS, Boot};

/// From the start of QEMU to the end, on real hardware.
const LIMIT: Duration = Duration::from_secs(20);

/// The machine that the boots are tried on.
pub struct Lab<'a> {
    pub qemu: &'a Qemu,
    pub image: &'a Path,
    pub verbose: bool,
}

/// Writes the image that all boots share.
pub fn write_image(arch: Arch, programs: &Programs, base: &Path) -> Result<PathBuf, Error> {
    let mut image = Image::default();
    image.add_tree("", base, Owners::OursAreRoots)?;
    image.add_tree("rootfs", base, Owners::Shifted(vm::image::SHIFT))?;
    initramfs::add_script(&mut image, "init.sh", &["/bin/sh".into()]);
    image.add_file("bare.sh", 0o755, include_str!("bare.sh"));
    let parts = [
        ("init", &programs.init),
        ("launcher", &programs.launcher),
        ("bin/launcher", &programs.launcher),
        ("bin/probe", &programs.probe),
    ];
    for (path, program) in parts {
        image.add_program(path, 0o755, &program.path)?;
    }
    let place = vm::folder()?.join(format!("boots-{}.initramfs", arch.name()));
    image.write(&place)?;
    Ok(place)
}

/// Those that are wanted by words as libtest takes them: the name, or a part of it.
fn wanted(words: &[OsString]) -> impl Iterator<Item = &'static Boot> {
    let is_filter = |word: &&OsString| !word.as_encoded_bytes().starts_with(b"-");
    let filters: Vec<String> =
        words.iter().filter(is_filter).map(|word| word.to_string_lossy().into_owned()).collect();
    BOOTS.iter().filter(move |boot| {
        filters.is_empty() || filters.iter().any(|filter| boot.name.contains(filter))
    })
}

/// Whether any is.
pub fn are_wanted(words: &[OsString]) -> bool {
    wanted(words).next().is_some()
}

impl Lab<'_> {
    /// Tries all wanted boots with this kernel.
    pub fn run(&self, kernel: &Kernel, words: &[OsString]) -> Result<Row, Error> {
        let start = Instant::now();
        let mut tally = Tally::default();
        for boot in wanted(words) {
            let began = Instant::now();
            let fault = self.try_boot(kernel, boot)?;
            let result = if fault.is_some() { "FAILED" } else { "ok" };
            let seconds = began.elapsed().as_secs_f32();
            let line = format!("{} ... {result} <{seconds:.3}s>", boot.name);
            console::progress(&format!("{} boot: {line}", kernel.name()));
            if let Some(fault) = fault {
                console::print(&fault)?;
            }
            tally.add(&format!("test {line}"), result == "ok");
        }
        let success = tally.all_passed();
        let (name, time) = (format!("{} boots", kernel.name()), start.elapsed());
        Ok(Row { name, tally, time, success, skips: Skips::Forbidden })
    }

    /// What is wrong, if anything.
    fn try_boot(&self, kernel: &Kernel, boot: &Boot) -> Result<Option<String>, Error> {
        let folder = vm::folder()?;
        let file =
            |what: &str| folder.join(format!("{}-boot.{what}", kernel.name().replace(' ', "-")));
        let console = file("console.log");
        let limit = LIMIT * self.qemu.accelerator.slowness();
        let machine = Machine {
            qemu: self.qemu,
            kernel: &kernel.image,
            initramfs: self.image,
            words: &format!("quiet {}", boot.words),
            talk: boot.talk,
            ports: std::slice::from_ref(&console),
            complaints: &file("qemu.log"),
            boot_limit: limit,
            silence_limit: limit,
        };
        let run = machine.run(|_, line| match self.verbose {
            true => console::print(&format!("{}: {line}", kernel.name())),
            false => Ok(()),
        })?;
        let shown = fs::read(&console).at("read", &console)?;
        let shown = String::from_utf8_lossy(&shown);
        let fault = match (run.ending, missing(&shown, boot.shows)) {
            (Ending::SwitchedOff | Ending::Halted, None) => return Ok(None),
            (Ending::SwitchedOff | Ending::Halted, Some(text)) => format!("{text:?} was not shown"),
            (ending, _) => format!("{ending:?}"),
        };
        Ok(Some(format!("{}: {fault}\nkernel's words: {}\n{shown}", boot.name, boot.words)))
    }
}

/// The first of them that does not come behind the one before it.
fn missing<'a>(shown: &str, wanted: &[&'a str]) -> Option<&'a str> {
    let mut rest = shown;
    wanted.iter().copied().find(|text| match rest.split_once(text) {
        Some((_, behind)) => {
            rest = behind;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_an_order() {
        assert_eq!(missing("a b c", &["a", "c"]), None);
        assert_eq!(missing("c b a", &["a", "c"]), Some("c"));
        assert_eq!(missing("a", &["a", "a"]), Some("a"));
    }
}
