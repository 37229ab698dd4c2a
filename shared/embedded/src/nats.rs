//! A private NATS server with JetStream in a folder.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::postgres::tail;
use crate::process::{GLANCE, Process, ServerError, Signal};

/// Recovering large streams may take a while.
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// The oldest version with the stream options that Tollkeeper uses.
const OLDEST: (u32, u32) = (2, 10);

/// How a server is to run.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// The path of `nats-server`.
    pub program: PathBuf,
    /// A configuration file for what is not said here.
    pub config: Option<PathBuf>,
    /// The folder of the streams.
    pub store: PathBuf,
    /// The file the server logs to.
    pub log: PathBuf,
    /// The port on the loopback.
    pub port: u16,
    /// Another one, where it tells about itself over HTTP.
    pub monitor: Option<u16>,
    /// Environment variables that the configuration file names.
    pub environment: Vec<(String, String)>,
    /// Removed by the guard if this process dies.
    pub rubbish: Option<PathBuf>,
}

/// A running server.
#[derive(Debug)]
pub struct Nats {
    config: NatsConfig,
    process: Process,
}

/// `nats-server` on `PATH`, if it is new enough.
#[must_use]
pub fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join("nats-server"))
        .filter(|program| program.is_file())
        .find(|program| version(program).is_some_and(|version| version >= OLDEST))
}

/// From `nats-server: v2.15.1`.
fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, number) = text.trim().rsplit_once('v')?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl NatsConfig {
    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Nats {
    /// Starts a server and waits until JetStream answers.
    ///
    /// # Errors
    /// When the server does not come up.
    pub fn start(config: NatsConfig) -> Result<Self, ServerError> {
        let folder = |reason| ServerError::Folder {
            path: config.store.clone(),
            reason,
        };
        fs::create_dir_all(&config.store).map_err(folder)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&config.log)
            .map_err(folder)?;
        let mut command = Command::new(&config.program);
        command
            .args(["-a", "127.0.0.1", "-p", &config.port.to_string(), "-js"])
            .arg("-sd")
            .arg(&config.store)
            .envs(config.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(folder)?)
            .stderr(log);
        if let Some(file) = &config.config {
            command.arg("-c").arg(file);
        }
        if let Some(port) = config.monitor {
            command.args(["-m", &port.to_string()]);
        }
        let process = Process::spawn(
            "nats-server",
            &mut command,
            Signal::Term,
            config.rubbish.as_deref(),
        )?;
        let mut server = Self { config, process };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// How it runs.
    #[must_use]
    pub fn config(&self) -> &NatsConfig {
        &self.config
    }

    /// The process, to watch it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it cleanly.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn stop(mut self) -> io::Result<NatsConfig> {
        self.process.stop(Signal::Term, STOP_PATIENCE)?;
        Ok(self.config.clone())
    }

    /// Ends it as a crash would (`kill -9`).
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(mut self) -> io::Result<NatsConfig> {
        self.process.kill()?;
        Ok(self.config.clone())
    }

    fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let name = "nats-server".to_owned();
        for _ in 0..START_PATIENCE.as_millis() / GLANCE.as_millis() {
            let ended = self.process.ended().map_err(|reason| ServerError::Start {
                name: name.clone(),
                reason,
            })?;
            if let Some(status) = ended {
                return Err(ServerError::Ended {
                    name,
                    status,
                    tail: tail(&self.config.log),
                    log: self.config.log.clone(),
                });
            }
            if answers(self.config.address()) {
                return Ok(());
            }
            thread::sleep(GLANCE);
        }
        let log = self.config.log.clone();
        Err(ServerError::Slow { name, log })
    }
}

/// The first line a server says to every client tells whether JetStream is there.
fn answers(address: SocketAddr) -> bool {
    let greeting = TcpStream::connect_timeout(&address, Duration::from_secs(1))
        .and_then(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            Ok(stream)
        })
        .and_then(|stream| {
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line)?;
            Ok(line)
        });
    greeting.is_ok_and(|line| line.starts_with("INFO ") && line.contains(r#""jetstream":true"#))
}
