//! A `tollkeeper up` under test.

use std::cell::RefCell;
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::{binary, nats, wait_for_some};

/// What `up` starts. A process's name is cut to 15 characters by the kernel.
const BINARIES: &[&str] = &["tollkeeper", "tollkeeper-api", "tollkeeper-ingestor"];

const ORDINARY: u32 = 65_534;

/// A folder and ports of a test's own.
pub(crate) struct Place {
    folder: TempDir,
    program: PathBuf,
    user: Option<u32>,
    pub(crate) port: u16,
    internal: [u16; 2],
}

impl Place {
    pub(crate) fn new() -> Self {
        // `up` looks for its siblings; without them every test here would fail late.
        let program = BINARIES.iter().map(|name| binary(name)).next().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self {
            folder,
            program,
            user: None,
            port: ports::free().unwrap(),
            internal: [ports::free().unwrap(), ports::free().unwrap()],
        }
    }

    /// The same, for a user who is not root. If the tests are not root's, they are that already.
    pub(crate) fn of_an_ordinary_user() -> Self {
        let mut place = Self::new();
        if geteuid().is_root() {
            // The build folder may be out of that user's reach.
            let programs = place.folder.path().join("bin");
            fs::create_dir(&programs).unwrap();
            for name in BINARIES {
                fs::copy(binary(name), programs.join(name)).unwrap();
            }
            fs::copy(nats::program(), programs.join("nats-server")).unwrap();
            place.program = programs.join("tollkeeper");
            place.user = Some(ORDINARY);
            chown(place.folder.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        place
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let [api, ingestor] = self.internal;
        // The server that the other tests use is on the path, so that nothing is installed here.
        let nats = nats::program();
        let beside = self.program.parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!(
            "{}:{}:{path}",
            beside.display(),
            nats.parent().unwrap().display()
        );
        command
            .arg("up")
            .args([
                "--ingestor-internal-listen",
                &format!("127.0.0.1:{ingestor}"),
            ])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("TOLLKEEPER_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("TOLLKEEPER_INTERNAL_LISTEN", format!("127.0.0.1:{api}"))
            .env("TOLLKEEPER_SPOOL_BYTES", "64MiB");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    pub(crate) fn mode_of(&self, name: &str) -> u32 {
        let path = self.folder.path().join(".tollkeeper").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Runs commands of a shell that has read where everything is; gives what they said.
    pub(crate) fn shell(&self, commands: &str) -> String {
        let done = Command::new("sh")
            .args(["-e", "-c", &format!(". .tollkeeper/env\n{commands}")])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{commands}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Whether no port is held and no Postgres runs on the data.
    pub(crate) fn is_quiet(&self) -> bool {
        let data = self.folder.path().join(".tollkeeper/postgres");
        let ports = [self.port, self.internal[0], self.internal[1]];
        !data.join("postmaster.pid").exists()
            && ports
                .iter()
                .all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }
}

/// The process, up.
pub(crate) struct Running {
    child: Child,
    output: PathBuf,
    port: u16,
}

impl Running {
    /// Starts it and returns when it says that it is up.
    pub(crate) async fn start(place: &Place) -> Self {
        let output = File::create(place.output()).unwrap();
        let child = place
            .command()
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut running = Self {
            child,
            output: place.output(),
            port: place.port,
        };
        let ended = {
            let running = RefCell::new(&mut running);
            wait_for_some("`up` to be up, or to end", || async {
                let mut running = running.borrow_mut();
                if running.text().contains("Ctrl-C stops everything") {
                    return Some(None);
                }
                running.child.try_wait().unwrap().map(Some)
            })
            .await
        };
        assert!(ended.is_none(), "{}", running.text());
        running
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        let text = self.text();
        let (_, rest) = text.split_once("first token    ").unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    /// The link by which the first operator sets a password, if it is printed.
    pub(crate) fn console_link(&self) -> Option<String> {
        let text = self.text();
        let base = format!("http://127.0.0.1:{}/console", self.port);
        assert!(text.contains(&format!("console        {base}\n")), "{text}");
        let mut lines = text.lines().map(str::trim);
        let link = lines.find(|line| line.starts_with(&format!("{base}/password/")));
        link.map(str::to_owned)
    }

    /// Does what the printed `curl` line does and returns the status.
    pub(crate) async fn ask_whether_it_may_pass(&self) -> u16 {
        let (token, port) = (self.token(), self.port);
        let url = format!("http://127.0.0.1:{port}/v1/forward-auth");
        let curl = format!("curl -i -H 'X-API-Key: {token}' {url}");
        assert!(self.text().contains(&curl));
        let request = tollkeeper_testkit::http_client()
            .get(url)
            .header("X-API-Key", token);
        request.send().await.unwrap().status().as_u16()
    }

    /// `kill -9` of the child whose name starts so.
    pub(crate) fn kill_child(&self, name: &str) {
        let parent = self.child.id();
        let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: i32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
            let stat = stat.ok()?;
            let (before, after) = stat.rsplit_once(") ")?;
            let (_, found) = before.split_once('(')?;
            let of: u32 = after.split(' ').nth(1)?.parse().ok()?;
            (of == parent && found.starts_with(name)).then_some(pid)
        });
        let pid = children.into_iter().next().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    pub(crate) async fn stop(&mut self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        self.ended().await
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = RefCell::new(&mut self.child);
        wait_for_some("`up` to end", || async {
            child.borrow_mut().try_wait().unwrap()
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed test must not leave it running; its guards end the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
