//! A start as a picture (SVG) and as a table. Pure.

use std::fmt::Write;

use super::trace::{self, Process, Span};

/// What the kernel does, by its calls; what is not listed is "files". The last one is not the kernel's.
const KINDS: [(&str, &str, &[&str]); 10] = [
    ("execve", "#4e79a7", &["execve", "execveat"]),
    ("namespaces", "#e15759", &["clone3", "clone", "unshare", "setns", "end"]),
    (
        "mounts",
        "#f28e2b",
        &[
            "mount",
            "umount",
            "umount2",
            "pivot_root",
            "open_tree",
            "move_mount",
            "mount_setattr",
            "fsopen",
            "fsconfig",
            "fsmount",
        ],
    ),
    ("network", "#76b7b2", &["socket", "ioctl", "socketpair"]),
    ("filter", "#b07aa1", &["seccomp"]),
    (
        "credentials",
        "#edc948",
        &["prctl", "capset", "capget", "setgroups", "setresuid", "setresgid", "keyctl", "setsid"],
    ),
    ("page faults", "#9c755f", &["page fault"]),
    ("files", "#59a14f", &[]),
    ("waiting", "#e8e8e8", &["futex", "ppoll", "wait4", "rt_sigtimedwait", "vfork"]),
    ("our own code", "#1b1b1b", &["own"]),
];
const FILES: usize = 7;
const WAITING: usize = 8;
const OWN: usize = 9;

/// What the three processes are called, and which clone is init's wait for the execve of the command.
const NAMES: [&str; 3] = ["launcher", "child, init", "command"];

fn kind(span: &Span) -> usize {
    KINDS.iter().position(|(_, _, calls)| calls.contains(&&*span.name)).unwrap_or(FILES)
}

/// Every moment of a process: its spans, and its own code between them.
fn moments(index: usize, process: &Process) -> Vec<Span> {
    let mut all = Vec::<Span>::new();
    let mut at = process.from;
    for span in &process.spans {
        // A fault's own time is not told: it lasts to what comes next.
        if let Some(fault) = all.last_mut().filter(|last| last.name == "page fault") {
            fault.to = span.from.min(fault.from + 1.0);
            at = fault.to;
        }
        if span.from > at {
            all.push(Span { name: "own".into(), from: at, to: span.from });
        }
        at = at.max(span.to);
        // CLONE_VFORK: init sleeps until the command has been executed.
        let is_vfork = index == 1 && span.name == "clone";
        let name = if is_vfork { "vfork".into() } else { span.name.clone() };
        all.push(Span { name, ..*span });
    }
    all
}

/// Microseconds of each kind, process by process.
fn sums(processes: &[Process]) -> Vec<[f64; KINDS.len()]> {
    let sum = |(index, process)| {
        let mut of = [0.0; KINDS.len()];
        for span in moments(index, process) {
            of[kind(&span)] += span.to - span.from;
        }
        of
    };
    processes.iter().enumerate().map(sum).collect()
}

/// As a table in Markdown.
pub fn table(processes: &[Process]) -> String {
    let sums = sums(processes);
    let mut text = format!("| us | {} |\n|---|{}\n", NAMES.join(" | "), "---|".repeat(3));
    for (kind, (name, ..)) in KINDS.iter().enumerate() {
        let of = |process: usize| sums.get(process).map_or(0.0, |sums| sums[kind]);
        writeln!(text, "| {name} | {:.0} | {:.0} | {:.0} |", of(0), of(1), of(2)).ok();
    }
    let busy = |of: &[f64; KINDS.len()]| of.iter().sum::<f64>() - of[WAITING];
    let all = sums.iter().map(busy).sum::<f64>();
    let own = sums.iter().map(|of| of[OWN]).sum::<f64>();
    let took = trace::end(processes);
    text + &format!("{took:.0} us, on all processors {all:.0}, of which our own code {own:.0}")
}

/// As an SVG: a lane for each process, time from left to right.
pub fn draw(processes: &[Process]) -> String {
    const WIDTH: f64 = 1000.0;
    const LEFT: f64 = 90.0;
    const LANE: f64 = 44.0;
    let took = trace::end(processes).max(1.0);
    let x = |at: f64| LEFT + at / took * WIDTH;
    let height = 40.0 + LANE * processes.len() as f64 + 50.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n",
        WIDTH + LEFT + 20.0
    );
    for (index, process) in processes.iter().enumerate() {
        let y = 30.0 + LANE * index as f64;
        let name = NAMES.get(index).unwrap_or(&"");
        writeln!(svg, "<text x=\"4\" y=\"{:.0}\">{name}</text>", y + 20.0).ok();
        for span in moments(index, process) {
            let (from, width) = (x(span.from), (span.to - span.from) / took * WIDTH);
            let color = KINDS[kind(&span)].1;
            writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{y:.0}\" width=\"{width:.2}\" height=\"30\" \
                 fill=\"{color}\"><title>{} {:.0} us</title></rect>",
                span.name,
                span.to - span.from
            )
            .ok();
        }
    }
    for tick in (0..=(took / 100.0) as usize).step_by(2) {
        let at = x(tick as f64 * 100.0);
        writeln!(svg, "<text x=\"{at:.0}\" y=\"18\" fill=\"#666\">{}</text>", tick * 100).ok();
    }
    for (index, (name, color, _)) in KINDS.iter().enumerate() {
        let (x, y) = (LEFT + index as f64 * 100.0, height - 24.0);
        writeln!(
            svg,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"10\" height=\"10\" fill=\"{color}\" \
             stroke=\"#888\" stroke-width=\"0.5\"/><text x=\"{:.0}\" y=\"{y:.0}\">{name}</text>",
            y - 9.0,
            x + 14.0
        )
        .ok();
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_told() {
        let span = |name: &str, from, to| Span { name: name.into(), from, to };
        let spans = vec![span("execve", 0.0, 10.0), span("mount", 14.0, 20.0)];
        let processes = [Process { spans, from: 0.0, to: 20.0 }];
        let sums = sums(&processes);
        assert_eq!((sums[0][0], sums[0][2], sums[0][OWN]), (10.0, 6.0, 4.0));
        assert!(table(&processes).contains("| our own code | 4 | 0 | 0 |"));
        assert_eq!(draw(&processes).matches("<title>").count(), 3);
    }
}
