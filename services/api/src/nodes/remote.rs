//! Nodes without a database: who may be one, and how the primary is read for them.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;
use tollkeeper_authn::{SourceError, SourceFuture};
use tollkeeper_read_model::Reach;

use crate::app::App;
use crate::caller::Allowed;
use crate::http::problem::Problem;

/// As long as a node waits: an answer that takes longer is of no use to it.
const LONGEST: Duration = Duration::from_secs(2);

/// Somebody who may run nodes, as the log names an actor.
pub(super) struct Remote(pub(super) String);

impl Remote {
    /// Operators and tokens of system accounts: a node learns of everybody's tokens.
    ///
    /// # Errors
    /// 403 for all others.
    pub(super) fn of<P>(allowed: &Allowed<P>) -> Result<Self, Problem> {
        if allowed.reach != Reach::All {
            let detail = "only operators and tokens of system accounts run nodes";
            return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
        }
        Ok(Self(allowed.caller.actor()))
    }
}

/// Asks the primary for a node, in time, on one of few connections that nothing else waits for. A
/// question that nobody waits for any more is asked to its end, because a connection that is given
/// up in the middle may be lost for minutes.
///
/// # Errors
/// 403 where the node is another's, 503 where the primary does not answer.
pub(super) async fn ask<T: Send + 'static>(
    app: &App,
    question: impl for<'c> FnOnce(&'c mut PgConnection) -> SourceFuture<'c, T> + Send + 'static,
) -> Result<T, Problem> {
    let pool = app.node_pool.clone();
    let asked = tokio::spawn(async move {
        let mut connection = pool.acquire().await?;
        match timeout(LONGEST, question(&mut connection)).await {
            Ok(answer) => answer.map_err(problem),
            Err(late) => {
                // Nobody knows what else would come over this connection.
                drop(connection.detach());
                Err(Problem::unavailable(late))
            }
        }
    });
    asked.await.map_err(Problem::internal)?
}

fn problem(error: SourceError) -> Problem {
    match error {
        SourceError::NotOurs => {
            let detail = "somebody else has registered this node";
            Problem::forbidden("BEYOND_AUTHORITY", detail)
        }
        SourceError::TooManyNodes => {
            let detail = "you have as many nodes as you may have; remove those that are gone";
            Problem::conflict("TOO_MANY_NODES", detail)
        }
        error => Problem::unavailable(error),
    }
}
