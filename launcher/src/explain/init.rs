//! The part of `--explain` about PID 1, and what is told of it and of the end.

use crate::spec::Spec;

/// Which program it is, and what the launcher does when the command ends.
pub fn init(spec: &Spec) -> Vec<String> {
    let mut lines = vec![match &spec.init {
        Some(path) => format!("the host's {}", path.to_string_lossy()),
        None => "the built-in one".into(),
    }];
    lines.extend(
        spec.pid_file.as_ref().map(|path| format!("its pid in {}", path.to_string_lossy())),
    );
    lines.extend(spec.status_fd.map(|number| format!("what becomes of it on descriptor {number}")));
    lines.push(match spec.grace_ms {
        0 => "the rest is killed when the command has ended".into(),
        grace => format!(
            "the rest gets SIGTERM when the command has ended, and SIGKILL {}.{:03} s later",
            grace / 1000,
            grace % 1000
        ),
    });
    if spec.resources.stats {
        lines.push("what it has used is told at the end".into());
    }
    if spec.die_by_signal {
        lines.push("a signal that ends the command ends the launcher".into());
    }
    if let Some(what) = spec.on_exit {
        lines.push(format!("then the machine: {}", what.to_string_lossy()));
    }
    lines
}
