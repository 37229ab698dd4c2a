//! Three NATS servers that are one broker, run from the files that are shipped.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use tollkeeper_embedded::nats::{Nats, NatsConfig};

use super::{SHIPPED, TestNats, free_port, program};
use crate::folder::{blocking, temporary};
use crate::http::http_client;
use crate::{wait_for, wait_for_some};

/// The settings of one server of a cluster.
const SHIPPED_CLUSTER: &str = include_str!("../../../../nats/cluster.conf");

const PASSWORD: &str = "password1";

/// Three servers. Each may be stopped, killed and started again.
#[derive(Debug)]
pub struct TestCluster {
    servers: [TestNats; 3],
}

impl TestCluster {
    /// Starts three servers on free ports and waits until they have a leader.
    ///
    /// # Panics
    /// When there is no `nats-server` and it cannot be installed.
    pub async fn start() -> Self {
        let cluster = Self {
            servers: blocking(start_blocking).await,
        };
        cluster.leader_of_all().await;
        cluster
    }

    /// The URLs of all servers, as a setting takes them.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.each_ref().map(TestNats::url).join(",")
    }

    /// A plain client of whichever servers are running.
    ///
    /// # Panics
    /// When none is.
    pub async fn client(&self) -> async_nats::Client {
        let servers = self.servers.each_ref().map(TestNats::url);
        async_nats::connect(servers.as_slice())
            .await
            .expect("a server is running")
    }

    /// The server of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn server(&mut self, name: &str) -> &mut TestNats {
        let index = NAMES.iter().position(|it| *it == name);
        &mut self.servers[index.expect("a server of the cluster")]
    }

    /// The names of all servers.
    #[must_use]
    pub fn names(&self) -> [&'static str; 3] {
        NAMES
    }

    /// The name of the server that leads `stream`, as soon as one does.
    ///
    /// # Panics
    /// When there is no such stream.
    pub async fn leader_of(&self, stream: &str) -> String {
        let broker = async_nats::jetstream::new(self.client().await);
        wait_for_some("the stream to have a leader", async || {
            let stream = broker.get_stream(stream).await.ok()?;
            stream.cached_info().cluster.clone()?.leader
        })
        .await
    }

    /// Waits until every server has all of `stream`.
    ///
    /// # Panics
    /// When one does not catch up.
    pub async fn whole(&self, stream: &str) {
        let broker = async_nats::jetstream::new(self.client().await);
        wait_for("every server to have all of the stream", async || {
            let Ok(stream) = broker.get_stream(stream).await else {
                return false;
            };
            let cluster = stream.cached_info().cluster.as_ref();
            cluster.is_some_and(|it| {
                let followers = it.replicas.len() + 1 == NAMES.len();
                followers && it.leader.is_some() && it.replicas.iter().all(|copy| copy.current)
            })
        })
        .await;
    }

    /// The name of the server that leads the cluster itself and decides who keeps which stream, as soon
    /// as one does.
    pub async fn leader_of_all(&self) -> String {
        let http = http_client();
        let running = self.servers.iter().filter(|it| it.server.is_some());
        let monitors: Vec<String> = running
            .filter_map(|it| it.config.monitor)
            .map(|port| format!("http://127.0.0.1:{port}/jsz"))
            .collect();
        wait_for_some("the cluster to have a leader", async || {
            let mut leaders = Vec::new();
            for url in &monitors {
                let told = http.get(url).send().await.ok()?.text().await.ok()?;
                let told: Value = serde_json::from_str(&told).ok()?;
                leaders.push(told["meta_cluster"]["leader"].as_str()?.to_owned());
            }
            leaders.dedup();
            leaders.pop().filter(|_| leaders.is_empty())
        })
        .await
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        // One that is asked to end first gives its streams to others, which end as well.
        for server in self.servers.iter_mut().filter_map(|it| it.server.take()) {
            // What does not end now is ended by its guard.
            let _ended = server.kill();
        }
    }
}

const NAMES: [&str; 3] = ["one", "two", "three"];

fn start_blocking() -> [TestNats; 3] {
    let routes_at = [free_port(), free_port(), free_port()];
    let routes = routes_at.map(|port| format!("nats://cluster:{PASSWORD}@127.0.0.1:{port}"));
    let routes = format!("[{}]", routes.join(", "));
    let program = program();
    let start = |index: usize| {
        let folder = temporary();
        let environment = [
            ("NATS_SERVER_NAME", NAMES[index].to_owned()),
            (
                "NATS_CLUSTER_LISTEN",
                format!("127.0.0.1:{}", routes_at[index]),
            ),
            ("NATS_CLUSTER_PASSWORD", PASSWORD.to_owned()),
            ("NATS_CLUSTER_ROUTES", routes.clone()),
        ];
        let config = NatsConfig {
            program: program.clone(),
            config: Some(configured(&folder)),
            store: folder.path().join("store"),
            log: folder.path().join("nats.log"),
            port: free_port(),
            monitor: Some(free_port()),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            rubbish: Some(folder.path().to_owned()),
        };
        let server = Nats::start(config.clone()).expect("a server of a cluster starts");
        TestNats {
            server: Some(server),
            config,
            _folder: folder,
        }
    };
    [start(0), start(1), start(2)]
}

/// Writes the shipped files beside each other, as the one includes the other.
fn configured(folder: &TempDir) -> std::path::PathBuf {
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the temporary folder can be written");
        path
    };
    write("nats-server.conf", SHIPPED);
    write("cluster.conf", SHIPPED_CLUSTER)
}
