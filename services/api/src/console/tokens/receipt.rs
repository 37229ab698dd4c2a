//! `GET /console/tokens/{id}/receipt`: where a change is in force by now, and where not yet.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::event::{Entry, entries};
use super::history;
use super::token::{self, Seen, short};
use crate::console::Console;
use crate::console::api::Api;
use crate::console::frame::{Frame, Place};
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, page};
use crate::console::words::Moment;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::nodes::Receipt;

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    /// The version that the change made.
    version: u64,
}

/// A receipt, as the management API writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    applied: Vec<Applied>,
    pending: Vec<Pending>,
}

#[derive(Debug, Deserialize)]
struct Applied {
    id: Uuid,
}

#[derive(Debug, Deserialize)]
struct Pending {
    id: Uuid,
    valid_until: Option<DateTime<Utc>>,
}

/// A node, and whether it answers by the change.
#[derive(Debug)]
struct Node {
    id: Uuid,
    /// What people call it; operators alone are told.
    name: Option<String>,
    has_applied: bool,
    /// When it stops to answer if it is not heard of before.
    stops: Option<Moment>,
}

impl Node {
    fn words(&self) -> String {
        let short = short(&self.id);
        let named = self.name.as_ref();
        named.map_or_else(|| short.clone(), |name| format!("{name} ({short})"))
    }
}

#[derive(Template)]
#[template(path = "console/tokens/receipt.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    entry: Entry,
    nodes: Vec<Node>,
    confirmed: usize,
}

impl Page {
    fn is_complete(&self) -> bool {
        self.confirmed == self.nodes.len()
    }

    fn version(&self) -> u64 {
        self.entry.version
    }
}

/// Which nodes answer by a change.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let now = console.app.now();
    let api = &signed_in.api;
    let token = token::read(api, id).await?;
    // Whoever may see the token may see where it is known; and who may not has been told so by now.
    let before = query.version.saturating_sub(1);
    let events = history::events(api, id, before, 1).await?;
    let event = events.first().ok_or_else(|| Problem::not_found("change"))?;
    let receipt = Receipt::at(&console.app, event.position).await?;
    let told = serde_json::to_value(&receipt).and_then(serde_json::from_value);
    let told: Told = told.map_err(Problem::internal)?;
    let names = match signed_in.person.role {
        Role::Operator => names(api).await,
        Role::User(_) => HashMap::new(),
    };
    let nodes = nodes(told, names, now);
    let entry = entries(&events, now).into_iter().next();
    page(&Page {
        frame: Frame::new(&signed_in, Place::Tokens, token.title("Receipt")),
        seen: Seen { token, now },
        entry: entry.ok_or_else(|| Problem::not_found("change"))?,
        confirmed: nodes.iter().filter(|it| it.has_applied).count(),
        nodes,
    })
}

/// What the nodes are called; nothing where that cannot be told now.
async fn names(api: &Api) -> HashMap<Uuid, String> {
    #[derive(Deserialize)]
    struct Nodes {
        items: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: Uuid,
        name: String,
    }
    let read: Result<Nodes, Stop> = api.get("/v1/nodes", &()).await;
    let items = read.map(|nodes| nodes.items).unwrap_or_default();
    items.into_iter().map(|node| (node.id, node.name)).collect()
}

fn nodes(told: Told, mut names: HashMap<Uuid, String>, now: DateTime<Utc>) -> Vec<Node> {
    let applied = told.applied.into_iter().map(|node| (node.id, true, None));
    let pending = told.pending.into_iter();
    let pending = pending.map(|node| (node.id, false, node.valid_until));
    let mut nodes: Vec<Node> = applied
        .chain(pending)
        .map(|(id, has_applied, until)| Node {
            id,
            name: names.remove(&id),
            has_applied,
            stops: until.map(|at| Moment { at, now }),
        })
        .collect();
    // The same order each time the page is looked at.
    nodes.sort_by_key(|node| node.id);
    nodes
}
