//! The real nginx with the configuration that is shipped.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::wait_for;

const SHIPPED: &str = include_str!("../../../../docs/integrations/nginx.conf");

/// A running nginx; it ends when dropped.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts nginx before a small site, asking the Tollkeeper at `tollkeeper`.
    pub(crate) async fn start(tollkeeper: SocketAddr) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tollkeeper-nginx-")
            .tempdir()
            .unwrap();
        let root = folder.path();
        write_site(&root.join("site"));
        // The workers run as another user when the test runs as root.
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        let address: SocketAddr = ([127, 0, 0, 1], ports::free().unwrap()).into();
        fs::write(
            root.join("nginx.conf"),
            configuration(root, address, tollkeeper),
        )
        .unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(root)
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

    /// One line for each request: the client's label, the path and the status.
    pub(crate) fn access_log(&self) -> Vec<(String, String, u16)> {
        let text = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let lines = text
            .lines()
            .map(|line| line.splitn(3, ' ').collect::<Vec<_>>());
        lines
            .map(|parts| {
                (
                    parts[0].to_owned(),
                    parts[2].to_owned(),
                    parts[1].parse().unwrap(),
                )
            })
            .collect()
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

/// The shipped file with its three addresses replaced, and a log that the test can read.
fn configuration(root: &Path, listen: SocketAddr, tollkeeper: SocketAddr) -> String {
    let log = "log_format oracle '$http_x_label $status $request_uri';\n    \
               access_log access.log oracle;\n    \
               client_body_temp_path tmp-body; proxy_temp_path tmp-proxy; \
               fastcgi_temp_path tmp-fastcgi; uwsgi_temp_path tmp-uwsgi; scgi_temp_path tmp-scgi;";
    let mut text = format!("pid nginx.pid;\n{SHIPPED}");
    for (shipped, own) in [
        ("listen 127.0.0.1:8000", format!("listen {listen}")),
        ("server 127.0.0.1:8080", format!("server {tollkeeper}")),
        (
            "root /srv/www",
            format!("root {}", root.join("site").display()),
        ),
        (
            "include /etc/nginx/mime.types;",
            format!("include /etc/nginx/mime.types;\n    {log}"),
        ),
    ] {
        assert_eq!(text.matches(shipped).count(), 1, "{shipped}");
        text = text.replace(shipped, &own);
    }
    text
}

fn write_site(site: &Path) {
    for (path, text) in [
        ("index.html", "home"),
        ("orders/index.html", "orders"),
        ("orders/17.json", "{}"),
        (
            "img/logo.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        ),
    ] {
        let path = site.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
