//! How long a call to the database may take.
//!
//! A host that dies without a word leaves a connection on which nothing ever comes. Whoever waits
//! there forgets to stop, to say that it is not ready, and to try another connection.

use std::io;
use std::time::Duration;

/// Above every wait that Postgres itself would end, and below the broker's 30 seconds, so that a
/// message is not redelivered while it is settled.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits a call that uses a connection of the pool; over time, the connection is thrown away,
/// because nobody knows what else would come over it.
macro_rules! in_time {
    ($connection:ident, $call:expr) => {
        match tokio::time::timeout($crate::patience::PATIENCE, $call).await {
            Ok(done) => done,
            Err(_) => {
                drop($connection.detach());
                Err($crate::patience::silence().into())
            }
        }
    };
}

pub(crate) use in_time;

/// What a call that ran out of time failed with.
pub(crate) fn silence() -> sqlx::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the database has fallen silent in the middle of a call",
    )
    .into()
}
