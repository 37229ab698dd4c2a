//! A database per test.

use std::net::SocketAddr;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_runtime::settings::{DatabaseSettings, Secret};

use super::{logins, server, template};

/// A migrated, empty database of one test. It goes away with its server.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// Its URL over the server's socket.
    pub url: String,
    /// A few connections for the test itself.
    pub pool: PgPool,
}

impl TestDatabase {
    /// Clones a database from the template.
    ///
    /// # Panics
    /// When there is no Postgres or the migrations fail.
    pub async fn create() -> Self {
        match Self::try_create().await {
            Ok(database) => database,
            Err(error) => panic!("no database for the test: {error}"),
        }
    }

    async fn try_create() -> Result<Self, sqlx::Error> {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = crate::folder::blocking(server::shared).await;
        let template = TEMPLATE
            .get_or_try_init(|| template::ensure(server))
            .await?;
        let id = SystemEntropy.uuid_v7(SystemClock.now()).simple();
        let name = format!("test_{id}");
        let mut connection = PgConnection::connect(server).await?;
        let clone = format!("CREATE DATABASE {name} TEMPLATE {template}");
        sqlx::raw_sql(AssertSqlSafe(clone))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        let url = in_database(server, &name);
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .connect_lazy(&url)?;
        Ok(Self { url, pool })
    }

    /// The URL by which a login that is a member of this role of the migrations, and of no other, gets
    /// here.
    #[must_use]
    pub fn url_of(&self, role: &str) -> String {
        logins::url_of(&self.url, role)
    }

    /// The settings that point here.
    #[must_use]
    pub fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            url: Secret::new(self.url.clone()),
        }
    }

    /// The server's TCP address, to put a [`FaultProxy`](crate::FaultProxy) before it.
    ///
    /// # Panics
    /// When the shared server's URL was given by hand in another form.
    #[must_use]
    pub fn tcp_address(&self) -> SocketAddr {
        let (_, rest) = self.url.split_once("@localhost:").expect("a local server");
        let (port, _) = rest.split_once('/').expect("a database name");
        let port: u16 = port.parse().expect("a port");
        ([127, 0, 0, 1], port).into()
    }

    /// The URL of this database through a proxy.
    ///
    /// # Panics
    /// As [`TestDatabase::tcp_address`].
    #[must_use]
    pub fn url_through(&self, proxy: SocketAddr) -> String {
        let (login, rest) = self.url.split_once("@localhost:").expect("a local server");
        let (_, name) = rest.split_once('/').expect("a database name");
        let name = name.split('?').next().unwrap_or(name);
        // Without TLS, so that what the proxy sees is what Postgres says.
        format!("{login}@{proxy}/{name}?sslmode=disable")
    }
}

/// The URL of another database on the server whose maintenance database has this URL.
pub(super) fn in_database(server: &str, name: &str) -> String {
    server.replacen("/postgres?", &format!("/{name}?"), 1)
}
