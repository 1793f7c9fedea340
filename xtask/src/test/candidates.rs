//! The kernels that the tests boot: those wished for, as far as they can be had.
//!
//! Debian's suites move, and its newest kernel may be broken today. What cannot be fetched, and a
//! newest one that does not boot, is remarked on, left out, and no failure.

use super::Wish;
use super::verdict::Verdict;
use super::vm::{Outcome, describe};
use crate::failure::Error;
use crate::vm::accelerator::Trial;
use crate::vm::kernel::{self, Kernel, NEWEST};
use crate::vm::machine::Ending;

/// A kernel, and whether it has to boot.
pub struct Candidate {
    pub kernel: Kernel,
    pub is_newest: bool,
}

/// Those that can be had; `fetch` gets one by its name.
pub fn fetch(
    wish: &Wish,
    fetch: impl Fn(&str) -> Result<Kernel, Error>,
    outcome: &mut Outcome,
) -> Result<Vec<Candidate>, Error> {
    let mut found = Vec::new();
    if let Some(file) = &wish.file {
        found.push(Candidate { kernel: kernel::at(file)?, is_newest: false });
    }
    for name in &wish.kernels {
        match fetch(name) {
            Ok(kernel) => {
                let is_newest = kernel::split(name)?.0 == NEWEST;
                found.push(Candidate { kernel, is_newest });
            }
            Err(error @ Error::Misuse(_)) => return Err(error),
            Err(error) => outcome.remark(format!("kernel {name} could not be fetched: {error}")),
        }
    }
    Ok(found)
}

/// Boots the newest one, if it is among them, and leaves it out if that fails. What is wrong with QEMU
/// is no fault of a kernel's.
pub fn leave_broken_out(
    candidates: Vec<Candidate>,
    trial: &Trial<'_>,
    outcome: &mut Outcome,
) -> Result<Vec<Candidate>, Error> {
    let mut kept = Vec::new();
    for candidate in candidates {
        if candidate.is_newest {
            let run = trial.boot(&candidate.kernel.image)?;
            let is_broken = !run.booted && !matches!(run.ending, Ending::QemuFailed(_));
            if is_broken {
                let (release, why) =
                    (&candidate.kernel.release, describe(&run, &Verdict::default()));
                outcome.remark(format!("the newest kernel does not boot: {release}: {why}"));
                continue;
            }
        }
        kept.push(candidate);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::arch::Arch;
    use crate::vm::qemu::{Accelerator, Qemu};

    fn kernel(version: &str) -> Kernel {
        let image = Path::new("/k").into();
        let (version, release) = (version.into(), version.into());
        Kernel { arch: Arch::X86_64, version, release, image, modules: None }
    }

    fn wish(kernels: &[&str]) -> Wish {
        let kernels = kernels.iter().map(|name| name.to_string()).collect();
        Wish { kernels, file: None, root: None, both_halves: false, verbose: false }
    }

    #[test]
    fn kernel_that_cannot_be_fetched_is_remarked_on_and_no_failure() {
        let get = |name: &str| match name {
            "6.1" => Err(Error::Missing { what: "no mirror".into(), advice: "wait".into() }),
            name => Ok(kernel(name)),
        };
        let mut outcome = Outcome::default();
        let found = fetch(&wish(&["6.1", "6.12", NEWEST]), get, &mut outcome).unwrap();
        let found: Vec<_> = found.iter().map(|c| (&*c.kernel.version, c.is_newest)).collect();
        assert_eq!(found, [("6.12", false), (NEWEST, true)]);
        assert_eq!(outcome.remarks, ["kernel 6.1 could not be fetched: no mirror; wait"]);
        assert!(outcome.silent.is_empty());
    }

    #[test]
    fn kernel_that_nobody_has_is_misuse() {
        let get = |_: &str| Err(Error::Misuse("no kernel 4.4".into()));
        assert!(fetch(&wish(&["4.4"]), get, &mut Outcome::default()).is_err());
    }

    /// The versions that are left, and what is said, with this program as QEMU.
    fn left(qemu: &str) -> (Vec<String>, Vec<String>) {
        let name = format!("xtask-candidates-{}-{}", qemu.replace('/', ""), std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (program, accelerator) = (qemu.into(), Accelerator::Tcg);
        let qemu = Qemu { program, arch: Arch::X86_64, accelerator };
        let trial = Trial {
            qemu: &qemu,
            image: Path::new("/i"),
            folder: &folder,
            limit: Duration::from_secs(60),
        };
        let all = [("6.12", false), ("7.2", true)];
        let all = all.map(|(name, is_newest)| Candidate { kernel: kernel(name), is_newest });
        let mut outcome = Outcome::default();
        let kept = leave_broken_out(all.into(), &trial, &mut outcome);
        std::fs::remove_dir_all(&folder).unwrap();
        (kept.unwrap().into_iter().map(|c| c.kernel.version).collect(), outcome.remarks)
    }

    #[test]
    fn newest_that_does_not_boot_is_left_out() {
        let (kept, remarks) = left("/bin/true");
        assert_eq!(kept, ["6.12"]);
        let what = "the newest kernel does not boot: 7.2: switched off while it booted, without a \
                    verdict";
        assert_eq!(remarks, [what]);
    }

    #[test]
    fn no_kernel_is_blamed_for_qemu() {
        assert_eq!(left("/bin/false"), (vec!["6.12".into(), "7.2".into()], Vec::new()));
    }
}
