//! One run of a virtual machine: started, watched, and how it ended.
//!
//! A guest has a console (port 0), a port for its verdict (port 1), and others as it likes. Its
//! first line on port 1 means that it has booted; with a console alone, its first line there. It
//! ends by switching itself off.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::port::Port;
use super::qemu::Qemu;
use crate::failure::{At, Error};
use crate::program;

/// What is to be run.
pub struct Machine<'a> {
    pub qemu: &'a Qemu,
    pub kernel: &'a Path,
    pub initramfs: &'a Path,
    /// Words for the kernel's command line; what the kernel does not know goes to the guest's init.
    pub words: &'a str,
    /// When the first has been shown on the console, the second is typed; one after the other.
    pub talk: &'a [(&'a str, &'a str)],
    /// Files for the serial ports.
    pub ports: &'a [PathBuf],
    /// Where QEMU's own complaints go.
    pub complaints: &'a Path,
    /// How long it may take to boot, and then be silent on all ports.
    pub boot_limit: Duration,
    pub silence_limit: Duration,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest switched the machine off.
    SwitchedOff,
    /// The guest's kernel has stopped, and left the machine on.
    Halted,
    /// The guest's kernel gave up, with these words.
    Panic(String),
    /// It did not boot in time, or was silent for too long.
    Hang(Duration),
    /// QEMU could not do it.
    QemuFailed(String),
}

/// Whether the guest has told that it runs.
#[derive(Debug)]
pub struct Run {
    pub ending: Ending,
    pub booted: bool,
}

/// No line of the kernel's has it otherwise.
const PANIC: &str = "Kernel panic - not syncing";
/// What it says last where it is told to halt.
pub const HALT: &str = "reboot: System halted";

/// How often the ports are looked at.
const INTERVAL: Duration = Duration::from_millis(30);

/// Ends with the value: no machine outlives a failed task.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Machine<'_> {
    /// Runs it. Every line that the guest writes is handed over with its port's number.
    pub fn run(&self, mut see: impl FnMut(usize, &str) -> Result<(), Error>) -> Result<Run, Error> {
        let mut ports = Vec::new();
        for path in self.ports {
            ports.push(Port::open(path)?);
        }
        let complaints = File::create(self.complaints).at("create", self.complaints)?;
        let mut command = self.qemu.command();
        command.args(self.qemu.kernel(self.kernel, self.initramfs, self.words));
        command.args(self.qemu.ports(&self.ports[1..]));
        // The console is QEMU's standard input and output.
        let console = File::options().append(true).open(&self.ports[0]);
        let console = console.at("write", &self.ports[0])?;
        command.stdin(Stdio::piped()).stdout(console).stderr(complaints);
        let child = command.spawn().map_err(|cause| program::not_started(&command, cause))?;
        let mut started = Started(child);
        let mut keyboard =
            Keyboard { talk: self.talk, shown: String::new(), port: started.0.stdin.take() };
        let ready = usize::from(self.ports.len() > 1);
        // When it was started, and then when it wrote its last line.
        let mut alive = Instant::now();
        let mut booted = false;
        let mut panic = None;
        let mut is_halted = false;
        loop {
            // Asked before the ports are read: then nothing is written after the last reading.
            let status = started.0.try_wait().at("wait for", &self.qemu.program)?;
            for (index, port) in ports.iter_mut().enumerate() {
                for line in port.new_lines()? {
                    booted |= index == ready;
                    if booted {
                        alive = Instant::now();
                    }
                    if index == 0 && line.contains(PANIC) {
                        panic = Some(line.clone());
                    }
                    is_halted |= index == 0 && line.contains(HALT);
                    if index == 0 {
                        keyboard.shown += &format!("{line}\n");
                    }
                    see(index, &line)?;
                }
            }
            keyboard.answer(&ports[0].rest());
            let limit = if booted { self.silence_limit } else { self.boot_limit };
            let ending = match status {
                Some(status) if !status.success() => {
                    Ending::QemuFailed(format!("{status}: {}", last_line(self.complaints)))
                }
                Some(_) => panic.map_or(Ending::SwitchedOff, Ending::Panic),
                None if is_halted => Ending::Halted,
                None if alive.elapsed() > limit => panic.map_or(Ending::Hang(limit), Ending::Panic),
                None => {
                    thread::sleep(INTERVAL);
                    continue;
                }
            };
            for (index, port) in ports.iter().enumerate() {
                let rest = port.rest();
                if !rest.is_empty() {
                    see(index, &rest)?;
                }
            }
            return Ok(Run { ending, booted });
        }
    }
}

/// Who types on the console.
struct Keyboard<'a> {
    talk: &'a [(&'a str, &'a str)],
    /// Whole lines, from the last answer on.
    shown: String,
    port: Option<ChildStdin>,
}

impl Keyboard<'_> {
    /// `rest` is what stands behind the last line. A machine that is gone has its end elsewhere.
    fn answer(&mut self, rest: &str) {
        let Some(((text, answer), later)) = self.talk.split_first() else { return };
        if !self.shown.contains(text) && !rest.contains(text) {
            return;
        }
        if let Some(port) = &mut self.port {
            port.write_all(answer.as_bytes()).ok();
        }
        self.talk = later;
        self.shown.clear();
    }
}

fn last_line(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::vm::qemu::Accelerator;
    use std::process::Command;

    /// Runs a script in QEMU's place; it finds the files of the ports in $console and $verdict.
    fn run(name: &str, script: &str) -> (Run, Vec<String>) {
        let folder =
            std::env::temp_dir().join(format!("xtask-machine-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (qemu, console, verdict) =
            (folder.join("qemu"), folder.join("console"), folder.join("verdict"));
        let (c, v) = (console.display(), verdict.display());
        let text = format!("#!/bin/sh\nconsole={c}\nverdict={v}\n{script}\n");
        // By a child: had we the file open ourselves, a fork of another test could keep it so, and
        // a file open for writing cannot be executed.
        let mut writer = Command::new("sh");
        writer.args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &text]);
        program::run(writer.arg(&qemu)).unwrap();
        let qemu = Qemu { program: qemu, arch: Arch::X86_64, accelerator: Accelerator::Tcg };
        let machine = Machine {
            qemu: &qemu,
            kernel: Path::new("/k"),
            initramfs: Path::new("/i"),
            words: "",
            talk: &[("prompt", "typed\n")],
            ports: &[console, verdict],
            complaints: &folder.join("complaints"),
            boot_limit: Duration::from_millis(600),
            silence_limit: Duration::from_millis(1200),
        };
        let mut lines = Vec::new();
        let run = machine.run(|port, line| {
            lines.push(format!("{port} {line}"));
            Ok(())
        });
        std::fs::remove_dir_all(&folder).unwrap();
        (run.unwrap(), lines)
    }

    #[test]
    fn guest_that_switches_off_is_told_with_its_lines() {
        let (run, lines) = run("off", "echo ready >> $verdict; printf rest >> $console");
        assert_eq!((run.ending, run.booted), (Ending::SwitchedOff, true));
        assert_eq!(lines, ["1 ready", "0 rest"]);
    }

    #[test]
    fn what_is_asked_for_is_typed() {
        let (run, lines) = run("talk", "printf 'a prompt'; read word; echo \"; $word\"");
        assert_eq!(run.ending, Ending::SwitchedOff);
        assert_eq!(lines, ["0 a prompt; typed"]);
    }

    #[test]
    fn panic_is_no_normal_end() {
        let (run, _) = run("panic", "echo '[ 1.0] Kernel panic - not syncing: x' >> $console");
        assert_eq!(run.ending, Ending::Panic("[ 1.0] Kernel panic - not syncing: x".into()));
        assert!(!run.booted);
    }

    #[test]
    fn halted_guest_is_stopped_at_once() {
        let (run, _) = run("halted", "echo '[ 1.0] reboot: System halted'; exec sleep 100");
        assert_eq!(run.ending, Ending::Halted);
    }

    #[test]
    fn guest_that_does_not_boot_or_end_is_stopped() {
        let (silent, _) = run("silent", "exec sleep 100");
        assert_eq!(silent.ending, Ending::Hang(Duration::from_millis(600)));
        let (endless, _) = run("endless", "echo ready >> $verdict; exec sleep 100");
        assert_eq!(endless.ending, Ending::Hang(Duration::from_millis(1200)));
    }

    #[test]
    fn complaint_of_qemu_is_kept() {
        let (run, _) = run("failed", "echo no such machine >&2; exit 1");
        assert_eq!(run.ending, Ending::QemuFailed("exit status: 1: no such machine".into()));
    }
}
