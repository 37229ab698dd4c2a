//! One running program of a stack.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tollkeeper_embedded::ports;

use super::OPERATOR_KEY;
use super::person::Person;
use crate::{binary, wait_for, wait_for_some};

/// The setting that says where an API answers the public: a free port of the loopback, if a test
/// does not say it.
const LISTEN: &str = "TOLLKEEPER_LISTEN";

/// A running API or ingestor. It is killed when dropped.
#[derive(Debug)]
pub struct Node {
    program: &'static str,
    /// The command that runs it, if it is not run as it is.
    within: Vec<OsString>,
    settings: Vec<(String, String)>,
    log: PathBuf,
    /// Where it answers the public; of no use for an ingestor.
    pub public: SocketAddr,
    /// Where it answers about itself.
    pub internal: SocketAddr,
    child: Option<Child>,
}

impl Node {
    pub(super) fn start(
        program: &'static str,
        within: Vec<OsString>,
        settings: Vec<(String, String)>,
        log: PathBuf,
    ) -> Self {
        let free = || {
            let port = ports::free().expect("the loopback has a free port");
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        let told = settings.iter().find(|(name, _)| name == LISTEN);
        let told = told.map(|(_, at)| at.parse().expect("an address with a port"));
        let mut node = Self {
            program,
            within,
            settings,
            log,
            public: told.unwrap_or_else(free),
            internal: free(),
            child: None,
        };
        node.restart();
        node
    }

    /// Starts it again with the same settings, addresses and folders.
    ///
    /// # Panics
    /// When it is running or cannot be started.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "{} is running", self.program);
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.expect("the log can be written");
        let program = OsString::from(binary(self.program));
        let words: Vec<&OsString> = self.within.iter().chain([&program]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env("TOLLKEEPER_INTERNAL_LISTEN", self.internal.to_string())
            .current_dir(self.log.parent().expect("a log is in a folder"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        if self.program == "tollkeeper-api" {
            command.env(LISTEN, self.public.to_string());
        }
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.program)));
    }

    /// Has it be started with another value of this setting from now on.
    pub fn change(&mut self, setting: &str, value: &str) {
        self.settings.retain(|(name, _)| name != setting);
        self.settings.push((setting.to_owned(), value.to_owned()));
    }

    /// The operator who talks to this API.
    #[must_use]
    pub fn operator(&self) -> Person {
        self.by_key(OPERATOR_KEY)
    }

    /// Somebody who talks to this API with a key of their own.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Person {
        Person::new(self.public, Some(("X-API-Key", key.to_owned())))
    }

    /// Somebody who talks to this API with a bearer.
    #[must_use]
    pub fn bearer(&self, credential: &str) -> Person {
        Person::new(
            self.public,
            Some(("Authorization", format!("Bearer {credential}"))),
        )
    }

    /// Somebody who talks to this API without a credential.
    #[must_use]
    pub fn nobody(&self) -> Person {
        Person::new(self.public, None)
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Panics
    /// With its log, when it does not.
    pub async fn ready(&self) {
        let asked = Person::new(self.internal, None);
        let ready = wait_for(self.program, async || {
            asked
                .try_get("/readyz")
                .await
                .is_some_and(|answer| answer.status == 200)
        });
        let timely = tokio::time::timeout(std::time::Duration::from_secs(30), ready).await;
        assert!(
            timely.is_ok(),
            "{} is not ready:\n{}",
            self.program,
            self.log_text()
        );
    }

    /// What `/readyz` or `/metrics` says.
    pub async fn about_itself(&self, path: &str) -> super::Answer {
        let asked = Person::new(self.internal, None);
        wait_for_some(path, async || asked.try_get(path).await).await
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it is running");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child.take().expect("it is running");
        let ended = tokio::task::spawn_blocking(move || child.wait()).await;
        ended.expect("waiting does not panic").expect("it ends")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it is running");
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(pid, signal).expect("an own process takes signals");
    }

    /// Has it stand still, connections and all, until it is sent `SIGCONT`. The signal alone leaves it
    /// time to answer.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn freeze(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.pid());
        wait_for("every thread to stand still", async || {
            let threads = fs::read_dir(&threads).expect("it is running");
            threads.flatten().all(|thread| {
                let stat = fs::read_to_string(thread.path().join("stat"));
                // The program's name stands in parentheses before the state.
                stat.is_ok_and(|stat| {
                    stat.rsplit(')')
                        .next()
                        .is_some_and(|it| it.starts_with(" T"))
                })
            })
        })
        .await;
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it is running").id()
    }

    /// Everything it has printed.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing left to do.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}
