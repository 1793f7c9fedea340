//! The container tests in virtual machines: one kernel after the other, both halves in each.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Wish;
use super::boots;
use super::candidates::{self, Candidate};
use super::guest::{self, HALVES};
use super::jobs;
use super::log;
use super::session::{Part, Session};
use super::subject::Programs;
use super::tally::{Row, Skips, Tally};
use super::verdict::{Half, Verdict};
use crate::arch::Arch;
use crate::console;
use crate::failure::{At, Error};
use crate::vm;
use crate::vm::accelerator::Trial;
use crate::vm::image::Image;
use crate::vm::kernel;
use crate::vm::machine::{Ending, Machine, Run};
use crate::vm::qemu::Qemu;

/// Debian's kernels need 2 to 4 seconds without KVM; a busy machine can be much slower.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// The longest test, which fails every call of a start once, needs some minutes without KVM.
const SILENCE_LIMIT: Duration = Duration::from_secs(10 * 60);

/// What the machines came to.
#[derive(Default)]
pub struct Outcome {
    pub rows: Vec<Row>,
    /// What has to be said loudly and is no failure.
    pub remarks: Vec<String>,
    /// Kernels that gave no verdict, and why.
    pub silent: Vec<String>,
}

/// What is the same for every kernel of an architecture.
struct Lab<'a> {
    qemu: Qemu,
    image: Image,
    /// For the boots.
    boots_image: PathBuf,
    /// A busybox that runs here.
    tools: &'a Path,
    words: &'a [OsString],
    verbose: bool,
}

/// What one machine after the other, or a single one, is started for.
enum Job<'a> {
    Boots(&'a Lab<'a>, &'a Candidate),
    Suite(&'a Lab<'a>, &'a Candidate, Session),
}

/// Runs the tests on all kernels.
pub fn run(wish: &Wish, programs: &Programs, words: &[OsString]) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let mut candidates = candidates::fetch(wish, kernel::fetched, &mut outcome)?;
    let own = Arch::own()?;
    let tools = vm::base(own)?;
    let mut labs = Vec::new();
    // Machines of another architecture take longest: first, so that none is left to run alone.
    for arch in Arch::ALL.into_iter().filter(|arch| *arch != own).chain([own]) {
        let (of_arch, others) =
            candidates.into_iter().partition::<Vec<_>, _>(|one| one.kernel.arch == arch);
        candidates = others;
        let Some(first) = of_arch.first() else { continue };
        let qemu = vm::accelerator::choose(&first.kernel)?;
        let (trial_image, folder) = (vm::accelerator::write_image(arch)?, vm::folder()?);
        let (image, folder) = (trial_image.as_path(), folder.as_path());
        let trial = Trial { qemu: &qemu, image, folder, limit: BOOT_LIMIT };
        let of_arch = candidates::leave_broken_out(of_arch, &trial, &mut outcome)?;
        labs.push((Lab::new(qemu, programs, &tools, wish.verbose, words)?, of_arch));
    }
    if labs.is_empty() {
        return Err(Error::NoVerdict("no kernel could be fetched, so none was tested".into()));
    }
    let all = || labs.iter().flat_map(|(lab, all)| all.iter().map(move |one| (lab, one)));
    let mut jobs = Vec::new();
    for (number, (lab, candidate)) in all().enumerate() {
        let sessions = Session::all(&candidate.kernel, number, wish.root);
        let sessions = sessions.into_iter().enumerate();
        // Root's and the user's, or in turns one of them.
        let wanted = sessions.filter(|(half, _)| wish.both_halves || *half == number % 2);
        jobs.extend(wanted.map(|(_, session)| Job::Suite(lab, candidate, session)));
    }
    // They are a third as long: last, they fill up what the halves leave of a processor's time.
    if boots::are_wanted(words) {
        jobs.extend(all().map(|(lab, candidate)| Job::Boots(lab, candidate)));
    }
    for part in jobs::run(&jobs, Job::run)? {
        outcome.rows.extend(part.rows);
        outcome.remarks.extend(part.remarks);
        outcome.silent.extend(part.silent);
    }
    // Excuses for all of them are none.
    if outcome.rows.is_empty() && outcome.silent.is_empty() {
        return Err(Error::NoVerdict(format!(
            "nothing was tested: {}",
            outcome.remarks.join("; ")
        )));
    }
    Ok(outcome)
}

impl Job<'_> {
    fn run(&self) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        match self {
            Job::Boots(lab, Candidate { kernel, .. }) => {
                let Lab { qemu, boots_image: image, words, verbose, .. } = lab;
                let boots = boots::Lab { qemu, image, verbose: *verbose };
                outcome.rows.push(boots.run(kernel, words)?);
            }
            Job::Suite(lab, candidate, session) => lab.test(candidate, session, &mut outcome)?,
        }
        Ok(outcome)
    }
}

impl<'a> Lab<'a> {
    /// `own` are this machine's programs.
    fn new(
        qemu: Qemu,
        own: &Programs,
        tools: &'a Path,
        verbose: bool,
        words: &'a [OsString],
    ) -> Result<Lab<'a>, Error> {
        let arch = qemu.arch;
        let (built, base) = match arch == Arch::own()? {
            true => (None, tools.to_path_buf()),
            false => (Some(Programs::build(arch)?), vm::base(arch)?),
        };
        let programs = built.as_ref().unwrap_or(own);
        let slowness = qemu.accelerator.slowness();
        if slowness > 1 {
            console::progress(&format!(
                "the machines of {} are emulated: deadlines are {slowness} times as long, and what is \
                 repeated is repeated one {slowness}th as often",
                arch.name()
            ));
        }
        let boots_image = boots::write_image(arch, programs, &base)?;
        let image = guest::image(arch, programs, &base, slowness, words)?;
        Ok(Lab { qemu, image, boots_image, tools, words, verbose })
    }

    fn test(
        &self,
        what: &Candidate,
        session: &Session,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let Candidate { kernel, is_newest } = what;
        let release = &kernel.release;
        let version = format!("{} {}", kernel.name(), session.name());
        let folder = vm::folder()?;
        let file = |what: &str| folder.join(format!("{}.{what}", version.replace(' ', "-")));
        let initramfs = file("initramfs");
        let mut image = self.image.clone();
        guest::add_modules(&mut image, kernel, self.tools)?;
        let size = image.write(&initramfs)?;
        let name = self.qemu.accelerator.name();
        let megabytes = size as f64 / 1e6;
        console::progress(&format!(
            "{version}: booting {release} ({name}, {megabytes:.1} MB of initramfs)"
        ));

        let ports = ["console.log", "verdict.log", "root.log", "user.log"].map(file);
        let machine = Machine {
            qemu: &self.qemu,
            kernel: &kernel.image,
            initramfs: &initramfs,
            words: &guest::kernel_words(session),
            talk: &[],
            ports: &ports,
            complaints: &file("qemu.log"),
            boot_limit: BOOT_LIMIT,
            silence_limit: SILENCE_LIMIT,
        };
        let (run, verdict, tallies) = self.watch(&version, &machine)?;
        fs::remove_file(&initramfs).at("remove", &initramfs)?;

        let is_whole = run.ending == Ending::SwitchedOff
            && HALVES
                .iter()
                .zip(session.tests)
                .all(|(half, part)| part == Part::None || verdict.half(half).is_some());
        if !is_whole {
            let what = describe(&run, &verdict);
            let line = format!("{version}: {what}; see {}", ports[0].display());
            console::progress(&line);
            log::show_end(&ports[0])?;
            if *is_newest && !run.booted {
                outcome.remark(format!("the newest kernel does not boot: {line}"));
            } else {
                outcome.silent.push(line);
            }
            return Ok(());
        }
        for (index, (half, tally)) in HALVES.iter().zip(tallies).enumerate() {
            let (Some(ended), file) = (verdict.half(half), &ports[index + 2]) else { continue };
            let success = ended.code == 0;
            if !success && !self.verbose {
                log::show_failures(file)?;
            }
            let (major, minor) = kernel.numbers();
            let skips = Skips::Before(major, minor);
            let (name, time) = match session.tests[index] {
                Part::Only(what) => (format!("{version}, {half} {what}"), ended.time),
                _ => (version.clone(), ended.time),
            };
            outcome.rows.push(Row { name, tally, time, success, skips });
        }
        Ok(())
    }

    fn watch(
        &self,
        version: &str,
        machine: &Machine<'_>,
    ) -> Result<(Run, Verdict, [Tally; 2]), Error> {
        let mut verdict = Verdict::default();
        let mut tallies = [Tally::default(), Tally::default()];
        let run = machine.run(|port, line| {
            match port {
                1 => {
                    verdict.read(line);
                    tell(version, &verdict, line);
                }
                2 | 3 => tallies[port - 2].count(line),
                _ => {}
            }
            let is_shown = self.verbose && port != 1;
            if is_shown { console::print(&format!("{version}: {line}")) } else { Ok(()) }
        })?;
        Ok((run, verdict, tallies))
    }
}

impl Outcome {
    pub fn remark(&mut self, text: String) {
        console::progress(&format!("ATTENTION: {text}"));
        self.remarks.push(text);
    }
}

/// What a line for the verdict means, for who waits for it.
fn tell(version: &str, verdict: &Verdict, line: &str) {
    match (verdict.halves.last(), verdict.ready) {
        _ if verdict.is_complete => {}
        (Some(Half { name, code, time }), _) => console::progress(&format!(
            "{version}: ran the tests as {name}: exit code {code}, {:.0} s",
            time.as_secs_f32()
        )),
        (None, Some(seconds)) => console::progress(&format!(
            "{version}: the kernel has booted in {seconds:.1} s; running the tests"
        )),
        (None, None) => console::progress(&format!("{version}: the guest says {line}")),
    }
}

/// Why there is no verdict.
pub fn describe(run: &Run, verdict: &Verdict) -> String {
    let when = match (run.booted, verdict.halves.last()) {
        (false, _) => "while it booted".to_string(),
        (true, None) => "while the first tests ran".to_string(),
        (true, Some(half)) => format!("after the tests as {}", half.name),
    };
    match &run.ending {
        Ending::SwitchedOff => format!("switched off {when}, without a verdict"),
        Ending::Halted => format!("halted {when}"),
        Ending::Panic(line) => format!("panic {when}: {line}"),
        Ending::Hang(limit) => format!("hang {when}: nothing for {} s", limit.as_secs()),
        Ending::QemuFailed(said) => format!("QEMU failed {when}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_apart() {
        let mut verdict = Verdict::default();
        let told = |ending, booted, verdict: &Verdict| describe(&Run { ending, booted }, verdict);
        let hang = Ending::Hang(Duration::from_secs(9));
        assert_eq!(told(hang, false, &verdict), "hang while it booted: nothing for 9 s");
        verdict.read("root 0 1.0 2.0");
        assert_eq!(
            told(Ending::Panic("Kernel panic".into()), true, &verdict),
            "panic after the tests as root: Kernel panic"
        );
    }
}
