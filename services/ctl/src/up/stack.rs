//! Everything that runs, started and stopped in order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tollkeeper_embedded::nats::Nats;
use tollkeeper_embedded::postgres::Postgres;
use tollkeeper_embedded::{Process, Signal};
use tollkeeper_runtime::settings::{DatabaseSettings, StreamSettings};

use super::Addresses;
use super::environment;
use super::error::{Death, Error};
use super::folder::Folder;
use super::secrets::Secrets;
use super::servers;
use super::services::{self, Surroundings};
use crate::out::say;

const GLANCE: Duration = Duration::from_millis(100);
const READY_ATTEMPTS: usize = 1200;

/// Longer than the services' own grace, so that they cut off their tasks themselves.
const STOP_PATIENCE: Duration = Duration::from_secs(40);

/// The running children. Fields are dropped in this order: the services before what they need.
#[derive(Debug)]
pub(super) struct Stack {
    api: Process,
    ingestor: Process,
    nats: Nats,
    postgres: Postgres,
    logs: Logs,
}

#[derive(Debug, Clone)]
struct Logs {
    api: PathBuf,
    ingestor: PathBuf,
    nats: PathBuf,
    postgres: PathBuf,
}

impl Stack {
    /// Starts Postgres, NATS, ingestor and API, each after the one before is there. Returns the
    /// secrets again for what follows, and how the database is reached.
    pub(super) async fn start(
        folder: &Folder,
        addresses: Addresses,
        secrets: Secrets,
    ) -> Result<(Self, Secrets, DatabaseSettings), Error> {
        // Blocking is fine here: nothing else runs in this process but the wait for a signal,
        // which is looked at between the steps.
        let postgres = servers::start_postgres(folder, &secrets)?;
        say("PostgreSQL is up");
        let database = servers::ensure_database(postgres.config()).await?;
        let version = crate::migrate::migrate(&database, None).await?;
        say(&format!("the schema is at {version}"));
        let (nats, broker) = servers::start_nats(folder, &secrets)?;
        say("NATS is up");
        crate::nats::apply(&broker, StreamSettings::default(), &say).await?;
        let around = Surroundings {
            folder,
            secrets: &secrets,
            database: &database,
            broker: &broker,
            addresses,
        };
        environment::write(&around)?;
        let ingestor = services::start_ingestor(&around)?;
        let api = services::start_api(&around)?;
        let logs = Logs {
            api: folder.log("tollkeeper-api"),
            ingestor: folder.log("tollkeeper-ingestor"),
            nats: folder.log("nats"),
            postgres: folder.log("postgres"),
        };
        let stack = Self {
            api,
            ingestor,
            nats,
            postgres,
            logs,
        };
        Ok((stack, secrets, database))
    }

    /// Returns when API and ingestor say that they are ready.
    pub(super) async fn wait_until_ready(&mut self, addresses: Addresses) -> Result<(), Error> {
        let logs = self.logs.clone();
        for (name, address, log) in [
            (
                "tollkeeper-ingestor",
                addresses.ingestor_internal,
                logs.ingestor,
            ),
            ("tollkeeper-api", addresses.api_internal, logs.api),
        ] {
            let mut state = String::new();
            let mut left = READY_ATTEMPTS;
            while !is_ready(address, &mut state).await {
                if let Some(death) = self.death() {
                    return Err(Error::Died(death));
                }
                if left == 0 {
                    return Err(Error::Slow { name, state, log });
                }
                left -= 1;
                tokio::time::sleep(GLANCE).await;
            }
        }
        Ok(())
    }

    /// Returns when a child has ended.
    pub(super) async fn first_death(&mut self) -> Death {
        loop {
            if let Some(death) = self.death() {
                return death;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Stops everything: API, ingestor, NATS, Postgres.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        let stop = move || -> io::Result<()> {
            self.api.stop(Signal::Term, STOP_PATIENCE)?;
            self.ingestor.stop(Signal::Term, STOP_PATIENCE)?;
            self.nats.stop()?;
            self.postgres.stop()?;
            Ok(())
        };
        tokio::task::spawn_blocking(stop)
            .await?
            .map_err(Error::Stop)
    }

    fn death(&mut self) -> Option<Death> {
        let children = [
            (&mut self.api, &self.logs.api),
            (&mut self.ingestor, &self.logs.ingestor),
            (self.nats.process(), &self.logs.nats),
            (self.postgres.process(), &self.logs.postgres),
        ];
        children.into_iter().find_map(|(child, log)| {
            let status = match child.ended() {
                Ok(None) => return None,
                Ok(ended) => ended,
                Err(_) => None,
            };
            Some(Death {
                name: child.name().to_owned(),
                status,
                log: log.clone(),
            })
        })
    }
}

/// Asks `/readyz`; what it says is kept for a message.
async fn is_ready(address: SocketAddr, state: &mut String) -> bool {
    let answer = match reqwest::get(format!("http://{address}/readyz")).await {
        Ok(answer) => answer,
        Err(error) => {
            *state = error.to_string();
            return false;
        }
    };
    let ready = answer.status().is_success();
    *state = answer.text().await.unwrap_or_default();
    ready
}
