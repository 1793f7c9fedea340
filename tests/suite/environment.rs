//! The command's environment.

use crate::ability::require;
use crate::launch::Launch;
use crate::rootfs::Rootfs;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn by_default_it_is_path_home_and_the_callers_term() {
    let launch = Launch::new().variable("TERM", "vt220").variable("SECRET", "1").probe("env");
    launch.run().ok().prints(&[PATH, "HOME=/root", "TERM=vt220"]);
}

#[test]
fn without_the_callers_term_there_is_none() {
    Launch::new().variable("SECRET", "1").probe("env").run().ok().prints(&[PATH, "HOME=/root"]);
}

#[test]
fn env_sets_and_passes_on_and_the_last_word_wins() {
    let launch = Launch::new().variable("CALLER", "theirs").variable("OTHER", "x");
    let words = ["A=1", "A=2", "CALLER", "MISSING", "HOME=/there", "EMPTY=", "EQ=a=b"];
    let launch = words.iter().fold(launch, |launch, word| launch.option("--env").arg(*word));
    let expected = [PATH, "A=2", "CALLER=theirs", "HOME=/there", "EMPTY=", "EQ=a=b"];
    launch.probe("env").run().ok().prints(&expected);
}

#[test]
fn env_may_hold_any_bytes() {
    use std::os::unix::ffi::OsStringExt;
    let word = std::ffi::OsString::from_vec(b"--env=B=\xff\n ".to_vec());
    let output = Launch::new().option(word).probe("env").run().ok();
    assert_eq!(output.lines().last(), Some(&r"B=\xff\n "), "{output}");
}

#[test]
fn keep_env_starts_from_the_callers() {
    let launch = Launch::new().variable("KEPT", "yes").variable("CHANGED", "old");
    let launch = launch.option("--keep-env").option("--env=CHANGED=new").probe("env");
    let output = launch.run().ok();
    let lines = output.lines();
    assert!(lines.contains(&"KEPT=yes") && lines.contains(&"CHANGED=new"), "{output}");
    assert!(!lines.contains(&"CHANGED=old") && !lines.contains(&"HOME=/root"), "{output}");
    assert!(!lines.contains(&PATH), "the caller's PATH is kept too: {output}");
}

#[test]
fn home_is_that_of_the_containers_passwd() {
    let rootfs = Rootfs::new().with_accounts("root:x:0:0::/home/admin:/bin/sh\n", "");
    let output = Launch::on(&rootfs).probe("env").run().ok();
    assert_eq!(output.lines()[1], "HOME=/home/admin");
}

#[test]
fn home_of_another_user_is_theirs() {
    require!(many_ids);
    let rootfs = Rootfs::new().with_accounts("www:x:33:33::/var/www:/bin/sh\n", "");
    let output = Launch::on(&rootfs).option("--user=www").probe("env").run().ok();
    assert_eq!(output.lines()[1], "HOME=/var/www");
    let output = Launch::on(&rootfs).option("--user=77").probe("env").run().ok();
    assert_eq!(output.lines()[1], "HOME=/");
}
