//! The real nginx before two APIs, with the part of its configuration that the runbook shows.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::wait_for;

const RUNBOOK: &str = include_str!("../../../../docs/runbooks/upgrade.md");

/// A running nginx; it ends when dropped.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    pub(crate) async fn start(apis: &[Node; 2]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tollkeeper-nginx-")
            .tempdir()
            .unwrap();
        // The workers run as another user when the test runs as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let address: SocketAddr = ([127, 0, 0, 1], ports::free().unwrap()).into();
        let configuration = configuration(address, apis);
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let nginx = Self {
            child,
            folder,
            address,
        };
        wait_for("nginx", async || TcpStream::connect(address).await.is_ok()).await;
        nginx
    }

    /// How many requests were answered, and how many of them only at the second attempt.
    pub(crate) fn attempts(&self) -> (usize, usize) {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let again = log.lines().filter(|line| line.contains(',')).count();
        (log.lines().count(), again)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // The master takes its workers with it.
        let _asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ended = self.child.wait();
    }
}

fn configuration(address: SocketAddr, apis: &[Node; 2]) -> String {
    let (_, rest) = RUNBOOK.split_once("```nginx\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let mut shown = shown.to_owned();
    for (from, to) in [
        ("10.0.0.1:8080", apis[0].public),
        ("10.0.0.2:8080", apis[1].public),
        ("listen 8000", address),
    ] {
        assert_eq!(shown.matches(from).count(), 1, "{from}");
        let to = match from {
            "listen 8000" => format!("listen {to}"),
            _ => to.to_string(),
        };
        shown = shown.replace(from, &to);
    }
    format!(
        "pid nginx.pid;\nworker_processes 2;\nevents {{ worker_connections 256; }}\nhttp {{\n\
        log_format attempts '$status $upstream_addr';\naccess_log access.log attempts;\n\
        client_body_temp_path tmp-body; proxy_temp_path tmp-proxy; fastcgi_temp_path tmp-fastcgi; \
        uwsgi_temp_path tmp-uwsgi; scgi_temp_path tmp-scgi;\n{shown}\n}}\n"
    )
}
