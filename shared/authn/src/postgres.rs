//! Tokens and the log, read from the Postgres primary.
//!
//! Every statement is one snapshot, on connections of its own: some for look-ups, one for the log, so
//! that neither waits for the other nor for the rest of the process. All that is written is the row of
//! this node. No session
//! state is used, so a transaction-pooling PgBouncer may stand in between.
//!
//! The statements are public for the API, which makes them for nodes without a database.

mod attendance;
mod balances;
mod connections;
mod rows;

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tollkeeper_domain::secret::SecretHash;
use uuid::Uuid;

use crate::feed::{LogHead, LoggedEvent};
use crate::source::{Attendance, BalanceKey, Lookup, SourceError, SourceFuture, TokenSource, Used};
use connections::Connections;
use rows::database;

pub use attendance::{Node, attend, leave};
pub use balances::balances;
pub use rows::{events, tokens};

/// Reads the primary. Connects when it is first used, so that a process can start without it.
///
/// Waits as long as it takes: whoever asks sets the time limit, and a question given up closes its
/// connection.
#[derive(Debug)]
pub struct PostgresSource {
    node: Arc<Node>,
    lookups: Connections,
    log: Connections,
}

impl PostgresSource {
    /// A source for this node that has at most `in_flight` connections for look-ups, which should be
    /// as many as the engine has under way at once, and one for the log.
    #[must_use]
    pub fn new(node: Node, options: PgConnectOptions, in_flight: u32) -> Self {
        Self {
            node: Arc::new(node),
            lookups: Connections::new(options.clone(), in_flight.max(1) as usize),
            log: Connections::new(options, 1),
        }
    }

    /// Reads with one of `connections`. A connection that had been idle may have died meanwhile, as
    /// all do when the server restarts: then the question is asked once more, on a new one.
    async fn read<T>(
        connections: &Connections,
        question: impl for<'c> Fn(&'c mut sqlx::PgConnection) -> SourceFuture<'c, T>,
    ) -> Result<T, SourceError> {
        let _place = connections.place().await;
        loop {
            let (mut connection, new) = connections.take().await.map_err(database)?;
            let answer = question(&mut connection).await;
            match answer {
                Ok(answer) => {
                    connections.give_back(connection);
                    return Ok(answer);
                }
                Err(SourceError::Database(_) | SourceError::Replica) if !new => {
                    connections.forget();
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl TokenSource for PostgresSource {
    fn lookup<'a>(&'a self, digests: &'a [SecretHash]) -> SourceFuture<'a, Lookup> {
        Box::pin(async move {
            let digests: Arc<[SecretHash]> = digests.into();
            Self::read(&self.lookups, move |connection| {
                let digests = Arc::clone(&digests);
                Box::pin(async move { rows::tokens(connection, &digests).await })
            })
            .await
        })
    }

    fn balances<'a>(
        &'a self,
        asked: &'a [BalanceKey],
        own: &'a [Uuid],
    ) -> SourceFuture<'a, Vec<Used>> {
        Box::pin(async move {
            let (asked, own): (Arc<[BalanceKey]>, Arc<[Uuid]>) = (asked.into(), own.into());
            Self::read(&self.lookups, move |connection| {
                let (asked, own) = (Arc::clone(&asked), Arc::clone(&own));
                Box::pin(async move { balances::balances(connection, &asked, &own).await })
            })
            .await
        })
    }

    fn attend(&self, attendance: Attendance) -> SourceFuture<'_, LogHead> {
        let node = Arc::clone(&self.node);
        Box::pin(Self::read(&self.log, move |connection| {
            let node = Arc::clone(&node);
            Box::pin(async move { attendance::attend(connection, &node, attendance).await })
        }))
    }

    fn leave(&self) -> SourceFuture<'_, ()> {
        let node = Arc::clone(&self.node);
        Box::pin(Self::read(&self.log, move |connection| {
            let node = Arc::clone(&node);
            Box::pin(async move {
                let (id, registrar) = (node.id, node.registrar.as_deref());
                attendance::leave(connection, id, registrar).await.map(drop)
            })
        }))
    }

    fn recently_used(&self, most: usize) -> SourceFuture<'_, Vec<SecretHash>> {
        Box::pin(Self::read(&self.lookups, move |connection| {
            Box::pin(rows::recently_used(connection, most))
        }))
    }

    fn events_after(&self, position: u64, limit: usize) -> SourceFuture<'_, Vec<LoggedEvent>> {
        Box::pin(Self::read(&self.log, move |connection| {
            Box::pin(rows::events(connection, position, limit))
        }))
    }
}
