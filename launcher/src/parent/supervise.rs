//! The parent's loop while the container runs: it passes signals on to init, reads reports, relays
//! the terminal, and sends the signals of `--timeout`.
//!
//! In: every signal is blocked and the gate is open. Out: init has been reaped.

mod job;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use init::exit::{Ending, code_for_exec_errno};
use init::report::{self, Report};
use init::stage::Stage;

use super::diagnose;
use super::network::Connection;
use super::relay::{Relay, Served};
use super::status::Namespaces;
use super::{Container, Deadline, PidFile, Status};
use crate::advice;
use crate::error::Error;
use crate::log::Log;
use crate::prepare::Prepared;
use crate::spec::Spec;
use crate::sys::signal::{self, SignalInfo, SignalSet};
use crate::sys::socket::{self, pollfd, readable};
use crate::sys::{Errno, Result as SysResult, memory, process};

/// The errnos of a search for the command that mean the command, and not a failure to look.
const OF_THE_COMMAND: [Errno; 5] =
    [Errno::ENOENT, Errno::ENOTDIR, Errno::EACCES, Errno::ELOOP, Errno::ENAMETOOLONG];

/// The state of the loop.
struct Watch<'a> {
    container: Container<'a>,
    /// A signalfd. Until the command runs only SIGCHLD is read: other signals stay pending, as the
    /// container may yet become another process ([`Report::HandedOver`]).
    signals: OwnedFd,
    /// The signals that can be read from it.
    signal_set: SignalSet,
    /// Nobody has to know when the command starts, so the channel is not polled until something
    /// else wakes us up. A wake-up would cost the command time, a short one twice: the end of its
    /// namespaces waits for every processor that is busy (RCU).
    sleeps_through_start: bool,
    channel_open: bool,
    prepared: &'a Prepared<'a>,
    status: &'a Status,
    log: &'a Log,
    pid_file: Option<&'a mut PidFile>,
    deadline: &'a mut Deadline,
    relay: Option<Relay>,
    started: bool,
    failure: Option<Error>,
    ending: Option<Ending>,
}

/// Serves until init has ended. `Ok` is the command's own end; after an `Err` nothing runs.
pub fn until_end(
    container: Container<'_>,
    status: &Status,
    pid_file: Option<&mut PidFile>,
    deadline: &mut Deadline,
    log: &Log,
) -> Result<Ending, Error> {
    let prepared = container.prepared;
    let sleeps_through_start =
        !(pid_file.is_some() || log.is_verbose() || container.is_start_awaited());
    let signal_set = if sleeps_through_start { signal::ALL } else { signal::only(libc::SIGCHLD) };
    let signals = match signal::open_signalfd(signal_set) {
        Ok(signals) => signals,
        Err(errno) => {
            process::kill_and_reap(container.pid);
            return Err(Error::at("Supervise", "open a signalfd", errno));
        }
    };
    let mut watch = Watch {
        prepared,
        container,
        signals,
        signal_set,
        sleeps_through_start,
        channel_open: true,
        status,
        log,
        pid_file,
        deadline,
        relay: None,
        started: false,
        failure: None,
        ending: None,
    };
    match watch.serve() {
        Ok(init) => watch.conclude(init),
        Err(error) => {
            // We cannot do what was asked, so nobody else is to go on with it.
            process::kill_and_reap(watch.container.pid);
            Err(error)
        }
    }
}

/// Polls. After a while it releases memory that is not needed for waiting: not at once, as the end
/// of a short command would then wait for those pages to be read again.
fn wait(fds: &mut [pollfd], timeout: Option<Duration>) -> SysResult<()> {
    const WHILE: Duration = Duration::from_millis(250);
    let soon = timeout.map_or(WHILE, |timeout| timeout.min(WHILE));
    if socket::poll(fds, Some(soon))? == 0 && timeout != Some(soon) {
        memory::poll_released(fds, timeout.map(|timeout| timeout - soon))?;
    }
    Ok(())
}

impl Watch<'_> {
    /// Changes which signals can be read from the signalfd.
    fn set_signals(&mut self, set: SignalSet) -> Result<(), Error> {
        if self.signal_set == set {
            return Ok(());
        }
        self.signal_set = set;
        signal::change_signalfd(self.signals.as_fd(), set)
            .map_err(|errno| Error::at("Supervise", "change a signalfd", errno))
    }

    /// Runs the loop; returns how init has ended.
    fn serve(&mut self) -> Result<Ending, Error> {
        let init = loop {
            if let Some(status) = self.turn()? {
                break Ending::from_wait_status(status);
            }
        };
        // What the command wrote last is still in its terminal.
        while let Some(relay) = &mut self.relay
            && let Served::Stop(signal) = relay.drain()
        {
            self.stop_for(signal);
        }
        Ok(init)
    }

    /// One round: waits until something happens, and handles it. Returns the wait status of init
    /// when that has ended.
    fn turn(&mut self) -> Result<Option<u32>, Error> {
        let is_polled = self.channel_open && !self.sleeps_through_start;
        let channel = if is_polled { self.container.channel.as_raw_fd() } else { -1 };
        let mut fds = vec![readable(self.signals.as_raw_fd()), readable(channel)];
        if let Some(relay) = &self.relay {
            fds.extend(relay.interests());
        }
        let timeout = self.relay.as_ref().and_then(Relay::timeout);
        let timeout = timeout.into_iter().chain(self.deadline.left()).min();
        wait(&mut fds, timeout).map_err(|errno| Error::at("Supervise", "poll", errno))?;
        if fds[1].revents != 0 || self.sleeps_through_start {
            self.read_reports()?;
        }
        if self.sleeps_through_start && !self.started {
            // The signal that has woken us up is for the command: it stays pending until there is
            // one.
            self.sleeps_through_start = false;
            self.set_signals(signal::only(libc::SIGCHLD))?;
        }
        if let Some(relay) = &mut self.relay {
            let served = relay.serve(&fds[2..]);
            if relay.has_hung_up() {
                self.deadline.hung_up();
            }
            if let Served::Stop(signal) = served {
                self.stop_for(signal);
            }
        }
        while let Ok(Some(arrived)) = signal::read_signalfd(self.signals.as_fd()) {
            if arrived.signal != libc::SIGCHLD {
                self.forward(&arrived);
            }
        }
        let pid = self.container.pid;
        if let Some(signal) = self.deadline.due() {
            // To init, which passes SIGTERM on. After SIGKILL the kernel kills the rest of the pid
            // namespace.
            signal::send(pid, signal).ok();
        }
        let ended = process::try_wait(pid)
            .map_err(|errno| Error::at("Supervise", "wait for the container", errno))?;
        if ended.is_some() {
            // Its last reports. One may be that another process is the container now.
            self.read_reports()?;
        }
        Ok(ended.filter(|_| self.container.pid == pid))
    }

    /// Reads all reports that are there.
    fn read_reports(&mut self) -> Result<(), Error> {
        let mut bytes = [0; report::SIZE];
        loop {
            let (count, fd) = match socket::receive(self.container.channel, &mut bytes) {
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                // The other side is gone; wait4(2) tells how.
                Ok((0, _)) | Err(_) => {
                    self.channel_open = false;
                    return Ok(());
                }
                Ok(received) => received,
            };
            if let Some(report) = Report::from_bytes(&bytes[..count]) {
                self.take_report(report, fd)?;
            }
        }
    }

    fn take_report(&mut self, report: Report, fd: Option<OwnedFd>) -> Result<(), Error> {
        // A command that traces init (ptrace) can send reports of its own on its end of the
        // channel. So once it runs only those are believed that tell of its stop and its end.
        if self.started && !matches!(report, Report::Stopped { .. } | Report::Ended { .. }) {
            return Ok(());
        }
        match report {
            Report::Failed { stage, errno, object } => {
                let errno = Errno::new(i32::from(errno));
                let error = advice::stage_failed(stage, errno, object, self.prepared);
                self.failure = Some(match stage {
                    // With any other errno the search itself has failed: 125, not 126 or 127.
                    Stage::FindCommand if !OF_THE_COMMAND.contains(&errno) => error,
                    Stage::FindCommand | Stage::ExecCommand => error
                        .with_code(code_for_exec_errno(errno.into_raw() as u16))
                        .advise_maybe(diagnose::exec_failure(self.prepared, errno)),
                    _ => error,
                });
            }
            Report::Skipped { stage, errno } => {
                let errno = crate::error::show_errno(Errno::new(i32::from(errno)));
                self.log.note(format_args!("left out: {}: {errno}", stage.name()));
            }
            Report::Done { stage, micros } => {
                self.log.done(stage.name(), Duration::from_micros(u64::from(micros)));
            }
            // A program in the place of init (`--init`) can send these at any time.
            Report::HandedOver { pid }
                if pid as i32 == self.container.pid || !is_child(pid as i32)? => {}
            Report::Terminal if self.relay.is_some() || !self.prepared.streams.terminal => {}
            Report::HandedOver { pid } => {
                let between = std::mem::replace(&mut self.container.pid, pid as i32);
                if self.container.namespaces.is_some() {
                    self.look_at_namespaces();
                    self.container.go()?;
                }
                // It exits right after, and a signal that it was sent is lost with it.
                process::wait(between).ok();
                if self.deadline.has_passed() {
                    signal::send(self.container.pid, libc::SIGTERM).ok();
                }
            }
            Report::Moved => {
                // The cgroup namespace is made before anything else that moves.
                self.container.late.retain(|name| *name != "cgroup");
                self.look_at_namespaces();
                self.container.go()?;
            }
            Report::Terminal => {
                self.relay = fd.map(Relay::start).transpose()?;
                self.container.go()?;
            }
            Report::Started => {
                self.started = true;
                // The child may have dropped the first one (`leave_session`).
                if self.deadline.has_passed() {
                    signal::send(self.container.pid, libc::SIGTERM).ok();
                }
                // Our core file would be the host's data. Not before the last clone3: nobody could
                // write the id maps of a child that inherits this.
                process::set_dumpable(false).ok();
                self.set_signals(signal::ALL)?;
                if let Some(file) = &mut self.pid_file {
                    file.publish(self.container.pid)?;
                }
                if let Some(namespaces) = &mut self.container.namespaces {
                    let proc = &self.prepared.ground.caller.proc;
                    if let Ok(number) = proc.number(self.container.pid) {
                        for name in &self.container.late {
                            namespaces.add(proc, number, name);
                        }
                    }
                    let network = self.container.network.as_ref();
                    let addresses = network.map_or(&[][..], Connection::addresses);
                    self.status.started(self.container.pid, namespaces, addresses);
                }
            }
            Report::Stopped { signal } => self.command_stopped(signal as i32),
            Report::Ended { status } => self.ending = Some(Ending::from_wait_status(status)),
        }
        Ok(())
    }

    /// Reads the namespaces again: they have changed since the gate was opened.
    fn look_at_namespaces(&mut self) {
        let proc = &self.prepared.ground.caller.proc;
        if let Some(namespaces) = &mut self.container.namespaces
            && let Ok(number) = proc.number(self.container.pid)
        {
            *namespaces = Namespaces::of(proc, number, &self.container.late);
        }
    }

    /// Passes a signal on to init, which passes it on to the command.
    fn forward(&mut self, arrived: &SignalInfo) {
        /// si_code of a signal that the kernel sends: for us that is a terminal's.
        const SI_KERNEL: i32 = 0x80;
        // The SIGPIPE of our own write to a closed stderr is not for the command.
        if arrived.signal == libc::SIGPIPE && arrived.pid == signal::own_pid() as u32 {
            return;
        }
        if let Some(relay) = &self.relay
            && arrived.signal == libc::SIGWINCH
        {
            return relay.pass_size_on();
        }
        let pid = self.container.pid;
        let code = match arrived.code == SI_KERNEL || arrived.signal == libc::SIGCONT {
            true => init::SI_FROM_TERMINAL,
            false => arrived.code,
        };
        // What cannot be queued is sent without its value: the kernel queues tgkill(2)'s code
        // (SI_TKILL) for nobody but the sender itself, and nothing above RLIMIT_SIGPENDING. ESRCH:
        // init has ended, and the next SIGCHLD says so.
        if code >= 0 || signal::queue(pid, arrived, code).is_err() {
            signal::send(pid, arrived.signal).ok();
        }
        match arrived.signal {
            // The shell that started us waits until we stop.
            libc::SIGTSTP => self.stop(arrived.code == SI_KERNEL),
            // We may have been stopped by SIGSTOP, and a shell may have changed the terminal
            // meanwhile.
            libc::SIGCONT => self.resume(),
            _ => {}
        }
    }

    /// The result, from what has been reported and how init has ended.
    fn conclude(self, init: Ending) -> Result<Ending, Error> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        match (self.ending, self.started) {
            (Some(ending), _) => Ok(ending),
            // init was killed (OOM, kill -9), and by the kernel everything in its pid namespace.
            (None, true) => Ok(init),
            (None, false) => Err(ended_early(init, self.prepared)),
        }
    }
}

/// The error of an init that has ended without a report.
pub fn ended_early(init: Ending, prepared: &Prepared<'_>) -> Error {
    let how = match init {
        Ending::Code(code) => format!("ended with {code}"),
        Ending::Signal { signal, .. } => format!("was ended by signal {signal}"),
    };
    Error::refused("Start", format!("the container's init {how} before the command started"))
        .advise_maybe(match &prepared.spec {
            Spec { init: Some(_), .. } => Some("is --init the init of this version?".into()),
            spec if spec.limits.resources.is_empty() => None,
            _ => Some("init counts too: is an --rlimit too low for it?".into()),
        })
}

fn is_child(pid: i32) -> Result<bool, Error> {
    process::is_child(pid)
        .map_err(|errno| Error::at("Supervise", format_args!("look at process {pid}"), errno))
}
