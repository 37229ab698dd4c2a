//! The real Prometheus, and what it answers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tempfile::TempDir;
use tollkeeper_embedded::{Process, Signal, ports};
use tollkeeper_testkit::{http_client, wait_for};

use crate::files::{in_folder, of_repository, read};
use crate::grafana::Range;
use crate::shorter;

/// Labels by their names.
pub type Labels = BTreeMap<String, String>;

/// Values over time, or one.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is about.
    pub labels: Labels,
    /// Moments in seconds since the Unix epoch, and values.
    pub points: Vec<(f64, f64)>,
}

/// An alert that is pending or firing.
#[derive(Debug, Clone, Deserialize)]
pub struct ActiveAlert {
    /// Its name among them.
    pub labels: Labels,
    /// What it says.
    pub annotations: Labels,
    /// `pending` or `firing`.
    pub state: String,
}

/// A rule as Prometheus knows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// The alert, or the series that is recorded.
    pub name: String,
    /// Its expression.
    pub query: String,
    /// `alerting` or `recording`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it could be worked out.
    pub health: String,
    /// Why not.
    #[serde(default, rename = "lastError")]
    pub last_error: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queried {
    result: Vec<Queried1>,
}

#[derive(Deserialize)]
struct Queried1 {
    metric: Labels,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// A running Prometheus with our configuration and rules. It ends when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    client: reqwest::Client,
    folder: TempDir,
    process: Process,
}

impl Prometheus {
    /// Starts it with the shipped files, but for shorter times: see [`shorter`].
    ///
    /// # Panics
    /// When it does not come up. `cargo xtask test` installs it where it is missing.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tollkeeper-prometheus-")
            .tempdir()
            .expect("the temporary folder can be written");
        let path = folder.path();
        write_configuration(path);
        let port = ports::free().expect("the loopback has a free port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let log = File::create(path.join("log")).expect("an own folder can be written");
        let mut command = Command::new("prometheus");
        command
            .arg(format!(
                "--config.file={}",
                path.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                path.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        let process = Process::spawn("prometheus", &mut command, Signal::Term, Some(path))
            .expect("prometheus is installed");
        let this = Self {
            address,
            client: http_client(),
            folder,
            process,
        };
        wait_for("Prometheus", async || this.is_ready().await).await;
        this
    }

    async fn is_ready(&self) -> bool {
        let asked = self.client.get(self.url("/-/ready")).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Names the processes that it is to ask. It finds them within moments.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub fn watch(&self, apis: &[SocketAddr], ingestors: &[SocketAddr]) {
        for (name, addresses) in [("api", apis), ("ingestor", ingestors)] {
            let quoted: Vec<String> = addresses.iter().map(|it| format!("\"{it}\"")).collect();
            let text = format!("- targets: [{}]\n", quoted.join(", "));
            let path = self
                .folder
                .path()
                .join("targets")
                .join(format!("{name}.yml"));
            // Put in its place whole, so that it is never read half.
            let beside = path.with_extension("new");
            fs::write(&beside, text).expect("an own folder can be written");
            fs::rename(&beside, &path).expect("an own folder can be written");
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        path: &str,
        form: &[(&str, String)],
    ) -> Result<T, String> {
        let request = if form.is_empty() {
            self.client.get(self.url(path))
        } else {
            self.client.post(self.url(path)).form(form)
        };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let answer: Answer<T> = answer.json().await.map_err(|error| error.to_string())?;
        match answer.data {
            Some(data) if answer.status == "success" => Ok(data),
            _ => Err(answer.error),
        }
    }

    /// What an expression comes to at a moment; its own words where it cannot be worked out.
    ///
    /// # Errors
    /// What Prometheus says of the expression.
    pub async fn at(&self, expression: &str, time: DateTime<Utc>) -> Result<Vec<Series>, String> {
        let form = [("query", expression.to_owned()), ("time", seconds(time))];
        Ok(series(self.ask("/api/v1/query", &form).await?))
    }

    /// What an expression comes to over a time.
    ///
    /// # Errors
    /// As [`Prometheus::at`].
    pub async fn over(&self, expression: &str, range: &Range) -> Result<Vec<Series>, String> {
        let form = [
            ("query", expression.to_owned()),
            ("start", seconds(range.from)),
            ("end", seconds(range.to)),
            ("step", range.step().num_seconds().to_string()),
        ];
        Ok(series(self.ask("/api/v1/query_range", &form).await?))
    }

    /// The alerts that are pending or firing.
    ///
    /// # Panics
    /// When Prometheus does not answer.
    pub async fn active_alerts(&self) -> Vec<ActiveAlert> {
        #[derive(Deserialize)]
        struct Alerts {
            alerts: Vec<ActiveAlert>,
        }
        let answer: Result<Alerts, String> = self.ask("/api/v1/alerts", &[]).await;
        answer.expect("Prometheus answers").alerts
    }

    /// Everything that it works out.
    ///
    /// # Panics
    /// When Prometheus does not answer.
    pub async fn rules(&self) -> Vec<Rule> {
        #[derive(Deserialize)]
        struct Groups {
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            rules: Vec<Rule>,
        }
        let answer: Result<Groups, String> = self.ask("/api/v1/rules", &[]).await;
        let groups = answer.expect("Prometheus answers").groups;
        groups.into_iter().flat_map(|group| group.rules).collect()
    }
}

fn seconds(time: DateTime<Utc>) -> String {
    format!("{:.3}", time.timestamp_millis() as f64 / 1e3)
}

fn series(queried: Queried) -> Vec<Series> {
    let number = |(time, value): (f64, String)| (time, value.parse().unwrap_or(f64::NAN));
    let each = queried.result.into_iter().map(|it| Series {
        labels: it.metric,
        points: it.values.into_iter().chain(it.value).map(number).collect(),
    });
    each.collect()
}

/// Copies the shipped files to `folder`, with shorter times, and with nobody to ask yet.
fn write_configuration(folder: &Path) {
    let write = |path: PathBuf, text: String| {
        let parent = path.parent().expect("a file is in a folder");
        fs::create_dir_all(parent).expect("an own folder can be written");
        fs::write(path, text).expect("an own folder can be written");
    };
    let shipped = read(&of_repository("grafana/prometheus/prometheus.yml"));
    write(
        folder.join("prometheus.yml"),
        shorter::configuration(&shipped),
    );
    for rules in in_folder("grafana/prometheus/rules", ".yml") {
        let name = rules.file_name().expect("a file has a name");
        write(
            folder.join("rules").join(name),
            shorter::rules(&read(&rules)),
        );
    }
    for name in ["api", "ingestor"] {
        write(
            folder.join(format!("targets/{name}.yml")),
            "[]\n".to_owned(),
        );
    }
}
