//! Making and running a cluster.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::USER;
use super::binaries::Binaries;
use crate::account::Account;
use crate::process::{GLANCE, Process, ServerError, Signal};

/// A socket's whole path must fit into 107 bytes; its own name takes about 20.
const SOCKET_FOLDER_MOST: usize = 80;

/// Recovery after a crash may take a while.
const START_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// What a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed.
    Full,
    /// Everything; a crash of the server alone still costs nothing. For tests.
    None,
}

impl Durability {
    /// How a server has passwords told. To tell one by SCRAM takes 4,096 rounds of SHA-256 for each
    /// connection, and a program that was built without optimisation longer than most tests of it.
    fn authentication(self) -> &'static str {
        match self {
            Self::Full => "scram-sha-256",
            Self::None => "md5",
        }
    }
}

/// How a server is to run.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The cluster; made if it is not there.
    pub data: PathBuf,
    /// The folder of the socket.
    pub sockets: PathBuf,
    /// The file the server logs to.
    pub log: PathBuf,
    pub password: String,
    /// Names the socket, and is the TCP port if there is one.
    pub port: u16,
    /// Whether to listen on the loopback too.
    pub tcp: bool,
    pub durability: Durability,
    pub max_connections: u32,
    /// Removed by the guard if this process dies.
    pub rubbish: Option<PathBuf>,
}

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    config: PostgresConfig,
    process: Process,
}

impl PostgresConfig {
    /// The URL of a database on this server, over the socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (password, port) = (&self.password, self.port);
        let sockets = percent_encode(&self.sockets);
        format!("postgres://{USER}:{password}@localhost:{port}/{database}?host={sockets}")
    }

    /// The URL of a database on this server, over TCP to `address` (the server's own, or that of
    /// a proxy in front).
    #[must_use]
    pub fn tcp_url(&self, address: &str, database: &str) -> String {
        let password = &self.password;
        format!("postgres://{USER}:{password}@{address}/{database}")
    }

    /// Whether a socket in `folder` would have too long a path.
    #[must_use]
    pub fn is_too_deep(folder: &Path) -> bool {
        folder.as_os_str().len() > SOCKET_FOLDER_MOST
    }
}

impl Postgres {
    /// Starts a server and waits until it answers, making its cluster first if need be.
    ///
    /// # Errors
    /// When the cluster cannot be made or the server does not come up.
    pub fn start(binaries: &Binaries, config: PostgresConfig) -> Result<Self, ServerError> {
        let account = Account::ordinary();
        prepare(&config.sockets, account, 0o755)?;
        if !config.data.join("PG_VERSION").exists() {
            prepare(&config.data, account, 0o700)?;
            make_cluster(binaries, &config, account)?;
        }
        let process = launch(binaries, &config, account)?;
        let mut server = Self { config, process };
        server.wait_until_ready(binaries)?;
        Ok(server)
    }

    /// Starts a streaming replica of the server that runs as `primary`, copying its cluster first if
    /// need be, and waits until it answers.
    ///
    /// # Errors
    /// When the cluster cannot be copied or the server does not come up.
    pub fn follow(
        binaries: &Binaries,
        primary: &PostgresConfig,
        config: PostgresConfig,
    ) -> Result<Self, ServerError> {
        if !config.data.join("PG_VERSION").exists() {
            let account = Account::ordinary();
            prepare(&config.data, account, 0o700)?;
            copy_cluster(binaries, primary, &config, account)?;
        }
        Self::start(binaries, config)
    }

    /// How it runs.
    #[must_use]
    pub fn config(&self) -> &PostgresConfig {
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
    pub fn stop(mut self) -> io::Result<PostgresConfig> {
        self.process.stop(Signal::Interrupt, STOP_PATIENCE)?;
        Ok(self.config.clone())
    }

    /// Ends it as a crash would (`kill -9` of the server; its sessions notice and leave).
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(mut self) -> io::Result<PostgresConfig> {
        self.process.kill()?;
        Ok(self.config.clone())
    }

    fn wait_until_ready(&mut self, binaries: &Binaries) -> Result<(), ServerError> {
        let name = "PostgreSQL".to_owned();
        let failed = |reason| ServerError::Start {
            name: "PostgreSQL".to_owned(),
            reason,
        };
        for _ in 0..START_PATIENCE.as_millis() / GLANCE.as_millis() {
            if let Some(status) = self.process.ended().map_err(failed)? {
                return Err(ServerError::Ended {
                    name,
                    status,
                    tail: tail(&self.config.log),
                    log: self.config.log.clone(),
                });
            }
            let answer = Command::new(binaries.program("pg_isready"))
                .arg("-q")
                .arg("-h")
                .arg(&self.config.sockets)
                .args(["-p", &self.config.port.to_string()])
                .status()
                .map_err(failed)?;
            if answer.success() {
                return Ok(());
            }
            thread::sleep(GLANCE);
        }
        let log = self.config.log.clone();
        Err(ServerError::Slow { name, log })
    }
}

fn make_cluster(
    binaries: &Binaries,
    config: &PostgresConfig,
    account: Account,
) -> Result<(), ServerError> {
    let folder = |reason| ServerError::Folder {
        path: config.sockets.clone(),
        reason,
    };
    let password = config.sockets.join("password");
    fs::write(&password, &config.password).map_err(folder)?;
    fs::set_permissions(&password, Permissions::from_mode(0o600)).map_err(folder)?;
    account.own(&password).map_err(folder)?;
    let mut initdb = Command::new(binaries.program("initdb"));
    initdb
        .arg("-D")
        .arg(&config.data)
        .args(["-U", USER, "-E", "UTF8", "--no-locale"])
        .args(["--auth", config.durability.authentication(), "--pwfile"])
        .arg(&password)
        .current_dir("/");
    if config.durability == Durability::None {
        initdb.arg("--no-sync");
    }
    account.apply(&mut initdb);
    let made = run(initdb, "initdb");
    fs::remove_file(&password).map_err(folder)?;
    made
}

/// What a replica needs to follow is written beside the copy.
fn copy_cluster(
    binaries: &Binaries,
    primary: &PostgresConfig,
    config: &PostgresConfig,
    account: Account,
) -> Result<(), ServerError> {
    let mut copy = Command::new(binaries.program("pg_basebackup"));
    copy.arg("-D")
        .arg(&config.data)
        .args(["--write-recovery-conf", "--wal-method", "stream"])
        .args(["--checkpoint", "fast", "--no-password", "-U", USER])
        .arg("-h")
        .arg(&primary.sockets)
        .args(["-p", &primary.port.to_string()])
        .env("PGPASSWORD", &primary.password)
        .current_dir("/");
    if config.durability == Durability::None {
        copy.arg("--no-sync");
    }
    account.apply(&mut copy);
    run(copy, "pg_basebackup")
}

/// Runs a program to its end.
fn run(mut command: Command, name: &str) -> Result<(), ServerError> {
    let output = command.output().map_err(|reason| ServerError::Start {
        name: name.to_owned(),
        reason,
    })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(ServerError::Failed {
            name: name.to_owned(),
            status: output.status,
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

fn launch(
    binaries: &Binaries,
    config: &PostgresConfig,
    account: Account,
) -> Result<Process, ServerError> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(&config.log)
        .and_then(|log| Ok((log.try_clone()?, log)));
    let (out, err) = log.map_err(|reason| ServerError::Folder {
        path: config.log.clone(),
        reason,
    })?;
    let mut command = Command::new(binaries.program("postgres"));
    let mut set = |name: &str, value: &str| {
        command.arg("-c").arg(format!("{name}={value}"));
    };
    set("port", &config.port.to_string());
    set(
        "listen_addresses",
        if config.tcp { "127.0.0.1" } else { "" },
    );
    // Quoted, because an unquoted comma would separate two folders.
    let sockets = config.sockets.display();
    set("unix_socket_directories", &format!("\"{sockets}\""));
    set("max_connections", &config.max_connections.to_string());
    if config.durability == Durability::None {
        set("fsync", "off");
        set("full_page_writes", "off");
        // It would visit the databases of all tests every minute.
        set("autovacuum", "off");
    }
    command
        .arg("-D")
        .arg(&config.data)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    account.apply(&mut command);
    let last_wish = match config.durability {
        Durability::Full => Signal::Interrupt,
        Durability::None => Signal::Quit,
    };
    Process::spawn(
        "PostgreSQL",
        &mut command,
        last_wish,
        config.rubbish.as_deref(),
    )
}

fn prepare(folder: &Path, account: Account, mode: u32) -> Result<(), ServerError> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(mode)))
        .and_then(|()| account.own(folder))
        .map_err(|reason| ServerError::Folder {
            path: folder.to_owned(),
            reason,
        })
}

/// The end of a log, for a message.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// A path as a value in a URL's query.
fn percent_encode(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.display()
        .to_string()
        .bytes()
        .map(|byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
