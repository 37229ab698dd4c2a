//! A server of one test's own, to be killed.

use std::net::SocketAddr;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tempfile::TempDir;
use tollkeeper_embedded::postgres::{Durability, Postgres, PostgresConfig};
use tollkeeper_embedded::{ServerError, install};
use tollkeeper_runtime::database::MIGRATOR;

use super::{logins, server};
use crate::folder::{blocking, temporary};

const DATABASE: &str = "tollkeeper";

/// How often a start is tried again, and how long after the last.
const ATTEMPTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// A server that the test may stop, kill and start again, with one migrated database.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Option<Postgres>,
    pub(super) config: PostgresConfig,
    pub(super) folder: TempDir,
}

impl PrivatePostgres {
    /// Starts a server. [`Durability::Full`] makes it write as in production.
    ///
    /// # Panics
    /// When there is no Postgres or the migrations fail.
    pub async fn start(durability: Durability) -> Self {
        let private = Self::start_empty(durability).await;
        private.migrate().await.expect("the migrations apply");
        private
    }

    /// Starts a server as it is made: without a database or a role of ours.
    ///
    /// # Panics
    /// When there is no Postgres.
    pub async fn start_empty(durability: Durability) -> Self {
        let folder = temporary();
        let path = folder.path().to_owned();
        let server = blocking(move || server::start(&path, durability, 100)).await;
        let config = server.config().clone();
        Self {
            server: Some(server),
            config,
            folder,
        }
    }

    /// Starts a streaming replica of it, with all that it has by now.
    ///
    /// # Panics
    /// When the replica does not come up.
    pub async fn replica(&self) -> Self {
        let folder = temporary();
        let (path, primary) = (folder.path().to_owned(), self.config.clone());
        let server = blocking(move || server::follow(&path, &primary)).await;
        Self {
            config: server.config().clone(),
            server: Some(server),
            folder,
        }
    }

    /// The URL of its database, over the socket.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// The URL of the database of this name, over the socket.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        self.config.url(database)
    }

    /// Where it listens on the loopback.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.config.port).into()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pid(&mut self) -> u32 {
        let server = self.server.as_mut().expect("the server is running");
        server.process().id()
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn kill(&mut self) {
        let server = self.server.take().expect("the server is running");
        blocking(move || server.kill()).await.expect("it is killed");
    }

    /// A clean end.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("the server is running");
        blocking(move || server.stop()).await.expect("it stops");
    }

    /// Starts it again on the same data, socket and port.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        let config = self.config.clone();
        let start = move || {
            let binaries = install::postgres(&|_| ()).expect("it was there before");
            // What a killed server had at work ends a moment after it, and keeps the data until then.
            let mut started = Postgres::start(&binaries, config.clone());
            for _ in 0..ATTEMPTS {
                if !matches!(started, Err(ServerError::Ended { .. })) {
                    break;
                }
                std::thread::sleep(PAUSE);
                started = Postgres::start(&binaries, config.clone());
            }
            started.expect("it starts again")
        };
        self.server = Some(blocking(start).await);
    }

    async fn migrate(&self) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(&self.config.url("postgres")).await?;
        let create = format!("CREATE DATABASE {DATABASE}");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        let pool = PgPool::connect(&self.url()).await?;
        let migrated = MIGRATOR.run(&pool).await;
        pool.close().await;
        migrated?;
        let mut connection = PgConnection::connect(&self.url()).await?;
        logins::ensure(&mut connection).await?;
        connection.close().await
    }
}
