//! A few connections to the primary, each thrown away at the first sign of trouble.
//!
//! Not a general pool, because a general pool gets a connection ready for its next user when a read
//! is given up, and on a network that swallows packets that never ends: the one connection of the
//! proof would be lost for minutes after the network is back. Here a read that is given up or fails
//! takes its connection with it.

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Idle connections, and places for those in use.
#[derive(Debug)]
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<PgConnection>>,
    places: Semaphore,
    most: usize,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions, most: usize) -> Self {
        Self {
            options,
            idle: Mutex::default(),
            places: Semaphore::new(most),
            most,
        }
    }

    /// Waits until a connection more may be used, for as long as the place is held. It can only be
    /// refused if the places were closed, which they never are.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// An idle connection or a new one, and whether it is new.
    pub(super) async fn take(&self) -> Result<(PgConnection, bool), sqlx::Error> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(connection) => Ok((connection, false)),
            None => Ok((self.options.connect().await?, true)),
        }
    }

    /// Gives back a connection that has just worked.
    pub(super) fn give_back(&self, connection: PgConnection) {
        let mut idle = self.idle.lock();
        if idle.len() < self.most {
            idle.push(connection);
        }
    }

    /// Drops all idle connections: what broke one has probably broken all.
    pub(super) fn forget(&self) {
        let gone = std::mem::take(&mut *self.idle.lock());
        drop(gone);
    }
}
