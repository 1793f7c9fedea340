//! probe: the command that the container tests run inside.
//!
//! A static program whose first word is a verb. Most verbs print facts, one a line, as the
//! process finds them; others do what a command may do to a container: end in all ways, leave
//! processes behind, wait for signals, try what must not work. A failed attempt is a fact too: it
//! is printed as the name of its errno, and only wrong words end the probe with 99.

#![no_main]

mod attempt;
mod descendants;
mod errno;
mod escape;
mod facts;
mod hog;
mod network;
mod processes;
mod signals;
mod sys;
mod terminal;

use std::io;

/// What a verb gives: the code to exit with.
type Outcome = io::Result<i32>;

/// Wrong words, or a fact that could not be found out.
const BROKEN: i32 = 99;

/// Called by the C runtime's entry.
fn run(words: &[Vec<u8>]) -> i32 {
    let text = words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
    let text = text.iter().map(AsRef::as_ref).collect::<Vec<&str>>();
    let Some((verb, rest)) = text.get(1..).and_then(<[&str]>::split_first) else {
        println!("probe");
        return 0;
    };
    let outcome = match *verb {
        "args" => facts::print_words(&words[2..]),
        "env" => facts::print_environment(),
        "status" => facts::print_status(rest),
        "show" => facts::print_file(rest),
        "namespaces" => facts::print_namespaces(),
        "fds" => facts::print_descriptors(),
        "list" => facts::print_directory(rest),
        "place" => facts::print_place(),
        "umask" => facts::print_umask(),
        "flags" => facts::print_flags(),
        "processes" => facts::print_processes(),
        "exit" => processes::exit_with(rest),
        "die" => processes::die_by(rest),
        "as" => processes::execute_as(rest),
        "sleep" => processes::sleep(rest),
        "orphan" => processes::leave_daemon(rest),
        "stubborn" => processes::leave_stubborn(rest),
        "brood" => processes::leave_brood(rest),
        "zombies" => processes::leave_zombies(rest),
        "litter" => processes::leave_litter(rest),
        "stop" => processes::stop_self(),
        "adopted" => descendants::print_adopter(),
        "traced" => descendants::ask_adopter_to_trace(),
        "turmoil" => descendants::make_turmoil(rest),
        "storm" => descendants::leave_storm(rest),
        "hog" => hog::run(rest),
        "trap" => signals::trap(rest),
        "await" => signals::await_one(rest),
        "session" => terminal::print_session(),
        "size" => terminal::print_sizes(rest),
        "read-line" => terminal::read_line(),
        "pty" => terminal::open_pty(),
        "loopback" => network::try_loopback(),
        "connect" => network::connect(rest),
        "abstract" => network::connect_abstract(rest),
        "serve" => network::serve(rest),
        "ask" => network::ask(rest),
        "exchange" => network::exchange(rest),
        "resolve" => network::resolve(rest),
        "notify" => network::notify(),
        "try" => attempt::run(rest),
        "escape" => escape::run(rest),
        "handle" => escape::print_handle(rest),
        "naive" => escape::naive(rest),
        "naive-mount" => escape::naive_mount(rest),
        _ => Err(io::Error::other(format!("unknown verb {verb}"))),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("probe: {}: {error}", text.join(" "));
        BROKEN
    })
}

/// The word at this place.
fn word<'a>(words: &[&'a str], index: usize) -> io::Result<&'a str> {
    words.get(index).copied().ok_or_else(|| io::Error::other("a word is missing"))
}

/// The number at this place.
fn number<T: std::str::FromStr>(words: &[&str], index: usize) -> io::Result<T> {
    word(words, index)?.parse().map_err(|_| io::Error::other("a number is expected"))
}
