//! `?wait=applied`: where a change is in force by now, and where not yet.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tollkeeper_read_model::nodes::NodeRow;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::roll::PACE;
use crate::app::App;
use crate::commands::CommandError;

/// The longest that a caller is kept waiting.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Until {
    /// That all nodes answer by the change.
    Applied,
}

/// Whether to wait for the nodes.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Answer when every node has applied the change, or after five seconds; `applied` and `pending`
    /// tell which nodes have.
    #[param(inline)]
    wait: Option<Until>,
}

/// Where a change is in force; empty if nobody asked.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// The nodes that answer by it. Only where `wait` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    applied: Option<Vec<Applied>>,
    /// The nodes that may still answer as before: where there is none, the change is in force
    /// everywhere. Only where `wait` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pending: Option<Vec<Pending>>,
}

/// A node that has applied it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppliedNode)]
struct Applied {
    /// As in `GET /v1/nodes`.
    id: Uuid,
}

/// A node that has not been heard to have applied it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PendingNode)]
struct Pending {
    /// As in `GET /v1/nodes`.
    id: Uuid,
    /// When it stops to answer unless it is heard of before; null where that is not known, or where
    /// it was told to go on for as long as it runs.
    #[schema(required)]
    valid_until: Option<DateTime<Utc>>,
}

impl From<Option<Until>> for Wait {
    fn from(wait: Option<Until>) -> Self {
        Self { wait }
    }
}

impl Wait {
    /// Waits, if that was asked for, until all nodes have applied what is committed by now. No
    /// connection is held meanwhile. Never fails, because the change has been made: as long as the
    /// nodes cannot be read, this one is said to be pending.
    pub(crate) async fn over(self, app: &App) -> Receipt {
        if self.wait.is_none() {
            return Receipt::default();
        }
        let end = app.clock.boot_time() + LONGEST;
        // A node that is not known after this moment has yet to read the log, and the change in it.
        let moment = app.roll.moment();
        let mut position = None;
        loop {
            let receipt = match look(app, moment, &mut position).await {
                Ok(receipt) => receipt,
                Err(error) => {
                    tracing::debug!(%error, "the nodes cannot be read");
                    Receipt::unknown(app.roll.own())
                }
            };
            if receipt.is_complete() || app.clock.boot_time() + PACE > end {
                return receipt;
            }
            sleep(PACE).await;
        }
    }
}

/// The nodes as they are, by what `position` is or becomes: the end of the log after the change.
async fn look(
    app: &App,
    moment: Duration,
    position: &mut Option<i64>,
) -> Result<Receipt, CommandError> {
    let position = match *position {
        Some(position) => position,
        None => {
            let head = tollkeeper_event_store::head(&app.pool).await?;
            *position.insert(head.position)
        }
    };
    Ok(Receipt::of(&app.roll.since(moment).await?, position))
}

impl Receipt {
    fn of(nodes: &[NodeRow], position: i64) -> Self {
        let (mut applied, mut pending) = (Vec::new(), Vec::new());
        for node in nodes.iter().filter(|node| node.may_answer) {
            if node.position.is_some_and(|reached| reached >= position) {
                applied.push(Applied { id: node.id });
            } else {
                pending.push(Pending {
                    id: node.id,
                    valid_until: node.valid_until,
                });
            }
        }
        Self {
            applied: Some(applied),
            pending: Some(pending),
        }
    }

    /// Where the event at this position is applied by now.
    ///
    /// # Errors
    /// If the nodes cannot be read.
    pub(crate) async fn at(app: &App, position: i64) -> Result<Self, sqlx::Error> {
        let nodes = app.roll.since(app.roll.moment()).await?;
        Ok(Self::of(&nodes, position))
    }

    /// Nothing is known but that this node is there.
    fn unknown(own: Uuid) -> Self {
        let own = Pending {
            id: own,
            valid_until: None,
        };
        Self {
            applied: Some(Vec::new()),
            pending: Some(vec![own]),
        }
    }

    /// Whether no node is pending.
    pub(crate) fn is_complete(&self) -> bool {
        self.pending.as_ref().is_none_or(Vec::is_empty)
    }
}
