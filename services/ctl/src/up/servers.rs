//! The private Postgres and NATS.

use std::fs;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tollkeeper_embedded::nats::{Nats, NatsConfig};
use tollkeeper_embedded::postgres::{Durability, Postgres, PostgresConfig};
use tollkeeper_embedded::{install, ports};
use tollkeeper_runtime::database;
use tollkeeper_runtime::settings::{BrokerSettings, DatabaseSettings, Secret};

use super::error::Error;
use super::folder::Folder;
use super::secrets::Secrets;
use crate::nats::SERVER_CONFIG;
use crate::out::say;

const DATABASE: &str = "tollkeeper";
const NATS_USER: &str = "tollkeeper";

/// There is no TCP port: the number only names the socket, in a folder of its own.
const SOCKET_PORT: u16 = 5432;

pub(super) fn start_postgres(folder: &Folder, secrets: &Secrets) -> Result<Postgres, Error> {
    let binaries = install::postgres(&say)?;
    let config = PostgresConfig {
        data: folder.postgres_data(),
        sockets: folder.postgres_socket(),
        log: folder.log("postgres"),
        password: secrets.postgres_password.expose().to_owned(),
        port: SOCKET_PORT,
        tcp: false,
        durability: Durability::Full,
        max_connections: 100,
        rubbish: None,
    };
    Ok(Postgres::start(&binaries, config)?)
}

/// Makes the database if it is not there.
pub(super) async fn ensure_database(postgres: &PostgresConfig) -> Result<DatabaseSettings, Error> {
    let settings = |name| DatabaseSettings {
        url: Secret::new(postgres.url(name)),
    };
    let options = database::connect_options(&settings("postgres"), "tollkeeper up")?;
    let mut connection = options.connect().await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {DATABASE}")))
            .execute(&mut connection)
            .await?;
    }
    connection.close().await?;
    Ok(settings(DATABASE))
}

pub(super) fn start_nats(
    folder: &Folder,
    secrets: &Secrets,
) -> Result<(Nats, BrokerSettings), Error> {
    let program = install::nats_server(&folder.join("tools"), &say)?;
    let home = folder.join("nats");
    let wrap = |reason| Error::Folder {
        path: home.clone(),
        reason,
    };
    fs::create_dir_all(&home).map_err(wrap)?;
    let password = secrets.nats_password.expose();
    // The loopback is open to every user of the machine, so the broker asks for a password.
    let config = format!(
        "{SERVER_CONFIG}\nauthorization {{\n    user: {NATS_USER}\n    password: \"{password}\"\n}}\n"
    );
    folder.write_private("nats/nats-server.conf", &config)?;
    let config = NatsConfig {
        program,
        config: Some(home.join("nats-server.conf")),
        store: home.join("store"),
        log: folder.log("nats"),
        port: ports::free().map_err(wrap)?,
        monitor: None,
        environment: Vec::new(),
        rubbish: None,
    };
    let nats = Nats::start(config)?;
    let url = format!("nats://{NATS_USER}:{password}@{}", nats.config().address());
    let settings = BrokerSettings {
        servers: Secret::new(url),
        credentials: None,
        authorities: None,
    };
    Ok((nats, settings))
}
