//! `GET /console/usage`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde::{Deserialize, Serialize};

use super::breakdown::{Breakdown, By};
use super::card::{Card, read};
use super::overview::Overview;
use super::scope::{PATH, Query, Range, Scope};
use crate::console::Console;
use crate::console::api::Api;
use crate::console::chart::{Series, Steps};
use crate::console::frame::{Frame, Place};
use crate::console::id::Id;
use crate::console::query::url;
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, page_with};
use crate::console::words::Moment;
use crate::http::query::Parameters;

/// The classes of a status to choose from.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// When numbers that are not settled are worth a word.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// Where usage is asked about.
const USAGE: &str = "/v1/usage";

#[derive(Template)]
#[template(path = "console/usage/page.html")]
struct Page {
    frame: Frame,
    scope: Scope,
    is_operator: bool,
    token_name: Option<String>,
    cards: Option<Cards>,
}

impl Page {
    fn is_live(&self) -> bool {
        self.scope.range == Range::Live
    }

    fn classes(&self) -> [&'static str; 6] {
        CLASSES
    }

    /// The single requests of the token.
    fn requests(&self) -> Option<String> {
        let token = self.scope.token()?;
        Some(url("/console/usage/requests", &[("token_id", Some(token))]))
    }
}

/// Everything that is told. What reads single requests is not asked where these are too many.
struct Cards {
    read_at: Moment,
    settled: Option<Settled>,
    overview: Card<Overview>,
    endpoints: Card<Breakdown>,
    tokens: Option<Card<Breakdown>>,
    verdicts: Option<Card<Breakdown>>,
    singly: Option<Singly>,
}

/// What is told of single requests.
struct Singly {
    networks: Card<Breakdown>,
    agents: Card<Breakdown>,
}

impl Cards {
    /// Whether it is known that there was no request.
    fn is_empty(&self) -> bool {
        self.overview
            .as_ref()
            .is_ok_and(|overview| overview.is_empty)
    }
}

/// How far usage is known to be complete.
struct Settled {
    through: Moment,
    is_late: bool,
    sources: u64,
}

#[derive(Debug, Serialize)]
struct Limit {
    limit: u8,
}

#[derive(Debug, Deserialize)]
struct Completeness {
    complete_through: DateTime<Utc>,
    incomplete_sources: u64,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// Usage over time.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let now = console.app.now();
    let mut scope = Scope::read(query, now);
    let is_operator = signed_in.person.role == Role::Operator;
    let mut token_name = None;
    if let Some(token) = scope.token().filter(|_| !scope.is_refused()) {
        match named(&signed_in.api, token).await {
            Ok(name) => token_name = Some(name),
            Err(trouble) if trouble.status() == 404 => {
                scope.complain("token_id", "There is no such token.");
            }
            // The numbers may be there without the name.
            Err(_) => {}
        }
    }
    let cards = if scope.is_refused() {
        None
    } else {
        Some(ask(&signed_in.api, &scope, is_operator, now).await?)
    };
    let status = match cards {
        Some(_) => StatusCode::OK,
        None => StatusCode::BAD_REQUEST,
    };
    let shown = Page {
        frame: Frame::new(&signed_in, Place::Usage, "Usage"),
        scope,
        is_operator,
        token_name,
        cards,
    };
    page_with(status, &shown)
}

async fn named(api: &Api, token: &str) -> Card<String> {
    let found: Card<Named> = read(api, &format!("/v1/tokens/{token}"), &()).await;
    found.map(|found| found.name)
}

/// Asks for all sums at once, and then for what reads single requests if these are few, so that the page
/// takes as long as the slowest of it.
async fn ask(
    api: &Api,
    scope: &Scope,
    is_operator: bool,
    now: DateTime<Utc>,
) -> Result<Cards, Stop> {
    let window = scope.window;
    let by = |group| async move {
        let question = scope.question(window, Some(group));
        read::<Series>(api, USAGE, &question).await
    };
    let earlier = scope.question(window.before(), None);
    let is_of_many = scope.token().is_none();
    let (series, before, endpoints, tokens, verdicts, settled) = tokio::join!(
        by("status_class"),
        read::<Series>(api, USAGE, &earlier),
        by("endpoint"),
        async {
            if !is_of_many {
                return None;
            }
            Some(tokens(api, by("token").await).await)
        },
        async {
            if !is_of_many {
                return None;
            }
            Some(by("verdict").await)
        },
        async {
            if !is_operator {
                return None;
            }
            let answer = read(api, "/v1/usage/completeness", &Limit { limit: 1 }).await;
            answer.ok().map(|told: Completeness| settled_at(&told, now))
        },
    );
    if let Some(refused) = series.as_ref().err().and_then(|it| it.refused.clone())
        && matches!(refused.status, 401 | 403)
    {
        // Nothing of the page is theirs.
        return Err(Stop::Refused(refused));
    }
    let requests = series.as_ref().ok().map(|it| it.total.requests);
    let (verdicts, singly) = if scope.is_counted_singly(requests) {
        let (verdicts, networks, agents) = tokio::join!(
            async {
                match verdicts {
                    Some(known) => known,
                    None => by("verdict").await,
                }
            },
            by("ip_network"),
            by("user_agent_family")
        );
        (Some(verdicts), Some((networks, agents)))
    } else {
        (verdicts, None)
    };
    let overview = series.map(|series| {
        let steps = Steps {
            complete_through: settled
                .as_ref()
                .map_or(series.as_of, |it| it.through.at.min(series.as_of)),
            ..series.steps()
        };
        Overview::new(&series, before.as_ref().ok(), &steps, window.together)
    });
    Ok(Cards {
        read_at: Moment { at: now, now },
        settled,
        overview,
        endpoints: Breakdown::of(endpoints, By::Endpoint, |key| {
            Some(scope.with("endpoint", Some(key)))
        }),
        tokens,
        verdicts: verdicts.map(|verdicts| {
            Breakdown::of(verdicts, By::Verdict, |code| single(scope, "verdict", code))
        }),
        singly: singly.map(|(networks, agents)| Singly {
            networks: Breakdown::of(networks, By::Network, |_| None),
            agents: Breakdown::of(agents, By::Agent, |_| None),
        }),
    })
}

/// The requests of the one token with something in common.
fn single(scope: &Scope, name: &str, value: &str) -> Option<String> {
    let token = scope.token()?;
    let parts = [("token_id", Some(token)), (name, Some(value))];
    Some(url("/console/usage/requests", &parts))
}

fn settled_at(told: &Completeness, now: DateTime<Utc>) -> Settled {
    Settled {
        through: Moment {
            at: told.complete_through,
            now,
        },
        is_late: now - told.complete_through > LATE,
        sources: told.incomplete_sources,
    }
}

/// Tokens by their names, as far as they can be found.
async fn tokens(api: &Api, answer: Card<Series>) -> Card<Breakdown> {
    let link = |id: &str| Some(format!("/console/tokens/{id}"));
    let mut found = Breakdown::of(answer, By::Token, link)?;
    let own = found.lines.iter_mut().filter(|line| line.link.is_some());
    let names = own.map(|line| async move {
        if let Ok(name) = named(api, &line.name).await {
            line.title = std::mem::replace(&mut line.name, name);
            line.below = format!("…{}", Id::new(&line.title).end());
        }
    });
    join_all(names).await;
    Ok(found)
}
