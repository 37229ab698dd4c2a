//! What compose.yaml starts, started by hand: real servers from the files it mounts, the programs with the
//! environment it gives them, and its health checks.
//!
//! Only addresses and folders are others: everything is on the loopback, and in folders of the test's own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tollkeeper_embedded::nats::{Nats, NatsConfig};
use tollkeeper_embedded::ports;
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_testkit::{PrivatePostgres, binary, http_client, nats, wait_for};

use crate::containers::compose;
use crate::{settings, shipped};

/// The services that are run, and what they run on.
struct World {
    compose: Value,
    folder: TempDir,
    postgres: PrivatePostgres,
    nats: Option<Nats>,
    /// Where its health is asked.
    nats_monitor: u16,
    nats_port: u16,
    listening: BTreeMap<&'static str, SocketAddr>,
}

/// A program that runs until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn free_port() -> u16 {
    ports::free().unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(shipped("deploy/compose/make-secrets.sh"))
            .arg(folder.path().join("secrets"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let free = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut world = Self {
            compose: compose().await,
            postgres: PrivatePostgres::start_empty(Durability::None).await,
            nats: None,
            nats_monitor: free_port(),
            nats_port: free_port(),
            listening: ["0.0.0.0:8080", "0.0.0.0:8081", "0.0.0.0:8082"]
                .map(|address| (address, free()))
                .into(),
            folder,
        };
        world.make_roles();
        world.start_nats();
        world
    }

    fn secret(&self, name: &str) -> PathBuf {
        let file = self.compose["secrets"][name]["file"].as_str().unwrap();
        self.folder
            .path()
            .join(file.strip_prefix("./deploy/compose/").unwrap())
    }

    /// What the container of Postgres does when its folder is new.
    fn make_roles(&self) {
        let script = fs::read_to_string(shipped("deploy/compose/roles.sql")).unwrap();
        let secrets = self.folder.path().join("secrets");
        let script = script.replace("/run/secrets", secrets.to_str().unwrap());
        let file = self.folder.path().join("roles.sql");
        fs::write(&file, script).unwrap();
        let done = Command::new("psql")
            .args(["-v", "ON_ERROR_STOP=1", "-f"])
            .arg(&file)
            .arg(self.postgres.url_of("postgres"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// From the files that are mounted into its container, where they are mounted.
    fn start_nats(&mut self) {
        let home = self.folder.path().join("nats");
        fs::create_dir(&home).unwrap();
        let service = &self.compose["services"]["nats"];
        for volume in service["volumes"].as_array().unwrap() {
            let mut parts = volume.as_str().unwrap().split(':');
            let (from, to) = (parts.next().unwrap(), parts.next().unwrap());
            if let (Some(from), Some(name)) =
                (from.strip_prefix("./"), to.strip_prefix("/etc/nats/"))
            {
                let text = fs::read_to_string(shipped(from)).unwrap();
                let text = text.replace("8222", &self.nats_monitor.to_string());
                fs::write(home.join(name), text).unwrap();
            }
        }
        for secret in service["secrets"].as_array().unwrap() {
            let name = secret["target"].as_str().unwrap();
            let name = name.strip_prefix("/etc/nats/").unwrap();
            let file = self.secret(secret["source"].as_str().unwrap());
            fs::copy(file, home.join(name)).unwrap();
        }
        let command = service["command"].as_array().unwrap();
        assert_eq!(command[..3], ["-c", "/etc/nats/nats.conf", "-sd"]);
        let config = NatsConfig {
            program: nats::program(),
            config: Some(home.join("nats.conf")),
            store: home.join("store"),
            log: home.join("nats.log"),
            port: self.nats_port,
            monitor: None,
            environment: Vec::new(),
            rubbish: None,
        };
        self.nats = Some(Nats::start(config).unwrap());
    }

    /// The environment of a service, with addresses and folders of this test.
    fn environment(&self, service: &str) -> BTreeMap<String, String> {
        let given = self.compose["services"][service]["environment"].as_object();
        let given = given.unwrap().iter();
        given
            .map(|(name, value)| {
                let value = value.as_str().unwrap();
                let here = match value.strip_prefix("/run/secrets/") {
                    Some(secret) => self.localized(secret).display().to_string(),
                    None => value.to_owned(),
                };
                let listening = self.listening.get(value).map(ToString::to_string);
                let here = listening.unwrap_or(here);
                let folder = self.folder.path().join("spool");
                (
                    name.clone(),
                    here.replace("/var/lib/tollkeeper/spool", folder.to_str().unwrap()),
                )
            })
            .collect()
    }

    /// A secret's file that names servers where they are.
    fn localized(&self, secret: &str) -> PathBuf {
        let text = fs::read_to_string(self.secret(secret)).unwrap();
        let postgres = format!("@{}/", self.postgres.address());
        let nats = format!("@127.0.0.1:{}", self.nats_port);
        let text = text
            .replace("@postgres:5432/", &postgres)
            .replace("@nats:4222", &nats);
        let file = self.folder.path().join(format!("{secret}.here"));
        fs::write(&file, text).unwrap();
        file
    }

    fn command(&self, service: &str, words: &Value) -> Command {
        let words = words.as_array().unwrap().iter();
        let mut words = words.map(|word| word.as_str().unwrap());
        let program = words.next().unwrap();
        let name = program.strip_prefix("/usr/local/bin/").unwrap();
        let mut command = Command::new(binary(name));
        command
            .args(words)
            .env_clear()
            .envs(self.environment(service))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a service that ends by itself.
    fn once(&self, service: &str) {
        let words = &self.compose["services"][service]["command"];
        let done = self.command(service, words).output().unwrap();
        assert!(done.status.success(), "{service}: {done:?}");
    }

    fn start(&self, service: &str) -> Running {
        let words = &self.compose["services"][service]["command"];
        let log = fs::File::create(self.folder.path().join(format!("{service}.log"))).unwrap();
        let child = self.command(service, words).stderr(log).spawn();
        Running(child.unwrap())
    }

    /// What a container engine does to see whether a service is healthy.
    fn health(&self, service: &str) -> Output {
        let test = &self.compose["services"][service]["healthcheck"]["test"];
        let words = test.as_array().unwrap();
        assert_eq!(words[0], "CMD");
        let words = Value::from(words[1..].to_vec());
        self.command(service, &words).output().unwrap()
    }

    async fn healthy(&self, service: &str) {
        wait_for(service, async || self.health(service).status.success()).await;
    }
}

#[tokio::test]
async fn everything_starts_as_compose_says_and_counts_a_call() {
    let world = World::new().await;
    for (service, program) in [
        ("migrate", "tollkeeper"),
        ("streams", "tollkeeper"),
        ("api", "tollkeeper-api"),
        ("ingestor", "tollkeeper-ingestor"),
    ] {
        settings::are_read_by(program, &world.environment(service));
    }
    let healthz = format!("http://127.0.0.1:{}/healthz", world.nats_monitor);
    let answer = http_client().get(healthz).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for service in ["migrate", "streams", "migrate", "streams"] {
        world.once(service);
    }
    let api = world.start("api");
    let _ingestor = world.start("ingestor");
    world.healthy("api").await;
    world.healthy("ingestor").await;
    a_call_is_counted(&world).await;

    drop(api);
    let gone = world.health("api");
    let said = String::from_utf8_lossy(&gone.stderr);
    assert!(
        !gone.status.success() && said.contains("no answer"),
        "{gone:?}"
    );
}

async fn a_call_is_counted(world: &World) {
    let key = fs::read_to_string(world.secret("operator_key")).unwrap();
    let (_, key) = key.trim().split_once(':').unwrap();
    let base = format!("http://{}", world.listening["0.0.0.0:8080"]);
    let http = http_client();
    let post = async |path: &str, body: Value| -> Value {
        let request = http.post(format!("{base}{path}")).header("X-API-Key", key);
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{path}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    let account = post("/v1/accounts", json!({ "external_id": "acme" })).await;
    let token = json!({ "account_id": account["id"], "name": "ci" });
    let token = post("/v1/tokens", token).await;
    let asked = http
        .get(format!("{base}/v1/forward-auth"))
        .bearer_auth(token["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status(), 200);
    let path = format!("{base}/v1/tokens/{}", token["id"].as_str().unwrap());
    wait_for("the call to be counted", async || {
        let answer = http
            .get(&path)
            .header("X-API-Key", key)
            .send()
            .await
            .unwrap();
        let token: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        token["usage_count"] == 1
    })
    .await;
}

/// Whoever else is on the machine does not get to the files.
#[test]
fn secrets_are_in_a_folder_that_is_closed_and_are_made_once() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("secrets");
    let make = || {
        let made = Command::new(shipped("deploy/compose/make-secrets.sh"))
            .arg(&home)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    make();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    let read = || -> BTreeMap<PathBuf, String> {
        let files = fs::read_dir(&home)
            .unwrap()
            .map(|file| file.unwrap().path());
        files
            .map(|file| (file.clone(), fs::read_to_string(file).unwrap()))
            .collect()
    };
    let first = read();
    assert!(first.keys().all(|file| mode(file) == 0o444));
    let texts: std::collections::BTreeSet<_> = first.values().collect();
    assert_eq!(texts.len(), first.len(), "each has another one");
    make();
    assert_eq!(read(), first);

    // Secrets of a version that knew no gates: the broker would not start without the password.
    let passwords = home.join("nats_passwords.conf");
    let (of_gates, older): (Vec<&str>, Vec<&str>) = first[&passwords]
        .lines()
        .partition(|line| line.starts_with("GATE_PASSWORD:"));
    assert_eq!(of_gates.len(), 1);
    for file in [&passwords, &home.join("nats_gate_password")] {
        fs::remove_file(file).unwrap();
    }
    fs::write(&passwords, older.join("\n") + "\n").unwrap();
    make();
    let added = fs::read_to_string(&passwords).unwrap();
    let added: Vec<&str> = added.lines().collect();
    let (last, others) = added.split_last().unwrap();
    assert_eq!(others, older);
    assert!(last.starts_with("GATE_PASSWORD: \"") && *last != of_gates[0]);
    assert_eq!(mode(&passwords), 0o444);
}
