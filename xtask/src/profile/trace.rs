//! The kernel's trace of a start, as what each process did when. Pure.

use std::collections::BTreeMap;

/// A process of the start, in the order of their first signs of life.
#[derive(Debug, Default)]
pub struct Process {
    pub spans: Vec<Span>,
    /// When it was there, and when it had ended.
    pub from: f64,
    pub to: f64,
}

/// Something that the kernel did for it. Microseconds from the launcher's execve on.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub name: String,
    pub from: f64,
    pub to: f64,
}

/// An event: the process, when, its name, and the rest of the line.
struct Event<'a> {
    pid: u32,
    at: f64,
    name: &'a str,
    rest: &'a str,
}

impl<'a> Event<'a> {
    /// `comm-pid [cpu] flags seconds: name…`.
    fn parse(line: &'a str) -> Option<Event<'a>> {
        let (who, rest) = line.split_once(" [")?;
        let (_, pid) = who.rsplit_once('-')?;
        let (head, rest) = rest.split_once(": ")?;
        let seconds: f64 = head.rsplit(' ').next()?.parse().ok()?;
        let end = rest.find([':', '(', ' '])?;
        let (name, rest) = rest.split_at(end);
        Some(Event { pid: pid.trim().parse().ok()?, at: seconds * 1e6, name, rest })
    }
}

/// The processes of the start that `launcher` was executed for.
pub fn parse(text: &str, launcher: &str) -> Vec<Process> {
    let events = text.lines().filter_map(Event::parse).collect::<Vec<_>>();
    let is_ours = |e: &&Event<'_>| e.name == "sched_process_exec" && e.rest.contains(launcher);
    let Some(executed) = events.iter().find(is_ours) else { return Vec::new() };
    let called =
        |e: &&Event<'_>| e.pid == executed.pid && e.name == "sys_execve" && e.at < executed.at;
    let zero = events.iter().rev().find(called).map_or(executed.at, |e| e.at);
    let first = executed.pid;
    let mut processes = BTreeMap::<u32, (Process, Option<Span>)>::new();
    processes.insert(first, Default::default());
    for &Event { pid, at, name, rest } in &events {
        let at = at - zero;
        // A clone's return in the new process is its first sign of life.
        let is_born = name.starts_with("sys_clone") && rest.trim() == "-> 0x0";
        if at < 0.0 || pid < first || !is_born && !processes.contains_key(&pid) {
            continue;
        }
        let (process, open) = processes
            .entry(pid)
            .or_insert_with(|| (Process { from: at, ..Process::default() }, None));
        process.to = at;
        let call = name.strip_prefix("sys_").unwrap_or(name);
        if rest.contains("-> ") && name.starts_with("sys_") {
            if let Some(span) = open.take() {
                process.spans.push(Span { to: at, ..span });
            }
        } else if name.starts_with("sys_") {
            *open = Some(Span { name: call.into(), from: at, to: at });
        } else if name.starts_with("page_fault_user") {
            process.spans.push(Span { name: "page fault".into(), from: at, to: at });
        } else if name == "sched_process_exit" {
            *open = Some(Span { name: "end".into(), from: at, to: at });
        }
    }
    processes.into_values().map(|(process, _)| process).collect()
}

/// When the last of them had ended.
pub fn end(processes: &[Process]) -> f64 {
    processes.iter().map(|process| process.to).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_becomes_what_each_process_did() {
        const TRACE: &str = "# tracer: nop\n\
            \x20 bash-7  [001] .....   10.000000: sys_execve(filename: 1)\n\
            \x20 l-7  [001] .....   10.000100: sched_process_exec: filename=/x/launcher pid=7\n\
            \x20 l-7  [001] .....   10.000110: sys_execve -> 0x0\n\
            \x20 l-7  [001] .....   10.000120: sys_clone3(uargs: 1)\n\
            \x20 l-8  [000] .....   10.000190: sys_clone3 -> 0x0\n\
            \x20 l-7  [001] .....   10.000200: sys_clone3 -> 0x8\n\
            \x20 o-9  [000] .....   10.000210: sys_close(fd: 1)\n";
        let processes = parse(TRACE, "/x/launcher");
        assert_eq!(processes.len(), 2);
        let names = processes[0].spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["execve", "clone3"]);
        assert_eq!(processes[0].spans[1].to.round(), 200.0);
        assert_eq!(processes[1].from.round(), 190.0);
        assert_eq!(end(&processes).round(), 200.0);
    }
}
