//! A real distribution as ROOTFS: images of a Debian, booted to its shell on a terminal.

use std::fs;
use std::os::fd::AsFd;

use crate::ability::{for_root, own_name};
use crate::launch::Launch;
use crate::person::Person;
use crate::subject;
use crate::sys::terminal;

#[test]
fn debian_boots_from_an_image_to_its_shell_and_the_image_stays_as_it_is() {
    for_root!();
    let names = ["debian.squashfs", "debian.erofs"];
    let images = names.into_iter().filter_map(subject::image_file).collect::<Vec<_>>();
    if images.is_empty() {
        println!("N/A {}: no image of Debian was made for this machine", own_name!());
        return;
    }
    for image in images {
        let before = fs::read(&image).unwrap();
        let mut person = Person::new();
        let launch = Launch::on_path(&image).option("--ephemeral");
        let running = person.start(launch.command(["bash", "--norc", "--noprofile"]));
        person.sees("# ");
        for (typed, shown) in [
            (". /etc/os-release && echo \"id=$ID $((6 * 7))\"", "id=debian 42\r\n"),
            ("tty; stty size", "/dev/pts/0\r\n24 80\r\n"),
            (
                "dpkg --print-architecture > /new && rm -r /etc /usr/share && echo ch''anged",
                "changed",
            ),
            ("[ -e /new ] && [ ! -e /etc/os-release ] && echo i''s so", "is so"),
            ("sleep 1000 & jobs; kill %1; wait %1; echo e''nd $?", "end 143"),
        ] {
            person.types(&format!("{typed}\r"));
            person.sees(shown);
        }
        person.types("exit 3\r");
        running.finish().code(3);
        assert!(fs::read(&image).unwrap() == before, "{} was changed", image.display());
    }
}

/// vim, htop, less and tmux, with SUITE_LONG.
#[test]
fn programs_that_take_the_whole_screen_work_inside() {
    for_root!();
    let image = subject::image_file("debian.squashfs");
    let Some(image) = image.filter(|_| std::env::var_os("SUITE_LONG").is_some()) else {
        println!("N/A {}: with SUITE_LONG", own_name!());
        return;
    };
    let mut person = Person::new();
    let launch = Launch::on_path(&image).option("--ephemeral").option("--env=TERM=xterm");
    let running = person.start(launch.command(["bash", "--norc", "--noprofile"]));
    person.sees("# ");
    let mut session = |steps: &[(&str, &str)]| {
        for (typed, shown) in steps {
            person.types(typed);
            person.sees(shown);
        }
    };
    const SCREEN: &str = "\x1b[?1049h";
    const BACK: &str = "\x1b[?1049l";
    session(&[
        ("vim.tiny /text\r", "/text"),
        ("ihello\x1b:wq\r", BACK),
        ("cat /te*t\r", "hello\r\n"),
    ]);
    session(&[("seq 500 | less\r", "\r\n23\r\n"), ("G", "500"), ("q", BACK)]);
    session(&[("htop\r", SCREEN), ("", "Load average"), ("q", BACK)]);
    session(&[("tmux\r", SCREEN), ("echo in''side; tty\r", "inside"), ("", "/dev/pts/1")]);
    terminal::set_size(person.terminal.as_fd(), 50, 100).unwrap();
    let mut session = |typed: &str, shown: &str| {
        person.types(typed);
        person.sees(shown)
    };
    // But for the line of its status.
    session("stty size\r", "49 100");
    session("exit\r", "[exited]");
    session("stty size\r", "50 100\r\n");
    session("stty -a | head -n 3 | grep -c baud; exit 3\r", "1\r\n");
    running.finish().code(3);
}
