//! `cargo xtask TASK`: what a developer and CI do with this workspace, one file a task.
//!
//! Runs on the host with the user's own rights. Every task returns its failure; this file alone
//! prints it, once. Exit code 1: it failed. Exit code 2: the command line was wrong. Exit code 3: a
//! virtual machine gave no verdict.

mod arch;
mod bench;
mod build;
mod cargo_json;
mod console;
mod debian;
mod elf;
mod failure;
mod host;
mod initramfs;
mod profile;
mod program;
mod rootfs;
mod run;
mod test;
mod tidy;
mod vm;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use argh::FromArgs;

use failure::Error;

/// Developer tasks of this workspace.
#[derive(FromArgs)]
struct Xtask {
    #[argh(subcommand)]
    task: Task,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Task {
    Bench(bench::BenchTask),
    Build(build::Build),
    Initramfs(initramfs::Initramfs),
    Profile(profile::Profile),
    Rootfs(rootfs::Rootfs),
    Run(run::Run),
    Test(test::Test),
    Tidy(tidy::Tidy),
}

fn main() -> ExitCode {
    match start(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::progress(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn start(typed: impl Iterator<Item = OsString>) -> Result<(), Error> {
    let (words, passed_on) = split_words(typed)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let xtask = match Xtask::from_args(&["cargo xtask"], &words) {
        Ok(xtask) => xtask,
        Err(early) if early.status.is_ok() => return console::print(early.output.trim_end()),
        Err(early) => return Err(Error::Misuse(early.output.trim_end().to_string())),
    };
    let takes_words = matches!(xtask.task, Task::Initramfs(_) | Task::Run(_) | Task::Test(_));
    if passed_on.is_some() && !takes_words {
        let text = "only `initramfs`, `run` and `test` take words after `--`";
        return Err(Error::Misuse(text.into()));
    }
    match xtask.task {
        Task::Bench(task) => task.run(),
        Task::Build(task) => task.run(),
        Task::Initramfs(task) => task.run(&passed_on.unwrap_or_default()),
        Task::Profile(task) => task.run(),
        Task::Rootfs(task) => task.run(),
        Task::Run(task) => task.run(passed_on.unwrap_or_default()),
        Task::Test(task) => task.run(&passed_on.unwrap_or_default()),
        Task::Tidy(task) => task.run(),
    }
}

type Words = (Vec<String>, Option<Vec<OsString>>);

/// Cuts the command line at the first `--`. What follows is somebody else's and keeps its bytes;
/// what stands before is ours and must be text.
fn split_words(mut typed: impl Iterator<Item = OsString>) -> Result<Words, Error> {
    let mut words = Vec::new();
    while let Some(word) = typed.next() {
        if word == "--" {
            return Ok((words, Some(typed.collect())));
        }
        let word = word.into_string().map_err(|word| {
            Error::Misuse(format!("{} is not UTF-8; put it after `--`", word.display()))
        })?;
        words.push(word);
    }
    Ok((words, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn words_after_two_dashes_keep_their_bytes() {
        let odd = OsString::from_vec(vec![0xff, 0xfe]);
        let typed = ["run".into(), "--".into(), odd.clone(), "--".into()];
        let (words, passed_on) = split_words(typed.into_iter()).unwrap();
        assert_eq!(words, ["run"]);
        assert_eq!(passed_on, Some(vec![odd, "--".into()]));
    }

    #[test]
    fn our_own_words_must_be_text() {
        let typed = [OsString::from_vec(vec![0xff])];
        assert!(matches!(split_words(typed.into_iter()), Err(Error::Misuse(_))));
    }
}
