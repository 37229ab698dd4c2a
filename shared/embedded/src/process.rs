//! A server process that is watched, stopped politely, and ended with its owner.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, kill_process};

use crate::guard::Guard;

/// How often a condition is looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// Tenths of a second that an orphaned server gets before SIGKILL.
const ORPHAN_PATIENCE: u32 = 100;

/// Signals that servers understand as a wish to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Services and NATS: finish and leave. Postgres: wait for the clients (never used here).
    Term,
    /// Postgres: roll back what is open and leave cleanly ("fast").
    Interrupt,
    /// Postgres: leave at once and recover at the next start ("immediate").
    Quit,
    /// What no process can refuse.
    Kill,
}

impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
        }
    }

    fn number(self) -> rustix::process::Signal {
        match self {
            Self::Term => rustix::process::Signal::TERM,
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::Kill => rustix::process::Signal::KILL,
        }
    }
}

/// Why a server is not running.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot start {name}: {reason}")]
    Start {
        name: String,
        #[source]
        reason: io::Error,
    },

    #[error("cannot prepare {path}: {reason}")]
    Folder {
        path: PathBuf,
        #[source]
        reason: io::Error,
    },

    #[error("{name} failed ({status}):\n{output}")]
    Failed {
        name: String,
        status: ExitStatus,
        output: String,
    },

    #[error("{name} ended while it was starting ({status}); its log {log} says:\n{tail}")]
    Ended {
        name: String,
        status: ExitStatus,
        log: PathBuf,
        tail: String,
    },

    #[error("{name} did not become ready in time; see its log {log}")]
    Slow { name: String, log: PathBuf },
}

/// A running child. Dropping it ends it with the signal it was started with.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    guard: Option<Guard>,
    last_wish: Signal,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in a process group of its own, so that a Ctrl-C reaches only the owner,
    /// who stops its servers in order. `last_wish` is the signal it gets when the owner is gone;
    /// `rubbish` is then removed too.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(
        name: &str,
        command: &mut Command,
        last_wish: Signal,
        rubbish: Option<&Path>,
    ) -> Result<Self, ServerError> {
        let failed = |reason| ServerError::Start {
            name: name.to_owned(),
            reason,
        };
        let mut guard = Guard::start(last_wish, ORPHAN_PATIENCE, rubbish).map_err(failed)?;
        let child = match command.process_group(0).spawn() {
            Ok(child) => child,
            Err(reason) => {
                guard.dismiss();
                return Err(failed(reason));
            }
        };
        let watched = guard.watch(child.id());
        let process = Self {
            name: name.to_owned(),
            child,
            guard: Some(guard),
            last_wish,
            ended: None,
        };
        watched.map_err(failed)?;
        Ok(process)
    }

    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
            if self.ended.is_some()
                && let Some(guard) = self.guard.take()
            {
                guard.dismiss();
            }
        }
        Ok(self.ended)
    }

    /// Sends a signal, unless it has ended.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        // Not reaped yet, so the id is still its own.
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        match Pid::from_raw(id) {
            Some(pid) => Ok(kill_process(pid, signal.number())?),
            None => Ok(()),
        }
    }

    /// Asks it to end and waits; after `patience` it is killed. Says whether it went by itself.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn stop(&mut self, signal: Signal, patience: Duration) -> io::Result<bool> {
        self.signal(signal)?;
        let mut left = patience.as_millis() / GLANCE.as_millis();
        while self.ended()?.is_none() {
            if left == 0 {
                self.kill()?;
                return Ok(false);
            }
            left -= 1;
            thread::sleep(GLANCE);
        }
        Ok(true)
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.signal(Signal::Kill)?;
        self.ended = Some(self.child.wait()?);
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a server that the operating system does not let go.
        let _ = self.stop(self.last_wish, Duration::from_secs(10));
    }
}
